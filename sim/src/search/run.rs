//! Finds the records of one page, and counts them all.
//!
//! Rule: a filter on one time, sorted by that time, is answered by position alone; everything else scans the narrower
//! of the two time ranges. Both ways give the same answer.

use super::attributes::Field;
use super::query::{Clause, Direction, Fact, Query, SortKey, Span, Test};
use crate::context::Context;
use crate::rng::mix;
use crate::world::World;
use crate::world::order::{Key, Order};
use crate::world::record::{ORPHAN, Record, modified_at, redacted_at};
use crate::world::store::{Times, View};

/// How equal values are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ties {
    Stable,
    /// At random, differently for each number.
    Random(u64),
    /// By the second key of the query.
    SecondKey,
}

/// Where and how a query is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) world: &'a World,
    pub(crate) context: Context,
    pub(crate) view: View,
    pub(crate) times: &'a Times,
    /// Which `updatedAt` this search covers at all.
    pub(crate) covers: Span,
    pub(crate) with_deleted: bool,
    pub(crate) ties: Ties,
}

/// A page of results.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) total: usize,
    pub(crate) ords: Vec<u32>,
}

/// Runs the query and takes `limit` records after the first `offset`.
pub(crate) fn run(scope: &Scope<'_>, query: &Query, offset: usize, limit: usize) -> Found {
    let sort = query.sort.first().copied();
    let sort = sort.unwrap_or(SortKey { field: Field::Updated, direction: Direction::Descending });
    let updated = span_of(&query.all, Field::Updated).and(scope.covers);
    let created = span_of(&query.all, Field::Created);
    let order = scope.times.updated.choose(scope.with_deleted);
    if sort.field == Field::Updated && only_ranges_of(query, Field::Updated) {
        let positions = (order.rank(updated.from), order.rank(updated.until));
        return by_position(scope, query, order, positions, sort, offset, limit);
    }
    let by_created = scope.times.created.choose(scope.with_deleted);
    let width = |order: &Order, span: Span| order.rank(span.until).saturating_sub(order.rank(span.from));
    let (order, span) =
        if width(by_created, created) < width(order, updated) { (by_created, created) } else { (order, updated) };
    let context = scope.context;
    let matcher = Matcher { scope, query, updated };
    let mut keys: Vec<Key> = order
        .range(order.rank(span.from), order.rank(span.until))
        .filter_map(|(_, ord)| {
            let record = scope.world.store(context).get(scope.view, ord)?;
            matcher.matches(ord, &record).then(|| (value(scope, context, sort.field, ord, &record), ord))
        })
        .collect();
    arrange(scope, query, sort, &mut keys);
    let total = keys.len();
    Found { total, ords: keys.into_iter().skip(offset).take(limit).map(|(_, ord)| ord).collect() }
}

fn by_position(
    scope: &Scope<'_>,
    query: &Query,
    order: &Order,
    (low, high): (usize, usize),
    sort: SortKey,
    offset: usize,
    limit: usize,
) -> Found {
    let total = high.saturating_sub(low);
    let (skip, end) = (offset.min(total), offset.saturating_add(limit).min(total));
    let (mut from, mut until) = match sort.direction {
        Direction::Ascending => (low + skip, low + end),
        Direction::Descending => (low + total - end, low + total - skip),
    };
    if scope.ties == Ties::Stable {
        let mut ords: Vec<u32> = order.range(from, until).map(|(_, ord)| ord).collect();
        if sort.direction == Direction::Descending {
            ords.reverse();
        }
        return Found { total, ords };
    }
    // Equal values may change places across the ends of the page: arrange whole groups, then cut the page out.
    let first = order.range(from, until).next();
    let last = until.checked_sub(1).and_then(|place| order.range(place, until).next());
    let (page_from, page_until, page) = (from, until, end - skip);
    if let (Some((first, _)), Some((last, _)), true) = (first, last, from < until) {
        from = order.rank(first).max(low);
        until = order.rank(last.saturating_add(1)).min(low + total);
    }
    let mut keys: Vec<Key> = order.range(from, until).collect();
    arrange(scope, query, sort, &mut keys);
    let skip = match sort.direction {
        Direction::Ascending => page_from - from,
        Direction::Descending => until - page_until,
    };
    Found { total, ords: keys.into_iter().skip(skip).take(page).map(|(_, ord)| ord).collect() }
}

/// Brings keys into the order of the query.
fn arrange(scope: &Scope<'_>, query: &Query, sort: SortKey, keys: &mut [Key]) {
    match (scope.ties, query.sort.get(1)) {
        (Ties::Random(number), _) => keys.sort_by_cached_key(|(value, ord)| (*value, mix(number ^ u64::from(*ord)))),
        (Ties::SecondKey, Some(second)) => keys.sort_by_cached_key(|(first, ord)| {
            let store = scope.world.store(scope.context);
            let record = store.get(scope.view, *ord);
            let value = record.map_or(0, |record| value(scope, scope.context, second.field, *ord, &record));
            (*first, if second.direction == sort.direction { value } else { value.saturating_neg() }, *ord)
        }),
        (Ties::Stable | Ties::SecondKey, _) => keys.sort_unstable(),
    }
    if sort.direction == Direction::Descending {
        keys.reverse();
    }
}

/// The span that the conditions on a field leave, as far as they are ranges.
fn span_of(clauses: &[Clause], field: Field) -> Span {
    let tests = clauses.iter().filter(|clause| clause.field == field).flat_map(|clause| &clause.tests);
    tests.fold(Span::ALL, |span, test| if let Test::Within(other) = test { span.and(*other) } else { span })
}

fn only_ranges_of(query: &Query, field: Field) -> bool {
    let plain =
        |clause: &Clause| clause.field == field && clause.tests.iter().all(|test| matches!(test, Test::Within(_)));
    query.any.is_empty() && query.none.is_empty() && query.all.iter().all(plain)
}

fn customer_of(scope: &Scope<'_>, context: Context, record: &Record) -> Option<u32> {
    let customer = match context {
        Context::Conversation => record.parent,
        _ => scope.world.store(Context::Conversation).get(scope.view, record.parent)?.parent,
    };
    (customer != ORPHAN).then_some(customer)
}

fn fact(scope: &Scope<'_>, context: Context, field: Field, ord: u32, record: &Record) -> Fact<(Context, u32)> {
    let store = scope.world.store(context);
    match field {
        Field::Updated => Fact::Time(Some(record.updated)),
        Field::Created => Fact::Time(Some(record.created)),
        Field::Modified => Fact::Time(modified_at(context, record, store.salt(ord))),
        Field::Imported => Fact::Time(record.imported_at()),
        Field::RedactedAt => Fact::Time(redacted_at(context, record, store.salt(ord))),
        Field::Redacted => Fact::Flag(redacted_at(context, record, store.salt(ord)).is_some()),
        Field::Deleted => Fact::Flag(!record.is_live()),
        Field::Id => Fact::Id(Some((context, ord))),
        Field::Customer => Fact::Id(customer_of(scope, context, record).map(|ord| (Context::Customer, ord))),
        Field::Conversation => Fact::Id((record.parent != ORPHAN).then_some((Context::Conversation, record.parent))),
        Field::Company => Fact::Id(None),
    }
}

/// What a record is sorted by.
fn value(scope: &Scope<'_>, context: Context, field: Field, ord: u32, record: &Record) -> i64 {
    match field {
        Field::Customer => customer_of(scope, context, record).map_or(i64::MAX, i64::from),
        Field::Conversation => i64::from(record.parent),
        Field::Id => crate::world::ids::sort_key(record.id_second, ord),
        _ => match fact(scope, context, field, ord, record) {
            Fact::Time(time) => time.unwrap_or(i64::MAX),
            Fact::Flag(flag) => i64::from(flag),
            Fact::Id(_) => 0,
        },
    }
}

struct Matcher<'a> {
    scope: &'a Scope<'a>,
    query: &'a Query,
    updated: Span,
}

impl Matcher<'_> {
    fn matches(&self, ord: u32, record: &Record) -> bool {
        let holds = |clause: &Clause| self.holds(clause, ord, record);
        self.updated.holds(record.updated) && self.query.admits(holds)
    }

    fn holds(&self, clause: &Clause, ord: u32, record: &Record) -> bool {
        let fact = fact(self.scope, self.scope.context, clause.field, ord, record);
        let named = |(context, ord): &(Context, u32), ids: &[String]| {
            let store = self.scope.world.store(*context);
            ids.iter().any(|id| store.find(id) == Some(*ord))
        };
        clause.tests.iter().all(|test| fact.passes(test, named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Target;
    use crate::switches::Lagging;
    use crate::world::WorldSpec;
    use crate::world::backlog::Lag;
    use proptest::prelude::*;

    const NOW: i64 = 1_793_491_200_000;

    fn world() -> World {
        let mut world = World::new(&WorldSpec { messages: 400, ..WorldSpec::default() }, NOW);
        drop(world.tie(Context::Message, 150, NOW - 5_000, NOW));
        world.index_due(NOW, Lag { by: 0, of: Lagging::default() });
        world
    }

    /// A condition that every record meets and that position alone cannot answer.
    fn scanned(query: &Query) -> Query {
        let mut query = query.clone();
        query.all.push(Clause { field: Field::Created, tests: vec![Test::Within(Span::ALL)] });
        query
    }

    fn ties() -> impl Strategy<Value = Ties> {
        prop_oneof![Just(Ties::Stable), any::<u64>().prop_map(Ties::Random), Just(Ties::SecondKey)]
    }

    fn direction() -> impl Strategy<Value = Direction> {
        prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn position_and_scan_give_the_same_page(
            days in (0_i64..1_200, 0_i64..1_200),
            ties in ties(),
            directions in (direction(), direction()),
            with_deleted: bool,
            page in (0_usize..450, 1_usize..90),
        ) {
            let world = world();
            let day = 86_400_000;
            let span = Span { from: NOW - days.0.max(days.1) * day, until: NOW - days.0.min(days.1) * day };
            let query = Query {
                target: Target::Records(Context::Message),
                all: vec![Clause { field: Field::Updated, tests: vec![Test::Within(span)] }],
                any: Vec::new(),
                none: Vec::new(),
                with_deleted,
                sort: vec![
                    SortKey { field: Field::Updated, direction: directions.0 },
                    SortKey { field: Field::Created, direction: directions.1 },
                ],
            };
            let times = &world.store(Context::Message).indexed;
            let scope = Scope {
                world: &world,
                context: Context::Message,
                view: View::Index,
                times,
                covers: Span::ALL,
                with_deleted,
                ties,
            };
            let quick = run(&scope, &query, page.0, page.1);
            let slow = run(&scope, &scanned(&query), page.0, page.1);
            prop_assert_eq!(quick.total, slow.total);
            prop_assert_eq!(quick.ords, slow.ords);
        }
    }
}
