//! Records that got another parent without any change of their own: after a merge of customers, the conversations of
//! one belong to the other, and no date of theirs tells (API reference, section 13).
//!
//! The rule: what moved records is a row of a table of ours, and every such row is followed once: the
//! records of the new parent are read again. Moves from before the oldest row was read are known to it
//! already; those that have not settled at the source are left to the next run.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;

use super::entity::{Load, Loaded};
use super::error::EntityError;
use super::family::Family;
use super::progress::Counted;
use super::reading::batch;
use super::tables::TableHome;
use crate::api::Index;
use crate::catalog::{Access, History, ListSource, MovedBy, SystemColumn};
use crate::extract::Walk;
use crate::lake::{Read, Table};
use crate::table::GivenValues;
use crate::window::Window;

/// The column that tells when something moved records.
const CREATED_AT: &str = "created_at";

/// Moves that are to be followed.
#[derive(Debug, Default)]
struct Moves {
    /// The new parents.
    parents: BTreeSet<String>,
    /// When the row of the last move was taken up; those after it wait.
    last: Option<DateTime<Utc>>,
}

/// A row of the table of moves.
#[derive(Debug, Clone)]
struct Move {
    taken_up: DateTime<Utc>,
    created_at: Option<DateTime<Utc>>,
    parent: String,
}

impl Load<'_> {
    /// Reads again the records that have moved to another parent; none if nothing has moved any.
    pub(super) async fn follow_moves(&self) -> Result<Option<Loaded>, EntityError> {
        let Some(moved_by) = self.job.entity.access.moved_by() else { return Ok(None) };
        let name = self.job.entity.name.as_str();
        let home = TableHome::find(self.shared.lake, name).await?;
        let told = TableHome::find(self.shared.lake, moved_by.entity.as_str()).await?;
        let (Some(own), Some(told)) = (home.table(), told.table()) else { return Ok(None) };
        let Moves { parents, last } = self.moves(own, told, moved_by).await?;
        let Some(last) = last else { return Ok(None) };
        // What has no rows has none that could have moved.
        if parents.is_empty() || home.rows().await? == Some(0) {
            self.shared.state.followed(name, last).await;
            return Ok(None);
        }
        let pages = Counted { pages: self.shared.pages, progress: self.progress };
        let (family, _) = self.open(self.job, &pages).await?;
        let mut under_way = self.under_way(family, None);
        let result = self.read_moved(&mut under_way.family, &parents, moved_by, &pages).await;
        if result.is_ok() {
            self.shared.state.followed(name, last).await;
        }
        Ok(Some(under_way.end(result)))
    }

    /// What has moved since the last time, up to what has not settled yet.
    async fn moves(&self, own: &Table, told: &Table, moved_by: &MovedBy) -> Result<Moves, EntityError> {
        let since = self.shared.state.moved(self.job.entity.name.as_str()).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let source = &self.shared.config.source;
        let margin = TimeDelta::from_std(source.settle.saturating_add(source.overlap)).unwrap_or(TimeDelta::MAX);
        let known = own.oldest(SystemColumn::ExtractedAt.name()).await?;
        let known = known.and_then(|oldest| oldest.checked_sub_signed(margin));
        let mut rows = rows_after(told, moved_by, since).await?;
        rows.sort_by_key(|row| row.taken_up);
        let unsettled = rows.iter().find(|row| row.created_at.is_some_and(|at| at >= self.shared.until));
        let end = unsettled.map(|row| row.taken_up);
        let mut moves = Moves::default();
        for row in rows.into_iter().filter(|row| end.is_none_or(|end| row.taken_up < end)) {
            moves.last = Some(row.taken_up);
            if row.created_at.zip(known).is_none_or(|(created_at, known)| created_at >= known) {
                moves.parents.insert(row.parent);
            }
        }
        Ok(moves)
    }

    async fn read_moved(
        &self,
        family: &mut Family,
        parents: &BTreeSet<String>,
        moved_by: &MovedBy,
        pages: &Counted<'_>,
    ) -> Result<(), EntityError> {
        let Some(window) = Window::new(DateTime::UNIX_EPOCH, self.shared.until) else { return Ok(()) };
        for parent in parents {
            for mut walk in walks(&self.job.entity.access, moved_by, parent, window)? {
                while let Some(read) = walk.next(pages).await? {
                    let records = batch(read, &GivenValues::default()).records;
                    family.loader.take(records, self.shared.time.now()).await?;
                    if family.loader.is_full() {
                        self.flush(family, None).await?;
                    }
                }
            }
        }
        self.flush(family, None).await
    }
}

/// Everything that belongs to a parent: in both indexes, or in the first one and a list of its own.
fn walks(access: &Access, moved_by: &MovedBy, parent: &str, window: Window) -> Result<Vec<Walk>, EntityError> {
    let Access::Search { context, history, .. } = access else { return Ok(Vec::new()) };
    let search = |index| Walk::of_parent(context, index, &moved_by.attribute, parent, window);
    let mut walks = vec![search(Index::Live)];
    match (history, &moved_by.list) {
        (History::List { page_size, .. }, Some(path)) => {
            let list = ListSource { path: path.clone(), ..ListSource::default() };
            walks.push(Walk::below(&[list], *page_size, parent, window)?);
        }
        (History::Archive, _) => walks.push(search(Index::Archive)),
        (History::List { .. }, None) => {}
    }
    Ok(walks)
}

/// The rows that were taken up after an instant.
async fn rows_after(told: &Table, moved_by: &MovedBy, since: DateTime<Utc>) -> Result<Vec<Move>, EntityError> {
    let taken_up = SystemColumn::ExtractedAt.name();
    let columns = [moved_by.column.as_str(), CREATED_AT, taken_up];
    let mut rows = Vec::new();
    for file in told.files_after(taken_up, since).await? {
        let columns = Some(columns.map(str::to_owned).to_vec());
        let mut batches = told.read(&file, Read { columns, ..Read::default() }).await?;
        while let Some(batch) = batches.try_next().await? {
            let all = (0..batch.num_rows()).filter_map(|row| Move::of(&batch, &moved_by.column, row));
            rows.extend(all.filter(|row| row.taken_up > since));
        }
    }
    Ok(rows)
}

impl Move {
    fn of(batch: &RecordBatch, column: &str, row: usize) -> Option<Self> {
        let parents = batch.column_by_name(column)?.as_string_opt::<i32>()?;
        let instant = |name: &str| {
            let instants = batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
            instants.is_valid(row).then(|| instants.value(row)).and_then(DateTime::from_timestamp_micros)
        };
        let parent = parents.is_valid(row).then(|| parents.value(row).to_owned())?;
        Some(Self { taken_up: instant(SystemColumn::ExtractedAt.name())?, created_at: instant(CREATED_AT), parent })
    }
}
