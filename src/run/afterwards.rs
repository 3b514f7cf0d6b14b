//! What a run looks at when all loads are done, because it depends on all of them.
//!
//! The rule: one table's failure leaves the others alone, and what it says is added to what its load has said.

use super::all::{Ended, Of, Run, overtaken};
use super::done::{Done, Failed};
use super::entity::{Load, Loaded};
use super::error::EntityError;
use super::exit::Exit;
use super::job::Job;
use super::klasses;
use super::reconcile::Repair;

/// What is looked at when all loads are done, because it depends on all of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Afterwards {
    /// What has moved to another parent.
    Moves,
    /// Deletes that another table tells of.
    Deletes,
    /// What no other signal told.
    Reconciliation,
    /// Whatever differs.
    Verify(Repair),
}

impl Afterwards {
    fn concerns(self, job: &Job) -> bool {
        match self {
            Self::Moves => job.entity.access.moved_by().is_some(),
            Self::Deletes => job.entity.access.deleted_by().is_some(),
            Self::Reconciliation | Self::Verify(_) => job.entity.access.searches(),
        }
    }

    async fn of(self, load: &Load<'_>) -> Result<Option<Loaded>, EntityError> {
        match self {
            Self::Moves => load.follow_moves().await,
            Self::Deletes => load.follow_deletes().await,
            Self::Reconciliation => load.reconcile().await,
            Self::Verify(repair) => load.verify(repair).await,
        }
    }
}

impl Run<'_> {
    /// What comes after all loads, table by table.
    pub(super) async fn look_after(&self, what: Afterwards, of: &Of<'_>, jobs: &[Job], mut ended: Ended) -> Ended {
        let Of { shared, lease } = of;
        for job in jobs.iter().filter(|job| what.concerns(job)) {
            let Some(progress) = self.watch.entities.get(job.line) else { continue };
            // Why klasses cannot be told, their own load has said.
            for job in &klasses::tables(shared, job, shared.pages).await.unwrap_or_default() {
                let done = match what.of(&Load::new(shared, job, progress)).await {
                    Ok(None) => continue,
                    Ok(Some(loaded)) => Done::of(job, Ok(loaded)),
                    // A klass that is not in use any more; its own load has said so.
                    Err(error) if job.is_klass() && error.is_refused() => continue,
                    Err(error) => Done::of(job, Err(error)),
                };
                shared.reports.add(done.reports);
                ended.exit = match (ended.exit, done.failed) {
                    (exit, None) => exit,
                    (_, Some(Failed::Run(exit, told))) => return Ended { exit, early: Some(told) },
                    (_, Some(Failed::Entity(_))) => Exit::Partial,
                };
                if lease.is_lost() {
                    return overtaken();
                }
            }
        }
        ended
    }
}
