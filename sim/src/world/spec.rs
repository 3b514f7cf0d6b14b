//! How large and how old a world is.

use serde::{Deserialize, Serialize};

use crate::timestamp::DAY;

/// The size, the age and the seed of a world; the same specification gives the same world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldSpec {
    /// Determines every choice.
    pub seed: u64,
    /// Number of customers.
    pub customers: u32,
    /// Number of companies.
    pub companies: u32,
    /// Number of KObjects of each klass that has any.
    pub kobjects: u32,
    /// Number of conversations.
    pub conversations: u32,
    /// Number of messages.
    pub messages: u32,
    /// Number of notes.
    pub notes: u32,
    /// Number of users.
    pub users: u32,
    /// Number of founding entries of the audit log, over the last twelve months; more only when there were more
    /// merges.
    pub audit_logs: u32,
    /// The first creation, in milliseconds since the epoch; default: three years before `end`.
    pub start: Option<i64>,
    /// Nothing was created or updated at or after this; default: the start of the simulator's clock.
    pub end: Option<i64>,
}

impl Default for WorldSpec {
    fn default() -> Self {
        Self {
            seed: 1,
            customers: 200,
            companies: 60,
            kobjects: 40,
            conversations: 500,
            messages: 2_000,
            notes: 300,
            users: 20,
            audit_logs: 400,
            start: None,
            end: None,
        }
    }
}

impl WorldSpec {
    /// A world with this many messages and everything else in proportion.
    #[must_use]
    pub fn of_messages(messages: u32) -> Self {
        Self {
            customers: (messages / 10).max(1),
            conversations: (messages / 4).max(1),
            messages,
            notes: messages / 8,
            ..Self::default()
        }
    }

    /// A world without any customer, conversation, message, note, company, KObject or audit log; users and settings
    /// there are.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            customers: 0,
            conversations: 0,
            messages: 0,
            notes: 0,
            companies: 0,
            kobjects: 0,
            audit_logs: 0,
            ..Self::default()
        }
    }

    pub(crate) fn span(&self, now: i64) -> (i64, i64) {
        let end = self.end.unwrap_or(now);
        (self.start.unwrap_or(end - 3 * 365 * DAY).min(end - 1), end)
    }
}
