//! Live change of the shelves, and what somebody adds to them.

use kustlake_sim::{Context, Mutation, Op, ShelfChange};
use serde_json::{Value, json};

use crate::client::{Sim, ids, send, start};

fn of<'a>(shelf: &'a [Value], id: &str) -> &'a Value {
    shelf.iter().find(|one| one["id"] == id).unwrap()
}

#[test]
fn updates_move_time_revision_and_values() {
    let sim = start();
    let before = sim.handle.shelf("companies");
    let changed = sim.handle.change_shelf("companies", ShelfChange::Update, 9, 5).unwrap();
    let after = sim.handle.shelf("companies");
    assert_eq!((changed.len(), before.len()), (9, after.len()));
    let mut lists = 0;
    for id in &changed {
        let (old, new) = (&of(&before, id)["attributes"], &of(&after, id)["attributes"]);
        assert_eq!(new["updatedAt"], "2026-11-01T00:00:00.000Z");
        assert_eq!(new["rev"].as_u64(), old["rev"].as_u64().map(|rev| rev + 1));
        assert_eq!(new["createdAt"], old["createdAt"]);
        lists += u32::from(old["emails"] != new["emails"]);
    }
    assert!(lists > 4);
    let untouched = before.iter().filter(|one| !changed.contains(&one["id"].as_str().unwrap().to_owned()));
    assert!(untouched.into_iter().all(|one| of(&after, one["id"].as_str().unwrap()) == one));
}

#[test]
fn every_shelf_changes() {
    let sim = start();
    let all = |sim: &Sim| {
        sim.handle.shelf_names().into_iter().map(|name| (sim.handle.shelf(&name), name)).collect::<Vec<_>>()
    };
    let before = all(&sim);
    sim.handle.clock().advance(1_000);
    for seed in 0..4 {
        sim.handle.change_shelves(seed).unwrap();
    }
    for (old, name) in before {
        if name != "kobject_wishlist" {
            assert_ne!(old, sim.handle.shelf(&name), "{name}");
        }
    }
    let versions = sim.handle.shelf("sla_versions");
    for sla in sim.handle.shelf("slas") {
        let id = sla["id"].as_str().unwrap();
        let own = versions.iter().filter(|one| one["relationships"]["sla"]["data"]["id"] == id);
        assert_eq!(own.clone().count(), sla["relationships"]["versions"]["data"].as_array().unwrap().len());
    }
    let mut teams: Vec<String> = sim
        .handle
        .shelf("routing_settings")
        .iter()
        .map(|one| one["relationships"]["team"]["data"]["id"].as_str().unwrap().to_owned())
        .collect();
    let count = teams.len();
    teams.sort();
    teams.dedup();
    assert_eq!(teams.len(), count);
}

#[test]
fn a_new_klass_comes_with_kobjects_and_metadata() {
    let sim = start();
    let id = sim.handle.change_shelf("klasses", ShelfChange::Insert, 1, 1).unwrap().pop().unwrap();
    let klass = sim.get(&format!("/v1/klasses/{id}")).json()["data"]["attributes"]["name"].clone();
    let klass = klass.as_str().unwrap().to_owned();
    let found = sim.follow(&format!("/v1/klasses/{klass}"));
    assert_eq!(found, sim.handle.shelf(&format!("kobject_{klass}")));
    assert!(!found.is_empty() && found[0]["relationships"]["klass"]["data"]["id"] == id.as_str());
    assert_eq!(sim.get(&format!("/v1/metadata/kobject.{klass}")).status, 200);
    let gone = sim.handle.change_shelf("klasses", ShelfChange::Delete, 9, 1).unwrap();
    assert_eq!(gone.len(), 1, "only the klass without records can be deleted");
    assert_eq!(sim.get("/v1/klasses/wishlist").status, 404);
    assert!(sim.handle.change_shelf("widgets", ShelfChange::Insert, 1, 1).is_err());
}

fn custom_of(sim: &Sim, context: Context) -> Vec<(String, Value)> {
    let lines = sim.handle.records(context);
    let records = serde_json::Deserializer::from_slice(&lines).into_iter().map(|record| record.unwrap());
    records
        .map(|record: Value| (record["id"].as_str().unwrap().to_owned(), record["attributes"]["custom"].clone()))
        .collect()
}

#[test]
fn an_added_attribute_shows_on_what_changes_from_then_on() {
    let sim = start();
    let update =
        |seed| sim.handle.mutate(Mutation { context: Context::Message, op: Op::Update, count: 5, seed }).unwrap();
    let early = update(1);
    let property = json!({"type": "string", "displayName": "New"});
    for resource in ["message", "company", "kobject.order"] {
        sim.handle.add_custom_attribute(resource, "brandNewStr", property.clone(), json!("x\"y")).unwrap();
        assert_eq!(sim.handle.metadata()[resource]["attributes"]["properties"]["brandNewStr"], property);
    }
    assert!(sim.handle.add_custom_attribute("widget", "aStr", property, json!(1)).is_err());
    assert!(custom_of(&sim, Context::Message).iter().all(|(_, custom)| custom.get("brandNewStr").is_none()));
    let mut late = update(2);
    late.extend(sim.handle.mutate(Mutation { context: Context::Message, op: Op::Create, count: 2, seed: 3 }).unwrap());
    for (id, custom) in custom_of(&sim, Context::Message) {
        let carries = custom.get("brandNewStr").is_some_and(|value| value == "x\"y");
        assert_eq!(carries, late.contains(&id), "{id} {}", early.contains(&id));
    }
    for shelf in ["companies", "kobject_order"] {
        let late = sim.handle.change_shelf(shelf, ShelfChange::Update, 4, 2).unwrap();
        for one in sim.handle.shelf(shelf) {
            let carries = one["attributes"]["custom"].get("brandNewStr").is_some();
            assert_eq!(carries, late.contains(&one["id"].as_str().unwrap().to_owned()));
        }
    }
}

#[test]
fn contact_data_and_mentions_change_with_the_record() {
    let sim = start();
    let lists = |context: Context, part: &str, name: &str| {
        let lines = sim.handle.records(context);
        let records = serde_json::Deserializer::from_slice(&lines).into_iter().map(|record| record.unwrap());
        records.map(|record: Value| record[part][name].clone()).collect::<Vec<_>>()
    };
    for (context, part, name) in [
        (Context::Customer, "attributes", "emails"),
        (Context::Customer, "attributes", "locations"),
        (Context::Message, "relationships", "shortcuts"),
        (Context::Note, "relationships", "userMentions"),
    ] {
        let before = lists(context, part, name);
        sim.handle.mutate(Mutation { context, op: Op::Update, count: 150, seed: 4 }).unwrap();
        let changed = before.iter().zip(lists(context, part, name)).filter(|(old, new)| *old != new).count();
        assert!(changed > 5, "{name}: {changed}");
    }
}

#[test]
fn a_list_of_somebodys_own_is_paged() {
    let sim = start();
    let widgets: Vec<Value> = (0..25).map(|number| json!({"type": "widget", "id": format!("w{number}")})).collect();
    assert_eq!(sim.get("/v1/widgets").status, 404);
    sim.handle.serve_list("/v1/widgets", widgets.clone());
    assert_eq!(sim.follow("/v1/widgets?pageSize=10"), widgets);
    assert_eq!(ids(&sim.follow("/v1/widgets")).len(), 25);
}

#[test]
fn shelves_are_controlled_over_http() {
    let sim = start();
    let control = |method: &str, path: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(sim.handle.addr(), method, &format!("/_sim/{path}"), None, &body).unwrap()
    };
    let brands = control("GET", "shelf/brands", &Value::Null).json();
    assert_eq!(brands, json!(sim.handle.shelf("brands")));
    let change = json!({"shelf": "brands", "op": "insert", "count": 2});
    assert_eq!(control("POST", "change-shelf", &change).json()["ids"].as_array().unwrap().len(), 2);
    assert_eq!(sim.handle.shelf("brands").len(), 5);
    assert_eq!(control("POST", "change-shelves", &json!({"seed": 3})).status, 200);
    assert_eq!(control("POST", "change-shelf", &json!({"shelf": "moon", "op": "insert", "count": 2})).status, 400);
    assert_eq!(control("GET", "metadata", &Value::Null).json(), json!(sim.handle.metadata()));
}
