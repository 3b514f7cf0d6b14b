//! What keeps two runs from overwriting each other's commits.
//!
//! The rule: it is the store's promise of create-only puts, which is tried out; where a store makes none, and only then,
//! it is the lease, which is looked at before every commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::error::LakeError;
use super::lease::LeaseTiming;
use super::versioned::{Stored, Versioned};
use crate::clock::Clock;

/// What commits rely on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Commits {
    /// That the store keeps its promise of create-only puts.
    #[default]
    CreateOnly,
    /// Where the store does not keep it, that one run at a time holds the lease.
    Lease,
}

/// What commits rely on, with what that takes.
#[derive(Debug, Clone, Default)]
pub(super) enum Protection {
    #[default]
    CreateOnly,
    /// The lease, which nobody here holds: nothing may be committed.
    Unheld,
    Held(Arc<Guard>),
}

impl Protection {
    pub(super) const fn commits(&self) -> Commits {
        match self {
            Self::CreateOnly => Commits::CreateOnly,
            Self::Unheld | Self::Held(_) => Commits::Lease,
        }
    }
}

/// What the holder of a lease knows of its own heartbeats.
#[derive(Debug)]
pub(super) struct Pulse {
    lost: AtomicBool,
    /// When the last heartbeat that came through was sent, by the monotonic clock.
    last: Mutex<Duration>,
    /// Held shared by every commit on its way, even of a load that was given up.
    landing: Arc<RwLock<()>>,
}

/// A commit that is on its way: the lease is not given back before this is dropped.
pub(super) type Landing = OwnedRwLockReadGuard<()>;

impl Pulse {
    pub(super) fn new(now: Duration) -> Self {
        Self { lost: AtomicBool::new(false), last: Mutex::new(now), landing: Arc::default() }
    }

    /// Waits until no commit is on its way; while the answer is held, none sets out.
    pub(super) async fn landed(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.landing).write_owned().await
    }

    pub(super) fn beat(&self, sent: Duration) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = sent;
    }

    pub(super) fn last(&self) -> Duration {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

/// Looks whether a run still holds the lease.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) object: Versioned,
    pub(super) token: String,
    pub(super) pulse: Arc<Pulse>,
    pub(super) timing: LeaseTiming,
}

impl Guard {
    /// That this run holds the lease, and nobody will take it over before a commit that begins now has landed: while
    /// the answer is held, the lease is not given back either.
    ///
    /// # Errors
    /// [`LakeError::Overtaken`] when that is not certain; [`LakeError::Unusable`].
    pub(super) async fn assure(&self) -> Result<Landing, LakeError> {
        let landing = Arc::clone(&self.pulse.landing).read_owned().await;
        let held = self.object.load().await?.is_some_and(|stored| is_of(&stored, &self.token));
        // The other half of the time of expiry is left for the commit.
        let fresh = self.clock.monotonic().saturating_sub(self.pulse.last()) < self.timing.expiry / 2;
        if held && fresh && !self.pulse.is_lost() {
            return Ok(landing);
        }
        self.pulse.lose();
        Err(LakeError::Overtaken)
    }
}

/// Whether the stored lease bears this token.
pub(super) fn is_of(stored: &Stored, token: &str) -> bool {
    #[derive(Deserialize)]
    struct Token {
        token: String,
    }
    serde_json::from_slice::<Token>(&stored.content).is_ok_and(|stored| stored.token == token)
}
