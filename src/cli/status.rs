//! `status`: how far each table is, from the tables and the state file alone.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::args::Status;
use super::table::{TextTable, duration, thousands};
use super::terminal::{Style, Terminal};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::run::{self, Exit, PastRun, RunError, Standing, World};
use crate::window::text;

/// Runs that are looked at for what failed.
const RUNS: usize = 50;
/// A table is late when it is further behind than this.
const LATE: TimeDelta = TimeDelta::days(1);

pub(super) async fn status(
    config: &Config,
    status: &Status,
    terminal: &Terminal,
    catalog: &Catalog,
) -> Result<Exit, RunError> {
    let world = World::real();
    let now = world.clock.now();
    let lake = run::lake(config, &world)?;
    let standings = Standing::all(config, catalog, &lake, &world, now).await?;
    let runs = PastRun::newest(&lake, RUNS).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what the last runs did could not be read");
        Vec::new()
    });
    if status.json || terminal.style() == Style::Machine {
        let tables: Vec<_> = standings.iter().map(|standing| json(standing, now, &runs)).collect();
        let last = runs.last().map(|run| json!({"exit_code": run.exit_code, "error": run.error}));
        terminal.json(&json!({ "destination": lake.root().as_str(), "tables": tables, "last_run": last }))?;
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
            match (standing.version, &standing.damage) {
                (Some(version), _) => version.to_string(),
                (None, Some(_)) => "DAMAGED".to_owned(),
                (None, None) => "no table yet".to_owned(),
            },
        ]);
    }
    let mut text = format!("{}\n{}", lake.root(), table.render());
    // That another run was active says nothing about the tables.
    let busy = Exit::Busy.code();
    if let Some(error) = runs.iter().rfind(|run| run.exit_code != busy).and_then(|run| run.error.as_deref()) {
        text.push_str(&format!("\nthe last run ended early: {error}"));
    }
    for standing in &standings {
        if let Some(advice) = advice(standing, now, &runs) {
            text.push_str(&format!("\n{}: {advice}", standing.entity));
        }
    }
    terminal.line(&text);
    Ok(Exit::Ok)
}

/// What to do about a table, if anything.
fn advice(standing: &Standing, now: DateTime<Utc>, runs: &[PastRun]) -> Option<String> {
    let name = &standing.entity;
    if let Some(damage) = &standing.damage {
        return Some(damage.clone());
    }
    if let Some(error) = PastRun::failure(runs, name.as_str()) {
        return Some(format!("failed in its last run: {error}"));
    }
    if standing.version.is_none() {
        return Some(format!("not loaded yet; load it: kustlake run --only {name}"));
    }
    if standing.last_run.is_none() && PastRun::has_completed(runs, name.as_str()) {
        return Some(
            "the state file knows no run of it, the table does; the next `kustlake run` writes it anew".to_owned(),
        );
    }
    if standing.last_run.is_none() {
        return Some("its first load is not complete; the next `kustlake run` goes on where it stopped".to_owned());
    }
    let behind = standing.cursor.filter(|cursor| now - *cursor > LATE)?;
    Some(format!("{} behind; is the schedule on? `kustlake run --only {name}` loads it now", lag(now - behind)))
}

fn json(standing: &Standing, now: DateTime<Utc>, runs: &[PastRun]) -> serde_json::Value {
    json!({
        "entity": standing.entity,
        "cursor": standing.cursor.map(text),
        "lag_seconds": standing.cursor.map(|cursor| (now - cursor).num_seconds()),
        "last_run": standing.last_run.map(text),
        "rows": standing.rows,
        "version": standing.version,
        "to_do": advice(standing, now, runs),
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
    fn what_to_do_is_told_where_something_is() {
        let at = |hours: i64| DateTime::from_timestamp(1_793_500_000 + hours * 3600, 0).unwrap();
        let standing = |entity: &str, cursor, last_run, version| Standing {
            entity: crate::catalog::EntityName::new(entity),
            cursor,
            last_run,
            rows: None,
            version,
            damage: None,
        };
        let failed: PastRun = serde_json::from_str(include_str!("../../tests/golden/run-report-1.json")).unwrap();
        let told = |standing: Standing| advice(&standing, at(100), std::slice::from_ref(&failed)).unwrap_or_default();
        assert_eq!(told(standing("tags", None, None, None)), "not loaded yet; load it: kustlake run --only tags");
        assert!(told(standing("tags", None, None, Some(1))).starts_with("its first load is not complete"));
        assert_eq!(told(standing("tags", Some(at(99)), Some(at(99)), Some(1))), "");
        let late = told(standing("tags", Some(at(70)), Some(at(70)), Some(1)));
        assert!(late.starts_with("1 d 6 h behind; is the schedule on?"), "{late}");
        let refused = told(standing("messages", None, None, None));
        assert_eq!(refused, "failed in its last run: 403 forbidden: the key has no role for it");
    }

    #[test]
    fn a_lag_is_told_in_its_two_largest_units() {
        let told = [(5, "5 min"), (65, "1 h 5 min"), (3 * 24 * 60 + 61, "3 d 1 h"), (-9, "0 min")];
        for (minutes, text) in told {
            assert_eq!(lag(TimeDelta::minutes(minutes)), text);
        }
    }
}
