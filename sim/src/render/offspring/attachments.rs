//! The attachments that messages refer to: no timestamp, and no cursor but their message's (API reference, section 17).

use super::{Parent, Resource};
use crate::context::Context;
use crate::render::{Unset, Writer};
use crate::rng::{Dice, mix};
use crate::switches::Visibility;
use crate::world::World;
use crate::world::ids;
use crate::world::record::{Record, attachment_id, attachments, redacted_at};

const NAMES: [(&str, &str); 6] = [
    ("photo.jpg", "image/jpeg"),
    ("Rechnung_März.pdf", "application/pdf"),
    ("scan \\\"final\\\" (2).png", "image/png"),
    ("orders.csv", "text/csv"),
    ("voice-message.ogg", "audio/ogg"),
    ("noname", "application/octet-stream"),
];

impl Parent<'_> {
    pub(super) fn attachments(&self) -> Vec<Resource> {
        let messages = self.world.store(Context::Message);
        let shown = |record: &Record| record.is_live() || self.switches.deleted_in_lists == Visibility::Shown;
        let mut found: Vec<(i64, u32)> = self
            .world
            .entries_of(self.ord, Context::Message)
            .filter_map(|ord| {
                let record = messages.primary(ord).filter(shown)?;
                Some((ids::sort_key(record.id_second, ord), ord))
            })
            .collect();
        found.sort_unstable();
        let ords: Vec<u32> = found.into_iter().map(|(_, ord)| ord).collect();
        let bodies = of_messages(self.world, &ords, self.switches.unset);
        bodies.into_iter().map(|body| Resource { body, included: Vec::new() }).collect()
    }
}

/// The attachments of some messages, in their order.
pub(crate) fn of_messages(world: &World, messages: &[u32], unset: Unset) -> Vec<Vec<u8>> {
    let store = world.store(Context::Message);
    let generated = messages.iter().filter_map(|ord| {
        let record = store.primary(*ord).filter(|record| !record.is_raw())?;
        Some((*ord, record, store.salt(*ord)))
    });
    generated
        .flat_map(|(ord, record, salt)| {
            (0..attachments(&mut Dice::new(salt))).map(move |number| one(world, (ord, record, salt), number, unset))
        })
        .collect()
}

fn one(world: &World, (ord, record, message_salt): (u32, Record, u64), number: u32, unset: Unset) -> Vec<u8> {
    let message = world.store(Context::Message).id(ord);
    let id = attachment_id(ord, &record, number);
    let dice = &mut Dice::new(mix(message_salt ^ 0xa77a) ^ u64::from(number));
    let redacted = redacted_at(Context::Message, &record, message_salt).is_some() || dice.chance(3);
    let (name, content_type) = dice.pick(&NAMES).copied().unwrap_or(("", ""));
    let mut out = Vec::new();
    let writer = &mut Writer::new(&mut out, unset);
    writer.open_bare();
    writer.text("type", "attachment");
    writer.id("id", &id);
    writer.open("attributes");
    writer.text("name", name);
    writer.text("contentType", content_type);
    writer.number("contentLength", if redacted { 0 } else { 1 + dice.below(9_000_000) });
    writer.flag("redacted", redacted);
    writer.close();
    writer.open("relationships");
    writer.relation("org", "org", "/v1/orgs/", &world.directory.org);
    if dice.chance(25) {
        writer.collection("message", "/v1/messages/", &message, "");
    } else {
        writer.relation("message", "message", "/v1/messages/", &message);
    }
    writer.close();
    let tail = format!("/attachments/{id}");
    writer.open("links");
    writer.link("self", "/v1/messages/", &message, &tail);
    if dice.chance(85) {
        writer.link("related", "/v1/messages/", &message, &format!("{tail}?redirect=true"));
    }
    writer.close();
    writer.close();
    out
}
