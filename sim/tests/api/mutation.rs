//! What happens to records while somebody reads them.

use kustlake_sim::{Context, Mutation, Op};
use serde_json::json;

use crate::client::{Sim, ids, records, start};

fn change(sim: &Sim, context: Context, op: Op, count: u32) -> Vec<String> {
    sim.handle.mutate(Mutation { context, op, count, seed: 3 }).unwrap()
}

#[test]
fn only_as_many_records_change_as_were_asked_for() {
    let sim = start();
    for context in Context::ALL {
        let before = sim.handle.truth(context);
        sim.handle.clock().advance(1_000);
        let mut changed = change(&sim, context, Op::Update, 5);
        let after = sim.handle.truth(context);
        let mut differ: Vec<String> =
            before.iter().zip(&after).filter(|(old, new)| old != new).map(|(_, new)| new.id.clone()).collect();
        differ.sort();
        changed.sort();
        assert_eq!(differ, changed, "{context:?}");
        for (old, new) in before.iter().zip(&after).filter(|(old, new)| old != new) {
            assert_eq!((new.rev, new.created_at.clone()), (old.rev + 1, old.created_at.clone()));
            assert!(new.updated_at > old.updated_at);
        }
    }
}

#[test]
fn records_come_into_being() {
    let sim = start();
    for context in Context::ALL {
        let count = sim.handle.truth(context).len();
        let created = change(&sim, context, Op::Create, 4);
        assert_eq!(sim.handle.truth(context).len(), count + 4);
        for id in created {
            let record = sim.get(&format!("/v1/{}/{id}", context.collection())).json();
            assert_eq!(record["data"]["attributes"]["createdAt"], "2026-11-01T00:00:00.000Z");
            assert!(id.starts_with("69e5") || id.len() == 24);
        }
    }
}

#[test]
fn deletes_are_soft_or_hard_and_can_be_undone() {
    let sim = start();
    let soft = change(&sim, Context::Message, Op::DeleteSoft, 3);
    let path = format!("/v1/messages/{}", soft[0]);
    assert_eq!(sim.get(&path).json()["data"]["attributes"]["deleted"], true);
    assert_eq!(sim.get(&path).json()["data"]["attributes"]["deletedAt"], "2026-11-01T00:00:00.000Z");
    let restored =
        sim.handle.mutate(Mutation { context: Context::Message, op: Op::Restore, count: 9_999, seed: 0 }).unwrap();
    assert!(soft.iter().all(|id| restored.contains(id)));
    assert!(sim.get(&path).json()["data"]["attributes"]["deleted"].is_null());
    let hard = change(&sim, Context::Message, Op::DeleteHard, 2);
    assert_eq!(sim.get(&format!("/v1/messages/{}", hard[0])).status, 404);
    assert!(!sim.handle.truth(Context::Message).iter().any(|row| hard.contains(&row.id)));
    let body = json!({"queryContext": "message", "includeDeleted": true});
    assert!(!ids(&sim.search_all(500, &body)).contains(&hard[0]));
}

#[test]
fn a_delete_may_leave_updated_at_alone() {
    let sim = start();
    let find = |sim: &Sim, id: &str| sim.handle.truth(Context::Note).into_iter().find(|row| row.id == id).unwrap();
    sim.switch(json!({"delete_stamp": "keeps"}));
    let before = sim.handle.truth(Context::Note);
    let deleted = change(&sim, Context::Note, Op::DeleteSoft, 1).remove(0);
    let old = before.into_iter().find(|row| row.id == deleted).unwrap();
    let new = find(&sim, &deleted);
    assert_eq!((new.deleted, new.updated_at, new.rev), (true, old.updated_at, old.rev + 1));
    sim.switch(json!({"delete_stamp": "moves"}));
    let deleted = change(&sim, Context::Note, Op::DeleteSoft, 1).remove(0);
    assert_eq!(find(&sim, &deleted).updated_at, "2026-11-01T00:00:00.000Z");
}

#[test]
fn a_merge_re_parents_without_a_trace_on_the_children() {
    let sim = start();
    let conversation = sim.follow("/v1/conversations")[0].clone();
    let source = conversation["relationships"]["customer"]["data"]["id"].as_str().unwrap().to_owned();
    let target =
        sim.handle.truth(Context::Customer).into_iter().find(|row| row.id != source && !row.deleted).unwrap().id;
    let before = (sim.handle.truth(Context::Conversation), sim.handle.truth(Context::Message));
    let moved = ids(&sim.follow(&format!("/v1/customers/{source}/conversations")));
    sim.handle.merge(&source, &target).unwrap();
    assert_eq!((sim.handle.truth(Context::Conversation), sim.handle.truth(Context::Message)), before);
    assert!(sim.follow(&format!("/v1/customers/{source}/conversations")).is_empty());
    let there = ids(&sim.follow(&format!("/v1/customers/{target}/conversations")));
    assert!(moved.iter().all(|id| there.contains(id)));
    let messages = sim.follow(&format!("/v1/conversations/{}/messages", moved[0]));
    assert!(messages.iter().all(|message| message["relationships"]["customer"]["data"]["id"] == target.as_str()));
    let merges = sim.follow(&format!("/v1/customers/{target}/merges"));
    assert!(sim.follow(&format!("/v1/customers/{source}/merges")).is_empty());
    sim.switch(json!({"merge_list": "both"}));
    assert_eq!(merges[0]["relationships"]["target"]["data"]["id"], target.as_str());
    assert_eq!(sim.follow(&format!("/v1/customers/{source}/merges")), merges);
    let id = merges[0]["id"].as_str().unwrap();
    assert_eq!(sim.get(&format!("/v1/customers/merges/{id}")).json()["data"], merges[0]);
    assert_eq!(sim.get(&format!("/v1/customers/{source}")).json()["data"]["attributes"]["deleted"], true);
}

#[test]
fn merges_are_chosen_in_pairs() {
    let sim = start();
    let pairs = change(&sim, Context::Customer, Op::Merge, 3);
    assert_eq!(pairs.len(), 6);
    assert!(sim.handle.mutate(Mutation { context: Context::Note, op: Op::Merge, count: 1, seed: 0 }).is_err());
}

#[test]
fn ties_are_made_by_the_thousand() {
    let sim = start();
    let at = sim.handle.clock().now() - 1_000;
    let tied = sim.handle.tie(Context::Message, 1_500, at);
    assert_eq!(tied.len(), 1_500);
    let body =
        json!({"queryContext": "message", "and": [{"message_updated_at": {"equals": "2026-10-31T23:59:59.000Z"}}]});
    assert_eq!(sim.search("pageSize=1", &body).json()["meta"]["total"], 1_500);
    assert_eq!(records(&sim.search("pageSize=500", &body).json()).len(), 500);
}
