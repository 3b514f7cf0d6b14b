//! `views`: DuckDB views over the live files.

use super::terminal::Terminal;
use crate::config::Config;
use crate::lake::{Table, views_of};
use crate::run::{self, Exit, RunError, World};

pub(super) async fn views(config: &Config, terminal: &Terminal) -> Result<Exit, RunError> {
    let lake = run::lake(config, &World::real())?;
    let tables: Vec<Table> = run::tables(&lake).await?;
    if tables.is_empty() {
        return Err(RunError::Usage(format!("{} holds no table yet; `kustlake run` makes them", lake.root())));
    }
    terminal.line(views_of(&tables).await?.trim_end());
    Ok(Exit::Ok)
}
