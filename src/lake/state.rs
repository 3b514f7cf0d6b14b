//! What a run remembers beside the tables.
//!
//! The rule: the state may lag the tables, never lead them; whatever is lost with it can be rebuilt from them. Fields
//! that this version does not know are kept; a newer format is refused.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::LakeError;

/// The format written, and the newest one understood.
const VERSION: u64 = 1;

/// The whole state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The format's version.
    version: u64,
    /// By entity.
    #[serde(default)]
    pub entities: BTreeMap<String, EntityState>,
    /// By the caller's id of the backfill.
    #[serde(default)]
    pub backfills: BTreeMap<String, BackfillState>,
    /// Fields of another version.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What is remembered of one entity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EntityState {
    /// Everything updated before it is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<DateTime<Utc>>,
    /// The start date from which it was loaded; absent when from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<DateTime<Utc>>,
    /// The end of the last run that committed it or found it unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<DateTime<Utc>>,
    /// The beginning of the last run that looked back wider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_rescan: Option<DateTime<Utc>>,
    /// The beginning of the last run that compared what exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reconcile: Option<DateTime<Utc>>,
    /// The last move of records to another parent that was followed, by the instant at which its row was taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<DateTime<Utc>>,
    /// The last delete that another table told of and that was followed, by the instant at which its row was taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes_told: Option<DateTime<Utc>>,
    /// Rows of the table after the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Fields of another version.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// How far one backfill of one entity got.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BackfillState {
    /// The first instant of the range; absent when from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// The first instant after the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Everything in the range before it is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_until: Option<DateTime<Utc>>,
    /// Fields of another version.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Why stored bytes are no state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// A newer kustlake has written them, in this version of the format.
    Newer(u64),
    /// They are no state of any version, for this reason: it quotes nothing of them.
    Damaged(String),
}

impl Default for State {
    fn default() -> Self {
        Self { version: VERSION, entities: BTreeMap::new(), backfills: BTreeMap::new(), rest: Map::new() }
    }
}

impl State {
    /// Reads what [`Self::bytes`] has written.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        // A parser's message may quote a value, so only its position is told.
        let damaged = |error: &serde_json::Error| {
            Unreadable::Damaged(format!(
                "{:?} error in line {}, column {}",
                error.classify(),
                error.line(),
                error.column()
            ))
        };
        let value: Value = serde_json::from_slice(bytes).map_err(|error| damaged(&error))?;
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => serde_json::from_slice(bytes).map_err(|error| damaged(&error)),
            Some(version) if version > VERSION => Err(Unreadable::Newer(version)),
            _ => Err(Unreadable::Damaged("it has no known version".to_owned())),
        }
    }

    /// The text of the state file.
    ///
    /// # Errors
    /// [`LakeError::Internal`]: a state that has no JSON, which is an error of ours.
    pub fn bytes(&self) -> Result<Bytes, LakeError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| LakeError::Internal(error.to_string()))?;
        Ok(Bytes::from(text + "\n"))
    }

    /// The state of two runs that overlapped: of each entity the later of each instant.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            version: VERSION,
            entities: merge_by_key(self.entities, other.entities, EntityState::merge),
            backfills: merge_by_key(self.backfills, other.backfills, BackfillState::merge),
            rest: merge_rest(self.rest, other.rest),
        }
    }
}

impl EntityState {
    fn merge(self, other: Self) -> Self {
        let (newer, older) = if self.last_run >= other.last_run { (self, other) } else { (other, self) };
        Self {
            cursor: newer.cursor.max(older.cursor),
            last_rescan: newer.last_rescan.max(older.last_rescan),
            last_reconcile: newer.last_reconcile.max(older.last_reconcile),
            moved: newer.moved.max(older.moved),
            deletes_told: newer.deletes_told.max(older.deletes_told),
            rest: merge_rest(newer.rest, older.rest),
            ..newer
        }
    }
}

impl BackfillState {
    fn merge(self, other: Self) -> Self {
        let done_until = self.done_until.max(other.done_until);
        let rest = merge_rest(self.rest, other.rest);
        Self { done_until, rest, from: self.from, until: self.until }
    }
}

fn merge_by_key<T>(
    ours: BTreeMap<String, T>,
    theirs: BTreeMap<String, T>,
    merge: fn(T, T) -> T,
) -> BTreeMap<String, T> {
    let mut merged = theirs;
    for (key, value) in ours {
        let value = match merged.remove(&key) {
            Some(other) => merge(value, other),
            None => value,
        };
        merged.insert(key, value);
    }
    merged
}

/// All fields of both; of a field in both, the first one's.
fn merge_rest(mut first: Map<String, Value>, second: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in second {
        first.entry(key).or_insert(value);
    }
    first
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instant(seconds: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(seconds, 0)
    }

    #[test]
    fn unknown_fields_survive_and_a_newer_version_is_refused() {
        let text = r#"{"version":1,"later":true,"entities":{"tags":{"cursor":"2026-01-01T00:00:00.123Z","hint":[1]}}}"#;
        let state = State::parse(text.as_bytes()).unwrap();
        let written: Value = serde_json::to_value(&state).unwrap();
        assert_eq!(written["later"], true);
        assert_eq!(written["entities"]["tags"]["hint"][0], 1);
        assert_eq!(written["entities"]["tags"]["cursor"], "2026-01-01T00:00:00.123Z");
        assert_eq!(State::parse(br#"{"version":2,"entities":7}"#), Err(Unreadable::Newer(2)));
        for damaged in [&b"{"[..], b"[]", b"", br#"{"entities":{}}"#, br#"{"version":1,"entities":[]}"#, b"\xff"] {
            assert!(matches!(State::parse(damaged), Err(Unreadable::Damaged(_))));
        }
    }

    #[test]
    fn damage_is_told_without_the_value() {
        let Err(Unreadable::Damaged(reason)) = State::parse(br#"{"version":1,"entities":"secret"}"#) else { panic!() };
        assert!(!reason.contains("secret"), "{reason}");
    }

    prop_compose! {
        fn any_entity()(times in prop::array::uniform4(prop::option::of(0_i64..9)), rows in prop::option::of(0_u64..9)) -> EntityState {
            let [cursor, last_run, last_rescan, last_reconcile] = times.map(|t| t.and_then(instant));
            EntityState { cursor, last_run, last_rescan, last_reconcile, rows, ..EntityState::default() }
        }
    }

    proptest! {
        #[test]
        fn a_merge_never_takes_a_cursor_back(a in any_entity(), b in any_entity()) {
            let state = |entity: &EntityState| State { entities: [("tags".to_owned(), entity.clone())].into(), ..State::default() };
            let merged = state(&a).merge(state(&b));
            let entity = &merged.entities["tags"];
            prop_assert_eq!(entity.cursor, a.cursor.max(b.cursor));
            prop_assert_eq!(entity.last_run, a.last_run.max(b.last_run));
            prop_assert_eq!(merged.clone().merge(merged.clone()), merged);
        }
    }
}
