//! `init`: a commented configuration to begin with.

use std::path::Path;

use super::args::Init;
use super::terminal::Terminal;
use crate::config::{API_KEY_VARIABLE, instant};
use crate::run::{Exit, RunError};

/// The repository's own configuration, which the tests run.
const TEMPLATE: &str = include_str!("../../pipelines.yaml");

/// What is asked for.
struct Answers {
    org: String,
    destination: String,
    start: Option<String>,
}

pub(super) fn init(init: &Init, path: &Path, terminal: &Terminal) -> Result<Exit, RunError> {
    let refuse = |told: String| Err(RunError::Usage(told));
    if !init.force && path.exists() {
        return refuse(format!("{} is there already; --force replaces it", path.display()));
    }
    let Some(answers) = answers(init, terminal)? else {
        return refuse("nothing was written, since a question had no answer".to_owned());
    };
    let text = text(&answers);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(init.force)
        .truncate(init.force)
        .create_new(!init.force)
        .open(path);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    if let Err(error) = written {
        return refuse(format!("{} cannot be written: {error}; --config names another place", path.display()));
    }
    let told = format!(
        "wrote {0}: all entities, of {1}, into {2}

next:
  read -rs {API_KEY_VARIABLE} && export {API_KEY_VARIABLE}    # paste the key: it is not shown
  kustlake check     # tries the key, its roles, the clock and the storage
  kustlake plan      # what a run would read, and how long that takes
  kustlake run       # loads; from then on by cron",
        path.display(),
        answers.org,
        answers.destination
    );
    terminal.line(&told);
    Ok(Exit::Ok)
}

/// What the flags say; a person is asked for what they do not. Nothing when a question has no answer.
fn answers(init: &Init, terminal: &Terminal) -> Result<Option<Answers>, RunError> {
    let answer =
        |name: &str, given: &Option<String>, question: &str, usual: &str, check: fn(&str) -> Result<(), String>| {
            match given {
                Some(given) => {
                    check(given).map_err(|told| RunError::Usage(format!("--{name}: {told}")))?;
                    Ok::<_, RunError>(Some(given.clone()))
                }
                None if terminal.can_ask() => Ok(terminal.ask(question, usual, check)),
                None => Ok(Some(usual.to_owned())),
            }
        };
    let org = answer("org", &init.org, "Organisation: the name before .kustomerapp.com in your browser", "acme", org)?;
    let Some(org) = org.as_deref().map(name) else { return Ok(None) };
    let question = "Destination of the tables: s3://bucket/prefix or a folder";
    let Some(destination) = answer("destination", &init.destination, question, "./lake", plain)? else {
        return Ok(None);
    };
    let question = "Nothing updated before this date is read, such as 2024-01-31";
    let Some(start) = answer("start-date", &init.start_date, question, EVERYTHING, start)? else { return Ok(None) };
    Ok(Some(Answers { org, destination, start: Some(start).filter(|start| start != EVERYTHING) }))
}

/// In place of a start date.
const EVERYTHING: &str = "everything";

/// The name in an address that was pasted from a browser.
fn name(address: &str) -> String {
    let host = address.trim_start_matches("https://");
    host.split_once(".kustomerapp.com").map_or(host, |(name, _)| name).to_owned()
}

fn org(org: &str) -> Result<(), String> {
    let org = name(org);
    let good = !org.is_empty() && org.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if good { Ok(()) } else { Err(format!("{org:?} is no such name; for acme.kustomerapp.com write acme")) }
}

fn plain(text: &str) -> Result<(), String> {
    let bad = text.is_empty() || text.contains(['\n', '\r', '#', '"', '\'', '{', '}', '[', ']', ',']);
    if bad { Err(format!("{text:?} cannot stand in the file; use none of # \" ' {{ }} [ ] ,")) } else { Ok(()) }
}

fn start(text: &str) -> Result<(), String> {
    if text == EVERYTHING { Ok(()) } else { instant(text).map(|_| ()) }
}

fn text(answers: &Answers) -> String {
    let mut text = TEMPLATE.replacen("  org: acme\n", &format!("  org: {}\n", answers.org), 1);
    text = text.replacen("  url: ./lake\n", &format!("  url: {}\n", answers.destination), 1);
    if let Some(start) = &answers.start {
        text = text.replacen("  # start_date: 2024-01-01\n", &format!("  start_date: {start}\n"), 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::catalog::Catalog;
    use crate::config::Config;

    #[test]
    fn what_is_written_is_a_configuration_with_the_given_values() {
        let answers = Answers {
            org: "globex".to_owned(),
            destination: "s3://globex-lake/kustomer".to_owned(),
            start: Some("2025-02-03".to_owned()),
        };
        let environment = BTreeMap::from([(API_KEY_VARIABLE.to_owned(), "invented".to_owned())]);
        let text = text(&answers);
        let config =
            Config::parse("pipelines.yaml", &text, &environment, &Catalog::embedded().unwrap()).unwrap().remove(0);
        assert_eq!(config.source.base_url.as_str(), "https://globex.api.kustomerapp.com/");
        assert_eq!(config.destination.url, "s3://globex-lake/kustomer");
        assert_eq!(config.source.start, Some(instant("2025-02-03").unwrap()));
    }

    #[test]
    fn an_address_from_a_browser_is_as_good_as_the_name() {
        for address in ["acme", "acme.kustomerapp.com", "https://acme.kustomerapp.com/app/customers"] {
            assert_eq!((org(address), name(address).as_str()), (Ok(()), "acme"));
        }
        assert!(org("acme corp").is_err() && org("https://example.com").is_err());
    }

    #[test]
    fn the_configuration_of_the_repository_lists_every_entity() {
        let environment = BTreeMap::from([(API_KEY_VARIABLE.to_owned(), "invented".to_owned())]);
        let catalog = Catalog::embedded().unwrap();
        let config = Config::parse("pipelines.yaml", TEMPLATE, &environment, &catalog).unwrap().remove(0);
        let listed: std::collections::BTreeSet<_> = config.pipelines.iter().map(|one| one.entity.clone()).collect();
        assert_eq!(listed, catalog.iter().map(|entity| entity.name.clone()).collect());
    }
}
