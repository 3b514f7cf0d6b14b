//! One atomic change of a table, as a value.

use std::collections::BTreeMap;

use arrow::datatypes::FieldRef;

use super::names::TransactionId;
use super::table::{DataFile, Table};
use super::writer::WrittenFile;

/// What one commit changes; all of it becomes visible at once, or nothing does.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Files that become part of the table.
    pub add: Vec<WrittenFile>,
    /// Files that leave it; each must be live in the version that is committed on.
    pub remove: Vec<DataFile>,
    /// Columns appended to the schema; each nullable, of a name new to the table even when case is ignored.
    pub add_columns: Vec<FieldRef>,
    /// Progress, by application id: it survives checkpoints. An id occurs once.
    pub transactions: Vec<(TransactionId, i64)>,
    /// What people read in the table's history.
    pub note: CommitNote,
    /// Whether readers of changes have anything to see in it.
    pub effect: Effect,
}

/// What a change does to the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Effect {
    /// Rows come, go or change.
    #[default]
    Rows,
    /// The same rows lie in other files.
    Layout,
}

/// What a commit says to people, as operation parameters and metrics of the log; nothing reads it back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitNote {
    /// Such as the run and the window.
    pub facts: BTreeMap<String, String>,
    /// Such as rows inserted, updated and deleted, and requests.
    pub counts: BTreeMap<String, u64>,
}

/// What became of a commit; either way the version to go on from.
#[derive(Debug)]
#[must_use]
pub enum CommitOutcome {
    /// The change is in the log, once.
    Committed(Table),
    /// Another writer committed first; nothing was changed: plan again on this version.
    Conflict(Table),
}
