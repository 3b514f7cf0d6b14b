//! Walking page lists: the union of several lists, each read to its stated end.
//!
//! The rule: a page list is not a snapshot. A record that is deleted while we read moves the others
//! one place forward, past the page boundary (API reference, section 8). So a list of more than one
//! page is read again until a pass brings nothing new; a list of one page is taken at one instant.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::walk::{Read, WalkError};
use crate::api::{List, Next, Page, Pages, Path, Record, Request, Slice};
use crate::catalog::ListSource;
use crate::window::Window;

/// A list that still brings new records after so many passes changes too fast to be read.
const MOST_PASSES: u32 = 8;
/// Pages without a new record, in a row and in the first pass, after which a list has no end.
const MOST_STALE_PAGES: u32 = 5;

/// A walk over lists.
#[derive(Debug)]
pub struct ListWalk {
    lists: Vec<List>,
    window: Window,
    scope: Scope,
    at: Position,
    /// 128-bit fingerprints of `(id, updatedAt)`: 16 bytes a record, whatever the length of ids.
    seen: HashSet<u128>,
}

/// Which records of the lists are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All.
    Whole,
    /// Those updated in the window, and those that do not say when.
    Window,
}

#[derive(Debug)]
struct Position {
    list: usize,
    pass: u32,
    page: u32,
    next: Option<Request>,
    new_in_pass: u64,
    stale_pages: u32,
}

impl Position {
    const fn start_of(list: usize) -> Self {
        Self { list, pass: 1, page: 1, next: None, new_in_pass: 0, stale_pages: 0 }
    }
}

impl ListWalk {
    pub(super) fn new(lists: &[ListSource], page_size: u32, window: Window, scope: Scope) -> Result<Self, WalkError> {
        let lists: Result<Vec<_>, WalkError> = lists
            .iter()
            .map(|list| {
                let query = list.query.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                Ok(List { path: Path::parse(&list.path)?, query, slice: Slice::Page { page: 1, size: page_size } })
            })
            .collect();
        Ok(Self { lists: lists?, window, scope, at: Position::start_of(0), seen: HashSet::new() })
    }

    pub(super) async fn next(&mut self, pages: &dyn Pages) -> Result<Option<Read>, WalkError> {
        let Some(list) = self.lists.get(self.at.list) else { return Ok(None) };
        let request = self.at.next.take().unwrap_or_else(|| Request::List(list.clone()));
        let page = pages.page(&request).await?;
        let (next, empty, known) = (page.next.clone(), page.records.is_empty(), self.at.new_in_pass);
        let records = self.fresh(page);
        self.advance(next, self.at.new_in_pass == known, empty)?;
        let reached = if self.at.list == self.lists.len() { self.window.until() } else { self.window.from() };
        Ok(Some(Read { records, reached }))
    }

    fn advance(&mut self, next: Next, stale: bool, empty: bool) -> Result<(), WalkError> {
        match next {
            Next::More(link) => {
                self.at.stale_pages = if (stale && self.at.pass == 1) || empty { self.at.stale_pages + 1 } else { 0 };
                if self.at.stale_pages >= MOST_STALE_PAGES {
                    return Err(self.no_end());
                }
                self.at.page += 1;
                self.at.next = Some(Request::Follow(link));
            }
            Next::End if self.at.page == 1 || (self.at.pass > 1 && self.at.new_in_pass == 0) => {
                self.at = Position::start_of(self.at.list + 1);
                self.seen.clear();
            }
            Next::End if self.at.pass == MOST_PASSES => return Err(self.no_end()),
            Next::End => {
                self.at = Position { pass: self.at.pass + 1, ..Position::start_of(self.at.list) };
            }
        }
        Ok(())
    }

    /// The records that are wanted and were not given yet.
    fn fresh(&mut self, page: Page) -> Vec<Record> {
        let mut fresh = Vec::new();
        for record in page.records {
            let new = record.id.is_none() || self.seen.insert(fingerprint(&record));
            self.at.new_in_pass += u64::from(new && record.id.is_some());
            let inside = record.updated_at.is_none_or(|updated_at| self.window.contains(updated_at));
            if new && (inside || self.scope == Scope::Whole) {
                fresh.push(record);
            }
        }
        fresh
    }

    fn no_end(&self) -> WalkError {
        let place = self.lists.get(self.at.list).map_or_else(String::new, |list| list.path.to_string());
        WalkError::NoEnd { place, window: self.window }
    }
}

fn fingerprint(record: &Record) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, &record.id, record.updated_at).hash(&mut hasher);
        hasher.finish()
    };
    u128::from(half(0)) << 64 | u128::from(half(1))
}

#[cfg(test)]
mod tests {
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
        deletes_after: Vec<usize>,
        requests: Mutex<usize>,
        ends: bool,
    }

    impl Shrinking {
        fn new(count: usize, deletes_after: &[usize]) -> Self {
            let ids = Mutex::new((0..count).collect());
            Self { ids, deletes_after: deletes_after.to_vec(), requests: Mutex::new(0), ends: true }
        }
    }

    impl Pages for Shrinking {
        fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
            let number: usize = match request {
                Request::Follow(link) => link.rsplit_once('=').unwrap().1.parse().unwrap(),
                _ => 1,
            };
            let mut ids = self.ids.lock().unwrap();
            let records = ids.iter().skip((number - 1) * 100).take(100).map(|id| Record {
                id: Some(RecordId::new(&id.to_string())),
                updated_at: from_millis(5),
                created_at: None,
                rev: None,
                deleted: false,
                json: Bytes::from_static(b"{}"),
            });
            let records: Vec<_> = records.collect();
            let ends = number * 100 >= ids.len() && self.ends;
            let next = if ends { Next::End } else { Next::More(format!("/v1/things?page={}", number + 1)) };
            let mut requests = self.requests.lock().unwrap();
            *requests += 1;
            if self.deletes_after.contains(&requests) {
                ids.remove(0);
            }
            Box::pin(std::future::ready(Ok(Page { records, next, total: None, server_time: None, bytes: 0 })))
        }
    }

    fn read(pages: &Shrinking) -> Result<HashSet<String>, WalkError> {
        read_window(pages, Window::new(from_millis(0).unwrap(), from_millis(10).unwrap()).unwrap())
    }

    fn read_window(pages: &Shrinking, window: Window) -> Result<HashSet<String>, WalkError> {
        let list = ListSource { path: "/v1/things".to_owned(), query: Default::default() };
        let mut walk = ListWalk::new(&[list], 100, window, Scope::Window)?;
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
    fn pages_of_records_that_are_not_wanted_do_not_end_the_list() {
        let pages = Shrinking::new(2_000, &[]);
        let before = Window::new(from_millis(0).unwrap(), from_millis(5).unwrap()).unwrap();
        assert_eq!(read_window(&pages, before).unwrap().len(), 0);
        assert_eq!(*pages.requests.lock().unwrap(), 40, "two passes over all pages");
    }

    #[test]
    fn a_list_without_end_is_given_up() {
        let endless = Shrinking { ends: false, ..Shrinking::new(550, &[]) };
        assert!(matches!(read(&endless), Err(WalkError::NoEnd { .. })));
    }
}
