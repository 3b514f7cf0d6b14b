//! The sign that a run is active at a destination.
//!
//! The rule: it keeps runs from wasting each other's requests; correctness never depends on it. Its age is judged by the
//! clock of the store alone, by comparing two objects there, so that a wrong local clock neither steals a living lease
//! nor waits for ever for a dead one. Only a holder that has certainly ended, on this machine, is not waited for.
//!
//! Where commits do rely on it ([`Commits::Lease`]), it is as safe as a store without conditions lets it be: what was
//! written is read back after a while, and every heartbeat looks first whether the lease is still the same.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use object_store::{Error as StoreError, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::error::LakeError;
use super::guard::{Commits, Guard, Protection, Pulse, is_of};
use super::names::OWN_FOLDER;
use super::process::Process;
use super::store::Lake;
use super::versioned::{Put, Seen, Stored, Versioned};
use crate::clock::Clock;

/// Times that a run tries again when another one is just as quick.
const ATTEMPTS: usize = 3;

/// Where nothing else decides between two runs that are just as quick: how long the other one may take from its look at
/// the lease to its put, and how long a request of a run that was killed may still be under way.
const CALM: Duration = Duration::from_secs(5);

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
    #[error(
        "another run is active: {holder}, since {since}, last heard of {} s ago. It does the work, and this one has nothing \
         to do; if it was killed on another machine, the next run takes over two minutes after its last sign of life",
        silent_for.as_secs()
    )]
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
    pulse: Arc<Pulse>,
    timing: LeaseTiming,
    stop: oneshot::Sender<()>,
    heart: JoinHandle<()>,
}

/// The lease of the whole lake.
const LAKE: &str = "lease.json";
/// Whom nobody may work beside.
const MAINTENANCE: &str = "maintain";
/// The folder of leases of shards.
const SHARDS: &str = "leases";

impl Lease {
    /// Takes the lease of `lake` for `holder`, such as a run's id with host and process.
    ///
    /// # Errors
    /// [`LeaseError::HeldBy`] at once when another run is alive.
    pub async fn acquire(lake: &Lake, holder: &str, timing: LeaseTiming) -> Result<Self, LeaseError> {
        Self::acquire_at(lake, LAKE, holder, timing).await
    }

    /// Takes the lease of one shard of a backfill, which several machines share; it keeps no run away.
    ///
    /// # Errors
    /// [`LeaseError::HeldBy`] at once when another machine works on it.
    pub async fn acquire_shard(
        lake: &Lake,
        shard: &str,
        holder: &str,
        timing: LeaseTiming,
    ) -> Result<Self, LeaseError> {
        // What is alone in the lake holds the lease of all of it.
        let whole = Versioned::of(lake, &format!("{OWN_FOLDER}/{LAKE}"))?;
        if let Some(stored) = whole.load().await?
            && Record::of(&stored).is_some_and(|record| record.holder == MAINTENANCE)
        {
            wait_for_death(lake, &whole, &stored, timing).await?;
        }
        Self::acquire_at(lake, &format!("{SHARDS}/{shard}.json"), holder, timing).await
    }

    /// Takes the lease of `lake` for work that needs to be alone: no machine may work on a shard either.
    ///
    /// # Errors
    /// [`LeaseError::HeldBy`] at once when a run is alive, or some machine works on a shard.
    pub async fn acquire_alone(lake: &Lake, timing: LeaseTiming) -> Result<Self, LeaseError> {
        let lease = Self::acquire(lake, MAINTENANCE, timing).await?;
        match Self::no_shard(lake, timing).await {
            Ok(()) => Ok(lease),
            Err(error) => {
                lease.release().await;
                Err(error)
            }
        }
    }

    async fn no_shard(lake: &Lake, timing: LeaseTiming) -> Result<(), LeaseError> {
        let folder = lake.object(&format!("{OWN_FOLDER}/{SHARDS}"))?;
        let listed = lake.store().list_with_delimiter(Some(&folder)).await;
        let listed = listed.map_err(|error| LakeError::store(folder.to_string(), &error))?;
        for found in listed.objects {
            let object = Versioned::of(
                lake,
                &format!("{OWN_FOLDER}/{SHARDS}/{}", found.location.filename().unwrap_or_default()),
            )?;
            if let Some(stored) = object.load().await? {
                wait_for_death(lake, &object, &stored, timing).await?;
            }
        }
        Ok(())
    }

    async fn acquire_at(lake: &Lake, name: &str, holder: &str, timing: LeaseTiming) -> Result<Self, LeaseError> {
        let object = Versioned::of(lake, &format!("{OWN_FOLDER}/{name}"))?;
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
            let sent = lake.clock().monotonic();
            if let Put::Done(seen) = object.put(record.bytes()?, seen).await? {
                if lake.commits() == Commits::Lease {
                    read_back(lake, &object, &record).await?;
                }
                return Ok(Self::beating(lake, object, record, seen, (sent, timing)));
            }
        }
        Err(held_by(object.load().await?.as_ref(), TimeDelta::zero()))
    }

    fn beating(
        lake: &Lake,
        object: Versioned,
        record: Record,
        seen: Seen,
        (sent, timing): (Duration, LeaseTiming),
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let pulse = Arc::new(Pulse::new(sent));
        let token = record.token.clone();
        let heart = Heart {
            clock: Arc::clone(lake.clock()),
            object: object.clone(),
            record,
            seen,
            timing,
            pulse: Arc::clone(&pulse),
        };
        Self { object, token, pulse, timing, stop, heart: tokio::spawn(heart.beat(stopped)) }
    }

    /// Whether another run has taken over, or no heartbeat came through for too long. Commits stay safe; it is polite
    /// to stop.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.pulse.is_lost()
    }

    /// The lake as the holder of this lease may use it: where commits rely on the lease, each looks at it first.
    #[must_use]
    pub fn guard(&self, lake: &Lake) -> Lake {
        match lake.commits() {
            Commits::CreateOnly => lake.clone(),
            Commits::Lease => lake.protected(Protection::Held(Arc::new(self.holder(lake)))),
        }
    }

    fn holder(&self, lake: &Lake) -> Guard {
        Guard {
            clock: Arc::clone(lake.clock()),
            object: self.object.clone(),
            token: self.token.clone(),
            pulse: Arc::clone(&self.pulse),
            timing: self.timing,
        }
    }

    /// Gives the lease back, so that the next run need not wait; failing that, it expires. Commits that rely on it and
    /// are on their way land first, also those that nobody waits for any more.
    pub async fn release(self) {
        let _landed = self.pulse.landed().await;
        let _ = self.stop.send(());
        let _ = self.heart.await;
        if self.pulse.is_lost() {
            return;
        }
        let released = async {
            match self.object.load().await? {
                Some(stored) if is_of(&stored, &self.token) => self.object.delete().await,
                _ => Ok(()),
            }
        };
        if let Err(error) = released.await {
            tracing::warn!(%error, "the lease was not given back and will expire");
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
    pulse: Arc<Pulse>,
}

impl Heart {
    /// Beats until told to stop, or until the lease belongs to another.
    async fn beat(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                _ = &mut stopped => return,
                () = self.clock.sleep(self.timing.heartbeat) => {}
            }
            self.record.heartbeats += 1;
            self.record.heartbeat_at = self.clock.now();
            let sent = self.clock.monotonic();
            let put = match self.record.bytes() {
                Ok(content) => self.object.put(content, Some(&self.seen)).await,
                Err(error) => Err(error),
            };
            match put {
                Ok(Put::Done(seen)) => {
                    self.seen = seen;
                    self.pulse.beat(sent);
                }
                Ok(Put::Overtaken) => return self.pulse.lose(),
                Err(error) => {
                    tracing::warn!(%error, "a heartbeat of the lease failed");
                    if self.clock.monotonic().saturating_sub(self.pulse.last()) >= self.timing.expiry {
                        return self.pulse.lose();
                    }
                }
            }
        }
    }
}

/// Waits, and sees whether the lease that was just written is still there.
async fn read_back(lake: &Lake, object: &Versioned, record: &Record) -> Result<(), LeaseError> {
    lake.clock().sleep(CALM).await;
    match object.load().await? {
        Some(stored) if is_of(&stored, &record.token) => Ok(()),
        other => Err(held_by(other.as_ref(), TimeDelta::zero())),
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
#[path = "lease_tests.rs"]
mod tests;
