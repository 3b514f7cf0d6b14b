//! What can be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Brings a Kustomer organisation into Delta tables: incrementally, completely, within a share of the rate limit.
#[derive(Debug, Parser)]
#[command(name = "kustlake", version, propagate_version = true, after_help = EXIT_CODES)]
pub(super) struct Args {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = "pipelines.yaml")]
    pub(super) config: PathBuf,

    /// Only this one of the organisations that the file names
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) organisation: Option<String>,

    /// How much is logged
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    pub(super) log_level: LogLevel,

    #[command(subcommand)]
    pub(super) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0 all well · 1 internal error · 2 usage or configuration · 3 authentication · 4 another run is active
  5 destination unusable · 6 some entities failed, the others are committed · 130, 143 interrupted, progress kept

The API key is read from KUSTOMER_API_KEY, S3 credentials from the usual AWS_* variables.";

const RUN_EXAMPLES: &str = "\
Examples:
  kustlake run                                  everything that is configured; this is the line for cron
  kustlake run --only conversations,messages    the rest stays where it is
  kustlake run --full-refresh --only customers  reads all customers again, and merges them into the table
  kustlake run --on-failure 'curl -fsS --data-binary @- https://hooks.example.com/kustlake'

The first run of an entity loads all of it, from its start date; any later one goes on from its cursor. It can be stopped at any
time: what is committed stays, and the next run goes on.";

const BACKFILL_EXAMPLES: &str = "\
Examples:
  kustlake backfill --start-date 2022-01-01 --end-date 2023-01-01 --only messages
  kustlake backfill --start-date 2020-01-01 --end-date 2025-01-01 --machines 3    the same words on each of three machines

Started again with the same dates, it goes on where it stopped, and reads nothing twice.";

const CHECK_HELP: &str = "\
It tries the key, the roles of each entity by asking for something that is not there, both clocks, and whether the storage can
be written and keeps the promise of create-only puts. Its exit code is what a run would end with.";

/// Who else is told how a run ended.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(super) struct Outside {
    /// Write what the run did as metrics for Prometheus into this file, for node exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    pub(super) metrics: Option<PathBuf>,

    /// When the exit code is not 0, run this command of the shell, with the report as JSON at its standard input and
    /// the code in KUSTLAKE_EXIT_CODE: 'curl -fsS --data-binary @- https://hooks.example.com/kustlake'
    #[arg(long, value_name = "COMMAND")]
    pub(super) on_failure: Option<String>,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The two-minute tour: a simulated organisation, loaded into a local folder
    Demo(Demo),
    /// Write a commented pipelines.yaml to begin with
    Init(Init),
    /// Check the key, its roles, the clock and the storage; changes nothing
    #[command(after_help = CHECK_HELP)]
    Check,
    /// Tell what a run would read, and what it would cost; changes nothing
    Plan(Only),
    /// Load what changed since the last run
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Load what was updated in [start, end), without touching the cursor of later runs
    #[command(after_help = BACKFILL_EXAMPLES)]
    Backfill(Backfill),
    /// Tell how far each table is
    Status(Status),
    /// Tell what the last runs did, also as one HTML page with pictures
    Report(Report),
    /// Compare the tables with the source; tells first what that costs
    Verify(Verify),
    /// List the entities that can be loaded, or describe one
    Entities(Entities),
    /// Print DuckDB views over the live files of all tables
    Views,
    /// Merge small files, and remove what no version needs that was in use within the grace
    Maintain(Maintain),
    /// Show the state file, or make it anew from the tables
    #[command(subcommand)]
    State(State),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page: kustlake manual > kustlake.1
    Manual,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Only {
    /// Only these entities, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "ENTITIES")]
    pub(super) only: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) only: Only,

    /// Read everything again from the start date; rows are merged, not dropped
    #[arg(long)]
    pub(super) full_refresh: bool,

    #[command(flatten)]
    pub(super) outside: Outside,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Backfill {
    /// The first instant: a date (midnight UTC) or an instant like 2024-01-31T08:30:00.000Z
    #[arg(long, value_name = "D", value_parser = crate::config::instant)]
    pub(super) start_date: DateTime<Utc>,

    /// The first instant after it; what has settled by now when absent
    #[arg(long, value_name = "D", value_parser = crate::config::instant)]
    pub(super) end_date: Option<DateTime<Utc>>,

    /// Share the work with other machines that are given the same words: each takes 30 days of an entity that no other
    /// has, and this part of the budget, until nothing is left
    #[arg(long, value_name = "N", requires = "end_date", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(super) machines: Option<u16>,

    #[command(flatten)]
    pub(super) only: Only,

    #[command(flatten)]
    pub(super) outside: Outside,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Status {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Report {
    /// How many runs are told
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(super) runs: u16,

    /// Write one page that needs nothing else into this file: freshness, rows, budget, problems
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum State {
    /// Print it as JSON
    Show,
    /// Write it anew: cursors as the tables have them. The next run reads again what only the state file knew
    Rebuild,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Verify {
    #[command(flatten)]
    pub(super) only: Only,

    /// Read again what differs, and remove or mark what is gone
    #[arg(long)]
    pub(super) repair: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Maintain {
    /// Only these tables or entities, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "TABLES")]
    pub(super) only: Vec<String>,

    /// How long versions can still be read, such as 7d or 36h; below 1d, no run may be active
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = crate::config::duration)]
    pub(super) grace: Duration,

    /// Only tell what would be done; changes nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Entities {
    /// The entity to describe: how it is read, what that costs, its roles and its columns
    pub(super) name: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Init {
    /// The organisation: the name before .kustomerapp.com in your browser; asked for on a terminal when absent
    #[arg(long)]
    pub(super) org: Option<String>,

    /// Where tables shall stay: s3://bucket/prefix or a folder; asked for likewise
    #[arg(long, value_name = "URL")]
    pub(super) destination: Option<String>,

    /// Nothing updated before this date is read; asked for likewise
    #[arg(long, value_name = "D")]
    pub(super) start_date: Option<String>,

    /// Replace a file that is there already
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Demo {
    /// The folder to load into; one that an earlier demo made is replaced
    #[arg(long, value_name = "FOLDER", default_value = "demo-lake")]
    pub(super) destination: PathBuf,

    /// How many records the simulated organisation has, roughly
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=20_000_000))]
    pub(super) records: u32,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_date_means_midnight_utc_and_an_instant_may_have_milliseconds() {
        let parse = |start: &str| Args::try_parse_from(["kustlake", "backfill", "--start-date", start]);
        let Command::Backfill(backfill) = parse("2024-01-31").unwrap().command else { panic!("not a backfill") };
        assert_eq!(backfill.start_date.to_rfc3339(), "2024-01-31T00:00:00+00:00");
        assert!(parse("2024-01-31T08:30:00.123Z").is_ok());
        assert!(parse("31.1.2024").unwrap_err().to_string().contains("expected a date like 2024-01-31"));
    }
}
