//! The bodies: every record agrees with the truth, in every place where it is served, in every style.

use std::collections::BTreeSet;

use kustlake_sim::{Context, Switches, WorldSpec};
use serde_json::{Value, json};

use crate::client::{Sim, records, start, start_with};

fn all(sim: &Sim, context: Context) -> Vec<Value> {
    let lines = sim.handle.records(context);
    lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn the_truth_is_what_is_served() {
    let sim = start();
    for context in Context::ALL {
        let served = all(&sim, context);
        let truth = sim.handle.truth(context);
        assert_eq!(served.len(), truth.len());
        for (record, row) in served.iter().zip(&truth) {
            let attributes = &record["attributes"];
            assert_eq!(record["id"], row.id.as_str());
            assert_eq!(record["type"], context.name());
            assert_eq!(attributes["updatedAt"], row.updated_at.as_str());
            assert_eq!(attributes["createdAt"], row.created_at.as_str());
            assert_eq!(attributes["deleted"].as_bool().unwrap_or(false), row.deleted);
            if context != Context::User {
                assert_eq!(attributes["rev"], row.rev);
            }
        }
    }
}

#[test]
fn a_record_is_the_same_wherever_it_is_served() {
    let sim = start();
    for (context, collection) in
        [("message", "messages"), ("note", "notes"), ("conversation", "conversations"), ("customer", "customers")]
    {
        let found = records(&sim.search("pageSize=5", &json!({"queryContext": context})).json());
        for record in found {
            let by_id = sim.get(&format!("/v1/{collection}/{}", record["id"].as_str().unwrap())).json();
            assert_eq!(by_id["data"], record);
        }
    }
}

#[test]
fn relationships_resolve() {
    let sim = start();
    let id_of = |context| {
        all(&sim, context).iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let (customers, conversations, users) =
        (id_of(Context::Customer), id_of(Context::Conversation), id_of(Context::User));
    for record in all(&sim, Context::Message).iter().chain(&all(&sim, Context::Note)) {
        let relation = |name: &str| record["relationships"][name]["data"]["id"].as_str().map(str::to_owned);
        assert!(conversations.contains(&relation("conversation").unwrap()));
        assert!(customers.contains(&relation("customer").unwrap()));
        for actor in ["createdBy", "modifiedBy", "deletedBy"] {
            assert!(relation(actor).is_none_or(|user| users.contains(&user)), "{actor}");
        }
    }
}

#[test]
fn messages_show_the_variety_of_the_reference() {
    let sim = start();
    let messages = all(&sim, Context::Message);
    let any = |holds: &dyn Fn(&Value) -> bool| messages.iter().any(holds);
    assert!(any(&|message| message["attributes"]["meta"]["to"].is_array()));
    assert!(any(&|message| message["attributes"]["meta"]["to"].is_object()));
    assert!(any(&|message| message["attributes"]["meta"]["to"].is_string()));
    assert!(any(&|message| message["attributes"]["meta"].is_null()));
    assert!(any(&|message| {
        message["relationships"]["shortcuts"]["data"].as_array().is_some_and(|list| !list.is_empty())
    }));
    assert!(any(&|message| {
        message["relationships"]["attachments"]["data"].as_array().is_some_and(|list| list.len() > 1)
    }));
    assert!(any(&|message| message["attributes"]["importedAt"].is_string()));
    assert!(any(&|message| message["attributes"]["preview"].as_str().is_some_and(|text| text.contains('\n'))));
    assert!(any(&|message| message["attributes"]["preview"].as_str().is_some_and(|text| text.chars().count() > 1_000)));
    for message in &messages {
        let attributes = &message["attributes"];
        assert_eq!(attributes["size"], attributes["preview"].as_str().unwrap().chars().count());
        assert!(message.to_string().len() > 900);
    }
}

#[test]
fn names_clash_and_klasses_vary_as_in_the_wild() {
    let sim = start();
    let conversations = all(&sim, Context::Conversation);
    assert!(
        conversations
            .iter()
            .any(|one| one["attributes"]["sla"].is_object() && one["relationships"]["sla"]["data"].is_object())
    );
    let customers = all(&sim, Context::Customer);
    let klasses = |one: &Value| {
        one["relationships"].as_object().unwrap().values().filter(|link| link["meta"]["kobject"] == true).count()
    };
    assert!(customers.iter().any(|one| klasses(one) > 1) && customers.iter().any(|one| klasses(one) == 0));
    let notes = all(&sim, Context::Note);
    let mentions = |kind: &str| {
        notes
            .iter()
            .flat_map(|note| note["relationships"]["userMentions"]["data"].as_array().unwrap())
            .filter(|one| one["type"] == kind)
            .count()
    };
    assert!(mentions("user") > 0 && mentions("team") > 0);
    let suffixes = ["Str", "Txt", "Num", "At", "Bool", "Url", "Id", "Tree"];
    let names: BTreeSet<String> = conversations
        .iter()
        .filter_map(|one| one["attributes"]["custom"].as_object())
        .flat_map(|custom| custom.keys().cloned())
        .collect();
    assert!(suffixes.iter().all(|suffix| names.iter().any(|name| name.ends_with(suffix))), "{names:?}");
}

#[test]
fn unset_fields_are_null_or_absent() {
    let sim = start();
    let keys = || all(&sim, Context::Message).iter().map(|one| one["attributes"].as_object().unwrap().len()).min();
    let nulls = keys();
    sim.switch(json!({"unset": "absent"}));
    assert!(keys() < nulls);
    assert!(
        all(&sim, Context::Message)
            .iter()
            .all(|one| { one["attributes"].get("error").is_none_or(|error| !error.is_null()) })
    );
}

#[test]
fn texts_can_be_masked() {
    let sim = start();
    let masked = || {
        let masked = |one: &&Value| one["attributes"]["preview"]["isMasked"] == true;
        all(&sim, Context::Message).iter().filter(masked).count()
    };
    assert_eq!(masked(), 0);
    sim.switch(json!({"mask_every": 10}));
    assert!(masked() > 150);
    assert!(all(&sim, Context::Customer)[0]["attributes"]["name"]["isMasked"] == true);
}

#[test]
fn the_same_seed_gives_the_same_organisation() {
    let world = |seed| start_with(WorldSpec { seed, ..WorldSpec::default() }, Switches::unlimited());
    for context in Context::ALL {
        assert_eq!(world(4).handle.records(context), world(4).handle.records(context));
        assert_ne!(world(4).handle.records(context), world(5).handle.records(context));
    }
}
