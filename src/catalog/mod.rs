//! What exists: the entities of a Kustomer organisation, as data.
//!
//! The rule: everything that distinguishes one entity from another stands in its file of `schemas/`.
//! This module reads those files and refuses any that contradicts itself; it knows no request, no
//! Arrow and no storage.

mod access;
mod check;
mod column;
mod document;
mod entity;
mod file;
mod marts;
mod overview;

use std::collections::BTreeMap;

pub use access::{
    Absent, Access, ById, DeletedBy, ElementShape, ElementsOf, History, Included, ListSource, MovedBy, ToldBy,
};
pub use check::CatalogError;
pub use column::{
    AttributePath, Column, ColumnType, Given, PARENT_COLUMN, Relation, Sensitivity, Source, SystemColumn,
};
pub use document::page;
pub use entity::{Entity, EntityName, Mode};
pub use marts::marts;
pub use overview::overview;

/// The schema files that were part of the source tree when the program was built: `(file name, text)`.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// All entities that can be extracted, by name.
#[derive(Debug, Clone)]
pub struct Catalog {
    entities: BTreeMap<EntityName, Entity>,
}

impl Catalog {
    /// The catalogue that was built into the program.
    ///
    /// # Errors
    /// A schema file that contradicts itself; the tests keep this from happening in a release.
    pub fn embedded() -> Result<Self, CatalogError> {
        Self::from_files(EMBEDDED.iter().copied())
    }

    /// A catalogue from `(file name, YAML text)` pairs.
    ///
    /// # Errors
    /// The first file that cannot be read as an entity, or that contradicts itself.
    pub fn from_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, CatalogError> {
        let mut entities = BTreeMap::new();
        for (name, text) in files {
            let entity = file::parse(name, text)?;
            if entities.insert(entity.name.clone(), entity).is_some() {
                return Err(CatalogError::new(name, "another file describes the same entity"));
            }
        }
        check::related(&entities)?;
        Ok(Self { entities })
    }

    /// The entity of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entity> {
        self.entities.get(name)
    }

    /// The entity whose records have this JSON:API type; rather one that is read by itself than one read as a part.
    #[must_use]
    pub fn of_type(&self, resource_type: &str) -> Option<&Entity> {
        let mut found = self.iter().filter(|entity| entity.resource_type == resource_type);
        found.clone().find(|entity| !matches!(entity.access, Access::Elements { .. })).or_else(|| found.next())
    }

    /// Every entity, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &Entity> + Clone {
        self.entities.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalogue_holds_the_core_entities() {
        let catalog = Catalog::embedded().unwrap();
        for name in ["conversations", "customers", "messages", "notes", "users"] {
            let entity = catalog.get(name).unwrap();
            assert_eq!(entity.columns.first().unwrap().name, "id", "{name}");
            assert!(entity.modes.contains(&Mode::Update), "{name}");
        }
    }

    #[test]
    fn two_files_for_one_entity_are_refused() {
        let (name, text) = EMBEDDED.first().unwrap();
        assert!(Catalog::from_files([(*name, *text), ("again.yaml", *text)]).is_err());
    }
}
