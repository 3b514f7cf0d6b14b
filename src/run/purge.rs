//! What the source has forgotten, the tables forget as well.
//!
//! The rule: of a record that is gone for good a tombstone is left, with its key and its times and nothing that may say
//! something about a person; with `deletes: hard`, not even that. So it is with its elements and with what was read below
//! it; only what is history (merges, events, times) stays, without what is personal. Earlier versions of a table hold the
//! former values until the files are removed that only they need.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::entity::Load;
use super::error::EntityError;
use super::family::Family;
use super::instants;
use super::job::Jobs;
use super::loader::Loader;
use super::tables::TableHome;
use crate::catalog::{Absent, Access, PARENT_COLUMN};
use crate::config::Deletes;
use crate::table::{Replaced, Surplus};

/// The ids of records that are gone for good.
type Gone = Arc<BTreeSet<String>>;

impl Load<'_> {
    /// Leaves tombstones of these records and of all that belongs to them, or nothing.
    pub(super) async fn purge(&self, family: &mut Family, gone: BTreeSet<String>) -> Result<(), EntityError> {
        if gone.is_empty() {
            return Ok(());
        }
        let gone = Arc::new(gone);
        for (column, loader) in family.places() {
            self.purge_rows(loader, &column, &gone, Absent::Deleted).await?;
        }
        let below = Jobs::of(&self.shared.config.pipelines, self.shared.catalog).below;
        for job in below.iter().filter(|job| job.entity.access.parent() == Some(&self.job.entity.name)) {
            let Access::PerParent { absent, .. } = job.entity.access else { continue };
            let home = TableHome::find(self.shared.lake, job.entity.name.as_str()).await?;
            if home.table().is_some() {
                let load = Load::new(self.shared, job, self.progress);
                load.purge_rows(&mut load.below_loader(home)?, PARENT_COLUMN, &gone, absent).await?;
            }
        }
        Ok(())
    }

    async fn purge_rows(
        &self,
        loader: &mut Loader,
        column: &str,
        gone: &Gone,
        absent: Absent,
    ) -> Result<(), EntityError> {
        let personal = Arc::new(loader.personal());
        let surplus = match (absent, loader.job.pipeline.deletes) {
            (Absent::Kept, _) => Surplus::Emptied(personal),
            (Absent::Deleted, Deletes::Soft) => Surplus::Purged(personal),
            (Absent::Deleted, Deletes::Hard) => Surplus::Removed,
        };
        let at = instants::stored(self.shared.time.now());
        let replaced = Replaced { column: column.to_owned(), parents: Arc::clone(gone), surplus, at };
        let before = loader.home.version();
        loader.flush(None, Some(&replaced)).await?;
        if loader.home.version() != before {
            self.show(loader.home.table()).await;
        }
        Ok(())
    }
}
