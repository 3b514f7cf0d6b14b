//! `maintain`: files merged, and what nobody needs removed.

use super::args::Maintain as Asked;
use super::signals;
use super::table::{TextTable, megabytes, thousands};
use super::terminal::{Style, Terminal};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::run::{Action, Exit, Maintain, MaintainReport, Outcome, RunError, World};

/// Maintains the tables, and tells what became of them.
pub(super) async fn maintain(
    config: &Config,
    asked: &Asked,
    terminal: &Terminal,
    catalog: &Catalog,
) -> Result<Exit, RunError> {
    let world = World::real();
    let action = if asked.dry_run { Action::Tell } else { Action::Do };
    let maintain = Maintain { config, catalog, world: &world, only: &asked.only, grace: asked.grace, action };
    let report = maintain.execute(signals::listen()).await?;
    match terminal.style() {
        Style::Machine => terminal.json(&report)?,
        Style::Person => terminal.line(&closing(&report)),
    }
    Ok(report.exit_code)
}

/// The closing table, and what went wrong below it.
fn closing(report: &MaintainReport) -> String {
    let header = ["table", "outcome", "files", "then", "merged", "MB written", "removed", "MB removed", "log entries"];
    let mut table = TextTable::new(header, 2);
    for told in &report.tables {
        table.row([
            told.table.clone(),
            outcome(told.outcome).to_owned(),
            thousands(told.files_before),
            thousands(told.files_after),
            thousands(told.files_merged),
            megabytes(told.bytes_rewritten),
            thousands(told.files_removed),
            megabytes(told.bytes_removed),
            thousands(told.log_entries_removed),
        ]);
    }
    let mut text = table.render();
    text.push_str(&match (report.dry_run, report.exit_code) {
        (true, _) => "\nnothing was changed: this is what would be done".to_owned(),
        (false, Exit::Interrupted | Exit::Terminated) => {
            format!("\nstopped after {:.1} s; the next one goes on", report.seconds)
        }
        (false, _) => format!("\n{:.1} s", report.seconds),
    });
    if !report.left_alone.is_empty() {
        text.push_str(&format!(
            "\nleft alone, because kustlake makes no such tables: {}",
            report.left_alone.join(", ")
        ));
    }
    for told in &report.tables {
        if let Some(error) = &told.error {
            text.push_str(&format!("\n{} failed: {error}", told.table));
        }
    }
    if let Some(error) = &report.error {
        text.push_str(&format!("\nended early: {error}"));
    }
    text
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::Failed => "FAILED",
        Outcome::Stopped => "stopped",
    }
}
