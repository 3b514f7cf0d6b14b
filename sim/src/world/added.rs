//! Custom attributes that were added while the simulator runs.
//!
//! Rule: a record carries them from its first version that was stored afterwards, and the versions before never do.

use std::collections::HashMap;

use serde_json::Value;

/// The attributes that were added to one kind of record.
#[derive(Debug, Default)]
pub(crate) struct Added {
    attributes: Vec<Attribute>,
}

/// An attribute, prepared as JSON.
#[derive(Debug)]
struct Attribute {
    /// The name as JSON string contents.
    name: String,
    value: String,
    /// By ordinal, the first revision that carries it.
    since: HashMap<u32, u32>,
}

impl Added {
    pub(crate) fn add(&mut self, name: &str, value: &Value) {
        let quoted = Value::from(name).to_string();
        let name = quoted.get(1..quoted.len() - 1).unwrap_or("").to_owned();
        self.attributes.retain(|other| other.name != name);
        self.attributes.push(Attribute { name, value: value.to_string(), since: HashMap::new() });
    }

    /// Tells that a revision of a record was stored.
    pub(super) fn stored(&mut self, ord: u32, rev: u32) {
        for attribute in &mut self.attributes {
            attribute.since.entry(ord).or_insert(rev);
        }
    }

    /// Names and values, as JSON, that a revision of a record carries.
    pub(crate) fn of(&self, ord: u32, rev: u32) -> impl Iterator<Item = (&str, &str)> {
        let carried = move |attribute: &&Attribute| attribute.since.get(&ord).is_some_and(|since| *since <= rev);
        let carried = self.attributes.iter().filter(carried);
        carried.map(|attribute| (attribute.name.as_str(), attribute.value.as_str()))
    }
}
