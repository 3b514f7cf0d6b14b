//! Reading a few members of a JSON object without building a tree.
//!
//! The rule: what is not asked for is skipped in constant stack, however deep it nests, and a member
//! of an unexpected type is absent rather than an error.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::resource::characters;

/// Members that were asked for, in the order of their names.
pub(super) type Found<'a, const N: usize> = [Option<&'a RawValue>; N];

/// The members of the object `json` with these names; of a repeated name the last one.
///
/// # Errors
/// Text that is not one JSON object and nothing after it. The error may quote the text: use its position only.
pub(super) fn members<'a, const N: usize>(json: &'a str, names: [&str; N]) -> Result<Found<'a, N>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let found = deserializer.deserialize_map(Members { names })?;
    deserializer.end()?;
    Ok(found)
}

/// The value as a `T`; `None` if it is absent or of another type.
pub(super) fn value<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    value_of(raw.map(RawValue::get))
}

/// The same for a JSON text.
pub(super) fn value_of<'a, T: Deserialize<'a>>(json: Option<&'a str>) -> Option<T> {
    serde_json::from_str(json?).ok()
}

/// The value at the end of a path of names, beginning in the JSON text of an object.
#[must_use]
pub fn value_at<'a>(json: &'a [u8], path: &[&str]) -> Option<&'a RawValue> {
    let (first, rest) = path.split_first()?;
    let [found] = members(str::from_utf8(json).ok()?, [first]).ok()?;
    rest.iter().try_fold(found?, |object, name| {
        let [found] = members(object.get(), [name]).ok()?;
        found
    })
}

/// The text at the end of a path of names, beginning in the JSON text of an object.
#[must_use]
pub fn text_at(json: &[u8], path: &[&str]) -> Option<String> {
    value(value_at(json, path))
}

/// The members of an object by name, of a repeated name the last one; none of anything else. A name with an escape that is no
/// character keeps its escapes.
#[must_use]
pub fn entries(object: &RawValue) -> BTreeMap<String, &RawValue> {
    struct Entries;
    impl<'a> Visitor<'a> for Entries {
        type Value = BTreeMap<String, &'a RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((key, value)) = map.next_entry::<&'a RawValue, &'a RawValue>()? {
                let name = serde_json::from_str(key.get());
                entries.insert(name.unwrap_or_else(|_| key.get().trim_matches('"').to_owned()), value);
            }
            Ok(entries)
        }
    }
    serde_json::Deserializer::from_str(object.get()).deserialize_map(Entries).unwrap_or_default()
}

/// Whether the value is absent or null, which Kustomer uses alike (API reference, section 5.3).
pub(super) fn is_null(raw: Option<&RawValue>) -> bool {
    raw.is_none_or(|raw| raw.get() == "null")
}

#[derive(Clone, Copy)]
struct Members<'n, const N: usize> {
    names: [&'n str; N],
}

impl<'a, const N: usize> Visitor<'a> for Members<'_, N> {
    type Value = Found<'a, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(key) = map.next_key::<&'a RawValue>()? {
            let name = characters(key.get());
            match self.names.iter().zip(&mut found).find(|(asked, _)| name.as_deref() == Some(**asked)) {
                Some((_, slot)) => *slot = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asked_members_are_found_in_any_order_and_spelling() {
        let [a, b, c] = members(r#" {"b": [1, {"a": 2}], "\u0061": "x\ny", "b": true} "#, ["a", "b", "c"]).unwrap();
        assert_eq!(value::<String>(a).as_deref(), Some("x\ny"));
        assert_eq!(value::<bool>(b), Some(true));
        assert!(is_null(c));
    }

    #[test]
    fn another_type_is_absent_and_deep_nesting_costs_no_stack() {
        let deep = format!(r#"{{"x": {}{}, "rev": "6"}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
        let [x, rev] = members(&deep, ["x", "rev"]).unwrap();
        assert_eq!(value::<i64>(rev), None);
        assert_eq!(value::<String>(x), None);
    }

    #[test]
    fn a_name_that_is_no_text_harms_no_other_member() {
        let odd = r#"{"\ud800": 1, "a": {"b": "x", "\udc00b": [2]}, "c": "\ud800", "a\u0062": 3}"#;
        assert_eq!(text_at(odd.as_bytes(), &["a", "b"]).as_deref(), Some("x"));
        assert_eq!(text_at(odd.as_bytes(), &["c"]), None);
        assert_eq!(value::<i64>(value_at(odd.as_bytes(), &["ab"])), Some(3));
        let names: Vec<_> = entries(value_at(odd.as_bytes(), &["a"]).unwrap()).into_keys().collect();
        assert_eq!(names, ["\\udc00b", "b"]);
        assert!(entries(value_at(odd.as_bytes(), &["c"]).unwrap()).is_empty());
    }

    #[test]
    fn only_one_whole_object_is_read() {
        for bad in ["", "[]", "null", "\"text\"", "{", r#"{"a":1"#, r#"{"a":1} x"#, r#"{"a":1}{}"#, r#"{"a" 1}"#] {
            assert!(members(bad, ["a"]).is_err(), "{bad}");
        }
    }
}
