//! `demo`: a simulated organisation, loaded twice into a local folder, with a change in between.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use kustlake_sim::{ClockSpec, Context, Mutation, Op, SimHandle, SimServer, Switches, WorldSpec};
use secrecy::SecretString;

use super::args::Demo;
use super::run::{closing, execute};
use super::terminal::Terminal;
use crate::catalog::Catalog;
use crate::config::{
    Columns, Commits, Config, Deletes, Destination, Pipeline, Reconcile, RequestLimit, Rescan, S3, Source,
    UnknownAttributes,
};
use crate::run::{Command, Exit, RunError};

/// Marks a folder that a demo made and may replace.
pub(super) const MARK: &str = "_kustlake/demo";
/// The simulator's own key; it opens nothing else.
const KEY: &str = "sim-token";
const FAST: u32 = 10_000_000;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) async fn demo(demo: &Demo, terminal: &Terminal, catalog: &Catalog) -> Result<Exit, RunError> {
    prepare(&demo.destination)?;
    terminal.line(&format!("Simulating an organisation of about {} records ...", demo.records));
    let sim = simulate(demo.records).await?;
    let config = config(&sim, &demo.destination, catalog)?;

    terminal.line(&format!("Loading it from {} into {} ...\n", sim.base_url(), demo.destination.display()));
    let first = execute(&config, Command::Run, terminal, catalog).await?;
    terminal.line(&closing(&first));

    if first.exit_code == Exit::Ok {
        change(&sim)?;
        terminal.line("\nThe organisation changed: 300 new messages, 200 customers updated, 50 notes deleted. Running again ...\n");
        let second = execute(&config, Command::Run, terminal, catalog).await?;
        terminal.line(&closing(&second));
        terminal.line(&farewell(&demo.destination));
        return Ok(second.exit_code);
    }
    Ok(first.exit_code)
}

/// An empty folder with our mark in it.
fn prepare(folder: &Path) -> Result<(), RunError> {
    let failed = |error: std::io::Error| RunError::Usage(format!("{}: {error}", folder.display()));
    let used = folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if used && !folder.join(MARK).is_file() {
        let told = "is not empty, and no demo made it; name another folder with --destination";
        return Err(RunError::Usage(format!("{} {told}", folder.display())));
    }
    if used {
        std::fs::remove_dir_all(folder).map_err(failed)?;
    }
    std::fs::create_dir_all(folder.join("_kustlake")).map_err(failed)?;
    std::fs::write(folder.join(MARK), "This folder was made by `kustlake demo`, which may replace it.\n")
        .map_err(failed)
}

async fn simulate(records: u32) -> Result<SimHandle, RunError> {
    let world = WorldSpec {
        customers: records / 10,
        conversations: records / 5,
        messages: records / 5 * 3,
        notes: records / 10,
        users: 40,
        ..WorldSpec::default()
    };
    let switches = Switches { org_limit: u64::from(FAST), search_limit: u64::from(FAST), ..Switches::default() };
    SimServer::start(world, switches, ClockSpec::real_time())
        .await
        .map_err(|error| RunError::Internal(format!("the simulator did not start: {error}")))
}

fn config(sim: &SimHandle, folder: &Path, catalog: &Catalog) -> Result<Config, RunError> {
    let base_url =
        sim.base_url().parse().map_err(|error| RunError::Internal(format!("the simulator's address: {error}")))?;
    let pipelines = catalog.iter().map(|entity| Pipeline {
        entity: entity.name.clone(),
        mode: entity.default_mode(),
        start: None,
        deletes: Deletes::Soft,
        unknown_attributes: UnknownAttributes::Extra,
        columns: Columns::default(),
        klasses: None,
    });
    Ok(Config {
        organisation: None,
        source: Source {
            base_url,
            api_key: SecretString::from(KEY),
            start: None,
            requests_per_minute: RequestLimit::Fixed(FAST),
            rate_share: 1.0,
            search_requests_per_minute: FAST,
            concurrency: 4,
            settle: 5 * MINUTE,
            overlap: 30 * MINUTE,
            rescan: Rescan { every: DAY, reach: 7 * DAY },
            reconcile: Reconcile { every: DAY, max_deletes: 0.05 },
        },
        destination: Destination {
            url: folder.display().to_string(),
            commits: Commits::CreateOnly,
            s3: S3::default(),
            aws: std::collections::BTreeMap::new(),
        },
        state_url: None,
        hash_key: None,
        secret_variables: BTreeSet::new(),
        pipelines: pipelines.collect(),
    })
}

/// Ten minutes pass, changes happen, and ten more, so that everything has settled.
fn change(sim: &SimHandle) -> Result<(), RunError> {
    const TEN_MINUTES: i64 = 10 * 60 * 1000;
    sim.clock().advance(TEN_MINUTES);
    for (context, op, count) in
        [(Context::Message, Op::Create, 300), (Context::Customer, Op::Update, 200), (Context::Note, Op::DeleteSoft, 50)]
    {
        sim.mutate(Mutation { context, op, count, seed: 7 })
            .map_err(|error| RunError::Internal(format!("the simulator did not change: {error}")))?;
    }
    sim.clock().advance(TEN_MINUTES);
    Ok(())
}

fn farewell(folder: &Path) -> String {
    let views = in_shell(&folder.join("views.sql").display().to_string());
    let table = in_shell(&folder.join("conversations").display().to_string().replace('\'', "''"));
    format!(
        "
Ask DuckDB (pip install duckdb-cli), with nothing but these lines:

  duckdb -init \"{views}\" -c \"
    SELECT channel, direction, count(*) AS messages, count(DISTINCT conversation_id) AS conversations
    FROM messages_live GROUP BY ALL ORDER BY messages DESC\"

or read a table by its transaction log, with history and without views:

  duckdb -c \"INSTALL delta; LOAD delta; SELECT count(*) FROM delta_scan('{table}')\"

Then load an organisation of your own: kustlake init"
    )
}

/// Text as it is written between double quotes in a shell.
fn in_shell(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '"' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}
