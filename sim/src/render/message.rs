//! Messages: the hot path of every load.

use super::pieces::{named, path};
use super::texts::TEXTS;
use super::{Subject, Writer};
use crate::context::Context;
use crate::rng::Dice;
use crate::timestamp::SECOND;
use crate::world::record::{attachment_id, attachments, channel, is_inbound, redacted_at};

pub(super) fn render(writer: &mut Writer<'_>, subject: Subject<'_>) {
    let mut dice = subject.dice.clone();
    let conversation = subject.world.store(Context::Conversation).salt(subject.record.parent);
    let message = Message {
        inbound: is_inbound(subject.salt),
        channel: channel(conversation),
        redacted_at: redacted_at(Context::Message, &subject.record, subject.salt),
        attachments: attachments(&mut dice),
        subject,
    };
    writer.head(&message.subject);
    writer.open("attributes");
    message.content(writer, &mut dice);
    message.delivery(writer, &mut dice);
    writer.versions(&message.subject);
    writer.close();
    writer.open("relationships");
    message.relationships(writer);
    writer.close();
    writer.open("links");
    writer.link("self", path(Context::Message), &message.subject.id, "");
    writer.link("related", path(Context::Message), &message.subject.id, "/content");
    writer.close();
    writer.close();
}

struct Message<'a> {
    subject: Subject<'a>,
    inbound: bool,
    channel: &'static str,
    redacted_at: Option<i64>,
    attachments: u32,
}

impl Message<'_> {
    fn content(&self, writer: &mut Writer<'_>, dice: &mut Dice) {
        let email = self.channel == "email";
        if email {
            writer.shown("externalId", format_args!("<CAF8x-{:x}@mail.example.com>", self.subject.salt));
        } else {
            writer.unset("externalId");
        }
        writer.text("channel", self.channel);
        writer.text("app", if email { "postmark" } else { self.channel });
        let text = TEXTS.sentences(dice);
        let subject = TEXTS.subject(dice);
        writer.number("size", if self.redacted_at.is_some() { 0 } else { text.chars() });
        writer.text("direction", if self.inbound { "in" } else { "out" });
        match dice.below(8) {
            0 => writer.unset("directionType"),
            1 | 2 => writer.text("directionType", if self.inbound { "initial-in" } else { "initial-out" }),
            3 => writer.text("directionType", if self.inbound { "followup-in" } else { "followup-out" }),
            _ => writer.text("directionType", if self.inbound { "response-in" } else { "response-out" }),
        }
        if self.redacted_at.is_some() {
            writer.text("preview", "");
        } else {
            writer.sentences("preview", &text, self.subject.masked);
        }
        writer.text_or_unset("subject", email.then_some(subject));
        self.meta(writer, dice, subject);
    }

    /// Recipients come as a list, as one object or as a string (API reference, section 17).
    fn meta(&self, writer: &mut Writer<'_>, dice: &mut Dice, subject: &str) {
        if dice.chance(8) {
            return writer.unset("meta");
        }
        writer.open("meta");
        writer.private("from", "jane@example.com", self.subject.masked);
        match dice.below(10) {
            0 => writer.text("to", "help@acme.example"),
            1 | 2 => writer.json("to", r#"{"email":"help@acme.example","name":"Acme \"Help\""}"#),
            3 => writer.json("to", r#"[{"email":"help@acme.example"},{"email":"office@acme.example"}]"#),
            _ => writer.json("to", r#"[{"email":"help@acme.example"}]"#),
        }
        match self.channel {
            "email" => {
                writer.json("cc", if dice.chance(20) { r#"[{"email":"office@doetrading.example"}]"# } else { "[]" });
                writer.json("bcc", "[]");
                writer.text("subject", subject);
                writer.json("recipient", r#"{"email":"help@acme.example","mailboxHash":""}"#);
                writer.json("inReplyTo", "null");
                writer.number("attachmentNum", self.attachments);
            }
            "voice" => {
                writer.time("placedAt", self.subject.record.created - 90 * SECOND);
                writer.time("answeredAt", self.subject.record.created - 60 * SECOND);
                writer.time("endedAt", self.subject.record.created);
                writer.text("status", "completed");
            }
            _ => writer.text("messageType", "text"),
        }
        writer.close();
    }

    fn delivery(&self, writer: &mut Writer<'_>, dice: &mut Dice) {
        let record = &self.subject.record;
        let directory = &self.subject.world.directory;
        if dice.chance(2) {
            writer.text("status", "error");
            writer.json("error", r#"{"status":550,"code":"bounced","title":"Undeliverable","meta":{}}"#);
            writer.time("errorAt", record.created + SECOND);
        } else {
            writer.text("status", if self.inbound { "received" } else { "sent" });
            writer.unset_all(&["error", "errorAt"]);
        }
        writer.flag("auto", dice.chance(10));
        writer.text_or_unset("source", dice.chance(4).then_some("bulk"));
        writer.time("sentAt", record.created / SECOND * SECOND - SECOND);
        writer.sentiment("sentiment", dice.next());
        match dice.below(50) {
            0 => writer.json("location", r#"{"cityName":"Springfield","latitude":39.78,"longitude":-89.65}"#),
            _ => writer.unset("location"),
        }
        writer.custom(&self.subject, dice);
        if self.inbound {
            writer.unset_all(&["responseTime", "responseBusinessTime"]);
        } else {
            let time = dice.below(9_000_000);
            writer.number("responseTime", time);
            writer.number("responseBusinessTime", time / 3);
        }
        writer.some_ids("assignedTeams", &directory.teams, dice.next());
        writer.ids("assignedUsers", dice.chance(40).then(|| self.subject.user(7)).as_ref());
        writer.some_ids("createdByTeams", &directory.teams, dice.next());
        match named(&self.subject, &directory.companies, 11) {
            Some(company) if dice.chance(25) => {
                writer.open("firstCompany");
                writer.id("id", &company.id);
                writer.text("name", company.name);
                writer.close();
            }
            _ => writer.unset("firstCompany"),
        }
        self.receipts(writer, dice);
    }

    fn receipts(&self, writer: &mut Writer<'_>, dice: &mut Dice) {
        let created = self.subject.record.created;
        if dice.chance(60) {
            writer.open("firstDelivered");
            writer.time("timestamp", created + SECOND);
            writer.text("clientType", self.channel);
            writer.close();
        }
        if dice.chance(20) {
            writer.open("firstRead");
            writer.time("timestamp", created + 40 * SECOND);
            writer.close();
        } else {
            writer.json("firstRead", "{}");
        }
        if dice.chance(3) {
            writer.json(
                "reactions",
                r#"[{"subjectType":"customer","name":"👍","createdAt":"2026-10-22T15:20:06.011Z"}]"#,
            );
        } else {
            writer.json("reactions", "[]");
        }
        if dice.chance(15) {
            writer.json("intentDetections", r#"[{"intent":"order_status","confidence":0.93,"resolutionType":"none"}]"#);
        } else {
            writer.unset("intentDetections");
        }
        writer.text_or_unset("lang", dice.chance(80).then_some("en_us"));
        writer.flag("redacted", self.redacted_at.is_some());
        writer.time_or_unset("redactedAt", self.redacted_at);
    }

    fn relationships(&self, writer: &mut Writer<'_>) {
        let subject = &self.subject;
        writer.org(subject);
        writer.parents(subject);
        writer.actors(subject, !self.inbound);
        writer.user_link("redactedBy", self.redacted_at.map(|_| subject.user(5)));
        writer.open("shortcuts");
        writer.self_link(path(Context::Message), &subject.id, "/shortcuts");
        writer.open_list("data");
        let rev = u64::from(subject.record.rev) << 32;
        if !self.inbound && subject.fixed(13 ^ rev, 5) == 0 {
            let count = crate::rng::index(1 + subject.fixed(17 ^ rev, 2));
            for shortcut in subject.world.directory.shortcuts.iter().take(count) {
                writer.reference("shortcut", &shortcut.id);
            }
        }
        writer.close_list();
        writer.close();
        if self.attachments == 0 && subject.fixed(19, 2) == 0 {
            return writer.unset("attachments");
        }
        writer.open("attachments");
        writer.self_link(path(Context::Message), &subject.id, "/attachments");
        writer.open_list("data");
        for number in 0..self.attachments {
            writer.reference("attachment", &attachment_id(subject.ord, &subject.record, number));
        }
        writer.close_list();
        writer.close();
    }
}
