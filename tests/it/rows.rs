//! The live rows of a table, value by value.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use futures::TryStreamExt;
use kustlake::lake::{Read, Table, TableName};
use serde_json::{Map, Value};

use crate::tables::open;

/// A row: its values by column, instants in microseconds since the epoch.
pub(crate) type Row = Map<String, Value>;

/// A table of a local lake, if it exists.
pub(crate) async fn table(lake: &Path, name: &str) -> Option<Table> {
    open(lake).table(&TableName::new(name).unwrap()).await.unwrap()
}

/// The columns of a table, which must exist.
pub(crate) async fn schema(lake: &Path, name: &str) -> SchemaRef {
    let Some(table) = table(lake, name).await else { panic!("there is no table {name}") };
    table.schema().clone()
}

/// The rows of a table, which must exist.
pub(crate) async fn all(lake: &Path, name: &str) -> Vec<Row> {
    let Some(table) = table(lake, name).await else { panic!("there is no table {name}") };
    let mut rows = Vec::new();
    for file in table.files("").await.unwrap() {
        let mut batches = table.read(&file, Read::default()).await.unwrap();
        while let Some(batch) = batches.try_next().await.unwrap() {
            for row in 0..batch.num_rows() {
                let fields = batch.schema_ref().fields().iter().zip(batch.columns());
                rows.push(fields.map(|(field, column)| (field.name().clone(), value(column, row))).collect());
            }
        }
    }
    rows
}

/// The rows of a table by their id, of which there must be one each.
pub(crate) async fn by_id(lake: &Path, name: &str) -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for row in all(lake, name).await {
        let id = row["id"].as_str().unwrap().to_owned();
        assert!(rows.insert(id.clone(), row).is_none(), "{name}: {id} twice");
    }
    rows
}

/// The values of a column, without nulls.
pub(crate) async fn values(lake: &Path, name: &str, column: &str) -> Vec<Value> {
    let rows = all(lake, name).await.into_iter();
    rows.filter_map(|mut row| row.remove(column)).filter(|value| !value.is_null()).collect()
}

fn value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Timestamp(..) => column.as_primitive::<TimestampMicrosecondType>().value(row).into(),
        DataType::List(_) => {
            let list = column.as_list::<i32>().value(row);
            (0..list.len()).map(|at| value(&list, at)).collect()
        }
        other => panic!("a column of {other}"),
    }
}
