//! Walking a log of immutable entries, newest first.
//!
//! The rule: a log that is read from its newest entry on is complete only once its oldest one is
//! reached, so the window is cut into slices that are read one after the other, oldest first, each to
//! its stated end; what is complete grows slice by slice. Whether the service counts the bounds of a
//! slice in or out is not documented, so each slice is asked for with a second to spare on both
//! sides: an entry that comes twice is one entry by its id. (API reference, section 15.)

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::list::{MOST_PAGES, fingerprint};
use super::walk::{Read, WalkError};
use crate::api::{List, Next, Page, Pages, Path, Request, Slice};
use crate::window::{Window, text};

/// Entries that a slice should hold at most, so that little is read again after an interruption.
const MOST_ENTRIES: u64 = 20_000;
/// A slice is not cut further than this.
const SHORTEST: TimeDelta = TimeDelta::minutes(1);
/// What is asked for on either side of a slice.
const SPARE: TimeDelta = TimeDelta::seconds(1);
/// How much older than its slice a whole page must be for the links to have left the slice: entries are ordered
/// by their ids, which follow their times only roughly.
const FAR_BEFORE: TimeDelta = TimeDelta::hours(1);
/// Pages without an entry that is new in its slice, in a row, after which the log has no end.
const MOST_STALE_PAGES: u32 = 5;

/// A walk over a log.
#[derive(Debug)]
pub struct LogWalk {
    path: Path,
    page_size: u32,
    window: Window,
    /// Everything before it was given.
    reached: DateTime<Utc>,
    /// How long the next slice shall be.
    length: TimeDelta,
    slice: Option<Open>,
    totals: Totals,
}

/// What the service's totals are worth.
#[derive(Debug, Clone, Copy)]
enum Totals {
    /// They count the entries of a slice, as far as is known.
    Trusted,
    /// A slice of so many entries was cut: a shorter one must have fewer.
    Tried(u64),
    /// They count something else.
    Ignored,
}

/// A slice that is being read.
#[derive(Debug)]
struct Open {
    window: Window,
    next: Option<Request>,
    pages: u32,
    stale_pages: u32,
    /// The entries so far, by fingerprint.
    seen: HashSet<u128>,
}

impl LogWalk {
    pub(super) fn new(path: &str, page_size: u32, window: Window) -> Result<Self, WalkError> {
        let length = window.until() - window.from();
        let path = Path::parse(path)?;
        Ok(Self { path, page_size, window, reached: window.from(), length, slice: None, totals: Totals::Trusted })
    }

    pub(super) async fn next(&mut self, pages: &dyn Pages) -> Result<Option<Read>, WalkError> {
        loop {
            let Some(mut slice) = self.slice.take().or_else(|| self.cut()) else { return Ok(None) };
            let request = slice.next.take().unwrap_or_else(|| self.first_page(&slice.window));
            let page = pages.page(&request).await?;
            if slice.pages == 0 && self.is_too_long(&slice.window, page.total) {
                continue;
            }
            slice.pages += 1;
            let ends = self.ends(&mut slice, &page)?;
            if ends {
                self.reached = slice.window.until();
                // What was short can be longer: a log is not written evenly.
                self.length = self.length.checked_mul(2).unwrap_or(self.length);
            } else if let Next::More(link) = page.next {
                slice.next = Some(Request::Follow(link));
                self.slice = Some(slice);
            }
            return Ok(Some(Read::new(page.records, self.reached)));
        }
    }

    /// The next slice of the window.
    fn cut(&self) -> Option<Open> {
        let rest = self.window.since(self.reached)?;
        let window = rest.before(rest.from().checked_add_signed(self.length).unwrap_or(rest.until())).unwrap_or(rest);
        Some(Open { window, next: None, pages: 0, stale_pages: 0, seen: HashSet::new() })
    }

    fn first_page(&self, slice: &Window) -> Request {
        let bound = |name: &str, instant: DateTime<Utc>| (format!("filter[{name}]"), text(instant));
        let query = vec![bound("start", slice.from() - SPARE), bound("end", slice.until() + SPARE)];
        Request::List(List { path: self.path.clone(), query, slice: Slice::Count(self.page_size) })
    }

    /// Whether the slice should be cut.
    fn is_too_long(&mut self, slice: &Window, total: Option<u64>) -> bool {
        let length = slice.until() - slice.from();
        let before = std::mem::replace(&mut self.totals, Totals::Trusted);
        let Some(total) = total.filter(|total| *total > MOST_ENTRIES) else { return false };
        match before {
            Totals::Ignored => self.totals = Totals::Ignored,
            Totals::Tried(before) if before <= total => {
                (self.totals, self.length) = (Totals::Ignored, self.window.until() - self.window.from());
            }
            Totals::Tried(_) | Totals::Trusted => self.totals = Totals::Tried(total),
        }
        if matches!(self.totals, Totals::Ignored) || length <= SHORTEST {
            return false;
        }
        let parts = i32::try_from(total / MOST_ENTRIES + 1).unwrap_or(i32::MAX);
        self.length = (length / parts).max(SHORTEST);
        true
    }

    /// Whether the slice was read to its end: the service says so, or its links went on to what is older.
    fn ends(&self, slice: &mut Open, page: &Page) -> Result<bool, WalkError> {
        if page.next.is_end() {
            return Ok(true);
        }
        let before = slice.seen.len();
        slice.seen.extend(page.records.iter().map(fingerprint));
        slice.stale_pages = if slice.seen.len() == before { slice.stale_pages + 1 } else { 0 };
        if slice.stale_pages == MOST_STALE_PAGES || slice.pages == MOST_PAGES {
            return Err(WalkError::NoEnd { place: self.path.to_string(), window: slice.window });
        }
        let before = slice.window.from() - FAR_BEFORE;
        let is_older = |created_at: Option<DateTime<Utc>>| created_at.is_some_and(|created_at| created_at < before);
        Ok(!page.records.is_empty() && page.records.iter().all(|entry| is_older(entry.created_at)))
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
