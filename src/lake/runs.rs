//! Reports of past runs, one small object each, for whoever looks back.
//!
//! The rule: nothing depends on them. They stand beside the tables, so that every machine that runs kustlake on a lake tells
//! one history; only the newest are kept.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::error::LakeError;
use super::names::OWN_FOLDER;
use super::store::Lake;

/// Reports that are kept.
const MOST: usize = 500;
/// Reports that are read at once.
const AT_ONCE: usize = 8;

impl Lake {
    /// Keeps the report of a run under a name that sorts by time, and forgets the oldest.
    ///
    /// # Errors
    /// [`LakeError::Unusable`].
    pub async fn keep_run(&self, name: &str, report: String) -> Result<(), LakeError> {
        self.put(&format!("{OWN_FOLDER}/runs/{name}.json"), report).await?;
        let paths = self.run_paths().await?;
        for path in paths.iter().take(paths.len().saturating_sub(MOST)) {
            match self.store().delete(path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(LakeError::store(path.to_string(), &error)),
            }
        }
        Ok(())
    }

    /// The newest reports, the oldest of them first.
    ///
    /// # Errors
    /// [`LakeError::Unusable`].
    pub async fn runs(&self, most: usize) -> Result<Vec<String>, LakeError> {
        let paths = self.run_paths().await?;
        let newest = paths.into_iter().rev().take(most).map(|path| self.run(path));
        let newest: Vec<Option<String>> = stream::iter(newest).buffered(AT_ONCE).try_collect().await?;
        Ok(newest.into_iter().rev().flatten().collect())
    }

    /// One that was forgotten meanwhile is none.
    async fn run(&self, path: Path) -> Result<Option<String>, LakeError> {
        let told = |error: object_store::Error| LakeError::store(path.to_string(), &error);
        match self.store().get(&path).await {
            Ok(found) => Ok(String::from_utf8(found.bytes().await.map_err(told)?.to_vec()).ok()),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(told(error)),
        }
    }

    async fn run_paths(&self) -> Result<Vec<Path>, LakeError> {
        let folder = self.object(&format!("{OWN_FOLDER}/runs"))?;
        let listed: Result<Vec<_>, _> =
            self.store().list(Some(&folder)).map_ok(|object| object.location).try_collect().await;
        let mut paths = listed.map_err(|error| LakeError::store(folder.to_string(), &error))?;
        paths.sort();
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::testing::memory;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_newest_runs_are_kept_and_told_in_order() {
        let lake = memory();
        assert!(lake.runs(10).await.unwrap().is_empty());
        for number in 0..MOST + 3 {
            lake.keep_run(&format!("{number:05}"), number.to_string()).await.unwrap();
        }
        assert_eq!(lake.runs(2).await.unwrap(), [(MOST + 1).to_string(), (MOST + 2).to_string()]);
        let all = lake.runs(usize::MAX).await.unwrap();
        assert_eq!((all.len(), all[0].as_str()), (MOST, "3"));
    }
}
