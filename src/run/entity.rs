//! One entity of a run, from its plan to its last commit.
//!
//! The rule: steps are taken in the order of the plan, each to its end, so that the cursor never passes what is not
//! committed.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::custom::Attributes;
use super::discovery::Discovery;
use super::done::Reports;
use super::error::EntityError;
use super::family::{Agreement, Elements, Family};
use super::job::Job;
use super::loader::Loader;
use super::progress::{Counted, EntityProgress, Moment};
use super::report::{EntityReport, Skipped};
use super::server_time::ServerTime;
use super::start::Start;
use super::state::StateKeeper;
use super::tables::{Reached, TableHome, backfill_id, cursor_id};
use crate::api::{ApiError, Pages};
use crate::catalog::{Catalog, Entity};
use crate::config::Config;
use crate::extract::{self, Known, LookBack, Place, Plan, WalkError};
use crate::lake::{CommitNote, Lake, Table, Views};
use crate::window::Window;

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
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared<'a> {
    pub(super) run: &'a str,
    pub(super) config: &'a Config,
    pub(super) catalog: &'a Catalog,
    pub(super) lake: &'a Lake,
    pub(super) views: &'a Views,
    pub(super) pages: &'a dyn Pages,
    pub(super) state: &'a StateKeeper,
    pub(super) reports: &'a Reports,
    pub(super) discovery: &'a Discovery,
    pub(super) time: &'a ServerTime,
    /// Everything updated before this instant has settled at the source.
    pub(super) until: DateTime<Utc>,
    pub(super) goal: Goal,
    /// Rows that are collected before they are committed, at most.
    pub(super) part_rows: usize,
}

/// One entity of a run.
pub(super) struct Load<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) job: &'a Job,
    pub(super) progress: &'a EntityProgress,
    /// How things stood before it began.
    pub(super) before: Moment,
}

impl<'a> Load<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, job: &'a Job, progress: &'a EntityProgress) -> Self {
        Self { shared, job, progress, before: progress.moment() }
    }
}

/// What a load begins from.
#[derive(Clone, Copy)]
struct Begin {
    window: Option<Window>,
    rescan: bool,
}

/// How a load ended, as far as it got.
pub(super) struct Loaded {
    /// Each table, with the line of the configuration that it belongs to.
    pub(super) reports: Vec<(usize, EntityReport)>,
    pub(super) error: Option<EntityError>,
}

impl Load<'_> {
    /// Reads and commits; failing is part of the report.
    pub(super) async fn run(&self) -> Result<Loaded, EntityError> {
        let pages = Counted { pages: self.shared.pages, progress: self.progress };
        let (mut family, known) = self.open(self.job, &pages).await.map_err(|error| self.naming_roles(error))?;
        let begin = self.begin(known);
        if let Some(window) = begin.window {
            family.loaders_mut().into_iter().for_each(|loader| loader.note_window(window));
        }
        let mut under_way = self.under_way(family, begin.window);
        let result = self.load(&mut under_way.family, &begin, &mut under_way.skipped).await;
        Ok(under_way.end(result.map_err(|error| self.naming_roles(error))))
    }

    /// Opens the tables of a job, and tells from where all of them together go on.
    pub(super) fn open<'a>(
        &'a self,
        job: &'a Job,
        pages: &'a dyn Pages,
    ) -> BoxFuture<'a, Result<(Family, Known), EntityError>> {
        async move {
            let name = job.entity.name.as_str();
            let home = TableHome::find(self.shared.lake, name).await?;
            if home.table().is_none() {
                // Someone removed the table. Once it exists again, what the state says would count for more than is there.
                self.shared.state.forget(name).await;
            }
            let attributes = Attributes::of(&job.entity, self.shared, pages).await?;
            let known = self.known(&home, &job.entity).await?;
            let start = Start::new(self.start_date(), known);
            let hash_key = self.shared.config.hash_key.as_ref();
            let loader = Loader::new(job, home, start, attributes, hash_key, self.note(), self.shared.part_rows)?;
            let record_key = job.entity.key.first().map_or("", String::as_str);
            let (mut elements, mut together) = (Vec::new(), known);
            for job in &job.elements {
                let (family, behind) = self.open(job, pages).await?;
                let is_behind = behind.cursor.is_none() || behind.cursor < known.cursor;
                // Everything again means the elements, too.
                let sure = !is_behind && self.shared.goal != Goal::FullRefresh;
                let agreement = if sure { Agreement::Sure } else { Agreement::Open };
                together = together.together(behind);
                elements.extend(Elements::new(family, record_key, agreement));
            }
            Ok((Family { loader, elements }, together))
        }
        .boxed()
    }

    /// What a run would read, and in which steps; nothing when there is nothing to read yet.
    pub(super) async fn planned(&self) -> Result<Option<(Window, Plan)>, EntityError> {
        let mut known = Vec::new();
        for job in self.job.all() {
            let home = TableHome::find(self.shared.lake, job.entity.name.as_str()).await?;
            known.push(self.known(&home, &job.entity).await?);
        }
        let window = known.into_iter().reduce(Known::together).and_then(|known| self.begin(known).window);
        Ok(window.map(|window| (window, extract::plan(&self.job.entity.access, window, self.shared.time.present()))))
    }

    async fn load(&self, family: &mut Family, begin: &Begin, skipped: &mut Skipped) -> Result<(), EntityError> {
        let mut reached = None;
        if let Some(window) = begin.window {
            self.progress.reading(window);
            reached = self.read_window(family, window, skipped).await?;
        }
        let rescan = begin.rescan;
        for (at, loader) in family.loaders_mut().into_iter().enumerate() {
            if loader.create().await? {
                self.show(loader.home.table()).await;
            }
            // The log of a table of elements says how far it is even if no record has had any.
            if let Some(reached) = reached.as_ref().filter(|_| at > 0) {
                loader.commit_first_progress(reached).await?;
            }
            let rows = loader.home.rows().await?;
            self.shared.state.completed(loader.name(), rescan, rows).await;
        }
        Ok(())
    }

    fn start_date(&self) -> DateTime<Utc> {
        self.job.pipeline.start.or(self.shared.config.source.start).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The window to read, from what is known of the tables.
    fn begin(&self, known: Known) -> Begin {
        let (source, start, until) = (&self.shared.config.source, self.start_date(), self.shared.until);
        let name = self.job.entity.name.as_str();
        if self.job.entity.access.is_whole() {
            return Begin { window: Window::new(DateTime::UNIX_EPOCH, until), rescan: false };
        }
        let overlap = LookBack::Overlap(source.overlap);
        match self.shared.goal {
            Goal::Backfill(window) => {
                let window = known.cursor.map_or(Some(window), |done| window.since(done));
                Begin { window, rescan: false }
            }
            Goal::FullRefresh => {
                Begin { window: extract::run_window(Known::default(), start, overlap, until), rescan: true }
            }
            Goal::Changes => {
                let rescan = self.shared.state.rescan_is_due(name, source.rescan.every);
                let look_back =
                    if rescan { LookBack::Rescan(source.rescan.reach.max(source.overlap)) } else { overlap };
                Begin { window: extract::run_window(known, start, look_back, until), rescan }
            }
        }
    }

    /// What the table's log and the state file know together; without a table, nothing is known. During a backfill,
    /// what they know of that backfill.
    pub(super) async fn known(&self, home: &TableHome, entity: &Entity) -> Result<Known, EntityError> {
        if home.table().is_none() {
            return Ok(Known::default());
        }
        let name = entity.name.as_str();
        if let Goal::Backfill(window) = self.shared.goal {
            let done = home.committed(&backfill_id(&window)).await?.max(self.shared.state.backfilled(name, &window));
            return Ok(Known { cursor: done, newest: None, start: None });
        }
        let cursor = home.committed(&cursor_id()).await?.max(self.shared.state.cursor(name));
        // Each is complete from its start to its cursor, and they overlap: the earlier start holds for both.
        let start = [home.start().await?, self.shared.state.start(name)].into_iter().flatten().min();
        let newest = match &entity.cursor {
            Some(column) => home.newest(column).await?,
            None => None,
        };
        Ok(Known { cursor, newest, start: cursor.map(|_| start.unwrap_or(DateTime::UNIX_EPOCH)) })
    }

    async fn read_window(
        &self,
        family: &mut Family,
        window: Window,
        skipped: &mut Skipped,
    ) -> Result<Option<Reached>, EntityError> {
        let mut window = window;
        for _ in 0..MOST_PLANS {
            let plan = extract::plan(&self.job.entity.access, window, self.shared.time.present());
            match self.follow(family, &plan, skipped).await? {
                Followed::Whole(reached) => return Ok(reached),
                Followed::Left(left) => window = left,
            }
        }
        Err(EntityError::Overtaken(self.job.entity.name.clone()))
    }

    /// Takes the steps of a plan, unless the plan no longer holds.
    async fn follow(&self, family: &mut Family, plan: &Plan, skipped: &mut Skipped) -> Result<Followed, EntityError> {
        let mut reached = None;
        for (at, step) in plan.steps.iter().enumerate() {
            reached = self.take(family, step, skipped).await?.or(reached);
            let history = matches!(step.place, Place::Archive | Place::List);
            let rest = plan.steps.get(at + 1);
            if let Some(rest) = rest.filter(|_| history && !plan.holds_at(self.shared.time.present())) {
                return Ok(Followed::Left(rest.window));
            }
        }
        Ok(Followed::Whole(reached))
    }

    pub(super) fn reached(&self, instant: DateTime<Utc>) -> Reached {
        let instant = instant.min(self.shared.until);
        match self.shared.goal {
            Goal::Backfill(window) => Reached { id: backfill_id(&window), instant, moves_start: false },
            Goal::Changes | Goal::FullRefresh => Reached { id: cursor_id(), instant, moves_start: true },
        }
    }

    /// Commits what was collected and then tells the state file, which may lag but never lead.
    pub(super) async fn flush(&self, family: &mut Family, reached: Option<DateTime<Utc>>) -> Result<(), EntityError> {
        let reached = reached.map(|reached| self.reached(reached));
        let before: Vec<_> = family.loaders().iter().map(|loader| loader.home.version()).collect();
        let flushed = family.flush(reached.as_ref(), self.shared.time.now()).await;
        // A table that was made just now shows, even without a row.
        let changed =
            family.loaders().into_iter().zip(before).filter(|(loader, before)| loader.home.version() != *before);
        self.show(changed.filter_map(|(loader, _)| loader.home.table())).await;
        flushed?;
        let Some(reached) = reached else { return Ok(()) };
        for loader in family.loaders() {
            let (name, instant) = (loader.name(), reached.instant);
            match self.shared.goal {
                Goal::Backfill(window) => self.shared.state.backfill_reached(name, &window, instant),
                Goal::Changes | Goal::FullRefresh => {
                    self.shared.state.reached(name, instant, loader.start.held_at(instant));
                }
            }
        }
        self.shared.state.save().await;
        Ok(())
    }

    /// A refusal says that a role is missing; which one, only the catalogue knows.
    pub(super) fn naming_roles(&self, error: EntityError) -> EntityError {
        match error {
            EntityError::Walk(WalkError::Api(ApiError::Forbidden(failure))) => {
                EntityError::MissingRole { failure, roles: self.job.entity.needed_roles() }
            }
            error => error,
        }
    }

    /// Rewrites `views.sql`, which may lag behind the tables.
    pub(super) async fn show<'t>(&self, tables: impl IntoIterator<Item = &'t Table>) {
        if let Err(error) = self.shared.views.committed(tables).await {
            tracing::warn!(%error, "views.sql was not written; the tables themselves are complete");
        }
    }

    pub(super) fn note(&self) -> CommitNote {
        let mut note = CommitNote::default();
        note.facts.insert("run".to_owned(), self.shared.run.to_owned());
        note
    }
}

/// How far a plan was followed.
enum Followed {
    /// To its end; what it reached.
    Whole(Option<Reached>),
    /// It no longer holds for this rest of the window.
    Left(Window),
}
