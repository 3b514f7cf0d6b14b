//! The one put that makes a commit.
//!
//! The rule: after any doubt about that put (an answer lost, a repeated request told that the object exists) the
//! object is read back and compared. Each attempt holds its own random `txnId`, so equal bytes are our own commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use delta_kernel::committer::{CommitMetadata, CommitResponse, Committer, PublishMetadata};
use delta_kernel::engine::to_json_bytes;
use delta_kernel::{Engine, FileMeta, FilteredEngineData, KernelError, KernelResult, KernelResultIterator};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::runtime::Handle;

/// Writes a commit by a create-only put; works for one transaction.
pub(super) struct CreateOnlyCommitter {
    store: Arc<dyn ObjectStore>,
    runtime: Handle,
    landed: Landed,
}

/// Whether the commit is known to be in the log; it may be even though the kernel reports an error afterwards.
#[derive(Debug, Clone, Default)]
pub(super) struct Landed(Arc<AtomicBool>);

impl Landed {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

enum Put {
    Ours,
    Theirs,
}

impl CreateOnlyCommitter {
    pub(super) fn new(store: Arc<dyn ObjectStore>, runtime: Handle) -> Self {
        Self { store, runtime, landed: Landed::default() }
    }

    pub(super) fn landed(&self) -> Landed {
        self.landed.clone()
    }

    async fn put(&self, path: &Path, content: &Bytes) -> Result<Put, StoreError> {
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

impl Committer for CreateOnlyCommitter {
    fn commit(
        &self,
        _engine: &dyn Engine,
        actions: KernelResultIterator<'_, FilteredEngineData>,
        commit: CommitMetadata,
    ) -> KernelResult<CommitResponse> {
        let url = commit.published_commit_path()?;
        let path = Path::from_url_path(url.path())?;
        let content = Bytes::from(to_json_bytes(actions)?);
        match self.runtime.block_on(self.put(&path, &content)).map_err(KernelError::ObjectStore)? {
            Put::Theirs => Ok(CommitResponse::Conflict { version: commit.version() }),
            Put::Ours => {
                self.landed.0.store(true, Ordering::Release);
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
