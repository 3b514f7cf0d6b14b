//! Rows that are gone because everything of their parent was read, and they were not among it.
//!
//! The rule: a stored row is surplus when its parent is one of those that were read whole, and no
//! incoming row has its key. Nothing else about it counts: neither a revision nor a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::is_not_null;
use arrow::compute::kernels::zip::zip;
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};

use super::join::Change;
use super::order::{Deletes, TableError, column};
use crate::catalog::SystemColumn;

/// Parents of which the incoming rows are complete: what else a table holds of theirs is surplus.
///
/// A table that is only appended to keeps all.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// The text column that names the parent: the first of the key for elements and for records themselves, else
    /// [`PARENT_COLUMN`](crate::catalog::PARENT_COLUMN).
    pub column: String,
    /// Their ids.
    pub parents: Arc<BTreeSet<String>>,
    /// What becomes of surplus rows.
    pub surplus: Surplus,
    /// When they were read: the `_deleted_at` and `_extracted_at` of rows that are found to be surplus.
    pub at: DateTime<Utc>,
}

/// What becomes of surplus rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surplus {
    /// They are removed.
    Removed,
    /// They stay, with `_deleted` true; those that are deleted already stay as they are.
    Marked,
    /// They stay, with `_deleted` true, and these columns of theirs become empty: the source has forgotten the record.
    Purged(Arc<BTreeSet<String>>),
    /// They stay as they are, but for these columns, which become empty.
    Emptied(Arc<BTreeSet<String>>),
}

/// What becomes of one surplus row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Removed,
    Marked,
    Emptied,
}

impl Fate {
    /// What this is to the table.
    pub(super) const fn change(self) -> Change {
        match self {
            Self::Removed | Self::Marked => Change::Delete,
            Self::Emptied => Change::Update,
        }
    }
}

impl From<Deletes> for Surplus {
    fn from(deletes: Deletes) -> Self {
        match deletes {
            Deletes::Soft => Self::Marked,
            Deletes::Hard => Self::Removed,
        }
    }
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

    /// What becomes of a row; nothing if it looks like that already.
    pub(super) fn fate(&self, rows: &RecordBatch, row: usize, is_deleted: bool) -> Option<Fate> {
        let has_any = |columns: &BTreeSet<String>| {
            columns.iter().filter_map(|name| rows.column_by_name(name)).any(|column| column.is_valid(row))
        };
        match &self.surplus {
            Surplus::Removed => Some(Fate::Removed),
            Surplus::Marked => (!is_deleted).then_some(Fate::Marked),
            Surplus::Purged(columns) => (!is_deleted || has_any(columns)).then_some(Fate::Marked),
            Surplus::Emptied(columns) => has_any(columns).then_some(Fate::Emptied),
        }
    }

    /// The rows as they look when they are surplus, but not removed. When one was deleted is not said twice.
    pub(super) fn rewritten(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let count = rows.num_rows();
        let (marks, emptied) = match &self.surplus {
            Surplus::Removed | Surplus::Marked => (true, None),
            Surplus::Purged(columns) => (true, Some(columns)),
            Surplus::Emptied(columns) => (false, Some(columns)),
        };
        let now = TimestampMicrosecondArray::from_value(self.at.timestamp_micros(), count).with_timezone("UTC");
        let schema = rows.schema();
        let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
            let is = |system: SystemColumn| field.name() == system.name();
            if emptied.is_some_and(|emptied| emptied.contains(field.name())) {
                Ok(new_null_array(field.data_type(), count))
            } else if is(SystemColumn::ExtractedAt) {
                Ok(Arc::new(now.clone()) as ArrayRef)
            } else if is(SystemColumn::Deleted) && marks {
                Ok(Arc::new(BooleanArray::from(vec![true; count])) as ArrayRef)
            } else if is(SystemColumn::DeletedAt) && marks {
                zip(&is_not_null(column)?, column, &now)
            } else {
                Ok(Arc::clone(column))
            }
        });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)
    }
}
