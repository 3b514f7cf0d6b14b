//! Which part of an entity is read, from where and in which order. Pure.
//!
//! The rule: the steps of a plan cover its window without a gap, whatever the two-year boundary of
//! search does while they are read; a step moves the cursor only when everything before its end has
//! been read.
//!
//! Search forgets a record once its `updatedAt` is two years old, and the archive may not know it
//! before (API reference, sections 1 and 9.8). The boundary moves while we read. So the zone around
//! it is read by search *first*; then everything up to the zone's end from the archive, which by then
//! holds whatever has left search; then the rest by search. A plan holds for as long as the boundary
//! has not left the zone: see [`Plan::holds_at`]. Where two clocks disagree about the present, the zone
//! reaches from the one's boundary to the other's: reading twice is the price of not knowing, losing is not.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::catalog::{Access, History};
use crate::window::Window;

/// Search covers this much of the past (API reference, section 1, fact 2), in days: two years, leap day left out.
const SEARCH_REACH: TimeDelta = TimeDelta::days(730);
/// Half the width of the zone around the boundary; the archive's part of a plan must be read within this time.
const ZONE: TimeDelta = TimeDelta::days(2);

/// The present as two clocks tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// By the clock that is behind.
    pub earliest: DateTime<Utc>,
    /// By the clock that is ahead.
    pub latest: DateTime<Utc>,
}

impl From<DateTime<Utc>> for Present {
    fn from(now: DateTime<Utc>) -> Self {
        Self { earliest: now, latest: now }
    }
}

/// Where a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The search index.
    Live,
    /// The archive search.
    Archive,
    /// The page list of an entity whose history no search has.
    List,
}

/// Whether the end of a step moves the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everything before what the step has reached is read: the cursor follows it.
    Cursor,
    /// Something before the step's end is still to be read.
    None,
}

/// One part of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Where it reads.
    pub place: Place,
    /// What it reads.
    pub window: Window,
    /// Whether it moves the cursor.
    pub progress: Progress,
}

/// The steps that read one window, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they must be read.
    pub steps: Vec<Step>,
    zone_end: DateTime<Utc>,
}

impl Plan {
    /// Whether the steps still cover the window when the last of the history is read at `now`.
    #[must_use]
    pub fn holds_at(&self, now: impl Into<Present>) -> bool {
        now.into().latest - SEARCH_REACH < self.zone_end
    }
}

/// Plans the reading of `window` at present.
#[must_use]
pub fn plan(access: &Access, window: Window, now: impl Into<Present>) -> Plan {
    let (zone_begins, zone_end) = zone(now.into());
    let step = |place, progress| move |window| Step { place, window, progress };
    let history = match access {
        Access::Search { history: History::Archive, .. } => Place::Archive,
        Access::Search { history: History::List { .. }, .. } => Place::List,
        Access::Klasses { .. } => Place::Archive,
        Access::Lists { .. }
        | Access::Log { .. }
        | Access::PerParent { .. }
        | Access::Elements { .. }
        | Access::Metadata { .. } => {
            return Plan { steps: vec![step(Place::List, Progress::Cursor)(window)], zone_end };
        }
    };
    let old = window.before(zone_end);
    let zone = old.and_then(|old| old.since(zone_begins)).map(step(Place::Live, Progress::None));
    let old = old.map(step(history, Progress::Cursor));
    let recent = window.since(zone_end).map(step(Place::Live, Progress::Cursor));
    Plan { steps: [zone, old, recent].into_iter().flatten().collect(), zone_end }
}

/// Around the two-year boundary: before its beginning only the archive has records, from its end on only search.
pub(super) fn zone(now: Present) -> (DateTime<Utc>, DateTime<Utc>) {
    (now.earliest - SEARCH_REACH - ZONE, now.latest - SEARCH_REACH + ZONE)
}

/// What is known of a table before a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// Everything updated before it is committed.
    pub cursor: Option<DateTime<Utc>>,
    /// The newest `updated_at` in the table.
    pub newest: Option<DateTime<Utc>>,
    /// The start from which the table was loaded.
    pub start: Option<DateTime<Utc>>,
}

impl Known {
    /// What holds for two tables that are read together: only what holds for both.
    #[must_use]
    pub fn together(self, other: Self) -> Self {
        Self {
            cursor: self.cursor.zip(other.cursor).map(|(a, b)| a.min(b)),
            newest: self.newest,
            start: self.start.zip(other.start).map(|(a, b)| a.max(b)),
        }
    }
}

/// How far before the cursor a run reads again.
#[derive(Debug, Clone, Copy)]
pub enum LookBack {
    /// The usual overlap.
    Overlap(Duration),
    /// The periodic wider look back, never less than the overlap.
    Rescan(Duration),
}

impl LookBack {
    fn reach(self) -> TimeDelta {
        match self {
            Self::Overlap(reach) | Self::Rescan(reach) => TimeDelta::from_std(reach).unwrap_or(TimeDelta::MAX),
        }
    }
}

/// The window that a run reads; `None` when there is nothing to read yet.
///
/// It begins before the cursor by the look back, and before the newest row where that is earlier: a
/// server clock that ran ahead would have pushed the cursor past records that did not exist yet, and
/// beginning at the newest row costs nothing, since nothing newer is there to be read again.
#[must_use]
pub fn run_window(known: Known, start: DateTime<Utc>, look_back: LookBack, until: DateTime<Utc>) -> Option<Window> {
    let loaded_from_there = known.start.is_some_and(|loaded| loaded <= start);
    let from = match known.cursor {
        Some(cursor) if loaded_from_there => {
            let cursor = known.newest.map_or(start, |newest| newest.min(cursor));
            cursor.checked_sub_signed(look_back.reach()).map_or(start, |from| from.max(start))
        }
        _ => start,
    };
    Window::new(from, until)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn access(history: History) -> Access {
        Access::search("note".to_owned(), history)
    }

    fn lists() -> Access {
        Access::Lists { lists: Vec::new(), page_size: 500, included: None, otherwise: None }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_recent_window_is_one_search() {
        let now = at("2026-11-21T00:00:00Z");
        let window = Window::new(at("2026-11-20T00:00:00Z"), now).unwrap();
        let plan = plan(&access(History::Archive), window, now);
        assert_eq!(plan.steps, [Step { place: Place::Live, window, progress: Progress::Cursor }]);
    }

    #[test]
    fn an_entity_of_lists_is_read_in_one_step() {
        let now = at("2026-11-21T00:00:00Z");
        let window = Window::new(DateTime::UNIX_EPOCH, now).unwrap();
        let plan = plan(&lists(), window, now);
        assert_eq!(plan.steps, [Step { place: Place::List, window, progress: Progress::Cursor }]);
    }

    #[test]
    fn history_is_read_between_two_searches() {
        let now = at("2026-11-21T00:00:00Z");
        let window = Window::new(at("2020-01-01T00:00:00Z"), now).unwrap();
        for (history, place) in [
            (History::Archive, Place::Archive),
            (History::List { path: "/v1/notes".to_owned(), page_size: 100 }, Place::List),
        ] {
            let plan = plan(&access(history), window, now);
            let told: Vec<_> = plan.steps.iter().map(|step| (step.place, step.progress)).collect();
            assert_eq!(
                told,
                [(Place::Live, Progress::None), (place, Progress::Cursor), (Place::Live, Progress::Cursor)]
            );
            assert!(plan.holds_at(now + TimeDelta::days(1)));
            assert!(!plan.holds_at(now + TimeDelta::days(3)));
        }
    }

    #[test]
    fn a_run_begins_before_the_cursor_and_never_after_the_newest_row() {
        let (start, cursor, until) =
            (at("2024-01-01T00:00:00Z"), at("2026-11-20T12:00:00Z"), at("2026-11-20T13:00:00Z"));
        let known = |cursor, newest, start| Known { cursor, newest, start };
        let from = |known| run_window(known, start, LookBack::Overlap(30 * MINUTE), until).unwrap().from();
        let newest = at("2026-11-20T11:50:00Z");
        assert_eq!(from(known(Some(cursor), Some(newest), Some(start))), at("2026-11-20T11:20:00Z"));
        // A record dated into the future does not move the beginning.
        assert_eq!(
            from(known(Some(cursor), Some(until + TimeDelta::days(9)), Some(start))),
            at("2026-11-20T11:30:00Z")
        );
        // Never loaded, loaded without a row, or loaded from a later start: everything.
        assert_eq!(from(Known::default()), start);
        assert_eq!(from(known(Some(cursor), None, Some(start))), start);
        assert_eq!(from(known(Some(cursor), Some(newest), Some(cursor))), start);
    }

    #[test]
    fn a_clock_that_went_back_gives_nothing_to_read_and_no_error() {
        let cursor = at("2026-11-20T12:00:00Z");
        let known = Known { cursor: Some(cursor), newest: Some(cursor), start: Some(DateTime::UNIX_EPOCH) };
        let until = cursor - TimeDelta::hours(1);
        assert_eq!(run_window(known, DateTime::UNIX_EPOCH, LookBack::Overlap(30 * MINUTE), until), None);
    }

    proptest! {
        /// Wherever the boundary stands while a step is read, each instant is read from a place that has it.
        #[test]
        fn no_instant_falls_between_search_and_archive(
            from in 0i64..1_400, length in 1i64..1_400, instant in 0i64..1_400 * 24, zone_read in 0i64..20, archive_read in 20i64..47,
            behind in 0i64..500, ahead in 0i64..500,
        ) {
            let start = at("2022-01-01T00:00:00Z");
            let now = start + TimeDelta::days(1_400);
            let window = Window::new(start + TimeDelta::days(from), start + TimeDelta::days(from + length)).unwrap();
            let instant = start + TimeDelta::hours(instant);
            let present = Present { earliest: now - TimeDelta::days(behind), latest: now + TimeDelta::days(ahead) };
            let plan = plan(&access(History::Archive), window, present);
            prop_assert!(plan.holds_at(now + TimeDelta::hours(archive_read)));
            let read = plan.steps.iter().any(|step| {
                let hours = match (step.place, step.progress) {
                    (Place::Live, Progress::None) => zone_read,
                    _ => archive_read,
                };
                let boundary = now + TimeDelta::hours(hours) - SEARCH_REACH;
                let there = if step.place == Place::Live { instant >= boundary } else { instant < boundary };
                step.window.contains(instant) && there
            });
            prop_assert_eq!(read, window.contains(instant));
        }

        #[test]
        fn the_cursor_moves_over_the_whole_window_without_a_gap(from in 0i64..1_400, length in 1i64..1_400) {
            let start = at("2022-01-01T00:00:00Z");
            let window = Window::new(start + TimeDelta::days(from), start + TimeDelta::days(from + length)).unwrap();
            let plan = plan(&access(History::Archive), window, start + TimeDelta::days(1_400));
            let mut reached = window.from();
            for step in plan.steps.iter().filter(|step| step.progress == Progress::Cursor) {
                prop_assert_eq!(step.window.from(), reached);
                reached = step.window.until();
            }
            prop_assert_eq!(reached, window.until());
        }
    }
}
