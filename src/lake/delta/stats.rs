//! Statistics of a data file in the log's terms, gathered beside the Parquet writer.
//!
//! The rule: a float that is not finite never gets here. It would make a bound null, on which readers lose rows. And memory
//! is bounded whatever the file's size: the kernel, which expects few and large row groups, keeps some 100 KiB for each
//! batch until it is done, so it is done after [`BATCHES`] of them, and begins again.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use delta_kernel::engine::arrow_conversion::TryIntoKernel;
use delta_kernel::expressions::ColumnName;
use delta_kernel::schema::{StructField, StructType};
use delta_kernel::transaction::UpdateTableOperation;
use delta_kernel_default_engine::stats::FileStatsAccumulator;

use super::joined_stats::joined;
use super::{ENGINE_INFO, Snapshot};
use crate::lake::error::LakeError;

/// The statistics of one file, as its `add` action will state them.
#[derive(Debug, Clone)]
pub(in crate::lake) struct FileStats(pub(in crate::lake) StructArray);

/// Batches after which the kernel's statistics are taken.
const BATCHES: usize = 32;

/// Gathers the statistics of one file batch by batch; blocks, as it reads every value.
#[derive(Debug)]
pub(in crate::lake) struct StatsCollector {
    table: Arc<str>,
    columns: Vec<ColumnName>,
    schema: StructType,
    accumulator: FileStatsAccumulator,
    batches: usize,
    /// The statistics of what came before the accumulator.
    before: Option<StructArray>,
}

impl StatsCollector {
    /// Adds a batch of the file.
    pub(in crate::lake) fn add(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if !is_finite(column.as_ref()) {
                return Err(LakeError::Internal(format!(
                    "table {}: column {} is not finite",
                    self.table,
                    field.name()
                )));
            }
        }
        self.accumulator.merge(batch).map_err(|error| super::Failing(&self.table).writing(error))?;
        self.batches += 1;
        if self.batches == BATCHES {
            let next = FileStatsAccumulator::new(&self.columns, &self.schema);
            let full = std::mem::replace(&mut self.accumulator, next);
            self.before = whole(&self.table, self.before.take(), full)?;
            self.batches = 0;
        }
        Ok(())
    }

    /// The statistics of all batches; nothing if there was none.
    pub(in crate::lake) fn finish(self) -> Result<Option<FileStats>, LakeError> {
        Ok(whole(&self.table, self.before, self.accumulator)?.map(FileStats))
    }
}

/// The statistics of what came before and of what was accumulated since.
fn whole(
    table: &Arc<str>,
    before: Option<StructArray>,
    since: FileStatsAccumulator,
) -> Result<Option<StructArray>, LakeError> {
    let since = since.finish().map_err(|error| super::Failing(table).writing(error))?;
    let both = match (before, since) {
        (Some(before), Some(since)) => Some(joined(&before, &since)),
        (before, since) => before.or(since).map(Ok),
    };
    both.transpose().map_err(|error| LakeError::Internal(format!("table {table}: statistics: {error}")))
}

impl Snapshot {
    /// A collector for a file whose columns are the table's and then `add_columns`.
    pub(in crate::lake) fn stats_collector(&self, add_columns: &[FieldRef]) -> Result<StatsCollector, LakeError> {
        let failing = self.failing();
        // A transaction that is never committed: it alone knows which columns the table's properties index.
        let committer = self.log.committer();
        let mut builder = self.kernel.clone().update_table(UpdateTableOperation::Write, ENGINE_INFO, true);
        for field in self.kernel_fields(add_columns)? {
            builder = builder.add_column(field);
        }
        let context = builder
            .build(self.engine(), Box::new(committer))
            .and_then(|transaction| transaction.write_state()?.write_context_builder().build())
            .map_err(|error| failing.writing(error))?;
        let (columns, schema) = (context.stats_columns().to_vec(), context.physical_data_schema().as_ref().clone());
        let accumulator = FileStatsAccumulator::new(&columns, &schema);
        Ok(StatsCollector { table: self.table.clone(), columns, schema, accumulator, batches: 0, before: None })
    }

    /// Arrow fields as the kernel's; only nullable ones can be added to a table that has rows.
    pub(super) fn kernel_fields(&self, fields: &[FieldRef]) -> Result<Vec<StructField>, LakeError> {
        fields
            .iter()
            .map(|field| field.as_ref().try_into_kernel().map_err(|e| self.failing().writing(e.into())))
            .collect()
    }
}

fn is_finite(column: &dyn Array) -> bool {
    match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().iter().flatten().all(f64::is_finite),
        DataType::Float32 => column.as_primitive::<Float32Type>().iter().flatten().all(f32::is_finite),
        _ => true,
    }
}
