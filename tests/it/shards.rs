//! A backfill that several machines share: with nothing between them but leases and commits.

use std::collections::BTreeSet;
use std::time::Duration;

use kustlake::clock::{Clock, SystemClock};
use kustlake_sim::{Switches, Visibility, WorldSpec};

use crate::support::{Ended, Org, entity};
use crate::tables::{TABLES, between, difference, rows, truth};

const DAY: i64 = 24 * 3_600_000;

fn text(millis: i64) -> String {
    kustlake::window::text(chrono::DateTime::from_timestamp_millis(millis).unwrap())
}

/// An organisation with three years of records, and the bounds of nearly all of them.
async fn organisation(latency_ms: u64) -> (Org, i64, i64) {
    // Old notes come from their list, which otherwise hides the deleted ones.
    let switches = Switches { latency_ms, deleted_in_lists: Visibility::Shown, ..Switches::unlimited() };
    let org = Org::new(WorldSpec::of_messages(12_000), switches).await;
    org.sim.clock().advance(10 * 60_000);
    let first = (org.sim.clock().now() - 1100 * DAY).div_euclid(DAY) * DAY;
    (org, first, first + 1090 * DAY)
}

async fn assert_loaded(org: &Org, first: i64, last: i64, tables: &[&str]) {
    for (context, name) in TABLES.iter().filter(|(_, name)| tables.contains(name)) {
        let wanted = between(truth(&org.sim, *context), first, last);
        assert!(!wanted.is_empty());
        let found = between(rows(&org.lake(), name).await, first, last);
        let difference = difference(&found, &wanted);
        assert!(difference.is_empty(), "{name}: {difference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_share_a_backfill_even_if_one_of_them_is_killed() {
    let (org, first, last) = organisation(5).await;
    let (from, until) = (text(first), text(last));
    let args = ["backfill", "--start-date", &from, "--end-date", &until, "--machines", "3"];
    let mut killed = org.start(&args);
    let others = [org.start(&args), org.start(&args)];
    let clock = SystemClock::new();
    while org.sim.stats().requests < 40 {
        clock.sleep(Duration::from_millis(1)).await;
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let others =
        others.map(|child| tokio::task::spawn_blocking(move || Ended::from(child.wait_with_output().unwrap())));
    let mut readers = 0;
    for other in others {
        let ended = other.await.unwrap();
        assert_eq!(ended.code, 0, "{ended:#?}");
        let report = ended.report();
        assert!(report["entities"].as_array().unwrap().iter().all(|one| one["outcome"] == "complete"), "{report}");
        // What cannot be cut into windows is left to the next run.
        let names: BTreeSet<_> =
            report["entities"].as_array().unwrap().iter().map(|one| one["entity"].as_str()).collect();
        assert_eq!(names, ["conversations", "customers", "messages", "notes"].map(Some).into());
        readers += u32::from(entity(&report, "messages")["read"].as_u64().unwrap() > 0);
    }
    assert_eq!(readers, 2, "one machine did all of it");
    assert_loaded(&org, first, last, &["conversations", "customers", "messages", "notes"]).await;
    let left = std::fs::read_dir(org.lake().join("_kustlake/leases")).map_or(0, Iterator::count);
    assert!(left <= 4, "only what was killed may leave its leases behind: {left}");

    // Started again, it finds everything done, and asks for no record.
    org.sim.reset_stats();
    let again = org.report(&args).await;
    assert_eq!(entity(&again, "messages")["read"], 0);
    assert!(!org.sim.stats().by_kind.contains_key("search"), "{:?}", org.sim.stats().by_kind);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_backfill_keeps_no_run_away_but_what_must_be_alone() {
    let (org, first, last) = organisation(60).await;
    let (from, until) = (text(first), text(last));
    org.configure("", "pipelines: {messages: {}, users: {}}");
    let sharing =
        org.start(&["backfill", "--start-date", &from, "--end-date", &until, "--machines", "2", "--only", "messages"]);
    let (clock, leases) = (SystemClock::new(), org.lake().join("_kustlake/leases"));
    while std::fs::read_dir(&leases).map_or(0, Iterator::count) == 0 {
        clock.sleep(Duration::from_millis(1)).await;
    }
    let refused = org.run(&["maintain", "--grace", "1h"]).await;
    assert_eq!(refused.code, 4, "{refused:#?}");
    assert!(refused.stderr.contains("another run is active: backfill "), "{refused:#?}");
    org.report(&["run", "--only", "users"]).await;
    let ended = tokio::task::spawn_blocking(move || Ended::from(sharing.wait_with_output().unwrap())).await.unwrap();
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert_loaded(&org, first, last, &["messages"]).await;
    org.report(&["maintain", "--grace", "1h"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shared_is_told() {
    let (org, ..) = organisation(0).await;
    let whole = org
        .run(&[
            "backfill",
            "--start-date",
            "2024-01-01",
            "--end-date",
            "2024-02-01",
            "--machines",
            "2",
            "--only",
            "users",
        ])
        .await;
    assert_eq!(whole.code, 2);
    assert!(whole.stderr.contains("none of these entities can be cut into windows"), "{whole:#?}");
    let open = org.run(&["backfill", "--start-date", "2024-01-01", "--machines", "2"]).await;
    assert_eq!(open.code, 2);
    assert!(open.stderr.contains("--end-date"), "{open:#?}");
}
