//! `verify`: whether the tables have what the source has.

use super::run::execute;
use super::table::{TextTable, counted, duration, thousands};
use super::terminal::{Style, Terminal};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::run::{Command, Exit, Repair, Report, RunError, World, comparison};

/// Compares, and tells what differs.
pub(super) async fn verify(
    config: &Config,
    repair: Repair,
    terminal: &Terminal,
    catalog: &Catalog,
) -> Result<Exit, RunError> {
    let cost = comparison(config, catalog, &World::real()).await?;
    let minutes = cost.searches.div_ceil(u64::from(config.source.search_requests_per_minute));
    tracing::info!(
        tables = cost.tables,
        rows = cost.rows,
        searches = cost.searches,
        minutes,
        "comparing takes about so many searches, and more where something differs"
    );
    if terminal.style() == Style::Person {
        terminal.line(&format!(
            "{} in {}: about {} searches, {}; more where something differs",
            counted(cost.rows, "row"),
            counted(cost.tables as u64, "table"),
            thousands(cost.searches),
            duration(minutes)
        ));
    }
    let report = execute(config, Command::Verify(repair), terminal, catalog).await?;
    match terminal.style() {
        Style::Machine => terminal.json(&report)?,
        Style::Person => terminal.line(&closing(&report, repair)),
    }
    Ok(report.exit_code)
}

/// The closing table, and below it what to do.
fn closing(report: &Report, repair: Repair) -> String {
    let header = ["table", "compared rows", "missing", "outdated", "gone", "requests"];
    let mut table = TextTable::new(header, 1);
    for entity in &report.entities {
        let counts = entity.compared.as_ref().map(|found| [found.rows, found.missing, found.outdated, found.gone]);
        let [rows, missing, outdated, gone] = counts.map_or_else(Default::default, |counts| counts.map(thousands));
        table.row([entity.entity.to_string(), rows, missing, outdated, gone, thousands(entity.requests)]);
    }
    let mut text = table.render();
    let differences: u64 =
        report.entities.iter().filter_map(|entity| entity.compared.as_ref()).map(|found| found.differences()).sum();
    let is_whole = report.exit_code == Exit::Ok || report.entities.iter().all(|entity| entity.error.is_none());
    text.push_str(&match (differences, repair) {
        (0, _) if is_whole => "\nno difference found".to_owned(),
        (0, _) => "\nno difference found in what could be compared".to_owned(),
        (some, Repair::All) => format!("\n{}, repaired", counted(some, "difference")),
        (some, Repair::None) => {
            format!("\n{}; `kustlake verify --repair` reads exactly these again", counted(some, "difference"))
        }
    });
    for entity in &report.entities {
        if let Some(found) = entity.compared.as_ref().filter(|found| !found.ids.is_empty()) {
            text.push_str(&format!("\n{}: {}", entity.entity, found.ids.join(" ")));
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
