//! Pages, their links, the ceiling, ties and totals.

use kustlake_sim::{Context, Switches, WorldSpec};
use serde_json::{Value, json};

use crate::client::{Sim, id_set, ids, records, start, start_with};

fn messages() -> Value {
    json!({"queryContext": "message", "sort": [{"message_updated_at": "asc"}]})
}

#[test]
fn the_envelope_of_a_search_is_complete() {
    let sim = start();
    let body = sim.search("page=2&pageSize=100", &messages()).json();
    let total = body["meta"]["total"].as_u64().unwrap();
    assert_eq!(body["meta"]["page"], 2);
    assert_eq!(body["meta"]["pageSize"], 100);
    assert_eq!(body["meta"]["totalPages"], total.div_ceil(100));
    assert!(body["meta"]["aggregations"].is_object());
    let link = |page: u64| json!(format!("/v1/customers/search?page={page}&pageSize=100"));
    assert_eq!(body["links"]["self"], link(2));
    assert_eq!(body["links"]["first"], link(1));
    assert_eq!(body["links"]["prev"], link(1));
    assert_eq!(body["links"]["next"], link(3));
    assert_eq!(body["links"]["last"], link(total.div_ceil(100)));
}

#[test]
fn links_go_on_behind_the_hundredth_page_which_is_the_last_that_answers() {
    let sim = start();
    let last = sim.search("page=100&pageSize=2", &messages()).json();
    assert_eq!(records(&last).len(), 2);
    assert!(last["links"]["next"].as_str().unwrap().contains("page=101"));
    assert!(last["meta"]["totalPages"].as_u64().unwrap() > 100);
    assert_eq!(sim.search("page=101&pageSize=2", &messages()).status, 400);
}

#[test]
fn the_ceiling_and_what_lies_behind_it_are_switches() {
    let sim = start();
    sim.switch(json!({"ceiling_records": 250}));
    let page = |page: usize| sim.search(&format!("page={page}&pageSize=100"), &messages());
    assert_eq!(records(&page(3).json()).len(), 50, "cut at the ceiling");
    assert_eq!(page(4).status, 400);
    sim.switch(json!({"past_ceiling": "not_found"}));
    assert_eq!(page(4).status, 404);
    sim.switch(json!({"past_ceiling": "empty_page"}));
    let empty = page(4).json();
    assert_eq!(records(&empty).len(), 0);
    assert!(empty["links"]["next"].is_string());
    sim.switch(json!({"past_ceiling": "last_page"}));
    assert_eq!(ids(&records(&page(4).json())), ids(&records(&page(3).json())));
    sim.switch(json!({"ceiling_records": 50_000, "max_pages": 2, "past_ceiling": "bad_request"}));
    assert_eq!((page(2).status, page(3).status), (200, 400));
}

#[test]
fn behind_the_last_page_there_is_nothing() {
    let sim = start();
    let behind = sim.search("page=50&pageSize=500", &json!({"queryContext": "message"}));
    sim.switch(json!({"ceiling_records": 1_000_000}));
    assert_eq!(behind.status, 400, "behind the ceiling");
    let behind = || sim.search("page=50&pageSize=500", &json!({"queryContext": "message"}));
    assert_eq!(records(&behind().json()).len(), 0);
    assert!(behind().json()["links"]["next"].is_null());
    sim.switch(json!({"past_end": "bad_request"}));
    assert_eq!(behind().status, 400);
}

fn tied() -> Sim {
    let sim = start_with(WorldSpec { messages: 3_000, ..WorldSpec::default() }, Switches::unlimited());
    let tied = sim.handle.tie(Context::Message, 600, 1_780_000_000_000);
    assert_eq!(tied.len(), 600);
    sim
}

fn tie_query() -> Value {
    json!({
        "queryContext": "message",
        "and": [{"message_updated_at": {"equals": "2026-05-28T20:26:40.000Z"}}],
        "sort": [{"message_updated_at": "asc"}],
    })
}

#[test]
fn ties_are_stable_unless_they_are_switched() {
    let sim = tied();
    let page = |number| ids(&records(&sim.search(&format!("page={number}&pageSize=200"), &tie_query()).json()));
    assert_eq!(page(2), page(2));
    assert_eq!(sim.search_all(200, &tie_query()).len(), 600);
    sim.switch(json!({"ties": "random"}));
    assert_ne!(page(2), page(2));
    let whole = sim.search_all(500, &json!({"queryContext": "message", "sort": [{"message_updated_at": "asc"}]}));
    assert!(whole.is_sorted_by_key(crate::client::updated_at));
    let one = id_set(&records(&sim.search("pageSize=500", &tie_query()).json()));
    assert_eq!(one.len(), 500);
}

#[test]
fn random_ties_lose_records_to_whoever_pages_through_them() {
    let sim = tied();
    sim.switch(json!({"ties": "random"}));
    let mut seen = id_set(&sim.search_all(100, &tie_query()));
    assert_eq!(seen.len(), 600);
    seen.dedup();
    assert!(seen.len() < 600);
}

#[test]
fn a_second_sort_key_is_ignored_unless_it_is_switched() {
    let sim = tied();
    let body = json!({
        "queryContext": "message",
        "and": [{"message_updated_at": {"equals": "2026-05-28T20:26:40.000Z"}}],
        "sort": [{"message_updated_at": "asc"}, {"message_created_at": "desc"}],
    });
    let created = || {
        let created = |record: &Value| record["attributes"]["createdAt"].as_str().unwrap().to_owned();
        sim.search_all(250, &body).iter().map(created).rev().collect::<Vec<_>>()
    };
    assert!(!created().is_sorted());
    sim.switch(json!({"second_sort_key": "honoured"}));
    assert!(created().is_sorted());
}

#[test]
fn totals_can_be_missing_or_wrong() {
    let sim = start();
    let meta = || sim.search("pageSize=10", &messages()).json()["meta"].clone();
    let right = meta()["total"].as_i64().unwrap();
    sim.switch(json!({"total": {"off": -3}}));
    assert_eq!(meta()["total"], right - 3);
    sim.switch(json!({"total": "omitted"}));
    assert!(meta().get("total").is_none());
}

#[test]
fn links_can_lead_elsewhere_or_on_for_ever() {
    let sim = start();
    let next =
        |page: usize| sim.search(&format!("page={page}&pageSize=500"), &messages()).json()["links"]["next"].clone();
    sim.switch(json!({"next_links": "other_origin"}));
    assert!(next(1).as_str().unwrap().starts_with("https://"));
    sim.switch(json!({"next_links": "endless"}));
    assert!(next(9).as_str().unwrap().ends_with("?page=10&pageSize=500"));
}
