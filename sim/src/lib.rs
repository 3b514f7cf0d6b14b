//! A faithful simulator of the Kustomer REST API, for tests, demonstrations and measurements.
//!
//! It speaks HTTP and JSON and shares no type with the extractor, so that a misreading of the API cannot cancel out on
//! both sides. A test starts it in its own process ([`SimServer::start`]) and moves its clock, its records and its
//! faults through the [`SimHandle`]; programs in other languages do the same under `/_sim/`.
//!
//! What is sure about the API is the default; what is unknown, or has to be provoked, is a switch ([`Switches`]).
//!
//! ```no_run
//! # async fn example() -> Result<(), kustlake_sim::SimError> {
//! use kustlake_sim::{ClockSpec, Context, SimServer, Switches, WorldSpec};
//! let sim = SimServer::start(WorldSpec::default(), Switches::default(), ClockSpec::frozen()).await?;
//! let url = format!("{}/v1/messages?pageSize=100", sim.base_url());
//! assert_eq!(sim.truth(Context::Message).len(), 2_000);
//! # Ok(()) }
//! ```

mod clock;
mod context;
mod control;
mod error;
mod handle;
mod http;
mod render;
mod rng;
mod search;
mod shared;
mod shelf;
mod stats;
mod switches;
mod timestamp;
mod world;

pub use self::clock::{ClockSpec, SimClock};
pub use self::context::Context;
pub use self::error::SimError;
pub use self::handle::{SimHandle, SimServer};
pub use self::http::auth::TokenSpec;
pub use self::render::Unset;
pub use self::search::Precision;
pub use self::shelf::ShelfChange;
pub use self::stats::{RequestLog, Stats};
pub use self::switches::{
    ArchiveCovers, AuditBounds, AuditEnd, DeletedParent, Every, IncludedOne, Lagging, Limiting, MergeList, MergeObject,
    MetadataAccess, Mover, NextLinks, PastAnswer, Pod, ResetHeader, ResetUnit, RetryAfter, SearchRoles, SecondSortKey,
    ShelfOrder, SlaList, Switches, TieOrder, TimeIds, TimeStamp, Total, UserList, Visibility,
};
pub use self::world::{DeleteStamp, Mutation, Offspring, Op, TruthRow, WorldSpec};
