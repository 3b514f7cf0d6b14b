//! Records on their way into rows.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::LazyLock;

use chrono::DateTime;
use kustlake::catalog::{Catalog, ColumnType, Entity, Source};
use kustlake::table::{ConvertError, Converter, GivenValues, TableSchema, UnknownAttributes, rebuild, with_given};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A table with every kind of column, for records of no entity of ours.
pub const THINGS: &str = include_str!("things.yaml");
/// Levels of nesting that every reader of JSON which builds trees can be asked to build.
const BUILDABLE: usize = 120;

struct Table {
    resource_type: String,
    schema: TableSchema,
    converter: Converter,
    /// Paths of attributes that are instants.
    instants: Vec<String>,
}

/// A record gives a row of which the same record can be made again, or tells that it has no key.
pub fn check(record: &[u8]) {
    static TABLES: LazyLock<Vec<Table>> = LazyLock::new(tables);
    let tree = serde_json::from_slice::<Value>(record);
    let of_type = |table: &&Table| tree.as_ref().is_ok_and(|tree| tree["type"] == table.resource_type.as_str());
    let Some(table) = TABLES.iter().find(of_type).or(TABLES.first()) else { return };
    // Every record goes through here, whether or not something is given to it.
    let record = with_given(record, &GivenValues::default());
    let read_at = DateTime::UNIX_EPOCH;
    let converted = match table.converter.convert(&[record.as_slice()], read_at) {
        Ok(converted) => converted,
        Err(error) => {
            assert!(matches!(error, ConvertError::Malformed { .. }), "{error}");
            return assert!(tree.is_err(), "JSON is told to be none");
        }
    };
    assert_eq!(converted.batch.num_rows() + converted.without_key.len(), 1);
    if converted.batch.num_rows() == 0 {
        return;
    }
    let Ok(tree) = tree else { return };
    let rebuilt = match rebuild(&table.schema, &converted.batch, 0) {
        Ok(rebuilt) => rebuilt,
        Err(error) => return assert!(depth(&tree) > BUILDABLE, "{error}"),
    };
    if serde_json::from_slice::<Unrepeated>(&record).is_ok() {
        assert_eq!(unified(table, rebuilt), unified(table, tree), "the row of {}", table.schema.entity());
    }
}

fn tables() -> Vec<Table> {
    let things = Catalog::from_files([("things.yaml", THINGS)]).expect("a good schema file");
    let catalog = Catalog::embedded().expect("good schema files");
    let entities = things.iter().chain(&catalog_by_type(&catalog)).cloned().collect::<Vec<_>>();
    let table = |entity: &Entity| {
        let schema = TableSchema::new(entity);
        let instants = entity.columns.iter().filter(|column| column.kind == ColumnType::Timestamp);
        let paths = instants.filter_map(|column| match &column.source {
            Source::Attribute(path) => Some(format!("/attributes/{}", path.0.join("/"))),
            _ => None,
        });
        let instants = paths.chain(["/attributes/deletedAt".to_owned()]).collect();
        let converter = Converter::new(&schema, UnknownAttributes::Extra);
        Table { resource_type: entity.resource_type.clone(), schema, converter, instants }
    };
    entities.iter().map(table).collect()
}

/// One entity of each type of resource.
fn catalog_by_type(catalog: &Catalog) -> Vec<Entity> {
    let types: BTreeSet<_> = catalog.iter().map(|entity| entity.resource_type.as_str()).collect();
    types.into_iter().filter_map(|name| catalog.of_type(name)).cloned().collect()
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// What is the same by the rules of conversion (`kustlake::table`) becomes equal.
fn unified(table: &Table, mut record: Value) -> Value {
    for path in &table.instants {
        if let Some(value) = record.pointer_mut(path)
            && let Some(millis) = value.as_i64().or_else(|| value.as_f64().and_then(integral))
            && let Some(instant) = DateTime::from_timestamp_millis(millis)
        {
            *value = Value::from(instant.to_rfc3339());
        }
    }
    let Value::Object(members) = &mut record else { return record };
    members.remove("links");
    if members.get("type").is_some_and(|name| name == table.resource_type.as_str()) {
        members.remove("type");
    }
    if let Some(Value::Object(related)) = members.get_mut("relationships") {
        for relationship in related.values_mut().filter_map(Value::as_object_mut) {
            relationship.retain(|key, _| key == "data");
        }
    }
    if let Some(Value::Object(attributes)) = members.get_mut("attributes") {
        attributes.retain(|key, value| !(key == "deleted" && value == false));
    }
    bare(record)
}

/// Without members that are null and objects that are empty without them; numbers and instants by value.
fn bare(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| (key, bare(value)));
            let something =
                |value: &Value| !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty());
            Value::Object(members.filter(|(_, value)| something(value)).collect::<Map<_, _>>())
        }
        Value::Array(elements) => elements.into_iter().map(bare).collect(),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            integral(number).map_or_else(|| Value::from(number), Value::from)
        }
        Value::String(text) => match DateTime::parse_from_rfc3339(&text) {
            Ok(instant) => Value::from(instant.timestamp_micros()),
            Err(_) => Value::String(text),
        },
        other => other,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked by the comparison")]
fn integral(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

/// JSON in which no object has a name twice: of the others a tree holds less than a row does.
struct Unrepeated;

impl<'de> Deserialize<'de> for Unrepeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Unrepeated;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Unrepeated, E> {
                Ok(Unrepeated)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Unrepeated, E> {
                Ok(Unrepeated)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Unrepeated, E> {
                Ok(Unrepeated)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Unrepeated, E> {
                Ok(Unrepeated)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Unrepeated, E> {
                Ok(Unrepeated)
            }

            fn visit_str<E>(self, _: &str) -> Result<Unrepeated, E> {
                Ok(Unrepeated)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Unrepeated, A::Error> {
                while elements.next_element::<Unrepeated>()?.is_some() {}
                Ok(Unrepeated)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unrepeated, A::Error> {
                let mut names = HashSet::new();
                while let Some((name, _)) = members.next_entry::<String, Unrepeated>()? {
                    if !names.insert(name) {
                        return Err(A::Error::custom("twice"));
                    }
                }
                Ok(Unrepeated)
            }
        }
        deserializer.deserialize_any(Any)
    }
}
