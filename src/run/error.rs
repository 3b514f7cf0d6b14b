//! Why an entity, or a whole run, could not be completed.
//!
//! The rule: what concerns one entity fails that entity; only what no entity can do without (the key,
//! the destination, the lease) ends the run.

use thiserror::Error;

use super::exit::Exit;
use crate::api::{ApiError, Failure, InvalidOrigin, SetupError};
use crate::catalog::{CatalogError, EntityName};
use crate::config::ConfigError;
use crate::extract::WalkError;
use crate::lake::{LakeError, LeaseError};
use crate::table::{ConvertError, TableError, TreatmentError};

/// Why one entity could not be completed. What it had committed stays.
#[derive(Debug, Error)]
pub enum EntityError {
    /// It could not be read to its end.
    #[error("{0}")]
    Walk(#[from] WalkError),
    /// The API key may not read it.
    #[error(
        "{}. The API key lacks a role: it needs {roles}; roles are fixed when a key is created, so make a new one \
         with it, and the next run makes up for what this one missed ({})",
        failure.what(), failure.asked()
    )]
    MissingRole {
        /// What was asked for.
        failure: Box<Failure>,
        /// Which roles would do.
        roles: String,
    },
    /// Its table could not be read or written.
    #[error("{0}")]
    Lake(#[from] LakeError),
    /// Columns cannot be left out or hashed as the configuration asks.
    #[error("{0}")]
    Treatment(#[from] TreatmentError),
    /// A record could not become a row.
    #[error("{0}")]
    Convert(#[from] ConvertError),
    /// Its rows could not be merged.
    #[error("table {table}: {error}")]
    Table {
        /// The table.
        table: EntityName,
        /// Why.
        error: TableError,
    },
    /// Records have no primary key, so that they would be lost.
    #[error(
        "{entity}: {count} records have no usable {key}, so that they have no place in the table; nothing after the last commit was kept"
    )]
    WithoutKey {
        /// The entity.
        entity: EntityName,
        /// How many.
        count: usize,
        /// The key.
        key: String,
    },
    /// Nothing tells which records to read below.
    #[error(
        "{entity} is read for the records of {parent}, and there is no table {parent} yet; load {parent} first, or together with it"
    )]
    NoParents {
        /// The entity.
        entity: EntityName,
        /// Its parent.
        parent: String,
    },
    /// The configuration names a klass that the organisation does not have.
    #[error("pipelines.kobjects.klasses: the organisation has no klass {klass}; it has {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    UnknownKlass {
        /// The klass.
        klass: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// So much is gone from the source that it is taken for a mistake.
    #[error(
        "{table}: of {rows} live rows more than {allowed} are not found at the source any more, which is the most that \
         source.reconcile.max_deletes lets one reconciliation delete; nothing was deleted. Check that the API key still \
         sees everything (`kustlake check`); if the deletes are meant, raise max_deletes for one run"
    )]
    TooManyDeletes {
        /// The table.
        table: EntityName,
        /// Rows that are not marked as deleted.
        rows: u64,
        /// How many may be deleted.
        allowed: u64,
    },
    /// The table is too old to be compared.
    #[error(
        "{table}: more than {most} records were updated since its last run, too many to tell them from differences; run \
         `kustlake run` first"
    )]
    Behind {
        /// The table.
        table: EntityName,
        /// How many it may be.
        most: usize,
    },
    /// Other writers were faster each time.
    #[error("table {0}: other writers committed first {1} times in a row; the next run tries again")]
    Crowded(EntityName, u32),
    /// The boundary of search passed the zone each time history was read.
    #[error(
        "{0}: its history takes longer to read than search and archive overlap; the next run goes on from the last commit"
    )]
    Overtaken(EntityName),
    /// A task of ours broke off.
    #[error("{0}: a task ended before its work was done; this is an error of kustlake, please report it")]
    Broken(EntityName),
}

/// What ends a run as a whole.
#[derive(Debug, Error)]
pub enum RunError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// What was asked for on the command line cannot be done.
    #[error("{0}")]
    Usage(String),
    /// The catalogue cannot be used.
    #[error("{0}")]
    Catalog(#[from] CatalogError),
    /// The source cannot be asked.
    #[error("{0}")]
    Source(#[from] ApiError),
    /// The client cannot be set up.
    #[error("{0}")]
    Setup(#[from] SetupError),
    /// The base URL is none.
    #[error("{0}")]
    Origin(#[from] InvalidOrigin),
    /// The destination cannot be used.
    #[error("{0}")]
    Lake(#[from] LakeError),
    /// Another run is active.
    #[error("{0}")]
    Busy(String),
    /// An error of ours.
    #[error("{0}; this is an error of kustlake, please report it")]
    Internal(String),
}

impl From<LeaseError> for RunError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::HeldBy { .. } => Self::Busy(error.to_string()),
            LeaseError::Lake(error) => Self::Lake(error),
        }
    }
}

impl RunError {
    /// What the process tells its caller.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Usage(_) | Self::Catalog(_) | Self::Origin(_) | Self::Setup(SetupError::Header) => {
                Exit::Usage
            }
            Self::Source(error) => api_exit(error),
            Self::Lake(error) => lake_exit(error),
            Self::Busy(_) => Exit::Busy,
            Self::Setup(_) | Self::Internal(_) => Exit::Internal,
        }
    }
}

impl EntityError {
    /// The exit code of a run that this error ends, when it concerns more than this entity.
    #[must_use]
    pub fn ends_run(&self) -> Option<Exit> {
        let exit = match self {
            Self::Walk(WalkError::Api(error)) => api_exit(error),
            Self::Lake(error) => lake_exit(error),
            _ => Exit::Partial,
        };
        matches!(exit, Exit::Authentication | Exit::Destination | Exit::Busy).then_some(exit)
    }

    /// Whether the source does not know what was asked for.
    pub(super) const fn is_refused(&self) -> bool {
        matches!(self, Self::Walk(WalkError::Api(ApiError::Rejected(_) | ApiError::NotFound(_))))
    }

    /// The exit code that this error calls for by itself.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Walk(WalkError::Api(error)) => api_exit(error),
            Self::Lake(error) => lake_exit(error),
            Self::Broken(_) => Exit::Internal,
            _ => Exit::Partial,
        }
    }
}

const fn api_exit(error: &ApiError) -> Exit {
    match error {
        ApiError::Unauthorized(_) => Exit::Authentication,
        _ => Exit::Partial,
    }
}

const fn lake_exit(error: &LakeError) -> Exit {
    match error {
        LakeError::Unusable { .. } => Exit::Destination,
        LakeError::Overtaken => Exit::Busy,
        LakeError::Newer { .. } => Exit::Usage,
        LakeError::Damaged { .. } => Exit::Partial,
        LakeError::Internal(_) => Exit::Internal,
    }
}
