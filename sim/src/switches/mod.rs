//! Every behaviour that is unknown, or that a test has to provoke; all can be set at start and while running.
//!
//! Rule: the defaults are what the API reference believes; a counted fault passes by count, so that a retry succeeds.

mod choices;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::choices::{
    ArchiveCovers, AuditBounds, AuditEnd, DeletedParent, Every, IncludedOne, Lagging, Limiting, MergeList, MergeObject,
    MetadataAccess, Mover, NextLinks, PastAnswer, Pod, ResetHeader, ResetUnit, RetryAfter, SearchRoles, SecondSortKey,
    ShelfOrder, SlaList, TieOrder, TimeIds, TimeStamp, Total, UserList, Visibility,
};
use crate::error::SimError;
use crate::render::Unset;
use crate::search::Precision;
use crate::world::DeleteStamp;

/// All switches of the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// A change shows in search only after this many milliseconds of simulated time.
    pub index_lag_ms: i64,
    /// Which records do so.
    pub lagging: Lagging,
    /// How many records one query gives at most.
    pub ceiling_records: usize,
    /// How many pages one query gives at most.
    pub max_pages: usize,
    /// How many records a page of a search holds at most, whatever is asked for.
    pub largest_page: usize,
    /// What a search answers past either of the two.
    pub past_ceiling: PastAnswer,
    /// What a search answers past its last page.
    pub past_end: PastAnswer,
    /// Whether a delete moves `updatedAt`.
    pub delete_stamp: DeleteStamp,
    /// Whether `includeDeleted` shows deleted records.
    pub deleted_in_search: Visibility,
    /// Whether plain lists show deleted records.
    pub deleted_in_lists: Visibility,
    /// What the archive search covers.
    pub archive_covers: ArchiveCovers,
    /// How many days back ordinary search reaches.
    pub search_window_days: i64,
    /// The order among equal values.
    pub ties: TieOrder,
    /// What becomes of a second sort key.
    pub second_sort_key: SecondSortKey,
    /// To what precision search compares instants.
    pub precision: Precision,
    /// How many records search claims to have found.
    pub total: Total,
    /// Where `links.next` leads.
    pub next_links: NextLinks,
    /// The order of the small lists.
    pub shelf_order: ShelfOrder,
    /// How one included resource comes.
    pub included_one: IncludedOne,
    /// Whether the SLAs can be listed.
    pub sla_list: SlaList,
    /// Which metadata can be read.
    pub metadata_access: MetadataAccess,
    /// How fields without a value are spelled.
    pub unset: Unset,
    /// Every so many records have a masked text; 0: none.
    pub mask_every: u32,
    /// Which users the unfiltered list shows.
    pub user_list: UserList,
    /// Which roles a search needs.
    pub search_roles: SearchRoles,
    /// Whether a request changes a record.
    pub mover: Mover,
    /// What the lists per parent answer when the parent is softly deleted.
    pub deleted_parent: DeletedParent,
    /// Whether the two timers share ids.
    pub time_ids: TimeIds,
    /// Whether a new handling time moves its conversation.
    pub time_stamp: TimeStamp,
    /// Whose merges a customer lists.
    pub merge_list: MergeList,
    /// Whether the events of a conversation tell that it changed hands, which moves neither `rev` nor `updatedAt`.
    pub move_events: Visibility,
    /// An entry of the audit log shows only this many milliseconds of simulated time after its `createdAt`.
    pub audit_lag_ms: i64,
    /// What `filter[start]` and `filter[end]` of the audit log include.
    pub audit_bounds: AuditBounds,
    /// Where the last page of the audit log leads.
    pub audit_end: AuditEnd,
    /// Which customer a merge in the audit log is about.
    pub merge_object: MergeObject,
    /// Requests per minute of the whole organisation.
    pub org_limit: u64,
    /// Searches per minute of all keys.
    pub search_limit: u64,
    /// How the minute is counted.
    pub limiting: Limiting,
    /// Requests per minute that other clients of the organisation take.
    pub other_clients: u64,
    /// When `x-ratelimit-reset` is sent.
    pub reset_header: ResetHeader,
    /// In what unit it is.
    pub reset_unit: ResetUnit,
    /// Whether a 429 has `Retry-After`.
    pub retry_after: RetryAfter,
    /// Whether the token belongs to this host.
    pub pod: Pod,
    /// How far the `Date` header is from the simulated time, in milliseconds.
    pub clock_skew_ms: i64,
    /// Real milliseconds before each answer.
    pub latency_ms: u64,
    /// Searches that time out and give half a page.
    pub timed_out: Every,
    /// Requests that fail with `server_error_status`.
    pub server_error: Every,
    /// The status of those.
    pub server_error_status: u16,
    /// Requests that get an HTML page with status 502.
    pub html_error: Every,
    /// Connections that close before the answer.
    pub drop_before: Every,
    /// Connections that close inside the body.
    pub drop_midway: Every,
    /// Bodies cut short under a `Content-Length` that fits.
    pub truncated: Every,
    /// Bodies that are not JSON.
    pub garbage: Every,
    /// Requests that are sent to another origin.
    pub redirect: Every,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            index_lag_ms: 0,
            lagging: Lagging::default(),
            ceiling_records: 10_000,
            max_pages: 100,
            largest_page: 500,
            past_ceiling: PastAnswer::BadRequest,
            past_end: PastAnswer::EmptyPage,
            delete_stamp: DeleteStamp::default(),
            deleted_in_search: Visibility::Shown,
            deleted_in_lists: Visibility::Hidden,
            archive_covers: ArchiveCovers::default(),
            search_window_days: 730,
            ties: TieOrder::default(),
            second_sort_key: SecondSortKey::default(),
            precision: Precision::default(),
            total: Total::default(),
            next_links: NextLinks::default(),
            shelf_order: ShelfOrder::default(),
            included_one: IncludedOne::default(),
            sla_list: SlaList::default(),
            metadata_access: MetadataAccess::default(),
            unset: Unset::default(),
            mask_every: 0,
            user_list: UserList::default(),
            search_roles: SearchRoles::default(),
            mover: Mover::default(),
            deleted_parent: DeletedParent::default(),
            time_ids: TimeIds::default(),
            time_stamp: TimeStamp::default(),
            merge_list: MergeList::default(),
            move_events: Visibility::Shown,
            audit_lag_ms: 0,
            audit_bounds: AuditBounds::default(),
            audit_end: AuditEnd::default(),
            merge_object: MergeObject::default(),
            org_limit: 1_000,
            search_limit: 100,
            limiting: Limiting::default(),
            other_clients: 0,
            reset_header: ResetHeader::default(),
            reset_unit: ResetUnit::default(),
            retry_after: RetryAfter::default(),
            pod: Pod::default(),
            clock_skew_ms: 0,
            latency_ms: 0,
            timed_out: Every::NEVER,
            server_error: Every::NEVER,
            server_error_status: 503,
            html_error: Every::NEVER,
            drop_before: Every::NEVER,
            drop_midway: Every::NEVER,
            truncated: Every::NEVER,
            garbage: Every::NEVER,
            redirect: Every::NEVER,
        }
    }
}

impl Switches {
    /// Limits so high that they are never met, and still fit any integer: for tests and measurements of something else.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { org_limit: 1_000_000_000, search_limit: 1_000_000_000, ..Self::default() }
    }

    /// These switches with those of a JSON object changed.
    ///
    /// # Errors
    /// [`SimError::Json`] when a name or a value is unknown.
    pub fn merged(self, changes: Value) -> Result<Self, SimError> {
        let json = |source| SimError::Json { place: "switches", source };
        let mut all = serde_json::to_value(self).map_err(json)?;
        match (&mut all, changes) {
            (Value::Object(all), Value::Object(changes)) => all.extend(changes),
            _ => return Err(SimError::control("switches are not an object")),
        }
        serde_json::from_value(all).map_err(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_changes_only_what_it_names() {
        let merged = Switches::default().merged(json!({"index_lag_ms": 5, "drop_before": {"n": 3}})).unwrap();
        let expected = Switches { index_lag_ms: 5, drop_before: Every { n: 3, ..Every::NEVER }, ..Switches::default() };
        assert_eq!(merged, expected);
    }

    #[test]
    fn unknown_switches_are_refused() {
        assert!(Switches::default().merged(json!({"lag": 5})).is_err());
        assert!(Switches::default().merged(json!({"ties": "sometimes"})).is_err());
        assert!(Switches::default().merged(json!([])).is_err());
    }
}
