//! Where each part of a record goes: the schema turned into look-ups by JSON key.
//!
//! The rule: a part of a record has one *slot*, the place where its JSON text waits until the record
//! is read to its end, whatever reads it from there. A key that is repeated fills the same slot again, so the last one wins.

use std::collections::{BTreeMap, HashMap};

use super::custom::CUSTOM;
use super::schema::{OwnAttributes, RowKind, TableSchema};
use crate::catalog::{ElementsOf, Given, Relation, Source, SystemColumn};

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
    relationships: HashMap<String, Target>,
    given: BTreeMap<Given, Slot>,
    /// What becomes of the resource's own id.
    pub(super) id: Claim,
    /// The object of the organisation's own attributes.
    pub(super) custom: Option<Node>,
    pub(super) fills: Vec<Fill>,
    /// The texts of elements, which stand after the columns of the table.
    pub(super) raws: Vec<Raw>,
    pub(super) slots: usize,
    pub(super) deleted: SystemInput,
    pub(super) deleted_at: SystemInput,
}

/// An object of which at least one member has a column.
#[derive(Debug)]
pub(super) struct Object {
    /// Its key as JSON text; empty for `attributes`.
    pub(super) key: String,
    /// Its dotted path; empty for `attributes`.
    pub(super) path: String,
    pub(super) parent: Option<Node>,
    members: HashMap<String, Target>,
    /// Where its own text waits, if elements are in it.
    pub(super) whole: Option<Slot>,
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

/// Where a column's value comes from.
#[derive(Debug)]
pub(super) enum Fill {
    Id,
    Attribute { slot: Slot, node: Node },
    One { slot: Slot, resource_type: String },
    Many { slot: Slot, resource_type: String },
    Data { slot: Slot },
    Given { slot: Slot },
    System(SystemColumn),
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
    pub(super) fn new(schema: &TableSchema) -> Self {
        let root =
            Object { key: String::new(), path: String::new(), parent: None, members: HashMap::new(), whole: None };
        let mut plan = Self {
            objects: vec![root],
            relationships: HashMap::new(),
            given: BTreeMap::new(),
            id: Claim::None,
            custom: None,
            fills: Vec::new(),
            raws: Vec::new(),
            slots: 0,
            deleted: SystemInput::None,
            deleted_at: SystemInput::None,
        };
        for column in schema.columns() {
            let fill = plan.fill(&column.source);
            plan.fills.push(fill);
        }
        plan.custom = plan.own_attributes(schema.own_attributes());
        plan.deleted = plan.system_input("deleted", schema.row_kind());
        plan.deleted_at = plan.system_input("deletedAt", schema.row_kind());
        plan.raws = schema.elements().iter().map(|of| plan.raw(of)).collect();
        plan
    }

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

    pub(super) fn object(&self, node: Node) -> Option<&Object> {
        self.objects.get(node)
    }

    /// The objects directly below `node`.
    pub(super) fn children(&self, node: Node) -> impl Iterator<Item = (Node, &Object)> {
        self.objects.iter().enumerate().filter(move |(_, object)| object.parent == Some(node))
    }

    fn fill(&mut self, source: &Source) -> Fill {
        match source {
            Source::Id => {
                self.id = Claim::Column;
                Fill::Id
            }
            Source::Attribute(path) => {
                let (node, slot) = self.attribute(&path.0);
                Fill::Attribute { slot, node }
            }
            Source::Relationship { name, relation } => {
                let slot = self.next_slot();
                self.relationships.insert(name.clone(), Target::Value(slot));
                match relation {
                    Relation::One(kind) => Fill::One { slot, resource_type: kind.clone() },
                    Relation::Many(kind) => Fill::Many { slot, resource_type: kind.clone() },
                    Relation::Data => Fill::Data { slot },
                }
            }
            Source::Given(given) => Fill::Given { slot: self.given_slot(*given) },
            Source::System(column) => Fill::System(*column),
        }
    }

    /// The slot of a given value, which may fill several columns.
    fn given_slot(&mut self, given: Given) -> Slot {
        if let Some(slot) = self.given.get(&given) {
            return *slot;
        }
        let slot = self.next_slot();
        self.given.insert(given, slot);
        slot
    }

    fn attribute(&mut self, path: &[String]) -> (Node, Slot) {
        let slot = self.next_slot();
        let mut node = ATTRIBUTES;
        if let Some((last, parents)) = path.split_last() {
            for name in parents {
                node = self.child(node, name);
            }
            if let Some(object) = self.objects.get_mut(node) {
                object.members.insert(last.clone(), Target::Value(slot));
            }
        }
        (node, slot)
    }

    fn child(&mut self, parent: Node, name: &str) -> Node {
        if let Some(Target::Object(node)) = self.member(parent, name) {
            return node;
        }
        let node = self.objects.len();
        let Some(object) = self.objects.get_mut(parent) else { return parent };
        object.members.insert(name.to_owned(), Target::Object(node));
        let path = if object.path.is_empty() { name.to_owned() } else { format!("{}.{name}", object.path) };
        let key = serde_json::Value::from(name).to_string();
        self.objects.push(Object { key, path, parent: Some(parent), members: HashMap::new(), whole: None });
        node
    }

    /// The object of the organisation's own attributes, also when none of them has a column yet.
    fn own_attributes(&mut self, own: OwnAttributes) -> Option<Node> {
        let has_column = matches!(self.member(ATTRIBUTES, CUSTOM), Some(Target::Value(_)));
        match own {
            OwnAttributes::Custom if !has_column => Some(self.child(ATTRIBUTES, CUSTOM)),
            OwnAttributes::Custom | OwnAttributes::None => None,
        }
    }

    fn system_input(&mut self, attribute: &str, kind: RowKind) -> SystemInput {
        match self.member(ATTRIBUTES, attribute) {
            Some(Target::Value(slot)) => SystemInput::Shared(slot),
            Some(Target::Object(_) | Target::Unclaimed(_)) => SystemInput::None,
            None => {
                let slot = self.attribute(&[attribute.to_owned()]).1;
                match kind {
                    RowKind::Record => SystemInput::Sole(slot),
                    RowKind::Element => SystemInput::Mixed(slot),
                }
            }
        }
    }

    fn raw(&mut self, of: &ElementsOf) -> Raw {
        let slot = match of {
            ElementsOf::Attribute(path) => return self.raw_attribute(&path.0),
            ElementsOf::Included => self.given_slot(Given::Included),
            ElementsOf::Relationship(name) => match self.relationship(name) {
                Some(Target::Value(slot) | Target::Unclaimed(slot)) => slot,
                Some(Target::Object(_)) | None => {
                    let slot = self.next_slot();
                    self.relationships.insert(name.clone(), Target::Unclaimed(slot));
                    slot
                }
            },
        };
        Raw { slot, below: Vec::new() }
    }

    /// The value at that path: that of a column, inside of one, around some, or apart from all.
    fn raw_attribute(&mut self, path: &[String]) -> Raw {
        let mut node = ATTRIBUTES;
        let mut names = path.iter();
        while let Some(name) = names.next() {
            let slot = match self.member(node, name) {
                Some(Target::Object(child)) => {
                    node = child;
                    continue;
                }
                Some(Target::Value(slot) | Target::Unclaimed(slot)) => slot,
                None => {
                    let slot = self.next_slot();
                    if let Some(object) = self.objects.get_mut(node) {
                        object.members.insert(name.clone(), Target::Unclaimed(slot));
                    }
                    slot
                }
            };
            return Raw { slot, below: names.cloned().collect() };
        }
        let slot = self.object(node).and_then(|object| object.whole).unwrap_or_else(|| self.next_slot());
        if let Some(object) = self.objects.get_mut(node) {
            object.whole = Some(slot);
        }
        Raw { slot, below: Vec::new() }
    }

    const fn next_slot(&mut self) -> Slot {
        self.slots += 1;
        self.slots - 1
    }
}
