//! All records of one kind, twice: the primary store, and the search index that follows it after a lag.
//!
//! Rule: the index shows exactly the versions whose changes are older than the lag; its orders hold those versions.
//! Only the versions that differ from the primary store are kept a second time.

use std::collections::HashMap;

use super::added::Added;
use super::backlog::{Backlog, Lag, Pending};
use super::ids::{self, IdText, Kind};
use super::order::Order;
use super::record::{Life, Record, salt};
use crate::context::Context;

/// An order of all records that exist, and one of those that are not deleted.
#[derive(Debug, Default)]
pub(crate) struct Dual {
    pub(crate) all: Order,
    pub(crate) live: Order,
}

impl Dual {
    fn build<'a>(
        records: impl Iterator<Item = (u32, &'a Record)> + Clone,
        value: impl Fn(u32, &Record) -> i64,
    ) -> Self {
        let keys = |keep: fn(&Record) -> bool| {
            let chosen = records.clone().filter(|(_, record)| keep(record));
            Order::from_keys(chosen.map(|(ord, record)| (value(ord, record), ord)).collect())
        };
        Self { all: keys(|record| !record.is_gone()), live: keys(Record::is_live) }
    }

    fn replace(&mut self, ord: u32, old: Option<(i64, Life)>, new: Option<(i64, Life)>) {
        if let Some((value, _)) = old {
            self.all.remove((value, ord));
            self.live.remove((value, ord));
        }
        match new {
            Some((value, Life::Live)) => {
                self.all.insert((value, ord));
                self.live.insert((value, ord));
            }
            Some((value, Life::Deleted(_))) => self.all.insert((value, ord)),
            Some((_, Life::Gone)) | None => {}
        }
    }

    pub(crate) const fn choose(&self, with_deleted: bool) -> &Order {
        if with_deleted { &self.all } else { &self.live }
    }
}

/// Records in the order of their times.
#[derive(Debug, Default)]
pub(crate) struct Times {
    pub(crate) updated: Dual,
    pub(crate) created: Dual,
}

impl Times {
    fn build<'a>(records: impl Iterator<Item = (u32, &'a Record)> + Clone) -> Self {
        Self {
            updated: Dual::build(records.clone(), |_, record| record.updated),
            created: Dual::build(records, |_, record| record.created),
        }
    }

    fn replace(&mut self, ord: u32, old: Option<&Record>, new: &Record) {
        self.updated.replace(ord, old.map(|old| (old.updated, old.life)), Some((new.updated, new.life)));
        self.created.replace(ord, old.map(|old| (old.created, old.life)), Some((new.created, new.life)));
    }
}

/// A former version of a record, and when it ceased to be the present one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past {
    pub(crate) until: i64,
    pub(crate) version: Record,
}

/// Which copy of the records is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Primary,
    Index,
}

/// All records of one kind.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) context: Context,
    seed: u64,
    /// How many records the world began with.
    pub(crate) founding: u32,
    records: Vec<Record>,
    pub(crate) by_id: Dual,
    /// Only customers can be listed by time (API reference, section 10).
    pub(crate) listed: Option<Times>,
    pub(crate) indexed: Times,
    pub(crate) added: Added,
    stale: HashMap<u32, Option<Record>>,
    backlog: Backlog,
    /// Only of parents, whose former versions what is read per parent follows from.
    past: HashMap<u32, Vec<Past>>,
    given_ids: HashMap<String, u32>,
    id_of_given: HashMap<u32, String>,
}

impl Store {
    pub(crate) fn new(context: Context, seed: u64, records: Vec<Record>) -> Self {
        let numbered = || (0_u32..).zip(&records);
        Self {
            context,
            seed,
            founding: u32::try_from(records.len()).unwrap_or(u32::MAX),
            by_id: Dual::build(numbered(), |ord, record| ids::sort_key(record.id_second, ord)),
            listed: (context == Context::Customer).then(|| Times::build(numbered())),
            indexed: if context.searchable() { Times::build(numbered()) } else { Times::default() },
            added: Added::default(),
            stale: HashMap::new(),
            backlog: Backlog::default(),
            past: HashMap::new(),
            given_ids: HashMap::new(),
            id_of_given: HashMap::new(),
            records,
        }
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    pub(crate) const fn salt(&self, ord: u32) -> u64 {
        salt(self.seed, self.context, ord)
    }

    /// The version of a record that a view shows; `None` when it shows none.
    pub(crate) fn get(&self, view: View, ord: u32) -> Option<Record> {
        let primary = self.records.get(ord as usize).copied();
        let version = match view {
            View::Index if !self.stale.is_empty() => self.stale.get(&ord).copied().unwrap_or(primary),
            View::Index | View::Primary => primary,
        };
        version.filter(|record| !record.is_gone())
    }

    /// Every record of the primary store that still exists, in the order of storing.
    pub(crate) fn existing(&self) -> impl Iterator<Item = (u32, &Record)> {
        (0_u32..).zip(&self.records).filter(|(_, record)| !record.is_gone())
    }

    /// The present version in the primary store, unless the record is gone.
    pub(crate) fn primary(&self, ord: u32) -> Option<Record> {
        self.get(View::Primary, ord)
    }

    /// The present version in the primary store, also of a record that is gone.
    pub(crate) fn version(&self, ord: u32) -> Option<Record> {
        self.records.get(ord as usize).copied()
    }

    /// The versions before the present one, oldest first.
    pub(crate) fn past(&self, ord: u32) -> &[Past] {
        self.past.get(&ord).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn id(&self, ord: u32) -> IdText {
        if let Some(given) = self.id_of_given.get(&ord) {
            return IdText::Given(given.clone());
        }
        let second = self.records.get(ord as usize).map_or(0, |record| record.id_second);
        ids::encode(second, Kind::Record(self.context), ord)
    }

    /// The ordinal of the record with this id, also of one deleted for good.
    pub(crate) fn find(&self, id: &str) -> Option<u32> {
        if let Some(ord) = self.given_ids.get(id) {
            return Some(*ord);
        }
        let (second, ord) = ids::decode(id, Kind::Record(self.context))?;
        let found = self.records.get(ord as usize).is_some_and(|record| record.id_second == second);
        (found && !self.id_of_given.contains_key(&ord)).then_some(ord)
    }

    /// Adds a record with an id of its own.
    pub(crate) fn add_given(&mut self, id: &str, record: Record, now: i64) -> u32 {
        let ord = self.add(record, now);
        self.given_ids.insert(id.to_owned(), ord);
        let escaped = serde_json::Value::from(id).to_string();
        self.id_of_given.insert(ord, escaped.trim_matches('"').to_owned());
        ord
    }

    /// Adds a record that was stored at `now`.
    pub(crate) fn add(&mut self, record: Record, now: i64) -> u32 {
        let ord = self.len();
        self.records.push(record);
        self.changed(ord, None, record, now);
        ord
    }

    /// Puts a new version in place of the present one.
    pub(crate) fn put(&mut self, ord: u32, version: Record, now: i64) {
        let Some(present) = self.records.get_mut(ord as usize) else {
            return;
        };
        let old = std::mem::replace(present, version);
        if matches!(self.context, Context::Customer | Context::Conversation) {
            self.past.entry(ord).or_default().push(Past { until: now, version: old });
        }
        self.changed(ord, Some(old), version, now);
    }

    fn changed(&mut self, ord: u32, old: Option<Record>, version: Record, now: i64) {
        if old.is_none_or(|old| old.rev < version.rev) {
            self.added.stored(ord, version.rev);
        }
        let key = |record: &Record| (ids::sort_key(record.id_second, ord), record.life);
        self.by_id.replace(ord, old.as_ref().map(key), Some(key(&version)));
        if let Some(listed) = &mut self.listed {
            listed.replace(ord, old.as_ref(), &version);
        }
        if self.context.searchable() {
            self.stale.entry(ord).or_insert(old);
            self.backlog.push(Pending { at: now, ord, version });
        }
    }

    /// Whether a change has become old enough for the index.
    pub(crate) fn is_due(&self, now: i64, lag: Lag) -> bool {
        self.backlog.is_due(now, lag)
    }

    /// Lets the index take in every change that is older than the lag.
    pub(crate) fn index_due(&mut self, now: i64, lag: Lag) {
        while let Some(Pending { ord, version, .. }) = self.backlog.next_due(now, lag) {
            let old = self.stale.get(&ord).copied().unwrap_or_else(|| self.records.get(ord as usize).copied());
            self.indexed.replace(ord, old.as_ref(), &version);
            if self.records.get(ord as usize) == Some(&version) {
                self.stale.remove(&ord);
            } else {
                self.stale.insert(ord, Some(version));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{ORPHAN, Origin};
    use super::*;
    use crate::switches::Lagging;

    const NEW: Record = Record {
        created: 5_000,
        updated: 6_000,
        life: Life::Live,
        origin: Origin::Generated,
        id_second: 5,
        parent: ORPHAN,
        rev: 1,
    };

    fn lag(by: i64) -> Lag {
        Lag { by, of: Lagging::AllRecords }
    }

    #[test]
    fn the_index_follows_after_the_lag() {
        let mut store = Store::new(Context::Message, 1, vec![NEW]);
        store.put(0, Record { updated: 9_000, rev: 2, ..NEW }, 9_000);
        store.put(0, Record { updated: 9_500, rev: 3, ..NEW }, 9_500);
        store.index_due(9_900, lag(500));
        assert_eq!(store.get(View::Index, 0).map(|record| record.rev), Some(2));
        assert_eq!(store.get(View::Primary, 0).map(|record| record.rev), Some(3));
        assert_eq!(store.indexed.updated.all.range(0, 9).collect::<Vec<_>>(), [(9_000, 0)]);
        store.index_due(10_000, lag(500));
        assert_eq!(store.get(View::Index, 0).map(|record| record.rev), Some(3));
        assert!(store.stale.is_empty());
    }

    #[test]
    fn a_later_change_may_show_before_an_earlier_one() {
        let mut store = Store::new(Context::Message, 1, vec![NEW, NEW]);
        store.put(1, Record { updated: 9_500, rev: 2, ..NEW }, 9_500);
        store.put(0, Record { updated: 9_000, rev: 2, ..NEW }, 9_000);
        store.index_due(9_500, Lag { by: 1_000, of: Lagging::EveryOtherRecord });
        assert_eq!(store.get(View::Index, 1).map(|record| record.rev), Some(2));
        assert_eq!(store.get(View::Index, 0).map(|record| record.rev), Some(1));
    }

    #[test]
    fn a_new_record_is_found_by_id_before_it_is_searchable() {
        let mut store = Store::new(Context::Note, 1, vec![]);
        let ord = store.add(NEW, 6_000);
        store.index_due(6_000, lag(1));
        assert_eq!(store.find(&store.id(ord).to_string()), Some(ord));
        assert_eq!(store.get(View::Index, ord), None);
        store.index_due(6_001, lag(1));
        assert_eq!(store.get(View::Index, ord), Some(NEW));
    }

    #[test]
    fn records_deleted_for_good_leave_every_order() {
        let mut store = Store::new(Context::Customer, 1, vec![NEW]);
        store.put(0, Record { life: Life::Gone, ..NEW }, 7_000);
        store.index_due(7_000, lag(0));
        assert_eq!(store.get(View::Primary, 0), None);
        assert_eq!(store.by_id.all.len() + store.indexed.updated.all.len() + store.indexed.created.live.len(), 0);
    }
}
