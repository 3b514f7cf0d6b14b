//! The members of a record, each from the one object of it where it stands; of a relationship, what is in its `data`.
//!
//! The rule: a record is read to its end once, because nothing costs more in the whole way of a record to its row.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, Member};

/// Room for the members that most records have.
const USUAL: usize = 64;

/// What a relationship refers to.
const DATA: &str = "data";

/// The object in which a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// The record itself.
    Record,
    /// Its `attributes`.
    Attributes,
    /// Its `relationships`: the `data` of one that is an object, which is all that counts of it; nothing, if it has none.
    Relationships,
    /// A relationship that is no object.
    OddRelationship,
}

impl Section {
    /// The object that is the value of this member of a record, if it is one of those with members of their own.
    fn below(member: Member<'_>) -> Option<Self> {
        Self::named(member.key).filter(|_| member.value.starts_with('{'))
    }

    /// What is found in a member of this object.
    fn reached(self, member: Member<'_>) -> Option<(Self, Member<'_>)> {
        match self {
            Self::Record | Self::Attributes => Some((self, member)),
            Self::Relationships if member.value.starts_with('{') => {
                json::member(member.value, DATA).map(|value| (self, Member { value, ..member }))
            }
            Self::Relationships | Self::OddRelationship => {
                json::kind(member.value).map(|_| (Self::OddRelationship, member))
            }
        }
    }

    /// The same by the JSON text of its key.
    fn named(key: &str) -> Option<Self> {
        match json::text(key).as_deref() {
            Ok("attributes") => Some(Self::Attributes),
            Ok("relationships") => Some(Self::Relationships),
            _ => None,
        }
    }
}

/// The members of the record with the JSON text `record`, in order. In place of `attributes` and `relationships` stand
/// their members, unless they are no objects; in place of a relationship its `data`.
///
/// # Errors
/// Text that is no JSON object.
pub(super) fn sections(record: &str) -> serde_json::Result<Vec<(Section, Member<'_>)>> {
    let mut found = Vec::with_capacity(USUAL);
    let mut json = serde_json::Deserializer::from_str(record);
    let at_once = Collect { section: Section::Record, found: &mut found };
    if at_once.deserialize(&mut json).and_then(|()| json.end()).is_ok() {
        return Ok(found);
    }
    found.clear();
    json::members(record, |member| match Section::below(member) {
        Some(section) => json::members(member.value, |inner| {
            found.extend(section.reached(inner));
            Ok(())
        }),
        None => {
            found.push((Section::Record, member));
            Ok(())
        }
    })?;
    Ok(found)
}

/// Collects the members of an object.
struct Collect<'f, 'a> {
    section: Section,
    found: &'f mut Vec<(Section, Member<'a>)>,
}

impl<'a> DeserializeSeed<'a> for Collect<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Collect<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { section, found } = self;
        while let Some(key) = map.next_key::<&'a RawValue>()? {
            if section == Section::Record
                && let Some(section) = Section::named(key.get())
            {
                map.next_value_seed(Collect { section, found: &mut *found })?;
                continue;
            }
            let value =
                if section == Section::Relationships { map.next_value_seed(Data)? } else { Some(map.next_value()?) };
            found.extend(value.map(|value: &'a RawValue| (section, Member { key: key.get(), value: value.get() })));
        }
        Ok(())
    }
}

/// Takes the `data` of a relationship that is an object or null; refuses any other.
struct Data;

impl<'a> DeserializeSeed<'a> for Data {
    type Value = Option<&'a RawValue>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Data {
    type Value = Option<&'a RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a relationship")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut data = None;
        while let Some(key) = map.next_key::<&'a RawValue>()? {
            if json::text(key.get()).is_ok_and(|name| name == DATA) {
                data = Some(map.next_value::<&'a RawValue>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        // Null and absent mean the same.
        Ok(data.filter(|data| json::kind(data.get()).is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(record: &str) -> Option<Vec<(Section, &str, &str)>> {
        let found = sections(record).ok()?;
        Some(found.into_iter().map(|(section, member)| (section, member.key, member.value)).collect())
    }

    #[test]
    fn members_come_in_order_from_the_object_where_they_stand() {
        use Section::{Attributes, Record, Relationships};
        let record = r#"{"id": "x", "attributes": {"a": {"attributes": {"b": 1}}, "a": null}, "links": {"self": "y"},
            "relationships": {"org": {"data": null}, "team": {"data": 1, "links": [], "data": {"id": "z"}}, "user": {}}, "\u0061ttributes": {"c": [ 2 ]}}"#;
        let expected = vec![
            (Record, "\"id\"", "\"x\""),
            (Attributes, "\"a\"", r#"{"attributes": {"b": 1}}"#),
            (Attributes, "\"a\"", "null"),
            (Record, "\"links\"", r#"{"self": "y"}"#),
            (Relationships, "\"team\"", r#"{"id": "z"}"#),
            (Attributes, "\"c\"", "[ 2 ]"),
        ];
        assert_eq!(told(record), Some(expected));
    }

    #[test]
    fn what_is_no_object_stays_a_member_of_the_record() {
        use Section::{Attributes, Record};
        assert_eq!(
            told(r#"{"attributes": [1], "relationships": null, "attributes": {"\ud800": 1}}"#),
            Some(vec![
                (Record, "\"attributes\"", "[1]"),
                (Record, "\"relationships\"", "null"),
                (Attributes, "\"\\ud800\"", "1"),
            ])
        );
    }

    #[test]
    fn a_relationship_that_is_no_object_is_told_apart_and_costs_the_others_nothing() {
        use Section::{OddRelationship, Relationships};
        assert_eq!(
            told(
                r#"{"relationships": {"a": {"data": [1], "x": {"data": 2}}, "b": "odd", "c": null, "d": {"d\u0061ta": 3}}}"#
            ),
            Some(vec![
                (Relationships, "\"a\"", "[1]"),
                (OddRelationship, "\"b\"", "\"odd\""),
                (Relationships, "\"d\"", "3"),
            ])
        );
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for odd in
            ["", "[]", "{} x", r#"{"attributes": {"a" 1}}"#, r#"{"attributes": {"a": 1}"#, r#"{"attributes": x}"#]
        {
            assert_eq!(told(odd), None, "{odd}");
        }
    }
}
