//! The simulator's own time: starts where a test wants it, runs at any speed, stands still, and jumps.
//!
//! Rule: the wall clock and real waiting are touched here and nowhere else.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// 2026-11-01T00:00:00Z: fixed, so that the default world is the same every day.
const DEFAULT_START: i64 = 1_793_491_200_000;

/// How the clock starts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClockSpec {
    /// The first instant, in milliseconds since the epoch.
    pub start: i64,
    /// Simulated milliseconds per real millisecond.
    pub speed: f64,
    /// Whether time stands still until it is advanced.
    pub frozen: bool,
}

impl Default for ClockSpec {
    fn default() -> Self {
        Self { start: DEFAULT_START, speed: 1.0, frozen: false }
    }
}

impl ClockSpec {
    /// A clock that stands still at the default start.
    #[must_use]
    pub fn frozen() -> Self {
        Self { frozen: true, ..Self::default() }
    }

    /// A clock that starts at the real present.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the only place where the simulator reads the wall clock")]
    pub fn real_time() -> Self {
        Self { start: chrono::Utc::now().timestamp_millis(), ..Self::default() }
    }
}

#[derive(Debug)]
struct Running {
    base: i64,
    since: Instant,
    speed: f64,
    frozen: bool,
}

/// A clock in milliseconds since the epoch that tests move.
#[derive(Debug)]
pub struct SimClock {
    running: Mutex<Running>,
}

impl SimClock {
    /// Starts a clock.
    #[must_use]
    pub fn new(spec: ClockSpec) -> Self {
        let running = Running { base: spec.start, since: monotonic(), speed: spec.speed.max(0.0), frozen: spec.frozen };
        Self { running: Mutex::new(running) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Running) -> T) -> T {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.settle();
        act(&mut running)
    }

    /// The present, in milliseconds since the epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.with(|running| running.base)
    }

    /// Moves time forward.
    pub fn advance(&self, millis: i64) {
        self.with(|running| running.base = running.base.saturating_add(millis));
    }

    /// Jumps to an instant, also into the past.
    pub fn set(&self, millis: i64) {
        self.with(|running| running.base = millis);
    }

    /// Sets how many simulated milliseconds pass per real one.
    pub fn set_speed(&self, speed: f64) {
        self.with(|running| running.speed = speed.max(0.0));
    }

    /// Stops time, or lets it run again.
    pub fn set_frozen(&self, frozen: bool) {
        self.with(|running| running.frozen = frozen);
    }

    /// The clock as it is now, ready to be started again.
    #[must_use]
    pub fn spec(&self) -> ClockSpec {
        self.with(|running| ClockSpec { start: running.base, speed: running.speed, frozen: running.frozen })
    }
}

impl Running {
    /// Folds the real time that has passed into `base`, keeping what is less than a millisecond for the next time.
    fn settle(&mut self) {
        let elapsed = self.since.elapsed();
        if self.frozen {
            self.since += elapsed;
            return;
        }
        let simulated = Duration::try_from_secs_f64(elapsed.as_secs_f64() * self.speed).unwrap_or(Duration::ZERO);
        let millis = i64::try_from(simulated.as_millis()).unwrap_or(0);
        if millis > 0 {
            self.base = self.base.saturating_add(millis);
            self.since += elapsed;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the only place where the simulator reads the monotonic clock")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// Waits in real time: the latency of an answer.
#[expect(clippy::disallowed_methods, reason = "the only place where the simulator waits")]
pub(crate) async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_when_told() {
        let clock = SimClock::new(ClockSpec { start: 1_000, speed: 1e6, frozen: true });
        assert_eq!(clock.now(), 1_000);
        clock.advance(500);
        assert_eq!(clock.now(), 1_500);
        clock.set(200);
        assert_eq!(clock.now(), 200);
    }

    #[test]
    fn a_fast_clock_runs_ahead() {
        let clock = SimClock::new(ClockSpec { start: 0, speed: 1e7, frozen: false });
        let first = clock.now();
        std::hint::black_box((0..100_000).sum::<u64>());
        while clock.now() == first {}
        assert!(clock.now() > first);
        clock.set_frozen(true);
        let stopped = clock.now();
        assert_eq!(clock.now(), stopped);
    }
}
