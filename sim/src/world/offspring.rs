//! What is read per parent: which kinds there are, and the course of a parent that they follow from.
//!
//! Rule: the steps of a course never change once they are taken, so what happened at one never changes either;
//! a change of the parent adds a step.

use serde::{Deserialize, Serialize};

use super::World;
use super::record::Record;
use super::store::{Past, Store};
use crate::context::Context;
use crate::rng::{mix, shuffled_walk};
use crate::switches::TimeStamp;

/// A kind of resource that is listed per parent only (API reference, sections 13, 16 and 17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offspring {
    /// The events of a conversation.
    Events,
    /// The forwards of a conversation.
    Forwards,
    /// The handling times of a conversation, in seconds.
    TimesV1,
    /// The handling times of a conversation by the second timer, in milliseconds.
    TimesV2,
    /// The attachments of a conversation's messages.
    Attachments,
    /// The drafts of a customer.
    Drafts,
    /// The merges of a customer.
    Merges,
}

impl Offspring {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Events, Self::Forwards, Self::TimesV1, Self::TimesV2, Self::Attachments, Self::Drafts, Self::Merges];

    /// The name in the control and in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Forwards => "forwards",
            Self::TimesV1 => "times_v1",
            Self::TimesV2 => "times_v2",
            Self::Attachments => "attachments",
            Self::Drafts => "drafts",
            Self::Merges => "merges",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of the parents.
    #[must_use]
    pub const fn parent(self) -> Context {
        match self {
            Self::Events | Self::Forwards | Self::TimesV1 | Self::TimesV2 | Self::Attachments => Context::Conversation,
            Self::Drafts | Self::Merges => Context::Customer,
        }
    }
}

/// What a step of a course was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepKind {
    Created,
    Changed,
    /// The parent changed hands: neither `rev` nor `updatedAt` moved (API reference, section 13).
    Moved,
}

/// One change of a parent, with the version that it led to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) at: i64,
    pub(crate) version: Record,
    /// The customer before, when it changed hands.
    pub(crate) former_parent: u32,
}

/// More founding changes than this are not told one by one.
const MOST_REVS: u32 = 400;

/// All changes of a parent, oldest first.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) steps: Vec<Step>,
    founding: usize,
}

impl Course {
    /// The course of a record: its founding, spread evenly until its first `updatedAt`, and every change since.
    pub(crate) fn of(store: &Store, ord: u32) -> Self {
        let Some(present) = store.version(ord) else {
            return Self { steps: Vec::new(), founding: 0 };
        };
        let past = store.past(ord);
        let founded = past.first().map_or(present, |past| past.version);
        let mut steps = founding(&founded);
        let founding = steps.len();
        let later = past.iter().skip(1).map(|past| past.version).chain([present]);
        for (Past { until, version: former }, version) in past.iter().zip(later) {
            let moved = former.rev == version.rev && former.parent != version.parent;
            let kind = if moved { StepKind::Moved } else { StepKind::Changed };
            steps.push(Step { kind, at: *until, version, former_parent: former.parent });
        }
        Self { steps, founding }
    }

    /// The last step of the founding.
    pub(crate) fn founded(&self) -> Option<&Step> {
        self.steps.get(self.founding.checked_sub(1)?)
    }

    /// When the record came to this `rev`, or to the last one before it that is known.
    pub(crate) fn at(&self, rev: u32) -> i64 {
        let reached = self.steps.iter().find(|step| step.version.rev >= rev);
        reached.or(self.steps.last()).map_or(0, |step| step.at)
    }
}

fn founding(record: &Record) -> Vec<Step> {
    let start = record.imported_at().unwrap_or(record.created).min(record.updated);
    let last = record.rev.max(1);
    let first = last.saturating_sub(MOST_REVS).max(1);
    let span = record.updated - start;
    (first..=last)
        .map(|rev| {
            let part = span / i64::from((last - first).max(1)) * i64::from(rev - first);
            let at = if rev == last { record.updated } else { start + part };
            Step {
                kind: if rev == 1 { StepKind::Created } else { StepKind::Changed },
                at,
                version: Record { updated: at, rev, ..*record },
                former_parent: record.parent,
            }
        })
        .collect()
}

/// How often something short-lived comes and how long it stays, in revisions of its parent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) every: u32,
    pub(crate) life: u32,
}

/// Something short-lived, by its number under its parent and the revision that it came with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passing {
    pub(crate) number: u32,
    pub(crate) born: u32,
}

impl Pace {
    /// What is there at a revision; what has gone never comes back.
    pub(crate) fn at(self, salt: u64, rev: u32) -> impl Iterator<Item = Passing> {
        let Self { every, life } = self;
        let first = rev.saturating_sub(life + every) / every;
        let roll = move |number: u32, bound: u32| {
            let roll = mix(salt ^ u64::from(number) << 8 ^ u64::from(bound)) % u64::from(bound.max(1));
            u32::try_from(roll).unwrap_or(0)
        };
        (first..=rev / every).filter_map(move |number| {
            let born = 1 + number.saturating_mul(every).saturating_add(roll(number, every));
            let dies = born.saturating_add(1 + roll(number, life));
            (born <= rev && rev < dies).then_some(Passing { number, born })
        })
    }
}

impl World {
    /// Adds a handling time to so many live conversations, as a change of theirs or not; tells which.
    pub(crate) fn add_times(&mut self, count: u32, seed: u64, stamp: TimeStamp, now: i64) -> Vec<String> {
        let store = self.store(Context::Conversation);
        let live = |ord: &u32| store.primary(*ord).is_some_and(|record| record.is_live() && !record.is_raw());
        let chosen: Vec<u32> = shuffled_walk(store.len(), seed).filter(live).take(count as usize).collect();
        for ord in &chosen {
            self.late_times.entry(*ord).or_default().push(now);
            if stamp == TimeStamp::Moves {
                self.touch(Context::Conversation, *ord, now);
            }
        }
        let store = self.store(Context::Conversation);
        chosen.into_iter().map(|ord| store.id(ord).to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Life, Origin};
    use super::*;

    const FOUNDED: Record = Record {
        created: 1_000,
        updated: 9_000,
        life: Life::Live,
        origin: Origin::Generated,
        id_second: 1,
        parent: 4,
        rev: 5,
    };

    #[test]
    fn a_course_only_grows() {
        let mut store = Store::new(Context::Conversation, 1, vec![FOUNDED]);
        let before = Course::of(&store, 0);
        assert_eq!(before.steps.iter().map(|step| step.at).collect::<Vec<_>>(), [1_000, 3_000, 5_000, 7_000, 9_000]);
        store.put(0, Record { parent: 5, ..FOUNDED }, 20_000);
        store.put(0, Record { parent: 5, rev: 6, updated: 30_000, ..FOUNDED }, 30_000);
        let after = Course::of(&store, 0);
        let known =
            |course: &Course| course.steps.iter().take(5).map(|step| (step.at, step.version)).collect::<Vec<_>>();
        assert_eq!(known(&after), known(&before));
        let kinds: Vec<StepKind> = after.steps.iter().skip(5).map(|step| step.kind).collect();
        assert_eq!(kinds, [StepKind::Moved, StepKind::Changed]);
        assert_eq!((after.at(5), after.at(6), after.at(7)), (9_000, 30_000, 30_000));
    }

    #[test]
    fn what_has_gone_stays_away() {
        let pace = Pace { every: 3, life: 5 };
        let there = |rev| pace.at(77, rev).map(|passing| passing.number).collect::<Vec<_>>();
        for number in 0..20 {
            let seen: Vec<bool> = (1..90).map(|rev| there(rev).contains(&number)).collect();
            assert!(seen.iter().filter(|there| **there).count() > 0);
            assert!(seen.windows(2).filter(|pair| pair[0] && !pair[1]).count() == 1);
        }
    }
}
