//! Our share of the two budgets that all clients of the organisation draw from.
//!
//! The rule: in no sliding 60 seconds does the server see more than `share × limit` requests, nor
//! more than `searches_per_minute` searches, and when others have used the minute up we stand back
//! before the service has to say so. Whoever comes first is served first, within each budget.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::headers::QuotaHeaders;
use super::request::Budget;
use super::slots::{Slots, Wait, WaitReason};
use super::usage::Room;
use crate::clock::Clock;

/// How much of the service's limits may be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuotaSettings {
    /// The organisation's limit.
    pub limit: Limit,
    /// The part of it that is ours.
    pub share: Share,
    /// Searches a minute; API keys are limited to 100 (API reference, section 7).
    pub searches_per_minute: NonZeroU32,
}

/// The organisation's requests a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// What the answers' `x-ratelimit-limit` says; a careful guess until the first answer.
    Auto,
    /// This many.
    Fixed(NonZeroU32),
}

/// A part of a whole: more than 0, at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(f64);

/// A number that is not a part of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be more than 0 and at most 1")]
pub struct InvalidShare;

impl TryFrom<f64> for Share {
    type Error = InvalidShare;

    fn try_from(part: f64) -> Result<Self, InvalidShare> {
        if part > 0.0 && part <= 1.0 { Ok(Self(part)) } else { Err(InvalidShare) }
    }
}

impl Share {
    /// The share of `limit`, rounded down, but at least one.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32 is between 0 and it")]
    fn of(self, limit: u32) -> u32 {
        ((f64::from(limit) * self.0).floor() as u32).max(1)
    }
}

/// A wait that is under way, for the progress line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The budget that is waited for.
    pub budget: Budget,
    /// Why.
    pub reason: WaitReason,
    /// For how much longer at most, before it is tried again.
    pub left: Duration,
}

/// Requests of the last minute, as how long each still counts. The next run of the same organisation begins with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// All requests, searches included.
    pub organisation: Vec<Duration>,
    /// The searches among them.
    pub search: Vec<Duration>,
    /// The organisation's limit, as the service told it last.
    pub limit: Option<u32>,
}

/// The requests a minute assumed before the service has told its limit: a fifth of the smallest one sold.
const CAREFUL_LIMIT: u32 = 60;
/// One part in so many of a limit is left to the other clients.
const RESERVE_PART: u32 = 50;
/// How long we stand back when little is left and the service does not say until when.
const STAND_BACK: Duration = Duration::from_secs(10);
const LONGEST_STAND_BACK: Duration = Duration::from_secs(60);

/// Both budgets of one organisation.
#[derive(Debug)]
pub(super) struct Quota {
    clock: Arc<dyn Clock>,
    settings: QuotaSettings,
    organisation: Lane,
    search: Lane,
    /// The organisation's limit, once an answer to something else than a search has told it.
    learned: Mutex<Option<u32>>,
}

/// The queue for one budget.
#[derive(Debug)]
struct Lane {
    budget: Budget,
    /// Its holder is the first in the queue. The queue is fair: first come, first served.
    turnstile: tokio::sync::Mutex<()>,
    /// Tells the first in the queue to look again.
    changed: Notify,
    state: Mutex<LaneState>,
}

#[derive(Debug)]
struct LaneState {
    slots: Slots,
    waiting: Option<Wait>,
    waited: Duration,
}

/// The right to send one request. It must be kept until the request is over, well or not.
#[derive(Debug)]
pub(super) struct Permit<'q> {
    _search: Option<Slot<'q>>,
    _organisation: Slot<'q>,
}

#[derive(Debug)]
struct Slot<'q> {
    lane: &'q Lane,
    clock: &'q dyn Clock,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        lock(&self.lane.state).slots.give_back(self.clock.monotonic());
        self.lane.changed.notify_one();
    }
}

impl Quota {
    pub(super) fn new(settings: QuotaSettings, clock: Arc<dyn Clock>) -> Self {
        let limit = match settings.limit {
            Limit::Auto => CAREFUL_LIMIT,
            Limit::Fixed(limit) => limit.get(),
        };
        Self {
            organisation: Lane::new(Budget::Organisation, settings.share.of(limit)),
            search: Lane::new(Budget::Search, settings.searches_per_minute.get()),
            clock,
            settings,
            learned: Mutex::new(None),
        }
    }

    /// Waits until a request of this budget may be sent. Dropping the future gives up the place in the queue.
    pub(super) async fn permit(&self, budget: Budget) -> Permit<'_> {
        // The scarcer budget first: who waits for a search keeps nobody from other requests.
        let search = match budget {
            Budget::Search => Some(self.search.slot(&*self.clock).await),
            Budget::Organisation => None,
        };
        Permit { _search: search, _organisation: self.organisation.slot(&*self.clock).await }
    }

    /// Takes note of an answer that was not a refusal.
    pub(super) fn observe(&self, budget: Budget, headers: QuotaHeaders) {
        let spoken_of = self.learn(budget, headers.limit);
        let now = self.clock.monotonic();
        let scarce = self.is_scarce(spoken_of, headers);
        for lane in self.lanes(budget) {
            if lane.budget == spoken_of && scarce {
                let wait = headers.wait.unwrap_or(STAND_BACK).min(LONGEST_STAND_BACK);
                lane.hold(WaitReason::Reserve, now + wait);
            } else {
                lane.release(now);
            }
        }
    }

    /// Takes note of a 429, and sends nothing of that budget for `wait`.
    ///
    /// Search has a limit of its own, but whether its answers speak of it is not known (API reference,
    /// section 7): a refused search pauses searches, and everything only if the headers say that the
    /// organisation's minute is used up.
    pub(super) fn throttle(&self, budget: Budget, headers: QuotaHeaders, wait: Duration) {
        let spoken_of = self.learn(budget, headers.limit);
        let until = self.clock.monotonic() + wait;
        self.lane(budget).hold(WaitReason::Throttled, until);
        if self.is_scarce(spoken_of, headers) {
            self.lane(spoken_of).hold(WaitReason::Throttled, until);
        }
    }

    /// The requests a minute that we may send, as far as the organisation's limit is known.
    pub(super) fn allowance(&self) -> u32 {
        let limit = match self.settings.limit {
            Limit::Fixed(limit) => limit.get(),
            Limit::Auto => lock(&self.learned).unwrap_or(CAREFUL_LIMIT),
        };
        self.settings.share.of(limit)
    }

    /// What the last minute's requests have taken of the budgets.
    pub(super) fn spent(&self) -> Spent {
        let now = self.clock.monotonic();
        let taken = |lane: &Lane| lock(&lane.state).slots.taken(now);
        let limit = *lock(&self.learned);
        Spent { organisation: taken(&self.organisation), search: taken(&self.search), limit }
    }

    /// Counts what a former run has spent.
    pub(super) fn count(&self, spent: Spent) {
        let now = self.clock.monotonic();
        self.learn(Budget::Organisation, spent.limit);
        for (lane, rests) in [(&self.organisation, spent.organisation), (&self.search, spent.search)] {
            lock(&lane.state).slots.occupy(rests, now);
        }
    }

    /// The wait under way that concerns most requests.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let now = self.clock.monotonic();
        [&self.organisation, &self.search].into_iter().find_map(|lane| lane.waiting(now))
    }

    /// What is left of the search minute.
    pub(super) fn searches_left(&self) -> Room {
        lock(&self.search.state).slots.room(self.clock.monotonic())
    }

    /// How long the first in a queue has waited, in all.
    pub(super) fn waited(&self) -> Duration {
        [&self.organisation, &self.search].into_iter().map(|lane| lock(&lane.state).waited).sum()
    }

    /// Which budget the headers of an answer speak of, having learned the organisation's limit from them.
    fn learn(&self, budget: Budget, limit: Option<u32>) -> Budget {
        let Some(limit) = limit else { return Budget::Organisation };
        let mut learned = lock(&self.learned);
        match (budget, *learned) {
            (Budget::Search, Some(known)) if known != limit => return Budget::Search,
            (Budget::Search, _) => {}
            (Budget::Organisation, _) => *learned = Some(limit),
        }
        drop(learned);
        if self.settings.limit == Limit::Auto {
            self.organisation.resize(self.settings.share.of(limit));
        }
        Budget::Organisation
    }

    fn is_scarce(&self, spoken_of: Budget, headers: QuotaHeaders) -> bool {
        let learned = match spoken_of {
            Budget::Organisation => *lock(&self.learned),
            Budget::Search => None,
        };
        let reserve = (headers.limit.or(learned).unwrap_or(CAREFUL_LIMIT) / RESERVE_PART).max(1);
        headers.remaining.is_some_and(|remaining| remaining < reserve)
    }

    fn lane(&self, budget: Budget) -> &Lane {
        match budget {
            Budget::Organisation => &self.organisation,
            Budget::Search => &self.search,
        }
    }

    /// The lanes that a request of this budget takes from.
    fn lanes(&self, budget: Budget) -> impl Iterator<Item = &Lane> {
        let search = (budget == Budget::Search).then_some(&self.search);
        [&self.organisation].into_iter().chain(search)
    }
}

impl Lane {
    fn new(budget: Budget, capacity: u32) -> Self {
        let state = LaneState { slots: Slots::new(capacity), waiting: None, waited: Duration::ZERO };
        Self { budget, turnstile: tokio::sync::Mutex::new(()), changed: Notify::new(), state: Mutex::new(state) }
    }

    async fn slot<'q>(&'q self, clock: &'q dyn Clock) -> Slot<'q> {
        let _first = self.turnstile.lock().await;
        let began = clock.monotonic();
        loop {
            let now = clock.monotonic();
            let wait = {
                let mut state = lock(&self.state);
                let taken = state.slots.take(now);
                state.waiting = taken.err();
                match taken {
                    Ok(()) => {
                        state.waited += now.saturating_sub(began);
                        return Slot { lane: self, clock };
                    }
                    Err(wait) => wait,
                }
            };
            match wait.until {
                Some(until) => tokio::select! {
                    () = clock.sleep(until.saturating_sub(now)) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    fn resize(&self, capacity: u32) {
        lock(&self.state).slots.resize(capacity);
        self.changed.notify_one();
    }

    fn hold(&self, reason: WaitReason, until: Duration) {
        lock(&self.state).slots.hold(reason, until);
    }

    fn release(&self, now: Duration) {
        lock(&self.state).slots.release(now);
        self.changed.notify_one();
    }

    fn waiting(&self, now: Duration) -> Option<Waiting> {
        let wait = lock(&self.state).waiting?;
        let left = wait.until?.checked_sub(now)?;
        Some(Waiting { budget: self.budget, reason: wait.reason, left })
    }
}

/// A panic elsewhere leaves these counters whole: each change is one statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
