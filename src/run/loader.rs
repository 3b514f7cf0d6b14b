//! From pages to commits: converts, collects, and flushes what was collected into the table.
//!
//! The rule: what is collected is bounded, and a cursor is committed only together with, or after,
//! every row that it covers.

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};

use super::error::EntityError;
use super::replace::Replace;
use super::report::Rows;
use super::tables::TableHome;
use super::upsert::{Prepared, Upsert};
use crate::api::Record;
use crate::catalog::Mode;
use crate::config::{Deletes, Pipeline};
use crate::lake::{CommitNote, CommitOutcome, Table, TransactionId};
use crate::table::{self, Converted, Converter, MergePolicy, Problems, TableSchema, newest_by_key};

/// Rows that are collected before they are committed: a full row group.
const FLUSH_ROWS: usize = 100_000;
/// Bytes of Arrow memory that are collected before they are committed.
const FLUSH_BYTES: usize = 64 * 1024 * 1024;
/// How often a commit is planned anew because another writer was faster.
const MOST_CONFLICTS: u32 = 20;

/// How far a table's data reach, to be committed with them.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) id: TransactionId,
    pub(super) reached: DateTime<Utc>,
    /// Where the reading began, so that an earlier start date is noticed.
    pub(super) start: Option<DateTime<Utc>>,
}

/// Takes the records of one entity into its table.
pub(super) struct Loader {
    converter: Arc<Converter>,
    schema: TableSchema,
    way: Way,
    collected: Vec<RecordBatch>,
    rows_collected: usize,
    bytes_collected: usize,
    note: CommitNote,
    pub(super) home: TableHome,
    pub(super) rows: Rows,
    pub(super) commits: u64,
    pub(super) problems: Problems,
}

/// How rows enter the table.
enum Way {
    Upsert(Upsert),
    Replace(Replace),
}

impl Loader {
    pub(super) fn new(home: TableHome, schema: &TableSchema, pipeline: &Pipeline, note: CommitNote) -> Self {
        let unknown = match pipeline.unknown_attributes {
            crate::config::UnknownAttributes::Extra => table::UnknownAttributes::Extra,
            crate::config::UnknownAttributes::Ignore => table::UnknownAttributes::Ignore,
            crate::config::UnknownAttributes::Fail => table::UnknownAttributes::Fail,
        };
        let deletes = match pipeline.deletes {
            Deletes::Soft => table::Deletes::Soft,
            Deletes::Hard => table::Deletes::Hard,
        };
        let way = match pipeline.mode {
            Mode::Append => Way::Upsert(Upsert::new(schema, MergePolicy::Append)),
            Mode::Update => Way::Upsert(Upsert::new(schema, MergePolicy::Update(deletes))),
            Mode::Replace => Way::Replace(Replace::new(schema)),
        };
        Self {
            converter: Arc::new(Converter::new(schema, unknown)),
            schema: schema.clone(),
            way,
            collected: Vec::new(),
            rows_collected: 0,
            bytes_collected: 0,
            note,
            home,
            rows: Rows::default(),
            commits: 0,
            problems: Problems::default(),
        }
    }

    /// Whether what is collected should be flushed.
    pub(super) const fn is_full(&self) -> bool {
        self.takes_parts() && (self.rows_collected >= FLUSH_ROWS || self.bytes_collected >= FLUSH_BYTES)
    }

    /// Whether nothing is collected.
    pub(super) const fn is_empty(&self) -> bool {
        self.rows_collected == 0
    }

    /// Whether a part of what was read may be committed. A replacement may not: it is complete or nothing.
    pub(super) const fn takes_parts(&self) -> bool {
        matches!(self.way, Way::Upsert(_))
    }

    /// Converts records and collects them.
    pub(super) async fn take(&mut self, records: Vec<Record>, extracted_at: DateTime<Utc>) -> Result<(), EntityError> {
        if records.is_empty() {
            return Ok(());
        }
        self.rows.read += records.len() as u64;
        let converter = Arc::clone(&self.converter);
        let convert = move || {
            let raw: Vec<&[u8]> = records.iter().map(|record| record.json.as_ref()).collect();
            converter.convert(&raw, extracted_at)
        };
        let Converted { batch, problems, without_key, .. } = self.on_cpu(convert).await??;
        self.problems.absorb(problems);
        if !without_key.is_empty() {
            return Err(EntityError::WithoutKey {
                entity: self.schema.entity().clone(),
                count: without_key.len(),
                key: self.schema.order().key.join(", "),
            });
        }
        self.rows_collected += batch.num_rows();
        self.bytes_collected += batch.get_array_memory_size();
        self.collected.push(batch);
        Ok(())
    }

    /// Commits what was collected, and how far it reaches; gives the new version. What changes nothing makes none.
    pub(super) async fn flush(&mut self, progress: Option<&Progress>) -> Result<Option<Table>, EntityError> {
        let incoming = self.newest().await?;
        for _ in 0..MOST_CONFLICTS {
            let table = self.home.open_or_create(&self.schema).await?;
            let Prepared { mut change, counts } = match &self.way {
                Way::Upsert(upsert) => upsert.prepare(&table, &incoming).await?,
                Way::Replace(replace) => replace.prepare(&table, &incoming).await?,
            };
            if change.add.is_empty() && change.remove.is_empty() {
                self.count(counts);
                return Ok(None);
            }
            change.transactions = self.home.transactions(&table, progress).await?;
            change.note = self.noted(counts);
            match table.commit(change).await? {
                CommitOutcome::Committed(table) => {
                    tracing::info!(
                        table = %table.name(), version = table.version(), inserted = counts.inserted,
                        updated = counts.updated, deleted = counts.deleted, "committed"
                    );
                    self.home.moved_to(table.clone());
                    self.commits += 1;
                    self.count(counts);
                    return Ok(Some(table));
                }
                CommitOutcome::Conflict(table) => {
                    tracing::info!(table = %table.name(), version = table.version(), "another writer committed first; planning anew");
                    self.home.moved_to(table);
                }
            }
        }
        Err(EntityError::Crowded(self.schema.entity().clone(), MOST_CONFLICTS))
    }

    /// One sorted batch of what was collected, the newest copy of each row.
    async fn newest(&mut self) -> Result<RecordBatch, EntityError> {
        let collected = std::mem::take(&mut self.collected);
        (self.rows_collected, self.bytes_collected) = (0, 0);
        let schema = self.schema.clone();
        let sort = move || newest_by_key(schema.arrow(), schema.order(), collected);
        let table = self.schema.entity().clone();
        self.on_cpu(sort).await?.map_err(|error| EntityError::Table { table, error })
    }

    async fn on_cpu<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, EntityError> {
        let broken = |_| EntityError::Broken(self.schema.entity().clone());
        tokio::task::spawn_blocking(work).await.map_err(broken)
    }

    fn count(&mut self, counts: table::MergeCounts) {
        self.rows.inserted += counts.inserted;
        self.rows.updated += counts.updated;
        self.rows.deleted += counts.deleted;
        self.rows.unchanged += counts.unchanged + counts.stale;
    }

    fn noted(&self, counts: table::MergeCounts) -> CommitNote {
        let mut note = self.note.clone();
        for (name, count) in [("inserted", counts.inserted), ("updated", counts.updated), ("deleted", counts.deleted)] {
            note.counts.insert(name.to_owned(), count);
        }
        note
    }
}
