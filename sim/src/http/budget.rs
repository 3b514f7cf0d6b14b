//! The two budgets of requests per minute (API reference, section 7).

use std::collections::VecDeque;

use crate::switches::Limiting;
use crate::timestamp::MINUTE;

/// What has been used of one budget.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    arrivals: VecDeque<i64>,
    window: i64,
    used: u64,
}

/// Whether a request may pass, and what the headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) passes: bool,
    pub(crate) remaining: u64,
    /// When there is room again, in milliseconds since the epoch.
    pub(crate) reset: i64,
}

impl Budget {
    /// Takes one request out of what others have left of the limit; a refused request takes nothing.
    pub(crate) fn take(&mut self, limit: u64, others: u64, limiting: Limiting, now: i64) -> Verdict {
        let room = limit.saturating_sub(others);
        match limiting {
            Limiting::FixedWindow => {
                let window = now.div_euclid(MINUTE) * MINUTE;
                if window != self.window {
                    (self.window, self.used) = (window, 0);
                }
                let passes = self.used < room;
                self.used += u64::from(passes);
                Verdict { passes, remaining: room.saturating_sub(self.used), reset: window + MINUTE }
            }
            Limiting::SlidingWindow => {
                self.arrivals.retain(|arrival| (now - MINUTE..=now).contains(arrival) && *arrival > now - MINUTE);
                let passes = (self.arrivals.len() as u64) < room;
                if passes {
                    self.arrivals.push_back(now);
                }
                let reset = self.arrivals.front().copied().unwrap_or(now) + MINUTE;
                Verdict { passes, remaining: room.saturating_sub(self.arrivals.len() as u64), reset }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(limiting: Limiting, arrivals: &[i64]) -> Vec<bool> {
        let mut budget = Budget::default();
        arrivals.iter().map(|now| budget.take(3, 1, limiting, *now).passes).collect()
    }

    #[test]
    fn a_fixed_window_ends_with_its_minute() {
        let arrivals = [59_000, 59_001, 59_002, 60_000, 60_001, 60_002];
        assert_eq!(passes(Limiting::FixedWindow, &arrivals), [true, true, false, true, true, false]);
    }

    #[test]
    fn a_sliding_window_holds_any_sixty_seconds() {
        let arrivals = [59_000, 59_001, 60_000, 118_999, 119_000, 119_001, 119_002];
        assert_eq!(passes(Limiting::SlidingWindow, &arrivals), [true, true, false, false, true, true, false]);
    }

    #[test]
    fn the_reset_is_when_there_is_room_again() {
        let mut budget = Budget::default();
        assert_eq!(
            budget.take(1, 0, Limiting::SlidingWindow, 5_000),
            Verdict { passes: true, remaining: 0, reset: 65_000 }
        );
        assert_eq!(budget.take(1, 0, Limiting::FixedWindow, 5_000).reset, 60_000);
    }
}
