//! The configuration file as written: a tree of values that know their lines.
//!
//! The rule: nothing is judged here but YAML itself, so that every other mistake can be told at once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

/// A value and the line on which it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) value: Value,
}

/// A key, its line and its value. Keys may repeat: that is for the reader to refuse.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) line: u64,
    pub(super) key: String,
    pub(super) node: Node,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

impl Value {
    /// What the value is, in the words of a message.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean(_) => "true or false",
            Self::Integer(_) | Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Text that is not YAML.
#[derive(Debug)]
pub(super) struct NotYaml {
    pub(super) line: u64,
    pub(super) told: String,
}

/// Parses the text of a file; an empty file is an empty mapping.
pub(super) fn parse(text: &str) -> Result<Node, NotYaml> {
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins, with_snippet: false };
    match serde_saphyr::from_str_with_options::<Spanned<Value>>(text, options) {
        Ok(Spanned { value: Value::Null, .. }) => Ok(Node { line: 1, value: Value::Map(Vec::new()) }),
        Ok(root) => Ok(node(root)),
        Err(error) => {
            let line = error.location().map_or(1, |location| location.line());
            Err(NotYaml { line, told: error.to_string() })
        }
    }
}

fn node(spanned: Spanned<Value>) -> Node {
    Node { line: spanned.referenced.line(), value: spanned.value }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_none<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
                deserializer.deserialize_any(self)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Boolean(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Integer(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Integer))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Number(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(node(item));
                }
                Ok(Value::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut map = Vec::new();
                while let Some(key) = entries.next_key::<Spanned<String>>()? {
                    let node = node(entries.next_value()?);
                    map.push(Entry { line: key.referenced.line(), key: key.value, node });
                }
                Ok(Value::Map(map))
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_knows_its_line_and_duplicates_are_kept() {
        let root = parse("a: 1\nb:\n  c: x\n  c: 2024-01-01\nd: [true, 5%]\n").unwrap();
        let Value::Map(entries) = root.value else { panic!("not a mapping") };
        let lines: Vec<_> = entries.iter().map(|entry| (entry.key.as_str(), entry.line)).collect();
        assert_eq!(lines, [("a", 1), ("b", 2), ("d", 5)]);
        let Value::Map(inner) = &entries[1].node.value else { panic!("not a mapping") };
        let lines: Vec<_> = inner.iter().map(|entry| (entry.key.as_str(), entry.line, entry.node.line)).collect();
        assert_eq!(lines, [("c", 3, 3), ("c", 4, 4)]);
        assert!(matches!(&inner[1].node.value, Value::Text(date) if date == "2024-01-01"));
    }

    #[test]
    fn every_item_of_a_list_knows_its_line() {
        let root = parse("a:\n  - x\n  - 7\n").unwrap();
        let Value::Map(entries) = root.value else { panic!("not a mapping") };
        let Value::List(items) = &entries[0].node.value else { panic!("not a list") };
        assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [2, 3]);
        assert!(matches!(&items[0].value, Value::Text(text) if text == "x"));
    }

    #[test]
    fn text_that_is_not_yaml_is_told_with_its_line() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(error.line >= 2, "{error:?}");
    }
}
