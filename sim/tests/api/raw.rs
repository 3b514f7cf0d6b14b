//! Records that are given as they are.

use kustlake_sim::Context;
use serde_json::json;

use crate::client::{id_set, ids, records, send, start};

const ODD: &str = r#"{ "type":"message", "id":"6ada29a6e5b1f00012ab3507", "attributes":{"preview":{"isMasked":true},"size":1e3,"updatedAt":"2026-10-22T15:20:07.455Z","createdAt":"1999-01-01T00:00:00Z","deleted":true,"rev":7, "rev2":[null,{}] } }"#;

#[test]
fn raw_records_are_served_byte_for_byte() {
    let sim = start();
    assert_eq!(sim.handle.insert_raw(Context::Message, ODD.as_bytes()).unwrap(), ["6ada29a6e5b1f00012ab3507"]);
    let by_id = sim.get("/v1/messages/6ada29a6e5b1f00012ab3507");
    assert_eq!(String::from_utf8(by_id.body).unwrap(), format!("{{\"data\":{ODD}}}"));
    let body = json!({
        "queryContext": "message",
        "includeDeleted": true,
        "and": [{"message_updated_at": {"equals": "2026-10-22T15:20:07.455Z"}}],
    });
    let answer = sim.search("", &body);
    assert!(String::from_utf8(answer.body).unwrap().contains(ODD));
    let row = sim.handle.truth(Context::Message).pop().unwrap();
    assert_eq!((row.rev, row.deleted, row.created_at.as_str()), (7, true, "1999-01-01T00:00:00.000Z"));
}

#[test]
fn a_raw_record_replaces_the_one_with_its_id() {
    let sim = start();
    let old = sim.handle.truth(Context::Note)[10].clone();
    let raw = json!({"type": "note", "id": old.id, "attributes": {"body": 5, "updatedAt": "2026-10-31T00:00:00.000Z", "rev": old.rev + 1}});
    sim.handle.insert_raw(Context::Note, raw.to_string().as_bytes()).unwrap();
    assert_eq!(sim.get(&format!("/v1/notes/{}", old.id)).json()["data"], raw);
    let body =
        json!({"queryContext": "note", "includeDeleted": true, "and": {"note_updated_at": {"gte": "2026-10-31"}}});
    assert!(ids(&records(&sim.search("", &body).json())).contains(&old.id));
    assert_eq!(sim.handle.truth(Context::Note).len(), 300);
    let listed = id_set(&sim.follow("/v1/notes"));
    assert_eq!(listed.iter().filter(|id| **id == old.id).count(), 1);
}

#[test]
fn raw_records_belong_to_their_parents() {
    let sim = start();
    let conversation = sim.handle.truth(Context::Conversation)[0].id.clone();
    let raw = json!({
        "type": "message",
        "id": "no hex \"at all\"",
        "attributes": {"updatedAt": 12},
        "relationships": {"conversation": {"data": {"type": "conversation", "id": conversation}}},
    });
    let path = "/_sim/raw/message";
    let answer = send(sim.handle.addr(), "POST", path, None, &format!("{raw}\n\n")).unwrap();
    assert_eq!(answer.json()["ids"], json!(["no hex \"at all\""]));
    let found = sim.follow(&format!("/v1/conversations/{conversation}/messages"));
    assert!(found.contains(&raw));
}

#[test]
fn what_is_no_resource_is_refused() {
    let sim = start();
    for line in ["{", "[]", r#"{"id":5}"#] {
        assert!(sim.handle.insert_raw(Context::User, line.as_bytes()).is_err(), "{line}");
    }
}
