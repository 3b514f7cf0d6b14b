//! A group of equal timestamps that no query can tell apart: the entity says so and loses nothing.

use kustlake_sim::{ClockSpec, Context, Mutation, Op, Switches, WorldSpec};
use serde_json::json;

use crate::support::{Org, entity};
use crate::tables::{assert_complete, compared};

/// Messages with one `updated_at`, one `created_at` and one customer, newer than all others.
fn indistinguishable(count: usize, at: &str) -> Vec<u8> {
    let message = |number: usize| {
        json!({
            "type": "message", "id": format!("64ffffff{number:016x}"),
            "attributes": {"createdAt": at, "updatedAt": at, "rev": 1, "preview": "invented"},
            "relationships": {"customer": {"data": {"type": "customer", "id": "64fffffe0000000000000001"}}},
        })
        .to_string()
    };
    (0..count).map(message).collect::<Vec<_>>().join("\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tie_that_cannot_be_read_fails_its_entity_and_loses_nothing() {
    let at = "2026-11-01T10:00:00.123Z";
    let start = chrono::DateTime::parse_from_rfc3339(at).unwrap().timestamp_millis();
    let clock = ClockSpec { start, ..ClockSpec::default() };
    let org = Org::with_clock(WorldSpec::default(), Switches::unlimited(), clock).await;
    org.sim.clock().advance(20 * 60_000);
    assert_eq!(org.sim.insert_raw(Context::Message, &indistinguishable(10_500, at)).unwrap().len(), 10_500);
    let ended = org.run(&["run"]).await;
    assert_eq!(ended.code, 6, "{ended:#?}");
    let report = ended.report();
    let messages = entity(&report, "messages");
    let error = messages["error"].as_str().unwrap();
    assert!(messages["outcome"] == "failed" && error.contains("message"), "{error}");
    assert!(error.contains("2026-11-01T10:00:00.123Z") && error.contains("10500 records share updated_at"), "{error}");
    for (context, name) in
        [(Context::Customer, "customers"), (Context::Conversation, "conversations"), (Context::Note, "notes")]
    {
        assert_eq!(entity(&report, name)["outcome"], "complete");
        assert_eq!(compared(&org.sim, &org.lake(), context, name).await, "", "{name}");
    }
    dissolve(&org);
    org.report(&["run"]).await;
    assert_complete(&org.sim, &org.lake(), "after the tie").await;
}

/// Someone updates part of the records, which is what the error advises.
fn dissolve(org: &Org) {
    let at = "2026-11-01T10:15:00.000Z";
    let lines: Vec<String> = String::from_utf8(indistinguishable(1_000, at))
        .unwrap()
        .lines()
        .map(|line| line.replace("\"rev\":1", "\"rev\":2"))
        .collect();
    assert_eq!(org.sim.insert_raw(Context::Message, lines.join("\n").as_bytes()).unwrap().len(), 1_000);
    org.sim.mutate(Mutation { context: Context::Note, op: Op::Update, count: 3, seed: 5 }).unwrap();
    org.sim.clock().advance(10 * 60_000);
}
