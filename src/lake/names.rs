//! The names of what is stored, made and checked in this module only.
//!
//! Layout below the root: `<table>/` with `_delta_log/` and data files, `views.sql`, and `_kustlake/` for what is ours.

use std::fmt;

use super::error::LakeError;

/// The folder of what belongs to no table: state, lease, probes.
pub(super) const OWN_FOLDER: &str = "_kustlake";

/// The folder inside a table that makes it one.
pub(super) const LOG_FOLDER: &str = "_delta_log";

/// A name that is a table's folder as well as its name in queries: letters, digits and `_`, not starting with `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName(String);

impl TableName {
    /// Checks a name.
    ///
    /// # Errors
    /// When it has other characters, starts with `_` or is longer than 128.
    pub fn new(name: &str) -> Result<Self, LakeError> {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if plain && !name.is_empty() && !name.starts_with('_') && name.len() <= 128 {
            Ok(Self(name.to_owned()))
        } else {
            Err(LakeError::Internal(format!("`{name}` cannot be a table's name")))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose transaction version it is: the application id of a `txn` action in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(String);

impl TransactionId {
    /// The id `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder_or_take_ours() {
        assert!(TableName::new("kobject_Order2").is_ok());
        for bad in ["", "_kustlake", "a/b", "..", "a b", "größe"] {
            assert!(TableName::new(bad).is_err(), "{bad}");
        }
    }
}
