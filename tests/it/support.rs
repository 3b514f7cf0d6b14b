//! An organisation, a configuration and the program, in a fresh folder each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kustlake::api::{Patience, RetrySettings};
use kustlake::catalog::{Access, Catalog};
use kustlake::clock::SystemClock;
use kustlake::config::Config;
use kustlake::run::{self, Exit, Report, Run, RunError, Watch, World};
use kustlake_sim::{ClockSpec, SimHandle, SimServer, Switches, WorldSpec};
use serde_json::Value;
use tempfile::TempDir;

use crate::parts::source;

/// The key that the simulator accepts for everything.
pub(crate) const TOKEN: &str = "sim-token";

/// The pipelines of the entities that everything else refers to.
const CORE: &str = "pipelines: {conversations: {}, customers: {}, messages: {}, notes: {}, users: {}}";

/// A simulated organisation and a folder to load it into.
pub(crate) struct Org {
    pub(crate) sim: SimHandle,
    pub(crate) folder: TempDir,
    environment: BTreeMap<String, String>,
}

impl Org {
    /// An organisation without rate limits.
    pub(crate) async fn new(world: WorldSpec, switches: Switches) -> Self {
        Self::with_clock(world, switches, ClockSpec::real_time()).await
    }

    pub(crate) async fn with_clock(world: WorldSpec, switches: Switches, clock: ClockSpec) -> Self {
        let sim = SimServer::start(world, switches, clock).await.unwrap();
        serve_new_entities(&sim);
        let org = Self { sim, folder: TempDir::new().unwrap(), environment: BTreeMap::new() };
        org.configure("", "");
        org
    }

    /// Writes `pipelines.yaml`, with more lines below `source:` and at the end. Without pipelines among them, those of the
    /// five core entities.
    pub(crate) fn configure(&self, source: &str, rest: &str) {
        self.configure_at("  url: ./lake", source, rest);
    }

    /// Writes `pipelines.yaml` for another destination, with more lines below `source:` and at the end.
    pub(crate) fn configure_at(&self, destination: &str, source: &str, rest: &str) {
        let base = self.sim.base_url();
        let pipelines = if rest.contains("pipelines:") { "" } else { CORE };
        let text = format!(
            "source:\n  base_url: {base}\n  requests_per_minute: 9000000\n  rate_share: 1.0\n  \
             search_requests_per_minute: 9000000\n{source}\ndestination:\n{destination}\n{rest}\n{pipelines}\n"
        );
        std::fs::write(self.path("pipelines.yaml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn lake(&self) -> PathBuf {
        self.path("lake")
    }

    /// Sets a variable for every later command.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// The program with these arguments, in the organisation's folder; only `environment` and the key are set.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = program(self.folder.path());
        command.args(args).env("KUSTOMER_API_KEY", TOKEN).envs(&self.environment);
        command
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs the program to its end. It runs on a thread of its own: the simulator needs this one's runtime.
    pub(crate) async fn run(&self, args: &[&str]) -> Ended {
        let child = self.start(args);
        Ended::from(tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap())
    }

    /// The checked configuration, for runs inside this process.
    pub(crate) fn config(&self, catalog: &Catalog) -> Config {
        let text = std::fs::read_to_string(self.path("pipelines.yaml")).unwrap();
        let text = text.replace("./lake", self.lake().to_str().unwrap());
        let mut environment = self.environment.clone();
        environment.entry("KUSTOMER_API_KEY".to_owned()).or_insert_with(|| TOKEN.to_owned());
        Config::parse("pipelines.yaml", &text, &environment, catalog).unwrap().remove(0)
    }

    /// A run inside this process, which need not wait between attempts.
    pub(crate) async fn inside(&self, command: run::Command, world: &World) -> Result<Report, RunError> {
        self.inside_of(&Catalog::embedded().unwrap(), command, world).await
    }

    /// The same, of the entities of another catalogue.
    pub(crate) async fn inside_of(
        &self,
        catalog: &Catalog,
        command: run::Command,
        world: &World,
    ) -> Result<Report, RunError> {
        let config = self.config(catalog);
        let watch = Watch::new(&config.pipelines);
        let (_stop, stop) = tokio::sync::watch::channel(None);
        Run { config: &config, catalog, command, world, watch, stop }.execute().await
    }

    /// A run inside this process that must end well.
    pub(crate) async fn load(&self) -> Report {
        let report = self.inside(run::Command::Run, &eager()).await.unwrap();
        assert_eq!(report.exit_code, Exit::Ok, "{report:#?}");
        report
    }

    /// Runs the program, which must succeed, and gives its report.
    pub(crate) async fn report(&self, args: &[&str]) -> Value {
        let ended = self.run(args).await;
        assert_eq!(ended.code, 0, "{ended:#?}");
        ended.report()
    }
}

/// Serves the fixtures of entities that the simulator does not know, so that a new one needs nothing but its files.
fn serve_new_entities(sim: &SimHandle) {
    for entity in Catalog::embedded().unwrap().iter() {
        let Access::Lists { lists, .. } = &entity.access else { continue };
        for list in lists.iter().filter(|list| !sim.serves(&list.path)) {
            sim.serve_list(&list.path, fixture(entity.name.as_str())["data"].as_array().unwrap().clone());
        }
    }
}

/// The invented answer of the API about an entity.
pub(crate) fn fixture(entity: &str) -> Value {
    let text = std::fs::read_to_string(source(&format!("tests/fixtures/{entity}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A world in which a failed request is sent again at once.
pub(crate) fn eager() -> World {
    let pause = Duration::from_millis(1);
    // Faults that strike by count may strike the same request often while others are under way.
    let retry = RetrySettings { attempts: 60, first_pause: pause, longest_pause: pause, ..RetrySettings::default() };
    World { retry, ..World::real() }
}

/// A world whose clock runs fast; it is no less patient with answers, which come in real time.
pub(crate) fn fast(speed: u32) -> World {
    let patience = Patience { answer: Duration::from_secs(120) * speed, ..Patience::default() };
    let clock = Arc::new(SystemClock::with_speed(speed));
    World { clock, patience, ..World::real() }
}

/// A number that the environment may replace, so that a test can be run at its full size by hand.
pub(crate) fn size(variable: &str, usual: u32) -> u32 {
    let given = std::env::vars_os().find(|(name, _)| name == variable);
    given.map_or(usual, |(_, value)| value.to_str().unwrap().parse().unwrap())
}

/// The program in a folder, with an empty environment.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kustlake"));
    command.current_dir(folder).env_clear();
    command
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ended {
    /// The JSON report on the last line of standard output.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(self.stdout.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{self:#?}"))
    }
}

/// One entity's part of a report.
pub(crate) fn entity<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut entities = report["entities"].as_array().unwrap().iter();
    entities.find(|entity| entity["entity"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}
