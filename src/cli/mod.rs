//! The command line: what is said, what is done, and what is told at the end.
//!
//! The rule: every command ends in one of the documented exit codes, and what goes wrong is told in
//! one sentence that says what happened, to what, and what to do.

mod afterwards;
mod args;
mod check;
mod demo;
mod entities;
mod init;
mod logging;
mod maintain;
mod metrics;
mod plan;
mod progress;
mod report;
mod report_page;
mod run;
mod signals;
mod state;
mod status;
mod table;
mod terminal;
mod verify;
mod views;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use self::args::{Args, Command};
use self::terminal::{Style, Terminal};
use crate::catalog::{Access, Catalog};
use crate::config::{self, Config};
use crate::run::{Exit, Repair, RunError};

/// Parses the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(told) => {
            let failed = told.use_stderr();
            // There is nobody left to tell that the help could not be shown.
            let _ = told.print();
            return if failed { Exit::Usage.code().into() } else { Exit::Ok.code().into() };
        }
    };
    let terminal = Terminal::of_process();
    logging::begin(&terminal, args.log_level);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&terminal, &RunError::Internal(format!("the runtime did not start: {error}"))),
    };
    let result = runtime.block_on(dispatch(&args, &terminal));
    // Work that a failed command has left under way is of no use to anyone. It ends with the process: a runtime that is
    // shut down cancels the tasks that such work waits for, which the transaction log's engine takes for a crash.
    std::mem::forget(runtime);
    match result {
        Ok(exit) => exit.code().into(),
        Err(error) => fail(&terminal, &error),
    }
}

fn fail(terminal: &Terminal, error: &RunError) -> ExitCode {
    terminal.error(&error.to_string());
    if terminal.style() == Style::Machine {
        let told = serde_json::json!({"exit_code": error.exit().code(), "error": error.to_string()});
        terminal.line(&told.to_string());
    }
    error.exit().code().into()
}

async fn dispatch(args: &Args, terminal: &Terminal) -> Result<Exit, RunError> {
    let catalog = Catalog::embedded()?;
    match &args.command {
        Command::Demo(demo) => demo::demo(demo, terminal, &catalog).await,
        Command::Init(init) => init::init(init, &args.config, terminal),
        Command::Check => check::check(&load(&args.config, &catalog)?, terminal, &catalog).await,
        Command::Plan(only) => plan::plan(&selected(args, &catalog, &only.only)?, terminal, &catalog).await,
        Command::Run(run) => {
            let config = selected(args, &catalog, &run.only.only)?;
            let command = if run.full_refresh { crate::run::Command::FullRefresh } else { crate::run::Command::Run };
            run::run(&config, command, &run.outside, terminal, &catalog).await
        }
        Command::Backfill(backfill) => {
            if backfill.end_date.is_some_and(|end| end <= backfill.start_date) {
                return Err(RunError::Usage("--end-date must be after --start-date".to_owned()));
            }
            let config = selected(args, &catalog, &backfill.only.only)?;
            let command = crate::run::Command::Backfill { start: backfill.start_date, end: backfill.end_date };
            run::run(&config, command, &backfill.outside, terminal, &catalog).await
        }
        Command::Status(status) => status::status(&load(&args.config, &catalog)?, status, terminal, &catalog).await,
        Command::Report(asked) => {
            let config = Config::load(&args.config, &maintain::environment(), &catalog)?;
            report::report(&config, asked, terminal, &catalog).await
        }
        Command::Verify(verify) => {
            let repair = if verify.repair { Repair::All } else { Repair::None };
            verify::verify(&selected(args, &catalog, &verify.only.only)?, repair, terminal, &catalog).await
        }
        Command::Entities(asked) => entities::entities(asked, &catalog, terminal),
        Command::Views => views::views(&load(&args.config, &catalog)?, terminal).await,
        Command::Maintain(asked) => {
            let config = Config::load(&args.config, &maintain::environment(), &catalog)?;
            maintain::maintain(&config, asked, terminal, &catalog).await
        }
        Command::State(asked) => state::state(&load(&args.config, &catalog)?, asked, terminal).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "kustlake", &mut script);
            terminal.line(&String::from_utf8_lossy(&script));
            Ok(Exit::Ok)
        }
    }
}

fn load(path: &Path, catalog: &Catalog) -> Result<Config, RunError> {
    Ok(Config::load(path, &config::environment(), catalog)?)
}

/// The configuration with only the entities that were asked for, in its own order.
fn selected(args: &Args, catalog: &Catalog, only: &[String]) -> Result<Config, RunError> {
    let mut config = load(&args.config, catalog)?;
    if let Some(unknown) = only.iter().find(|name| !config.pipelines.iter().any(|one| one.entity.as_str() == **name)) {
        let known: Vec<_> = config.pipelines.iter().map(|one| one.entity.as_str()).collect();
        let told =
            format!("--only {unknown}: not among the pipelines of {}: {}", args.config.display(), known.join(", "));
        return Err(RunError::Usage(told));
    }
    if !only.is_empty() {
        // Elements are read with the records that they are part of, and only with these.
        let mut wanted: BTreeSet<&str> = only.iter().map(String::as_str).collect();
        let mut rest = only.iter().map(String::as_str).collect::<Vec<_>>();
        while let Some(name) = rest.pop() {
            if let Some(Access::Elements { parent, .. }) = catalog.get(name).map(|entity| &entity.access)
                && wanted.insert(parent.as_str())
            {
                rest.push(parent.as_str());
            }
        }
        config.pipelines.retain(|one| wanted.contains(one.entity.as_str()));
    }
    Ok(config)
}
