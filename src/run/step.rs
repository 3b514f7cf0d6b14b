//! One step of an entity: reading, converting and committing, all three at once.
//!
//! The rule: reading goes ahead of converting by a bounded number of pages, and converting ahead of committing by one
//! part at most. Parts are committed in the order in which they were read, so that the cursor never passes what is not committed.

use chrono::{DateTime, Utc};
use futures::future::{Either, select};
use tokio::sync::mpsc;

use super::entity::Load;
use super::error::EntityError;
use super::family::Family;
use super::intake::{Intake, Pace, Part};
use super::progress::Counted;
use super::reading::{Asked, Batch, Reading};
use super::report::Skipped;
use super::tables::Reached;
use crate::extract::{self, Step};

/// Pages that may wait to be converted.
const PAGES_AHEAD: usize = 8;

/// Rows on their way from a step to its table.
struct Incoming {
    pages: mpsc::Receiver<Batch>,
    intake: Intake,
    /// How far what was collected completes the window.
    reached: DateTime<Utc>,
}

/// What was collected, and what comes after it.
struct Collected {
    part: Part,
    then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The part is enough for a commit, and there may be more.
    More,
    /// The part is all that was left.
    End,
}

impl Load<'_> {
    /// Reads one step to its end, committing on the way. What was read before a failure is committed as well.
    pub(super) async fn take(
        &self,
        family: &mut Family,
        step: &Step,
        skipped: &mut Skipped,
    ) -> Result<Option<Reached>, EntityError> {
        let (sender, pages) = mpsc::channel::<Batch>(PAGES_AHEAD);
        let moves_cursor = step.progress == extract::Progress::Cursor;
        let progress = |reached| Some(reached).filter(|reached| moves_cursor && *reached > step.window.from());
        let incoming = Incoming { pages, intake: family.loader.intake().clone(), reached: step.window.from() };
        let write = self.commit_parts(family, incoming, progress);
        let (read, written) = tokio::join!(self.read(step, skipped, sender), write);
        let reached = progress(written?);
        if read.is_ok() || (family.loader.takes_parts() && !family.loader.is_empty()) {
            self.flush(family, reached).await?;
        }
        read.map(|()| reached.map(|reached| self.reached(reached)))
    }

    async fn read(&self, step: &Step, skipped: &mut Skipped, sender: mpsc::Sender<Batch>) -> Result<(), EntityError> {
        let pages = Counted { pages: self.shared.pages, progress: self.progress };
        let asked = Asked { job: self.job, shared: self.shared, step, pages: &pages };
        let mut reading = Reading::begin(&asked).await?;
        while let Some(batch) = reading.next(&asked, skipped).await? {
            if sender.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Commits one part after the other; leaves the last one to be committed. Says how far all of them reach.
    ///
    /// It owns what is incoming, so that a failure here ends the reading, too.
    async fn commit_parts(
        &self,
        family: &mut Family,
        mut incoming: Incoming,
        progress: impl Fn(DateTime<Utc>) -> Option<DateTime<Utc>>,
    ) -> Result<DateTime<Utc>, EntityError> {
        let mut collected = self.collect(&mut incoming).await?;
        loop {
            family.loader.put(collected.part, &incoming.intake);
            if collected.then == Then::End {
                return Ok(incoming.reached);
            }
            let commit = self.flush(family, progress(incoming.reached));
            collected = match incoming.intake.pace() {
                Pace::AtOnce => meanwhile(commit, self.collect(&mut incoming)).await?,
                Pace::ByTurns => {
                    commit.await?;
                    self.collect(&mut incoming).await?
                }
            };
        }
    }

    async fn collect(&self, incoming: &mut Incoming) -> Result<Collected, EntityError> {
        let mut part = Part::default();
        while let Some(Batch { records, reached }) = incoming.pages.recv().await {
            incoming.intake.take(&mut part, records, self.shared.time.now()).await?;
            incoming.reached = reached;
            self.progress.reached(reached);
            if incoming.intake.is_full(&part) {
                return Ok(Collected { part, then: Then::More });
            }
        }
        Ok(Collected { part, then: Then::End })
    }
}

/// Does both at once. A commit is never broken off for what fails beside it; when it fails itself, nothing follows it.
async fn meanwhile<T, E>(
    commit: impl Future<Output = Result<(), E>>,
    collect: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let (commit, collect) = (std::pin::pin!(commit), std::pin::pin!(collect));
    match select(commit, collect).await {
        Either::Left((committed, collect)) => {
            committed?;
            collect.await
        }
        Either::Right((collected, commit)) => {
            commit.await?;
            collected
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn a_commit_is_completed_whatever_fails_beside_it() {
        let committed = Cell::new(false);
        let commit = async {
            yield_now().await;
            committed.set(true);
            Ok(())
        };
        let result = meanwhile(commit, async { Err::<(), _>("unreadable") }).await;
        assert_eq!((result, committed.get()), (Err("unreadable"), true));
    }

    #[tokio::test]
    async fn nothing_follows_a_commit_that_fails() {
        let commit = async {
            yield_now().await;
            Err("full")
        };
        assert_eq!(meanwhile(commit, std::future::pending::<Result<(), _>>()).await, Err("full"));
        let commit = async {
            yield_now().await;
            Err("full")
        };
        assert_eq!(meanwhile(commit, async { Ok(()) }).await, Err("full"));
    }
}
