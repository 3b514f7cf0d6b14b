//! The state file as such: what it holds, and how to make it anew from the tables.
//!
//! The rule: what the tables' logs say is true, and what only the state file knew is learned again by the next run.

use super::error::RunError;
use super::session::{self, World};
use super::tables::{TableHome, cursor_id};
use crate::config::Config;
use crate::lake::{EntityState, Lake, Lease, LeaseTiming, Loaded, State, StateFile};

/// What the state file holds.
///
/// # Errors
/// A state of a newer version, a place that is none, storage that cannot be read.
pub async fn stored_state(config: &Config, world: &World) -> Result<Loaded, RunError> {
    let lake = session::lake(config, world)?;
    Ok(session::state_file(config, &lake)?.load().await?)
}

/// Writes the state file anew: cursors and starts as the tables' logs have them. Dates of former runs are kept where the
/// old state can be read; how far backfills are, their windows' own commits say.
///
/// # Errors
/// Another run is active; a state of a newer version; storage that cannot be read or written.
pub async fn rebuild_state(config: &Config, world: &World) -> Result<State, RunError> {
    let lake = session::proven_lake(config, world).await?;
    let lease = Lease::acquire(&lake, "state rebuild", LeaseTiming::default()).await?;
    let rebuilt = rebuilt(&lake, session::state_file(config, &lake)?).await;
    lease.release().await;
    rebuilt
}

async fn rebuilt(lake: &Lake, mut file: StateFile) -> Result<State, RunError> {
    let former = match file.load().await? {
        Loaded::Found(state) => state,
        Loaded::Absent | Loaded::Damaged(_) => State::default(),
    };
    let mut state = State::default();
    for name in lake.tables().await? {
        let home = TableHome::find(lake, name.as_str()).await?;
        let known = former.entities.get(name.as_str()).cloned().unwrap_or_default();
        let (cursor, start) = (home.committed(&cursor_id()).await?, home.start().await?);
        let rows = home.rows().await?;
        state.entities.insert(name.to_string(), EntityState { cursor, start, rows, ..known });
    }
    Ok(file.save(&state).await?)
}
