//! A schema file as it is written, and its meaning as an [`Entity`].

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::check::{self, CatalogError};
use super::entity::{
    Access, AttributePath, Column, ColumnType, Entity, EntityName, Mode, Relation, Sensitivity, Source, SystemColumn,
};

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
    access: Access,
    roles: Vec<String>,
    attributes: Ordered<AttributeLine>,
    #[serde(default)]
    relationships: Ordered<RelationshipLine>,
    sources: Vec<String>,
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
    let mut columns = vec![Column {
        name: "id".to_owned(),
        source: Source::Id,
        kind: ColumnType::String,
        sensitivity: Sensitivity::None,
        about: String::new(),
    }];
    columns.extend(written.attributes.0.into_iter().map(attribute));
    for (name, line) in written.relationships.0 {
        columns.push(relationship(file, name, line)?);
    }
    columns.extend(SystemColumn::ALL.into_iter().map(system));
    let entity = Entity {
        name: written.entity,
        resource_type: written.resource_type,
        about: written.about,
        modes: written.modes,
        key: written.key,
        access: written.access,
        roles: written.roles,
        columns,
        sources: written.sources,
    };
    check::consistent(file, &entity)?;
    Ok(entity)
}

fn attribute((path, line): (String, AttributeLine)) -> Column {
    let path = AttributePath(path.split('.').map(str::to_owned).collect());
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
    let source = Source::System(column);
    Column { name: column.name().to_owned(), source, kind: column.kind(), sensitivity, about: String::new() }
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
