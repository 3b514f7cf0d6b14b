//! Several organisations in one configuration: each with its own key, tables, budget and report.

use kustlake_sim::{Context, Switches, WorldSpec};
use serde_json::Value;

use crate::support::{Ended, Org, TOKEN, program};
use crate::tables::{difference, rows, truth};

/// Two organisations, and a folder with one configuration of both.
async fn two() -> (Org, Org) {
    let emea = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    let apac = Org::new(WorldSpec { seed: 9, ..WorldSpec::default() }, Switches::unlimited()).await;
    for org in [&emea, &apac] {
        org.sim.clock().advance(10 * 60 * 1000);
    }
    let text = format!(
        "source: {{requests_per_minute: 9000000, rate_share: 1.0, search_requests_per_minute: 9000000}}\n\
         destination: {{url: ./lake}}\n\
         organisations:\n  \
           emea: {{source: {{base_url: '{}'}}}}\n  \
           ap-ac: {{source: {{base_url: '{}'}}, pipelines: {{users: {{}}}}}}\n\
         pipelines: {{messages: {{}}}}\n",
        emea.sim.base_url(),
        apac.sim.base_url()
    );
    std::fs::write(emea.path("pipelines.yaml"), text).unwrap();
    (emea, apac)
}

async fn kustlake(org: &Org, keys: [(&'static str, &'static str); 2], args: &[&str]) -> Ended {
    let mut command = program(org.folder.path());
    command.args(args).envs(keys);
    Ended::from(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap())
}

const KEYS: [(&str, &str); 2] = [("KUSTOMER_API_KEY_EMEA", TOKEN), ("KUSTOMER_API_KEY_AP_AC", TOKEN)];

fn lines(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(lines: &'a [Value], organisation: &str) -> &'a Value {
    lines.iter().find(|line| line["organisation"] == organisation).unwrap_or_else(|| panic!("{lines:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_are_loaded_side_by_side_each_into_its_own_folder() {
    let (emea, apac) = two().await;
    let ended = kustlake(&emea, KEYS, &["run", "--metrics", "metrics"]).await;
    assert_eq!(ended.code, 0, "{ended:#?}");
    let reports = lines(&ended);
    assert_eq!(reports.len(), 2);
    assert_eq!(of(&reports, "emea")["exit_code"], 0);
    for (org, folder) in [(&emea, "emea"), (&apac, "ap-ac")] {
        let found = rows(&emea.lake().join(folder), "messages").await;
        let difference = difference(&found, &truth(&org.sim, Context::Message));
        assert!(difference.is_empty(), "{folder}: {difference}");
    }
    assert!(!emea.lake().join("emea/users").exists() && emea.lake().join("ap-ac/users").exists());
    let metrics = std::fs::read_to_string(emea.path("metrics")).unwrap();
    assert!(metrics.contains("kustlake_run_exit_code{organisation=\"emea\"} 0\n"), "{metrics}");
    assert!(metrics.contains("kustlake_run_exit_code{organisation=\"ap-ac\"} 0\n"), "{metrics}");
    assert!(ended.stderr.lines().any(|line| line.contains("\"organisation\":\"emea\"")), "{}", ended.stderr);

    let status = lines(&kustlake(&emea, KEYS, &["status"]).await);
    assert!(of(&status, "ap-ac")["destination"].as_str().unwrap().ends_with("/lake/ap-ac/"), "{status:?}");
    let one = lines(&kustlake(&emea, KEYS, &["run", "--organisation", "emea"]).await);
    assert_eq!((one.len(), &one[0]["organisation"]), (1, &Value::from("emea")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_leaves_the_other_alone() {
    let (emea, _apac) = two().await;
    let keys = [KEYS[0], ("KUSTOMER_API_KEY_AP_AC", "wrong-key")];
    let told = "read report; echo \"$report\" >> told; echo \"${KUSTOMER_API_KEY_EMEA:-none}\" >> keys";
    let ended = kustlake(&emea, keys, &["run", "--on-failure", told]).await;
    assert_eq!(ended.code, 6, "{ended:#?}");
    let reports = lines(&ended);
    assert_eq!((&of(&reports, "emea")["exit_code"], &of(&reports, "ap-ac")["exit_code"]), (&0.into(), &3.into()));
    assert!(emea.lake().join("emea/messages").exists());
    assert_eq!(std::fs::read_to_string(emea.path("keys")).unwrap(), "none\n");
    let told: Value = serde_json::from_str(std::fs::read_to_string(emea.path("told")).unwrap().trim()).unwrap();
    assert_eq!(told["organisation"], "ap-ac");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_before_any_request() {
    let (emea, _apac) = two().await;
    let absent = kustlake(&emea, [KEYS[0], ("OTHER", "x")], &["check"]).await;
    assert_eq!(absent.code, 2);
    assert!(absent.stderr.contains("KUSTOMER_API_KEY_AP_AC is not set"), "{absent:#?}");
    let unknown = kustlake(&emea, KEYS, &["run", "--organisation", "latam"]).await;
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("has emea, ap-ac"), "{unknown:#?}");
    let text = "organisations:\n  a: {source: {org: a}, destination: {url: ./lake}}\n  \
                b: {source: {org: b}, destination: {url: ./lake}}\n  'c/d': {}\n";
    std::fs::write(emea.path("pipelines.yaml"), text).unwrap();
    let shared = kustlake(&emea, [("KUSTOMER_API_KEY_A", TOKEN), ("KUSTOMER_API_KEY_B", TOKEN)], &["check"]).await;
    assert_eq!(shared.code, 2);
    assert!(shared.stderr.contains("a and b would share this place"), "{shared:#?}");
    assert!(shared.stderr.contains("expected a name of letters, digits"), "{shared:#?}");
}
