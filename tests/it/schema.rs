//! The schema of `pipelines.yaml` for editors, held against what the program accepts.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use kustlake::catalog::Catalog;
use kustlake::config::Config;
use serde_json::{Value, json};

use crate::parts::{installed, source};

const SCHEMA: &str = "docs/pipelines.schema.json";

/// What the schema says of each text: true, or what is wrong.
fn judged(texts: &[String]) -> Vec<Value> {
    let mut judge = Command::new(installed("packaging/bin/python"));
    judge.arg(source("tests/schema.py")).arg(source(SCHEMA)).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut judge = judge.spawn().unwrap();
    judge.stdin.take().unwrap().write_all(json!(texts).to_string().as_bytes()).unwrap();
    serde_json::from_slice(&judge.wait_with_output().unwrap().stdout).unwrap()
}

/// A small configuration with one part replaced by another.
fn with(part: &str, other: &str) -> String {
    let usual = "version: 1\nsource: {org: acme, start_date: 2024-01-01, rate_share: 50%, settle: 5m, concurrency: 4, requests_per_minute: auto}\n\
                 destination: {url: ./lake, commits: lease, s3: {path_style: true}}\n\
                 defaults: {deletes: soft, columns: {personal: keep}}\n\
                 pipelines: {tags: {mode: replace}, customers: {columns: {exclude: [birthday_at]}}, users: , kobjects: {klasses: [order]}}\n";
    assert!(usual.contains(part), "{part}");
    usual.replace(part, other)
}

/// A small configuration of these organisations.
fn several(organisations: &str) -> String {
    format!("source: {{rate_share: 0.4}}\ndestination: {{url: ./lake}}\norganisations: {{{organisations}}}\n")
}

#[test]
fn the_schema_accepts_and_refuses_what_the_program_does() {
    let complete = std::fs::read_to_string(source("pipelines.yaml")).unwrap();
    let good = [
        complete,
        with("acme", "acme"),
        with("50%", "0.25"),
        with("auto", "600"),
        with("2024-01-01", "2024-01-01T08:30:00.5+02:00"),
        several(
            "emea: {source: {org: acme-emea}}, apac: {source: {org: acme-apac}, pipelines: {tags: {mode: replace}}}",
        ),
        several("emea: {source: {base_url: 'https://api.example.com'}, destination: {url: ./elsewhere}}"),
    ];
    let bad = [
        ("version: 1", "version: 2"),
        ("org: acme", "org: acme, base_url: https://api.example.com"),
        ("org: acme, ", ""),
        ("org: acme", "org: acme, colour: red"),
        ("rate_share: 50%", "rate_share: 1.5"),
        ("rate_share: 50%", "rate_share: 0"),
        ("settle: 5m", "settle: soon"),
        ("settle: 5m", "settle: 5"),
        ("concurrency: 4", "concurrency: 0"),
        ("concurrency: 4", "concurrency: 65"),
        ("requests_per_minute: auto", "requests_per_minute: many"),
        ("2024-01-01", "yesterday"),
        ("url: ./lake, ", ""),
        ("commits: lease", "commits: never"),
        ("path_style: true", "path_style: 3"),
        ("deletes: soft", "deletes: maybe"),
        ("personal: keep", "personal: show"),
        ("tags: {mode: replace}", "tagz: {mode: replace}"),
        ("tags: {mode: replace}", "tags: {mode: append}"),
        ("tags: {mode: replace}", "tags: {klasses: [order]}"),
        ("[birthday_at]", "birthday_at"),
        ("defaults:", "default:"),
    ];
    let bad = bad.map(|(part, other)| with(part, other)).into_iter().chain([
        several(""),
        several("'a/b': {source: {org: acme}}"),
        several("emea: {source: {org: acme}, colour: red}"),
        several("emea: {source: {org: acme, rate_share: 2}}"),
        several("emea: {source: {org: acme, base_url: 'https://api.example.com'}}"),
    ]);
    let catalog = Catalog::embedded().unwrap();
    let keys = ["KUSTOMER_API_KEY", "KUSTOMER_API_KEY_EMEA", "KUSTOMER_API_KEY_APAC"];
    let environment: BTreeMap<_, _> = keys.map(|key| (key.to_owned(), "k".to_owned())).into();
    let texts: Vec<String> = good.into_iter().chain(bad).collect();
    for (text, judged) in texts.iter().zip(judged(&texts)) {
        let accepted = Config::parse("pipelines.yaml", text, &environment, &catalog);
        assert_eq!(accepted.is_ok(), judged == json!(true), "{text}\n{judged}\n{:?}", accepted.err());
    }
}

#[test]
fn the_schema_names_every_entity_with_its_modes() {
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(source(SCHEMA)).unwrap()).unwrap();
    let told = schema["$defs"]["section_pipelines"]["properties"].as_object().unwrap();
    let catalog = Catalog::embedded().unwrap();
    assert_eq!(told.len(), catalog.iter().count());
    for entity in catalog.iter() {
        let modes: Vec<_> = entity.modes.iter().map(ToString::to_string).collect();
        let about = &told[entity.name.as_str()];
        assert_eq!(about["properties"]["mode"]["enum"], json!(modes), "{}", entity.name);
        assert_eq!(about["description"], json!(entity.about), "{}", entity.name);
    }
}
