//! The transaction log of a table, kept by `delta_kernel`; no other module knows that crate.
//!
//! The rule: kernel calls block, so each runs on a thread for blocking work, and none on the executor which the kernel
//! would make itself: writing a checkpoint hangs for ever on that one (upstream issue 2875).

mod commit;
mod committer;
mod failure;
mod files;
mod history;
mod joined_stats;
mod logged_stats;
mod stats;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use delta_kernel::KernelError;
use delta_kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use delta_kernel::schema::StructType;
use delta_kernel::snapshot::{Snapshot as KernelSnapshot, SnapshotRef};
use delta_kernel::transaction::CommitResult;
use delta_kernel::transaction::create_table::create_table;
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use delta_kernel_default_engine::{DefaultEngine, DefaultEngineBuilder};
use object_store::ObjectStore;
use tokio::runtime::{Handle, RuntimeFlavor};
use url::Url;

use self::committer::{Fate, LogCommitter};
use self::failure::Table as Failing;
use super::error::LakeError;
use super::guard::Protection;
use super::names::TransactionId;
use crate::cpu::{Aborted, off_thread};

pub(super) use self::commit::Outcome;
pub use self::logged_stats::LoggedStats;
pub(super) use self::stats::{FileStats, StatsCollector};

type Engine = DefaultEngine<TokioMultiThreadExecutor>;

/// Who wrote a commit, as every commit says.
const ENGINE_INFO: &str = concat!("kustlake/", env!("CARGO_PKG_VERSION"));

/// Statistics on every column, in the log's JSON and typed in its checkpoints.
/// Domain metadata stays off: its feature would keep the Python `deltalake` writer from maintaining the table.
const TABLE_PROPERTIES: [(&str, &str); 2] =
    [("delta.dataSkippingNumIndexedCols", "-1"), ("delta.checkpoint.writeStatsAsStruct", "true")];

/// Access to the logs of all tables in one store.
#[derive(Debug, Clone)]
pub(super) struct Log {
    engine: Arc<Engine>,
    store: Arc<dyn ObjectStore>,
    runtime: Handle,
    protection: Protection,
}

/// One version of one table.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    log: Log,
    table: Arc<str>,
    kernel: SnapshotRef,
}

impl Log {
    /// Kernel calls wait for what runs on `runtime`.
    ///
    /// # Errors
    /// [`LakeError::Internal`] without a multi-threaded runtime: the kernel would panic.
    pub(super) fn new(store: Arc<dyn ObjectStore>, runtime: Option<Handle>) -> Result<Self, LakeError> {
        let runtime = runtime
            .filter(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
            .ok_or_else(|| LakeError::Internal("a lake needs a multi-threaded runtime".to_owned()))?;
        let executor = Arc::new(TokioMultiThreadExecutor::new(runtime.clone()));
        let engine = DefaultEngineBuilder::new(Arc::clone(&store)).with_task_executor(executor).build();
        Ok(Self { engine: Arc::new(engine), store, runtime, protection: Protection::default() })
    }

    pub(super) const fn protection(&self) -> &Protection {
        &self.protection
    }

    /// The same logs, with commits under another protection.
    pub(super) fn protected(&self, protection: Protection) -> Self {
        Self { protection, ..self.clone() }
    }

    fn committer(&self) -> LogCommitter {
        LogCommitter::new(Arc::clone(&self.store), self.runtime.clone(), self.protection.clone())
    }

    /// The newest version of the table at `url`, which ends with `/`; nothing where there is no table.
    pub(super) async fn open(&self, table: &str, url: Url) -> Result<Option<Snapshot>, LakeError> {
        let (log, table) = (self.clone(), Arc::from(table));
        blocking(move || log.open_now(table, &url)).await
    }

    /// A new, empty table at `url`, or the table that another writer created there meanwhile.
    pub(super) async fn create(&self, table: &str, url: Url, schema: SchemaRef) -> Result<Snapshot, LakeError> {
        let (log, table) = (self.clone(), Arc::<str>::from(table));
        blocking(move || {
            let created = log.create_now(&table, &url, &schema)?;
            if let Some(snapshot) = created {
                return Ok(snapshot);
            }
            log.open_now(table, &url)?.ok_or_else(|| LakeError::Internal(format!("{url} was created and is not there")))
        })
        .await
    }

    fn open_now(&self, table: Arc<str>, url: &Url) -> Result<Option<Snapshot>, LakeError> {
        if local_folder(url).is_some_and(|folder| !folder.exists()) {
            return Ok(None);
        }
        match KernelSnapshot::builder_for(url).build(&*self.engine) {
            Ok(kernel) => Ok(Some(Snapshot { log: self.clone(), table, kernel })),
            Err(KernelError::EmptyLog) => Ok(None),
            Err(error) => Err(Failing(&table).reading(error)),
        }
    }

    fn create_now(&self, table: &Arc<str>, url: &Url, schema: &Schema) -> Result<Option<Snapshot>, LakeError> {
        let failing = Failing(table);
        if let Some(folder) = local_folder(url) {
            std::fs::create_dir_all(&folder).map_err(|error| LakeError::io(folder.display().to_string(), &error))?;
        }
        let schema: StructType = schema.try_into_kernel().map_err(|error| failing.writing(KernelError::from(error)))?;
        let committer = self.committer();
        let told = committer.told();
        let built = create_table(url, Arc::new(schema), ENGINE_INFO, false)
            .with_table_properties(TABLE_PROPERTIES)
            .build(&*self.engine, Box::new(committer));
        let transaction = match built {
            Ok(transaction) => transaction,
            Err(KernelError::TableAlreadyExistsAtPath(_)) => return Ok(None),
            Err(error) => return Err(failing.writing(error)),
        };
        match transaction.commit(&*self.engine) {
            Ok(CommitResult::Committed(done)) => Ok(done.post_commit_snapshot().cloned().map(|kernel| {
                let snapshot = Snapshot { log: self.clone(), table: Arc::clone(table), kernel };
                snapshot.with_checksum()
            })),
            Ok(CommitResult::Conflicted(_)) => Ok(None),
            Ok(CommitResult::Retryable(retry)) => Err(failing.writing(retry.error)),
            Err(error) => match told.fate() {
                Fate::Landed => Ok(None),
                Fate::Refused(refusal) => Err(refusal),
                Fate::Unknown => Err(failing.writing(error)),
            },
        }
    }
}

impl Snapshot {
    /// The number of the version, which grows by one with each commit.
    pub(super) fn version(&self) -> u64 {
        self.kernel.version()
    }

    /// The columns, with field metadata.
    pub(super) fn schema(&self) -> Result<SchemaRef, LakeError> {
        let schema: Schema = self
            .kernel
            .schema()
            .as_ref()
            .try_into_arrow()
            .map_err(|error| self.failing().reading(KernelError::from(error)))?;
        Ok(Arc::new(schema))
    }

    /// The address of the table's folder, ending with `/`.
    pub(super) fn url(&self) -> &Url {
        self.kernel.table_root()
    }

    /// The version which the application `id` last committed.
    pub(super) async fn transaction(&self, id: &TransactionId) -> Result<Option<i64>, LakeError> {
        let (snapshot, id) = (self.clone(), id.clone());
        blocking(move || {
            let version = snapshot.kernel.get_app_id_version(id.as_str(), snapshot.engine());
            version.map_err(|error| snapshot.failing().reading(error))
        })
        .await
    }

    /// The newest version.
    pub(super) async fn refresh(&self) -> Result<Self, LakeError> {
        let snapshot = self.clone();
        blocking(move || snapshot.refresh_now()).await
    }

    fn refresh_now(&self) -> Result<Self, LakeError> {
        let kernel = KernelSnapshot::builder_from(Arc::clone(&self.kernel)).build(self.engine());
        let kernel = kernel.map_err(|error| self.failing().reading(error))?;
        Ok(self.at(kernel))
    }

    fn at(&self, kernel: SnapshotRef) -> Self {
        Self { log: self.log.clone(), table: Arc::clone(&self.table), kernel }
    }

    fn engine(&self) -> &Engine {
        &self.log.engine
    }

    fn failing(&self) -> Failing<'_> {
        Failing(&self.table)
    }
}

/// The folder of a local table, which the kernel wants to exist before it looks for a log in it.
fn local_folder(url: &Url) -> Option<PathBuf> {
    (url.scheme() == "file").then(|| url.to_file_path().ok()).flatten()
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LakeError> + Send + 'static,
) -> Result<T, LakeError> {
    match off_thread(work).await {
        Ok(result) => result,
        Err(Aborted) => Err(LakeError::Internal("work on a transaction log was aborted".to_owned())),
    }
}
