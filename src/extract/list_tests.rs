//! Lists that shrink, change, repeat themselves or have no end while they are read.

use std::collections::HashSet;
use std::sync::Mutex;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::*;
use crate::api::{ApiError, RecordId};
use crate::window::from_millis;

/// A list of 100 a page, from which a record before the present page is deleted after some requests.
#[derive(Debug)]
struct Shrinking {
    ids: Mutex<Vec<usize>>,
    /// Records from this number on were updated after the window.
    recent_from: usize,
    /// Each request updates a record, which stays in its place.
    busy: bool,
    deletes_after: Vec<usize>,
    requests: Mutex<usize>,
    ends: bool,
}

impl Shrinking {
    fn new(count: usize, deletes_after: &[usize]) -> Self {
        let ids = Mutex::new((0..count).collect());
        let deletes_after = deletes_after.to_vec();
        Self { ids, recent_from: usize::MAX, busy: false, deletes_after, requests: Mutex::new(0), ends: true }
    }
}

impl Pages for Shrinking {
    fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
        let number: usize = match request {
            Request::Follow(link) => link.rsplit_once('=').unwrap().1.parse().unwrap(),
            _ => 1,
        };
        let mut ids = self.ids.lock().unwrap();
        let mut requests = self.requests.lock().unwrap();
        *requests += 1;
        let moved = |id: usize| self.busy && id % 50 < *requests;
        let updated_at = |id: usize| if id >= self.recent_from || moved(id) { 20 } else { 5 };
        let records = ids.iter().skip((number - 1) * 100).take(100).map(|id| record(*id, updated_at(*id)));
        let records: Vec<_> = records.collect();
        let ends = number * 100 >= ids.len() && self.ends;
        let next = if ends { Next::End } else { Next::More(format!("/v1/things?page={}", number + 1)) };
        if self.deletes_after.contains(&requests) {
            ids.remove(0);
        }
        Box::pin(std::future::ready(Ok(whole(records, next))))
    }
}

fn record(id: usize, updated_at: i64) -> Record {
    Record {
        id: Some(RecordId::new(&id.to_string())),
        updated_at: from_millis(updated_at),
        created_at: None,
        rev: None,
        deleted: false,
        resource: Bytes::from_static(b"{}").into(),
    }
}

fn whole(records: Vec<Record>, next: Next) -> Page {
    Page { records, included: Vec::new(), next, total: None, server_time: None, bytes: 0 }
}

fn read(pages: &Shrinking) -> Result<HashSet<String>, WalkError> {
    read_as(pages, Scope::Window)
}

fn read_as(pages: &dyn Pages, scope: Scope) -> Result<HashSet<String>, WalkError> {
    let list = ListSource { path: "/v1/things".to_owned(), ..ListSource::default() };
    let window = Window::new(from_millis(0).unwrap(), from_millis(10).unwrap()).unwrap();
    let mut walk = ListWalk::new(&[list], 100, window, scope)?;
    futures::executor::block_on(async {
        let mut ids = HashSet::new();
        while let Some(read) = walk.next(pages).await? {
            for record in read.records {
                assert!(ids.insert(record.id.unwrap().to_string()), "the same version came twice");
            }
        }
        Ok(ids)
    })
}

#[test]
fn a_list_of_one_page_costs_one_request() {
    let pages = Shrinking::new(100, &[]);
    assert_eq!(read(&pages).unwrap().len(), 100);
    assert_eq!(*pages.requests.lock().unwrap(), 1);
}

#[test]
fn a_list_that_shrinks_while_it_is_read_loses_nothing() {
    for deletes_after in [&[1usize][..], &[1, 2, 3], &[2, 7, 11], &[4, 5, 6]] {
        let pages = Shrinking::new(550, deletes_after);
        let ids = read(&pages).unwrap();
        let left = pages.ids.lock().unwrap();
        assert!(left.iter().all(|id| ids.contains(&id.to_string())), "deleting after {deletes_after:?}");
    }
}

#[test]
fn a_list_on_which_something_changes_at_each_request_is_read_in_two_passes() {
    let busy = Shrinking { busy: true, ..Shrinking::new(550, &[]) };
    let ids = read(&busy).unwrap();
    assert!((400..550).contains(&ids.len()), "{}", ids.len());
    assert_eq!(*busy.requests.lock().unwrap(), 12);
}

#[test]
fn many_pages_outside_the_window_are_no_missing_end() {
    let recent = Shrinking { recent_from: 150, ..Shrinking::new(2_000, &[]) };
    assert_eq!(read(&recent).unwrap().len(), 150);
}

#[test]
fn a_list_without_end_is_given_up() {
    let endless = Shrinking { ends: false, ..Shrinking::new(550, &[]) };
    assert!(matches!(read(&endless), Err(WalkError::NoEnd { .. })));
}

#[test]
fn a_list_whose_records_never_cease_is_given_up() {
    #[derive(Debug)]
    struct Ceaseless(Mutex<usize>);
    impl Pages for Ceaseless {
        fn page<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
            let mut requests = self.0.lock().unwrap();
            *requests += 1;
            let page = whole(vec![record(*requests, 5)], Next::More("/v1/things?page=2".to_owned()));
            Box::pin(std::future::ready(Ok(page)))
        }
    }
    let ceaseless = Ceaseless(Mutex::new(0));
    assert!(matches!(read_as(&ceaseless, Scope::Window), Err(WalkError::NoEnd { .. })));
    assert_eq!(*ceaseless.0.lock().unwrap(), 200_000);
}

/// A list without links to other pages, which gives these pages, and the last of them for every later one.
#[derive(Debug)]
struct Unlinked {
    pages: Vec<Vec<usize>>,
    requests: Mutex<usize>,
}

impl Pages for Unlinked {
    fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
        let Request::List(List { slice: Slice::Page { page, .. }, .. }) = request else {
            panic!("{request:?} follows a link")
        };
        *self.requests.lock().unwrap() += 1;
        let page = (*page as usize).min(self.pages.len()) - 1;
        let records = self.pages[page].iter().map(|id| record(*id, 5));
        Box::pin(std::future::ready(Ok(whole(records.collect(), Next::Unstated))))
    }
}

/// The ids that a list without links gives, and in how many requests.
fn read_unlinked(pages: Vec<Vec<usize>>) -> (usize, usize) {
    let unlinked = Unlinked { pages, requests: Mutex::new(0) };
    let ids = read_as(&unlinked, Scope::Whole).unwrap().len();
    (ids, *unlinked.requests.lock().unwrap())
}

#[test]
fn a_list_that_knows_no_pages_and_gives_everything_each_time_comes_to_an_end() {
    assert_eq!(read_unlinked(vec![(0..130).collect()]), (130, 4));
}

#[test]
fn pages_without_links_are_read_to_the_one_that_is_not_full() {
    assert_eq!(read_unlinked(vec![(0..100).collect(), (100..200).collect(), (200..230).collect()]), (230, 6));
    assert_eq!(read_unlinked(vec![(0..99).collect()]), (99, 1));
}

#[test]
fn a_list_that_has_a_record_twice_comes_to_an_end() {
    assert_eq!(read_unlinked(vec![(0..100).collect(), (99..150).collect()]), (150, 8));
}
