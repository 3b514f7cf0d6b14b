//! The control over HTTP does what the handle does.

use kustlake_sim::{Context, Offspring, Stats, Switches, TruthRow};
use serde_json::{Value, json};

use crate::client::{Sim, send, start};

fn control(sim: &Sim, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = send(sim.handle.addr(), method, &format!("/_sim/{path}"), None, &body).unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
}

#[test]
fn switches_are_merged() {
    let sim = start();
    let (status, merged) = control(&sim, "POST", "switches", &json!({"index_lag_ms": 7, "ties": "random"}));
    assert_eq!((status, merged["index_lag_ms"].as_i64()), (200, Some(7)));
    assert_eq!(sim.handle.switches().index_lag_ms, 7);
    assert_eq!(control(&sim, "POST", "switches", &json!({"unheard": 7})).0, 400);
    assert_eq!(control(&sim, "GET", "switches", &Value::Null).1, json!(sim.handle.switches()));
    sim.handle.set_switches(Switches::default());
    assert_eq!(sim.handle.switches().index_lag_ms, 0);
}

#[test]
fn the_clock_obeys() {
    let sim = start();
    let (_, clock) = control(&sim, "GET", "clock", &Value::Null);
    assert_eq!((clock["now"].as_str(), clock["frozen"].as_bool()), (Some("2026-11-01T00:00:00.000Z"), Some(true)));
    control(&sim, "POST", "clock", &json!({"advance_ms": 1_500}));
    assert_eq!(sim.handle.clock().now() % 60_000, 1_500);
    control(&sim, "POST", "clock", &json!({"set": "2027-01-01T00:00:00Z", "speed": 1_000.0}));
    assert_eq!(sim.handle.clock().now(), 1_798_761_600_000);
    control(&sim, "POST", "clock", &json!({"freeze": false}));
    while sim.handle.clock().now() == 1_798_761_600_000 {}
    assert_eq!(control(&sim, "POST", "clock", &json!({"set": "soon"})).0, 400);
}

#[test]
fn records_change_and_are_told() {
    let sim = start();
    let change = json!({"context": "message", "op": "update", "count": 2, "seed": 5});
    assert_eq!(control(&sim, "POST", "mutate", &change).1["ids"].as_array().unwrap().len(), 2);
    let tie = json!({"context": "note", "count": 4, "at": "2026-10-01T00:00:00Z"});
    assert_eq!(control(&sim, "POST", "tie", &tie).1["ids"].as_array().unwrap().len(), 4);
    let rows = send(sim.handle.addr(), "GET", "/_sim/truth/note", None, "").unwrap().body;
    let rows: Vec<TruthRow> = serde_json::Deserializer::from_slice(&rows).into_iter().map(Result::unwrap).collect();
    assert_eq!(rows, sim.handle.truth(Context::Note));
    assert!(rows.iter().filter(|row| row.updated_at == "2026-10-01T00:00:00.000Z").count() >= 4);
    let records = send(sim.handle.addr(), "GET", "/_sim/records/notes", None, "").unwrap().body;
    assert_eq!(records, sim.handle.records(Context::Note));
    let customers = sim.handle.truth(Context::Customer);
    let pair = json!({"source": customers[0].id, "target": customers[1].id});
    assert_eq!(control(&sim, "POST", "merge", &pair).0, 200);
    assert_eq!(control(&sim, "POST", "mutate", &json!({"context": "moon"})).0, 400);
    assert_eq!(control(&sim, "GET", "truth/moon", &Value::Null).0, 400);
}

#[test]
fn what_is_read_per_parent_and_the_audit_log_are_told() {
    let sim = start();
    sim.handle.clock().advance(1_000);
    assert_eq!(control(&sim, "POST", "times", &json!({"count": 3})).1["ids"].as_array().unwrap().len(), 3);
    let lines = |path: &str| -> Vec<Value> {
        let body = send(sim.handle.addr(), "GET", &format!("/_sim/{path}"), None, "").unwrap().body;
        serde_json::Deserializer::from_slice(&body).into_iter().map(Result::unwrap).collect()
    };
    for kind in Offspring::ALL {
        let pairs = sim.handle.offspring(kind).into_iter().map(|pair| json!(pair)).collect::<Vec<_>>();
        assert_eq!(lines(&format!("offspring/{}", kind.name())), pairs);
    }
    assert_eq!(lines("audit-logs"), sim.handle.audit_log());
    assert_eq!(control(&sim, "GET", "offspring/moon", &Value::Null).0, 400);
}

#[test]
fn tokens_can_be_added() {
    let sim = start();
    let token = json!({"token": "other", "roles": ["org.user.note.read"], "expires_at": null});
    assert_eq!(control(&sim, "POST", "tokens", &token).0, 200);
    assert_eq!(sim.get_as("other", "/v1/notes").status, 200);
}

#[test]
fn the_books_are_kept_and_cleared() {
    let sim = start();
    sim.get("/v1/notes?pageSize=10");
    let (_, stats) = control(&sim, "GET", "stats", &Value::Null);
    let stats: Stats = serde_json::from_value(stats).unwrap();
    assert_eq!((stats.requests, stats.pages, stats.records), (1, 1, 10));
    assert_eq!((stats.recent[0].path.as_str(), stats.recent[0].status), ("/v1/notes?pageSize=10", 200));
    assert!(stats.bytes > 5_000);
    control(&sim, "POST", "stats/reset", &Value::Null);
    assert_eq!(sim.handle.stats(), Stats::default());
}
