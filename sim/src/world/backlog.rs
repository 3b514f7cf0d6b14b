//! Changes that the search index does not show yet.
//!
//! Rule: the changes of one record show in their order; those of different records need not.

use std::collections::VecDeque;

use super::record::Record;
use crate::switches::Lagging;

/// How late the index shows what changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lag {
    /// Milliseconds.
    pub(crate) by: i64,
    pub(crate) of: Lagging,
}

/// A change that the index does not show yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) at: i64,
    pub(super) ord: u32,
    pub(super) version: Record,
}

/// All of them, in two queues: an index has parts, of which one may be later than the other.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    even: VecDeque<Pending>,
    odd: VecDeque<Pending>,
}

impl Backlog {
    pub(super) fn push(&mut self, pending: Pending) {
        let queue = if pending.ord.is_multiple_of(2) { &mut self.even } else { &mut self.odd };
        queue.push_back(pending);
    }

    /// Whether a change has become old enough for the index.
    pub(super) fn is_due(&self, now: i64, lag: Lag) -> bool {
        Self::shows(&self.even, now, lag.by) || Self::shows(&self.odd, now, Self::odd_lag(lag))
    }

    /// Takes the next change that is old enough.
    pub(super) fn next_due(&mut self, now: i64, lag: Lag) -> Option<Pending> {
        if Self::shows(&self.even, now, lag.by) {
            self.even.pop_front()
        } else if Self::shows(&self.odd, now, Self::odd_lag(lag)) {
            self.odd.pop_front()
        } else {
            None
        }
    }

    const fn odd_lag(lag: Lag) -> i64 {
        match lag.of {
            Lagging::AllRecords => lag.by,
            Lagging::EveryOtherRecord => 0,
        }
    }

    fn shows(queue: &VecDeque<Pending>, now: i64, lag: i64) -> bool {
        queue.front().is_some_and(|pending| pending.at.saturating_add(lag) <= now)
    }
}
