//! What the switches choose between.

use serde::{Deserialize, Serialize};

/// A fault that strikes by count: after `skip` requests, the last of every `n` requests and the `run - 1` after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Every {
    /// The period; 0: never.
    pub n: u64,
    /// How many in a row.
    pub run: u64,
    /// How many requests are spared at first.
    pub skip: u64,
}

impl Every {
    /// A fault that does not strike.
    pub const NEVER: Self = Self { n: 0, run: 1, skip: 0 };

    /// Every `n`-th time.
    #[must_use]
    pub const fn nth(n: u64) -> Self {
        Self { n, ..Self::NEVER }
    }

    /// Whether the fault strikes at this count, which starts at 1.
    #[must_use]
    pub const fn strikes(self, count: u64) -> bool {
        let count = count.saturating_sub(self.skip);
        self.n > 0 && count >= self.n && count % self.n < self.run
    }
}

impl Default for Every {
    fn default() -> Self {
        Self::NEVER
    }
}

/// Declares closed choices of which the first one is the default.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $(#[$first_doc:meta])* $first:ident, $($(#[$other_doc:meta])* $other:ident,)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
            #[serde(rename_all = "snake_case")]
            pub enum $name {
                $(#[$first_doc])*
                #[default]
                $first,
                $($(#[$other_doc])* $other,)+
            }
        )+
    };
}

choices! {
    /// Which records show late in search.
    Lagging {
        /// All of them.
        AllRecords,
        /// Every other one, so that a later change may show before an earlier one.
        EveryOtherRecord,
    }
    /// The answer to a page that does not exist.
    PastAnswer {
        /// Status 400.
        BadRequest,
        /// Status 404.
        NotFound,
        /// A page without records.
        EmptyPage,
        /// The last page once more.
        LastPage,
    }
    /// Whether something is seen.
    Visibility {
        /// It is seen.
        Shown,
        /// It is not.
        Hidden,
    }
    /// Which records the archive search covers.
    ArchiveCovers {
        /// Those that ordinary search does not.
        Older,
        /// All.
        Everything,
    }
    /// The order among records with equal values.
    TieOrder {
        /// Always the same.
        Stable,
        /// Another one for each request.
        Random,
    }
    /// What a second sort key does.
    SecondSortKey {
        /// Nothing.
        Ignored,
        /// It orders ties.
        Honoured,
    }
    /// Where the link to the next page leads.
    NextLinks {
        /// To the next page, until the last.
        Honest,
        /// To another origin.
        OtherOrigin,
        /// To the next page, also after the last.
        Endless,
        /// There are no links to other pages.
        Unstated,
    }
    /// The order of the small lists.
    ShelfOrder {
        /// Always the same.
        Stable,
        /// Another one for each request.
        Random,
    }
    /// How one included resource comes (API reference, section 5.2).
    IncludedOne {
        /// As a list of one.
        Array,
        /// As one object.
        Object,
    }
    /// Whether the SLAs can be listed (API reference, section 19).
    SlaList {
        /// They can.
        Served,
        /// The list answers 404.
        NotFound,
    }
    /// Which metadata the key may read.
    MetadataAccess {
        /// All.
        Full,
        /// All but those of notes.
        NotOfNotes,
        /// All but those of KObjects.
        NotOfKobjects,
        /// None: there are no metadata at all.
        Absent,
    }
    /// Which users the unfiltered list shows.
    UserList {
        /// Active people.
        People,
        /// Also active machines and limited users.
        EveryType,
    }
    /// Which roles a search needs.
    SearchRoles {
        /// The one for searching and the one for the kind of record.
        SearchAndRecord,
        /// The one for searching.
        SearchOnly,
    }
    /// Whether reading makes the organisation move.
    Mover {
        /// It does not.
        Still,
        /// Each request updates a record of the kind that it reads.
        EveryRequest,
    }
    /// How the minute of a budget is counted.
    Limiting {
        /// Windows that begin with the minute.
        FixedWindow,
        /// The last 60 seconds.
        SlidingWindow,
    }
    /// When `x-ratelimit-reset` is sent.
    ResetHeader {
        /// With a 429.
        OnExcess,
        /// Always.
        Always,
        /// Never.
        Never,
    }
    /// The unit of `x-ratelimit-reset`.
    ResetUnit {
        /// Seconds since the epoch.
        Seconds,
        /// Milliseconds since the epoch.
        Milliseconds,
    }
    /// Whether a 429 has `Retry-After`.
    RetryAfter {
        /// It has not.
        Absent,
        /// It has, with the seconds until the reset.
        Exact,
        /// It has, with more than is needed.
        Excessive,
    }
    /// What the lists per parent answer when the parent is softly deleted.
    DeletedParent {
        /// The list.
        Listed,
        /// Status 404.
        NotFound,
    }
    /// Whether the two timers of a conversation number their records together.
    TimeIds {
        /// Each has ids of its own.
        Separate,
        /// A session that both have timed has one id in both.
        Shared,
    }
    /// Whether a new handling time is a change of its conversation.
    TimeStamp {
        /// It is.
        Moves,
        /// It leaves `updatedAt` and `rev` as they were.
        Keeps,
    }
    /// Whose merges a customer lists.
    MergeList {
        /// Those into it.
        Target,
        /// Also the one of it into another.
        Both,
    }
    /// Which entries of the audit log lie between `filter[start]` and `filter[end]`.
    AuditBounds {
        /// Those at both bounds, too.
        Inclusive,
        /// Those at the start, not those at the end.
        EndExclusive,
        /// Those at both bounds, which are cut to the second.
        WholeSeconds,
    }
    /// Where the last page of the audit log leads.
    AuditEnd {
        /// Nowhere.
        Stated,
        /// To an empty page, which leads nowhere.
        EmptyPage,
    }
    /// Which customer a merge in the audit log is about.
    MergeObject {
        /// The one that stays.
        Target,
        /// The one that was merged into it.
        Source,
    }
    /// Whether the token belongs to this host.
    Pod {
        /// It does.
        Right,
        /// It belongs to another one: every request is refused.
        Wrong,
    }
}

/// How honest `meta.total` of a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Total {
    /// It is right.
    #[default]
    Exact,
    /// It is not there.
    Omitted,
    /// It is wrong by this much.
    Off(i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_strike_by_count() {
        let struck = |every: Every| (1..=12).filter(|count| every.strikes(*count)).collect::<Vec<_>>();
        assert!(struck(Every::NEVER).is_empty());
        assert_eq!(struck(Every::nth(5)), [5, 10]);
        assert_eq!(struck(Every { n: 5, run: 2, skip: 0 }), [5, 6, 10, 11]);
        assert_eq!(struck(Every { n: 5, run: 1, skip: 2 }), [7, 12]);
        assert_eq!(struck(Every::nth(1)), (1..=12).collect::<Vec<_>>());
    }
}
