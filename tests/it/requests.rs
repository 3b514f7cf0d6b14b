//! What a load costs in requests, and that no minute holds more of them than its share.
//!
//! `KUSTLAKE_TEST_MESSAGES` sets how many messages are loaded.

use kustlake::run::{Command, Exit, Sharing};
use kustlake_sim::{ClockSpec, Context, Switches, WorldSpec};
use serde_json::{Value, json};

use crate::support::{Org, eager, entity, fast, size};

const MINUTE: i64 = 60_000;
/// How fast time passes on both sides where the budget is the point.
const SPEED: u32 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_costs_hardly_more_requests_than_it_has_pages() {
    let messages = size("KUSTLAKE_TEST_MESSAGES", 50_000);
    let org = Org::new(WorldSpec { messages, ..WorldSpec::default() }, Switches::unlimited()).await;
    org.sim.clock().advance(10 * MINUTE);
    org.configure("", "pipelines: {messages: {mode: update}}");
    let start = chrono::DateTime::UNIX_EPOCH;
    let report = org.inside(Command::Backfill { start, end: None, sharing: Sharing::Alone }, &eager()).await.unwrap();
    assert_eq!(report.exit_code, Exit::Ok);
    let report = serde_json::to_value(report).unwrap();
    let (rows, requests) = (entity(&report, "messages")["inserted"].as_u64().unwrap(), org.sim.stats().requests);
    assert_eq!(rows, u64::from(messages));
    assert!(requests * 500 * 100 <= rows * 105, "{requests} requests for {rows} rows");
    eprintln!("{requests} requests for {rows} rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_changes_costs_one_request_an_entity() {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.sim.clock().advance(60 * MINUTE);
    org.load().await;
    org.sim.clock().advance(60 * MINUTE);
    org.sim.reset_stats();
    let report = serde_json::to_value(org.load().await).unwrap();
    let stats = org.sim.stats();
    assert_eq!(stats.by_kind["identity"], 1, "{stats:?}");
    assert_eq!(stats.by_kind["search"], 4, "{stats:?}");
    for name in ["conversations", "customers", "messages", "notes"] {
        assert_eq!(entity(&report, name)["commits"], 0, "{name}");
    }
    // What the custom attributes of each are is asked once a run.
    assert_eq!(stats.by_kind["metadata"], 5, "{stats:?}");
    // Each list of users is one request; there is no search for them.
    assert_eq!(stats.requests, 10 + stats.by_context["user"], "{stats:?}");
}

/// An organisation with narrow limits, whose time and ours pass equally fast.
async fn narrow(switches: Value) -> Org {
    let switches = Switches { org_limit: 60, search_limit: 20, ..Switches::default() }.merged(switches).unwrap();
    let clock = ClockSpec { speed: f64::from(SPEED), ..ClockSpec::real_time() };
    let world = WorldSpec { messages: 3_000, notes: 1_000, ..WorldSpec::default() };
    let org = Org::with_clock(world, switches, clock).await;
    org.sim.clock().advance(10 * MINUTE);
    let text = std::fs::read_to_string(org.path("pipelines.yaml")).unwrap();
    let text = text.replace("per_minute: 9000000\n  rate_share: 1.0", "per_minute: auto\n  rate_share: 0.5");
    std::fs::write(org.path("pipelines.yaml"), text.replace("per_minute: 9000000", "per_minute: 6")).unwrap();
    org
}

async fn within_share(switches: Value) {
    let org = narrow(switches.clone()).await;
    for _ in 0..8 {
        let report = org.inside(Command::Run, &fast(SPEED)).await.unwrap();
        assert_eq!(report.exit_code, Exit::Ok, "{switches}: {report:#?}");
    }
    let stats = org.sim.stats();
    assert!(stats.requests > 30, "{} requests are too few to tell", stats.requests);
    assert!(stats.org_peak <= 30, "{switches}: {} requests in a minute", stats.org_peak);
    assert!(stats.search_peak <= 6, "{switches}: {} searches in a minute", stats.search_peak);
    assert_eq!(stats.throttled, 0, "{switches}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sliding_minute_holds_more_than_the_share_over_several_runs_in_a_row() {
    let (fixed, sliding) = (json!({}), json!({"limiting": "sliding_window", "reset_header": "always"}));
    let odd = json!({"reset_header": "always", "reset_unit": "milliseconds", "clock_skew_ms": 3_600_000});
    tokio::join!(within_share(fixed), within_share(sliding), within_share(odd));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_clients_that_use_the_minute_up_are_given_way() {
    for retry_after in ["absent", "exact", "excessive"] {
        let org = narrow(json!({"other_clients": 50, "retry_after": retry_after})).await;
        org.configure("", "pipelines: {notes: {mode: update}}");
        let report = org.inside(Command::Run, &fast(SPEED * 5)).await.unwrap();
        assert_eq!(report.exit_code, Exit::Ok, "{retry_after}: {report:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_is_read_below_records_before_these_are_loaded() {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.configure("", "pipelines: {conversations: {}, conversation_times: {}}");
    org.sim.clock().advance(60 * MINUTE);
    let below = |plan: Value| entity(&plan, "conversation_times")["other_requests"].as_u64().unwrap();
    let parents = org.sim.truth(Context::Conversation).len() as u64;
    assert_eq!(below(org.run(&["plan"]).await.report()), 2 * parents, "two lists each");
    org.load().await;
    org.sim.clock().advance(60 * MINUTE);
    assert!(below(org.run(&["plan"]).await.report()) < 20, "nothing has changed but the last records' neighbours");
}
