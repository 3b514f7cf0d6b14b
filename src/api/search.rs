//! Searches: what is looked for, in which index, and how that is written (API reference, section 9).
//!
//! The rule: a search says everything that its answer depends on, so the same value asked twice
//! means the same question. Instants are sent complete, with milliseconds and in UTC.

use std::fmt::{self, Display};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

/// A search; its answer is sorted by `sort_by`, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Which of the two indexes is asked.
    pub index: Index,
    /// The `queryContext`: `conversation`, `kobject_order`, ….
    pub context: String,
    /// Criteria that must all hold.
    pub all: Vec<Criterion>,
    /// Criteria of which none may hold.
    pub none: Vec<Criterion>,
    /// The attribute to sort by.
    pub sort_by: String,
    /// Page number, from 1 to at most 100.
    pub page: u32,
    /// Records a page, at most 500.
    pub page_size: u32,
    /// How much of each record comes back.
    pub content: Content,
    /// Whether records that are softly deleted come back too.
    pub deleted: Deleted,
    /// Whether the answer's total must be exact.
    pub total: Total,
}

/// The index that a search reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Records updated in the last two years.
    Live,
    /// Records that were not.
    Archive,
}

/// How much of each found record an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The complete resource.
    Full,
    /// Its id.
    IdsOnly,
}

/// Whether softly deleted records are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// They are.
    Included,
    /// They are not.
    Excluded,
}

/// What a search's `meta.total` is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// Whatever is cheapest for the index.
    Hint,
    /// An exact count (`trackTotalHits`).
    Exact,
}

/// A condition on one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// The search attribute: `conversation_updated_at`.
    pub attribute: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub operand: Operand,
}

/// A comparison of the search API (section 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Equal to the text or instant.
    Equals,
    /// Not equal to it.
    NotEquals,
    /// Equal to one of the texts.
    In,
    /// Later or greater.
    Gt,
    /// Not earlier or less.
    Gte,
    /// Earlier or less.
    Lt,
    /// Not later or greater.
    Lte,
}

/// What an attribute is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A point in time, sent with milliseconds in UTC (section 9.4).
    Instant(DateTime<Utc>),
    /// A text, such as an id.
    Text(String),
    /// Several texts, for [`Operator::In`].
    Texts(Vec<String>),
}

pub(super) const SEARCH: &str = "/v1/customers/search";
pub(super) const ARCHIVE_SEARCH: &str = "/v1/customers/archive/search";

impl Search {
    pub(super) fn target(&self) -> String {
        let path = match self.index {
            Index::Live => SEARCH,
            Index::Archive => ARCHIVE_SEARCH,
        };
        let mut query = Serializer::new(String::new());
        query.append_pair("page", &self.page.to_string()).append_pair("pageSize", &self.page_size.to_string());
        if self.content == Content::IdsOnly {
            query.append_pair("idsOnly", "true");
        }
        if self.total == Total::Exact {
            query.append_pair("trackTotalHits", "true");
        }
        format!("{path}?{}", query.finish())
    }

    pub(super) fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("queryContext".into(), json!(self.context));
        body.insert("includeDeleted".into(), json!(self.deleted == Deleted::Included));
        body.insert("timeZone".into(), json!("GMT"));
        for (name, criteria) in [("and", &self.all), ("not", &self.none)] {
            if !criteria.is_empty() {
                body.insert(name.into(), criteria.iter().map(Criterion::body).collect());
            }
        }
        body.insert("sort".into(), json!([{ self.sort_by.as_str(): "asc" }]));
        Value::Object(body)
    }
}

impl Criterion {
    /// `attribute >= instant` and its like.
    #[must_use]
    pub fn instant(attribute: &str, operator: Operator, instant: DateTime<Utc>) -> Self {
        Self { attribute: attribute.to_owned(), operator, operand: Operand::Instant(instant) }
    }

    fn body(&self) -> Value {
        let operand = match &self.operand {
            Operand::Instant(instant) => json!(render(instant)),
            Operand::Text(text) => json!(text),
            Operand::Texts(texts) => json!(texts),
        };
        json!({ self.attribute.as_str(): { self.operator.name(): operand } })
    }
}

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::NotEquals => "not_equals",
            Self::In => "in",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
        }
    }
}

fn render(instant: &DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        for (index, criterion) in self.all.iter().enumerate() {
            write!(f, "{} {criterion}", if index == 0 { " where" } else { " and" })?;
        }
        for criterion in &self.none {
            write!(f, " and not {criterion}")?;
        }
        Ok(())
    }
}

impl Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.attribute, self.operator.name())?;
        match &self.operand {
            Operand::Instant(instant) => f.write_str(&render(instant)),
            Operand::Text(text) => write!(f, "{text:?}"),
            Operand::Texts(texts) => write!(f, "{} values", texts.len()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::{TimeDelta, TimeZone};

    use super::*;

    pub(in crate::api) fn search() -> Search {
        let at = |minute| Utc.with_ymd_and_hms(2026, 10, 21, 14, minute, 0).unwrap() + TimeDelta::milliseconds(118);
        Search {
            index: Index::Live,
            context: "conversation".into(),
            all: vec![
                Criterion::instant("conversation_updated_at", Operator::Gte, at(5)),
                Criterion::instant("conversation_updated_at", Operator::Lt, at(9)),
            ],
            none: Vec::new(),
            sort_by: "conversation_updated_at".into(),
            page: 2,
            page_size: 500,
            content: Content::Full,
            deleted: Deleted::Included,
            total: Total::Hint,
        }
    }

    #[test]
    fn messages_show_what_was_asked_but_no_list_of_ids() {
        let several = Criterion {
            attribute: "message_customer_id".into(),
            operator: Operator::In,
            operand: Operand::Texts(vec!["5f84".into(), "5f85".into()]),
        };
        let search = Search { none: vec![several], ..search() };
        insta::assert_snapshot!(search.to_string(), @"conversation where conversation_updated_at gte 2026-10-21T14:05:00.118Z and conversation_updated_at lt 2026-10-21T14:09:00.118Z and not message_customer_id in 2 values");
    }
}
