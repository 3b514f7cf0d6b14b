//! Merging rows into a table by copy-on-write, touching no file without need.
//!
//! The rule: a file is written again only when a row of it really changes, so that a run without
//! changes makes no commit. The incoming rows are compared with the stored ones before anything is
//! written, and what a [`Change`] holds is complete: files in, files out.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, SchemaRef};
use futures::{StreamExt, TryStreamExt, stream};

use super::error::EntityError;
use super::matching::{self, Matches, matches};
use super::output::Output;
use crate::catalog::EntityName;
use crate::lake::{Change, DataFile, Read, Table, WrittenFile};
use crate::table::{
    Change as RowChange, Compared, Comparison, MergeCounts, MergePolicy, Merger, Replaced, RowOrder, TableError,
    TableSchema, conform,
};

/// A file below this size takes up new rows, so that small commits leave few small files behind. It is low because such a
/// file is written again for the sake of any new row, and in a backfill by each commit until it has this size.
const OPEN_FILE: u64 = 2 * 1024 * 1024;
/// Files that are looked at, or written again, at once: one is decoded while another one is encoded.
const AT_ONCE: usize = 2;
/// A file of this size or more is written again alone: reading it and writing it take some 70 MiB.
const LARGE_FILE: u64 = 16 * 1024 * 1024;
/// With so many bytes of rows coming in, there is room for one file at a time beside them.
const LARGE_CHANGE: usize = 32 * 1024 * 1024;
/// Rows of a stored file in memory at once while they are compared.
const COMPARED_ROWS: usize = 4096;
/// New rows that are copied at once on their way into a file.
const INSERT_ROWS: usize = 16_384;

/// How rows enter one table.
#[derive(Debug, Clone)]
pub(super) struct Upsert {
    entity: EntityName,
    schema: TableSchema,
    policy: MergePolicy,
    open_file: u64,
}

/// A change that is ready to be committed, and what it does to the rows.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) change: Change,
    pub(super) counts: MergeCounts,
    pub(super) outcomes: Outcomes,
}

/// What became of incoming rows, by their numbers, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    /// Those that change the table.
    pub(super) changed: Vec<u64>,
    /// Those that are older than what the table has.
    pub(super) stale: Vec<u64>,
}

impl Outcomes {
    /// The rows, of so many, that are as new as what the table has.
    pub(super) fn not_stale(&self, rows: usize) -> Vec<u64> {
        let stale: BTreeSet<u64> = self.stale.iter().copied().collect();
        (0..rows as u64).filter(|row| !stale.contains(row)).collect()
    }
}

/// A stored file and what it means for the incoming rows.
pub(super) struct Touched {
    pub(super) file: DataFile,
    /// Incoming rows that are merged into the file.
    rows: Vec<u64>,
    /// The columns that they change, if all rows of the file keep their places.
    pub(super) changed_columns: Option<BTreeSet<String>>,
}

impl Touched {
    /// Merges rows into the file that are new.
    fn take_up(&mut self, inserts: &mut Vec<u64>) {
        self.rows.append(inserts);
        self.rows.sort_unstable();
        self.changed_columns = None;
    }
}

/// What the stored files say of the incoming rows.
#[derive(Default)]
struct Survey {
    touched: Vec<Touched>,
    /// Incoming rows that some file holds already.
    known: BTreeSet<u64>,
    open: Option<Touched>,
    counts: MergeCounts,
    outcomes: Outcomes,
}

impl Survey {
    /// Takes note of a file that holds incoming rows, or others of their parents.
    fn note(&mut self, file: DataFile, found: &Matches, compared: Compared, replaced: Option<&Replaced>, limit: u64) {
        self.counts.absorb(compared.counts);
        self.known.extend(&found.incoming);
        let mut is_touched = compared.surplus > 0;
        for (row, change) in found.incoming.iter().zip(&compared.changes) {
            match change {
                change if change.is_real() => {
                    is_touched = true;
                    self.outcomes.changed.push(*row);
                }
                RowChange::Stale => self.outcomes.stale.push(*row),
                _ => {}
            }
        }
        // What is surplus is told by what is not: so the unchanged rows of the parents must be merged, too.
        let is_merged = |(_, change): &(&u64, &RowChange)| replaced.is_some() || change.is_real();
        let rows = found.incoming.iter().zip(&compared.changes).filter(is_merged).map(|(row, _)| *row);
        let file = Touched { file, rows: rows.collect(), changed_columns: compared.changed_columns };
        if is_touched {
            self.touched.push(file);
        } else {
            self.leave(file, limit);
        }
    }

    /// Takes note of a file that no row changes: the last one below the limit can take up new rows, whose keys are the
    /// greatest in most tables. Any other one would come to lie over all that follow it.
    fn leave(&mut self, untouched: Touched, limit: u64) {
        let is_last = self.open.as_ref().is_none_or(|open| open.file.max_key <= untouched.file.max_key);
        if untouched.file.size < limit && is_last {
            self.open = Some(untouched);
        }
    }
}

/// Files that there is room for beside these rows.
fn at_once(incoming: &RecordBatch) -> usize {
    if incoming.get_array_memory_size() < LARGE_CHANGE { AT_ONCE } else { 1 }
}

impl Upsert {
    pub(super) fn new(schema: &TableSchema, policy: MergePolicy) -> Self {
        Self { entity: schema.entity().clone(), schema: schema.clone(), policy, open_file: OPEN_FILE }
    }

    /// One that leaves the rows of each commit in a file of their own.
    #[cfg(test)]
    pub(super) fn leaving_small_files(schema: &TableSchema, policy: MergePolicy) -> Self {
        Self { open_file: 0, ..Self::new(schema, policy) }
    }

    pub(super) fn order(&self) -> &RowOrder {
        self.schema.order()
    }

    pub(super) fn table_error(&self, error: impl Into<TableError>) -> EntityError {
        EntityError::Table { table: self.entity.clone(), error: error.into() }
    }

    /// The columns that the table lacks: those of an entity whose schema grew.
    pub(super) fn missing_columns(&self, table: &Table) -> Vec<FieldRef> {
        let stored = table.schema();
        let missing = self.schema.arrow().fields().iter().filter(|field| stored.field_with_name(field.name()).is_err());
        missing.cloned().collect()
    }

    /// Plans what `incoming` (sorted by key, each key once) changes in this version of the table, and writes the files.
    ///
    /// With `replaced`, `incoming` holds all rows of some parents.
    pub(super) async fn prepare(
        &self,
        table: &Table,
        incoming: &RecordBatch,
        replaced: Option<&Replaced>,
    ) -> Result<Prepared, EntityError> {
        let add_columns = self.missing_columns(table);
        let schema = widened(table.schema(), &add_columns);
        let survey = self.survey(table, &schema, incoming, replaced).await?;
        let Survey { mut touched, known, open, mut counts, mut outcomes } = survey;
        let mut inserts: Vec<u64> = (0..incoming.num_rows() as u64).filter(|row| !known.contains(row)).collect();
        counts.absorb(self.compare_new(&schema, incoming, &mut inserts)?);
        outcomes.changed.extend(&inserts);
        outcomes.changed.sort_unstable();
        if touched.is_empty() && inserts.is_empty() {
            return Ok(Prepared { change: Change { add_columns, ..Change::default() }, counts, outcomes });
        }
        if !inserts.is_empty()
            && let Some(home) = self.home(&mut touched, open)
        {
            home.take_up(&mut inserts);
        }
        if !add_columns.is_empty() {
            touched.iter_mut().for_each(|touched| touched.changed_columns = None);
        }
        let patched = touched.iter().filter(|touched| touched.changed_columns.is_some()).map(|touched| &touched.file);
        let stats = table.statistics(patched).await?;
        let rewrite = async |touched: &Touched| {
            let rows = matching::rows(incoming, &touched.rows).map_err(|error| self.table_error(error))?;
            self.rewrite(touched, rows, &schema, replaced, &stats, self.output(table, &add_columns)).await
        };
        let is_large = touched.iter().any(|touched| touched.file.size >= LARGE_FILE);
        let at_once = if is_large { 1 } else { at_once(incoming) };
        // A closure inside of the stream would not be general enough for the compiler.
        let rewrites: Vec<_> = touched.iter().map(rewrite).collect();
        let mut add: Vec<WrittenFile> = stream::iter(rewrites).buffered(at_once).try_concat().await?;
        let mut output = self.output(table, &add_columns);
        for numbers in inserts.chunks(INSERT_ROWS) {
            let part = matching::rows(incoming, numbers).map_err(|error| self.table_error(error))?;
            output.write_all(vec![conform(&schema, &part).map_err(|error| self.table_error(error))?]).await?;
        }
        add.extend(output.finish().await?);
        let remove = touched.into_iter().map(|touched| touched.file).collect();
        Ok(Prepared { change: Change { add, remove, add_columns, ..Change::default() }, counts, outcomes })
    }

    fn output<'t>(&'t self, table: &'t Table, add_columns: &[FieldRef]) -> Output<'t> {
        Output::new(table, add_columns.to_vec(), self.order())
    }

    /// The file that takes up new rows: the last open one. Where there is none, they get files of their own.
    fn home<'t>(&self, touched: &'t mut Vec<Touched>, untouched: Option<Touched>) -> Option<&'t mut Touched> {
        let is_open = |touched: &Touched| touched.file.size < self.open_file;
        let last = touched.iter().filter(|touched| is_open(touched)).map(|touched| &touched.file.max_key).max();
        let further = untouched.filter(|open| last.is_none_or(|last| *last < open.file.max_key));
        touched.extend(further);
        let open_ones = touched.iter_mut().filter(|touched| is_open(touched));
        open_ones.max_by(|one, other| one.file.max_key.cmp(&other.file.max_key))
    }

    /// The rows of `incoming` that are older than what this version of the table has.
    pub(super) async fn stale(&self, table: &Table, incoming: &RecordBatch) -> Result<Vec<u64>, EntityError> {
        let schema = widened(table.schema(), &self.missing_columns(table));
        Ok(self.survey(table, &schema, incoming, None).await?.outcomes.stale)
    }

    /// Compares the incoming rows with every file that can hold one of them, or another row of their parents.
    async fn survey(
        &self,
        table: &Table,
        schema: &SchemaRef,
        incoming: &RecordBatch,
        replaced: Option<&Replaced>,
    ) -> Result<Survey, EntityError> {
        let key = &self.order().key;
        let Some(first) = key.first() else { return Ok(Survey::default()) };
        let look = |file| self.look(table, file, schema, incoming, replaced);
        let looks: Vec<_> = table.files(first).await?.into_iter().map(look).collect();
        let mut looks = stream::iter(looks).buffered(at_once(incoming));
        let mut survey = Survey::default();
        while let Some((file, found)) = looks.try_next().await? {
            match found {
                Some((found, compared)) => survey.note(file, &found, compared, replaced, self.open_file),
                None => survey.leave(Touched { file, rows: Vec::new(), changed_columns: None }, self.open_file),
            }
        }
        survey.outcomes.stale.sort_unstable();
        Ok(survey)
    }

    /// Compares the incoming rows with one file; nothing, if it holds none of them, nor of their parents.
    async fn look(
        &self,
        table: &Table,
        file: DataFile,
        schema: &SchemaRef,
        incoming: &RecordBatch,
        replaced: Option<&Replaced>,
    ) -> Result<(DataFile, Option<(Matches, Compared)>), EntityError> {
        let key = &self.order().key;
        let mut found = matches(table, &file, key, incoming).await?;
        if let Some(replaced) = replaced {
            let others = matching::rows_of(table, &file, key, &replaced.column, &replaced.parents).await?;
            found.stored = matching::union(&found.stored, &others);
        }
        if found.stored.is_empty() {
            return Ok((file, None));
        }
        let compared = self.compare(table, &file, schema, incoming, &found, replaced).await?;
        Ok((file, Some((found, compared))))
    }

    async fn compare(
        &self,
        table: &Table,
        file: &DataFile,
        schema: &SchemaRef,
        incoming: &RecordBatch,
        found: &Matches,
        replaced: Option<&Replaced>,
    ) -> Result<Compared, EntityError> {
        let part = matching::rows(incoming, &found.incoming).map_err(|error| self.table_error(error))?;
        let mut comparison =
            Comparison::new(schema, self.order(), self.policy, &part).map_err(|error| self.table_error(error))?;
        if let Some(replaced) = replaced {
            comparison = comparison.replacing(replaced.clone());
        }
        let rows = Some(matching::ranges(&found.stored));
        let mut stored = table.read(file, Read { columns: None, rows, batch_size: COMPARED_ROWS }).await?;
        while let Some(batch) = stored.try_next().await? {
            comparison.push(&batch).map_err(|error| self.table_error(error))?;
        }
        Ok(comparison.finish())
    }

    pub(super) fn merger(
        &self,
        schema: &SchemaRef,
        incoming: &RecordBatch,
        replaced: Option<&Replaced>,
    ) -> Result<Merger, EntityError> {
        let merger =
            Merger::new(schema, self.order(), self.policy, incoming).map_err(|error| self.table_error(error))?;
        Ok(match replaced {
            Some(replaced) => merger.replacing(replaced.clone()),
            None => merger,
        })
    }

    /// Counts what rows that no file holds do, and leaves those that become rows.
    fn compare_new(
        &self,
        schema: &SchemaRef,
        incoming: &RecordBatch,
        inserts: &mut Vec<u64>,
    ) -> Result<MergeCounts, EntityError> {
        let part = matching::rows(incoming, inserts).map_err(|error| self.table_error(error))?;
        let compared = Comparison::new(schema, self.order(), self.policy, &part)
            .map_err(|error| self.table_error(error))?
            .finish();
        let mut changes = compared.changes.iter();
        inserts.retain(|_| changes.next().is_some_and(|change| change.is_real()));
        Ok(compared.counts)
    }
}

/// The schema of the table after the columns were added.
pub(super) fn widened(stored: &SchemaRef, add_columns: &[FieldRef]) -> SchemaRef {
    if add_columns.is_empty() {
        return Arc::clone(stored);
    }
    let fields: Vec<_> = stored.fields().iter().chain(add_columns).cloned().collect();
    Arc::new(arrow::datatypes::Schema::new(fields))
}

#[cfg(test)]
#[path = "upsert_tests.rs"]
mod tests;
