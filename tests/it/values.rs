//! Every value of every record comes back from its table: nothing is lost on the way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::DateTime;
use futures::TryStreamExt;
use kustlake::catalog::Catalog;
use kustlake::clock::{Entropy, SystemClock};
use kustlake::lake::{Destination, Lake, Read, S3Settings, TableName};
use kustlake::table::{TableSchema, custom_columns, rebuild};
use kustlake_sim::{Context, Switches, WorldSpec};
use serde_json::{Map, Value};

use crate::local_lake::change;
use crate::parts::source;
use crate::support::{Org, entity};
use crate::witness::TABLES;

/// The records of which the rows of a local table were made, by id.
pub(crate) async fn rebuilt(lake: &Path, name: &str) -> BTreeMap<String, Value> {
    rebuilt_as(lake, name, name).await
}

/// The same of a table of another name than its entity.
pub(crate) async fn rebuilt_as(lake: &Path, name: &str, entity: &str) -> BTreeMap<String, Value> {
    let destination = Destination::parse(&lake.display().to_string(), Path::new("."), S3Settings::default()).unwrap();
    let lake = Lake::open(&destination, Arc::new(SystemClock::new()), Arc::new(Entropy::system())).unwrap();
    let table = lake.table(&TableName::new(name).unwrap()).await.unwrap().unwrap();
    let catalog = Catalog::embedded().unwrap();
    let schema = TableSchema::new(catalog.get(entity).unwrap());
    let schema = schema.with_custom(custom_columns(&schema, Some(table.schema()), Vec::new()));
    let mut records = BTreeMap::new();
    for file in table.files("id").await.unwrap() {
        let mut batches = table.read(&file, Read::default()).await.unwrap();
        while let Some(batch) = batches.try_next().await.unwrap() {
            for row in 0..batch.num_rows() {
                let record = canonical(rebuild(&schema, &batch, row).unwrap());
                assert!(records.insert(record["id"].as_str().unwrap().to_owned(), record).is_none());
            }
        }
    }
    records
}

/// Records as the source gave them, one a line, by id.
pub(crate) fn given(lines: &[u8]) -> BTreeMap<String, Value> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.map(|line| canonical(serde_json::from_slice(line).unwrap()));
    records.map(|record| (record["id"].as_str().unwrap().to_owned(), record)).collect()
}

/// What conversion unifies on purpose becomes equal: links and types of known relationships, the text form of instants
/// and numbers, and the difference between null, `{}` and nothing.
pub(crate) fn canonical(mut record: Value) -> Value {
    record.as_object_mut().unwrap().retain(|key, _| key == "id" || key == "attributes" || key == "relationships");
    if let Some(Value::Object(relationships)) = record.get_mut("relationships") {
        for relationship in relationships.values_mut() {
            if let Value::Object(members) = relationship {
                members.retain(|key, _| key == "data");
            }
        }
    }
    unified(record)
}

pub(crate) fn unified(value: Value) -> Value {
    match value {
        Value::String(text) => match DateTime::parse_from_rfc3339(&text) {
            Ok(instant) => Value::from(instant.timestamp_micros()),
            Err(_) => Value::String(text),
        },
        Value::Number(number) => {
            number.as_f64().filter(|number| number.abs() < 1e15).map_or(Value::Number(number), Value::from)
        }
        Value::Array(elements) => elements.into_iter().map(unified).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| (key, unified(value)));
            let empty = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
            Value::Object(members.filter(|(_, value)| !empty(value)).collect())
        }
        other => other,
    }
}

/// What was found is what was expected, record by record.
pub(crate) fn assert_same(table: &str, mut expected: BTreeMap<String, Value>, found: &BTreeMap<String, Value>) {
    for (id, record) in found {
        assert_eq!(Some(record), expected.remove(id).as_ref(), "{table} {id}: found and expected");
    }
    assert_eq!(expected.keys().next(), None, "{table}: a record is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_comes_back_from_its_column_or_from_the_rest() {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    change(&org.sim, 4);
    org.report(&["run"]).await;
    change(&org.sim, 5);
    let report = org.report(&["run"]).await;
    for (context, table) in TABLES {
        let found = rebuilt(&org.lake(), table).await;
        let mut expected = given(&org.sim.records(context));
        // Notes that were deleted more than two years ago are shown by no request.
        expected.retain(|id, record| {
            context != Context::Note || record["attributes"]["deleted"] != true || found.contains_key(id)
        });
        assert_same(table, expected, &found);
        // The organisation's own attributes may hold what their names do not say; nothing else may be odd.
        let problems = entity(&report, table)["problems"].as_object().unwrap().keys();
        assert_eq!(problems.filter(|problem| !problem.starts_with("custom_")).collect::<Vec<_>>(), [""; 0], "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_records_come_back_whole() {
    let file = source("../shared/kustomer-api/payloads/customers.jsonl");
    let Ok(lines) = std::fs::read(&file) else {
        return println!("not tested: there are no published records at {}", file.display());
    };
    let org = Org::new(WorldSpec::empty(), Switches::unlimited()).await;
    assert_eq!(org.sim.insert_raw(Context::Customer, &lines).unwrap().len(), 20);
    let report = org.report(&["run", "--only", "customers"]).await;
    assert_eq!(entity(&report, "customers")["inserted"], 20);
    assert_same("customers", given(&lines), &rebuilt(&org.lake(), "customers").await);
}
