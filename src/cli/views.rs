//! `views`: DuckDB views over the live files.

use super::terminal::Terminal;
use crate::catalog;
use crate::config::Config;
use crate::lake::Views;
use crate::run::{self, Exit, RunError, World};

pub(super) async fn views(config: &Config, terminal: &Terminal) -> Result<Exit, RunError> {
    let lake = run::lake(config, &World::real())?;
    terminal.line(Views::open(&lake, catalog::marts).await?.sql().await.trim_end());
    Ok(Exit::Ok)
}
