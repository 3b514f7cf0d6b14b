//! The budgets of the source over several runs: what one has spent in the last minute, the next one counts.
//!
//! The rule: two runs in one minute stay within the share together. Of a run that was killed, up to
//! [`KEEP_EVERY`] is not known; nothing else about a run depends on it.

use std::time::Duration;

use crate::api::{Client, Spent};
use crate::lake::{Lake, SpentBudget};

/// How often a run keeps what it has spent.
pub(super) const KEEP_EVERY: Duration = Duration::from_secs(5);

const ORGANISATION: &str = "organisation";
const SEARCH: &str = "search";

/// What a former run has spent of this minute.
pub(super) async fn former(lake: &Lake) -> Spent {
    let spent = lake.spent_budget().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "it is not known what a former run has spent of this minute's requests");
        SpentBudget::default()
    });
    Spent { organisation: spent.rests(ORGANISATION), search: spent.rests(SEARCH), limit: spent.limit }
}

/// Keeps what this run has spent for the next one.
pub(super) async fn keep(lake: &Lake, client: &Client) {
    let Spent { organisation, search, limit } = client.spent();
    let mut spent = SpentBudget { limit, ..SpentBudget::default() };
    spent.add(ORGANISATION, &organisation);
    spent.add(SEARCH, &search);
    if let Err(error) = lake.keep_budget(&spent).await {
        tracing::warn!(%error, "the next run will not know what this one has spent of the last minute's requests");
    }
}
