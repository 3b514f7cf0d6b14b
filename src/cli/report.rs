//! `report`: what the last runs did, from what is kept beside the tables. The source is asked for nothing.

use chrono::SecondsFormat;
use serde_json::json;

use super::args::Report as Asked;
use super::report_page::Page;
use super::table::{TextTable, thousands};
use super::terminal::{Style, Terminal};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::run::{self, Exit, PastRun, RunError, Standing, World};

pub(super) async fn report(
    config: &Config,
    asked: &Asked,
    terminal: &Terminal,
    catalog: &Catalog,
) -> Result<Exit, RunError> {
    let world = World::real();
    let now = world.clock.now();
    let lake = run::lake(config, &world)?;
    let runs = PastRun::newest(&lake, usize::from(asked.runs)).await?;
    if let Some(file) = &asked.html {
        let standings = Standing::all(config, catalog, &lake, &world, now).await?;
        let page = Page { destination: lake.root().as_str(), now, standings: &standings, runs: &runs };
        std::fs::write(file, page.html()).map_err(|error| {
            RunError::Usage(format!("--html {}: {error}; name a file in a folder that is there", file.display()))
        })?;
        terminal.note(&format!("wrote {}; open it in a browser", file.display()));
    }
    if asked.json || (asked.html.is_none() && terminal.style() == Style::Machine) {
        terminal.json(&json!({ "destination": lake.root().as_str(), "runs": runs }))?;
    } else if asked.html.is_none() {
        terminal.line(&table(lake.root().as_str(), &runs));
    }
    Ok(Exit::Ok)
}

/// A line a run, and why runs and entities failed below.
fn table(destination: &str, runs: &[PastRun]) -> String {
    if runs.is_empty() {
        return format!("{destination}\nno run is kept here yet: kustlake run");
    }
    let header = ["began", "command", "ended", "seconds", "rows changed", "requests", "searches", "waited"];
    let mut table = TextTable::new(header, 3);
    for run in runs {
        table.row([
            run.started_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            run.command.clone(),
            ended(run.exit_code).to_owned(),
            format!("{:.1}", run.seconds),
            thousands(run.rows()),
            thousands(run.requests.total),
            thousands(run.requests.search),
            format!("{:.0} s", run.requests.waited_seconds),
        ]);
    }
    let mut text = format!("{destination}\n{}", table.render());
    for (what, error) in failures(runs) {
        text.push_str(&format!("\n{what}: {error}"));
    }
    text
}

/// What failed in the newest run, or ended it.
pub(super) fn failures(runs: &[PastRun]) -> Vec<(&str, &str)> {
    let Some(last) = runs.last() else { return Vec::new() };
    let entities = last.entities.iter().filter_map(|entity| Some((entity.entity.as_str(), entity.error.as_deref()?)));
    entities.chain(last.error.as_deref().map(|error| ("the last run", error))).collect()
}

/// What an exit code says, in a word.
pub(super) const fn ended(code: u8) -> &'static str {
    match code {
        0 => "complete",
        2 => "configuration",
        3 => "authentication",
        4 => "another was active",
        5 => "destination",
        6 => "some failed",
        130 | 143 => "stopped",
        _ => "internal error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_a_line_and_its_failures_below() {
        let run: PastRun = serde_json::from_str(include_str!("../../tests/golden/run-report-1.json")).unwrap();
        let told = table("file:///lake/", &[run]);
        assert!(told.contains("2026-11-01T03:00:00Z  run      some failed"), "{told}");
        assert!(told.ends_with("\nmessages: 403 forbidden: the key has no role for it"), "{told}");
        assert!(table("file:///lake/", &[]).ends_with("kustlake run"));
    }
}
