//! The founding of the shelves: parents before children, with the ids that records refer to.

use super::bodies::is_empty_klass;
use super::collection::{Collection, ShelfName};
use super::draft::Draft;
use super::item::{Item, Stem, Version};
use super::lore::{KnownKlass, Lore};
use super::metadata::Metadata;
use super::{Shelves, bodies};
use crate::rng::{Dice, mix};
use crate::timestamp::{DAY, HOUR, SECOND};
use crate::world::WorldSpec;
use crate::world::ids::{self, Kind};

/// The SLA and the number of each founding version; the last SLA has only one.
const SLA_VERSIONS: [(u32, u32); 9] = [(0, 1), (1, 1), (2, 1), (3, 1), (0, 2), (1, 2), (2, 2), (0, 3), (1, 3)];

/// How many KObjects a new klass comes with.
pub(super) const KOBJECTS_OF_NEW_KLASS: u32 = 3;

impl Shelves {
    /// Founds the shelves of a world whose records are there already.
    pub(crate) fn found(spec: &WorldSpec, lore: Lore) -> Self {
        let metadata = Metadata::new(&lore);
        let mut shelves = Self { lore, metadata, ..Self::default() };
        for collection in Collection::ALL {
            let count = if collection == Collection::Companies { spec.companies } else { collection.founding() };
            let name = ShelfName::Of(collection);
            shelves.shelves.insert(name.clone(), Vec::new());
            for ord in 0..count {
                let stem = shelves.founding_stem(collection, ord, count);
                shelves.store(&name, stem, i64::MIN);
            }
        }
        shelves.settle_slas(i64::MIN, None);
        for klass in shelves.lore.names.klasses.clone() {
            let count = if is_empty_klass(&klass) { 0 } else { spec.kobjects };
            shelves.add_klass(&klass, count, None);
        }
        shelves
    }

    fn founding_stem(&self, collection: Collection, ord: u32, count: u32) -> Stem {
        let lore = &self.lore;
        let dice = &mut lore.dice(mix(u64::from(ord)) ^ collection as u64);
        // The times in the ids of the directory.
        let early = lore.founded + i64::from(ord) * DAY / 4;
        let created = match collection {
            Collection::Companies if ord as usize >= lore.companies.len() => self.moment(ord, count, dice),
            Collection::Notifications => lore.end - (i64::from(ord) + 1) * 20 * HOUR,
            _ => early,
        };
        let deleted = match collection {
            Collection::Companies => ord % 20 == 5,
            Collection::Teams => ord == 6,
            Collection::Shortcuts => ord % 9 == 8,
            Collection::Tags => ord % 25 == 24,
            Collection::Schedules => ord == 3,
            Collection::SpamSenders => ord == 11,
            _ => false,
        };
        let settings = collection != Collection::Companies;
        let updated = if settings { created + HOUR } else { self.later(created, dice) };
        let parent = match collection {
            Collection::Holidays => self.id_of(Collection::Schedules, ord % 3),
            Collection::SlaVersions => {
                self.id_of(Collection::Slas, SLA_VERSIONS.get(ord as usize).map_or(0, |it| it.0))
            }
            Collection::RoutingSettings => self.id_of(Collection::Teams, ord),
            Collection::Snoozes if ord % 5 == 4 => self.id_of(Collection::Klasses, ord % 3),
            _ => None,
        };
        let number = SLA_VERSIONS.get(ord as usize).map_or(1, |it| it.1);
        let mut stem = new_stem(&ShelfName::Of(collection), collection.id_kind(), ord, created);
        stem.updated = updated;
        stem.deleted = deleted.then_some(updated);
        stem.rev = if updated > created && ord % 2 == 1 { 2 } else { 1 };
        Stem { parent, number, ..stem }
    }

    fn id_of(&self, collection: Collection, ord: u32) -> Option<String> {
        let item = self.items(&ShelfName::Of(collection)).get(ord as usize)?;
        item.present().map(|version| version.stem.id.clone())
    }

    /// The place of number `ord` of `count` in the span of the world.
    fn moment(&self, ord: u32, count: u32, dice: &mut Dice) -> i64 {
        let (start, end) = (self.lore.start, self.lore.end);
        let step = ((end - start) / i64::from(count.max(1))).max(1);
        (start + step * i64::from(ord) + dice.millis(step)).min(end - 1)
    }

    /// A last change: mostly soon, sometimes any time before the end.
    fn later(&self, created: i64, dice: &mut Dice) -> i64 {
        let rest = (self.lore.end - created).max(1);
        created + if dice.chance(75) { dice.millis(rest.min(20 * DAY)) } else { dice.millis(rest) }
    }

    /// Adds the shelf of a klass and its metadata; KObjects that are new get the present as their time.
    pub(super) fn add_klass(&mut self, klass: &str, count: u32, now: Option<i64>) {
        let name = ShelfName::KObjects(klass.to_owned());
        let mut klasses = self.items(&ShelfName::Of(Collection::Klasses)).iter().filter_map(Item::present);
        if let Some(found) = klasses.find(|version| version.attribute("name").is_some_and(|name| name == klass)) {
            let known = KnownKlass { id: found.stem.id.clone(), ord: found.stem.ord };
            self.lore.klasses.insert(klass.to_owned(), known);
        }
        self.metadata.add_resource(&format!("kobject.{klass}"), &self.lore, now.unwrap_or(self.lore.founded));
        self.shelves.insert(name.clone(), Vec::new());
        for ord in 0..count {
            let dice = &mut self.lore.dice(mix(u64::from(ord) + 77) ^ shelf_number(&name));
            let created = now.unwrap_or_else(|| self.moment(ord, count, dice));
            let updated = if now.is_some() { created } else { self.later(created, dice) };
            let parent = self.some_customer(dice);
            let stem = new_stem(&name, Kind::KObject, self.kobject_ord(klass, ord), created);
            let rev = if updated > created { 2 } else { 1 };
            self.store(&name, Stem { ord, parent, updated, rev, ..stem }, now.unwrap_or(i64::MIN));
        }
    }

    /// One KObject in six belongs to no customer.
    pub(super) fn some_customer(&self, dice: &mut Dice) -> Option<String> {
        (!dice.chance(16)).then(|| dice.pick(&self.lore.customers).cloned()).flatten()
    }

    /// Ordinals in ids of KObjects are told apart by klass.
    pub(super) fn kobject_ord(&self, klass: &str, ord: u32) -> u32 {
        let place = self.lore.klasses.get(klass).map_or(0, |klass| klass.ord);
        place << 20 | ord
    }

    /// Puts a new item, or a new version of one, in its place.
    pub(super) fn store(&mut self, name: &ShelfName, stem: Stem, stored: i64) -> String {
        let version = self.version(name, stem, stored);
        let id = version.stem.id.clone();
        let items = self.shelves.entry(name.clone()).or_default();
        match items.get_mut(version.stem.ord as usize) {
            Some(item) => item.put(version),
            None => items.push(Item::new(version)),
        }
        id
    }

    fn version(&self, name: &ShelfName, stem: Stem, stored: i64) -> Version {
        let draft = Draft { lore: &self.lore, stem: &stem, shelf: shelf_number(name) };
        let resource = name.metadata_name();
        let custom = resource.map(|resource| self.metadata.custom(&resource, stem.created, &mut draft.moving(99)));
        let body = bodies::body(name, &draft, custom.unwrap_or_default());
        Version { stored, body: Some(body), stem }
    }
}

/// A number that tells shelves apart.
fn shelf_number(name: &ShelfName) -> u64 {
    name.to_string().bytes().fold(7, |number, byte| mix(number ^ u64::from(byte)))
}

/// A resource that was created at an instant.
pub(super) fn new_stem(name: &ShelfName, kind: Kind, ord: u32, created: i64) -> Stem {
    let second = u32::try_from(created.div_euclid(SECOND)).unwrap_or(0);
    let id = match name {
        ShelfName::Of(Collection::OutboundAccounts) => bodies::account_key(ord),
        _ => ids::encode(second, kind, ord).to_string(),
    };
    Stem { ord, id, parent: None, number: 1, refs: Vec::new(), created, updated: created, deleted: None, rev: 1 }
}
