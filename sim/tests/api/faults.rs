//! What goes wrong on purpose, and that it goes right the next time.

use kustlake_sim::Context;
use serde_json::{Value, json};

use crate::client::{Answer, Sim, records, send, start};

/// What two requests in a row come to, of which the second one is struck.
fn struck(fault: &str) -> (Sim, std::io::Result<Answer>) {
    let sim = start();
    sim.switch(json!({fault: {"n": 2}}));
    assert_eq!(sim.get("/v1/notes").status, 200);
    let answer = sim.try_get("/v1/notes");
    let next = sim.get("/v1/notes");
    assert_eq!(next.status, 200);
    assert!(next.json()["data"].is_array(), "a retry succeeds");
    (sim, answer)
}

#[test]
fn servers_fail_in_bursts() {
    let sim = start();
    sim.switch(json!({"server_error": {"n": 4, "run": 2}, "server_error_status": 500}));
    let statuses: Vec<u16> = (0..9).map(|_| sim.get("/v1/notes").status).collect();
    assert_eq!(statuses, [200, 200, 200, 500, 500, 200, 200, 500, 500]);
}

#[test]
fn connections_drop_before_the_answer() {
    let (sim, answer) = struck("drop_before");
    assert!(answer.is_err());
    assert_eq!(sim.handle.stats().recent[1].status, 0);
}

#[test]
fn connections_drop_inside_the_body() {
    assert!(struck("drop_midway").1.is_err());
}

#[test]
fn bodies_are_cut_under_a_length_that_fits() {
    let answer = struck("truncated").1.unwrap();
    assert_eq!(answer.status, 200);
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
    assert!(answer.body.starts_with(b"{\"meta\""));
}

#[test]
fn bodies_are_garbage() {
    let answer = struck("garbage").1.unwrap();
    assert_eq!(answer.status, 200);
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
}

#[test]
fn a_proxy_answers_with_a_page() {
    let answer = struck("html_error").1.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (502, Some("text/html")));
}

#[test]
fn a_redirect_leads_to_another_origin() {
    let answer = struck("redirect").1.unwrap();
    assert_eq!(answer.status, 302);
    assert!(answer.header("location").unwrap().starts_with("https://attacker.invalid/"));
}

#[test]
fn searches_time_out_with_half_a_page() {
    let sim = start();
    sim.switch(json!({"timed_out": {"n": 2}}));
    let page = || sim.search("pageSize=100", &json!({"queryContext": "message"})).json();
    let (whole, half, again) = (page(), page(), page());
    assert!(whole["meta"].get("timed_out").is_none());
    assert_eq!(half["meta"]["timed_out"], true);
    assert_eq!([&whole, &half, &again].map(|page| records(page).len()), [100, 50, 100]);
}

#[test]
fn answers_take_their_time() {
    let sim = start();
    sim.switch(json!({"latency_ms": 120}));
    let started = sim.handle.clock().spec();
    sim.handle.clock().set_frozen(false);
    assert_eq!(sim.get("/v1/notes").status, 200);
    assert!(sim.handle.clock().now() >= started.start + 120);
}

#[test]
fn the_mover_updates_a_record_at_every_request() {
    let sim = start();
    sim.switch(json!({"mover": "every_request"}));
    let now = || sim.handle.truth(Context::Note).iter().filter(|row| row.updated_at.as_str() >= "2026-11-01").count();
    assert_eq!(now(), 0);
    sim.search("", &json!({"queryContext": "note"}));
    assert_eq!(now(), 1);
    sim.get("/v1/notes");
    assert_eq!(now(), 2);
    sim.get("/v1/messages");
    assert_eq!(now(), 2);
}

#[test]
fn faults_do_not_touch_the_control() {
    let sim = start();
    sim.switch(json!({"server_error": {"n": 1}}));
    assert_eq!(sim.get("/v1/notes").status, 503);
    assert_eq!(send(sim.handle.addr(), "GET", "/_sim/stats", None, "").unwrap().status, 200);
}
