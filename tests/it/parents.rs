//! Lists below records: read for what changed, completely, and no more often than that.

use std::collections::{BTreeMap, BTreeSet};

use kustlake::clock::{Clock, SystemClock};
use kustlake::run::{Command, Exit};
use kustlake_sim::{Context, Mutation, Offspring, Op, Switches, TokenSpec, WorldSpec};
use serde_json::{Value, json};

use crate::rows::{all, table};
use crate::support::{Org, eager, entity};

pub(crate) const MINUTE: i64 = 60_000;
const PIPELINES: &str = "pipelines: {conversations: {}, customers: {}, messages: {}, conversation_events: {}, conversation_times: {}, \
    conversation_forwards: {}, message_attachments: {}, customer_drafts: {}, customer_merges: {}}";

/// Each table and what it holds.
const BELOW: [(&str, &[Offspring]); 6] = [
    ("conversation_events", &[Offspring::Events]),
    ("conversation_times", &[Offspring::TimesV1, Offspring::TimesV2]),
    ("conversation_forwards", &[Offspring::Forwards]),
    ("message_attachments", &[Offspring::Attachments]),
    ("customer_drafts", &[Offspring::Drafts]),
    ("customer_merges", &[Offspring::Merges]),
];

async fn org(switches: Value) -> Org {
    let world =
        WorldSpec { customers: 25, conversations: 60, messages: 120, notes: 10, users: 4, ..WorldSpec::default() };
    let org = Org::new(world, Switches::unlimited().merged(switches).unwrap()).await;
    org.configure("", PIPELINES);
    merge_some(&org, 1);
    org.sim.clock().advance(10 * MINUTE);
    org
}

fn merge_some(org: &Org, seed: u64) {
    org.sim.mutate(Mutation { context: Context::Customer, op: Op::Merge, count: 2, seed }).unwrap();
}

fn change(org: &Org, seed: u64) {
    for (context, count) in [(Context::Conversation, 7), (Context::Customer, 4)] {
        for (op, count) in [(Op::Update, count), (Op::Create, 2)] {
            org.sim.mutate(Mutation { context, op, count, seed }).unwrap();
        }
    }
    merge_some(org, seed);
    org.sim.clock().advance(10 * MINUTE);
}

/// Loads what changed, and then what is below the conversations that merges have moved.
async fn load_all(org: &Org) {
    org.load().await;
    org.load().await;
}

/// What tells a resource apart, the parents in whose lists it is, and when it was made.
type Found = BTreeMap<(String, String), (BTreeSet<String>, Option<i64>)>;

fn micros(text: &Value) -> Option<i64> {
    Some(chrono::DateTime::parse_from_rfc3339(text.as_str()?).unwrap().timestamp_micros())
}

fn expected(org: &Org, kinds: &[Offspring]) -> Found {
    let mut found = Found::new();
    for kind in kinds {
        let timer = match kind {
            Offspring::TimesV1 => "v1",
            Offspring::TimesV2 => "v2",
            _ => "",
        };
        for (parent, resource) in org.sim.offspring(*kind) {
            let id = resource["id"].as_str().unwrap().to_owned();
            let made = micros(&resource["attributes"]["createdAt"]);
            found.entry((id, timer.to_owned())).or_insert_with(|| (BTreeSet::new(), made)).0.insert(parent);
        }
    }
    found
}

/// The rows of a table that are not deleted; each key once.
async fn loaded(org: &Org, name: &str) -> Found {
    let mut found = Found::new();
    for row in all(&org.lake(), name).await.into_iter().filter(|row| row["_deleted"] == false) {
        let text = |column: &str| row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned();
        let value = (BTreeSet::from([text("_parent_id")]), row.get("created_at").and_then(Value::as_i64));
        assert!(found.insert((text("id"), text("timer_version")), value).is_none(), "{name}: {row:?} twice");
    }
    found
}

/// Every table holds what the source has below its records.
async fn assert_below(org: &Org, told: &str) {
    for (name, kinds) in BELOW {
        let (expected, loaded) = (expected(org, kinds), loaded(org, name).await);
        let missing: Vec<_> = expected.iter().filter(|(key, _)| !loaded.contains_key(*key)).take(3).collect();
        let foreign: Vec<_> = loaded.iter().filter(|(key, _)| !expected.contains_key(*key)).take(3).collect();
        assert!(missing.is_empty() && foreign.is_empty(), "{told}: {name}: missing {missing:?}, foreign {foreign:?}");
        for (key, (parents, made)) in loaded {
            assert!(parents.is_subset(&expected[&key].0) && made == expected[&key].1, "{told}: {name}: {key:?}");
        }
    }
}

/// How often the lists of each kind were asked for since the last time. A list of more than one page counts once.
fn asked(org: &Org) -> BTreeMap<&'static str, usize> {
    let paths: BTreeSet<_> = org.sim.stats().recent.into_iter().map(|request| request.path).collect();
    org.sim.reset_stats();
    let count = |kind: Offspring| {
        let version = if kind == Offspring::TimesV2 { "/v2/" } else { "/v1/" };
        let name = kind.name().trim_end_matches("_v1").trim_end_matches("_v2");
        let first = |path: &&String| path.contains(&format!("/{name}?")) && !path.contains("page=2");
        let first = |path: &&String| first(path) && path.starts_with(version);
        paths.iter().filter(first).count()
    };
    Offspring::ALL.into_iter().map(|kind| (kind.name(), count(kind))).filter(|(_, count)| *count > 0).collect()
}

/// What must be asked for when so many conversations and customers changed, and messages of so many conversations.
fn of_each(conversations: usize, customers: usize, by_message: usize) -> BTreeMap<&'static str, usize> {
    let count = |kind: Offspring| match kind {
        Offspring::Attachments => by_message,
        kind if kind.parent() == Context::Customer => customers,
        _ => conversations,
    };
    Offspring::ALL.into_iter().map(|kind| (kind.name(), count(kind))).filter(|(_, count)| *count > 0).collect()
}

/// How many conversations, customers, and conversations with messages there are.
async fn parents(org: &Org) -> (usize, usize, usize) {
    let by_message = crate::rows::values(&org.lake(), "messages", "conversation_id").await;
    let by_message: BTreeSet<_> = by_message.iter().map(Value::as_str).collect();
    (org.sim.truth(Context::Conversation).len(), org.sim.truth(Context::Customer).len(), by_message.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_lists_of_records_that_changed_are_asked_for() {
    let org = org(json!({})).await;
    org.load().await;
    assert_below(&org, "at first").await;
    let all = parents(&org).await;
    assert_eq!(asked(&org), of_each(all.0, all.1, all.2));
    org.load().await;
    assert_eq!(asked(&org), BTreeMap::new(), "nothing changed");
    org.sim.mutate(Mutation { context: Context::Conversation, op: Op::Update, count: 7, seed: 1 }).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    assert_eq!(asked(&org), of_each(7, 0, 0));
    for seed in 2..5 {
        change(&org, seed);
        load_all(&org).await;
        assert_below(&org, "after changes").await;
    }
    asked(&org);
    std::fs::remove_file(org.lake().join("_kustlake/state.json")).unwrap();
    org.load().await;
    // The tables know how far they are, but for what brought them nothing.
    let again = asked(&org);
    assert!(again.values().all(|count| *count < 20), "{again:?}");
    let report = org.inside(Command::FullRefresh, &eager()).await.unwrap();
    assert_eq!(report.exit_code, Exit::Ok);
    let all = parents(&org).await;
    assert_eq!(asked(&org), of_each(all.0, all.1, all.2));
    assert_below(&org, "after a full refresh").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_a_record_that_is_gone_are_left_out_and_told_and_nothing_is_lost() {
    let org = org(json!({})).await;
    org.load().await;
    org.sim.merge_switches(json!({"deleted_parent": "not_found"})).unwrap();
    let known = loaded(&org, "conversation_events").await;
    let gone =
        org.sim.mutate(Mutation { context: Context::Conversation, op: Op::DeleteSoft, count: 5, seed: 2 }).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    let report = serde_json::to_value(org.load().await).unwrap();
    for (name, _) in &BELOW[..3] {
        let own = entity(&report, name);
        assert_eq!((&own["skipped"]["gone"], &own["outcome"]), (&json!(gone.len()), &json!("complete")), "{name}");
    }
    assert_eq!(loaded(&org, "conversation_events").await, known);
    asked(&org);
    org.load().await;
    assert_eq!(asked(&org), BTreeMap::new(), "told once");
    org.sim.merge_switches(json!({"deleted_parent": "listed"})).unwrap();
    org.sim.mutate(Mutation { context: Context::Conversation, op: Op::Restore, count: 99, seed: 3 }).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    assert_below(&org, "when they are back").await;

    // And those that were gone from the first run on.
    let late = self::org(json!({"deleted_parent": "not_found"})).await;
    late.load().await;
    assert_below(&late, "without those that are gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_lists_are_like_they_are_loaded_as_they_are() {
    for switches in [
        json!({"time_ids": "shared"}),
        json!({"merge_list": "both"}),
        json!({"unset": "absent"}),
        json!({"server_error": {"n": 7, "run": 2}, "drop_midway": {"n": 11}}),
    ] {
        let org = org(switches.clone()).await;
        for seed in 1..4 {
            load_all(&org).await;
            assert_below(&org, &switches.to_string()).await;
            change(&org, seed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_does_not_move_its_conversation_comes_with_the_next_change_of_it() {
    let org = org(json!({"time_stamp": "keeps"})).await;
    org.load().await;
    let known = loaded(&org, "conversation_times").await;
    assert_eq!(org.sim.add_times(9, 1).len(), 9);
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    assert_eq!(loaded(&org, "conversation_times").await, known, "nothing told of it");
    org.sim.mutate(Mutation { context: Context::Conversation, op: Op::Update, count: 999, seed: 1 }).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    assert_below(&org, "after a change").await;
    org.sim.add_times(9, 2);
    let report = org.inside(Command::FullRefresh, &eager()).await.unwrap();
    assert_eq!(report.exit_code, Exit::Ok);
    assert_below(&org, "after a full refresh").await;
    org.sim.merge_switches(json!({"time_stamp": "moves"})).unwrap();
    org.sim.add_times(9, 3);
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    assert_below(&org, "when it moves").await;
}

/// Waits until so many lists of events were asked for.
async fn events_asked(org: &Org, count: u64) {
    let clock = SystemClock::new();
    while org.sim.stats().by_kind.get("events").is_none_or(|asked| *asked < count) {
        clock.sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_fails_midway_goes_on_where_it_was() {
    let org = org(json!({"latency_ms": 3})).await;
    let mut narrow = TokenSpec::default();
    narrow.roles.retain(|role| !role.contains(".event."));
    org.configure("  concurrency: 1", PIPELINES);
    let refusing = async {
        events_asked(&org, 30).await;
        org.sim.add_token(narrow);
    };
    let world = eager();
    let (report, ()) = tokio::join!(org.inside(Command::Run, &world), refusing);
    let report = report.unwrap();
    assert_eq!(report.exit_code, Exit::Partial);
    let report = serde_json::to_value(&report).unwrap();
    let error = entity(&report, "conversation_events")["error"].as_str().unwrap();
    assert!(error.contains("/events") && error.contains("org.permission.event.read"), "{error}");
    assert_eq!(entity(&report, "conversation_times")["outcome"], "complete");
    assert!(!loaded(&org, "conversation_events").await.is_empty());
    org.sim.add_token(TokenSpec::default());
    org.sim.merge_switches(json!({"latency_ms": 0})).unwrap();
    asked(&org);
    org.load().await;
    let left = asked(&org);
    assert!(left.len() == 1 && left["events"] < org.sim.truth(Context::Conversation).len(), "{left:?}");
    assert_below(&org, "in the end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_while_it_reads_lists_loses_nothing() {
    let org = org(json!({"latency_ms": 3})).await;
    for count in [5, 25, 45] {
        let mut child = org.start(&["run", "--log-level", "error"]);
        events_asked(&org, count).await;
        child.kill().unwrap();
        child.wait().unwrap();
        org.sim.reset_stats();
        change(&org, count);
    }
    org.report(&["run"]).await;
    load_all(&org).await;
    assert_below(&org, "after kills").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_below_others_that_is_enabled_later_is_filled_for_all_of_them() {
    let org = org(json!({})).await;
    org.configure("", "pipelines: {conversations: {}, customers: {}, customer_merges: {}}");
    for seed in 1..3 {
        org.load().await;
        change(&org, seed);
    }
    load_all(&org).await;
    let version = table(&org.lake(), "conversations").await.unwrap().version();
    org.configure("", PIPELINES);
    org.load().await;
    assert_below(&org, "enabled").await;
    assert_eq!(table(&org.lake(), "conversations").await.unwrap().version(), version);
    for name in ["conversation_times", "customer_drafts"] {
        std::fs::remove_dir_all(org.lake().join(name)).unwrap();
    }
    org.load().await;
    assert_below(&org, "removed by hand").await;
    assert_eq!(table(&org.lake(), "conversations").await.unwrap().version(), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_whose_lease_was_lost_both_end_well() {
    let org = org(json!({"latency_ms": 4})).await;
    for seed in 1..4 {
        let (first, second) = (eager(), eager());
        let overlapping = async {
            events_asked(&org, 1).await;
            std::fs::remove_file(org.lake().join("_kustlake/lease.json")).unwrap();
            org.inside(Command::FullRefresh, &second).await
        };
        let (first, second) = tokio::join!(org.inside(Command::FullRefresh, &first), overlapping);
        for report in [first.unwrap(), second.unwrap()] {
            assert_eq!(report.exit_code, Exit::Ok, "{report:#?}");
        }
        change(&org, seed);
        load_all(&org).await;
        assert_below(&org, "after both").await;
        asked(&org);
    }
}
