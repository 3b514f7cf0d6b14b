//! Runs of the past, as their reports are kept beside the tables.
//!
//! The rule: a report that an older or a newer version kept is read for what it tells; keeping one never fails a run.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::report::Report;
use crate::lake::{Lake, LakeError};

/// Version of the form in which reports are kept.
const VERSION: u32 = 1;

/// A run of the past. What is not told is empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PastRun {
    /// Unique name of the run.
    pub run: String,
    /// `run`, `backfill` or `verify`.
    pub command: String,
    /// When it began, by the clock of its machine.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub seconds: f64,
    /// What it told its caller.
    pub exit_code: u8,
    /// What it did for each entity.
    pub entities: Vec<PastEntity>,
    /// What it took of the budget.
    pub requests: PastRequests,
    /// Why it ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a run of the past did for one entity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PastEntity {
    /// Which.
    pub entity: String,
    /// `complete`, `failed` or `stopped`.
    pub outcome: String,
    /// Records read.
    pub read: u64,
    /// New rows.
    pub inserted: u64,
    /// Rows that changed.
    pub updated: u64,
    /// Rows that were removed or marked as deleted.
    pub deleted: u64,
    /// Requests answered.
    pub requests: u64,
    /// Bytes of JSON received.
    pub bytes: u64,
    /// Values that stand in `_extra`, by column and kind.
    pub problems: BTreeMap<String, u64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a run of the past took of the budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PastRequests {
    /// All requests.
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

/// A report in the form in which it is kept.
#[derive(Serialize)]
struct Kept<'r> {
    version: u32,
    #[serde(flatten)]
    report: &'r Report,
}

impl PastRun {
    /// Keeps the report of a run beside the tables.
    ///
    /// # Errors
    /// The destination cannot be written to.
    pub async fn keep(report: &Report, lake: &Lake) -> Result<(), LakeError> {
        let kept = serde_json::to_string(&Kept { version: VERSION, report });
        let kept = kept.map_err(|error| LakeError::Internal(format!("the report of a run: {error}")))?;
        let began = report.started_at.to_rfc3339_opts(SecondsFormat::Millis, true).replace([':', '-'], "");
        lake.keep_run(&format!("{began}-{}", report.run), kept).await
    }

    /// The newest runs, the oldest of them first.
    ///
    /// # Errors
    /// The destination cannot be read.
    pub async fn newest(lake: &Lake, most: usize) -> Result<Vec<Self>, LakeError> {
        let kept = lake.runs(most).await?;
        Ok(kept.iter().filter_map(|report| serde_json::from_str(report).ok()).collect())
    }

    /// Why the entity failed in the newest run that had it, if it did.
    #[must_use]
    pub fn failure<'r>(runs: &'r [Self], entity: &str) -> Option<&'r str> {
        let of = |run: &'r Self| run.entities.iter().find(|one| one.entity == entity);
        runs.iter().rev().find_map(of).and_then(|last| last.error.as_deref())
    }

    /// Whether any of these runs has completed the entity.
    #[must_use]
    pub fn has_completed(runs: &[Self], entity: &str) -> bool {
        runs.iter().flat_map(|run| &run.entities).any(|one| one.entity == entity && one.outcome == "complete")
    }

    /// Rows that the run changed.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.entities.iter().map(|entity| entity.inserted + entity.updated + entity.deleted).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report as the first version kept it.
    const FIRST: &str = include_str!("../../tests/golden/run-report-1.json");

    #[test]
    fn a_report_of_the_first_version_is_read() {
        let run: PastRun = serde_json::from_str(FIRST).unwrap();
        assert_eq!((run.command.as_str(), run.exit_code, run.requests.search), ("run", 6, 41));
        assert_eq!(run.rows(), 1_210);
        assert_eq!(
            PastRun::failure(std::slice::from_ref(&run), "messages"),
            Some("403 forbidden: the key has no role for it")
        );
        assert_eq!(PastRun::failure(&[run], "users"), None);
    }

    #[test]
    fn what_another_version_tells_besides_is_passed_over() {
        let run: PastRun =
            serde_json::from_str(r#"{"version": 2, "run": "x", "mood": "fine", "entities": [{"entity": "a"}]}"#)
                .unwrap();
        assert_eq!((run.run.as_str(), run.entities.len()), ("x", 1));
    }
}
