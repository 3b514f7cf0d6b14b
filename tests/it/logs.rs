//! The log that others read: the names of its fields are promised, and nobody else's are used.

use std::collections::BTreeSet;
use std::path::Path;

use kustlake_sim::{Switches, WorldSpec};
use serde_json::Value;

use crate::parts::source;
use crate::support::Org;

/// The names that docs/operations.md promises.
fn promised() -> BTreeSet<String> {
    let text = std::fs::read_to_string(source("docs/operations.md")).unwrap();
    let section = text.split("### The log").nth(1).unwrap().split("\n#").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    rows.flat_map(|names| names.split(", ").map(|name| name.trim_matches('`').to_owned()).collect::<Vec<_>>()).collect()
}

/// The arguments of every event in a source file, up to the message.
fn events(text: &str) -> Vec<String> {
    let starts = ["info", "warn", "error", "debug"].map(|level| format!("tracing::{level}!("));
    let of = |start: &String| {
        let events = text.split(start.as_str()).skip(1);
        events.map(|rest| rest.split('"').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    starts.iter().flat_map(of).collect()
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            sources(&entry.path(), found);
        } else {
            found.push(std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

#[test]
fn every_field_of_an_event_is_promised() {
    let (mut texts, promised) = (Vec::new(), promised());
    sources(&source("src"), &mut texts);
    let events: Vec<String> = texts.iter().flat_map(|text| events(text)).collect();
    assert!(events.len() > 25, "{}", events.len());
    for event in events {
        // What stands within brackets are values.
        let mut depth = 0;
        let outside = event.chars().filter(|char| {
            depth += i32::from(*char == '(') - i32::from(*char == ')');
            depth == 0
        });
        let outside = outside.collect::<String>();
        let is_field = |text: &&str| !text.is_empty() && !text.starts_with("target:");
        for field in outside.split(',').map(str::trim).filter(is_field) {
            let name = field.split('=').next().unwrap().trim().trim_start_matches(['%', '?']);
            assert!(promised.contains(name), "{name} is not in docs/operations.md: {event}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_json_with_promised_names() {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.sim.clock().advance(10 * 60 * 1000);
    let ended = org.run(&["run", "--log-level", "debug"]).await;
    let promised = promised();
    let lines: Vec<Value> = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"] == "committed" && line["inserted"].is_u64()), "{lines:?}");
    for line in &lines {
        let unknown: Vec<_> = line.as_object().unwrap().keys().filter(|name| !promised.contains(*name)).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {line}");
    }
}
