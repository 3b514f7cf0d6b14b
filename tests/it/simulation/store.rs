//! Storage of a simulation: one memory for all, and for each process its own way there, on which it may die.
//!
//! Operations that change something are counted, all of a process. Reading may be done by several threads of the log's
//! engine, in any order: so it is counted object by object.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::clock::Time;
use super::process::Process;

type Pinned<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// What goes wrong with one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreFault {
    /// Nothing is done, and it says so.
    Fails,
    /// It is done, and the answer is lost.
    LosesReply,
    /// The process dies before it.
    Dies,
    /// The process dies after it.
    DiesAfter,
}

/// A commit of a table, as it happened.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub(super) table: String,
    pub(super) path: Path,
    /// What the source held then.
    pub(super) truth: u64,
}

/// The memory that all processes share.
pub(super) struct Memory {
    pub(super) objects: InMemory,
    time: Time,
    start: DateTime<Utc>,
    modified: Mutex<HashMap<Path, Duration>>,
    pub(super) commits: Mutex<Vec<Commit>>,
    /// The number of the present state of the source.
    pub(super) truth: AtomicU64,
    pub(super) trace: Mutex<Vec<String>>,
}

impl Memory {
    pub(super) fn new(time: Time, start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self {
            objects: InMemory::new(),
            time,
            start,
            modified: Mutex::default(),
            commits: Mutex::default(),
            truth: AtomicU64::default(),
            trace: Mutex::default(),
        })
    }

    fn wrote(&self, path: &Path) {
        self.modified.lock().unwrap().insert(path.clone(), self.time.now());
        let name = path.as_ref();
        if name.contains("/_delta_log/") && name.ends_with(".json") {
            let table = name.split('/').nth(1).unwrap().to_owned();
            let truth = self.truth.load(Ordering::Acquire);
            self.commits.lock().unwrap().push(Commit { table, path: path.clone(), truth });
        }
    }

    /// What is said of an object, by the time of the simulation.
    fn dated(&self, mut meta: ObjectMeta) -> ObjectMeta {
        let passed = self.modified.lock().unwrap().get(&meta.location).copied().unwrap_or_default();
        meta.last_modified = self.start + TimeDelta::from_std(passed).unwrap();
        meta
    }
}

/// One process's way to the memory.
pub(super) struct ProcessStore {
    pub(super) memory: Arc<Memory>,
    pub(super) process: Arc<Process>,
    /// So that processes that overlap do not see each other's lease.
    pub(super) lease: Option<String>,
}

impl fmt::Debug for ProcessStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessStore")
    }
}

impl fmt::Display for ProcessStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessStore")
    }
}

fn failure(told: &str) -> Error {
    Error::Generic { store: "simulation", source: told.into() }
}

impl ProcessStore {
    fn place(&self, path: &Path) -> Path {
        match &self.lease {
            Some(lease) if path.as_ref().ends_with("lease.json") => Path::from(format!("{path}-{lease}")),
            _ => path.clone(),
        }
    }

    fn living(&self) -> Result<()> {
        if self.process.is_dead() { Err(failure("the process is dead")) } else { Ok(()) }
    }

    fn read(&self, what: &str, path: &Path) -> Result<()> {
        self.living()?;
        if self.process.fails_to_read(&format!("{what}{path}")) { Err(failure("invented failure")) } else { Ok(()) }
    }

    /// Does what changes something, unless it is to go wrong.
    async fn change<T>(&self, what: &str, path: &Path, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.living()?;
        let fault = self.process.next_change();
        // Names of files are drawn at random by the log's engine.
        let told: String =
            path.as_ref().split('/').map(|part| part.get(..9).unwrap_or(part)).collect::<Vec<_>>().join("/");
        self.memory.trace.lock().unwrap().push(format!("{what} {told} {fault:?}"));
        match fault {
            None => work.await,
            Some(StoreFault::Fails) => Err(failure("invented failure")),
            Some(StoreFault::LosesReply) => {
                work.await?;
                Err(failure("invented loss of the answer"))
            }
            Some(StoreFault::Dies) => {
                self.process.die();
                Err(failure("the process died"))
            }
            Some(StoreFault::DiesAfter) => {
                let done = work.await;
                self.process.die();
                done.and(Err(failure("the process died")))
            }
        }
    }
}

impl ObjectStore for ProcessStore {
    fn put_opts<'a, 'b, 'c>(&'a self, path: &'b Path, payload: PutPayload, opts: PutOptions) -> Pinned<'c, PutResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let path = self.place(path);
            let stands = self.process.fate.stands;
            if stands > 0 && path.as_ref().starts_with("lake/messages/") && path.extension() == Some("parquet") {
                self.memory.time.sleep(Duration::from_secs(60) * stands).await;
            }
            let is_new = matches!(opts.mode, PutMode::Create);
            self.change(if is_new { "create" } else { "put" }, &path, async {
                let put = self.memory.objects.put_opts(&path, payload, opts).await?;
                self.memory.wrote(&path);
                Ok(put)
            })
            .await
        })
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        _: &'b Path,
        _: PutMultipartOptions,
    ) -> Pinned<'c, Box<dyn MultipartUpload>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async {
            Err(Error::NotImplemented { operation: "multipart".into(), implementer: "simulation".into() })
        })
    }

    fn get_opts<'a, 'b, 'c>(&'a self, path: &'b Path, options: GetOptions) -> Pinned<'c, GetResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            self.read("", path)?;
            let got = self.memory.objects.get_opts(&self.place(path), options).await?;
            let meta = self.memory.dated(got.meta.clone());
            Ok(GetResult { meta, ..got })
        })
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store =
            Self { memory: Arc::clone(&self.memory), process: Arc::clone(&self.process), lease: self.lease.clone() };
        let store = Arc::new(store);
        paths
            .then(move |path| {
                let store = Arc::clone(&store);
                async move {
                    let path = path?;
                    let place = store.place(&path);
                    store.change("delete", &place, store.memory.objects.delete(&place)).await?;
                    Ok(path)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(failed) = self.read("list ", prefix.unwrap_or(&Path::default())) {
            return futures::stream::once(async { Err(failed) }).boxed();
        }
        let memory = Arc::clone(&self.memory);
        self.memory.objects.list(prefix).map(move |meta| meta.map(|meta| memory.dated(meta))).boxed()
    }

    fn list_with_delimiter<'a, 'b, 'c>(&'a self, prefix: Option<&'b Path>) -> Pinned<'c, ListResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            self.read("folders ", prefix.unwrap_or(&Path::default()))?;
            self.memory.objects.list_with_delimiter(prefix).await
        })
    }

    fn copy_opts<'a, 'b, 'd, 'c>(&'a self, from: &'b Path, to: &'d Path, options: CopyOptions) -> Pinned<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            self.change("copy", to, async {
                self.memory.objects.copy_opts(from, to, options).await?;
                self.memory.wrote(to);
                Ok(())
            })
            .await
        })
    }
}
