//! Texts that describe people, or that people wrote, and where they must not stand.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use kustlake::catalog::{Access, Catalog, ElementsOf, Entity, Sensitivity, Source};
use kustlake_sim::{Context, Mutation, Op};
use serde_json::{Value, json};

use crate::columns::{MINUTE, org, records};
use crate::rows::{all, values};
use crate::support::Org;

/// Every entity that the simulator has with people in it, and the parts of their records.
const PIPELINES: &str = "pipelines: {customers: {}, customer_emails: {}, customer_phones: {}, customer_social: {}, \
    customer_urls: {}, customer_locations: {}, customer_external_ids: {}, customer_shared_emails: {}, \
    customer_shared_phones: {}, customer_shared_social: {}, customer_shared_external_ids: {}, messages: {}, notes: {}, \
    note_user_mentions: {}, companies: {}, company_emails: {}, company_phones: {}, company_social: {}, \
    company_urls: {}, company_locations: {}, users: {}, kobjects: {}}";

const KINDS: [(Context, &str); 4] = [
    (Context::Customer, "customers"),
    (Context::Message, "messages"),
    (Context::Note, "notes"),
    (Context::User, "users"),
];

/// The texts of records that describe people or were written by them, and those that may be read.
#[derive(Default)]
struct Texts {
    secret: BTreeSet<String>,
    free: BTreeSet<String>,
}

impl Texts {
    fn of(org: &Org) -> Self {
        let catalog = Catalog::embedded().unwrap();
        let mut texts = Self::default();
        for (context, name) in KINDS {
            texts.add(&catalog, catalog.get(name).unwrap(), &records(org, context));
        }
        texts.add(&catalog, catalog.get("companies").unwrap(), &org.sim.shelf("companies"));
        for shelf in org.sim.shelf_names().iter().filter(|name| name.starts_with("kobject_")) {
            texts.add(&catalog, catalog.get("kobjects").unwrap(), &org.sim.shelf(shelf));
        }
        texts
    }

    fn add(&mut self, catalog: &Catalog, entity: &Entity, records: &[Value]) {
        let mut readable = BTreeSet::new();
        for column in entity.columns.iter().filter(|column| column.sensitivity == Sensitivity::None) {
            if let Source::Attribute(path) = &column.source {
                readable.insert(path.0.clone());
            }
        }
        for part in catalog.iter() {
            if let Access::Elements { parent, of: ElementsOf::Attribute(path), .. } = &part.access
                && *parent == entity.name
            {
                let kept = part.columns.iter().filter(|column| column.sensitivity == Sensitivity::None);
                for source in kept.map(|column| &column.source) {
                    let Source::Attribute(own) = source else { continue };
                    readable.insert([path.0.as_slice(), &own.0].concat());
                }
            }
        }
        for record in records {
            self.free.insert(record["id"].as_str().unwrap().to_owned());
            self.visit(&mut Vec::new(), &record["attributes"], &readable);
        }
    }

    fn visit(&mut self, path: &mut Vec<String>, value: &Value, readable: &BTreeSet<Vec<String>>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    path.push(name.clone());
                    self.visit(path, value, readable);
                    path.pop();
                }
            }
            Value::Array(elements) => elements.iter().for_each(|element| self.visit(path, element, readable)),
            Value::String(text) if readable.iter().any(|known| path.starts_with(known)) => {
                self.free.insert(text.clone());
            }
            Value::String(text) => drop(self.secret.insert(text.clone())),
            _ => {}
        }
    }

    /// Those that could not stand somewhere by chance, as short ones and the words of the API do.
    fn hidden(&self) -> Hidden<'_> {
        let is_word = |text: &str| text.chars().all(|letter| letter.is_ascii_lowercase() || "-_.".contains(letter));
        let is_number = |text: &str| text.chars().all(|letter| letter.is_ascii_hexdigit());
        let by_chance = |text: &str| text.len() < START || is_word(text) || is_number(text);
        let free = self.free.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        let mut hidden = Hidden::default();
        for text in self.secret.iter().filter(|text| !by_chance(text) && !free.contains(*text)) {
            hidden.0.entry(&text.as_bytes()[..START]).or_default().push(text);
        }
        hidden
    }
}

/// The bytes by which texts are found.
const START: usize = 6;

/// Texts that must not stand anywhere, by their first bytes.
#[derive(Default)]
struct Hidden<'a>(HashMap<&'a [u8], Vec<&'a str>>);

impl Hidden<'_> {
    fn assert_absent(&self, place: &str, bytes: &[u8]) {
        for (at, start) in bytes.windows(START).enumerate() {
            let found = self.0.get(start).into_iter().flatten().find(|text| bytes[at..].starts_with(text.as_bytes()));
            assert!(found.is_none(), "{found:?} stands in {place}");
        }
    }
}

/// No text stands in any file of the folder, compressed ones of data aside, nor in any value of any table.
async fn assert_hidden_in(lake: &Path, hidden: &Hidden<'_>) {
    let mut folders = vec![lake.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                hidden.assert_absent(&path.display().to_string(), &bytes);
            }
        }
    }
    for table in crate::tables::open(lake).tables().await.unwrap() {
        let mut columns: BTreeMap<String, String> = BTreeMap::new();
        for (column, value) in all(lake, table.as_str()).await.into_iter().flatten() {
            let told = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            // JSON text may write a text with escapes.
            let plain = told.replace(r#"\""#, "\"").replace(r"\n", "\n");
            columns.entry(column).or_default().extend([told, "\n".to_owned(), plain, "\n".to_owned()]);
        }
        for (column, values) in columns {
            hidden.assert_absent(&format!("{table}.{column}"), values.as_bytes());
        }
    }
}

async fn hides_everything(marks: &str) {
    let org = org(&format!("defaults: {{columns: {marks}}}\n{PIPELINES}")).await;
    let mut texts = Texts::of(&org);
    org.sim.merge_switches(json!({"deleted_in_lists": "shown"})).unwrap();
    let mut told = String::new();
    for round in 0..2 {
        for command in ["run", "plan", "status", "views"] {
            let ended = org.run(&[command, "--log-level", "debug"]).await;
            assert_eq!(ended.code, 0, "{ended:#?}");
            told.extend([ended.stdout, ended.stderr]);
        }
        for (context, _) in KINDS {
            for (op, count) in [(Op::Create, 3), (Op::Update, 5), (Op::DeleteSoft, 1)] {
                org.sim.mutate(Mutation { context, op, count, seed: round }).unwrap();
            }
        }
        org.sim.change_shelves(round).unwrap();
        org.sim.clock().advance(10 * MINUTE);
        let later = Texts::of(&org);
        texts.secret.extend(later.secret);
        texts.free.extend(later.free);
    }
    org.report(&["run", "--full-refresh"]).await;
    let hidden = texts.hidden();
    assert!(hidden.0.len() > 100, "{} texts are too few to tell", hidden.0.len());
    hidden.assert_absent("what the program says", told.as_bytes());
    assert_hidden_in(&org.lake(), &hidden).await;
    for (context, name) in KINDS {
        assert_eq!(all(&org.lake(), name).await.len(), org.sim.truth(context).len(), "{name}");
        assert_eq!(values(&org.lake(), name, "_extra").await, [Value::Null; 0], "{name}");
    }
    assert!(all(&org.lake(), "customer_emails").await.len() > 30);
    assert!(all(&org.lake(), "kobject_order").await.len() >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_are_and_write_stands_nowhere_when_the_one_is_hashed_and_the_other_excluded() {
    hides_everything("{personal: hash, content: exclude}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_are_and_write_stands_nowhere_when_the_one_is_excluded_and_the_other_hashed() {
    hides_everything("{personal: exclude, content: hash}").await;
}
