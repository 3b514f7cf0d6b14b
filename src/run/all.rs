//! A whole run: what must hold before it, all its entities, and what it tells at the end.
//!
//! The rule: one entity's failure leaves the others alone; what no entity can do without ends the run,
//! and whatever is committed by then stays.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use futures::StreamExt;

use super::afterwards::Afterwards;
use super::budget;
use super::discovery::{Discovery, Klass};
use super::done::{Done, Failed, Reports};
use super::entity::{Goal, Load, Shared};
use super::error::RunError;
use super::exit::Exit;
use super::held::Held;
use super::job::{Job, Jobs};
use super::klasses;
use super::progress::{Counted, EntityProgress, Phase};
use super::reconcile::Repair;
use super::report::{Report, Requests};
use super::session::{self, World};
use crate::api::{Client, Usage};
use crate::catalog::{self, Access, Catalog};
use crate::config::{Config, Pipeline};
use crate::lake::{Lake, Lease, LeaseTiming, Views};
use crate::window::Window;

/// What was asked for.
#[derive(Debug, Clone)]
pub enum Command {
    /// What changed since the last run.
    Run,
    /// Everything again, from the start.
    FullRefresh,
    /// What was updated in `[start, end)`; an open end is what has settled by now.
    Backfill {
        /// The first instant.
        start: DateTime<Utc>,
        /// The first instant after it.
        end: Option<DateTime<Utc>>,
        /// Who works on it.
        sharing: Sharing,
    },
    /// Compare the tables with the source.
    Verify(Repair),
}

impl Command {
    /// What it is called in a report.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Run | Self::FullRefresh => "run",
            Self::Backfill { .. } => "backfill",
            Self::Verify(_) => "verify",
        }
    }
}

/// Who works on a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// This run alone, which keeps others away.
    Alone,
    /// All machines that were given the same words.
    Machines,
}

/// What a run has done so far, for whoever watches; shared with the run itself.
#[derive(Debug)]
pub struct Watch {
    /// The entities, in the order of the configuration.
    pub entities: Vec<EntityProgress>,
    usage: Mutex<Usage>,
}

impl Watch {
    /// A run that has not begun.
    #[must_use]
    pub fn new(pipelines: &[Pipeline]) -> Arc<Self> {
        let entities = pipelines.iter().map(|pipeline| EntityProgress::new(pipeline.entity.clone())).collect();
        Arc::new(Self { entities, usage: Mutex::new(Usage::default()) })
    }

    /// Requests so far, and what they wait for.
    #[must_use]
    pub fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, usage: Usage) {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage;
    }
}

/// A run that is set up but has not begun.
#[derive(Debug)]
pub struct Run<'a> {
    /// The checked configuration; its pipelines are the ones to load.
    pub config: &'a Config,
    /// What exists.
    pub catalog: &'a Catalog,
    /// What was asked for.
    pub command: Command,
    /// The clock and the chance that it runs under.
    pub world: &'a World,
    /// Where it tells what it does.
    pub watch: Arc<Watch>,
    /// Becomes some exit code when the run shall stop and keep its progress.
    pub stop: tokio::sync::watch::Receiver<Option<Exit>>,
}

/// How a run ended.
pub(super) struct Ended {
    pub(super) exit: Exit,
    /// Why it ended before its time.
    pub(super) early: Option<String>,
}

impl Ended {
    /// Takes up what became of one entity: the code of the only one that failed, and an early end where none can go on.
    pub(super) fn absorb(&mut self, failed: Option<Failed>) {
        match failed {
            None => {}
            Some(Failed::Run(exit, told)) => *self = Self { exit, early: Some(told) },
            Some(Failed::Entity(own)) => self.exit = if self.exit == Exit::Ok { own } else { Exit::Partial },
        }
    }
}

/// What the work of a run concerns.
pub(super) struct Of<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) lease: &'a Lease,
}

pub(super) fn overtaken() -> Ended {
    let told = "another run took over, because no heartbeat of this one came through for two minutes";
    Ended { exit: Exit::Busy, early: Some(told.to_owned()) }
}

fn stopped(exit: Exit) -> Ended {
    let told = "stopped from outside; what is committed stays, and the next run goes on";
    Ended { exit, early: Some(told.to_owned()) }
}

/// How often the watch is told of the client's usage.
const TELL_EVERY: std::time::Duration = std::time::Duration::from_millis(100);

impl Run<'_> {
    /// Does it.
    ///
    /// # Errors
    /// What keeps it from beginning: the key, the destination, another run. Everything later is in the report.
    pub async fn execute(&self) -> Result<Report, RunError> {
        let id = self.world.entropy.unique().to_string();
        let (started_at, began) = (self.world.clock.now(), self.world.clock.monotonic());
        let lake = session::lake(self.config, self.world)?;
        let reports = match self.command {
            Command::Verify(_) => Reports::none(&self.config.pipelines),
            Command::Run | Command::FullRefresh | Command::Backfill { .. } => Reports::new(&self.config.pipelines),
        };
        let (held, mut stop) = (Held::default(), self.stop.clone());
        let result = tokio::select! {
            ended = self.conduct(&id, &held, &reports) => ended,
            exit = asked_to_stop(&mut stop) => Ok(stopped(exit)),
        };
        // A run that was stopped is told as far as it really got.
        if let Some(client) = held.client.get() {
            self.watch.tell(client.usage());
        }
        held.give_back(&lake, self.world.clock.as_ref(), &result).await;
        let Ended { exit, early } = result?;
        Ok(Report {
            run: id,
            organisation: self.config.organisation.clone(),
            command: self.command.name(),
            started_at,
            seconds: self.world.clock.monotonic().saturating_sub(began).as_secs_f64(),
            exit_code: exit,
            entities: reports.into_list(),
            requests: Requests::from(&self.watch.usage()),
            error: early,
        })
    }

    async fn conduct(&self, id: &str, held: &Held, reports: &Reports) -> Result<Ended, RunError> {
        let lake = session::proven_lake(self.config, self.world).await?;
        let lake = &self.leased(lake, id, held).await?;
        let client = session::client(self.config, self.world)?;
        client.count(budget::former(lake).await);
        let client = held.client.get_or_init(|| client);
        // From the first request on: it may have to wait for the budget.
        let telling = async {
            loop {
                self.watch.tell(client.usage());
                self.world.clock.sleep(TELL_EVERY).await;
            }
        };
        let keeping = async {
            loop {
                self.world.clock.sleep(budget::KEEP_EVERY).await;
                budget::keep(lake, client).await;
            }
        };
        tokio::select! {
            ended = self.work(id, held, reports, (lake, client)) => ended,
            () = telling => Ok(Ended { exit: Exit::Internal, early: None }),
            () = keeping => Ok(Ended { exit: Exit::Internal, early: None }),
        }
    }

    async fn work(
        &self,
        id: &str,
        held: &Held,
        reports: &Reports,
        (lake, client): (&Lake, &Client),
    ) -> Result<Ended, RunError> {
        let (_, time) = session::ask(client, self.world).await?;
        if let Some(difference) = time.difference() {
            tracing::warn!(error = difference, "the clocks differ; the source's is used");
        }
        let until = time.settled(self.config.source.settle);
        let state = session::state(self.config, lake, time.clone()).await?;
        let views = Views::open(lake, catalog::marts).await?;
        let discovery = Discovery::default();
        let shared = Shared {
            run: id,
            config: self.config,
            catalog: self.catalog,
            lake,
            views: &views,
            pages: client,
            state: &state,
            reports,
            discovery: &discovery,
            time: &time,
            until,
            goal: self.goal(until)?,
            part_rows: self.world.part_rows,
        };
        match (held.lease.get(), &self.command) {
            (None, _) => self.load_shards(&shared, &held.shards).await,
            (Some(lease), Command::Verify(repair)) => {
                Ok(self.verify_all(*repair, &Of { shared: &shared, lease }).await)
            }
            (Some(lease), _) => Ok(self.load_all(&Of { shared: &shared, lease }).await),
        }
    }

    /// The lake as this run may use it: with the lease of all of it, or, where several machines share a backfill, without.
    async fn leased(&self, lake: Lake, id: &str, held: &Held) -> Result<Lake, RunError> {
        if matches!(self.command, Command::Backfill { sharing: Sharing::Machines, .. }) {
            return Ok(lake);
        }
        let lease = Lease::acquire(&lake, &format!("run {id}"), LeaseTiming::default()).await?;
        Ok(held.lease.get_or_init(|| lease).guard(&lake))
    }

    fn goal(&self, until: DateTime<Utc>) -> Result<Goal, RunError> {
        let future = |start: DateTime<Utc>| {
            RunError::Usage(format!(
                "start date {start} is not before {until}, up to which the source can be read by now"
            ))
        };
        match self.command {
            Command::Verify(_) => Ok(Goal::Changes),
            Command::Run | Command::FullRefresh => {
                let starts = self.config.pipelines.iter().filter_map(|pipeline| pipeline.start);
                match starts.chain(self.config.source.start).find(|start| *start >= until) {
                    Some(start) => Err(future(start)),
                    None if matches!(self.command, Command::Run) => Ok(Goal::Changes),
                    None => Ok(Goal::FullRefresh),
                }
            }
            Command::Backfill { start, end, .. } => {
                // What has not settled yet is left to a later run.
                let end = end.map_or(until, |end| end.min(until));
                Window::new(start, end).map(Goal::Backfill).ok_or_else(|| future(start))
            }
        }
    }

    /// Loads every entity, a few at a time: first what is read by itself, then what is read below it.
    async fn load_all(&self, of: &Of<'_>) -> Ended {
        let Of { shared, lease } = of;
        let jobs = Jobs::of(&self.config.pipelines, self.catalog);
        let mut ended = Ended { exit: Exit::Ok, early: None };
        for jobs in [&jobs.first, &jobs.below] {
            let loads = futures::stream::iter(jobs)
                .map(|job| self.load(shared, job))
                .buffer_unordered(self.config.source.concurrency);
            futures::pin_mut!(loads);
            while let Some(done) = loads.next().await {
                shared.reports.add(done.reports);
                ended.absorb(done.failed);
                if ended.early.is_some() {
                    return ended;
                }
                if lease.is_lost() {
                    return overtaken();
                }
            }
        }
        // A backfill says nothing of what is complete.
        let afterwards: &[_] = match self.command {
            Command::Backfill { .. } => &[Afterwards::Moves, Afterwards::Deletes],
            _ => &[Afterwards::Moves, Afterwards::Deletes, Afterwards::Reconciliation],
        };
        for what in afterwards {
            if ended.early.is_none() {
                ended = self.look_after(*what, of, &jobs.first, ended).await;
            }
        }
        ended
    }

    /// Compares every table with its source.
    async fn verify_all(&self, repair: Repair, of: &Of<'_>) -> Ended {
        let jobs = Jobs::of(&self.config.pipelines, self.catalog);
        let ended = Ended { exit: Exit::Ok, early: None };
        let ended = self.look_after(Afterwards::Verify(repair), of, &jobs.first, ended).await;
        let differs = repair == Repair::None && of.shared.reports.differ();
        if ended.exit == Exit::Ok && differs { Ended { exit: Exit::Partial, ..ended } } else { ended }
    }

    /// Loads what a line of the configuration stands for.
    pub(super) async fn load(&self, shared: &Shared<'_>, job: &Job) -> Done {
        let lines: Vec<_> = job.all().iter().filter_map(|job| self.watch.entities.get(job.line)).collect();
        lines.iter().for_each(|line| line.enter(Phase::Loading));
        let done = self.load_tables(shared, job).await;
        let phase = if done.failed.is_some() { Phase::Failed } else { Phase::Done };
        lines.iter().for_each(|line| line.enter(phase));
        done
    }

    async fn load_tables(&self, shared: &Shared<'_>, job: &Job) -> Done {
        let Some(progress) = self.watch.entities.get(job.line) else { return Done::default() };
        let load = Load::new(shared, job, progress);
        match &job.entity.access {
            Access::PerParent { .. } => Done::of(job, load.run_below().await),
            Access::Klasses { .. } => {
                let pages = Counted { pages: shared.pages, progress };
                match klasses::jobs(shared, job, &pages).await {
                    Ok(klasses) => self.load_klasses(&load, &klasses).await,
                    Err(error) => Done::of(job, Err(load.naming_roles(error))),
                }
            }
            Access::Search { .. }
            | Access::Lists { .. }
            | Access::Log { .. }
            | Access::Elements { .. }
            | Access::Metadata { .. } => Done::of(job, load.run().await),
        }
    }

    async fn load_klasses(&self, load: &Load<'_>, klasses: &[(Klass, Job)]) -> Done {
        let mut done = Done::default();
        for (at, (klass, job)) in klasses.iter().enumerate() {
            let mut own = Load::new(load.shared, job, load.progress);
            if at == 0 {
                // Asking which klasses there are is a part of its cost.
                own.before = load.before;
            }
            let mut own = Done::of(job, own.run().await);
            own.forgive(klass);
            // Told now: the run may end before the next klass is loaded.
            load.shared.reports.add(std::mem::take(&mut own.reports));
            let ends = matches!(own.failed, Some(Failed::Run(..)));
            done.absorb(own.failed);
            if ends {
                break;
            }
        }
        done
    }
}

/// Becomes the exit code that being asked to stop calls for.
pub(super) async fn asked_to_stop(stop: &mut tokio::sync::watch::Receiver<Option<Exit>>) -> Exit {
    match stop.wait_for(Option::is_some).await {
        Ok(exit) => exit.unwrap_or(Exit::Interrupted),
        // Nobody is left who could ask.
        Err(_) => std::future::pending().await,
    }
}
