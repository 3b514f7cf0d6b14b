//! Keeping the tables small and quick to read, and forgetting what they forgot.
//!
//! The rule: what somebody may still read is never touched. Rows move into fewer files first; only then, and only with
//! `views.sql` naming files that stay, goes what no version needs that was the newest one within the grace. Runs may go
//! on beside it: they meet it where they meet each other, at the next commit. Only a grace that is shorter than a run may
//! take keeps them away meanwhile, by the lease; so does storage on which nothing but the lease protects commits.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::all::asked_to_stop;
use super::compact::{Compaction, Merged};
use super::error::{EntityError, RunError};
use super::exit::Exit;
use super::held;
use super::layout::{Group, Layout};
use super::maintained::{MaintainReport, MaintainedTable};
use super::report::Outcome;
use super::session::{self, World};
use crate::catalog::{self, Access, Catalog, Entity};
use crate::config::Config;
use crate::lake::{
    CommitNote, Commits, Lake, LakeError, Lease, LeaseTiming, Stored, Table, TableName, Unneeded, Views,
};
use crate::table::TableSchema;

/// No grace may be shorter: readers and runs need some time between opening a table and being done with it.
const SHORTEST_GRACE: Duration = Duration::from_secs(60 * 60);
/// With a grace below this, runs are kept away: one may store files for so long before it commits them.
const LONGEST_COMMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether it is done, or only told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Tables are maintained.
    Do,
    /// Nothing is changed.
    Tell,
}

/// What is to be maintained, and how.
#[derive(Debug)]
pub struct Maintain<'a> {
    /// Where the tables are.
    pub config: &'a Config,
    /// Which tables there can be, and their keys.
    pub catalog: &'a Catalog,
    /// The outside.
    pub world: &'a World,
    /// Tables or entities; all without any.
    pub only: &'a [String],
    /// How long what is removed must have been out of use.
    pub grace: Duration,
    /// Whether it is done.
    pub action: Action,
}

/// What is to be done to one table in its present version.
#[derive(Debug)]
struct Plan {
    table: Table,
    groups: Vec<Group>,
    unneeded: Unneeded,
}

impl Maintain<'_> {
    /// Maintains the tables one after the other. When asked to stop, it stops: nothing is ever left half done.
    ///
    /// # Errors
    /// Names of no table, a grace that is too short, a destination that cannot be used, an active run if the grace is
    /// short. What concerns one table stands in the report.
    pub async fn execute(&self, mut stop: watch::Receiver<Option<Exit>>) -> Result<MaintainReport, RunError> {
        if self.grace < SHORTEST_GRACE {
            return Err(RunError::Usage(format!(
                "--grace {}: what is removed must have been out of use for an hour at least, because somebody may be reading it",
                humantime::format_duration(self.grace)
            )));
        }
        let began = self.world.clock.monotonic();
        let mut report = MaintainReport {
            command: "maintain",
            dry_run: self.action == Action::Tell,
            started_at: self.world.clock.now(),
            seconds: 0.0,
            exit_code: Exit::Ok,
            tables: Vec::new(),
            left_alone: Vec::new(),
            leftovers_removed: 0,
            error: None,
        };
        let lease = OnceLock::new();
        let ended = tokio::select! {
            ended = self.conduct(&lease, &mut report) => ended,
            exit = asked_to_stop(&mut stop) => {
                report.exit_code = exit;
                Ok(())
            }
        };
        if let Some(lease) = lease.into_inner() {
            held::in_time(&*self.world.clock, held::patience(report.exit_code), lease.release()).await;
        }
        match ended {
            // Before the first table.
            Err(error) if report.tables.is_empty() => return Err(error),
            Err(error) => {
                report.exit_code = error.exit();
                report.error = Some(error.to_string());
            }
            Ok(()) => {}
        }
        report.seconds = self.world.clock.monotonic().saturating_sub(began).as_secs_f64();
        Ok(report)
    }

    async fn conduct(&self, held: &OnceLock<Lease>, report: &mut MaintainReport) -> Result<(), RunError> {
        let mut lake = match self.action {
            Action::Do => session::proven_lake(self.config, self.world).await?,
            Action::Tell => session::lake(self.config, self.world)?,
        };
        let (names, left_alone) = self.tables(&lake).await?;
        let is_alone = self.grace < LONGEST_COMMIT || lake.commits() == Commits::Lease;
        if self.action == Action::Do && is_alone {
            let lease = Lease::acquire_alone(&lake, LeaseTiming::default()).await?;
            lake = held.get_or_init(|| lease).guard(&lake);
        }
        report.tables = names.iter().map(MaintainedTable::new).collect();
        report.left_alone = left_alone;
        self.maintain(&lake, &names, report).await
    }

    /// The tables that are meant, and those of the lake that are none of ours.
    async fn tables(&self, lake: &Lake) -> Result<(Vec<TableName>, Vec<String>), RunError> {
        let found = lake.tables().await?;
        let known: BTreeSet<&str> = found
            .iter()
            .flat_map(|name| [Some(name.as_str()), entity_of(name, self.catalog).map(|entity| entity.name.as_str())])
            .flatten()
            .collect();
        if let Some(unknown) = self.only.iter().find(|name| !known.contains(name.as_str())) {
            let known: Vec<_> = found.iter().map(TableName::as_str).collect();
            return Err(RunError::Usage(format!(
                "--only {unknown}: no table of {}: {}",
                lake.root(),
                known.join(", ")
            )));
        }
        let is_meant = |name: &TableName, entity: &str| {
            self.only.is_empty() || self.only.iter().any(|only| only == name.as_str() || only == entity)
        };
        let (mut names, mut left_alone) = (Vec::new(), Vec::new());
        for name in found {
            match entity_of(&name, self.catalog) {
                Some(entity) if is_meant(&name, entity.name.as_str()) => names.push(name),
                Some(_) => {}
                None => left_alone.push(name.to_string()),
            }
        }
        Ok((names, left_alone))
    }

    async fn maintain(&self, lake: &Lake, names: &[TableName], report: &mut MaintainReport) -> Result<(), RunError> {
        let now = match self.action {
            Action::Do => lake.store_time().await?,
            // The store tells its time only of what is written.
            Action::Tell => self.world.clock.now(),
        };
        let grace = TimeDelta::from_std(self.grace).unwrap_or(TimeDelta::MAX);
        let cutoff = now.checked_sub_signed(grace).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let mut plans = Vec::new();
        for (name, told) in names.iter().zip(&mut report.tables) {
            let planned = self.settle(lake, name, cutoff, told).await;
            plans.push(self.noted(planned, told, &mut report.exit_code)?.flatten());
        }
        let leftovers: Vec<Stored> = lake.leftovers(cutoff).await?;
        let is_out_of_date = plans.iter().flatten().any(|plan| !plan.unneeded.data.is_empty());
        if self.action == Action::Do && (is_out_of_date || report.tables.iter().any(|told| told.files_merged > 0)) {
            Views::open(lake, catalog::marts).await?.write().await?;
        }
        for (plan, told) in plans.iter().zip(&mut report.tables) {
            if let Some(plan) = plan {
                let removed = self.remove(plan, told).await;
                self.noted(removed, told, &mut report.exit_code)?;
            }
        }
        if self.action == Action::Do {
            lake.remove(&leftovers).await?;
        }
        report.leftovers_removed = leftovers.len() as u64;
        Ok(())
    }

    /// Merges files and writes the checkpoint; gives what is left to be done. Nothing where there is no table any more.
    async fn settle(
        &self,
        lake: &Lake,
        name: &TableName,
        cutoff: DateTime<Utc>,
        told: &mut MaintainedTable,
    ) -> Result<Option<Plan>, EntityError> {
        let Some(table) = lake.table(name).await? else { return Ok(None) };
        told.files_before = table.files("").await?.len() as u64;
        let Some(entity) = entity_of(name, self.catalog) else { return Ok(None) };
        let schema = TableSchema::new(entity);
        let note =
            CommitNote { facts: [("command".to_owned(), "maintain".to_owned())].into(), ..CommitNote::default() };
        let mut compaction =
            Compaction { table, order: schema.order(), layout: Layout::default(), merged: Merged::default(), note };
        let groups = match self.action {
            Action::Tell => compaction.groups().await?,
            Action::Do => {
                let finished = compaction.finish().await;
                told.merged(&compaction.merged);
                // A table whose files cannot be merged forgets all the same.
                if let Err(error) = finished {
                    told.failed(&error);
                    if error.ends_run().is_some() {
                        return Err(error);
                    }
                }
                Vec::new()
            }
        };
        let table = compaction.table.refresh().await?;
        let unneeded = table.unneeded(cutoff).await?;
        told.checkpoint = unneeded.without_checkpoint > 0 || !groups.is_empty();
        if self.action == Action::Do && told.checkpoint {
            told.checkpoint = table.checkpoint().await?;
        }
        told.version = Some(table.version());
        told.files_after = table.files("").await?.len() as u64;
        let plan = Plan { table, groups, unneeded };
        if self.action == Action::Tell {
            told.planned(&plan.groups, &Layout::default());
        }
        Ok(Some(plan))
    }

    async fn remove(&self, plan: &Plan, told: &mut MaintainedTable) -> Result<(), EntityError> {
        let Plan { table, unneeded, .. } = plan;
        if self.action == Action::Do {
            table.remove(unneeded).await?;
        }
        told.files_removed = unneeded.data.len() as u64;
        told.bytes_removed = unneeded.data_bytes();
        told.log_entries_removed = unneeded.log.len() as u64;
        if told.outcome != Outcome::Failed {
            told.outcome = Outcome::Complete;
        }
        tracing::info!(
            table = %table.name(), dry_run = self.action == Action::Tell, files_merged = told.files_merged,
            bytes_rewritten = told.bytes_rewritten, files_removed = told.files_removed, bytes_removed = told.bytes_removed,
            log_entries_removed = told.log_entries_removed, "maintained"
        );
        Ok(())
    }

    /// Takes note of a table's failure; what concerns all tables ends the command.
    fn noted<T>(
        &self,
        result: Result<T, EntityError>,
        told: &mut MaintainedTable,
        exit: &mut Exit,
    ) -> Result<Option<T>, RunError> {
        let ended = match result {
            Ok(value) => Some(value),
            Err(EntityError::Lake(error)) if matches!(error, LakeError::Unusable { .. }) => {
                told.failed(&EntityError::Lake(error.clone()));
                return Err(error.into());
            }
            Err(error) => {
                told.failed(&error);
                None
            }
        };
        if let Some(code) = told.exit.take() {
            *exit = if *exit == Exit::Ok { code } else { Exit::Partial };
        }
        Ok(ended)
    }
}

/// What the table holds, as its name tells; nothing if it is none of ours.
fn entity_of<'a>(name: &TableName, catalog: &'a Catalog) -> Option<&'a Entity> {
    let of_klass = |entity: &&Entity| match &entity.access {
        Access::Klasses { prefix, .. } => name.as_str().starts_with(prefix.as_str()),
        _ => false,
    };
    let named = catalog.get(name.as_str()).filter(|entity| !matches!(entity.access, Access::Klasses { .. }));
    named.or_else(|| catalog.iter().find(of_klass))
}
