//! Where each part of a record goes: the schema turned into look-ups by JSON key.
//!
//! The rule: a part of a record has one *slot*, the place where its JSON text waits until the record
//! is read to its end, whatever reads it from there. A key that is repeated fills the same slot again,
//! so the last one wins.

mod build;

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::treatment::{HashKey, Treatments};
use crate::catalog::{Given, SystemColumn};

/// Position of a waiting JSON text.
pub(super) type Slot = usize;

/// Position of an object with columns below it; [`ATTRIBUTES`] is `attributes` itself.
pub(super) type Node = usize;

/// The object `attributes`.
pub(super) const ATTRIBUTES: Node = 0;

/// Where the parts of a record go.
#[derive(Debug)]
pub(super) struct Plan {
    objects: Vec<Object>,
    // Names come from schemas, so that no record can choose ones that collide.
    relationships: FxHashMap<String, Target>,
    /// Relationships of which nothing is left over.
    treated_relationships: BTreeSet<String>,
    given: BTreeMap<Given, Slot>,
    /// What becomes of the resource's own id.
    pub(super) id: Claim,
    /// The object of the organisation's own attributes.
    pub(super) custom: Option<Node>,
    pub(super) treatments: Treatments,
    pub(super) cells: Vec<Cell>,
    /// The numbers of the cells of the primary key.
    pub(super) key: Vec<usize>,
    /// The texts of elements, which stand after the columns of the table.
    pub(super) raws: Vec<Raw>,
    pub(super) slots: usize,
    pub(super) deleted: SystemInput,
    pub(super) deleted_at: SystemInput,
}

/// An object of which at least one member has a column.
#[derive(Debug)]
pub(super) struct Object {
    /// Its key as JSON text, without its quotes; empty for `attributes`.
    pub(super) key: String,
    /// Its dotted path; empty for `attributes`.
    pub(super) path: String,
    pub(super) parent: Option<Node>,
    members: FxHashMap<String, Target>,
    /// Where its own text waits, if elements are in it.
    pub(super) whole: Option<Slot>,
    /// What becomes of the value when it is no object.
    pub(super) misfit: Leftovers,
}

/// What becomes of a value that no column takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftovers {
    /// It stands in `_extra`.
    Kept,
    /// It could hold what must be in no column.
    Dropped,
}

/// What a key of an object stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// The value of a column.
    Value(Slot),
    /// A value that no column holds, but in which there are elements.
    Unclaimed(Slot),
    /// An object with columns below it.
    Object(Node),
}

/// Where the text of elements comes from.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) slot: Slot,
    /// Keys to follow inside of that value.
    pub(super) below: Vec<String>,
}

/// How a column is filled.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) fill: Fill,
    /// Makes the hash that stands for the value.
    pub(super) hash: Option<HashKey>,
}

/// Where a column's value comes from.
#[derive(Debug)]
pub(super) enum Fill {
    Id,
    Attribute {
        slot: Slot,
        node: Node,
    },
    One {
        slot: Slot,
        resource_type: String,
    },
    Many {
        slot: Slot,
        resource_type: String,
    },
    Data {
        slot: Slot,
    },
    Given {
        slot: Slot,
    },
    System(SystemColumn),
    /// Nowhere: the column is always null.
    Nothing,
}

/// Whether a column holds a part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It does.
    Column,
    /// None does: the part is left over.
    None,
}

/// An attribute that a system column reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum SystemInput {
    /// It has a column of its own, which keeps whatever the system column cannot.
    Shared(Slot),
    /// Only the system column reads it.
    Sole(Slot),
    /// No other column reads it, and the system column does not tell it apart from what the parent says: it is left
    /// over in any case.
    Mixed(Slot),
    /// The attribute is an object with columns below it.
    None,
}

impl SystemInput {
    pub(super) const fn slot(self) -> Option<Slot> {
        match self {
            Self::Shared(slot) | Self::Sole(slot) | Self::Mixed(slot) => Some(slot),
            Self::None => None,
        }
    }
}

impl Plan {
    /// What `key` of the object `node` stands for; none if no column comes from it.
    pub(super) fn member(&self, node: Node, key: &str) -> Option<Target> {
        self.objects.get(node)?.members.get(key).copied()
    }

    /// The slot of the data of the relationship `name`.
    pub(super) fn relationship(&self, name: &str) -> Option<Target> {
        self.relationships.get(name).copied()
    }

    /// The slot of what is given under that name.
    pub(super) fn given(&self, name: &str) -> Option<Slot> {
        self.given.iter().find(|(given, _)| given.name() == name).map(|(_, slot)| *slot)
    }

    /// What becomes of a value in place of that object.
    pub(super) fn misfit(&self, node: Node) -> Leftovers {
        self.object(node).map_or(Leftovers::Kept, |object| object.misfit)
    }

    pub(super) fn object(&self, node: Node) -> Option<&Object> {
        self.objects.get(node)
    }

    /// The objects directly below `node`.
    pub(super) fn children(&self, node: Node) -> impl Iterator<Item = (Node, &Object)> {
        self.objects.iter().enumerate().filter(move |(_, object)| object.parent == Some(node))
    }

    /// What becomes of a relationship with that name that is odd; of all of them, where the name is unknown.
    pub(super) fn odd_relationship(&self, name: Option<&str>) -> Leftovers {
        let is_treated = match name {
            Some(name) => self.treated_relationships.contains(name),
            None => !self.treated_relationships.is_empty(),
        };
        if is_treated { Leftovers::Dropped } else { Leftovers::Kept }
    }
}
