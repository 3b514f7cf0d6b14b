//! A load as far as it has come.
//!
//! The rule: however a load ends, it has told what it committed; one that is dropped, because its run ends, tells it then.

use super::entity::{Load, Loaded};
use super::error::EntityError;
use super::family::Family;
use super::loader::Loader;
use super::report::{EntityReport, Outcome, Skipped, problems};
use crate::window::Window;

/// The tables that a load fills, and what it left out so far.
pub(super) struct UnderWay<'l, 'a> {
    pub(super) family: Family,
    pub(super) skipped: Skipped,
    load: &'l Load<'a>,
    window: Option<Window>,
    told: Told,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    All,
}

impl Load<'_> {
    /// A load of these tables that has read nothing yet.
    pub(super) fn under_way(&self, family: Family, window: Option<Window>) -> UnderWay<'_, '_> {
        UnderWay { family, skipped: Skipped::default(), load: self, window, told: Told::Nothing }
    }
}

impl UnderWay<'_, '_> {
    /// It came to an end; failing is part of the report.
    pub(super) fn end(mut self, result: Result<(), EntityError>) -> Loaded {
        self.told = Told::All;
        let outcome = if result.is_ok() { Outcome::Complete } else { Outcome::Failed };
        Loaded { reports: self.reports(outcome, result.as_ref().err()), error: result.err() }
    }

    fn reports(&self, outcome: Outcome, error: Option<&EntityError>) -> Vec<(usize, EntityReport)> {
        let loaders = self.family.loaders().into_iter().enumerate();
        loaders.map(|(at, loader)| (loader.job.line, self.report(at == 0, loader, outcome, error))).collect()
    }

    /// Requests and skips are those of the records, whose table is the first.
    fn report(&self, is_first: bool, loader: &Loader, outcome: Outcome, error: Option<&EntityError>) -> EntityReport {
        let (before, moment) = (self.load.before, self.load.progress.moment());
        EntityReport {
            entity: loader.job.entity.name.clone(),
            mode: loader.job.pipeline.mode,
            outcome,
            window: self.window,
            rows: loader.rows,
            requests: if is_first { moment.requests - before.requests } else { 0 },
            bytes: if is_first { moment.bytes - before.bytes } else { 0 },
            commits: loader.commits,
            version: loader.home.version(),
            cursor: self.load.shared.state.cursor(loader.name()),
            problems: problems(&loader.problems),
            new_columns: loader.new_columns.clone(),
            skipped: if is_first { self.skipped.clone() } else { Skipped::default() },
            compared: None,
            error: error.map(ToString::to_string),
        }
    }
}

impl Drop for UnderWay<'_, '_> {
    fn drop(&mut self) {
        if self.told == Told::Nothing {
            self.load.shared.reports.add(self.reports(Outcome::Stopped, None));
        }
    }
}
