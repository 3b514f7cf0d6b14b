//! One new data file: batches in, Parquet out to the store, statistics beside it.
//!
//! The rule: memory is bounded whatever the file's size, and the file is no part of the table before a commit names it.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::path::Path;

use super::copied::CopiedChunk;
use super::delta::FileStats;
use super::encoder::{Encoder, internal};
use super::error::LakeError;
use super::store::path_of;
use super::table::Table;
use super::upload::Upload;
use crate::cpu::{Aborted, off_thread};

/// A data file that is stored but not yet part of the table.
#[derive(Debug, Clone)]
pub struct WrittenFile {
    /// Relative to the table's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows, at least one.
    pub rows: u64,
    pub(super) written_at: DateTime<Utc>,
    pub(super) stats: FileStats,
}

/// Writes one data file.
#[derive(Debug)]
pub struct DataFileWriter {
    table: Table,
    schema: SchemaRef,
    path: String,
    upload: Upload,
    /// Absent once a batch could not be encoded: the file cannot be finished then.
    encoder: Option<Encoder>,
    rows: u64,
}

impl DataFileWriter {
    /// A writer for a file of `table` whose columns are the table's and then `add_columns`, sorted by `sort_key`.
    pub(super) fn new(table: &Table, add_columns: &[FieldRef], sort_key: &[&str]) -> Result<Self, LakeError> {
        let fields: Vec<FieldRef> = table.schema().fields().iter().chain(add_columns).cloned().collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        Self::with_encoder(table, Encoder::new(table, &schema, add_columns, sort_key)?)
    }

    /// A writer for a file of `table` that is encoded so.
    pub(super) fn with_encoder(table: &Table, encoder: Encoder) -> Result<Self, LakeError> {
        let path = format!("{}.parquet", table.lake().entropy().unique());
        let location = location(table, &path)?;
        let upload = Upload::new(Arc::clone(table.lake().store()), location);
        let schema = Arc::clone(encoder.schema());
        Ok(Self { table: table.clone(), schema, path, upload, encoder: Some(encoder), rows: 0 })
    }

    /// The columns that each batch must have, in this order.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Bytes encoded so far, rows that wait for their row group estimated: the caller starts a new file by it.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.upload.len() + self.encoder.as_ref().map_or(0, Encoder::waiting)
    }

    /// Appends the rows of `batch`, which the caller has sorted.
    ///
    /// # Errors
    /// [`LakeError::Unusable`]; [`LakeError::Internal`] when the columns differ from [`Self::schema`] or a number is
    /// not finite. The file cannot be finished after either: [`Self::abort`] it.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        let batch = self.conform(batch)?;
        let rows = u64::try_from(batch.num_rows()).unwrap_or_default();
        self.advance(move |encoder| encoder.encode(&batch)).await?;
        self.rows += rows;
        Ok(())
    }

    /// Ends a row group, in a file whose other leaves are copied.
    pub(super) async fn end_group(&mut self, copied: Vec<CopiedChunk>) -> Result<(), LakeError> {
        self.advance(move |encoder| encoder.end_group(copied)).await
    }

    async fn advance(
        &mut self,
        work: impl FnOnce(Encoder) -> Result<(Encoder, Bytes), LakeError> + Send + 'static,
    ) -> Result<(), LakeError> {
        let encoder = self.encoder.take().ok_or_else(|| internal(self.table.name(), "a failed file was written to"))?;
        let (encoder, bytes) = on_cpu(move || work(encoder)).await?;
        self.send(bytes).await?;
        self.encoder = Some(encoder);
        Ok(())
    }

    /// Completes the file; nothing is stored when no row was written, or after an error.
    ///
    /// # Errors
    /// [`LakeError::Unusable`]; [`LakeError::Internal`] after a failed [`Self::write`].
    pub async fn finish(mut self) -> Result<Option<WrittenFile>, LakeError> {
        let stats = match self.close().await {
            Ok(Some(stats)) => stats,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.abort().await;
                return Err(error);
            }
        };
        let size = self.upload.len();
        let Self { table, path, upload, rows, .. } = self;
        upload.finish().await.map_err(|error| LakeError::store(format!("{}/{path}", table.name()), &error))?;
        Ok(Some(WrittenFile { path, size, rows, written_at: table.lake().clock().now(), stats }))
    }

    /// Encodes and sends what is left; gives the statistics if there is any row.
    async fn close(&mut self) -> Result<Option<FileStats>, LakeError> {
        let encoder = self.encoder.take().ok_or_else(|| internal(self.table.name(), "a failed file was finished"))?;
        if self.rows == 0 {
            return Ok(None);
        }
        let (bytes, stats) = on_cpu(move || encoder.close()).await?;
        self.send(bytes).await?;
        stats.map(Some).ok_or_else(|| internal(self.table.name(), "a file with rows has no statistics"))
    }

    /// Gives the file up and removes what was sent of it; a part that stays is removed by maintenance.
    pub async fn abort(self) {
        if let Err(error) = self.upload.abort().await {
            let problem = LakeError::store(format!("{}/{}", self.table.name(), self.path), &error).to_string();
            tracing::warn!(error = problem, "parts of an abandoned file remain");
        }
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), LakeError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sent = self.upload.push(bytes).await;
        sent.map_err(|error| LakeError::store(format!("{}/{}", self.table.name(), self.path), &error))
    }

    /// The batch under the file's own schema, so that field metadata are the table's.
    fn conform(&self, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
        let schema = batch.schema();
        let names = |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        if names(&schema) != names(&self.schema) {
            return Err(internal(self.table.name(), "a batch's columns are not the table's"));
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let conformed = RecordBatch::try_new_with_options(Arc::clone(&self.schema), batch.columns().to_vec(), &rows);
        conformed.map_err(|error| internal(self.table.name(), error))
    }
}

/// The key of the object at `path`, which is relative to the table's folder and escaped as the log has it.
pub(super) fn location(table: &Table, path: &str) -> Result<Path, LakeError> {
    let url = table.snapshot().url().join(path);
    path_of(&url.map_err(|_| LakeError::Internal(format!("`{path}` is not a relative path")))?)
}

/// Runs work that keeps a processor busy where it holds nobody up.
pub(super) async fn on_cpu<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LakeError> + Send + 'static,
) -> Result<T, LakeError> {
    match off_thread(work).await {
        Ok(result) => result,
        Err(Aborted) => Err(LakeError::Internal("work on a data file was aborted".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray};
    use arrow::datatypes::{DataType, Field};
    use futures::TryStreamExt;
    use object_store::ObjectStore;

    use super::*;
    use crate::lake::testing::{Fault, FaultyStore, create, lake_in, memory, rows};
    use crate::lake::{Change, CommitOutcome, Read};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_without_rows_is_not_stored() {
        let table = create(&memory()).await;
        let mut writer = table.writer(&[], &["id"]).unwrap();
        writer.write(&rows(0..0)).await.unwrap();
        assert!(writer.finish().await.unwrap().is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_does_not_fit_is_refused_and_the_file_stays_unfinished() {
        let table = create(&memory()).await;
        let mut writer = table.writer(&[], &["id"]).unwrap();
        let other = RecordBatch::try_from_iter([("id", Arc::new(StringArray::from(vec!["a"])) as _)]).unwrap();
        assert!(matches!(writer.write(&other).await, Err(LakeError::Internal(_))));

        let score: FieldRef = Arc::new(Field::new("score", DataType::Float64, true));
        let mut writer = table.writer(std::slice::from_ref(&score), &["id"]).unwrap();
        let mut columns = rows(0..1).columns().to_vec();
        columns.push(Arc::new(Float64Array::from(vec![f64::INFINITY])));
        let infinite = RecordBatch::try_new(Arc::clone(writer.schema()), columns).unwrap();
        assert!(writer.write(&infinite).await.unwrap_err().to_string().contains("score is not finite"));
        assert!(writer.finish().await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_is_named_and_an_abandoned_file_leaves_nothing() {
        let store = Arc::new(FaultyStore::default());
        let table = create(&lake_in(store.clone(), 1)).await;
        let mut writer = table.writer(&[], &["id"]).unwrap();
        writer.write(&rows(0..10)).await.unwrap();
        store.fail(Fault::Full, ".parquet", 1);
        assert!(writer.finish().await.unwrap_err().to_string().contains("no space is left"));
        let mut writer = table.writer(&[], &["id"]).unwrap();
        writer.write(&rows(0..10)).await.unwrap();
        writer.abort().await;
        let stored: Vec<_> = store.list(None).try_collect().await.unwrap();
        assert!(stored.iter().all(|object| object.location.as_ref().contains("_delta_log")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_of_many_parts_and_row_groups_reads_back_as_written() {
        let table = create(&memory()).await;
        let noise: FieldRef = Arc::new(Field::new("noise", DataType::Utf8, true));
        let mut writer = table.writer(std::slice::from_ref(&noise), &["id"]).unwrap();
        let entropy = crate::clock::Entropy::seeded(1);
        let mut largest_unsent = 0;
        for start in (0..250_000).step_by(2_000) {
            let batch = rows(start..start + 2_000);
            let noise = || (0..4).map(|_| entropy.unique().to_string()).collect::<String>();
            let text: StringArray = (0..2_000).map(|_| Some(noise())).collect();
            let mut columns = batch.columns().to_vec();
            columns.push(Arc::new(text));
            writer.write(&RecordBatch::try_new(Arc::clone(writer.schema()), columns).unwrap()).await.unwrap();
            largest_unsent = largest_unsent.max(writer.bytes_written() - writer.upload.len());
        }
        assert!(largest_unsent < 30_000_000, "{largest_unsent}");
        let file = writer.finish().await.unwrap().unwrap();
        assert!(file.size > 2 * 8 * 1024 * 1024, "the file was meant to need several parts: {}", file.size);
        assert_eq!(file.rows, 250_000);
        let change = Change { add: vec![file], add_columns: vec![noise], ..Change::default() };
        let CommitOutcome::Committed(table) = table.commit(change).await.unwrap() else { panic!("conflict") };
        let file = table.files("id").await.unwrap().remove(0);
        let bounds = (file.min_key.as_deref(), file.max_key.as_deref());
        assert_eq!((file.rows, bounds), (Some(250_000), (Some("row-00000000"), Some("row-00249999"))));
        let batches = crate::lake::testing::read(&table, &file, Read::default()).await;
        assert!(batches.iter().all(|batch| batch.num_rows() <= 8192));
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 250_000);
        let ranges = table.key_ranges(&file, "id").await.unwrap();
        assert!(ranges.len() >= 3, "three row groups at least: {}", ranges.len());
        assert_eq!(ranges.last().unwrap().rows.end, 250_000);
    }
}
