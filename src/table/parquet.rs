//! How rows are written as Parquet.

use arrow::datatypes::Schema;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::order::RowOrder;

/// Rows of a row group: small enough that a reader of one key reads little, large enough to compress well.
const ROW_GROUP_ROWS: usize = 100_000;

/// Beyond this level zstd costs much more time and gains little on text of this kind.
const ZSTD: i32 = 3;

/// The properties of the data files of a table: zstd, statistics on every column down to the page, and a note that
/// the rows are sorted by key.
///
/// # Errors
/// None in practice: the compression level is a legal one.
pub fn writer_properties(schema: &Schema, order: &RowOrder) -> Result<WriterProperties, ParquetError> {
    // Every column of ours has exactly one leaf, so that its position is that of its leaf.
    let positions = order.key.iter().filter_map(|name| schema.column_with_name(name));
    let sorting = positions.filter_map(|(position, _)| {
        let column_idx = i32::try_from(position).ok()?;
        Some(SortingColumn { column_idx, descending: false, nulls_first: true })
    });
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD)?))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_sorting_columns(Some(sorting.collect()))
        .set_created_by(concat!("kustlake ", env!("CARGO_PKG_VERSION")).to_owned())
        .build())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::table::tests::{convert, things};

    #[test]
    fn a_written_batch_reads_back_with_its_schema_statistics_and_order() {
        let batch = convert(&[r#"{"type":"thing","id":"6ad8","attributes":{"tags":["a"],"createdAt":5}}"#]).batch;
        let properties = writer_properties(things().arrow(), things().order()).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(things().arrow()), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        let file = Bytes::from(writer.into_inner().unwrap());

        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let metadata = Arc::clone(reader.metadata());
        assert!(metadata.file_metadata().created_by().unwrap().starts_with("kustlake "));
        let group = metadata.row_group(0);
        assert_eq!(group.sorting_columns().unwrap()[0].column_idx, 0);
        assert!(group.columns().iter().all(|column| column.statistics().is_some()));
        assert!(group.columns().iter().all(|column| matches!(column.compression(), Compression::ZSTD(_))));
        assert_eq!(reader.build().unwrap().next().unwrap().unwrap(), batch);
    }
}
