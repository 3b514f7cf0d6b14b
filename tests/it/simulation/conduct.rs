//! Plays a scenario: the real program on invented time, with an invented network and storage.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kustlake::api::{Network, Patience, RetrySettings};
use kustlake::catalog::Catalog;
use kustlake::clock::Entropy;
use kustlake::config::Config;
use kustlake::run::{Action, Command, Exit, Maintain, Run, RunError, Sharing, Storage, Watch, World};
use kustlake_sim::Op;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::runtime::{Builder, Runtime};

use super::clock::{ProcessClock, Time};
use super::oracle;
use super::process::{Fate, Process};
use super::scenario::{Event, Scenario, quiet};
use super::source::{Change, ProcessNetwork, START, Source};
use super::store::{Memory, ProcessStore};
use crate::support::TOKEN;

const DAY: Duration = Duration::from_secs(86_400);

/// Where the log's engine works; it needs threads.
fn engine() -> &'static Runtime {
    static ENGINE: OnceLock<Runtime> = OnceLock::new();
    ENGINE.get_or_init(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
}

/// A simulation under way.
pub(super) struct Play {
    pub(super) scenario: Scenario,
    pub(super) config: Config,
    pub(super) catalog: &'static Catalog,
    pub(super) time: Time,
    pub(super) source: Arc<Source>,
    pub(super) memory: Arc<Memory>,
    /// How far the local clock is from the right time, in minutes.
    clock: i32,
    processes: u64,
    /// Requests and changes of the last run.
    pub(super) counts: (u64, u64),
    pub(super) told: BTreeMap<String, oracle::Told>,
    pub(super) read: oracle::Read,
    /// Versions of records that were seen to hold something personal.
    pub(super) personal: HashSet<(&'static str, String, i64)>,
}

/// What a process is to do.
#[derive(Debug, Clone)]
enum Work {
    Run(Command),
    /// With this grace.
    Maintain(Duration),
}

/// How a process ended.
enum End {
    Died,
    Ended(Result<Report, RunError>),
    Never,
}

/// What a process has said at its end.
struct Report {
    exit: Exit,
    told: String,
}

fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog::embedded().unwrap())
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(START).unwrap()
}

impl Play {
    fn new(scenario: &Scenario, time: Time) -> Self {
        let Scenario { source, pipelines, .. } = scenario;
        let limit = |limit: u64| if limit <= 1_000 { limit } else { 9_000_000 };
        let (all, searches) = (limit(scenario.switches.org_limit), limit(scenario.switches.search_limit));
        let limits = format!("  requests_per_minute: {all}\n  search_requests_per_minute: {searches}\n");
        let text = format!(
            "source:\n  base_url: http://127.0.0.1:9\n  rate_share: 1.0\n  reconcile: {{max_deletes: 100%}}\n{limits}{source}\
             destination: {{url: 's3://bucket/lake'}}\npipelines: {{{pipelines}}}\n"
        );
        let environment = BTreeMap::from([("KUSTOMER_API_KEY".to_owned(), TOKEN.to_owned())]);
        let config = Config::parse("pipelines.yaml", &text, &environment, catalog()).unwrap().remove(0);
        let memory = Memory::new(time.clone(), start());
        let source = Source::new(scenario, time.clone());
        let scenario = scenario.clone();
        Self {
            scenario,
            config,
            catalog: catalog(),
            time,
            source,
            memory,
            clock: 0,
            processes: 0,
            counts: (0, 0),
            told: BTreeMap::new(),
            read: BTreeMap::new(),
            personal: HashSet::new(),
        }
    }

    /// One run of the program, to its end or its death.
    async fn process(&self, number: u64, work: Work, fate: Fate, lease: Option<String>) -> (End, (u64, u64)) {
        let process = Arc::new(Process::new(fate));
        let network = ProcessNetwork {
            source: Arc::clone(&self.source),
            memory: Arc::clone(&self.memory),
            process: Arc::clone(&process),
            time: self.time.clone(),
            latency: Duration::from_millis(u64::from(self.scenario.latency_ms)),
        };
        let store = ProcessStore { memory: Arc::clone(&self.memory), process: Arc::clone(&process), lease };
        let world = World {
            clock: Arc::new(ProcessClock {
                time: self.time.clone(),
                start: start() + TimeDelta::minutes(i64::from(self.clock)),
            }),
            entropy: Arc::new(Entropy::seeded(self.scenario.seed.wrapping_mul(1_000).wrapping_add(number))),
            patience: Patience::default(),
            retry: RetrySettings { attempts: 12, ..RetrySettings::default() },
            network: Network::Given(Arc::new(network)),
            storage: Storage::Given(Arc::new(store), engine().handle().clone()),
            part_rows: self.scenario.part_rows(),
        };
        let end = tokio::select! {
            biased;
            () = process.death() => End::Died,
            ended = self.work(work, &world) => End::Ended(ended),
            () = self.time.sleep(30 * DAY) => End::Never,
        };
        // What it has left behind can do nothing any more.
        let counts = process.counts();
        process.die();
        (end, counts)
    }

    async fn work(&self, work: Work, world: &World) -> Result<Report, RunError> {
        let (_stop, stop) = tokio::sync::watch::channel(None);
        let (config, catalog) = (&self.config, self.catalog);
        match work {
            Work::Run(command) => {
                let watch = Watch::new(&config.pipelines);
                let report = Run { config, catalog, command, world, watch, stop }.execute().await?;
                Ok(Report { exit: report.exit_code, told: format!("{report:#?}") })
            }
            Work::Maintain(grace) => {
                let report = Maintain { config, catalog, world, only: &[], grace, action: Action::Do };
                let report = report.execute(stop).await?;
                Ok(Report { exit: report.exit_code, told: format!("{report:#?}") })
            }
        }
    }

    async fn run(&mut self, work: Work, fate: Fate) -> Result<Option<Report>, String> {
        let told = format!("{work:?}");
        self.processes += 1;
        let (end, counts) = self.process(self.processes, work, fate, None).await;
        self.counts = counts;
        Self::judged(end, &told)
    }

    /// What may come of a run in which anything may go wrong: anything but an error of ours.
    fn judged(end: End, told: &str) -> Result<Option<Report>, String> {
        match end {
            End::Died => Ok(None),
            End::Never => Err(format!("{told} does not end")),
            End::Ended(ended) => match ended {
                Ok(report) if report.exit == Exit::Internal => Err(format!("{told} ended in {}", report.told)),
                Ok(report) => Ok(Some(report)),
                Err(error) if error.exit() == Exit::Internal => Err(format!("{told} ended in {error}")),
                Err(_) => Ok(None),
            },
        }
    }

    async fn event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Run(fate) => drop(self.run(Work::Run(Command::Run), fate.clone()).await?),
            Event::FullRefresh(fate) => drop(self.run(Work::Run(Command::FullRefresh), fate.clone()).await?),
            Event::Maintain(hours, fate) => drop(self.run(maintenance(*hours), fate.clone()).await?),
            Event::Backfill(from, until, fate) => {
                let day = |days: &u32| start() - TimeDelta::days(i64::from(*days));
                let command = Command::Backfill { start: day(from), end: Some(day(until)), sharing: Sharing::Alone };
                drop(self.run(Work::Run(command), fate.clone()).await?);
            }
            Event::Overlap(one, other) => {
                self.pair(Work::Run(Command::Run), one, other, &[]).await?;
            }
            Event::MaintainBeside(one, other) => {
                self.pair(maintenance(24), one, other, &[]).await?;
            }
            Event::Change(change) => self.change(*change),
            Event::Trickle(context, seed) => {
                for number in 0..6 {
                    self.change(Change::Mutate(*context, Op::Update, 1, seed + number));
                    self.time.pass(Duration::from_secs(10));
                }
                self.wait(5);
            }
            Event::Wait(minutes) => self.wait(*minutes),
            Event::SetClock(minutes) => self.clock = *minutes,
            Event::LoseState => drop(self.memory.objects.delete(&state()).await),
            Event::DamageState => drop(self.memory.objects.put(&state(), "{".into()).await),
        }
        Ok(())
    }

    /// A run, and something else beside it that does not see its lease. Each number of minutes passes, and each
    /// change happens, before that begins.
    async fn pair(
        &mut self,
        beside: Work,
        one: &Fate,
        other: &Fate,
        before: &[(u32, &[Change])],
    ) -> Result<(), String> {
        self.processes += 2;
        let (first, second) = (self.processes - 1, self.processes);
        let told = format!("{beside:?} beside a run");
        let later = async {
            for (minutes, changes) in before {
                self.time.sleep(Duration::from_secs(60) * *minutes).await;
                changes.iter().for_each(|change| self.change(*change));
            }
            self.process(second, beside, other.clone(), Some(second.to_string())).await
        };
        let one = self.process(first, Work::Run(Command::Run), one.clone(), Some(first.to_string()));
        let (one, other) = futures::future::join(one, later).await;
        Self::judged(one.0, "the first of two")?;
        Self::judged(other.0, &told).map(drop)
    }

    async fn play(&mut self) -> Result<(), String> {
        for event in self.scenario.events.clone() {
            self.event(&event).await?;
            oracle::every_version(self).await?;
        }
        self.end().await
    }

    /// A quiet end: two clean runs, the second one on another day, when deletes are looked for.
    async fn end(&mut self) -> Result<(), String> {
        self.clock = 0;
        self.source.rest();
        for wait in [Duration::from_secs(3_600), 2 * DAY] {
            self.time.pass(wait);
            let report = self.run(Work::Run(Command::Run), quiet()).await?;
            let report = report.ok_or("a clean run did not come to its end")?;
            if report.exit != Exit::Ok {
                return Err(format!("a clean run ended in {}", report.told));
            }
            oracle::every_version(self).await?;
            oracle::caught_up(self).await?;
        }
        oracle::the_end(self).await
    }
}

fn maintenance(hours: u32) -> Work {
    Work::Maintain(Duration::from_secs(3_600) * hours)
}

fn state() -> Path {
    Path::from("lake/_kustlake/state.json")
}

/// Plays a scenario.
pub(super) fn play(scenario: &Scenario) -> (Result<(), String>, Vec<String>) {
    let (outcome, play) = with(scenario, async |play| play.play().await);
    (outcome, play.memory.trace.lock().unwrap().clone())
}

/// Does something in a new simulation.
pub(super) fn with<T>(scenario: &Scenario, act: impl AsyncFnOnce(&mut Play) -> T) -> (T, Play) {
    let time = Time::default();
    let idle = time.clone();
    let runtime =
        Builder::new_current_thread().max_blocking_threads(1).on_thread_park(move || idle.idle()).build().unwrap();
    let mut play = Play::new(scenario, time);
    let outcome = runtime.block_on(act(&mut play));
    // Work that a dead process has left behind must not be waited for.
    runtime.shutdown_background();
    (outcome, play)
}

impl Play {
    /// A run in which nothing goes wrong.
    pub(super) async fn first(&mut self, fate: Fate) -> Result<(), String> {
        self.run(Work::Run(Command::Run), fate).await.map(drop)
    }

    /// A run with this fate, and the end.
    pub(super) async fn strike(&mut self, fate: Fate) -> Result<(), String> {
        self.run(Work::Run(Command::Run), fate).await?;
        oracle::every_version(self).await?;
        self.end().await
    }

    /// Lets something happen at the source.
    pub(super) fn change(&self, change: Change) {
        self.source.change(change, &self.memory);
    }

    pub(super) fn wait(&self, minutes: u32) {
        self.time.pass(Duration::from_secs(60) * minutes);
    }

    /// Two runs, and the end. Ten minutes after the first one begins the changes happen, and ninety minutes later the
    /// second one begins.
    pub(super) async fn passed(&mut self, one: &Fate, other: &Fate, changes: &[Change]) -> Result<(), String> {
        self.pair(Work::Run(Command::Run), one, other, &[(10, changes), (90, &[])]).await?;
        oracle::every_version(self).await?;
        self.end().await
    }
}
