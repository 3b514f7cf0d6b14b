//! `state`: the state file, shown and made anew.

use super::args::State;
use super::terminal::Terminal;
use crate::config::Config;
use crate::lake::Loaded;
use crate::run::{Exit, RunError, World, rebuild_state, stored_state};

pub(super) async fn state(config: &Config, asked: &State, terminal: &Terminal) -> Result<Exit, RunError> {
    let state = match asked {
        State::Show => match stored_state(config, &World::real()).await? {
            Loaded::Found(state) => state,
            Loaded::Absent => {
                terminal.error("there is no state file yet; the first run, or `kustlake state rebuild`, writes it");
                return Ok(Exit::Ok);
            }
            Loaded::Damaged(told) => {
                terminal.error(&format!("the state file is damaged: {told}; `kustlake state rebuild` makes it anew"));
                return Ok(Exit::Partial);
            }
        },
        State::Rebuild => rebuild_state(config, &World::real()).await?,
    };
    let text = serde_json::to_string_pretty(&state).map_err(|error| RunError::Internal(error.to_string()))?;
    terminal.line(&text);
    Ok(Exit::Ok)
}
