//! Search and archive search over companies and KObjects.

use kustlake_sim::ShelfChange;
use serde_json::{Value, json};

use crate::client::{BOUNDARY, Sim, id_set, ids, records, send, start, updated_at};

fn all(context: &str) -> Value {
    json!({"queryContext": context, "includeDeleted": true})
}

fn found(sim: &Sim, context: &str) -> Vec<Value> {
    sim.search_all(500, &all(context))
}

#[test]
fn search_and_archive_divide_companies_and_kobjects() {
    let sim = start();
    for (shelf, context) in [
        ("companies", "company"),
        ("kobject_order", "kobject_order"),
        ("kobject_Ecomm_Order", "kobject_Ecomm_Order"),
        ("kobject_größe 2", "kobject_größe 2"),
    ] {
        let old = ids(&records(&sim.archive("pageSize=500", &all(context)).json()));
        let new = ids(&found(&sim, context));
        let truth = sim.handle.shelf(shelf);
        assert!(!old.is_empty() && !new.is_empty() && old.len() + new.len() == truth.len(), "{shelf}");
        for one in truth {
            let archived = updated_at(&one).as_str() < BOUNDARY;
            let id = one["id"].as_str().unwrap().to_owned();
            assert_eq!((old.contains(&id), new.contains(&id)), (archived, !archived));
        }
    }
    for context in ["kobject_unheard", "kobject_", "companies"] {
        assert_eq!(sim.search("", &all(context)).status, 400, "{context}");
    }
}

#[test]
fn one_context_has_the_kobjects_of_every_klass() {
    let sim = start();
    sim.switch(json!({"archive_covers": "everything"}));
    let kobjects = records(&sim.archive("pageSize=500", &all("kobject")).json());
    let klasses: Vec<String> =
        sim.handle.shelf_names().into_iter().filter(|name| name.starts_with("kobject_")).collect();
    let truth: Vec<Value> = klasses.iter().flat_map(|name| sim.handle.shelf(name)).collect();
    assert_eq!(id_set(&kobjects), id_set(&truth));
    let mut unique = id_set(&kobjects);
    unique.dedup();
    assert_eq!(unique.len(), truth.len());
    assert!(sim.handle.shelf("kobject_wishlist").is_empty());
}

#[test]
fn filters_sort_and_pages_are_those_of_every_search() {
    let sim = start();
    for (context, attribute) in [
        ("company", "company_updated_at"),
        ("kobject", "kobject_updated_at"),
        ("kobject_order", "kobject_order_updated_at"),
    ] {
        let from = "2025-06-01T00:00:00.000Z";
        let mut body = all(context);
        body["and"] = json!([{attribute: {"gte": from}}, {attribute: {"lt": "2026-10-01"}}]);
        body["sort"] = json!([{attribute: "asc"}]);
        let some = sim.search_all(7, &body);
        assert!(some.len() > 7 && some.is_sorted_by_key(updated_at), "{context}");
        let wanted = found(&sim, context);
        let wanted: Vec<Value> =
            wanted.into_iter().filter(|one| (from..="2026-10-01").contains(&updated_at(one).as_str())).collect();
        assert_eq!(id_set(&some), id_set(&wanted));
        let meta = sim.search("pageSize=7", &body).json()["meta"].clone();
        assert_eq!(meta["total"], wanted.len());
        let only = sim.search("pageSize=2&idsOnly=true", &body).json();
        assert_eq!(records(&only)[0].as_object().unwrap().len(), 2);
    }
    let order = found(&sim, "kobject_order");
    let customer = order.iter().find_map(|one| one["relationships"]["customer"]["data"]["id"].as_str()).unwrap();
    let mut body = all("kobject");
    body["and"] = json!({"kobject_customer_id": {"equals": customer}});
    let theirs = sim.search_all(500, &body);
    assert!(!theirs.is_empty());
    assert!(theirs.iter().all(|one| one["relationships"]["customer"]["data"]["id"] == customer));
    body["and"] = json!({"kobject_company_id": {"set": true}});
    assert_eq!((sim.search("", &body).status, sim.archive("", &body).status), (400, 200));
    body["and"] = json!({"kobject_created_at": {"gte": "2025-01-01"}});
    assert_eq!(sim.search("", &body).status, 200);
    body["and"] = json!({"company_updated_at": {"gte": "2025-01-01"}});
    assert_eq!(sim.search("", &body).status, 400);
}

#[test]
fn deleted_companies_show_only_on_request_and_deleted_kobjects_never() {
    let sim = start();
    let companies = sim.handle.change_shelf("companies", ShelfChange::Delete, 3, 1).unwrap();
    let orders = sim.handle.change_shelf("kobject_order", ShelfChange::Delete, 3, 1).unwrap();
    let live = ids(&sim.search_all(500, &json!({"queryContext": "company"})));
    assert!(companies.iter().all(|id| !live.contains(id)));
    let with_deleted = found(&sim, "company");
    let gone: Vec<&Value> =
        with_deleted.iter().filter(|one| companies.contains(&one["id"].as_str().unwrap().to_owned())).collect();
    assert!(gone.len() == 3 && gone.iter().all(|one| one["attributes"]["deleted"] == true));
    assert!(gone.iter().all(|one| one["attributes"]["deletedAt"].is_string()));
    let kobjects = ids(&found(&sim, "kobject"));
    assert!(orders.len() == 3 && orders.iter().all(|id| !kobjects.contains(id)));
    assert_eq!(sim.get(&format!("/v1/klasses/order/{}", orders[0])).status, 404);
    assert_eq!(sim.get(&format!("/v1/companies/{}", companies[0])).json()["data"]["attributes"]["deleted"], true);
}

#[test]
fn the_index_trails_the_shelves() {
    let sim = start();
    sim.switch(json!({"index_lag_ms": 60_000}));
    let changed = sim.handle.change_shelf("companies", ShelfChange::Update, 2, 3).unwrap();
    let added = sim.handle.change_shelf("companies", ShelfChange::Insert, 2, 3).unwrap();
    let mut body = all("company");
    body["and"] = json!({"company_updated_at": {"gte": "2026-11-01"}});
    assert!(sim.search_all(500, &body).is_empty());
    assert!(sim.follow("/v1/companies").iter().any(|one| one["id"] == added[0].as_str()));
    sim.handle.clock().advance(60_000);
    let mut now: Vec<String> = [changed, added].concat();
    now.sort();
    assert_eq!(id_set(&sim.search_all(500, &body)), now);
}

#[test]
fn searching_needs_the_role_of_the_kind() {
    let sim = start();
    let roles = vec!["org.user.search.read".into(), "org.permission.kobject.kobject_order.read".into()];
    sim.handle.add_token(kustlake_sim::TokenSpec { token: "orders".into(), roles, expires_at: None });
    let search = |context: &str| {
        let body = json!({"queryContext": context}).to_string();
        send(sim.handle.addr(), "POST", "/v1/customers/search", Some("orders"), &body).unwrap().status
    };
    assert_eq!((search("kobject_order"), search("kobject"), search("company")), (200, 403, 403));
}
