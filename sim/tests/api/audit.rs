//! The audit log: newest first, with ties, a lag, entries that expire, and filters whose bounds are unknown.

use kustlake_sim::{Context, Mutation, Op, WorldSpec};
use serde_json::{Value, json};

use crate::client::{Sim, ids, records, start, start_with};

const HOUR: i64 = 3_600_000;

fn change(sim: &Sim, context: Context, op: Op, count: u32) -> Vec<String> {
    sim.handle.mutate(Mutation { context, op, count, seed: 3 }).unwrap()
}

fn created(entry: &Value) -> &str {
    entry["attributes"]["createdAt"].as_str().unwrap()
}

#[test]
fn paging_leads_back_in_time_to_the_very_end() {
    let sim = start();
    let truth = sim.handle.audit_log();
    assert_eq!(truth.len(), 400);
    for count in [1_000, 100, 37] {
        assert_eq!(sim.follow(&format!("/v1/audit-logs?count={count}")), truth);
    }
    let all = ids(&truth);
    assert!(all.iter().rev().is_sorted(), "ids ascend");
    assert!(!truth.iter().rev().is_sorted_by_key(created), "their times need not");
    assert!(truth.windows(2).filter(|pair| created(&pair[0]) == created(&pair[1])).count() > 50, "and repeat");
    let body = sim.get("/v1/audit-logs?count=10&filter%5BobjectType%5D=message").json();
    let next = body["links"]["next"].as_str().unwrap();
    assert!(next.starts_with("/v1/audit-logs?count=10&filter%5BobjectType%5D=message&before="), "{next}");
    let meta = sim.get(next).json()["meta"].clone();
    assert_eq!(meta["count"], 10);
    assert_eq!(meta["cursorCount"].as_u64().unwrap() + 10, meta["total"].as_u64().unwrap());
}

#[test]
fn after_leads_to_the_entries_that_came_next() {
    let sim = start();
    let all = ids(&sim.handle.audit_log());
    let page = |query: String| ids(&records(&sim.get(&format!("/v1/audit-logs?{query}")).json()));
    assert_eq!(page(format!("count=5&after={}", all[20])), all[15..20]);
    assert_eq!(page(format!("count=50&after={}&before={}", all[20], all[10])), all[11..20]);
    let between = format!("/v1/audit-logs?count=2&after={}&before={}", all[20], all[10]);
    assert_eq!(ids(&sim.follow(&between)), all[11..20], "links keep the other bound");
    assert!(page(format!("after={}", all[0])).is_empty());
    for bad in ["count=0", "count=1001", "before=x", "filter[objectId]=x", "filter[objectType]=moon", "filter[start]=x"]
    {
        assert_eq!(sim.get(&format!("/v1/audit-logs?{bad}")).status, 400, "{bad}");
    }
}

#[test]
fn the_last_page_may_lead_to_an_empty_one() {
    let sim = start();
    sim.switch(json!({"audit_end": "empty_page"}));
    let last = sim.get("/v1/audit-logs?count=1000").json();
    let next = last["links"]["next"].as_str().unwrap().to_owned();
    let empty = sim.get(&next).json();
    assert_eq!((records(&empty).len(), &empty["links"]["next"]), (0, &Value::Null));
    assert_eq!(sim.follow("/v1/audit-logs?count=90").len(), 400);
}

#[test]
fn every_kind_of_object_and_every_attribute_occurs() {
    let sim = start();
    let log = sim.handle.audit_log();
    for kind in [
        "bill_subscription",
        "business_rule",
        "company",
        "conversation",
        "customer",
        "message",
        "search",
        "shortcut",
        "user",
        "work_item",
        "ip_rule",
        "work_session",
        "shopify_rest",
    ] {
        let of_kind = sim.follow(&format!("/v1/audit-logs?count=50&filter[objectType]={kind}"));
        assert!(!of_kind.is_empty() && of_kind.iter().all(|entry| entry["attributes"]["objectType"] == kind), "{kind}");
    }
    for name in [
        "eventName",
        "eventVerb",
        "org",
        "userId",
        "userType",
        "objectId",
        "objectType",
        "client",
        "ip",
        "changes",
        "createdAt",
        "publishedAt",
        "expiresAt",
    ] {
        assert!(log.iter().any(|entry| !entry["attributes"][name].is_null()), "{name}");
    }
    assert!(log.iter().any(|entry| entry["relationships"]["customer"]["data"].is_object()));
    assert!(log.iter().any(|entry| entry["attributes"]["userType"] == "system"));
}

#[test]
fn filters_choose_by_object_and_user() {
    let sim = start();
    let updated = change(&sim, Context::Conversation, Op::Update, 3);
    let list = |query: &str| sim.follow(&format!("/v1/audit-logs?count=20&{query}"));
    let one = list(&format!("filter[objectType]=conversation&filter[objectId]={}", updated[1]));
    assert_eq!(one[0]["attributes"]["eventName"], "kustomer.conversation.update");
    assert!(one.iter().all(|entry| entry["attributes"]["objectId"] == updated[1].as_str()));
    let log = sim.handle.audit_log();
    let user = log.iter().find_map(|entry| entry["attributes"]["userId"].as_str()).unwrap();
    let by_user = list(&format!("filter[userId]={user}"));
    assert_eq!(by_user.len(), log.iter().filter(|entry| entry["attributes"]["userId"] == user).count());
    let both = list("filter[objectType]=message&filter[include]=search,user");
    let kinds = ["message", "search", "user"];
    let wanted = log.iter().filter(|entry| kinds.contains(&entry["attributes"]["objectType"].as_str().unwrap()));
    assert_eq!(ids(&both), ids(&wanted.cloned().collect::<Vec<_>>()));
}

#[test]
fn every_change_is_told() {
    let sim = start_with(WorldSpec { audit_logs: 0, ..WorldSpec::default() }, kustlake_sim::Switches::unlimited());
    assert!(sim.handle.audit_log().is_empty());
    let mut wanted = Vec::new();
    for (op, verb) in
        [(Op::Create, "create"), (Op::Update, "update"), (Op::DeleteSoft, "delete"), (Op::DeleteHard, "delete")]
    {
        for context in [Context::Customer, Context::Conversation, Context::Message] {
            sim.handle.clock().advance(500);
            for id in change(&sim, context, op, 2) {
                wanted.push((format!("kustomer.{}.{verb}", context.name()), id));
            }
        }
    }
    let pair = change(&sim, Context::Customer, Op::Merge, 1);
    wanted.push(("kustomer.customer.merge".to_owned(), pair[1].clone()));
    wanted.reverse();
    let name = |entry: &Value| {
        let text = |name: &str| entry["attributes"][name].as_str().unwrap().to_owned();
        (text("eventName"), text("objectId"))
    };
    let log = sim.handle.audit_log();
    assert_eq!(log.iter().map(name).collect::<Vec<_>>(), wanted);
    assert_eq!(log[0]["attributes"]["changes"]["relationships"]["source"]["after"]["id"], pair[0].as_str());
    change(&sim, Context::Note, Op::Update, 3);
    assert_eq!(sim.handle.audit_log().len(), wanted.len(), "the log has no notes");
    sim.switch(json!({"merge_object": "source"}));
    let by_source = format!("/v1/audit-logs?filter[objectType]=customer&filter[objectId]={}", pair[0]);
    assert_eq!(sim.follow(&by_source)[0]["attributes"]["eventVerb"], "merge");
}

#[test]
fn entries_become_visible_after_the_lag() {
    let sim = start();
    sim.switch(json!({"audit_lag_ms": 7_000}));
    let before = sim.handle.audit_log();
    change(&sim, Context::Message, Op::Update, 2);
    sim.handle.clock().advance(6_999);
    assert_eq!(sim.follow("/v1/audit-logs"), before);
    sim.handle.clock().advance(1);
    assert_eq!(sim.follow("/v1/audit-logs").len(), before.len() + 2);
}

#[test]
fn entries_expire_by_their_class() {
    let sim = start();
    change(&sim, Context::Message, Op::Update, 1);
    change(&sim, Context::Message, Op::Create, 1);
    let kept = || {
        let log = sim.handle.audit_log();
        let newest = log.iter().filter(|entry| created(entry) == "2026-11-01T00:00:00.000Z");
        newest.map(|entry| entry["attributes"]["eventVerb"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kept(), ["create", "update"]);
    sim.handle.clock().advance(90 * 24 * HOUR);
    assert_eq!(kept(), ["create"]);
    assert!(sim.follow("/v1/audit-logs").len() < 400);
    sim.handle.clock().advance(275 * 24 * HOUR);
    assert!(sim.handle.audit_log().is_empty());
    assert_eq!(sim.get("/v1/audit-logs").json()["meta"], json!({"count": 0, "total": 0, "cursorCount": 0}));
}

#[test]
fn what_the_bounds_include_is_a_switch() {
    let sim = start();
    sim.handle.clock().advance(1_250);
    change(&sim, Context::Message, Op::Update, 1);
    sim.handle.clock().advance(500);
    change(&sim, Context::Message, Op::Update, 1);
    let found = |bounds: &str| {
        sim.switch(json!({"audit_bounds": bounds}));
        let query = "filter[start]=2026-11-01T00:00:01.250Z&filter[end]=2026-11-01T00:00:01.750Z";
        sim.follow(&format!("/v1/audit-logs?{query}")).len()
    };
    assert_eq!(["inclusive", "end_exclusive", "whole_seconds"].map(found), [2, 1, 0]);
}
