//! Merging files of a table into others, row by row as they are.
//!
//! The rule: a compaction changes where rows lie and nothing else. As many rows are written as were read, and what is
//! committed says of itself that no data changed. A run beside it is never held up: where a commit of its own comes
//! first, the files that were merged are committed after it, unless it replaced one of the merged.

use std::collections::HashSet;

use futures::TryStreamExt;
use futures::stream::BoxStream;

use super::error::EntityError;
use super::layout::{Group, Layout};
use super::loader::MOST_CONFLICTS;
use super::output::Output;
use crate::catalog::EntityName;
use crate::lake::{Change, CommitNote, CommitOutcome, DataFile, Effect, LakeError, Read, Table, WrittenFile};
use crate::table::{RowOrder, TableError, Weave};

/// Groups of one table that are merged in a row; what is left then waits for the next time.
const MOST_GROUPS: usize = 10_000;
/// Rows of a stored file in memory at once.
const READ_ROWS: usize = 1024;

/// What was merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) commits: u64,
}

/// A table that is being compacted.
#[derive(Debug)]
pub(super) struct Compaction<'a> {
    pub(super) table: Table,
    pub(super) order: &'a RowOrder,
    pub(super) layout: Layout,
    pub(super) merged: Merged,
    /// What people read in the table's history.
    pub(super) note: CommitNote,
}

impl Compaction<'_> {
    /// What is to be merged in the present version.
    pub(super) async fn groups(&self) -> Result<Vec<Group>, EntityError> {
        let Some(first) = self.order.key.first() else { return Ok(Vec::new()) };
        if self.order.key.iter().any(|column| self.table.schema().field_with_name(column).is_err()) {
            return Ok(Vec::new());
        }
        Ok(self.layout.groups(self.table.files(first).await?))
    }

    /// Merges until nothing is left to be merged.
    pub(super) async fn finish(&mut self) -> Result<(), EntityError> {
        let mut conflicts = 0;
        for _ in 0..MOST_GROUPS {
            let Some(group) = self.groups().await?.into_iter().next() else { return Ok(()) };
            if self.merge(&group).await? {
                continue;
            }
            conflicts += 1;
            if conflicts == MOST_CONFLICTS {
                return Err(EntityError::Crowded(self.name(), conflicts));
            }
        }
        Ok(())
    }

    fn name(&self) -> EntityName {
        EntityName::new(self.table.name().as_str())
    }

    fn table_error(&self, error: TableError) -> EntityError {
        EntityError::Table { table: self.name(), error }
    }

    /// Merges a group; says whether it was committed. It is not when other writers replaced one of its files.
    async fn merge(&mut self, group: &Group) -> Result<bool, EntityError> {
        let written = self.rewrite(group).await?;
        let remove: Vec<DataFile> = group.files().cloned().collect();
        let change =
            Change { add: written, remove, note: self.note.clone(), effect: Effect::Layout, ..Change::default() };
        for _ in 0..MOST_CONFLICTS {
            match self.table.commit(change.clone()).await? {
                CommitOutcome::Committed(table) => {
                    tracing::info!(
                        table = %table.name(), version = table.version(), files_merged = change.remove.len(),
                        files_written = change.add.len(), "files were merged"
                    );
                    self.table = table;
                    self.merged.files += change.remove.len() as u64;
                    self.merged.bytes += change.add.iter().map(|file| file.size).sum::<u64>();
                    self.merged.commits += 1;
                    return Ok(true);
                }
                CommitOutcome::Conflict(table) => self.table = table,
            }
            let live: HashSet<String> = self.table.files("").await?.into_iter().map(|file| file.path).collect();
            if !change.remove.iter().all(|file| live.contains(&file.path)) {
                tracing::info!(table = %self.table.name(), "another writer replaced a file that was merged; planning anew");
                break;
            }
        }
        self.table.discard(&change.add).await?;
        Ok(false)
    }

    /// Writes the rows of all files of the group, sorted.
    async fn rewrite(&self, group: &Group) -> Result<Vec<WrittenFile>, EntityError> {
        let mut weave = Weave::new(self.table.schema(), self.order, group.streams.len())
            .map_err(|error| self.table_error(error))?;
        let mut streams: Vec<_> = group.streams.iter().map(|files| Rows::of(&self.table, files)).collect();
        let mut output = Output::new(&self.table, Vec::new(), self.order).of_size(self.layout.size_of_files(group));
        let mut rows = 0;
        loop {
            while let Some(number) = weave.wants() {
                let batch = match streams.get_mut(number) {
                    Some(stream) => stream.next().await?,
                    None => None,
                };
                match batch {
                    Some(batch) => {
                        rows += batch.num_rows() as u64;
                        weave.give(number, batch).map_err(|error| self.table_error(error))?;
                    }
                    None => weave.end(number),
                }
            }
            match weave.pull().map_err(|error| self.table_error(error))? {
                Some(batch) => output.write_all(vec![batch]).await?,
                None => break,
            }
        }
        let written = output.finish().await?;
        let known: Option<u64> = group.files().map(|file| file.rows).sum();
        let kept: u64 = written.iter().map(|file| file.rows).sum();
        if kept != rows || known.is_some_and(|known| known != rows) {
            let told = format!("table {}: {kept} of {rows} rows would be kept by a compaction", self.table.name());
            return Err(LakeError::Internal(told).into());
        }
        Ok(written)
    }
}

/// The rows of files that follow each other.
struct Rows<'a> {
    table: &'a Table,
    files: std::slice::Iter<'a, DataFile>,
    open: Option<BoxStream<'static, Result<arrow::array::RecordBatch, LakeError>>>,
}

impl<'a> Rows<'a> {
    fn of(table: &'a Table, files: &'a [DataFile]) -> Self {
        Self { table, files: files.iter(), open: None }
    }

    async fn next(&mut self) -> Result<Option<arrow::array::RecordBatch>, LakeError> {
        loop {
            if let Some(open) = &mut self.open
                && let Some(batch) = open.try_next().await?
            {
                return Ok(Some(batch));
            }
            let Some(file) = self.files.next() else { return Ok(None) };
            self.open = Some(self.table.read(file, Read { batch_size: READ_ROWS, ..Read::default() }).await?);
        }
    }
}

#[cfg(test)]
#[path = "compact_tests.rs"]
mod tests;
