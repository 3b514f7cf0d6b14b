//! The vocabulary of the catalogue.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of an entity, which is also the name of its table: `conversations`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub struct EntityName(String);

impl EntityName {
    /// Wraps a name that the catalogue or a stored state uses.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for EntityName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// How a table takes up what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Immutable records, each exactly once.
    Append,
    /// One row per primary key; the newest revision wins.
    Update,
    /// The complete new snapshot, or the old one.
    Replace,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Append => "append",
            Self::Update => "update",
            Self::Replace => "replace",
        })
    }
}

/// A kind of Kustomer object and its table.
#[derive(Debug, Clone)]
pub struct Entity {
    /// Name of the entity and of its table.
    pub name: EntityName,
    /// JSON:API `type` of its resources.
    pub resource_type: String,
    /// One sentence for people.
    pub about: String,
    /// The modes that it can have; the first is the usual one.
    pub modes: Vec<Mode>,
    /// Names of the primary key columns.
    pub key: Vec<String>,
    /// How its records are reached.
    pub access: Access,
    /// Roles of which an API key needs any one to read it (API reference, section 4); empty when none is known.
    pub roles: Vec<String>,
    /// All columns in table order: `id`, attributes, relationships, system columns.
    pub columns: Vec<Column>,
    /// Where the facts come from.
    pub sources: Vec<String>,
}

impl Entity {
    /// The mode that the entity has unless the configuration says otherwise.
    #[must_use]
    pub fn default_mode(&self) -> Mode {
        self.modes.first().copied().unwrap_or(Mode::Update)
    }

    /// The roles that an API key needs, in words (API reference, section 4).
    #[must_use]
    pub fn needed_roles(&self) -> String {
        let own = match self.roles.as_slice() {
            [] => "a role to read it".to_owned(),
            roles => format!("one of {}", roles.join(", ")),
        };
        match self.access {
            Access::Search { .. } => format!("{own}, and org.permission.search.create"),
            Access::Lists { .. } => own,
        }
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// How the records of an entity are reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Access {
    /// By the search API, in windows of `updated_at` (API reference, section 9).
    Search {
        /// `queryContext` of the search, also the prefix of its attributes: `conversation`.
        context: String,
        /// Where records are that were not updated for two years.
        history: History,
        /// Search attribute by which equal timestamps can be told apart further: `message_customer_id`.
        #[serde(default)]
        parent: Option<String>,
    },
    /// By page lists without an updated filter: read whole, as the union of all lists.
    Lists {
        /// The lists, whose filters cannot be combined.
        lists: Vec<ListSource>,
        /// Largest page that the lists give.
        page_size: u32,
    },
}

/// Where the records are that search no longer covers: those untouched for two years (API reference, section 1, fact 2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum History {
    /// In the archive search, under the same context.
    Archive,
    /// Only in a page list.
    List {
        /// Path of the list.
        path: String,
        /// Largest page that the list gives.
        page_size: u32,
    },
}

/// One page list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListSource {
    /// Path of the list: `/v1/users`.
    pub path: String,
    /// Fixed query parameters: `deleted=true`.
    #[serde(default)]
    pub query: std::collections::BTreeMap<String, String>,
}

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

/// Path of keys below `attributes`: `["firstDone", "createdAt"]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// Made by kustlake.
    System(SystemColumn),
}

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
