//! Reading a group of equal timestamps that is larger than a page.
//!
//! The rule: the group is split into parts that do not overlap and together are the group, until each
//! part is one page that states its end. A single page is taken at one instant, so that neither a
//! random order among equals nor records that move can hide anything. Parts are cut by `created_at`,
//! then by parent; a part that neither cuts is read page by page, again and again, until its distinct
//! records are as many as the service counts. What is still too large is an error, never skipped.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};

use super::search::{Given, PAGE_SIZE, Subject};
use super::walk::WalkError;
use crate::api::{Criterion, Operand, Operator, Page, Pages, Record, RecordId, text_at};
use crate::window::{Precision, Window};

/// Most records that one query gives, as far as is known (API reference, section 9.5).
const CEILING: u64 = 10_000;
/// How often a part that nothing cuts is read before it counts as unreadable.
const MOST_PASSES: u32 = 40;

/// The reading of one group of equal timestamps.
#[derive(Debug)]
pub(super) struct Tie {
    context: String,
    precision: Precision,
    window: Window,
    parts: Vec<Part>,
}

/// A part of the group: conditions beside the instant.
#[derive(Debug, Clone, Default)]
struct Part {
    created_from: Option<DateTime<Utc>>,
    created_until: Option<DateTime<Utc>>,
    parents: Option<BTreeSet<String>>,
    no_parents: BTreeSet<String>,
    passes: Option<Passes>,
}

/// The repeated reading of a part that nothing cuts.
#[derive(Debug, Clone)]
struct Passes {
    pass: u32,
    page: u32,
    total: Option<u64>,
    ids: HashSet<RecordId>,
}

impl Tie {
    pub(super) fn new(context: String, precision: Precision, instant: DateTime<Utc>) -> Self {
        Self { context, precision, window: precision.window(instant), parts: vec![Part::default()] }
    }

    /// The instant as a window, as wide as the index is precise.
    pub(super) const fn window(&self) -> Window {
        self.window
    }

    pub(super) const fn precision(&self) -> Precision {
        self.precision
    }

    /// Reads one more page of the group; `None` when all parts are complete.
    pub(super) async fn next(
        &mut self,
        pages: &dyn Pages,
        subject: &Subject,
        given: &mut Given,
    ) -> Result<Option<Vec<Record>>, WalkError> {
        let Some(part) = self.parts.pop() else { return Ok(None) };
        let mut all = subject.range("updated_at", self.window.from(), self.window.until()).to_vec();
        let none = part.criteria(subject, &mut all);
        let number = part.passes.as_ref().map_or(1, |passes| passes.page);
        let page = pages.page(&subject.query(all, none, number)).await?;
        if self.is_finer_than_the_index(&part, &page) {
            *self = Self::new(self.context.clone(), Precision::Second, self.window.from());
            return Ok(Some(Vec::new()));
        }
        let total = page.total;
        match part.passes.clone() {
            Some(passes) => self.go_on(part, passes, &page)?,
            None if page.next.is_end() => {}
            None => match part.cut(subject, self.precision, &page.records) {
                Some(parts) => self.parts.extend(parts),
                None if total.is_some_and(|total| total > CEILING) => return Err(self.unreadable(total)),
                None => {
                    let passes = Passes { pass: 1, page: 1, total: None, ids: HashSet::new() };
                    self.go_on(part, passes, &page)?;
                }
            },
        }
        Ok(Some(given.fresh(page.records)))
    }

    /// A group of one millisecond that is empty although a page was full of it: the index knows seconds only.
    fn is_finer_than_the_index(&self, part: &Part, page: &Page) -> bool {
        let whole = part.created_from.is_none() && part.created_until.is_none() && part.parents.is_none();
        self.precision == Precision::Millisecond && whole && page.records.is_empty() && page.next.is_end()
    }

    /// Takes a page of a part that is read repeatedly, and puts the part back unless it is complete.
    fn go_on(&mut self, mut part: Part, mut passes: Passes, page: &Page) -> Result<(), WalkError> {
        if passes.page == 1 {
            passes.total = page.total;
        }
        // A total that changes while we count would let a record that left make up for one that was not seen.
        let steady = passes.total.is_some() && passes.total == page.total;
        passes.ids.extend(page.records.iter().filter_map(|record| record.id.clone()));
        let counted = u64::try_from(passes.ids.len()).unwrap_or(u64::MAX);
        let at_end = page.next.is_end() || page.records.is_empty();
        if at_end && steady && passes.total == Some(counted) {
            return Ok(());
        }
        if !at_end && u64::from(passes.page + 1) * u64::from(PAGE_SIZE) <= CEILING {
            passes.page += 1;
        } else if !at_end || passes.pass >= MOST_PASSES {
            return Err(self.unreadable(page.total));
        } else {
            passes.pass += 1;
            passes.page = 1;
            if !steady {
                passes.ids.clear();
            }
        }
        part.passes = Some(passes);
        self.parts.push(part);
        Ok(())
    }

    fn unreadable(&self, total: Option<u64>) -> WalkError {
        WalkError::Unreadable { context: self.context.clone(), window: self.window, total, ceiling: CEILING }
    }
}

impl Part {
    /// Adds the conditions that must hold to `all` and returns those that must not.
    fn criteria(&self, subject: &Subject, all: &mut Vec<Criterion>) -> Vec<Criterion> {
        let created = subject.attribute("created_at");
        all.extend(self.created_from.map(|from| Criterion::instant(&created, Operator::Gte, from)));
        all.extend(self.created_until.map(|until| Criterion::instant(&created, Operator::Lt, until)));
        let Some(parent) = &subject.parent else { return Vec::new() };
        let among = |ids: &BTreeSet<String>| Criterion {
            attribute: parent.clone(),
            operator: Operator::In,
            operand: Operand::Texts(ids.iter().cloned().collect()),
        };
        all.extend(self.parents.as_ref().map(among));
        if self.no_parents.is_empty() { Vec::new() } else { vec![among(&self.no_parents)] }
    }

    /// Parts that together are this one, each smaller; `None` when nothing tells the sample apart.
    fn cut(&self, subject: &Subject, precision: Precision, sample: &[Record]) -> Option<Vec<Self>> {
        self.cut_by_created(precision, sample).or_else(|| self.cut_by_parent(subject, sample))
    }

    fn cut_by_created(&self, precision: Precision, sample: &[Record]) -> Option<Vec<Self>> {
        // A date outside what was asked for tells nothing about the index, which found the record by another one.
        let asked = |instant: &DateTime<Utc>| {
            self.created_from.is_none_or(|from| from <= *instant)
                && self.created_until.is_none_or(|until| *instant < until)
        };
        let created = sample.iter().filter_map(|record| record.created_at).map(|instant| precision.floor(instant));
        let mut created: Vec<_> = created.filter(asked).collect();
        created.sort_unstable();
        let first = *created.first()?;
        let middle = created.get(created.len() / 2).copied().filter(|middle| *middle > first);
        if let Some(cut) = middle.or_else(|| created.iter().copied().find(|instant| *instant > first)) {
            let before = Self { created_until: Some(cut), ..self.clone() };
            let after = Self { created_from: Some(cut), ..self.clone() };
            return Some(vec![after, before]);
        }
        let next = precision.window(first).until();
        if self.created_from == Some(first) && self.created_until == Some(next) {
            return None;
        }
        // All of the sample were created at one instant: that one apart, and what lies on both sides of it.
        let before = Self { created_until: Some(first), ..self.clone() };
        let at = Self { created_from: Some(first), created_until: Some(next), ..self.clone() };
        let after = Self { created_from: Some(next), ..self.clone() };
        Some(vec![after, before, at])
    }

    fn cut_by_parent(&self, subject: &Subject, sample: &[Record]) -> Option<Vec<Self>> {
        let relationship = relationship(subject.parent.as_deref()?, &subject.context)?;
        let seen = sample.iter().filter_map(|record| parent(record, &relationship));
        // A parent that was asked for as absent tells nothing: the index knows another one for this record.
        let seen: BTreeSet<String> = seen.filter(|parent| !self.no_parents.contains(parent)).collect();
        let half = seen.len().div_ceil(2);
        let some: BTreeSet<_> = seen.iter().take(half).cloned().collect();
        if some.is_empty() || self.parents.as_ref() == Some(&some) {
            return None;
        }
        let others: BTreeSet<_> = seen.iter().skip(half).cloned().collect();
        let of = |parents: BTreeSet<String>| Self { parents: Some(parents), ..self.clone() };
        let rest = match &self.parents {
            Some(all) => {
                let unseen: BTreeSet<_> = all.difference(&seen).cloned().collect();
                (!unseen.is_empty()).then(|| of(unseen))
            }
            None => Some(Self { no_parents: self.no_parents.union(&seen).cloned().collect(), ..self.clone() }),
        };
        Some(rest.into_iter().chain((!others.is_empty()).then(|| of(others))).chain([of(some)]).collect())
    }
}

/// `message_customer_id` of context `message` names the relationship `customer`.
fn relationship(attribute: &str, context: &str) -> Option<String> {
    let name = attribute.strip_prefix(context)?.strip_prefix('_')?;
    Some(name.strip_suffix("_id")?.to_owned())
}

fn parent(record: &Record, relationship: &str) -> Option<String> {
    text_at(&record.resource, &["relationships", relationship, "data", "id"])
}
