//! The vocabulary of the catalogue.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::column::Column;

/// A role that permits to search (API reference, section 4).
pub(super) const SEARCH_ROLE: &str = "org.permission.search.create";

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
    /// Names of the primary key columns; the rows are sorted by them.
    pub key: Vec<String>,
    /// The column by which it is read from where the last run ended, if there is one.
    pub cursor: Option<String>,
    /// How a delete at the source shows, in words.
    pub deletes: String,
    /// Where the organisation's own attributes of its records are described (`GET /v1/metadata/{resource}`).
    pub custom: Option<String>,
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
            [role] => role.clone(),
            roles => format!("one of {}", roles.join(", ")),
        };
        if self.access.searches() { format!("{SEARCH_ROLE}, and {own}") } else { own }
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
