//! How a run is conducted: the only module that knows all the others.
//!
//! The rule: a cursor moves only with, or after, the commit of every row that it covers. One record's
//! way: [`entity`](self) plans and walks, the loader converts and collects, the upsert decides which
//! files change, and one Delta commit makes rows and cursor visible together.

mod afterwards;
mod all;
mod below;
mod budget;
mod census;
mod changed;
mod compact;
mod custom;
mod discovery;
mod done;
mod entity;
mod error;
mod exit;
mod family;
mod flushed;
mod forgotten;
mod held;
mod inspect;
mod instants;
mod intake;
mod job;
mod klasses;
mod layout;
mod loader;
mod maintain;
mod maintained;
mod matching;
mod moved;
mod output;
mod past;
mod preview;
mod progress;
mod purge;
mod reading;
mod rebuild;
mod reconcile;
mod replace;
mod report;
mod rewrite;
mod server_time;
mod session;
mod shards;
mod standing;
mod start;
mod state;
mod step;
mod tables;
mod told;
mod under_way;
mod upsert;
mod verify_cost;

pub use all::{Command, Run, Sharing, Watch};
pub use done::TOLD_AT_THE_END;
pub use entity::Goal;
pub use error::{EntityError, RunError};
pub use exit::Exit;
pub use inspect::{Finding, Verdict, inspect};
pub use maintain::{Action, Maintain};
pub use maintained::{MaintainReport, MaintainedTable};
pub use past::{PastEntity, PastRequests, PastRun};
pub use preview::{Outlook, Preview, preview};
pub use progress::{EntityProgress, Moment, Phase};
pub use rebuild::{rebuild_state, stored_state};
pub use reconcile::Repair;
pub use report::{Compared, EntityReport, Outcome, Report, Requests, Rows, Skip, Skipped};
pub use server_time::ServerTime;
pub use session::{Source, Storage, World, lake, state};
pub use shards::divisible;
pub use standing::Standing;
pub use state::StateKeeper;
pub use verify_cost::{Comparison, comparison};
