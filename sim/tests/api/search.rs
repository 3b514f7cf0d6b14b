//! Filters, orders and refusals of the search.

use kustlake_sim::{Context, TruthRow, WorldSpec};
use serde_json::{Value, json};

use crate::client::{BOUNDARY, Sim, id_set, ids, records, start, start_with, updated_at};
use kustlake_sim::Switches;

fn expected(sim: &Sim, context: Context, keep: impl Fn(&TruthRow) -> bool) -> Vec<String> {
    let mut ids: Vec<String> = sim
        .handle
        .truth(context)
        .into_iter()
        .filter(|row| row.updated_at.as_str() >= BOUNDARY && keep(row))
        .map(|row| row.id)
        .collect();
    ids.sort();
    ids
}

#[test]
fn a_range_of_updates_gives_exactly_what_is_in_it() {
    let sim = start();
    let (from, until) = ("2025-03-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z");
    for context in [Context::Customer, Context::Conversation, Context::Message, Context::Note] {
        let name = context.name();
        let attribute = format!("{name}_updated_at");
        let body = json!({
            "queryContext": name,
            "includeDeleted": true,
            "and": [{ &attribute: {"gte": from} }, { &attribute: {"lt": until} }],
            "sort": [{ &attribute: "asc" }],
        });
        let found = sim.search_all(37, &body);
        let inside = |row: &TruthRow| from <= row.updated_at.as_str() && row.updated_at.as_str() < until;
        assert_eq!(id_set(&found), expected(&sim, context, inside), "{name}");
        assert!(found.is_sorted_by_key(updated_at), "{name}");
        let mut body = body;
        body["sort"] = json!({ &attribute: "desc" });
        let mut reversed = sim.search_all(41, &body);
        reversed.reverse();
        assert_eq!(ids(&reversed), ids(&found));
    }
}

#[test]
fn bounds_are_what_they_say() {
    let sim = start();
    let row = sim.handle.truth(Context::Message).into_iter().rfind(|row| !row.deleted).unwrap();
    let found = |operator: &str| {
        let body = json!({"queryContext": "message", "and": {"message_updated_at": { operator: row.updated_at }}});
        ids(&sim.search_all(500, &body)).contains(&row.id)
    };
    assert!(found("gte") && found("lte") && found("equals"));
    assert!(!found("gt") && !found("lt") && !found("not_equals"));
}

#[test]
fn created_and_updated_ranges_combine() {
    let sim = start();
    let (updated, created) = ("2025-01-01T00:00:00.000Z", "2025-06-01T00:00:00.000Z");
    let body = json!({
        "queryContext": "message",
        "includeDeleted": true,
        "and": [{"message_updated_at": {"gte": updated}}, {"message_created_at": {"lt": created}}],
        "sort": [{"message_updated_at": "asc"}],
    });
    let found = sim.search_all(50, &body);
    let inside = |row: &TruthRow| row.updated_at.as_str() >= updated && row.created_at.as_str() < created;
    assert_eq!(id_set(&found), expected(&sim, Context::Message, inside));
    assert!(found.is_sorted_by_key(updated_at) && !found.is_empty());
}

#[test]
fn a_search_by_creation_alone_is_cut_at_the_boundary_of_updates() {
    let sim = start();
    let body = json!({
        "queryContext": "conversation",
        "includeDeleted": true,
        "and": [{"conversation_created_at": {"lt": "2025-01-01T00:00:00.000Z"}}],
        "sort": [{"conversation_created_at": "asc"}],
    });
    let inside = |row: &TruthRow| row.created_at.as_str() < "2025-01-01T00:00:00.000Z";
    assert_eq!(id_set(&sim.search_all(500, &body)), expected(&sim, Context::Conversation, inside));
}

#[test]
fn or_and_not_are_understood() {
    let sim = start();
    let cut = "2025-09-01T00:00:00.000Z";
    let search = |key: &str, criteria: Value| {
        id_set(&sim.search_all(500, &json!({"queryContext": "note", "includeDeleted": true, key: criteria})))
    };
    let old = search("and", json!({"note_updated_at": {"lt": cut}}));
    let new = search("not", json!([{"note_updated_at": {"lt": cut}}]));
    let all = search("or", json!([{"note_updated_at": {"lt": cut}}, {"note_updated_at": {"gte": cut}}]));
    assert_eq!(all.len(), old.len() + new.len());
    assert_eq!(all, expected(&sim, Context::Note, |_| true));
}

#[test]
fn parents_and_flags_can_be_searched() {
    let sim = start();
    let message = sim.follow("/v1/messages?sort=desc")[0].clone();
    let customer = message["relationships"]["customer"]["data"]["id"].clone();
    let body = json!({"queryContext": "message", "and": [{"message_customer_id": {"equals": customer}}]});
    let found = sim.search_all(500, &body);
    assert!(ids(&found).contains(&message["id"].as_str().unwrap().to_owned()));
    assert!(found.iter().all(|found| found["relationships"]["customer"]["data"]["id"] == customer));
    let flag = |context: &str, attribute: &str| {
        let body = json!({"queryContext": context, "includeDeleted": true, "and": [{attribute: {"equals": true}}]});
        sim.search_all(500, &body)
    };
    let redacted = flag("message", "message_redacted");
    assert!(!redacted.is_empty() && redacted.iter().all(|found| found["attributes"]["redacted"] == true));
    let deleted = flag("note", "note_deleted");
    assert!(!deleted.is_empty() && deleted.iter().all(|found| found["attributes"]["deleted"] == true));
    let imported = json!({"queryContext": "message", "and": [{"message_imported_at": {"set": true}}]});
    let imported = sim.search_all(500, &imported);
    assert!(imported.iter().all(|found| found["attributes"]["importedAt"].is_string()) && !imported.is_empty());
}

#[test]
fn deleted_records_show_only_on_request_and_only_if_the_organisation_shows_them() {
    let sim = start();
    let count = |with_deleted: bool| {
        let body = json!({"queryContext": "customer", "includeDeleted": with_deleted});
        sim.search("pageSize=1", &body).json()["meta"]["total"]
            .as_u64()
            .and_then(|total| usize::try_from(total).ok())
            .unwrap()
    };
    let (live, all) = (count(false), count(true));
    assert_eq!(all, expected(&sim, Context::Customer, |_| true).len());
    assert_eq!(live, expected(&sim, Context::Customer, |row| !row.deleted).len());
    assert!(live < all);
    sim.switch(json!({"deleted_in_search": "hidden"}));
    assert_eq!(count(true), live);
}

#[test]
fn ids_only_gives_ids_only() {
    let sim = start();
    let body = json!({"queryContext": "message", "sort": [{"message_updated_at": "asc"}]});
    let full = ids(&sim.search_all(500, &body));
    let answer = sim.search("pageSize=500&idsOnly=true", &body).json();
    assert_eq!(ids(&records(&answer)), full[..500]);
    assert!(records(&answer).iter().all(|record| record.get("attributes").is_none()));
    assert!(answer["links"]["next"].as_str().unwrap().contains("idsOnly=true"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let sim = start();
    for (query, body) in [
        ("", json!({})),
        ("", json!({"queryContext": "user"})),
        ("", json!({"queryContext": "widget"})),
        ("", json!({"queryContext": "message", "and": [{"message_conversation_id": {"equals": "x"}}]})),
        ("", json!({"queryContext": "message", "sort": [{"message_customer_id": "asc"}]})),
        ("pageSize=501", json!({"queryContext": "message"})),
        ("page=0", json!({"queryContext": "message"})),
        ("idsOnly=maybe", json!({"queryContext": "message"})),
    ] {
        let answer = sim.search(query, &body);
        assert_eq!((answer.status, answer.json()["errors"][0]["code"].as_str()), (400, Some("bad_request")), "{body}");
    }
    assert_eq!(sim.post("/v1/customers/search", "{not json").status, 400);
}

#[test]
fn comparison_to_the_second_is_a_switch() {
    let sim = start_with(WorldSpec::default(), Switches::unlimited());
    let rows = sim.handle.truth(Context::Message);
    let row = rows.iter().rev().find(|row| !row.deleted && !row.updated_at.ends_with("999Z")).unwrap();
    let late = format!("{}999Z", &row.updated_at[..20]);
    let body = json!({"queryContext": "message", "and": [{"message_updated_at": {"gte": late}}]});
    let found = || ids(&sim.search_all(500, &body)).contains(&row.id);
    assert!(!found());
    sim.switch(json!({"precision": "second"}));
    assert!(found());
}
