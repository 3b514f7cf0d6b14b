//! What the client has used so far, for the progress line and the report.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::quota::Waiting;
use super::request::Budget;

/// A reading of the counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests sent, searches and retries included: what the organisation's budget was charged.
    pub requests: u64,
    /// The searches among them: what the search budget was charged.
    pub searches: u64,
    /// The requests among them that had been sent before.
    pub retries: u64,
    /// The answers that refused a request for too many requests (429).
    pub throttled: u64,
    /// Bytes of answers, decompressed.
    pub bytes: u64,
    /// How long the first in a queue has waited for a budget, in all.
    pub waited: Duration,
    /// The wait under way.
    pub waiting: Option<Waiting>,
    /// What is left of the search minute.
    pub searches_left: Room,
}

/// What is left of the minute of a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Requests that may be sent at once.
    pub free: u32,
    /// Requests that may be sent in a minute.
    pub capacity: u32,
}

#[derive(Debug, Default)]
pub(super) struct Meter {
    requests: AtomicU64,
    searches: AtomicU64,
    retries: AtomicU64,
    throttled: AtomicU64,
    bytes: AtomicU64,
}

impl Meter {
    pub(super) fn sent(&self, budget: Budget, attempt: u32) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if budget == Budget::Search {
            self.searches.fetch_add(1, Ordering::Relaxed);
        }
        if attempt > 1 {
            self.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn throttled(&self) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn received(&self, body: &[u8]) {
        self.bytes.fetch_add(u64::try_from(body.len()).unwrap_or_default(), Ordering::Relaxed);
    }

    pub(super) fn read(&self, waited: Duration, waiting: Option<Waiting>, searches_left: Room) -> Usage {
        Usage {
            requests: self.requests.load(Ordering::Relaxed),
            searches: self.searches.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            throttled: self.throttled.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            waited,
            waiting,
            searches_left,
        }
    }
}
