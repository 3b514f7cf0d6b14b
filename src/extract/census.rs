//! Where a table and its source differ, found by counting on both sides.
//!
//! The rule: a span of `updated_at` that counts the same on both sides is left; one that does not is cut into parts that
//! cover it without a gap, until a part is small enough to be listed. So what is asked depends on how much differs, not on
//! how much there is. Two differences that make up for each other in one span are not seen, which is why no span that is
//! counted as one is larger than the caller allows.
//!
//! Counted are records that are not marked as deleted: a delete that moves no date (API reference, section 12) shows as a
//! difference, wherever deleted records are hidden or not.

use chrono::{DateTime, TimeDelta, Utc};

use super::plan::{Place, Present, Progress, Step, zone};
use super::search::{PAGE_SIZE, Subject};
use super::walk::{Walk, WalkError};
use crate::api::{Deleted, Index, Pages};
use crate::catalog::{Access, History};
use crate::window::{Precision, Window};

/// A span of so many pages is listed: to count its parts would take about as many requests.
const LISTED_PAGES: u64 = 3;
/// Into how many parts a span is cut at once, at most.
const MOST_PARTS: u64 = 64;
/// Slices of time by which the rows of a span are counted.
const SLICES: u64 = 1024;

/// The index that holds the records of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Search.
    Live,
    /// The archive search.
    Archive,
    /// One of them or both: the boundary between them is here.
    Boundary,
}

/// A part of cursor time that is counted as one; its bounds are whole seconds, since an index may know no finer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where its records are.
    pub shelf: Shelf,
    /// Their `updated_at`.
    pub window: Window,
}

/// What to do about a span that was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Findings {
    /// Both sides have as many records.
    Same,
    /// They differ, and it is listed.
    List,
    /// They differ, and it is cut into about so many parts.
    Cut(u64),
}

/// Counts and lists the records of one entity.
#[derive(Debug)]
pub struct Census<'a> {
    access: &'a Access,
    context: &'a str,
    pages: &'a dyn Pages,
}

/// The spans of a window: all of it that an index can count.
///
/// What was not updated for two years is left out where only a page list has it, which cannot count.
#[must_use]
pub fn spans(access: &Access, window: Window, now: Present) -> Vec<Span> {
    let Access::Search { history, .. } = access else { return Vec::new() };
    let second = |instant| Precision::Second.floor(instant);
    let (begins, end) = zone(now);
    let (begins, end) = (second(begins), second(end));
    // Rounded inwards: a second of which only a part is wanted is not compared.
    let first = second(window.from() + TimeDelta::milliseconds(999));
    let Some(window) = Window::new(first, second(window.until())) else { return Vec::new() };
    let span = |shelf| move |window| Span { shelf, window };
    let (old, boundary) = match history {
        History::Archive => (window.before(begins), window.since(begins).and_then(|rest| rest.before(end))),
        History::List { .. } => (None, None),
    };
    let (old, boundary) = (old.map(span(Shelf::Archive)), boundary.map(span(Shelf::Boundary)));
    [old, boundary, window.since(end).map(span(Shelf::Live))].into_iter().flatten().collect()
}

/// What to do about a span in which the table has `ours` records and the source `theirs`, if it can tell.
#[must_use]
pub fn findings(span: &Span, ours: u64, theirs: Option<u64>) -> Findings {
    let Some(theirs) = theirs else { return Findings::List };
    let difference = ours.abs_diff(theirs);
    if difference == 0 {
        return Findings::Same;
    }
    let pages = theirs.div_ceil(u64::from(PAGE_SIZE));
    let is_a_second = span.window.until() - span.window.from() <= TimeDelta::seconds(1);
    if pages <= LISTED_PAGES || is_a_second {
        return Findings::List;
    }
    // As many parts as there are differences, so that about every other one has none.
    Findings::Cut(difference.clamp(2, MOST_PARTS).min(pages))
}

impl<'a> Census<'a> {
    /// A census of what `access` searches; none of what is not searched.
    #[must_use]
    pub fn new(access: &'a Access, pages: &'a dyn Pages) -> Option<Self> {
        let Access::Search { context, .. } = access else { return None };
        Some(Self { access, context, pages })
    }

    fn subject(&self, index: Index) -> Subject {
        Subject { index, context: self.context.to_owned(), parent: None, only: None }
    }

    async fn count_in(&self, index: Index, window: &Window, deleted: Deleted) -> Result<Option<u64>, WalkError> {
        Ok(self.pages.page(&self.subject(index).count(window, deleted)).await?.total)
    }

    /// How many records of the span the source has; none if it does not tell.
    ///
    /// # Errors
    /// The source could not be asked.
    pub async fn count(&self, span: &Span, deleted: Deleted) -> Result<Option<u64>, WalkError> {
        match span.shelf {
            Shelf::Live => self.count_in(Index::Live, &span.window, deleted).await,
            Shelf::Archive => self.count_in(Index::Archive, &span.window, deleted).await,
            Shelf::Boundary => {
                let live = self.count_in(Index::Live, &span.window, deleted).await?;
                let archive = self.count_in(Index::Archive, &span.window, deleted).await?;
                // Where both have a record, the sum is too large, and the span is listed.
                Ok(live.zip(archive).map(|(live, archive)| live + archive))
            }
        }
    }

    /// The walks that together give every record of the span, deleted ones as far as the source shows them.
    ///
    /// # Errors
    /// A path of the catalogue that is no path.
    pub fn walks(&self, span: &Span) -> Result<Vec<Walk>, WalkError> {
        let places: &[Place] = match span.shelf {
            Shelf::Live => &[Place::Live],
            Shelf::Archive => &[Place::Archive],
            Shelf::Boundary => &[Place::Live, Place::Archive],
        };
        let step = |place: &Place| Step { place: *place, window: span.window, progress: Progress::None };
        places.iter().map(|place| Walk::begin(self.access, &step(place))).collect()
    }

    /// The walk over what was updated in a window of the present.
    ///
    /// # Errors
    /// A path of the catalogue that is no path.
    pub fn recent(&self, window: Window) -> Result<Walk, WalkError> {
        Walk::begin(self.access, &Step { place: Place::Live, window, progress: Progress::None })
    }
}

/// The rows of a span, counted by slices of time: tells where to cut it, in bounded memory.
#[derive(Debug, Clone)]
pub struct Histogram {
    span: Span,
    slice: TimeDelta,
    counts: Vec<u64>,
}

impl Histogram {
    /// One without rows.
    #[must_use]
    pub fn new(span: Span) -> Self {
        let seconds = u64::try_from((span.window.until() - span.window.from()).num_seconds()).unwrap_or(0).max(1);
        let slice = seconds.div_ceil(SLICES);
        let slices = usize::try_from(seconds.div_ceil(slice)).unwrap_or(1);
        let slice = TimeDelta::seconds(i64::try_from(slice).unwrap_or(i64::MAX));
        Self { span, slice, counts: vec![0; slices] }
    }

    /// The span.
    #[must_use]
    pub const fn span(&self) -> &Span {
        &self.span
    }

    /// Counts a row; its instant lies in the span.
    pub fn add(&mut self, instant: DateTime<Utc>) {
        let passed = (instant - self.span.window.from()).num_seconds() / self.slice.num_seconds().max(1);
        if let Some(count) = usize::try_from(passed).ok().and_then(|slice| self.counts.get_mut(slice)) {
            *count += 1;
        }
    }

    /// All rows.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// About `parts` parts of about as many rows each, with the rows of each; of as much time each, where there are fewer
    /// rows than that. A span that cannot be cut is its only part.
    #[must_use]
    pub fn cut(&self, parts: u64) -> Vec<(Span, u64)> {
        if self.total() < parts {
            return self.cut_by_time(parts);
        }
        let wanted = self.total().div_ceil(parts.max(1)).max(1);
        let (mut cut, mut from, mut rows) = (Vec::new(), self.span.window.from(), 0);
        let ends = std::iter::successors(Some(from + self.slice), |end| Some(*end + self.slice));
        for (count, end) in self.counts.iter().zip(ends) {
            // A full slice does not take its neighbours with it.
            if rows > 0 && rows + count > wanted && count * 2 > wanted {
                let before = end - self.slice;
                cut.extend(self.part(from, before, rows));
                (from, rows) = (before, 0);
            }
            rows += count;
            if rows >= wanted {
                cut.extend(self.part(from, end, rows));
                (from, rows) = (end, 0);
            }
        }
        cut.extend(self.part(from, self.span.window.until(), rows));
        cut
    }

    fn cut_by_time(&self, parts: u64) -> Vec<(Span, u64)> {
        let slices = usize::try_from((self.counts.len() as u64).div_ceil(parts.max(1))).unwrap_or(1).max(1);
        let (mut cut, mut from) = (Vec::new(), self.span.window.from());
        for counts in self.counts.chunks(slices) {
            let end = counts.iter().fold(from, |end, _| end + self.slice);
            cut.extend(self.part(from, end, counts.iter().sum()));
            from = end;
        }
        cut
    }

    fn part(&self, from: DateTime<Utc>, until: DateTime<Utc>, rows: u64) -> Option<(Span, u64)> {
        let window = Window::new(from, until.min(self.span.window.until()))?;
        Some((Span { window, ..self.span }, rows))
    }
}

#[cfg(test)]
#[path = "census_tests.rs"]
mod tests;
