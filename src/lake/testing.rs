//! What the lake's tests share: lakes in memory, on disk and in a store that fails on purpose.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::TimeDelta;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use url::Url;

use super::{Change, CommitOutcome, DataFile, Destination, Lake, Read, S3Settings, Table, TableName, WrittenFile};
use crate::clock::{Entropy, SystemClock};

type Pinned<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// What a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Stores the object, then reports a failure.
    LostReply,
    /// Stores the object, then reports that it exists, as a repeated request would be told.
    RepeatedPut,
    /// Stores nothing and reports a full disk.
    Full,
    /// Overwrites although told to create or to compare.
    IgnoredCondition,
    /// Reports that conditional replacement is unknown, as a folder does.
    NoUpdate,
}

/// A store in memory that misbehaves for puts to paths that contain a given text.
#[derive(Debug, Default)]
pub(super) struct FaultyStore {
    inner: InMemory,
    fault: Mutex<Option<(Fault, String, usize)>>,
    age: Mutex<TimeDelta>,
    ages: Mutex<HashMap<Path, TimeDelta>>,
    /// Operations until it dies, if it shall.
    left: Mutex<Option<usize>>,
    pub(super) puts: AtomicUsize,
    /// Objects that were read, and names that were listed.
    pub(super) seen: Arc<AtomicUsize>,
}

impl FaultyStore {
    /// The next `times` puts to paths with `part` in them go wrong.
    pub(super) fn fail(&self, fault: Fault, part: &str, times: usize) {
        *self.fault.lock().unwrap() = Some((fault, part.to_owned(), times));
    }

    /// Makes everything stored so far look `older` to whoever asks for the lease.
    pub(super) fn age_lease(&self, older: TimeDelta) {
        *self.age.lock().unwrap() = older;
    }

    /// What a listing shows, if the store is alive.
    fn listed(&self, objects: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(error) = self.live() {
            return futures::stream::iter([Err(error)]).boxed();
        }
        let (ages, seen) = (self.ages.lock().unwrap().clone(), Arc::clone(&self.seen));
        let shown = move |mut object: ObjectMeta| {
            seen.fetch_add(1, Ordering::AcqRel);
            object.last_modified -= ages.get(&object.location).copied().unwrap_or_default();
            object
        };
        objects.map_ok(shown).boxed()
    }

    /// Lets time pass for everything stored so far.
    pub(super) async fn pass(&self, time: TimeDelta) {
        let stored: Vec<ObjectMeta> = self.inner.list(None).try_collect().await.unwrap();
        let mut ages = self.ages.lock().unwrap();
        for object in stored {
            *ages.entry(object.location).or_default() += time;
        }
    }

    /// After so many more operations, every one fails; for ever with none.
    pub(super) fn die_after(&self, operations: Option<usize>) {
        *self.left.lock().unwrap() = operations;
    }

    /// Whether it has died.
    pub(super) fn is_dead(&self) -> bool {
        *self.left.lock().unwrap() == Some(0)
    }

    fn live(&self) -> Result<()> {
        match self.left.lock().unwrap().as_mut() {
            None => Ok(()),
            Some(0) => Err(failure("the store is dead")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn aged(&self, mut object: ObjectMeta) -> ObjectMeta {
        object.last_modified -= self.ages.lock().unwrap().get(&object.location).copied().unwrap_or_default();
        object
    }

    fn fault_for(&self, path: &Path) -> Option<Fault> {
        let mut armed = self.fault.lock().unwrap();
        let (fault, part, times) = armed.as_mut()?;
        if *times == 0 || !path.as_ref().contains(part.as_str()) {
            return None;
        }
        *times -= 1;
        Some(*fault)
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

fn failure(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic { store: "FaultyStore", source: source.into() }
}

impl ObjectStore for FaultyStore {
    fn put_opts<'a, 'b, 'c>(
        &'a self,
        path: &'b Path,
        payload: PutPayload,
        mut opts: PutOptions,
    ) -> Pinned<'c, PutResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            self.live()?;
            self.puts.fetch_add(1, Ordering::Relaxed);
            self.ages.lock().unwrap().remove(path);
            match self.fault_for(path) {
                None => self.inner.put_opts(path, payload, opts).await,
                Some(Fault::Full) => Err(failure(std::io::Error::from_raw_os_error(28))),
                Some(Fault::NoUpdate) if matches!(opts.mode, PutMode::Update(_)) => {
                    Err(Error::NotImplemented { operation: "update".into(), implementer: "FaultyStore".into() })
                }
                Some(Fault::NoUpdate) => self.inner.put_opts(path, payload, opts).await,
                Some(Fault::IgnoredCondition) => {
                    opts.mode = PutMode::Overwrite;
                    self.inner.put_opts(path, payload, opts).await
                }
                Some(Fault::LostReply) => {
                    self.inner.put_opts(path, payload, opts).await?;
                    Err(failure("the answer was lost"))
                }
                Some(Fault::RepeatedPut) => {
                    self.inner.put_opts(path, payload, opts).await?;
                    Err(Error::AlreadyExists { path: path.to_string(), source: "412".into() })
                }
            }
        })
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        path: &'b Path,
        opts: PutMultipartOptions,
    ) -> Pinned<'c, Box<dyn MultipartUpload>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            self.live()?;
            self.inner.put_multipart_opts(path, opts).await
        })
    }

    fn get_opts<'a, 'b, 'c>(&'a self, path: &'b Path, options: GetOptions) -> Pinned<'c, GetResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            self.live()?;
            self.seen.fetch_add(1, Ordering::AcqRel);
            let mut got = self.inner.get_opts(path, options).await?;
            got.meta = self.aged(got.meta);
            if path.as_ref().ends_with("lease.json") {
                got.meta.last_modified -= *self.age.lock().unwrap();
            }
            Ok(got)
        })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let mut locations: Vec<_> = futures::executor::block_on(locations.collect());
        let all = locations.len();
        locations.retain(|_| self.live().is_ok());
        let died = (locations.len() < all).then(|| Err(failure("the store is dead")));
        let deleted = self.inner.delete_stream(futures::stream::iter(locations).boxed());
        deleted.chain(futures::stream::iter(died)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list(prefix))
    }

    /// Begins at the offset, as S3 does, and not at the first name.
    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list_with_offset(prefix, offset))
    }

    fn list_with_delimiter<'a, 'b, 'c>(&'a self, prefix: Option<&'b Path>) -> Pinned<'c, ListResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            self.live()?;
            self.inner.list_with_delimiter(prefix).await
        })
    }

    fn copy_opts<'a, 'b, 'd, 'c>(&'a self, from: &'b Path, to: &'d Path, options: CopyOptions) -> Pinned<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
        Self: 'c,
    {
        Box::pin(async move { self.inner.copy_opts(from, to, options).await })
    }
}

/// A lake in `store`, on a clock that runs `speed` times as fast.
pub(super) fn lake_in(store: Arc<dyn ObjectStore>, speed: u32) -> Lake {
    let root = Url::parse("s3://bucket/lake/").unwrap();
    let clock = Arc::new(SystemClock::with_speed(speed));
    Lake::with_store(store, root, clock, Arc::new(Entropy::system())).unwrap()
}

/// A lake in memory.
pub(super) fn memory() -> Lake {
    lake_in(Arc::new(InMemory::new()), 1)
}

/// A lake in a folder whose name is not plain.
pub(super) fn local(parent: &tempfile::TempDir) -> Lake {
    let destination = Destination::parse("a lake/größe", parent.path(), S3Settings::default()).unwrap();
    Lake::open(&destination, Arc::new(SystemClock::new()), Arc::new(Entropy::system())).unwrap()
}

/// The columns of [`rows`].
pub(super) fn schema() -> SchemaRef {
    let id = Field::new("id", DataType::Utf8, false);
    let count = Field::new("count", DataType::Int64, true);
    let attribute = [("kustlake.attribute".to_owned(), "messageCount".to_owned())];
    Arc::new(Schema::new(vec![id, count.with_metadata(attribute)]))
}

/// Rows with the keys `row-<n>`.
pub(super) fn rows(range: std::ops::Range<i64>) -> RecordBatch {
    let ids: StringArray = range.clone().map(|n| Some(format!("row-{n:08}"))).collect();
    RecordBatch::try_new(schema(), vec![Arc::new(ids), Arc::new(Int64Array::from_iter_values(range))]).unwrap()
}

pub(super) async fn create(lake: &Lake) -> Table {
    lake.create_table(&TableName::new("tags").unwrap(), schema()).await.unwrap()
}

pub(super) async fn write(table: &Table, batch: &RecordBatch) -> WrittenFile {
    let mut writer = table.writer(&[], &["id"]).unwrap();
    writer.write(batch).await.unwrap();
    writer.finish().await.unwrap().unwrap()
}

/// A commit that adds `batch` and nothing else.
pub(super) async fn append(table: &Table, batch: &RecordBatch) -> CommitOutcome {
    let change = Change { add: vec![write(table, batch).await], ..Change::default() };
    table.commit(change).await.unwrap()
}

pub(super) fn committed(outcome: CommitOutcome) -> Table {
    match outcome {
        CommitOutcome::Committed(table) => table,
        CommitOutcome::Conflict(table) => panic!("conflict at version {}", table.version()),
    }
}

pub(super) async fn read(table: &Table, file: &DataFile, read: Read) -> Vec<RecordBatch> {
    table.read(file, read).await.unwrap().try_collect().await.unwrap()
}

/// The `count` of every row in the table, in the files' order.
pub(super) async fn counts(table: &Table) -> Vec<i64> {
    let mut all = Vec::new();
    for file in table.files("id").await.unwrap() {
        for batch in read(table, &file, Read::default()).await {
            let column = batch.column_by_name("count").unwrap().as_any().downcast_ref::<Int64Array>().unwrap().clone();
            all.extend(column.iter().flatten());
        }
    }
    all.sort_unstable();
    all
}
