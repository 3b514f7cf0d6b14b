//! Rows of an older table brought to the present schema.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};

use super::order::TableError;

/// The rows of `batch` with the columns of `schema`: found by name, null where the batch has none.
///
/// Readers differ in how they represent a text or a list of texts in Arrow; such differences are
/// evened out. No column changes its meaning.
///
/// # Errors
/// A column that the schema lacks, or that has another type there.
pub fn conform(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, TableError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    for field in batch.schema_ref().fields() {
        if schema.column_with_name(field.name()).is_none() {
            return Err(TableError::UnknownColumn(field.name().clone()));
        }
    }
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => represented_as(field, column),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_, _>>()?, &options)?)
}

fn represented_as(field: &Field, column: &ArrayRef) -> Result<ArrayRef, TableError> {
    let (found, expected) = (column.data_type(), field.data_type());
    if found == expected {
        return Ok(Arc::clone(column));
    }
    if !same_meaning(found, expected) {
        let (found, expected) = (found.to_string(), expected.to_string());
        return Err(TableError::ColumnType { column: field.name().clone(), found, expected });
    }
    Ok(cast_with_options(column, expected, &CastOptions { safe: false, ..CastOptions::default() })?)
}

fn same_meaning(a: &DataType, b: &DataType) -> bool {
    use DataType::{LargeList, LargeUtf8, List, Timestamp, Utf8, Utf8View};
    match (a, b) {
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View) => true,
        (List(a) | LargeList(a), List(b) | LargeList(b)) => same_meaning(a.data_type(), b.data_type()),
        (Timestamp(TimeUnit::Microsecond, a), Timestamp(TimeUnit::Microsecond, b)) => is_utc(a) && is_utc(b),
        _ => a == b,
    }
}

fn is_utc(zone: &Option<Arc<str>>) -> bool {
    matches!(zone.as_deref(), Some("UTC" | "+00:00" | "Z"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, LargeStringArray, StringArray};
    use arrow::datatypes::Schema;

    use super::*;

    fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
        let fields = fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    #[test]
    fn an_older_file_gets_the_columns_that_came_later() {
        let stored = schema(&[("id", DataType::LargeUtf8)]);
        let batch = RecordBatch::try_new(stored, vec![Arc::new(LargeStringArray::from(vec!["a"]))]).unwrap();
        let now = schema(&[("new", DataType::Int64), ("id", DataType::Utf8)]);
        let conformed = conform(&now, &batch).unwrap();
        assert_eq!(conformed.schema(), now);
        assert_eq!(conformed.column(0).null_count(), 1);
        assert_eq!(conformed.column(1).as_string::<i32>().value(0), "a");
    }

    #[test]
    fn a_column_is_neither_lost_nor_reinterpreted() {
        let stored = schema(&[("id", DataType::Utf8)]);
        let batch = RecordBatch::try_new(stored, vec![Arc::new(StringArray::from(vec!["5"]))]).unwrap();
        let other = conform(&schema(&[("name", DataType::Utf8)]), &batch).unwrap_err();
        assert!(matches!(other, TableError::UnknownColumn(column) if column == "id"));
        let other = conform(&schema(&[("id", DataType::Int64)]), &batch).unwrap_err();
        assert!(matches!(other, TableError::ColumnType { column, .. } if column == "id"));
    }
}
