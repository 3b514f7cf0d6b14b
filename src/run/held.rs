//! What a run holds of the outside, and gives back however it ends.
//!
//! The rule: giving back is bounded: storage that does not answer keeps no process alive, and a lease that is not given
//! back expires.

use std::sync::OnceLock;
use std::time::Duration;

use super::all::Ended;
use super::budget;
use super::error::RunError;
use super::exit::Exit;
use super::shards::Shards;
use crate::api::Client;
use crate::clock::Clock;
use crate::lake::{Lake, Lease};

/// For a run that was asked to stop.
const AT_ONCE: Duration = Duration::from_secs(3);
/// For any other.
const IN_ORDER: Duration = Duration::from_secs(30);

/// What a run holds, as far as it has come.
#[derive(Default)]
pub(super) struct Held {
    /// Of the whole lake.
    pub(super) lease: OnceLock<Lease>,
    /// Of parts of a backfill that other machines share.
    pub(super) shards: Shards,
    pub(super) client: OnceLock<Client>,
}

impl Held {
    /// Keeps what was spent of the source's budgets for the next run, and gives the lease back.
    pub(super) async fn give_back(self, lake: &Lake, clock: &dyn Clock, ended: &Result<Ended, RunError>) {
        let patience = ended.as_ref().map_or(IN_ORDER, |ended| patience(ended.exit));
        let giving_back = async {
            if let Some(client) = self.client.get() {
                budget::keep(lake, client).await;
            }
            if let Some(lease) = self.lease.into_inner() {
                lease.release().await;
            }
            self.shards.release_all().await;
        };
        in_time(clock, patience, giving_back).await;
    }
}

/// How long giving back may take after such an end.
pub(super) const fn patience(exit: Exit) -> Duration {
    match exit {
        Exit::Interrupted | Exit::Terminated => AT_ONCE,
        _ => IN_ORDER,
    }
}

/// Gives back, for so long at the most.
pub(super) async fn in_time(clock: &dyn Clock, patience: Duration, giving_back: impl Future<Output = ()>) {
    tokio::select! {
        () = giving_back => {}
        () = clock.sleep(patience) => tracing::warn!("the storage did not answer in time; the lease will expire"),
    }
}
