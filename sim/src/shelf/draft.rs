//! The making of a body: what all resources have in common.
//!
//! Rule: a body is a function of the seed, the shelf and the stem, so that a change is a new stem.

use serde_json::{Map, Value, json};

use super::item::Stem;
use super::lore::Lore;
use crate::rng::{Dice, index, mix};
use crate::timestamp;

/// A body in the making.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft<'a> {
    pub(super) lore: &'a Lore,
    pub(super) stem: &'a Stem,
    /// Tells the shelves apart: resources of the same number on two shelves are not alike.
    pub(super) shelf: u64,
}

impl<'a> Draft<'a> {
    fn purpose(&self, purpose: u64) -> u64 {
        mix(self.shelf ^ mix((u64::from(self.stem.ord) << 16) ^ purpose))
    }

    /// Choices that are the same in every version.
    pub(super) fn fixed(&self, purpose: u64) -> Dice {
        self.lore.dice(self.purpose(purpose))
    }

    /// Choices that are others in every version.
    pub(super) fn moving(&self, purpose: u64) -> Dice {
        self.lore.dice(self.purpose(purpose) ^ mix(u64::from(self.stem.rev) + 1_000))
    }

    /// True for `percent` of a hundred resources, evenly: also a short list has both, and another version may differ.
    pub(super) fn often(&self, percent: u64, purpose: u64) -> bool {
        (u64::from(self.stem.ord) * 37 + u64::from(self.stem.rev) * 61 + purpose * 17) % 100 < percent
    }

    /// The name that the directory gives, or one made of a word and a number.
    pub(super) fn name(&self, names: &[String], word: &str) -> String {
        let ord = self.stem.ord;
        names.get(ord as usize).cloned().unwrap_or_else(|| format!("{word} {}", ord + 1))
    }

    pub(super) fn created(&self) -> String {
        timestamp::text(self.stem.created)
    }

    pub(super) fn updated(&self) -> String {
        timestamp::text(self.stem.updated)
    }

    /// The last change by a person; null when there was none.
    pub(super) fn modified(&self) -> Value {
        if self.stem.rev > 1 { timestamp::text(self.stem.updated - 20).into() } else { Value::Null }
    }

    /// `deleted` and `deletedAt`: null while it is not.
    pub(super) fn deletion(&self) -> (Value, Value) {
        match self.stem.deleted {
            Some(at) => (true.into(), timestamp::text(at).into()),
            None => (Value::Null, Value::Null),
        }
    }

    pub(super) fn org(&self) -> Value {
        to_one("org", "/v1/orgs", &self.lore.org)
    }

    pub(super) fn user_id(&self, purpose: u64) -> String {
        self.fixed(purpose).pick(&self.lore.users).cloned().unwrap_or_default()
    }

    pub(super) fn user(&self, purpose: u64) -> Value {
        to_one("user", "/v1/users", &self.user_id(purpose))
    }

    /// The user of the last change; null when there was none.
    pub(super) fn modifier(&self) -> Value {
        if self.stem.rev > 1 { self.user(u64::from(self.stem.rev)) } else { Value::Null }
    }

    pub(super) fn deleter(&self) -> Value {
        if self.stem.deleted.is_some() { self.user(3) } else { Value::Null }
    }

    /// Relationships `org`, `createdBy` and `modifiedBy`, with others added.
    pub(super) fn relations(&self, others: Value) -> Value {
        let creator = if self.stem.ord % 5 == 2 { Value::Null } else { self.user(1) };
        let mut all = json!({"org": self.org(), "createdBy": creator, "modifiedBy": self.modifier()});
        if let (Some(all), Value::Object(others)) = (all.as_object_mut(), others) {
            all.extend(others);
        }
        all
    }

    /// The resource, with a link to itself. Every third one has an attribute that no list of attributes knows.
    pub(super) fn resource(&self, kind: &str, path: &str, attributes: Value, relationships: Value) -> Value {
        let mut attributes = attributes;
        if let (1, Some(attributes)) = (self.stem.ord % 3, attributes.as_object_mut()) {
            attributes.insert("experimentVariant".into(), json!({"arm": self.stem.ord, "on": true}));
        }
        let id = &self.stem.id;
        json!({
            "type": kind,
            "id": id,
            "attributes": attributes,
            "relationships": relationships,
            "links": {"self": format!("{path}/{id}")},
        })
    }

    /// Up to `most` different ones of a list.
    pub(super) fn some(&self, list: &'a [String], most: u64, purpose: u64) -> Vec<&'a str> {
        let dice = &mut self.moving(purpose);
        let count = index(dice.below(most + 1)).min(list.len());
        let skip = index(dice.below((list.len() as u64).max(1)));
        list.iter().cycle().skip(skip).take(count).map(String::as_str).collect()
    }
}

pub(super) fn to_one(kind: &str, path: &str, id: &str) -> Value {
    json!({"links": {"self": format!("{path}/{id}")}, "data": {"type": kind, "id": id}})
}

pub(super) fn to_many(kind: &str, ids: &[impl AsRef<str>]) -> Value {
    let data: Vec<Value> = ids.iter().map(|id| json!({"type": kind, "id": id.as_ref()})).collect();
    json!({"data": data})
}

/// The members of an object that is written as one.
pub(super) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
