//! What the simulator has been asked: the witness of every test about pacing and economy.
//!
//! Rule: every API request is counted on arrival, whatever becomes of it; control requests never are.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::timestamp::MINUTE;

const RECENT: usize = 1_000;
const ARRIVALS: usize = 1_000_000;

/// One request as it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestLog {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The status of the answer; 0 for a connection that was dropped without one.
    pub status: u16,
}

/// Counts since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// All API requests.
    pub requests: u64,
    /// Requests per kind of endpoint: `search`, `archive_search`, `list`, `by_id`, `children`, `directory`, ….
    pub by_kind: BTreeMap<String, u64>,
    /// Requests per kind of record.
    pub by_context: BTreeMap<String, u64>,
    /// Pages of records served.
    pub pages: u64,
    /// Records served.
    pub records: u64,
    /// Bytes of bodies served.
    pub bytes: u64,
    /// Answers with status 429.
    pub throttled: u64,
    /// Requests that could have changed something.
    pub violations: u64,
    /// The most requests in any 60 seconds of simulated time.
    pub org_peak: usize,
    /// The most searches in any 60 seconds of simulated time.
    pub search_peak: usize,
    /// The last thousand requests, oldest first.
    pub recent: VecDeque<RequestLog>,
}

/// The greatest number of arrivals in any minute.
#[derive(Debug, Default)]
struct Peak {
    arrivals: VecDeque<i64>,
    most: usize,
}

impl Peak {
    fn arrive(&mut self, now: i64) {
        if self.arrivals.back().is_some_and(|last| *last > now) || self.arrivals.len() >= ARRIVALS {
            self.arrivals.clear();
        }
        while self.arrivals.front().is_some_and(|first| *first <= now - MINUTE) {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(now);
        self.most = self.most.max(self.arrivals.len());
    }
}

/// The books behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Tally {
    stats: Stats,
    org: Peak,
    search: Peak,
}

/// What one request came to.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    pub(crate) records: Option<usize>,
    pub(crate) bytes: usize,
}

impl Tally {
    pub(crate) fn arrive(&mut self, kind: &'static str, context: Option<&'static str>, searches: bool, now: i64) {
        self.stats.requests += 1;
        count(&mut self.stats.by_kind, kind);
        if let Some(context) = context {
            count(&mut self.stats.by_context, context);
        }
        self.org.arrive(now);
        if searches {
            self.search.arrive(now);
        }
    }

    /// A search tells its context only when its body has been read.
    pub(crate) fn searched(&mut self, context: &str) {
        count(&mut self.stats.by_context, context);
    }

    pub(crate) fn violate(&mut self) {
        self.stats.violations += 1;
    }

    pub(crate) fn answer(&mut self, outcome: &Outcome<'_>) {
        let stats = &mut self.stats;
        stats.throttled += u64::from(outcome.status == 429);
        stats.bytes += outcome.bytes as u64;
        if let Some(records) = outcome.records {
            stats.pages += 1;
            stats.records += records as u64;
        }
        if stats.recent.len() >= RECENT {
            stats.recent.pop_front();
        }
        let (method, path) = (outcome.method.to_owned(), outcome.path.to_owned());
        stats.recent.push_back(RequestLog { method, path, status: outcome.status });
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats { org_peak: self.org.most, search_peak: self.search.most, ..self.stats.clone() }
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

fn count(map: &mut BTreeMap<String, u64>, name: &str) {
    match map.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(map.insert(name.to_owned(), 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_over_any_sixty_seconds() {
        let mut tally = Tally::default();
        for now in [0, 30_000, 59_999, 60_000, 61_000, 200_000] {
            tally.arrive("list", None, false, now);
        }
        assert_eq!(tally.stats().org_peak, 4);
        assert_eq!(tally.stats().search_peak, 0);
    }
}
