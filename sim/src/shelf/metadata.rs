//! Which custom attributes there are (API reference, section 14), and their values on companies and KObjects.
//!
//! Rule: the attributes that records carry are those listed here, but for one that nobody listed. The renderers of the
//! other kinds of record write their attributes themselves, by the same names.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::lore::Lore;
use crate::context::Context;
use crate::rng::Dice;
use crate::timestamp::{self, DAY};
use crate::world::ids::{self, Kind};

/// Whether an attribute has one value or a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    /// A list by the flag `array`.
    Array,
    /// A list by the flag `multi`.
    Multi,
}

/// Whether records have an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    Carried,
    /// Listed, but no record has it.
    Unused,
    /// Listed as deleted; a few records still have it.
    Deleted,
}

#[derive(Debug, Clone, Copy)]
struct Attribute(&'static str, Shape, Usage);

use self::{Shape as S, Usage as U};

/// What every kind of record but KObjects has; `render::pieces` knows these names too.
const COMMON: [Attribute; 13] = [
    Attribute("orderNumberStr", S::One, U::Carried),
    Attribute("contactReasonTree", S::One, U::Carried),
    Attribute("topicsTree", S::Multi, U::Carried),
    Attribute("refundAmountNum", S::One, U::Carried),
    Attribute("refundedNum", S::One, U::Carried),
    Attribute("escalatedBool", S::One, U::Carried),
    Attribute("promisedAt", S::One, U::Carried),
    Attribute("notesTxt", S::One, U::Carried),
    Attribute("accountUrl", S::One, U::Carried),
    Attribute("channelsStr", S::Array, U::Carried),
    Attribute("relatedId", S::One, U::Carried),
    Attribute("loyaltyTierStr", S::One, U::Unused),
    Attribute("formerPlanStr", S::One, U::Deleted),
];

const KOBJECT: [Attribute; 11] = [
    Attribute("amountNum", S::One, U::Carried),
    Attribute("placedAt", S::One, U::Carried),
    Attribute("paidBool", S::One, U::Carried),
    Attribute("stateStr", S::One, U::Carried),
    Attribute("itemsStr", S::Array, U::Carried),
    Attribute("categoriesTree", S::Multi, U::Carried),
    Attribute("trackingUrl", S::One, U::Carried),
    Attribute("remarkTxt", S::One, U::Carried),
    Attribute("relatedId", S::One, U::Carried),
    Attribute("couponStr", S::One, U::Unused),
    Attribute("formerStateStr", S::One, U::Deleted),
];

/// Names that differ only in their case.
const ALIKE: [Attribute; 2] =
    [Attribute("orderIdStr", S::One, U::Carried), Attribute("orderIDStr", S::One, U::Carried)];

/// Names that are no identifiers.
const AWKWARD: [Attribute; 2] =
    [Attribute("länge in cmNum", S::One, U::Carried), Attribute("maß.breiteNum", S::One, U::Carried)];

fn attributes(resource: &str) -> Vec<Attribute> {
    match resource {
        "customer" | "kobject.order" => {
            let common = if resource == "customer" { COMMON.as_slice() } else { KOBJECT.as_slice() };
            [common, &ALIKE].concat()
        }
        "kobject.größe 2" => [KOBJECT.as_slice(), &AWKWARD].concat(),
        _ if resource.starts_with("kobject.") => KOBJECT.to_vec(),
        _ => COMMON.to_vec(),
    }
}

impl Attribute {
    const SUFFIXES: [(&'static str, &'static str); 8] = [
        ("Str", "string"),
        ("Txt", "text"),
        ("Num", "number"),
        ("At", "date"),
        ("Bool", "boolean"),
        ("Url", "url"),
        ("Id", "id"),
        ("Tree", "tree"),
    ];

    fn suffix(self) -> (&'static str, &'static str) {
        let found = Self::SUFFIXES.into_iter().find(|(suffix, _)| self.0.ends_with(suffix));
        found.unwrap_or(("Str", "string"))
    }

    /// The entry of the metadata.
    fn property(self, lore: &Lore, at: i64, dice: &mut Dice) -> Value {
        let Self(name, shape, usage) = self;
        let (suffix, kind) = self.suffix();
        let deleted = usage == Usage::Deleted;
        let user = || dice_user(lore, name);
        let enumeration = match name {
            "stateStr" | "loyaltyTierStr" => json!(["new", "paid", "\"gold\""]),
            "channelsStr" => json!(true),
            _ => Value::Null,
        };
        json!({
            "type": kind,
            "displayName": name.strip_suffix(suffix).unwrap_or(name),
            "enumeration": enumeration,
            "array": if shape == Shape::Array { json!(true) } else if dice.chance(50) { json!(false) } else { Value::Null },
            "multi": if shape == Shape::Multi { json!(true) } else { Value::Null },
            "target": (suffix == "Id").then_some("kobject.order"),
            "tree": (suffix == "Tree").then(|| json!({"children": [{"id": "shipping", "children": [{"id": "lost"}]}]})),
            "hasSensitiveAttributes": dice.chance(30).then_some(name == "accountUrl"),
            "modifiedAt": dice.chance(50).then(|| timestamp::text(at)),
            "modifiedBy": dice.chance(50).then(user),
            "updatedAt": timestamp::text(at),
            "deletedAt": deleted.then(|| timestamp::text(at)),
            "deletedBy": deleted.then(user),
        })
    }

    /// A value, which seldom is not what the suffix says.
    fn value(self, at: i64, dice: &mut Dice) -> Value {
        if dice.chance(3) {
            return if self.suffix().0 == "Num" { json!("12,50") } else { json!({"odd": dice.below(9)}) };
        }
        if self.1 == Shape::One {
            return self.one(at, dice);
        }
        (0..dice.below(4)).map(|_| self.one(at, dice)).collect()
    }

    fn one(self, at: i64, dice: &mut Dice) -> Value {
        match self.suffix().0 {
            "Txt" => json!(format!("Line one\nline \"two\" of {}", dice.below(99))),
            "Num" => match dice.below(4) {
                0 => Value::Null,
                1 => json!(f64::from(u32::try_from(dice.below(90_000)).unwrap_or(0)) / 100.0),
                _ => json!(dice.below(100_000)),
            },
            "At" => json!(timestamp::text(at + dice.millis(9 * DAY))),
            "Bool" => json!(dice.chance(50)),
            "Url" => json!(format!("https://shop.acme.example/{}?a=1&b=ü", dice.below(9_999))),
            "Id" => {
                json!(ids::encode(1_600_000_000, Kind::KObject, u32::try_from(dice.below(99)).unwrap_or(0)).to_string())
            }
            "Tree" => json!(dice.word(&["shipping.delayed", "shipping.lost", "billing", "other"])),
            _ => json!(dice.word(&["new", "paid", "", "Größe 42", "4711"])),
        }
    }
}

fn dice_user(lore: &Lore, name: &str) -> Value {
    let purpose = u64::try_from(name.len()).unwrap_or(0);
    lore.dice(purpose).pick(&lore.users).map_or(Value::Null, |user| user.as_str().into())
}

/// What is known about the custom attributes of one kind of record.
#[derive(Debug)]
struct Known {
    id: String,
    created: i64,
    updated: i64,
    properties: Map<String, Value>,
    /// Attributes that were added, with the value that records carry from then on.
    added: Vec<(String, Value)>,
}

/// The metadata of every kind of record.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    resources: BTreeMap<String, Known>,
}

impl Metadata {
    /// Lists the attributes of the five kinds of record and of companies.
    pub(super) fn new(lore: &Lore) -> Self {
        let mut all = Self::default();
        for context in Context::ALL {
            all.add_resource(context.name(), lore, lore.founded);
        }
        all.add_resource("company", lore, lore.founded);
        all
    }

    pub(super) fn add_resource(&mut self, resource: &str, lore: &Lore, at: i64) {
        let ord = u32::try_from(self.resources.len()).unwrap_or(0);
        let dice = &mut lore.dice(0x3e7a + u64::from(ord));
        let entry = |attribute: Attribute| (attribute.0.to_owned(), attribute.property(lore, at, dice));
        let properties = attributes(resource).into_iter().map(entry).collect();
        let second = u32::try_from(at / timestamp::SECOND).unwrap_or(0);
        let id = ids::encode(second, Kind::Shelved(0x7f), ord).to_string();
        let known = Known { id, created: at, updated: at, properties, added: Vec::new() };
        self.resources.insert(resource.to_owned(), known);
    }

    /// Lists one more attribute; `false` when there is no such kind of record.
    pub(super) fn add(&mut self, resource: &str, name: &str, property: Value, value: Value, now: i64) -> bool {
        let Some(known) = self.resources.get_mut(resource) else {
            return false;
        };
        known.properties.insert(name.to_owned(), property);
        known.added.retain(|(other, _)| other != name);
        known.added.push((name.to_owned(), value));
        known.updated = now;
        true
    }

    pub(super) fn remove_resource(&mut self, resource: &str) {
        self.resources.remove(resource);
    }

    /// Renames what one attribute is shown as.
    pub(super) fn change(&mut self, seed: u64, now: i64) {
        let dice = &mut Dice::new(seed);
        let place = crate::rng::index(dice.below(self.resources.len() as u64));
        let Some(known) = self.resources.values_mut().nth(place) else {
            return;
        };
        let place = crate::rng::index(dice.below(known.properties.len() as u64));
        if let Some(Value::Object(property)) = known.properties.values_mut().nth(place) {
            property.insert("displayName".into(), format!("Label {}", dice.below(1_000)).into());
            property.insert("updatedAt".into(), timestamp::text(now).into());
            known.updated = now;
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.resources.keys().map(String::as_str)
    }

    /// The resource as it is served.
    pub(crate) fn resource(&self, name: &str, org: &str) -> Option<Value> {
        let known = self.resources.get(name)?;
        Some(json!({
            "type": "metadata",
            "id": known.id,
            "attributes": {
                "properties": known.properties,
                "createdAt": timestamp::text(known.created),
                "updatedAt": timestamp::text(known.updated),
            },
            "relationships": {"org": {"links": {"self": format!("/v1/orgs/{org}")}, "data": {"type": "org", "id": org}}},
            "links": {"self": format!("/v1/metadata/{}", super::bodies::link_name(name))},
        }))
    }

    /// `attributes.custom` of a record, by its kind's name here.
    pub(super) fn custom(&self, resource: &str, at: i64, dice: &mut Dice) -> Value {
        let added = self.resources.get(resource).map(|known| known.added.as_slice()).unwrap_or_default();
        let shape = dice.below(10);
        if shape < 2 && added.is_empty() {
            return if shape == 0 && resource == "company" { Value::Null } else { json!({}) };
        }
        let mut custom = Map::new();
        for attribute in attributes(resource) {
            let percent = match attribute.2 {
                Usage::Carried => 70,
                Usage::Unused => 0,
                Usage::Deleted => 10,
            };
            if dice.chance(percent) {
                custom.insert(attribute.0.to_owned(), attribute.value(at, dice));
            }
        }
        if dice.chance(10) {
            custom.insert("legacyCodeStr".into(), "L-1".into());
        }
        custom.extend(added.iter().cloned());
        Value::Object(custom)
    }
}
