//! Columns of a stored file that go into a new one as they are encoded.
//!
//! The rule: bytes, statistics and page index of a chunk belong together, and are only moved, never changed.

use std::io::Write;

use bytes::{Buf, Bytes, buf::Reader};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedRowGroupWriter;

use super::stored_file::StoredFile;

/// One leaf of one row group, encoded.
#[derive(Debug)]
pub(super) struct CopiedChunk {
    chunk: Stored,
    close: ColumnCloseResult,
}

/// The bytes of a file from a place on.
#[derive(Debug)]
struct Stored {
    bytes: Bytes,
    from: u64,
}

impl CopiedChunk {
    /// The chunks of these leaves in a row group of the file with this footer.
    pub(super) async fn load(
        file: &mut StoredFile,
        footer: &ParquetMetaData,
        group: usize,
        leaves: &[usize],
    ) -> Result<Vec<Self>> {
        let columns = footer.row_group(group).columns();
        let range = |leaf: &usize| {
            let (from, length) = columns.get(*leaf).ok_or_else(|| absent(*leaf))?.byte_range();
            Ok(from..from + length)
        };
        let ranges = leaves.iter().map(range).collect::<Result<Vec<_>>>()?;
        let chunks = file.get_byte_ranges(ranges.clone()).await?;
        let pages = footer.page_index_for_row_group(group);
        let rows = u64::try_from(footer.row_group(group).num_rows()).unwrap_or_default();
        let chunk = |((leaf, range), bytes): ((&usize, std::ops::Range<u64>), Bytes)| {
            let close = ColumnCloseResult {
                bytes_written: range.end - range.start,
                rows_written: rows,
                metadata: columns.get(*leaf).ok_or_else(|| absent(*leaf))?.clone(),
                bloom_filter: None,
                column_index: pages.column_index(*leaf).cloned(),
                offset_index: pages.offset_index(*leaf).cloned(),
            };
            Ok(Self { chunk: Stored { bytes, from: range.start }, close })
        };
        leaves.iter().zip(ranges).zip(chunks).map(chunk).collect()
    }

    /// Makes this the next leaf of the row group.
    pub(super) fn append_to_row_group<W: Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        group.append_column(&self.chunk, self.close)
    }
}

fn absent(leaf: usize) -> ParquetError {
    ParquetError::General(format!("leaf {leaf} is not in the file"))
}

impl Length for Stored {
    fn len(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }
}

impl ChunkReader for Stored {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let length = self.len().saturating_sub(start);
        Ok(self.get_bytes(start, usize::try_from(length).unwrap_or_default())?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let from = start.checked_sub(self.from).and_then(|from| usize::try_from(from).ok());
        let range = from.and_then(|from| Some(from..from.checked_add(length)?));
        match range.filter(|range| range.end <= self.bytes.len()) {
            Some(range) => Ok(self.bytes.slice(range)),
            None => Err(ParquetError::EOF("outside of the chunk".to_owned())),
        }
    }
}
