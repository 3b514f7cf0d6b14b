//! Ids of 24 hexadecimal characters that begin with the creation second (API reference, section 5.3).
//!
//! Rule: an id holds its kind and its ordinal, so that neither ids nor an index of them need memory.

use crate::context::Context;
use crate::rng::mix;

const HEX: &[u8; 16] = b"0123456789abcdef";
const MACHINE: [u8; 3] = [0xe5, 0xb1, 0xf0];
const SCRAMBLE: u32 = 0x9e37_79b1;
const UNSCRAMBLE: u32 = inverse(SCRAMBLE);

/// The inverse of an odd number modulo 2^32, by Newton's iteration (each step doubles the right bits).
const fn inverse(odd: u32) -> u32 {
    let mut guess = odd;
    let mut step = 0;
    while step < 5 {
        guess = guess.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(guess)));
        step += 1;
    }
    guess
}

/// What an id belongs to: a stored record or something that only appears inside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Record(Context),
    /// Something on a shelf, by a number below 128 that tells the shelves apart.
    Shelved(u8),
    Org,
    Team,
    Tag,
    Shortcut,
    Klass,
    KObject,
    Company,
    Queue,
    Brand,
    Sla,
    SlaVersion,
    Attachment,
    Merge,
    Token,
    RoleGroup,
    Form,
    Event,
    Time,
    LaterTime,
    Forward,
    Draft,
    DraftAttachment,
    AuditEntry,
    Audited,
}

impl Kind {
    const fn tag(self) -> u8 {
        match self {
            Self::Record(Context::Customer) => 0x01,
            Self::Record(Context::Conversation) => 0x02,
            Self::Record(Context::Message) => 0x03,
            Self::Record(Context::Note) => 0x04,
            Self::Record(Context::User) => 0x05,
            Self::Shelved(number) => 0x80 | number,
            Self::Org => 0x10,
            Self::Team => 0x11,
            Self::Tag => 0x12,
            Self::Shortcut => 0x13,
            Self::Klass => 0x14,
            Self::KObject => 0x15,
            Self::Company => 0x16,
            Self::Queue => 0x17,
            Self::Brand => 0x18,
            Self::Sla => 0x19,
            Self::SlaVersion => 0x1a,
            Self::Attachment => 0x1b,
            Self::Merge => 0x1c,
            Self::Token => 0x1d,
            Self::RoleGroup => 0x1e,
            Self::Form => 0x1f,
            Self::Event => 0x30,
            Self::Time => 0x31,
            Self::LaterTime => 0x32,
            Self::Forward => 0x33,
            Self::Draft => 0x34,
            Self::DraftAttachment => 0x35,
            Self::AuditEntry => 0x36,
            Self::Audited => 0x37,
        }
    }
}

/// An id as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IdText {
    /// 24 hexadecimal characters.
    Hex([u8; 24]),
    /// An id that came with a raw record, escaped for JSON.
    Given(String),
}

impl IdText {
    pub(crate) const fn bytes(&self) -> &[u8] {
        match self {
            Self::Hex(hex) => hex.as_slice(),
            Self::Given(text) => text.as_bytes(),
        }
    }
}

impl std::fmt::Display for IdText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(std::str::from_utf8(self.bytes()).unwrap_or(""))
    }
}

/// The id of the `ord`-th thing of a kind that was stored at `second` (since the epoch).
pub(crate) fn encode(second: u32, kind: Kind, ord: u32) -> IdText {
    let bytes = second.to_be_bytes().into_iter().chain(MACHINE).chain([kind.tag()]);
    hex(bytes.chain(ord.wrapping_mul(SCRAMBLE).to_be_bytes()))
}

/// The id of something that a number tells apart from everything else of its kind: no ordinal can be read from it.
pub(crate) fn derived(second: u32, kind: Kind, salt: u64) -> IdText {
    let bytes = mix(salt ^ mix(kind.tag().into())).to_be_bytes();
    hex(second.to_be_bytes().into_iter().chain(bytes))
}

/// An id that sorts by the second and then by the ordinal, as the entries of a log do.
pub(crate) fn serial(second: u32, kind: Kind, ord: u32) -> IdText {
    let bytes = second.to_be_bytes().into_iter().chain(MACHINE).chain([kind.tag()]);
    hex(bytes.chain(ord.to_be_bytes()))
}

fn hex(bytes: impl Iterator<Item = u8>) -> IdText {
    let mut hex = [b'0'; 24];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(bytes) {
        if let [high, low] = pair {
            *high = HEX.get(usize::from(byte >> 4)).copied().unwrap_or(b'0');
            *low = HEX.get(usize::from(byte & 15)).copied().unwrap_or(b'0');
        }
    }
    IdText::Hex(hex)
}

/// Second and ordinal of a generated id of this kind; whether such a record exists is another question.
pub(crate) fn decode(text: &str, kind: Kind) -> Option<(u32, u32)> {
    if text.len() != 24 || !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return None;
    }
    let second = u32::from_str_radix(text.get(..8)?, 16).ok()?;
    let machine = u32::from_str_radix(text.get(8..16)?, 16).ok()?;
    let scrambled = u32::from_str_radix(text.get(16..)?, 16).ok()?;
    let [first, middle, last] = MACHINE;
    (machine == u32::from_be_bytes([first, middle, last, kind.tag()]))
        .then(|| (second, scrambled.wrapping_mul(UNSCRAMBLE)))
}

/// A number that sorts generated ids of one kind as their text does.
pub(crate) fn sort_key(second: u32, ord: u32) -> i64 {
    i64::from(second) << 31 | i64::from(ord.wrapping_mul(SCRAMBLE) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_tells_its_ordinal(second: u32, ord: u32) {
            let kind = Kind::Record(Context::Message);
            let text = encode(second, kind, ord).to_string();
            prop_assert_eq!(decode(&text, kind), Some((second, ord)));
            prop_assert_eq!(decode(&text, Kind::Record(Context::Note)), None);
        }

        #[test]
        fn keys_sort_as_ids_do(left: (u32, u32), right: (u32, u32)) {
            let text = |(second, ord)| encode(second, Kind::Record(Context::Note), ord).to_string();
            let (low, high) = (sort_key(left.0, left.1), sort_key(right.0, right.1));
            if low < high {
                prop_assert!(text(left) < text(right));
            }
        }
    }

    #[test]
    fn foreign_ids_are_not_ours() {
        for text in ["", "zz", "5f8481c6a22ab5b9d5f2dd8a", "5F8481C6A22AB5B9D5F2DD8A"] {
            assert_eq!(decode(text, Kind::Record(Context::User)), None);
        }
    }
}
