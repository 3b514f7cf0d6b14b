//! How much of the budget of searches a load uses where answers take their time.

use std::time::Duration;

use kustlake_sim::{Limiting, Switches, WorldSpec};

use super::conduct::with;
use super::faults::scenario;
use super::process::Fate;
use super::scenario::Scenario;

/// What an API key may ask for in a minute (API reference, section 7).
const SEARCHES: u32 = 100;

/// Loads some thousand records in small pages, 300 ms each. Searches, seconds, refusals, and the most searches in a minute.
fn load(limiting: Limiting) -> (u64, f64, u64, usize) {
    let usual = scenario();
    let world =
        WorldSpec { customers: 500, conversations: 500, messages: 2_500, notes: 500, audit_logs: 0, ..usual.world };
    let (org_limit, search_limit) = (1_000, u64::from(SEARCHES));
    let switches = Switches { org_limit, search_limit, limiting, largest_page: 5, ..Switches::unlimited() };
    let pipelines = "conversations: {}, customers: {}, messages: {}, notes: {}, users: {}".to_owned();
    let loading = Scenario { world, switches, pipelines, source: String::new(), latency_ms: 300, ..usual };
    let (outcome, play) = with(&loading, async |play| {
        let began = play.time.now();
        play.first(Fate::default()).await?;
        Ok::<Duration, String>(play.time.now() - began)
    });
    let (stats, took) = (play.source.sim.stats(), outcome.unwrap());
    let searches = stats.by_kind["search"] + stats.by_kind["archive_search"];
    (searches, took.as_secs_f64(), stats.throttled, stats.search_peak)
}

#[test]
fn where_answers_take_300_ms_a_load_uses_nearly_all_of_its_searches_and_is_never_refused() {
    for limiting in [Limiting::FixedWindow, Limiting::SlidingWindow] {
        let (searches, seconds, refused, peak) = load(limiting);
        // What is left of a minute that has begun counts as not used.
        let used = searches as f64 / (f64::from(SEARCHES) * (seconds / 60.0).ceil());
        eprintln!("{limiting:?}: {searches} searches in {seconds:.1} s, {used:.3} of the budget, {peak} in a minute");
        assert_eq!(refused, 0, "{limiting:?}");
        assert!(used >= 0.95 && searches > 500, "{limiting:?}: {searches} searches in {seconds} s");
    }
}
