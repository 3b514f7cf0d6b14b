//! The data files that one change adds.
//!
//! The rule: a file never outgrows [`FILE_SIZE`] by more than a batch, and what is not finished is removed.

use arrow::array::RecordBatch;
use arrow::datatypes::FieldRef;

use super::error::EntityError;
use crate::lake::{DataFileWriter, Table, WrittenFile};
use crate::table::RowOrder;

/// Files grow to about this size; larger ones make an update more expensive, smaller ones a scan.
pub(super) const FILE_SIZE: u64 = 128 * 1024 * 1024;
/// Rows that are handed to a writer at once.
const WRITE_ROWS: usize = 16_384;

/// Files under way for one table.
#[derive(Debug)]
pub(super) struct Output<'a> {
    table: &'a Table,
    add_columns: Vec<FieldRef>,
    key: Vec<&'a str>,
    file_size: u64,
    open: Option<DataFileWriter>,
    done: Vec<WrittenFile>,
}

impl<'a> Output<'a> {
    pub(super) fn new(table: &'a Table, add_columns: Vec<FieldRef>, order: &'a RowOrder) -> Self {
        let key = order.key.iter().map(String::as_str).collect();
        Self { table, add_columns, key, file_size: FILE_SIZE, open: None, done: Vec::new() }
    }

    /// The same, with files of about this size in bytes.
    pub(super) const fn of_size(mut self, file_size: u64) -> Self {
        self.file_size = file_size;
        self
    }

    pub(super) const fn table(&self) -> &'a Table {
        self.table
    }

    /// Appends rows that continue the sorted rows of the present file.
    pub(super) async fn write_all(&mut self, batches: Vec<RecordBatch>) -> Result<(), EntityError> {
        for batch in batches {
            for from in (0..batch.num_rows()).step_by(WRITE_ROWS) {
                self.write(&batch.slice(from, WRITE_ROWS.min(batch.num_rows() - from))).await?;
            }
        }
        Ok(())
    }

    async fn write(&mut self, batch: &RecordBatch) -> Result<(), EntityError> {
        let mut file = match self.open.take() {
            Some(file) => file,
            None => self.table.writer(&self.add_columns, &self.key)?,
        };
        if let Err(error) = file.write(batch).await {
            file.abort().await;
            return Err(error.into());
        }
        let full = file.bytes_written() >= self.file_size;
        self.open = Some(file);
        if full { self.end_file().await } else { Ok(()) }
    }

    /// Completes the present file: what comes next may have smaller keys.
    pub(super) async fn end_file(&mut self) -> Result<(), EntityError> {
        if let Some(file) = self.open.take() {
            self.done.extend(file.finish().await?);
        }
        Ok(())
    }

    /// Gives the present file up; those before it are removed by maintenance.
    pub(super) async fn abort(self) {
        if let Some(file) = self.open {
            file.abort().await;
        }
    }

    /// Completes all files.
    pub(super) async fn finish(mut self) -> Result<Vec<WrittenFile>, EntityError> {
        self.end_file().await?;
        Ok(self.done)
    }
}
