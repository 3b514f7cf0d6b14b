//! Records that were marked as deleted first, and that the source has forgotten since.
//!
//! The rule: a row that is marked keeps its values only as long as the source keeps the record. No signal tells when that
//! ends, and no live record goes with it; so the rows that are marked are counted too, and where the source has fewer, they
//! are asked for by their ids, a bounded number of them a day. A source whose search hides deleted records has fewer
//! everywhere: there each of them has its turn.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::entity::Load;
use super::error::EntityError;
use super::matching::ranges;
use super::progress::Counted;
use crate::api::Deleted;
use crate::catalog::SystemColumn;
use crate::extract::{Census, Span, spans};
use crate::lake::{DataFile, Read, Table};
use crate::window::{Precision, Window};

/// Records that are asked for in one look at a table, at most.
const MOST_ASKED: usize = 100;
/// So few rows are asked for rather than counted once more.
const FEW: usize = 8;
/// Marked rows of one table that are kept in memory, at most.
const MOST_MARKED: usize = 500_000;

/// A row that is marked as deleted and still has its values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Marked {
    updated_at: DateTime<Utc>,
    id: String,
}

impl Load<'_> {
    /// Rows that are marked as deleted and whose record the source may have forgotten; in a window in which the table is
    /// complete.
    pub(super) async fn forgotten(
        &self,
        table: &Table,
        window: Window,
        personal: &BTreeSet<String>,
        pages: &Counted<'_>,
    ) -> Result<BTreeSet<String>, EntityError> {
        let Some(census) = Census::new(&self.job.entity.access, pages) else { return Ok(BTreeSet::new()) };
        let marked = self.marked(table, personal).await?;
        if marked.len() == MOST_MARKED {
            tracing::warn!(table = %table.name(), "so many rows are marked as deleted that not all of them are compared");
        }
        let spans = spans(&self.job.entity.access, window, self.shared.time.present());
        let mut open: Vec<(Span, &[Marked])> = spans.into_iter().map(|span| (span, within(&marked, &span))).collect();
        let mut suspects: Vec<&Marked> = Vec::new();
        while let Some((span, rows)) = open.pop().filter(|_| suspects.len() < MOST_ASKED) {
            if rows.is_empty() {
                continue;
            }
            let all = census.count(&span, Deleted::Included).await?;
            let live = census.count(&span, Deleted::Excluded).await?;
            let theirs = all.zip(live).map_or(0, |(all, live)| all.saturating_sub(live));
            match halves(&span, rows) {
                _ if theirs >= rows.len() as u64 => {}
                Some(halves) if theirs > 0 && rows.len() > FEW => open.extend(halves),
                _ => suspects.extend(rows),
            }
        }
        Ok(in_turn(&suspects, self.shared.time.now()).map(|row| row.id.clone()).collect())
    }

    /// The rows that are marked as deleted and still have their values, in the order of their updates.
    async fn marked(&self, table: &Table, personal: &BTreeSet<String>) -> Result<Vec<Marked>, EntityError> {
        let mut marked = Vec::new();
        let Some(key) = self.job.entity.key.first() else { return Ok(marked) };
        for file in table.files(key).await? {
            let rows = marked_rows(table, &file).await?;
            if rows.is_empty() {
                continue;
            }
            let cursor = self.job.entity.cursor.iter().chain([key]).chain(personal);
            let columns = cursor.filter(|name| table.schema().column_with_name(name).is_some()).cloned().collect();
            let read = Read { columns: Some(columns), rows: Some(ranges(&rows)), ..Read::default() };
            let mut batches = table.read(&file, read).await?;
            while let Some(batch) = batches.try_next().await? {
                marked.extend(self.with_values(&batch, key, personal));
            }
        }
        marked.truncate(MOST_MARKED);
        marked.sort();
        Ok(marked)
    }

    fn with_values(&self, batch: &RecordBatch, key: &str, personal: &BTreeSet<String>) -> Vec<Marked> {
        let ids: Option<&StringArray> = batch.column_by_name(key).and_then(|ids| ids.as_string_opt());
        let cursor = self.job.entity.cursor.as_ref().and_then(|cursor| batch.column_by_name(cursor));
        let instants: Option<&TimestampMicrosecondArray> =
            cursor.and_then(|cursor| cursor.as_primitive_opt::<TimestampMicrosecondType>());
        let Some((ids, instants)) = ids.zip(instants) else { return Vec::new() };
        let values: Vec<_> = personal.iter().filter_map(|name| batch.column_by_name(name)).collect();
        let has_values = |row: &usize| values.iter().any(|column| column.is_valid(*row));
        let known = |row: &usize| ids.is_valid(*row) && instants.is_valid(*row);
        let rows = (0..batch.num_rows()).filter(known).filter(has_values);
        rows.filter_map(|row| {
            let updated_at = DateTime::from_timestamp_micros(instants.value(row))?;
            Some(Marked { updated_at, id: ids.value(row).to_owned() })
        })
        .collect()
    }
}

/// The numbers of the rows that are marked as deleted.
async fn marked_rows(table: &Table, file: &DataFile) -> Result<Vec<u64>, EntityError> {
    let read = Read { columns: Some(vec![SystemColumn::Deleted.name().to_owned()]), ..Read::default() };
    let (mut batches, mut rows, mut first) = (table.read(file, read).await?, Vec::new(), 0);
    while let Some(batch) = batches.try_next().await? {
        let marks: Option<&BooleanArray> = batch.columns().first().and_then(|marks| marks.as_boolean_opt());
        let marks = marks.map(|marks| marks.iter().collect::<Vec<_>>()).unwrap_or_default();
        rows.extend((first..).zip(marks).filter(|(_, mark)| *mark == Some(true)).map(|(row, _)| row));
        first += batch.num_rows() as u64;
    }
    Ok(rows)
}

/// Those of these rows, which are in the order of their updates, that were updated in the span.
fn within<'a>(rows: &'a [Marked], span: &Span) -> &'a [Marked] {
    let at = |instant| rows.partition_point(|row| row.updated_at < instant);
    rows.get(at(span.window.from())..at(span.window.until())).unwrap_or_default()
}

/// The span, cut where half of its rows are; nothing if all of them are in one second.
fn halves<'a>(span: &Span, rows: &'a [Marked]) -> Option<[(Span, &'a [Marked]); 2]> {
    let middle = Precision::Second.floor(rows.get(rows.len() / 2)?.updated_at);
    let parts = [Window::new(span.window.from(), middle)?, Window::new(middle, span.window.until())?];
    Some(parts.map(|window| Span { window, ..*span }).map(|part| (part, within(rows, &part))))
}

/// As many of the rows as may be asked for, other ones each day until all had their turn.
fn in_turn<'a>(rows: &'a [&Marked], now: DateTime<Utc>) -> impl Iterator<Item = &'a Marked> {
    let day = usize::try_from(now.timestamp().div_euclid(86_400)).unwrap_or_default();
    let first = day.wrapping_mul(MOST_ASKED) % rows.len().max(1);
    rows.iter().copied().cycle().skip(first).take(MOST_ASKED.min(rows.len()))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::extract::Shelf;

    fn marked(seconds: &[i64]) -> Vec<Marked> {
        let row = |(number, second): (usize, &i64)| Marked {
            updated_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(*second),
            id: format!("{number:024x}"),
        };
        seconds.iter().enumerate().map(row).collect()
    }

    #[test]
    fn halves_have_all_rows_and_one_second_is_not_cut() {
        let window = Window::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::seconds(100)).unwrap();
        let span = Span { shelf: Shelf::Live, window };
        let rows = marked(&[3, 5, 5, 5, 80]);
        let [(before, left), (after, right)] = halves(&span, &rows).unwrap();
        assert_eq!((left.len(), right.len()), (1, 4));
        assert_eq!((before.window.until(), after.window.until()), (after.window.from(), window.until()));
        let second = Window::new(rows[1].updated_at, rows[1].updated_at + TimeDelta::seconds(1)).unwrap();
        assert!(halves(&Span { window: second, ..span }, &rows[1..4]).is_none());
    }

    #[test]
    fn each_row_has_its_turn_within_as_many_days_as_it_takes() {
        let rows = marked(&(0..250).collect::<Vec<_>>());
        let rows: Vec<&Marked> = rows.iter().collect();
        let days = (0..3).map(|day| DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + day));
        let asked: Vec<BTreeSet<_>> = days.map(|day| in_turn(&rows, day).collect()).collect();
        assert!(asked.iter().all(|asked| asked.len() == MOST_ASKED));
        assert_eq!(asked.iter().flatten().collect::<BTreeSet<_>>().len(), 250);
        assert_eq!(in_turn(&[], DateTime::UNIX_EPOCH).count(), 0);
    }
}
