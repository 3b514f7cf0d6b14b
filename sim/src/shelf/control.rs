//! What a test sees of the shelves and does to them; the library handle and the control over HTTP both come here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{Occasion, ShelfChange};
use super::collection::{Collection, ShelfName};
use super::serve::{Place, served};
use super::{Shelves, Sides, Version};
use crate::context::Context;
use crate::error::SimError;
use crate::render::Style;
use crate::shared::Shared;
use crate::switches::Visibility;

/// What the API can show of a shelf at all.
fn showable<'a>(shelves: &'a Shelves, name: &ShelfName, deleted_in_lists: Visibility, now: i64) -> Vec<&'a Version> {
    let sides = match name {
        ShelfName::Of(Collection::Schedules) if deleted_in_lists == Visibility::Hidden => Sides::Live,
        _ => Sides::Both,
    };
    if *name == ShelfName::Of(Collection::Holidays) {
        let schedules = showable(shelves, &ShelfName::Of(Collection::Schedules), deleted_in_lists, now);
        return shelves.belonging(name, &schedules, now);
    }
    shelves.present(name, sides, now)
}

impl Shared {
    /// The resources of a shelf as they are served; none for a shelf that does not exist.
    pub(crate) fn shelf(&self, name: &str) -> Vec<Value> {
        let Some(name) = ShelfName::named(name) else {
            return Vec::new();
        };
        let switches = self.switches();
        let style = Style { unset: switches.unset, mask_every: switches.mask_every };
        let (now, world) = (self.clock.now(), self.world());
        let shown = showable(&world.shelves, &name, switches.deleted_in_lists, now);
        shown.into_iter().map(|version| served(&name, version, style, Place::List)).collect()
    }

    pub(crate) fn shelf_names(&self) -> Vec<String> {
        self.world().shelves.names().map(ToString::to_string).collect()
    }

    /// The metadata of every kind of record.
    pub(crate) fn metadata(&self) -> BTreeMap<String, Value> {
        let world = self.world();
        let (org, metadata) = (world.directory.org.to_string(), &world.shelves.metadata);
        let served = |name: &str| Some((name.to_owned(), metadata.resource(name, &org)?));
        metadata.names().filter_map(served).collect()
    }

    fn occasion(&self, seed: u64) -> Occasion {
        Occasion { seed, now: self.clock.now(), stamp: self.switches().delete_stamp }
    }

    pub(crate) fn change_shelf(
        &self,
        name: &str,
        change: ShelfChange,
        count: u32,
        seed: u64,
    ) -> Result<Vec<String>, SimError> {
        let name = ShelfName::named(name).ok_or_else(|| SimError::control("no such shelf"))?;
        let occasion = self.occasion(seed);
        self.world_mut().shelves.change(&name, change, count, occasion)
    }

    pub(crate) fn change_shelves(&self, seed: u64) -> Result<(), SimError> {
        let occasion = self.occasion(seed);
        self.world_mut().shelves.change_all(occasion)
    }

    pub(crate) fn add_custom_attribute(
        &self,
        resource: &str,
        name: &str,
        property: Value,
        value: Value,
    ) -> Result<(), SimError> {
        let now = self.clock.now();
        let mut world = self.world_mut();
        world.shelves.add_custom_attribute(resource, name, property, value.clone(), now)?;
        if let Some(context) = Context::ALL.into_iter().find(|context| context.name() == resource) {
            world.store_mut(context).added.add(name, &value);
        }
        Ok(())
    }

    pub(crate) fn serve_list(&self, path: &str, resources: Vec<Value>) {
        self.world_mut().shelves.serve_list(path, resources);
    }
}
