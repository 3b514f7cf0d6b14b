//! What a run has done so far, for whoever watches.
//!
//! The rule: counting never waits and never fails; who draws it reads it when it likes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use crate::api::{ApiError, Page, Pages, Request};
use crate::catalog::EntityName;
use crate::window::Window;

/// Where an entity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not begun.
    Waiting,
    /// Being read and committed.
    Loading,
    /// Complete.
    Done,
    /// Given up.
    Failed,
}

/// The counters of one entity.
#[derive(Debug)]
pub struct EntityProgress {
    /// Which.
    pub entity: EntityName,
    requests: AtomicU64,
    bytes: AtomicU64,
    records: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    phase: Phase,
    window: Option<Window>,
    reached: Option<DateTime<Utc>>,
}

/// A moment of an entity's progress.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Where it stands.
    pub phase: Phase,
    /// What it reads.
    pub window: Option<Window>,
    /// Everything of the window before this instant has been read.
    pub reached: Option<DateTime<Utc>>,
    /// Requests answered.
    pub requests: u64,
    /// Bytes of JSON received.
    pub bytes: u64,
    /// Records read, repeats included.
    pub records: u64,
}

impl EntityProgress {
    /// An entity that has not begun.
    #[must_use]
    pub const fn new(entity: EntityName) -> Self {
        let state = State { phase: Phase::Waiting, window: None, reached: None };
        Self {
            entity,
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    /// How things stand.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let state = self.state.lock().map_or_else(|poisoned| *poisoned.into_inner(), |state| *state);
        Moment {
            phase: state.phase,
            window: state.window,
            reached: state.reached,
            requests: self.requests.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            records: self.records.load(Ordering::Relaxed),
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        match self.state.lock() {
            Ok(mut state) => change(&mut state),
            Err(poisoned) => change(&mut poisoned.into_inner()),
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.change(|state| state.phase = phase);
    }

    pub(super) fn reading(&self, window: Window) {
        self.change(|state| state.window = Some(window));
    }

    pub(super) fn reading_until(&self, until: Option<DateTime<Utc>>) {
        if let Some(window) = until.and_then(|until| Window::new(DateTime::UNIX_EPOCH, until)) {
            self.reading(window);
        }
    }

    pub(super) fn reached(&self, reached: DateTime<Utc>) {
        self.change(|state| state.reached = state.reached.max(Some(reached)));
    }
}

/// The pages of one entity, counted.
#[derive(Debug)]
pub(super) struct Counted<'a> {
    pub(super) pages: &'a dyn Pages,
    pub(super) progress: &'a EntityProgress,
}

impl Pages for Counted<'_> {
    fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
        Box::pin(async move {
            let page = self.pages.page(request).await?;
            self.progress.requests.fetch_add(1, Ordering::Relaxed);
            self.progress.bytes.fetch_add(page.bytes, Ordering::Relaxed);
            self.progress.records.fetch_add(page.records.len() as u64, Ordering::Relaxed);
            Ok(page)
        })
    }
}
