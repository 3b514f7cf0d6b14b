//! A public client of the API, by somebody else, reads the simulator as it would read Kustomer, and finds the same
//! records as kustlake's tables hold.

use std::collections::BTreeSet;

use chrono::DateTime;
use kustlake_sim::{ClockSpec, Context, Switches, WorldSpec};
use serde_json::{Value, json};

use crate::parts::{installed, python, source, succeed};
use crate::support::Org;
use crate::witness::seen;

/// What the client reads, which are also the names of our entities.
const STREAMS: [&str; 9] =
    ["conversations", "customers", "kobjects", "messages", "notes", "shortcuts", "tags", "teams", "users"];

const YEAR: i64 = 365 * 24 * 60 * 60 * 1000;

/// Ids and last changes of the records that a Singer tap gave for a stream.
fn given(messages: &str, stream: &str) -> BTreeSet<(String, i64)> {
    let messages = messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let records = messages.filter(|message| message["type"] == "RECORD" && message["stream"] == stream);
    let text = |message: &Value, name: &str| message["record"][name].as_str().unwrap().to_owned();
    records.map(|message| (text(&message, "id"), millis(&text(&message, "updated_at")))).collect()
}

fn millis(instant: &str) -> i64 {
    DateTime::parse_from_rfc3339(instant).unwrap().timestamp_millis()
}

#[tokio::test(flavor = "multi_thread")]
async fn tap_kustomer_finds_the_records_that_the_tables_hold() {
    let clock = ClockSpec::real_time();
    // The client reads no further back than search does, and never ends on a page of equal timestamps.
    let world = WorldSpec { start: Some(clock.start - YEAR), ..WorldSpec::of_messages(400) };
    let org = Org::with_clock(world, Switches::unlimited(), clock).await;
    let (base, file) = (org.sim.base_url(), org.path("singer.jsonl"));
    let mut tap = std::process::Command::new(installed("tap_kustomer/bin/python"));
    tap.arg(source("sim/tests/tap_kustomer/run.py")).arg(base).arg(&file).env_clear();
    tokio::task::spawn_blocking(move || succeed(&mut tap)).await.unwrap();
    let messages = std::fs::read_to_string(&file).unwrap();

    org.sim.clock().advance(10 * 60 * 1000);
    org.configure("", &format!("pipelines: {{{}}}", STREAMS.map(|stream| format!("{stream}: {{}}")).join(", ")));
    org.report(&["run"]).await;
    let names = [
        (Context::Conversation, "conversations"),
        (Context::Customer, "customers"),
        (Context::Message, "messages"),
        (Context::Note, "notes"),
    ];
    let tables = seen(&org.lake().display().to_string(), None, &names.map(|(_, table)| table));
    for (context, stream) in names {
        // It never asks for deleted records.
        let live: Vec<_> = org.sim.truth(context).into_iter().filter(|row| !row.deleted).collect();
        let found = given(&messages, stream);
        assert_eq!(found, live.into_iter().map(|row| (row.id, millis(&row.updated_at))).collect(), "{stream}");
        assert_eq!(tables["delta_scan"][stream]["live"], found.len(), "{stream}");
    }
    let mut compare = python();
    compare.arg(source("tests/agrees.py")).arg(org.lake()).arg(&file).env_clear();
    let compared: Value = serde_json::from_str(&succeed(&mut compare).stdout).unwrap();
    for stream in STREAMS {
        let seen = &compared[stream];
        assert_eq!(seen["missing"], json!([]), "{stream}");
        assert_eq!(seen["different"], json!([]), "{stream}");
        let (records, fields) = (seen["records"].as_u64().unwrap(), seen["fields"].as_u64().unwrap());
        assert!(records > 0 && fields >= records * 3, "{stream}: {fields} fields of {records} records");
    }
}
