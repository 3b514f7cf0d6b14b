//! Windows of the cursor time.
//!
//! The rule: a window is half-open, `[from, until)`, and its bounds are whole milliseconds, which is
//! the precision of the API (API reference, section 9.4). Windows that touch share no instant and
//! leave none out.

use std::fmt;

use chrono::{DateTime, DurationRound, SecondsFormat, TimeDelta, Utc};

/// A half-open range of cursor time that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Window {
    /// `[from, until)` in whole milliseconds, rounded down; `None` when nothing lies in it.
    #[must_use]
    pub fn new(from: DateTime<Utc>, until: DateTime<Utc>) -> Option<Self> {
        let (from, until) = (floor(from, TimeDelta::milliseconds(1)), floor(until, TimeDelta::milliseconds(1)));
        (from < until).then_some(Self { from, until })
    }

    /// The first instant inside.
    #[must_use]
    pub const fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// The first instant after it.
    #[must_use]
    pub const fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// Whether the instant lies inside.
    #[must_use]
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.from <= instant && instant < self.until
    }

    /// The part that both windows share.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.until.min(other.until))
    }

    /// The part before the instant.
    #[must_use]
    pub fn before(&self, instant: DateTime<Utc>) -> Option<Self> {
        Self::new(self.from, self.until.min(instant))
    }

    /// The part from the instant on.
    #[must_use]
    pub fn since(&self, instant: DateTime<Utc>) -> Option<Self> {
        Self::new(self.from.max(instant), self.until)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", text(self.from), text(self.until))
    }
}

impl Window {
    /// The smallest window of whole seconds that holds this one.
    #[must_use]
    pub fn to_seconds(&self) -> Self {
        let last = Precision::Second.window(self.until - TimeDelta::milliseconds(1));
        Self { from: Precision::Second.floor(self.from), until: last.until }
    }
}

/// How finely timestamps are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// As the API writes them.
    Millisecond,
    /// As a coarser index may keep them (API reference, section 9.4).
    Second,
}

impl Precision {
    const fn step(self) -> TimeDelta {
        match self {
            Self::Millisecond => TimeDelta::milliseconds(1),
            Self::Second => TimeDelta::seconds(1),
        }
    }

    /// The instant as far as it is told apart from others.
    #[must_use]
    pub fn floor(self, instant: DateTime<Utc>) -> DateTime<Utc> {
        floor(instant, self.step())
    }

    /// The window of all instants that are not told apart from this one.
    #[must_use]
    pub fn window(self, instant: DateTime<Utc>) -> Window {
        let from = self.floor(instant);
        Window { from, until: from + self.step() }
    }
}

/// An instant as people and the API read it: `2026-10-21T14:05:40.118Z`.
#[must_use]
pub fn text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The last multiple of `step` that is not after the instant.
fn floor(instant: DateTime<Utc>, step: TimeDelta) -> DateTime<Utc> {
    // Fails only beyond the years that nanoseconds since 1970 can count, where precision is of no use.
    instant.duration_trunc(step).map_or(instant, |floored| if floored > instant { floored - step } else { floored })
}

/// An instant from milliseconds since 1970.
#[must_use]
pub fn from_millis(millis: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        from_millis(millis).unwrap()
    }

    #[test]
    fn an_empty_range_is_no_window() {
        assert_eq!(Window::new(at(5), at(5)), None);
        assert_eq!(Window::new(at(6), at(5)), None);
        assert!(Window::new(at(5), at(6)).is_some());
    }

    #[test]
    fn a_window_shows_its_bounds_as_the_api_writes_them() {
        let window = Window::new(at(0), at(1_234)).unwrap();
        assert_eq!(window.to_string(), "[1970-01-01T00:00:00.000Z, 1970-01-01T00:00:01.234Z)");
    }

    proptest! {
        #[test]
        fn cutting_a_window_loses_no_instant_and_repeats_none(from in -9_000i64..9_000, length in 1i64..9_000, cut in -9_999i64..20_000, instant in -9_999i64..20_000) {
            let window = Window::new(at(from), at(from + length)).unwrap();
            let parts = [window.before(at(cut)), window.since(at(cut))];
            let holding = parts.iter().flatten().filter(|part| part.contains(at(instant))).count();
            prop_assert_eq!(holding, usize::from(window.contains(at(instant))));
        }

        #[test]
        fn whole_seconds_hold_the_window(from in -9_000i64..9_000, length in 1i64..9_000) {
            let window = Window::new(at(from), at(from + length)).unwrap();
            let seconds = window.to_seconds();
            prop_assert_eq!(seconds.intersect(&window), Some(window));
            prop_assert_eq!(seconds.to_seconds(), seconds);
            prop_assert!(window.from - seconds.from < TimeDelta::seconds(1));
            prop_assert!(seconds.until - window.until < TimeDelta::seconds(1));
        }

        #[test]
        fn floor_never_goes_up(millis in -99_999i64..99_999) {
            let floored = floor(at(millis), TimeDelta::seconds(1));
            prop_assert!(floored <= at(millis) && at(millis) - floored < TimeDelta::seconds(1));
        }
    }
}
