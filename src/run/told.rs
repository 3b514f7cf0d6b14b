//! Deletes that another table tells of: the audit log names what was deleted, when no date of the record does (API
//! reference, section 12).
//!
//! The rule: what tells of a delete is a row of a table of ours, and every such row is followed once. It is a reason to ask
//! for the record by its id, no more; and only where its row says otherwise.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::entity::{Load, Loaded};
use super::error::EntityError;
use super::matching::{self, ranges};
use super::progress::Counted;
use super::tables::TableHome;
use crate::catalog::{DeletedBy, SystemColumn};
use crate::lake::{Read, Table};

/// Deletes that are to be followed.
#[derive(Debug, Default)]
struct Told {
    ids: BTreeSet<String>,
    /// When the row of the last one was taken up.
    last: Option<DateTime<Utc>>,
}

impl Load<'_> {
    /// Asks for the records that were told to be deleted; nothing if none was told whose row is not marked so.
    pub(super) async fn follow_deletes(&self) -> Result<Option<Loaded>, EntityError> {
        let Some(deleted_by) = self.job.entity.access.deleted_by() else { return Ok(None) };
        let name = self.job.entity.name.as_str();
        let home = TableHome::find(self.shared.lake, name).await?;
        let teller = TableHome::find(self.shared.lake, deleted_by.entity.as_str()).await?;
        let (Some(own), Some(teller)) = (home.table(), teller.table()) else { return Ok(None) };
        let since = self.shared.state.deletes_told(name).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let Told { ids, last } = told(teller, deleted_by, since).await?;
        let Some(last) = last else { return Ok(None) };
        let ids = self.live(own, &ids).await?;
        if ids.is_empty() {
            self.shared.state.deletes_followed(name, last).await;
            return Ok(None);
        }
        let pages = Counted { pages: self.shared.pages, progress: self.progress };
        let (family, _) = self.open(self.job, &pages).await?;
        let mut under_way = self.under_way(family, None);
        let result = async {
            let confirmed = self.confirm(&ids, &pages, &mut under_way.skipped).await?;
            self.mend(&mut under_way.family, confirmed).await?;
            self.shared.state.deletes_followed(name, last).await;
            Ok(())
        };
        let result = result.await;
        Ok(Some(under_way.end(result)))
    }

    /// Those of the ids whose rows are not marked as deleted.
    async fn live(&self, own: &Table, ids: &BTreeSet<String>) -> Result<BTreeSet<String>, EntityError> {
        let key = &self.job.entity.key;
        let Some(first) = key.first() else { return Ok(BTreeSet::new()) };
        let deleted = SystemColumn::Deleted.name();
        let mut live = BTreeSet::new();
        for file in own.files(first).await? {
            let rows = matching::rows_of(own, &file, key, first, ids).await?;
            if rows.is_empty() {
                continue;
            }
            let columns = Some(vec![first.clone(), deleted.to_owned()]);
            let read = Read { columns, rows: Some(ranges(&rows)), ..Read::default() };
            let mut batches = own.read(&file, read).await?;
            while let Some(batch) = batches.try_next().await? {
                let marks = batch.column_by_name(deleted).and_then(|marks| marks.as_boolean_opt()).cloned();
                let is_live = |row: usize| marks.as_ref().is_none_or(|marks| marks.is_null(row) || !marks.value(row));
                let numbers = (0..batch.num_rows()).filter(|row| is_live(*row)).map(|row| row as u64);
                live.extend(matching::texts(&batch, first, numbers));
            }
        }
        Ok(live)
    }
}

/// What the rows tell that were taken up after an instant.
async fn told(teller: &Table, deleted_by: &DeletedBy, since: DateTime<Utc>) -> Result<Told, EntityError> {
    let taken_up = SystemColumn::ExtractedAt.name();
    let columns = deleted_by.when.keys().map(String::as_str).chain([deleted_by.column.as_str(), taken_up]);
    let columns: Vec<_> = columns.map(str::to_owned).collect();
    let mut told = Told::default();
    for file in teller.files_after(taken_up, since).await? {
        let read = Read { columns: Some(columns.clone()), ..Read::default() };
        let mut batches = teller.read(&file, read).await?;
        while let Some(batch) = batches.try_next().await? {
            let instants = batch.column_by_name(taken_up);
            let instants = instants.and_then(|instants| instants.as_primitive_opt::<TimestampMicrosecondType>());
            let Some(instants) = instants else { continue };
            for row in (0..batch.num_rows()).filter(|row| instants.is_valid(*row)) {
                let Some(at) = DateTime::from_timestamp_micros(instants.value(row)).filter(|at| *at > since) else {
                    continue;
                };
                told.last = told.last.max(Some(at));
                if deleted_by.when.iter().all(|(column, text)| text_at(&batch, column, row) == Some(text.as_str())) {
                    told.ids.extend(text_at(&batch, &deleted_by.column, row).map(str::to_owned));
                }
            }
        }
    }
    Ok(told)
}

fn text_at<'a>(batch: &'a RecordBatch, column: &str, row: usize) -> Option<&'a str> {
    let texts = batch.column_by_name(column)?.as_string_opt::<i32>()?;
    texts.is_valid(row).then(|| texts.value(row))
}
