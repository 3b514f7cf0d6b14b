//! The sign that a run is active at a destination.
//!
//! The rule: it keeps runs from wasting each other's requests; correctness never depends on it. Its age is judged by the
//! clock of the store alone, by comparing two objects there, so that a wrong local clock neither steals a living lease
//! nor waits for ever for a dead one. Only a holder that has certainly ended, on this machine, is not waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use object_store::{Error as StoreError, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::error::LakeError;
use super::names::OWN_FOLDER;
use super::process::Process;
use super::store::Lake;
use super::versioned::{Put, Seen, Stored, Versioned};
use crate::clock::Clock;

/// Times that a run tries again when another one is just as quick.
const ATTEMPTS: usize = 3;

/// How often a lease is renewed, and when it counts as left behind.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTiming {
    /// Between two heartbeats.
    pub heartbeat: Duration,
    /// Without a heartbeat for this long, the next run takes over.
    pub expiry: Duration,
}

impl Default for LeaseTiming {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(20), expiry: Duration::from_secs(120) }
    }
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Another run is active.
    #[error("another run is active: {holder}, since {since}, last heard of {} s ago", silent_for.as_secs())]
    HeldBy {
        /// What that run calls itself.
        holder: String,
        /// When it started, by its own clock.
        since: DateTime<Utc>,
        /// The age of its last heartbeat.
        silent_for: Duration,
    },
    /// The storage failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// The stored form.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    version: u64,
    holder: String,
    /// Tells two runs of one name apart.
    token: String,
    since: DateTime<Utc>,
    /// For people: by the holder's own clock.
    heartbeat_at: DateTime<Utc>,
    heartbeats: u64,
    /// So that a run on the same machine sees at once that the holder was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process: Option<Process>,
}

/// A lease that is being renewed in the background until it is released or dropped.
#[derive(Debug)]
pub struct Lease {
    object: Versioned,
    token: String,
    lost: Arc<AtomicBool>,
    stop: oneshot::Sender<()>,
    heart: JoinHandle<()>,
}

impl Lease {
    /// Takes the lease of `lake` for `holder`, such as a run's id with host and process.
    ///
    /// # Errors
    /// [`LeaseError::HeldBy`] at once when another run is alive.
    pub async fn acquire(lake: &Lake, holder: &str, timing: LeaseTiming) -> Result<Self, LeaseError> {
        let path = lake.object(&format!("{OWN_FOLDER}/lease.json"))?;
        let object = Versioned::new(Arc::clone(lake.store()), path);
        let now = lake.clock().now();
        let token = lake.entropy().unique().to_string();
        let record = Record {
            version: 1,
            holder: holder.to_owned(),
            token,
            since: now,
            heartbeat_at: now,
            heartbeats: 0,
            process: Process::this(),
        };
        for _ in 0..ATTEMPTS {
            let left_behind = object.load().await?;
            if let Some(stored) = &left_behind {
                wait_for_death(lake, &object, stored, timing).await?;
            }
            let seen = left_behind.as_ref().map(|stored| &stored.seen);
            if let Put::Done(seen) = object.put(record.bytes()?, seen).await? {
                return Ok(Self::beating(lake, object, record, seen, timing));
            }
        }
        Err(held_by(object.load().await?.as_ref(), TimeDelta::zero()))
    }

    fn beating(lake: &Lake, object: Versioned, record: Record, seen: Seen, timing: LeaseTiming) -> Self {
        let (stop, stopped) = oneshot::channel();
        let lost = Arc::new(AtomicBool::new(false));
        let token = record.token.clone();
        let heart = Heart {
            clock: Arc::clone(lake.clock()),
            object: object.clone(),
            record,
            seen,
            timing,
            lost: Arc::clone(&lost),
        };
        Self { object, token, lost, stop, heart: tokio::spawn(heart.beat(stopped)) }
    }

    /// Whether another run has taken over, or no heartbeat came through for too long. Commits stay safe; it is polite
    /// to stop.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Gives the lease back, so that the next run need not wait; failing that, it expires.
    pub async fn release(self) {
        let _ = self.stop.send(());
        let _ = self.heart.await;
        if self.lost.load(Ordering::Acquire) {
            return;
        }
        let released = async {
            match self.object.load().await? {
                Some(stored) if Record::of(&stored).is_some_and(|record| record.token == self.token) => {
                    self.object.delete().await
                }
                _ => Ok(()),
            }
        };
        if let Err(error) = released.await {
            tracing::warn!(problem = %error, "the lease was not given back and will expire");
        }
    }
}

impl Record {
    fn of(stored: &Stored) -> Option<Self> {
        serde_json::from_slice(&stored.content).ok()
    }

    fn bytes(&self) -> Result<Bytes, LakeError> {
        serde_json::to_vec(self).map(Bytes::from).map_err(|error| LakeError::Internal(error.to_string()))
    }
}

/// Renews a lease.
struct Heart {
    clock: Arc<dyn Clock>,
    object: Versioned,
    record: Record,
    seen: Seen,
    timing: LeaseTiming,
    lost: Arc<AtomicBool>,
}

impl Heart {
    /// Beats until told to stop, or until the lease belongs to another.
    async fn beat(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut last = self.clock.monotonic();
        loop {
            tokio::select! {
                _ = &mut stopped => return,
                () = self.clock.sleep(self.timing.heartbeat) => {}
            }
            self.record.heartbeats += 1;
            self.record.heartbeat_at = self.clock.now();
            let put = match self.record.bytes() {
                Ok(content) => self.object.put(content, Some(&self.seen)).await,
                Err(error) => Err(error),
            };
            match put {
                Ok(Put::Done(seen)) => {
                    self.seen = seen;
                    last = self.clock.monotonic();
                }
                Ok(Put::Overtaken) => return self.lost.store(true, Ordering::Release),
                Err(error) => {
                    tracing::warn!(problem = %error, "a heartbeat of the lease failed");
                    if self.clock.monotonic().saturating_sub(last) >= self.timing.expiry {
                        return self.lost.store(true, Ordering::Release);
                    }
                }
            }
        }
    }
}

/// Returns when the run that left `stored` is dead: its process is gone, or it was silent for the time of expiry.
async fn wait_for_death(
    lake: &Lake,
    object: &Versioned,
    stored: &Stored,
    timing: LeaseTiming,
) -> Result<(), LeaseError> {
    if let Some(record) = Record::of(stored).filter(|record| record.process.as_ref().is_some_and(Process::is_gone)) {
        tracing::warn!(holder = %record.holder, "a run on this machine was killed; taking over its lease");
        return Ok(());
    }
    let age = store_time(lake).await? - stored.modified;
    let expiry = TimeDelta::from_std(timing.expiry).unwrap_or(TimeDelta::MAX);
    if age >= expiry {
        return Ok(());
    }
    if age >= -expiry {
        return Err(held_by(Some(stored), age));
    }
    // Written in the store's future, so its clock was set back: only a heartbeat tells whether that run is alive.
    let start = lake.clock().monotonic();
    while lake.clock().monotonic().saturating_sub(start) < timing.expiry {
        lake.clock().sleep(timing.heartbeat).await;
        let present = object.load().await?;
        if present.as_ref().is_none_or(|present| present.seen != stored.seen) {
            return Err(held_by(present.as_ref(), TimeDelta::zero()));
        }
    }
    Ok(())
}

/// The present instant by the store's clock: that of an object just written.
pub(super) async fn store_time(lake: &Lake) -> Result<DateTime<Utc>, LakeError> {
    let path = lake.object(&format!("{OWN_FOLDER}/clock-{}", lake.entropy().unique()))?;
    let asked = async {
        lake.store().put(&path, Bytes::from_static(b"now").into()).await?;
        let modified = lake.store().head(&path).await?.last_modified;
        lake.store().delete(&path).await?;
        Ok(modified)
    };
    asked.await.map_err(|error: StoreError| LakeError::store(path.to_string(), &error))
}

fn held_by(stored: Option<&Stored>, age: TimeDelta) -> LeaseError {
    let record = stored.and_then(Record::of);
    LeaseError::HeldBy {
        holder: record.as_ref().map_or_else(|| "a run that left no name".to_owned(), |record| record.holder.clone()),
        since: record.map_or(DateTime::UNIX_EPOCH, |record| record.since),
        silent_for: age.to_std().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::process::tests::{dead, elsewhere};
    use crate::lake::testing::{Fault, FaultyStore, lake_in};

    /// Heartbeats of the default timing come every 50 ms on this clock.
    const SPEED: u32 = 400;

    fn lakes() -> (Arc<FaultyStore>, Lake, Lake) {
        let store = Arc::new(FaultyStore::default());
        let (first, second) = (lake_in(store.clone(), SPEED), lake_in(store.clone(), SPEED));
        (store, first, second)
    }

    async fn acquire(lake: &Lake, holder: &str) -> Result<Lease, LeaseError> {
        Lease::acquire(lake, holder, LeaseTiming::default()).await
    }

    async fn until_lost(lake: &Lake, lease: &Lease) -> bool {
        for _ in 0..100 {
            if lease.is_lost() {
                return true;
            }
            lake.clock().sleep(LeaseTiming::default().heartbeat).await;
        }
        false
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_second_run_is_told_who_is_active_until_the_first_releases() {
        let (store, first, second) = lakes();
        let lease = acquire(&first, "run a").await.unwrap();
        let Err(LeaseError::HeldBy { holder, .. }) = acquire(&second, "run b").await else { panic!("two leases") };
        assert_eq!(holder, "run a");
        lease.release().await;
        let lease = acquire(&second, "run b").await.unwrap();
        lease.release().await;
        let left: Vec<_> =
            futures::TryStreamExt::try_collect(object_store::ObjectStore::list(&*store, None)).await.unwrap();
        assert!(left.is_empty(), "{left:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_runs_one_gets_the_lease() {
        let (_store, lake, _) = lakes();
        let names: Vec<String> = (0..8).map(|n| format!("run {n}")).collect();
        let taken = futures::future::join_all(names.iter().map(|name| acquire(&lake, name))).await;
        assert_eq!(taken.iter().filter(|lease| lease.is_ok()).count(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_silent_lease_is_taken_over_and_its_holder_notices() {
        let (store, first, second) = lakes();
        let lease = acquire(&first, "run a").await.unwrap();
        store.age_lease(TimeDelta::seconds(100));
        assert!(acquire(&second, "run b").await.is_err());
        store.age_lease(TimeDelta::seconds(121));
        let taken = acquire(&second, "run b").await.unwrap();
        assert!(until_lost(&first, &lease).await);
        lease.release().await;
        store.age_lease(TimeDelta::zero());
        let Err(LeaseError::HeldBy { holder, .. }) = acquire(&first, "run c").await else { panic!("released") };
        assert_eq!(holder, "run b");
        assert!(!taken.is_lost());
    }

    /// Leaves a lease behind, as a run that was killed does.
    async fn left_behind(lake: &Lake, process: Option<Process>) {
        let now = lake.clock().now();
        let (holder, token) = ("run a".to_owned(), "t".to_owned());
        let record = Record { version: 1, holder, token, since: now, heartbeat_at: now, heartbeats: 3, process };
        lake.put("_kustlake/lease.json", String::from_utf8(record.bytes().unwrap().to_vec()).unwrap()).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_holder_that_was_killed_on_this_machine_is_not_waited_for() {
        let (_store, lake, _) = lakes();
        left_behind(&lake, Some(dead())).await;
        acquire(&lake, "run b").await.unwrap().release().await;
        for unknown in [Some(elsewhere()), None] {
            left_behind(&lake, unknown).await;
            assert!(acquire(&lake, "run b").await.is_err());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lease_from_the_future_is_judged_by_its_heartbeat() {
        let (store, first, second) = lakes();
        let lease = acquire(&first, "run a").await.unwrap();
        store.age_lease(TimeDelta::days(-400));
        assert!(acquire(&second, "run b").await.is_err());
        drop(lease);
        assert!(acquire(&second, "run b").await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn heartbeats_that_fail_for_long_count_as_lost() {
        let (store, first, _) = lakes();
        let lease = acquire(&first, "run a").await.unwrap();
        store.fail(Fault::Full, "lease.json", usize::MAX);
        assert!(until_lost(&first, &lease).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lease_works_where_replacing_is_unconditional() {
        let (store, first, second) = lakes();
        store.fail(Fault::NoUpdate, "lease.json", usize::MAX);
        let lease = acquire(&first, "run a").await.unwrap();
        first.clock().sleep(Duration::from_secs(100)).await;
        assert!(!lease.is_lost());
        assert!(acquire(&second, "run b").await.is_err());
    }
}
