//! What a table and its source do not have in common.
//!
//! The rule: everything in the window that is not found to differ has been counted equal on both sides, or listed. What was
//! updated after the window is at the source with another date than in the table; it is asked for first and left out on
//! both sides. A row whose record is not listed is only a suspicion: the record may have changed meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet};

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt};

use super::entity::Load;
use super::error::EntityError;
use super::family::Family;
use super::progress::Counted;
use super::reading::batch;
use crate::api::{Deleted, Record};
use crate::catalog::SystemColumn;
use crate::config::Deletes;
use crate::extract::{Census, Findings, Histogram, Span, findings, spans};
use crate::lake::{Read, Table};
use crate::table::GivenValues;
use crate::window::Window;

/// Records updated after the window, at most: all of them are kept in memory.
const MOST_RECENT: usize = 500_000;
/// Records that are listed before they are looked up in the table.
const LISTED_AT_ONCE: usize = 50_000;

/// How closely a table is compared with its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closeness {
    /// For deletes: rows that are counted as one.
    Deletes,
    /// For differences of any kind: what can be counted as one is listed, because two differences in it may make up for
    /// each other.
    Everything,
}

impl Closeness {
    /// Rows that are counted as one, at most.
    pub(super) const fn rows(self) -> u64 {
        match self {
            Self::Deletes => 50_000,
            Self::Everything => 5_000,
        }
    }
}

/// What a table and its source do not have in common.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Rows of the window that are not marked as deleted.
    pub(super) rows: u64,
    /// Records that have no row.
    pub(super) missing: BTreeSet<String>,
    /// Rows of an older version than the source has, and rows that are wrongly marked, or not marked, as deleted.
    pub(super) outdated: BTreeSet<String>,
    /// Rows, not marked as deleted, whose record was not listed.
    pub(super) absent: BTreeSet<String>,
}

/// A record as it was listed.
#[derive(Clone, Copy)]
struct Listed {
    updated_at: Option<DateTime<Utc>>,
    deleted: bool,
}

/// A span, what the table has of it, and what the source has.
struct Compared {
    span: Span,
    ours: u64,
    theirs: Option<u64>,
}

/// The parts of a span, with what the table has of each, and what the source has of all, if that is known.
struct Parts {
    whole: Option<u64>,
    parts: Vec<(Span, u64)>,
}

/// One comparison.
pub(super) struct Survey<'a> {
    load: &'a Load<'a>,
    table: &'a Table,
    window: Window,
    census: Census<'a>,
    pages: &'a Counted<'a>,
    /// The share of rows that may be absent.
    share: f64,
    /// Records that were updated after the window.
    recent: HashSet<String>,
    found: Differences,
}

impl<'a> Survey<'a> {
    /// A comparison of what was updated in `window`; none of what is not searched.
    pub(super) async fn begin(
        load: &'a Load<'a>,
        table: &'a Table,
        window: Window,
        pages: &'a Counted<'a>,
    ) -> Result<Option<Self>, EntityError> {
        let Some(census) = Census::new(&load.job.entity.access, pages) else { return Ok(None) };
        let share = load.shared.config.source.reconcile.max_deletes;
        let (recent, found) = (HashSet::new(), Differences::default());
        let mut survey = Self { load, table, window, census, pages, share, recent, found };
        survey.list_recent().await?;
        Ok(Some(survey))
    }

    /// Finds the differences. Records that are listed on the way are taken by `family`, if there is one.
    pub(super) async fn differences(
        mut self,
        closeness: Closeness,
        family: Option<&mut Family>,
    ) -> Result<Differences, EntityError> {
        let spans = spans(&self.load.job.entity.access, self.window, self.load.shared.time.present());
        let histograms = self.histograms(&spans).await?;
        self.found.rows = histograms.iter().map(Histogram::total).sum();
        let (mut whole, mut listed) = (Vec::new(), Vec::new());
        for histogram in &histograms {
            let parts = histogram.cut(histogram.total().div_ceil(closeness.rows()).max(1));
            if parts.len() == 1 && closeness == Closeness::Everything {
                listed.push(*histogram.span());
            } else {
                whole.push(Parts { whole: None, parts });
            }
        }
        let mut open = self.counted(whole).await?;
        while !open.is_empty() {
            let mut cut = Vec::new();
            for Compared { span, ours, theirs } in open {
                match findings(&span, ours, theirs) {
                    Findings::Same => {}
                    Findings::List => listed.push(span),
                    Findings::Cut(parts) => cut.push((span, theirs, parts)),
                }
            }
            let spans: Vec<Span> = cut.iter().map(|(span, ..)| *span).collect();
            let mut parts = Vec::new();
            for (histogram, (span, theirs, wanted)) in self.histograms(&spans).await?.iter().zip(cut) {
                match histogram.cut(wanted) {
                    all if all.len() > 1 => parts.push(Parts { whole: theirs, parts: all }),
                    _ => listed.push(span),
                }
            }
            open = self.counted(parts).await?;
        }
        self.list(listed, family).await?;
        Ok(self.found)
    }

    /// The records that were updated after the window.
    async fn list_recent(&mut self) -> Result<(), EntityError> {
        // The source's clock may be ahead of what it has told us.
        let until = self.load.shared.time.present().latest + TimeDelta::days(1);
        let Some(window) = Window::new(self.window.until(), until) else { return Ok(()) };
        let mut walk = self.census.recent(window)?;
        while let Some(read) = walk.next(self.pages).await? {
            self.recent.extend(read.records.iter().filter_map(id).map(str::to_owned));
            if self.recent.len() > MOST_RECENT {
                return Err(EntityError::Behind { table: self.load.job.entity.name.clone(), most: MOST_RECENT });
            }
        }
        Ok(())
    }

    /// Counts the parts of spans at the source. Of a span whose own count is known, the last part needs no question.
    async fn counted(&self, groups: Vec<Parts>) -> Result<Vec<Compared>, EntityError> {
        let asked = groups.iter().flat_map(|Parts { whole, parts }| {
            let known = usize::from(whole.is_some() && parts.len() > 1);
            parts.iter().take(parts.len() - known).map(|(span, _)| *span)
        });
        let counts =
            futures::stream::iter(asked).map(|span| async move { self.census.count(&span, Deleted::Excluded).await });
        let counts: Vec<Option<u64>> =
            counts.buffered(self.load.shared.config.source.concurrency).try_collect().await?;
        let mut counts = counts.into_iter();
        let mut compared = Vec::new();
        for Parts { whole, parts } in groups {
            let mut rest = whole;
            let last = parts.len() - 1;
            for (at, (span, ours)) in parts.into_iter().enumerate() {
                let is_told = at == last && at > 0 && whole.is_some();
                let theirs = if is_told { rest } else { counts.next().flatten() };
                // What moved between two counts may leave less than nothing: then it is listed.
                rest = rest.zip(theirs).and_then(|(rest, theirs)| rest.checked_sub(theirs));
                compared.push(Compared { span, ours, theirs });
            }
        }
        Ok(compared)
    }

    /// The rows of these spans, which do not overlap, that are not marked as deleted.
    async fn histograms(&self, spans: &[Span]) -> Result<Vec<Histogram>, EntityError> {
        let mut histograms: Vec<_> = spans.iter().copied().map(Histogram::new).collect();
        if histograms.is_empty() {
            return Ok(histograms);
        }
        let mut order: Vec<usize> = (0..spans.len()).collect();
        let begin = |at: &usize| spans.get(*at).map(|span| span.window.from());
        order.sort_by_key(begin);
        self.visit(|id, updated_at, deleted| {
            let after = order.partition_point(|at| begin(at).is_some_and(|begin| begin <= updated_at));
            let at = after.checked_sub(1).and_then(|at| order.get(at)).copied();
            if let Some(histogram) = at.and_then(|at| histograms.get_mut(at))
                && !deleted
                && histogram.span().window.contains(updated_at)
                && !self.recent.contains(id)
            {
                histogram.add(updated_at);
            }
        })
        .await?;
        Ok(histograms)
    }

    /// Lists these spans, and looks up in the table what they hold.
    async fn list(&mut self, spans: Vec<Span>, mut family: Option<&mut Family>) -> Result<(), EntityError> {
        let (mut listed, mut windows) = (HashMap::new(), Vec::new());
        for span in spans {
            for mut walk in self.census.walks(&span)? {
                while let Some(read) = walk.next(self.pages).await? {
                    let of = |record: &Record| Listed { updated_at: record.updated_at, deleted: record.deleted };
                    listed.extend(read.records.iter().filter_map(|one| Some((id(one)?.to_owned(), of(one)))));
                    if let Some(family) = family.as_deref_mut() {
                        let records = batch(read, &GivenValues::default()).records;
                        self.load.take_again(family, records).await?;
                    }
                }
            }
            windows.push(span.window);
            if listed.len() >= LISTED_AT_ONCE {
                self.look_up(&mut listed, &mut windows).await?;
            }
        }
        self.look_up(&mut listed, &mut windows).await
    }

    async fn look_up(
        &mut self,
        listed: &mut HashMap<String, Listed>,
        windows: &mut Vec<Window>,
    ) -> Result<(), EntityError> {
        if windows.is_empty() {
            return Ok(());
        }
        windows.sort_by_key(Window::from);
        let allowed = self.allowed();
        let (mut outdated, mut absent) = (BTreeSet::new(), BTreeSet::new());
        self.visit(|id, updated_at, deleted| {
            if let Some(record) = listed.remove(id) {
                let is_newer = record.updated_at.is_some_and(|theirs| theirs > updated_at);
                if is_newer || (record.updated_at == Some(updated_at) && record.deleted != deleted) {
                    outdated.insert(id.to_owned());
                }
                return;
            }
            let after = windows.partition_point(|window| window.from() <= updated_at);
            let is_there = after.checked_sub(1).and_then(|at| windows.get(at));
            let is_there = is_there.is_some_and(|window| window.contains(updated_at));
            // One more than is allowed is enough to know.
            if is_there && !deleted && !self.recent.contains(id) && absent.len() as u64 <= allowed {
                absent.insert(id.to_owned());
            }
        })
        .await?;
        windows.clear();
        self.found.outdated.append(&mut outdated);
        self.found.absent.append(&mut absent);
        let keeps_deleted = self.load.job.pipeline.deletes == Deletes::Soft;
        let missing = listed.drain().filter(|(_, record)| keeps_deleted || !record.deleted).map(|(id, _)| id);
        self.found.missing.extend(missing);
        if self.found.absent.len() as u64 > allowed {
            let (table, rows) = (self.load.job.entity.name.clone(), self.found.rows);
            return Err(EntityError::TooManyDeletes { table, rows, allowed });
        }
        Ok(())
    }

    /// How many rows may be absent; of a table that is not empty, one at least.
    fn allowed(&self) -> u64 {
        allowed(self.found.rows, self.share)
    }

    /// Visits the rows that say when they were updated.
    async fn visit(&self, mut visit: impl FnMut(&str, DateTime<Utc>, bool)) -> Result<(), EntityError> {
        let entity = &self.load.job.entity;
        let (Some(key), Some(cursor)) = (entity.key.first(), &entity.cursor) else { return Ok(()) };
        let deleted = SystemColumn::Deleted.name();
        let columns = Some(vec![key.clone(), cursor.clone(), deleted.to_owned()]);
        for file in self.table.files("").await? {
            let mut batches = self.table.read(&file, Read { columns: columns.clone(), ..Read::default() }).await?;
            while let Some(batch) = batches.try_next().await? {
                let ids = batch.column_by_name(key).and_then(|ids| ids.as_string_opt::<i32>());
                let instants = batch.column_by_name(cursor);
                let instants = instants.and_then(|instants| instants.as_primitive_opt::<TimestampMicrosecondType>());
                let marks = batch.column_by_name(deleted).and_then(|marks| marks.as_boolean_opt());
                let (Some(ids), Some(instants)) = (ids, instants) else { continue };
                for row in (0..batch.num_rows()).filter(|row| ids.is_valid(*row) && instants.is_valid(*row)) {
                    let Some(instant) = DateTime::from_timestamp_micros(instants.value(row)) else { continue };
                    let deleted = marks.is_some_and(|marks| marks.is_valid(row) && marks.value(row));
                    visit(ids.value(row), instant, deleted);
                }
            }
        }
        Ok(())
    }
}

/// How many of so many rows one reconciliation may delete: the share, rounded up, so that a small table can lose a row.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count needs no more than the precision of a double, and is between 0 and the count"
)]
fn allowed(rows: u64, share: f64) -> u64 {
    (rows as f64 * share).ceil() as u64
}

fn id(record: &Record) -> Option<&str> {
    record.id.as_ref().map(crate::api::RecordId::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_a_small_table_is_one_row() {
        assert_eq!(allowed(0, 0.05), 0);
        assert_eq!(allowed(3, 0.05), 1);
        assert_eq!(allowed(1_000, 0.05), 50);
        assert_eq!(allowed(7, 1.0), 7);
    }
}
