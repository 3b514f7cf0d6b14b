//! The events of a conversation: immutable, with times of the conversation inside and their own in `publishedAt`
//! (API reference, section 16).

use super::{Parent, Resource};
use crate::context::Context;
use crate::render::Writer;
use crate::rng::Dice;
use crate::switches::Visibility;
use crate::timestamp::SECOND;
use crate::world::ids::{self, Kind};
use crate::world::offspring::{Step, StepKind};
use crate::world::record::{ORPHAN, modified_at};

const PURPOSE: u64 = 1;

/// One conversation of so many has more events than a page holds.
const BUSY: u64 = 64;

struct Event<'a> {
    step: &'a Step,
    salt: u64,
    published: i64,
    /// Whether it is the one that tells the step, not one beside it.
    tells: bool,
}

impl Parent<'_> {
    pub(super) fn events(&self) -> Vec<Resource> {
        let mut events: Vec<Event<'_>> =
            self.course.steps.iter().enumerate().flat_map(|(place, step)| self.of_step(place as u64, step)).collect();
        events.sort_by_key(|event| event.published);
        let shown =
            |event: &&Event<'_>| event.step.kind != StepKind::Moved || self.switches.move_events == Visibility::Shown;
        events.iter().filter(shown).map(|event| self.event(event)).collect()
    }

    fn of_step<'a>(&self, place: u64, step: &'a Step) -> Vec<Event<'a>> {
        let roll = self.part(PURPOSE, place);
        let beside = match step.kind {
            StepKind::Moved => 0,
            _ if place == 0 && self.salt.is_multiple_of(BUSY) => 110 + roll % 80,
            _ => u64::from(roll.is_multiple_of(3)),
        };
        // Later steps must not move these events.
        let founded = self.course.founded();
        let gap = if place == 0 { founded.map_or(0, |last| (last.at - step.at) / 256) } else { 0 };
        (0..=beside)
            .map(|number| {
                let salt = self.part(PURPOSE, (number + 1) << 32 | place);
                let delay = i64::try_from(salt % 900).unwrap_or(0);
                let published = step.at + gap * i64::try_from(number).unwrap_or(0) + delay;
                Event { step, salt, published, tells: number == 0 }
            })
            .collect()
    }

    fn event(&self, event: &Event<'_>) -> Resource {
        let version = &event.step.version;
        let id = ids::derived(u32::try_from(event.published / SECOND).unwrap_or(0), Kind::Event, event.salt);
        let dice = &mut Dice::new(event.salt);
        self.resource("customer_event", &id, |writer| {
            writer.open("attributes");
            let created = event.step.kind == StepKind::Created && event.tells;
            writer.text("name", if created { "kustomer.conversation.create" } else { "kustomer.conversation.update" });
            writer.text("type", "conversation");
            writer.time("publishedAt", event.published);
            writer.time("createdAt", version.created);
            writer.time("updatedAt", version.updated);
            writer.time_or_unset("modifiedAt", modified_at(Context::Conversation, version, self.salt));
            self.changes(writer, event, created, dice);
            match dice.below(4) {
                0 => writer.json("location", r#"{"countryName":"United States","cityName":"Springfield"}"#),
                1 => writer.text("location", "Springfield, US"),
                _ => writer.unset("location"),
            }
            match dice.below(4) {
                0 => writer.json("meta", r#"{"workflow":"Auto \"close\"","depth":1}"#),
                1 => writer.text("meta", "bulk"),
                _ => writer.unset("meta"),
            }
            writer.close();
            writer.open("relationships");
            self.org_link(writer);
            self.customer_link(writer, version.parent);
            self.conversation_link(writer);
            self.user_link(writer, "createdBy", dice.chance(70).then_some(self.salt ^ 1));
            self.user_link(writer, "modifiedBy", dice.chance(50).then_some(event.salt));
            writer.close();
            if version.parent == ORPHAN {
                writer.self_link("/v1/events/", &id, "");
            } else {
                let customer = self.world.store(Context::Customer).id(version.parent);
                writer.self_link("/v1/customers/", &customer, &format!("/events/{id}"));
            }
        })
    }

    fn changes(&self, writer: &mut Writer<'_>, event: &Event<'_>, created: bool, dice: &mut Dice) {
        if created {
            return writer.unset("changes");
        }
        writer.open("changes");
        writer.open("attributes");
        match event.step.kind {
            StepKind::Moved => {}
            StepKind::Created | StepKind::Changed => self.attributes(writer, event, dice),
        }
        writer.close();
        writer.open("relationships");
        if event.step.kind == StepKind::Moved {
            let customers = self.world.store(Context::Customer);
            writer.open("customer");
            writer.text("op", "replace");
            for (name, customer) in [("before", event.step.former_parent), ("after", event.step.version.parent)] {
                match customer {
                    ORPHAN => writer.json(name, "null"),
                    customer => {
                        writer.key(name);
                        writer.reference_value("customer", &customers.id(customer));
                    }
                }
            }
            writer.close();
        }
        writer.close();
        writer.close();
    }

    fn attributes(&self, writer: &mut Writer<'_>, event: &Event<'_>, dice: &mut Dice) {
        let statuses = ["open", "snoozed", "done"];
        let (before, after) = (dice.word(&statuses), dice.word(&statuses));
        writer.formatted("status", format_args!(r#"{{"op":"replace","before":"{before}","after":"{after}"}}"#));
        if dice.chance(40) {
            let count = dice.below(9);
            writer.formatted(
                "messageCount",
                format_args!(r#"{{"op":"replace","before":{count},"after":{}}}"#, count + 1),
            );
        }
        if dice.chance(20) {
            let user = super::some_user(self.world, event.salt);
            writer.formatted("assignedUsers", format_args!(r#"{{"op":"add","before":[],"after":["{user}"]}}"#));
        }
        if event.step.version.deleted_at().is_some() && event.tells {
            writer.json("deleted", r#"{"op":"add","before":null,"after":true}"#);
        }
    }
}
