use secrecy::ExposeSecret;

use super::super::{Deletes, HASH_KEY_VARIABLE, Treatment};
use super::*;
use crate::catalog::Mode;

const KEY: &str = "invented-key-0123456789";

fn parse(text: &str) -> Result<Config, ConfigError> {
    let environment = BTreeMap::from([
        (API_KEY_VARIABLE.to_owned(), KEY.to_owned()),
        ("AWS_REGION".to_owned(), "eu-west-1".to_owned()),
        (HASH_KEY_VARIABLE.to_owned(), "invented-hash-key-0123456789".to_owned()),
        ("HOME".to_owned(), "/nowhere".to_owned()),
    ]);
    let parsed = configs("pipelines.yaml", text, (&environment, Keys::Needed), &Catalog::embedded().unwrap());
    parsed.map(|mut all| all.remove(0))
}

const LEAST: &str = "source: {org: acme}\ndestination: {url: ./lake}\n";

#[test]
fn the_least_configuration_loads_everything_with_careful_defaults() {
    let config = parse(LEAST).unwrap();
    assert_eq!(config.source.base_url.as_str(), "https://acme.api.kustomerapp.com/");
    assert_eq!(config.source.api_key.expose_secret(), KEY);
    assert_eq!(config.source.search_requests_per_minute, 80);
    assert!((config.source.rate_share - 0.5).abs() < f64::EPSILON);
    assert_eq!(config.source.settle, Duration::from_secs(300));
    assert_eq!(config.pipelines.len(), 50);
    assert_eq!(config.destination.commits, Commits::CreateOnly);
    assert_eq!(config.destination.aws.keys().collect::<Vec<_>>(), ["AWS_REGION"]);
    assert!(!format!("{config:?}").contains(KEY));
}

#[test]
fn the_example_of_the_design_is_understood() {
    let text = r"
version: 1
source:
  base_url: https://api.prod2.kustomerapp.com
  api_key: ${KUSTOMER_API_KEY}
  start_date: 2024-01-01
  requests_per_minute: auto
  rate_share: 0.5
  search_requests_per_minute: 80
  concurrency: 4
  settle: 5m
  overlap: 30m
  rescan: {every: 1d, reach: 7d}
  reconcile: {every: 1d, max_deletes: 5%}
destination:
  url: s3://acme-lake/kustomer
  s3: {endpoint: http://127.0.0.1:9000, region: us-east-1, path_style: true, allow_http: true}
state:
  url: ./state.json
defaults:
  deletes: soft
  unknown_attributes: extra
pipelines:
  conversations: {mode: update, deletes: hard}
  audit_logs:    {mode: append, start_date: 2026-09-01}
  tags:          {mode: replace}
  customers:     {mode: update, columns: {exclude: [birthday_at], hash: [name]}}
  kobjects:      {mode: update, klasses: [order, subscription]}
  messages:
";
    let config = parse(text).unwrap();
    assert_eq!(config.source.start, Some(super::super::instant("2024-01-01T00:00:00Z").unwrap()));
    assert!((config.source.reconcile.max_deletes - 0.05).abs() < 1e-9);
    let told: Vec<_> = config.pipelines.iter().map(|one| (one.entity.as_str(), one.mode, one.deletes)).collect();
    let expected = [
        ("conversations", Mode::Update, Deletes::Hard),
        ("audit_logs", Mode::Append, Deletes::Soft),
        ("tags", Mode::Replace, Deletes::Soft),
        ("customers", Mode::Update, Deletes::Soft),
        ("kobjects", Mode::Update, Deletes::Soft),
        ("messages", Mode::Update, Deletes::Soft),
    ];
    assert_eq!(told, expected);
    assert_eq!(config.pipelines[3].columns.treated.get("name"), Some(&Treatment::Hash));
    assert_eq!(config.pipelines[4].klasses.as_ref().unwrap().len(), 2);
}

#[test]
fn all_mistakes_are_told_at_once_with_their_lines() {
    let text = r"
version: 2
source:
  org: acme
  api_key: written-out-secret
  rate_share: 1.5
  concurency: 4
  settle: soon
  org: acme2
destination:
  url: ./lake
  s3: {endpoint: http://storage.example.com, path_style: perhaps}
pipelines:
  convrsations: {mode: update}
  messages: {mode: replace, start_date: 2024-13-01}
  notes: {columns: {exclude: [id]}}
extra: 1
";
    let error = parse(text).unwrap_err().to_string();
    for told in [
        "pipelines.yaml:2: version: this version of kustlake reads",
        "pipelines.yaml:5: source.api_key: a secret must not stand in the file",
        "pipelines.yaml:6: source.rate_share: expected a share",
        "pipelines.yaml:7: source.concurency: unknown key; did you mean concurrency?",
        "pipelines.yaml:8: source.settle: expected a duration",
        "pipelines.yaml:9: source.org: this key stands here twice",
        "destination.s3.endpoint: plain http is accepted for this machine only",
        "destination.s3.path_style: expected true or false, found text",
        "pipelines.yaml:14: pipelines.convrsations: unknown entity; did you mean conversations?",
        "pipelines.yaml:15: pipelines.messages.mode: messages cannot be loaded in mode replace; it has update",
        "pipelines.yaml:15: pipelines.messages.start_date: expected a date",
        "pipelines.yaml:16: pipelines.notes.columns.exclude: id must stay as it is",
        "pipelines.yaml:17: extra: unknown key",
    ] {
        assert!(error.contains(told), "missing {told:?} in:\n{error}");
    }
    assert!(!error.contains("written-out-secret"));
    let lines: Vec<_> = error.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("pipelines.yaml")), "{error}");
}

#[test]
fn commits_may_rely_on_the_lease_where_the_file_says_so() {
    let config = parse("source: {org: acme}\ndestination: {url: ./lake, commits: lease}\n").unwrap();
    assert_eq!(config.destination.commits, Commits::Lease);
}

#[test]
fn a_problem_in_one_source_key_does_not_hide_another() {
    let error = parse("source: {settle: soon, api_key: x, bogus: 1}\ndestination: {}\n").unwrap_err().to_string();
    for told in
        ["source.settle", "source.api_key", "source.bogus", "source.org: is missing", "destination.url: is missing"]
    {
        assert!(error.contains(told), "missing {told:?} in:\n{error}");
    }
}

#[test]
fn absent_sections_variables_and_garbage_are_told() {
    for (text, told) in [
        ("", "source: is missing"),
        ("[]", "expected a mapping of keys, found a list"),
        ("a: [1", "this is not YAML"),
        ("source: {org: acme, api_key: '${NOT_SET}'}\ndestination: {url: x}", "NOT_SET is not set"),
        ("source: {org: 'ac me'}\ndestination: {url: x}", "expected the name before"),
        ("source: {base_url: 'http://api.example.com'}\ndestination: {url: x}", "plain http"),
        ("source: {base_url: 'https://user@api.example.com'}\ndestination: {url: x}", "scheme and host only"),
        (
            "source: {org: acme}\ndestination: {url: x, commits: hope}",
            "destination.commits: expected one of create_only, lease",
        ),
        ("source: {org: acme}\ndestination: {url: 'gs://bucket'}", "expected s3://bucket/prefix"),
        ("source: {org: acme}\ndestination: {url: ./lake, s3: {endpoint: 'http://127.0.0.1:9'}}", "allow_http: true"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(told), "{text:?} gives {error}");
    }
}

#[test]
fn a_file_of_any_size_is_judged_in_time() {
    let lines = |prefix: &str| (0..60_000).map(|number| format!("{prefix}k{number}: 1\n")).collect::<String>();
    let names = (0..60_000).map(|number| format!("custom_{number}, ")).collect::<String>();
    let columns = format!("{{exclude: [{names}], keep: [{names}]}}");
    let clock = crate::clock::SystemClock::new();
    for (text, told) in [
        (lines(""), "k59999: unknown key"),
        (format!("source:\n{}", lines("  ")), "source.k59999: unknown key"),
        (format!("pipelines: {{customers: {{columns: {columns}}}}}"), "custom_59999 is kept, and excluded or hashed"),
        (format!("pipelines:\n  ? {}\n  : {{}}\n", "m".repeat(1_000_000)), "unknown entity"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {}", &error[..200.min(error.len())]);
    }
    // It took minutes while keys were compared with each other.
    assert!(crate::clock::Clock::monotonic(&clock).as_secs() < 30);
}
