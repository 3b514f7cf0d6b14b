//! The two halves of the search.

use kustlake_sim::Context;
use serde_json::{Value, json};

use crate::client::{BOUNDARY, id_set, ids, records, start};

fn all(context: &str) -> Value {
    json!({"queryContext": context, "includeDeleted": true})
}

#[test]
fn search_and_archive_divide_the_records_between_them() {
    let sim = start();
    for context in [Context::Customer, Context::Conversation] {
        let old = sim.archive("pageSize=500", &all(context.name())).json();
        let new = sim.search("pageSize=500", &all(context.name())).json();
        let (old, new) = (ids(&records(&old)), ids(&records(&new)));
        for row in sim.handle.truth(context) {
            let archived = row.updated_at.as_str() < BOUNDARY;
            assert_eq!((old.contains(&row.id), new.contains(&row.id)), (archived, !archived), "{row:?}");
        }
        assert!(!old.is_empty() && !new.is_empty());
    }
}

#[test]
fn the_boundary_moves_with_time() {
    let sim = start();
    let total = || sim.search("pageSize=1", &all("message")).json()["meta"]["total"].as_u64().unwrap();
    let before = total();
    sim.handle.clock().advance(90 * 86_400_000);
    assert!(total() < before);
}

#[test]
fn the_archive_may_cover_everything() {
    let sim = start();
    sim.switch(json!({"archive_covers": "everything"}));
    let found = sim.archive("pageSize=500", &all("conversation")).json();
    let mut truth: Vec<String> = sim.handle.truth(Context::Conversation).into_iter().map(|row| row.id).collect();
    truth.sort();
    assert_eq!(id_set(&records(&found)), truth);
}

#[test]
fn the_archive_knows_other_attributes_and_no_notes() {
    let sim = start();
    assert_eq!(sim.archive("", &all("note")).status, 400);
    let message = sim.follow("/v1/messages?sort=asc&pageSize=100")[0].clone();
    let conversation = message["relationships"]["conversation"]["data"]["id"].clone();
    let by_parent = json!({"queryContext": "message", "and": {"message_conversation_id": {"in": [conversation]}}});
    assert_eq!(sim.search("", &by_parent).status, 400);
    let found = records(&sim.archive("", &by_parent).json());
    assert!(found.iter().any(|found| found["id"] == message["id"]));
    assert!(found.iter().all(|found| found["relationships"]["conversation"]["data"]["id"] == conversation));
    let by_id = json!({"queryContext": "message", "and": {"message_id": {"equals": message["id"]}}});
    assert_eq!(ids(&records(&sim.archive("", &by_id).json())), [message["id"].as_str().unwrap()]);
    let modified = json!({"queryContext": "customer", "and": {"customer_modified_at": {"gte": "2020-01-01"}}});
    assert_eq!((sim.search("", &modified).status, sim.archive("", &modified).status), (200, 400));
    let deleted = json!({"queryContext": "conversation", "includeDeleted": true, "and": {"conversation_deleted": {"equals": true}}});
    let found = records(&sim.archive("pageSize=500", &deleted).json());
    assert!(!found.is_empty() && found.iter().all(|found| found["attributes"]["deleted"] == true));
}
