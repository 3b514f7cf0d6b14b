//! The members of a resource, each from the one object of it where it stands; of a relationship, what is in its `data`.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::member::{self, Member};

/// Room for the members that most resources have.
const USUAL: usize = 64;

/// What a relationship refers to.
const DATA: &str = "data";

/// The object in which a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// The resource itself.
    Resource,
    /// Its `attributes`.
    Attributes,
    /// Its `relationships`: the `data` of one that is an object, which is all that counts of it; nothing, if it has none.
    Relationships,
    /// A relationship that is no object.
    OddRelationship,
}

impl Section {
    /// The object that is the value of this member of a resource, if it is one of those with members of their own.
    fn below(member: Member<'_>) -> Option<Self> {
        Self::named(&member.name()?).filter(|_| member.is_object())
    }

    /// Whether that one is of an object which does not count when this one follows: of a repeated name the last counts.
    fn replaces(self, earlier: Self) -> bool {
        match self {
            Self::Relationships => matches!(earlier, Self::Relationships | Self::OddRelationship),
            _ => self == earlier,
        }
    }

    /// What is found in a member of this object.
    fn reached(self, member: Member<'_>) -> Option<(Self, Member<'_>)> {
        match self {
            Self::Resource | Self::Attributes => Some((self, member)),
            Self::Relationships if member.is_object() => {
                member::member(member.value, DATA).map(|value| (self, Member { value, ..member }))
            }
            Self::Relationships | Self::OddRelationship => {
                (!member.is_null()).then_some((Self::OddRelationship, member))
            }
        }
    }

    /// The same by its name.
    fn named(name: &str) -> Option<Self> {
        match name {
            "attributes" => Some(Self::Attributes),
            "relationships" => Some(Self::Relationships),
            _ => None,
        }
    }
}

/// The members of a resource, in order. In place of `attributes` and `relationships` stand their members, unless they are
/// no objects; in place of a relationship its `data`.
pub(crate) struct Sections<'a> {
    pub(crate) members: Vec<(Section, Member<'a>)>,
    /// Whether they are all there is: in one pass, relationships that are no objects are passed over.
    pub(super) is_complete: bool,
}

impl<'a> Sections<'a> {
    /// Those of the resource with the JSON text `json`.
    ///
    /// # Errors
    /// Text that is no JSON object.
    pub(crate) fn read(json: &'a str) -> serde_json::Result<Self> {
        if let Ok(sections @ Self { is_complete: true, .. }) = serde_json::from_str(json) {
            return Ok(sections);
        }
        let mut members = Vec::with_capacity(USUAL);
        member::members(json, |member| match Section::below(member) {
            Some(section) => {
                members.retain(|(earlier, _)| !section.replaces(*earlier));
                member::members(member.value, |inner| {
                    members.extend(section.reached(inner));
                    Ok(())
                })
            }
            None => {
                members.push((Section::Resource, member));
                Ok(())
            }
        })?;
        Ok(Self { members, is_complete: true })
    }
}

/// Those of a resource without anything odd about it, in one pass; refuses one whose `attributes` or `relationships` are
/// no objects, or repeated, and keys with escapes.
impl<'de> Deserialize<'de> for Sections<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut found = Self { members: Vec::with_capacity(USUAL), is_complete: true };
        Collect { section: Section::Resource, found: &mut found }.deserialize(deserializer)?;
        Ok(found)
    }
}

/// Collects the members of an object.
struct Collect<'f, 'a> {
    section: Section,
    found: &'f mut Sections<'a>,
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
        // A key with an escape is refused here: it is no part of the text as it is.
        while let Some(key) = map.next_key::<&'a str>()? {
            if section == Section::Resource
                && let Some(section) = Section::named(key)
            {
                if found.members.iter().any(|(earlier, _)| *earlier == section) {
                    return Err(A::Error::duplicate_field("attributes or relationships"));
                }
                map.next_value_seed(Collect { section, found: &mut *found })?;
                continue;
            }
            let value = match section {
                Section::Relationships => map.next_value_seed(Data)?,
                _ => Related::To(map.next_value()?),
            };
            match value {
                Related::To(value) => {
                    found.members.push((section, Member { key, value: value.get() }));
                }
                Related::ToNothing => {}
                Related::Odd => found.is_complete = false,
            }
        }
        Ok(())
    }
}

/// What a relationship says.
enum Related<'a> {
    To(&'a RawValue),
    ToNothing,
    /// It is no object.
    Odd,
}

/// Takes the `data` of a relationship.
struct Data;

impl<'a> DeserializeSeed<'a> for Data {
    type Value = Related<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Data {
    type Value = Related<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a relationship")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Related::ToNothing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Related::Odd)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Related::Odd)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Related::Odd)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Related::Odd)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Related::Odd)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Related::Odd)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut data = None;
        while let Some(key) = map.next_key::<&'a str>()? {
            if key == DATA {
                data = Some(map.next_value::<&'a RawValue>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        // Null and absent mean the same.
        let data = data.filter(|data| !data.get().starts_with('n'));
        Ok(data.map_or(Related::ToNothing, Related::To))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Option<Vec<(Section, &str, &str)>> {
        let found = Sections::read(json).ok()?.members;
        Some(found.into_iter().map(|(section, member)| (section, member.key, member.value)).collect())
    }

    #[test]
    fn members_come_in_order_from_the_object_where_they_stand() {
        use Section::{Attributes, Relationships, Resource};
        let json = r#"{"id": "x", "attributes": {"a": {"attributes": {"b": 1}}, "a": null}, "links": {"self": "y"},
            "relationships": {"org": {"data": null}, "team": {"data": 1, "links": [], "data": {"id": "z"}}, "user": {}}}"#;
        let expected = vec![
            (Resource, "id", "\"x\""),
            (Attributes, "a", r#"{"attributes": {"b": 1}}"#),
            (Attributes, "a", "null"),
            (Resource, "links", r#"{"self": "y"}"#),
            (Relationships, "team", r#"{"id": "z"}"#),
        ];
        assert_eq!(told(json), Some(expected));
    }

    #[test]
    fn of_repeated_objects_the_last_counts() {
        use Section::{Attributes, Relationships, Resource};
        let json = r#"{"attributes": {"a": 1}, "relationships": {"x": 5, "y": {"data": 1}}, "\u0061ttributes": {"c": [ 2 ]},
            "relationships": {"z": {"data": 2}}, "id": "x", "attributes": {"b": 3}}"#;
        let expected = vec![(Relationships, "z", "2"), (Resource, "id", "\"x\""), (Attributes, "b", "3")];
        assert_eq!(told(json), Some(expected));
        assert_eq!(told(r#"{"attributes": {"a": 1}, "attributes": {"b": 2}}"#), Some(vec![(Attributes, "b", "2")]));
    }

    #[test]
    fn what_is_no_object_stays_a_member_of_the_resource() {
        use Section::{Attributes, Resource};
        assert_eq!(
            told(r#"{"attributes": [1], "relationships": null, "attributes": {"\ud800": 1}}"#),
            Some(vec![
                (Resource, "attributes", "[1]"),
                (Resource, "relationships", "null"),
                (Attributes, "\\ud800", "1"),
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
            Some(vec![(Relationships, "a", "[1]"), (OddRelationship, "b", "\"odd\""), (Relationships, "d", "3"),])
        );
    }

    #[test]
    fn what_is_no_resource_is_an_error() {
        for odd in
            ["", "[]", "{} x", r#"{"attributes": {"a" 1}}"#, r#"{"attributes": {"a": 1}"#, r#"{"attributes": x}"#]
        {
            assert_eq!(told(odd), None, "{odd}");
        }
    }
}
