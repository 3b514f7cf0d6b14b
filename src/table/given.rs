//! What is told of a record from outside of it: the parent under which it was found, its place in a list.
//!
//! The rule: such values travel inside of the record's own text, as the member [`GIVEN`] at its end,
//! so that a record is one piece of bytes from the page to the row. The member is ours: it fills
//! columns, and is no part of what the source said, so `_extra` never holds it. A record that has a
//! member of this name by itself gets ours behind it, even an empty one, so that its own is data like any other.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::catalog::Given;

/// The member of a record's text that holds what is given to it: the last one of this name, written without escapes.
pub(super) const GIVEN: &str = "_given";
/// Below [`GIVEN`]: attributes that hold where the record itself says nothing of them.
pub(super) const IMPLIED: &str = "attributes";
/// Below [`GIVEN`]: whether the record is gone because the one that it belongs to is.
pub(super) const DELETED: &str = "deleted";
/// Below [`GIVEN`]: since when.
pub(super) const DELETED_AT: &str = "deletedAt";

/// Values that are given to one record, or to all records of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenValues {
    /// JSON texts by key.
    members: BTreeMap<&'static str, String>,
}

impl GivenValues {
    /// Gives a text, such as the id of the parent.
    #[must_use]
    pub fn text(self, given: Given, text: &str) -> Self {
        self.json(given, Value::from(text).to_string())
    }

    /// Gives the place among the elements of a record or a group, from 0.
    #[must_use]
    pub fn position(self, position: usize) -> Self {
        self.json(Given::Position, position.to_string())
    }

    /// Gives a JSON text as it is, such as the array of the included resources.
    #[must_use]
    pub fn json(self, given: Given, json: String) -> Self {
        self.with(given.name(), json)
    }

    /// Gives attributes to records that do not tell them: those that their list implies.
    #[must_use]
    pub fn implied(self, attributes: &BTreeMap<String, String>) -> Self {
        let attributes = attributes.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        self.with(IMPLIED, Value::Object(attributes.collect()).to_string())
    }

    /// Marks a record that was deleted together with the one that it belongs to.
    #[must_use]
    pub fn deleted(self, at: Option<DateTime<Utc>>) -> Self {
        let given = self.with(DELETED, "true".to_owned());
        match at {
            Some(at) => {
                given.with(DELETED_AT, Value::from(at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).to_string())
            }
            None => given,
        }
    }

    /// Whether [`with_given`] changes the text of `record`.
    #[must_use]
    pub fn change(&self, record: &[u8]) -> bool {
        const OURS: &[u8] = b"\"_given\"";
        !self.members.is_empty() || memchr::memmem::find(record, OURS).is_some()
    }

    fn with(mut self, key: &'static str, json: String) -> Self {
        self.members.insert(key, json);
        self
    }
}

/// The text of `record` with values given to it. What is no JSON object comes back as it is.
#[must_use]
pub fn with_given(record: &[u8], given: &GivenValues) -> Vec<u8> {
    let Some(body) = record.trim_ascii_end().strip_suffix(b"}").filter(|_| given.change(record)) else {
        return record.to_vec();
    };
    let room: usize = given.members.iter().map(|(key, json)| key.len() + json.len() + 4).sum();
    let mut text = Vec::with_capacity(body.len() + GIVEN.len() + room + 7);
    text.extend_from_slice(body);
    if body.trim_ascii() != b"{" {
        text.push(b',');
    }
    text.extend_from_slice(format!("\"{GIVEN}\":{{").as_bytes());
    for (number, (key, json)) in given.members.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        text.extend_from_slice(format!("{comma}\"{key}\":{json}").as_bytes());
    }
    text.extend_from_slice(b"}}");
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_given_stands_at_the_end_of_the_record() {
        let given =
            GivenValues::default().text(Given::ParentId, "c\"1").position(3).deleted(DateTime::from_timestamp(1, 0));
        for record in ["{}", " { } ", r#"{"id":"x"}"#, "{\"id\":\"x\"\n}\n"] {
            let spliced: Value = serde_json::from_slice(&with_given(record.as_bytes(), &given)).unwrap();
            let expected =
                json!({"parent_id": "c\"1", "position": 3, "deleted": true, "deletedAt": "1970-01-01T00:00:01Z"});
            assert_eq!(spliced[GIVEN], expected, "{record}");
            assert_eq!(spliced.get("id").is_some(), record.contains("id"));
        }
    }

    #[test]
    fn damaged_text_does_not_become_a_record() {
        let given = GivenValues::default().position(0);
        for damaged in ["", "[1]", r#"{"id":"x""#, r#"{"id":{"a":1}"#, "}"] {
            assert!(
                serde_json::from_slice::<serde_json::Map<String, Value>>(&with_given(damaged.as_bytes(), &given))
                    .is_err()
            );
        }
    }
}
