//! The catalogue held against what is known of the API: nothing is forgotten, and every column can be filled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::DateTime;
use kustlake::catalog::{Catalog, Entity, Source};
use kustlake::table::{Converter, TableSchema, UnknownAttributes};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::catalogue_records::{Record, cell, records};
use crate::parts::source;

/// Attribute names by entity.
type Attributes = BTreeMap<String, Vec<String>>;

fn fixtures() -> PathBuf {
    source("tests/fixtures")
}

/// What an answer of the API and a list of attributes, of each entity in `folder`, say against the catalogue.
fn complaints(catalog: &Catalog, folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("attributes.yaml")).unwrap();
    let known: Attributes = serde_saphyr::from_str(&text).unwrap();
    [forgotten(catalog, &known), orphans(catalog, folder), unfilled(catalog, folder)].concat()
}

/// Entities that the catalogue lacks, and attributes for which it has no column.
fn forgotten(catalog: &Catalog, known: &Attributes) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, attributes) in known {
        let Some(entity) = catalog.get(name) else {
            complaints.push(format!("{name}: the catalogue has no such entity"));
            continue;
        };
        let without = attributes.iter().filter(|attribute| !has_column(entity, attribute));
        complaints.extend(without.map(|attribute| format!("{name}: attribute {attribute} has no column")));
    }
    complaints
}

/// Whether an attribute, or what is below it, has columns. `custom` has them as soon as its members are known.
fn has_column(entity: &Entity, attribute: &str) -> bool {
    let is_custom = attribute == "custom" && entity.custom.is_some();
    is_custom
        || entity.columns.iter().any(|column| match &column.source {
            Source::Attribute(path) => {
                path.0.first().is_some_and(|first| first == attribute) || column.name == attribute
            }
            Source::Id | Source::Given(_) => column.name == attribute,
            Source::Relationship { .. } | Source::System(_) => false,
        })
}

/// Fixtures of entities that the catalogue does not have.
fn orphans(catalog: &Catalog, folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let names = files.filter(|file| file.extension().is_some_and(|end| end == "json"));
    let names = names.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned());
    names
        .filter(|name| catalog.get(name).is_none())
        .map(|name| format!("{name}.json: the catalogue has no such entity"))
        .collect()
}

/// Entities without a fixture, columns that no record of it fills, and values that have no column or do not fit it.
fn unfilled(catalog: &Catalog, folder: &Path) -> Vec<String> {
    let mut complaints = Vec::new();
    for entity in catalog.iter() {
        let name = &entity.name;
        let Ok(text) = std::fs::read_to_string(folder.join(format!("{name}.json"))) else {
            complaints.push(format!("{name}: there is no fixture {name}.json"));
            continue;
        };
        let answer: Value = serde_json::from_str(&text).unwrap();
        let records = records(catalog, entity, &answer);
        for column in &entity.columns {
            if !records.iter().any(|record| cell(column, record).is_some()) {
                let told = format!("{name}: no record of {name}.json fills column {} ({:?})", column.name, column.kind);
                complaints.push(told);
            }
        }
        complaints.extend(misfits(entity, &records).into_iter().map(|told| format!("{name}.json: {told}")));
    }
    complaints
}

/// Values that have no column, and values that their column does not take.
fn misfits(entity: &Entity, records: &[Record]) -> Vec<String> {
    let texts: Vec<_> = records.iter().map(Record::text).collect();
    let texts: Vec<_> = texts.iter().map(String::as_bytes).collect();
    match Converter::new(&TableSchema::new(entity), UnknownAttributes::Fail).convert(&texts, DateTime::UNIX_EPOCH) {
        Ok(converted) => {
            let misfits = converted.problems.misfits.keys();
            misfits.map(|misfit| format!("column {} does not take {:?}", misfit.column, misfit.found)).collect()
        }
        Err(error) => vec![error.to_string()],
    }
}

/// The schema files as they are written, by name.
fn schemas() -> BTreeMap<String, String> {
    let files = std::fs::read_dir(source("schemas")).unwrap().map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

fn catalog_of(files: &BTreeMap<String, String>) -> Result<Catalog, String> {
    let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    Catalog::from_files(files).map_err(|error| error.to_string())
}

/// The schema files, with one of them changed.
fn catalog_with(file: &str, change: impl Fn(&str) -> String) -> Result<Catalog, String> {
    let mut files = schemas();
    let text = files.get_mut(file).unwrap();
    let changed = change(text);
    assert_ne!(changed, *text, "nothing to change in {file}");
    *text = changed;
    catalog_of(&files)
}

/// A copy of the fixtures, to be changed.
fn copied() -> TempDir {
    let folder = TempDir::new().unwrap();
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

#[track_caller]
fn assert_complains(catalog: &Catalog, folder: &Path, expected: &[&str]) {
    assert_eq!(complaints(catalog, folder), expected);
}

#[test]
fn every_known_attribute_has_a_column_and_every_column_a_value() {
    let catalog = Catalog::embedded().unwrap();
    assert!(catalog.iter().count() >= 50, "one is missing");
    assert_complains(&catalog, &fixtures(), &[]);
}

#[test]
fn an_attribute_without_a_column_is_noticed() {
    let line = "  color: {type: string, sensitivity: none}\n";
    let catalog = catalog_with("tags.yaml", |text| text.replace(line, "")).unwrap();
    let converted = "tags.json: tags: attribute color has no column (unknown_attributes: fail)";
    assert_complains(&catalog, &fixtures(), &["tags: attribute color has no column", converted]);
    let catalog = catalog_with("users.yaml", |text| text.replace("custom: user\n", "")).unwrap();
    assert_complains(&catalog, &fixtures(), &["users: attribute custom has no column"]);
    let snooze = |text: &str| text.lines().filter(|line| !line.contains(" snooze.")).collect::<Vec<_>>().join("\n");
    let catalog = catalog_with("conversations.yaml", snooze).unwrap();
    assert!(complaints(&catalog, &fixtures()).contains(&"conversations: attribute snooze has no column".to_owned()));
}

#[test]
fn a_column_without_a_value_and_a_fixture_without_an_entity_are_noticed() {
    let catalog = Catalog::embedded().unwrap();
    let folder = copied();
    let rewrite = |name: &str, from: &str, to: &str| {
        let path = folder.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name}: {from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    rewrite("tags.json", "\"color\"", "\"hue\"");
    rewrite("queues.json", "\"priority\": 4", "\"priority\": \"high\"");
    rewrite("team_queues.json", "\"type\": \"team\"", "\"type\": \"crew\"");
    std::fs::remove_file(folder.path().join("brands.json")).unwrap();
    std::fs::write(folder.path().join("others.json"), "{}").unwrap();
    let expected = [
        "others.json: the catalogue has no such entity",
        "brands: there is no fixture brands.json",
        "queues: no record of queues.json fills column priority (Double)",
        "queues.json: column priority does not take String",
        "tags: no record of tags.json fills column color (String)",
        "tags.json: tags: attribute hue has no column (unknown_attributes: fail)",
        "team_queues: no record of team_queues.json fills column team_id (String)",
    ];
    assert_complains(&catalog, folder.path(), &expected);
}

#[test]
fn a_parent_that_is_unknown_and_a_column_without_its_mark_are_refused() {
    let told = catalog_with("customer_emails.yaml", |text| text.replace("parent: customers", "parent: clients"));
    assert_eq!(told.unwrap_err(), "schemas/customer_emails.yaml: access: the parent clients is unknown");
    let told = catalog_with("tags.yaml", |text| text.replace("{type: string, sensitivity: none}", "{type: string}"));
    assert!(told.unwrap_err().contains("missing field `sensitivity`"));
}

#[test]
fn what_the_instructions_write_is_understood() {
    let text = std::fs::read_to_string(source("docs/adding-an-entity.md")).unwrap();
    let blocks: Vec<_> = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [file, accesses] = blocks[..] else { panic!("a file, and then every access") };
    let (before, after) = file.split_once("access:").unwrap();
    let after = after.split_once('\n').unwrap().1;
    let mut files = schemas();
    let mut names = BTreeSet::new();
    for access in accesses.split("\n\n").map(str::trim_end) {
        let mut written = format!("{before}{access}\n{after}");
        if access.contains("log:") {
            written = written.replace("modes: [update]", "modes: [append]").replace("updated_at ", "created_at ");
            written = written.replace("updatedAt:", "createdAt:");
        }
        files.insert("things.yaml".to_owned(), written);
        let catalog = catalog_of(&files).unwrap_or_else(|told| panic!("{told}\nin {access}"));
        names.insert(catalog.get("things").unwrap().access.summary());
    }
    let all: BTreeSet<_> = Catalog::embedded().unwrap().iter().map(|entity| entity.access.summary()).collect();
    assert_eq!(names, all, "every access is shown");
}

/// The list of entities from which the catalogue was made, where it is at hand.
#[derive(Deserialize)]
struct Reference {
    entities: Vec<ReferenceEntity>,
}

#[derive(Deserialize)]
struct ReferenceEntity {
    name: String,
    primary_key: Vec<String>,
    attributes: BTreeMap<String, Value>,
}

#[test]
fn the_list_of_attributes_is_that_of_the_reference() {
    let Ok(text) = std::fs::read_to_string(source("../shared/kustomer-api/entities.yaml")) else { return };
    let reference: Reference = serde_saphyr::from_str(&text).unwrap();
    let known = std::fs::read_to_string(fixtures().join("attributes.yaml")).unwrap();
    let known: Attributes = serde_saphyr::from_str(&known).unwrap();
    let catalog = Catalog::embedded().unwrap();
    assert_eq!(known.len(), reference.entities.len());
    for entity in reference.entities {
        let listed: BTreeSet<_> = known[&entity.name].iter().collect();
        assert_eq!(listed, entity.attributes.keys().collect(), "{}", entity.name);
        let key = &catalog.get(&entity.name).unwrap().key;
        assert!(key.starts_with(&entity.primary_key), "{}: {key:?}", entity.name);
    }
}
