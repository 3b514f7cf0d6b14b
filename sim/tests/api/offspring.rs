//! What is read per parent: events, handling times, forwards, drafts, attachments and merges.

use std::collections::{BTreeMap, BTreeSet};

use kustlake_sim::{Context, Mutation, Offspring, Op};
use serde_json::{Value, json};

use crate::client::{Sim, ids, records, start};

fn change(sim: &Sim, context: Context, op: Op, count: u32) -> Vec<String> {
    sim.handle.clock().advance(60_000);
    sim.handle.mutate(Mutation { context, op, count, seed: 3 }).unwrap()
}

fn by_id(sim: &Sim, kind: Offspring) -> BTreeMap<String, Value> {
    let all = sim.handle.offspring(kind);
    let count = all.len();
    let by_id: BTreeMap<String, Value> =
        all.into_iter().map(|(_, one)| (one["id"].as_str().unwrap().to_owned(), one)).collect();
    assert_eq!(by_id.len(), count, "{kind:?}: ids are unique");
    by_id
}

fn path(kind: Offspring, parent: &str) -> String {
    match kind {
        Offspring::TimesV1 => format!("/v1/conversations/{parent}/times"),
        Offspring::TimesV2 => format!("/v2/conversations/{parent}/times"),
        kind => format!("/v1/{}/{parent}/{}", kind.parent().collection(), kind.name()),
    }
}

#[test]
fn the_truth_is_what_is_served_per_parent() {
    let sim = start();
    change(&sim, Context::Customer, Op::Merge, 4);
    change(&sim, Context::Conversation, Op::DeleteHard, 3);
    for kind in Offspring::ALL {
        let mut truth: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (parent, one) in sim.handle.offspring(kind) {
            assert!(one["type"].is_string() && one["links"]["self"].is_string());
            truth.entry(parent).or_default().push(one);
        }
        assert!(!truth.is_empty(), "{kind:?}");
        for (parent, wanted) in truth.iter().take(20) {
            let served = sim.follow(&format!("{}?sort=asc&pageSize=7", path(kind, parent)));
            assert_eq!(&served, wanted, "{kind:?}");
        }
        let gone = sim.get(&path(kind, "000000000000000000000000"));
        assert_eq!(gone.status, 404);
    }
}

#[test]
fn every_known_attribute_occurs() {
    let sim = start();
    change(&sim, Context::Customer, Op::Merge, 8);
    let times =
        "createdAt createdByTeams assignedUsers assignedTeams channels handleAt handleTime messageAt messageTime";
    let later = "timerVersion handlePauseAt handlePauseBy isFocused isInitialFocusSession agentActionTrigger \
        conversationStatus touched resolved snoozed reopened messagesSent noteAt noteTime notesSent";
    for (kind, attributes, relationships) in [
        (
            Offspring::Events,
            "name type publishedAt createdAt updatedAt modifiedAt changes location meta".to_owned(),
            "org customer conversation createdBy modifiedBy",
        ),
        (
            Offspring::Forwards,
            "app channel from to body payload status createdAt updatedAt modifiedAt".to_owned(),
            "org customer createdBy modifiedBy conversation attachments",
        ),
        (Offspring::TimesV1, times.to_owned(), "org customer conversation createdBy"),
        (Offspring::TimesV2, format!("{times} {later}"), "org customer conversation createdBy handleBy"),
        (Offspring::Attachments, "name contentType contentLength redacted".to_owned(), "org message"),
        (
            Offspring::Drafts,
            "channel app body htmlBody subject from to payload status sendAt createdAt updatedAt modifiedAt".to_owned(),
            "org customer createdBy modifiedBy conversation attachments",
        ),
        (Offspring::Merges, "status createdAt updatedAt".to_owned(), "org source target createdBy"),
    ] {
        let all = sim.handle.offspring(kind);
        for (part, names) in [("attributes", attributes.as_str()), ("relationships", relationships)] {
            for name in names.split_whitespace() {
                assert!(all.iter().any(|(_, one)| !one[part][name].is_null()), "{kind:?} {part}.{name}");
            }
        }
    }
}

#[test]
fn events_outlive_every_change_of_their_conversation() {
    let sim = start();
    let before = by_id(&sim, Offspring::Events);
    assert!(before.values().any(|event| event["attributes"]["meta"].is_string()));
    assert!(before.values().any(|event| event["attributes"]["location"].is_object()));
    let conversations = sim.handle.truth(Context::Conversation).len();
    change(&sim, Context::Conversation, Op::Update, 9_999);
    change(&sim, Context::Customer, Op::Merge, 10);
    change(&sim, Context::Conversation, Op::DeleteSoft, 9);
    let _ = sim.handle.tie(Context::Conversation, 50, sim.handle.clock().now() - 5_000);
    let after = by_id(&sim, Offspring::Events);
    assert!(after.len() > before.len() + conversations / 2);
    for (id, event) in &before {
        assert_eq!(after.get(id), Some(event));
    }
    let latest = after.values().map(|event| event["attributes"]["publishedAt"].as_str().unwrap()).max().unwrap();
    assert!(latest.starts_with("2026-11-01T00:03:00"), "{latest}");
}

#[test]
fn events_come_newest_first_and_may_be_more_than_a_page() {
    let sim = start();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (parent, _) in sim.handle.offspring(Offspring::Events) {
        *counts.entry(parent).or_default() += 1;
    }
    let (busy, count) = counts.iter().max_by_key(|(_, count)| **count).unwrap();
    assert!(*count > 100);
    let newest_first = sim.follow(&path(Offspring::Events, busy));
    assert_eq!(newest_first.len(), *count);
    let published = |event: &Value| event["attributes"]["publishedAt"].as_str().unwrap().to_owned();
    assert!(newest_first.iter().rev().is_sorted_by_key(published));
    let mut oldest_first = sim.follow(&format!("{}?sort=asc", path(Offspring::Events, busy)));
    oldest_first.reverse();
    assert_eq!(oldest_first, newest_first);
    let customer = newest_first[0]["relationships"]["customer"]["data"]["id"].as_str().unwrap();
    let link = format!("/v1/customers/{customer}/events/{}", newest_first[0]["id"].as_str().unwrap());
    assert_eq!(newest_first[0]["links"]["self"], link);
    assert_eq!(sim.get(&format!("{}?pageSize=101", path(Offspring::Events, busy))).status, 400);
    assert_eq!(sim.get(&format!("/v1/customers/{customer}/events")).status, 404);
}

#[test]
fn a_conversation_that_changes_hands_tells_so_without_moving() {
    let sim = start();
    let conversation = sim.follow("/v1/conversations")[0].clone();
    let id = conversation["id"].as_str().unwrap();
    let source = conversation["relationships"]["customer"]["data"]["id"].as_str().unwrap();
    let customers = sim.handle.truth(Context::Customer);
    let target = customers.into_iter().find(|row| row.id != source && !row.deleted).unwrap().id;
    let before = sim.follow(&path(Offspring::Events, id));
    sim.handle.merge(source, &target).unwrap();
    let after = sim.follow(&path(Offspring::Events, id));
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(after[0]["attributes"]["changes"]["attributes"], json!({}));
    let hands = &after[0]["attributes"]["changes"]["relationships"]["customer"];
    assert_eq!((&hands["before"]["id"], &hands["after"]["id"]), (&json!(source), &json!(target)));
    assert_eq!(after[0]["attributes"]["updatedAt"], conversation["attributes"]["updatedAt"]);
    assert_eq!(after[1..], before[..]);
    sim.switch(json!({"move_events": "hidden"}));
    assert_eq!(sim.follow(&path(Offspring::Events, id)), before);
}

#[test]
fn two_timers_keep_records_of_their_own() {
    let sim = start();
    let (first, second) = (by_id(&sim, Offspring::TimesV1), by_id(&sim, Offspring::TimesV2));
    assert!(!first.keys().any(|id| second.contains_key(id)));
    assert!(first.values().all(|time| time["attributes"].get("timerVersion").is_none()));
    assert!(first.values().all(|time| time["attributes"]["handleTime"].as_u64().unwrap() < 10_000));
    assert!(second.values().all(|time| time["attributes"]["handleTime"].as_u64().unwrap() > 10_000));
    sim.switch(json!({"time_ids": "shared"}));
    let shared = by_id(&sim, Offspring::TimesV2);
    let both = shared.keys().filter(|id| first.contains_key(*id)).count();
    assert!(0 < both && both < first.len() && both < shared.len());
    let (parent, _) = sim.handle.offspring(Offspring::TimesV1)[0].clone();
    assert_eq!(sim.get(&format!("/v1/conversations/{parent}/times?pageSize=1000")).status, 200);
    assert_eq!(sim.get(&format!("/v2/conversations/{parent}/times?pageSize=1001")).status, 400);
}

#[test]
fn a_late_time_may_leave_its_conversation_alone() {
    let sim = start();
    sim.handle.clock().advance(60_000);
    let counts = || [Offspring::TimesV1, Offspring::TimesV2].map(|kind| by_id(&sim, kind).len());
    let (before, truth) = (counts(), sim.handle.truth(Context::Conversation));
    sim.switch(json!({"time_stamp": "keeps"}));
    assert_eq!(sim.handle.add_times(6, 1).len(), 6);
    assert_eq!(sim.handle.truth(Context::Conversation), truth);
    assert_eq!(counts(), before.map(|count| count + 6));
    sim.switch(json!({"time_stamp": "moves"}));
    let moved = sim.handle.add_times(1, 2);
    let changed: Vec<String> = sim
        .handle
        .truth(Context::Conversation)
        .into_iter()
        .filter(|row| !truth.contains(row))
        .map(|row| row.id)
        .collect();
    assert_eq!(changed, moved);
}

#[test]
fn drafts_and_forwards_vanish_with_a_later_revision() {
    let sim = start();
    for (context, kind) in [(Context::Customer, Offspring::Drafts), (Context::Conversation, Offspring::Forwards)] {
        let first = by_id(&sim, kind);
        change(&sim, context, Op::Update, 9_999);
        let second = by_id(&sim, kind);
        let gone: BTreeSet<&String> = first.keys().filter(|id| !second.contains_key(*id)).collect();
        assert!(!gone.is_empty() && second.keys().any(|id| !first.contains_key(id)), "{kind:?}");
        assert!(second.keys().any(|id| first.contains_key(id)));
        change(&sim, context, Op::Update, 9_999);
        let third = by_id(&sim, kind);
        assert!(!gone.iter().any(|id| third.contains_key(*id)), "what has gone never comes back");
        for shape in ["from", "to"] {
            assert!(
                third.values().any(|one| one["attributes"][shape].is_object() || one["attributes"][shape].is_array())
            );
        }
    }
    let drafts = by_id(&sim, Offspring::Drafts);
    assert!(drafts.values().any(|draft| draft["attributes"]["channel"] == "note"));
    let forwards = by_id(&sim, Offspring::Forwards);
    assert!(forwards.values().any(|forward| forward["relationships"].get("conversation").is_none()));
}

#[test]
fn drafts_bring_their_attachments_when_they_are_asked_to() {
    let sim = start();
    let drafts = sim.handle.offspring(Offspring::Drafts);
    let attached = |one: &Value| one["relationships"]["attachments"]["data"].as_array().map_or(0, Vec::len);
    let (customer, _) = drafts.iter().find(|(_, draft)| attached(draft) > 0).unwrap();
    let with = sim.get(&format!("/v1/customers/{customer}/drafts?include=attachments")).json();
    let named: usize = records(&with).iter().map(attached).sum();
    assert_eq!(with["included"].as_array().unwrap().len(), named);
    assert_eq!(sim.get(&format!("/v1/customers/{customer}/drafts")).json()["included"], json!([]));
}

#[test]
fn attachments_are_those_that_messages_name() {
    let sim = start();
    let named = |messages: &[Value]| -> BTreeSet<String> {
        let lists = messages.iter().filter_map(|one| one["relationships"]["attachments"]["data"].as_array());
        lists.flatten().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let messages = sim.follow("/v1/messages");
    let attachments = by_id(&sim, Offspring::Attachments);
    assert_eq!(attachments.keys().cloned().collect::<BTreeSet<_>>(), named(&messages));
    let relation = |one: &Value| one["relationships"]["message"].clone();
    assert!(attachments.values().any(|one| relation(one).get("data").is_none()));
    assert!(attachments.values().all(|one| relation(one)["links"]["self"].is_string()));
    assert!(attachments.values().any(|one| one["links"].get("related").is_none()));
    assert!(attachments.values().any(|one| one["attributes"]["redacted"] == true));
    let page = sim.get("/v1/messages?include=attachments&pageSize=100").json();
    let included = page["included"].as_array().unwrap().clone();
    assert_eq!(ids(&included).into_iter().collect::<BTreeSet<_>>(), named(&records(&page)));
    assert!(included.iter().all(|one| attachments.get(one["id"].as_str().unwrap()) == Some(one)));
}

#[test]
fn a_deleted_parent_lists_or_is_not_found() {
    let sim = start();
    let deleted = change(&sim, Context::Conversation, Op::DeleteSoft, 1).remove(0);
    let events = path(Offspring::Events, &deleted);
    assert_eq!(sim.get(&events).status, 200);
    sim.switch(json!({"deleted_parent": "not_found"}));
    assert_eq!(sim.get(&events).status, 404);
    assert!(!sim.handle.offspring(Offspring::Events).iter().any(|(parent, _)| *parent == deleted));
}
