//! Which incoming rows change anything, so that a file without real changes is not written again.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::join::{Change, Join, Step};
use super::order::{MergePolicy, RowOrder, TableError};
use super::surplus::Replaced;

/// How many rows did what; incoming ones, but for those that are surplus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergeCounts {
    /// Rows with a new key.
    pub inserted: u64,
    /// Rows that replace a stored one, and surplus rows that lose values.
    pub updated: u64,
    /// Rows that tell of a delete, and surplus rows that are deleted.
    pub deleted: u64,
    /// Rows that say nothing new.
    pub unchanged: u64,
    /// Rows older than the stored ones.
    pub stale: u64,
}

impl MergeCounts {
    /// How many rows change anything; if none does, there is nothing to commit.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }

    /// Adds the counts of another file.
    pub const fn absorb(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
        self.unchanged += other.unchanged;
        self.stale += other.stale;
    }

    pub(super) const fn count(&mut self, change: Change) {
        let count = match change {
            Change::Insert => &mut self.inserted,
            Change::Update => &mut self.updated,
            Change::Delete => &mut self.deleted,
            Change::Unchanged => &mut self.unchanged,
            Change::Stale => &mut self.stale,
        };
        *count += 1;
    }
}

/// A comparison of incoming rows with a stream of stored ones, of which only one batch is in memory at a time.
pub struct Comparison {
    join: Join,
    changes: Vec<Change>,
    surplus: MergeCounts,
    stored_rows: u64,
}

/// The outcome of a [`Comparison`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Compared {
    /// What each incoming row does, in their order.
    pub changes: Vec<Change>,
    /// The same, counted, and the surplus rows.
    pub counts: MergeCounts,
    /// How many stored rows are surplus.
    pub surplus: u64,
    /// How many stored rows there were.
    pub stored_rows: u64,
    /// The columns in which rows change, if every stored row keeps its place and none is added.
    pub changed_columns: Option<BTreeSet<String>>,
}

impl Comparison {
    /// A comparison of `incoming`, sorted by key with each key once.
    ///
    /// # Errors
    /// Incoming rows that are not sorted, or that do not fit the schema.
    pub fn new(
        schema: &SchemaRef,
        order: &RowOrder,
        policy: MergePolicy,
        incoming: &RecordBatch,
    ) -> Result<Self, TableError> {
        let join = Join::new(schema, order, policy, incoming)?.note_differing();
        Ok(Self {
            join,
            changes: Vec::with_capacity(incoming.num_rows()),
            surplus: MergeCounts::default(),
            stored_rows: 0,
        })
    }

    /// The same, with incoming rows that are complete for some parents: what else they have is surplus. Of the stored
    /// rows, all of these parents are needed then, not only those with the keys of incoming ones.
    #[must_use]
    pub fn replacing(mut self, replaced: Replaced) -> Self {
        self.join.replace(replaced);
        self
    }

    /// Takes the next stored rows, which continue the former ones in the order of keys.
    ///
    /// # Errors
    /// Stored rows that are not sorted, or that do not fit the schema.
    pub fn push(&mut self, stored: &RecordBatch) -> Result<(), TableError> {
        let (changes, surplus) = (&mut self.changes, &mut self.surplus);
        self.join.pass(stored, |step| {
            if let Step::Surplus(_, fate) = step {
                surplus.count(fate.change());
            }
            changes.extend(change(step));
        })?;
        self.stored_rows += stored.num_rows() as u64;
        Ok(())
    }

    fn keeps_places(&self) -> bool {
        let moves = |change: &Change| match change {
            Change::Insert => true,
            Change::Delete => self.join.policy().removes_deleted(),
            Change::Update | Change::Unchanged | Change::Stale => false,
        };
        self.join.replaced().is_none() && !self.changes.iter().any(moves)
    }

    /// Ends the comparison: all stored rows have been pushed.
    pub fn finish(mut self) -> Compared {
        let changes = &mut self.changes;
        self.join.finish(|step| changes.extend(change(step)));
        let (mut counts, surplus) = (self.surplus, self.surplus.changes());
        for change in &self.changes {
            counts.count(*change);
        }
        let changed_columns = self.keeps_places().then(|| self.join.differing().map(str::to_owned).collect());
        Compared { changes: self.changes, counts, surplus, stored_rows: self.stored_rows, changed_columns }
    }
}

impl Compared {
    /// Whether stored and incoming rows are the same, row by row.
    #[must_use]
    pub fn is_same_snapshot(&self) -> bool {
        self.counts.unchanged == self.stored_rows && self.changes.len() as u64 == self.stored_rows
    }
}

const fn change(step: Step) -> Option<Change> {
    match step {
        Step::Stored(_) | Step::Surplus(..) => None,
        Step::Incoming(_, change) | Step::Both(_, _, change) => Some(change),
    }
}
