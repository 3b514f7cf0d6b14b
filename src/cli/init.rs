//! `init`: a commented configuration to begin with.

use std::path::Path;

use super::args::Init;
use super::terminal::Terminal;
use crate::config::{API_KEY_VARIABLE, instant};
use crate::run::{Exit, RunError};

/// The repository's own configuration, which the tests run.
const TEMPLATE: &str = include_str!("../../pipelines.yaml");

pub(super) fn init(init: &Init, path: &Path, terminal: &Terminal) -> Result<Exit, RunError> {
    let text = text(init)?;
    let refuse = |told: String| Err(RunError::Usage(told));
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(init.force)
        .truncate(init.force)
        .create_new(!init.force)
        .open(path);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return refuse(format!("{} is there already; --force replaces it", path.display()));
        }
        Err(error) => return refuse(format!("{} cannot be written: {error}", path.display())),
    }
    terminal.line(&format!(
        "wrote {}\nnext: export {API_KEY_VARIABLE}=…, then `kustlake check`, `kustlake plan` and `kustlake run`",
        path.display()
    ));
    Ok(Exit::Ok)
}

fn text(init: &Init) -> Result<String, RunError> {
    let plain = |name: &str, value: &str| {
        let bad = value.is_empty() || value.contains(['\n', '\r', '#', '"', '\'', '{', '}', '[', ']', ',']);
        if bad { Err(RunError::Usage(format!("--{name}: {value:?} cannot stand in the file"))) } else { Ok(()) }
    };
    plain("org", &init.org)?;
    plain("destination", &init.destination)?;
    let mut text = TEMPLATE.replacen("  org: acme\n", &format!("  org: {}\n", init.org), 1);
    text = text.replacen("  url: ./lake\n", &format!("  url: {}\n", init.destination), 1);
    if let Some(start) = &init.start_date {
        instant(start).map_err(|told| RunError::Usage(format!("--start-date: {told}")))?;
        text = text.replacen("  # start_date: 2024-01-01\n", &format!("  start_date: {start}\n"), 1);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::catalog::Catalog;
    use crate::config::Config;

    #[test]
    fn what_is_written_is_a_configuration_with_the_given_values() {
        let init = Init {
            org: "globex".to_owned(),
            destination: "s3://globex-lake/kustomer".to_owned(),
            start_date: Some("2025-02-03".to_owned()),
            force: false,
        };
        let environment = BTreeMap::from([(API_KEY_VARIABLE.to_owned(), "invented".to_owned())]);
        let text = text(&init).unwrap();
        let config = Config::parse("pipelines.yaml", &text, &environment, &Catalog::embedded().unwrap()).unwrap();
        assert_eq!(config.source.base_url.as_str(), "https://globex.api.kustomerapp.com/");
        assert_eq!(config.destination.url, "s3://globex-lake/kustomer");
        assert_eq!(config.source.start, Some(instant("2025-02-03").unwrap()));
    }

    #[test]
    fn the_configuration_of_the_repository_lists_every_entity() {
        let environment = BTreeMap::from([(API_KEY_VARIABLE.to_owned(), "invented".to_owned())]);
        let catalog = Catalog::embedded().unwrap();
        let config = Config::parse("pipelines.yaml", TEMPLATE, &environment, &catalog).unwrap();
        let listed: std::collections::BTreeSet<_> = config.pipelines.iter().map(|one| one.entity.clone()).collect();
        assert_eq!(listed, catalog.iter().map(|entity| entity.name.clone()).collect());
    }
}
