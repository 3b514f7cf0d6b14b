//! One record on its way into the columns.

use super::builder::ColumnBuilder;
use super::gather::Parts;
use super::json::{self, Member};
use super::plan::{ATTRIBUTES, Cell, Fill, Node, Plan, Raw, Slot, SystemInput};
use super::problems::{Mismatch, Problems};
use super::schema::TableSchema;
use crate::catalog::{ColumnType, SystemColumn};

/// A record that was taken apart.
pub(super) struct Row<'p, 'a> {
    pub(super) schema: &'p TableSchema,
    pub(super) plan: &'p Plan,
    pub(super) parts: Parts<'a>,
}

/// A value that its column did not take, and where it stands in the record.
struct Leftover<'a> {
    place: Place,
    member: Member<'a>,
    /// None if the value as such is as expected.
    mismatch: Option<Mismatch>,
}

enum Place {
    Record,
    Attribute(Node),
    Relationship,
    /// What is given is not of the record.
    Outside,
}

impl<'a> Row<'_, 'a> {
    /// Whether every column of the primary key has a value: a text, unless it holds numbers.
    pub(super) fn has_key(&self) -> bool {
        let cell = |number: &usize| self.schema.columns().get(*number).zip(self.plan.cells.get(*number));
        self.plan.key.iter().filter_map(cell).all(|(column, cell)| {
            let value = match &cell.fill {
                Fill::Id => self.parts.id.map(|id| id.value),
                Fill::Attribute { slot, .. } | Fill::Given { slot } => self.slot(*slot).map(|member| member.value),
                Fill::One { slot, resource_type } => {
                    self.slot(*slot).and_then(|data| json::identifier(data.value, resource_type).ok())
                }
                Fill::Many { .. } | Fill::Data { .. } | Fill::System(_) | Fill::Nothing => None,
            };
            value.is_some_and(|json| match column.kind {
                ColumnType::Integer => json::integer(json).is_ok(),
                _ => json::text(json).is_ok_and(|text| !text.is_empty()),
            })
        })
    }

    /// Appends one cell to each builder but that of `_extracted_at`, which is the same for all rows.
    pub(super) fn append_to(mut self, builders: &mut [ColumnBuilder], problems: &mut Problems) {
        let Some((builders, raw)) = builders.split_at_mut_checked(self.plan.cells.len()) else { return };
        for (source, builder) in self.plan.raws.iter().zip(raw) {
            // JSON text always fits a column of JSON.
            let _fits = builder.append(self.raw(source));
        }
        let columns = self.schema.columns().iter().zip(&self.plan.cells);
        for ((column, cell), builder) in columns.zip(&mut *builders) {
            let Some(left) = self.cell(cell, builder) else { continue };
            if let (Some(mismatch), Some(found)) = (left.mismatch, json::kind(left.member.value)) {
                problems.count(&column.name, mismatch, found);
            }
            match left.place {
                _ if cell.hash.is_some() => {}
                Place::Record => self.parts.extra.record.push(left.member),
                Place::Attribute(node) => self.parts.extra.attributes.push((node, left.member)),
                Place::Relationship => self.parts.extra.relationships.push(left.member),
                Place::Outside => {}
            }
        }
        let extra = self.parts.extra.text(self.plan);
        for (cell, builder) in self.plan.cells.iter().zip(builders) {
            if matches!(cell.fill, Fill::System(SystemColumn::Extra)) {
                let _fits = builder.append(extra.as_deref());
            }
        }
    }

    /// The JSON text of elements.
    fn raw(&self, source: &Raw) -> Option<&'a str> {
        let value = self.slot(source.slot)?.value;
        source.below.iter().try_fold(value, |value, name| json::member(value, name))
    }

    fn cell(&self, cell: &Cell, builder: &mut ColumnBuilder) -> Option<Leftover<'a>> {
        let mut append = |value| match &cell.hash {
            Some(key) => builder.append_hash(value, key),
            None => builder.append(value),
        };
        let (place, member, outcome) = match &cell.fill {
            Fill::Id => (Place::Record, self.parts.id, append(self.parts.id.map(|id| id.value))),
            Fill::Attribute { slot, node } => {
                let member = self.slot(*slot);
                (Place::Attribute(*node), member, append(member.map(|member| member.value)))
            }
            Fill::Given { slot } => {
                let given = self.slot(*slot);
                (Place::Outside, given, append(given.map(|member| member.value)))
            }
            Fill::Data { slot } => {
                let data = self.slot(*slot);
                (Place::Relationship, data, append(data.map(|data| data.value)))
            }
            Fill::One { slot, resource_type } => {
                let data = self.slot(*slot);
                let id = data.map(|data| json::identifier(data.value, resource_type)).transpose();
                let outcome = match id {
                    Ok(id) => append(id),
                    Err(mismatch) => append(None).and(Err(mismatch)),
                };
                (Place::Relationship, data, outcome)
            }
            Fill::Many { slot, resource_type } => {
                let data = self.slot(*slot);
                let outcome = match data {
                    Some(data) => {
                        let ids = json::identifiers(data.value, resource_type);
                        builder.append_texts(match &cell.hash {
                            Some(key) => ids.map(|ids| key.hashes(&ids)),
                            None => ids,
                        })
                    }
                    None => builder.append(None),
                };
                (Place::Relationship, data, outcome)
            }
            Fill::System(SystemColumn::Deleted) => return self.deleted_cell(builder),
            Fill::System(SystemColumn::DeletedAt) => return self.deleted_at_cell(builder),
            Fill::System(SystemColumn::ExtractedAt | SystemColumn::Extra) => return None,
            Fill::Nothing => (Place::Outside, None, builder.append(None)),
        };
        let mismatch = Some(outcome.err()?);
        Some(Leftover { place, member: member?, mismatch })
    }

    /// Appends to `_deleted`, which is never null so that nobody forgets the third case in a query.
    fn deleted_cell(&self, builder: &mut ColumnBuilder) -> Option<Leftover<'a>> {
        let deleted = self.is_deleted() || self.is_parent_deleted();
        let outcome = builder.append(Some(if deleted { "true" } else { "false" }));
        let member = self.told_to_system(self.plan.deleted)?;
        let outcome = outcome.and(json::boolean(member.value));
        if outcome.is_ok() && matches!(self.plan.deleted, SystemInput::Sole(_)) {
            return None;
        }
        Some(Leftover { place: Place::Attribute(ATTRIBUTES), member, mismatch: outcome.err() })
    }

    /// Appends to `_deleted_at`. A restored record may still tell when it was deleted: then that is left over.
    fn deleted_at_cell(&self, builder: &mut ColumnBuilder) -> Option<Leftover<'a>> {
        let told = self.plan.deleted_at.slot().and_then(|slot| self.slot(slot)).map(|member| member.value);
        let own = told.filter(|value| self.is_deleted() && json::kind(value).is_some());
        let parents = self.parts.parent.deleted_at.filter(|_| self.is_parent_deleted());
        let outcome = builder.append(own.or(parents));
        let member = self.told_to_system(self.plan.deleted_at)?;
        if own.is_some() && outcome.is_ok() && matches!(self.plan.deleted_at, SystemInput::Sole(_)) {
            return None;
        }
        Some(Leftover { place: Place::Attribute(ATTRIBUTES), member, mismatch: outcome.err() })
    }

    fn is_deleted(&self) -> bool {
        self.plan.deleted.slot().and_then(|slot| self.slot(slot)).is_some_and(|member| member.value == "true")
    }

    fn is_parent_deleted(&self) -> bool {
        self.parts.parent.deleted == Some("true")
    }

    /// The value that no column but a system column reads, unless it is null.
    fn told_to_system(&self, input: SystemInput) -> Option<Member<'a>> {
        let (SystemInput::Sole(slot) | SystemInput::Mixed(slot)) = input else { return None };
        self.slot(slot).filter(|member| json::kind(member.value).is_some())
    }

    fn slot(&self, slot: Slot) -> Option<Member<'a>> {
        self.parts.slots.get(slot).copied().flatten()
    }
}
