//! The two budgets as a client meets them.

use kustlake_sim::{Switches, WorldSpec};
use serde_json::json;

use crate::client::{Answer, Sim, start_with};

fn limited(org: u64, search: u64) -> Sim {
    start_with(WorldSpec::default(), Switches { org_limit: org, search_limit: search, ..Switches::default() })
}

fn search(sim: &Sim) -> Answer {
    sim.search("pageSize=1", &json!({"queryContext": "note"}))
}

#[test]
fn the_organisation_has_a_thousand_and_searches_a_hundred() {
    let switches = Switches::default();
    assert_eq!((switches.org_limit, switches.search_limit), (1_000, 100));
    let sim = limited(1_000, 3);
    for _ in 0..3 {
        assert_eq!(search(&sim).status, 200);
    }
    let answer = search(&sim);
    assert_eq!((answer.status, answer.json()["errors"][0]["code"].as_str()), (429, Some("rate_limit")));
    assert_eq!(answer.number("x-ratelimit-limit"), 1_000);
    assert_eq!(answer.number("x-ratelimit-remaining"), 996, "the headers speak of the other budget");
    assert_eq!(sim.get("/v1/notes").status, 200);
    sim.handle.clock().advance(60_000);
    assert_eq!(search(&sim).status, 200);
    assert_eq!(sim.handle.stats().throttled, 1);
}

#[test]
fn every_request_draws_from_the_organisations_budget() {
    let sim = limited(3, 100);
    assert_eq!(sim.get("/v1/notes").number("x-ratelimit-remaining"), 2);
    assert_eq!(sim.get("/v1/unheard").status, 404);
    assert_eq!(search(&sim).status, 200);
    assert_eq!(search(&sim).status, 429);
    assert_eq!(sim.get("/v1/users").status, 429);
}

#[test]
fn others_take_their_part() {
    let sim = limited(10, 100);
    sim.switch(json!({"other_clients": 8}));
    assert_eq!(sim.get("/v1/notes").number("x-ratelimit-remaining"), 1);
    assert_eq!([sim.get("/v1/notes").status, sim.get("/v1/notes").status], [200, 429]);
}

#[test]
fn a_sliding_minute_forgives_later_than_a_fixed_one() {
    for (limiting, then) in [("fixed_window", 200), ("sliding_window", 429)] {
        let sim = limited(1, 100);
        sim.switch(json!({"limiting": limiting}));
        sim.handle.clock().advance(59_000);
        assert_eq!(sim.get("/v1/notes").status, 200);
        sim.handle.clock().advance(2_000);
        assert_eq!(sim.get("/v1/notes").status, then, "{limiting}");
        sim.handle.clock().advance(60_000);
        assert_eq!(sim.get("/v1/notes").status, 200);
    }
}

#[test]
fn the_reset_comes_in_every_form() {
    let sim = limited(1, 100);
    let answers = || (sim.handle.clock().advance(60_000), sim.get("/v1/notes"), sim.get("/v1/notes"));
    let (_, first, second) = answers();
    assert_eq!((first.header("x-ratelimit-reset"), second.header("retry-after")), (None, None));
    let reset = (sim.handle.clock().now() / 60_000 + 1) * 60;
    assert_eq!(second.number("x-ratelimit-reset"), reset);
    sim.switch(json!({"reset_header": "always", "reset_unit": "milliseconds", "retry_after": "exact"}));
    let (_, first, second) = answers();
    assert_eq!(first.number("x-ratelimit-reset"), (reset + 60) * 1_000);
    assert_eq!(second.number("retry-after"), 60);
    sim.switch(json!({"reset_header": "never", "retry_after": "excessive"}));
    let (_, _, second) = answers();
    assert_eq!(second.header("x-ratelimit-reset"), None);
    assert_eq!(second.number("retry-after"), 150);
}

#[test]
fn the_date_is_simulated_and_can_be_wrong() {
    let sim = limited(1, 1);
    assert_eq!(sim.get("/v1/notes").header("date"), Some("Sun, 01 Nov 2026 00:00:00 GMT"));
    sim.switch(json!({"clock_skew_ms": -3_600_000}));
    let answer = sim.get("/v1/notes");
    assert_eq!(answer.header("date"), Some("Sat, 31 Oct 2026 23:00:00 GMT"));
    assert_eq!(answer.number("x-ratelimit-reset") % 3_600, 60);
}

#[test]
fn the_peak_is_remembered() {
    let sim = limited(1_000, 100);
    for _ in 0..5 {
        assert_eq!(search(&sim).status, 200);
        assert_eq!(sim.get("/v1/notes").status, 200);
        sim.handle.clock().advance(20_000);
    }
    let stats = sim.handle.stats();
    assert_eq!((stats.org_peak, stats.search_peak), (6, 3));
    assert_eq!(stats.by_kind["search"], 5);
    assert_eq!(stats.by_context["note"], 10);
}
