//! What was odd about the records of a conversion: counts and kinds, never a value.

use std::collections::BTreeMap;
use std::fmt;

/// What a JSON value is, for people who look for the cause of a mismatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JsonKind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// `1`
    Number,
    /// `true` or `false`
    Boolean,
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
        })
    }
}

/// Why a value does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mismatch {
    /// Another kind of JSON value than the column takes.
    Type,
    /// A masked value in place of the real one: the API key may not read it (API reference, section 1, fact 12).
    Masked,
    /// A number that the column cannot hold: too large, or with a fraction.
    Range,
    /// A text that is no instant of RFC 3339, or a number that is no instant in milliseconds.
    Instant,
    /// An instant with more than six digits of fraction.
    Precision,
    /// A text with an escape that is no Unicode character.
    Escape,
    /// A list with an element that is no text.
    Element,
    /// A relationship to another type of resource, to several in place of one, or not of the form `{type, id}`.
    Relationship,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Type => "wrong type",
            Self::Masked => "masked",
            Self::Range => "number out of range",
            Self::Instant => "not an instant",
            Self::Precision => "finer than a microsecond",
            Self::Escape => "invalid escape",
            Self::Element => "list of other things than texts",
            Self::Relationship => "unexpected relationship",
        })
    }
}

/// One kind of misfit in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Misfit {
    /// The column that is null because of it. `sla.*` stands for all columns below the attribute `sla`
    /// when that is no object; `attributes` and `relationships` stand for those parts of a record.
    pub column: String,
    /// Why the value does not fit.
    pub mismatch: Mismatch,
    /// What was found.
    pub found: JsonKind,
}

/// Everything odd in the records of one or more conversions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// Values that stand in `_extra` because they did not fit their column, with their number.
    pub misfits: BTreeMap<Misfit, u64>,
    /// Records that are in no batch because a part of their key is missing or has another type than its column.
    pub without_key: u64,
}

impl Problems {
    /// Whether all was as expected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.misfits.is_empty() && self.without_key == 0
    }

    /// Adds the counts of another conversion.
    pub fn absorb(&mut self, other: Self) {
        self.without_key += other.without_key;
        for (misfit, count) in other.misfits {
            *self.misfits.entry(misfit).or_default() += count;
        }
    }

    pub(super) fn count(&mut self, column: &str, mismatch: Mismatch, found: JsonKind) {
        *self.misfits.entry(Misfit { column: column.to_owned(), mismatch, found }).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_many_pages_add_up() {
        let mut page = Problems { without_key: 1, ..Problems::default() };
        page.count("name", Mismatch::Masked, JsonKind::Object);
        let mut all = Problems::default();
        assert!(all.is_empty());
        all.absorb(page.clone());
        all.absorb(page);
        assert_eq!(all.without_key, 2);
        assert_eq!(all.misfits.values().sum::<u64>(), 2);
        assert!(!all.is_empty());
    }
}
