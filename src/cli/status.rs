//! `status`: how far each table is, from the tables and the state file alone.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::args::Status;
use super::table::{TextTable, duration, thousands};
use super::terminal::{Style, Terminal};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::run::{self, Exit, RunError, ServerTime, Standing, World};
use crate::window::text;

pub(super) async fn status(
    config: &Config,
    status: &Status,
    terminal: &Terminal,
    catalog: &Catalog,
) -> Result<Exit, RunError> {
    let world = World::real();
    let now = world.clock.now();
    let lake = run::lake(config, &world)?;
    let time = ServerTime::told(Some(now), world.clock.clone());
    let state = run::state(config, &lake, time).await?;
    let standings = Standing::all(&config.pipelines, catalog, &lake, &state).await?;
    if status.json || terminal.style() == Style::Machine {
        let tables: Vec<_> = standings.iter().map(|standing| json(standing, now)).collect();
        terminal.line(&json!({ "destination": lake.root().as_str(), "tables": tables }).to_string());
        return Ok(Exit::Ok);
    }
    let mut table = TextTable::new(["entity", "cursor", "lag", "last run", "rows", "version"], 4);
    for standing in &standings {
        let instant = |instant: Option<DateTime<Utc>>| instant.map_or_else(|| "never".to_owned(), text);
        table.row([
            standing.entity.to_string(),
            instant(standing.cursor),
            standing.cursor.map_or_else(String::new, |cursor| lag(now - cursor)),
            instant(standing.last_run),
            standing.rows.map_or_else(String::new, thousands),
            standing.version.map_or_else(|| "no table yet".to_owned(), |version| version.to_string()),
        ]);
    }
    terminal.line(&format!("{}\n{}", lake.root(), table.render()));
    Ok(Exit::Ok)
}

fn json(standing: &Standing, now: DateTime<Utc>) -> serde_json::Value {
    json!({
        "entity": standing.entity,
        "cursor": standing.cursor.map(text),
        "lag_seconds": standing.cursor.map(|cursor| (now - cursor).num_seconds()),
        "last_run": standing.last_run.map(text),
        "rows": standing.rows,
        "version": standing.version,
    })
}

/// How far behind a table is; a clock that is behind makes no lag.
fn lag(lag: TimeDelta) -> String {
    duration(u64::try_from(lag.num_minutes()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_told_in_its_two_largest_units() {
        let told = [(5, "5 min"), (65, "1 h 5 min"), (3 * 24 * 60 + 61, "3 d 1 h"), (-9, "0 min")];
        for (minutes, text) in told {
            assert_eq!(lag(TimeDelta::minutes(minutes)), text);
        }
    }
}
