//! The state file during a run: read once, written after each commit that it describes.
//!
//! The rule: the state may lag behind the tables, never lead them. So a state that cannot be written
//! is a warning, and one that was lost or damaged is rebuilt from what the tables know.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::server_time::ServerTime;
use crate::lake::{BackfillState, EntityState, Loaded, State, StateError, StateFile};
use crate::window::Window;

/// The state of a run.
#[derive(Debug)]
pub struct StateKeeper {
    known: Mutex<State>,
    file: tokio::sync::Mutex<StateFile>,
    time: ServerTime,
    /// When the run began.
    began: DateTime<Utc>,
}

impl StateKeeper {
    /// Reads the state file; one that is absent or damaged begins anew.
    ///
    /// # Errors
    /// A state of a newer version, or storage that cannot be read.
    pub async fn open(mut file: StateFile, time: ServerTime) -> Result<Self, StateError> {
        let state = match file.load().await? {
            Loaded::Found(state) => state,
            Loaded::Absent => State::default(),
            Loaded::Damaged(reason) => {
                tracing::warn!(error = %reason, "the state file is damaged; nothing to do: the next run makes it anew from the tables");
                State::default()
            }
        };
        let began = time.now();
        Ok(Self { known: Mutex::new(state), file: tokio::sync::Mutex::new(file), time, began })
    }

    /// What is known of an entity.
    #[must_use]
    pub fn entity(&self, entity: &str) -> Option<EntityState> {
        self.lock().entities.get(entity).cloned()
    }

    pub(super) fn cursor(&self, entity: &str) -> Option<DateTime<Utc>> {
        self.entity(entity)?.cursor
    }

    /// The start from which it was loaded up to its cursor; none when it was not.
    pub(super) fn start(&self, entity: &str) -> Option<DateTime<Utc>> {
        let entity = self.entity(entity)?;
        entity.cursor.map(|_| entity.start.unwrap_or(DateTime::UNIX_EPOCH))
    }

    /// Forgets how far an entity is; what people are told of its runs stays.
    pub(super) async fn forget(&self, entity: &str) {
        // A save that is under way would bring back what it has copied.
        let mut file = self.file.lock().await;
        let changed = {
            let mut known = self.lock();
            let before = known.clone();
            let of_entity = format!("{entity} ");
            known.backfills.retain(|name, _| !name.starts_with(&of_entity));
            if let Some(state) = known.entities.get_mut(entity) {
                (state.cursor, state.start, state.last_rescan, state.moved) = (None, None, None, None);
                (state.last_reconcile, state.deletes_told) = (None, None);
            }
            *known != before
        };
        if changed {
            self.save_to(&mut file).await;
        }
    }

    pub(super) fn rescan_is_due(&self, entity: &str, every: Duration) -> bool {
        self.is_due(self.entity(entity).and_then(|entity| entity.last_rescan), every)
    }

    pub(super) fn reconcile_is_due(&self, entity: &str, every: Duration) -> bool {
        self.is_due(self.entity(entity).and_then(|entity| entity.last_reconcile), every)
    }

    /// Counted from the beginning of one run to that of another, and a little generously: what is due every day is due in
    /// each run of a daily schedule, however long runs take and whichever second they begin in.
    fn is_due(&self, last: Option<DateTime<Utc>>, every: Duration) -> bool {
        last.is_none_or(|last| (self.began - last).to_std().is_ok_and(|passed| passed + every / 24 >= every))
    }

    /// Takes note that the table and its source have been compared; a table that was loaded just now needs no comparison.
    pub(super) async fn reconciled(&self, entity: &str) {
        self.change(entity, |state| state.last_reconcile = Some(self.began));
        self.save().await;
    }

    pub(super) fn backfilled(&self, entity: &str, window: &Window) -> Option<DateTime<Utc>> {
        self.lock().backfills.get(&backfill_name(entity, window))?.done_until
    }

    /// Takes note of a cursor; [`Self::save`] writes it.
    pub(super) fn reached(&self, entity: &str, cursor: DateTime<Utc>, start: DateTime<Utc>) {
        self.change(entity, |state| {
            state.cursor = state.cursor.max(Some(cursor));
            state.start = Some(start).filter(|start| *start > DateTime::UNIX_EPOCH);
        });
    }

    pub(super) async fn completed(&self, entity: &str, rescan: bool, rows: Option<u64>) {
        let now = self.time.now();
        self.change(entity, |state| {
            state.last_run = Some(now);
            state.rows = rows.or(state.rows);
            if rescan {
                state.last_rescan = Some(self.began);
            }
        });
        self.save().await;
    }

    /// Takes note of how far a backfill is; [`Self::save`] writes it.
    pub(super) fn backfill_reached(&self, entity: &str, window: &Window, reached: DateTime<Utc>) {
        let new =
            || BackfillState { from: Some(window.from()), until: Some(window.until()), ..BackfillState::default() };
        let mut known = self.lock();
        let backfill = known.backfills.entry(backfill_name(entity, window)).or_insert_with(new);
        backfill.done_until = backfill.done_until.max(Some(reached));
    }

    fn change(&self, entity: &str, change: impl FnOnce(&mut EntityState)) {
        change(self.lock().entities.entry(entity.to_owned()).or_default());
    }

    /// The last move of records that was followed.
    pub(super) fn moved(&self, entity: &str) -> Option<DateTime<Utc>> {
        self.entity(entity)?.moved
    }

    /// Takes note that the moves up to this one were followed.
    pub(super) async fn followed(&self, entity: &str, moved: DateTime<Utc>) {
        self.change(entity, |state| state.moved = state.moved.max(Some(moved)));
        self.save().await;
    }

    /// The last delete told by another table that was followed.
    pub(super) fn deletes_told(&self, entity: &str) -> Option<DateTime<Utc>> {
        self.entity(entity)?.deletes_told
    }

    /// Takes note that the deletes told up to this one were followed.
    pub(super) async fn deletes_followed(&self, entity: &str, last: DateTime<Utc>) {
        self.change(entity, |state| state.deletes_told = state.deletes_told.max(Some(last)));
        self.save().await;
    }

    /// Writes what is known.
    pub(super) async fn save(&self) {
        self.save_to(&mut *self.file.lock().await).await;
    }

    async fn save_to(&self, file: &mut StateFile) {
        let state = self.lock().clone();
        match file.save(&state).await {
            Ok(merged) => {
                let mut known = self.lock();
                *known = std::mem::take(&mut *known).merge(merged);
            }
            Err(error) => tracing::warn!(%error, "the state file was not written; the tables know their cursors"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn backfill_name(entity: &str, window: &Window) -> String {
    format!("{entity} {window}")
}
