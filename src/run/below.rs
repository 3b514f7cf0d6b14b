//! Lists below records: read for each record that changed since they were last read.
//!
//! The rule: which records changed is told by their own table, where a row that changed is later than
//! every row before it (`instants`). So nothing is asked again for a record that did not change,
//! nothing is forgotten when a run ends early, and a table that begins to exist begins with every
//! record there is.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::StreamExt;

use super::changed::{Changed, Record, Since};
use super::custom::Attributes;
use super::entity::{Goal, Load, Loaded};
use super::error::EntityError;
use super::family::Family;
use super::instants;
use super::loader::{Loader, deletes};
use super::progress::Counted;
use super::reading::{batch, is_absent};
use super::report::{Skip, Skipped};
use super::start::Start;
use super::tables::{Reached, TableHome, cursor_id};
use crate::api::Pages;
use crate::catalog::{Absent, Access, EntityName, Given, ListSource, PARENT_COLUMN, ToldBy};
use crate::extract::{Known, Walk};
use crate::resource::Resource;
use crate::table::{GivenValues, Replaced};
use crate::window::Window;

/// Records below which is read before that is committed, at most: little is read again after an interruption.
const MOST_PARENTS: usize = 5_000;

/// What an entity below another one is read by.
struct Below<'a> {
    teller: Teller<'a>,
    lists: &'a [ListSource],
    page_size: u32,
    absent: Absent,
}

/// A table whose changes tell below which records to read.
#[derive(Clone, Copy)]
struct Teller<'a> {
    entity: &'a str,
    /// The column with the ids of those records.
    column: &'a str,
}

/// What was collected since the last commit.
#[derive(Default)]
struct Collected {
    parents: BTreeSet<String>,
    /// The instant up to which every changed record has been read below.
    reached: Option<DateTime<Utc>>,
}

impl Load<'_> {
    /// Reads and commits what is below the records that changed; failing is part of the report.
    pub(super) async fn run_below(&self) -> Result<Loaded, EntityError> {
        let Access::PerParent { lists, page_size, absent, .. } = &self.job.entity.access else {
            return Err(EntityError::Broken(self.job.entity.name.clone()));
        };
        let below = Below { teller: self.teller(), lists, page_size: *page_size, absent: *absent };
        let name = self.job.entity.name.as_str();
        let home = TableHome::find(self.shared.lake, name).await?;
        if home.table().is_none() {
            self.shared.state.forget(name).await;
        }
        let since = self.since(&home).await?;
        let family = Family { loader: self.below_loader(home)?, elements: Vec::new() };
        let mut under_way = self.under_way(family, None);
        let result = self.read_below(&below, since, &mut under_way.family.loader, &mut under_way.skipped).await;
        Ok(under_way.end(result.map_err(|error| self.naming_roles(error))))
    }

    /// What takes up the records that are below others.
    pub(super) fn below_loader(&self, home: TableHome) -> Result<Loader, EntityError> {
        let start = Start::new(DateTime::UNIX_EPOCH, Known::default());
        let hash_key = self.shared.config.hash_key.as_ref();
        Loader::new(self.job, home, start, Attributes::default(), hash_key, self.note(), self.shared.part_rows)
    }

    /// Whose changes tell below which records to read.
    fn teller(&self) -> Teller<'_> {
        match &self.job.entity.access {
            Access::PerParent { told_by: Some(ToldBy { entity, column }), .. } => {
                Teller { entity: entity.as_str(), column }
            }
            access => Teller { entity: access.parent().map_or("", EntityName::as_str), column: "id" },
        }
    }

    /// How many records changed since they were last read below.
    pub(super) async fn changed_parents(&self) -> Result<u64, EntityError> {
        let teller = self.teller();
        let home = TableHome::find(self.shared.lake, self.job.entity.name.as_str()).await?;
        let since = self.since(&home).await?;
        let tellers = TableHome::find(self.shared.lake, teller.entity).await?;
        match tellers.table() {
            Some(tellers) => Changed::in_table(tellers, teller.column).await?.count(since).await,
            None => Ok(0),
        }
    }

    /// From which change on records are read below.
    async fn since(&self, home: &TableHome) -> Result<Since, EntityError> {
        let known = match self.shared.goal {
            Goal::FullRefresh => None,
            Goal::Changes | Goal::Backfill(_) => {
                let name = self.job.entity.name.as_str();
                let log = home.committed(&cursor_id()).await?;
                log.max(self.shared.state.cursor(name)).filter(|_| home.table().is_some())
            }
        };
        Ok(known.map_or(Since::Ever, Since::After))
    }

    async fn read_below(
        &self,
        below: &Below<'_>,
        mut since: Since,
        loader: &mut Loader,
        skipped: &mut Skipped,
    ) -> Result<(), EntityError> {
        let home = TableHome::find(self.shared.lake, below.teller.entity).await?;
        let Some(table) = home.table() else {
            let (entity, parent) = (self.job.entity.name.clone(), below.teller.entity.to_owned());
            return Err(EntityError::NoParents { entity, parent });
        };
        let changed = Changed::in_table(table, below.teller.column).await?;
        self.progress.reading_until(changed.newest());
        let mut collected = Collected::default();
        loop {
            let records = changed.next(since).await?;
            let Some(last) = records.last() else { break };
            since = Since::After(last.at);
            // What is read now shows every change up to now: once is enough.
            let mut seen = HashSet::new();
            let once: Vec<_> = records.iter().filter(|record| seen.insert(record.id.as_str())).cloned().collect();
            let read = self.read_records(below, &once, loader, &mut collected, skipped).await;
            if read.is_ok() {
                collected.reached = Some(last.at);
            }
            if let Err(error) = read {
                // What was read before is not read again.
                self.commit_below(below, loader, &mut collected).await?;
                return Err(error);
            }
        }
        self.commit_below(below, loader, &mut collected).await?;
        if loader.create().await? {
            self.show(loader.home.table()).await;
        }
        if let Since::After(instant) = since {
            loader.commit_first_progress(&reached(instant)).await?;
        }
        let rows = loader.home.rows().await?;
        self.shared.state.completed(loader.name(), false, rows).await;
        Ok(())
    }

    /// Reads below these records, some at once, and takes what is found in their order.
    async fn read_records(
        &self,
        below: &Below<'_>,
        records: &[Record],
        loader: &mut Loader,
        collected: &mut Collected,
        skipped: &mut Skipped,
    ) -> Result<(), EntityError> {
        let pages = Counted { pages: self.shared.pages, progress: self.progress };
        let at_once = self.shared.config.source.concurrency;
        let read = futures::stream::iter(records).map(|record| self.below_one(below, &record.id, &pages));
        let mut read = std::pin::pin!(read.buffered(at_once));
        let mut rest = records.iter().peekable();
        while let (Some(record), Some(found)) = (rest.next(), read.next().await) {
            match found? {
                Found::Records(texts) => {
                    loader.take(texts, self.shared.time.now()).await?;
                    collected.parents.insert(record.id.clone());
                }
                Found::Gone => skipped.count(Skip::Gone),
            }
            // Others may have changed at the same instant.
            if rest.peek().is_none_or(|next| next.at > record.at) {
                collected.reached = Some(record.at);
                self.progress.reached(record.at);
            }
            if loader.is_full() || collected.parents.len() >= MOST_PARENTS {
                self.commit_below(below, loader, collected).await?;
            }
        }
        Ok(())
    }

    async fn below_one(&self, below: &Below<'_>, id: &str, pages: &dyn Pages) -> Result<Found, EntityError> {
        let Some(window) = Window::new(DateTime::UNIX_EPOCH, self.shared.until) else { return Ok(Found::Gone) };
        let mut walk = Walk::below(below.lists, below.page_size, id, window)?;
        let given = GivenValues::default().text(Given::ParentId, id);
        let mut texts = Vec::new();
        loop {
            match walk.next(pages).await {
                Ok(Some(read)) => texts.extend(batch(read, &given).records),
                Ok(None) => return Ok(Found::Records(texts)),
                // It was deleted since its row was read; its own entity will tell.
                Err(error) if is_absent(&error) => return Ok(Found::Gone),
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn commit_below(
        &self,
        below: &Below<'_>,
        loader: &mut Loader,
        collected: &mut Collected,
    ) -> Result<(), EntityError> {
        let Collected { parents, reached: instant } = std::mem::take(collected);
        let reached = instant.map(reached);
        let replaced = (below.absent == Absent::Deleted).then(|| Replaced {
            column: PARENT_COLUMN.to_owned(),
            parents: Arc::new(parents),
            surplus: deletes(self.job).into(),
            at: instants::stored(self.shared.time.now()),
        });
        let before = loader.home.version();
        loader.flush(reached.as_ref(), replaced.as_ref()).await?;
        if loader.home.version() != before {
            self.show(loader.home.table()).await;
        }
        if let Some(instant) = instant {
            self.shared.state.reached(loader.name(), instant, DateTime::UNIX_EPOCH);
            self.shared.state.save().await;
        }
        Ok(())
    }
}

/// What was found below one record.
enum Found {
    Records(Vec<Resource>),
    /// The record itself is gone.
    Gone,
}

fn reached(instant: DateTime<Utc>) -> Reached {
    Reached { id: cursor_id(), instant, moves_start: false }
}
