//! Being asked to stop: at any moment, at once, with the right code, the lease given back, and nothing lost.

use std::process::{Child, Command};
use std::time::Duration;

use kustlake::clock::{Clock, SystemClock};
use kustlake_sim::{Switches, WorldSpec};
use serde_json::json;

use crate::parts::{BUCKET, Storage};
use crate::relay::Relay;
use crate::rows::all;
use crate::support::{Ended, Org, entity};
use crate::tables::{assert_complete, open, versions};

/// A few seconds, generously: the machine may be busy.
const SOON: Duration = Duration::from_secs(10);

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

async fn pause(millis: u64) {
    SystemClock::new().sleep(Duration::from_millis(millis)).await;
}

/// Waits until so many requests have come to the source.
async fn until_asked(org: &Org, requests: u64) {
    while org.sim.stats().requests < requests {
        pause(5).await;
    }
}

/// How a run ends after it was asked to stop, which is soon.
async fn end_of(child: Child) -> Ended {
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let ended = tokio::task::spawn_blocking(move || Ended::from(child.wait_with_output().unwrap())).await.unwrap();
    let took = clock.monotonic().saturating_sub(began);
    assert!(took < SOON, "{took:?}: {ended:#?}");
    ended
}

async fn stopped(signal: &str, code: i32) {
    let org = Org::new(WorldSpec::of_messages(9_000), Switches { latency_ms: 200, ..Switches::unlimited() }).await;
    org.sim.clock().advance(10 * 60_000);
    let child = org.start(&["run"]);
    until_asked(&org, 5).await;
    send(&child, signal);
    let ended = end_of(child).await;
    assert_eq!(ended.code, code, "{ended:#?}");
    assert_eq!(ended.report()["exit_code"], code);
    assert!(!org.lake().join("_kustlake/lease.json").exists());
    org.sim.merge_switches(json!({"latency_ms": 0})).unwrap();
    org.report(&["run"]).await;
    assert_complete(&org.sim, &org.lake(), signal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_terminated_or_interrupted_gives_its_lease_back_and_loses_nothing() {
    stopped("-TERM", 143).await;
    stopped("-INT", 130).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_hangs_holds_nobody_up() {
    let org = Org::new(WorldSpec::of_messages(50), Switches { latency_ms: 600_000, ..Switches::unlimited() }).await;
    let child = org.start(&["run"]);
    until_asked(&org, 1).await;
    send(&child, "-TERM");
    assert_eq!(end_of(child).await.code, 143);
    assert!(!org.lake().join("_kustlake/lease.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_the_budget_holds_nobody_up() {
    let org = Org::new(WorldSpec::of_messages(50), Switches::unlimited()).await;
    let text = std::fs::read_to_string(org.path("pipelines.yaml")).unwrap();
    std::fs::write(org.path("pipelines.yaml"), text.replace("requests_per_minute: 9000000", "requests_per_minute: 2"))
        .unwrap();
    let child = org.start(&["run"]);
    until_asked(&org, 2).await;
    pause(1_000).await;
    assert!(org.sim.stats().requests <= 4, "it does not wait");
    send(&child, "-INT");
    assert_eq!(end_of(child).await.code, 130);
    assert!(!org.lake().join("_kustlake/lease.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_run_is_at_it_stops_and_the_next_one_goes_on() {
    let org = Org::new(WorldSpec::of_messages(12_000), Switches::unlimited()).await;
    org.sim.clock().advance(10 * 60_000);
    let mut terminated = 0;
    for moment in 0..8 {
        org.sim.reset_stats();
        let child = org.start(&["run", "--full-refresh"]);
        until_asked(&org, 1).await;
        pause(120 * moment).await;
        send(&child, "-TERM");
        let code = end_of(child).await.code;
        assert!([143, 0].contains(&code), "{code}");
        assert!(!org.lake().join("_kustlake/lease.json").exists(), "moment {moment}");
        terminated += i32::from(code == 143);
    }
    assert!(terminated > 0);
    org.report(&["run"]).await;
    assert_complete(&org.sim, &org.lake(), "stopped often").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_tells_what_it_committed() {
    // What is below records is committed every 5,000 of them.
    let world = WorldSpec { customers: 7_000, conversations: 0, messages: 0, notes: 0, ..WorldSpec::default() };
    let org = Org::new(world, Switches::unlimited()).await;
    org.configure("", "pipelines: {customers: {}, customer_drafts: {}, users: {}}");
    org.sim.clock().advance(10 * 60_000);
    let child = org.start(&["run"]);
    until_asked(&org, 5_400).await;
    org.sim.merge_switches(json!({"latency_ms": 600_000})).unwrap();
    pause(300).await;
    send(&child, "-TERM");
    let ended = end_of(child).await;
    assert_eq!(ended.code, 143, "{ended:#?}");
    let (report, versions) = (ended.report(), versions(&open(&org.lake())).await);
    let told = entity(&report, "customer_drafts");
    assert_eq!((&told["outcome"], &told["commits"]), (&json!("stopped"), &json!(1)), "{report:#}");
    assert_eq!(told["version"], json!(versions["customer_drafts"]), "{report:#}");
    let rows = all(&org.lake(), "customer_drafts").await.len();
    assert!(rows > 0 && told["inserted"] == rows && told["cursor"].is_string(), "{rows} rows: {report:#}");
    assert_eq!(entity(&report, "customers")["inserted"], 7_000, "{report:#}");
}

/// A run whose storage hangs once so many requests have come to the source; at none it hangs from the beginning.
async fn hanging(storage: &Storage, requests: u64) -> (Org, Relay, Child) {
    let relay = Relay::to(&storage.endpoint).await;
    let mut org = Org::new(WorldSpec::of_messages(300), Switches { latency_ms: 50, ..Switches::unlimited() }).await;
    org.configure_at(&Storage::destination_at(&relay.endpoint, BUCKET), "", "");
    storage.admit(&mut org);
    org.sim.clock().advance(10 * 60_000);
    if requests == 0 {
        relay.hang();
    }
    let child = org.start(&["run"]);
    until_asked(&org, requests).await;
    relay.hang();
    // By then it waits for the storage.
    pause(1_500).await;
    (org, relay, child)
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_that_hangs_holds_nobody_up() {
    for requests in [0, 1, 5, 12] {
        let storage = Storage::start();
        let (org, relay, child) = hanging(&storage, requests).await;
        send(&child, "-TERM");
        let ended = end_of(child).await;
        assert_eq!(ended.code, 143, "{requests}: {ended:#?}");
        assert_eq!(ended.report()["exit_code"], 143);
        relay.go_on();
        org.report(&["run"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_run_that_still_gives_back_what_it_holds() {
    let storage = Storage::start();
    let (_org, _relay, child) = hanging(&storage, 5).await;
    send(&child, "-TERM");
    pause(300).await;
    send(&child, "-TERM");
    let ended = end_of(child).await;
    assert_eq!(ended.code, 143, "{ended:#?}");
    assert_eq!(ended.stdout, "", "it took its time to report");
}
