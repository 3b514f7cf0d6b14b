//! Walking page lists: the union of several lists, each read to its stated end.
//!
//! The rule: a page list is not a snapshot. A record that is deleted while we read moves the others
//! one place forward, past the page boundary (API reference, section 8). So a list of more than one
//! page is read again until a pass finds no further record; a list of one page is taken at one instant.
//! A record that only changed meanwhile was not missed, and one that changed after the window is the next
//! run's: on a busy list there is always one, and no number of passes would bring an end.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::aside::{Aside, parts};
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
    lists: Vec<Source>,
    page_size: u32,
    window: Window,
    scope: Scope,
    at: Position,
    /// When each record was updated, as last seen, by a 128-bit fingerprint: ids may be long.
    seen: HashMap<u128, Option<DateTime<Utc>>>,
}

/// A list, and what it says of its records by being the one that holds them.
#[derive(Debug)]
struct Source {
    list: List,
    implies: Arc<BTreeMap<String, String>>,
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
    found_in_pass: u64,
    stale_pages: u32,
}

/// How a list goes on.
enum Rest {
    End,
    /// As the answer says.
    Stated(Request),
    /// The answer does not say: a page beyond the end may be empty, or repeat another one.
    Attempt(Request),
}

/// What a page adds to the pages before it.
struct Fresh {
    /// Those that are wanted and were not given in this version.
    records: Vec<Record>,
    /// Records of the page that no page before it had, wanted or not.
    unseen: usize,
}

impl Position {
    const fn start_of(list: usize) -> Self {
        Self { list, pass: 1, page: 1, next: None, found_in_pass: 0, stale_pages: 0 }
    }
}

impl ListWalk {
    pub(super) fn new(lists: &[ListSource], page_size: u32, window: Window, scope: Scope) -> Result<Self, WalkError> {
        Self::over(lists, &[], page_size, window, scope)
    }

    /// The lists of one record, whose id stands in their paths.
    pub(super) fn below(lists: &[ListSource], page_size: u32, id: &str, window: Window) -> Result<Self, WalkError> {
        Self::over(lists, &[("id", id)], page_size, window, Scope::Whole)
    }

    fn over(
        lists: &[ListSource],
        values: &[(&str, &str)],
        page_size: u32,
        window: Window,
        scope: Scope,
    ) -> Result<Self, WalkError> {
        let source = |list: &ListSource| {
            let query = list.query.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            let slice = Slice::Page { page: 1, size: page_size };
            let path = Path::expand(&list.path, values)?;
            Ok::<_, WalkError>(Source { list: List { path, query, slice }, implies: Arc::new(list.implies.clone()) })
        };
        let lists = lists.iter().map(source).collect::<Result<_, _>>()?;
        Ok(Self { lists, page_size, window, scope, at: Position::start_of(0), seen: HashMap::new() })
    }

    pub(super) async fn next(&mut self, pages: &dyn Pages) -> Result<Option<Read>, WalkError> {
        let Some(source) = self.lists.get(self.at.list) else { return Ok(None) };
        let implies = Arc::clone(&source.implies);
        let request = self.at.next.take().unwrap_or_else(|| Request::List(source.list.clone()));
        let mut page = pages.page(&request).await?;
        let (next, count) = (self.stated(&page), page.records.len());
        let included = std::mem::take(&mut page.included);
        let Fresh { records, unseen } = self.fresh(page);
        self.advance(next, unseen == 0, count == 0)?;
        let reached = if self.at.list == self.lists.len() { self.window.until() } else { self.window.from() };
        let mut read = Read::new(records, reached);
        if !included.is_empty() || !implies.is_empty() {
            let aside = |parts| Aside { implies: Arc::clone(&implies), included: parts };
            read.asides = parts(&read.records, &included).into_iter().map(aside).collect();
        }
        Ok(Some(read))
    }

    /// What the page says of the rest. Where it says nothing, a full page is followed by the next one, until one
    /// is not full or holds nothing new.
    fn stated(&self, page: &Page) -> Rest {
        match &page.next {
            Next::End => Rest::End,
            Next::More(link) => Rest::Stated(Request::Follow(link.clone())),
            Next::Unstated if page.records.len() < self.page_size as usize => Rest::End,
            Next::Unstated => {
                let Some(source) = self.lists.get(self.at.list) else { return Rest::End };
                let slice = Slice::Page { page: self.at.page + 1, size: self.page_size };
                Rest::Attempt(Request::List(List { slice, ..source.list.clone() }))
            }
        }
    }

    fn advance(&mut self, next: Rest, stale: bool, empty: bool) -> Result<(), WalkError> {
        let request = match next {
            Rest::Stated(request) => Some(request),
            Rest::Attempt(request) if !stale || self.at.pass > 1 => Some(request),
            Rest::Attempt(_) | Rest::End => None,
        };
        match request {
            Some(request) => {
                self.at.stale_pages = if (stale && self.at.pass == 1) || empty { self.at.stale_pages + 1 } else { 0 };
                if self.at.stale_pages >= MOST_STALE_PAGES {
                    return Err(self.no_end());
                }
                self.at.page += 1;
                self.at.next = Some(request);
            }
            None if self.at.page == 1 || (self.at.pass > 1 && self.at.found_in_pass == 0) => {
                self.at = Position::start_of(self.at.list + 1);
                self.seen.clear();
            }
            None if self.at.pass == MOST_PASSES => return Err(self.no_end()),
            None => {
                self.at = Position { pass: self.at.pass + 1, ..Position::start_of(self.at.list) };
            }
        }
        Ok(())
    }

    fn fresh(&mut self, page: Page) -> Fresh {
        let (mut records, mut unseen) = (Vec::new(), 0);
        for record in page.records {
            let inside = record.updated_at.is_none_or(|updated_at| self.window.contains(updated_at));
            let wanted = inside || self.scope == Scope::Whole;
            let before = self.seen.insert(fingerprint(&record), record.updated_at);
            if before.is_none() {
                unseen += 1;
                self.at.found_in_pass += u64::from(wanted);
            }
            if wanted && before != Some(record.updated_at) {
                records.push(record);
            }
        }
        Fresh { records, unseen }
    }

    fn no_end(&self) -> WalkError {
        let place = self.lists.get(self.at.list).map_or_else(String::new, |source| source.list.path.to_string());
        WalkError::NoEnd { place, window: self.window }
    }
}

/// A record is recognised by its id; one without, by all that it says.
fn fingerprint(record: &Record) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        match &record.id {
            Some(id) => (salt, id).hash(&mut hasher),
            None => (salt, &record.json).hash(&mut hasher),
        }
        hasher.finish()
    };
    u128::from(half(0)) << 64 | u128::from(half(1))
}

#[cfg(test)]
mod tests {
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
            let records = ids.iter().skip((number - 1) * 100).take(100).map(|id| Record {
                id: Some(RecordId::new(&id.to_string())),
                updated_at: from_millis(if *id >= self.recent_from || moved(*id) { 20 } else { 5 }),
                created_at: None,
                rev: None,
                deleted: false,
                json: Bytes::from_static(b"{}"),
            });
            let records: Vec<_> = records.collect();
            let ends = number * 100 >= ids.len() && self.ends;
            let next = if ends { Next::End } else { Next::More(format!("/v1/things?page={}", number + 1)) };
            if self.deletes_after.contains(&requests) {
                ids.remove(0);
            }
            Box::pin(std::future::ready(Ok(Page {
                records,
                included: Vec::new(),
                next,
                total: None,
                server_time: None,
                bytes: 0,
            })))
        }
    }

    fn read(pages: &Shrinking) -> Result<HashSet<String>, WalkError> {
        let list = ListSource { path: "/v1/things".to_owned(), ..ListSource::default() };
        let window = Window::new(from_millis(0).unwrap(), from_millis(10).unwrap()).unwrap();
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
}
