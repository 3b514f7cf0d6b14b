//! Records given as they are: odd values, masked objects, hostile shapes. Their bytes are kept and served unchanged.

use bytes::Bytes;
use serde_json::Value;

use super::World;
use super::audit::Verb;
use super::record::{Life, ORPHAN, Origin, Record};
use crate::context::Context;
use crate::error::SimError;
use crate::timestamp::{self, SECOND};

/// A time as a resource may spell it: an ISO instant or milliseconds.
fn instant(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::String(text) => timestamp::parse(text),
        Value::Number(number) => number.as_i64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn life(attributes: Option<&Value>, updated: i64) -> Life {
    let deleted = attributes.and_then(|attributes| attributes.get("deleted"));
    let deleted_at = instant(attributes.and_then(|attributes| attributes.get("deletedAt")));
    match deleted {
        Some(Value::Bool(true)) => Life::Deleted(deleted_at.unwrap_or(updated)),
        _ => Life::Live,
    }
}

impl World {
    /// Stores one JSON resource verbatim, in place of the record with the same id if there is one; returns its id.
    ///
    /// Only what the stores need is read: `id`, `attributes.{createdAt, updatedAt, deleted, deletedAt, rev}` and the
    /// parent among the relationships. What is missing or unreadable counts as the present.
    pub(crate) fn insert_raw(&mut self, context: Context, body: Bytes, now: i64) -> Result<String, SimError> {
        let resource: Value =
            serde_json::from_slice(&body).map_err(|source| SimError::Json { place: "a raw record", source })?;
        let Some(id) = resource.get("id").and_then(Value::as_str) else {
            return Err(SimError::control("a raw record needs an id that is a string"));
        };
        let attributes = resource.get("attributes");
        let time = |name: &str| instant(attributes.and_then(|attributes| attributes.get(name)));
        let updated = time("updatedAt").unwrap_or(now);
        let parent = self.parent_in(context, &resource).unwrap_or(ORPHAN);
        let rev = attributes.and_then(|attributes| attributes.get("rev")).and_then(Value::as_u64);
        let place = u32::try_from(self.raws.len()).unwrap_or(u32::MAX);
        self.raws.push(body);
        let record = Record {
            created: time("createdAt").unwrap_or(updated),
            updated,
            life: life(attributes, updated),
            origin: Origin::Raw(place),
            id_second: second_of(id, now),
            parent,
            rev: rev.and_then(|rev| u32::try_from(rev).ok()).unwrap_or(1),
        };
        self.put_raw(context, id, record, now);
        Ok(id.to_owned())
    }

    fn put_raw(&mut self, context: Context, id: &str, record: Record, now: i64) {
        let found = self.store(context).find(id);
        let ord = match found {
            Some(ord) => {
                let former = self.store(context).version(ord);
                if let Some(former) = former {
                    self.disown(context, former.parent, ord);
                    let id_second = former.id_second;
                    self.store_mut(context).put(ord, Record { id_second, ..record }, now);
                }
                ord
            }
            None => self.store_mut(context).add_given(id, record, now),
        };
        self.adopt(context, record.parent, ord);
        self.log(context, ord, if found.is_some() { Verb::Update } else { Verb::Create }, now);
    }

    fn parent_in(&self, context: Context, resource: &Value) -> Option<u32> {
        let parent = match context {
            Context::Conversation => Context::Customer,
            Context::Message | Context::Note => Context::Conversation,
            Context::Customer | Context::User => return None,
        };
        let id = resource.get("relationships")?.get(parent.name())?.get("data")?.get("id")?.as_str()?;
        self.store(parent).find(id)
    }
}

/// The second in the first eight digits of an id, or the present for an id of another form.
fn second_of(id: &str, now: i64) -> u32 {
    let digits = id.get(..8).and_then(|head| u32::from_str_radix(head, 16).ok());
    digits.or_else(|| u32::try_from(now.div_euclid(SECOND)).ok()).unwrap_or(0)
}
