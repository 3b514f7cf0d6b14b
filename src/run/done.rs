//! What became of the lines of the configuration, from one table's end to the report of the run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::discovery::Klass;
use super::entity::Loaded;
use super::error::EntityError;
use super::exit::Exit;
use super::job::Job;
use super::report::{EntityReport, Outcome, Rows, Skip, Skipped};
use crate::config::Pipeline;

/// Target of what the closing table tells as well: a person reads it there.
pub const TOLD_AT_THE_END: &str = "kustlake::told_at_the_end";

/// What became of a line of the configuration.
#[derive(Default)]
pub(super) struct Done {
    pub(super) reports: Vec<(usize, EntityReport)>,
    pub(super) failed: Option<Failed>,
    /// Whether the source does not know what was asked for.
    pub(super) is_refused: bool,
}

impl Done {
    pub(super) fn of(job: &Job, loaded: Result<Loaded, EntityError>) -> Self {
        let (reports, error) = match loaded {
            Ok(Loaded { reports, error }) => (reports, error),
            Err(error) => {
                let told = error.to_string();
                let failed = |job: &Job| EntityReport {
                    outcome: Outcome::Failed,
                    error: Some(told.clone()),
                    ..not_loaded(&job.pipeline)
                };
                (job.all().into_iter().map(|job| (job.line, failed(job))).collect(), Some(error))
            }
        };
        let is_refused = error.as_ref().is_some_and(EntityError::is_refused);
        let failed = error.map(|error| {
            tracing::error!(target: TOLD_AT_THE_END, entity = %job.entity.name, %error, "failed");
            error.ends_run().map_or_else(|| Failed::Entity(error.exit()), |exit| Failed::Run(exit, error.to_string()))
        });
        Self { reports, failed, is_refused }
    }

    /// That of a job of which nothing was left to do.
    pub(super) fn already(job: &Job) -> Self {
        let complete = |job: &Job| EntityReport { outcome: Outcome::Complete, ..not_loaded(&job.pipeline) };
        Self { reports: job.all().into_iter().map(|job| (job.line, complete(job))).collect(), ..Self::default() }
    }

    /// Takes back a failure to search a klass that is not in use any more: whether such can still be searched was not seen.
    pub(super) fn forgive(&mut self, klass: &Klass) {
        if klass.is_enabled() || !self.is_refused {
            return;
        }
        self.failed = None;
        for (_, report) in &mut self.reports {
            let mut skipped = Skipped::default();
            skipped.count(Skip::UnsearchableKlass);
            (report.outcome, report.error, report.skipped) = (Outcome::Complete, None, skipped);
        }
    }

    /// Takes up a failure of another part of the same line.
    pub(super) fn absorb(&mut self, failed: Option<Failed>) {
        self.failed = match (self.failed.take(), failed) {
            (failed, None) | (None, failed) => failed,
            (_, Some(Failed::Run(exit, told))) => Some(Failed::Run(exit, told)),
            (Some(_), Some(Failed::Entity(_))) => Some(Failed::Entity(Exit::Partial)),
        };
    }
}

/// The reports of all tables, by the line of the configuration that each belongs to.
#[derive(Debug)]
pub(super) struct Reports(Mutex<Vec<Line>>);

/// A line of the configuration.
#[derive(Debug)]
struct Line {
    /// What is told of it as long as no table of it is.
    untold: Option<EntityReport>,
    told: Vec<EntityReport>,
}

impl Reports {
    pub(super) fn new(pipelines: &[Pipeline]) -> Self {
        let line = |pipeline| Line { untold: Some(not_loaded(pipeline)), told: Vec::new() };
        Self(Mutex::new(pipelines.iter().map(line).collect()))
    }

    /// Reports of nothing yet: what is not looked at is not told.
    pub(super) fn none(pipelines: &[Pipeline]) -> Self {
        Self(Mutex::new(pipelines.iter().map(|_| Line { untold: None, told: Vec::new() }).collect()))
    }

    /// Adds what was done for tables, to what was told of them before.
    pub(super) fn add(&self, reports: Vec<(usize, EntityReport)>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (line, more) in reports {
            let Some(line) = lines.get_mut(line) else { continue };
            match line.told.iter_mut().find(|report| report.entity == more.entity) {
                Some(report) => report.absorb(more),
                None => line.told.push(more),
            }
        }
    }

    /// Whether a comparison has found a difference.
    pub(super) fn differ(&self) -> bool {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut compared = lines.iter().flat_map(|line| &line.told).filter_map(|report| report.compared.as_ref());
        compared.any(|compared| compared.differences() > 0)
    }

    pub(super) fn into_list(self) -> Vec<EntityReport> {
        let lines = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let reports = |line: Line| if line.told.is_empty() { line.untold.into_iter().collect() } else { line.told };
        lines.into_iter().flat_map(reports).collect()
    }
}

/// What an entity's failure means for the run.
pub(super) enum Failed {
    /// The others go on.
    Entity(Exit),
    /// No entity can do without what failed.
    Run(Exit, String),
}

fn not_loaded(pipeline: &Pipeline) -> EntityReport {
    EntityReport {
        entity: pipeline.entity.clone(),
        mode: pipeline.mode,
        outcome: Outcome::Stopped,
        window: None,
        rows: Rows::default(),
        requests: 0,
        bytes: 0,
        commits: 0,
        version: None,
        cursor: None,
        problems: BTreeMap::new(),
        new_columns: Vec::new(),
        skipped: Skipped::default(),
        compared: None,
        error: None,
    }
}
