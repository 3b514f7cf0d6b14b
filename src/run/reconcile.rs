//! Comparing a table with its source, and taking up what is found: deletes that no other signal told, and whatever else
//! the table does not have as the source has it.
//!
//! The rule: a row goes only when the source itself says of this very record that it is gone; that it was not listed is a
//! reason to ask, and no more. And nothing goes where so much is suspected that a mistake is likelier.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;

use super::census::{Closeness, Differences, Survey};
use super::entity::{Load, Loaded};
use super::error::EntityError;
use super::family::Family;
use super::progress::Counted;
use super::reading::given_to;
use super::report::{Compared, Skip, Skipped};
use super::tables::TableHome;
use super::under_way::UnderWay;
use crate::api::{ApiError, Pages, Path, Record, Request};
use crate::catalog::{Access, SystemColumn};
use crate::extract::{Known, WalkError};
use crate::lake::Table;
use crate::resource::Resource;
use crate::table::GivenValues;
use crate::window::Window;

/// What becomes of the differences that a comparison finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// They are told.
    None,
    /// They are told, and the table gets what the source has.
    All,
}

/// What the source says of the records of rows that were not found.
#[derive(Default)]
pub(super) struct Confirmed {
    /// They are gone for good.
    gone: BTreeSet<String>,
    /// They are marked as deleted, which search does not show.
    deleted: BTreeSet<String>,
    /// As they are now.
    records: Vec<Record>,
}

/// What the source says of one record.
enum Answer {
    Gone,
    There(Vec<Record>),
    Unconfirmed,
}

impl Load<'_> {
    /// Compares the table with its source when that is due; nothing, if it is not.
    pub(super) async fn reconcile(&self) -> Result<Option<Loaded>, EntityError> {
        let (name, every) = (self.job.entity.name.as_str(), self.shared.config.source.reconcile.every);
        if !self.job.entity.access.searches() || !self.shared.state.reconcile_is_due(name, every) {
            return Ok(None);
        }
        let home = TableHome::find(self.shared.lake, name).await?;
        let Some(table) = home.table() else { return Ok(None) };
        if self.is_fresh(table).await? {
            self.shared.state.reconciled(name).await;
            return Ok(None);
        }
        let compared = self.compare(&home, table, Closeness::Deletes, Repair::All).await?;
        if compared.as_ref().is_some_and(|loaded| loaded.error.is_none()) {
            self.shared.state.reconciled(name).await;
        }
        Ok(compared)
    }

    /// Compares the table with its source as closely as counting can; nothing, if it is not searched or not there.
    pub(super) async fn verify(&self, repair: Repair) -> Result<Option<Loaded>, EntityError> {
        let home = TableHome::find(self.shared.lake, self.job.entity.name.as_str()).await?;
        let Some(table) = home.table() else { return Ok(None) };
        self.compare(&home, table, Closeness::Everything, repair).await
    }

    /// Whether every row was read in this run: then there is nothing to compare yet.
    async fn is_fresh(&self, table: &Table) -> Result<bool, EntityError> {
        let settle = TimeDelta::from_std(self.shared.config.source.settle).unwrap_or(TimeDelta::MAX);
        let began = self.shared.until.checked_add_signed(settle);
        let oldest = table.oldest(SystemColumn::ExtractedAt.name()).await?;
        Ok(oldest.zip(began).is_none_or(|(oldest, began)| oldest >= began))
    }

    async fn compare(
        &self,
        home: &TableHome,
        table: &Table,
        closeness: Closeness,
        repair: Repair,
    ) -> Result<Option<Loaded>, EntityError> {
        let Some(window) = complete(self.known(home, &self.job.entity).await?) else { return Ok(None) };
        let pages = Counted { pages: self.shared.pages, progress: self.progress };
        let Some(survey) = Survey::begin(self, table, window, &pages).await? else { return Ok(None) };
        let (family, _) = self.open(self.job, &pages).await?;
        let (mut under_way, mut compared) = (self.under_way(family, None), Compared::default());
        let UnderWay { family, skipped, .. } = &mut under_way;
        let result = async {
            let taking = (repair == Repair::All).then_some(&mut *family);
            let differences = survey.differences(closeness, taking).await?;
            let confirmed = self.confirm(&differences.absent, &pages, skipped).await?;
            compared = told(&differences, &confirmed);
            if repair == Repair::All {
                self.mend(family, confirmed).await?;
            }
            // Counted only now, when as many rows are marked as should be.
            let (personal, table) = (family.loader.personal(), family.loader.table().await?);
            let forgotten = self.forgotten(&table, window, &personal, &pages).await?;
            let confirmed = self.confirm(&forgotten, &pages, skipped).await?;
            compared.add_gone(&confirmed.gone);
            if repair == Repair::All {
                self.mend(family, confirmed).await?;
            }
            Ok(())
        };
        let result: Result<(), EntityError> = result.await;
        let mut loaded = under_way.end(result);
        if let Some((_, report)) = loaded.reports.first_mut().filter(|_| loaded.error.is_none()) {
            report.compared = Some(compared);
        }
        Ok(Some(loaded))
    }

    /// Takes records that were read before, and commits when it has many.
    pub(super) async fn take_again(&self, family: &mut Family, records: Vec<Resource>) -> Result<(), EntityError> {
        family.loader.take(records, self.shared.time.now()).await?;
        if family.loader.is_full() {
            self.flush(family, None).await?;
        }
        Ok(())
    }

    /// Asks for each of these records by its id.
    pub(super) async fn confirm(
        &self,
        absent: &BTreeSet<String>,
        pages: &Counted<'_>,
        skipped: &mut Skipped,
    ) -> Result<Confirmed, EntityError> {
        let asked = futures::stream::iter(absent)
            .map(|id| async move { Ok::<_, EntityError>((id, self.ask(id, pages).await?)) });
        let mut answers = std::pin::pin!(asked.buffered(self.shared.config.source.concurrency));
        let mut confirmed = Confirmed::default();
        while let Some(answer) = answers.next().await {
            match answer? {
                (id, Answer::Gone) => drop(confirmed.gone.insert(id.clone())),
                (id, Answer::There(records)) => {
                    if records.iter().any(|record| record.deleted) {
                        confirmed.deleted.insert(id.clone());
                    }
                    confirmed.records.extend(records);
                }
                (_, Answer::Unconfirmed) => skipped.count(Skip::Unconfirmed),
            }
        }
        Ok(confirmed)
    }

    async fn ask(&self, id: &str, pages: &Counted<'_>) -> Result<Answer, EntityError> {
        let Access::Search { record: Some(path), klass, .. } = &self.job.entity.access else {
            return Ok(Answer::Unconfirmed);
        };
        let klass = klass.as_deref().map(|klass| ("klass", klass));
        let gaps: Vec<_> = klass.into_iter().chain([("id", id)]).collect();
        let Ok(path) = Path::expand(path, &gaps) else { return Ok(Answer::Unconfirmed) };
        match pages.page(&Request::ById(path)).await {
            Ok(page) => {
                let is_asked = |record: &Record| record.id.as_ref().is_some_and(|own| own.as_str() == id);
                let records: Vec<_> = page.records.into_iter().filter(is_asked).collect();
                Ok(if records.is_empty() { Answer::Unconfirmed } else { Answer::There(records) })
            }
            Err(ApiError::NotFound(_)) => Ok(Answer::Gone),
            // Search may show what reading by id does not permit; whether it is gone, then nobody can say.
            Err(ApiError::Forbidden(_) | ApiError::Rejected(_)) => Ok(Answer::Unconfirmed),
            Err(error) => Err(WalkError::from(error).into()),
        }
    }

    /// Gives the table what the source has.
    pub(super) async fn mend(&self, family: &mut Family, confirmed: Confirmed) -> Result<(), EntityError> {
        let nothing = GivenValues::default();
        let records = confirmed.records.into_iter().map(|record| given_to(record.resource, &nothing)).collect();
        self.take_again(family, records).await?;
        self.flush(family, None).await?;
        self.purge(family, confirmed.gone).await
    }
}

/// The window in which the table has everything that the source has.
fn complete(known: Known) -> Option<Window> {
    Window::new(known.start.unwrap_or(DateTime::<Utc>::UNIX_EPOCH), known.cursor?)
}

fn told(differences: &Differences, confirmed: &Confirmed) -> Compared {
    let Differences { rows, missing, outdated, .. } = differences;
    let outdated: BTreeSet<_> = outdated.union(&confirmed.deleted).cloned().collect();
    let all = missing.iter().chain(&outdated).chain(&confirmed.gone);
    Compared {
        rows: *rows,
        missing: missing.len() as u64,
        outdated: outdated.len() as u64,
        gone: confirmed.gone.len() as u64,
        ids: all.take(Compared::MOST_IDS).cloned().collect(),
    }
}
