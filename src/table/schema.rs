//! The Arrow schema of an entity's table.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};

use super::order::RowOrder;
use crate::catalog::{Access, Column, ColumnType, Entity, EntityName, Source};

/// Key of the field metadata that tells the attribute's dotted path, or the relationship's name.
pub const ATTRIBUTE_METADATA: &str = "kustlake.attribute";

/// Key of the field metadata that tells the [`ColumnType`], which the Arrow type alone does not (text or JSON text).
pub const TYPE_METADATA: &str = "kustlake.type";

/// The columns of a table: what the catalogue says of them, and their Arrow schema. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct TableSchema(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    entity: EntityName,
    resource_type: String,
    columns: Vec<Column>,
    arrow: SchemaRef,
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

impl TableSchema {
    /// The schema of the table of `entity`.
    #[must_use]
    pub fn new(entity: &Entity) -> Self {
        let fields: Vec<_> = entity.columns.iter().map(field).collect();
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
        Self(Arc::new(Parts {
            entity: entity.name.clone(),
            resource_type: entity.resource_type.clone(),
            columns: entity.columns.clone(),
            arrow: Arc::new(Schema::new(fields)),
            order,
            row_kind,
        }))
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

    /// What identifies a row, and which of two copies of it is the newer one.
    #[must_use]
    pub fn order(&self) -> &RowOrder {
        &self.0.order
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

fn column_of(entity: &Entity, attribute: &str, kind: ColumnType) -> Option<String> {
    let column = entity.columns.iter().find(|column| match &column.source {
        Source::Attribute(path) => column.kind == kind && path.0 == [attribute],
        Source::Id | Source::Relationship { .. } | Source::Given(_) | Source::System(_) => false,
    })?;
    Some(column.name.clone())
}

fn field(column: &Column) -> Field {
    let mut metadata = HashMap::from([(TYPE_METADATA.to_owned(), type_name(column.kind).to_owned())]);
    let attribute = match &column.source {
        Source::Id => Some("id".to_owned()),
        Source::Attribute(path) => Some(path.to_string()),
        Source::Relationship { name, .. } => Some(name.clone()),
        Source::Given(_) | Source::System(_) => None,
    };
    metadata.extend(attribute.map(|attribute| (ATTRIBUTE_METADATA.to_owned(), attribute)));
    Field::new(&column.name, data_type(column.kind), true).with_metadata(metadata)
}

/// The Arrow type of a column.
pub(super) fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::String | ColumnType::Json => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Double => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::Strings => DataType::List(element()),
    }
}

/// The field inside a list: Parquet and Delta call it `element`.
pub(super) fn element() -> FieldRef {
    Arc::new(Field::new("element", DataType::Utf8, true))
}

const fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::String => "string",
        ColumnType::Integer => "integer",
        ColumnType::Double => "double",
        ColumnType::Boolean => "boolean",
        ColumnType::Timestamp => "timestamp",
        ColumnType::Strings => "strings",
        ColumnType::Json => "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
