//! What the program is made of: one version of what is passed between its parts, and nothing that is banned.

use std::collections::BTreeSet;
use std::process::Command;

use crate::parts::{source, succeed};

/// Every package and its features in the program (`normal,build`) or in the tests too, as Cargo resolves them here.
fn tree(package: &[&str], edges: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("tree").args(package).args(["--edges", edges, "--prefix", "none", "--format", "{p} [{f}]"]);
    let tree = succeed(cargo.args(["--locked", "--offline"]).current_dir(source(""))).stdout;
    tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

/// `(name, version)` of every package in the program.
fn packages() -> BTreeSet<(String, String)> {
    let tree = tree(&["--package", "kustlake"], "normal,build");
    let words = tree.iter().map(|line| line.split_whitespace());
    words.filter_map(|mut line| Some((line.next()?.to_owned(), line.next()?.to_owned()))).collect()
}

#[test]
fn program_and_tests_share_one_build_of_every_package() {
    let program = tree(&["--package", "kustlake"], "normal,build");
    let tests = tree(&["--workspace"], "normal,build,dev");
    assert_eq!(program.difference(&tests).collect::<Vec<_>>(), Vec::<&String>::new());
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
