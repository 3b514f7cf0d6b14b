//! The Arrow schema of an entity's table.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::elements::raw_column;
use super::field::{data_type, field};
use super::order::{RowOrder, TableError};
use super::treatment::{TreatmentError, Treatments};
use crate::catalog::{Access, Column, ColumnType, ElementsOf, Entity, EntityName, Sensitivity, Source, SystemColumn};

/// The columns of a table: what the catalogue says of them, and their Arrow schema. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct TableSchema(Arc<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    entity: EntityName,
    resource_type: String,
    own_attributes: OwnAttributes,
    columns: Vec<Column>,
    /// Columns that the table does not have, although their values are known.
    excluded: Vec<Column>,
    treatments: Treatments,
    elements: Vec<ElementsOf>,
    arrow: SchemaRef,
    wide: SchemaRef,
    order: RowOrder,
    row_kind: RowKind,
}

/// What a row of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    /// A record of its own.
    Record,
    /// A part of a record, with which it changes and is deleted.
    Element,
}

/// Whether records have attributes of the organisation's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnAttributes {
    /// They may, below `attributes.custom`.
    Custom,
    /// They have not.
    None,
}

impl TableSchema {
    /// The schema of the table of `entity`.
    #[must_use]
    pub fn new(entity: &Entity) -> Self {
        let row_kind = match entity.access {
            Access::Elements { .. } => RowKind::Element,
            _ => RowKind::Record,
        };
        let newer_by = |attribute, kind| match row_kind {
            RowKind::Record => column_of(entity, attribute, kind),
            // An element is as new as its record, whatever it says of itself.
            RowKind::Element => None,
        };
        let order = RowOrder {
            key: entity.key.clone(),
            rev: newer_by("rev", ColumnType::Integer),
            updated_at: newer_by("updatedAt", ColumnType::Timestamp),
        };
        let parts = Parts {
            entity: entity.name.clone(),
            resource_type: entity.resource_type.clone(),
            own_attributes: entity.custom.as_ref().map_or(OwnAttributes::None, |_| OwnAttributes::Custom),
            columns: entity.columns.clone(),
            excluded: Vec::new(),
            treatments: Treatments::default(),
            elements: Vec::new(),
            arrow: Arc::new(Schema::empty()),
            wide: Arc::new(Schema::empty()),
            order,
            row_kind,
        };
        parts.with_fields()
    }

    /// The same with columns for custom attributes, as [`custom_columns`](super::custom_columns) gives them, before the
    /// system columns. Attributes that have a column already keep it.
    #[must_use]
    pub fn with_custom(&self, columns: Vec<Column>) -> Self {
        let mut parts = Parts::clone(&self.0);
        let new = columns.into_iter().filter(|column| !self.has(&column.source));
        let (excluded, new) = parts.treatments.excluded(new);
        parts.excluded.extend(excluded);
        let is_system = |column: &Column| matches!(column.source, Source::System(_));
        let at = parts.columns.iter().position(is_system).unwrap_or(parts.columns.len());
        parts.columns.splice(at..at, new);
        parts.with_fields()
    }

    /// The same with columns that are treated so: hashed or left out. Custom columns that are added later are, too.
    ///
    /// # Errors
    /// Treatments that the table cannot have.
    pub fn with_treatments(&self, treatments: Treatments) -> Result<Self, TreatmentError> {
        treatments.check(&self.0.columns, &self.0.order)?;
        let mut parts = Parts::clone(&self.0);
        let (excluded, columns) = treatments.excluded(parts.columns);
        parts.excluded.extend(excluded);
        Ok(Parts { columns, treatments, ..parts }.with_fields())
    }

    /// The same, and [`wide`](Self::wide) rows keep the JSON texts of these elements, for tables of their own.
    #[must_use]
    pub fn with_elements(&self, elements: BTreeSet<ElementsOf>) -> Self {
        let elements = elements.into_iter().collect();
        Parts { elements, ..Parts::clone(&self.0) }.with_fields()
    }

    /// The entity whose records the table holds.
    #[must_use]
    pub fn entity(&self) -> &EntityName {
        &self.0.entity
    }

    /// Its columns as Arrow fields, all nullable, so that a column can be added to a table that has rows.
    #[must_use]
    pub fn arrow(&self) -> &SchemaRef {
        &self.0.arrow
    }

    /// The columns of converted rows: those of the table, then a column of JSON text for each of the elements that are
    /// kept. Rows are sorted in this form, and [`visible`](Self::visible) leaves those of the table.
    #[must_use]
    pub fn wide(&self) -> &SchemaRef {
        &self.0.wide
    }

    /// The columns of the table out of wide rows.
    ///
    /// # Errors
    /// Rows that are not of this schema.
    pub fn visible(&self, wide: &RecordBatch) -> Result<RecordBatch, TableError> {
        Ok(wide.project(&(0..self.0.columns.len()).collect::<Vec<_>>())?)
    }

    /// The columns that may say something about a person, and `_extra`: what is emptied when the source has forgotten a
    /// record. The key is never among them.
    #[must_use]
    pub fn personal(&self) -> BTreeSet<String> {
        let is_personal = |column: &&Column| {
            let is_extra = column.source == Source::System(SystemColumn::Extra);
            is_extra || column.sensitivity != Sensitivity::None
        };
        let names = self.0.columns.iter().filter(is_personal).map(|column| column.name.clone());
        names.filter(|name| !self.order().key.contains(name)).collect()
    }

    /// What identifies a row, and which of two copies of it is the newer one.
    #[must_use]
    pub fn order(&self) -> &RowOrder {
        &self.0.order
    }

    /// Whether a column holds the values from there.
    pub(super) fn has(&self, source: &Source) -> bool {
        self.0.columns.iter().chain(&self.0.excluded).any(|column| column.source == *source)
    }

    pub(super) fn excluded(&self) -> &[Column] {
        &self.0.excluded
    }

    pub(super) fn treatments(&self) -> &Treatments {
        &self.0.treatments
    }

    pub(super) fn elements(&self) -> &[ElementsOf] {
        &self.0.elements
    }

    pub(super) fn own_attributes(&self) -> OwnAttributes {
        self.0.own_attributes
    }

    pub(super) fn row_kind(&self) -> RowKind {
        self.0.row_kind
    }

    pub(super) fn resource_type(&self) -> &str {
        &self.0.resource_type
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.0.columns
    }
}

impl Parts {
    /// With the Arrow schemas that the columns now have.
    fn with_fields(mut self) -> TableSchema {
        let fields = self.columns.iter().map(|column| field(column, self.treatments.of(column), &self.resource_type));
        let fields: Vec<_> = fields.collect();
        let raw = self.elements.iter().map(|of| Field::new(raw_column(of), data_type(ColumnType::Json), true));
        self.wide = Arc::new(Schema::new(fields.iter().cloned().chain(raw).collect::<Vec<_>>()));
        self.arrow = Arc::new(Schema::new(fields));
        TableSchema(Arc::new(self))
    }
}

fn column_of(entity: &Entity, attribute: &str, kind: ColumnType) -> Option<String> {
    let column = entity.columns.iter().find(|column| match &column.source {
        Source::Attribute(path) => column.kind == kind && path.0 == [attribute],
        Source::Id | Source::Relationship { .. } | Source::Given(_) | Source::System(_) => false,
    })?;
    Some(column.name.clone())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, TimeUnit};

    use super::super::field::{ATTRIBUTE_METADATA, TYPE_METADATA};
    use crate::table::tests::things;

    #[test]
    fn a_field_tells_where_its_value_comes_from() {
        let schema = things();
        let field = schema.arrow().field_with_name("box_opened_at").unwrap();
        assert_eq!(field.data_type(), &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
        assert_eq!(field.metadata()[ATTRIBUTE_METADATA], "box.openedAt");
        assert_eq!(field.metadata()[TYPE_METADATA], "timestamp");
        let owner = schema.arrow().field_with_name("owner_id").unwrap();
        assert_eq!(owner.metadata()[ATTRIBUTE_METADATA], "owner");
        assert!(schema.arrow().fields().iter().all(|field| field.is_nullable()));
    }

    #[test]
    fn the_revision_is_found_by_what_the_source_calls_it() {
        let schema = things();
        assert_eq!(schema.order().key, ["id"]);
        assert_eq!(schema.order().rev.as_deref(), Some("rev"));
        assert_eq!(schema.order().updated_at.as_deref(), Some("updated_at"));
    }
}
