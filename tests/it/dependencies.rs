//! What the program is made of: one version of what is passed between its parts, and nothing that is banned.

use std::collections::BTreeSet;
use std::process::Command;

use crate::parts::{source, succeed};

/// `(name, version)` of every package in the program, as Cargo resolves it for this machine.
fn packages() -> BTreeSet<(String, String)> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--package", "kustlake", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    cargo.args(["--locked", "--offline"]).current_dir(source(""));
    let tree = succeed(&mut cargo).stdout;
    let words = tree.lines().map(str::split_whitespace);
    words.filter_map(|mut line| Some((line.next()?.to_owned(), line.next()?.to_owned()))).collect()
}

#[test]
fn what_passes_between_parts_has_one_version() {
    let packages = packages();
    for name in ["arrow", "arrow-array", "arrow-schema", "object_store", "parquet", "reqwest", "rustls", "tokio"] {
        let versions: Vec<_> = packages.iter().filter(|(package, _)| package == name).collect();
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
}

#[test]
fn nothing_that_is_banned_comes_in() {
    let packages = packages();
    assert!(packages.len() > 100, "{packages:?}");
    for name in ["openssl-sys", "native-tls", "serde_yaml", "serde_yml", "backoff", "deltalake", "datafusion"] {
        assert!(packages.iter().all(|(package, _)| package != name), "{name}");
    }
}

#[test]
fn every_package_comes_from_the_registry() {
    let lock = std::fs::read_to_string(source("Cargo.lock")).unwrap();
    let sources: BTreeSet<_> = lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    assert_eq!(sources.into_iter().collect::<Vec<_>>(), ["\"registry+https://github.com/rust-lang/crates.io-index\""]);
}
