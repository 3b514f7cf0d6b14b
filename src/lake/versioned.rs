//! One small object that several runs may want to replace.
//!
//! The rule: it is replaced only by whoever has seen its present content. S3 does this by a conditional put; a folder
//! has no such thing, nor has a store that ignores conditions, so there it is compared just before it is put, which
//! leaves a moment for a race. Nothing whose loss would lose records may be kept here.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};

use super::error::LakeError;
use super::guard::Commits;
use super::store::Lake;

/// The object's place.
#[derive(Debug, Clone)]
pub(super) struct Versioned {
    store: Arc<dyn ObjectStore>,
    path: Path,
    replacing: Replacing,
}

/// How it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacing {
    /// On a condition, if the store knows any.
    OnCondition,
    /// After a look, because the store accepts conditions and ignores them.
    AfterLook,
}

/// Which content was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen(UpdateVersion);

/// The object as it was read.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) content: Bytes,
    pub(super) seen: Seen,
    /// By the store's clock.
    pub(super) modified: DateTime<Utc>,
}

/// What became of a put.
#[derive(Debug)]
#[must_use]
pub(super) enum Put {
    Done(Seen),
    /// Someone else was there first; nothing was changed.
    Overtaken,
}

impl Versioned {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, path, replacing: Replacing::OnCondition }
    }

    /// The object at `relative` in a lake.
    pub(super) fn of(lake: &Lake, relative: &str) -> Result<Self, LakeError> {
        let replacing = match lake.commits() {
            Commits::CreateOnly => Replacing::OnCondition,
            Commits::Lease => Replacing::AfterLook,
        };
        Ok(Self { store: Arc::clone(lake.store()), path: lake.object(relative)?, replacing })
    }

    pub(super) fn location(&self) -> String {
        self.path.to_string()
    }

    pub(super) async fn load(&self) -> Result<Option<Stored>, LakeError> {
        let got = match self.store.get(&self.path).await {
            Ok(got) => got,
            Err(error) => return LakeError::absent_or(&self.path, &error),
        };
        let seen = Seen(UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() });
        let modified = got.meta.last_modified;
        let content = got.bytes().await.map_err(|error| self.failed(&error))?;
        Ok(Some(Stored { content, seen, modified }))
    }

    /// Puts `content` in place of what was `seen`, or as a new object.
    pub(super) async fn put(&self, content: Bytes, seen: Option<&Seen>) -> Result<Put, LakeError> {
        if self.replacing == Replacing::AfterLook {
            return self.compare_and_put(content, seen).await;
        }
        let mode = seen.map_or(PutMode::Create, |seen| PutMode::Update(seen.0.clone()));
        match self.put_as(&content, mode).await {
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } | StoreError::NotFound { .. }) => {
                self.ours_after_all(&content).await
            }
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => {
                self.compare_and_put(content, seen).await
            }
            put => put.map(|seen| Put::Done(Seen(seen))).map_err(|error| self.failed(&error)),
        }
    }

    /// Removes the object; it is well if it is gone already.
    pub(super) async fn delete(&self) -> Result<(), LakeError> {
        match self.store.delete(&self.path).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn put_as(&self, content: &Bytes, mode: PutMode) -> Result<UpdateVersion, StoreError> {
        let options = PutOptions { mode, ..PutOptions::default() };
        self.store.put_opts(&self.path, content.clone().into(), options).await.map(UpdateVersion::from)
    }

    /// A refusal may be the answer to a repeated request whose first answer was lost.
    async fn ours_after_all(&self, content: &Bytes) -> Result<Put, LakeError> {
        Ok(match self.load().await? {
            Some(stored) if stored.content == *content => Put::Done(stored.seen),
            _ => Put::Overtaken,
        })
    }

    async fn compare_and_put(&self, content: Bytes, seen: Option<&Seen>) -> Result<Put, LakeError> {
        let stored = self.load().await?;
        if stored.as_ref().map(|stored| &stored.seen) != seen {
            return Ok(Put::Overtaken);
        }
        let put = self.put_as(&content, PutMode::Overwrite).await;
        put.map(|seen| Put::Done(Seen(seen))).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &StoreError) -> LakeError {
        LakeError::store(self.location(), error)
    }
}
