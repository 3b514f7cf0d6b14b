//! Stored rows meet incoming rows: one pass over both, in the order of their keys.
//!
//! The rule: both sides are sorted by key, each key once. That is checked for every row, because
//! rows of a wrongly sorted file would be taken for absent ones, and be duplicated.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DynComparator, RecordBatch, StringArray, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;

use super::conform::conform;
use super::order::{Deletes, MergePolicy, Revisions, RowOrder, TableError};
use super::surplus::{Fate, Replaced};
use crate::catalog::SystemColumn;

/// What an incoming row does to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Its key is new.
    Insert,
    /// It replaces the stored row.
    Update,
    /// It tells that the record was deleted, which the stored row did not.
    Delete,
    /// It says nothing new, or what it says is not wanted: the stored rows stay as they are.
    Unchanged,
    /// It is an older copy than the stored row, which stays.
    Stale,
}

impl Change {
    /// Whether the table looks different afterwards.
    #[must_use]
    pub const fn is_real(self) -> bool {
        match self {
            Self::Insert | Self::Update | Self::Delete => true,
            Self::Unchanged | Self::Stale => false,
        }
    }
}

/// One place in the order of all keys.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// A stored row that no incoming row has the key of.
    Stored(usize),
    /// Such a row that changes because of that.
    Surplus(usize, Fate),
    /// An incoming row whose key is in none of the stored rows so far.
    Incoming(usize, Change),
    /// A stored row and the incoming row with the same key, and what the latter does.
    Both(usize, usize, Change),
}

/// Incoming rows, waiting for the stored ones to pass by.
pub(super) struct Join {
    schema: SchemaRef,
    order: RowOrder,
    policy: MergePolicy,
    replaced: Option<Replaced>,
    incoming: Side,
    next: usize,
    last_key: Option<Vec<ArrayRef>>,
    /// By the number of a column: whether a row so far has another value there than the one that it replaces. Nothing where
    /// nobody asks.
    differing: Option<Vec<bool>>,
}

/// Rows with what decides between them.
struct Side {
    batch: RecordBatch,
    keys: Vec<ArrayRef>,
    revisions: Revisions,
    deleted: Option<BooleanArray>,
}

/// Comparisons of a stored row with an incoming one.
struct Comparators {
    key: Vec<DynComparator>,
    /// Of all columns.
    columns: Vec<DynComparator>,
    /// The number of `_extracted_at`, which tells of the reading, not of the record.
    extracted_at: Option<usize>,
}

impl Join {
    /// Waits with `incoming`, sorted by key and each key once.
    pub(super) fn new(
        schema: &SchemaRef,
        order: &RowOrder,
        policy: MergePolicy,
        incoming: &RecordBatch,
    ) -> Result<Self, TableError> {
        let incoming = Side::new(order, conform(schema, incoming)?)?;
        ascending(None, &incoming.keys)?;
        let (schema, order) = (SchemaRef::clone(schema), order.clone());
        Ok(Self { schema, order, policy, replaced: None, incoming, next: 0, last_key: None, differing: None })
    }

    /// Tells that the incoming rows are complete for some parents.
    pub(super) fn replace(&mut self, replaced: Replaced) {
        self.replaced = Some(replaced);
    }

    pub(super) const fn policy(&self) -> MergePolicy {
        self.policy
    }

    pub(super) const fn replaced(&self) -> Option<&Replaced> {
        self.replaced.as_ref()
    }

    /// The incoming rows, with all columns of the schema.
    pub(super) const fn incoming(&self) -> &RecordBatch {
        &self.incoming.batch
    }

    /// Notes from now on which columns differ.
    pub(super) fn note_differing(mut self) -> Self {
        self.differing = Some(vec![false; self.schema.fields().len()]);
        self
    }

    /// The columns in which some row so far has another value than the one that it replaces, where that is noted.
    pub(super) fn differing(&self) -> impl Iterator<Item = &str> {
        let names = self.schema.fields().iter().map(|field| field.name().as_str());
        names.zip(self.differing.iter().flatten()).filter(|(_, differs)| **differs).map(|(name, _)| name)
    }

    /// Lets the next stored rows pass by, and gives them back with all columns of the schema.
    pub(super) fn pass(
        &mut self,
        stored: &RecordBatch,
        mut visit: impl FnMut(Step),
    ) -> Result<RecordBatch, TableError> {
        let stored = Side::new(&self.order, conform(&self.schema, stored)?)?;
        ascending(self.last_key.as_deref(), &stored.keys)?;
        let compare = Comparators::new(&stored, &self.incoming)?;
        let parents = self.replaced.as_ref().map(|replaced| replaced.parents_of(&stored.batch)).transpose()?;
        let rows = stored.batch.num_rows();
        let mut row = 0;
        while row < rows {
            let key_order = if self.next < self.incoming.batch.num_rows() {
                lexicographic(&compare.key, row, self.next)
            } else {
                Ordering::Less
            };
            match key_order {
                Ordering::Less => {
                    visit(self.alone(&stored, parents.as_ref(), row));
                    row += 1;
                }
                Ordering::Greater => {
                    visit(Step::Incoming(self.next, self.unmatched(self.next)));
                    self.next += 1;
                }
                Ordering::Equal => {
                    let change = self.matched(&stored, &compare, row, self.next);
                    if let Some(differing) = self.differing.as_mut().filter(|_| change.is_real()) {
                        compare.note_differing(row, self.next, differing);
                    }
                    visit(Step::Both(row, self.next, change));
                    row += 1;
                    self.next += 1;
                }
            }
        }
        if let Some(last) = rows.checked_sub(1) {
            self.last_key = Some(stored.keys.iter().map(|column| column.slice(last, 1)).collect());
        }
        Ok(stored.batch)
    }

    /// Visits the incoming rows that come after all stored ones.
    pub(super) fn finish(&mut self, mut visit: impl FnMut(Step)) {
        for row in self.next..self.incoming.batch.num_rows() {
            visit(Step::Incoming(row, self.unmatched(row)));
        }
        self.next = self.incoming.batch.num_rows();
    }

    /// What a stored row is that no incoming row has the key of.
    fn alone(&self, stored: &Side, parents: Option<&StringArray>, row: usize) -> Step {
        let replaced = self.replaced.as_ref().zip(parents).filter(|(replaced, of)| replaced.holds(of, row));
        let fate = replaced.and_then(|(replaced, _)| replaced.fate(&stored.batch, row, stored.is_deleted(row)));
        match (self.policy, fate) {
            (MergePolicy::Update(_), Some(fate)) => Step::Surplus(row, fate),
            (MergePolicy::Append, _) | (MergePolicy::Update(_), None) => Step::Stored(row),
        }
    }

    fn unmatched(&self, incoming: usize) -> Change {
        match self.policy {
            MergePolicy::Update(Deletes::Hard) if self.incoming.is_deleted(incoming) => Change::Unchanged,
            MergePolicy::Append | MergePolicy::Update(_) => Change::Insert,
        }
    }

    fn matched(&self, stored: &Side, compare: &Comparators, old: usize, new: usize) -> Change {
        let MergePolicy::Update(deletes) = self.policy else { return Change::Unchanged };
        let newness = self.incoming.revisions.at(new).cmp(&stored.revisions.at(old));
        let is_deleted = self.incoming.is_deleted(new);
        match newness {
            Ordering::Less => Change::Stale,
            _ if is_deleted && deletes == Deletes::Hard => Change::Delete,
            Ordering::Equal if compare.is_same(old, new) => Change::Unchanged,
            _ if is_deleted && !stored.is_deleted(old) => Change::Delete,
            Ordering::Equal | Ordering::Greater => Change::Update,
        }
    }
}

impl Side {
    fn new(order: &RowOrder, batch: RecordBatch) -> Result<Self, TableError> {
        let keys = order.key_columns(&batch)?;
        let revisions = order.revisions(&batch)?;
        let deleted = batch.column_by_name(SystemColumn::Deleted.name()).and_then(|column| column.as_boolean_opt());
        let deleted = deleted.cloned();
        Ok(Self { batch, keys, revisions, deleted })
    }

    fn is_deleted(&self, row: usize) -> bool {
        self.deleted.as_ref().is_some_and(|deleted| deleted.is_valid(row) && deleted.value(row))
    }
}

impl Comparators {
    fn new(stored: &Side, incoming: &Side) -> Result<Self, TableError> {
        Ok(Self {
            key: comparators(&stored.keys, &incoming.keys)?,
            columns: comparators(stored.batch.columns(), incoming.batch.columns())?,
            extracted_at: stored.batch.schema_ref().index_of(SystemColumn::ExtractedAt.name()).ok(),
        })
    }

    /// Whether both rows say the same of the record.
    fn is_same(&self, old: usize, new: usize) -> bool {
        let mut columns = self.columns.iter().enumerate();
        columns.all(|(number, compare)| Some(number) == self.extracted_at || compare(old, new).is_eq())
    }

    fn note_differing(&self, old: usize, new: usize, differing: &mut [bool]) {
        for (differs, compare) in differing.iter_mut().zip(&self.columns) {
            *differs = *differs || compare(old, new).is_ne();
        }
    }
}

fn comparators(a: &[ArrayRef], b: &[ArrayRef]) -> Result<Vec<DynComparator>, TableError> {
    a.iter().zip(b).map(|(a, b)| comparator(a, b)).collect()
}

fn comparator(a: &ArrayRef, b: &ArrayRef) -> Result<DynComparator, TableError> {
    Ok(make_comparator(a, b, SortOptions::default())?)
}

fn lexicographic(comparators: &[DynComparator], a: usize, b: usize) -> Ordering {
    let mut orders = comparators.iter().map(|compare| compare(a, b));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Refuses keys that do not ascend strictly, from the key `before` on.
fn ascending(before: Option<&[ArrayRef]>, keys: &[ArrayRef]) -> Result<(), TableError> {
    let rows = keys.first().map_or(0, |column| column.len());
    let within = comparators(keys, keys)?;
    let mut is_ascending = (1..rows).all(|row| lexicographic(&within, row - 1, row).is_lt());
    if let Some(before) = before.filter(|_| rows > 0) {
        is_ascending &= lexicographic(&comparators(before, keys)?, 0, 0).is_lt();
    }
    if is_ascending { Ok(()) } else { Err(TableError::Unsorted) }
}
