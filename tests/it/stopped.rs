//! Being asked to stop: at once, with the right code, the lease given back, and nothing lost.

use kustlake::clock::{Clock, SystemClock};
use kustlake_sim::{Switches, WorldSpec};
use serde_json::json;

use crate::support::{Ended, Org};
use crate::tables::assert_complete;

async fn stopped(signal: &str, code: i32) {
    let org = Org::new(WorldSpec::of_messages(9_000), Switches { latency_ms: 200, ..Switches::unlimited() }).await;
    org.sim.clock().advance(10 * 60_000);
    let child = org.start(&["run"]);
    while org.sim.stats().requests < 5 {
        SystemClock::new().sleep(std::time::Duration::from_millis(5)).await;
    }
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let ended = tokio::task::spawn_blocking(move || Ended::from(child.wait_with_output().unwrap())).await.unwrap();
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
