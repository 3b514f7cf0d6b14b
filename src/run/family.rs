//! A table and the tables of the elements of its records, which are filled from one reading.
//!
//! The rule: the elements in a table are those of the newest known version of their record, all of
//! them. So they follow the table of the records: what it refuses as old changes no element, and
//! before elements are committed, that table is looked at once more. A run that ends between two
//! commits leaves the cursor of the later table behind, and the reading goes on from the earliest.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::error::EntityError;
use super::flushed::{Attempt, Committed, Flushed};
use super::instants;
use super::loader::{Loader, MOST_CONFLICTS};
use super::matching::texts;
use super::tables::Reached;
use crate::catalog::Access;
use crate::lake::Table;
use crate::table::{Explosion, Replaced, Surplus};

/// Records whose elements are taken apart at once.
const RECORDS_AT_ONCE: usize = 8192;

/// A table and the tables of the elements of its records.
pub(super) struct Family {
    pub(super) loader: Loader,
    pub(super) elements: Vec<Elements>,
}

/// The table of the elements of the records of another one.
pub(super) struct Elements {
    explosion: Explosion,
    /// The column of the records whose value is given to the elements.
    parent_key: String,
    /// The column of the elements that holds it.
    column: String,
    known: Agreement,
    pub(super) family: Family,
}

/// Whether elements of records that did not change are known to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    /// They were committed together with the present records.
    Sure,
    /// The table is behind, or another run commits too: they are looked at again.
    Open,
}

impl Elements {
    /// The elements that the job of `family` describes, of records with this key; none if it describes none.
    pub(super) fn new(family: Family, record_key: &str, known: Agreement) -> Option<Self> {
        let Access::Elements { of, shape, parent_key, .. } = &family.loader.job.entity.access else { return None };
        let parent_key = parent_key.clone().unwrap_or_else(|| record_key.to_owned());
        let column = family.loader.job.entity.key.first()?.clone();
        let explosion = Explosion::new(of, shape, &parent_key);
        Some(Self { explosion, parent_key, column, known, family })
    }
}

impl Family {
    /// Both the table and those of the elements, in this order.
    pub(super) fn loaders(&self) -> Vec<&Loader> {
        let elements = self.elements.iter().flat_map(|elements| elements.family.loaders());
        std::iter::once(&self.loader).chain(elements).collect()
    }

    /// The same, to be changed one after the other.
    pub(super) fn loaders_mut(&mut self) -> Vec<&mut Loader> {
        let elements = self.elements.iter_mut().flat_map(|elements| elements.family.loaders_mut());
        std::iter::once(&mut self.loader).chain(elements).collect()
    }

    /// Where the id of a record stands: in its own table, if it has a key, and in those of its elements.
    pub(super) fn places(&mut self) -> Vec<(String, &mut Loader)> {
        let key = self.loader.job.entity.key.first().cloned();
        let own = key.map(|key| (key, &mut self.loader));
        let elements = self.elements.iter_mut().map(|elements| (elements.column.clone(), &mut elements.family.loader));
        own.into_iter().chain(elements).collect()
    }

    /// Commits what was collected, the elements after their records.
    pub(super) fn flush<'a>(
        &'a mut self,
        reached: Option<&'a Reached>,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<(), EntityError>> {
        async move {
            let flushed = self.loader.flush(reached, None).await?;
            for elements in &mut self.elements {
                if self.loader.takes_parts() {
                    elements.follow(&self.loader, &flushed, reached, now).await?;
                } else {
                    elements.replace(&flushed, reached, now).await?;
                }
            }
            Ok(())
        }
        .boxed()
    }
}

impl Elements {
    /// Replaces all elements by those of a snapshot of the records.
    async fn replace(
        &mut self,
        flushed: &Flushed,
        reached: Option<&Reached>,
        now: DateTime<Utc>,
    ) -> Result<(), EntityError> {
        let rows: Vec<u64> = (0..flushed.incoming.num_rows() as u64).collect();
        self.collect(flushed, &rows, now).await?;
        self.family.flush(reached, now).await
    }

    /// Replaces the elements of the records that were flushed, as far as these are the newest known.
    async fn follow(
        &mut self,
        records: &Loader,
        flushed: &Flushed,
        reached: Option<&Reached>,
        now: DateTime<Utc>,
    ) -> Result<(), EntityError> {
        if flushed.committed == Committed::AfterOthers {
            self.known = Agreement::Open;
        }
        if self.known == Agreement::Sure && flushed.outcomes.changed.is_empty() {
            return Ok(());
        }
        let (mut seen, mut outcomes) = (flushed.table.clone(), flushed.outcomes.clone());
        for _ in 0..MOST_CONFLICTS {
            // Read before the records' table is looked at: whoever commits elements in between makes a conflict.
            let table = self.family.loader.table().await?;
            let newest = seen.refresh().await?;
            if newest.version() != seen.version() {
                outcomes.stale = records.stale_in(&newest, &flushed.incoming).await?;
                (seen, self.known) = (newest, Agreement::Open);
            }
            let rows = match self.known {
                Agreement::Sure => outcomes.changed.clone(),
                Agreement::Open => outcomes.not_stale(flushed.incoming.num_rows()),
            };
            if rows.is_empty() {
                return Ok(());
            }
            self.collect(flushed, &rows, now).await?;
            if self.attempt(&table, flushed, &rows, reached, now).await? {
                return Ok(());
            }
        }
        Err(self.family.loader.crowded())
    }

    async fn attempt(
        &mut self,
        table: &Table,
        flushed: &Flushed,
        rows: &[u64],
        reached: Option<&Reached>,
        now: DateTime<Utc>,
    ) -> Result<bool, EntityError> {
        let parents = texts(&flushed.incoming, &self.parent_key, rows.iter().copied());
        let replaced = Replaced {
            column: self.column.clone(),
            parents: Arc::new(parents),
            surplus: Surplus::Removed,
            at: instants::stored(now),
        };
        let incoming = self.family.loader.newest().await?;
        let attempt = self.family.loader.commit(table, &incoming, reached, Some(&replaced)).await?;
        Ok(!matches!(attempt, Attempt::Conflict))
    }

    /// Takes the elements of these rows.
    async fn collect(&mut self, flushed: &Flushed, rows: &[u64], now: DateTime<Utc>) -> Result<(), EntityError> {
        for rows in rows.chunks(RECORDS_AT_ONCE) {
            let rows = rows.iter().filter_map(|row| usize::try_from(*row).ok());
            let found = self.explosion.records(&flushed.incoming, rows);
            let found = found
                .map_err(|error| self.family.loader.table_error(error))?
                .map(|text| Bytes::from(text).into())
                .collect();
            self.family.loader.take(found, now).await?;
        }
        Ok(())
    }
}
