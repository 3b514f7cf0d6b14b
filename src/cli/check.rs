//! `check`: everything that a run depends on, tried out one by one.

use super::table::counted;
use super::terminal::{Style, Terminal};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::run::{Exit, Finding, RunError, Verdict, World, inspect};

pub(super) async fn check(config: &Config, terminal: &Terminal, catalog: &Catalog) -> Result<Exit, RunError> {
    let findings = inspect(config, catalog, &World::real()).await;
    for finding in &findings {
        tell(finding, terminal)?;
    }
    let exits = findings.iter().filter_map(|finding| match finding.verdict {
        Verdict::Failed(exit) => Some(exit),
        Verdict::Good | Verdict::Warning => None,
    });
    let failed: Vec<Exit> = exits.collect();
    if terminal.style() == Style::Person {
        terminal.line(&match failed.len() {
            0 => "\nall a run needs is there; next: kustlake plan, or kustlake run".to_owned(),
            some => {
                format!("\n{} to mend, the first one first; then kustlake check again", counted(some as u64, "thing"))
            }
        });
    }
    // The first failure is the one to mend first.
    Ok(failed.into_iter().next().unwrap_or(Exit::Ok))
}

fn tell(finding: &Finding, terminal: &Terminal) -> Result<(), RunError> {
    let Finding { subject, verdict, told } = finding;
    let (mark, verdict) = match verdict {
        Verdict::Good => ("ok  ", "ok"),
        Verdict::Warning => ("warn", "warning"),
        Verdict::Failed(_) => ("FAIL", "failed"),
    };
    match terminal.style() {
        Style::Person => terminal.line(&format!("{mark}  {subject:<27} {told}")),
        Style::Machine => terminal.json(&serde_json::json!({"subject": subject, "verdict": verdict, "told": told}))?,
    }
    Ok(())
}
