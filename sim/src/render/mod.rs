//! Records as the API shows them.
//!
//! Rule: a body is a function of the seed, the version of the record and of its parents, and the style; the same
//! version gives the same bytes in a search, in a list and by id.

mod audit;
mod conversation;
mod customer;
mod message;
mod note;
mod offspring;
mod pieces;
mod texts;
mod user;
mod writer;

pub(crate) use self::audit::{about, audit};
pub(crate) use self::offspring::{Resource, merge, of_messages, offspring};
pub use self::writer::Unset;
pub(crate) use self::writer::Writer;

use crate::context::Context;
use crate::rng::Dice;
use crate::world::World;
use crate::world::ids::IdText;
use crate::world::record::{Origin, Record};
use crate::world::store::View;

/// How an organisation's records are spelled.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    pub(crate) unset: Unset,
    /// Every so many records, a text is masked (API reference, section 1, fact 12); 0: never.
    pub(crate) mask_every: u32,
}

/// What a text looks like when the key may not read it.
const MASKED: &str = r#"{"isMasked":true,"maskedPresentation":"****"}"#;

/// One version of one record, and the world around it.
struct Subject<'a> {
    world: &'a World,
    view: View,
    context: Context,
    ord: u32,
    record: Record,
    salt: u64,
    id: IdText,
    masked: bool,
    dice: Dice,
}

impl Subject<'_> {
    /// The id of a user who is always the same one for the same purpose.
    fn user(&self, purpose: u64) -> IdText {
        let users = self.world.store(Context::User);
        let founding = u64::from(users.founding.max(1));
        let chosen = Dice::new(self.salt ^ purpose).below(founding);
        users.id(u32::try_from(chosen).unwrap_or(0))
    }

    /// A small number that is always the same one for the same purpose.
    fn fixed(&self, purpose: u64, bound: u64) -> u64 {
        Dice::new(self.salt ^ purpose).below(bound)
    }
}

/// Appends one record; `false` when the view shows none.
pub(crate) fn record(out: &mut Vec<u8>, world: &World, view: View, context: Context, ord: u32, style: Style) -> bool {
    let store = world.store(context);
    let Some(record) = store.get(view, ord) else {
        return false;
    };
    if let Origin::Raw(place) = record.origin {
        out.extend_from_slice(world.raws.get(place as usize).map_or(b"{}", |body| body));
        return true;
    }
    let salt = store.salt(ord);
    let subject = Subject {
        world,
        view,
        context,
        ord,
        record,
        salt,
        id: store.id(ord),
        masked: style.mask_every > 0 && ord.is_multiple_of(style.mask_every),
        dice: Dice::new(salt),
    };
    let mut writer = Writer::new(out, style.unset);
    match context {
        Context::Customer => customer::render(&mut writer, subject),
        Context::Conversation => conversation::render(&mut writer, subject),
        Context::Message => message::render(&mut writer, subject),
        Context::Note => note::render(&mut writer, subject),
        Context::User => user::render(&mut writer, subject),
    }
    true
}
