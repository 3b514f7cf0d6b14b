//! The live files of a version.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::expressions::ColumnName;
use delta_kernel::scan::{ScanBuilder, StatsOptions};
use delta_kernel::{FilteredEngineData, KernelError};

use super::logged_stats::LoggedStats;
use super::{Snapshot, blocking};
use crate::lake::error::LakeError;
use crate::lake::table::DataFile;

/// The log's name of a file's statistics, and of its bounds there.
const STATS: &str = "stats_parsed";
const SMALLEST: &str = "minValues";
const GREATEST: &str = "maxValues";

impl Snapshot {
    /// The live files in the log's order, with the bounds of the column `key` where the log has them.
    pub(in crate::lake) async fn files(&self, key: &str) -> Result<Vec<DataFile>, LakeError> {
        let (snapshot, key) = (self.clone(), key.to_owned());
        blocking(move || snapshot.files_now(&key)).await
    }

    /// The live files that can hold a row whose timestamp `column` is after `instant`.
    pub(in crate::lake) async fn files_after(
        &self,
        column: &str,
        instant: DateTime<Utc>,
    ) -> Result<Vec<DataFile>, LakeError> {
        let (snapshot, column) = (self.clone(), column.to_owned());
        let is_later = move |newest: Option<DateTime<Utc>>| newest.is_none_or(|newest| newest > instant);
        blocking(move || snapshot.files_where(&column, is_later)).await
    }

    pub(super) fn files_now(&self, key: &str) -> Result<Vec<DataFile>, LakeError> {
        self.files_where(key, |_| true)
    }

    /// The live files whose greatest instant of the column is wanted; of a column without bounds nothing is known.
    fn files_where(
        &self,
        key: &str,
        wanted: impl Fn(Option<DateTime<Utc>>) -> bool,
    ) -> Result<Vec<DataFile>, LakeError> {
        let stats = match self.kernel.schema().field(key) {
            Some(_) => StatsOptions::struct_columns(vec![ColumnName::new([key])]),
            None => StatsOptions::none(),
        };
        let mut files = Vec::new();
        self.scan(stats, |chunk| {
            let (batch, live) = live_rows(chunk)?;
            let columns = Columns::of(&batch, key)?;
            for row in live.into_iter().filter(|row| wanted(columns.instant(GREATEST, *row))) {
                files.push(columns.file(row)?);
            }
            Ok(())
        })?;
        Ok(files)
    }

    /// The greatest instant of the timestamp column over all live files, as far as the log has their bounds.
    pub(in crate::lake) async fn newest(&self, column: &str) -> Result<Option<DateTime<Utc>>, LakeError> {
        let instants = self.bounds(column, GREATEST).await?;
        Ok(instants.into_iter().max())
    }

    /// The smallest one, likewise.
    pub(in crate::lake) async fn oldest(&self, column: &str) -> Result<Option<DateTime<Utc>>, LakeError> {
        let instants = self.bounds(column, SMALLEST).await?;
        Ok(instants.into_iter().min())
    }

    async fn bounds(&self, column: &str, which: &'static str) -> Result<Vec<DateTime<Utc>>, LakeError> {
        let (snapshot, column) = (self.clone(), column.to_owned());
        blocking(move || snapshot.bounds_now(&column, which)).await
    }

    fn bounds_now(&self, column: &str, which: &str) -> Result<Vec<DateTime<Utc>>, LakeError> {
        let mut found = Vec::new();
        if self.kernel.schema().field(column).is_none() {
            return Ok(found);
        }
        self.scan(StatsOptions::struct_columns(vec![ColumnName::new([column])]), |chunk| {
            let (batch, live) = live_rows(chunk)?;
            let columns = Columns::of(&batch, column)?;
            found.extend(live.into_iter().filter_map(|row| columns.instant(which, row)));
            Ok(())
        })?;
        Ok(found)
    }

    /// What the log states of the files at `paths`, where it has statistics of them.
    pub(in crate::lake) async fn statistics(&self, paths: HashSet<String>) -> Result<LoggedStats, LakeError> {
        let snapshot = self.clone();
        blocking(move || snapshot.statistics_now(&paths)).await
    }

    fn statistics_now(&self, paths: &HashSet<String>) -> Result<LoggedStats, LakeError> {
        let mut found = LoggedStats::default();
        self.scan(StatsOptions::all_struct(), |chunk| {
            let (batch, live) = live_rows(chunk)?;
            let Some(stats) = batch.column_by_name(STATS).and_then(|stats| stats.as_struct_opt()) else {
                return Ok(());
            };
            let stats = Arc::new(stats.clone());
            let files = string_column(&batch, "path")?;
            for row in live.into_iter().filter(|row| paths.contains(files.value(*row))) {
                found.add(files.value(row), &stats, row);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The log's rows for the files at `paths`, as a removal needs them: without statistics, which would repeat values of
    /// rows for as long as the log tells of the removal.
    pub(super) fn rows_of(&self, mut paths: HashSet<&str>) -> Result<Vec<FilteredEngineData>, LakeError> {
        let mut found = Vec::new();
        self.scan(StatsOptions::none(), |chunk| {
            let (data, selected) = chunk.into_parts();
            let arrow = ArrowEngineData::try_from_engine_data(data)?;
            let wanted: Vec<bool> = string_column(arrow.record_batch(), "path")?
                .iter()
                .enumerate()
                .map(|(row, path)| {
                    selected.get(row).copied().unwrap_or(true) && path.is_some_and(|path| paths.remove(path))
                })
                .collect();
            if wanted.contains(&true) {
                found.push(FilteredEngineData::try_new(arrow, wanted)?);
            }
            Ok(())
        })?;
        match paths.into_iter().next() {
            None => Ok(found),
            Some(path) => Err(LakeError::Internal(format!("table {}: {path} is not live in this version", self.table))),
        }
    }

    fn scan(
        &self,
        stats: StatsOptions,
        mut visit: impl FnMut(FilteredEngineData) -> Result<(), KernelError>,
    ) -> Result<(), LakeError> {
        let mut scan = || {
            let builder = ScanBuilder::new(self.kernel.clone()).with_stats(stats.clone()).without_row_transforms();
            for chunk in builder.build()?.scan_metadata(self.engine())? {
                visit(chunk?.scan_files)?;
            }
            Ok(())
        };
        scan().map_err(|error| self.failing().reading(error))
    }
}

/// The log's rows, and the numbers of those that are live files.
fn live_rows(chunk: FilteredEngineData) -> Result<(RecordBatch, Vec<usize>), KernelError> {
    let (data, selected) = chunk.into_parts();
    let batch: RecordBatch = (*ArrowEngineData::try_from_engine_data(data)?).into();
    let live = (0..batch.num_rows()).filter(|row| selected.get(*row).copied().unwrap_or(true)).collect();
    Ok((batch, live))
}

/// The columns of the log's file rows which we read.
struct Columns<'a> {
    path: &'a arrow::array::StringArray,
    size: &'a arrow::array::Int64Array,
    deletions: &'a dyn Array,
    stats: Option<&'a StructArray>,
    key: &'a str,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch, key: &'a str) -> Result<Self, KernelError> {
        let missing = |name: &str| KernelError::missing_column(format!("the log's rows have no {name}"));
        let size = batch.column_by_name("size").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let deletions = batch.column_by_name("deletionVector").ok_or_else(|| missing("deletionVector"))?;
        Ok(Self {
            path: string_column(batch, "path")?,
            size: size.ok_or_else(|| missing("size"))?,
            deletions: deletions.as_ref(),
            stats: batch.column_by_name(STATS).and_then(|column| column.as_struct_opt()),
            key,
        })
    }

    fn file(&self, row: usize) -> Result<DataFile, KernelError> {
        if self.deletions.is_valid(row) {
            return Err(KernelError::unsupported("a file has a deletion vector"));
        }
        let rows = self.stats.and_then(|stats| {
            let rows = stats.column_by_name("numRecords")?.as_primitive_opt::<Int64Type>()?;
            (stats.is_valid(row) && rows.is_valid(row)).then(|| rows.value(row))
        });
        Ok(DataFile {
            path: self.path.value(row).to_owned(),
            size: u64::try_from(self.size.value(row)).unwrap_or_default(),
            rows: rows.and_then(|rows| u64::try_from(rows).ok()),
            min_key: self.bound(SMALLEST, row),
            max_key: self.bound(GREATEST, row),
        })
    }

    fn instant(&self, which: &str, row: usize) -> Option<DateTime<Utc>> {
        let bounds = self.stats?.column_by_name(which)?.as_struct_opt()?;
        let bound = bounds.column_by_name(self.key)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        let micros = (bounds.is_valid(row) && bound.is_valid(row)).then(|| bound.value(row))?;
        DateTime::from_timestamp_micros(micros)
    }

    fn bound(&self, which: &str, row: usize) -> Option<String> {
        let bounds = self.stats?.column_by_name(which)?.as_struct_opt()?;
        let bound = bounds.column_by_name(self.key)?.as_string_opt::<i32>()?;
        (bounds.is_valid(row) && bound.is_valid(row)).then(|| bound.value(row).to_owned())
    }
}

fn string_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a arrow::array::StringArray, KernelError> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_string_opt::<i32>())
        .ok_or_else(|| KernelError::missing_column(format!("the log's rows have no {name}")))
}
