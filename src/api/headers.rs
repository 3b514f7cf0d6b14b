//! What the headers of an answer say about time and quota.
//!
//! The rule: every figure from the service is read relative to the service's own clock (the `Date`
//! header of the same answer) and clamped, so that no clock and no unit, wrong on either side, can stop a run.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The quota of the budget that an answer speaks of (API reference, section 7). Each header may be missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct QuotaHeaders {
    /// Requests a minute for everybody together.
    pub(super) limit: Option<u32>,
    /// What is left of them.
    pub(super) remaining: Option<u32>,
    /// How long to wait before the next request: `Retry-After`, else until the reset. Between 1 and 120 seconds.
    pub(super) wait: Option<Duration>,
}

const SHORTEST_WAIT: f64 = 1.0;
const LONGEST_WAIT: f64 = 120.0;
/// A larger number is a date in milliseconds: as one in seconds it would lie beyond the year 5000.
const LEAST_EPOCH_MILLIS: f64 = 1e11;
/// A smaller number is a duration: as a date in seconds it would lie before 1974.
const LEAST_EPOCH_SECONDS: f64 = 1e8;

/// The service's clock when it answered, to the second.
pub(super) fn server_time(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

impl QuotaHeaders {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let now = server_time(headers);
        let retry_after = text(RETRY_AFTER.as_str()).and_then(|text| wait(text, now));
        let reset = || text("x-ratelimit-reset").and_then(|text| wait(text, now));
        Self {
            limit: text("x-ratelimit-limit").and_then(count).filter(|limit| *limit > 0),
            remaining: text("x-ratelimit-remaining").and_then(count),
            wait: retry_after.or_else(reset),
        }
    }
}

/// The leading number; what is below zero is zero.
fn count(text: &str) -> Option<u32> {
    if text.starts_with('-') {
        return Some(0);
    }
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The time from `now` to a point that is given as a date, as a number of seconds or milliseconds
/// since 1970, or as a number of seconds from now.
fn wait(text: &str, now: Option<DateTime<Utc>>) -> Option<Duration> {
    let epoch = |now: DateTime<Utc>| now.timestamp() as f64;
    let seconds = match text.parse::<f64>() {
        Ok(number) if number >= LEAST_EPOCH_MILLIS => number / 1000.0 - epoch(now?),
        Ok(number) if number >= LEAST_EPOCH_SECONDS => number - epoch(now?),
        Ok(number) => number,
        Err(_) => epoch(http_date(text)?) - epoch(now?),
    };
    Duration::try_from_secs_f64(seconds.clamp(SHORTEST_WAIT, LONGEST_WAIT)).ok()
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: (&str, &str) = ("date", "Wed, 21 Oct 2026 14:05:40 GMT");

    fn read(lines: &[(&'static str, &'static str)]) -> QuotaHeaders {
        let headers = lines.iter().map(|(name, text)| (name.parse().unwrap(), text.parse().unwrap()));
        QuotaHeaders::read(&headers.collect())
    }

    #[test]
    fn a_reset_is_understood_in_any_unit() {
        for (text, seconds) in [
            ("1792591570", 30),                    // epoch seconds
            ("1792591570000", 30),                 // epoch milliseconds
            ("1792591570.5", 30),                  // with a fraction
            ("30", 30),                            // from now
            ("Wed, 21 Oct 2026 14:06:10 GMT", 30), // a date
            ("0", 1),
            ("-5", 1),
            ("1792591000", 1),   // past
            ("1892591000", 120), // far off: a wrong clock must not stop the run
            ("45000", 120),      // another unit
            ("999999999999999", 120),
        ] {
            let wait = read(&[NOW, ("x-ratelimit-reset", text)]).wait.map(|wait| wait.as_secs());
            assert_eq!(wait, Some(seconds), "{text}");
        }
        for text in ["", "soon", "NaN"] {
            assert_eq!(read(&[NOW, ("x-ratelimit-reset", text)]).wait, None, "{text}");
        }
    }

    #[test]
    fn a_date_needs_the_services_clock() {
        assert_eq!(read(&[("x-ratelimit-reset", "1792591570")]).wait, None);
        assert_eq!(read(&[("date", "yesterday"), ("retry-after", "Wed, 21 Oct 2026 14:06:10 GMT")]).wait, None);
        assert_eq!(read(&[("retry-after", "7")]).wait, Some(Duration::from_secs(7)));
    }

    #[test]
    fn retry_after_comes_before_the_reset() {
        let headers = [NOW, ("x-ratelimit-reset", "50"), ("retry-after", "Wed, 21 Oct 2026 14:06:00 GMT")];
        assert_eq!(read(&headers).wait, Some(Duration::from_secs(20)));
        assert_eq!(read(&[NOW, ("x-ratelimit-reset", "50"), ("retry-after", "?")]).wait, Some(Duration::from_secs(50)));
    }

    #[test]
    fn limits_are_read_with_and_without_their_window() {
        let quota = read(&[("x-ratelimit-limit", "1000;w=60"), ("x-ratelimit-remaining", "-3")]);
        assert_eq!((quota.limit, quota.remaining), (Some(1000), Some(0)));
        assert_eq!(read(&[("x-ratelimit-limit", "0"), ("x-ratelimit-remaining", "many")]), QuotaHeaders::default());
    }
}
