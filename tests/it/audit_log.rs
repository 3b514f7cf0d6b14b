//! The audit log: each entry once, whatever its bounds mean and however late it shows.

use std::collections::BTreeMap;

use kustlake::run::{Command, Exit};
use kustlake_sim::{Context, Mutation, Op, Switches, WorldSpec};
use serde_json::{Value, json};

use crate::rows::{all, by_id};
use crate::support::{Org, eager, entity};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

async fn org(switches: Value, audit_logs: u32) -> Org {
    let world =
        WorldSpec { customers: 20, conversations: 30, messages: 40, users: 4, audit_logs, ..WorldSpec::empty() };
    let org = Org::new(world, Switches::unlimited().merged(switches).unwrap()).await;
    org.configure("", "pipelines: {audit_logs: {}}");
    org.sim.clock().advance(10 * MINUTE);
    org
}

fn change(org: &Org, seed: u64) {
    for context in [Context::Customer, Context::Conversation, Context::Message] {
        for (op, count) in [(Op::Create, 3), (Op::Update, 9), (Op::DeleteSoft, 2)] {
            org.sim.mutate(Mutation { context, op, count, seed }).unwrap();
        }
    }
    org.sim.mutate(Mutation { context: Context::Customer, op: Op::Merge, count: 1, seed }).unwrap();
}

/// The entries that can be read now, by id: what was done to which record.
fn shown(org: &Org) -> BTreeMap<String, (Value, Value)> {
    let entry = |entry: Value| {
        let told = |name: &str| entry["attributes"][name].clone();
        (entry["id"].as_str().unwrap().to_owned(), (told("eventName"), told("objectId")))
    };
    org.sim.audit_log().into_iter().map(entry).collect()
}

async fn loaded(org: &Org) -> BTreeMap<String, (Value, Value)> {
    let rows = by_id(&org.lake(), "audit_logs").await.into_iter();
    rows.map(|(id, row)| (id, (row["event_name"].clone(), row["object_id"].clone()))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_is_read_once_whatever_the_bounds_and_the_end_are_like() {
    let lag = 4 * MINUTE;
    for switches in [
        json!({"audit_lag_ms": lag}),
        json!({"audit_bounds": "end_exclusive"}),
        json!({"audit_bounds": "whole_seconds", "audit_end": "empty_page"}),
        json!({"audit_lag_ms": lag, "audit_bounds": "end_exclusive", "audit_end": "empty_page", "unset": "absent"}),
        json!({"server_error": {"n": 3}, "drop_midway": {"n": 4}}),
    ] {
        let org = org(switches.clone(), 1_500).await;
        let mut expected = shown(&org);
        assert!(expected.len() >= 1_500);
        for round in 0..6 {
            let report = serde_json::to_value(org.load().await).unwrap();
            assert_eq!(entity(&report, "audit_logs")["updated"], 0, "{switches}");
            assert_eq!(loaded(&org).await, expected, "{switches}, round {round}");
            // Entries settle now and then in mid-second, and between two runs.
            for step in 0..3 {
                change(&org, round * 3 + step);
                org.sim.clock().advance(MINUTE + 337);
            }
            org.sim.clock().advance(6 * MINUTE);
            expected.extend(shown(&org));
        }
        let report = serde_json::to_value(org.load().await).unwrap();
        assert!(entity(&report, "audit_logs")["commits"].as_u64().unwrap() > 0);
        let report = serde_json::to_value(org.load().await).unwrap();
        assert_eq!(entity(&report, "audit_logs")["commits"], 0, "{switches}: nothing new");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_forgets_stays_and_what_has_not_settled_waits() {
    let org = org(json!({"audit_lag_ms": 4 * MINUTE}), 300).await;
    org.load().await;
    let first = loaded(&org).await;
    change(&org, 1);
    org.sim.clock().advance(MINUTE);
    org.load().await;
    assert_eq!(loaded(&org).await, first, "not settled yet");
    org.sim.clock().advance(9 * MINUTE);
    org.load().await;
    let second = loaded(&org).await;
    assert!(second.len() > first.len() + 20);
    org.sim.clock().advance(200 * DAY);
    assert!(shown(&org).len() < second.len(), "nothing has expired");
    for command in [Command::Run, Command::FullRefresh] {
        let report = org.inside(command, &eager()).await.unwrap();
        assert_eq!(report.exit_code, Exit::Ok);
        assert_eq!(loaded(&org).await, second);
    }
    assert!(all(&org.lake(), "audit_logs").await.iter().all(|row| row["_deleted"] == false));
}
