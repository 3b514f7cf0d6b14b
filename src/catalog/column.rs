//! The columns of a table and where their values come from.

use std::fmt;

use serde::Deserialize;

/// The type of a column; it never changes once a table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// UTF-8 text.
    String,
    /// 64-bit signed integer.
    Integer,
    /// 64-bit floating point number; only finite ones.
    Double,
    /// True or false.
    Boolean,
    /// Instant in UTC with microseconds.
    Timestamp,
    /// List of texts, usually ids.
    Strings,
    /// Any JSON value, kept as its text.
    Json,
}

/// Whether a column says something about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    /// Nothing about a person.
    None,
    /// Identifies or describes a person: name, address, location, health of a relation.
    Personal,
    /// Free text or structure written by people, which may hold anything.
    Content,
}

/// One column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name in the table, in `snake_case`.
    pub name: String,
    /// Where its value comes from.
    pub source: Source,
    /// Its type.
    pub kind: ColumnType,
    /// Whether it says something about a person.
    pub sensitivity: Sensitivity,
    /// One sentence for people; empty where the name says all.
    pub about: String,
}

impl Column {
    /// A column whose name says all, and that tells nothing about a person.
    #[must_use]
    pub fn plain(name: &str, source: Source, kind: ColumnType) -> Self {
        Self { name: name.to_owned(), source, kind, sensitivity: Sensitivity::None, about: String::new() }
    }
}

/// Path of keys below `attributes`: `["firstDone", "createdAt"]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributePath(pub Vec<String>);

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Where a column's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The resource's own `id`.
    Id,
    /// A value below `attributes`.
    Attribute(AttributePath),
    /// A value of `relationships.<name>`.
    Relationship {
        /// Key below `relationships`.
        name: String,
        /// Which value.
        relation: Relation,
    },
    /// A fact about the record that stands outside of it.
    Given(Given),
    /// Made by kustlake.
    System(SystemColumn),
}

/// A fact that a record does not tell of itself, but the way in which it was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// The id of the record that it belongs to.
    ParentId,
    /// Its place among the elements of its record or of its group, from 0.
    Position,
    /// The group of conditions that it stands in: `and` or `or`.
    Group,
    /// The resource that metadata describe: `customer`, `kobject.order`.
    Resource,
    /// The attribute that metadata describe.
    AttributeName,
    /// The resources that the list included for it, as a JSON array.
    Included,
}

impl Given {
    /// The name by which the value is handed over.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ParentId => "parent_id",
            Self::Position => "position",
            Self::Group => "group",
            Self::Resource => "resource",
            Self::AttributeName => "attribute_name",
            Self::Included => "included",
        }
    }
}

/// The column of tables that are read per parent: the record in whose lists a row was found.
pub const PARENT_COLUMN: &str = "_parent_id";

/// What a relationship column keeps of its relationship (API reference, section 5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// The id of the one resource, when it has this JSON:API type.
    One(String),
    /// The ids of all resources, when all have this JSON:API type.
    Many(String),
    /// The `data` as JSON text, where types are mixed.
    Data,
}

/// The columns that every table has in addition (design: system columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemColumn {
    /// `_extracted_at`: when the row's record was read, by the server's clock.
    ExtractedAt,
    /// `_deleted`: the record was deleted at the source.
    Deleted,
    /// `_deleted_at`: when, as far as it is known.
    DeletedAt,
    /// `_extra`: JSON text of everything that no other column holds.
    Extra,
}

impl SystemColumn {
    /// All of them, in table order.
    pub const ALL: [Self; 4] = [Self::ExtractedAt, Self::Deleted, Self::DeletedAt, Self::Extra];

    /// Name in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExtractedAt => "_extracted_at",
            Self::Deleted => "_deleted",
            Self::DeletedAt => "_deleted_at",
            Self::Extra => "_extra",
        }
    }

    /// Its type.
    #[must_use]
    pub const fn kind(self) -> ColumnType {
        match self {
            Self::ExtractedAt | Self::DeletedAt => ColumnType::Timestamp,
            Self::Deleted => ColumnType::Boolean,
            Self::Extra => ColumnType::Json,
        }
    }
}
