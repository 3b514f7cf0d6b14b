//! An engine that spreads its work over machines reads the tables where they lie, also while runs change them.

use std::collections::BTreeSet;
use std::process::Stdio;

use kustlake_sim::{Context, Mutation, Op, Switches, WorldSpec};
use serde_json::Value;

use crate::parts::{python, source};
use crate::support::{Ended, Org};

#[tokio::test(flavor = "multi_thread")]
async fn before_during_and_after_runs_it_answers_as_duckdb_does() {
    let org = Org::new(WorldSpec::of_messages(4_000), Switches { latency_ms: 40, ..Switches::unlimited() }).await;
    org.sim.clock().advance(10 * 60 * 1000);
    org.report(&["run"]).await;
    let mut reader = python();
    reader.arg("-B").arg(source("tests/during.py")).arg(org.lake()).arg("messages");
    reader.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut reader = reader.spawn().unwrap();
    for seed in 0..8 {
        for op in [Op::Create, Op::Update, Op::DeleteSoft] {
            org.sim.mutate(Mutation { context: Context::Message, op, count: 60, seed }).unwrap();
        }
        org.sim.clock().advance(10 * 60 * 1000);
        org.report(&["run"]).await;
    }
    drop(reader.stdin.take());
    let ended = Ended::from(tokio::task::spawn_blocking(move || reader.wait_with_output().unwrap()).await.unwrap());
    assert_eq!(ended.code, 0, "{ended:#?}");
    let seen = ended.report();
    let versions: BTreeSet<_> = seen["versions"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert!(versions.len() > 2, "it saw too little change: {seen}");
    assert_eq!((&seen["different"], &seen["doubled"]), (&Value::Array(Vec::new()), &Value::from(0)), "{seen}");
}
