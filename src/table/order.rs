//! What identifies a row, which of two copies of it is the newer one, and what becomes of the other.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use thiserror::Error;

use crate::catalog::SystemColumn;

/// Rows that cannot be sorted, compared or merged. None of these is the source's fault: each is a
/// damaged table, a table of a newer version, or an error of ours, and the table stays as it is.
#[derive(Debug, Error)]
pub enum TableError {
    /// A column that the operation needs is missing.
    #[error("column {0} is missing")]
    MissingColumn(String),
    /// The rows have a column that the schema lacks; writing them by that schema would lose it.
    #[error("column {0} is not part of the schema")]
    UnknownColumn(String),
    /// A column has another type than the schema says.
    #[error("column {column} is {found}, not {expected}")]
    ColumnType {
        /// Its name.
        column: String,
        /// The type that the rows have.
        found: String,
        /// The type that the schema has.
        expected: String,
    },
    /// Rows that must be sorted by key, each key once, are not.
    #[error("rows are not sorted by their key, or a key stands twice")]
    Unsorted,
    /// Arrow refused, for instance because a batch would outgrow it.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// What becomes of the row of a record that was deleted at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    /// It stays, with `_deleted` true.
    Soft,
    /// It is removed, and never inserted. An older copy of the record that is read later inserts it
    /// again, because nothing remembers the row.
    Hard,
}

/// How incoming rows meet stored ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergePolicy {
    /// Each key exactly once; the stored row wins.
    Append,
    /// The highest `rev`, then `updated_at`, then the latest read wins.
    Update(Deletes),
}

impl MergePolicy {
    /// Whether the row of a deleted record goes.
    pub(super) const fn removes_deleted(self) -> bool {
        matches!(self, Self::Update(Deletes::Hard))
    }
}

/// What identifies a row, and which of two copies of it is the newer one; all by column name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOrder {
    /// The columns of the primary key: texts, whole numbers; the first is a text.
    pub key: Vec<String>,
    /// The revision number, which the source raises with each stored change (API reference, section 5.3).
    pub rev: Option<String>,
    /// The time of the last stored change (API reference, section 11).
    pub updated_at: Option<String>,
}

/// `(rev, updated_at)` of a row, where nothing is lower than anything.
pub(super) type Revision = (Option<i64>, Option<i64>);

/// The revisions of a batch, ready for access by row.
pub(super) struct Revisions {
    rev: Option<ArrayRef>,
    updated_at: Option<ArrayRef>,
}

impl RowOrder {
    /// The columns by which rows are identified, and one of two copies is chosen.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let deciding = self.rev.iter().chain(&self.updated_at).map(String::as_str);
        self.key.iter().map(String::as_str).chain(deciding).chain([SystemColumn::Deleted.name()])
    }

    pub(super) fn key_columns(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, TableError> {
        self.key.iter().map(|name| column(batch, name).cloned()).collect()
    }

    pub(super) fn revisions(&self, batch: &RecordBatch) -> Result<Revisions, TableError> {
        let array = |name: &Option<String>| name.as_deref().map(|name| column(batch, name).cloned()).transpose();
        Ok(Revisions { rev: array(&self.rev)?, updated_at: array(&self.updated_at)? })
    }
}

impl Revisions {
    pub(super) fn at(&self, row: usize) -> Revision {
        let rev = self.rev.as_ref().and_then(|array| array.as_primitive_opt::<Int64Type>());
        let updated_at =
            self.updated_at.as_ref().and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
        (
            rev.filter(|array| array.is_valid(row)).map(|array| array.value(row)),
            updated_at.filter(|array| array.is_valid(row)).map(|array| array.value(row)),
        )
    }
}

pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, TableError> {
    batch.column_by_name(name).ok_or_else(|| TableError::MissingColumn(name.to_owned()))
}
