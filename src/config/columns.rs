//! `columns`: what becomes of the columns that say something about people.
//!
//! The rule: nothing that a table needs to be right can be left out, and what is asked for is done
//! or refused. A column that a mark asks to hash, and that cannot be hashed, is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::section::{Name, Section, nearest};
use crate::catalog::{Column, ColumnType, Entity, Sensitivity, Source, SystemColumn};

/// What the names of an organisation's own columns begin with; they may be named before they exist.
const CUSTOM: &str = "custom_";

/// What becomes of a column that is not kept as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// The table does not have it.
    Exclude,
    /// Each of its texts is a keyed hash of what it was.
    Hash,
}

/// What becomes of the columns of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// The columns that are not kept as they are: those of the catalogue, and the custom ones that the file names.
    pub treated: BTreeMap<String, Treatment>,
    /// The columns that are kept whatever their sensitivity.
    pub kept: BTreeSet<String>,
    /// What becomes of other custom columns that are [`Sensitivity::Personal`]; `None` keeps them.
    pub personal: Option<Treatment>,
    /// What becomes of other custom columns that are [`Sensitivity::Content`]; `None` keeps them.
    pub content: Option<Treatment>,
}

impl Columns {
    fn by_mark(&self, sensitivity: Sensitivity) -> Option<Treatment> {
        match sensitivity {
            Sensitivity::None => None,
            Sensitivity::Personal => self.personal,
            Sensitivity::Content => self.content,
        }
    }
}

/// `_extra` holds values of many kinds, of which a single hash would tell nothing.
fn can_be_hashed(column: &Column) -> bool {
    let is_text = matches!(column.kind, ColumnType::String | ColumnType::Strings | ColumnType::Json);
    is_text && column.source != Source::System(SystemColumn::Extra)
}

/// What becomes of columns by their sensitivity, unless the file names them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    personal: Option<Treatment>,
    content: Option<Treatment>,
}

const MARKS: [(&str, Option<Treatment>); 3] =
    [("keep", None), ("exclude", Some(Treatment::Exclude)), ("hash", Some(Treatment::Hash))];

/// The first place in the file that asks for a hash, and so for a key.
#[derive(Debug, Clone, Default)]
pub(super) struct Hashing(pub(super) Option<(u64, String)>);

impl Hashing {
    fn asked(&mut self, line: u64, key: String) {
        self.0.get_or_insert((line, key));
    }
}

/// Reads `personal` and `content` of a section `columns`.
pub(super) fn marks(section: &Section<'_, '_, '_>, usual: Marks, hashing: &mut Hashing) -> Marks {
    let mut mark = |name, usual| {
        let mark = section.choice(name, &MARKS);
        if mark == Some(Some(Treatment::Hash))
            && let Some(found) = section.find(name)
        {
            hashing.asked(found.line, found.key);
        }
        mark.unwrap_or(usual)
    };
    Marks { personal: mark("personal", usual.personal), content: mark("content", usual.content) }
}

/// Reads `columns` of a pipeline. `needed` are the columns of the entity that others read.
pub(super) fn columns(
    pipeline: &Section<'_, '_, '_>,
    entity: &Entity,
    needed: &BTreeSet<&str>,
    usual: Marks,
    hashing: &mut Hashing,
) -> Columns {
    let Some(section) = pipeline.section("columns") else { return resolved(entity, needed, usual, Named::default()) };
    let marks = marks(&section, usual, hashing);
    let named = Named {
        exclude: section.names("exclude").unwrap_or_default(),
        hash: section.names("hash").unwrap_or_default(),
        keep: section.names("keep").unwrap_or_default(),
    };
    named.check(&section, entity, needed);
    if let Some(first) = named.hash.first() {
        hashing.asked(first.line, section.key("hash"));
    }
    section.finish(&["exclude", "hash", "keep", "personal", "content"]);
    resolved(entity, needed, marks, named)
}

/// What becomes of the columns of an entity of which the file says nothing.
pub(super) fn usual(entity: &Entity, needed: &BTreeSet<&str>, marks: Marks) -> Columns {
    resolved(entity, needed, marks, Named::default())
}

fn resolved(entity: &Entity, needed: &BTreeSet<&str>, marks: Marks, named: Named) -> Columns {
    let mut columns = Columns { personal: marks.personal, content: marks.content, ..Columns::default() };
    columns.kept = named.keep.into_iter().map(|name| name.text).collect();
    for column in &entity.columns {
        if let Some(treatment) = columns.by_mark(column.sensitivity)
            && !columns.kept.contains(&column.name)
            && indispensable(entity, needed, column).is_none()
        {
            let treatment = if can_be_hashed(column) { treatment } else { Treatment::Exclude };
            columns.treated.insert(column.name.clone(), treatment);
        }
    }
    columns.treated.extend(named.hash.into_iter().map(|name| (name.text, Treatment::Hash)));
    columns.treated.extend(named.exclude.into_iter().map(|name| (name.text, Treatment::Exclude)));
    columns
}

/// The columns that a pipeline names.
#[derive(Debug, Default)]
struct Named {
    exclude: Vec<Name>,
    hash: Vec<Name>,
    keep: Vec<Name>,
}

impl Named {
    fn check(&self, section: &Section<'_, '_, '_>, entity: &Entity, needed: &BTreeSet<&str>) {
        let problem = |key, name: &Name, told: String| section.reader.problem(name.line, section.key(key), told);
        for (key, names) in [("exclude", &self.exclude), ("hash", &self.hash), ("keep", &self.keep)] {
            for name in names {
                let Some(column) = entity.column(&name.text) else {
                    if !(entity.custom.is_some() && name.text.starts_with(CUSTOM)) {
                        let known: Vec<_> = entity.columns.iter().map(|column| column.name.as_str()).collect();
                        let hint = nearest(&name.text, &known);
                        problem(key, name, format!("{} has no column {}; {hint}", entity.name, name.text));
                    }
                    continue;
                };
                if key == "keep" {
                    continue;
                }
                if let Some(reason) = indispensable(entity, needed, column) {
                    problem(key, name, format!("{} must stay as it is: {reason}", name.text));
                } else if key == "hash" && !can_be_hashed(column) {
                    let told = format!("{} is no text, and cannot be hashed; exclude it instead", name.text);
                    problem(key, name, told);
                }
            }
        }
        let texts = |names: &[Name]| names.iter().map(|name| name.text.clone()).collect::<BTreeSet<_>>();
        let (excluded, hashed) = (texts(&self.exclude), texts(&self.hash));
        for name in self.hash.iter().filter(|name| excluded.contains(&name.text)) {
            problem("hash", name, format!("{} is excluded and hashed at once; choose one", name.text));
        }
        for name in self.keep.iter().filter(|name| excluded.contains(&name.text) || hashed.contains(&name.text)) {
            problem("keep", name, format!("{} is kept, and excluded or hashed at once; choose one", name.text));
        }
    }
}

/// Why a column can neither be left out nor changed.
fn indispensable(entity: &Entity, needed: &BTreeSet<&str>, column: &Column) -> Option<&'static str> {
    if entity.key.contains(&column.name) {
        return Some("rows are identified by it");
    }
    if needed.contains(column.name.as_str()) {
        return Some("it tells what to read for another table");
    }
    if entity.cursor.as_ref() == Some(&column.name) {
        return Some("it is the cursor of the table");
    }
    match &column.source {
        Source::System(SystemColumn::Extra) => None,
        Source::System(_) => Some("every table has it"),
        Source::Given(_) if column.name.starts_with('_') => Some("it tells which rows belong together"),
        Source::Attribute(path) => match path.0.as_slice() {
            [name] if name == "rev" || name == "updatedAt" => Some("it tells which copy of a row is the newest"),
            [name] if name == "deleted" || name == "deletedAt" => Some("it tells what was deleted"),
            _ => None,
        },
        Source::Id | Source::Relationship { .. } | Source::Given(_) => None,
    }
}
