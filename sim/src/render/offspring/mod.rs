//! What is listed per parent, as the API shows it.
//!
//! Rule: a body is a function of the seed, the parent and its course, and the switches; nothing else is remembered.

mod attachments;
mod drafts;
mod events;
mod merges;
mod times;

pub(crate) use self::attachments::of_messages;
pub(crate) use self::merges::merge;

use super::Writer;
use crate::context::Context;
use crate::rng::{Dice, mix};
use crate::switches::{DeletedParent, Switches};
use crate::world::ids::IdText;
use crate::world::offspring::{Course, Offspring};
use crate::world::record::{ORPHAN, Record};
use crate::world::{Named, World};

/// One resource, and what belongs to it among the `included` ones.
#[derive(Debug, Default)]
pub(crate) struct Resource {
    pub(crate) body: Vec<u8>,
    pub(crate) included: Vec<Vec<u8>>,
}

/// Everything of a kind under one parent, oldest first; `None` when the parent is not there.
pub(crate) fn offspring(world: &World, kind: Offspring, parent: u32, switches: &Switches) -> Option<Vec<Resource>> {
    let store = world.store(kind.parent());
    let record = store.primary(parent)?;
    if !record.is_live() && switches.deleted_parent == DeletedParent::NotFound {
        return None;
    }
    let parent = Parent {
        world,
        switches,
        ord: parent,
        record,
        salt: store.salt(parent),
        id: store.id(parent),
        course: Course::of(store, parent),
    };
    Some(match kind {
        Offspring::Events => parent.events(),
        Offspring::Forwards => parent.forwards(),
        Offspring::TimesV1 => parent.times(times::Timer::Seconds),
        Offspring::TimesV2 => parent.times(times::Timer::Milliseconds),
        Offspring::Attachments => parent.attachments(),
        Offspring::Drafts => parent.drafts(),
        Offspring::Merges => parent.merges(),
    })
}

/// A parent with its course.
struct Parent<'a> {
    world: &'a World,
    switches: &'a Switches,
    ord: u32,
    record: Record,
    salt: u64,
    id: IdText,
    course: Course,
}

impl Parent<'_> {
    /// The seed of one thing under this parent.
    const fn part(&self, purpose: u64, number: u64) -> u64 {
        mix(self.salt ^ mix((purpose << 56) | number))
    }

    /// Writes one resource.
    fn resource(&self, kind: &str, id: &IdText, write: impl FnOnce(&mut Writer<'_>)) -> Resource {
        let mut resource = Resource::default();
        let writer = &mut Writer::new(&mut resource.body, self.switches.unset);
        writer.open_bare();
        writer.text("type", kind);
        writer.id("id", id);
        write(writer);
        writer.close();
        resource
    }

    fn conversation_link(&self, writer: &mut Writer<'_>) {
        writer.relation("conversation", "conversation", "/v1/conversations/", &self.id);
    }

    fn customer_link(&self, writer: &mut Writer<'_>, customer: u32) {
        if customer == ORPHAN {
            return writer.unset("customer");
        }
        writer.relation("customer", "customer", "/v1/customers/", &self.world.store(Context::Customer).id(customer));
    }

    fn org_link(&self, writer: &mut Writer<'_>) {
        writer.relation("org", "org", "/v1/orgs/", &self.world.directory.org);
    }

    fn user_link(&self, writer: &mut Writer<'_>, name: &str, salt: Option<u64>) {
        writer.user_link(name, salt.map(|salt| some_user(self.world, salt)));
    }
}

/// A user that a number chooses.
fn some_user(world: &World, salt: u64) -> IdText {
    let users = world.store(Context::User);
    users.id(u32::try_from(Dice::new(salt).below(users.founding.max(1).into())).unwrap_or(0))
}

/// Something of a list that a number chooses.
fn some_of<'a>(list: &'a [Named], dice: &mut Dice) -> Option<&'a IdText> {
    dice.pick(list).map(|one| &one.id)
}
