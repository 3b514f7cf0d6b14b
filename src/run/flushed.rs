//! What becomes of rows on their way into a table: of one try to commit them, and of all tries together.

use arrow::array::RecordBatch;

use super::upsert::Outcomes;
use crate::lake::Table;

/// What became of the rows that were flushed.
pub(super) struct Flushed {
    /// Sorted by key, each key once; with the hidden columns.
    pub(super) incoming: RecordBatch,
    /// The version of the table that holds them.
    pub(super) table: Table,
    pub(super) outcomes: Outcomes,
    /// Whether this made a commit, and whether others did so first.
    pub(super) committed: Committed,
}

/// How a version came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Committed {
    /// There was nothing to commit.
    Nothing,
    /// By this flush, right after the version that was known.
    Next,
    /// By this flush, after commits of other writers.
    AfterOthers,
}

/// What became of one try to commit.
pub(super) enum Attempt {
    Nothing(Outcomes),
    Committed(Table, Outcomes),
    Conflict,
}
