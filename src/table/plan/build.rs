//! A plan made from a schema.
//!
//! The rule: what a column reads is claimed before what only stands around it: system columns, values that no column
//! may hold, and the texts of elements share the slots that are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{ATTRIBUTES, Cell, Claim, Fill, Leftovers, Node, Object, Plan, Raw, Slot, SystemInput, Target};
use crate::catalog::{AttributePath, Column, ElementsOf, Given, Relation, Source};
use crate::table::custom::CUSTOM;
use crate::table::json::escaped;
use crate::table::schema::{OwnAttributes, RowKind, TableSchema};
use crate::table::treatment::{Treatment, Treatments};

impl Plan {
    pub(in crate::table) fn new(schema: &TableSchema) -> Self {
        let root = Object {
            key: String::new(),
            path: String::new(),
            parent: None,
            members: HashMap::default(),
            whole: None,
            misfit: Leftovers::Kept,
        };
        let mut plan = Self {
            objects: vec![root],
            relationships: HashMap::default(),
            treated_relationships: BTreeSet::new(),
            given: BTreeMap::new(),
            id: Claim::None,
            custom: None,
            treatments: Treatments::default(),
            cells: Vec::new(),
            key: Vec::new(),
            raws: Vec::new(),
            slots: 0,
            deleted: SystemInput::None,
            deleted_at: SystemInput::None,
        };
        for column in schema.columns() {
            if schema.order().key.contains(&column.name) {
                plan.key.push(plan.cells.len());
            }
            let cell = plan.cell(column, schema.treatments());
            plan.cells.push(cell);
        }
        for column in schema.excluded() {
            // What fills a slot that no column reads is gone.
            let _unread = plan.fill(&column.source);
            plan.drop_misfits(&column.source);
        }
        plan.custom = plan.own_attributes(schema.own_attributes());
        if plan.custom.is_some() && schema.treatments().treats_custom() {
            plan.drop_misfits(&Source::Attribute(AttributePath(vec![CUSTOM.to_owned(), String::new()])));
        }
        plan.treatments = schema.treatments().clone();
        plan.deleted = plan.system_input("deleted", schema.row_kind());
        plan.deleted_at = plan.system_input("deletedAt", schema.row_kind());
        plan.raws = schema.elements().iter().map(|of| plan.raw(of)).collect();
        plan
    }

    fn cell(&mut self, column: &Column, treatments: &Treatments) -> Cell {
        let fill = match treatments.of(column) {
            Treatment::Exclude => Fill::Nothing,
            Treatment::Keep | Treatment::Hash => self.fill(&column.source),
        };
        let hash = treatments.hash_key(column).cloned();
        if hash.is_some() {
            self.drop_misfits(&column.source);
        }
        Cell { fill, hash }
    }

    /// What stands in place of the objects around a value is dropped: it could hold the value.
    fn drop_misfits(&mut self, source: &Source) {
        match source {
            Source::Attribute(AttributePath(path)) => {
                let mut node = ATTRIBUTES;
                for name in path {
                    if let Some(object) = self.objects.get_mut(node) {
                        object.misfit = Leftovers::Dropped;
                    }
                    match self.member(node, name) {
                        Some(Target::Object(child)) => node = child,
                        _ => return,
                    }
                }
            }
            Source::Relationship { name, .. } => drop(self.treated_relationships.insert(name.clone())),
            Source::Id | Source::Given(_) | Source::System(_) => {}
        }
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
        let key = escaped(name);
        self.objects.push(Object {
            key,
            path,
            parent: Some(parent),
            members: HashMap::default(),
            whole: None,
            misfit: Leftovers::Kept,
        });
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
