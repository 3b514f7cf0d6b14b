//! Columns whose values must not be read by those who read the table.
//!
//! The rule: the value of such a column stands nowhere as it is: not in `_extra` when it does not fit,
//! not in the object around it when that has another form, not in problems. Only the texts of elements
//! ([`TableSchema::with_elements`](super::TableSchema::with_elements)), which no table holds, do not
//! depend on the treatment of the column that they come from: the table of elements has its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use thiserror::Error;

use super::custom::{custom_attribute, custom_names};
use super::field::hex;
use super::order::RowOrder;
use crate::catalog::{Column, ColumnType, Sensitivity, Source, SystemColumn};

/// What becomes of the values of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Treatment {
    /// They are kept as they are.
    #[default]
    Keep,
    /// The column does not exist.
    Exclude,
    /// The column holds a hash of each text ([`HashKey`]).
    Hash,
}

/// Makes hashes of texts: HMAC-SHA256 in hexadecimal digits. With the same secret the same text gives the same hash in
/// every run, table and column, so that tables can be joined by it.
#[derive(Clone)]
pub struct HashKey(Arc<hmac::Key>);

impl HashKey {
    /// The key with this secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    pub(super) fn hash(&self, text: &str) -> String {
        hex(hmac::sign(&self.0, text.as_bytes()).as_ref())
    }

    pub(super) fn hashes<'a>(&self, texts: &[Cow<'_, str>]) -> Vec<Cow<'a, str>> {
        texts.iter().map(|text| Cow::Owned(self.hash(text))).collect()
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// What becomes of the values of the columns of a table.
#[derive(Debug, Clone, Default)]
pub struct Treatments {
    /// By the column's name; those that are not named are kept, unless they are custom columns.
    pub columns: BTreeMap<String, Treatment>,
    /// Of custom columns that are not named and are [`Sensitivity::Personal`].
    pub personal: Treatment,
    /// Of custom columns that are not named and are [`Sensitivity::Content`].
    pub content: Treatment,
    /// The key of the hashes.
    pub hash_key: Option<HashKey>,
}

/// Treatments that a table cannot have; the configuration refuses them with a better message.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TreatmentError {
    /// Rows could no longer be told apart, or the table would lack what every table has.
    #[error("column {0} is needed as it is")]
    Needed(String),
    /// Only texts, lists of texts and JSON have hashes.
    #[error("column {0} cannot be hashed, because it holds no text")]
    NoText(String),
    /// There is no key to hash with.
    #[error("there is no key for the hashes")]
    NoKey,
}

impl Treatments {
    /// Refuses what a table of those columns cannot have.
    pub(super) fn check(&self, columns: &[Column], order: &RowOrder) -> Result<(), TreatmentError> {
        for column in columns {
            let name = || column.name.clone();
            let is_needed = match column.source {
                Source::System(SystemColumn::Extra) => false,
                Source::System(_) => true,
                _ => [&order.rev, &order.updated_at]
                    .into_iter()
                    .flatten()
                    .chain(&order.key)
                    .any(|key| *key == column.name),
            };
            match self.of(column) {
                Treatment::Exclude | Treatment::Hash if is_needed => return Err(TreatmentError::Needed(name())),
                Treatment::Hash if !is_text(column) => return Err(TreatmentError::NoText(name())),
                Treatment::Keep | Treatment::Exclude | Treatment::Hash => {}
            }
        }
        let hashes = self.columns.values().chain([&self.personal, &self.content]).any(|all| *all == Treatment::Hash);
        if hashes && self.hash_key.is_none() { Err(TreatmentError::NoKey) } else { Ok(()) }
    }

    /// What becomes of a column. A custom column that holds no text, which nobody knew beforehand, is excluded where
    /// it should be hashed.
    pub(super) fn of(&self, column: &Column) -> Treatment {
        let is_custom = custom_attribute(&column.source).is_some();
        let by_default = match column.sensitivity {
            Sensitivity::Personal if is_custom => self.personal,
            Sensitivity::Content if is_custom => self.content,
            _ => Treatment::Keep,
        };
        match self.columns.get(&column.name).copied().unwrap_or(by_default) {
            Treatment::Hash if is_custom && !is_text(column) => Treatment::Exclude,
            treatment => treatment,
        }
    }

    /// The columns that the table does not have, and the others. Without `_extra` no table is: it holds nothing then.
    pub(super) fn excluded(&self, columns: impl IntoIterator<Item = Column>) -> (Vec<Column>, Vec<Column>) {
        columns
            .into_iter()
            .partition(|column| self.of(column) == Treatment::Exclude && !matches!(column.source, Source::System(_)))
    }

    /// The key, if the column is hashed.
    pub(super) fn hash_key(&self, column: &Column) -> Option<&HashKey> {
        self.hash_key.as_ref().filter(|_| self.of(column) == Treatment::Hash)
    }

    /// Whether a custom attribute that has no column yet may get one that is not kept as it is.
    pub(super) fn may_treat(&self, attribute: &str) -> bool {
        let by_default = self.treats_by_default();
        if self.columns.is_empty() {
            return by_default;
        }
        let named = custom_names(attribute).find_map(|name| self.columns.get(&name));
        named.map_or(by_default, |treatment| *treatment != Treatment::Keep)
    }

    /// Whether any custom attribute may get a column that is not kept as it is.
    pub(super) fn treats_custom(&self) -> bool {
        let named =
            |(name, treatment): (&String, &Treatment)| name.starts_with("custom_") && *treatment != Treatment::Keep;
        self.treats_by_default() || self.columns.iter().any(named)
    }

    fn treats_by_default(&self) -> bool {
        self.personal != Treatment::Keep || self.content != Treatment::Keep
    }
}

fn is_text(column: &Column) -> bool {
    let is_extra = matches!(column.source, Source::System(_));
    !is_extra && matches!(column.kind, ColumnType::String | ColumnType::Strings | ColumnType::Json)
}
