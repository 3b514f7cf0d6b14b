//! What kustlake is packaged with: units, images, schedules and the release script, by tools that know them.

use std::path::Path;

use serde_json::Value;

use crate::parts::{installed, source, succeed};
use crate::support::{Ended, program};

fn checked(arguments: &[&str]) -> Ended {
    let mut check = std::process::Command::new(installed("packaging/bin/python"));
    succeed(check.arg("-B").arg(source("tests/packaged/run.py")).args(arguments).current_dir(source(".")))
}

#[test]
fn every_file_passes_the_tools_that_know_its_kind() {
    let told = checked(&["--binary", env!("CARGO_BIN_EXE_kustlake")]);
    assert!(!told.stderr.contains("FAILED"), "{}", told.stderr);
}

/// With `--help` after them, commands are parsed as far as the names of commands; with a folder that has no configuration,
/// as a whole.
#[test]
fn every_command_in_them_is_one_of_ours() {
    let told = checked(&["--commands"]);
    let folder = tempfile::tempdir().unwrap();
    let commands: Vec<Value> = told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(commands.len() > 20, "{}", told.stdout);
    for command in commands {
        let words = command["argv"].as_array().unwrap();
        let words: Vec<&str> = words.iter().map(|word| word.as_str().unwrap()).collect();
        let (name, arguments) = words.split_first().expect("a command");
        assert_eq!(Path::new(name).file_name().unwrap(), "kustlake", "{command}");
        if arguments.first().is_some_and(|first| ["init", "demo", "completions", "manual"].contains(first)) {
            continue;
        }
        let ended = Ended::from(program(folder.path()).args(arguments).output().unwrap());
        assert!(!ended.stderr.contains("Usage:"), "{command}: {}", ended.stderr);
    }
}
