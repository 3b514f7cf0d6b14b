//! Stored rows and incoming rows become the rows of new files.

use std::mem;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::compare::MergeCounts;
use super::join::{Change, Join, Step};
use super::order::{MergePolicy, RowOrder, TableError};
use super::surplus::{Fate, Replaced};

/// Rows of one batch that a merge gives: small enough that the texts of a column fit Arrow's 2 GiB.
const OUTPUT_ROWS: usize = 16_384;

/// Where an output row comes from: the stored batch, the incoming one, or the stored one with all rows as
/// they look when they are surplus, and its row there.
type Origin = (usize, usize);
const STORED: usize = 0;
const INCOMING: usize = 1;
const SURPLUS: usize = 2;

/// A merge of incoming rows into a stream of stored ones. In memory are the incoming rows and one stored batch.
///
/// The output of all [`push`](Self::push) and of [`finish`](Self::finish), in this order, is sorted by
/// key with each key once, and has all columns of the schema.
pub struct Merger {
    join: Join,
    policy: MergePolicy,
    counts: MergeCounts,
}

impl Merger {
    /// A merge of `incoming`, sorted by key with each key once.
    ///
    /// # Errors
    /// Incoming rows that are not sorted, or that do not fit the schema.
    pub fn new(
        schema: &SchemaRef,
        order: &RowOrder,
        policy: MergePolicy,
        incoming: &RecordBatch,
    ) -> Result<Self, TableError> {
        Ok(Self { join: Join::new(schema, order, policy, incoming)?, policy, counts: MergeCounts::default() })
    }

    /// The same, with incoming rows that are complete for some parents: what else they have is surplus.
    #[must_use]
    pub fn replacing(mut self, replaced: Replaced) -> Self {
        self.join.replace(replaced);
        self
    }

    /// Takes the next stored rows, which continue the former ones in the order of keys, and gives the merged rows
    /// up to the last of their keys.
    ///
    /// # Errors
    /// Stored rows that are not sorted, or that do not fit the schema: the output so far must not be used.
    pub fn push(&mut self, stored: &RecordBatch) -> Result<Vec<RecordBatch>, TableError> {
        let mut origins = Vec::with_capacity(stored.num_rows());
        let (policy, counts) = (self.policy, &mut self.counts);
        let stored = self.join.pass(stored, |step| origins.extend(survivor(policy, counts, step)))?;
        let untouched = origins.len() == stored.num_rows() && origins.iter().all(|(side, _)| *side == STORED);
        if untouched {
            return Ok(vec![stored]);
        }
        let has_surplus = origins.iter().any(|(side, _)| *side == SURPLUS);
        match self.join.replaced().filter(|_| has_surplus) {
            Some(replaced) => Ok(output(&[&stored, self.join.incoming(), &replaced.rewritten(&stored)?], &origins)?),
            None => Ok(output(&[&stored, self.join.incoming()], &origins)?),
        }
    }

    /// Ends the merge: gives the rows after the last stored key, and what the incoming rows did.
    ///
    /// # Errors
    /// A batch of more than 2 GiB of text.
    pub fn finish(mut self) -> Result<(Vec<RecordBatch>, MergeCounts), TableError> {
        let mut origins = Vec::new();
        let (policy, mut counts) = (self.policy, mem::take(&mut self.counts));
        self.join.finish(|step| origins.extend(survivor(policy, &mut counts, step)));
        let incoming = self.join.incoming();
        Ok((output(&[incoming, incoming], &origins)?, counts))
    }
}

/// The row that a step leaves in the table, if any.
const fn survivor(policy: MergePolicy, counts: &mut MergeCounts, step: Step) -> Option<Origin> {
    let (stored, incoming, change) = match step {
        Step::Stored(row) => return Some((STORED, row)),
        Step::Surplus(row, fate) => {
            counts.count(fate.change());
            return match fate {
                Fate::Removed => None,
                Fate::Marked | Fate::Emptied => Some((SURPLUS, row)),
            };
        }
        Step::Incoming(row, change) => (None, row, change),
        Step::Both(stored, row, change) => (Some((STORED, stored)), row, change),
    };
    counts.count(change);
    match change {
        Change::Delete if policy.removes_deleted() => None,
        Change::Insert | Change::Update | Change::Delete => Some((INCOMING, incoming)),
        Change::Unchanged | Change::Stale => stored,
    }
}

fn output(sides: &[&RecordBatch], origins: &[Origin]) -> Result<Vec<RecordBatch>, ArrowError> {
    let batch = |rows: &[Origin]| run(sides, rows).map_or_else(|| interleave_record_batch(sides, rows), Ok);
    origins.chunks(OUTPUT_ROWS).map(batch).collect()
}

/// Rows that follow each other on one side, which need no copy.
fn run(sides: &[&RecordBatch], rows: &[Origin]) -> Option<RecordBatch> {
    let (side, first) = *rows.first()?;
    let follow = rows.iter().zip(first..).all(|(row, number)| *row == (side, number));
    follow.then(|| sides.get(side).map(|batch| batch.slice(first, rows.len())))?
}
