//! Which rows of a file can hold which keys, by its footer alone.
//!
//! The rule: bounds may be too wide, never too narrow; absent ones exclude nothing.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use super::error::LakeError;
use super::stored_file::{Failing, StoredFile};
use super::table::{DataFile, Table};

/// A run of rows in a file and the bounds of their keys, for pruning: one page, or a row group without a page index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// Row numbers, counted from 0 over the whole file.
    pub rows: Range<u64>,
    /// No key of these rows is smaller; it need not be a key itself.
    pub min: Option<String>,
    /// No key of these rows is greater.
    pub max: Option<String>,
}

impl KeyRange {
    /// Whether a row with this key can be among these rows.
    #[must_use]
    pub fn may_hold(&self, key: &str) -> bool {
        self.min.as_deref().is_none_or(|min| min <= key) && self.max.as_deref().is_none_or(|max| key <= max)
    }
}

impl Table {
    /// The bounds of the text column `key`, page by page: rows in between can be skipped by [`super::Read::rows`].
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn key_ranges(&self, file: &DataFile, key: &str) -> Result<Vec<KeyRange>, LakeError> {
        let failing = Failing::new(self, file);
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let loaded = ArrowReaderMetadata::load_async(&mut StoredFile::new(self, file)?, options).await;
        loaded.and_then(|footer| key_ranges(&footer, key)).map_err(|error| failing.error(&error))
    }
}

fn key_ranges(footer: &ArrowReaderMetadata, key: &str) -> Result<Vec<KeyRange>, ParquetError> {
    let metadata = footer.metadata();
    let bounds =
        Bounds { converter: StatisticsConverter::try_new(key, footer.schema(), footer.parquet_schema())?, metadata };
    let mut ranges = Vec::new();
    let mut first_row = 0;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let rows = u64::try_from(group.num_rows()).unwrap_or_default();
        if rows == 0 {
            continue;
        }
        let parts = match bounds.pages(index)? {
            Some(pages) if pages.iter().map(|(rows, ..)| rows).sum::<u64>() == rows => pages,
            _ => vec![bounds.group(index, rows)?],
        };
        for (rows, min, max) in parts {
            ranges.push(KeyRange { rows: first_row..first_row + rows, min, max });
            first_row += rows;
        }
    }
    Ok(ranges)
}

/// Rows and the bounds of their keys.
type Part = (u64, Option<String>, Option<String>);

struct Bounds<'a> {
    converter: StatisticsConverter<'a>,
    metadata: &'a ParquetMetaData,
}

impl Bounds<'_> {
    fn pages(&self, group: usize) -> Result<Option<Vec<Part>>, ParquetError> {
        let Some(index) = self.metadata.page_index().map(AsRef::as_ref) else {
            return Ok(None);
        };
        let Some(rows) = self.converter.data_page_row_counts(index, self.metadata.row_groups(), [&group])? else {
            return Ok(None);
        };
        let (mins, maxs) =
            (self.converter.data_page_mins(index, [&group])?, self.converter.data_page_maxes(index, [&group])?);
        if rows.null_count() > 0 || mins.len() != rows.len() || maxs.len() != rows.len() {
            return Ok(None);
        }
        Ok(Some(
            rows.values()
                .iter()
                .enumerate()
                .map(|(page, rows)| (*rows, text(&mins, page), text(&maxs, page)))
                .collect(),
        ))
    }

    fn group(&self, group: usize, rows: u64) -> Result<Part, ParquetError> {
        let groups: Vec<_> = self.metadata.row_groups().iter().skip(group).take(1).collect();
        let mins = self.converter.row_group_mins(groups.iter().copied())?;
        let maxs = self.converter.row_group_maxes(groups.iter().copied())?;
        Ok((rows, text(&mins, 0), text(&maxs, 0)))
    }
}

fn text(values: &ArrayRef, index: usize) -> Option<String> {
    let values = values.as_string_opt::<i32>()?;
    (index < values.len() && values.is_valid(index)).then(|| values.value(index).to_owned())
}
