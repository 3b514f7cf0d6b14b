//! The pages in `docs/entities/` say what the catalogue says.

use std::collections::BTreeMap;

use kustlake::catalog::{Catalog, overview, page};

use crate::parts::source;
use crate::support::program;

/// Set to anything, it writes the pages instead of comparing them.
const BLESS: &str = "KUSTLAKE_BLESS";

#[test]
fn every_entity_has_its_page() {
    let catalog = Catalog::embedded().unwrap();
    let mut pages: BTreeMap<_, _> =
        catalog.iter().map(|entity| (format!("{}.md", entity.name), page(&catalog, entity))).collect();
    pages.insert("README.md".to_owned(), overview(&catalog));
    let folder = source("docs/entities");
    if std::env::var_os(BLESS).is_some() {
        let _absent = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in &pages {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let names = files.map(|file| file.file_name().unwrap().to_str().unwrap().to_owned());
    let mut stored: BTreeMap<_, _> =
        names.map(|name| (name.clone(), std::fs::read_to_string(folder.join(&name)).unwrap())).collect();
    for (name, text) in pages {
        let found = stored.remove(&name);
        assert!(
            found.as_ref() == Some(&text),
            "docs/entities/{name} is out of date: `{BLESS}=1 cargo test --test it` writes it"
        );
    }
    assert!(stored.is_empty(), "no entity has these pages: {:?}", stored.keys());
}

#[test]
fn the_program_prints_the_page_of_an_entity() {
    let folder = tempfile::tempdir().unwrap();
    let entities = |name: &str| program(folder.path()).args(["entities", name]).output().unwrap();
    let printed = entities("team_queues");
    let catalog = Catalog::embedded().unwrap();
    let text = page(&catalog, catalog.get("team_queues").unwrap());
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), text);
    let unknown = entities("team_queue");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("there is no entity team_queue"));
}
