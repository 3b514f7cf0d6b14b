//! Work that blocks or computes for long, off the threads that answer to the network.
//!
//! The rule: nothing else in the program starts such work, so that whoever owns the clock knows whether any is under way: a
//! simulation lets no time pass until it is done. Within such work, columns are shared out among all processors, by a library
//! that has as many threads as there are.

use std::sync::atomic::{AtomicUsize, Ordering};

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// The work broke off: it panicked, or the runtime ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted;

/// Counts from the start of the work until its outcome was taken, or nobody waits for it any more.
struct Waiting;

impl Waiting {
    fn begin() -> Self {
        UNDER_WAY.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Does the work on a thread of its own, and waits for it.
///
/// # Errors
/// [`Aborted`].
pub async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Aborted> {
    let _waiting = Waiting::begin();
    tokio::task::spawn_blocking(work).await.map_err(|_| Aborted)
}

/// How much work of this process is waited for.
#[must_use]
pub fn under_way() -> usize {
    UNDER_WAY.load(Ordering::Acquire)
}
