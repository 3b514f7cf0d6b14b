//! The ways in which records are reached.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::column::AttributePath;
use super::entity::EntityName;

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
        /// Path of one record, `{id}` standing for its id: what a delete is confirmed by.
        #[serde(default)]
        record: Option<String>,
        /// What tells that a record was deleted.
        #[serde(default)]
        deleted_by: Option<DeletedBy>,
        /// What stands for `{klass}` in that path: the klass of the records, where they have one.
        #[serde(skip)]
        klass: Option<String>,
        /// Search attribute by which equal timestamps can be told apart further: `message_customer_id`.
        #[serde(default)]
        parent: Option<String>,
        /// What moves records to another parent without a change of theirs.
        #[serde(default)]
        moved_by: Option<MovedBy>,
    },
    /// As [`Search`](Self::Search), with one context and one table for each klass (API reference, section 14).
    Klasses {
        /// Before the name of the klass in context and attributes: `kobject_`.
        prefix: String,
        /// Path of one record; `{klass}` and `{id}` stand for its klass and its id.
        #[serde(default)]
        record: Option<String>,
        /// End of the search attribute by which equal timestamps can be told apart further: `customer_id`.
        #[serde(default)]
        parent: Option<String>,
        /// What moves records to another parent without a change of theirs.
        #[serde(default)]
        moved_by: Option<MovedBy>,
    },
    /// By page lists without an updated filter: read whole, as the union of all lists.
    Lists {
        /// The lists, whose filters cannot be combined.
        lists: Vec<ListSource>,
        /// Largest page that the lists give.
        page_size: u32,
        /// What `included` brings along for each record; it is given to the record as [`Given::Included`](super::Given).
        #[serde(default)]
        included: Option<Included>,
        /// How to go on when the list does not exist.
        #[serde(default)]
        otherwise: Option<ById>,
    },
    /// By a log of immutable entries, newest first, that is cut by time (API reference, section 15).
    Log {
        /// Path of the log: `/v1/audit-logs`.
        path: String,
        /// Largest page that it gives.
        page_size: u32,
    },
    /// By lists below each record of another entity, for the records that changed.
    PerParent {
        /// The other entity.
        parent: EntityName,
        /// Whose table tells which records changed, where it is not that of the parent.
        #[serde(default)]
        told_by: Option<ToldBy>,
        /// The lists; `{id}` in a path stands for the parent's id.
        lists: Vec<ListSource>,
        /// Largest page that the lists give.
        page_size: u32,
        /// What it means that a record is no longer in the lists of its parent.
        absent: Absent,
    },
    /// As elements of the records of another entity: all rows of a record that changed are replaced together.
    Elements {
        /// The other entity.
        parent: EntityName,
        /// Where the elements stand.
        of: ElementsOf,
        /// What an element is.
        shape: ElementShape,
        /// The column of the parent that is given to its elements as [`Given::ParentId`](super::Given); by default its key.
        #[serde(default)]
        parent_key: Option<String>,
    },
    /// By the descriptions of custom attributes, one request a resource (API reference, section 14): a row an attribute.
    Metadata {
        /// Path; `{resource}` stands for the resource.
        path: String,
    },
}

impl Access {
    /// A search of which nothing more is known.
    #[must_use]
    pub const fn search(context: String, history: History) -> Self {
        Self::Search { context, history, record: None, deleted_by: None, klass: None, parent: None, moved_by: None }
    }

    /// Whether the search API is asked, for which a role of its own is needed.
    #[must_use]
    pub const fn searches(&self) -> bool {
        matches!(self, Self::Search { .. } | Self::Klasses { .. })
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::Search { .. } => "search",
            Self::Klasses { .. } => "search per klass",
            Self::Lists { .. } => "lists",
            Self::Log { .. } => "log",
            Self::PerParent { .. } => "lists per parent",
            Self::Elements { .. } => "with its parent",
            Self::Metadata { .. } => "metadata",
        }
    }

    /// The entity whose records these belong to.
    #[must_use]
    pub const fn parent(&self) -> Option<&EntityName> {
        match self {
            Self::PerParent { parent, .. } | Self::Elements { parent, .. } => Some(parent),
            Self::Search { .. }
            | Self::Klasses { .. }
            | Self::Lists { .. }
            | Self::Log { .. }
            | Self::Metadata { .. } => None,
        }
    }

    /// The entity that must be loaded for this one to be: whose records hold these, or whose table tells where to read.
    #[must_use]
    pub const fn needed(&self) -> Option<&EntityName> {
        match self {
            Self::PerParent { told_by: Some(told_by), .. } => Some(&told_by.entity),
            _ => self.parent(),
        }
    }

    /// What moves records to another parent without a change of theirs.
    #[must_use]
    pub const fn moved_by(&self) -> Option<&MovedBy> {
        match self {
            Self::Search { moved_by, .. } | Self::Klasses { moved_by, .. } => moved_by.as_ref(),
            Self::Lists { .. }
            | Self::Log { .. }
            | Self::PerParent { .. }
            | Self::Elements { .. }
            | Self::Metadata { .. } => None,
        }
    }

    /// What tells that a record was deleted.
    #[must_use]
    pub const fn deleted_by(&self) -> Option<&DeletedBy> {
        match self {
            Self::Search { deleted_by, .. } => deleted_by.as_ref(),
            Self::Klasses { .. }
            | Self::Lists { .. }
            | Self::Log { .. }
            | Self::PerParent { .. }
            | Self::Elements { .. }
            | Self::Metadata { .. } => None,
        }
    }

    /// The path of one record, where a delete can be confirmed by reading it.
    #[must_use]
    pub fn record(&self) -> Option<&str> {
        match self {
            Self::Search { record, .. } | Self::Klasses { record, .. } => record.as_deref(),
            Self::Lists { .. }
            | Self::Log { .. }
            | Self::PerParent { .. }
            | Self::Elements { .. }
            | Self::Metadata { .. } => None,
        }
    }

    /// Whether every read is whole, so that there is no window to cut.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self, Self::Lists { .. } | Self::Metadata { .. })
    }
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListSource {
    /// Path of the list: `/v1/users`.
    pub path: String,
    /// Fixed query parameters: `deleted=true`.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Attributes that a record of this list has although it does not say so: `timerVersion: v1`.
    #[serde(default)]
    pub implies: BTreeMap<String, String>,
}

/// What the `included` resources of a list are to its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Included {
    /// Parts of the record to which they are related, in either direction.
    Related,
}

/// Reading records one by one, where the list of all is not there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ById {
    /// Path of one record: `/v1/slas/{id}`.
    pub path: String,
    /// Fixed query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// The entity whose table names the ids.
    pub entity: EntityName,
    /// The column that holds them.
    pub column: String,
}

/// An entity whose changes tell that there is something new below the records of another one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldBy {
    /// The entity.
    pub entity: EntityName,
    /// Its column with the id of the other record.
    pub column: String,
}

/// An entity whose new records tell that others have another parent, although nothing about these has changed: a merge
/// of customers moves the conversations of one to the other (API reference, section 13).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedBy {
    /// The entity.
    pub entity: EntityName,
    /// Its column with the id of the new parent.
    pub column: String,
    /// The search attribute by which the records of a parent are found.
    pub attribute: String,
    /// A list of the records of a parent (`{id}` in its path), where search does not show those of long ago.
    #[serde(default)]
    pub list: Option<String>,
}

/// An entity whose records tell that others were deleted (API reference, section 12).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletedBy {
    /// The entity.
    pub entity: EntityName,
    /// Its column with the id of what was deleted.
    pub column: String,
    /// What its columns hold when they tell that.
    pub when: BTreeMap<String, String>,
}

/// What it means that a record is no longer in the lists of its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// Nothing: records stay.
    Kept,
    /// It was deleted.
    Deleted,
}

/// Where the elements of a record stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElementsOf {
    /// In the array of this attribute; a single object counts as an array of one.
    #[serde(deserialize_with = "super::file::path")]
    Attribute(AttributePath),
    /// In the `data` of this relationship.
    Relationship(String),
    /// Among the resources that the list included for the record.
    Included,
}

/// What an element is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElementShape {
    /// An object of attributes. A bare value is taken for an object with only this attribute.
    Attributes {
        /// The attribute that a bare value stands for.
        bare: String,
    },
    /// A resource, or the `{type, id}` of one.
    Resource,
    /// A set of conditions `{and: […], or: […]}` whose elements are `{<field>: {operator, value}}`; each becomes the
    /// attributes `field`, `operator` and `value`.
    Criteria,
}
