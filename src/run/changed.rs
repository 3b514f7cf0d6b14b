//! What changed in a table, in the order in which it did.
//!
//! The rule: memory is bounded, so the changes are given in parts, each the earliest of what is left;
//! records that changed at one instant are never parted.

use std::collections::BinaryHeap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::error::EntityError;
use crate::catalog::SystemColumn;
use crate::lake::{Read, Table};

/// The column with the id of a record itself.
const KEY: &str = "id";
/// The column by which a record itself says that it is deleted.
const DELETED: &str = "deleted";
/// Records of one part, about.
const PART: usize = 20_000;

/// A change, and the record that it tells of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    /// When its row changed.
    pub(super) at: DateTime<Utc>,
    pub(super) id: String,
}

/// From which change on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// From the first one.
    Ever,
    /// From what changed after this instant.
    After(DateTime<Utc>),
}

/// The changes that one version of a table shows.
#[derive(Debug)]
pub(super) struct Changed<'a> {
    table: &'a Table,
    column: &'a str,
    newest: Option<DateTime<Utc>>,
    part: usize,
}

impl<'a> Changed<'a> {
    /// Changes of rows of `table`, told by the ids in `column`.
    pub(super) async fn in_table(table: &'a Table, column: &'a str) -> Result<Self, EntityError> {
        let newest = table.newest(SystemColumn::ExtractedAt.name()).await?;
        Ok(Self { table, column, newest, part: PART })
    }

    /// The last change.
    pub(super) const fn newest(&self) -> Option<DateTime<Utc>> {
        self.newest
    }

    /// The earliest changes after `since`; none are left when none are given.
    pub(super) async fn next(&self, since: Since) -> Result<Vec<Record>, EntityError> {
        let mut earliest = Earliest { records: BinaryHeap::new(), part: self.part };
        self.visit(since, |at, id| earliest.offer(at, id)).await?;
        Ok(earliest.records.into_sorted_vec())
    }

    /// How many changes there are after `since`.
    pub(super) async fn count(&self, since: Since) -> Result<u64, EntityError> {
        let mut count = 0;
        self.visit(since, |_, _| count += 1).await?;
        Ok(count)
    }

    async fn visit(&self, since: Since, mut visit: impl FnMut(DateTime<Utc>, &str)) -> Result<(), EntityError> {
        let after = match since {
            Since::Ever => DateTime::<Utc>::MIN_UTC,
            Since::After(instant) => instant,
        };
        let (id, at) = (self.column, SystemColumn::ExtractedAt.name());
        let marks = [SystemColumn::Deleted.name(), DELETED].into_iter();
        let marks = marks.filter(|name| self.table.schema().field_with_name(name).is_ok());
        let columns: Vec<String> = marks.chain([id, at]).map(str::to_owned).collect();
        for file in self.table.files_after(at, after).await? {
            let read = Read { columns: Some(columns.clone()), ..Read::default() };
            let mut batches = self.table.read(&file, read).await?;
            while let Some(batch) = batches.try_next().await? {
                let column = |name| batch.column_by_name(name);
                let ids = column(id).and_then(|ids| ids.as_string_opt::<i32>());
                let instants = column(at).and_then(|at| at.as_primitive_opt::<TimestampMicrosecondType>());
                let (Some(ids), Some(instants)) = (ids, instants) else { continue };
                let told = |row: &usize| instants.is_valid(*row) && ids.is_valid(*row) && !self.is_gone(&batch, *row);
                for row in (0..batch.num_rows()).filter(told) {
                    let Some(at) = DateTime::from_timestamp_micros(instants.value(row)) else { continue };
                    if at > after {
                        visit(at, ids.value(row));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the row is that of the record itself, which is gone for good: there is nothing below it to be read. One that
    /// is only deleted says so itself.
    fn is_gone(&self, batch: &RecordBatch, row: usize) -> bool {
        let is_true = |name: &str| {
            let marks = batch.column_by_name(name).and_then(|marks| marks.as_boolean_opt());
            marks.is_some_and(|marks| marks.is_valid(row) && marks.value(row))
        };
        self.column == KEY && is_true(SystemColumn::Deleted.name()) && !is_true(DELETED)
    }
}

/// The earliest records of those that were offered: at least so many, with all of the last instant.
struct Earliest {
    records: BinaryHeap<Record>,
    part: usize,
}

impl Earliest {
    fn offer(&mut self, at: DateTime<Utc>, id: &str) {
        let last = self.records.peek().map(|record| record.at);
        if self.records.len() >= self.part && last.is_some_and(|last| at > last) {
            return;
        }
        self.records.push(Record { at, id: id.to_owned() });
        self.trim();
    }

    /// Leaves out the latest instant where there are enough records without it.
    fn trim(&mut self) {
        if self.records.len() <= self.part {
            return;
        }
        let Some(last) = self.records.peek().map(|record| record.at) else { return };
        let mut latest = Vec::new();
        while self.records.peek().is_some_and(|record| record.at == last) {
            latest.extend(self.records.pop());
        }
        if self.records.len() < self.part {
            self.records.extend(latest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_are_the_earliest_and_never_part_an_instant(
            instants in prop::collection::vec(0i64..40, 0..200), part in 1usize..50,
        ) {
            let at = |second: i64| DateTime::from_timestamp(second, 0).unwrap();
            let mut all: Vec<Record> = instants.iter().enumerate()
                .map(|(id, second)| Record { at: at(*second), id: id.to_string() }).collect();
            let mut earliest = Earliest { records: BinaryHeap::new(), part };
            for record in &all {
                earliest.offer(record.at, &record.id);
            }
            let given = earliest.records.into_sorted_vec();
            all.sort();
            prop_assert_eq!(&given[..], &all[..given.len()]);
            prop_assert!(given.len() >= part.min(all.len()));
            if let (Some(last), Some(next)) = (given.last(), all.get(given.len())) {
                prop_assert!(last.at < next.at);
            }
        }
    }
}
