//! The state file by hand: shown, lost, damaged, ahead of the tables, and made anew.

use kustlake_sim::{Context, Mutation, Op, Switches, WorldSpec};
use serde_json::Value;

use crate::support::Org;
use crate::tables::assert_complete;

const MINUTE: i64 = 60_000;

async fn shown(org: &Org, what: &str) -> Value {
    let ended = org.run(&["state", what]).await;
    assert_eq!(ended.code, 0, "{ended:#?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_lost_damaged_or_ahead_is_made_anew() {
    let org = Org::new(WorldSpec::of_messages(300), Switches::unlimited()).await;
    let before = org.run(&["state", "show"]).await;
    assert!(before.code == 0 && before.stderr.contains("no state file yet"), "{before:#?}");
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    let file = org.lake().join("_kustlake/state.json");
    let stored = shown(&org, "show").await;
    assert_eq!(stored, serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap()).unwrap());
    let cursor = &stored["entities"]["messages"]["cursor"];
    assert!(cursor.is_string());

    std::fs::remove_file(&file).unwrap();
    assert_eq!(&shown(&org, "rebuild").await["entities"]["messages"]["cursor"], cursor);
    std::fs::write(&file, "{").unwrap();
    let damaged = org.run(&["state", "show"]).await;
    assert!(damaged.code == 6 && damaged.stderr.contains("state rebuild"), "{damaged:#?}");
    assert_eq!(&shown(&org, "rebuild").await["entities"]["messages"]["cursor"], cursor);

    // As after a restored backup of the tables: the state is ahead, and would have records passed over.
    let mut ahead = stored.clone();
    ahead["entities"]["messages"]["cursor"] = "2026-12-01T00:00:00Z".into();
    std::fs::write(&file, ahead.to_string()).unwrap();
    let rebuilt = shown(&org, "rebuild").await;
    assert_eq!(&rebuilt["entities"]["messages"]["cursor"], cursor);
    assert_eq!(rebuilt["entities"]["messages"]["last_run"], stored["entities"]["messages"]["last_run"]);
    org.sim.mutate(Mutation { context: Context::Message, op: Op::Update, count: 5, seed: 1 }).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    assert_complete(&org.sim, &org.lake(), "after the state was made anew").await;

    std::fs::write(&file, r#"{"version": 2}"#).unwrap();
    let newer = org.run(&["state", "rebuild"]).await;
    assert!(newer.code == 2 && newer.stderr.contains("update kustlake"), "{newer:#?}");
}
