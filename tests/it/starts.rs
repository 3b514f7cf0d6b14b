//! What a start date promises, also when the run that was to keep the promise broke off.

use kustlake::run::{Command, Report};
use kustlake_sim::{Context, Switches, WorldSpec};
use serde_json::json;

use crate::support::{Org, eager, entity};
use crate::tables::{between, difference, rows, truth};

const DAY: i64 = 24 * 3_600_000;

/// Loads messages since `start`.
async fn load_since(org: &Org, start: i64) -> Report {
    let date = chrono::DateTime::from_timestamp_millis(start).unwrap().format("%Y-%m-%d");
    org.configure(&format!("  start_date: {date}"), "pipelines: {messages: {mode: update}}");
    org.inside(Command::Run, &eager()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_start_date_is_loaded_even_when_its_first_run_breaks_off() {
    let org = Org::new(WorldSpec::of_messages(6_000), Switches::unlimited()).await;
    org.sim.clock().advance(10 * 60_000);
    let today = org.sim.clock().now().div_euclid(DAY) * DAY;
    let (late, early) = (today - 30 * DAY, today - 1_000 * DAY);
    assert_eq!(load_since(&org, late).await.exit_code.code(), 0);
    // The source fails for good once the history is committed, while the recent part is being read.
    let spared = org.sim.stats().requests + 8;
    org.sim.merge_switches(json!({"server_error": {"n": 1, "run": 1, "skip": spared}})).unwrap();
    let report = serde_json::to_value(load_since(&org, early).await).unwrap();
    assert_eq!(report["exit_code"], 6, "{report}");
    assert!(entity(&report, "messages")["commits"].as_u64() > Some(0), "{report}");
    org.sim.merge_switches(json!({"server_error": {"n": 0}})).unwrap();
    assert_eq!(load_since(&org, early).await.exit_code.code(), 0);
    let wanted = between(truth(&org.sim, Context::Message), early, i64::MAX);
    assert_eq!(difference(&rows(&org.lake(), "messages").await, &wanted), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_removed_is_loaded_again_even_when_its_first_run_breaks_off() {
    let org = Org::new(WorldSpec::of_messages(6_000), Switches::unlimited()).await;
    org.sim.clock().advance(10 * 60_000);
    org.configure("", "pipelines: {messages: {mode: update}}");
    org.load().await;
    std::fs::remove_dir_all(org.lake().join("messages")).unwrap();
    // The key, the zone around the boundary of search, which is committed first, and a page of the archive.
    let spared = org.sim.stats().requests + 3;
    org.sim.merge_switches(json!({"server_error": {"n": 1, "run": 1, "skip": spared}})).unwrap();
    let report = serde_json::to_value(org.inside(Command::Run, &eager()).await.unwrap()).unwrap();
    assert_eq!(report["exit_code"], 6, "{report}");
    assert!(entity(&report, "messages")["commits"].as_u64() > Some(0), "{report}");
    org.sim.merge_switches(json!({"server_error": {"n": 0}})).unwrap();
    org.load().await;
    let wanted = truth(&org.sim, Context::Message);
    assert_eq!(difference(&rows(&org.lake(), "messages").await, &wanted), "");
}
