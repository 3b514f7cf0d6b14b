//! The founding of a world: parents before children, times that fit together.
//!
//! Rule: a child is never older than its parent (imported records excepted), `updated >= created`, and no time
//! lies outside the span.

use std::collections::HashMap;

use super::Merge;
use super::record::{Life, ORPHAN, Origin, Record, salt};
use super::spec::WorldSpec;
use crate::context::Context;
use crate::rng::Dice;
use crate::timestamp::{DAY, HOUR, MINUTE, SECOND};

/// The founding records of every kind.
#[derive(Debug, Default)]
pub(crate) struct Founding {
    pub(crate) customers: Vec<Record>,
    pub(crate) conversations: Vec<Record>,
    pub(crate) messages: Vec<Record>,
    pub(crate) notes: Vec<Record>,
    pub(crate) users: Vec<Record>,
    pub(crate) merges: Vec<Merge>,
}

struct Founder {
    seed: u64,
    start: i64,
    end: i64,
}

pub(crate) fn found(spec: &WorldSpec, now: i64) -> Founding {
    let (start, end) = spec.span(now);
    let founder = Founder { seed: spec.seed, start, end };
    let customers = founder.customers(spec.customers);
    let conversations = founder.conversations(spec.conversations, &customers);
    let messages = founder.children(Context::Message, spec.messages, &conversations);
    let notes = founder.children(Context::Note, spec.notes, &conversations);
    let users = founder.users(spec.users);
    let mut founding = Founding { customers, conversations, messages, notes, users, merges: Vec::new() };
    founding.merge_customers();
    founding.touch_parents();
    founding
}

impl Founding {
    /// Every other deleted customer went by being merged into the live one before it, with all conversations.
    fn merge_customers(&mut self) {
        let mut into = HashMap::new();
        let mut last_live = None;
        for ord in 0..u32::try_from(self.customers.len()).unwrap_or(0) {
            let Some(source) = self.customers.get(ord as usize).copied() else {
                continue;
            };
            match (source.life, last_live) {
                (Life::Live, _) => last_live = Some(ord),
                (Life::Deleted(at), Some(target)) if ord % 2 == 1 => {
                    self.merges.push(Merge { source: ord, target, at });
                    into.insert(ord, target);
                    if let Some(target) = self.customers.get_mut(target as usize) {
                        target.created = target.created.min(source.created);
                        target.touch(at);
                    }
                }
                (Life::Deleted(_) | Life::Gone, _) => {}
            }
        }
        self.merges.sort_by_key(|merge| merge.at);
        for conversation in &mut self.conversations {
            conversation.parent = into.get(&conversation.parent).copied().unwrap_or(conversation.parent);
        }
    }

    /// A child that came later has moved its parents' `updated` (API reference, section 11).
    fn touch_parents(&mut self) {
        for child in self.messages.iter().chain(&self.notes) {
            if let Some(parent) = self.conversations.get_mut(child.parent as usize) {
                parent.touch(child.created);
            }
        }
        for child in &self.conversations {
            if let Some(parent) = self.customers.get_mut(child.parent as usize) {
                parent.touch(child.updated);
            }
        }
    }
}

impl Record {
    fn touch(&mut self, at: i64) {
        if at > self.updated && self.is_live() {
            self.updated = at;
            self.rev += 1;
        }
    }
}

impl Founder {
    /// The place of number `ord` of `count` in the span, with some jitter, so that ordinals grow with time.
    fn moment(&self, ord: u32, count: u32, dice: &mut Dice) -> i64 {
        let span = self.end - self.start;
        let step = span / i64::from(count.max(1));
        let base = self.start + span / i64::from(count.max(1)) * i64::from(ord);
        (base + dice.millis(step.max(1))).clamp(self.start, self.end - 1)
    }

    /// An instant within a time after another one, but before the end: nothing may pile up there.
    fn later(&self, after: i64, within: i64, dice: &mut Dice) -> i64 {
        after + dice.millis(within.min(self.end - after).max(1))
    }

    fn record(&self, stored: i64, parent: u32, dice: &mut Dice) -> Record {
        let settled = stored.max(self.start);
        let updated = match dice.below(100) {
            0..30 => settled,
            30..75 => self.later(settled, 2 * HOUR, dice),
            75..95 => self.later(settled, 20 * DAY, dice),
            _ => self.later(settled, i64::MAX, dice),
        };
        let imported = dice.chance(2);
        let created = if imported { stored - DAY - dice.millis(4 * 365 * DAY) } else { stored };
        let updated = updated.clamp(stored, (self.end - 1).max(stored));
        let life = if dice.chance(2) { Life::Deleted(updated) } else { Life::Live };
        Record {
            created,
            updated,
            life,
            origin: if imported { Origin::Imported } else { Origin::Generated },
            id_second: u32::try_from(stored.div_euclid(SECOND)).unwrap_or(0),
            parent,
            rev: if updated == stored { 1 } else { 2 + u32::try_from(dice.below(12)).unwrap_or(0) },
        }
    }

    fn dice(&self, context: Context, ord: u32) -> Dice {
        Dice::new(salt(self.seed, context, ord) ^ 0xf0_0d)
    }

    fn customers(&self, count: u32) -> Vec<Record> {
        let one = |ord| {
            let dice = &mut self.dice(Context::Customer, ord);
            let stored = self.moment(ord, count, dice);
            self.record(stored, ORPHAN, dice)
        };
        (0..count).map(one).collect()
    }

    fn conversations(&self, count: u32, customers: &[Record]) -> Vec<Record> {
        let one = |ord| {
            let dice = &mut self.dice(Context::Conversation, ord);
            let stored = self.moment(ord, count, dice);
            let known = customers.len() as u64 * u64::from(ord) / u64::from(count.max(1));
            let parent = u32::try_from(dice.below(known.max(1))).unwrap_or(0);
            let parent = if customers.is_empty() { ORPHAN } else { parent };
            let earliest = customers.get(parent as usize).map_or(stored, stored_at);
            self.record(stored.max(earliest), parent, dice)
        };
        (0..count).map(one).collect()
    }

    fn children(&self, context: Context, count: u32, conversations: &[Record]) -> Vec<Record> {
        let one = |ord| {
            let dice = &mut self.dice(context, ord);
            let base = conversations.len() as u64 * u64::from(ord) / u64::from(count.max(1));
            let last = (conversations.len() as u64).saturating_sub(1);
            let parent = (base + dice.below(12)).saturating_sub(6).min(last);
            let parent = u32::try_from(parent).unwrap_or(0);
            let earliest = conversations.get(parent as usize).map_or(self.start, stored_at);
            let within = match dice.below(3) {
                0 => 10 * SECOND,
                1 => 90 * MINUTE,
                _ => 4 * DAY,
            };
            let stored = self.later(earliest, within, dice);
            self.record(stored, if conversations.is_empty() { ORPHAN } else { parent }, dice)
        };
        (0..count).map(one).collect()
    }

    fn users(&self, count: u32) -> Vec<Record> {
        let one = |ord| {
            let dice = &mut self.dice(Context::User, ord);
            let stored = self.start - dice.millis(700 * DAY);
            let mut record = self.record(stored, ORPHAN, dice);
            record.created = stored;
            record.origin = Origin::Generated;
            // The first users are there for everything that needs one; the fifth shows what deactivated looks like.
            record.life = match ord {
                0..=3 => Life::Live,
                4 => Life::Deleted(record.updated),
                _ if dice.chance(8) => Life::Deleted(record.updated),
                _ => Life::Live,
            };
            record
        };
        (0..count.max(5)).map(one).collect()
    }
}

/// When a record was stored, whatever an import says about its creation.
fn stored_at(record: &Record) -> i64 {
    record.imported_at().unwrap_or(record.created)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_793_491_200_000;

    #[test]
    fn times_fit_together() {
        let spec = WorldSpec { messages: 5_000, ..WorldSpec::default() };
        let world = found(&spec, NOW);
        for record in world.customers.iter().chain(&world.conversations).chain(&world.messages) {
            assert!(record.updated >= record.created);
            assert!(record.updated < NOW);
        }
        for message in &world.messages {
            let parent = &world.conversations[message.parent as usize];
            assert!(parent.updated >= message.created || !parent.is_live());
        }
        let old = world.messages.iter().filter(|record| record.updated < NOW - 730 * DAY).count();
        assert!(old > 500 && old < 2_500, "{old}");
    }

    #[test]
    fn merged_customers_have_no_conversations_left() {
        let world = found(&WorldSpec { customers: 2_000, ..WorldSpec::default() }, NOW);
        assert!(world.merges.len() > 5 && world.merges.is_sorted_by_key(|merge| merge.at));
        for merge in &world.merges {
            let target = &world.customers[merge.target as usize];
            assert!(target.is_live() && target.updated >= merge.at);
            assert!(!world.conversations.iter().any(|conversation| conversation.parent == merge.source));
        }
    }

    #[test]
    fn the_seed_decides() {
        let spec = WorldSpec::default();
        assert_eq!(found(&spec, NOW).messages, found(&spec, NOW).messages);
        let other = WorldSpec { seed: 2, ..spec.clone() };
        assert_ne!(found(&spec, NOW).messages, found(&other, NOW).messages);
    }
}
