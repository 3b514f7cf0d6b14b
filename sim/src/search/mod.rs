//! The search: which attributes there are, what a query means, which records it finds.

mod attributes;
mod query;
mod run;
mod shelved;

pub(crate) use self::attributes::{Field, Reach, Target};
pub use self::query::Precision;
pub(crate) use self::query::{Clause, Direction, Query, Refusal, SortKey, Span, Test, read, span};
pub(crate) use self::run::{Found, Scope, Ties, run};
pub(crate) use self::shelved::{Shelved, run as run_shelved};
