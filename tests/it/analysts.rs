//! What analysts are given: marts, the cookbook, examples and the dbt project, on a loaded organisation.

use serde_json::Value;

use crate::parts::{installed, python, source, succeed};
use crate::support::{Ended, program};

#[tokio::test(flavor = "multi_thread")]
async fn recipes_marts_and_models_answer_rightly() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = program(folder.path());
    demo.args(["demo", "--records", "6000", "--destination", "lake"]);
    let told = Ended::from(tokio::task::spawn_blocking(move || demo.output().unwrap()).await.unwrap());
    assert_eq!(told.code, 0, "{told:#?}");
    let views = std::fs::read_to_string(folder.path().join("lake/views.sql")).unwrap();
    assert!(views.contains("VIEW mart_conversations AS"), "the marts stand at the end of views.sql");
    let mut check = python();
    check.arg("-B").arg(source("tests/analysts/run.py")).arg(folder.path().join("lake")).arg(source("."));
    check.arg(installed("dbt/bin/python")).current_dir(folder.path());
    // Nobody is told that a test runs.
    check.envs([("DO_NOT_TRACK", "true"), ("SCARF_NO_ANALYTICS", "true"), ("DAFT_ANALYTICS_ENABLED", "0")]);
    let checked = tokio::task::spawn_blocking(move || succeed(&mut check)).await.unwrap();
    let counts: Value = serde_json::from_str(checked.stdout.lines().last().unwrap()).unwrap();
    let recipes = &counts["recipes"];
    assert!(recipes["sql"].as_u64() >= Some(12) && recipes["skipped"] == 0, "{counts}");
}
