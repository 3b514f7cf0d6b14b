//! Columns as Arrow fields.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};

use super::treatment::Treatment;
use crate::catalog::{Column, ColumnType, Source};

/// Key of the field metadata that tells the attribute's dotted path, or the relationship's name.
pub const ATTRIBUTE_METADATA: &str = "kustlake.attribute";

/// Key of the field metadata that tells the [`ColumnType`], which the Arrow type alone does not (text or JSON text).
pub const TYPE_METADATA: &str = "kustlake.type";

/// Key of the field metadata that tells what became of the values, unless they stand there as they are: `hash`.
pub const TREATMENT_METADATA: &str = "kustlake.treatment";

/// Key of the field metadata of a resource's own id that tells the JSON:API type of the resource: of what the table is.
pub const RESOURCE_METADATA: &str = "kustlake.resource";

/// Every type and the name that [`TYPE_METADATA`] tells.
const TYPE_NAMES: [(ColumnType, &str); 7] = [
    (ColumnType::String, "string"),
    (ColumnType::Integer, "integer"),
    (ColumnType::Double, "double"),
    (ColumnType::Boolean, "boolean"),
    (ColumnType::Timestamp, "timestamp"),
    (ColumnType::Strings, "strings"),
    (ColumnType::Json, "json"),
];

/// The Arrow field of a column of a table of such resources.
pub(super) fn field(column: &Column, treatment: Treatment, resource_type: &str) -> Field {
    let mut metadata = HashMap::from([(TYPE_METADATA.to_owned(), type_name(column.kind).to_owned())]);
    let attribute = match &column.source {
        Source::Id => Some("id".to_owned()),
        Source::Attribute(path) => Some(path.to_string()),
        Source::Relationship { name, .. } => Some(name.clone()),
        Source::Given(_) | Source::System(_) => None,
    };
    metadata.extend(attribute.map(|attribute| (ATTRIBUTE_METADATA.to_owned(), attribute)));
    if column.source == Source::Id {
        metadata.insert(RESOURCE_METADATA.to_owned(), resource_type.to_owned());
    }
    if treatment == Treatment::Hash {
        metadata.insert(TREATMENT_METADATA.to_owned(), "hash".to_owned());
    }
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

/// The type of that name; none for a name that this version does not know.
pub(super) fn type_of(name: &str) -> Option<ColumnType> {
    TYPE_NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
}

fn type_name(kind: ColumnType) -> &'static str {
    TYPE_NAMES.iter().find(|(known, _)| *known == kind).map_or("", |(_, name)| name)
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}
