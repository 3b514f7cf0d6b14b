//! Where it stays: Delta tables, the state beside them and the lease, in a folder or a bucket.
//!
//! The rule: a table changes only by one create-only put into its log; everything else here is either a file that no
//! commit names yet, or a help for people and the next run that may lag the tables but never lead them.
//! This module knows no source: columns, keys and progress are what the caller says they are.

mod budget;
mod commit;
mod copied;
mod delta;
mod destination;
mod encoder;
mod error;
mod guard;
mod key_range;
mod lease;
mod log_files;
mod names;
mod patch;
mod probe;
mod process;
mod reader;
mod runs;
mod state;
mod state_file;
mod store;
mod stored_file;
mod table;
#[cfg(test)]
mod testing;
mod upload;
mod vacuum;
mod versioned;
mod views;
mod writer;

pub use self::budget::SpentBudget;
pub use self::commit::{Change, CommitNote, CommitOutcome, Effect};
pub use self::delta::LoggedStats;
pub use self::destination::{Destination, DestinationError, S3Settings};
pub use self::encoder::file_properties;
pub use self::error::LakeError;
pub use self::guard::Commits;
pub use self::key_range::KeyRange;
pub use self::lease::{Lease, LeaseError, LeaseTiming};
pub use self::names::{TableName, TransactionId};
pub use self::patch::Patch;
pub use self::reader::Read;
pub use self::state::{BackfillState, EntityState, State, Unreadable};
pub use self::state_file::{Loaded, StateError, StateFile};
pub use self::store::Lake;
pub use self::table::{DataFile, Table};
pub use self::vacuum::{Stored, Unneeded};
pub use self::views::{More, TableFiles, Views, views_sql};
pub use self::writer::{DataFileWriter, WrittenFile};
