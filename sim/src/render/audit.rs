//! Entries of the audit log (API reference, section 15).

use super::{Unset, Writer};
use crate::context::Context;
use crate::rng::Dice;
use crate::switches::MergeObject;
use crate::world::World;
use crate::world::audit::{Entry, Verb};
use crate::world::record::{ORPHAN, UserType};

/// The entry as it is served when merges are about one or the other customer.
pub(crate) fn about(entry: &Entry, object: MergeObject) -> Entry {
    match object {
        MergeObject::Source if entry.verb == Verb::Merge => entry.about_source(),
        MergeObject::Source | MergeObject::Target => *entry,
    }
}

/// Appends one entry.
pub(crate) fn audit(out: &mut Vec<u8>, world: &World, entry: &Entry, unset: Unset) {
    let id = entry.id();
    let object = entry.object_id(world);
    let users = world.store(Context::User);
    let user = entry.user(world);
    let dice = &mut Dice::new(entry.salt);
    let writer = &mut Writer::new(out, unset);
    writer.open_bare();
    writer.text("type", "audit_log");
    writer.id("id", &id);
    writer.open("attributes");
    writer.shown("eventName", format_args!("kustomer.{}.{}", entry.object.name(), entry.verb.name()));
    writer.text("eventVerb", entry.verb.name());
    writer.id("org", &world.directory.org);
    match user {
        Some(user) => writer.id("userId", &users.id(user)),
        None => writer.unset("userId"),
    }
    let machine = |user: u32| UserType::of(user, users.salt(user)) == UserType::Machine;
    writer.text("userType", user.map_or("system", |user| if machine(user) { "machine" } else { "user" }));
    match object {
        Some(object) => writer.id("objectId", &object),
        None => writer.unset("objectId"),
    }
    writer.text("objectType", entry.object.name());
    writer.text_or_unset("client", dice.chance(80).then(|| dice.word(&["web-client", "workflows", "postmark", "api"])));
    match user {
        Some(_) if dice.chance(80) => writer.shown("ip", format_args!("203.0.113.{}", dice.below(255))),
        _ => writer.unset("ip"),
    }
    changes(writer, world, entry, dice);
    writer.time("createdAt", entry.created);
    writer.time("publishedAt", entry.published());
    writer.time("expiresAt", entry.expires());
    writer.close();
    writer.open("relationships");
    writer.user_link("user", user.map(|user| users.id(user)));
    if entry.customer == ORPHAN {
        writer.unset("customer");
    } else {
        let customer = world.store(Context::Customer).id(entry.customer);
        writer.relation("customer", "customer", "/v1/customers/", &customer);
    }
    writer.close();
    writer.self_link("/v1/audit-logs/", &id, "");
    writer.close();
}

fn changes(writer: &mut Writer<'_>, world: &World, entry: &Entry, dice: &mut Dice) {
    if entry.verb == Verb::Create {
        return writer.unset("changes");
    }
    writer.open("changes");
    writer.open("attributes");
    match entry.verb {
        Verb::Delete => writer.json("deleted", r#"{"op":"add","before":null,"after":true}"#),
        Verb::Update => {
            let statuses = ["open", "snoozed", "done"];
            let (before, after) = (dice.word(&statuses), dice.word(&statuses));
            writer.formatted("status", format_args!(r#"{{"op":"replace","before":"{before}","after":"{after}"}}"#));
            if dice.chance(20) {
                writer.json("priority", r#"{"op":"replace","before":3,"after":1}"#);
            }
        }
        Verb::Create | Verb::Merge => {}
    }
    writer.close();
    writer.open("relationships");
    if entry.verb == Verb::Merge {
        let customers = world.store(Context::Customer);
        writer.open("source");
        writer.text("op", "add");
        writer.json("before", "null");
        writer.key("after");
        writer.reference_value("customer", &customers.id(entry.source));
        writer.close();
    }
    writer.close();
    writer.close();
}
