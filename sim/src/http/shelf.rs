//! The small lists, companies, KObjects and the metadata of custom attributes.

use serde_json::{Value, json};

use super::api::Call;
use super::listing::{Listing, Next, close_with_value, fill_values};
use super::params::PageParams;
use super::reply::Reply;
use crate::rng::mix;
use crate::search::{Direction, Refusal};
use crate::shelf::{Collection, Place, ShelfName, Sides, Version, served, shows_deleted};
use crate::switches::{IncludedOne, MetadataAccess, Mover, ShelfOrder, SlaList, Visibility};
use crate::timestamp;
use crate::world::World;

impl Call<'_> {
    /// One of the small lists, or one resource of it.
    pub(super) fn shelf(&self, collection: Collection, id: Option<&str>) -> Reply {
        let name = ShelfName::Of(collection);
        self.stir(&name);
        let world = self.shared.world();
        match (collection, id) {
            (Collection::OutboundAccounts, Some(_)) => Reply::not_found(),
            (_, Some(id)) => self.one(&world, &name, id),
            (Collection::Slas, None) if self.switches.sla_list == SlaList::NotFound => Reply::not_found(),
            (Collection::OutboundAccounts, None) => self.accounts(&world, &name),
            (_, None) => match self.selected(&world, collection) {
                Ok(all) => self.page_of(&world, &name, all, collection.largest_page()),
                Err(refusal) => Reply::bad_request(&refusal),
            },
        }
    }

    /// The KObjects of a klass, or one of them; or a klass by its id.
    pub(super) fn kobjects(&self, klass: &str, id: Option<&str>) -> Reply {
        let name = ShelfName::KObjects(klass.to_owned());
        self.stir(&name);
        let world = self.shared.world();
        let klasses = ShelfName::Of(Collection::Klasses);
        match id {
            Some(id) => self.one(&world, &name, id),
            None if world.shelves.find(&klasses, klass).is_some() => self.one(&world, &klasses, klass),
            None if !world.shelves.has(&name) => Reply::not_found(),
            None => match self.since(world.shelves.present(&name, Sides::Live, self.now)) {
                Ok(all) => self.page_of(&world, &name, all, 100),
                Err(refusal) => Reply::bad_request(&refusal),
            },
        }
    }

    /// The custom attributes of one kind of record.
    pub(super) fn metadata(&self, resource: &str) -> Reply {
        let hidden = match self.switches.metadata_access {
            MetadataAccess::Full => false,
            MetadataAccess::Absent => return Reply::not_found(),
            MetadataAccess::NotOfNotes => resource == "note",
            MetadataAccess::NotOfKobjects => resource.starts_with("kobject."),
        };
        if hidden {
            return Reply::forbidden();
        }
        let world = self.shared.world();
        match world.shelves.metadata.resource(resource, &world.directory.org.to_string()) {
            Some(resource) => Reply::one(json!({"data": resource}).to_string().into_bytes()),
            None => Reply::not_found(),
        }
    }

    /// A list that somebody added at this path.
    pub(super) fn own_list(&self) -> Option<Reply> {
        let world = self.shared.world();
        let all = world.shelves.own_list(self.path)?;
        Some(match self.params.paging(100) {
            Ok(paging) => {
                let shown: Vec<Value> = all.iter().skip(paging.offset()).take(paging.size).cloned().collect();
                self.write_page(&shown, paging, all.len(), Vec::new(), &json!([]))
            }
            Err(refusal) => Reply::bad_request(&refusal),
        })
    }

    /// Changes one resource of the list that is read, where the organisation does that.
    fn stir(&self, name: &ShelfName) {
        if self.switches.mover == Mover::EveryRequest {
            self.shared.world_mut().shelves.move_one(name, self.number, self.now);
        }
    }

    /// Which resources of a list are asked for.
    fn selected<'w>(&self, world: &'w World, collection: Collection) -> Result<Vec<&'w Version>, Refusal> {
        let name = ShelfName::Of(collection);
        let choice = |name: &str, known: [&str; 3], default: usize| {
            let asked = self.params.get(name).unwrap_or(known.get(default).copied().unwrap_or(""));
            known.iter().position(|known| *known == asked).ok_or_else(|| format!("{name}: unknown value"))
        };
        let shown = if self.switches.deleted_in_lists == Visibility::Shown { Sides::Both } else { Sides::Live };
        let sides = match collection {
            Collection::Shortcuts => match choice("deleted", ["false", "true", "all"], 0)? {
                0 => Sides::Live,
                1 => Sides::Deleted,
                _ => Sides::Both,
            },
            Collection::Teams if self.params.flag("deleted")? => Sides::Deleted,
            Collection::Teams => Sides::Live,
            Collection::SpamSenders if self.params.flag("includeDeleted")? => Sides::Both,
            _ if shows_deleted(collection) => Sides::Both,
            _ => shown,
        };
        let mut all = world.shelves.present(&name, sides, self.now);
        match collection {
            Collection::Klasses => {
                let known = ["enabled", "existing_only", "disabled"];
                let status = known.get(choice("status", known, 0)?).copied();
                all.retain(|klass| klass.attribute("status").and_then(Value::as_str) == status);
            }
            Collection::Snoozes => match self.params.get("resource") {
                None => {}
                Some("conversation") => all.retain(|snooze| snooze.stem.parent.is_none()),
                Some("kobject") => all.retain(|snooze| snooze.stem.parent.is_some()),
                Some(_) => return Err("resource is neither conversation nor kobject".into()),
            },
            // Without `all` the system's own queue is left out; the parameter's meaning is not documented.
            Collection::Queues if !self.params.flag("all")? => {
                all.retain(|queue| queue.attribute("system") != Some(&Value::Bool(true)));
            }
            _ => {}
        }
        Ok(all)
    }

    /// KObjects updated since `fromDate`, in the order of `sort`.
    fn since<'w>(&self, mut all: Vec<&'w Version>) -> Result<Vec<&'w Version>, Refusal> {
        if let Some(from) = self.params.get("fromDate") {
            let from = timestamp::parse(from).ok_or("fromDate is not an instant")?;
            all.retain(|version| version.stem.updated >= from);
        }
        if self.params.direction()? == Direction::Descending {
            all.reverse();
        }
        Ok(all)
    }

    fn one(&self, world: &World, name: &ShelfName, id: &str) -> Reply {
        let Some(version) = world.shelves.find(name, id) else {
            return Reply::not_found();
        };
        let mut body = json!({"data": served(name, version, self.style(), Place::ById)});
        if let (Some(included), Some(body)) = (self.included(world, name, &[version]), body.as_object_mut()) {
            body.insert("included".into(), included);
        }
        Reply::one(body.to_string().into_bytes())
    }

    fn page_of(&self, world: &World, name: &ShelfName, mut all: Vec<&Version>, most: usize) -> Reply {
        let paging = match self.params.paging(most) {
            Ok(paging) => paging,
            Err(refusal) => return Reply::bad_request(&refusal),
        };
        if self.switches.shelf_order == ShelfOrder::Random {
            all.sort_by_cached_key(|version| mix(world.seed ^ mix(self.number) ^ u64::from(version.stem.ord)));
        }
        let unread = |versions: &[&Version]| {
            let unread = |version: &&&Version| version.attribute("status").is_some_and(|status| status == "unread");
            versions.iter().filter(unread).count()
        };
        let counts = match name {
            ShelfName::Of(Collection::Notifications) => vec![
                ("total", all.len().into()),
                ("totalPages", all.len().div_ceil(paging.size).into()),
                ("unread", unread(&all).into()),
            ],
            _ => Vec::new(),
        };
        let shown: Vec<&Version> = all.iter().skip(paging.offset()).take(paging.size).copied().collect();
        let resources: Vec<Value> =
            shown.iter().map(|version| served(name, version, self.style(), Place::List)).collect();
        let included = self.included(world, name, &shown).unwrap_or_else(|| json!([]));
        self.write_page(&resources, paging, all.len(), counts, &included)
    }

    /// What is included with resources, if it was asked for.
    fn included(&self, world: &World, name: &ShelfName, shown: &[&Version]) -> Option<Value> {
        let collection = match name {
            ShelfName::Of(Collection::Schedules) => {
                (self.params.get("include") == Some("holidays")).then_some(Collection::Holidays)
            }
            ShelfName::Of(Collection::Slas) => self.params.get("versions").map(|_| Collection::SlaVersions),
            _ => None,
        }?;
        let name = ShelfName::Of(collection);
        let mut belonging = world.shelves.belonging(&name, shown, self.now);
        if self.params.get("versions") == Some("active") {
            let newest: Vec<u32> = shown.iter().map(|sla| sla.stem.number).collect();
            belonging.retain(|version| {
                let sla = shown.iter().position(|sla| version.stem.parent.as_ref() == Some(&sla.stem.id));
                sla.and_then(|place| newest.get(place)) == Some(&version.stem.number)
            });
        }
        let mut included: Vec<Value> =
            belonging.into_iter().map(|version| served(&name, version, self.style(), Place::List)).collect();
        if included.len() == 1 && self.switches.included_one == IncludedOne::Object {
            return included.pop();
        }
        Some(Value::Array(included))
    }

    /// Accounts come on one page, without counts or links to others (API reference, section 5.2).
    fn accounts(&self, world: &World, name: &ShelfName) -> Reply {
        let all = world.shelves.present(name, Sides::Live, self.now);
        let resources: Vec<Value> =
            all.iter().map(|version| served(name, version, self.style(), Place::List)).collect();
        let body = json!({"meta": {}, "links": {"self": self.path}, "data": resources});
        Reply::page(body.to_string().into_bytes(), resources.len())
    }

    fn write_page(
        &self,
        resources: &[Value],
        paging: PageParams,
        total: usize,
        meta: Vec<(&'static str, Value)>,
        included: &Value,
    ) -> Reply {
        let more = total > paging.offset().saturating_add(paging.size);
        let listing = Listing {
            path: self.path,
            params: &self.params,
            paging,
            next: Next::of(self.switches.next_links, more),
            meta,
            last: None,
        };
        let mut out = listing.open(1_024);
        fill_values(&mut out, resources);
        close_with_value(&mut out, included);
        Reply::page(out, resources.len())
    }
}
