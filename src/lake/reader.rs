//! Reading data files back: batch by batch, only the columns and rows asked for.
//!
//! The rule: at most one row group's chosen columns are held in memory, and every batch has the table's schema; a
//! column that is younger than the file is null.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::error::ArrowError;
use futures::stream::BoxStream;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, RowSelection};
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

use super::error::LakeError;
use super::stored_file::{Failing, StoredFile};
use super::table::{DataFile, Table};
use super::writer::on_cpu;

/// What to read of a file.
#[derive(Debug, Clone)]
pub struct Read {
    /// The columns by name, given in the table's order; all without it.
    pub columns: Option<Vec<String>>,
    /// Ranges of row numbers, counted from 0 over the whole file; all without it.
    pub rows: Option<Vec<Range<u64>>>,
    /// Rows of a batch, at most.
    pub batch_size: usize,
}

impl Default for Read {
    fn default() -> Self {
        Self { columns: None, rows: None, batch_size: 8192 }
    }
}

type FileStream = ParquetRecordBatchStream<StoredFile>;

impl Table {
    /// Streams the rows of `file`, a live file of this version, in the file's order.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] when the file is missing or cannot be decoded, [`LakeError::Unusable`]; both may also
    /// come in the stream, which ends after it.
    pub async fn read(
        &self,
        file: &DataFile,
        read: Read,
    ) -> Result<BoxStream<'static, Result<RecordBatch, LakeError>>, LakeError> {
        let output = self.projected(read.columns.as_deref())?;
        let failing = Failing::new(self, file);
        let policy = if read.rows.is_some() { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
        let options = ArrowReaderOptions::new().with_page_index_policy(policy);
        let opened = ParquetRecordBatchStreamBuilder::new_with_options(StoredFile::new(self, file)?, options).await;
        let builder = opened.map_err(|error| failing.error(&error))?;
        let names: Vec<&str> = output.fields().iter().map(|field| field.name().as_str()).collect();
        let present = names.into_iter().filter(|name| builder.schema().column_with_name(name).is_some());
        let mask = ProjectionMask::columns(builder.parquet_schema(), present);
        let total = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
        let mut builder = builder.with_projection(mask).with_batch_size(read.batch_size.max(1));
        if let Some(rows) = read.rows {
            builder = builder.with_row_selection(selection(rows, total));
        }
        let groups = builder.build().map_err(|error| failing.error(&error))?;
        Ok(Box::pin(futures::stream::try_unfold(Cursor { groups, open: None, output, failing }, Cursor::next)))
    }

    fn projected(&self, columns: Option<&[String]>) -> Result<SchemaRef, LakeError> {
        let Some(columns) = columns else {
            return Ok(Arc::clone(self.schema()));
        };
        let mut indices = Vec::with_capacity(columns.len());
        for name in columns {
            let found = self.schema().fields().find(name);
            let (index, _) =
                found.ok_or_else(|| LakeError::Internal(format!("table {}: no column {name}", self.name())))?;
            indices.push(index);
        }
        indices.sort_unstable();
        indices.dedup();
        let projected = self.schema().project(&indices);
        Ok(Arc::new(projected.map_err(|error| LakeError::Internal(error.to_string()))?))
    }
}

/// Where a stream of batches stands.
struct Cursor {
    groups: FileStream,
    open: Option<ParquetRecordBatchReader>,
    output: SchemaRef,
    failing: Failing,
}

impl Cursor {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>, LakeError> {
        loop {
            let Some(mut group) = self.open.take() else {
                self.open = self.groups.next_row_group().await.map_err(|error| self.failing.error(&error))?;
                if self.open.is_none() {
                    return Ok(None);
                }
                continue;
            };
            let (output, failing) = (Arc::clone(&self.output), self.failing.clone());
            let decode = move || {
                let batch = group.next().transpose().map_err(|error| failing.error(&ParquetError::from(error)))?;
                let batch = batch.map(|batch| conform(&batch, output)).transpose();
                Ok((group, batch.map_err(|error| failing.error(&ParquetError::from(error)))?))
            };
            if let (group, Some(batch)) = on_cpu(decode).await? {
                self.open = Some(group);
                return Ok(Some((batch, self)));
            }
        }
    }
}

/// The batch under the table's schema.
fn conform(batch: &RecordBatch, output: SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &FieldRef| -> Result<ArrayRef, ArrowError> {
        match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => arrow::compute::cast(column, field.data_type()),
        }
    };
    let columns = output.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(output, columns, &rows)
}

fn selection(mut ranges: Vec<Range<u64>>, total: usize) -> RowSelection {
    ranges.sort_by_key(|range| range.start);
    let mut end = 0;
    let apart = ranges.into_iter().filter_map(|range| {
        let at = |row: u64| usize::try_from(row).unwrap_or(total).min(total);
        let range = at(range.start).max(end)..at(range.end);
        end = end.max(range.end);
        (!range.is_empty()).then_some(range)
    });
    RowSelection::from_consecutive_ranges(apart, total)
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, StringArray};
    use arrow::datatypes::Int64Type;
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;
    use proptest::prelude::*;

    use super::*;
    use crate::lake::testing::{append, committed, create, memory, rows};

    #[tokio::test(flavor = "multi_thread")]
    async fn pages_that_cannot_hold_a_key_are_skipped() {
        let table = committed(append(&create(&memory()).await, &rows(0..50_000)).await);
        let file = table.files("id").await.unwrap().remove(0);
        let wanted = "row-00031415";
        let ranges = table.key_ranges(&file, "id").await.unwrap();
        assert!(ranges.len() > 1);
        let ranges: Vec<_> = ranges.into_iter().filter(|range| range.may_hold(wanted)).map(|r| r.rows).collect();
        assert_eq!(ranges.len(), 1);
        let read = Read { columns: Some(vec!["id".to_owned()]), rows: Some(ranges), batch_size: 1000 };
        let batches: Vec<RecordBatch> = table.read(&file, read).await.unwrap().try_collect().await.unwrap();
        let found = batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten());
        assert_eq!(found.filter(|id| *id == wanted).count(), 1);
        assert!(batches.iter().all(|batch| batch.num_columns() == 1 && batch.num_rows() <= 1000));
        assert!(batches.iter().map(RecordBatch::num_rows).sum::<usize>() < 50_000);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_row_is_found_by_its_number() {
        let table = committed(append(&create(&memory()).await, &rows(0..1000)).await);
        let file = table.files("id").await.unwrap().remove(0);
        let read = Read { rows: Some(vec![990..2000, 5..7, 6..8]), ..Read::default() };
        let batches: Vec<RecordBatch> = table.read(&file, read).await.unwrap().try_collect().await.unwrap();
        let counts = batches.iter().flat_map(|batch| batch.column(1).as_primitive::<Int64Type>().iter().flatten());
        assert_eq!(counts.collect::<Vec<_>>(), [5, 6, 7].into_iter().chain(990..1000).collect::<Vec<_>>());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_missing_or_broken_file_damages_its_table() {
        let lake = memory();
        let table = committed(append(&create(&lake).await, &rows(0..10)).await);
        let file = table.files("id").await.unwrap().remove(0);
        let path = lake.object(&format!("tags/{}", file.path)).unwrap();
        let size = usize::try_from(file.size).unwrap();
        lake.store().put(&path, vec![7; size].into()).await.unwrap();
        assert!(matches!(table.read(&file, Read::default()).await, Err(LakeError::Damaged { .. })));
        lake.store().delete(&path).await.unwrap();
        let Err(LakeError::Damaged { table, problem }) = table.key_ranges(&file, "id").await else { panic!("read") };
        assert!(table == "tags" && problem.ends_with("is missing"), "{problem}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn long_keys_stay_within_their_bounds() {
        let table = create(&memory()).await;
        let keys: Vec<String> = ["a", "z"].iter().map(|key| key.repeat(200)).collect();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from(keys.clone())), Arc::new(arrow::array::Int64Array::from(vec![1, 2]))];
        let batch = RecordBatch::try_new(Arc::clone(table.schema()), columns).unwrap();
        let table = committed(append(&table, &batch).await);
        let file = table.files("id").await.unwrap().remove(0);
        let ranges = table.key_ranges(&file, "id").await.unwrap();
        assert!(keys.iter().all(|key| file.may_hold(key) && ranges.iter().any(|range| range.may_hold(key))));
    }

    proptest! {
        #[test]
        fn a_selection_is_the_union_of_its_ranges(ranges in prop::collection::vec((0_u64..60, 0_u64..60), 0..8)) {
            let total = 50;
            let wanted = (0..50_u64).filter(|row| ranges.iter().any(|(from, to)| from <= row && row < to)).count();
            let ranges = ranges.into_iter().map(|(from, to)| from..to).collect();
            prop_assert_eq!(selection(ranges, total).row_count(), wanted);
        }
    }
}
