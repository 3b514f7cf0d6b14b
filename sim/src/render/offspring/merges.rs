//! The merges of customers (API reference, section 13).

use super::{Parent, Resource, some_user};
use crate::context::Context;
use crate::render::{Unset, Writer};
use crate::rng::mix;
use crate::switches::MergeList;
use crate::world::{Merge, World};

impl Parent<'_> {
    pub(super) fn merges(&self) -> Vec<Resource> {
        let lists = |merge: &Merge| {
            merge.target == self.ord || (merge.source == self.ord && self.switches.merge_list == MergeList::Both)
        };
        let numbered = (0..).zip(&self.world.merges).filter(|(_, merge)| lists(merge));
        numbered
            .map(|(number, one)| Resource {
                body: merge(self.world, number, one, self.switches.unset),
                ..Resource::default()
            })
            .collect()
    }
}

/// One merge.
pub(crate) fn merge(world: &World, number: u32, merge: &Merge, unset: Unset) -> Vec<u8> {
    let customers = world.store(Context::Customer);
    let id = merge.id(number);
    let salt = mix(world.seed ^ mix(0x3e << 32 | u64::from(number)));
    let mut out = Vec::new();
    let writer = &mut Writer::new(&mut out, unset);
    writer.open_bare();
    writer.text("type", "customer_merge");
    writer.id("id", &id);
    writer.open("attributes");
    writer.text("status", "completed");
    writer.time("createdAt", merge.at);
    writer.time("updatedAt", merge.at + i64::try_from(salt % 900).unwrap_or(0));
    writer.close();
    writer.open("relationships");
    writer.relation("org", "org", "/v1/orgs/", &world.directory.org);
    writer.relation("source", "customer", "/v1/customers/", &customers.id(merge.source));
    writer.relation("target", "customer", "/v1/customers/", &customers.id(merge.target));
    writer.user_link("createdBy", (!salt.is_multiple_of(4)).then(|| some_user(world, salt)));
    writer.close();
    writer.self_link("/v1/customers/merges/", &id, "");
    writer.close();
    out
}
