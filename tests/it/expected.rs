//! What each table must hold, told by what the simulated organisation holds, by simpler means than the extractor's.

use std::collections::BTreeMap;

use kustlake::catalog::{Access, Catalog, Entity};
use kustlake_sim::{Context, Offspring, SimHandle};
use serde_json::{Value, json};

use crate::catalogue_records::{self, Record};
use crate::support::fixture;

/// The records that the table of an entity must hold.
pub(crate) fn records(sim: &SimHandle, catalog: &Catalog, name: &str) -> Vec<Record> {
    let entity = catalog.get(name).unwrap();
    match &entity.access {
        Access::Elements { .. } => {
            catalogue_records::records(catalog, entity, &answer(sim, catalog, origin(catalog, entity)))
        }
        Access::PerParent { .. } => below(sim, name),
        Access::Metadata { .. } => described(sim, catalog, entity),
        _ => catalogue_records::records(catalog, entity, &answer(sim, catalog, entity)),
    }
}

/// The entity whose records the elements are part of, through elements of elements.
fn origin<'c>(catalog: &'c Catalog, entity: &'c Entity) -> &'c Entity {
    match &entity.access {
        Access::Elements { parent, .. } => origin(catalog, catalog.get(parent.as_str()).unwrap()),
        _ => entity,
    }
}

/// The whole entity as one answer.
fn answer(sim: &SimHandle, catalog: &Catalog, entity: &Entity) -> Value {
    let shelf = |name: &str| json!({"data": sim.shelf(name)});
    match entity.name.as_str() {
        "audit_logs" => json!({"data": sim.audit_log()}),
        "business_schedules" => json!({"data": listed(sim.shelf("schedules")), "included": sim.shelf("holidays")}),
        "slas" => json!({"data": sim.shelf("slas"), "included": sim.shelf("sla_versions")}),
        "spam_senders" => json!({"data": listed(sim.shelf("spam_senders"))}),
        "team_routing_settings" => shelf("routing_settings"),
        name => match core(name) {
            Some(context) => json!({"data": stored(sim, context)}),
            None if sim.shelf_names().iter().any(|shelf| shelf == name) => shelf(name),
            None => {
                assert!(catalog.get(name).is_some());
                fixture(name)
            }
        },
    }
}

/// What a list without deleted ones shows.
fn listed(resources: Vec<Value>) -> Vec<Value> {
    resources.into_iter().filter(|resource| resource["attributes"]["deleted"] != true).collect()
}

fn core(name: &str) -> Option<Context> {
    Context::ALL.into_iter().find(|context| context.collection() == name)
}

/// The records of a core entity. Notes that were deleted before the two years that search covers are left out: no
/// request shows them.
fn stored(sim: &SimHandle, context: Context) -> Vec<Value> {
    let lines = sim.records(context);
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let begins = sim.clock().now() - sim.switches().search_window_days * 86_400_000;
    let millis = |record: &Value| {
        let updated_at = record["attributes"]["updatedAt"].as_str().unwrap();
        chrono::DateTime::parse_from_rfc3339(updated_at).unwrap().timestamp_millis()
    };
    let hidden = |record: &Value| record["attributes"]["deleted"] == true && millis(record) <= begins;
    records.filter(|record| context != Context::Note || !hidden(record)).collect()
}

fn below(sim: &SimHandle, name: &str) -> Vec<Record> {
    let of = |kind: Offspring, timer: Option<&str>| {
        let found = sim.offspring(kind).into_iter();
        let record = move |(parent, mut resource): (String, Value)| {
            if let Some(timer) = timer {
                resource["attributes"]["timerVersion"] = json!(timer);
            }
            Record { resource, given: BTreeMap::from([("parent_id", json!(parent))]) }
        };
        found.map(record).collect::<Vec<_>>()
    };
    match name {
        "conversation_events" => of(Offspring::Events, None),
        "conversation_forwards" => of(Offspring::Forwards, None),
        "conversation_times" => [of(Offspring::TimesV1, Some("v1")), of(Offspring::TimesV2, Some("v2"))].concat(),
        "message_attachments" => of(Offspring::Attachments, None),
        "customer_drafts" => of(Offspring::Drafts, None),
        "customer_merges" => of(Offspring::Merges, None),
        // The simulator does not know it: no record has any.
        _ => Vec::new(),
    }
}

fn described(sim: &SimHandle, catalog: &Catalog, entity: &Entity) -> Vec<Record> {
    let resources = sim.metadata().into_iter();
    let rows = resources.flat_map(|(resource, described)| {
        let mut rows = catalogue_records::records(catalog, entity, &json!({"data": described}));
        rows.iter_mut().for_each(|row| drop(row.given.insert("resource", json!(resource))));
        rows
    });
    rows.collect()
}
