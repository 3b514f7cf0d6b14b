//! `verify`: planted differences are found, told and repaired, and nothing else is touched.
//!
//! `KUSTLAKE_TEST_MESSAGES` sets how many messages are compared (1,000,000 by hand).

use kustlake::run::{Command, Exit, Repair, Report};
use kustlake_sim::{Context, Op, Switches, WorldSpec};
use serde_json::json;

use crate::reconcile::{MINUTE, loaded, mutation};
use crate::support::{Org, eager, entity, size};
use crate::tables::{difference, rows, truth};

async fn verified(org: &Org, repair: Repair) -> Report {
    org.inside(Command::Verify(repair), &eager()).await.unwrap()
}

/// A record that reached the index later than any look back reaches: a planted loss.
fn plant(org: &Org, updated_at: &str) -> String {
    let id = "5f84000000000000000000a1";
    let note = json!({"type": "message", "id": id, "attributes": {
        "preview": "invented", "rev": 1, "createdAt": updated_at, "updatedAt": updated_at}});
    org.sim.insert_raw(Context::Message, note.to_string().as_bytes()).unwrap();
    id.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_one_missing_record_and_repairs_exactly_that() {
    let messages = size("KUSTLAKE_TEST_MESSAGES", 20_000);
    let org = Org::new(WorldSpec::of_messages(messages), Switches::unlimited()).await;
    org.configure("", "pipelines: {messages: {}}");
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    let clean = verified(&org, Repair::None).await;
    assert_eq!(clean.exit_code, Exit::Ok, "{clean:#?}");
    let id = plant(&org, "2025-11-21T08:15:27.118Z");
    org.sim.reset_stats();
    let report = verified(&org, Repair::None).await;
    assert_eq!(report.exit_code, Exit::Partial);
    eprintln!("found with {} requests", org.sim.stats().requests);
    let told = serde_json::to_value(&report).unwrap();
    let found = &entity(&told, "messages")["compared"];
    assert_eq!((&found["missing"], &found["outdated"], &found["gone"]), (&json!(1), &json!(0), &json!(0)));
    assert_eq!(found["ids"], json!([id]));
    assert!(!rows(&org.lake(), "messages").await.contains_key(&id), "without --repair nothing is written");
    let report = verified(&org, Repair::All).await;
    assert_eq!(report.exit_code, Exit::Ok);
    assert_eq!(serde_json::to_value(&report).unwrap()["entities"][0]["inserted"], 1);
    assert_eq!(verified(&org, Repair::None).await.exit_code, Exit::Ok);
    let difference = difference(&rows(&org.lake(), "messages").await, &truth(&org.sim, Context::Message));
    assert_eq!(difference, "");
}

/// A row of an old version, which no count of all would show, and a row whose record is gone.
#[tokio::test(flavor = "multi_thread")]
async fn verify_tells_what_is_outdated_and_what_is_gone() {
    let org = loaded(Switches::unlimited(), "pipelines: {messages: {}, conversations: {}}").await;
    let id = plant(&org, "2026-03-01T00:00:00.000Z");
    verified(&org, Repair::All).await;
    let newer = json!({"type": "message", "id": id, "attributes": {
        "preview": "invented anew", "rev": 2, "createdAt": "2026-03-01T00:00:00.000Z",
        "updatedAt": "2026-05-01T00:00:00.000Z"}});
    org.sim.insert_raw(Context::Message, newer.to_string().as_bytes()).unwrap();
    let gone = org.sim.mutate(mutation(Context::Conversation, Op::DeleteHard, 1)).unwrap();
    let told = serde_json::to_value(verified(&org, Repair::None).await).unwrap();
    assert_eq!(entity(&told, "messages")["compared"]["outdated"], 1, "{told}");
    assert_eq!(entity(&told, "conversations")["compared"]["ids"], json!(gone));
    verified(&org, Repair::All).await;
    let clean = verified(&org, Repair::None).await;
    assert_eq!(clean.exit_code, Exit::Ok, "{clean:#?}");
    assert_eq!(difference(&rows(&org.lake(), "messages").await, &truth(&org.sim, Context::Message)), "");
}
