//! The organisation's own attributes, below `attributes.custom`, and the columns that they get.
//!
//! The rule: once a table has a column for an attribute, the column's name and type are what the table
//! says, for ever and in whatever order attributes come to light; and no two columns of a table differ
//! in case alone. The field's metadata tell the attribute: `custom.` and then its name, which may hold
//! dots and anything else.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{Field, Schema};
use aws_lc_rs::digest;
use serde_json::Value;

use super::field::{ATTRIBUTE_METADATA, TREATMENT_METADATA, TYPE_METADATA, hex, type_of};
use super::schema::TableSchema;
use crate::catalog::{AttributePath, Column, ColumnType, Sensitivity, Source};

/// The attribute below which an organisation's own attributes live (API reference, section 14).
pub(super) const CUSTOM: &str = "custom";
/// What the names of their columns begin with.
const PREFIX: &str = "custom_";

/// The column of one attribute, as its name and its metadata suggest; [`custom_columns`] makes it fit a table.
///
/// `property` is its entry of `attributes.properties` in the metadata of its resource. The end of the name is the
/// type; where it tells nothing, the metadata do (API reference, section 14).
#[must_use]
pub fn custom_column(name: &str, property: Option<&Value>) -> Column {
    let flag = |key: &str| property.and_then(|property| property.get(key)).and_then(Value::as_bool).unwrap_or_default();
    let scalar = by_suffix(name).or_else(|| by_metadata(property?.get("type")?.as_str()?));
    let kind = match (scalar, flag("array") || flag("multi")) {
        (Some(ColumnType::String), true) => ColumnType::Strings,
        (Some(scalar), false) => scalar,
        (Some(_) | None, _) => ColumnType::Json,
    };
    let sensitivity = if flag("hasSensitiveAttributes") { Sensitivity::Personal } else { Sensitivity::Content };
    Column { sensitivity, ..Column::plain(&plain_name(name), source(name), kind) }
}

/// The columns to add to `schema` for the attributes of `wanted` and for all that the table itself, `stored`, has
/// columns for; none for those that `schema` has already.
///
/// A name that is taken, whatever its case, gets an ending that depends on the attribute's name alone. When another
/// writer added columns to the table in the meantime, begin again with the schema of the entity.
#[must_use]
pub fn custom_columns(schema: &TableSchema, stored: Option<&Schema>, wanted: Vec<Column>) -> Vec<Column> {
    let mut wanted: BTreeMap<String, Column> = wanted
        .into_iter()
        .filter_map(|column| Some((custom_attribute(&column.source)?.to_owned(), column)))
        .filter(|(_, column)| !schema.has(&column.source))
        .collect();
    let mut taken: BTreeSet<String> =
        schema.columns().iter().chain(schema.excluded()).map(|column| column.name.to_ascii_lowercase()).collect();
    let mut added = Vec::new();
    for field in stored.map(Schema::fields).into_iter().flatten() {
        let is_new = taken.insert(field.name().to_ascii_lowercase());
        if let Some(column) = stored_column(field).filter(|column| is_new && !schema.has(&column.source)) {
            let wanted = custom_attribute(&column.source).and_then(|attribute| wanted.remove(attribute));
            let sensitivity = match wanted {
                Some(wanted) if column.sensitivity != Sensitivity::Personal => wanted.sensitivity,
                _ => column.sensitivity,
            };
            added.push(Column { sensitivity, ..column });
        }
    }
    for (attribute, column) in wanted {
        let name = free_name(&attribute, &taken);
        taken.insert(name.to_ascii_lowercase());
        added.push(Column { name, ..column });
    }
    added
}

/// The name of the attribute that a custom column holds; none for any other column.
pub(super) fn custom_attribute(source: &Source) -> Option<&str> {
    match source {
        Source::Attribute(AttributePath(path)) => match path.as_slice() {
            [above, name] if above == CUSTOM => Some(name),
            _ => None,
        },
        Source::Id | Source::Relationship { .. } | Source::Given(_) | Source::System(_) => None,
    }
}

fn source(attribute: &str) -> Source {
    Source::Attribute(AttributePath(vec![CUSTOM.to_owned(), attribute.to_owned()]))
}

/// The column of a field that an earlier run made for a custom attribute.
fn stored_column(field: &Field) -> Option<Column> {
    let attribute = field.metadata().get(ATTRIBUTE_METADATA)?.strip_prefix(CUSTOM)?.strip_prefix('.')?;
    let kind = type_of(field.metadata().get(TYPE_METADATA)?)?;
    // A table does not tell how sensitive a column is. What is hashed there must not become readable when the metadata
    // of the attribute are not to be had.
    let is_treated = field.metadata().contains_key(TREATMENT_METADATA);
    let sensitivity = if is_treated { Sensitivity::Personal } else { Sensitivity::Content };
    Some(Column { sensitivity, ..Column::plain(field.name(), source(attribute), kind) })
}

fn by_suffix(name: &str) -> Option<ColumnType> {
    const SUFFIXES: [(&str, ColumnType); 8] = [
        ("Str", ColumnType::String),
        ("Txt", ColumnType::String),
        ("Url", ColumnType::String),
        ("Id", ColumnType::String),
        ("Tree", ColumnType::String),
        ("Num", ColumnType::Double),
        ("At", ColumnType::Timestamp),
        ("Bool", ColumnType::Boolean),
    ];
    SUFFIXES.iter().find(|(suffix, _)| name.ends_with(suffix)).map(|(_, kind)| *kind)
}

fn by_metadata(kind: &str) -> Option<ColumnType> {
    match kind.to_ascii_lowercase().as_str() {
        "string" | "text" | "url" | "tree" => Some(ColumnType::String),
        "number" | "double" | "float" => Some(ColumnType::Double),
        "integer" => Some(ColumnType::Integer),
        "date" | "datetime" | "date-time" | "timestamp" => Some(ColumnType::Timestamp),
        "boolean" | "bool" => Some(ColumnType::Boolean),
        _ => None,
    }
}

/// The attribute's name as a column name, as far as it can be one.
fn plain_name(attribute: &str) -> String {
    plain(PREFIX, attribute)
}

fn plain(prefix: &str, name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    format!("{prefix}{}", name.chars().map(letter).collect::<String>())
}

/// The first of the attribute's [`custom_names`] that no column has.
fn free_name(attribute: &str, taken: &BTreeSet<String>) -> String {
    let free = custom_names(attribute).find(|name| !taken.contains(&name.to_ascii_lowercase()));
    // All of them are taken only where columns were named so on purpose; then the table refuses the name.
    free.unwrap_or_else(|| plain_name(attribute))
}

/// The names that the column of an attribute may get, the plain one first.
pub(super) fn custom_names(attribute: &str) -> impl Iterator<Item = String> + use<> {
    name_candidates(PREFIX, attribute)
}

/// The names that a column or table may get for something that the organisation has named, the plain one first; the
/// others end with digits of a hash of that name, so that each is the same at all times.
pub fn name_candidates(prefix: &str, name: &str) -> impl Iterator<Item = String> + use<> {
    const DIGITS: usize = 8;
    let plain = plain(prefix, name);
    let hash = hex(digest::digest(&digest::SHA256, name.as_bytes()).as_ref());
    let lengths = (DIGITS..=hash.len()).step_by(DIGITS);
    let endings: Vec<String> = lengths.filter_map(|length| hash.get(..length).map(str::to_owned)).collect();
    std::iter::once(plain.clone()).chain(endings.into_iter().map(move |ending| format!("{plain}_{ending}")))
}

#[cfg(test)]
#[path = "tests/custom.rs"]
mod tests;
