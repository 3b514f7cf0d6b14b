//! Walking a window of the search API, anchored by value.
//!
//! The rule: every query begins at page 1 with `updated_at >= anchor`, where everything before the
//! anchor has been given. Nothing that moves while we read can push a record past us: an update takes
//! a record out of the window, to be read by the next run, and what stays keeps its place in the
//! order of values. Page numbers are used inside a group of equal timestamps only, see
//! [`super::tie`]. (API reference, sections 9.5 and 9.6.)

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::tie::Tie;
use super::walk::{Read, WalkError};
use crate::api::{Content, Criterion, Deleted, Index, Operator, Page, Pages, Record, RecordId, Request, Search, Total};
use crate::window::{Precision, Window};

/// The largest page that search gives (API reference, section 8).
pub(super) const PAGE_SIZE: u32 = 500;

/// What is searched.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) index: Index,
    pub(super) context: String,
    /// Search attribute that names a record's parent.
    pub(super) parent: Option<String>,
    /// What all records must have in common.
    pub(super) only: Option<Criterion>,
}

impl Subject {
    pub(super) fn attribute(&self, what: &str) -> String {
        format!("{}_{what}", self.context)
    }

    /// A query for one page, sorted by `updated_at`.
    pub(super) fn query(&self, all: Vec<Criterion>, none: Vec<Criterion>, page: u32) -> Request {
        Request::Search(self.search(all, none, page))
    }

    /// A query for the number of records in a window, with as little beside it as can be.
    pub(super) fn count(&self, window: &Window, deleted: Deleted) -> Request {
        let all = self.range("updated_at", window.from(), window.until()).to_vec();
        let whole = self.search(all, Vec::new(), 1);
        Request::Search(Search { page_size: 1, content: Content::IdsOnly, deleted, total: Total::Exact, ..whole })
    }

    fn search(&self, mut all: Vec<Criterion>, none: Vec<Criterion>, page: u32) -> Search {
        all.extend(self.only.clone());
        Search {
            index: self.index,
            context: self.context.clone(),
            all,
            none,
            sort_by: self.attribute("updated_at"),
            page,
            page_size: PAGE_SIZE,
            content: Content::Full,
            deleted: Deleted::Included,
            total: Total::Hint,
        }
    }

    /// `from <= attribute < until`.
    pub(super) fn range(&self, what: &str, from: DateTime<Utc>, until: DateTime<Utc>) -> [Criterion; 2] {
        let attribute = self.attribute(what);
        [Criterion::instant(&attribute, Operator::Gte, from), Criterion::instant(&attribute, Operator::Lt, until)]
    }
}

/// Which versions of which records were given, of those that may come again.
#[derive(Debug)]
pub(super) struct Given {
    window: Window,
    versions: HashSet<(RecordId, Option<DateTime<Utc>>)>,
}

impl Given {
    /// Keeps the records of the window that were not given yet, and remembers them. One without an id is always given.
    ///
    /// A record dated after the window was updated while we read: it belongs to the next run.
    pub(super) fn fresh(&mut self, records: Vec<Record>) -> Vec<Record> {
        let ours = |record: &Record| record.updated_at.is_none_or(|updated_at| self.window.contains(updated_at));
        let fresh = records.into_iter().filter(ours);
        let versions = &mut self.versions;
        fresh.filter(|record| record.id.clone().is_none_or(|id| versions.insert((id, record.updated_at)))).collect()
    }

    /// Forgets what cannot come again. Whole seconds are kept, since the index may know no finer ones.
    fn forget_before(&mut self, instant: DateTime<Utc>) {
        let begins = Precision::Second.floor(instant);
        self.versions.retain(|(_, updated_at)| updated_at.is_none_or(|updated_at| updated_at >= begins));
    }
}

/// A walk over one window of one context.
#[derive(Debug)]
pub struct SearchWalk {
    subject: Subject,
    window: Window,
    /// What is asked for: whole seconds, so that an index that knows no finer ones leaves nothing out.
    asked: Window,
    state: State,
    /// How finely the index tells timestamps apart: documented nowhere (API reference, section 9.4), so found out.
    precision: Precision,
    given: Given,
}

#[derive(Debug)]
enum State {
    /// Everything before the anchor was given.
    Anchored(DateTime<Utc>),
    /// A page full of one instant: it is read apart.
    Tied(Tie),
    Ended,
}

impl SearchWalk {
    pub(super) fn new(subject: Subject, window: Window) -> Self {
        let given = Given { window, versions: HashSet::new() };
        let asked = window.to_seconds();
        let state = State::Anchored(asked.from());
        Self { subject, window, asked, state, precision: Precision::Millisecond, given }
    }

    pub(super) async fn next(&mut self, pages: &dyn Pages) -> Result<Option<Read>, WalkError> {
        loop {
            match &mut self.state {
                State::Ended => return Ok(None),
                State::Anchored(anchor) => {
                    let anchor = *anchor;
                    let criteria = self.subject.range("updated_at", anchor, self.asked.until()).to_vec();
                    let page = pages.page(&self.subject.query(criteria, Vec::new(), 1)).await?;
                    return self.take(anchor, page).map(Some);
                }
                State::Tied(tie) => {
                    let anchor = tie.window().from();
                    if let Some(records) = tie.next(pages, &self.subject, &mut self.given).await? {
                        return Ok(Some(Read::new(records, self.reached(anchor))));
                    }
                    let (anchor, precision) = (tie.window().until(), tie.precision());
                    self.precision = precision;
                    self.go_on(anchor);
                    if matches!(self.state, State::Ended) {
                        return Ok(Some(Read::new(Vec::new(), self.window.until())));
                    }
                }
            }
        }
    }

    /// Takes a page that was asked for from `anchor` on, and decides where to go on.
    fn take(&mut self, anchor: DateTime<Utc>, page: Page) -> Result<Read, WalkError> {
        if page.next.is_end() {
            self.state = State::Ended;
            return Ok(Read::new(self.given.fresh(page.records), self.window.until()));
        }
        if page.records.is_empty() {
            return Err(WalkError::NoEnd { place: self.subject.context.clone(), window: self.window });
        }
        let last = self.last(&page.records)?;
        let records = self.given.fresh(page.records);
        if last > anchor {
            self.go_on(last);
        } else {
            self.state = State::Tied(Tie::new(self.subject.context.clone(), self.precision, anchor));
        }
        // What was asked for is a little more than the window, so that a page that is not the last may complete it.
        let complete = matches!(self.state, State::Ended);
        let reached = if complete { self.window.until() } else { self.reached(last.max(anchor)) };
        Ok(Read::new(records, reached))
    }

    /// The instant up to which a sorted page that is not the last is complete.
    ///
    /// A record dated outside what was asked for was updated after the index took it up; its date says nothing
    /// about its place.
    fn last(&mut self, records: &[Record]) -> Result<DateTime<Utc>, WalkError> {
        let (context, window) = (&self.subject.context, self.window);
        let dated = records.iter().filter_map(|record| record.updated_at);
        let mut last: Option<DateTime<Utc>> = None;
        for instant in dated.filter(|instant| self.asked.contains(*instant)) {
            if let Some(before) = last.filter(|before| instant < *before) {
                // Order may be lost within a second, where the index knows seconds only; never beyond.
                self.precision = Precision::Second;
                if Precision::Second.floor(before) > instant {
                    return Err(WalkError::Unsorted { context: context.clone(), window });
                }
            }
            last = last.max(Some(instant));
        }
        last.map(|last| self.precision.floor(last))
            .ok_or_else(|| WalkError::Undated { context: context.clone(), window })
    }

    fn go_on(&mut self, anchor: DateTime<Utc>) {
        self.given.forget_before(anchor);
        self.state = if anchor < self.window.until() { State::Anchored(anchor) } else { State::Ended };
    }

    /// What an anchor completes: whole seconds only, since the index may know no order within one.
    fn reached(&self, anchor: DateTime<Utc>) -> DateTime<Utc> {
        Precision::Second.floor(anchor).clamp(self.window.from(), self.window.until())
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
