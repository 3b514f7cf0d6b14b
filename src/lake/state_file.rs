//! The place where the state is kept.
//!
//! The rule: a state that another run wrote meanwhile is merged with, never overwritten.

use std::path::Path as FilePath;

use super::destination::{Destination, DestinationError, S3Settings};
use super::error::LakeError;
use super::names::OWN_FOLDER;
use super::state::{State, Unreadable};
use super::store::{Lake, path_of};
use super::versioned::{Put, Seen, Versioned};

/// Rounds of merging after which a save gives up; each means that another run saved in between.
const ROUNDS: usize = 10;

/// The state file.
#[derive(Debug)]
pub struct StateFile {
    object: Versioned,
    seen: Option<Seen>,
}

/// What is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Loaded {
    /// Nothing yet.
    Absent,
    /// A state.
    Found(State),
    /// Something that is no state, and why: rebuild it from the tables.
    Damaged(String),
}

/// A failure of the state file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Only a newer version helps.
    #[error(
        "{location}: the state has format version {version}, newer than this kustlake knows; update kustlake, or see \"Going back\" in docs/operations.md"
    )]
    Newer {
        /// Where it lies.
        location: String,
        /// The version found.
        version: u64,
    },
    /// Other runs kept overtaking this one.
    #[error("{location}: other runs keep writing the state; let one finish first")]
    Contended {
        /// Where it lies.
        location: String,
    },
    /// The address cannot be understood.
    #[error(transparent)]
    Address(#[from] DestinationError),
    /// The storage failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

impl StateFile {
    /// The default place, `_kustlake/state.json` below the lake's root.
    ///
    /// # Errors
    /// [`StateError::Lake`].
    pub fn of(lake: &Lake) -> Result<Self, StateError> {
        Ok(Self { object: Versioned::of(lake, &format!("{OWN_FOLDER}/state.json"))?, seen: None })
    }

    /// A place of its own: a file's path, taken from `base` if relative, or `s3://bucket/key`.
    ///
    /// # Errors
    /// [`StateError::Address`] or [`StateError::Lake`].
    pub fn open(url: &str, base: &FilePath, s3: S3Settings) -> Result<Self, StateError> {
        let (folder, name) = match url.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some((folder, name)) => (folder, name),
            None => (".", url),
        };
        let unknown = || DestinationError::Unknown(url.to_owned());
        if name.is_empty() || folder.ends_with('/') && folder != "/" {
            return Err(unknown().into());
        }
        let folder = Destination::parse(folder, base, s3)?;
        let path = path_of(folder.root())?.join(name);
        Ok(Self { object: Versioned::new(folder.connect()?, path), seen: None })
    }

    /// Reads the state.
    ///
    /// # Errors
    /// [`StateError::Newer`] or [`StateError::Lake`].
    pub async fn load(&mut self) -> Result<Loaded, StateError> {
        self.seen = None;
        let Some(stored) = self.object.load().await? else {
            return Ok(Loaded::Absent);
        };
        let loaded = match State::parse(&stored.content) {
            Ok(state) => Loaded::Found(state),
            Err(Unreadable::Damaged(reason)) => Loaded::Damaged(reason),
            // Not marked as seen, so that a save cannot replace it either.
            Err(Unreadable::Newer(version)) => {
                return Err(StateError::Newer { location: self.object.location(), version });
            }
        };
        self.seen = Some(stored.seen);
        Ok(loaded)
    }

    /// Stores `state`, merged with what another run stored since [`Self::load`]; returns what is stored now.
    ///
    /// # Errors
    /// As [`Self::load`], and [`StateError::Contended`].
    pub async fn save(&mut self, state: &State) -> Result<State, StateError> {
        let mut state = state.clone();
        for _ in 0..ROUNDS {
            match self.object.put(state.bytes()?, self.seen.as_ref()).await? {
                Put::Done(seen) => {
                    self.seen = Some(seen);
                    return Ok(state);
                }
                Put::Overtaken => {
                    if let Loaded::Found(theirs) = self.load().await? {
                        state = state.merge(theirs);
                    }
                }
            }
        }
        Err(StateError::Contended { location: self.object.location() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;
    use object_store::ObjectStoreExt;

    use super::*;
    use crate::lake::EntityState;
    use crate::lake::testing::{Fault, FaultyStore, lake_in, memory};

    fn at(entity: &str, seconds: i64) -> State {
        let entity_state = EntityState { cursor: DateTime::from_timestamp(seconds, 0), ..EntityState::default() };
        let mut state = State::default();
        state.entities.insert(entity.to_owned(), entity_state);
        state
    }

    async fn overlapping_runs(lake: &Lake) {
        let (mut first, mut second) = (StateFile::of(lake).unwrap(), StateFile::of(lake).unwrap());
        assert_eq!(first.load().await.unwrap(), Loaded::Absent);
        assert_eq!(second.load().await.unwrap(), Loaded::Absent);
        first.save(&at("tags", 9)).await.unwrap();
        first.save(&at("tags", 10)).await.unwrap();
        let stored = second.save(&at("tags", 5)).await.unwrap();
        assert_eq!(stored, at("tags", 10));
        let stored = first.save(&at("users", 7)).await.unwrap();
        assert_eq!(stored.entities.len(), 2);
        assert_eq!(second.load().await.unwrap(), Loaded::Found(stored));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn overlapping_runs_keep_the_later_cursor_in_a_bucket() {
        overlapping_runs(&memory()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn overlapping_runs_keep_the_later_cursor_where_replacing_is_unconditional() {
        let store = Arc::new(FaultyStore::default());
        store.fail(Fault::NoUpdate, "state.json", usize::MAX);
        overlapping_runs(&lake_in(store, 1)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_of_its_own_is_replaced_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = StateFile::open("kept/state.json", folder.path(), S3Settings::default()).unwrap();
        assert_eq!(file.load().await.unwrap(), Loaded::Absent);
        file.save(&at("tags", 1)).await.unwrap();
        file.save(&at("tags", 2)).await.unwrap();
        assert_eq!(file.load().await.unwrap(), Loaded::Found(at("tags", 2)));
        let path = folder.path().join("kept/state.json");
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(file.load().await.unwrap(), Loaded::Damaged(_)));
        assert_eq!(file.save(&at("tags", 3)).await.unwrap(), at("tags", 3));
        std::fs::write(&path, r#"{"version":2}"#).unwrap();
        assert!(matches!(file.load().await, Err(StateError::Newer { version: 2, .. })));
        assert!(file.save(&at("tags", 4)).await.is_err());
        assert!(StateFile::open("kept/", folder.path(), S3Settings::default()).is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lost_answer_to_a_save_is_not_a_race() {
        let store = Arc::new(FaultyStore::default());
        let lake = lake_in(store.clone(), 1);
        let mut file = StateFile::of(&lake).unwrap();
        file.save(&at("tags", 1)).await.unwrap();
        store.fail(Fault::RepeatedPut, "state.json", 1);
        assert_eq!(file.save(&at("tags", 2)).await.unwrap(), at("tags", 2));
        let path = lake.object("_kustlake/state.json").unwrap();
        lake.store().delete(&path).await.unwrap();
        assert_eq!(file.save(&at("tags", 3)).await.unwrap(), at("tags", 3));
    }
}
