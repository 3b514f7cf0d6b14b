//! Plain lists, children, records by id, users and the small lists.

use kustlake_sim::{Context, Mutation, Op};
use serde_json::{Value, json};

use crate::client::{id_set, ids, records, start, updated_at};

#[test]
fn lists_are_read_to_their_end_in_the_order_of_ids() {
    let sim = start();
    for context in [Context::Conversation, Context::Message, Context::Note] {
        let path = format!("/v1/{}?pageSize=70", context.collection());
        let ascending = ids(&sim.follow(&path));
        let mut live: Vec<String> =
            sim.handle.truth(context).into_iter().filter(|row| !row.deleted).map(|row| row.id).collect();
        live.sort();
        assert_eq!(ascending, live, "{path}");
        let mut descending = ids(&sim.follow(&format!("{path}&sort=desc")));
        descending.reverse();
        assert_eq!(descending, ascending);
        sim.switch(json!({"deleted_in_lists": "shown"}));
        assert!(sim.follow(&path).len() > ascending.len());
        sim.switch(json!({"deleted_in_lists": "hidden"}));
    }
}

#[test]
fn the_envelope_of_a_list_is_that_of_the_reference() {
    let sim = start();
    let body = sim.get("/v1/notes?page=2&pageSize=10&sort=desc").json();
    assert_eq!(body["meta"], json!({"page": 2, "pageSize": 10}));
    assert_eq!(body["links"]["self"], "/v1/notes?page=2&pageSize=10&sort=desc");
    assert_eq!(body["links"]["next"], "/v1/notes?page=3&pageSize=10&sort=desc");
    assert_eq!(body["included"], json!([]));
    assert!(body["links"].get("last").is_none());
    for bad in ["/v1/notes?pageSize=101", "/v1/notes?page=0", "/v1/notes?sort=up", "/v1/users?pageSize=501"] {
        assert_eq!(sim.get(bad).status, 400, "{bad}");
    }
}

#[test]
fn customers_are_filtered_and_sorted_by_time() {
    let sim = start();
    let from = "2025-06-01T00:00:00.000Z";
    let path = format!("/v1/customers?filter%5BupdatedAt%5D%5Bgte%5D={from}&sort=updatedAt&pageSize=20");
    let found = sim.follow(&path);
    let mut wanted: Vec<String> = sim
        .handle
        .truth(Context::Customer)
        .into_iter()
        .filter(|row| !row.deleted && row.updated_at.as_str() >= from)
        .map(|row| row.id)
        .collect();
    wanted.sort();
    assert_eq!(id_set(&found), wanted);
    assert!(found.is_sorted_by_key(updated_at));
    let meta = sim.get(&path).json()["meta"].clone();
    assert_eq!(
        (meta["total"].as_u64(), meta["totalPages"].as_u64()),
        (Some(wanted.len() as u64), Some((wanted.len() as u64).div_ceil(20)))
    );
    let window = format!("/v1/customers?filter[updatedAt][gte]={from}&filter[createdAt][lt]={from}&sort=-createdAt");
    let both = sim.follow(&window);
    let created = |record: &Value| record["attributes"]["createdAt"].as_str().unwrap().to_owned();
    assert!(
        !both.is_empty()
            && both.iter().all(|record| created(record).as_str() < from && updated_at(record).as_str() >= from)
    );
    assert!(both.iter().rev().is_sorted_by_key(created));
    for bad in ["filter[name][gte]=x", "filter[updatedAt][is]=2026-01-01", "filter[updatedAt][gte]=x", "sort=name"] {
        assert_eq!(sim.get(&format!("/v1/customers?{bad}")).status, 400, "{bad}");
    }
}

#[test]
fn customers_lists_read_the_primary_store() {
    let sim = start();
    sim.switch(json!({"index_lag_ms": 60_000}));
    sim.handle.mutate(Mutation { context: Context::Customer, op: Op::Update, count: 7, seed: 1 }).unwrap();
    assert_eq!(sim.follow("/v1/customers?filter[updatedAt][gte]=2026-11-01").len(), 7);
}

#[test]
fn children_belong_to_their_parents() {
    let sim = start();
    let message = sim.follow("/v1/messages")[100].clone();
    let parent = |name: &str| message["relationships"][name]["data"]["id"].as_str().unwrap().to_owned();
    for (collection, name) in [("conversations", "conversation"), ("customers", "customer")] {
        let owner = parent(name);
        let found = sim.follow(&format!("/v1/{collection}/{owner}/messages?pageSize=2"));
        assert!(ids(&found).contains(&message["id"].as_str().unwrap().to_owned()));
        assert!(found.iter().all(|record| record["relationships"][name]["data"]["id"] == owner.as_str()));
        assert!(ids(&found).is_sorted());
    }
    let conversations = sim.follow(&format!("/v1/customers/{}/conversations", parent("customer")));
    assert!(ids(&conversations).contains(&parent("conversation")));
    assert_eq!(sim.get("/v1/customers/000000000000000000000000/notes").status, 404);
}

#[test]
fn records_are_read_by_id() {
    let sim = start();
    let conversations = sim.handle.truth(Context::Conversation);
    let deleted = conversations.iter().find(|row| row.deleted).unwrap();
    let body = sim.get(&format!("/v1/conversations/{}", deleted.id)).json();
    assert_eq!(body["data"]["attributes"]["deleted"], true);
    let several = format!("{},000000000000000000000000,{}", conversations[0].id, conversations[1].id);
    let found = records(&sim.get(&format!("/v1/conversations/{several}")).json());
    assert_eq!(ids(&found), [conversations[0].id.clone(), conversations[1].id.clone()]);
    let none = sim.get("/v1/conversations/x,y").json();
    assert_eq!(none["data"], json!([]));
    for path in ["/v1/messages/000000000000000000000000", "/v1/customers/a,b", "/v1/notes/x"] {
        assert_eq!(sim.get(path).status, 404, "{path}");
    }
}

#[test]
fn users_come_in_lists_that_cannot_be_combined() {
    let sim = start();
    let list = |query: &str| ids(&sim.follow(&format!("/v1/users?pageSize=500&{query}")));
    let lists =
        [list(""), list("deleted=true"), list("pending=true"), list("userType=machine"), list("userType=limited")];
    assert!(lists.iter().all(|list| !list.is_empty()));
    let mut union = lists.concat();
    union.sort();
    let mut truth: Vec<String> = sim.handle.truth(Context::User).into_iter().map(|row| row.id).collect();
    truth.sort();
    union.dedup();
    assert_eq!(union, truth);
    assert_eq!(list("userType=user"), lists[0]);
    assert_eq!(sim.get("/v1/users?deleted=true&userType=user").status, 400);
    assert_eq!(sim.get("/v1/users?userType=robot").status, 400);
    sim.switch(json!({"user_list": "every_type"}));
    assert!(list("").len() > lists[0].len());
}

#[test]
fn small_lists_resolve_what_records_refer_to() {
    let sim = start();
    for (path, kind) in [("tags", "tag"), ("teams", "team"), ("shortcuts", "shortcut"), ("klasses", "klass")] {
        let items = sim.follow(&format!("/v1/{path}?pageSize=2"));
        assert!(items.len() > 2 && items.iter().all(|item| item["type"] == kind));
        let id = items[0]["id"].as_str().unwrap();
        assert_eq!(sim.get(&format!("/v1/{path}/{id}")).json()["data"], items[0]);
    }
    let tags = ids(&sim.follow("/v1/tags"));
    for conversation in sim.follow("/v1/conversations") {
        for tag in conversation["attributes"]["tags"].as_array().unwrap() {
            assert!(tags.contains(&tag.as_str().unwrap().to_owned()));
        }
    }
}
