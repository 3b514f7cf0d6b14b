//! A record taken apart: the JSON texts of its columns, and what is left over.

use std::borrow::Cow;

use super::convert::UnknownAttributes;
use super::custom::CUSTOM;
use super::extra::Extra;
use super::given::{DELETED, DELETED_AT, GIVEN, IMPLIED};
use super::json::{self, Member};
use super::plan::{ATTRIBUTES, Claim, Leftovers, Node, Plan, Slot, Target};
use super::problems::{Mismatch, Problems};
use crate::resource::{RawResource, Section};

/// The parts of one record.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    /// By slot of the [`Plan`].
    pub(super) slots: Vec<Option<Member<'a>>>,
    pub(super) id: Option<Member<'a>>,
    pub(super) parent: Parent<'a>,
    pub(super) extra: Extra<'a>,
    /// Path of the first attribute without a column, where that is an error.
    pub(super) unknown: Option<String>,
    /// Names of the organisation's own attributes without a column.
    pub(super) unknown_custom: Vec<Cow<'a, str>>,
}

impl<'a> Parts<'a> {
    /// Lets a value wait; the last one of its name counts.
    fn put(&mut self, slot: Option<Slot>, member: Member<'a>) {
        if let Some(place) = slot.and_then(|slot| self.slots.get_mut(slot)) {
            *place = Some(member);
        }
    }
}

/// Whether it may be what is given to the record, if no other one follows.
fn is_given(member: Member<'_>) -> bool {
    member.key == GIVEN && member.is_object()
}

/// What the record that an element belongs to says of being deleted; JSON texts.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Parent<'a> {
    pub(super) deleted: Option<&'a str>,
    pub(super) deleted_at: Option<&'a str>,
}

/// Takes records apart by a plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gatherer<'p> {
    pub(super) plan: &'p Plan,
    pub(super) resource_type: &'p str,
    pub(super) unknown: UnknownAttributes,
}

impl Gatherer<'_> {
    /// Takes apart `record`, an object with the JSON text `text`.
    ///
    /// # Errors
    /// Text that is no JSON object.
    pub(super) fn gather<'a>(
        self,
        record: RawResource<'a>,
        text: &'a str,
        problems: &mut Problems,
    ) -> serde_json::Result<Parts<'a>> {
        let mut parts = Parts { slots: vec![None; self.plan.slots], ..Parts::default() };
        let mut given: Option<Member<'a>> = None;
        record.sections(text, |section, member| {
            match section {
                Section::Attributes => self.attribute(ATTRIBUTES, member, &mut parts, problems)?,
                Section::Relationships => self.relationship(member, &mut parts),
                Section::OddRelationship => self.odd_relationship(member, &mut parts, problems),
                Section::Resource if is_given(member) => parts.extra.record.extend(given.replace(member)),
                Section::Resource => self.of_record(member, &mut parts, problems),
            }
            Ok(())
        })?;
        if let Some(given) = given {
            self.given(given.value, &mut parts)?;
        }
        Ok(parts)
    }

    /// Takes a member of the record itself.
    fn of_record<'a>(self, member: Member<'a>, parts: &mut Parts<'a>, problems: &mut Problems) {
        let Some(found) = json::kind(member.value) else { return };
        match member.name().as_deref() {
            Some("id") if self.plan.id == Claim::Column => parts.id = Some(member),
            // They are no objects here.
            Some(name @ ("attributes" | "relationships")) => {
                problems.count(name, Mismatch::Type, found);
                let leftovers = match name {
                    "attributes" => self.plan.misfit(ATTRIBUTES),
                    _ => self.plan.odd_relationship(None),
                };
                if leftovers == Leftovers::Kept {
                    parts.extra.record.push(member);
                }
            }
            Some("type") if json::text(member.value).is_ok_and(|name| name == self.resource_type) => {}
            Some("links") => {}
            Some(_) | None => parts.extra.record.push(member),
        }
    }

    /// Takes what is given to the record: of its attributes those that the record does not tell.
    fn given<'a>(self, object: &'a str, parts: &mut Parts<'a>) -> serde_json::Result<()> {
        json::members(object, |member| {
            match member.name().as_deref() {
                Some(IMPLIED) if member.value.starts_with('{') => return self.implied(member.value, parts),
                Some(DELETED) => parts.parent.deleted = Some(member.value),
                Some(DELETED_AT) => parts.parent.deleted_at = Some(member.value),
                Some(name) => parts.put(self.plan.given(name), member),
                None => {}
            }
            Ok(())
        })
    }

    fn implied<'a>(self, object: &'a str, parts: &mut Parts<'a>) -> serde_json::Result<()> {
        json::members(object, |member| {
            let target = member.name().and_then(|name| self.plan.member(ATTRIBUTES, &name));
            if let Some(Target::Value(slot)) = target
                && let Some(place) = parts.slots.get_mut(slot)
                && place.is_none_or(|told| json::kind(told.value).is_none())
            {
                *place = Some(member);
            }
            Ok(())
        })
    }

    /// Takes a member of the object `node`.
    fn attribute<'a>(
        self,
        node: Node,
        member: Member<'a>,
        parts: &mut Parts<'a>,
        problems: &mut Problems,
    ) -> serde_json::Result<()> {
        let target = member.name().and_then(|name| self.plan.member(node, &name));
        let slot = match target {
            Some(Target::Value(slot) | Target::Unclaimed(slot)) => Some(slot),
            Some(Target::Object(child)) => self.plan.object(child).and_then(|object| object.whole),
            None => None,
        };
        parts.put(slot, member);
        match target {
            Some(Target::Value(_)) => {}
            Some(Target::Object(child)) if member.value.starts_with('{') && !json::is_masked(member.value) => {
                return json::members(member.value, |inner| self.attribute(child, inner, parts, problems));
            }
            Some(_) | None => {
                let Some(found) = json::kind(member.value) else { return Ok(()) };
                if let Some(Target::Object(child)) = target {
                    let path = self.plan.object(child).map_or("", |object| &object.path);
                    problems.count(&format!("{path}.*"), json::wrong_type(member.value), found);
                    if self.plan.misfit(child) == Leftovers::Kept {
                        parts.extra.attributes.push((node, member));
                    }
                } else {
                    self.unknown_attribute(node, member, parts);
                }
            }
        }
        Ok(())
    }

    fn unknown_attribute<'a>(self, node: Node, member: Member<'a>, parts: &mut Parts<'a>) {
        if self.plan.custom == Some(node)
            && let Some(name) = member.name()
        {
            let may_be_kept = !self.plan.treatments.may_treat(&name);
            parts.unknown_custom.push(name);
            if !may_be_kept {
                return;
            }
        }
        let above = self.plan.object(node).map_or("", |object| &object.path);
        // The organisation's own attributes are known to be there, whether or not they have columns yet.
        let own = match above.split('.').next() {
            None | Some("") => member.name().as_deref() == Some(CUSTOM),
            Some(first) => first == CUSTOM,
        };
        match self.unknown {
            UnknownAttributes::Ignore if !own => {}
            UnknownAttributes::Fail if !own => {
                let name = member.name().unwrap_or_else(|| member.key.into());
                let path = if above.is_empty() { name.into_owned() } else { format!("{above}.{name}") };
                parts.unknown.get_or_insert(path);
            }
            _ => parts.extra.attributes.push((node, member)),
        }
    }

    /// Takes a relationship that is no object.
    fn odd_relationship<'a>(self, member: Member<'a>, parts: &mut Parts<'a>, problems: &mut Problems) {
        let Some(found) = json::kind(member.value) else { return };
        problems.count("relationships", Mismatch::Relationship, found);
        if self.plan.odd_relationship(member.name().as_deref()) == Leftovers::Kept {
            parts.extra.odd_relationships.push(member);
        }
    }

    /// Takes the data of a relationship.
    fn relationship<'a>(self, data: Member<'a>, parts: &mut Parts<'a>) {
        match data.name().and_then(|name| self.plan.relationship(&name)) {
            Some(Target::Value(slot)) => parts.put(Some(slot), data),
            Some(Target::Unclaimed(slot)) => {
                parts.put(Some(slot), data);
                parts.extra.relationships.push(data);
            }
            Some(Target::Object(_)) | None => parts.extra.relationships.push(data),
        }
    }
}
