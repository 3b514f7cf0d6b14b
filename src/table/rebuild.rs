//! Rows become records again: the proof that nothing was lost.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::extra::{CLASHING, RECORD, RELATIONSHIPS};
use super::schema::{RowKind, TableSchema};
use crate::catalog::{Column, ColumnType, Relation, Source, SystemColumn};

/// A row that is no record of this table.
#[derive(Debug, Error)]
pub enum RebuildError {
    /// There is no such row.
    #[error("there is no row {0}")]
    NoRow(usize),
    /// The cell is no JSON text that can be built: damaged, nested beyond 128 levels, or with an escape that is no
    /// character. Its text in the table is unharmed.
    #[error("column {column}: the JSON text cannot be built: {category}")]
    Json {
        /// Name of the column.
        column: String,
        /// What is wrong, without the text.
        category: &'static str,
    },
    /// The column has another type than the schema says.
    #[error("column {0} has another type than its schema says")]
    ColumnType(String),
}

/// The record of which a row was made: `{id, attributes, relationships}` and what else was odd about it.
///
/// It equals the original but for what is dropped or unified on purpose: see the description of this module's parent.
///
/// # Errors
/// A row that does not exist, and cells that no record gives.
pub fn rebuild(schema: &TableSchema, batch: &RecordBatch, row: usize) -> Result<Value, RebuildError> {
    if row >= batch.num_rows() {
        return Err(RebuildError::NoRow(row));
    }
    let (mut attributes, mut relationships, mut record) = (Map::new(), Map::new(), Map::new());
    let mut extra = Map::new();
    for column in schema.columns() {
        let hashed = schema.treatments().hash_key(column);
        let Some(array) = batch.column_by_name(&column.name).filter(|array| array.is_valid(row)) else { continue };
        let value = match (hashed, column.kind) {
            // The hash of a JSON text is no JSON text.
            (Some(_), ColumnType::Json) => cell(&Column { kind: ColumnType::String, ..column.clone() }, array, row)?,
            _ => cell(column, array, row)?,
        };
        match &column.source {
            Source::Id => drop(record.insert("id".to_owned(), value)),
            Source::Attribute(path) => insert(&mut attributes, &path.0, value),
            Source::Relationship { name, relation } => {
                relationships.insert(name.clone(), json!({ "data": data(relation, value) }));
            }
            // Neither is what the record said of itself.
            Source::Given(_) => {}
            Source::System(SystemColumn::Deleted | SystemColumn::DeletedAt)
                if schema.row_kind() == RowKind::Element => {}
            Source::System(SystemColumn::Extra) => extra = object(value),
            // A column of the attribute's own says more than these, and is filled in any case.
            Source::System(SystemColumn::Deleted) if value == Value::Bool(true) => {
                attributes.entry("deleted").or_insert(value);
            }
            Source::System(SystemColumn::DeletedAt) => drop(attributes.entry("deletedAt").or_insert(value)),
            Source::System(SystemColumn::Deleted | SystemColumn::ExtractedAt) => {}
        }
    }
    let take = |extra: &mut Map<String, Value>, key| object(extra.remove(key).unwrap_or_default());
    for (name, data) in take(&mut extra, RELATIONSHIPS) {
        relationships.insert(name, json!({ "data": data }));
    }
    let odd = take(&mut extra, RECORD);
    merge(&mut attributes, take(&mut extra, CLASHING));
    merge(&mut attributes, extra);
    record.insert("attributes".to_owned(), Value::Object(attributes));
    record.insert("relationships".to_owned(), Value::Object(relationships));
    merge(&mut record, odd);
    Ok(Value::Object(record))
}

fn data(relation: &Relation, value: Value) -> Value {
    match (relation, value) {
        (Relation::One(resource_type), id) => json!({ "type": resource_type, "id": id }),
        (Relation::Many(resource_type), Value::Array(ids)) => {
            ids.into_iter().map(|id| json!({ "type": resource_type, "id": id })).collect()
        }
        (Relation::Many(_) | Relation::Data, data) => data,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn insert(object: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => drop(object.insert(name.clone(), value)),
        [name, rest @ ..] => {
            let inner = object.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// Adds `more` to `object`, member by member where both have an object.
fn merge(object: &mut Map<String, Value>, more: Map<String, Value>) {
    for (key, value) in more {
        match (object.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            (_, value) => drop(object.insert(key, value)),
        }
    }
}

fn cell(column: &Column, array: &ArrayRef, row: usize) -> Result<Value, RebuildError> {
    let value = match column.kind {
        ColumnType::String => array.as_string_opt::<i32>().map(|array| Value::from(array.value(row))),
        ColumnType::Integer => array.as_primitive_opt::<Int64Type>().map(|array| Value::from(array.value(row))),
        ColumnType::Double => array.as_primitive_opt::<Float64Type>().map(|array| Value::from(array.value(row))),
        ColumnType::Boolean => array.as_boolean_opt().map(|array| Value::from(array.value(row))),
        ColumnType::Timestamp => array
            .as_primitive_opt::<TimestampMicrosecondType>()
            .and_then(|array| DateTime::from_timestamp_micros(array.value(row)))
            .map(|instant| Value::from(instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
        ColumnType::Strings => array.as_list_opt::<i32>().and_then(|lists| {
            let list = lists.value(row);
            let texts = list.as_string_opt::<i32>()?;
            Some(texts.iter().map(Value::from).collect())
        }),
        ColumnType::Json => match array.as_string_opt::<i32>().map(|array| parse(column, array.value(row))) {
            Some(parsed) => Some(parsed?),
            None => None,
        },
    };
    value.ok_or_else(|| RebuildError::ColumnType(column.name.clone()))
}

fn parse(column: &Column, text: &str) -> Result<Value, RebuildError> {
    serde_json::from_str(text).map_err(|error| RebuildError::Json {
        column: column.name.clone(),
        category: if error.is_eof() { "it ends too early" } else { "it is no JSON within the limits" },
    })
}
