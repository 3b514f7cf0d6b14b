//! The drill for whoever is on call: what goes wrong, what the program says then, and that what it says to do helps.

use std::path::Path;

use crate::parts::{installed, source, succeed};

#[test]
fn what_the_drill_tells_is_what_a_terminal_shows() {
    let binaries = Path::new(env!("CARGO_BIN_EXE_kustlake")).parent().unwrap();
    // Built with the workspace, beside ours.
    assert!(binaries.join("kustlake-sim").exists(), "build the workspace: kustlake-sim is missing");
    let python = installed("readers/bin/python");
    let mut check = std::process::Command::new(&python);
    check.arg("-B").arg(source("tests/drill/run.py")).arg("--check").arg("docs/drill.md");
    check.arg("--binaries").arg(binaries).arg("--python").arg(&python);
    succeed(check.current_dir(source(".")));
}
