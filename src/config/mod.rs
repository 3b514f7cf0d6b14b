//! The configuration: `pipelines.yaml` and the environment, checked before any request is sent.
//!
//! The rule: all mistakes are told at once, each with its line; nothing of a secret is ever told.
//! This is the only module that reads the environment.

mod columns;
mod organisations;
mod pipelines;
mod problem;
mod read;
mod section;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

pub use columns::{Columns, Treatment};
pub use problem::{ConfigError, Problem};
pub use section::{duration, instant};

use crate::catalog::{Catalog, EntityName, Mode};

/// The variable that holds the API key when the file names no other.
pub const API_KEY_VARIABLE: &str = "KUSTOMER_API_KEY";

/// The variable that holds the key of hashed columns when the file names no other.
pub const HASH_KEY_VARIABLE: &str = "KUSTLAKE_HASH_KEY";

/// Whether a command can do without keys, since it asks the source for nothing and hashes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// They have to be there.
    Needed,
    /// They may be absent.
    NotNeeded,
}

/// A configuration that was checked against the catalogue.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of the organisation, where the file names several.
    pub organisation: Option<String>,
    /// Where records come from, and how politely.
    pub source: Source,
    /// Where tables stay.
    pub destination: Destination,
    /// Where the state file stays, when not beside the tables.
    pub state_url: Option<String>,
    /// The key by which columns are hashed; there is one where any column is. Its `Debug` shows nothing.
    pub hash_key: Option<SecretString>,
    /// The variables of the environment that hold keys of this file, whosever: no command of others inherits them.
    pub secret_variables: BTreeSet<String>,
    /// What to load, in the order of the file; the parent of each that has one is among them.
    pub pipelines: Vec<Pipeline>,
}

/// The Kustomer organisation and the share of it that we may use.
#[derive(Debug, Clone)]
pub struct Source {
    /// Origin of the API: `https://acme.api.kustomerapp.com`.
    pub base_url: url::Url,
    /// The API key. Its `Debug` shows nothing.
    pub api_key: SecretString,
    /// Nothing updated before it is read.
    pub start: Option<DateTime<Utc>>,
    /// The organisation's limit.
    pub requests_per_minute: RequestLimit,
    /// The share of that limit which we may use, in `(0, 1]`.
    pub rate_share: f64,
    /// Searches in any 60 seconds.
    pub search_requests_per_minute: u32,
    /// Requests under way at once.
    pub concurrency: usize,
    /// Records younger than this wait for the next run, because the index lags.
    pub settle: Duration,
    /// How far before the cursor a run reads again.
    pub overlap: Duration,
    /// The periodic wider look back.
    pub rescan: Rescan,
    /// The periodic search for deletes that no other signal told.
    pub reconcile: Reconcile,
}

/// The organisation's requests per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestLimit {
    /// Learned from the answers' headers.
    Auto,
    /// As configured.
    Fixed(u32),
}

/// The periodic wider look back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rescan {
    /// How often.
    pub every: Duration,
    /// How far before the cursor.
    pub reach: Duration,
}

/// The periodic comparison of what exists.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reconcile {
    /// How often.
    pub every: Duration,
    /// The share of a table's rows that one reconciliation may delete.
    pub max_deletes: f64,
}

/// Where tables stay.
#[derive(Debug, Clone)]
pub struct Destination {
    /// `s3://bucket/prefix` or a local path.
    pub url: String,
    /// What keeps two runs from overwriting each other's commits.
    pub commits: Commits,
    /// Settings of S3-compatible storage.
    pub s3: S3,
    /// The `AWS_*` variables of the environment.
    pub aws: BTreeMap<String, SecretString>,
}

/// What keeps two runs from overwriting each other's commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// The storage, which must honour create-only puts.
    CreateOnly,
    /// Where the storage does not honour them, the lease.
    Lease,
}

/// Settings of S3-compatible storage that the usual variables do not tell.
#[derive(Debug, Clone, Default)]
pub struct S3 {
    /// Endpoint of a store other than AWS.
    pub endpoint: Option<url::Url>,
    /// Region.
    pub region: Option<String>,
    /// How the bucket is named in a request.
    pub addressing: Option<Addressing>,
}

/// How the bucket is named in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// `endpoint/bucket/key`.
    Path,
    /// `bucket.endpoint/key`.
    VirtualHost,
}

/// What becomes of rows whose record was deleted at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    /// The row stays, marked.
    Soft,
    /// The row goes.
    Hard,
}

/// What becomes of attributes that have no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownAttributes {
    /// Kept as JSON in `_extra`.
    Extra,
    /// Left out.
    Ignore,
    /// The entity fails.
    Fail,
}

/// One entity to load.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Which.
    pub entity: EntityName,
    /// How its table takes up what was read.
    pub mode: Mode,
    /// Nothing updated before it is read.
    pub start: Option<DateTime<Utc>>,
    /// What becomes of deleted records.
    pub deletes: Deletes,
    /// What becomes of attributes that have no column.
    pub unknown_attributes: UnknownAttributes,
    /// What becomes of columns that are not kept as they are.
    pub columns: Columns,
    /// The klasses to load, each once, where the entity has klasses; `None` is all of them.
    pub klasses: Option<Vec<String>>,
}

impl Config {
    /// Reads and checks a configuration file: one configuration for each organisation that it names.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(
        path: &Path,
        environment: &BTreeMap<String, String>,
        keys: Keys,
        catalog: &Catalog,
    ) -> Result<Vec<Self>, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ConfigError::whole(
                &file,
                "there is no such file; `kustlake init` writes one, `--config FILE` names another",
            ),
            std::io::ErrorKind::InvalidData => ConfigError::whole(&file, "the file is not UTF-8 text"),
            _ => ConfigError::whole(&file, format!("the file cannot be read: {error}")),
        })?;
        read::configs(&file, &text, (environment, keys), catalog)
    }

    /// Checks the text of a configuration, whose keys have to be there.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(
        file: &str,
        text: &str,
        environment: &BTreeMap<String, String>,
        catalog: &Catalog,
    ) -> Result<Vec<Self>, ConfigError> {
        read::configs(file, text, (environment, Keys::Needed), catalog)
    }
}

/// The environment of this process; names and values that are not Unicode are left out.
#[must_use]
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
