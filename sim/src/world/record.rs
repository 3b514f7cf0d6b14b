//! What is remembered of a record: a few numbers. Everything else follows from the seed, so that millions fit in memory.
//!
//! Rule: search and rendering read the derived facts from here, hence they can never disagree about one.

use super::ids::{self, IdText, Kind};
use crate::context::Context;
use crate::rng::{Dice, mix};
use crate::timestamp::SECOND;

/// The parent of a record without one.
pub(crate) const ORPHAN: u32 = u32::MAX;

/// Whether a record exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Live,
    /// Deleted softly, at this instant: it still answers, with `deleted: true`.
    Deleted(i64),
    /// Deleted for good: it answers 404.
    Gone,
}

/// Where the body of a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Generated,
    /// Generated as migrated from elsewhere: `createdAt` lies before the id's time.
    Imported,
    /// Given as it is: the position of its body among the raw ones.
    Raw(u32),
}

/// One version of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) life: Life,
    pub(crate) origin: Origin,
    pub(crate) id_second: u32,
    /// The customer of a conversation, the conversation of a message or note.
    pub(crate) parent: u32,
    pub(crate) rev: u32,
}

impl Record {
    pub(crate) const fn is_live(&self) -> bool {
        matches!(self.life, Life::Live)
    }

    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self.life, Life::Gone)
    }

    pub(crate) const fn is_raw(&self) -> bool {
        matches!(self.origin, Origin::Raw(_))
    }

    pub(crate) const fn deleted_at(&self) -> Option<i64> {
        match self.life {
            Life::Deleted(at) => Some(at),
            Life::Live | Life::Gone => None,
        }
    }

    pub(crate) fn imported_at(&self) -> Option<i64> {
        matches!(self.origin, Origin::Imported).then(|| i64::from(self.id_second) * SECOND)
    }
}

/// The seed of everything about one record that is not remembered.
pub(crate) const fn salt(seed: u64, context: Context, ord: u32) -> u64 {
    mix(seed ^ mix(((context as u64) << 32) | ord as u64))
}

/// The last change by a person or key: trails `updated` by a little, and is missing when there was none.
pub(crate) fn modified_at(context: Context, record: &Record, salt: u64) -> Option<i64> {
    let touched = match context {
        Context::Message => salt.is_multiple_of(16),
        Context::Customer | Context::Conversation | Context::Note | Context::User => record.rev > 1,
    };
    let trail = i64::try_from(salt % 45).unwrap_or(0);
    touched.then(|| (record.updated - trail).max(record.created.min(record.updated)))
}

/// When the content of a message was removed for good: one message in a hundred.
pub(crate) fn redacted_at(context: Context, record: &Record, salt: u64) -> Option<i64> {
    (context == Context::Message && (salt >> 8).is_multiple_of(100)).then_some(record.updated)
}

/// The kind of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserType {
    Person,
    Machine,
    Limited,
}

impl UserType {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Person => "user",
            Self::Machine => "machine",
            Self::Limited => "limited",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Person, Self::Machine, Self::Limited].into_iter().find(|kind| kind.name() == name)
    }

    /// The first users of a world are one of each, so that no list is ever empty.
    pub(crate) const fn of(ord: u32, salt: u64) -> Self {
        match (ord, salt % 10) {
            (1, _) | (4.., 0) => Self::Machine,
            (2, _) | (4.., 1) => Self::Limited,
            _ => Self::Person,
        }
    }
}

/// Whether a user has been invited and has not accepted yet.
pub(crate) const fn is_pending(ord: u32, salt: u64) -> bool {
    ord == 3 || (ord > 4 && (salt >> 16).is_multiple_of(12))
}

/// The channel that a conversation came by.
pub(crate) fn channel(conversation_salt: u64) -> &'static str {
    const CHANNELS: [&str; 10] =
        ["email", "email", "email", "chat", "chat", "sms", "whatsapp", "facebook", "voice", "form"];
    Dice::new(conversation_salt ^ 0xc4a7).word(&CHANNELS)
}

/// How many attachments a message has: the first choice of its dice.
pub(crate) fn attachments(message: &mut Dice) -> u32 {
    if message.chance(12) { 1 + u32::try_from(message.below(3)).unwrap_or(0) } else { 0 }
}

/// The id of the attachment with this number of a message.
pub(crate) fn attachment_id(message: u32, record: &Record, number: u32) -> IdText {
    ids::encode(record.id_second, Kind::Attachment, message.wrapping_mul(4).wrapping_add(number))
}

/// Whether a message came from the customer.
pub(crate) const fn is_inbound(message_salt: u64) -> bool {
    (message_salt >> 24) % 100 < 55
}

/// Whether a note still mentions colleagues; one in three does.
pub(crate) const fn mentions(note_salt: u64) -> u64 {
    match (note_salt >> 32) % 9 {
        0 => 1,
        1 => 2,
        2 => 3,
        _ => 0,
    }
}
