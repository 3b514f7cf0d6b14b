//! What resources on shelves refer to: the ids of the organisation, its people and its customers.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::rng::{Dice, mix};
use crate::world::{Directory, Named, World};

/// Customers and conversations that are referred to; more would only cost memory.
const KNOWN: usize = 500;

/// Everything that bodies need from outside of themselves.
#[derive(Debug, Default)]
pub(crate) struct Lore {
    pub(super) seed: u64,
    pub(super) org: String,
    pub(super) users: Vec<String>,
    pub(super) customers: Vec<String>,
    pub(super) conversations: Vec<String>,
    pub(super) teams: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) queues: Vec<String>,
    pub(super) companies: Vec<String>,
    /// The klasses that have a shelf, by name.
    pub(super) klasses: BTreeMap<String, KnownKlass>,
    /// The names that the directory gives the first resources of a collection.
    pub(super) names: Names,
    /// When the organisation was founded, and the span of its records.
    pub(super) founded: i64,
    pub(super) start: i64,
    pub(super) end: i64,
}

/// A klass as its KObjects know it.
#[derive(Debug)]
pub(super) struct KnownKlass {
    pub(super) id: String,
    pub(super) ord: u32,
}

/// Names of founding resources.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) brands: Vec<String>,
    pub(super) companies: Vec<String>,
    pub(super) forms: Vec<String>,
    pub(super) klasses: Vec<String>,
    pub(super) queues: Vec<String>,
    pub(super) shortcuts: Vec<String>,
    pub(super) slas: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) teams: Vec<String>,
}

fn ids(list: &[Named]) -> Vec<String> {
    list.iter().map(|item| item.id.to_string()).collect()
}

/// The directory keeps names as JSON string contents.
fn names(list: &[Named]) -> Vec<String> {
    let plain = |item: &Named| serde_json::from_str(&format!("\"{}\"", item.name)).unwrap_or_default();
    list.iter().map(plain).collect()
}

impl Names {
    fn of(directory: &Directory) -> Self {
        Self {
            brands: names(&directory.brands),
            companies: names(&directory.companies),
            forms: names(&directory.forms),
            klasses: names(&directory.klasses),
            queues: names(&directory.queues),
            shortcuts: names(&directory.shortcuts),
            slas: names(&directory.slas),
            tags: names(&directory.tags),
            teams: names(&directory.teams),
        }
    }
}

impl Lore {
    pub(crate) fn of(world: &World, (start, end): (i64, i64)) -> Self {
        let directory = &world.directory;
        let known = |context| {
            let store = world.store(context);
            store.existing().take(KNOWN).map(|(ord, _)| store.id(ord).to_string()).collect()
        };
        Self {
            seed: world.seed,
            org: directory.org.to_string(),
            users: known(Context::User),
            customers: known(Context::Customer),
            conversations: known(Context::Conversation),
            teams: ids(&directory.teams),
            tags: ids(&directory.tags),
            queues: ids(&directory.queues),
            companies: ids(&directory.companies),
            klasses: BTreeMap::new(),
            names: Names::of(directory),
            founded: directory.founded,
            start,
            end,
        }
    }

    /// Choices that a purpose determines.
    pub(super) fn dice(&self, purpose: u64) -> Dice {
        Dice::new(mix(self.seed ^ mix(purpose)))
    }
}
