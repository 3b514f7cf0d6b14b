//! The simulator as a program.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::client::send;

/// Starts the program; returns it and the line it says when it is ready.
fn run(arguments: &[&str]) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kustlake-sim"));
    let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line)
}

#[test]
fn it_says_where_it_listens_and_stops_when_it_is_told() {
    let switches = r#"{"org_limit": 7}"#;
    let (mut child, line) = run(&["--messages", "40", "--notes", "3", "--switches", switches]);
    let addr = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    let answer = send(addr, "GET", "/v1/notes", Some("sim-token"), "").unwrap();
    assert_eq!((answer.status, answer.number("x-ratelimit-limit")), (200, 7));
    assert!(answer.json()["data"].as_array().unwrap().len() <= 3);
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_refuses_switches_that_it_does_not_know() {
    let (mut child, line) = run(&["--switches", r#"{"unheard": 1}"#]);
    assert_eq!(line, "");
    assert!(!child.wait().unwrap().success());
}
