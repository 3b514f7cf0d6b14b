//! One budget's requests a minute, as slots that must rest between two uses.
//!
//! The rule: in no sliding 60 seconds does the server see more requests than there are slots. A slot
//! is taken before its request leaves and rests for a minute after the request is over. The server
//! saw the request in between, so two arrivals on one slot are more than a minute apart, whatever the latency.

use std::collections::VecDeque;
use std::time::Duration;

use super::usage::Room;

/// How long a slot rests: the minute of the limit, and a second for a request that was given up
/// while it was still on its way.
const REST: Duration = Duration::from_secs(61);

/// Why a request waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// Our share of the minute is used.
    Pace,
    /// Others used nearly all of the organisation's minute.
    Reserve,
    /// The service said that there were too many requests (429).
    Throttled,
}

/// Why a slot cannot be had now, and when to look again; without a time, when a request is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) reason: WaitReason,
    pub(super) until: Option<Duration>,
}

/// The slots of one budget. Times are those of the monotonic clock.
#[derive(Debug)]
pub(super) struct Slots {
    capacity: u32,
    in_flight: u32,
    /// When each resting slot may be used again, earliest first.
    resting: VecDeque<Duration>,
    hold: Option<Hold>,
}

/// A pause, after which single requests explore until one of them is told that there is room.
#[derive(Debug, Clone, Copy)]
struct Hold {
    reason: WaitReason,
    until: Duration,
}

impl Slots {
    pub(super) fn new(capacity: u32) -> Self {
        Self { capacity: capacity.max(1), in_flight: 0, resting: VecDeque::new(), hold: None }
    }

    /// Takes a slot.
    pub(super) fn take(&mut self, now: Duration) -> Result<(), Wait> {
        while self.resting.front().is_some_and(|rested| *rested <= now) {
            self.resting.pop_front();
        }
        if let Some(Hold { reason, until }) = self.hold {
            if now < until {
                return Err(Wait { reason, until: Some(until) });
            }
            if self.in_flight > 0 {
                return Err(Wait { reason, until: None });
            }
        }
        if self.used() >= usize::try_from(self.capacity).unwrap_or(usize::MAX) {
            return Err(Wait { reason: WaitReason::Pace, until: self.resting.front().copied() });
        }
        self.in_flight += 1;
        Ok(())
    }

    /// Gives a slot back after its request, to rest.
    pub(super) fn give_back(&mut self, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.resting.push_back(now + REST);
    }

    /// How long each slot that is in use or resting may still not be used again, longest first; those in flight as if
    /// their requests ended now.
    pub(super) fn taken(&self, now: Duration) -> Vec<Duration> {
        let in_flight = (0..self.in_flight).map(|_| REST);
        let resting = self.resting.iter().rev().map(|rested| rested.saturating_sub(now));
        in_flight.chain(resting).filter(|left| !left.is_zero()).collect()
    }

    /// What is left of them.
    pub(super) fn room(&self, now: Duration) -> Room {
        let taken = u32::try_from(self.taken(now).len()).unwrap_or(u32::MAX);
        Room { free: self.capacity.saturating_sub(taken), capacity: self.capacity }
    }

    /// Lets slots rest for requests that another run has sent.
    pub(super) fn occupy(&mut self, rests: impl IntoIterator<Item = Duration>, now: Duration) {
        self.resting.extend(rests.into_iter().map(|left| now + left.min(REST)));
        self.resting.make_contiguous().sort_unstable();
    }

    pub(super) fn resize(&mut self, capacity: u32) {
        self.capacity = capacity.max(1);
    }

    /// Stops everything until then; a longer pause that is under way stays.
    pub(super) fn hold(&mut self, reason: WaitReason, until: Duration) {
        if self.hold.is_none_or(|hold| hold.until < until) {
            self.hold = Some(Hold { reason, until });
        }
    }

    /// Ends the exploring after a pause that is over.
    pub(super) fn release(&mut self, now: Duration) {
        if self.hold.is_some_and(|hold| hold.until <= now) {
            self.hold = None;
        }
    }

    fn used(&self) -> usize {
        self.resting.len() + usize::try_from(self.in_flight).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_slot_rests_a_minute_from_the_end_of_its_request() {
        let mut slots = Slots::new(1);
        slots.take(at(0)).unwrap();
        assert_eq!(slots.take(at(50)), Err(Wait { reason: WaitReason::Pace, until: None }));
        slots.give_back(at(50));
        assert_eq!(slots.take(at(100)), Err(Wait { reason: WaitReason::Pace, until: Some(at(111)) }));
        assert_eq!(slots.take(at(111)), Ok(()));
    }

    #[test]
    fn what_one_run_has_sent_rests_in_the_next_one_too() {
        let mut first = Slots::new(3);
        for second in [0, 10, 20] {
            first.take(at(second)).unwrap();
        }
        first.give_back(at(20));
        first.give_back(at(30));
        assert_eq!(first.taken(at(40)), [at(61), at(51), at(41)]);
        let mut second = Slots::new(3);
        second.occupy(first.taken(at(40)), at(1000));
        assert_eq!(second.take(at(1000)), Err(Wait { reason: WaitReason::Pace, until: Some(at(1041)) }));
        assert_eq!(second.take(at(1041)), Ok(()));
        assert!(first.taken(at(200)).len() == 1, "only the one that is still in flight");
    }

    #[test]
    fn a_smaller_limit_lets_nobody_in_until_enough_slots_have_rested() {
        let mut slots = Slots::new(10);
        for second in 0..10 {
            slots.take(at(second)).unwrap();
            slots.give_back(at(second));
        }
        slots.resize(3);
        assert!(slots.take(at(67)).is_err());
        assert_eq!(slots.take(at(68)), Ok(()));
    }

    #[test]
    fn after_a_pause_one_request_explores_until_there_is_room() {
        let mut slots = Slots::new(10);
        slots.hold(WaitReason::Throttled, at(30));
        slots.hold(WaitReason::Reserve, at(10));
        assert_eq!(slots.take(at(29)), Err(Wait { reason: WaitReason::Throttled, until: Some(at(30)) }));
        slots.release(at(29));
        assert!(slots.take(at(29)).is_err(), "an answer from before the pause does not end it");
        assert_eq!(slots.take(at(30)), Ok(()));
        assert_eq!(slots.take(at(30)), Err(Wait { reason: WaitReason::Throttled, until: None }));
        slots.release(at(31));
        assert_eq!(slots.take(at(31)), Ok(()));
    }
}
