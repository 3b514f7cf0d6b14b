//! Drafts of a customer and forwards of a conversation: they come with one revision of their parent and vanish with
//! another (API reference, section 16).

use super::{Parent, Resource};
use crate::context::Context;
use crate::render::Writer;
use crate::render::texts::TEXTS;
use crate::rng::{Dice, mix};
use crate::timestamp::{DAY, SECOND};
use crate::world::ids::{self, IdText, Kind};
use crate::world::offspring::{Pace, Passing};

const DRAFTS: u64 = 3;
const FORWARDS: u64 = 4;

/// One customer of so many writes drafts, and one conversation is forwarded.
const CUSTOMERS: u64 = 3;
const CONVERSATIONS: u64 = 8;

const PAYLOAD: &str = r#"{"draftJs":{"blocks":[{"key":"a1","text":"Hello","type":"unstyled"}],"entityMap":{}}}"#;

/// Something short-lived at its parent's present revision.
struct Text {
    id: IdText,
    salt: u64,
    created: i64,
    updated: i64,
    /// Grows with each change, which writes another body.
    edition: u32,
}

impl Parent<'_> {
    fn texts(&self, purpose: u64, kind: Kind, pace: Pace) -> Vec<Text> {
        let rev = self.record.rev;
        let text = |Passing { number, born }| {
            let salt = self.part(purpose, u64::from(number) + 1);
            let created = self.course.at(born);
            let edition = (rev - born).min(u32::try_from(salt % 3).unwrap_or(0));
            let second = u32::try_from(created / SECOND).unwrap_or(0);
            let id = ids::derived(second, kind, salt);
            Text { id, salt, created, updated: self.course.at(born + edition).max(created), edition }
        };
        pace.at(self.part(purpose, 0), rev).map(text).collect()
    }

    pub(super) fn drafts(&self) -> Vec<Resource> {
        if !self.salt.is_multiple_of(CUSTOMERS) {
            return Vec::new();
        }
        let pace = Pace { every: 2, life: 4 };
        self.texts(DRAFTS, Kind::Draft, pace).iter().map(|draft| self.draft(draft)).collect()
    }

    pub(super) fn forwards(&self) -> Vec<Resource> {
        if !(self.salt >> 8).is_multiple_of(CONVERSATIONS) {
            return Vec::new();
        }
        let pace = Pace { every: 4, life: 12 };
        self.texts(FORWARDS, Kind::Forward, pace).iter().map(|forward| self.forward(forward)).collect()
    }

    fn draft(&self, draft: &Text) -> Resource {
        let dice = &mut Dice::new(draft.salt);
        let channel = dice.word(&["email", "email", "note", "sms", "chat"]);
        let attachments = attachment_ids(draft, dice);
        let mut resource = self.resource("draft", &draft.id, |writer| {
            writer.open("attributes");
            writer.text("channel", channel);
            let email = channel == "email";
            writer.text_or_unset("app", (channel != "note").then_some(if email { "postmark" } else { channel }));
            body(writer, draft);
            writer.text_or_unset("htmlBody", email.then_some("<p>Hello &amp; welcome</p>"));
            writer.text_or_unset("subject", email.then(|| TEXTS.subject(dice)));
            match (channel, dice.below(3)) {
                ("note", _) => writer.unset_all(&["from", "to"]),
                (_, 0) => {
                    writer.text("from", "help@acme.example");
                    writer.json("to", r#"[{"email":"jane@example.com","name":"Jane"},{"email":"ana@example.com"}]"#);
                }
                (_, 1) => {
                    writer.json("from", r#"{"email":"help@acme.example","name":"Acme \"Help\""}"#);
                    writer.json("to", r#"{"email":"jane@example.com"}"#);
                }
                _ => {
                    writer.json("from", r#"[{"email":"help@acme.example"}]"#);
                    writer.text("to", "+15550100");
                }
            }
            payload(writer, dice);
            let scheduled = dice.chance(25);
            writer.text("status", if scheduled { "scheduled" } else { "draft" });
            writer.time_or_unset("sendAt", scheduled.then_some(draft.created + 30 * DAY));
            times(writer, draft);
            writer.close();
            writer.open("relationships");
            self.org_link(writer);
            self.customer_link(writer, self.ord);
            self.writers(writer, draft);
            self.draft_conversation(writer, dice);
            attachment_list(writer, &attachments, dice);
            writer.close();
            writer.self_link("/v1/drafts/", &draft.id, "");
        });
        resource.included = attachments.iter().map(|id| self.draft_attachment(id)).collect();
        resource
    }

    fn draft_conversation(&self, writer: &mut Writer<'_>, dice: &mut Dice) {
        match self.world.conversations_of(self.ord).min().filter(|_| dice.chance(80)) {
            Some(conversation) => {
                let id = self.world.store(Context::Conversation).id(conversation);
                writer.relation("conversation", "conversation", "/v1/conversations/", &id);
            }
            None => writer.unset("conversation"),
        }
    }

    fn draft_attachment(&self, id: &IdText) -> Vec<u8> {
        let resource = self.resource("attachment", id, |writer| {
            writer.json(
                "attributes",
                r#"{"name":"offer.pdf","contentType":"application/pdf","contentLength":20480,"redacted":false}"#,
            );
            writer.open("relationships");
            self.org_link(writer);
            writer.close();
            writer.self_link("/v1/attachments/", id, "");
        });
        resource.body
    }

    fn forward(&self, forward: &Text) -> Resource {
        let dice = &mut Dice::new(forward.salt);
        let attachments = attachment_ids(forward, dice);
        let mut resource = self.resource("forward", &forward.id, |writer| {
            writer.open("attributes");
            writer.text("app", "postmark");
            writer.text("channel", "email");
            writer.json("from", r#"{"name":"Acme Help","email":"help@acme.example"}"#);
            writer.json(
                "to",
                dice.word(&[
                    r#"[{"name":"Warehouse","email":"warehouse@acme.example"}]"#,
                    r#"[{"name":"Warehouse","email":"warehouse@acme.example"},{"name":null,"email":"ops@acme.example"}]"#,
                    "[]",
                ]),
            );
            body(writer, forward);
            payload(writer, dice);
            writer.text("status", dice.word(&["sent", "pending", "error"]));
            times(writer, forward);
            writer.close();
            writer.open("relationships");
            self.org_link(writer);
            self.customer_link(writer, self.record.parent);
            self.writers(writer, forward);
            if dice.chance(70) {
                self.conversation_link(writer);
            }
            attachment_list(writer, &attachments, dice);
            writer.close();
            writer.self_link("/v1/forwards/", &forward.id, "");
        });
        resource.included = attachments.iter().map(|id| self.draft_attachment(id)).collect();
        resource
    }

    fn writers(&self, writer: &mut Writer<'_>, text: &Text) {
        self.user_link(writer, "createdBy", (!text.salt.is_multiple_of(5)).then_some(text.salt));
        self.user_link(writer, "modifiedBy", (text.edition > 0).then_some(text.salt ^ 1));
    }
}

fn attachment_ids(text: &Text, dice: &mut Dice) -> Vec<IdText> {
    let count = dice.below(6).saturating_sub(3);
    let second = u32::try_from(text.created / SECOND).unwrap_or(0);
    (0..count).map(|number| ids::derived(second, Kind::DraftAttachment, mix(text.salt ^ number))).collect()
}

fn attachment_list(writer: &mut Writer<'_>, attachments: &[IdText], dice: &mut Dice) {
    if attachments.is_empty() && dice.chance(50) {
        return writer.unset("attachments");
    }
    writer.open("attachments");
    writer.open_list("data");
    attachments.iter().for_each(|id| writer.reference("attachment", id));
    writer.close_list();
    writer.close();
}

fn body(writer: &mut Writer<'_>, text: &Text) {
    writer.sentences("body", &TEXTS.sentences(&mut Dice::new(text.salt ^ u64::from(text.edition))), false);
}

fn payload(writer: &mut Writer<'_>, dice: &mut Dice) {
    match dice.below(3) {
        0 => writer.unset("payload"),
        1 => writer.json("payload", "{}"),
        _ => writer.json("payload", PAYLOAD),
    }
}

fn times(writer: &mut Writer<'_>, text: &Text) {
    writer.time("createdAt", text.created);
    writer.time("updatedAt", text.updated);
    writer.time_or_unset("modifiedAt", (text.edition > 0).then_some(text.updated));
}
