//! What the records of several kinds have in common: frame, relationships, sentiments, people and custom attributes.

use super::texts::{Sentences, TEXTS};
use super::{MASKED, Subject, Writer};
use crate::context::Context;
use crate::rng::Dice;
use crate::timestamp::{DAY, SECOND};
use crate::world::Named;
use crate::world::ids::{self, IdText, Kind};
use crate::world::record::{ORPHAN, modified_at};

const FIRST_NAMES: [&str; 10] = ["Jane", "Ana", "Jürgen", "Zoë", "Mei", "Omar", "Noël", "Priya", "Lars", "O\\\"Neil"];
const LAST_NAMES: [&str; 10] =
    ["Doe", "Suarez", "Müller", "Öztürk", "Lin", "Haddad", "D'Arcy", "Patel", "Ås", "van der Berg"];

/// First and last name as JSON string contents.
pub(super) fn person(dice: &mut Dice) -> (&'static str, &'static str) {
    (dice.word(&FIRST_NAMES), dice.word(&LAST_NAMES))
}

/// Something of a list that is always the same for the same purpose.
pub(super) fn named<'a>(subject: &Subject<'_>, list: &'a [Named], purpose: u64) -> Option<&'a Named> {
    Dice::new(subject.salt ^ purpose).pick(list)
}

impl Writer<'_> {
    /// `type` and `id` of a resource that is being opened; whoever lists resources writes the commas.
    pub(super) fn head(&mut self, subject: &Subject<'_>) {
        self.raw(b"{");
        self.text("type", subject.context.name());
        self.id("id", &subject.id);
    }

    /// Closes the resource with its own link.
    pub(super) fn tail(&mut self, subject: &Subject<'_>) {
        self.self_link(path(subject.context), &subject.id, "");
        self.close();
    }

    /// The attributes that every record ends with.
    pub(super) fn versions(&mut self, subject: &Subject<'_>) {
        let record = &subject.record;
        match record.deleted_at() {
            Some(_) => self.flag("deleted", true),
            None if subject.context == Context::Customer => self.flag("deleted", false),
            None => self.unset("deleted"),
        }
        self.time_or_unset("deletedAt", record.deleted_at());
        self.time_or_unset("importedAt", record.imported_at());
        self.time("createdAt", record.created);
        self.time("updatedAt", record.updated);
        self.time_or_unset("modifiedAt", modified_at(subject.context, record, subject.salt));
        self.number("rev", record.rev);
    }

    pub(super) fn org(&mut self, subject: &Subject<'_>) {
        self.relation("org", "org", "/v1/orgs/", &subject.world.directory.org);
    }

    pub(super) fn user_link(&mut self, name: &str, user: Option<IdText>) {
        match user {
            Some(id) => self.relation(name, "user", "/v1/users/", &id),
            None => self.unset(name),
        }
    }

    /// The users who created, modified and deleted the record.
    pub(super) fn actors(&mut self, subject: &Subject<'_>, created: bool) {
        let modified = modified_at(subject.context, &subject.record, subject.salt).is_some();
        self.user_link("createdBy", created.then(|| subject.user(1)));
        self.user_link("modifiedBy", modified.then(|| subject.user(subject.record.rev.into())));
        self.user_link("deletedBy", subject.record.deleted_at().map(|_| subject.user(3)));
    }

    /// Relationships to the customer and, for what belongs to one, the conversation.
    pub(super) fn parents(&mut self, subject: &Subject<'_>) {
        let world = subject.world;
        let mut customer = subject.record.parent;
        if subject.context != Context::Conversation {
            let conversation = subject.record.parent;
            if conversation != ORPHAN {
                let store = world.store(Context::Conversation);
                self.relation("conversation", "conversation", path(Context::Conversation), &store.id(conversation));
                customer = store
                    .get(subject.view, conversation)
                    .or_else(|| store.version(conversation))
                    .map_or(ORPHAN, |record| record.parent);
            }
        }
        if customer != ORPHAN {
            let id = world.store(Context::Customer).id(customer);
            self.relation("customer", "customer", path(Context::Customer), &id);
        }
    }

    pub(super) fn sentiment(&mut self, name: &str, roll: u64) {
        match roll % 5 {
            0 => self.json(name, r#"{"polarity":1,"confidence":0.83}"#),
            1 => self.json(name, r#"{"polarity":0,"confidence":0.62}"#),
            2 => self.json(name, r#"{"polarity":-1,"confidence":1}"#),
            _ => self.unset(name),
        }
    }

    /// Ids of as many things of a directory list as the roll says.
    pub(super) fn some_ids(&mut self, name: &str, list: &[Named], roll: u64) {
        let count = match roll % 4 {
            0 | 1 => 0,
            2 => 1,
            _ => 2,
        };
        let skip = crate::rng::index((roll >> 8) % (list.len() as u64).max(1));
        self.ids(name, list.iter().cycle().skip(skip).take(count.min(list.len())).map(|item| &item.id));
    }

    pub(super) fn sentences(&mut self, name: &str, sentences: &Sentences<'_>, masked: bool) {
        if masked {
            return self.json(name, MASKED);
        }
        self.key(name);
        self.raw(b"\"");
        sentences.pieces().for_each(|piece| self.raw(piece));
        self.raw(b"\"");
    }

    /// A text that masking hides.
    pub(super) fn private(&mut self, name: &str, value: &str, masked: bool) {
        if masked { self.json(name, MASKED) } else { self.text(name, value) }
    }

    /// Custom attributes of every suffix (API reference, section 14), some null, some of another type than they say.
    pub(super) fn custom(&mut self, subject: &Subject<'_>, dice: &mut Dice) {
        let shape = dice.below(10);
        let mut added = subject.world.store(subject.context).added.of(subject.ord, subject.record.rev).peekable();
        if shape < 3 && added.peek().is_none() {
            return self.unset("custom");
        }
        self.open("custom");
        if shape > 3 {
            self.custom_members(subject, dice);
        }
        added.for_each(|(name, value)| self.json(name, value));
        self.close();
    }

    /// The names are those that the metadata lists, but for one that nobody listed.
    fn custom_members(&mut self, subject: &Subject<'_>, dice: &mut Dice) {
        self.shown("orderNumberStr", format_args!("{}", 1_000 + dice.below(9_000)));
        if dice.chance(70) {
            self.text("contactReasonTree", dice.word(&["shipping.delayed", "shipping.lost", "billing", "other"]));
        }
        match dice.below(4) {
            0 => self.json("refundAmountNum", "0"),
            1 => self.number("refundAmountNum", dice.below(100_000)),
            2 => self.formatted("refundAmountNum", format_args!("{}.5", dice.below(900))),
            _ => self.json("refundAmountNum", "null"),
        }
        self.flag("escalatedBool", dice.chance(20));
        self.time("promisedAt", subject.record.created / SECOND * SECOND + 2 * DAY);
        if dice.chance(30) {
            self.sentences("notesTxt", &TEXTS.sentences(dice), false);
            self.shown("accountUrl", format_args!("https://admin.acme.example/c/{}", dice.below(99_999)));
        }
        match dice.below(40) {
            0 => self.json("channelsStr", r#"["a","b"]"#),
            1 => self.json("refundedNum", r#""12,50""#),
            8 => self.json("topicsTree", r#"["shipping.lost","billing"]"#),
            9 => self.json("legacyCodeStr", r#""L-1""#),
            10 => self.json("formerPlanStr", r#""basic""#),
            11 => self.json("refundedNum", "12.5"),
            12 => self.json("channelsStr", "[]"),
            2..8 => self.id("relatedId", &ids::encode(subject.record.id_second, Kind::KObject, subject.ord)),
            _ => {}
        }
        if subject.context == Context::Customer && dice.chance(40) {
            self.shown("orderIdStr", format_args!("{}", dice.below(9_000)));
            self.shown("orderIDStr", format_args!("{}-b", dice.below(9_000)));
        }
    }
}

/// The path of a resource before its id.
pub(super) const fn path(context: Context) -> &'static str {
    match context {
        Context::Customer => "/v1/customers/",
        Context::Conversation => "/v1/conversations/",
        Context::Message => "/v1/messages/",
        Context::Note => "/v1/notes/",
        Context::User => "/v1/users/",
    }
}
