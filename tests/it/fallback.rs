//! Storage that overwrites commits, under the weaker fallback: only the lease keeps runs apart.

use std::time::Duration;

use kustlake::clock::{Clock, SystemClock};
use kustlake_sim::{Switches, WorldSpec};
use serde_json::json;

use crate::local_lake::change;
use crate::parts::{BUCKET, Storage};
use crate::support::Org;
use crate::tables::{assert_complete_in, versions};

const CORE: [&str; 4] = ["conversations", "customers", "messages", "notes"];

async fn organisation(storage: &Storage, commits: &str) -> Org {
    let mut org = Org::new(WorldSpec::of_messages(300), Switches::unlimited()).await;
    org.configure_at(&format!("{}\n  commits: {commits}", storage.destination(BUCKET)), "", "");
    storage.admit(&mut org);
    org.sim.clock().advance(10 * 60_000);
    org
}

async fn until_asked(org: &Org, requests: u64) {
    while org.sim.stats().requests < requests {
        SystemClock::new().sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_end_exact_where_only_the_lease_keeps_them_apart_also_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::start_weak(folder.path());
    let (org, lake) = (organisation(&storage, "lease").await, storage.lake());
    let checked = org.run(&["check"]).await;
    assert_eq!(checked.code, 0, "{checked:#?}");
    assert!(checked.stdout.contains("only the lease keeps runs apart"), "{checked:#?}");
    org.report(&["run"]).await;
    assert_complete_in(&org.sim, &lake, &CORE, "first run").await;
    change(&org.sim, 1);
    org.report(&["run"]).await;
    assert_complete_in(&org.sim, &lake, &CORE, "second run").await;
    change(&org.sim, 2);
    org.sim.merge_switches(json!({"latency_ms": 40})).unwrap();
    org.sim.reset_stats();
    let before = versions(&lake).await;
    let mut child = org.start(&["run"]);
    while versions(&lake).await == before && child.try_wait().unwrap().is_none() {
        SystemClock::new().sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it ended before it could be killed");
    org.report(&["run"]).await;
    assert_complete_in(&org.sim, &lake, &CORE, "after a kill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_starts_meanwhile_is_told_of_the_other_one() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::start_weak(folder.path());
    let org = organisation(&storage, "lease").await;
    org.sim.merge_switches(json!({"latency_ms": 300})).unwrap();
    let first = org.start(&["run"]);
    until_asked(&org, 2).await;
    let second = org.run(&["run"]).await;
    assert_eq!(second.code, 4, "{second:#?}");
    assert!(second.stdout.contains("another run is active"), "{second:#?}");
    let first = tokio::task::spawn_blocking(move || first.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(first.status.code(), Some(0), "{first:#?}");
    // Started in one moment, one of them has the lease.
    let (one, other) = tokio::join!(org.run(&["run"]), org.run(&["run"]));
    let mut codes = [one.code, other.code];
    codes.sort_unstable();
    assert_eq!(codes, [0, 4], "{one:#?} {other:#?}");
    assert_complete_in(&org.sim, &storage.lake(), &CORE, "after overlapping starts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_lease_is_taken_away_commits_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::start_weak(folder.path());
    let (org, lake) = (organisation(&storage, "lease").await, storage.lake());
    org.sim.merge_switches(json!({"latency_ms": 300})).unwrap();
    let child = org.start(&["run"]);
    until_asked(&org, 1).await;
    let lease = object_store::path::Path::from("kustomer/_kustlake/lease.json");
    object_store::ObjectStoreExt::delete(storage.store().as_ref(), &lease).await.unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(ended.status.code(), Some(4), "{ended:#?}");
    assert!(versions(&lake).await.values().all(|version| *version == 0), "something was committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fallback_changes_nothing_where_the_promise_is_kept() {
    let storage = Storage::start();
    let org = organisation(&storage, "lease").await;
    let checked = org.run(&["check"]).await;
    assert!(checked.code == 0 && checked.stdout.contains("create-only puts are honoured"), "{checked:#?}");
    org.report(&["run"]).await;
    assert_complete_in(&org.sim, &storage.lake(), &CORE, "a run").await;
}
