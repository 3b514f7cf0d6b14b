//! One run of the program: what goes wrong for it, and whether it is still alive.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use super::source::Change;
use super::store::StoreFault;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestFault {
    /// The connection breaks.
    Cut,
    /// The service fails.
    Fails,
    /// There were too many requests.
    Throttled,
    /// The answer breaks off, and does not say so.
    Truncated,
    /// Nothing comes.
    Hangs,
    /// The service fails from now on.
    Outage,
    /// The process dies.
    Dies,
}

/// What happens to one run, by the numbers of its requests and of the operations by which it changes something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) requests: BTreeMap<u64, RequestFault>,
    pub(super) store: BTreeMap<u64, StoreFault>,
    /// The reading of an object of this class fails at this number: that of a process has no order, but that of one object.
    pub(super) reads: BTreeMap<u64, u32>,
    /// Minutes for which the process stands still before it stores a file of messages.
    pub(super) stands: u32,
    /// What happens at the source meanwhile.
    pub(super) changes: BTreeMap<u64, Change>,
}

/// A running program.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) fate: Fate,
    requests: AtomicU64,
    changes: AtomicU64,
    reads: Mutex<HashMap<String, u32>>,
    dead: AtomicBool,
    died: Notify,
}

impl Process {
    pub(super) fn new(fate: Fate) -> Self {
        Self { fate, ..Self::default() }
    }

    pub(super) fn next_change(&self) -> Option<StoreFault> {
        self.fate.store.get(&self.changes.fetch_add(1, Ordering::AcqRel)).copied()
    }

    /// Whether this reading of an object fails.
    pub(super) fn fails_to_read(&self, path: &str) -> bool {
        if self.fate.reads.is_empty() {
            return false;
        }
        let mut reads = self.reads.lock().unwrap();
        let number = reads.entry(path.to_owned()).or_default();
        *number += 1;
        self.fate.reads.get(&class(path)) == Some(&(*number - 1))
    }

    /// What goes wrong with this request: its own fault, or an outage that has begun.
    pub(super) fn fault(&self, number: u64) -> Option<RequestFault> {
        let mut former = self.fate.requests.range(..number);
        let outage = former.any(|(_, fault)| *fault == RequestFault::Outage).then_some(RequestFault::Outage);
        self.fate.requests.get(&number).copied().or(outage)
    }

    pub(super) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::AcqRel)
    }

    /// How many requests, and how many changes, there were.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Acquire), self.changes.load(Ordering::Acquire))
    }

    pub(super) fn die(&self) {
        self.dead.store(true, Ordering::Release);
        self.died.notify_one();
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    pub(super) async fn death(&self) {
        self.died.notified().await;
    }
}

/// So many classes of objects.
pub(super) const CLASSES: u64 = 32;

/// The class of an object. Names of data files are drawn at random, so that all of a table are of one class.
fn class(path: &str) -> u64 {
    let table = path.split('/').take(2).collect::<Vec<_>>().join("/");
    let known = if path.ends_with(".parquet") { &table } else { path };
    known.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))) % CLASSES
}
