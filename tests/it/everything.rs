//! All entities and every klass: each table equals the organisation by count, by key and by value, after every run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use kustlake::catalog::{Absent, Access, Catalog, Entity, Source};
use kustlake::lake::{Read, TableName};
use kustlake::table::{TableSchema, custom_columns, rebuild};
use kustlake_sim::{Context, Mutation, Op, SimHandle, Switches, WorldSpec};
use serde_json::{Value, json};

use crate::catalogue_records::{Record, cell};
use crate::expected;
use crate::parts::source;
use crate::support::{Org, entity, size};
use crate::tables::open;
use crate::values::{canonical, unified};
use crate::witness::seen;

const MINUTE: i64 = 60_000;

/// A row of a table: the record that it was made of, what was given to it, and whether it is marked as deleted.
struct Row {
    record: Value,
    given: BTreeMap<String, Value>,
    deleted: bool,
}

/// The rows of a table by key.
async fn rows(lake: &Path, name: &str, entity: &Entity) -> BTreeMap<String, Row> {
    let table =
        open(lake).table(&TableName::new(name).unwrap()).await.unwrap().unwrap_or_else(|| panic!("no table {name}"));
    let schema = TableSchema::new(entity);
    let schema = schema.with_custom(custom_columns(&schema, Some(table.schema()), Vec::new()));
    let mut rows = BTreeMap::new();
    for file in table.files("").await.unwrap() {
        let mut batches = table.read(&file, Read::default()).await.unwrap();
        while let Some(batch) = batches.try_next().await.unwrap() {
            for at in 0..batch.num_rows() {
                let key: Vec<_> = entity.key.iter().map(|column| plain(&batch, column, at)).collect();
                let given = entity.columns.iter().filter(|column| matches!(column.source, Source::Given(_)));
                let row = Row {
                    record: canonical(rebuild(&schema, &batch, at).unwrap()),
                    given: given.map(|column| (column.name.clone(), plain(&batch, &column.name, at))).collect(),
                    deleted: batch.column_by_name("_deleted").unwrap().as_boolean().value(at),
                };
                assert!(rows.insert(json!(key).to_string(), row).is_none(), "{name} {key:?} stands twice");
            }
        }
    }
    rows
}

/// A text or a whole number of a row.
fn plain(batch: &RecordBatch, column: &str, row: usize) -> Value {
    let column = batch.column_by_name(column).unwrap();
    if column.is_null(row) {
        return Value::Null;
    }
    match column.as_string_opt::<i32>() {
        Some(texts) => json!(texts.value(row)),
        None => json!(column.as_primitive::<Int64Type>().value(row)),
    }
}

fn key(entity: &Entity, record: &Record) -> String {
    let part = |name: &String| cell(entity.column(name).unwrap(), record).unwrap_or_default();
    json!(entity.key.iter().map(part).collect::<Vec<_>>()).to_string()
}

/// Numbers of milliseconds where an instant is expected mean that instant.
fn instants(mut record: Value) -> Value {
    if let Some(attributes) = record["attributes"].as_object_mut() {
        for (name, value) in attributes {
            if let Some(millis) = value.as_i64().filter(|_| name.ends_with("At")) {
                *value = json!(chrono::DateTime::from_timestamp_millis(millis).unwrap().to_rfc3339());
            }
        }
    }
    record
}

/// Compares one table with what it must hold.
async fn compare(lake: &Path, name: &str, entity: &Entity, records: Vec<Record>, told: &str) {
    let mut rows = rows(lake, name, entity).await;
    let parents_deleted = matches!(entity.access, Access::Elements { .. });
    for record in records {
        let key = key(entity, &record);
        let row = rows.remove(&key).unwrap_or_else(|| panic!("{told}: {name} {key} is missing"));
        assert_eq!(
            row.record,
            canonical(instants(record.resource.clone())),
            "{told}: {name} {key}: found and expected"
        );
        for (column, value) in row.given {
            let expected = cell(entity.column(&column).unwrap(), &record).unwrap_or_default();
            let value = if column == "holidays" {
                unified(serde_json::from_str(value.as_str().unwrap_or("null")).unwrap())
            } else {
                value
            };
            assert_eq!(
                value,
                if column == "holidays" { unified(expected) } else { expected },
                "{told}: {name} {key} {column}"
            );
        }
        if !parents_deleted {
            let deleted = record.resource["attributes"]["deleted"] == true;
            assert_eq!(row.deleted, deleted, "{told}: {name} {key} is marked wrongly");
        }
    }
    let may_stay = |row: &Row| match &entity.access {
        // Deletes for good are told by nothing but reconciliation, and entries of a log expire.
        Access::Klasses { .. } | Access::Log { .. } => true,
        Access::PerParent { absent: Absent::Deleted, .. } => row.deleted,
        _ => false,
    };
    let foreign: Vec<_> = rows.iter().filter(|(_, row)| !may_stay(row)).map(|(key, _)| key).collect();
    assert!(foreign.is_empty(), "{told}: {name} holds what is not there: {foreign:?}");
}

/// Every table of the catalogue, and of every klass.
async fn assert_everything(sim: &SimHandle, lake: &Path, told: &str) {
    let catalog = Catalog::embedded().unwrap();
    for entity in catalog.iter() {
        let name = entity.name.as_str();
        match entity.access {
            Access::Klasses { .. } => {
                for klass in sim.shelf("klasses") {
                    let klass = klass["attributes"]["name"].as_str().unwrap();
                    let resources = sim.shelf(&format!("kobject_{klass}"));
                    let table = klass_table(lake, klass, &resources).await;
                    let record = |resource| Record { resource, given: BTreeMap::new() };
                    let mut records: Vec<_> = resources.into_iter().map(record).collect();
                    // How the relationship spells its link is not part of the record.
                    records
                        .iter_mut()
                        .for_each(|record| drop(record.resource.as_object_mut().unwrap().remove("links")));
                    compare(lake, &table, entity, records, told).await;
                }
            }
            _ => compare(lake, name, entity, expected::records(sim, &catalog, name), told).await,
        }
    }
}

/// The table of a klass: its name with `_` for all but letters and digits; where klasses collide, the one that has its
/// objects.
async fn klass_table(lake: &Path, klass: &str, resources: &[Value]) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let plain: String = format!("kobject_{}", klass.chars().map(letter).collect::<String>());
    let tables = open(lake).tables().await.unwrap();
    let named = |name: &str| name == plain || name.strip_prefix(&plain).is_some_and(|rest| rest.len() == 9);
    let catalog = Catalog::embedded().unwrap();
    for table in tables.iter().map(TableName::as_str).filter(|name| named(name)) {
        let rows = rows(lake, table, catalog.get("kobjects").unwrap()).await;
        if resources.iter().all(|resource| rows.contains_key(&json!([resource["id"]]).to_string())) {
            return table.to_owned();
        }
    }
    panic!("no table holds the klass {klass}");
}

/// What people do between two runs, to every kind of record.
fn change(sim: &SimHandle, seed: u64) {
    for (context, count) in [
        (Context::Customer, 6),
        (Context::Conversation, 9),
        (Context::Message, 20),
        (Context::Note, 6),
        (Context::User, 2),
    ] {
        for op in [Op::Create, Op::Update, Op::DeleteSoft, Op::Restore] {
            let count = if op == Op::DeleteSoft { count / 3 } else { count };
            sim.mutate(Mutation { context, op, count, seed: seed * 31 + op as u64 }).unwrap();
        }
    }
    sim.change_shelves(seed).unwrap();
    let (resource, property) = ("customer", json!({"type": "string", "displayName": "New"}));
    sim.add_custom_attribute(resource, &format!("round{seed}Str"), property, json!("invented")).unwrap();
}

async fn organisation() -> Org {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    let shipped = std::fs::read_to_string(source("pipelines.yaml")).unwrap();
    org.configure("", &shipped[shipped.find("\npipelines:\n").unwrap()..]);
    org.sim.clock().advance(10 * MINUTE);
    org
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_sees_every_table() {
    let org = organisation().await;
    org.load().await;
    change(&org.sim, 1);
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    let tables = open(&org.lake()).tables().await.unwrap();
    let tables: Vec<&str> = tables.iter().map(TableName::as_str).collect();
    assert!(tables.len() > 50, "{tables:?}");
    let all = seen(&org.lake().display().to_string(), None, &tables);
    let readers: Vec<_> = all.as_object().unwrap().keys().collect();
    assert_eq!(readers, ["daft", "delta_scan", "deltalake", "polars", "views"]);
    for table in tables {
        for reader in &readers {
            let (seen, first) = (&all[*reader][table], &all["delta_scan"][table]);
            assert_eq!(seen["differences"], 0, "{reader}, {table}");
            assert_eq!((&seen["rows"], &seen["live"]), (&first["rows"], &first["live"]), "{reader}, {table}");
            assert_eq!(seen["columns"], first["columns"], "{reader}, {table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_a_merge_of_customers_moved_are_read_again() {
    let org = organisation().await;
    org.load().await;
    for round in 0..3 {
        let merge = Mutation { context: Context::Customer, op: Op::Merge, count: 4, seed: round };
        assert_eq!(org.sim.mutate(merge).unwrap().len(), 8);
        org.sim.clock().advance(10 * MINUTE);
        let report = serde_json::to_value(org.load().await).unwrap();
        assert!(
            entity(&report, "conversations")["updated"].as_u64() > Some(0),
            "no conversation moved in round {round}"
        );
        // What moved is below its records again, too.
        org.load().await;
        assert_everything(&org.sim, &org.lake(), &format!("after {} merges", 4 * (round + 1))).await;
    }
    org.sim.clock().advance(10 * MINUTE);
    org.sim.reset_stats();
    org.load().await;
    assert_eq!(org.sim.stats().by_kind["search"], 13 + 2, "the merges are followed once");
}

/// `KUSTLAKE_TEST_ROUNDS` sets how many rounds of changes there are.
#[tokio::test(flavor = "multi_thread")]
async fn every_table_equals_the_organisation_after_every_round_of_changes() {
    let org = organisation().await;
    org.load().await;
    assert_everything(&org.sim, &org.lake(), "the first run").await;
    for round in 1..=u64::from(size("KUSTLAKE_TEST_ROUNDS", 3)) {
        change(&org.sim, round);
        org.sim.clock().advance(10 * MINUTE);
        org.load().await;
        assert_everything(&org.sim, &org.lake(), &format!("round {round}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_changes_commits_nothing_anywhere() {
    let org = organisation().await;
    let first = serde_json::to_value(org.load().await).unwrap();
    assert_eq!(first["exit_code"], 0);
    org.sim.clock().advance(60 * MINUTE);
    let second = serde_json::to_value(org.load().await).unwrap();
    let committed: Vec<_> = second["entities"].as_array().unwrap().iter().filter(|one| one["commits"] != 0).collect();
    assert!(committed.is_empty(), "{committed:#?}");
    let asked = |name: &str| entity(&second, name)["requests"].as_u64().unwrap();
    for name in [
        "conversation_events",
        "conversation_forwards",
        "conversation_times",
        "message_attachments",
        "customer_drafts",
        "customer_merges",
    ] {
        assert_eq!(asked(name), 0, "{name}: nothing changed that it is read below");
    }
    let lines: BTreeSet<_> =
        second["entities"].as_array().unwrap().iter().map(|one| one["entity"].to_string()).collect();
    assert!(lines.len() > 50, "{lines:?}");
}
