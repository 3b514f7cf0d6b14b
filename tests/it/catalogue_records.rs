//! The records of a fixture, found by the access of the schema file as the extractor finds them, but by simpler means.

use std::collections::BTreeMap;

use kustlake::catalog::{
    Access, Catalog, Column, ColumnType, ElementShape, ElementsOf, Entity, Given, Included, ListSource, Relation,
    Source,
};
use serde_json::{Value, json};

/// One record, with the facts that stand outside of it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) resource: Value,
    pub(crate) given: BTreeMap<&'static str, Value>,
}

impl Record {
    /// The record as the tables take it: its JSON text, with what was given.
    pub(crate) fn text(&self) -> String {
        let (resource, given) = (self.resource.to_string(), json!(self.given));
        let open = resource.strip_suffix('}').unwrap();
        format!("{open},\"_given\":{given}}}")
    }
}

/// The records of `entity` in an answer of the API; for elements, in an answer with the records they are part of.
pub(crate) fn records(catalog: &Catalog, entity: &Entity, answer: &Value) -> Vec<Record> {
    match &entity.access {
        Access::Search { .. } | Access::Klasses { .. } | Access::Log { .. } => plain(answer),
        Access::Lists { included: None, .. } => plain(answer),
        Access::Lists { included: Some(Included::Related), .. } => with_included(answer),
        Access::PerParent { lists, .. } => plain(answer).into_iter().map(|record| listed(record, &lists[0])).collect(),
        Access::Metadata { .. } => properties(answer),
        Access::Elements { parent, of, shape, parent_key } => {
            let parent = catalog.get(parent.as_str()).unwrap();
            let key = parent.column(parent_key.as_ref().unwrap_or(&parent.key[0])).unwrap();
            let whole = records(catalog, parent, answer);
            whole.iter().flat_map(|record| elements(record, of, shape, cell(key, record))).collect()
        }
    }
}

/// The value of a column, if the record has one of the column's type.
pub(crate) fn cell(column: &Column, record: &Record) -> Option<Value> {
    let resource = &record.resource;
    let value = match &column.source {
        Source::Id => resource.get("id").cloned(),
        Source::Attribute(path) => attribute(resource, &path.0).cloned(),
        Source::Relationship { name, relation } => {
            let data = &resource["relationships"][name]["data"];
            let id = |one: &Value, kind: &str| (one["type"] == *kind).then(|| one["id"].clone());
            match relation {
                Relation::One(kind) => id(data, kind),
                Relation::Many(kind) => {
                    data.as_array().and_then(|all| all.iter().map(|one| id(one, kind)).collect::<Option<_>>())
                }
                Relation::Data => Some(data.clone()),
            }
        }
        Source::Given(given) => record.given.get(given.name()).cloned(),
        Source::System(_) => Some(Value::Null),
    };
    value.filter(|value| matches!(column.source, Source::System(_)) || fits(column.kind, value))
}

fn fits(kind: ColumnType, value: &Value) -> bool {
    match kind {
        ColumnType::String => value.is_string(),
        ColumnType::Integer => value.is_i64(),
        ColumnType::Double => value.is_number(),
        ColumnType::Boolean => value.is_boolean(),
        ColumnType::Timestamp => {
            value.is_i64() || value.as_str().is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok())
        }
        ColumnType::Strings => {
            value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_string))
        }
        ColumnType::Json => !value.is_null(),
    }
}

fn attribute<'v>(resource: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(&resource["attributes"], |value, key| value.get(key))
}

/// Many values, or one in the place of many.
fn all(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}

fn plain(answer: &Value) -> Vec<Record> {
    let resources = all(&answer["data"]).into_iter();
    resources.map(|resource| Record { resource, given: BTreeMap::new() }).collect()
}

/// A record of that list below some parent.
fn listed(mut record: Record, list: &ListSource) -> Record {
    record.given.insert(Given::ParentId.name(), json!("parent"));
    record.given.insert("attributes", json!(list.implies));
    record
}

fn with_included(answer: &Value) -> Vec<Record> {
    let included = all(&answer["included"]);
    let mut records = plain(answer);
    for record in &mut records {
        let related: Vec<_> = included
            .iter()
            .filter(|part| names(part, &record.resource) || names(&record.resource, part))
            .cloned()
            .collect();
        if !related.is_empty() {
            record.given.insert(Given::Included.name(), Value::Array(related));
        }
    }
    records
}

/// Whether a relationship of `one` names `other`.
fn names(one: &Value, other: &Value) -> bool {
    let relationships = one["relationships"].as_object().into_iter().flat_map(|all| all.values());
    relationships
        .flat_map(|relationship| all(&relationship["data"]))
        .any(|data| data["id"] == other["id"] && data["type"] == other["type"])
}

fn properties(answer: &Value) -> Vec<Record> {
    let described = &answer["data"];
    let properties = described["attributes"]["properties"].as_object().into_iter().flatten();
    let records = properties.map(|(name, property)| Record {
        resource: json!({"attributes": property, "relationships": described["relationships"]}),
        given: BTreeMap::from([
            (Given::Resource.name(), json!("customer")),
            (Given::AttributeName.name(), json!(name)),
        ]),
    });
    records.collect()
}

fn elements(whole: &Record, of: &ElementsOf, shape: &ElementShape, parent: Option<Value>) -> Vec<Record> {
    let standing = match of {
        ElementsOf::Attribute(path) => attribute(&whole.resource, &path.0).map(all).unwrap_or_default(),
        ElementsOf::Relationship(name) => all(&whole.resource["relationships"][name]["data"]),
        ElementsOf::Included => whole.given.get(Given::Included.name()).map(all).unwrap_or_default(),
    };
    let grouped: Vec<(Option<&str>, usize, Value)> = match shape {
        ElementShape::Criteria => ["and", "or"]
            .into_iter()
            .flat_map(|group| {
                let conditions = standing.iter().flat_map(move |criteria| all(&criteria[group]));
                conditions.enumerate().map(move |(at, condition)| (Some(group), at, condition))
            })
            .collect(),
        _ => standing.into_iter().enumerate().map(|(at, element)| (None, at, element)).collect(),
    };
    let records = grouped.into_iter().map(|(group, position, element)| {
        let mut given = BTreeMap::from([(Given::Position.name(), json!(position))]);
        given.extend(parent.clone().map(|parent| (Given::ParentId.name(), parent)));
        given.extend(group.map(|group| (Given::Group.name(), json!(group))));
        Record { resource: shaped(shape, element), given }
    });
    records.collect()
}

fn shaped(shape: &ElementShape, element: Value) -> Value {
    match shape {
        ElementShape::Resource => element,
        ElementShape::Attributes { .. } if element.is_object() => json!({"attributes": element}),
        ElementShape::Attributes { bare } => json!({"attributes": {bare: element}}),
        ElementShape::Criteria => {
            let (field, condition) = element.as_object().and_then(|all| all.iter().next()).unwrap();
            let (operator, value) = (&condition["operator"], &condition["value"]);
            json!({"attributes": {"field": field, "operator": operator, "value": value}})
        }
    }
}
