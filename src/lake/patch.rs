//! A stored file written again with other values in some of its columns.
//!
//! The rule: each row keeps its place, and of the other columns the bytes are copied as they are encoded, and what the
//! log states of them: they are neither decoded nor encoded, which is most of the work of writing a file again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::copied::CopiedChunk;
use super::delta::{FileStats, LoggedStats};
use super::encoder::{Encoder, ROW_GROUP_BYTES, ROW_GROUP_ROWS, internal};
use super::error::LakeError;
use super::stored_file::{Failing, StoredFile};
use super::table::{DataFile, Table};
use super::writer::{DataFileWriter, WrittenFile};

/// Writes one file again.
#[derive(Debug)]
pub struct Patch {
    table: Table,
    writer: DataFileWriter,
    stored: StoredFile,
    footer: Arc<ParquetMetaData>,
    failing: Failing,
    /// Leaves of the stored file which are copied, in the order of the new one.
    copied: Vec<usize>,
    stated: FileStats,
    /// The row group under way, and its rows so far.
    group: usize,
    rows: usize,
}

impl Table {
    /// Begins to write `file` again, a live file of this version, with other values in the columns `changed`.
    ///
    /// Gives nothing where there is nothing to copy, or where it would not do: in a file that another writer made with other
    /// types, with larger row groups, or without statistics.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] when the file is missing or cannot be decoded, [`LakeError::Unusable`].
    pub async fn patch(
        &self,
        file: &DataFile,
        changed: &BTreeSet<String>,
        stats: &LoggedStats,
        sort_key: &[&str],
    ) -> Result<Option<Patch>, LakeError> {
        let Some(stated) = stats.of(&file.path) else { return Ok(None) };
        if !changed.iter().all(|name| self.schema().column_with_name(name).is_some()) {
            return Ok(None);
        }
        let failing = Failing::new(self, file);
        let mut stored = StoredFile::new(self, file)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let opened = ArrowReaderMetadata::load_async(&mut stored, options).await;
        let footer = Arc::clone(opened.map_err(|error| failing.error(&error))?.metadata());
        let encoder = Encoder::new(self, self.schema(), &[], sort_key)?;
        let Some(Columns { encoded, copied }) = Columns::of(encoder.leaves(), &footer, changed) else {
            return Ok(None);
        };
        let writer = DataFileWriter::with_encoder(self, encoder.of_columns(&encoded)?)?;
        Ok(Some(Patch { table: self.clone(), writer, stored, footer, failing, copied, stated, group: 0, rows: 0 }))
    }
}

impl Patch {
    /// The columns that each batch must have, in this order: those that change, and those that cannot be copied.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.writer.schema()
    }

    /// Takes the next rows, as many in all as the file has, in its order.
    ///
    /// # Errors
    /// As [`DataFileWriter::write`]; [`LakeError::Damaged`] when the stored file cannot be read. [`Self::abort`] it then.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        let mut from = 0;
        while from < batch.num_rows() {
            let Some(group) = self.footer.row_groups().get(self.group) else {
                return Err(internal(self.table.name(), "a file is written again with more rows"));
            };
            let rows = rows_of(group);
            let part = (rows - self.rows).min(batch.num_rows() - from);
            self.writer.write(&batch.slice(from, part)).await?;
            from += part;
            self.rows += part;
            if self.rows == rows {
                self.end_group().await?;
            }
        }
        Ok(())
    }

    async fn end_group(&mut self) -> Result<(), LakeError> {
        let copied = CopiedChunk::load(&mut self.stored, &self.footer, self.group, &self.copied).await;
        self.writer.end_group(copied.map_err(|error| self.failing.error(&error))?).await?;
        self.group += 1;
        self.rows = 0;
        Ok(())
    }

    /// Completes the file.
    ///
    /// # Errors
    /// [`LakeError::Unusable`]; [`LakeError::Internal`] when rows are missing. Nothing of the file is left then.
    pub async fn finish(self) -> Result<WrittenFile, LakeError> {
        if self.group != self.footer.num_row_groups() {
            self.writer.abort().await;
            return Err(internal(self.table.name(), "a file is written again with fewer rows"));
        }
        let written = self.writer.finish().await?;
        let written = written.ok_or_else(|| internal(self.table.name(), "a file without rows was written again"))?;
        let stats = self.stated.with(&written.stats, self.table.name().as_str())?;
        Ok(WrittenFile { stats, ..written })
    }

    /// Gives the file up.
    pub async fn abort(self) {
        self.writer.abort().await;
    }
}

/// What becomes of the columns.
#[derive(Debug)]
struct Columns {
    /// Numbers of the table's columns that are encoded.
    encoded: BTreeSet<usize>,
    /// Numbers of the leaves in the stored file that are copied.
    copied: Vec<usize>,
}

impl Columns {
    fn of(leaves: &SchemaDescriptor, footer: &ParquetMetaData, changed: &BTreeSet<String>) -> Option<Self> {
        let fits = |group: &RowGroupMetaData| {
            (1..=ROW_GROUP_ROWS).contains(&rows_of(group))
                && usize::try_from(group.compressed_size()).is_ok_and(|size| size <= ROW_GROUP_BYTES)
        };
        if footer.num_row_groups() == 0 || !footer.row_groups().iter().all(fits) {
            return None;
        }
        let stored = footer.file_metadata().schema_descr().columns().iter().enumerate();
        let stored: HashMap<_, _> = stored.map(|(number, leaf)| (leaf.path().parts(), (number, leaf))).collect();
        let copy = |leaf: &ColumnDescriptor| {
            let (number, found) = stored.get(leaf.path().parts())?;
            let name = leaf.path().parts().first()?;
            (found.as_ref() == leaf && !changed.contains(name) && is_indexed(footer, *number)).then_some(*number)
        };
        let roots = |leaf: usize| leaves.get_column_root_idx(leaf);
        let numbers = 0..leaves.num_columns();
        let encoded: BTreeSet<usize> =
            numbers.clone().filter(|leaf| copy(&leaves.column(*leaf)).is_none()).map(roots).collect();
        let copied = numbers.filter(|leaf| !encoded.contains(&roots(*leaf)));
        let copied: Vec<usize> = copied.filter_map(|leaf| copy(&leaves.column(leaf))).collect();
        (!copied.is_empty() && !encoded.is_empty()).then_some(Self { encoded, copied })
    }
}

fn is_indexed(footer: &ParquetMetaData, leaf: usize) -> bool {
    (0..footer.num_row_groups()).all(|group| {
        let pages = footer.page_index_for_row_group(group);
        pages.column_index(leaf).is_some() && pages.offset_index(leaf).is_some()
    })
}

fn rows_of(group: &RowGroupMetaData) -> usize {
    usize::try_from(group.num_rows()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StringArray, StructArray};
    use arrow::compute::{cast, concat_batches};
    use arrow::datatypes::{DataType, Field, FieldRef, Int32Type, Int64Type, Schema};
    use futures::TryStreamExt;
    use object_store::{ObjectStore, ObjectStoreExt};
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::{EnabledStatistics, WriterProperties};

    use super::*;
    use crate::lake::testing::{append, committed, memory};
    use crate::lake::{Change, Lake, Read, TableName};

    /// More than one row group.
    const ROWS: i64 = 150_000;

    fn words_type() -> DataType {
        DataType::List(Arc::new(Field::new("element", DataType::Int32, true)))
    }

    async fn table(lake: &Lake) -> Table {
        let fields =
            [("id", DataType::Utf8), ("count", DataType::Int64), ("words", words_type()), ("text", DataType::Utf8)];
        let schema = Schema::new(fields.map(|(name, kind)| Field::new(name, kind, name != "id")).to_vec());
        lake.create_table(&TableName::new("tags").unwrap(), Arc::new(schema)).await.unwrap()
    }

    fn rows(table: &Table, rows: i64, count: impl Fn(i64) -> Option<i64>) -> RecordBatch {
        let words = |n: i64| (n % 5 > 0).then(|| (0..n % 5).map(|word| i32::try_from(word).ok()).collect::<Vec<_>>());
        let text = |n: i64| (n % 3 > 0).then(|| format!("{n} and more words than a bound in the log can hold"));
        let columns: [ArrayRef; 4] = [
            Arc::new((0..rows).map(|n| Some(format!("row-{n:08}"))).collect::<StringArray>()),
            Arc::new((0..rows).map(count).collect::<Int64Array>()),
            cast(&ListArray::from_iter_primitive::<Int32Type, _, _>((0..rows).map(words)), &words_type()).unwrap(),
            Arc::new((0..rows).map(text).collect::<StringArray>()),
        ];
        RecordBatch::try_new(Arc::clone(table.schema()), columns.to_vec()).unwrap()
    }

    async fn patch(table: &Table, changed: &[&str]) -> Option<Patch> {
        let file = table.files("id").await.unwrap().remove(0);
        let stats = table.statistics([&file]).await.unwrap();
        let changed = changed.iter().map(|name| (*name).to_owned()).collect();
        table.patch(&file, &changed, &stats, &["id"]).await.unwrap()
    }

    /// The only file of the table as one batch, and what the log states of it, by section and column.
    async fn content(table: &Table) -> (RecordBatch, Vec<String>) {
        let file = table.files("id").await.unwrap().remove(0);
        let batches: Vec<_> = table.read(&file, Read::default()).await.unwrap().try_collect().await.unwrap();
        let stats = table.statistics([&file]).await.unwrap().of(&file.path).unwrap();
        (concat_batches(table.schema(), &batches).unwrap(), stated("", &stats.0))
    }

    fn stated(section: &str, stats: &StructArray) -> Vec<String> {
        let named = |(name, column): (&str, &ArrayRef)| match column.as_struct_opt() {
            Some(section) => stated(name, section),
            None => vec![format!("{section} {name} {column:?}")],
        };
        let mut all: Vec<_> = stats.column_names().into_iter().zip(stats.columns()).flat_map(named).collect();
        all.sort();
        all
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_patched_file_is_what_it_would_be_if_it_were_written_as_a_whole() {
        let changed = |n| if n % 1000 == 7 { None } else { Some(n + 1) };
        let lake = memory();
        let table = table(&lake).await;
        let table = committed(append(&table, &rows(&table, ROWS, Some)).await);
        let old = table.files("id").await.unwrap().remove(0);
        let pages = table.key_ranges(&old, "id").await.unwrap();
        let mut patch = patch(&table, &["count"]).await.unwrap();
        assert_eq!(patch.schema().fields().len(), 1);
        let values = rows(&table, ROWS, changed).project(&[1]).unwrap();
        for from in (0..values.num_rows()).step_by(7_777) {
            patch.write(&values.slice(from, 7_777.min(values.num_rows() - from))).await.unwrap();
        }
        let change = Change { add: vec![patch.finish().await.unwrap()], remove: vec![old], ..Change::default() };
        let patched = committed(table.commit(change).await.unwrap());

        let other = memory();
        let whole = self::table(&other).await;
        let whole = committed(append(&whole, &rows(&whole, ROWS, changed)).await);
        assert_eq!(content(&patched).await, content(&whole).await);
        let file = patched.files("id").await.unwrap().remove(0);
        assert_eq!(patched.key_ranges(&file, "id").await.unwrap(), pages);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_column_that_is_younger_than_the_file_comes_to_it() {
        let lake = memory();
        let table = table(&lake).await;
        let table = committed(append(&table, &rows(&table, 10, Some)).await);
        let old = table.files("id").await.unwrap().remove(0);
        let tier: FieldRef = Arc::new(Field::new("tier", DataType::Int64, true));
        let table = committed(table.commit(Change { add_columns: vec![tier], ..Change::default() }).await.unwrap());
        let mut patch = patch(&table, &["count"]).await.unwrap();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("count", Arc::new(Int64Array::from_iter_values(0..10))),
            ("tier", Arc::new(Int64Array::from(vec![None; 10]))),
        ];
        patch.write(&RecordBatch::try_from_iter(columns).unwrap()).await.unwrap();
        let change = Change { add: vec![patch.finish().await.unwrap()], remove: vec![old], ..Change::default() };
        let (rows, stats) = content(&committed(table.commit(change).await.unwrap())).await;
        assert_eq!(rows.column_by_name("tier").unwrap().null_count(), 10);
        assert_eq!(rows.column_by_name("count").unwrap().as_primitive::<Int64Type>().value(9), 9);
        assert!(stats.iter().any(|stat| stat.starts_with("nullCount tier") && stat.contains("10")), "{stats:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_number_of_rows_makes_no_file() {
        let lake = memory();
        let table = table(&lake).await;
        let table = committed(append(&table, &rows(&table, 10, Some)).await);
        let counts = |n| rows(&table, n, Some).project(&[1]).unwrap();
        let stored = lake.store().list(None).try_collect::<Vec<_>>().await.unwrap().len();
        let mut fewer = patch(&table, &["count"]).await.unwrap();
        fewer.write(&counts(9)).await.unwrap();
        assert!(matches!(fewer.finish().await, Err(LakeError::Internal(_))));
        let mut more = patch(&table, &["count"]).await.unwrap();
        assert!(matches!(more.write(&counts(11)).await, Err(LakeError::Internal(_))));
        more.abort().await;
        assert_eq!(lake.store().list(None).try_collect::<Vec<_>>().await.unwrap().len(), stored);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_copied_is_left_to_whoever_writes_all() {
        let lake = memory();
        let table = table(&lake).await;
        let table = committed(append(&table, &rows(&table, 10, Some)).await);
        assert!(patch(&table, &["id", "count", "words", "text"]).await.is_none(), "nothing stays");
        assert!(patch(&table, &["unknown"]).await.is_none(), "no column of the table");
        let mut file = table.files("id").await.unwrap().remove(0);
        let stats = table.statistics([&file]).await.unwrap();
        let changed = BTreeSet::from(["count".to_owned()]);
        let unknown = table.statistics([]).await.unwrap();
        assert!(table.patch(&file, &changed, &unknown, &["id"]).await.unwrap().is_none(), "without statistics");

        let properties = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(table.schema()), Some(properties)).unwrap();
        writer.write(&rows(&table, 10, Some)).unwrap();
        let bytes = writer.into_inner().unwrap();
        file.size = bytes.len() as u64;
        let path = lake.object(&format!("tags/{}", file.path)).unwrap();
        lake.store().put(&path, bytes.into()).await.unwrap();
        assert!(table.patch(&file, &changed, &stats, &["id"]).await.unwrap().is_none(), "without a page index");
    }
}
