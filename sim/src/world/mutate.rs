//! Live change: what people, workflows and importers do to an organisation while somebody reads it.
//!
//! Rule: every stored change raises `rev` by one, and is stamped with the present; a merge is the exception that the
//! extractor has to know about (API reference, section 13).

use serde::{Deserialize, Serialize};

use super::audit::Verb;
use super::record::{Life, ORPHAN, Origin, Record};
use super::{Merge, World};
use crate::context::Context;
use crate::error::SimError;
use crate::rng::{Dice, mix, shuffled_walk};
use crate::timestamp::SECOND;

/// What is done to randomly chosen records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// New records appear, under random parents.
    Create,
    /// Records change.
    Update,
    /// Records vanish: they answer 404.
    DeleteHard,
    /// Records stay with `deleted: true`.
    #[serde(alias = "delete")]
    DeleteSoft,
    /// Softly deleted records vanish, which nothing tells.
    Purge,
    /// Softly deleted records come back.
    Restore,
    /// Customers are merged in pairs; only for the context customer.
    Merge,
}

/// A change of a number of records that a seed chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// The kind of record.
    pub context: Context,
    /// What is done.
    pub op: Op,
    /// To how many records; fewer when there are not so many.
    pub count: u32,
    /// Chooses the records.
    #[serde(default)]
    pub seed: u64,
}

/// Whether a delete moves `updatedAt`: an open question of the API reference (section 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteStamp {
    /// A delete is a change like any other.
    #[default]
    Moves,
    /// A delete leaves `updatedAt` as it was.
    Keeps,
}

impl World {
    /// Applies a mutation at `now`; returns the ids of what changed (of merges: source, target, source, …).
    pub(crate) fn mutate(&mut self, change: Mutation, stamp: DeleteStamp, now: i64) -> Result<Vec<String>, SimError> {
        let ords = match change.op {
            Op::Create => self.create(change, now),
            Op::Merge => return self.merge_some(change, now),
            Op::Update | Op::DeleteHard | Op::DeleteSoft | Op::Purge | Op::Restore => {
                let chosen = self.choose(change, matches!(change.op, Op::Purge | Op::Restore));
                for ord in &chosen {
                    self.apply(change, *ord, stamp, now);
                }
                chosen
            }
        };
        let store = self.store(change.context);
        Ok(ords.into_iter().map(|ord| store.id(ord).to_string()).collect())
    }

    fn choose(&self, change: Mutation, deleted: bool) -> Vec<u32> {
        let store = self.store(change.context);
        shuffled_walk(store.len(), change.seed)
            .filter(|ord| {
                store.primary(*ord).is_some_and(|record| {
                    !record.is_raw() && if deleted { record.deleted_at().is_some() } else { record.is_live() }
                })
            })
            .take(change.count as usize)
            .collect()
    }

    fn apply(&mut self, change: Mutation, ord: u32, stamp: DeleteStamp, now: i64) {
        let store = self.store_mut(change.context);
        let Some(mut record) = store.primary(ord) else {
            return;
        };
        record.rev += 1;
        let deletes = matches!(change.op, Op::DeleteHard | Op::DeleteSoft | Op::Purge);
        if !(deletes && stamp == DeleteStamp::Keeps) {
            record.updated = now;
        }
        record.life = match change.op {
            Op::DeleteHard | Op::Purge => Life::Gone,
            Op::DeleteSoft => Life::Deleted(now),
            Op::Create | Op::Update | Op::Restore | Op::Merge => Life::Live,
        };
        store.put(ord, record, now);
        if change.op == Op::Purge {
            return;
        }
        let verb = if deletes { Verb::Delete } else { Verb::Update };
        self.log(change.context, ord, verb, now);
    }

    /// Changes one record.
    pub(super) fn touch(&mut self, context: Context, ord: u32, now: i64) {
        self.apply(Mutation { context, op: Op::Update, count: 1, seed: 0 }, ord, DeleteStamp::Moves, now);
    }

    fn create(&mut self, change: Mutation, now: i64) -> Vec<u32> {
        let parents = match change.context {
            Context::Conversation => Some(Context::Customer),
            Context::Message | Context::Note => Some(Context::Conversation),
            Context::Customer | Context::User => None,
        };
        let dice = &mut Dice::new(change.seed ^ 0x5eed);
        (0..change.count)
            .map(|_| {
                let parent = parents.and_then(|parents| self.some_live(parents, dice.next())).unwrap_or(ORPHAN);
                let record = Record {
                    created: now,
                    updated: now,
                    life: Life::Live,
                    origin: Origin::Generated,
                    id_second: u32::try_from(now.div_euclid(SECOND)).unwrap_or(0),
                    parent,
                    rev: 1,
                };
                let ord = self.store_mut(change.context).add(record, now);
                self.adopt(change.context, parent, ord);
                self.log(change.context, ord, Verb::Create, now);
                if let Some(parents) = parents {
                    // A record changes with what is added to it (API reference, section 11).
                    self.move_parent(parents, parent, now);
                }
                ord
            })
            .collect()
    }

    fn move_parent(&mut self, context: Context, parent: u32, now: i64) {
        let store = self.store_mut(context);
        if let Some(record) = store.primary(parent) {
            store.put(parent, Record { updated: now, rev: record.rev + 1, ..record }, now);
        }
    }

    fn some_live(&self, context: Context, seed: u64) -> Option<u32> {
        let store = self.store(context);
        shuffled_walk(store.len(), seed).find(|ord| store.primary(*ord).is_some_and(|record| record.is_live()))
    }

    /// Changes one record that a number chooses: what a busy organisation does between two pages.
    pub(crate) fn move_one(&mut self, context: Context, number: u64, now: i64) {
        let change = Mutation { context, op: Op::Update, count: 1, seed: mix(number) };
        for ord in self.choose(change, false) {
            self.apply(change, ord, DeleteStamp::Moves, now);
        }
    }

    /// Gives `count` records one and the same `updatedAt`, as a bulk update does; returns their ids.
    pub(crate) fn tie(&mut self, context: Context, count: u32, at: i64, now: i64) -> Vec<String> {
        let change = Mutation { context, op: Op::Update, count, seed: 0x7e1 };
        let chosen = self.choose(change, false);
        let store = self.store_mut(context);
        for ord in &chosen {
            if let Some(record) = store.primary(*ord) {
                let created = record.created.min(at);
                store.put(*ord, Record { updated: at, created, rev: record.rev + 1, ..record }, now);
            }
        }
        chosen.iter().for_each(|ord| self.log(context, *ord, Verb::Update, now));
        let store = self.store(context);
        chosen.into_iter().map(|ord| store.id(ord).to_string()).collect()
    }

    fn merge_some(&mut self, change: Mutation, now: i64) -> Result<Vec<String>, SimError> {
        if change.context != Context::Customer {
            return Err(SimError::control("only customers can be merged"));
        }
        let chosen = self.choose(Mutation { count: change.count.saturating_mul(2), ..change }, false);
        let mut ids = Vec::new();
        for pair in chosen.chunks_exact(2) {
            if let [source, target] = pair {
                self.merge(*source, *target, now);
                ids.extend([source, target].map(|ord| self.store(Context::Customer).id(*ord).to_string()));
            }
        }
        Ok(ids)
    }

    /// Merges two customers. The conversations of the source change hands without `updatedAt` or `rev` moving.
    pub(crate) fn merge(&mut self, source: u32, target: u32, now: i64) {
        let moved: Vec<u32> = self.conversations_of(source).collect();
        for ord in moved {
            if let Some(record) = self.store(Context::Conversation).primary(ord) {
                self.disown(Context::Conversation, source, ord);
                self.adopt(Context::Conversation, target, ord);
                self.store_mut(Context::Conversation).put(ord, Record { parent: target, ..record }, now);
            }
        }
        let customers = self.store_mut(Context::Customer);
        if let (Some(from), Some(into)) = (customers.primary(source), customers.primary(target)) {
            let gone = Record { life: Life::Deleted(now), updated: now, rev: from.rev + 1, ..from };
            customers.put(source, gone, now);
            let created = into.created.min(from.created);
            customers.put(target, Record { created, updated: now, rev: into.rev + 1, ..into }, now);
        }
        self.merges.push(Merge { source, target, at: now });
        self.log_merge(source, target, now);
    }
}
