//! A backfill that several machines share.
//!
//! The rule: what tells that a shard, a window of one entity, is complete is the table's log, whoever committed it; a
//! lease on it only keeps two machines from reading the same. So a machine may join or leave at any instant, and the
//! backfill is over for each of them once every shard is complete.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures::StreamExt;

use super::all::{Ended, Run};
use super::discovery::Klass;
use super::done::{Done, Failed};
use super::entity::{Goal, Load, Shared};
use super::error::{EntityError, RunError};
use super::exit::Exit;
use super::job::{Job, Jobs};
use super::klasses;
use crate::catalog::{self, Access, Catalog, History};
use crate::config::Pipeline;
use crate::lake::{Commits, Lease, LeaseError, LeaseTiming, Views};
use crate::window::Window;

/// How much of an entity one machine takes at once. All machines have to cut alike, so this does not depend on any.
const SHARD: TimeDelta = TimeDelta::days(30);

/// How long after the others have all that is left, a machine looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The leases of the shards that this machine works on.
#[derive(Debug, Default)]
pub(super) struct Shards(Mutex<BTreeMap<String, Lease>>);

impl Shards {
    fn hold(&self, name: &str, lease: Lease) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), lease);
    }

    async fn release(&self, name: &str) {
        let lease = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(lease) = lease {
            lease.release().await;
        }
    }

    /// Gives back all that are left.
    pub(super) async fn release_all(self) {
        for lease in self.0.into_inner().unwrap_or_else(PoisonError::into_inner).into_values() {
            lease.release().await;
        }
    }
}

/// The pipelines that can be cut into windows, with the elements of their records. The others a run reads anyway: whole,
/// or below records that changed.
#[must_use]
pub fn divisible(pipelines: &[Pipeline], catalog: &Catalog) -> Vec<Pipeline> {
    let is_cut = |pipeline: &&Pipeline| {
        let mut entity = catalog.get(pipeline.entity.as_str());
        while let Some(Access::Elements { parent, .. }) = entity.map(|entity| &entity.access) {
            entity = catalog.get(parent.as_str());
        }
        entity.is_some_and(|entity| entity.access.searches() || matches!(entity.access, Access::Log { .. }))
    };
    pipelines.iter().filter(is_cut).cloned().collect()
}

/// The shards of a window. Where history is a list, each would read all of it: that stays in one.
fn cut(access: &Access, whole: Window) -> Vec<Window> {
    if matches!(access, Access::Search { history: History::List { .. }, .. }) {
        return vec![whole];
    }
    let mut shards = Vec::new();
    let mut rest = Some(whole);
    while let Some(left) = rest {
        let next = left.from() + SHARD;
        shards.extend(left.before(next));
        rest = left.since(next);
    }
    shards
}

/// What became of a shard.
enum Shard {
    Complete,
    /// Another machine works on it.
    Taken,
    Ended(Failed),
}

impl Run<'_> {
    /// Loads every shard that nobody else does, until all are complete.
    pub(super) async fn load_shards(&self, shared: &Shared<'_>, shards: &Shards) -> Result<Ended, RunError> {
        if shared.lake.commits() == Commits::Lease {
            let told = "--machines: on storage that ignores create-only puts one machine works at a time; leave it out";
            return Err(RunError::Usage(told.to_owned()));
        }
        let Goal::Backfill(window) = shared.goal else {
            return Err(RunError::Internal("only a backfill has shards".to_owned()));
        };
        let jobs = Jobs::of(&self.config.pipelines, self.catalog).first;
        let mut ended = Ended { exit: Exit::Ok, early: None };
        let loads = futures::stream::iter(&jobs)
            .map(|job| self.load_shards_of(job, window, shared, shards))
            .buffer_unordered(self.config.source.concurrency);
        futures::pin_mut!(loads);
        while let Some(failed) = loads.next().await {
            ended.absorb(failed);
            if ended.early.is_some() {
                return Ok(ended);
            }
        }
        // Each machine has written the views as it knew them.
        let views = Views::open(shared.lake, catalog::marts).await?;
        if let Err(error) = views.write().await {
            tracing::warn!(%error, "views.sql was not written; the tables themselves are complete");
        }
        Ok(ended)
    }

    async fn load_shards_of(&self, job: &Job, whole: Window, shared: &Shared<'_>, shards: &Shards) -> Option<Failed> {
        let tables = match klasses::each(shared, job, shared.pages).await {
            Ok(tables) => tables,
            Err(error) => return told(job, shared, error),
        };
        for (klass, job) in &tables {
            let mut left = cut(&job.entity.access, whole);
            while !left.is_empty() {
                let mut taken = Vec::new();
                for window in left {
                    match self.load_shard((klass.as_ref(), job), window, shared, shards).await {
                        Ok(Shard::Complete) => {}
                        Ok(Shard::Taken) => taken.push(window),
                        Ok(Shard::Ended(failed)) => return Some(failed),
                        Err(error) => return told(job, shared, error),
                    }
                }
                if !taken.is_empty() {
                    tracing::info!(entity = %job.entity.name, shards = taken.len(), "other machines have the rest; looking again");
                    self.world.clock.sleep(LOOK_AGAIN).await;
                }
                left = taken;
            }
        }
        None
    }

    async fn load_shard(
        &self,
        (klass, job): (Option<&Klass>, &Job),
        window: Window,
        shared: &Shared<'_>,
        shards: &Shards,
    ) -> Result<Shard, EntityError> {
        let shared = Shared { goal: Goal::Backfill(window), ..*shared };
        let Some(progress) = self.watch.entities.get(job.line) else { return Ok(Shard::Complete) };
        let load = Load::new(&shared, job, progress);
        if load.planned().await?.is_none() {
            shared.reports.add(Done::already(job).reports);
            return Ok(Shard::Complete);
        }
        let name =
            format!("{}-{}-{}", job.entity.name, window.from().timestamp_millis(), window.until().timestamp_millis());
        let holder = format!("backfill {}", shared.run);
        match Lease::acquire_shard(shared.lake, &name, &holder, LeaseTiming::default()).await {
            Ok(lease) => shards.hold(&name, lease),
            Err(LeaseError::HeldBy { .. }) => return Ok(Shard::Taken),
            Err(LeaseError::Lake(error)) => return Err(error.into()),
        }
        // Who had it before may have completed the shard meanwhile: then this reads nothing.
        let mut done = self.load(&shared, job).await;
        if let Some(klass) = klass {
            done.forgive(klass);
        }
        shared.reports.add(done.reports);
        shards.release(&name).await;
        Ok(done.failed.map_or(Shard::Complete, Shard::Ended))
    }
}

fn told(job: &Job, shared: &Shared<'_>, error: EntityError) -> Option<Failed> {
    let done = Done::of(job, Err(error));
    shared.reports.add(done.reports);
    done.failed
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::config::instant;

    fn at(text: &str) -> DateTime<Utc> {
        instant(text).unwrap()
    }

    fn access(entity: &str) -> Access {
        Catalog::embedded().unwrap().get(entity).unwrap().access.clone()
    }

    #[test]
    fn shards_cover_the_window_without_gap_or_overlap() {
        let whole = Window::new(at("2024-01-01"), at("2024-03-10T12:00:00Z")).unwrap();
        let shards = cut(&access("messages"), whole);
        assert_eq!(shards.len(), 3);
        assert_eq!((shards[0].from(), shards[2].until()), (whole.from(), whole.until()));
        assert!(shards.windows(2).all(|two| two[0].until() == two[1].from()));
    }

    #[test]
    fn history_that_is_one_list_is_one_shard() {
        let whole = Window::new(at("2020-01-01"), at("2024-01-01")).unwrap();
        assert_eq!(cut(&access("notes"), whole), [whole]);
    }
}
