//! Proof that the destination can hold a lake.
//!
//! The rule: what a commit relies on (of several create-only puts to one path, one succeeds) is tried out, not
//! believed. Some S3-compatible servers accept the condition and ignore it; on those, commits may rely on the lease if
//! whoever owns the lake has chosen so.

use bytes::Bytes;
use futures::future::join_all;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions};

use super::error::LakeError;
use super::guard::{Commits, Protection};
use super::names::OWN_FOLDER;
use super::store::Lake;

/// Puts that race for one path; servers that check first and write later let several of them win.
const RACERS: u8 = 8;

enum Create {
    Won,
    Refused,
}

/// What was found of the store's promise of create-only puts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    Kept,
    Broken,
}

impl Lake {
    /// Tries whether objects below the root can be written, listed, read and deleted, and whether a create-only put is
    /// honoured, one after the other and in a race; removes what it wrote. Gives the lake as this store has to be
    /// treated: where it does not honour them and `commits` allows it, commits rely on the lease.
    ///
    /// # Errors
    /// [`LakeError::Unusable`].
    pub async fn probe(&self, commits: Commits) -> Result<Self, LakeError> {
        let name = format!("{OWN_FOLDER}/probe-{}", self.entropy().unique());
        let (single, raced) = (self.object(&name)?, self.object(&format!("{name}-race"))?);
        let proof = self.prove(&single, &raced).await;
        let mut cleaned = Ok(());
        for path in [&single, &raced] {
            cleaned = cleaned.and(match self.store().delete(path).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
                Err(error) => Err(self.failed(&error)),
            });
        }
        let promise = proof?;
        cleaned?;
        match (promise, commits) {
            (Promise::Kept, _) => Ok(self.clone()),
            (Promise::Broken, Commits::CreateOnly) => Err(self.unconditional()),
            (Promise::Broken, Commits::Lease) => Ok(self.protected(Protection::Unheld)),
        }
    }

    async fn prove(&self, single: &Path, raced: &Path) -> Result<Promise, LakeError> {
        let promise = self.keeps_its_promise(single, raced).await?;
        self.tables().await.map(|_| promise)
    }

    async fn keeps_its_promise(&self, single: &Path, raced: &Path) -> Result<Promise, LakeError> {
        match self.create(single, 0).await? {
            Some(Create::Won) => {}
            None => return Ok(Promise::Broken),
            Some(Create::Refused) => {
                return Err(LakeError::Unusable {
                    location: self.root().to_string(),
                    problem: "an object of a new name is said to exist".to_owned(),
                    hint: "run again; if it stays, the storage cannot hold a lake",
                });
            }
        }
        if !matches!(self.create(single, 1).await?, Some(Create::Refused)) {
            return Ok(Promise::Broken);
        }
        let racers = join_all((0..RACERS).map(|racer| self.create(raced, racer))).await;
        let mut winners = Vec::new();
        for (racer, outcome) in (0..RACERS).zip(racers) {
            if let Some(Create::Won) = outcome? {
                winners.push(racer);
            }
        }
        let stored = self.read(raced).await?;
        Ok(match winners.as_slice() {
            // A winner whose answer was lost was told on repeating that the object exists.
            [] => Promise::Kept,
            [winner] if *stored == [*winner] => Promise::Kept,
            _ => Promise::Broken,
        })
    }

    /// Nothing where the store knows no create-only put.
    async fn create(&self, path: &Path, content: u8) -> Result<Option<Create>, LakeError> {
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store().put_opts(path, Bytes::copy_from_slice(&[content]).into(), create).await {
            Ok(_) => Ok(Some(Create::Won)),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(Some(Create::Refused)),
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn read(&self, path: &Path) -> Result<Bytes, LakeError> {
        let read = async { self.store().get(path).await?.bytes().await };
        read.await.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &StoreError) -> LakeError {
        LakeError::store(self.root().as_str(), error)
    }

    fn unconditional(&self) -> LakeError {
        LakeError::Unusable {
            location: self.root().to_string(),
            problem: "the storage does not keep its promise of create-only puts (If-None-Match: *), so two runs could \
                      overwrite each other's commits"
                .to_owned(),
            hint: "use a local folder or storage that keeps it, such as Amazon S3, Cloudflare R2 or MinIO; garage does not. \
                   Or accept the weaker fallback `destination.commits: lease`, whose limits docs/guarantees.md tells",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::TryStreamExt;
    use object_store::ObjectStore;

    use super::*;
    use crate::clock::{Entropy, SystemClock};
    use crate::lake::testing::{Fault, FaultyStore, lake_in, memory};
    use crate::lake::{Destination, S3Settings};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_keeps_its_promise_passes_and_is_left_clean() {
        let lake = memory();
        lake.probe(Commits::CreateOnly).await.unwrap();
        assert!(lake.store().list(None).try_collect::<Vec<_>>().await.unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_passes_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let destination = Destination::parse("mein lake/grö%20ße", folder.path(), S3Settings::default()).unwrap();
        let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(Entropy::system()));
        Lake::open(&destination, clock, entropy).unwrap().probe(Commits::CreateOnly).await.unwrap();
        assert!(folder.path().join("mein lake/grö%20ße").is_dir());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_ignores_the_condition_is_refused() {
        let store = Arc::new(FaultyStore::default());
        store.fail(Fault::IgnoredCondition, "probe", usize::MAX);
        let error = lake_in(store.clone(), 1).probe(Commits::CreateOnly).await.unwrap_err();
        assert!(error.to_string().contains("overwrite each other"), "{error}");
        store.fail(Fault::IgnoredCondition, "-race", usize::MAX);
        assert!(lake_in(store.clone(), 1).probe(Commits::CreateOnly).await.is_err());
        assert!(store.list(None).try_collect::<Vec<_>>().await.unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn commits_rely_on_the_lease_only_where_nothing_better_is_kept() {
        let store = Arc::new(FaultyStore::default());
        assert_eq!(lake_in(store.clone(), 1).probe(Commits::Lease).await.unwrap().commits(), Commits::CreateOnly);
        store.fail(Fault::IgnoredCondition, "-race", usize::MAX);
        assert_eq!(lake_in(store, 1).probe(Commits::Lease).await.unwrap().commits(), Commits::Lease);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lost_answer_is_no_broken_promise() {
        let store = Arc::new(FaultyStore::default());
        store.fail(Fault::RepeatedPut, "-race", 1);
        lake_in(store, 1).probe(Commits::CreateOnly).await.unwrap();
    }
}
