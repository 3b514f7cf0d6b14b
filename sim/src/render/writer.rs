//! Writes JSON by copying prepared pieces into one buffer: no tree of values, no allocation a field.
//!
//! Rule: names and texts given to it are valid JSON string contents already.

use std::fmt::Display;
use std::io::Write as _;

use serde::{Deserialize, Serialize};

use crate::timestamp;
use crate::world::ids::IdText;

/// How fields without a value are spelled (API reference, section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unset {
    /// As in the payloads of 2021: `null`.
    #[default]
    Null,
    /// As in the payloads of 2025: left out.
    Absent,
}

/// A JSON document in the making.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    unset: Unset,
}

impl<'a> Writer<'a> {
    pub(crate) const fn new(out: &'a mut Vec<u8>, unset: Unset) -> Self {
        Self { out, unset }
    }

    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn key(&mut self, name: &str) {
        self.comma();
        self.out.push(b'"');
        self.raw(name.as_bytes());
        self.raw(b"\":");
    }

    /// A member with a literal value.
    pub(crate) fn json(&mut self, name: &str, value: &str) {
        self.key(name);
        self.raw(value.as_bytes());
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        self.out.push(b'"');
        self.raw(value.as_bytes());
        self.out.push(b'"');
    }

    pub(crate) fn text_or_unset(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.unset(name),
        }
    }

    pub(crate) fn number(&mut self, name: &str, value: impl Display) {
        self.formatted(name, value);
    }

    /// A member whose JSON is put together on the spot.
    pub(crate) fn formatted(&mut self, name: &str, value: impl Display) {
        self.key(name);
        self.display(value);
    }

    /// A text that is put together on the spot.
    pub(crate) fn shown(&mut self, name: &str, value: impl Display) {
        self.key(name);
        self.out.push(b'"');
        self.display(value);
        self.out.push(b'"');
    }

    fn display(&mut self, value: impl Display) {
        // Writing to memory cannot fail.
        let _ = write!(self.out, "{value}");
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.json(name, if value { "true" } else { "false" });
    }

    pub(crate) fn time(&mut self, name: &str, millis: i64) {
        self.key(name);
        self.out.push(b'"');
        timestamp::write(self.out, millis);
        self.out.push(b'"');
    }

    pub(crate) fn time_or_unset(&mut self, name: &str, millis: Option<i64>) {
        match millis {
            Some(millis) => self.time(name, millis),
            None => self.unset(name),
        }
    }

    /// A member without a value: null or nothing, as the organisation has it.
    pub(crate) fn unset(&mut self, name: &str) {
        if self.unset == Unset::Null {
            self.json(name, "null");
        }
    }

    /// Several members without a value.
    pub(crate) fn unset_all(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.unset(name));
    }

    pub(crate) fn open(&mut self, name: &str) {
        self.key(name);
        self.out.push(b'{');
    }

    /// Opens an object that has no name: the document or an element of a list.
    pub(crate) fn open_bare(&mut self) {
        self.comma();
        self.out.push(b'{');
    }

    pub(crate) fn close(&mut self) {
        self.out.push(b'}');
    }

    pub(crate) fn open_list(&mut self, name: &str) {
        self.key(name);
        self.out.push(b'[');
    }

    pub(crate) fn close_list(&mut self) {
        self.out.push(b']');
    }

    fn quoted(&mut self, id: &IdText) {
        self.out.push(b'"');
        self.raw(id.bytes());
        self.out.push(b'"');
    }

    pub(crate) fn id(&mut self, name: &str, id: &IdText) {
        self.key(name);
        self.quoted(id);
    }

    /// A member that is a list of ids.
    pub(crate) fn ids<'b>(&mut self, name: &str, ids: impl IntoIterator<Item = &'b IdText>) {
        self.open_list(name);
        for id in ids {
            self.comma();
            self.quoted(id);
        }
        self.close_list();
    }

    /// `{"type": …, "id": …}` as an element of a list.
    pub(crate) fn reference(&mut self, kind: &str, id: &IdText) {
        self.open_bare();
        self.text("type", kind);
        self.id("id", id);
        self.close();
    }

    /// A member `links` with `self` only; `path` is `/v1/…/` before the id.
    pub(crate) fn self_link(&mut self, path: &str, id: &IdText, tail: &str) {
        self.open("links");
        self.link("self", path, id, tail);
        self.close();
    }

    pub(crate) fn link(&mut self, name: &str, path: &str, id: &IdText, tail: &str) {
        self.key(name);
        self.out.push(b'"');
        self.raw(path.as_bytes());
        self.raw(id.bytes());
        self.raw(tail.as_bytes());
        self.out.push(b'"');
    }

    /// A to-one relationship: links and data.
    pub(crate) fn relation(&mut self, name: &str, kind: &str, path: &str, id: &IdText) {
        self.open(name);
        self.self_link(path, id, "");
        self.key("data");
        self.reference_value(kind, id);
        self.close();
    }

    /// `{"type": …, "id": …}` without a comma before it.
    pub(crate) fn reference_value(&mut self, kind: &str, id: &IdText) {
        self.out.push(b'{');
        self.text("type", kind);
        self.id("id", id);
        self.close();
    }

    /// A to-one relationship without a link.
    pub(crate) fn data_only(&mut self, name: &str, kind: &str, id: &IdText) {
        self.open(name);
        self.key("data");
        self.reference_value(kind, id);
        self.close();
    }

    /// A relationship that is only a link: a collection.
    pub(crate) fn collection(&mut self, name: &str, path: &str, id: &IdText, tail: &str) {
        self.open(name);
        self.self_link(path, id, tail);
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::world::ids::{Kind, encode};

    #[test]
    fn unset_members_follow_the_style() {
        let render = |unset| {
            let mut out = Vec::new();
            let mut writer = Writer::new(&mut out, unset);
            writer.open_bare();
            writer.unset("error");
            writer.number("size", 3);
            writer.unset("source");
            writer.close();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(render(Unset::Null), r#"{"error":null,"size":3,"source":null}"#);
        assert_eq!(render(Unset::Absent), r#"{"size":3}"#);
    }

    #[test]
    fn relationships_are_valid_json() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, Unset::Null);
        let id = encode(1, Kind::Record(Context::User), 1);
        writer.open_bare();
        writer.relation("createdBy", "user", "/v1/users/", &id);
        writer.ids("assignedUsers", [&id, &id]);
        writer.close();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["createdBy"]["links"]["self"], format!("/v1/users/{id}"));
        assert_eq!(value["assignedUsers"].as_array().unwrap().len(), 2);
    }
}
