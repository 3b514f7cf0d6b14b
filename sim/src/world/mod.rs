//! The organisation that is simulated: its records, who belongs to whom, and what happens to them.

pub(crate) mod added;
pub(crate) mod audit;
pub(crate) mod backlog;
mod children;
mod directory;
mod generate;
pub(crate) mod ids;
mod mutate;
pub(crate) mod offspring;
pub(crate) mod order;
mod raw;
pub(crate) mod record;
mod spec;
pub(crate) mod store;

use std::collections::HashMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(crate) use self::directory::{Directory, Named};
pub use self::mutate::{DeleteStamp, Mutation, Op};
pub use self::offspring::Offspring;
pub use self::spec::WorldSpec;

use self::audit::AuditLog;
use self::backlog::Lag;
use self::children::Children;
use self::ids::{IdText, Kind};
use self::store::Store;
use crate::context::Context;
use crate::shelf::{Lore, Shelves};
use crate::timestamp;

/// A merge of two customers, by their ordinals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Merge {
    pub(crate) source: u32,
    pub(crate) target: u32,
    pub(crate) at: i64,
}

impl Merge {
    pub(crate) fn id(&self, number: u32) -> IdText {
        ids::encode(u32::try_from(self.at / timestamp::SECOND).unwrap_or(0), Kind::Merge, number)
    }
}

/// What the primary store says about one record: the yardstick of every test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TruthRow {
    /// The id of the record.
    pub id: String,
    /// The number of stored changes.
    pub rev: u32,
    /// The last change, in milliseconds precision.
    pub updated_at: String,
    /// The creation, in milliseconds precision.
    pub created_at: String,
    /// Whether it is softly deleted.
    pub deleted: bool,
}

/// A simulated organisation.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    customers: Store,
    conversations: Store,
    messages: Store,
    notes: Store,
    users: Store,
    of_customer: Children,
    messages_of: Children,
    notes_of: Children,
    pub(crate) raws: Vec<Bytes>,
    pub(crate) merges: Vec<Merge>,
    /// When handling times were added to conversations that did not change.
    pub(crate) late_times: HashMap<u32, Vec<i64>>,
    pub(crate) audit: AuditLog,
    pub(crate) directory: Directory,
    pub(crate) shelves: Shelves,
}

impl World {
    /// Founds the world of a specification; `now` is its end unless the specification names another.
    pub(crate) fn new(spec: &WorldSpec, now: i64) -> Self {
        let founding = generate::found(spec, now);
        let seed = spec.seed;
        let mut world = Self {
            seed,
            shelves: Shelves::default(),
            directory: Directory::new(seed, spec.span(now).0),
            customers: Store::new(Context::Customer, seed, founding.customers),
            conversations: Store::new(Context::Conversation, seed, founding.conversations),
            messages: Store::new(Context::Message, seed, founding.messages),
            notes: Store::new(Context::Note, seed, founding.notes),
            users: Store::new(Context::User, seed, founding.users),
            of_customer: Children::default(),
            messages_of: Children::default(),
            notes_of: Children::default(),
            raws: Vec::new(),
            merges: founding.merges,
            late_times: HashMap::new(),
            audit: AuditLog::default(),
        };
        for (store, children) in [
            (&world.conversations, &mut world.of_customer),
            (&world.messages, &mut world.messages_of),
            (&world.notes, &mut world.notes_of),
        ] {
            store.existing().for_each(|(ord, record)| children.add(record.parent, ord));
        }
        world.shelves = Shelves::found(spec, Lore::of(&world, spec.span(now)));
        world.found_audit(spec, now);
        world
    }

    pub(crate) const fn store(&self, context: Context) -> &Store {
        match context {
            Context::Customer => &self.customers,
            Context::Conversation => &self.conversations,
            Context::Message => &self.messages,
            Context::Note => &self.notes,
            Context::User => &self.users,
        }
    }

    pub(crate) const fn store_mut(&mut self, context: Context) -> &mut Store {
        match context {
            Context::Customer => &mut self.customers,
            Context::Conversation => &mut self.conversations,
            Context::Message => &mut self.messages,
            Context::Note => &mut self.notes,
            Context::User => &mut self.users,
        }
    }

    fn children_mut(&mut self, child: Context) -> Option<&mut Children> {
        match child {
            Context::Conversation => Some(&mut self.of_customer),
            Context::Message => Some(&mut self.messages_of),
            Context::Note => Some(&mut self.notes_of),
            Context::Customer | Context::User => None,
        }
    }

    fn adopt(&mut self, child: Context, parent: u32, ord: u32) {
        if let Some(children) = self.children_mut(child) {
            children.add(parent, ord);
        }
    }

    fn disown(&mut self, child: Context, parent: u32, ord: u32) {
        if let Some(children) = self.children_mut(child) {
            children.remove(parent, ord);
        }
    }

    /// The conversations that a customer has now.
    pub(crate) fn conversations_of(&self, customer: u32) -> impl Iterator<Item = u32> {
        self.of_customer.of(customer)
    }

    /// The messages or notes of a conversation.
    pub(crate) fn entries_of(&self, conversation: u32, entry: Context) -> impl Iterator<Item = u32> {
        let children = if entry == Context::Note { &self.notes_of } else { &self.messages_of };
        children.of(conversation)
    }

    /// Whether some index lags behind and need not any more.
    pub(crate) fn is_due(&self, now: i64, lag: Lag) -> bool {
        Context::ALL.into_iter().any(|context| self.store(context).is_due(now, lag))
    }

    /// Lets the search index take in what is older than the lag.
    pub(crate) fn index_due(&mut self, now: i64, lag: Lag) {
        for context in Context::ALL {
            self.store_mut(context).index_due(now, lag);
        }
    }

    /// What the primary store holds, in the order of storing; records deleted for good are absent.
    pub(crate) fn truth(&self, context: Context) -> Vec<TruthRow> {
        let store = self.store(context);
        let row = |(ord, record): (u32, &record::Record)| TruthRow {
            id: store.id(ord).to_string(),
            rev: record.rev,
            updated_at: timestamp::text(record.updated),
            created_at: timestamp::text(record.created),
            deleted: !record.is_live(),
        };
        store.existing().map(row).collect()
    }
}
