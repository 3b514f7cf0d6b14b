//! The one place that decides whether a request is sent again, and when.
//!
//! The rule: what may pass is tried again with growing, jittered pauses; what cannot pass is told at
//! once. Refusals for too many requests are limited by time instead of by number, because they end
//! with the minute and not with a try. Nothing is tried without end.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::error::{Cause, ConnectFailure, Status};
use crate::clock::Entropy;

/// The limits of retrying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySettings {
    /// How often a request is sent when the service or the network has trouble.
    pub attempts: u32,
    /// How often when it cannot be reached for a reason that seldom passes: no such host, no trust.
    pub attempts_to_reach: u32,
    /// The first pause; each is twice the one before it, and up to as much again by chance.
    pub first_pause: Duration,
    /// The longest pause before chance.
    pub longest_pause: Duration,
    /// How long one request bears being refused for too many requests.
    pub throttled_for: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            attempts: 8,
            attempts_to_reach: 3,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            throttled_for: Duration::from_secs(15 * 60),
        }
    }
}

/// What kind of trouble a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It will be the same next time.
    Lasting,
    /// It may be over soon.
    Passing,
    /// It is seldom over soon.
    Stubborn,
    /// Too many requests.
    Throttled,
}

/// What to do about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it again after this pause.
    Again(Duration),
    /// Keep the whole budget still for this long, unless the service says for how long, then send it again.
    AgainThrottled(Duration),
    /// Tell the caller.
    GiveUp,
}

/// The retries of one request.
#[derive(Debug)]
pub(super) struct Retry {
    settings: RetrySettings,
    /// Attempts that failed for another reason than throttling.
    failed: u32,
    pauses: ExponentialBackoff,
    throttled_pauses: ExponentialBackoff,
    throttled_since: Option<Duration>,
}

impl Retry {
    pub(super) fn new(settings: RetrySettings, entropy: &Entropy) -> Self {
        let (seed, throttled_seed) = entropy.unique().as_u64_pair();
        let builder = |first, longest, seed| {
            let builder = ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest);
            builder.without_max_times().with_jitter().with_jitter_seed(seed).build()
        };
        Self {
            settings,
            failed: 0,
            pauses: builder(settings.first_pause, settings.longest_pause, seed),
            throttled_pauses: builder(settings.first_pause * 2, settings.longest_pause, throttled_seed),
            throttled_since: None,
        }
    }

    /// Judges an attempt that ended at `now` on the monotonic clock.
    pub(super) fn after(&mut self, cause: &Cause, now: Duration) -> Verdict {
        let attempts = match trouble(cause) {
            Trouble::Lasting => return Verdict::GiveUp,
            Trouble::Throttled => return self.after_throttling(now),
            Trouble::Passing => self.settings.attempts,
            Trouble::Stubborn => self.settings.attempts_to_reach.min(self.settings.attempts),
        };
        self.failed += 1;
        match self.pauses.next() {
            Some(pause) if self.failed < attempts => Verdict::Again(pause),
            _ => Verdict::GiveUp,
        }
    }

    fn after_throttling(&mut self, now: Duration) -> Verdict {
        let since = *self.throttled_since.get_or_insert(now);
        match self.throttled_pauses.next() {
            Some(pause) if now.saturating_sub(since) < self.settings.throttled_for => Verdict::AgainThrottled(pause),
            _ => Verdict::GiveUp,
        }
    }
}

fn trouble(cause: &Cause) -> Trouble {
    match cause {
        // A text that names the API key's fault decides, whatever the status is.
        Cause::Status(Status { phrase: Some(_), .. }) => Trouble::Lasting,
        Cause::Status(Status { status, .. }) => trouble_of_status(*status),
        Cause::Redirect { .. } | Cause::ForeignLink | Cause::Oversize(_) | Cause::Unread => Trouble::Lasting,
        Cause::Connect(ConnectFailure::Dns | ConnectFailure::Tls) => Trouble::Stubborn,
        Cause::Connect(ConnectFailure::Refused | ConnectFailure::Silent | ConnectFailure::Other) => Trouble::Passing,
        Cause::Timeout(_) | Cause::Cut | Cause::BadPage(_) => Trouble::Passing,
    }
}

/// API reference, section 6; proxies before the service add statuses of their own above 511.
fn trouble_of_status(status: u16) -> Trouble {
    match status {
        429 => Trouble::Throttled,
        501 | 505 => Trouble::Lasting,
        408 | 500..=599 => Trouble::Passing,
        _ => Trouble::Lasting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Cause {
        Cause::Status(Status { status, code: None, phrase: None })
    }

    /// How often a request is sent when each attempt ends so, a second after the other.
    fn attempts(cause: &Cause) -> (u32, Duration) {
        let mut retry = Retry::new(RetrySettings::default(), &Entropy::seeded(7));
        let mut now = Duration::ZERO;
        for attempt in 1.. {
            match retry.after(cause, now) {
                Verdict::Again(pause) | Verdict::AgainThrottled(pause) => now += pause,
                Verdict::GiveUp => return (attempt, now),
            }
        }
        unreachable!()
    }

    #[test]
    fn every_status_has_its_rule() {
        let mut table = String::new();
        let mut former = None;
        for code in 300..=600 {
            let rule = trouble(&status(code));
            if former.replace(rule) != Some(rule) {
                table.push_str(&format!("from {code}: {rule:?}\n"));
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn trouble_is_retried_a_few_times_within_minutes() {
        for cause in [
            status(503),
            Cause::Cut,
            Cause::Timeout(Duration::from_secs(60)),
            Cause::BadPage(crate::api::BadPage::TimedOut),
        ] {
            let (attempts, elapsed) = attempts(&cause);
            assert_eq!(attempts, 8, "{cause}");
            assert!((90..240).contains(&elapsed.as_secs()), "{elapsed:?}");
        }
        assert_eq!(attempts(&Cause::Connect(ConnectFailure::Refused)).0, 8);
        assert_eq!(attempts(&Cause::Connect(ConnectFailure::Dns)).0, 3);
        assert_eq!(attempts(&Cause::Connect(ConnectFailure::Tls)).0, 3);
    }

    #[test]
    fn what_cannot_pass_is_told_at_once() {
        let expired = Cause::Status(Status { status: 500, code: None, phrase: Some(crate::api::Phrase::Expired) });
        for cause in
            [status(400), status(401), status(403), status(404), Cause::ForeignLink, Cause::Oversize(1), expired]
        {
            assert_eq!(attempts(&cause).0, 1, "{cause}");
        }
    }

    #[test]
    fn throttling_is_borne_for_a_quarter_of_an_hour() {
        let (attempts, elapsed) = attempts(&status(429));
        assert!((900..1000).contains(&elapsed.as_secs()), "{elapsed:?}");
        assert!(attempts > 15, "{attempts}");
    }

    #[test]
    fn a_service_that_alternates_between_both_is_not_asked_forever() {
        let mut retry = Retry::new(RetrySettings::default(), &Entropy::seeded(7));
        let causes = [status(429), status(503)];
        let tried =
            (0..1000).take_while(|turn| retry.after(&causes[turn % 2], Duration::from_secs(1)) != Verdict::GiveUp);
        assert_eq!(tried.count(), 15);
    }
}
