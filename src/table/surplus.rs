//! Rows that are gone because everything of their parent was read, and they were not among it.
//!
//! The rule: a stored row is surplus when its parent is one of those that were read whole, and no
//! incoming row has its key. Nothing else about it counts: neither a revision nor a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};

use super::order::{Deletes, TableError, column};
use crate::catalog::SystemColumn;

/// Parents of which the incoming rows are complete: what else a table holds of theirs is surplus.
///
/// A table that is only appended to keeps all.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// The text column that names the parent: the first of the key for elements, else
    /// [`PARENT_COLUMN`](crate::catalog::PARENT_COLUMN).
    pub column: String,
    /// Their ids.
    pub parents: Arc<BTreeSet<String>>,
    /// What becomes of surplus rows: they are removed, or stay with `_deleted` true; those that are deleted already
    /// stay as they are.
    pub surplus: Deletes,
    /// When they were read: the `_deleted_at` and `_extracted_at` of rows that are found to be surplus.
    pub at: DateTime<Utc>,
}

impl Replaced {
    /// The column that names the parents of rows.
    pub(super) fn parents_of(&self, batch: &RecordBatch) -> Result<StringArray, TableError> {
        let found = column(batch, &self.column)?;
        found.as_string_opt().cloned().ok_or_else(|| TableError::ColumnType {
            column: self.column.clone(),
            found: found.data_type().to_string(),
            expected: "a text".to_owned(),
        })
    }

    pub(super) fn holds(&self, parents: &StringArray, row: usize) -> bool {
        parents.is_valid(row) && self.parents.contains(parents.value(row))
    }

    /// The rows as they look when they are deleted.
    pub(super) fn deleted(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let count = rows.num_rows();
        let instants = TimestampMicrosecondArray::from_value(self.at.timestamp_micros(), count).with_timezone("UTC");
        let instants: ArrayRef = Arc::new(instants);
        let schema = rows.schema();
        let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
            let is = |system: SystemColumn| field.name() == system.name();
            if is(SystemColumn::Deleted) {
                Arc::new(BooleanArray::from(vec![true; count]))
            } else if is(SystemColumn::DeletedAt) || is(SystemColumn::ExtractedAt) {
                Arc::clone(&instants)
            } else {
                Arc::clone(column)
            }
        });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect())
    }
}
