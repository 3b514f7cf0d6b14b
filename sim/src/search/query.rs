//! The body of a search, read strictly: what cannot be understood is refused, never ignored.

use serde_json::{Map, Value};

use super::attributes::{Field, Reach, Target, filterable, sortable};
use crate::context::Context;
use crate::timestamp::{self, SECOND};

/// A half-open range of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Span {
    pub(crate) const ALL: Self = Self { from: i64::MIN, until: i64::MAX };

    pub(crate) fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }

    pub(crate) const fn holds(self, value: i64) -> bool {
        self.from <= value && value < self.until
    }
}

/// To what precision instants are compared (API reference, section 9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// To the millisecond.
    #[default]
    Millisecond,
    /// To the second: both sides lose their milliseconds.
    Second,
}

/// One condition on one field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Within(Span),
    Outside(Span),
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    Is(bool),
    Set(bool),
}

/// All conditions on one field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Clause {
    pub(crate) field: Field,
    pub(crate) tests: Vec<Test>,
}

/// Ascending or descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

/// One key of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SortKey {
    pub(crate) field: Field,
    pub(crate) direction: Direction,
}

/// What is searched for.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) target: Target,
    pub(crate) all: Vec<Clause>,
    pub(crate) any: Vec<Clause>,
    pub(crate) none: Vec<Clause>,
    pub(crate) with_deleted: bool,
    pub(crate) sort: Vec<SortKey>,
}

/// A fact about a record; `I` is how the record tells an id.
#[derive(Debug)]
pub(crate) enum Fact<I> {
    Time(Option<i64>),
    Flag(bool),
    Id(Option<I>),
}

impl<I> Fact<I> {
    /// Whether the fact passes the test; `named` tells whether an id is among those of the query.
    pub(crate) fn passes(&self, test: &Test, named: impl Fn(&I, &[String]) -> bool) -> bool {
        match (test, self) {
            (Test::Within(span), Self::Time(Some(time))) => span.holds(*time),
            (Test::Outside(span), Self::Time(time)) => time.is_none_or(|time| !span.holds(time)),
            (Test::Is(wanted), Self::Flag(flag)) => wanted == flag,
            (Test::OneOf(ids), Self::Id(id)) => id.as_ref().is_some_and(|id| named(id, ids)),
            (Test::NoneOf(ids), Self::Id(id)) => !id.as_ref().is_some_and(|id| named(id, ids)),
            (Test::Set(set), Self::Time(time)) => *set == time.is_some(),
            (Test::Set(set), Self::Flag(flag)) => set == flag,
            (Test::Set(set), Self::Id(id)) => *set == id.is_some(),
            _ => false,
        }
    }
}

impl Query {
    /// Whether a record that meets these clauses is one that is searched for.
    pub(crate) fn admits(&self, holds: impl Fn(&Clause) -> bool) -> bool {
        self.all.iter().all(&holds)
            && (self.any.is_empty() || self.any.iter().any(&holds))
            && !self.none.iter().any(&holds)
    }
}

/// What is wrong with a request; the text of the 400.
pub(crate) type Refusal = String;

struct Reader {
    target: Target,
    reach: Reach,
    precision: Precision,
}

/// Reads the body of a search request.
pub(crate) fn read(body: &[u8], reach: Reach, precision: Precision) -> Result<Query, Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON".to_owned())?;
    let Value::Object(body) = body else {
        return Err("the body is not an object".into());
    };
    let known =
        ["queryContext", "includeDeleted", "timeZone", "and", "or", "not", "sort", "fields", "aggs", "searchHash"];
    if let Some(name) = body.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("unknown member {name}"));
    }
    let name = body.get("queryContext").and_then(Value::as_str).ok_or("queryContext is missing")?;
    let target = Target::named(name).ok_or_else(|| format!("unknown queryContext {name}"))?;
    if reach == Reach::Archive && target == Target::Records(Context::Note) {
        return Err("notes are not in the archive".into());
    }
    let with_deleted = match body.get("includeDeleted") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(with_deleted)) => *with_deleted,
        Some(_) => return Err("includeDeleted is not a boolean".into()),
    };
    let reader = Reader { target, reach, precision };
    Ok(Query {
        all: reader.clauses(&body, "and")?,
        any: reader.clauses(&body, "or")?,
        none: reader.clauses(&body, "not")?,
        with_deleted,
        sort: reader.sort(body.get("sort"))?,
        target: reader.target,
    })
}

/// An object or an array of objects, as a list (API reference, section 9.1).
fn objects<'a>(value: Option<&'a Value>, name: &str) -> Result<Vec<&'a Map<String, Value>>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(one)) => Ok(vec![one]),
        Some(Value::Array(many)) => {
            many.iter().map(|item| item.as_object().ok_or_else(|| format!("{name} holds no object"))).collect()
        }
        Some(_) => Err(format!("{name} is neither an object nor an array")),
    }
}

impl Reader {
    fn clauses(&self, body: &Map<String, Value>, name: &str) -> Result<Vec<Clause>, Refusal> {
        let objects = objects(body.get(name), name)?;
        objects.into_iter().flatten().map(|(attribute, tests)| self.clause(attribute, tests)).collect()
    }

    fn clause(&self, attribute: &str, tests: &Value) -> Result<Clause, Refusal> {
        let field = filterable(&self.target, self.reach, attribute)
            .ok_or_else(|| format!("{attribute} cannot be searched here"))?;
        let tests = tests.as_object().ok_or_else(|| format!("{attribute} needs an operator"))?;
        if tests.is_empty() {
            return Err(format!("{attribute} needs an operator"));
        }
        let tests = tests
            .iter()
            .map(|(operator, value)| {
                let test = if field.is_time() {
                    time_test(operator, value, self.precision)
                } else if field.is_flag() {
                    flag_test(operator, value)
                } else {
                    id_test(operator, value)
                };
                test.ok_or_else(|| format!("{attribute}: bad operator or value for {operator}"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Clause { field, tests })
    }

    fn sort(&self, sort: Option<&Value>) -> Result<Vec<SortKey>, Refusal> {
        let entries = objects(sort, "sort")?;
        entries
            .into_iter()
            .flatten()
            .map(|(attribute, direction)| {
                let field = sortable(&self.target, self.reach, attribute)
                    .ok_or_else(|| format!("{attribute} cannot be sorted by here"))?;
                let direction = match direction.as_str() {
                    Some("asc") => Direction::Ascending,
                    Some("desc") => Direction::Descending,
                    _ => return Err(format!("{attribute}: neither asc nor desc")),
                };
                Ok(SortKey { field, direction })
            })
            .collect()
    }
}

/// The span of values that an operator admits; with truncated comparison, whole seconds.
pub(crate) fn span(operator: &str, at: i64, precision: Precision) -> Option<Span> {
    let (at, step) = match precision {
        Precision::Millisecond => (at, 1),
        Precision::Second => (at.div_euclid(SECOND) * SECOND, SECOND),
    };
    Some(match operator {
        "gte" => Span { from: at, ..Span::ALL },
        "gt" => Span { from: at + step, ..Span::ALL },
        "lt" => Span { until: at, ..Span::ALL },
        "lte" => Span { until: at + step, ..Span::ALL },
        "equals" => Span { from: at, until: at + step },
        _ => return None,
    })
}

fn time_test(operator: &str, value: &Value, precision: Precision) -> Option<Test> {
    let instant = || value.as_str().and_then(timestamp::parse);
    match operator {
        "set" => Some(Test::Set(true)),
        "not_set" => Some(Test::Set(false)),
        "not_equals" => span("equals", instant()?, precision).map(Test::Outside),
        _ => span(operator, instant()?, precision).map(Test::Within),
    }
}

fn flag_test(operator: &str, value: &Value) -> Option<Test> {
    match operator {
        "equals" => value.as_bool().map(Test::Is),
        "not_equals" => value.as_bool().map(|flag| Test::Is(!flag)),
        "set" => Some(Test::Set(true)),
        "not_set" => Some(Test::Set(false)),
        _ => None,
    }
}

fn id_test(operator: &str, value: &Value) -> Option<Test> {
    let ids = || match value {
        Value::String(id) => Some(vec![id.clone()]),
        Value::Array(ids) => ids.iter().map(|id| id.as_str().map(str::to_owned)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    match operator {
        "equals" | "in" => ids().map(Test::OneOf),
        "not_equals" => ids().map(Test::NoneOf),
        "set" => Some(Test::Set(true)),
        "not_set" => Some(Test::Set(false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(body: &str) -> Result<Query, Refusal> {
        read(body.as_bytes(), Reach::Recent, Precision::Millisecond)
    }

    #[test]
    fn one_object_means_the_same_as_a_list_of_one() {
        let one = r#"{"queryContext":"message","and":{"message_updated_at":{"gte":"2026-10-01"}}}"#;
        let list = r#"{"queryContext":"message","and":[{"message_updated_at":{"gte":"2026-10-01T00:00:00.000Z"}}]}"#;
        assert_eq!(query(one).unwrap().all, query(list).unwrap().all);
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for body in [
            "[]",
            "{",
            r#"{"and":[]}"#,
            r#"{"queryContext":"user"}"#,
            r#"{"queryContext":"messages"}"#,
            r#"{"queryContext":"message","filter":{}}"#,
            r#"{"queryContext":"message","and":[{"message_deleted":{"equals":true}}]}"#,
            r#"{"queryContext":"message","and":[{"message_updated_at":{"after":"2026-10-01"}}]}"#,
            r#"{"queryContext":"message","and":[{"message_updated_at":{"gte":"soon"}}]}"#,
            r#"{"queryContext":"message","and":[{"message_updated_at":{}}]}"#,
            r#"{"queryContext":"message","sort":[{"message_updated_at":"up"}]}"#,
            r#"{"queryContext":"message","includeDeleted":"yes"}"#,
        ] {
            assert!(query(body).is_err(), "{body}");
        }
    }

    #[test]
    fn truncated_comparison_works_on_whole_seconds() {
        let span = |operator| span(operator, 1_500, Precision::Second).unwrap();
        assert!(span("gte").holds(1_000) && !span("gt").holds(1_999));
        assert!(span("lte").holds(1_999) && !span("lt").holds(1_000));
        assert!(span("equals").holds(1_001));
    }
}
