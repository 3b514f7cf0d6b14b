//! Embeds every file of `schemas/` in the binary, so that adding an entity needs no line of Rust.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folders through the environment")]
fn folder(variable: &str) -> io::Result<String> {
    env::var(variable).map_err(io::Error::other)
}

fn main() -> io::Result<()> {
    let schemas = Path::new(&folder("CARGO_MANIFEST_DIR")?).join("schemas");
    println!("cargo::rerun-if-changed={}", schemas.display());
    let mut files: Vec<_> = fs::read_dir(&schemas)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let mut list = String::from("&[\n");
    for file in files.iter().filter(|file| file.path().extension().is_some_and(|end| end == "yaml")) {
        let (name, path) = (file.file_name(), file.path());
        writeln!(list, "    ({name:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    list.push(']');
    fs::write(Path::new(&folder("OUT_DIR")?).join("schemas.rs"), list)
}
