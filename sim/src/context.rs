//! The kinds of record that the simulator keeps, by the names the API gives them.

use serde::{Deserialize, Serialize};

/// A kind of record; the first four are also contexts of the search (API reference, section 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// A customer.
    Customer,
    /// A conversation of a customer.
    Conversation,
    /// A message of a conversation.
    Message,
    /// A note on a conversation.
    Note,
    /// A user of the organisation; not searchable.
    User,
}

impl Context {
    /// Every kind of record.
    pub const ALL: [Self; 5] = [Self::Customer, Self::Conversation, Self::Message, Self::Note, Self::User];

    /// The name in the singular: `type` of a resource, `queryContext` of a search.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Conversation => "conversation",
            Self::Message => "message",
            Self::Note => "note",
            Self::User => "user",
        }
    }

    /// The name in the plural, as it stands in paths.
    #[must_use]
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Customer => "customers",
            Self::Conversation => "conversations",
            Self::Message => "messages",
            Self::Note => "notes",
            Self::User => "users",
        }
    }

    /// The kind with this name, singular or plural.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|context| context.name() == name || context.collection() == name)
    }

    /// Whether the search knows the kind.
    #[must_use]
    pub const fn searchable(self) -> bool {
        !matches!(self, Self::User)
    }
}
