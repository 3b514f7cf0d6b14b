//! The columns of an entity during a run: what becomes of those of the catalogue, and which ones the organisation's own
//! attributes get.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::discovery::Description;
use super::entity::Shared;
use super::error::EntityError;
use crate::api::{Pages, entries};
use crate::catalog::{Column, Entity};
use crate::config::{self, Pipeline};
use crate::lake::Table;
use crate::table::{HashKey, TableSchema, Treatment, Treatments, custom_column, custom_columns};

/// What becomes of the columns of a pipeline's tables.
pub(super) fn treatments(pipeline: &Pipeline, hash_key: Option<&SecretString>) -> Treatments {
    let columns = &pipeline.columns;
    let treated = columns.treated.iter().map(|(name, treatment)| (name.clone(), of(Some(*treatment))));
    let kept = columns.kept.iter().map(|name| (name.clone(), Treatment::Keep));
    Treatments {
        columns: treated.chain(kept).collect(),
        personal: of(columns.personal),
        content: of(columns.content),
        hash_key: hash_key.map(|key| HashKey::new(key.expose_secret().as_bytes())),
    }
}

const fn of(treatment: Option<config::Treatment>) -> Treatment {
    match treatment {
        None => Treatment::Keep,
        Some(config::Treatment::Exclude) => Treatment::Exclude,
        Some(config::Treatment::Hash) => Treatment::Hash,
    }
}

/// What a description says, but for those of its members that cannot be made a tree: they tell nothing of the column.
fn readable(property: &RawValue) -> Value {
    let members = entries(property).into_iter();
    members.filter_map(|(name, value)| Some((name, serde_json::from_str::<Value>(value.get()).ok()?))).collect()
}

/// What the source says of the custom attributes of an entity.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    properties: Map<String, Value>,
}

impl Attributes {
    /// What the source says of those of `entity`; nothing, if it has none or does not describe them.
    pub(super) async fn of(entity: &Entity, shared: &Shared<'_>, pages: &dyn Pages) -> Result<Self, EntityError> {
        let Some(resource) = &entity.custom else { return Ok(Self::default()) };
        match shared.discovery.description(resource, shared.catalog, pages).await? {
            Description::Known(properties, _) => {
                let properties = properties.iter().map(|(name, property)| (name.clone(), readable(property)));
                Ok(Self { properties: properties.collect() })
            }
            Description::Absent => Ok(Self::default()),
            Description::Forbidden(_) => {
                tracing::warn!(
                    entity = %entity.name,
                    "the key may not read the descriptions of custom attributes; the ends of their names tell their types"
                );
                Ok(Self::default())
            }
        }
    }

    /// `schema` with the columns that the table has by now, and one for each attribute that is described.
    ///
    /// An attribute that the organisation has deleted gets no new column, unless a record still has it.
    pub(super) fn described(&self, schema: &TableSchema, table: Option<&Table>) -> TableSchema {
        let is_there = |property: &Value| property.get("deletedAt").is_none_or(Value::is_null);
        let present = self.properties.iter().filter(|(_, property)| is_there(property));
        let wanted = present.map(|(name, property)| custom_column(name, Some(property))).collect();
        schema.with_custom(custom_columns(schema, table.map(|table| &**table.schema()), wanted))
    }

    /// `schema` with columns for attributes that records turned out to have.
    pub(super) fn met(&self, schema: &TableSchema, names: &BTreeSet<String>) -> TableSchema {
        let wanted: Vec<Column> = names.iter().map(|name| custom_column(name, self.properties.get(name))).collect();
        schema.with_custom(custom_columns(schema, None, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Sensitivity;

    #[test]
    fn what_is_sensitive_stays_so_beside_members_that_cannot_be_read() {
        let property = RawValue::from_string(
            r#"{"displayName": "\ud800", "most": 1e999, "type": "string", "hasSensitiveAttributes": true}"#.to_owned(),
        );
        let column = custom_column("passport", Some(&readable(&property.unwrap())));
        assert_eq!(column.sensitivity, Sensitivity::Personal);
    }
}
