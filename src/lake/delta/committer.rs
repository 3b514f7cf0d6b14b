//! The one put that makes a commit.
//!
//! The rule: after any doubt about that put (an answer lost, a repeated request told that the object exists) the
//! object is read back and compared. Each attempt holds its own random `txnId`, so equal bytes are our own commit.
//! Where the store overwrites whatever it is told, the lease is looked at and the place must be free before the put,
//! and what was put is read back after it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use delta_kernel::committer::{CommitMetadata, CommitResponse, Committer, PublishMetadata};
use delta_kernel::engine::to_json_bytes;
use delta_kernel::{Engine, FileMeta, FilteredEngineData, KernelError, KernelResult, KernelResultIterator};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::runtime::Handle;

use crate::lake::error::LakeError;
use crate::lake::guard::{Commits, Landing, Protection};

/// Writes a commit by a create-only put; works for one transaction.
pub(super) struct LogCommitter {
    store: Arc<dyn ObjectStore>,
    runtime: Handle,
    protection: Protection,
    told: Told,
}

/// What is known of a commit when the kernel reports an error, which may have happened after the put.
#[derive(Debug, Clone, Default)]
pub(super) enum Fate {
    #[default]
    Unknown,
    /// It is in the log.
    Landed,
    /// It was not tried, because the protection does not hold.
    Refused(LakeError),
}

/// Tells what became of the put.
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Arc<Mutex<Fate>>);

impl Told {
    pub(super) fn fate(&self) -> Fate {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, fate: Fate) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fate;
    }
}

enum Put {
    Ours,
    Theirs,
}

impl LogCommitter {
    pub(super) fn new(store: Arc<dyn ObjectStore>, runtime: Handle, protection: Protection) -> Self {
        Self { store, runtime, protection, told: Told::default() }
    }

    pub(super) fn told(&self) -> Told {
        self.told.clone()
    }

    async fn protected(&self) -> Result<Option<Landing>, LakeError> {
        match &self.protection {
            Protection::CreateOnly => Ok(None),
            Protection::Unheld => Err(LakeError::Internal("a commit without the lease that it relies on".to_owned())),
            Protection::Held(guard) => guard.assure().await.map(Some),
        }
    }

    async fn put(&self, path: &Path, content: &Bytes) -> Result<Put, StoreError> {
        if self.protection.commits() == Commits::CreateOnly {
            return self.create(path, content).await;
        }
        match self.store.head(path).await {
            Ok(_) => return Ok(Put::Theirs),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        match self.create(path, content).await? {
            Put::Ours if self.read_back(path).await? == *content => Ok(Put::Ours),
            Put::Ours | Put::Theirs => Ok(Put::Theirs),
        }
    }

    async fn create(&self, path: &Path, content: &Bytes) -> Result<Put, StoreError> {
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let Err(error) = self.store.put_opts(path, content.clone().into(), create).await else {
            return Ok(Put::Ours);
        };
        match (self.read_back(path).await, error) {
            (Ok(stored), _) if stored == *content => Ok(Put::Ours),
            (_, StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) | (Ok(_), _) => Ok(Put::Theirs),
            (Err(_), error) => Err(error),
        }
    }

    async fn read_back(&self, path: &Path) -> Result<Bytes, StoreError> {
        self.store.get(path).await?.bytes().await
    }
}

impl Committer for LogCommitter {
    fn commit(
        &self,
        _engine: &dyn Engine,
        actions: KernelResultIterator<'_, FilteredEngineData>,
        commit: CommitMetadata,
    ) -> KernelResult<CommitResponse> {
        let url = commit.published_commit_path()?;
        let path = Path::from_url_path(url.path())?;
        let content = Bytes::from(to_json_bytes(actions)?);
        let _landing = match self.runtime.block_on(self.protected()) {
            Ok(landing) => landing,
            Err(refusal) => {
                self.told.tell(Fate::Refused(refusal));
                return Err(KernelError::generic("the commit was not tried"));
            }
        };
        match self.runtime.block_on(self.put(&path, &content)).map_err(KernelError::ObjectStore)? {
            Put::Theirs => Ok(CommitResponse::Conflict { version: commit.version() }),
            Put::Ours => {
                self.told.tell(Fate::Landed);
                let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
                let file_meta = FileMeta::new(url, commit.in_commit_timestamp(), size);
                Ok(CommitResponse::Committed { file_meta })
            }
        }
    }

    fn is_catalog_committer(&self) -> bool {
        false
    }

    fn publish(&self, _engine: &dyn Engine, publish: PublishMetadata) -> KernelResult<()> {
        if publish.commits_to_publish().is_empty() {
            Ok(())
        } else {
            Err(KernelError::generic("a table without a catalogue has nothing to publish"))
        }
    }
}
