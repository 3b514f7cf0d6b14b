//! What a run leaves for those who operate it: metrics, history, the page, and word of a failure.

use kustlake_sim::{Switches, WorldSpec};
use serde_json::{Value, json};

use crate::support::{Org, TOKEN, entity};

/// The samples of a file in Prometheus' text format, each of which has its help and its type before it.
fn samples(text: &str) -> Vec<(&str, f64)> {
    let mut known = Vec::new();
    let mut samples = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(kind) => known.push(kind.strip_suffix(" gauge").expect("a gauge")),
            None if line.starts_with("# HELP ") => {}
            None => {
                let (name, value) = line.rsplit_once(' ').expect("a sample");
                assert_eq!(known.last(), name.split('{').next().as_ref(), "{line}");
                samples.push((name, value.parse().unwrap()));
            }
        }
    }
    samples
}

fn sample(text: &str, name: &str) -> f64 {
    samples(text).iter().find(|(found, _)| *found == name).unwrap_or_else(|| panic!("{name}: {text}")).1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_leaves_metrics_and_a_history_that_tell_what_it_did() {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.sim.clock().advance(10 * 60 * 1000);
    let nothing = org.report(&["report"]).await;
    assert_eq!(nothing["runs"], json!([]));
    let report = org.report(&["run", "--metrics", "kustlake.prom"]).await;
    let metrics = std::fs::read_to_string(org.path("kustlake.prom")).unwrap();
    assert_eq!(sample(&metrics, "kustlake_run_exit_code"), 0.0);
    assert_eq!(sample(&metrics, r#"kustlake_entity_changed_rows{entity="messages",change="inserted"}"#), 2_000.0);
    assert_eq!(sample(&metrics, r#"kustlake_entity_complete{entity="users"}"#), 1.0);
    let requests = sample(&metrics, r#"kustlake_run_requests{kind="all"}"#);
    assert_eq!(report["requests"]["total"].as_f64(), Some(requests));

    org.report(&["run"]).await;
    let told = org.report(&["report"]).await;
    let runs = told["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["run"], &runs[0]["exit_code"]), (&report["run"], &json!(0)));
    let of = |run: &Value, name: &str| {
        run["entities"].as_array().unwrap().iter().find(|one| one["entity"] == name).unwrap().clone()
    };
    assert_eq!(of(&runs[0], "messages")["inserted"], entity(&report, "messages")["inserted"]);
    assert_eq!(of(&runs[1], "messages")["inserted"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_to_a_command_to_the_metrics_to_status_and_on_the_page() {
    let mut org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.sim.clock().advance(10 * 60 * 1000);
    org.report(&["run"]).await;
    org.set("KUSTOMER_API_KEY", "expired");
    let told = "cat > told.json; echo \"$KUSTLAKE_EXIT_CODE ${KUSTOMER_API_KEY:-no key}\" > code";
    let failed = org.run(&["run", "--metrics", "kustlake.prom", "--on-failure", told]).await;
    assert_eq!(failed.code, 3, "{failed:#?}");
    assert_eq!(std::fs::read_to_string(org.path("code")).unwrap(), "3 no key\n");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(org.path("told.json")).unwrap()).unwrap();
    assert_eq!(report["exit_code"], 3);
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("Check the API key") && !error.contains("expired"), "{error}");
    let metrics = std::fs::read_to_string(org.path("kustlake.prom")).unwrap();
    assert_eq!(sample(&metrics, "kustlake_run_exit_code"), 3.0);

    let status = org.report(&["status"]).await;
    assert_eq!(status["last_run"], json!({"exit_code": 3, "error": error}));
    let written = org.run(&["report", "--html", "page.html"]).await;
    assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{written:#?}");
    let page = std::fs::read_to_string(org.path("page.html")).unwrap();
    for part in ["authentication", "Check the API key", "<td>messages<td>", "2,000", "</html>"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script") && !page.contains("href=") && !page.contains(TOKEN), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_outside_changes_nothing_about_the_run() {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.sim.clock().advance(10 * 60 * 1000);
    let ended = org.run(&["run", "--metrics", "no/such/folder.prom", "--on-failure", "exit 1"]).await;
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert!(ended.stderr.contains("the metrics were not written"), "{ended:#?}");
    let other = org.run(&["backfill", "--start-date", "2999-01-01", "--on-failure", "exit 7"]).await;
    assert_eq!(other.code, 2, "{other:#?}");
    assert!(other.stderr.contains("the command of --on-failure did not do its work"), "{other:#?}");
    // A command need not read what it is told.
    let unread = org.run(&["backfill", "--start-date", "2999-01-01", "--on-failure", "true"]).await;
    assert_eq!((unread.code, unread.stderr.contains("did not do its work")), (2, false), "{unread:#?}");
}
