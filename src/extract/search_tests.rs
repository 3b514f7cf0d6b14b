//! Walks against an index that does everything an unhelpful index may do. Every run prints its seed on failure.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use chrono::TimeDelta;
use futures::future::BoxFuture;
use proptest::prelude::*;

use super::*;
use crate::api::Next;
use crate::api::{ApiError, Operand};
use crate::clock::Entropy;
use crate::window::from_millis;

/// One record of the index: times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    id: u32,
    updated: i64,
    created: i64,
    parent: u32,
}

/// How unhelpful the index is.
#[derive(Debug, Clone, Copy)]
struct Habits {
    random_ties: bool,
    moves_a_record_at_each_request: bool,
    knows_seconds_only: bool,
    tells_total: bool,
    links_never_end: bool,
    finds_no_parent: bool,
}

const FAITHFUL: Habits = Habits {
    random_ties: false,
    moves_a_record_at_each_request: false,
    knows_seconds_only: false,
    tells_total: true,
    links_never_end: false,
    finds_no_parent: false,
};

#[derive(Debug)]
struct Index {
    entries: Mutex<Vec<Entry>>,
    habits: Habits,
    chance: Entropy,
    requests: Mutex<Vec<String>>,
}

/// Everything that moves is moved here: after any window of these tests.
const LATER: i64 = 9_000_000;

impl Index {
    fn new(entries: Vec<Entry>, habits: Habits, seed: u64) -> Self {
        Self { entries: Mutex::new(entries), habits, chance: Entropy::seeded(seed), requests: Mutex::default() }
    }

    fn pick(&self, below: usize) -> usize {
        usize::try_from(self.chance.below(below as u64)).unwrap()
    }

    fn coarse(&self, millis: i64) -> i64 {
        if self.habits.knows_seconds_only { millis.div_euclid(1000) } else { millis }
    }

    fn holds(&self, entry: &Entry, criterion: &Criterion) -> bool {
        let instant = match criterion.attribute.as_str() {
            "thing_updated_at" => entry.updated,
            "thing_created_at" => entry.created,
            "thing_box_id" => {
                let Operand::Texts(ids) = &criterion.operand else { panic!("not a list") };
                return !self.habits.finds_no_parent && ids.contains(&format!("box-{}", entry.parent));
            }
            other => panic!("no attribute {other}"),
        };
        let Operand::Instant(bound) = &criterion.operand else { panic!("not an instant") };
        let (instant, bound) = (self.coarse(instant), self.coarse(bound.timestamp_millis()));
        match criterion.operator {
            Operator::Gte => instant >= bound,
            Operator::Lt => instant < bound,
            other => panic!("no operator {other:?}"),
        }
    }

    fn answer(&self, search: &Search) -> Page {
        let mut entries = self.entries.lock().unwrap();
        if self.habits.moves_a_record_at_each_request && !entries.is_empty() {
            let moved = self.pick(entries.len());
            entries[moved].updated = LATER + entries[moved].updated % 1000;
        }
        let mut found: Vec<_> = entries
            .iter()
            .filter(|entry| search.all.iter().all(|criterion| self.holds(entry, criterion)))
            .filter(|entry| !search.none.iter().any(|criterion| self.holds(entry, criterion)))
            .map(|entry| (self.coarse(entry.updated), self.tie_break(entry), *entry))
            .collect();
        found.sort_unstable_by_key(|(updated, tie, entry)| (*updated, *tie, entry.id));
        let (size, page) = (search.page_size as usize, search.page as usize);
        assert!(page * size <= 10_000, "page {page} is beyond the ceiling");
        let total = found.len();
        let records = found.into_iter().skip((page - 1) * size).take(size).map(|(.., entry)| record(entry)).collect();
        let ends = page * size >= total && !self.habits.links_never_end;
        Page {
            records,
            included: Vec::new(),
            next: if ends { Next::End } else { Next::More("/v1/customers/search?page=2".to_owned()) },
            total: self.habits.tells_total.then_some(total as u64),
            server_time: None,
            bytes: 0,
        }
    }

    fn tie_break(&self, entry: &Entry) -> u64 {
        if self.habits.random_ties { self.pick(1 << 20) as u64 } else { u64::from(entry.id) }
    }
}

impl Pages for Index {
    fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
        self.requests.lock().unwrap().push(request.to_string());
        let Request::Search(search) = request else { panic!("not a search") };
        Box::pin(std::future::ready(Ok(self.answer(search))))
    }
}

fn record(entry: Entry) -> Record {
    let parent = format!("box-{}", entry.parent);
    let json = serde_json::json!({"relationships": {"box": {"data": {"type": "box", "id": parent}}, "owner": null}});
    Record {
        id: Some(RecordId::new(&format!("{:08}", entry.id))),
        updated_at: from_millis(entry.updated),
        created_at: from_millis(entry.created),
        rev: None,
        deleted: false,
        resource: Bytes::from(json.to_string()).into(),
    }
}

fn window(from: i64, until: i64) -> Window {
    Window::new(from_millis(from).unwrap(), from_millis(until).unwrap()).unwrap()
}

/// What a walk gave: the last version of each id, and how many records in all.
fn walk(index: &Index, window: Window) -> Result<(BTreeMap<String, i64>, usize), WalkError> {
    let parent = Some("thing_box_id".to_owned());
    let subject = Subject { index: crate::api::Index::Live, context: "thing".to_owned(), parent, only: None };
    let mut walk = SearchWalk::new(subject, window);
    let (mut given, mut count, mut reached) = (BTreeMap::new(), 0, window.from());
    futures::executor::block_on(async {
        while let Some(read) = walk.next(index).await? {
            assert!(read.reached >= reached, "what was reached went back");
            for record in read.records {
                let updated = record.updated_at.unwrap();
                let again = given.insert(record.id.unwrap().to_string(), updated.timestamp_millis());
                let moved = again.is_some_and(|before| before != updated.timestamp_millis());
                assert!(again.is_none() || moved, "the same version came twice");
                let early = updated < reached && !index.habits.knows_seconds_only;
                assert!(!early, "a record came from before what was reached");
                count += 1;
            }
            reached = read.reached;
        }
        assert_eq!(reached, window.until());
        Ok((given, count))
    })
}

/// Every record that did not leave the window while it was read must have been given.
fn assert_complete(index: &Index, window: Window, before: &[Entry]) {
    let (given, count) = walk(index, window).unwrap();
    for entry in index.entries.lock().unwrap().iter().filter(|entry| entry.updated < LATER) {
        let inside = window.contains(from_millis(entry.updated).unwrap());
        let id = format!("{:08}", entry.id);
        assert!(!inside || given.get(&id) == Some(&entry.updated), "{entry:?} is missing from {window}");
    }
    assert!(count <= before.len(), "more was given than there is");
}

fn spread(count: u32) -> Vec<Entry> {
    (0..count).map(|id| Entry { id, updated: i64::from(id) * 7, created: i64::from(id), parent: id % 10 }).collect()
}

fn tied(count: u32, created: impl Fn(u32) -> i64, parent: impl Fn(u32) -> u32) -> Vec<Entry> {
    let entry = |id| Entry { id, updated: 5_000_500, created: created(id), parent: parent(id) };
    spread(700).into_iter().chain((1000..1000 + count).map(entry)).collect()
}

#[test]
fn a_walk_costs_one_request_a_page() {
    let index = Index::new(spread(100_000), FAITHFUL, 1);
    let (given, count) = walk(&index, window(0, 8_000_000)).unwrap();
    assert_eq!((given.len(), count), (100_000, 100_000));
    let requests = index.requests.lock().unwrap().len();
    assert!(requests <= 202, "{requests} requests for 200 pages");
}

#[test]
fn a_window_that_ends_within_a_full_page_is_complete_to_its_end() {
    let entries: Vec<_> = spread(10_000).iter().map(|entry| Entry { updated: i64::from(entry.id), ..*entry }).collect();
    assert_complete(&Index::new(entries.clone(), FAITHFUL, 1), window(0, 8_636), &entries);
}

#[test]
fn an_empty_or_small_window_costs_one_request() {
    for count in [0, 1, 499, 500] {
        let index = Index::new(spread(count), FAITHFUL, 1);
        walk(&index, window(0, 8_000_000)).unwrap();
        assert_eq!(index.requests.lock().unwrap().len(), 1, "{count} records");
    }
}

#[test]
fn twenty_five_thousand_equal_timestamps_are_read_whatever_the_index_does() {
    for random_ties in [false, true] {
        for moves_a_record_at_each_request in [false, true] {
            for knows_seconds_only in [false, true] {
                for tells_total in [false, true] {
                    let habits = Habits {
                        random_ties,
                        moves_a_record_at_each_request,
                        knows_seconds_only,
                        tells_total,
                        links_never_end: false,
                        finds_no_parent: false,
                    };
                    let entries = tied(25_000, |id| i64::from(id) * 1_003, |id| id % 50);
                    assert_complete(&Index::new(entries.clone(), habits, 3), window(0, 8_000_000), &entries);
                }
            }
        }
    }
}

#[test]
fn equal_creation_too_is_told_apart_by_parent() {
    for random_ties in [false, true] {
        let habits = Habits { random_ties, ..FAITHFUL };
        let entries = tied(12_000, |_| 77, |id| id % 300);
        let index = Index::new(entries.clone(), habits, 5);
        assert_complete(&index, window(0, 8_000_000), &entries);
    }
}

#[test]
fn what_nothing_tells_apart_is_counted_until_it_is_complete() {
    for random_ties in [false, true] {
        let habits = Habits { random_ties, ..FAITHFUL };
        let entries = tied(1_200, |_| 77, |_| 1);
        assert_complete(&Index::new(entries.clone(), habits, 5), window(0, 8_000_000), &entries);
    }
}

#[test]
fn what_cannot_be_read_fails_and_names_its_window() {
    let uncountable = Habits { random_ties: true, tells_total: false, ..FAITHFUL };
    let blind = Habits { finds_no_parent: true, ..FAITHFUL };
    for (count, habits) in [(10_500, FAITHFUL), (1_200, uncountable), (10_500, blind)] {
        let index = Index::new(tied(count, |_| 77, |_| 1), habits, 5);
        let told = walk(&index, window(0, 8_000_000)).unwrap_err().to_string();
        assert!(told.starts_with("thing [1970-01-01T01:23:20.500Z, 1970-01-01T01:23:20.501Z): "), "{told}");
    }
}

#[test]
fn an_end_that_never_comes_is_an_error_and_not_an_end() {
    for count in [0, 3, 700] {
        let index = Index::new(spread(count), Habits { links_never_end: true, ..FAITHFUL }, 5);
        assert!(walk(&index, window(0, 8_000_000)).is_err(), "{count} records");
    }
}

#[test]
fn an_index_that_does_not_sort_is_not_believed() {
    #[derive(Debug)]
    struct Unsorted(Index);
    impl Pages for Unsorted {
        fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
            Box::pin(async move {
                let mut page = self.0.page(request).await?;
                page.records.reverse();
                Ok(page)
            })
        }
    }
    let subject = Subject { index: crate::api::Index::Live, context: "thing".to_owned(), parent: None, only: None };
    let mut walk = SearchWalk::new(subject, window(0, 8_000_000));
    let error = futures::executor::block_on(walk.next(&Unsorted(Index::new(spread(2_000), FAITHFUL, 1)))).unwrap_err();
    assert!(matches!(error, WalkError::Unsorted { .. }), "{error}");
}

#[test]
fn a_record_updated_behind_the_index_does_not_move_the_anchor_past_others() {
    // The index knows record 250 where it was; its body tells of an update after the window.
    #[derive(Debug)]
    struct Ahead(Index);
    impl Pages for Ahead {
        fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
            Box::pin(async move {
                let mut page = self.0.page(request).await?;
                if let Some(last) = page.records.last_mut() {
                    last.updated_at = last.updated_at.map(|updated| updated + TimeDelta::days(1));
                }
                Ok(page)
            })
        }
    }
    let subject = Subject { index: crate::api::Index::Live, context: "thing".to_owned(), parent: None, only: None };
    let (mut walk, pages) =
        (SearchWalk::new(subject, window(0, 8_000_000)), Ahead(Index::new(spread(3_000), FAITHFUL, 1)));
    let mut ids = std::collections::BTreeSet::new();
    futures::executor::block_on(async {
        while let Some(read) = walk.next(&pages).await.unwrap() {
            ids.extend(read.records.into_iter().filter_map(|record| record.id));
        }
    });
    // The last one of all is dated after the window, and left to the next run.
    assert_eq!(ids.len(), 2_999);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn nothing_is_lost_whatever_the_world_and_the_index_are_like(
        seed in any::<u64>(),
        count in 0u32..4_000,
        instants in 1i64..60,
        gap in prop_oneof![Just(1i64), Just(300), Just(1_000), Just(4_321)],
        creations in 1i64..3_000,
        random_ties in any::<bool>(),
        moves_a_record_at_each_request in any::<bool>(),
        knows_seconds_only in any::<bool>(),
        from in 0i64..40_000, length in 1i64..300_000,
    ) {
        let habits = Habits { random_ties, moves_a_record_at_each_request, knows_seconds_only, ..FAITHFUL };
        let chance = Entropy::seeded(seed);
        let draw = |below: i64| i64::try_from(chance.below(u64::try_from(below).unwrap())).unwrap();
        let entries: Vec<_> = (0..count)
            .map(|id| Entry { id, updated: draw(instants) * gap, created: draw(creations) * 250, parent: u32::try_from(draw(40)).unwrap() })
            .collect();
        assert_complete(&Index::new(entries.clone(), habits, seed), window(from, from + length), &entries);
    }
}
