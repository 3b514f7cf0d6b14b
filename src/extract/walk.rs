//! What all walks have in common: what they give, how they fail, and the choice between them.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::aside::Aside;
use super::list::{ListWalk, Scope};
use super::log::LogWalk;
use super::plan::{Place, Step};
use super::search::{PAGE_SIZE, SearchWalk, Subject};
use crate::api::{ApiError, Criterion, Deleted, Index, InvalidPath, Operand, Operator, Pages, Record};
use crate::catalog::{Access, History, ListSource};
use crate::window::Window;

/// Records that were read, and how far that completes the window.
#[derive(Debug)]
pub struct Read {
    /// New records, in no particular order. A record may come again when it changed meanwhile.
    pub records: Vec<Record>,
    /// What the way to each of these records tells of it; empty where it tells nothing of any.
    pub asides: Vec<Aside>,
    /// Every record of the window that was updated before this instant has been given.
    pub reached: DateTime<Utc>,
}

impl Read {
    pub(super) const fn new(records: Vec<Record>, reached: DateTime<Utc>) -> Self {
        Self { records, asides: Vec::new(), reached }
    }
}

/// A walk that cannot be complete.
#[derive(Debug, Error)]
pub enum WalkError {
    /// A request failed for good; the error says what to do.
    #[error("{0}")]
    Api(#[from] ApiError),
    /// More records share one instant than any query gives, and nothing tells them apart.
    #[error(
        "{context} {window}: {} records share updated_at and cannot be told apart by created_at or parent, while a \
         query gives {ceiling} at most; nothing of this window was skipped, and the entity stays where it was. \
         Update some of these records in Kustomer, or begin after them with start_date",
        total.map_or_else(|| "too many".to_owned(), |total| total.to_string())
    )]
    Unreadable {
        /// Search context.
        context: String,
        /// The window of the tie.
        window: Window,
        /// How many, when the service says so.
        total: Option<u64>,
        /// Most records that one query gives.
        ceiling: u64,
    },
    /// The service neither gives a next page nor says that there is none.
    #[error(
        "{place} {window}: the answers go on without new records or without an end; the walk was given up rather than taken for complete"
    )]
    NoEnd {
        /// Search context or list path.
        place: String,
        /// The window that was being read.
        window: Window,
    },
    /// The answer does not follow the order that the walk depends on.
    #[error(
        "{context} {window}: the search did not sort by updated_at, so that nothing read from it can be known to be complete"
    )]
    Unsorted {
        /// Search context.
        context: String,
        /// The window that was being read.
        window: Window,
    },
    /// A full page of records, none of which tells when it was updated.
    #[error(
        "{context} {window}: a full page of records has no usable updatedAt, so that the walk cannot go on from it"
    )]
    Undated {
        /// Search context.
        context: String,
        /// The window that was being read.
        window: Window,
    },
    /// An entity that is not read by a walk of its own.
    #[error("this entity is not read by itself; this is an error of kustlake, please report it")]
    Unresolved,
    /// A path of the catalogue that is no path.
    #[error("the catalogue names a path that cannot be requested: {0}")]
    Path(#[from] InvalidPath),
}

/// The reading of one step of a plan.
#[derive(Debug)]
pub enum Walk {
    /// By search.
    Search(SearchWalk),
    /// By page lists.
    List(ListWalk),
    /// By a log of immutable entries.
    Log(LogWalk),
}

/// How many records a step has, where the source counts them, and how many requests reading it takes at least.
///
/// # Errors
/// The source could not be asked.
pub async fn count(access: &Access, step: &Step, pages: &dyn Pages) -> Result<(Option<u64>, u64), WalkError> {
    let (Access::Search { context, .. }, Place::Live | Place::Archive) = (access, step.place) else {
        let lists = match access {
            Access::Lists { lists, .. } => lists.len() as u64,
            Access::Search { .. } | Access::Klasses { .. } | Access::Log { .. } | Access::Metadata { .. } => 1,
            Access::PerParent { .. } | Access::Elements { .. } => 0,
        };
        return Ok((None, lists));
    };
    let index = if step.place == Place::Live { Index::Live } else { Index::Archive };
    let subject = Subject { index, context: context.clone(), parent: None, only: None };
    let total = pages.page(&subject.count(&step.window, Deleted::Included)).await?.total;
    // Each page repeats the last record of the page before it.
    let fresh = u64::from(PAGE_SIZE) - 1;
    Ok((total, total.map_or(1, |total| total.div_ceil(fresh).max(1))))
}

impl Walk {
    /// Begins to read a step.
    ///
    /// # Errors
    /// A path of the catalogue that is no path.
    pub fn begin(access: &Access, step: &Step) -> Result<Self, WalkError> {
        Ok(match (access, step.place) {
            (Access::Search { context, parent, .. }, Place::Live | Place::Archive) => {
                let index = if step.place == Place::Live { Index::Live } else { Index::Archive };
                let subject = Subject { index, context: context.clone(), parent: parent.clone(), only: None };
                Self::Search(SearchWalk::new(subject, step.window))
            }
            (Access::Search { history: History::List { path, page_size }, .. }, Place::List) => {
                let list = ListSource { path: path.clone(), ..ListSource::default() };
                Self::List(ListWalk::new(&[list], *page_size, step.window, Scope::Window)?)
            }
            (Access::Search { context, history: History::Archive, .. }, Place::List) => {
                let subject = Subject { index: Index::Archive, context: context.clone(), parent: None, only: None };
                Self::Search(SearchWalk::new(subject, step.window))
            }
            (Access::Lists { lists, page_size, .. }, _) => {
                Self::List(ListWalk::new(lists, *page_size, step.window, Scope::Whole)?)
            }
            (Access::Log { path, page_size }, _) => Self::Log(LogWalk::new(path, *page_size, step.window)?),
            (
                Access::Klasses { .. } | Access::PerParent { .. } | Access::Elements { .. } | Access::Metadata { .. },
                _,
            ) => return Err(WalkError::Unresolved),
        })
    }

    /// Begins to read what an index of the search holds of one parent, which `attribute` names.
    pub fn of_parent(context: &str, index: Index, attribute: &str, id: &str, window: Window) -> Self {
        let only = Criterion {
            attribute: attribute.to_owned(),
            operator: Operator::Equals,
            operand: Operand::Text(id.to_owned()),
        };
        let subject = Subject { index, context: context.to_owned(), parent: None, only: Some(only) };
        Self::Search(SearchWalk::new(subject, window))
    }

    /// Begins to read what `lists` hold of one record: its id stands for `{id}` in their paths.
    ///
    /// # Errors
    /// A path that is none, an id that cannot be part of one.
    pub fn below(lists: &[ListSource], page_size: u32, id: &str, window: Window) -> Result<Self, WalkError> {
        Ok(Self::List(ListWalk::below(lists, page_size, id, window)?))
    }

    /// Reads on; `None` after the stated end.
    ///
    /// # Errors
    /// The walk cannot be complete.
    pub async fn next(&mut self, pages: &dyn Pages) -> Result<Option<Read>, WalkError> {
        match self {
            Self::Search(walk) => walk.next(pages).await,
            Self::List(walk) => walk.next(pages).await,
            Self::Log(walk) => walk.next(pages).await,
        }
    }
}
