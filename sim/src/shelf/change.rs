//! Live change of what is on the shelves.
//!
//! Rule: every change raises `rev` by one and is stamped with the present; values and child arrays follow from `rev`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::collection::{Collection, Deletes, ShelfName};
use super::found::{KOBJECTS_OF_NEW_KLASS, new_stem};
use super::item::{Item, Stem, Version};
use super::{Shelves, Sides};
use crate::error::SimError;
use crate::rng::{Dice, index, mix, shuffled_walk};
use crate::world::DeleteStamp;
use crate::world::ids::Kind;

/// What is done to resources on a shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShelfChange {
    /// New ones appear.
    Insert,
    /// Some change.
    Update,
    /// Some are deleted: softly where the kind has soft deletes, else for good.
    Delete,
}

/// The circumstances of a change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion {
    pub(crate) seed: u64,
    pub(crate) now: i64,
    pub(crate) stamp: DeleteStamp,
}

impl Shelves {
    /// Changes up to `count` resources that the seed chooses; returns their ids.
    pub(crate) fn change(
        &mut self,
        name: &ShelfName,
        change: ShelfChange,
        count: u32,
        occasion: Occasion,
    ) -> Result<Vec<String>, SimError> {
        if !self.has(name) {
            return Err(SimError::control("no such shelf"));
        }
        let changed = match change {
            ShelfChange::Insert => (0..count).filter_map(|number| self.insert(name, number, occasion)).collect(),
            ShelfChange::Update => self
                .choose(name, count, occasion)
                .into_iter()
                .filter_map(|ord| self.update(name, ord, occasion))
                .collect(),
            ShelfChange::Delete => self
                .choose_deletable(name, count, occasion)
                .into_iter()
                .filter_map(|ord| self.delete(name, ord, occasion))
                .collect(),
        };
        self.settle_slas(occasion.now, Some(occasion));
        Ok(changed)
    }

    /// A few changes on every shelf, and one label of the metadata.
    pub(crate) fn change_all(&mut self, occasion: Occasion) -> Result<(), SimError> {
        let names: Vec<ShelfName> = self.names().cloned().collect();
        for (place, name) in (0_u64..).zip(names) {
            let seed = mix(occasion.seed ^ mix(place));
            let occasion = Occasion { seed, ..occasion };
            self.change(&name, ShelfChange::Update, 2, occasion)?;
            self.change(&name, ShelfChange::Insert, u32::from(seed % 4 > 1), occasion)?;
            self.change(&name, ShelfChange::Delete, u32::from(seed.is_multiple_of(3)), occasion)?;
        }
        self.metadata.change(occasion.seed, occasion.now);
        Ok(())
    }

    /// Changes one resource that a number chooses.
    pub(crate) fn move_one(&mut self, name: &ShelfName, number: u64, now: i64) {
        let occasion = Occasion { seed: mix(number), now, stamp: DeleteStamp::Moves };
        for ord in self.choose(name, 1, occasion) {
            self.update(name, ord, occasion);
        }
    }

    pub(crate) fn add_custom_attribute(
        &mut self,
        resource: &str,
        name: &str,
        property: Value,
        value: Value,
        now: i64,
    ) -> Result<(), SimError> {
        let known = self.metadata.add(resource, name, property, value, now);
        known.then_some(()).ok_or_else(|| SimError::control("no such kind of record in the metadata"))
    }

    fn choose(&self, name: &ShelfName, count: u32, occasion: Occasion) -> Vec<u32> {
        let items = self.items(name);
        let live = |ord: &u32| {
            let version = items.get(*ord as usize).and_then(Item::present);
            version.is_some_and(|version| version.stem.deleted.is_none())
        };
        let len = u32::try_from(items.len()).unwrap_or(u32::MAX);
        shuffled_walk(len, occasion.seed).filter(live).take(count as usize).collect()
    }

    /// Like [`Self::choose`]; a klass that has KObjects cannot be deleted (API reference, section 14).
    fn choose_deletable(&self, name: &ShelfName, count: u32, occasion: Occasion) -> Vec<u32> {
        if *name != ShelfName::Of(Collection::Klasses) {
            return self.choose(name, count, occasion);
        }
        let empty = |ord: &u32| {
            let klass = self.klass_name(*ord);
            klass.is_some_and(|klass| self.present(&ShelfName::KObjects(klass), Sides::Both, occasion.now).is_empty())
        };
        self.choose(name, u32::MAX, occasion).into_iter().filter(empty).take(count as usize).collect()
    }

    fn klass_name(&self, ord: u32) -> Option<String> {
        let klass = self.items(&ShelfName::Of(Collection::Klasses)).get(ord as usize)?.present()?;
        klass.attribute("name")?.as_str().map(str::to_owned)
    }

    fn insert(&mut self, name: &ShelfName, number: u32, occasion: Occasion) -> Option<String> {
        let ord = u32::try_from(self.items(name).len()).ok()?;
        let dice = &mut Dice::new(mix(occasion.seed) ^ u64::from(number));
        let stem = match name {
            ShelfName::Of(collection) => {
                let parent = self.new_parent(*collection, dice, occasion.now)?;
                let number = match *collection {
                    Collection::SlaVersions => self.next_version(parent.as_deref()),
                    _ => 1,
                };
                Stem { parent, number, ..new_stem(name, collection.id_kind(), ord, occasion.now) }
            }
            ShelfName::KObjects(klass) => {
                let stem = new_stem(name, Kind::KObject, self.kobject_ord(klass, ord), occasion.now);
                Stem { ord, parent: self.some_customer(dice), ..stem }
            }
        };
        let id = self.store(name, stem, occasion.now);
        match name {
            ShelfName::Of(Collection::Klasses) => {
                let klass = self.klass_name(ord)?;
                self.add_klass(&klass, KOBJECTS_OF_NEW_KLASS, Some(occasion.now));
            }
            ShelfName::Of(Collection::Slas) => self.add_version(&id, occasion.now),
            _ => {}
        }
        Some(id)
    }

    /// What a new resource belongs to; the outer `None` when there is nothing that it could belong to.
    fn new_parent(&self, collection: Collection, dice: &mut Dice, now: i64) -> Option<Option<String>> {
        let parents = match collection {
            Collection::Holidays => Collection::Schedules,
            Collection::SlaVersions => Collection::Slas,
            Collection::RoutingSettings => Collection::Teams,
            _ => return Some(None),
        };
        let mut candidates = self.present(&ShelfName::Of(parents), Sides::Live, now);
        if collection == Collection::RoutingSettings {
            // A team has at most one.
            let taken = self.present(&ShelfName::Of(collection), Sides::Both, now);
            let free = |team: &&Version| taken.iter().all(|taken| taken.stem.parent.as_ref() != Some(&team.stem.id));
            candidates.retain(free);
        }
        let chosen = candidates.get(index(dice.below(candidates.len() as u64)))?;
        Some(Some(chosen.stem.id.clone()))
    }

    fn versions_of(&self, sla: &str) -> Vec<&Version> {
        let versions = self.items(&ShelfName::Of(Collection::SlaVersions)).iter().filter_map(Item::present);
        versions.filter(|version| version.stem.parent.as_deref() == Some(sla)).collect()
    }

    fn next_version(&self, sla: Option<&str>) -> u32 {
        let versions = self.versions_of(sla.unwrap_or_default());
        versions.iter().map(|version| version.stem.number).max().unwrap_or(0) + 1
    }

    fn add_version(&mut self, sla: &str, now: i64) {
        let name = ShelfName::Of(Collection::SlaVersions);
        let ord = u32::try_from(self.items(&name).len()).unwrap_or(u32::MAX);
        let number = self.next_version(Some(sla));
        let stem = new_stem(&name, Kind::SlaVersion, ord, now);
        self.store(&name, Stem { parent: Some(sla.to_owned()), number, ..stem }, now);
    }

    fn update(&mut self, name: &ShelfName, ord: u32, occasion: Occasion) -> Option<String> {
        let stem = self.items(name).get(ord as usize)?.present()?.stem.clone();
        if *name == ShelfName::Of(Collection::Slas) {
            self.add_version(&stem.id, occasion.now);
            return Some(stem.id);
        }
        let rev = stem.rev + 1;
        Some(self.store(name, Stem { rev, updated: occasion.now, ..stem }, occasion.now))
    }

    fn delete(&mut self, name: &ShelfName, ord: u32, occasion: Occasion) -> Option<String> {
        let Occasion { now, stamp, .. } = occasion;
        let stem = self.items(name).get(ord as usize)?.present()?.stem.clone();
        let id = stem.id.clone();
        let updated = if stamp == DeleteStamp::Moves { now } else { stem.updated };
        let stem = Stem { rev: stem.rev + 1, updated, ..stem };
        if name.deletes() == Deletes::Soft {
            self.store(name, Stem { deleted: Some(now), ..stem }, now);
            return Some(id);
        }
        if let (ShelfName::Of(Collection::Klasses), Some(klass)) = (name, self.klass_name(ord)) {
            self.shelves.remove(&ShelfName::KObjects(klass.clone()));
            self.metadata.remove_resource(&format!("kobject.{klass}"));
        }
        let item = self.shelves.get_mut(name)?.get_mut(ord as usize)?;
        item.put(Version { stored: now, stem, body: None });
        Some(id)
    }

    /// Lets every SLA name the versions that it has, and takes away the versions of SLAs that are gone.
    pub(super) fn settle_slas(&mut self, now: i64, occasion: Option<Occasion>) {
        let slas = ShelfName::Of(Collection::Slas);
        let versions = ShelfName::Of(Collection::SlaVersions);
        let present: Vec<Stem> =
            self.items(&slas).iter().filter_map(Item::present).map(|version| version.stem.clone()).collect();
        for stem in &present {
            let own = self.versions_of(&stem.id);
            let refs: Vec<String> = own.iter().map(|version| version.stem.id.clone()).collect();
            let number = own.iter().map(|version| version.stem.number).max().unwrap_or(stem.number);
            if refs != stem.refs {
                let rev = stem.rev + u32::from(occasion.is_some());
                self.store(&slas, Stem { refs, number, rev, ..stem.clone() }, now);
            }
        }
        let orphan =
            |version: &&Version| !present.iter().any(|stem| version.stem.parent.as_deref() == Some(stem.id.as_str()));
        let orphans = self.items(&versions).iter().filter_map(Item::present).filter(orphan);
        let orphans: Vec<u32> = orphans.map(|version| version.stem.ord).collect();
        if let Some(occasion) = occasion {
            orphans.into_iter().for_each(|ord| drop(self.delete(&versions, ord, occasion)));
        }
    }
}
