//! Every command in README.md does what the reader is told it does.

use std::io::Write;
use std::process::Stdio;

use kustlake::catalog::Catalog;
use kustlake::config::Config;
use kustlake_sim::{Switches, WorldSpec};

use crate::parts::{shell, source};
use crate::support::{Ended, Org, TOKEN};

/// What other tests run for real, and the command that runs the tests.
const ELSEWHERE: [&str; 2] = ["cargo run --release -- demo", "tests/run"];

/// The code blocks in that language.
fn blocks<'a>(text: &'a str, language: &str) -> impl Iterator<Item = &'a str> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}

/// The lines of all commands, but for comments.
fn commands(text: &str) -> Vec<String> {
    let lines = blocks(text, "sh").flat_map(str::lines).map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_works_as_written() {
    let text = std::fs::read_to_string(source("README.md")).unwrap();
    let commands = commands(&text);
    assert!(ELSEWHERE.iter().all(|one| commands.iter().any(|line| line == one)), "{commands:#?}");
    let org = Org::new(WorldSpec::of_messages(150), Switches::unlimited()).await;
    std::fs::remove_file(org.path("pipelines.yaml")).unwrap();
    org.sim.clock().advance(10 * 60 * 1000);

    let mut script = String::new();
    for line in commands.iter().filter(|line| !ELSEWHERE.contains(&line.as_str())) {
        script.push_str(&format!("echo '+ {}' >&2\n{line}\n", line.replace('\'', "'\\''")));
        if line.starts_with("kustlake init") {
            // The one thing that is not as written: the organisation is the simulated one.
            let base = org.sim.base_url();
            script.push_str(&format!("sed -i 's|^  org: acme$|  base_url: {base}|' pipelines.yaml\n"));
        }
    }
    let mut bash = shell(org.folder.path());
    bash.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = tokio::task::spawn_blocking(move || {
        let mut child = bash.spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{TOKEN}\n").as_bytes()).unwrap();
        Ended::from(child.wait_with_output().unwrap())
    });
    let ended = ended.await.unwrap();
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    assert!(!ended.stdout.contains(TOKEN) && !ended.stderr.contains(TOKEN));
}

#[test]
fn examples_of_the_configuration_are_accepted() {
    let text = std::fs::read_to_string(source("README.md")).unwrap();
    let environment = [("KUSTOMER_API_KEY", "key"), ("KUSTLAKE_HASH_KEY", "0123456789abcdef")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let examples: Vec<_> = blocks(&text, "yaml").collect();
    assert!(!examples.is_empty());
    for example in examples {
        let file = format!("source: {{org: acme}}\ndestination: {{url: ./lake}}\n{example}");
        Config::parse("README.md", &file, &environment, &Catalog::embedded().unwrap()).unwrap();
    }
}

#[test]
fn the_configuration_of_several_organisations_in_operations_is_accepted() {
    let text = std::fs::read_to_string(source("docs/operations.md")).unwrap();
    let environment = ["KUSTOMER_API_KEY_EMEA", "KUSTOMER_API_KEY_APAC"];
    let environment = environment.map(|name| (name.to_owned(), "key".to_owned())).into();
    let example = blocks(&text, "yaml").next().unwrap();
    let configs = Config::parse("operations.md", example, &environment, &Catalog::embedded().unwrap()).unwrap();
    let places: Vec<_> = configs.iter().map(|config| config.destination.url.as_str()).collect();
    assert_eq!(places, ["s3://acme-lake/kustomer/emea", "s3://acme-lake/kustomer/apac"]);
}

#[test]
fn files_that_are_pointed_to_are_there() {
    let text = std::fs::read_to_string(source("README.md")).unwrap();
    let links = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    for link in links.filter(|link| !link.contains("://")) {
        let file = link.split('#').next().unwrap();
        assert!(source(file).exists(), "{link}");
    }
}
