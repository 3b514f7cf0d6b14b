//! The search over whole resources: companies and KObjects.
//!
//! Rule: a query means the same here as over compact records; only the finding is simpler, for there are few.

use super::attributes::Field;
use super::query::{Clause, Direction, Fact, Query, SortKey, Span};
use super::run::{Found, Ties};
use crate::rng::mix;
use crate::shelf::Version;
use crate::timestamp;

/// Where and how a query is run.
#[derive(Debug)]
pub(crate) struct Shelved<'a> {
    /// What the index shows.
    pub(crate) versions: Vec<&'a Version>,
    /// Which `updatedAt` this search covers at all.
    pub(crate) covers: Span,
    pub(crate) with_deleted: bool,
    pub(crate) ties: Ties,
}

/// Runs the query and takes `limit` resources after the first `offset`; they are told by their place among the versions.
pub(crate) fn run(scope: &Shelved<'_>, query: &Query, offset: usize, limit: usize) -> Found {
    let first = query.sort.first().copied();
    let first = first.unwrap_or(SortKey { field: Field::Updated, direction: Direction::Descending });
    let second = query.sort.get(1);
    let mut keys: Vec<(i64, i64, u32)> = (0_u32..)
        .zip(&scope.versions)
        .filter(|(_, version)| matches(scope, query, version))
        .map(|(place, version)| {
            let tie = match (scope.ties, second) {
                (Ties::Random(number), _) => mix(number ^ u64::from(place)).cast_signed(),
                (Ties::SecondKey, Some(second)) => {
                    let value = value(version, second.field);
                    if second.direction == first.direction { value } else { value.saturating_neg() }
                }
                (Ties::Stable | Ties::SecondKey, _) => 0,
            };
            (value(version, first.field), tie, place)
        })
        .collect();
    keys.sort_unstable();
    if first.direction == Direction::Descending {
        keys.reverse();
    }
    Found { total: keys.len(), ords: keys.into_iter().skip(offset).take(limit).map(|(.., place)| place).collect() }
}

fn time(version: &Version, name: &str) -> Option<i64> {
    timestamp::parse(version.attribute(name)?.as_str()?)
}

fn fact(version: &Version, field: Field) -> Fact<&str> {
    match field {
        Field::Updated => Fact::Time(Some(version.stem.updated)),
        Field::Created => Fact::Time(time(version, "createdAt")),
        Field::Modified => Fact::Time(time(version, "modifiedAt")),
        Field::Imported => Fact::Time(time(version, "importedAt")),
        Field::Deleted => Fact::Flag(version.stem.deleted.is_some()),
        Field::Id => Fact::Id(Some(&version.stem.id)),
        Field::Customer => Fact::Id(version.related("customer")),
        Field::Company => Fact::Id(version.related("company")),
        Field::Conversation => Fact::Id(None),
        Field::RedactedAt => Fact::Time(None),
        Field::Redacted => Fact::Flag(false),
    }
}

/// What a resource is sorted by.
fn value(version: &Version, field: Field) -> i64 {
    match fact(version, field) {
        Fact::Time(time) => time.unwrap_or(i64::MAX),
        Fact::Flag(flag) => i64::from(flag),
        Fact::Id(_) => 0,
    }
}

fn matches(scope: &Shelved<'_>, query: &Query, version: &Version) -> bool {
    let holds = |clause: &Clause| {
        let fact = fact(version, clause.field);
        let named = |id: &&str, ids: &[String]| ids.iter().any(|other| other == id);
        clause.tests.iter().all(|test| fact.passes(test, named))
    };
    (scope.with_deleted || version.stem.deleted.is_none())
        && scope.covers.holds(version.stem.updated)
        && query.admits(holds)
}
