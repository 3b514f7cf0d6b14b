//! `run` and `backfill`.

use super::args::Outside;
use super::table::{TextTable, thousands};
use super::terminal::{Style, Terminal};
use super::{afterwards, progress, signals};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::run::{Command, EntityReport, Exit, Outcome, Report, Run, RunError, Watch, World};

/// Loads, and tells what became of it.
pub(super) async fn run(
    config: &Config,
    command: Command,
    outside: &Outside,
    terminal: &Terminal,
    catalog: &Catalog,
) -> Result<Exit, RunError> {
    let world = World::real();
    let began = (world.clock.now(), world.clock.monotonic());
    let name = command.name();
    let result = execute(config, command, terminal, catalog).await;
    let report = match &result {
        Ok(report) => report,
        Err(error) => {
            &Report::of_failure(name, began.0, world.clock.monotonic().saturating_sub(began.1), error, &world)
        }
    };
    // Told first: whatever comes afterwards may take its time.
    if result.is_ok() {
        tell(report, terminal)?;
    }
    afterwards::look_after(report, outside, config, &world).await;
    Ok(result?.exit_code)
}

/// Loads with progress on the screen; the report is the caller's to tell.
pub(super) async fn execute(
    config: &Config,
    command: Command,
    terminal: &Terminal,
    catalog: &Catalog,
) -> Result<Report, RunError> {
    let world = World::real();
    let watch = Watch::new(&config.pipelines);
    let stop = signals::listen();
    let run = Run { config, catalog, command, world: &world, watch: watch.clone(), stop };
    tokio::select! {
        report = run.execute() => report,
        () = progress::draw(terminal, &watch, world.clock.as_ref()) => {
            Err(RunError::Internal("the progress was drawn to its end".to_owned()))
        }
    }
}

fn tell(report: &Report, terminal: &Terminal) -> Result<(), RunError> {
    match terminal.style() {
        Style::Machine => {
            let text = serde_json::to_string(report).map_err(|error| RunError::Internal(error.to_string()))?;
            terminal.line(&text);
        }
        Style::Person => terminal.line(&closing(report)),
    }
    Ok(())
}

/// The closing table, and what went wrong below it.
pub(super) fn closing(report: &Report) -> String {
    let header = ["entity", "outcome", "read", "inserted", "updated", "deleted", "unchanged", "requests", "version"];
    let mut table = TextTable::new(header, 2);
    for entity in &report.entities {
        let rows = &entity.rows;
        table.row([
            entity.entity.to_string(),
            outcome(entity).to_owned(),
            thousands(rows.read),
            thousands(rows.inserted),
            thousands(rows.updated),
            thousands(rows.deleted),
            thousands(rows.unchanged),
            thousands(entity.requests),
            entity.version.map_or_else(String::new, |version| version.to_string()),
        ]);
    }
    let mut text = table.render();
    let requests = &report.requests;
    text.push_str(&format!(
        "\n{} requests ({} searches, {} repeated, {} refused), {} MB of JSON, {:.1} s of which {:.1} s waiting for the budget",
        thousands(requests.total),
        thousands(requests.search),
        thousands(requests.retried),
        thousands(requests.throttled),
        thousands(requests.bytes / 1_000_000),
        report.seconds,
        requests.waited_seconds
    ));
    for entity in &report.entities {
        if let Some(told) = odd_values(entity) {
            text.push_str(&told);
        }
        for (skip, count) in &entity.skipped.0 {
            text.push_str(&format!("\n{}: left out: {} {skip}", entity.entity, thousands(*count)));
        }
        if let Some(error) = &entity.error {
            text.push_str(&format!("\n{} failed: {error}", entity.entity));
        }
    }
    if let Some(error) = &report.error {
        text.push_str(&format!("\nended early: {error}"));
    }
    text
}

/// The values that no column took: the most frequent kinds, since an organisation's own attributes may have many.
fn odd_values(entity: &EntityReport) -> Option<String> {
    const KINDS: usize = 3;
    let mut kinds: Vec<_> = entity.problems.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let total: u64 = kinds.iter().map(|(_, count)| **count).sum();
    let told: Vec<_> =
        kinds.iter().take(KINDS).map(|(kind, count)| format!("{} of {kind}", thousands(**count))).collect();
    let more = kinds.len().saturating_sub(KINDS);
    let more = if more == 0 { String::new() } else { format!("; {more} more kinds are in the JSON report") };
    let told = format!("\n{}: {} values kept in _extra: {}{more}", entity.entity, thousands(total), told.join(", "));
    (total > 0).then_some(told)
}

fn outcome(entity: &EntityReport) -> &'static str {
    match entity.outcome {
        Outcome::Complete => "complete",
        Outcome::Failed => "FAILED",
        Outcome::Stopped => "stopped",
    }
}
