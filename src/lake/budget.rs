//! What the last minute's requests have taken of the source's budgets, kept for the next run.
//!
//! The rule: it is a courtesy to the source; a run that cannot read or write it goes on without. How old it is, is
//! judged by the clock of the store alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::LakeError;
use super::lease::store_time;
use super::names::OWN_FOLDER;
use super::store::Lake;
use super::versioned::Versioned;

/// By the name of a budget: how many requests still count for how many seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpentBudget {
    /// The budgets by name; of each, seconds and requests.
    pub budgets: BTreeMap<String, BTreeMap<u64, u64>>,
    /// The organisation's requests a minute, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl SpentBudget {
    /// Adds the requests of a budget; each counts for that long.
    pub fn add(&mut self, budget: &str, rests: &[Duration]) {
        let seconds = self.budgets.entry(budget.to_owned()).or_default();
        for rest in rests {
            // Rounded up: rather too long than too short.
            *seconds.entry(rest.as_secs() + u64::from(rest.subsec_nanos() > 0)).or_default() += 1;
        }
    }

    /// The requests of a budget that still count, as how long each of them does.
    #[must_use]
    pub fn rests(&self, budget: &str) -> Vec<Duration> {
        let seconds = self.budgets.get(budget).into_iter().flatten();
        let rest = |(seconds, count): (&u64, &u64)| {
            std::iter::repeat_n(Duration::from_secs(*seconds), usize::try_from(*count).unwrap_or_default())
        };
        seconds.flat_map(rest).collect()
    }

    /// What is left of it after so long.
    #[must_use]
    fn after(self, passed: Duration) -> Self {
        let passed = passed.as_secs();
        let later = |(seconds, count): (u64, u64)| Some((seconds.checked_sub(passed).filter(|left| *left > 0)?, count));
        let budgets =
            self.budgets.into_iter().map(|(name, rests)| (name, rests.into_iter().filter_map(later).collect()));
        Self { budgets: budgets.collect(), limit: self.limit }
    }

    /// Whether nothing counts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.budgets.values().all(BTreeMap::is_empty)
    }
}

impl Lake {
    /// What a former run has spent and what still counts of it; nothing when nothing usable is stored.
    ///
    /// # Errors
    /// [`LakeError::Unusable`].
    pub async fn spent_budget(&self) -> Result<SpentBudget, LakeError> {
        let object = Versioned::new(Arc::clone(self.store()), self.object(&format!("{OWN_FOLDER}/budget.json"))?);
        let Some(stored) = object.load().await? else { return Ok(SpentBudget::default()) };
        let spent: SpentBudget = serde_json::from_slice(&stored.content).unwrap_or_default();
        let passed = store_time(self).await? - stored.modified;
        Ok(spent.after(passed.to_std().unwrap_or_default()))
    }

    /// Keeps what was spent.
    ///
    /// # Errors
    /// [`LakeError::Unusable`].
    pub async fn keep_budget(&self, spent: &SpentBudget) -> Result<(), LakeError> {
        let text = serde_json::to_string(spent).map_err(|error| LakeError::Internal(error.to_string()))?;
        self.put(&format!("{OWN_FOLDER}/budget.json"), text).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::testing::memory;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_spent_is_kept_for_a_minute() {
        let lake = memory();
        assert!(lake.spent_budget().await.unwrap().is_empty());
        let mut spent = SpentBudget::default();
        spent.add("search", &[Duration::from_millis(60_500), Duration::from_secs(61), Duration::from_secs(20)]);
        lake.keep_budget(&spent).await.unwrap();
        let kept = lake.spent_budget().await.unwrap().rests("search");
        assert!(kept.len() == 3 && kept[2] <= Duration::from_secs(61) && kept[2] > Duration::from_secs(50), "{kept:?}");
        let later = spent.after(Duration::from_secs(30)).rests("search");
        assert_eq!(later, [Duration::from_secs(31), Duration::from_secs(31)]);
        lake.put("_kustlake/budget.json", "[".to_owned()).await.unwrap();
        assert!(lake.spent_budget().await.unwrap().is_empty());
    }
}
