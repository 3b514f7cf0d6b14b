//! Shelves: every kind of resource of which there are at most a few thousand, as whole JSON resources.
//!
//! Rule: an item never leaves its shelf, so that its number is for ever; one that is gone has no body any more.

mod bodies;
mod change;
mod collection;
mod control;
mod draft;
mod found;
mod item;
mod lore;
mod metadata;
mod serve;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use self::bodies::link_name;
pub use self::change::ShelfChange;
pub(crate) use self::collection::{Collection, ShelfName};
use self::item::Item;
pub(crate) use self::item::Version;
pub(crate) use self::lore::Lore;
pub(crate) use self::metadata::Metadata;
pub(crate) use self::serve::{Place, served};

use crate::timestamp::DAY;

/// Notifications are removed after a week (API reference, section 19).
const NOTIFICATION_LIFE: i64 = 7 * DAY;

/// Whether a list shows its softly deleted resources whatever is asked: one of tags does, since they are told deleted
/// by their attribute and no parameter of the list is known.
pub(crate) fn shows_deleted(collection: Collection) -> bool {
    collection == Collection::Tags
}

/// Which side of the soft deletes is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sides {
    Live,
    Deleted,
    Both,
}

impl Sides {
    const fn has(self, version: &Version) -> bool {
        match self {
            Self::Live => version.stem.deleted.is_none(),
            Self::Deleted => version.stem.deleted.is_some(),
            Self::Both => true,
        }
    }
}

/// All shelves of an organisation.
#[derive(Debug, Default)]
pub(crate) struct Shelves {
    pub(crate) lore: Lore,
    shelves: BTreeMap<ShelfName, Vec<Item>>,
    pub(crate) metadata: Metadata,
    /// Lists that somebody added, by their paths.
    own: BTreeMap<String, Vec<Value>>,
}

impl Shelves {
    pub(crate) fn items(&self, name: &ShelfName) -> &[Item] {
        self.shelves.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &ShelfName) -> bool {
        self.shelves.contains_key(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &ShelfName> {
        self.shelves.keys()
    }

    /// The shelves of all klasses.
    pub(crate) fn kobject_shelves(&self) -> impl Iterator<Item = &ShelfName> {
        self.shelves.keys().filter(|name| matches!(name, ShelfName::KObjects(_)))
    }

    /// What is there now, in the order of ids; notifications newest first, and none older than a week.
    pub(crate) fn present(&self, name: &ShelfName, sides: Sides, now: i64) -> Vec<&Version> {
        let mut all: Vec<&Version> =
            self.items(name).iter().filter_map(Item::present).filter(|version| sides.has(version)).collect();
        all.sort_by(|left, right| left.stem.id.cmp(&right.stem.id));
        if *name == ShelfName::Of(Collection::Notifications) {
            all.retain(|version| version.stem.created > now - NOTIFICATION_LIFE);
            all.reverse();
        }
        all
    }

    /// One resource by its id.
    pub(crate) fn find(&self, name: &ShelfName, id: &str) -> Option<&Version> {
        self.items(name).iter().filter_map(Item::present).find(|version| version.stem.id == id)
    }

    /// What belongs to one of these.
    pub(crate) fn belonging(&self, name: &ShelfName, parents: &[&Version], now: i64) -> Vec<&Version> {
        let known = |version: &&Version| {
            parents.iter().any(|parent| version.stem.parent.as_deref() == Some(parent.stem.id.as_str()))
        };
        self.present(name, Sides::Both, now).into_iter().filter(known).collect()
    }

    pub(crate) fn serve_list(&mut self, path: &str, resources: Vec<Value>) {
        self.own.insert(path.to_owned(), resources);
    }

    pub(crate) fn own_list(&self, path: &str) -> Option<&[Value]> {
        self.own.get(path).map(Vec::as_slice)
    }
}
