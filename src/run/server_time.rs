//! The time at the source.
//!
//! The rule: cursors follow the server's clock, told by its `Date` header once a run and carried on by our
//! monotonic clock, so that a wrong or jumping local clock moves nothing.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::extract::Present;

/// The server's clock as far as we know it.
#[derive(Debug, Clone)]
pub struct ServerTime {
    told: DateTime<Utc>,
    told_at: Duration,
    clock: Arc<dyn Clock>,
}

impl ServerTime {
    /// The server has just told this time; without it, the local clock must do.
    #[must_use]
    pub fn told(told: Option<DateTime<Utc>>, clock: Arc<dyn Clock>) -> Self {
        let local = clock.now();
        if told.is_none() {
            tracing::warn!("the source tells no time; going by the local clock");
        }
        Self { told: told.unwrap_or(local), told_at: clock.monotonic(), clock }
    }

    /// The time at the source, now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let passed = self.clock.monotonic().saturating_sub(self.told_at);
        let passed = TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX);
        self.told.checked_add_signed(passed).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The present as both clocks tell it, for what must hold whichever of them is wrong.
    #[must_use]
    pub fn present(&self) -> Present {
        let (theirs, ours) = (self.now(), self.clock.now());
        Present { earliest: theirs.min(ours), latest: theirs.max(ours) }
    }

    /// How far the local clock is ahead of the server's.
    #[must_use]
    pub fn local_ahead_by(&self) -> TimeDelta {
        self.clock.now() - self.now()
    }

    /// How far apart the clocks are, in words, where that is worth a word.
    #[must_use]
    pub fn difference(&self) -> Option<String> {
        /// Less is nobody's concern.
        const TOLERANCE: u64 = 60;
        let ahead = self.local_ahead_by();
        let seconds = ahead.num_seconds().unsigned_abs();
        let minutes = (seconds + 30) / 60;
        let which = if ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
        let far = match (minutes / 60, minutes % 60) {
            (0, minutes) => format!("{minutes} min"),
            (hours, 0) => format!("{hours} h"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        };
        (seconds >= TOLERANCE).then(|| format!("this machine's clock is {far} {which} the source's"))
    }

    /// What was updated before this instant has settled in the index; whole seconds, since `Date` knows no finer ones.
    #[must_use]
    pub fn settled(&self, settle: Duration) -> DateTime<Utc> {
        let settle = TimeDelta::from_std(settle).unwrap_or(TimeDelta::MAX);
        let settled = self.now().checked_sub_signed(settle).unwrap_or(DateTime::UNIX_EPOCH);
        crate::window::Precision::Second.floor(settled)
    }
}
