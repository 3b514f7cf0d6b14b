//! One entity of a run, from its plan to its last commit.
//!
//! The rule: reading goes ahead of committing by a bounded number of pages, and steps are taken in
//! the order of the plan, so that the cursor never passes what is not committed.

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use super::error::EntityError;
use super::loader::{Loader, Progress};
use super::progress::{Counted, EntityProgress};
use super::report::{EntityReport, Outcome, problems};
use super::server_time::ServerTime;
use super::state::StateKeeper;
use super::tables::{TableHome, backfill_id, cursor_id};
use crate::api::{ApiError, Pages};
use crate::catalog::{Access, Entity};
use crate::config::{Config, Pipeline};
use crate::extract::{self, Known, LookBack, Place, Plan, Read, Step, Walk, WalkError};
use crate::lake::{CommitNote, Lake, Table, Views};
use crate::table::TableSchema;
use crate::window::{Window, text};

/// Pages that may wait to be converted, so that reading goes on during a commit.
const PAGES_AHEAD: usize = 8;
/// How often history is planned anew because the boundary of search had moved on.
const MOST_PLANS: u32 = 20;

/// What is asked of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// What changed since the last run.
    Changes,
    /// Everything again, from the start.
    FullRefresh,
    /// What was updated in this window, apart from the cursor.
    Backfill(Window),
}

/// What all entities of a run share.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    pub(super) run: &'a str,
    pub(super) config: &'a Config,
    pub(super) lake: &'a Lake,
    pub(super) views: &'a Views,
    pub(super) pages: &'a dyn Pages,
    pub(super) state: &'a StateKeeper,
    pub(super) time: &'a ServerTime,
    /// Everything updated before this instant has settled at the source.
    pub(super) until: DateTime<Utc>,
    pub(super) goal: Goal,
}

/// One entity of a run.
pub(super) struct Load<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) entity: &'a Entity,
    pub(super) pipeline: &'a Pipeline,
    pub(super) progress: &'a EntityProgress,
}

/// What a load begins from.
#[derive(Clone, Copy)]
struct Begin {
    window: Option<Window>,
    rescan: bool,
    start: Start,
}

/// From where on a table is complete up to its cursor: not from an earlier start before the reading from there has
/// come to where the table was before, whatever is committed on the way.
#[derive(Debug, Clone, Copy)]
struct Start {
    start: DateTime<Utc>,
    former: Option<Former>,
}

/// What a table held before it was loaded from an earlier start.
#[derive(Debug, Clone, Copy)]
struct Former {
    start: DateTime<Utc>,
    cursor: DateTime<Utc>,
}

impl Start {
    fn new(start: DateTime<Utc>, known: Known) -> Self {
        let former = known.start.zip(known.cursor).map(|(start, cursor)| Former { start, cursor });
        Self { start, former }
    }

    /// The start that holds once everything before `reached` is committed.
    fn held_at(&self, reached: DateTime<Utc>) -> DateTime<Utc> {
        match self.former {
            Some(former) if former.start <= self.start || reached < former.cursor => former.start,
            _ => self.start,
        }
    }
}

/// How a load ended, as far as it got.
pub(super) struct Loaded {
    pub(super) report: EntityReport,
    pub(super) error: Option<EntityError>,
}

impl Load<'_> {
    /// Reads and commits; failing is part of the report.
    pub(super) async fn run(&self) -> Result<Loaded, EntityError> {
        let name = self.entity.name.as_str();
        let schema = TableSchema::new(self.entity);
        let home = TableHome::find(self.shared.lake, name).await?;
        if home.table().is_none() {
            // Someone removed the table. Once it exists again, what the state says would count for more than is there.
            self.shared.state.forget(name).await;
        }
        let begin = self.begin(&home).await?;
        let mut loader = Loader::new(home, &schema, self.pipeline, self.note(begin.window));
        let result = self.load(&mut loader, &schema, &begin).await.map_err(|error| self.naming_roles(error));
        let cursor = self.shared.state.cursor(name);
        let report = EntityReport {
            entity: self.entity.name.clone(),
            mode: self.pipeline.mode,
            outcome: if result.is_ok() { Outcome::Complete } else { Outcome::Failed },
            window: begin.window,
            rows: loader.rows,
            requests: self.progress.moment().requests,
            bytes: self.progress.moment().bytes,
            commits: loader.commits,
            version: loader.home.table().map(Table::version),
            cursor,
            problems: problems(&loader.problems),
            error: result.as_ref().err().map(ToString::to_string),
        };
        Ok(Loaded { report, error: result.err() })
    }

    /// What a run would read, and in which steps; nothing when there is nothing to read yet.
    pub(super) async fn planned(&self) -> Result<Option<(Window, Plan)>, EntityError> {
        let home = TableHome::find(self.shared.lake, self.entity.name.as_str()).await?;
        let window = self.begin(&home).await?.window;
        Ok(window.map(|window| (window, extract::plan(&self.entity.access, window, self.shared.time.present()))))
    }

    async fn load(&self, loader: &mut Loader, schema: &TableSchema, begin: &Begin) -> Result<(), EntityError> {
        if let Some(window) = begin.window {
            self.progress.reading(window);
            self.read_window(loader, window, begin.start).await?;
        }
        if loader.home.table().is_none() {
            self.show(&loader.home.open_or_create(schema).await?).await;
        }
        let rows = loader.home.rows().await?;
        self.shared.state.completed(self.entity.name.as_str(), begin.rescan, rows).await;
        Ok(())
    }

    /// The window to read, from what is known of the table.
    async fn begin(&self, home: &TableHome) -> Result<Begin, EntityError> {
        let source = &self.shared.config.source;
        let start = self.pipeline.start.or(source.start).unwrap_or(DateTime::UNIX_EPOCH);
        let until = self.shared.until;
        let name = self.entity.name.as_str();
        let known = self.known(home).await?;
        let held = Start::new(start, known);
        if matches!(self.entity.access, Access::Lists { .. }) {
            return Ok(Begin { window: Window::new(DateTime::UNIX_EPOCH, until), rescan: false, start: held });
        }
        let overlap = LookBack::Overlap(source.overlap);
        Ok(match self.shared.goal {
            Goal::Backfill(window) => {
                let done = home.committed(&backfill_id(&window)).await?;
                let done = done.max(self.shared.state.backfilled(name, &window).filter(|_| home.table().is_some()));
                let window = done.map_or(Some(window), |done| window.since(done));
                Begin { window, rescan: false, start: held }
            }
            Goal::FullRefresh => Begin {
                window: extract::run_window(Known::default(), start, overlap, until),
                rescan: true,
                start: held,
            },
            Goal::Changes => {
                let rescan = self.shared.state.rescan_is_due(name, source.rescan.every);
                let look_back =
                    if rescan { LookBack::Rescan(source.rescan.reach.max(source.overlap)) } else { overlap };
                Begin { window: extract::run_window(known, start, look_back, until), rescan, start: held }
            }
        })
    }

    /// What the table's log and the state file know together; without a table, nothing is known.
    async fn known(&self, home: &TableHome) -> Result<Known, EntityError> {
        if home.table().is_none() {
            return Ok(Known::default());
        }
        let name = self.entity.name.as_str();
        let cursor = home.committed(&cursor_id()).await?.max(self.shared.state.cursor(name));
        // Each is complete from its start to its cursor, and they overlap: the earlier start holds for both.
        let start = [home.start().await?, self.shared.state.start(name)].into_iter().flatten().min();
        let newest = home.newest("updated_at").await?;
        Ok(Known { cursor, newest, start: cursor.map(|_| start.unwrap_or(DateTime::UNIX_EPOCH)) })
    }

    async fn read_window(&self, loader: &mut Loader, window: Window, start: Start) -> Result<(), EntityError> {
        let mut window = window;
        for _ in 0..MOST_PLANS {
            let plan = extract::plan(&self.entity.access, window, self.shared.time.present());
            match self.follow(loader, &plan, start).await? {
                None => return Ok(()),
                Some(left) => window = left,
            }
        }
        Err(EntityError::Overtaken(self.entity.name.clone()))
    }

    /// Takes the steps of a plan; gives back what is left of the window when the plan no longer holds.
    async fn follow(&self, loader: &mut Loader, plan: &Plan, start: Start) -> Result<Option<Window>, EntityError> {
        for (at, step) in plan.steps.iter().enumerate() {
            self.take(loader, step, start).await?;
            let history = matches!(step.place, Place::Archive | Place::List);
            let rest = plan.steps.get(at + 1);
            if history && rest.is_some() && !plan.holds_at(self.shared.time.present()) {
                return Ok(rest.map(|rest| rest.window));
            }
        }
        Ok(None)
    }

    /// Reads one step to its end, committing on the way. What was read before a failure is committed as well.
    async fn take(&self, loader: &mut Loader, step: &Step, start: Start) -> Result<(), EntityError> {
        let pages = Counted { pages: self.shared.pages, progress: self.progress };
        let (sender, receiver) = mpsc::channel::<Read>(PAGES_AHEAD);
        let read = async move {
            let mut walk = Walk::begin(&self.entity.access, step)?;
            while let Some(read) = walk.next(&pages).await? {
                if sender.send(read).await.is_err() {
                    break;
                }
            }
            Ok::<_, EntityError>(())
        };
        let moves_cursor = step.progress == extract::Progress::Cursor;
        let progress = |reached| Some(reached).filter(|reached| moves_cursor && *reached > step.window.from());
        let taking = &mut *loader;
        let write = async move {
            // Owned here, so that a failure closes the channel and the walk ends too.
            let (loader, mut reads) = (taking, receiver);
            let mut reached = step.window.from();
            while let Some(read) = reads.recv().await {
                loader.take(read.records, self.shared.time.now()).await?;
                reached = read.reached;
                self.progress.reached(reached);
                if loader.is_full() {
                    self.flush(loader, progress(reached), start).await?;
                }
            }
            Ok::<_, EntityError>(reached)
        };
        let (read, written) = tokio::join!(read, write);
        let reached = written?;
        if read.is_ok() || (loader.takes_parts() && !loader.is_empty()) {
            self.flush(loader, progress(reached), start).await?;
        }
        read
    }

    /// Commits what was collected and then tells the state file, which may lag but never lead.
    async fn flush(
        &self,
        loader: &mut Loader,
        reached: Option<DateTime<Utc>>,
        start: Start,
    ) -> Result<(), EntityError> {
        let name = self.entity.name.as_str();
        let reached = reached.map(|reached| reached.min(self.shared.until));
        let progress = reached.map(|reached| match self.shared.goal {
            Goal::Backfill(window) => Progress { id: backfill_id(&window), reached, start: None },
            Goal::Changes | Goal::FullRefresh => {
                Progress { id: cursor_id(), reached, start: Some(start.held_at(reached)) }
            }
        });
        let is_new = loader.home.table().is_none();
        let committed = loader.flush(progress.as_ref()).await?;
        // A table that was made just now shows, even without a row.
        if let Some(table) = committed.as_ref().or(loader.home.table().filter(|_| is_new)) {
            self.show(table).await;
        }
        let Some(reached) = reached else { return Ok(()) };
        match self.shared.goal {
            Goal::Backfill(window) => self.shared.state.backfill_reached(name, &window, reached).await,
            Goal::Changes | Goal::FullRefresh => {
                self.shared.state.reached(name, reached, start.held_at(reached)).await;
            }
        }
        Ok(())
    }

    /// A refusal says that a role is missing; which one, only the catalogue knows.
    fn naming_roles(&self, error: EntityError) -> EntityError {
        match error {
            EntityError::Walk(WalkError::Api(ApiError::Forbidden(failure))) => {
                EntityError::MissingRole { failure, roles: self.entity.needed_roles() }
            }
            error => error,
        }
    }

    /// Rewrites `views.sql`, which may lag behind the tables.
    async fn show(&self, table: &Table) {
        if let Err(error) = self.shared.views.committed(table).await {
            tracing::warn!(%error, "views.sql was not written; the tables themselves are complete");
        }
    }

    fn note(&self, window: Option<Window>) -> CommitNote {
        let mut note = CommitNote::default();
        note.facts.insert("run".to_owned(), self.shared.run.to_owned());
        note.facts.insert("mode".to_owned(), self.pipeline.mode.to_string());
        if let Some(window) = window {
            note.facts.insert("from".to_owned(), text(window.from()));
            note.facts.insert("until".to_owned(), text(window.until()));
        }
        note
    }
}
