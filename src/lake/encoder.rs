//! Rows of one data file become Parquet, its columns side by side on all processors.
//!
//! The rule: what is held is at most one row group, encoded, whatever the file's size.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;
use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator,
    ParallelIterator,
};

use super::copied::CopiedChunk;
use super::delta::{FileStats, StatsCollector};
use super::error::LakeError;
use super::names::TableName;
use super::table::Table;

/// Rows of a row group, at most: small enough to hold in memory, large enough to compress and skip well.
pub(super) const ROW_GROUP_ROWS: usize = 100_000;

/// Encoded bytes of a row group, at most, where rows are very wide.
pub(super) const ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a page before compression: reader and writer hold a few of them for each column at once.
const PAGE_BYTES: usize = 256 * 1024;

/// On conversations with texts, level 3 made files 2 % smaller than 1 for 15 % more time; 6 took three times as long.
const ZSTD_LEVEL: i32 = 3;

/// The part of writing a file that keeps processors busy.
#[derive(Debug)]
pub(super) struct Encoder {
    table: TableName,
    file: FileEncoder,
    stats: StatsCollector,
}

/// The file as far as its row groups have ended, and the one under way.
#[derive(Debug)]
struct FileEncoder {
    /// The columns that are encoded here.
    schema: SchemaRef,
    leaves: Leaves,
    writer: SerializedFileWriter<Vec<u8>>,
    groups: ArrowRowGroupWriterFactory,
    group: Option<RowGroup>,
}

/// Which leaves are encoded here: columns as Parquet has them, of which a list or an object has several.
#[derive(Debug)]
enum Leaves {
    /// All; a row group ends where it is large enough.
    All,
    /// Those with these numbers. The others are copied, and a row group ends where the caller says.
    Some(BTreeSet<usize>),
}

/// The row group under way.
#[derive(Debug)]
struct RowGroup {
    /// One for each leaf that is encoded.
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

impl Encoder {
    /// An encoder of batches with this schema, whose columns are the table's and then `add_columns`.
    pub(super) fn new(
        table: &Table,
        schema: &SchemaRef,
        add_columns: &[FieldRef],
        sort_key: &[&str],
    ) -> Result<Self, LakeError> {
        let opened = file_properties(schema, sort_key)
            .and_then(|properties| ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties)))
            .and_then(ArrowWriter::into_serialized_writer);
        let (writer, groups) = opened.map_err(|error| internal(table.name(), &error))?;
        let file = FileEncoder { schema: Arc::clone(schema), leaves: Leaves::All, writer, groups, group: None };
        Ok(Self { table: table.name().clone(), file, stats: table.snapshot().stats_collector(add_columns)? })
    }

    /// The leaves of the file, in order.
    pub(super) fn leaves(&self) -> &SchemaDescriptor {
        self.file.writer.schema_descr()
    }

    /// The same, but encoding the columns with these numbers only; [`Self::end_group`] brings the others.
    pub(super) fn of_columns(mut self, columns: &BTreeSet<usize>) -> Result<Self, LakeError> {
        let numbers: Vec<usize> = columns.iter().copied().collect();
        let schema = self.file.schema.project(&numbers).map_err(|error| internal(&self.table, &error))?;
        let leaves = self.leaves();
        let encoded = (0..leaves.num_columns()).filter(|leaf| columns.contains(&leaves.get_column_root_idx(*leaf)));
        self.file.leaves = Leaves::Some(encoded.collect());
        self.file.schema = Arc::new(schema);
        Ok(self)
    }

    /// The columns that each batch must have, in this order.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.file.schema
    }

    /// Bytes that wait for their row group to end, estimated.
    pub(super) fn waiting(&self) -> u64 {
        u64::try_from(self.file.group.as_ref().map_or(0, RowGroup::bytes)).unwrap_or_default()
    }

    /// Appends rows; gives the bytes that are ready by now.
    pub(super) fn encode(mut self, batch: &RecordBatch) -> Result<(Self, Bytes), LakeError> {
        let (file, stats) = (&mut self.file, &mut self.stats);
        let (encoded, counted) = rayon::join(|| file.append(batch), || stats.add(batch));
        counted?;
        let encoded = encoded.and_then(|()| self.file.drain());
        let bytes = encoded.map_err(|error| internal(&self.table, &error))?;
        Ok((self, bytes))
    }

    /// Ends the row group, with the leaves that are not encoded here, in order; gives the bytes that are ready by now.
    pub(super) fn end_group(mut self, copied: Vec<CopiedChunk>) -> Result<(Self, Bytes), LakeError> {
        let ended = self.file.end_group(copied).and_then(|()| self.file.drain());
        let bytes = ended.map_err(|error| internal(&self.table, &error))?;
        Ok((self, bytes))
    }

    /// The last bytes of the file, and the statistics if it has any row.
    pub(super) fn close(mut self) -> Result<(Bytes, Option<FileStats>), LakeError> {
        let bytes = self.file.finish().map_err(|error| internal(&self.table, &error))?;
        Ok((bytes, self.stats.finish()?))
    }
}

impl FileEncoder {
    fn append(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let group = match self.group.take() {
                Some(group) => self.group.insert(group),
                None => {
                    let columns = self.groups.create_column_writers(self.writer.flushed_row_groups().len())?;
                    let columns = self.leaves.of(columns);
                    self.group.insert(RowGroup { columns, rows: 0 })
                }
            };
            let room = |group: &RowGroup| match self.leaves {
                Leaves::All => group.room(),
                Leaves::Some(_) => usize::MAX,
            };
            let fit = room(group).min(rest.num_rows());
            if fit > 0 {
                group.append(&self.schema, &rest.slice(0, fit))?;
                rest = rest.slice(fit, rest.num_rows() - fit);
            }
            if room(group) == 0 {
                self.end_group(Vec::new())?;
            }
        }
        Ok(())
    }

    fn end_group(&mut self, copied: Vec<CopiedChunk>) -> Result<(), ParquetError> {
        let Some(RowGroup { columns, .. }) = self.group.take() else { return Ok(()) };
        let encoded: Vec<ArrowColumnChunk> =
            columns.into_par_iter().map(ArrowColumnWriter::close).collect::<Result<_, _>>()?;
        let (mut encoded, mut copied) = (encoded.into_iter(), copied.into_iter());
        let missing = |leaf| ParquetError::General(format!("leaf {leaf} is missing in a row group"));
        let leaves = self.writer.schema_descr().num_columns();
        let mut group = self.writer.next_row_group()?;
        for leaf in 0..leaves {
            if self.leaves.hold(leaf) {
                encoded.next().ok_or_else(|| missing(leaf))?.append_to_row_group(&mut group)?;
            } else {
                copied.next().ok_or_else(|| missing(leaf))?.append_to_row_group(&mut group)?;
            }
        }
        group.close().map(drop)
    }

    fn finish(&mut self) -> Result<Bytes, ParquetError> {
        self.end_group(Vec::new())?;
        self.writer.finish()?;
        self.drain()
    }

    /// The bytes encoded since the last call; the writer counts on, so offsets in the footer stay right.
    fn drain(&mut self) -> Result<Bytes, ParquetError> {
        self.writer.flush()?;
        Ok(Bytes::from(std::mem::take(self.writer.inner_mut())))
    }
}

impl Leaves {
    fn hold(&self, leaf: usize) -> bool {
        match self {
            Self::All => true,
            Self::Some(leaves) => leaves.contains(&leaf),
        }
    }

    /// Of one thing for each leaf of the file, those of these leaves.
    fn of<T>(&self, all: Vec<T>) -> Vec<T> {
        all.into_iter().enumerate().filter(|(leaf, _)| self.hold(*leaf)).map(|(_, one)| one).collect()
    }
}

impl RowGroup {
    fn bytes(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    /// Rows that still fit, if they are as wide as those that are there.
    fn room(&self) -> usize {
        let rows = ROW_GROUP_ROWS.saturating_sub(self.rows);
        let bytes = ROW_GROUP_BYTES.saturating_sub(self.bytes());
        self.bytes().checked_div(self.rows).and_then(|row| bytes.checked_div(row)).map_or(rows, |fit| fit.min(rows))
    }

    fn append(&mut self, schema: &Schema, rows: &RecordBatch) -> Result<(), ParquetError> {
        let leaves =
            schema.fields().par_iter().zip(rows.columns()).map(|(field, column)| compute_leaves(field, column));
        let leaves: Vec<ArrowLeafColumn> = leaves.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        self.columns.par_iter_mut().zip(&leaves).try_for_each(|(column, leaf)| column.write(leaf))?;
        self.rows += rows.num_rows();
        Ok(())
    }
}

/// How data files are encoded whose rows are sorted by `sort_key`.
///
/// # Errors
/// A sort key that is no column.
pub fn file_properties(schema: &Schema, sort_key: &[&str]) -> Result<WriterProperties, ParquetError> {
    let sorted = sort_key
        .iter()
        .map(|name| {
            let (index, _) =
                schema.fields().find(name).ok_or_else(|| ParquetError::General(format!("no column {name}")))?;
            let column_idx = i32::try_from(index).map_err(|error| ParquetError::External(error.into()))?;
            Ok(SortingColumn { column_idx, descending: false, nulls_first: true })
        })
        .collect::<Result<Vec<_>, ParquetError>>()?;
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_enabled(true)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(PAGE_BYTES)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_sorting_columns((!sorted.is_empty()).then_some(sorted))
        .set_created_by(concat!("kustlake version ", env!("CARGO_PKG_VERSION")).to_owned())
        .build())
}

/// What only a mistake of this program explains.
pub(super) fn internal(table: &TableName, problem: impl Display) -> LakeError {
    LakeError::Internal(format!("table {table}: {problem}"))
}
