//! The search index follows the primary store.

use kustlake_sim::{Context, Mutation, Op};
use serde_json::{Value, json};

use crate::client::{Sim, ids, records, start};

fn change(sim: &Sim, context: Context, op: Op, count: u32) -> Vec<String> {
    sim.handle.mutate(Mutation { context, op, count, seed: 9 }).unwrap()
}

fn recent(sim: &Sim) -> Vec<Value> {
    let body = json!({
        "queryContext": "message",
        "includeDeleted": true,
        "and": [{"message_updated_at": {"gte": "2026-11-01T00:00:00.000Z"}}],
    });
    sim.search_all(500, &body)
}

fn rev(sim: &Sim, id: &str) -> u64 {
    sim.get(&format!("/v1/messages/{id}")).json()["data"]["attributes"]["rev"].as_u64().unwrap()
}

#[test]
fn a_change_shows_in_search_after_the_lag_and_by_id_at_once() {
    let sim = start();
    sim.switch(json!({"index_lag_ms": 5_000}));
    let changed = change(&sim, Context::Message, Op::Update, 3);
    let created = change(&sim, Context::Message, Op::Create, 1);
    assert!(rev(&sim, &changed[0]) > 1);
    assert_eq!(rev(&sim, &created[0]), 1);
    sim.handle.clock().advance(4_999);
    assert_eq!(recent(&sim).len(), 0);
    sim.handle.clock().advance(1);
    assert_eq!(recent(&sim).len(), 4);
    let moment = sim.handle.clock().now() - 5_000;
    assert!(
        recent(&sim).iter().all(|record| record["attributes"]["updatedAt"] == "2026-11-01T00:00:00.000Z"),
        "{moment}"
    );
}

#[test]
fn the_old_version_stays_where_it_was_until_then() {
    let sim = start();
    let newest = json!({"queryContext": "message", "sort": [{"message_updated_at": "desc"}]});
    let before = records(&sim.search("pageSize=500", &newest).json());
    sim.switch(json!({"index_lag_ms": 60_000}));
    change(&sim, Context::Message, Op::Update, 500);
    assert_eq!(records(&sim.search("pageSize=500", &newest).json()), before);
    sim.switch(json!({"index_lag_ms": 0}));
    assert_ne!(ids(&records(&sim.search("pageSize=500", &newest).json())), ids(&before));
}

#[test]
fn a_record_deleted_for_good_lingers_in_search() {
    let sim = start();
    sim.switch(json!({"index_lag_ms": 1_000}));
    let count = || sim.search("pageSize=1", &json!({"queryContext": "note"})).json()["meta"]["total"].as_u64().unwrap();
    let before = count();
    let gone = change(&sim, Context::Note, Op::DeleteHard, 200);
    assert_eq!(sim.get(&format!("/v1/notes/{}", gone[0])).status, 404);
    assert_eq!(count(), before);
    sim.handle.clock().advance(1_000);
    assert!(count() < before);
}
