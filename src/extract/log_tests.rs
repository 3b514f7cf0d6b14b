use std::collections::BTreeSet;
use std::sync::Mutex;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::*;
use crate::api::{ApiError, Record, RecordId};
use crate::window::from_millis;

/// A log whose entries are numbered by their seconds.
#[derive(Debug)]
struct Log {
    seconds: Vec<i64>,
    /// The links keep the bounds of the slice.
    links_keep_bounds: bool,
    /// The last page links to one more, which is empty.
    links_past_end: bool,
    tells_total: bool,
    requests: Mutex<u32>,
}

impl Log {
    fn new(seconds: Vec<i64>) -> Self {
        Self { seconds, links_keep_bounds: true, links_past_end: false, tells_total: true, requests: Mutex::new(0) }
    }

    fn answer(&self, from: i64, until: i64, before: usize, count: usize) -> Page {
        let inside = |at: &usize| (from..=until).contains(&(self.seconds[*at] * 1000));
        let rest: Vec<usize> = (0..before).rev().filter(inside).collect();
        let records: Vec<Record> = rest.iter().take(count).map(|at| self.entry(*at)).collect();
        let more = rest.len() > count || (self.links_past_end && !records.is_empty());
        let oldest = rest.get(count - 1).or(rest.last()).copied().unwrap_or(0);
        let (from, until) = if self.links_keep_bounds { (from, until) } else { (i64::MIN, i64::MAX) };
        let next = if more {
            Next::More(format!("/log?from={from}&until={until}&before={oldest}&count={count}"))
        } else {
            Next::End
        };
        let total = (0..self.seconds.len()).filter(inside).count() as u64;
        let total = self.tells_total.then_some(total);
        Page { records, included: Vec::new(), next, total, server_time: None, bytes: 0 }
    }

    fn entry(&self, at: usize) -> Record {
        entry(at, self.seconds[at])
    }
}

fn entry(number: usize, second: i64) -> Record {
    Record {
        id: Some(RecordId::new(&number.to_string())),
        updated_at: None,
        created_at: from_millis(second * 1000),
        rev: None,
        deleted: false,
        resource: Bytes::from_static(b"{}").into(),
    }
}

impl Pages for Log {
    fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
        *self.requests.lock().unwrap() += 1;
        let (from, until, before, count) = match request {
            Request::List(list) => {
                let bound = |at: usize| list.query[at].1.parse::<DateTime<Utc>>().unwrap().timestamp_millis();
                let Slice::Count(count) = list.slice else { panic!("a log is cut by count") };
                (bound(0), bound(1), self.seconds.len(), count as usize)
            }
            Request::Follow(link) => {
                let numbers: Vec<i64> = link.split(['=', '&']).filter_map(|part| part.parse().ok()).collect();
                (numbers[0], numbers[1], usize::try_from(numbers[2]).unwrap(), usize::try_from(numbers[3]).unwrap())
            }
            _ => panic!("a log is a list"),
        };
        Box::pin(std::future::ready(Ok(self.answer(from, until, before, count))))
    }
}

fn read(log: &Log, from: i64, until: i64) -> BTreeSet<usize> {
    let at = |seconds: i64| from_millis(seconds * 1000).unwrap();
    let window = Window::new(at(from), at(until)).unwrap();
    let mut walk = LogWalk::new("/v1/audit-logs", 1_000, window).unwrap();
    futures::executor::block_on(async {
        let (mut entries, mut reached) = (BTreeSet::new(), window.from());
        while let Some(read) = walk.next(log).await.unwrap() {
            entries
                .extend(read.records.iter().map(|entry| entry.id.as_ref().unwrap().as_str().parse::<usize>().unwrap()));
            assert!(read.reached >= reached);
            reached = read.reached;
            let complete = (0..log.seconds.len()).filter(|at| (from..reached.timestamp()).contains(&log.seconds[*at]));
            assert!(complete.into_iter().all(|at| entries.contains(&at)), "told complete too early");
        }
        assert_eq!(reached, window.until());
        entries
    })
}

#[test]
fn every_entry_of_the_window_is_given_whatever_the_links_keep() {
    for (links_keep_bounds, links_past_end, tells_total) in
        [(true, false, true), (false, false, true), (true, true, true), (false, true, false)]
    {
        let seconds = (0..30_000).map(|number| number * 7).collect();
        let log = Log { links_keep_bounds, links_past_end, tells_total, ..Log::new(seconds) };
        let entries = read(&log, 70_000, 140_000);
        assert!((10_000..20_000).all(|at| entries.contains(&at)));
    }
}

#[test]
fn a_long_log_is_read_slice_by_slice_and_costs_little_more_than_its_pages() {
    let log = Log::new((0..100_000).collect());
    assert_eq!(read(&log, 0, 100_000).len(), 100_000);
    let requests = *log.requests.lock().unwrap();
    assert!((100..130).contains(&requests), "{requests} requests for 100 full pages");
}

#[test]
fn a_total_that_says_nothing_of_the_slice_is_not_cut_for_ever() {
    #[derive(Debug)]
    struct Stubborn(Log);
    impl Pages for Stubborn {
        fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
            let page = self.0.page(request);
            Box::pin(async move { Ok(Page { total: Some(9_000_000), ..page.await? }) })
        }
    }
    let log = Stubborn(Log::new((0..3_000).collect()));
    let at = |seconds: i64| from_millis(seconds * 1000).unwrap();
    let mut walk = LogWalk::new("/v1/audit-logs", 1_000, Window::new(at(0), at(3_000)).unwrap()).unwrap();
    let mut entries = 0;
    while let Some(read) = futures::executor::block_on(walk.next(&log)).unwrap() {
        entries += read.records.len();
    }
    assert!(entries >= 3_000);
    assert!(*log.0.requests.lock().unwrap() < 60);
}

/// Links that lead on and on: each page has as many entries, and those after `repeats` pages are the first ones again.
#[derive(Debug)]
struct Endless {
    entries: usize,
    repeats: usize,
    requests: Mutex<usize>,
}

impl Pages for Endless {
    fn page<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
        let mut requests = self.requests.lock().unwrap();
        let page = *requests % self.repeats;
        let records = (0..self.entries).map(|at| entry(page * self.entries + at, 0)).collect();
        *requests += 1;
        let next = Next::More("/v1/audit-logs?before=1".to_owned());
        let page = Page { records, included: Vec::new(), next, total: None, server_time: None, bytes: 0 };
        Box::pin(std::future::ready(Ok(page)))
    }
}

#[test]
fn a_log_without_end_is_given_up() {
    // Empty pages, a page that links to itself, pages that link in a circle, and entries that never cease.
    for (entries, repeats, most) in [(0, 1, 5), (3, 1, 6), (3, 4, 9), (1, 300_000, 200_000)] {
        let log = Endless { entries, repeats, requests: Mutex::new(0) };
        let window = Window::new(from_millis(0).unwrap(), from_millis(10).unwrap()).unwrap();
        let mut walk = LogWalk::new("/v1/audit-logs", 1_000, window).unwrap();
        let end = futures::executor::block_on(async {
            loop {
                match walk.next(&log).await {
                    Ok(Some(_)) => {}
                    other => return other.map(|_| ()),
                }
            }
        });
        assert!(matches!(end, Err(WalkError::NoEnd { .. })));
        assert_eq!(*log.requests.lock().unwrap(), most);
    }
}
