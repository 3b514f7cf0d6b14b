//! From parts to commits: flushes what was collected into the table.
//!
//! The rule: a cursor is committed only together with, or after, every row that it covers.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::custom::{self, Attributes};
use super::error::EntityError;
use super::flushed::{Attempt, Committed, Flushed};
use super::instants;
use super::intake::{Intake, Pace, Part, Parts};
use super::job::Job;
use super::replace::Replace;
use super::report::Rows;
use super::start::Start;
use super::tables::{Progress, Reached, TableHome};
use super::upsert::{Prepared, Upsert};
use crate::catalog::{Access, Mode};
use crate::config::Deletes;
use crate::cpu::off_thread;
use crate::lake::{CommitNote, CommitOutcome, Table};
use crate::resource::Resource;
use crate::table::{self, MergePolicy, Problems, Replaced, TableError, TableSchema, newest_by_key};
use crate::window::{Window, text};

/// How often a commit is planned anew because another writer was faster.
pub(super) const MOST_CONFLICTS: u32 = 20;

/// Takes records into one table.
pub(super) struct Loader {
    pub(super) job: Job,
    pub(super) start: Start,
    pub(super) home: TableHome,
    pub(super) rows: Rows,
    pub(super) commits: u64,
    pub(super) problems: Problems,
    /// Columns that were added to a table that was there before.
    pub(super) new_columns: Vec<String>,
    intake: Intake,
    collected: Part,
    note: CommitNote,
}

/// How rows enter the table.
enum Way {
    Upsert(Upsert),
    Replace(Replace),
}

impl Loader {
    /// A loader of the job's table, which exists or does not yet.
    ///
    /// # Errors
    /// Columns that cannot be treated as asked; the configuration has refused what it could.
    pub(super) fn new(
        job: &Job,
        home: TableHome,
        start: Start,
        attributes: Attributes,
        hash_key: Option<&SecretString>,
        note: CommitNote,
        part_rows: usize,
    ) -> Result<Self, EntityError> {
        let treatments = custom::treatments(&job.pipeline, hash_key);
        let of = |element: &Job| match &element.entity.access {
            Access::Elements { of, .. } => Some(of.clone()),
            _ => None,
        };
        let schema = TableSchema::new(&job.entity).with_treatments(treatments)?;
        let schema = schema.with_elements(job.elements.iter().filter_map(of).collect());
        let schema = attributes.described(&schema, home.table());
        let pace = if home.table().is_none() { Pace::AtOnce } else { Pace::ByTurns };
        let mut loader = Self {
            job: job.clone(),
            start,
            home,
            rows: Rows::default(),
            commits: 0,
            problems: Problems::default(),
            new_columns: Vec::new(),
            intake: Intake::new(job, schema, attributes, Parts { pace, rows: part_rows }),
            collected: Part::default(),
            note,
        };
        loader.note.facts.insert("mode".to_owned(), job.pipeline.mode.to_string());
        Ok(loader)
    }

    /// Name of the entity and of its table.
    pub(super) fn name(&self) -> &str {
        self.job.entity.name.as_str()
    }

    /// The columns that may say something about a person.
    pub(super) fn personal(&self) -> BTreeSet<String> {
        self.intake.schema().personal()
    }

    pub(super) fn table_error(&self, error: TableError) -> EntityError {
        EntityError::Table { table: self.job.entity.name.clone(), error }
    }

    /// The window that was read, for the notes of commits.
    pub(super) fn note_window(&mut self, window: Window) {
        self.note.facts.insert("from".to_owned(), text(window.from()));
        self.note.facts.insert("until".to_owned(), text(window.until()));
    }

    /// The newest known version of the table; the table is made if there is none.
    pub(super) async fn table(&mut self) -> Result<Table, EntityError> {
        Ok(self.home.open_or_create(self.intake.schema()).await?)
    }

    fn visible(&self, rows: &RecordBatch) -> Result<RecordBatch, EntityError> {
        self.intake.schema().visible(rows).map_err(|error| self.table_error(error))
    }

    /// Whether what is collected should be flushed.
    pub(super) fn is_full(&self) -> bool {
        self.intake.is_full(&self.collected)
    }

    /// Whether nothing is collected.
    pub(super) const fn is_empty(&self) -> bool {
        self.collected.is_empty()
    }

    /// Whether a part of what was read may be committed.
    pub(super) fn takes_parts(&self) -> bool {
        self.intake.gives_parts()
    }

    fn way(&self) -> Way {
        Way::of(&self.job, self.intake.schema())
    }

    /// What turns records into rows of the table.
    pub(super) const fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Converts records and collects them.
    pub(super) async fn take(
        &mut self,
        records: Vec<Resource>,
        extracted_at: DateTime<Utc>,
    ) -> Result<(), EntityError> {
        let taken = self.intake.take(&mut self.collected, records, extracted_at).await;
        self.tell();
        taken
    }

    /// Takes up what was collected elsewhere, by an intake that may have met more columns.
    pub(super) fn put(&mut self, part: Part, intake: &Intake) {
        self.collected = part;
        self.intake.clone_from(intake);
        self.tell();
    }

    fn tell(&mut self) {
        self.rows.read += std::mem::take(&mut self.collected.read);
        self.problems.absorb(std::mem::take(&mut self.collected.problems));
    }

    /// Commits what was collected, and how far it reaches. What changes nothing makes no commit.
    ///
    /// With `replaced`, what was collected are all rows of these parents.
    pub(super) async fn flush(
        &mut self,
        reached: Option<&Reached>,
        replaced: Option<&Replaced>,
    ) -> Result<Flushed, EntityError> {
        let incoming = self.newest().await?;
        let mut others = Committed::Next;
        for _ in 0..MOST_CONFLICTS {
            let table = self.table().await?;
            match self.commit(&table, &incoming, reached, replaced).await? {
                Attempt::Nothing(outcomes) => {
                    return Ok(Flushed { incoming, table, outcomes, committed: Committed::Nothing });
                }
                Attempt::Committed(table, outcomes) => {
                    return Ok(Flushed { incoming, table, outcomes, committed: others });
                }
                Attempt::Conflict => others = Committed::AfterOthers,
            }
        }
        Err(self.crowded())
    }

    pub(super) fn crowded(&self) -> EntityError {
        EntityError::Crowded(self.job.entity.name.clone(), MOST_CONFLICTS)
    }

    /// One try to commit `incoming` on this version.
    pub(super) async fn commit(
        &mut self,
        table: &Table,
        incoming: &RecordBatch,
        reached: Option<&Reached>,
        replaced: Option<&Replaced>,
    ) -> Result<Attempt, EntityError> {
        let later = instants::after(self.visible(incoming)?, table).await?;
        let Prepared { mut change, counts, outcomes } = match self.way() {
            Way::Upsert(upsert) => upsert.prepare(table, &later, replaced).await?,
            Way::Replace(replace) => replace.prepare(table, &later).await?,
        };
        if change.add.is_empty() && change.remove.is_empty() && change.add_columns.is_empty() {
            self.count(counts);
            return Ok(Attempt::Nothing(outcomes));
        }
        let progress = reached.map(|reached| self.progress(reached));
        change.transactions = self.home.transactions(table, progress.as_ref()).await?;
        change.note = self.noted(counts);
        let new_columns: Vec<String> = change.add_columns.iter().map(|column| column.name().clone()).collect();
        match table.commit(change).await? {
            CommitOutcome::Committed(table) => {
                if !new_columns.is_empty() && !self.start.is_first() {
                    tracing::info!(table = %table.name(), columns = new_columns.join(", "), "the table has new columns");
                    self.new_columns.extend(new_columns);
                }
                tracing::info!(
                    table = %table.name(), version = table.version(), inserted = counts.inserted,
                    updated = counts.updated, deleted = counts.deleted, "committed"
                );
                self.home.moved_to(table.clone());
                self.commits += 1;
                self.count(counts);
                Ok(Attempt::Committed(table, outcomes))
            }
            CommitOutcome::Conflict(table) => {
                tracing::info!(table = %table.name(), version = table.version(), "another writer committed first; planning anew");
                self.home.moved_to(table);
                Ok(Attempt::Conflict)
            }
        }
    }

    /// Which rows of `incoming` are older than those of this version of the table.
    pub(super) async fn stale_in(&self, table: &Table, incoming: &RecordBatch) -> Result<Vec<u64>, EntityError> {
        match self.way() {
            Way::Upsert(upsert) => upsert.stale(table, &self.visible(incoming)?).await,
            Way::Replace(_) => Ok(Vec::new()),
        }
    }

    /// Makes the table, if there is none yet; says whether there was none.
    pub(super) async fn create(&mut self) -> Result<bool, EntityError> {
        let is_new = self.home.table().is_none();
        self.table().await?;
        Ok(is_new)
    }

    /// Commits progress alone where the log has none at all: without rows, nothing else would tell of it once the
    /// state file is lost.
    pub(super) async fn commit_first_progress(&mut self, reached: &Reached) -> Result<(), EntityError> {
        let Some(table) = self.home.table().cloned() else { return Ok(()) };
        if table.transaction(&reached.id).await?.is_some() {
            return Ok(());
        }
        let transactions = self.home.transactions(&table, Some(&self.progress(reached))).await?;
        let note = self.noted(table::MergeCounts::default());
        let change = crate::lake::Change { transactions, note, ..crate::lake::Change::default() };
        match table.commit(change).await? {
            CommitOutcome::Committed(table) => {
                self.home.moved_to(table);
                self.commits += 1;
            }
            CommitOutcome::Conflict(table) => self.home.moved_to(table),
        }
        Ok(())
    }

    fn progress(&self, reached: &Reached) -> Progress {
        let start = reached.moves_start.then(|| self.start.held_at(reached.instant));
        Progress { id: reached.id.clone(), reached: reached.instant, start }
    }

    /// One sorted batch of what was collected, the newest copy of each row.
    pub(super) async fn newest(&mut self) -> Result<RecordBatch, EntityError> {
        let collected = std::mem::take(&mut self.collected).batches;
        let schema = self.intake.schema().clone();
        let sort = move || newest_by_key(schema.wide(), schema.order(), collected);
        self.on_cpu(sort).await?.map_err(|error| self.table_error(error))
    }

    pub(super) async fn on_cpu<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EntityError> {
        let broken = |_| EntityError::Broken(self.job.entity.name.clone());
        off_thread(work).await.map_err(broken)
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

impl Way {
    fn of(job: &Job, schema: &TableSchema) -> Self {
        match job.pipeline.mode {
            Mode::Append => Self::Upsert(Upsert::new(schema, MergePolicy::Append)),
            Mode::Update => Self::Upsert(Upsert::new(schema, MergePolicy::Update(deletes(job)))),
            Mode::Replace => Self::Replace(Replace::new(schema)),
        }
    }
}

pub(super) const fn deletes(job: &Job) -> table::Deletes {
    match job.pipeline.deletes {
        Deletes::Soft => table::Deletes::Soft,
        Deletes::Hard => table::Deletes::Hard,
    }
}
