//! JSON as text: members of an object and meanings of scalars, without building a tree.
//!
//! The rule: every function works on borrowed text and leaves it as it was, so that a value which
//! turns out not to fit can be kept exactly as the source wrote it. Values are skipped without
//! recursion (`serde_json` skips iteratively), so no depth of nesting can fail a record.

use std::borrow::Cow;

use chrono::{DateTime, Datelike};
use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny};
use serde_json::value::RawValue;

use super::problems::{JsonKind, Mismatch};
pub(super) use crate::resource::{Member, member, members};

/// The same JSON without white space between its parts.
pub(super) fn compact(json: &str) -> String {
    let (mut compact, mut within, mut escaped) = (String::with_capacity(json.len()), false, false);
    for letter in json.chars() {
        if within || !letter.is_ascii_whitespace() {
            compact.push(letter);
        }
        match letter {
            '"' if !escaped => within = !within,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    compact
}

/// Whether an object has no member.
pub(super) fn is_empty_object(object: &str) -> bool {
    let inner = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

/// A JSON object while it is written.
pub(super) struct JsonText(String);

impl JsonText {
    pub(super) fn object() -> Self {
        Self(String::from("{"))
    }

    pub(super) fn member(&mut self, member: &Member<'_>) {
        self.key(member.key);
        self.0.push_str(member.value);
    }

    pub(super) fn members(&mut self, members: &[Member<'_>]) {
        for member in members {
            self.member(member);
        }
    }

    /// A member of our own, whose name has the characters `name`.
    pub(super) fn value(&mut self, name: &str, json: &str) {
        self.key(&escaped(name));
        self.0.push_str(json);
    }

    /// Begins an object inside, whose name has the JSON text `key` between its quotes.
    pub(super) fn open(&mut self, key: &str) {
        self.key(key);
        self.0.push('{');
    }

    /// Begins an object inside, whose name has the characters `name`.
    pub(super) fn open_named(&mut self, name: &str) {
        self.open(&escaped(name));
    }

    /// Ends the object that was opened last.
    pub(super) fn close(&mut self) {
        self.0.push('}');
    }

    pub(super) fn end(mut self) -> String {
        self.close();
        self.0
    }

    fn key(&mut self, key: &str) {
        // No JSON value ends with an opening brace, so this is the start of an object.
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
    }
}

/// The JSON text of these characters, without its quotes.
pub(super) fn escaped(characters: &str) -> String {
    let quoted = serde_json::Value::from(characters).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// What the JSON text holds; none for `null`.
pub(super) fn kind(json: &str) -> Option<JsonKind> {
    match json.as_bytes().first() {
        Some(b'{') => Some(JsonKind::Object),
        Some(b'[') => Some(JsonKind::Array),
        Some(b'"') => Some(JsonKind::String),
        Some(b't' | b'f') => Some(JsonKind::Boolean),
        Some(b'n') | None => None,
        Some(_) => Some(JsonKind::Number),
    }
}

/// The text of a JSON object, of which only the start has been looked at; none for any other JSON value.
///
/// # Errors
/// Bytes that are no JSON.
pub(super) fn object(json: &[u8]) -> serde_json::Result<Option<&str>> {
    let text = simdutf8::basic::from_utf8(json).map_err(serde_json::Error::custom)?;
    if text.trim_ascii_start().starts_with('{') {
        return Ok(Some(text));
    }
    serde_json::from_str::<IgnoredAny>(text).map(|_| None)
}

/// The mismatch of a value that has another type than the column: masked values are told apart.
pub(super) fn wrong_type(json: &str) -> Mismatch {
    if is_masked(json) { Mismatch::Masked } else { Mismatch::Type }
}

/// Whether the value stands for one that the API key may not read: `{"isMasked": true, …}`.
pub(super) fn is_masked(json: &str) -> bool {
    #[derive(Deserialize)]
    struct Mask {
        #[serde(rename = "isMasked")]
        _is_masked: IgnoredAny,
    }
    json.starts_with('{') && json.contains("\"isMasked\"") && serde_json::from_str::<Mask>(json).is_ok()
}

/// The characters of a JSON string.
pub(super) fn text(json: &str) -> Result<Cow<'_, str>, Mismatch> {
    let Some(inner) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(wrong_type(json));
    };
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(json).map(Cow::Owned).map_err(|_| Mismatch::Escape)
}

/// The elements of a JSON list of strings.
pub(super) fn texts(json: &str) -> Result<Vec<Cow<'_, str>>, Mismatch> {
    elements(json)?.into_iter().map(|element| text(element).map_err(|_| Mismatch::Element)).collect()
}

/// The JSON texts of the elements of a list.
pub(super) fn elements(json: &str) -> Result<Vec<&str>, Mismatch> {
    if kind(json) != Some(JsonKind::Array) {
        return Err(wrong_type(json));
    }
    let elements: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Mismatch::Type)?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}

/// The JSON text of the `id` in `{type, id}`, if the type is `resource_type` and nothing else is said.
pub(super) fn identifier<'a>(json: &'a str, resource_type: &str) -> Result<&'a str, Mismatch> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Identifier<'a> {
        #[serde(rename = "type", borrow)]
        resource_type: Cow<'a, str>,
        #[serde(borrow)]
        id: &'a RawValue,
    }
    match serde_json::from_str::<Identifier<'a>>(json) {
        Ok(found) if found.resource_type == resource_type && text(found.id.get()).is_ok() => Ok(found.id.get()),
        Ok(_) | Err(_) => Err(Mismatch::Relationship),
    }
}

/// The ids in a list of `{type, id}`, if all are of the type `resource_type`.
pub(super) fn identifiers<'a>(json: &'a str, resource_type: &str) -> Result<Vec<Cow<'a, str>>, Mismatch> {
    let list = elements(json).map_err(|_| Mismatch::Relationship)?;
    list.into_iter().map(|element| text(identifier(element, resource_type)?)).collect()
}

/// `true` or `false`.
pub(super) fn boolean(json: &str) -> Result<bool, Mismatch> {
    match json {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong_type(json)),
    }
}

/// A whole number, also when it is written with a fraction of zeros: `5.0`. Written with an exponent it does not fit.
pub(super) fn integer(json: &str) -> Result<i64, Mismatch> {
    number(json)?;
    let whole = match json.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        _ => json,
    };
    whole.parse().map_err(|_| Mismatch::Range)
}

/// A number as the nearest floating point number. Whole numbers beyond 2^53 do not fit, because they would be rounded.
pub(super) fn double(json: &str) -> Result<f64, Mismatch> {
    const EXACT: u64 = 1 << 53;
    number(json)?;
    if !json.contains(['.', 'e', 'E']) && json.parse::<i64>().map_or(true, |whole| whole.unsigned_abs() > EXACT) {
        return Err(Mismatch::Range);
    }
    json.parse().ok().filter(|number: &f64| number.is_finite()).ok_or(Mismatch::Range)
}

fn number(json: &str) -> Result<(), Mismatch> {
    if kind(json) == Some(JsonKind::Number) { Ok(()) } else { Err(wrong_type(json)) }
}

/// An instant in microseconds since 1970: a text as in RFC 3339 with at most six digits of fraction, or a number of
/// milliseconds, as the list of queues has it (API reference, section 19).
pub(super) fn instant(json: &str) -> Result<i64, Mismatch> {
    match kind(json) {
        Some(JsonKind::String) => written_instant(&text(json)?),
        Some(JsonKind::Number) => {
            let milliseconds = integer(json).map_err(|_| Mismatch::Instant)?;
            let instant = DateTime::from_timestamp_millis(milliseconds).ok_or(Mismatch::Instant)?;
            // RFC 3339 has four digits for the year; beyond them the instant could not be written again.
            if (0..=9999).contains(&instant.year()) { Ok(instant.timestamp_micros()) } else { Err(Mismatch::Instant) }
        }
        _ => Err(wrong_type(json)),
    }
}

fn written_instant(text: &str) -> Result<i64, Mismatch> {
    let instant = DateTime::parse_from_rfc3339(text).map_err(|_| Mismatch::Instant)?;
    // A leap second has no place on the time line of seconds since 1970.
    if instant.timestamp_subsec_nanos() >= 1_000_000_000 || !(0..=9999).contains(&instant.to_utc().year()) {
        return Err(Mismatch::Instant);
    }
    let fraction = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    if fraction > 6 { Err(Mismatch::Precision) } else { Ok(instant.timestamp_micros()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_fit_exactly_or_not_at_all() {
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(integer("5.000"), Ok(5));
        assert_eq!(integer("-0"), Ok(0));
        for odd in ["9223372036854775808", "5.5", "1e3", "4.99999999999999999999"] {
            assert_eq!(integer(odd), Err(Mismatch::Range), "{odd}");
        }
        assert_eq!(integer("\"5\""), Err(Mismatch::Type));
    }

    #[test]
    fn floating_point_numbers_never_round_a_whole_number() {
        assert_eq!(double("0.1"), Ok(0.1));
        assert_eq!(double("9007199254740992"), Ok(9_007_199_254_740_992.0));
        for odd in ["9007199254740993", "99999999999999999999", "1e999"] {
            assert_eq!(double(odd), Err(Mismatch::Range), "{odd}");
        }
    }

    #[test]
    fn instants_keep_their_moment_to_the_microsecond() {
        assert_eq!(instant("\"1970-01-01T00:00:01.500Z\""), Ok(1_500_000));
        assert_eq!(instant("\"1970-01-01T02:00:01.000001+02:00\""), Ok(1_000_001));
        assert_eq!(instant("1500"), Ok(1_500_000));
        assert_eq!(instant("\"1970-01-01T00:00:01.0000001Z\""), Err(Mismatch::Precision));
        for odd in ["\"2026-10-22\"", "\"\"", "\"2016-12-31T23:59:60Z\"", "9223372036854775807", "1.5"] {
            assert_eq!(instant(odd), Err(Mismatch::Instant), "{odd}");
        }
        assert_eq!(instant("true"), Err(Mismatch::Type));
    }

    #[test]
    fn a_masked_value_is_recognised() {
        assert_eq!(text(r#"{"isMasked":true,"maskedPresentation":"****"}"#), Err(Mismatch::Masked));
        assert_eq!(text("{}"), Err(Mismatch::Type));
    }

    #[test]
    fn an_escape_that_is_no_character_neither_fits_nor_breaks_the_object() {
        assert_eq!(text(r#""\ud800""#), Err(Mismatch::Escape));
        let mut seen = Vec::new();
        members(r#"{"\ud800": 1, "a\u0062": [ 2 ]}"#, |member| {
            seen.push((member.name(), member.value));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [(None, "1"), (Some("ab".into()), "[ 2 ]")]);
    }
}
