//! What every connection shares: world, clock, switches, keys, budgets and books.
//!
//! Rule: no lock is held while another one is waited for, but for the world's, which comes first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::clock::SimClock;
use crate::http::auth::TokenSpec;
use crate::http::budget::Budget;
use crate::stats::Tally;
use crate::switches::Switches;
use crate::world::World;
use crate::world::backlog::Lag;

/// The state of a simulator.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: SimClock,
    world: RwLock<World>,
    switches: RwLock<Switches>,
    tokens: Mutex<Vec<TokenSpec>>,
    org_budget: Mutex<Budget>,
    search_budget: Mutex<Budget>,
    tally: Mutex<Tally>,
    /// API requests since the start.
    pub(crate) requests: AtomicU64,
    /// Searches since the start.
    pub(crate) searches: AtomicU64,
}

/// Counts one more and tells how many there are.
pub(crate) fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(world: World, switches: Switches, clock: SimClock) -> Self {
        Self {
            clock,
            world: RwLock::new(world),
            switches: RwLock::new(switches),
            tokens: Mutex::new(vec![TokenSpec::default()]),
            org_budget: Mutex::default(),
            search_budget: Mutex::default(),
            tally: Mutex::default(),
            requests: AtomicU64::new(0),
            searches: AtomicU64::new(0),
        }
    }

    pub(crate) fn switches(&self) -> Switches {
        *self.switches.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_switches(&self, switches: Switches) {
        *self.switches.write().unwrap_or_else(PoisonError::into_inner) = switches;
    }

    /// The world as it is at this moment, with the index as far as it has come.
    pub(crate) fn world(&self) -> RwLockReadGuard<'_, World> {
        let Switches { index_lag_ms: by, lagging: of, .. } = self.switches();
        let (now, lag) = (self.clock.now(), Lag { by, of });
        let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
        if !world.is_due(now, lag) {
            return world;
        }
        drop(world);
        self.world_mut().index_due(now, lag);
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn world_mut(&self) -> RwLockWriteGuard<'_, World> {
        self.world.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Vec<TokenSpec>> {
        lock(&self.tokens)
    }

    pub(crate) fn org_budget(&self) -> MutexGuard<'_, Budget> {
        lock(&self.org_budget)
    }

    pub(crate) fn search_budget(&self) -> MutexGuard<'_, Budget> {
        lock(&self.search_budget)
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }
}
