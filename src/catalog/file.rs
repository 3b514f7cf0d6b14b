//! A schema file as it is written, and its meaning as an [`Entity`].

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::access::Access;
use super::check::{self, CatalogError};
use super::column::{
    AttributePath, Column, ColumnType, Given, PARENT_COLUMN, Relation, Sensitivity, Source, SystemColumn,
};
use super::entity::{Entity, EntityName, Mode};

/// What stands in the file. See `docs/adding-an-entity.md`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaFile {
    entity: EntityName,
    #[serde(rename = "type")]
    resource_type: String,
    about: String,
    modes: Vec<Mode>,
    key: Vec<String>,
    cursor: Option<String>,
    access: Access,
    roles: Vec<String>,
    deletes: String,
    custom: Option<String>,
    #[serde(default)]
    id: IdColumn,
    #[serde(default)]
    given: Ordered<GivenLine>,
    #[serde(default)]
    attributes: Ordered<AttributeLine>,
    #[serde(default)]
    relationships: Ordered<RelationshipLine>,
    sources: Vec<String>,
}

/// Where the resource's own id stands: `id: none`, `id: shortcut_id`; without the line, in `id`.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
enum IdColumn {
    None,
    Named(String),
}

impl Default for IdColumn {
    fn default() -> Self {
        Self::Named("id".to_owned())
    }
}

impl From<String> for IdColumn {
    fn from(name: String) -> Self {
        if name == "none" { Self::None } else { Self::Named(name) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenLine {
    from: Given,
    #[serde(rename = "type")]
    kind: ColumnType,
    sensitivity: Sensitivity,
    #[serde(default)]
    about: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeLine {
    #[serde(rename = "type")]
    kind: ColumnType,
    sensitivity: Sensitivity,
    column: Option<String>,
    #[serde(default)]
    about: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RelationshipLine {
    one: Option<String>,
    many: Option<String>,
    data: Option<DataShape>,
    sensitivity: Sensitivity,
    column: Option<String>,
    #[serde(default)]
    about: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DataShape {
    Json,
}

/// A YAML mapping whose order counts, because it is the order of the columns.
#[derive(Debug)]
struct Ordered<T>(Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(std::marker::PhantomData))
    }
}

/// Reads one schema file.
pub(super) fn parse(file: &str, text: &str) -> Result<Entity, CatalogError> {
    let written: SchemaFile =
        serde_saphyr::from_str(text).map_err(|error| CatalogError::new(file, error.to_string()))?;
    let mut columns = Vec::new();
    if let IdColumn::Named(name) = written.id {
        columns.push(Column::plain(&name, Source::Id, ColumnType::String));
    }
    columns.extend(written.given.0.into_iter().map(given));
    columns.extend(written.attributes.0.into_iter().map(attribute));
    for (name, line) in written.relationships.0 {
        columns.push(relationship(file, name, line)?);
    }
    if matches!(written.access, Access::PerParent { .. }) {
        columns.push(Column::plain(PARENT_COLUMN, Source::Given(Given::ParentId), ColumnType::String));
    }
    columns.extend(SystemColumn::ALL.into_iter().map(system));
    let entity = Entity {
        name: written.entity,
        resource_type: written.resource_type,
        about: written.about,
        modes: written.modes,
        key: written.key,
        cursor: written.cursor,
        deletes: written.deletes,
        custom: written.custom,
        access: written.access,
        roles: written.roles,
        columns,
        sources: written.sources,
    };
    check::consistent(file, &entity)?;
    Ok(entity)
}

/// A path as schema files write it: `firstDone.createdAt`.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AttributePath, D::Error> {
    String::deserialize(deserializer).map(|text| dotted(&text))
}

fn dotted(text: &str) -> AttributePath {
    AttributePath(text.split('.').map(str::to_owned).collect())
}

fn given((name, line): (String, GivenLine)) -> Column {
    Column { name, source: Source::Given(line.from), kind: line.kind, sensitivity: line.sensitivity, about: line.about }
}

fn attribute((path, line): (String, AttributeLine)) -> Column {
    let path = dotted(&path);
    Column {
        name: line.column.unwrap_or_else(|| snake_case(&path.0.join("_"))),
        source: Source::Attribute(path),
        kind: line.kind,
        sensitivity: line.sensitivity,
        about: line.about,
    }
}

fn relationship(file: &str, name: String, line: RelationshipLine) -> Result<Column, CatalogError> {
    let (relation, kind, suffix) = match (line.one, line.many, line.data) {
        (Some(one), None, None) => (Relation::One(one), ColumnType::String, "_id"),
        (None, Some(many), None) => (Relation::Many(many), ColumnType::Strings, "_ids"),
        (None, None, Some(DataShape::Json)) => (Relation::Data, ColumnType::Json, ""),
        _ => {
            let told = format!("relationship {name}: say exactly one of `one: TYPE`, `many: TYPE` or `data: json`");
            return Err(CatalogError::new(file, told));
        }
    };
    Ok(Column {
        name: line.column.unwrap_or_else(|| format!("{}{suffix}", snake_case(&name))),
        source: Source::Relationship { name, relation },
        kind,
        sensitivity: line.sensitivity,
        about: line.about,
    })
}

fn system(column: SystemColumn) -> Column {
    let sensitivity = if column == SystemColumn::Extra { Sensitivity::Content } else { Sensitivity::None };
    Column { sensitivity, ..Column::plain(column.name(), Source::System(column), column.kind()) }
}

/// `firstDone_createdAt` → `first_done_created_at`; runs of capitals stay together: `s3DataURL` → `s3_data_url`.
pub(super) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 8);
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| letters.get(before)).copied();
        let after = letters.get(at + 1).copied();
        let starts_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && after.is_some_and(char::is_lowercase))
            });
        if starts_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn names_become_snake_case_as_analysts_expect() {
        for (name, column) in [
            ("firstDone_createdAt", "first_done_created_at"),
            ("s3DataUrl", "s3_data_url"),
            ("s3DataURL", "s3_data_url"),
            ("externalIds", "external_ids"),
            ("rev", "rev"),
        ] {
            assert_eq!(snake_case(name), column);
        }
    }
}
