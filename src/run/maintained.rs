//! What `maintain` tells of its work.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::compact::Merged;
use super::done::TOLD_AT_THE_END;
use super::error::EntityError;
use super::exit::Exit;
use super::layout::{Group, Layout};
use super::report::Outcome;
use crate::lake::TableName;

/// What became of the tables, as data.
#[derive(Debug, Clone, Serialize)]
pub struct MaintainReport {
    /// `maintain`.
    pub command: &'static str,
    /// Whether everything was only told.
    pub dry_run: bool,
    /// When it began, by the local clock.
    pub started_at: DateTime<Utc>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What the process tells its caller.
    pub exit_code: Exit,
    /// Each table, by name.
    pub tables: Vec<MaintainedTable>,
    /// Tables that are none of ours, which stay as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_alone: Vec<String>,
    /// Objects beside the tables that interrupted commands left, and that were removed.
    pub leftovers_removed: u64,
    /// Why it ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of one table.
#[derive(Debug, Clone, Serialize)]
pub struct MaintainedTable {
    /// Its name.
    pub table: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Version of the table afterwards.
    pub version: Option<u64>,
    /// Live files before.
    pub files_before: u64,
    /// Live files afterwards; of a plan, what is known of them.
    pub files_after: u64,
    /// Files that were merged into others.
    pub files_merged: u64,
    /// Bytes of the files that they became; of a plan, of those that they are.
    pub bytes_rewritten: u64,
    /// Whether a checkpoint was written.
    pub checkpoint: bool,
    /// Data files that were removed.
    pub files_removed: u64,
    /// Their bytes.
    pub bytes_removed: u64,
    /// Entries of the log that were removed.
    pub log_entries_removed: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit code that its failure calls for, until it is taken note of.
    #[serde(skip)]
    pub(super) exit: Option<Exit>,
}

impl MaintainedTable {
    pub(super) fn new(name: &TableName) -> Self {
        Self {
            table: name.to_string(),
            outcome: Outcome::Stopped,
            version: None,
            files_before: 0,
            files_after: 0,
            files_merged: 0,
            bytes_rewritten: 0,
            checkpoint: false,
            files_removed: 0,
            bytes_removed: 0,
            log_entries_removed: 0,
            error: None,
            exit: None,
        }
    }

    pub(super) fn merged(&mut self, merged: &Merged) {
        self.files_merged = merged.files;
        self.bytes_rewritten = merged.bytes;
    }

    pub(super) fn planned(&mut self, groups: &[Group], layout: &Layout) {
        for group in groups {
            let files = group.files().count() as u64;
            self.files_merged += files;
            self.bytes_rewritten += group.bytes();
            self.files_after -= files.saturating_sub(group.bytes().div_ceil(layout.size_of_files(group)));
        }
    }

    pub(super) fn failed(&mut self, error: &EntityError) {
        tracing::error!(target: TOLD_AT_THE_END, table = %self.table, %error, "failed");
        self.outcome = Outcome::Failed;
        self.exit.get_or_insert(error.exit());
        self.error.get_or_insert_with(|| error.to_string());
    }
}
