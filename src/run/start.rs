//! From which start a table is complete.

use chrono::{DateTime, Utc};

use crate::extract::Known;

/// From where on a table is complete up to its cursor: not from an earlier start before the reading from there has
/// come to where the table was before, whatever is committed on the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    start: DateTime<Utc>,
    former: Option<Former>,
}

/// What a table held before it was loaded from an earlier start.
#[derive(Debug, Clone, Copy)]
struct Former {
    start: DateTime<Utc>,
    cursor: DateTime<Utc>,
}

impl Start {
    pub(super) fn new(start: DateTime<Utc>, known: Known) -> Self {
        let former = known.start.zip(known.cursor).map(|(start, cursor)| Former { start, cursor });
        Self { start, former }
    }

    /// Whether the table held nothing before.
    pub(super) const fn is_first(&self) -> bool {
        self.former.is_none()
    }

    /// The start that holds once everything before `reached` is committed.
    pub(super) fn held_at(&self, reached: DateTime<Utc>) -> DateTime<Utc> {
        match self.former {
            Some(former) if former.start <= self.start || reached < former.cursor => former.start,
            _ => self.start,
        }
    }
}
