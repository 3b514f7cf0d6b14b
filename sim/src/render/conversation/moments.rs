//! The messages that a conversation remembers: first and last, in and out, and the responses.
//!
//! Rule: only founding messages count, so that a body changes only with its own record's version.

use super::super::{Subject, Writer};
use crate::context::Context;
use crate::rng::Dice;
use crate::timestamp::SECOND;
use crate::world::ids::IdText;
use crate::world::record::is_inbound;

struct Mark {
    id: IdText,
    created: i64,
}

/// What the messages of a conversation come to.
pub(super) struct Moments {
    pub(super) messages: usize,
    pub(super) outbound: usize,
    pub(super) notes: usize,
    first_in: Option<Mark>,
    first_out: Option<Mark>,
    last_in: Option<Mark>,
    last_out: Option<Mark>,
    channel: &'static str,
}

impl Moments {
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let world = subject.world;
        let store = world.store(Context::Message);
        let founding = |entry| {
            let limit = world.store(entry).founding;
            world.entries_of(subject.ord, entry).filter(move |ord| *ord < limit)
        };
        let mut marks: Vec<(i64, u32)> = founding(Context::Message)
            .filter_map(|ord| store.version(ord).map(|record| (record.created, ord)))
            .collect();
        marks.sort_unstable();
        let inbound = |(_, ord): &&(i64, u32)| is_inbound(store.salt(*ord));
        let outbound = |(_, ord): &&(i64, u32)| !is_inbound(store.salt(*ord));
        let mark = |(created, ord): &(i64, u32)| Mark { id: store.id(*ord), created: *created };
        Self {
            messages: marks.len(),
            outbound: marks.iter().filter(outbound).count(),
            notes: founding(Context::Note).count(),
            first_in: marks.iter().find(inbound).map(mark),
            first_out: marks.iter().find(outbound).map(mark),
            last_in: marks.iter().rev().find(inbound).map(mark),
            last_out: marks.iter().rev().find(outbound).map(mark),
            channel: crate::world::record::channel(subject.salt),
        }
    }

    pub(super) fn render(&self, writer: &mut Writer<'_>, subject: &Subject<'_>) {
        let last = [&self.last_in, &self.last_out].into_iter().flatten().map(|mark| mark.created).max();
        writer.time_or_unset("lastMessageAt", last);
        writer.time_or_unset("lastReceivedAt", self.last_in.as_ref().map(|mark| mark.created / SECOND * SECOND));
        self.inbound(writer, "firstMessageIn", &self.first_in);
        self.outbound(writer, subject, "firstMessageOut", &self.first_out);
        self.inbound(writer, "lastMessageIn", &self.last_in);
        self.outbound(writer, subject, "lastMessageOut", &self.last_out);
        let waiting = match (&self.last_in, &self.last_out) {
            (Some(last_in), Some(last_out)) => last_in.created > last_out.created,
            (last_in, _) => last_in.is_some(),
        };
        for name in ["lastMessageUnrespondedTo", "lastMessageUnrespondedToSinceLastDone"] {
            match &self.last_in {
                Some(mark) if waiting => {
                    Self::open(writer, name, mark);
                    writer.close();
                }
                _ => writer.unset(name),
            }
        }
        writer.text_or_unset("lastMessageDirection", last.map(|_| if waiting { "in" } else { "out" }));
    }

    fn open(writer: &mut Writer<'_>, name: &str, mark: &Mark) {
        writer.open(name);
        writer.id("id", &mark.id);
        writer.time("sentAt", mark.created / SECOND * SECOND - SECOND);
        writer.time("createdAt", mark.created);
    }

    fn inbound(&self, writer: &mut Writer<'_>, name: &str, mark: &Option<Mark>) {
        let Some(mark) = mark else {
            return writer.unset(name);
        };
        Self::open(writer, name, mark);
        writer.text("channel", self.channel);
        writer.text("directionType", "initial-in");
        writer.json("meta", r#"{"from":"jane@example.com","to":[{"email":"help@acme.example"}],"cc":[]}"#);
        writer.close();
    }

    fn outbound(&self, writer: &mut Writer<'_>, subject: &Subject<'_>, name: &str, mark: &Option<Mark>) {
        let Some(mark) = mark else {
            return writer.unset(name);
        };
        Self::open(writer, name, mark);
        writer.text("channel", self.channel);
        writer.text("directionType", "response-out");
        writer.id("createdBy", &subject.user(61));
        writer.json("createdByTeams", "[]");
        writer.close();
    }

    pub(super) fn responses(&self, writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
        for name in ["firstResponse", "firstResponseSinceLastDone", "lastResponse"] {
            let mark = if name == "lastResponse" { &self.last_out } else { &self.first_out };
            match mark {
                Some(mark) => {
                    let time = mark.created - subject.record.created.min(mark.created);
                    Self::open(writer, name, mark);
                    writer.id("createdBy", &subject.user(61));
                    writer.json("createdByTeams", "[]");
                    writer.json("assignedTeams", "[]");
                    writer.ids("assignedUsers", [&subject.user(41)]);
                    writer.number("time", time);
                    writer.number("businessTime", time / 3);
                    writer.number("responseTime", time);
                    writer.close();
                }
                None if dice.chance(50) => writer.unset(name),
                None => writer.json(name, r#"{"createdByTeams":[],"assignedTeams":[],"assignedUsers":[]}"#),
            }
        }
        for name in ["firstDone", "lastDone"] {
            if dice.chance(30) {
                writer.open(name);
                writer.id("createdBy", &subject.user(67));
                writer.time("createdAt", subject.record.updated);
                writer.number("time", subject.record.updated - subject.record.created);
                writer.number("messageCount", self.messages);
                writer.json("messageCountByChannel", r#"{"email":2}"#);
                writer.close();
            } else {
                writer.json(name, r#"{"createdByTeams":[],"assignedTeams":[],"assignedUsers":[]}"#);
            }
        }
    }
}
