//! The lake as a whole: one object store, one root, its tables.
//!
//! The rule: every object of ours lies below the root, and every path to one is made here.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;
use url::Url;

use super::delta::Log;
use super::destination::Destination;
use super::error::LakeError;
use super::guard::{Commits, Protection};
use super::names::{LOG_FOLDER, TableName};
use super::table::Table;
use crate::clock::{Clock, Entropy};

/// How many requests a listing of all tables has under way at once.
const LISTINGS: usize = 8;

/// An open lake; cheap to clone.
#[derive(Debug, Clone)]
pub struct Lake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn ObjectStore>,
    root: Url,
    log: Log,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

impl Lake {
    /// Opens the lake at `destination`, creating the folder if it is a local one. Sends no request.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] when the folder cannot be made or the settings contradict each other;
    /// [`LakeError::Internal`] outside a multi-threaded runtime.
    pub fn open(destination: &Destination, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Result<Self, LakeError> {
        Self::with_store(destination.connect()?, destination.root().clone(), clock, entropy)
    }

    /// Opens the lake whose root is `root` (ending with `/`; its path is the prefix of all keys) in `store`.
    ///
    /// # Errors
    /// [`LakeError::Internal`] outside a multi-threaded runtime.
    pub fn with_store(
        store: Arc<dyn ObjectStore>,
        root: Url,
        clock: Arc<dyn Clock>,
        entropy: Arc<Entropy>,
    ) -> Result<Self, LakeError> {
        Self::with_runtime(store, root, clock, entropy, Handle::try_current().ok())
    }

    /// The same; what the log waits for runs on `runtime`, so that all else may run on one of a single thread.
    ///
    /// # Errors
    /// [`LakeError::Internal`] without a multi-threaded runtime.
    pub fn with_runtime(
        store: Arc<dyn ObjectStore>,
        root: Url,
        clock: Arc<dyn Clock>,
        entropy: Arc<Entropy>,
        runtime: Option<Handle>,
    ) -> Result<Self, LakeError> {
        let log = Log::new(Arc::clone(&store), runtime)?;
        Ok(Self(Arc::new(Inner { store, root, log, clock, entropy })))
    }

    /// The address of the root, ending with `/`.
    #[must_use]
    pub fn root(&self) -> &Url {
        &self.0.root
    }

    /// What commits rely on here: create-only puts, unless a probe has found that the store does not keep them.
    #[must_use]
    pub fn commits(&self) -> Commits {
        self.0.log.protection().commits()
    }

    /// The same lake under another protection.
    pub(super) fn protected(&self, protection: Protection) -> Self {
        let Inner { store, root, log, clock, entropy } = &*self.0;
        Self(Arc::new(Inner {
            store: Arc::clone(store),
            root: root.clone(),
            log: log.protected(protection),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
        }))
    }

    /// The table `name`, if it exists.
    ///
    /// # Errors
    /// [`LakeError::Unusable`], [`LakeError::Damaged`] or [`LakeError::Newer`].
    pub async fn table(&self, name: &TableName) -> Result<Option<Table>, LakeError> {
        let snapshot = self.0.log.open(name.as_str(), self.table_url(name)?).await?;
        snapshot.map(|snapshot| Table::new(self.clone(), name.clone(), snapshot)).transpose()
    }

    /// Creates the table `name`, empty; if it exists meanwhile, opens it as it is.
    ///
    /// Field metadata is kept in the log. A list's child must be named `element`.
    ///
    /// # Errors
    /// [`LakeError::Unusable`]; [`LakeError::Internal`] for a schema that a table cannot have.
    pub async fn create_table(&self, name: &TableName, schema: SchemaRef) -> Result<Table, LakeError> {
        let snapshot = self.0.log.create(name.as_str(), self.table_url(name)?, schema).await?;
        Table::new(self.clone(), name.clone(), snapshot)
    }

    /// The names of all tables, sorted.
    ///
    /// # Errors
    /// [`LakeError::Unusable`].
    pub async fn tables(&self) -> Result<Vec<TableName>, LakeError> {
        let root = path_of(&self.0.root)?;
        let listing = self.0.store.list_with_delimiter(Some(&root)).await;
        let folders = listing.map_err(|error| LakeError::store(self.0.root.as_str(), &error))?.common_prefixes;
        let names = folders.into_iter().filter_map(|folder| TableName::new(folder.filename()?).ok());
        let found: Vec<Option<TableName>> = futures::stream::iter(names)
            .map(|name| async move { Ok::<_, LakeError>(self.has_log(&name).await?.then_some(name)) })
            .buffered(LISTINGS)
            .try_collect()
            .await?;
        let mut names: Vec<TableName> = found.into_iter().flatten().collect();
        names.sort();
        Ok(names)
    }

    async fn has_log(&self, name: &TableName) -> Result<bool, LakeError> {
        let log = path_of(&self.join(&format!("{name}/{LOG_FOLDER}/"))?)?;
        let first = self.0.store.list(Some(&log)).next().await.transpose();
        Ok(first.map_err(|error| LakeError::store(log.to_string(), &error))?.is_some())
    }

    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.0.store
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(super) fn entropy(&self) -> &Entropy {
        &self.0.entropy
    }

    /// The address of the folder of table `name`, ending with `/`.
    pub(super) fn table_url(&self, name: &TableName) -> Result<Url, LakeError> {
        self.join(&format!("{name}/"))
    }

    /// The path of an object of ours, given relative to the root.
    pub(super) fn object(&self, relative: &str) -> Result<Path, LakeError> {
        path_of(&self.join(relative)?)
    }

    /// Replaces the object at `relative` as a whole.
    pub(super) async fn put(&self, relative: &str, content: String) -> Result<(), LakeError> {
        let path = self.object(relative)?;
        let put = self.0.store.put(&path, content.into()).await;
        put.map(|_| ()).map_err(|error| LakeError::store(path.to_string(), &error))
    }

    fn join(&self, relative: &str) -> Result<Url, LakeError> {
        self.0.root.join(relative).map_err(|_| LakeError::Internal(format!("`{relative}` is not a relative path")))
    }
}

/// The key of the object at `url`.
pub(super) fn path_of(url: &Url) -> Result<Path, LakeError> {
    Path::from_url_path(url.path()).map_err(|_| LakeError::Unusable {
        location: url.to_string(),
        problem: "the path has characters that storage cannot keep".to_owned(),
        hint: "choose a destination whose path has plain names",
    })
}
