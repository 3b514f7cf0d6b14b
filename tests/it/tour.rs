//! The demo, as a new user runs it, and the queries that it prints.

use std::collections::BTreeMap;
use std::path::Path;

use crate::parts::{shell, succeed};
use crate::support::{Ended, program};
use crate::witness::seen;

/// A name that has to be quoted wherever it is written.
const LAKE: &str = "Ann's $lake";

/// The commands among what the demo told: those lines that begin with `duckdb`, to the quote that ends them.
fn commands(told: &str) -> Vec<String> {
    let starts = told.match_indices("\n  duckdb ").map(|(at, _)| at);
    starts.map(|at| told[at..].split("\n\n").next().unwrap().trim().to_owned()).collect()
}

/// Pastes a command into a shell, and reads the table that DuckDB draws: the cells of each row by column.
fn ask(folder: &Path, command: &str) -> Vec<BTreeMap<String, String>> {
    let drawn = succeed(shell(folder).args(["-c", command])).stdout;
    let cells = |line: &str| line.trim_matches('│').split('│').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut lines = drawn.lines().filter(|line| line.starts_with('│')).map(cells);
    let (header, _types) = (lines.next().expect(&drawn), lines.next());
    let rows = lines.filter(|row| row.len() == header.len());
    rows.map(|row| header.iter().cloned().zip(row).collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_demo_prints_can_be_pasted_and_is_answered_rightly() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = program(folder.path());
    demo.args(["demo", "--records", "3000", "--destination", LAKE]);
    let told = Ended::from(tokio::task::spawn_blocking(move || demo.output().unwrap()).await.unwrap());
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(
        told.stdout.lines().any(|line| line.starts_with("conversations ") && line.contains(" complete ")),
        "{told:#?}"
    );
    for line in ["300 new messages", "Ask DuckDB"] {
        assert!(told.stdout.contains(line), "{line}: {told:#?}");
    }

    let answers: Vec<_> = commands(&told.stdout).iter().map(|command| ask(folder.path(), command)).collect();
    let [views, log] = answers.as_slice() else { panic!("two queries: {answers:?}") };

    let lake = folder.path().join(LAKE).display().to_string();
    let tables = &seen(&lake, None, &["messages", "conversations"])["deltalake"];
    let messages: u64 = views.iter().map(|row| row["messages"].parse::<u64>().unwrap()).sum();
    assert_eq!(tables["messages"]["live"], messages);
    assert_eq!(tables["messages"]["rows"], 3000 / 5 * 3 + 300);
    assert_eq!(tables["conversations"]["rows"], 3000 / 5);
    assert_eq!(log[0]["count_star()"], "600");
}

#[test]
fn no_organisation_is_loaded_into_the_lake_of_a_demo() {
    let folder = tempfile::tempdir().unwrap();
    let kustlake = |args: &[&str]| {
        let mut command = program(folder.path());
        Ended::from(command.args(args).env("KUSTOMER_API_KEY", "key").output().unwrap())
    };
    assert_eq!(kustlake(&["demo", "--records", "100"]).code, 0);
    assert_eq!(kustlake(&["init", "--destination", "./demo-lake"]).code, 0);
    let refused = kustlake(&["run"]);
    assert!(refused.code == 2 && refused.stderr.contains("its records are invented"), "{refused:#?}");
    // Looking at it is another matter.
    assert_eq!(kustlake(&["status"]).code, 0);
}

#[test]
fn the_demo_never_touches_a_folder_that_it_did_not_make() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let ended = Ended::from(program(folder.path()).args(["demo", "--destination", "."]).output().unwrap());
    assert_eq!(ended.code, 2, "{ended:#?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
