//! What a schema file must not say.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::access::{Absent, Access, DeletedBy, ElementsOf};
use super::column::{ColumnType, PARENT_COLUMN, Source};
use super::entity::{Entity, EntityName, Mode};

/// A schema file that cannot be used.
#[derive(Debug, Error)]
#[error("schemas/{file}: {problem}")]
pub struct CatalogError {
    file: String,
    problem: String,
}

impl CatalogError {
    pub(super) fn new(file: &str, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), problem: problem.into() }
    }
}

/// Refuses an entity whose parts contradict each other.
pub(super) fn consistent(file: &str, entity: &Entity) -> Result<(), CatalogError> {
    let refuse = |problem: String| Err(CatalogError::new(file, problem));
    if file.strip_suffix(".yaml") != Some(entity.name.as_str()) {
        return refuse(format!("the file of entity {} must be called {0}.yaml", entity.name));
    }
    if entity.modes.is_empty() {
        return refuse("modes: name at least one".to_owned());
    }
    let mut names = BTreeSet::new();
    for column in &entity.columns {
        let name = column.name.as_str();
        if !names.insert(name.to_ascii_lowercase()) {
            return refuse(format!("column {name}: another column has this name, or differs only in case"));
        }
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
            return refuse(format!("column {name}: only a to z, 0 to 9 and _ are allowed"));
        }
        if name.starts_with('_') && name != PARENT_COLUMN && !matches!(column.source, Source::System(_)) {
            return refuse(format!("column {name}: a leading _ marks the columns that every table has"));
        }
    }
    nested(file, entity)?;
    for key in &entity.key {
        match entity.column(key) {
            Some(column) if matches!(column.kind, ColumnType::String | ColumnType::Integer) => {}
            Some(_) => return refuse(format!("key: {key} must be a string or an integer column")),
            None => return refuse(format!("key: there is no column {key}")),
        }
    }
    match entity.key.first().and_then(|key| entity.column(key)) {
        Some(column) if column.kind == ColumnType::String => {}
        Some(column) => return refuse(format!("key: {}, the first column, must be a string", column.name)),
        None => return refuse("key: name at least one column".to_owned()),
    }
    if let Some(cursor) = &entity.cursor
        && entity.column(cursor).is_none_or(|column| column.kind != ColumnType::Timestamp)
    {
        return refuse(format!("cursor: there is no timestamp column {cursor}"));
    }
    access(entity).map_or(Ok(()), |problem| refuse(format!("access: {problem}")))
}

/// What is wrong with the way in which an entity is reached.
fn access(entity: &Entity) -> Option<String> {
    let cursor = |needed: &str| {
        let told = || format!("`cursor: {needed}` must be among the columns, because reading goes on from it");
        (entity.cursor.as_deref() != Some(needed)).then(told)
    };
    match &entity.access {
        Access::Search { .. } | Access::Klasses { .. } => cursor("updated_at"),
        Access::Log { .. } if entity.modes != [Mode::Append] => Some("a log is only appended to".to_owned()),
        Access::Log { .. } => cursor("created_at"),
        Access::Lists { lists, .. } | Access::PerParent { lists, .. } if lists.is_empty() => {
            Some("name at least one list".to_owned())
        }
        Access::PerParent { lists, .. } if lists.iter().any(|list| !list.path.contains("{id}")) => {
            Some("`{id}` must stand in each path for the parent's id".to_owned())
        }
        Access::PerParent { absent: Absent::Deleted, .. } if entity.modes.contains(&Mode::Append) => {
            Some("a table that is only appended to cannot show deletes".to_owned())
        }
        Access::Lists { .. } | Access::PerParent { .. } | Access::Elements { .. } | Access::Metadata { .. } => None,
    }
}

/// Refuses relations to entities that do not exist, or that do not have what is asked of them.
pub(super) fn related(entities: &BTreeMap<EntityName, Entity>) -> Result<(), CatalogError> {
    for entity in entities.values() {
        let refuse = |problem: String| Err(CatalogError::new(&format!("{}.yaml", entity.name), problem));
        if let Access::Lists { otherwise: Some(by_id), .. } = &entity.access
            && !holds_ids(entities.get(&by_id.entity), &by_id.column)
        {
            return refuse(format!("access: {} has no text column {}", by_id.entity, by_id.column));
        }
        if let Access::PerParent { told_by: Some(told_by), .. } = &entity.access
            && !holds_ids(entities.get(&told_by.entity), &told_by.column)
        {
            return refuse(format!("access: {} has no text column {}", told_by.entity, told_by.column));
        }
        if let Some(moved_by) = entity.access.moved_by()
            && !holds_ids(entities.get(&moved_by.entity), &moved_by.column)
        {
            return refuse(format!("access: {} has no text column {}", moved_by.entity, moved_by.column));
        }
        if let Some(DeletedBy { entity: by, column, when }) = entity.access.deleted_by()
            && let Some(column) =
                [column].into_iter().chain(when.keys()).find(|column| !holds_ids(entities.get(by), column))
        {
            return refuse(format!("access: {by} has no text column {column}"));
        }
        let Some(name) = entity.access.parent() else { continue };
        let Some(parent) = entities.get(name) else {
            return refuse(format!("access: the parent {name} is unknown"));
        };
        if ancestors(entities, entity).any(|ancestor| ancestor.name == entity.name) {
            return refuse("access: an entity cannot be its own parent, nor that of its parents".to_owned());
        }
        let same_modes = matches!(entity.access, Access::PerParent { .. })
            || entity.modes.iter().all(|mode| parent.modes.contains(mode));
        if !same_modes {
            return refuse(format!("modes: {name}, whose elements these are, does not have them all"));
        }
        let has_included = matches!(parent.access, Access::Lists { included: Some(_), .. });
        if matches!(entity.access, Access::Elements { of: ElementsOf::Included, .. }) && !has_included {
            return refuse(format!("access: {name} is not read with `included`"));
        }
        if let Access::Elements { parent_key: Some(column), .. } = &entity.access
            && !holds_ids(Some(parent), column)
        {
            return refuse(format!("access: {name} has no text column {column}"));
        }
    }
    Ok(())
}

/// The parent, its parent, and so on; no more than there are entities, even where they form a circle.
fn ancestors<'e>(entities: &'e BTreeMap<EntityName, Entity>, entity: &'e Entity) -> impl Iterator<Item = &'e Entity> {
    let parent = |entity: &&'e Entity| entities.get(entity.access.parent()?);
    std::iter::successors(parent(&entity), parent).take(entities.len())
}

fn holds_ids(entity: Option<&Entity>, column: &str) -> bool {
    entity.and_then(|entity| entity.column(column)).is_some_and(|column| column.kind == ColumnType::String)
}

/// No attribute may be both a column and the parent of one: its value could stand in two places.
fn nested(file: &str, entity: &Entity) -> Result<(), CatalogError> {
    let paths: Vec<_> = entity
        .columns
        .iter()
        .filter_map(|column| match &column.source {
            Source::Attribute(path) => Some(path),
            Source::Id | Source::Relationship { .. } | Source::Given(_) | Source::System(_) => None,
        })
        .collect();
    for outer in &paths {
        for inner in &paths {
            if inner.0.len() > outer.0.len() && inner.0.starts_with(&outer.0) {
                return Err(CatalogError::new(file, format!("attribute {inner}: {outer} is a column already")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::catalog::Catalog;

    const SEARCH: &str = "{search: {context: thing, history: archive}}";
    const GOOD: &str = r"
entity: things
type: thing
about: Things.
modes: [update]
key: [id]
cursor: updated_at
access: {search: {context: thing, history: archive}}
roles: []
deletes: never
attributes:
  updatedAt: {type: timestamp, sensitivity: none}
  box.name: {type: string, sensitivity: none}
relationships:
  owner: {one: user, sensitivity: none}
sources: [invented]
";

    #[test]
    fn a_consistent_file_is_an_entity() {
        let catalog = Catalog::from_files([("things.yaml", GOOD)]).unwrap();
        let names: Vec<_> = catalog.get("things").unwrap().columns.iter().map(|column| column.name.as_str()).collect();
        let expected =
            ["id", "updated_at", "box_name", "owner_id", "_extracted_at", "_deleted", "_deleted_at", "_extra"];
        assert_eq!(names, expected);
    }

    #[test]
    fn parents_in_a_circle_are_refused() {
        let one = GOOD.replace(SEARCH, "{elements: {parent: others, of: {attribute: box}, shape: resource}}");
        let other = one.replace("entity: things", "entity: others").replace("parent: others", "parent: things");
        let error = Catalog::from_files([("things.yaml", one.as_str()), ("others.yaml", other.as_str())]).unwrap_err();
        assert!(error.to_string().contains("cannot be its own parent"), "{error}");
    }

    #[test]
    fn a_contradiction_is_refused_and_named() {
        let swap = |from: &str, to: &str| GOOD.replace(from, to);
        for (text, told) in [
            (swap("entity: things", "entity: other"), "must be called other.yaml"),
            (swap("modes: [update]", "modes: []"), "modes"),
            (swap("key: [id]", "key: [nothing]"), "no column nothing"),
            (swap("key: [id]", "key: [updated_at]"), "must be a string"),
            (swap("context: thing, history: archive", "context: thing"), "history"),
            (swap("updatedAt: {type: timestamp", "changedAt: {type: timestamp"), "updated_at"),
            (swap("one: user", "one: user, many: user"), "exactly one of"),
            (swap("one: user", "one: user, column: Box_Name"), "differs only in case"),
            (swap("box.name:", "box: {type: json, sensitivity: none}\n  box.name:"), "box is a column already"),
            (swap("{type: string, sensitivity: none}", "{type: string}"), "sensitivity"),
            (
                swap(SEARCH, "{per_parent: {parent: boxes, lists: [{path: '/v1/{id}'}], page_size: 9, absent: kept}}"),
                "unknown",
            ),
            (swap(SEARCH, "{elements: {parent: things, of: included, shape: resource}}"), "its own parent"),
            (
                swap(
                    SEARCH,
                    "{lists: {lists: [{path: /v1/x}], page_size: 9, otherwise: {path: '/v1/x/{id}', entity: things, column: box}}}",
                ),
                "no text column box",
            ),
            (swap(SEARCH, "{lists: {lists: [], page_size: 9}}"), "at least one list"),
        ] {
            let error = Catalog::from_files([("things.yaml", text.as_str())]).unwrap_err().to_string();
            assert!(error.starts_with("schemas/things.yaml: ") && error.contains(told), "{error}");
        }
    }
}
