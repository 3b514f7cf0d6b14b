//! A stored Parquet file as the decoder asks for it: ranges of bytes, and its footer.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::error::LakeError;
use super::table::{DataFile, Table};
use super::writer::location;

/// Bytes read from the end at first: the footer, and mostly the page index, in one request.
const FOOTER_GUESS: usize = 128 * 1024;

/// A data file in its store.
#[derive(Debug)]
pub(super) struct StoredFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

impl StoredFile {
    pub(super) fn new(table: &Table, file: &DataFile) -> std::result::Result<Self, LakeError> {
        let store = Arc::clone(table.lake().store());
        Ok(Self { store, path: location(table, &file.path)?, size: file.size })
    }
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.store.get_range(&self.path, range).map(|bytes| bytes.map_err(external)).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
            let reader = reader.with_prefetch_hint(Some(FOOTER_GUESS));
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// Turns the failures of one file into the lake's.
#[derive(Debug, Clone)]
pub(super) struct Failing {
    table: Table,
    path: String,
}

impl Failing {
    pub(super) fn new(table: &Table, file: &DataFile) -> Self {
        Self { table: table.clone(), path: file.path.clone() }
    }

    /// A file that the storage gives but the decoder refuses is damaged.
    pub(super) fn error(&self, error: &ParquetError) -> LakeError {
        let table = self.table.name().as_str();
        let place = format!("{table}/{}", self.path);
        match super::error::causes(error).find_map(|error| error.downcast_ref::<object_store::Error>()) {
            Some(error) => LakeError::table_object(table, &place, error),
            None => LakeError::Damaged { table: table.to_owned(), problem: format!("{place} cannot be decoded") },
        }
    }
}
