//! Time and chance, the only places where they enter the program.
//!
//! The rule: nothing outside this module reads a clock, sleeps or draws a random number, so that a
//! test (or a simulation) that owns the [`Clock`] and seeds the [`Entropy`] owns the whole run.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use uuid::{Builder, Uuid};

/// The passage of time as the program sees it.
pub trait Clock: Debug + Send + Sync {
    /// The local wall clock. It may be wrong: only reports and the lease use it, never a cursor.
    fn now(&self) -> DateTime<Utc>;

    /// Time since an arbitrary start; never goes backwards.
    fn monotonic(&self) -> Duration;

    /// Completes when `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The operating system's clock, optionally sped up so that a minute of pacing passes in a test's second.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
    started_at: DateTime<Utc>,
    speed: u32,
}

impl SystemClock {
    /// Real time.
    #[must_use]
    pub fn new() -> Self {
        Self::with_speed(1)
    }

    /// Time that passes `speed` times as fast as real time, from the present instant on.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the module that reads the clock")]
    pub fn with_speed(speed: u32) -> Self {
        Self { started: Instant::now(), started_at: Utc::now(), speed: speed.max(1) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.monotonic()).unwrap_or(TimeDelta::MAX);
        self.started_at.checked_add_signed(passed).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed().saturating_mul(self.speed)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the module that waits")]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration / self.speed))
    }
}

/// The source of unique names and of jitter: the operating system's, or a replayable sequence.
#[derive(Debug)]
pub struct Entropy(Source);

#[derive(Debug)]
enum Source {
    System,
    Seeded(AtomicU64),
}

impl Entropy {
    /// Unpredictable values, for production.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The same values in the same order for the same seed, for tests.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(AtomicU64::new(seed)))
    }

    /// A name that no other run has used or will use.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the module that draws random values")]
    pub fn unique(&self) -> Uuid {
        match &self.0 {
            Source::System => Uuid::new_v4(),
            Source::Seeded(state) => {
                let (high, low) = (split_mix(state), split_mix(state));
                Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes()).into_uuid()
            }
        }
    }

    /// A number below `bound`, or 0; evenly drawn as long as the bound is small against 2^63.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        let (_, low) = self.unique().as_u64_pair();
        // The two leading bits are the variant of a version 4 UUID.
        (low & (u64::MAX >> 2)).checked_rem(bound).unwrap_or_default()
    }

    /// A number in `[0, 1)`, for jitter.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        let (bits, _) = self.unique().as_u64_pair();
        // 32 of the leading 48 random bits: bits 48 to 63 of a version 4 UUID are not all random.
        f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
    }
}

/// One step of the `SplitMix64` sequence (Steele, Lea, Flood 2014): enough for names and jitter in tests.
fn split_mix(state: &AtomicU64) -> u64 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_the_same_names_and_a_run_never_repeats_one() {
        let (a, b) = (Entropy::seeded(7), Entropy::seeded(7));
        let first: Vec<_> = (0..100).map(|_| a.unique()).collect();
        assert_eq!(first, (0..100).map(|_| b.unique()).collect::<Vec<_>>());
        let distinct: std::collections::HashSet<_> = first.iter().collect();
        assert_eq!(distinct.len(), first.len());
    }

    #[test]
    fn a_fast_clock_passes_a_minute_in_a_moment() {
        let clock = SystemClock::with_speed(60_000);
        let before = clock.now();
        while clock.monotonic() < Duration::from_secs(60) {
            std::thread::yield_now();
        }
        assert!(clock.now() - before >= TimeDelta::seconds(59));
    }
}
