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
mod telemetry;
mod terminal;
mod verify;
mod views;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use self::args::{Args, Backfill, Command};
use self::terminal::{Style, Terminal};
use crate::catalog::{Access, Catalog};
use crate::config::{self, Config, Keys};
use crate::run::{Exit, Repair, RunError, Sharing};

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
        Err(error) => {
            let error = RunError::Internal(format!("the runtime did not start: {error}"));
            return fail(&terminal, &error).code().into();
        }
    };
    let result = runtime.block_on(dispatch(&args, &terminal));
    // Work that a failed command has left under way is of no use to anyone. It ends with the process: a runtime that is
    // shut down cancels the tasks that such work waits for, which the transaction log's engine takes for a crash.
    std::mem::forget(runtime);
    match result {
        Ok(exit) => exit.code().into(),
        Err(error) => fail(&terminal, &error).code().into(),
    }
}

/// Tells why a command fails, and with which exit code.
fn fail(terminal: &Terminal, error: &RunError) -> Exit {
    terminal.error(&error.to_string());
    if terminal.style() == Style::Machine {
        let told = serde_json::json!({"exit_code": error.exit().code(), "error": error.to_string()});
        // What is left to tell it on is where it just failed to be told.
        let _ = terminal.json(&told);
    }
    error.exit()
}

async fn dispatch(args: &Args, terminal: &Terminal) -> Result<Exit, RunError> {
    let catalog = Catalog::embedded()?;
    match &args.command {
        Command::Demo(demo) => demo::demo(demo, terminal, &catalog).await,
        Command::Init(init) => init::init(init, &args.config, terminal),
        Command::Run(run) => {
            let configs = selected(args, &catalog, &run.only.only)?;
            let command = if run.full_refresh { crate::run::Command::FullRefresh } else { crate::run::Command::Run };
            Ok(run::run(&configs, &command, &run.outside, terminal, &catalog).await)
        }
        Command::Backfill(backfill) => self::backfill(args, backfill, terminal, &catalog).await,
        Command::Entities(asked) => entities::entities(asked, &catalog, terminal),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "kustlake", &mut script);
            terminal.line(&String::from_utf8_lossy(&script));
            Ok(Exit::Ok)
        }
        Command::Manual => manual(terminal),
        command => of_each(args, command, terminal, &catalog).await,
    }
}

async fn backfill(args: &Args, asked: &Backfill, terminal: &Terminal, catalog: &Catalog) -> Result<Exit, RunError> {
    let (start, end) = (asked.start_date, asked.end_date);
    if end.is_some_and(|end| end <= start) {
        return Err(RunError::Usage("--end-date must be after --start-date".to_owned()));
    }
    let mut configs = selected(args, catalog, &asked.only.only)?;
    let mut sharing = Sharing::Alone;
    if let Some(machines) = asked.machines {
        sharing = Sharing::Machines;
        for config in &mut configs {
            run::share(config, machines, catalog)?;
        }
    }
    let command = crate::run::Command::Backfill { start, end, sharing };
    Ok(run::run(&configs, &command, &asked.outside, terminal, catalog).await)
}

/// What is done for one organisation after the other.
async fn of_each(args: &Args, command: &Command, terminal: &Terminal, catalog: &Catalog) -> Result<Exit, RunError> {
    let only: &[String] = match command {
        Command::Plan(only) => &only.only,
        Command::Verify(verify) => &verify.only.only,
        _ => &[],
    };
    let mut exits = Vec::new();
    for config in selected(args, catalog, only)? {
        let terminal = terminal.of(config.organisation.as_deref());
        if let (Some(name), Style::Person) = (terminal.organisation(), terminal.style()) {
            terminal.line(name);
        }
        let exit = match command {
            Command::Check => check::check(&config, &terminal, catalog).await,
            Command::Plan(_) => plan::plan(&config, &terminal, catalog).await,
            Command::Status(asked) => status::status(&config, asked, &terminal, catalog).await,
            Command::Report(asked) => report::report(&config, asked, &terminal, catalog).await,
            Command::Verify(verify) => {
                let repair = if verify.repair { Repair::All } else { Repair::None };
                verify::verify(&config, repair, &terminal, catalog).await
            }
            Command::Views => views::views(&config, &terminal).await,
            Command::Maintain(asked) => maintain::maintain(&config, asked, &terminal, catalog).await,
            Command::State(asked) => state::state(&config, asked, &terminal).await,
            _ => Err(RunError::Internal("this is no command of an organisation".to_owned())),
        };
        exits.push(exit.unwrap_or_else(|error| fail(&terminal, &error)));
    }
    Ok(Exit::of_all(&exits))
}

/// The manual page, for `man`: the program, and each command with its options.
fn manual(terminal: &Terminal) -> Result<Exit, RunError> {
    let mut page = Vec::new();
    let written = (|| {
        let mut program = Args::command();
        program.build();
        clap_mangen::Man::new(program.clone()).render(&mut page)?;
        for command in program.get_subcommands() {
            let command = clap_mangen::Man::new(command.clone());
            command.render_name_section(&mut page)?;
            command.render_synopsis_section(&mut page)?;
            command.render_options_section(&mut page)?;
            command.render_extra_section(&mut page)?;
        }
        std::io::Result::Ok(())
    })();
    written.map_err(|error| RunError::Internal(error.to_string()))?;
    terminal.line(String::from_utf8_lossy(&page).trim_end());
    Ok(Exit::Ok)
}

/// The configurations of the organisations that were asked for.
fn load(args: &Args, catalog: &Catalog) -> Result<Vec<Config>, RunError> {
    let keys = match args.command {
        Command::Report(_) | Command::Maintain(_) | Command::Status(_) | Command::State(_) | Command::Views => {
            Keys::NotNeeded
        }
        _ => Keys::Needed,
    };
    let mut configs = Config::load(&args.config, &config::environment(), keys, catalog)?;
    let is_demo = |config: &&Config| Path::new(&config.destination.url).join(demo::MARK).is_file();
    if let Some(config) = configs.iter().find(is_demo).filter(|_| keys == Keys::Needed) {
        let told = "was made by `kustlake demo`, and its records are invented; name another destination.url, or remove the folder";
        return Err(RunError::Usage(format!("{} {told}", config.destination.url)));
    }
    let Some(asked) = &args.organisation else { return Ok(configs) };
    let known: Vec<_> = configs.iter().filter_map(|config| config.organisation.clone()).collect();
    configs.retain(|config| config.organisation.as_ref() == Some(asked));
    if configs.is_empty() {
        let known = if known.is_empty() { "names none".to_owned() } else { format!("has {}", known.join(", ")) };
        return Err(RunError::Usage(format!("--organisation {asked}: {} {known}", args.config.display())));
    }
    Ok(configs)
}

/// The same with only the entities that were asked for, in their own order.
fn selected(args: &Args, catalog: &Catalog, only: &[String]) -> Result<Vec<Config>, RunError> {
    let mut configs = load(args, catalog)?;
    let has = |config: &Config, name: &str| config.pipelines.iter().any(|one| one.entity.as_str() == name);
    if let Some(unknown) = only.iter().find(|name| !configs.iter().any(|config| has(config, name))) {
        let known: BTreeSet<_> =
            configs.iter().flat_map(|config| &config.pipelines).map(|one| one.entity.as_str()).collect();
        let known: Vec<_> = known.into_iter().collect();
        let told =
            format!("--only {unknown}: not among the pipelines of {}: {}", args.config.display(), known.join(", "));
        return Err(RunError::Usage(told));
    }
    if only.is_empty() {
        return Ok(configs);
    }
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
    configs.iter_mut().for_each(|config| config.pipelines.retain(|one| wanted.contains(one.entity.as_str())));
    configs.retain(|config| !config.pipelines.is_empty());
    Ok(configs)
}
