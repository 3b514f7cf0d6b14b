//! Walking page lists: the union of several lists, each read to its stated end.
//!
//! The rule: a page list is not a snapshot. A record that is deleted while we read moves the others
//! one place forward, past the page boundary (API reference, section 8). So a list of more than one
//! page is read again until a pass finds no further record; a list of one page is taken at one instant.
//! A record that only changed meanwhile was not missed, and one that changed after the window is the next
//! run's: on a busy list there is always one, and no number of passes would bring an end. A list that is
//! wanted whole is not believed while its pages hold more records than were ever seen: then they come in
//! another order each time, and some came twice while others did not come at all.

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
const MOST_PASSES: u32 = 12;
/// A list that brings nothing new from the second pass to this one has some records twice, rather than others not yet.
const SURE_PASSES: u32 = 4;
/// Pages without a record that is new in their pass, in a row, after which a list has no end.
const MOST_STALE_PAGES: u32 = 5;
/// Pages in a row after which a list has no end, whatever they hold: at 100 records a page, twenty million of them.
pub(super) const MOST_PAGES: u32 = 200_000;

/// A walk over lists.
#[derive(Debug)]
pub struct ListWalk {
    lists: Vec<Source>,
    page_size: u32,
    window: Window,
    scope: Scope,
    at: Position,
    /// Each record as it was last seen, by a 128-bit fingerprint: ids may be long.
    seen: HashMap<u128, Seen>,
}

/// How a record was last seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    updated_at: Option<DateTime<Utc>>,
    pass: u32,
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
    /// Records that the passes between the first one and this one found.
    found_late: u64,
    /// Records of this pass, as often as they came, but for pages that only repeat others.
    served_in_pass: usize,
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
    /// Records of the page that no page before it had in this pass, wanted or not.
    unseen: usize,
}

impl Position {
    const fn start_of(list: usize) -> Self {
        Self { list, pass: 1, page: 1, next: None, found_in_pass: 0, found_late: 0, served_in_pass: 0, stale_pages: 0 }
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
        if unseen > 0 {
            self.at.served_in_pass += count;
        }
        self.advance(next, unseen == 0)?;
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

    fn advance(&mut self, next: Rest, stale: bool) -> Result<(), WalkError> {
        let request = match next {
            Rest::Stated(request) => Some(request),
            Rest::Attempt(request) if !stale => Some(request),
            Rest::Attempt(_) | Rest::End => None,
        };
        match request {
            Some(request) => {
                self.at.stale_pages = if stale { self.at.stale_pages + 1 } else { 0 };
                if self.at.stale_pages >= MOST_STALE_PAGES || self.at.page == MOST_PAGES {
                    return Err(self.no_end());
                }
                self.at.page += 1;
                self.at.next = Some(request);
            }
            None if self.at.page == 1 || self.is_complete() => {
                self.at = Position::start_of(self.at.list + 1);
                self.seen.clear();
            }
            None if self.at.pass == MOST_PASSES => return Err(self.no_end()),
            None => {
                let found_late = if self.at.pass > 1 { self.at.found_late + self.at.found_in_pass } else { 0 };
                self.at = Position { pass: self.at.pass + 1, found_late, ..Position::start_of(self.at.list) };
            }
        }
        Ok(())
    }

    /// Whether the pass that ends now is the last one.
    fn is_complete(&self) -> bool {
        let found_nothing = self.at.pass > 1 && self.at.found_in_pass == 0;
        let saw_all = self.scope == Scope::Window || self.seen.len() >= self.at.served_in_pass;
        let repeats_some = self.at.found_late == 0 && self.at.pass >= SURE_PASSES;
        found_nothing && (saw_all || repeats_some)
    }

    fn fresh(&mut self, page: Page) -> Fresh {
        let (mut records, mut unseen) = (Vec::new(), 0);
        for record in page.records {
            let inside = record.updated_at.is_none_or(|updated_at| self.window.contains(updated_at));
            let wanted = inside || self.scope == Scope::Whole;
            let now = Seen { updated_at: record.updated_at, pass: self.at.pass };
            let before = self.seen.insert(fingerprint(&record), now);
            unseen += usize::from(before.is_none_or(|before| before.pass < now.pass));
            self.at.found_in_pass += u64::from(wanted && before.is_none());
            if wanted && before.is_none_or(|before| before.updated_at != record.updated_at) {
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
pub(super) fn fingerprint(record: &Record) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        match &record.id {
            Some(id) => (salt, id).hash(&mut hasher),
            None => (salt, &record.resource).hash(&mut hasher),
        }
        hasher.finish()
    };
    u128::from(half(0)) << 64 | u128::from(half(1))
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
