//! `run` and `backfill`.

use tracing::{Instrument, Span, error_span};

use super::args::Outside;
use super::table::{TextTable, counted, megabytes, thousands};
use super::terminal::{Style, Terminal};
use super::{afterwards, fail, progress, signals};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::run::{Command, EntityReport, Exit, Outcome, Report, Run, RunError, Watch, World};

/// Loads all organisations side by side, and tells what became of each.
pub(super) async fn run(
    configs: &[Config],
    command: &Command,
    outside: &Outside,
    terminal: &Terminal,
    catalog: &Catalog,
) -> Exit {
    let world = World::real();
    let runs = configs.iter().map(|config| {
        let span =
            config.organisation.as_deref().map_or_else(Span::none, |name| error_span!("of", organisation = name));
        let terminal = terminal.of(config.organisation.as_deref());
        let world = &world;
        async move {
            let report = one(config, command, &terminal, catalog, world).await;
            afterwards::keep(&report, config, world).await;
            report
        }
        .instrument(span)
    });
    let reports: Vec<Report> = futures::future::join_all(runs).await;
    let variables = configs.iter().flat_map(|config| &config.secret_variables).collect();
    afterwards::tell_others(&reports.iter().collect::<Vec<_>>(), outside, &variables, &world).await;
    Exit::of_all(&reports.iter().map(|report| report.exit_code).collect::<Vec<_>>())
}

/// Loads one organisation, and tells what became of it; that it could not begin, too, is a report.
async fn one(config: &Config, command: &Command, terminal: &Terminal, catalog: &Catalog, world: &World) -> Report {
    let (began, start) = (world.clock.now(), world.clock.monotonic());
    let told = match execute(config, command.clone(), terminal, catalog).await {
        Ok(report) => tell(&report, terminal).map(|()| report),
        Err(error) => Err(error),
    };
    told.unwrap_or_else(|error| {
        fail(terminal, &error);
        let took = world.clock.monotonic().saturating_sub(start);
        Report::of_failure((config, command.name()), (began, took), &error, world)
    })
}

/// Leaves of a configuration what one of so many machines does of a backfill: what can be cut into windows, and its part of
/// the budget.
pub(super) fn share(config: &mut Config, machines: u16, catalog: &Catalog) -> Result<(), RunError> {
    let divisible = crate::run::divisible(&config.pipelines, catalog);
    if divisible.is_empty() {
        let told = "--machines: none of these entities can be cut into windows; `kustlake run` reads them whole";
        return Err(RunError::Usage(told.to_owned()));
    }
    let left: Vec<_> =
        config.pipelines.iter().filter(|one| divisible.iter().all(|kept| kept.entity != one.entity)).collect();
    if !left.is_empty() {
        let left: Vec<_> = left.iter().map(|one| one.entity.as_str()).collect();
        tracing::info!(entities = left.join(", "), "left to the next run, since they cannot be cut into windows");
    }
    config.pipelines = divisible;
    config.source.rate_share /= f64::from(machines);
    config.source.search_requests_per_minute = (config.source.search_requests_per_minute / u32::from(machines)).max(1);
    Ok(())
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
        // It names the organisation itself.
        Style::Machine => terminal.of(None).json(report)?,
        Style::Person => {
            let heading = terminal.organisation().map_or_else(String::new, |name| format!("{name}\n"));
            terminal.line(&format!("{heading}{}", closing(report)));
        }
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
        "\n{} ({} searches, {} repeated, {} refused), {} MB of JSON, {:.1} s of which {:.1} s waiting for the budget",
        counted(requests.total, "request"),
        thousands(requests.search),
        thousands(requests.retried),
        thousands(requests.throttled),
        megabytes(requests.bytes),
        report.seconds,
        requests.waited_seconds
    ));
    for entity in &report.entities {
        if !entity.new_columns.is_empty() {
            text.push_str(&format!("\n{}: new columns: {}", entity.entity, entity.new_columns.join(", ")));
        }
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
        let is_told = report.entities.iter().any(|entity| entity.error.as_ref() == Some(error));
        let error = if is_told { "no entity can do without what failed" } else { error };
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
    let told = format!("\n{}: {} kept in _extra: {}{more}", entity.entity, counted(total, "value"), told.join(", "));
    (total > 0).then_some(told)
}

fn outcome(entity: &EntityReport) -> &'static str {
    match entity.outcome {
        Outcome::Complete => "complete",
        Outcome::Failed => "FAILED",
        Outcome::Stopped => "stopped",
    }
}
