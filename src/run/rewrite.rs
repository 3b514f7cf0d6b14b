//! A stored file written again, with the rows that are merged into it.
//!
//! The rule: it is read and written in its own order, so that one batch of it is in memory at a time; and columns that no
//! row changes are copied instead, where they can be.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use futures::TryStreamExt;
use futures::stream::BoxStream;

use super::error::EntityError;
use super::output::Output;
use super::upsert::{Touched, Upsert};
use crate::lake::{LakeError, LoggedStats, Patch, Read, Table, WrittenFile};
use crate::table::{Merger, Replaced};

/// Rows of a stored file in memory at once while all of its columns are written again.
const WHOLE_ROWS: usize = 4096;
/// The same, while some of them are.
const PATCHED_ROWS: usize = 16_384;

/// Where the rows of a file go.
enum Target<'a> {
    /// All columns of them into new files.
    Files(Box<Output<'a>>),
    /// The columns that change into a copy of the file.
    Copy(Box<Patch>),
}

impl Upsert {
    /// Writes a file again with `rows`, which are merged into it.
    ///
    /// `schema` is that of the table after the change, and `output` where rows go whose columns are all written.
    pub(super) async fn rewrite(
        &self,
        touched: &Touched,
        rows: RecordBatch,
        schema: &SchemaRef,
        replaced: Option<&Replaced>,
        stats: &LoggedStats,
        output: Output<'_>,
    ) -> Result<Vec<WrittenFile>, EntityError> {
        let table = output.table();
        let Some(patch) = self.patch(table, touched, stats).await? else {
            let merger = self.merger(schema, &rows, replaced)?;
            let read = Read { columns: None, rows: None, batch_size: WHOLE_ROWS };
            let stored = table.read(&touched.file, read).await?;
            return self.merge(merger, stored, Target::Files(Box::new(output))).await;
        };
        let names = self.compared(table, &patch);
        let compared = table.schema().fields().iter().filter(|field| names.contains(field.name()));
        let schema = Arc::new(Schema::new(compared.cloned().collect::<Vec<_>>()));
        let rows = only(&rows, &schema).map_err(|error| self.table_error(error))?;
        let merger = self.merger(&schema, &rows, replaced)?;
        let read = Read { columns: Some(names), rows: None, batch_size: PATCHED_ROWS };
        let stored = table.read(&touched.file, read).await?;
        self.merge(merger, stored, Target::Copy(Box::new(patch))).await
    }

    async fn patch(&self, table: &Table, touched: &Touched, stats: &LoggedStats) -> Result<Option<Patch>, EntityError> {
        let Some(columns) = &touched.changed_columns else { return Ok(None) };
        let sort_key: Vec<&str> = self.order().key.iter().map(String::as_str).collect();
        Ok(table.patch(&touched.file, columns, stats, &sort_key).await?)
    }

    /// The columns that are written, and those by which stored and incoming rows are told apart.
    fn compared(&self, table: &Table, patch: &Patch) -> Vec<String> {
        let written = patch.schema().fields().iter().map(|field| field.name().as_str());
        let names = written.chain(self.order().columns());
        names.filter(|name| table.schema().column_with_name(name).is_some()).map(str::to_owned).collect()
    }

    async fn merge(
        &self,
        merger: Merger,
        stored: BoxStream<'static, Result<RecordBatch, LakeError>>,
        mut target: Target<'_>,
    ) -> Result<Vec<WrittenFile>, EntityError> {
        match self.pour(merger, stored, &mut target).await {
            Ok(()) => target.finish().await,
            Err(error) => {
                target.abort().await;
                Err(error)
            }
        }
    }

    async fn pour(
        &self,
        mut merger: Merger,
        mut stored: BoxStream<'static, Result<RecordBatch, LakeError>>,
        target: &mut Target<'_>,
    ) -> Result<(), EntityError> {
        let mut next = stored.try_next().await?;
        while let Some(batch) = next {
            let rows = merger.push(&batch).map_err(|error| self.table_error(error))?;
            // What comes next is decoded while this is encoded.
            let (written, read) = tokio::join!(target.write(self, rows), stored.try_next());
            written?;
            next = read?;
        }
        let (rows, _) = merger.finish().map_err(|error| self.table_error(error))?;
        target.write(self, rows).await
    }
}

impl Target<'_> {
    async fn write(&mut self, upsert: &Upsert, rows: Vec<RecordBatch>) -> Result<(), EntityError> {
        match self {
            Self::Files(output) => output.write_all(rows).await,
            Self::Copy(patch) => {
                for batch in rows {
                    let batch = only(&batch, patch.schema()).map_err(|error| upsert.table_error(error))?;
                    patch.write(&batch).await?;
                }
                Ok(())
            }
        }
    }

    async fn finish(self) -> Result<Vec<WrittenFile>, EntityError> {
        match self {
            Self::Files(output) => output.finish().await,
            Self::Copy(patch) => Ok(vec![patch.finish().await?]),
        }
    }

    async fn abort(self) {
        match self {
            Self::Files(output) => output.abort().await,
            Self::Copy(patch) => patch.abort().await,
        }
    }
}

/// The columns of these rows that `schema` has, in its order.
fn only(rows: &RecordBatch, schema: &Schema) -> Result<RecordBatch, ArrowError> {
    let found = schema.fields().iter().filter_map(|field| rows.schema_ref().index_of(field.name()).ok());
    rows.project(&found.collect::<Vec<_>>())
}
