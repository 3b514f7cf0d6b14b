//! The table in `docs/requests.md` says what each entity costs in requests: it is measured here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use kustlake::catalog::{Access, Catalog, Entity};
use kustlake::clock::{Clock, SystemClock};
use kustlake::config::Config;
use kustlake::run::{Command, EntityReport, Exit, Outcome, Report, Run, Watch, World};
use kustlake_sim::{ClockSpec, Switches, WorldSpec};

use crate::parts::source;
use crate::support::{Org, eager};

/// Set to anything, it writes the table instead of comparing it.
const BLESS: &str = "KUSTLAKE_BLESS";
const DOCUMENT: &str = "docs/requests.md";
const BEGIN: &str = "<!-- measured by tests/it/costs.rs -->\n";
const END: &str = "<!-- end -->\n";
const HOUR: i64 = 3_600_000;
/// The largest page of the search.
const SEARCH_PAGE: u64 = 500;

/// The time of the simulator: its default, at which the default world is the same every day.
#[derive(Debug)]
struct SourceTime {
    clock: SystemClock,
    ahead: TimeDelta,
}

impl SourceTime {
    fn of(org: &Org) -> Self {
        let clock = SystemClock::new();
        let theirs = DateTime::from_timestamp_millis(org.sim.clock().now()).unwrap();
        Self { ahead: theirs - clock.now(), clock }
    }
}

impl Clock for SourceTime {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now() + self.ahead
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(duration)
    }
}

/// The pipelines of the repository, one after the other. What several entities need is asked for by the first of them:
/// klasses and the descriptions of custom attributes come before all others, so that it is counted as theirs.
fn everything(org: &Org, catalog: &Catalog) -> Config {
    let text = std::fs::read_to_string(source("pipelines.yaml")).unwrap();
    let (_, pipelines) = text.split_once("\npipelines:\n").unwrap();
    org.configure("  concurrency: 1", &format!("pipelines:\n{pipelines}"));
    let mut config = org.config(catalog);
    config.pipelines.sort_by_key(|pipeline| match pipeline.entity.as_str() {
        "klasses" => 0,
        "custom_attribute_metadata" => 1,
        _ => 2,
    });
    config
}

/// Whether all of an entity was read. What the simulator does not serve has no line in the table.
fn is_complete(report: &EntityReport) -> bool {
    let is_served = report.error.as_ref().is_none_or(|error| !error.contains("404"));
    assert!(report.outcome == Outcome::Complete || !is_served, "{report:#?}");
    is_served
}

/// A run to its end, and the requests that it cost, but for the one that found out that an entity is not served.
async fn load(org: &Org) -> (Report, u64) {
    let catalog = Catalog::embedded().unwrap();
    let config = everything(org, &catalog);
    let world = World { clock: Arc::new(SourceTime::of(org)), ..eager() };
    let watch = Watch::new(&config.pipelines);
    let (_stop, stop) = tokio::sync::watch::channel(None);
    org.sim.reset_stats();
    let run = Run { config: &config, catalog: &catalog, command: Command::Run, world: &world, watch, stop };
    let report = run.execute().await.unwrap();
    assert!(matches!(report.exit_code, Exit::Ok | Exit::Partial), "{report:#?}");
    let refused = report.entities.iter().filter(|entity| !is_complete(entity)).count() as u64;
    (report, org.sim.stats().requests - refused)
}

/// The fewest requests by which the API gives all rows of an entity; `rows` are those of all tables.
fn floor(entity: &Entity, own: u64, rows: &BTreeMap<&str, u64>, catalog: &Catalog) -> u64 {
    let pages = |size: u64| own.div_ceil(size).max(1);
    match &entity.access {
        Access::Search { .. } | Access::Klasses { .. } => pages(SEARCH_PAGE),
        Access::Lists { lists, page_size, .. } => pages(u64::from(*page_size)).max(lists.len() as u64),
        Access::Log { page_size, .. } => pages(u64::from(*page_size)),
        Access::PerParent { parent, lists, .. } => rows[parent.as_str()] * lists.len() as u64,
        Access::Elements { .. } => 0,
        Access::Metadata { .. } => {
            let resources = catalog.iter().filter_map(|entity| entity.custom.as_ref());
            resources.map(|resource| if resource.contains("{klass}") { rows["klasses"] } else { 1 }).sum()
        }
    }
}

/// What the table says of two runs.
fn table(first: &(Report, u64), second: &(Report, u64)) -> String {
    let catalog = Catalog::embedded().unwrap();
    let rows = |report: &EntityReport| report.rows.inserted;
    let by_name = first.0.entities.iter().map(|report| (report.entity.as_str(), rows(report))).collect();
    let mut text = String::from("| entity | rows | first load | floor | run without a change |\n");
    text.push_str("|---|---:|---:|---:|---:|\n");
    let (mut elements, mut in_elements, mut sums, mut floors) = (0, 0, (0, 0), 0);
    let mut lines = BTreeMap::new();
    for (before, after) in first.0.entities.iter().zip(&second.0.entities) {
        if !(is_complete(before) && is_complete(after)) {
            continue;
        }
        let name = before.entity.as_str();
        assert_eq!(name, after.entity.as_str());
        let entity = catalog.get(name).or_else(|| catalog.get("kobjects")).unwrap();
        // Of some entities less is read than one list a parent, and no row tells how much less.
        let floor = floor(entity, rows(before), &by_name, &catalog).min(before.requests);
        sums = (sums.0 + before.requests, sums.1 + after.requests);
        floors += floor;
        if matches!(entity.access, Access::Elements { .. }) {
            assert_eq!((before.requests, after.requests), (0, 0), "{name}");
            (elements, in_elements) = (elements + 1, in_elements + rows(before));
            continue;
        }
        let numbers = (rows(before), before.requests, floor, after.requests);
        lines.insert(name, format!("| {name} | {} | {} | {} | {} |\n", numbers.0, numbers.1, numbers.2, numbers.3));
    }
    lines.values().for_each(|line| text.push_str(line));
    text.push_str(&format!("| {elements} entities that come with their parent | {in_elements} | 0 | 0 | 0 |\n"));
    let (own, own_again) = (first.1 - sums.0, second.1 - sums.1);
    text.push_str(&format!("| for no entity | | {own} | 1 | {own_again} |\n"));
    text.push_str(&format!("| together | | {} | {} | {} |\n", first.1, floors + 1, second.1));
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entity_costs_what_the_document_says() {
    let org = Org::with_clock(WorldSpec::default(), Switches::unlimited(), ClockSpec::default()).await;
    org.sim.clock().advance(HOUR);
    let first = load(&org).await;
    org.sim.clock().advance(HOUR);
    let second = load(&org).await;
    let measured = table(&first, &second);
    let file = source(DOCUMENT);
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (stored, after) = rest.split_once(END).unwrap();
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{measured}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(stored, measured, "{DOCUMENT} is out of date: `{BLESS}=1 cargo test --test it costs` writes it");
}
