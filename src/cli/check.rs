//! `check`: everything that a run depends on, tried out one by one.

use super::terminal::{Style, Terminal};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::run::{Exit, Finding, RunError, Verdict, World, inspect};

pub(super) async fn check(config: &Config, terminal: &Terminal, catalog: &Catalog) -> Result<Exit, RunError> {
    let findings = inspect(config, catalog, &World::real()).await;
    for finding in &findings {
        terminal.line(&told(finding, terminal.style()));
    }
    let exits = findings.iter().filter_map(|finding| match finding.verdict {
        Verdict::Failed(exit) => Some(exit),
        Verdict::Good | Verdict::Warning => None,
    });
    // The first failure is the one to mend first.
    Ok(exits.into_iter().next().unwrap_or(Exit::Ok))
}

fn told(finding: &Finding, style: Style) -> String {
    let (mark, verdict) = match finding.verdict {
        Verdict::Good => ("ok  ", "ok"),
        Verdict::Warning => ("warn", "warning"),
        Verdict::Failed(_) => ("FAIL", "failed"),
    };
    match style {
        Style::Person => format!("{mark}  {:<24} {}", finding.subject, finding.told),
        Style::Machine => {
            serde_json::json!({"subject": finding.subject, "verdict": verdict, "told": finding.told}).to_string()
        }
    }
}
