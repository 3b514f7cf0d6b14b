//! Instants: milliseconds since the epoch inside, `2026-10-22T15:20:06.011Z` outside (API reference, section 9.4).

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};

/// Two decimal digits of every number below 100, so that writing a timestamp is copying.
const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
    2021222324252627282930313233343536373839\
    4041424344454647484950515253545556575859\
    6061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899";

pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

fn moment(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}

fn push_pair(out: &mut Vec<u8>, value: u32) {
    let start = value as usize * 2;
    out.extend_from_slice(PAIRS.get(start..start + 2).unwrap_or(b"??"));
}

/// Appends the instant as the API spells it, 24 characters, without quotes.
pub(crate) fn write(out: &mut Vec<u8>, millis: i64) {
    let moment = moment(millis);
    let year = u32::try_from(moment.year()).unwrap_or(0);
    push_pair(out, year / 100);
    push_pair(out, year % 100);
    out.push(b'-');
    push_pair(out, moment.month());
    out.push(b'-');
    push_pair(out, moment.day());
    out.push(b'T');
    push_pair(out, moment.hour());
    out.push(b':');
    push_pair(out, moment.minute());
    out.push(b':');
    push_pair(out, moment.second());
    out.push(b'.');
    let fraction = moment.timestamp_subsec_millis();
    out.push(b'0' + u8::try_from(fraction / 100).unwrap_or(0));
    push_pair(out, fraction % 100);
    out.push(b'Z');
}

/// The instant as the API spells it.
pub(crate) fn text(millis: i64) -> String {
    let mut out = Vec::with_capacity(24);
    write(&mut out, millis);
    String::from_utf8(out).unwrap_or_default()
}

/// The instant as the HTTP `Date` header spells it.
pub(crate) fn http_date(millis: i64) -> String {
    moment(millis).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads an instant, or a bare date as its midnight in GMT (API reference, section 9.4).
pub(crate) fn parse(text: &str) -> Option<i64> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp_millis());
    }
    let date: NaiveDate = text.parse().ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0_i64..4_000_000_000_000) {
            let text = text(millis);
            prop_assert_eq!(text.len(), 24);
            prop_assert_eq!(parse(&text), Some(millis));
        }
    }

    #[test]
    fn dates_are_midnights() {
        assert_eq!(parse("2026-11-01"), parse("2026-11-01T00:00:00.000Z"));
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn the_date_header_is_in_the_form_of_http() {
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
