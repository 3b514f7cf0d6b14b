//! Several organisations in one file: `organisations:` names each, and says what is its own.
//!
//! The rule: what stands below an organisation goes before what stands beside it, key by key; no two organisations share a
//! place in the storage, and none has its key from the variable of another.

use std::collections::BTreeMap;

use super::section::{Reader, Section};
use super::tree::{Entry, Node, Value};

/// The sections that an organisation may have for itself.
const SECTIONS: [&str; 5] = ["source", "destination", "state", "defaults", "pipelines"];

/// One organisation, and the file as if it were the only one.
pub(super) struct Organisation {
    /// Its name; none where the file has no `organisations:`.
    pub(super) name: Option<String>,
    pub(super) root: Node,
}

/// The organisations of a file, in its order.
pub(super) fn split(reader: &Reader<'_>, root: Node) -> Vec<Organisation> {
    let Value::Map(entries) = &root.value else { return vec![Organisation { name: None, root }] };
    let (named, common): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.key == "organisations");
    let Some(entry) = named.first() else { return vec![Organisation { name: None, root }] };
    let common = Node { line: root.line, value: Value::Map(common.into_iter().cloned().collect()) };
    let mut organisations = Vec::new();
    for (name, section) in Section::new(reader, "organisations", &entry.node).children() {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            let told = "expected a name of letters, digits, - and _; its tables lie below it";
            reader.problem(section.line, section.path.as_str(), told);
            continue;
        }
        let own = own(&entry.node, name);
        section.read_all(&SECTIONS);
        section.finish(&SECTIONS);
        let mut root = common.clone();
        lie_below(&mut root, name);
        if let Some(own) = own {
            overlay(&mut root, own);
        }
        organisations.push(Organisation { name: Some(name.to_owned()), root });
    }
    if organisations.is_empty() {
        reader.problem(entry.line, "organisations", "name at least one, or leave this out");
    }
    organisations
}

fn own<'n>(organisations: &'n Node, name: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &organisations.value else { return None };
    entries.iter().find(|entry| entry.key == name).map(|entry| &entry.node)
}

fn entry<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Entry> {
    let Value::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|entry| entry.key == key)
}

/// The tables of an organisation lie in a folder of its name, unless it has a destination of its own.
fn lie_below(root: &mut Node, name: &str) {
    let url = entry(root, "destination").and_then(|found| entry(&mut found.node, "url"));
    if let Some(Value::Text(url)) = url.map(|found| &mut found.node.value) {
        *url = format!("{}/{name}", url.trim_end_matches('/'));
    }
}

/// Puts what is `own` in place of what is common, key by key.
fn overlay(common: &mut Node, own: &Node) {
    let (Value::Map(below), Value::Map(above)) = (&mut common.value, &own.value) else {
        if !matches!(own.value, Value::Null) {
            *common = own.clone();
        }
        return;
    };
    for entry in above {
        match below.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => {
                known.line = entry.line;
                overlay(&mut known.node, &entry.node);
            }
            None => below.push(entry.clone()),
        }
    }
}

/// Refuses places that two organisations would share.
pub(super) fn refuse_shared_places(reader: &Reader<'_>, organisations: &[Organisation]) {
    for path in [["destination", "url"], ["state", "url"]] {
        let mut taken = BTreeMap::new();
        for organisation in organisations {
            let (Some((line, url)), Some(name)) = (text_at(&organisation.root, &path), &organisation.name) else {
                continue;
            };
            if let Some(other) = taken.insert(url.trim_end_matches('/').to_owned(), name) {
                let told =
                    format!("{other} and {name} would share this place; give each its own below organisations.{name}");
                reader.problem(line, path.join("."), told);
            }
        }
    }
}

fn text_at<'n>(node: &'n Node, path: &[&str]) -> Option<(u64, &'n str)> {
    let Some((key, rest)) = path.split_first() else {
        let Value::Text(text) = &node.value else { return None };
        return Some((node.line, text));
    };
    let Value::Map(entries) = &node.value else { return None };
    text_at(&entries.iter().find(|entry| entry.key == *key)?.node, rest)
}

/// The variable that holds the API key of an organisation when the file names no other: `KUSTOMER_API_KEY_EMEA`.
pub(super) fn key_variable(usual: &str, organisation: Option<&str>) -> String {
    organisation
        .map_or_else(|| usual.to_owned(), |name| format!("{usual}_{}", name.to_ascii_uppercase().replace('-', "_")))
}
