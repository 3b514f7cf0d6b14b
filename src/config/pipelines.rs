//! `defaults` and `pipelines`: which entities are loaded, and how each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::columns::{self, Hashing, Marks};
use super::section::{Section, nearest};
use super::{Deletes, HASH_KEY_VARIABLE, Pipeline, UnknownAttributes};
use crate::catalog::{Access, Catalog, Entity, Mode};

const DELETES: [(&str, Deletes); 2] = [("soft", Deletes::Soft), ("hard", Deletes::Hard)];
const UNKNOWN: [(&str, UnknownAttributes); 3] =
    [("extra", UnknownAttributes::Extra), ("ignore", UnknownAttributes::Ignore), ("fail", UnknownAttributes::Fail)];
const MODES: [(&str, Mode); 3] = [("append", Mode::Append), ("update", Mode::Update), ("replace", Mode::Replace)];

/// A key of fewer characters could be guessed, and with it the texts.
const SHORTEST_HASH_KEY: usize = 16;

/// What holds for every pipeline that says nothing else.
struct Defaults {
    deletes: Deletes,
    unknown: UnknownAttributes,
    marks: Marks,
}

/// Reads both sections: the pipelines, and the key by which their columns are hashed.
pub(super) fn read(root: &Section<'_, '_, '_>, catalog: &Catalog) -> (Vec<Pipeline>, Option<SecretString>) {
    let mut hashing = Hashing::default();
    let section = root.section("defaults");
    let defaults = section.as_ref().map_or(
        Defaults { deletes: Deletes::Soft, unknown: UnknownAttributes::Extra, marks: Marks::default() },
        |section| defaults(section, &mut hashing),
    );
    let pipelines = pipelines(root, &defaults, catalog, &mut hashing);
    let key = hash_key(root, section.as_ref(), &hashing);
    if let Some(section) = section {
        section.finish(&["deletes", "unknown_attributes", "columns", "hash_key"]);
    }
    (pipelines, key)
}

fn defaults(section: &Section<'_, '_, '_>, hashing: &mut Hashing) -> Defaults {
    Defaults {
        deletes: section.choice("deletes", &DELETES).unwrap_or(Deletes::Soft),
        unknown: section.choice("unknown_attributes", &UNKNOWN).unwrap_or(UnknownAttributes::Extra),
        marks: section.section("columns").map_or_else(Marks::default, |section| {
            let marks = columns::marks(&section, Marks::default(), hashing);
            for name in ["exclude", "hash", "keep"] {
                if let Some(found) = section.find(name) {
                    let told = "columns are named per pipeline; here stand `personal` and `content`";
                    section.reader.problem(found.line, found.key, told);
                }
            }
            section.finish(&["personal", "content"]);
            marks
        }),
    }
}

/// The key of hashed columns, which must be there where one is.
fn hash_key(
    root: &Section<'_, '_, '_>,
    defaults: Option<&Section<'_, '_, '_>>,
    hashing: &Hashing,
) -> Option<SecretString> {
    let make = format!("make one with `openssl rand -hex 32`, keep it, and export it as {HASH_KEY_VARIABLE}");
    let named = defaults.and_then(|section| section.find("hash_key"));
    let key = match (defaults, &named) {
        (Some(section), Some(_)) => Some(section.secret("hash_key", HASH_KEY_VARIABLE)?),
        _ => None,
    };
    let (line, place) = match (named, &hashing.0) {
        (Some(named), _) => (named.line, named.key),
        (None, Some((line, place))) => (*line, place.clone()),
        (None, None) => return None,
    };
    let Some(key) = key.or_else(|| root.reader.secret(HASH_KEY_VARIABLE)) else {
        root.reader.problem(line, place, format!("a hash needs a key; {make}"));
        return None;
    };
    if key.expose_secret().chars().count() < SHORTEST_HASH_KEY {
        let told = format!("the key of hashed columns has fewer than {SHORTEST_HASH_KEY} characters; {make}");
        root.reader.problem(line, place, told);
        return None;
    }
    Some(key)
}

fn pipelines(
    root: &Section<'_, '_, '_>,
    defaults: &Defaults,
    catalog: &Catalog,
    hashing: &mut Hashing,
) -> Vec<Pipeline> {
    let Some(section) = root.section("pipelines") else {
        let all = catalog.iter().map(|entity| Pipeline {
            entity: entity.name.clone(),
            mode: mode_with(entity, catalog, &BTreeMap::new()),
            start: None,
            deletes: defaults.deletes,
            unknown_attributes: defaults.unknown,
            columns: columns::usual(entity, &needed(entity, catalog), defaults.marks),
            klasses: None,
        });
        return all.collect();
    };
    let known: Vec<_> = catalog.iter().map(|entity| entity.name.as_str()).collect();
    let mut found = Vec::new();
    for (name, inner) in section.children() {
        match catalog.get(name) {
            Some(entity) => found.push((entity, inner)),
            None => {
                section.reader.problem(inner.line, inner.path, format!("unknown entity; {}", nearest(name, &known)));
            }
        }
    }
    let modes: BTreeMap<_, _> =
        found.iter().map(|(entity, inner)| (entity.name.as_str(), inner.choice("mode", &MODES))).collect();
    let pipelines = found.iter().map(|(entity, inner)| {
        let one = One { entity, section: inner, catalog };
        one.has_its_parent(&modes);
        Pipeline {
            entity: entity.name.clone(),
            mode: one.mode(&modes),
            start: one.start(),
            deletes: inner.choice("deletes", &DELETES).unwrap_or(defaults.deletes),
            unknown_attributes: inner.choice("unknown_attributes", &UNKNOWN).unwrap_or(defaults.unknown),
            columns: columns::columns(inner, entity, &needed(entity, catalog), defaults.marks, hashing),
            klasses: one.klasses(),
        }
    });
    let pipelines = pipelines.collect();
    for (_, inner) in found {
        inner.finish(&["mode", "start_date", "deletes", "unknown_attributes", "columns", "klasses"]);
    }
    pipelines
}

/// The modes that the file names, by entity; all entities that it loads are among them.
type Modes<'n> = BTreeMap<&'n str, Option<Mode>>;

/// The mode of an entity: that of the records whose elements it has, or what the file says, or the usual one.
fn mode_with(entity: &Entity, catalog: &Catalog, modes: &Modes<'_>) -> Mode {
    let mut entity = entity;
    while let Access::Elements { parent, .. } = &entity.access
        && let Some(parent) = catalog.get(parent.as_str())
    {
        entity = parent;
    }
    modes.get(entity.name.as_str()).copied().flatten().unwrap_or_else(|| entity.default_mode())
}

/// The columns of an entity that tell what to read for another one.
fn needed<'c>(entity: &Entity, catalog: &'c Catalog) -> BTreeSet<&'c str> {
    let by_others = catalog.iter().filter_map(|other| match &other.access {
        Access::Elements { parent, parent_key: Some(column), .. } if *parent == entity.name => Some(column.as_str()),
        Access::Lists { otherwise: Some(by_id), .. } if by_id.entity == entity.name => Some(by_id.column.as_str()),
        Access::PerParent { told_by: Some(told_by), .. } if told_by.entity == entity.name => {
            Some(told_by.column.as_str())
        }
        _ => None,
    });
    by_others.collect()
}

/// One pipeline as it is written.
struct One<'a, 'r, 'n, 'e> {
    entity: &'a Entity,
    section: &'a Section<'r, 'n, 'e>,
    catalog: &'a Catalog,
}

impl One<'_, '_, '_, '_> {
    fn problem(&self, key: &str, told: impl Into<String>) {
        let line = self.section.find(key).map_or(self.section.line, |found| found.line);
        self.section.reader.problem(line, self.section.key(key), told);
    }

    /// Refuses an entity whose rows are reached by another one that is not loaded.
    fn has_its_parent(&self, modes: &Modes<'_>) {
        let Some(parent) = self.entity.access.needed() else { return };
        if modes.contains_key(parent.as_str()) {
            return;
        }
        let why = match self.entity.access {
            Access::Elements { .. } => "its records hold these rows",
            _ => "its table tells which to read",
        };
        self.section.reader.problem(self.section.line, self.section.path.clone(), format!("add {parent}: {why}"));
    }

    fn mode(&self, modes: &Modes<'_>) -> Mode {
        let mode = mode_with(self.entity, self.catalog, modes);
        let asked = modes.get(self.entity.name.as_str()).copied().flatten().unwrap_or(mode);
        let name = &self.entity.name;
        if !self.entity.modes.contains(&asked) {
            let modes: Vec<_> = self.entity.modes.iter().map(ToString::to_string).collect();
            self.problem("mode", format!("{name} cannot be loaded in mode {asked}; it has {}", modes.join(", ")));
        } else if let Some(parent) = self.entity.access.parent().filter(|_| asked != mode) {
            self.problem("mode", format!("{name} is part of {parent}, and loaded in its mode: {mode}"));
        }
        mode
    }

    fn start(&self) -> Option<DateTime<Utc>> {
        let start = self.section.instant("start_date")?;
        match &self.entity.access {
            Access::Elements { parent, .. } => {
                let told = format!("{} comes with {parent}; give that a start_date, if any", self.entity.name);
                self.problem("start_date", told);
                None
            }
            access if access.is_whole() => {
                self.problem("start_date", format!("{} is always read whole; remove this", self.entity.name));
                None
            }
            _ => Some(start),
        }
    }

    fn klasses(&self) -> Option<Vec<String>> {
        if !matches!(self.entity.access, Access::Klasses { .. }) {
            if self.section.find("klasses").is_some() {
                self.problem("klasses", "only kobjects have klasses");
            }
            return None;
        }
        let names = self.section.names("klasses")?;
        if names.is_empty() {
            self.problem("klasses", "name at least one, or remove this to load all");
        }
        Some(names.into_iter().map(|name| name.text).collect())
    }
}

#[cfg(test)]
#[path = "pipelines_tests.rs"]
mod tests;
