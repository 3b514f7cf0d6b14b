//! What a run did, as data: the closing table, the closing JSON and the `status` command show it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::error::RunError;
use super::exit::Exit;
use super::session::World;
use crate::api::Usage;
use crate::catalog::{EntityName, Mode};
use crate::config::Config;
use crate::table::Problems;
use crate::window::{Window, text};

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Unique name of the run; it stands in every commit that the run made.
    pub run: String,
    /// The organisation, where the configuration names several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// `run` or `backfill`.
    pub command: &'static str,
    /// When it began, by the local clock.
    pub started_at: DateTime<Utc>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What the process tells its caller.
    pub exit_code: Exit,
    /// Each entity, in the order of the configuration.
    pub entities: Vec<EntityReport>,
    /// Requests sent, retries included.
    pub requests: Requests,
    /// Why the run ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Report {
    /// That of a run which did not begin.
    #[must_use]
    pub fn of_failure(
        (config, command): (&Config, &'static str),
        (started_at, took): (DateTime<Utc>, Duration),
        error: &RunError,
        world: &World,
    ) -> Self {
        Self {
            run: world.entropy.unique().to_string(),
            organisation: config.organisation.clone(),
            command,
            started_at,
            seconds: took.as_secs_f64(),
            exit_code: error.exit(),
            entities: Vec::new(),
            requests: Requests::default(),
            error: Some(error.to_string()),
        }
    }
}

/// Requests of a run and what they cost.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Requests {
    /// All requests, searches included.
    pub total: u64,
    /// Searches.
    pub search: u64,
    /// Requests that had to be repeated.
    pub retried: u64,
    /// Answers that said "too many requests".
    pub throttled: u64,
    /// Seconds spent waiting for the budget, summed over all requests.
    pub waited_seconds: f64,
    /// Bytes of JSON received.
    pub bytes: u64,
}

impl From<&Usage> for Requests {
    fn from(usage: &Usage) -> Self {
        Self {
            total: usage.requests,
            search: usage.searches,
            retried: usage.retries,
            throttled: usage.throttled,
            waited_seconds: usage.waited.as_secs_f64(),
            bytes: usage.bytes,
        }
    }
}

/// How an entity ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything of its window is committed.
    Complete,
    /// It failed; what was committed stays.
    Failed,
    /// The run ended before it was complete; what was committed stays.
    Stopped,
}

/// What a run did for one entity.
#[derive(Debug, Clone, Serialize)]
pub struct EntityReport {
    /// Which.
    pub entity: EntityName,
    /// Its mode.
    pub mode: Mode,
    /// How it ended.
    pub outcome: Outcome,
    /// What was read, `[from, until)`.
    #[serde(serialize_with = "window")]
    pub window: Option<Window>,
    /// Rows.
    #[serde(flatten)]
    pub rows: Rows,
    /// Requests answered.
    pub requests: u64,
    /// Bytes of JSON received.
    pub bytes: u64,
    /// Commits made.
    pub commits: u64,
    /// Version of the table afterwards.
    pub version: Option<u64>,
    /// Everything updated before it is committed.
    pub cursor: Option<DateTime<Utc>>,
    /// Values that did not fit their column and stand in `_extra`, by column and kind.
    pub problems: BTreeMap<String, u64>,
    /// Columns that a table which was there before has now, since the organisation has defined new attributes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub new_columns: Vec<String>,
    /// What could not be read and was left out, by reason.
    #[serde(skip_serializing_if = "Skipped::is_empty")]
    pub skipped: Skipped,
    /// What a comparison with the source found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a comparison of a table with its source found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Rows that were compared: those that are not marked as deleted and were not updated since.
    pub rows: u64,
    /// Records without a row.
    pub missing: u64,
    /// Rows that are older than their records, or differ from them in being deleted.
    pub outdated: u64,
    /// Rows that still have their values, marked as deleted or not, although their records are gone for good.
    pub gone: u64,
    /// Some of these records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
}

impl Compared {
    /// How many ids are told.
    pub(super) const MOST_IDS: usize = 100;

    /// Counts rows whose records are gone for good.
    pub(super) fn add_gone(&mut self, gone: &BTreeSet<String>) {
        self.gone += gone.len() as u64;
        self.ids.extend(gone.iter().take(Self::MOST_IDS.saturating_sub(self.ids.len())).cloned());
    }

    /// How many records differ.
    #[must_use]
    pub const fn differences(&self) -> u64 {
        self.missing + self.outdated + self.gone
    }
}

impl EntityReport {
    /// Adds what was done later in the same run.
    pub(super) fn absorb(&mut self, more: Self) {
        self.rows.read += more.rows.read;
        self.rows.inserted += more.rows.inserted;
        self.rows.updated += more.rows.updated;
        self.rows.deleted += more.rows.deleted;
        self.rows.unchanged += more.rows.unchanged;
        self.requests += more.requests;
        self.bytes += more.bytes;
        self.commits += more.commits;
        self.version = more.version.or(self.version);
        self.compared = more.compared.or(self.compared.take());
        self.new_columns.extend(more.new_columns);
        for (problem, count) in more.problems {
            *self.problems.entry(problem).or_default() += count;
        }
        for (skip, count) in more.skipped.0 {
            *self.skipped.0.entry(skip).or_default() += count;
        }
        if more.outcome != Outcome::Complete {
            (self.outcome, self.error) = (more.outcome, more.error);
        }
    }
}

/// Why something was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// A record below which, or of which alone, was to be read is no longer there.
    Gone,
    /// The source describes no custom attributes of a resource.
    NoMetadata,
    /// A klass that is not in use any more can no longer be searched.
    UnsearchableKlass,
    /// A row whose record was not found again, although nothing confirms that it is gone.
    Unconfirmed,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "records are no longer there (404)",
            Self::NoMetadata => "resources have no metadata (404)",
            Self::UnsearchableKlass => "disabled klasses can no longer be searched",
            Self::Unconfirmed => "rows stay, because nothing confirms that their records are gone",
        })
    }
}

/// What was left out, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Skipped(pub BTreeMap<Skip, u64>);

impl Skipped {
    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn count(&mut self, skip: Skip) {
        *self.0.entry(skip).or_default() += 1;
    }
}

/// What became of the records that were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// Records read, repeats included.
    pub read: u64,
    /// New rows.
    pub inserted: u64,
    /// Rows that changed.
    pub updated: u64,
    /// Rows that were removed or marked as deleted.
    pub deleted: u64,
    /// Records that the table held already.
    pub unchanged: u64,
}

/// Problems under names that people read: `preview: masked (object)`.
pub(super) fn problems(problems: &Problems) -> BTreeMap<String, u64> {
    let name = |misfit: &crate::table::Misfit| format!("{}: {} ({})", misfit.column, misfit.mismatch, misfit.found);
    problems.misfits.iter().map(|(misfit, count)| (name(misfit), *count)).collect()
}

fn window<S: serde::Serializer>(window: &Option<Window>, serializer: S) -> Result<S::Ok, S::Error> {
    window.map(|window| [text(window.from()), text(window.until())]).serialize(serializer)
}
