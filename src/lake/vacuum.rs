//! What no version that anybody may still read needs, and removing it.
//!
//! The rule: all times are the store's, which it gives each object itself; a wrong clock of ours removes nothing. A data
//! file goes when no version needs it that was the newest one at any time since the cutoff, and when it was written
//! before: so what a run has stored and not committed stays. The log goes as far as everybody who opened the table since
//! the cutoff began with a later checkpoint, so it is kept longer than the files that it names.

use std::collections::HashSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt};
use serde::Deserialize;

use super::error::LakeError;
use super::lease;
use super::log_files::Folder;
use super::names::{LOG_FOLDER, OWN_FOLDER};
use super::store::{Lake, path_of};
use super::table::Table;
use super::writer::{WrittenFile, location};

/// What trying out the storage and asking it for the time leave behind when they are interrupted.
const LEFTOVERS: [&str; 2] = ["probe-", "clock-"];

/// An object of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    path: Path,
    /// Bytes.
    pub size: u64,
}

impl From<ObjectMeta> for Stored {
    fn from(object: ObjectMeta) -> Self {
        Self { path: object.location, size: object.size }
    }
}

/// What a table's folder holds and nobody needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unneeded {
    /// Data files, of former versions or of no version at all.
    pub data: Vec<Stored>,
    /// Entries of the log below a checkpoint.
    pub log: Vec<Stored>,
    /// The note of the last checkpoint, where it names one that goes.
    note: Option<Path>,
    /// Commits since the last checkpoint.
    pub without_checkpoint: u64,
}

impl Unneeded {
    /// Bytes of the data files.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        self.data.iter().map(|file| file.size).sum()
    }
}

/// The part of the log's note of the last checkpoint that matters here.
#[derive(Deserialize)]
struct LastCheckpoint {
    version: u64,
}

impl Table {
    /// What nobody needs who opened the table at `cutoff` or later; nothing is changed.
    ///
    /// # Errors
    /// [`LakeError::Unusable`], [`LakeError::Damaged`], [`LakeError::Newer`].
    pub async fn unneeded(&self, cutoff: DateTime<Utc>) -> Result<Unneeded, LakeError> {
        let folder = path_of(self.snapshot().url())?;
        let objects = self.lake().objects(&folder).await?;
        let listed = Folder::of(&folder, objects);
        // Only now: a file that a commit names meanwhile is known to be needed.
        let newest = self.refresh().await?;
        let mut unneeded = Unneeded {
            without_checkpoint: newest.version().saturating_sub(listed.checkpoint().unwrap_or_default()),
            ..Unneeded::default()
        };
        if let Some(former) = listed.newest_at(cutoff) {
            let needed = newest.snapshot().paths_since(former).await?;
            let needed = needed.iter().map(|path| location(self, path)).collect::<Result<HashSet<Path>, _>>()?;
            let goes = |file: &ObjectMeta| file.last_modified <= cutoff && !needed.contains(&file.location);
            unneeded.data = listed.data.iter().filter(|file| goes(file)).cloned().map(Stored::from).collect();
        }
        if let Some(first) = listed.begins_at(cutoff) {
            let below = listed.log.into_iter().filter(|(file, _)| file.version() < first);
            unneeded.log = below.map(|(_, object)| Stored::from(object)).collect();
            unneeded.note = self.note_below(first).await?.filter(|_| !unneeded.log.is_empty());
        }
        Ok(unneeded)
    }

    async fn note_below(&self, first: u64) -> Result<Option<Path>, LakeError> {
        let path = location(self, &format!("{LOG_FOLDER}/_last_checkpoint"))?;
        let read = async { self.lake().store().get(&path).await?.bytes().await };
        let note: Option<Bytes> = match read.await {
            Ok(note) => Some(note),
            Err(error) => LakeError::absent_or(&path, &error)?,
        };
        let note = note.and_then(|note| serde_json::from_slice::<LastCheckpoint>(&note).ok());
        Ok(note.filter(|note| note.version < first).map(|_| path))
    }

    /// Removes what nobody needs. What is gone already, or goes meanwhile, is no failure.
    ///
    /// # Errors
    /// [`LakeError::Unusable`]; some of it may be gone then, and the table is as it was.
    pub async fn remove(&self, unneeded: &Unneeded) -> Result<(), LakeError> {
        self.lake().remove(&unneeded.data).await?;
        // First, so that nobody looks for the checkpoint that it names.
        self.lake().remove_paths(unneeded.note.iter().cloned().collect()).await?;
        self.lake().remove(&unneeded.log).await
    }

    /// Removes files that were written and are certain to be in no commit.
    ///
    /// # Errors
    /// [`LakeError::Unusable`]; what stays is unneeded.
    pub async fn discard(&self, files: &[WrittenFile]) -> Result<(), LakeError> {
        let paths = files.iter().map(|file| location(self, &file.path)).collect::<Result<Vec<_>, _>>()?;
        self.lake().remove_paths(paths).await
    }

    /// Writes the checkpoint of this version; says whether there was none.
    ///
    /// # Errors
    /// [`LakeError::Unusable`], [`LakeError::Damaged`].
    pub async fn checkpoint(&self) -> Result<bool, LakeError> {
        self.snapshot().checkpoint().await
    }
}

impl Lake {
    /// The present instant by the store's clock, which dates all objects.
    ///
    /// # Errors
    /// [`LakeError::Unusable`].
    pub async fn store_time(&self) -> Result<DateTime<Utc>, LakeError> {
        lease::store_time(self).await
    }

    /// What interrupted commands left beside the tables before `cutoff`.
    ///
    /// # Errors
    /// [`LakeError::Unusable`].
    pub async fn leftovers(&self, cutoff: DateTime<Utc>) -> Result<Vec<Stored>, LakeError> {
        let objects = self.objects(&self.object(&format!("{OWN_FOLDER}/"))?).await?;
        let is_leftover = |object: &ObjectMeta| {
            let name = object.location.filename().unwrap_or_default();
            object.last_modified <= cutoff && LEFTOVERS.iter().any(|kind| name.starts_with(kind))
        };
        Ok(objects.into_iter().filter(is_leftover).map(Stored::from).collect())
    }

    /// Removes these objects.
    ///
    /// # Errors
    /// [`LakeError::Unusable`].
    pub async fn remove(&self, objects: &[Stored]) -> Result<(), LakeError> {
        self.remove_paths(objects.iter().map(|object| object.path.clone()).collect()).await
    }

    async fn remove_paths(&self, paths: Vec<Path>) -> Result<(), LakeError> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut removed = self.store().delete_stream(futures::stream::iter(paths).map(Ok).boxed());
        while let Some(outcome) = removed.next().await {
            match outcome {
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(LakeError::store(self.root().as_str(), &error)),
            }
        }
        Ok(())
    }

    async fn objects(&self, folder: &Path) -> Result<Vec<ObjectMeta>, LakeError> {
        let listed = self.store().list(Some(folder)).try_collect().await;
        listed.map_err(|error| LakeError::store(folder.to_string(), &error))
    }
}

#[cfg(test)]
#[path = "vacuum_tests.rs"]
mod tests;
