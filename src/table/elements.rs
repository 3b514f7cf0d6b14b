//! Elements of records become records of their own, for tables of their own.
//!
//! The rule: an element's record holds the element's text unchanged, and what its parent gives to it;
//! what is no element (a masked value, a text in place of a list) stays with the parent alone. Which
//! texts the elements are in does not depend on what becomes of the parent's own columns: they are
//! kept beside these, in columns named [`raw_column`], which no table has.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::DateTime;

use super::given::{GivenValues, with_given};
use super::json::{self, JsonText, Member};
use super::order::{TableError, column};
use super::problems::JsonKind;
use crate::catalog::{ElementShape, ElementsOf, Given, SystemColumn};

/// The groups of a set of conditions.
const GROUPS: [&str; 2] = ["and", "or"];
/// What a condition becomes.
const FIELD: &str = "field";
const OPERATOR: &str = "operator";
const VALUE: &str = "value";
/// Holds a condition as a whole, where what else it says has one of the names above.
const ELEMENT: &str = "element";

/// Name of the column of a wide batch that holds the JSON text of all elements.
pub(super) fn raw_column(of: &ElementsOf) -> String {
    match of {
        ElementsOf::Attribute(path) => format!("raw:attributes.{path}"),
        ElementsOf::Relationship(name) => format!("raw:relationships.{name}"),
        ElementsOf::Included => "raw:included".to_owned(),
    }
}

/// How the rows of one table are taken apart for a table of their elements.
#[derive(Debug, Clone)]
pub struct Explosion {
    raw: String,
    shape: ElementShape,
    parent_key: String,
}

impl Explosion {
    /// Takes apart rows of a table that keeps these elements ([`TableSchema::with_elements`](super::TableSchema::with_elements))
    /// and is identified by the text column `parent_key`.
    #[must_use]
    pub fn new(of: &ElementsOf, shape: &ElementShape, parent_key: &str) -> Self {
        Self { raw: raw_column(of), shape: shape.clone(), parent_key: parent_key.to_owned() }
    }

    /// The JSON texts of the elements of the `rows` of `parents`, a wide batch, as records of the table of elements;
    /// in memory are those of one row at a time. An element of a row without `parent_key` is not given one.
    ///
    /// # Errors
    /// A batch that lacks the columns.
    pub fn records<'a>(
        &'a self,
        parents: &'a RecordBatch,
        rows: impl IntoIterator<Item = usize> + 'a,
    ) -> Result<impl Iterator<Item = Vec<u8>> + 'a, TableError> {
        let parents = Parents::new(self, parents)?;
        Ok(rows.into_iter().flat_map(move |row| {
            parents
                .given(row)
                .map_or_else(Vec::new, |given| parents.raw(row).map_or_else(Vec::new, |raw| self.elements(raw, &given)))
        }))
    }

    fn elements(&self, raw: &str, given: &GivenValues) -> Vec<Vec<u8>> {
        let placed = |(position, element)| (element, given.clone().position(position));
        match &self.shape {
            ElementShape::Attributes { bare } => {
                let elements = list(raw).into_iter().enumerate().map(placed);
                elements.map(|(element, given)| record(&attributes(element, bare), &given)).collect()
            }
            ElementShape::Resource => {
                let elements = list(raw).into_iter().enumerate().map(placed);
                let elements = elements.filter(|(element, _)| json::kind(element).is_some());
                elements.map(|(element, given)| with_given(element.as_bytes(), &given)).collect()
            }
            ElementShape::Criteria => {
                let groups = GROUPS.iter().filter_map(|group| Some((group, json::member(raw, group)?)));
                let elements = groups.flat_map(|(group, elements)| {
                    list(elements).into_iter().enumerate().map(move |place| (group, place))
                });
                let elements = elements.map(|(group, place)| (group, placed(place)));
                elements
                    .map(|(group, (element, given))| record(&criterion(element), &given.text(Given::Group, group)))
                    .collect()
            }
        }
    }
}

/// The columns of the parents that matter to their elements.
struct Parents<'a> {
    raw: &'a StringArray,
    key: &'a StringArray,
    deleted: &'a BooleanArray,
    deleted_at: &'a TimestampMicrosecondArray,
}

impl<'a> Parents<'a> {
    fn new(explosion: &Explosion, batch: &'a RecordBatch) -> Result<Self, TableError> {
        Ok(Self {
            raw: typed(batch, &explosion.raw, "a text", |column| column.as_string_opt())?,
            key: typed(batch, &explosion.parent_key, "a text", |column| column.as_string_opt())?,
            deleted: typed(batch, SystemColumn::Deleted.name(), "a boolean", |column| column.as_boolean_opt())?,
            deleted_at: typed(batch, SystemColumn::DeletedAt.name(), "an instant", |column| {
                column.as_primitive_opt::<TimestampMicrosecondType>()
            })?,
        })
    }

    fn raw(&self, row: usize) -> Option<&'a str> {
        self.raw.is_valid(row).then(|| self.raw.value(row))
    }

    /// What the parent gives to all of its elements; none if there is no such row.
    fn given(&self, row: usize) -> Option<GivenValues> {
        if row >= self.key.len() {
            return None;
        }
        let mut given = GivenValues::default();
        if self.key.is_valid(row) {
            given = given.text(Given::ParentId, self.key.value(row));
        }
        if self.deleted.is_valid(row) && self.deleted.value(row) {
            let at = self.deleted_at.is_valid(row).then(|| self.deleted_at.value(row));
            given = given.deleted(at.and_then(DateTime::from_timestamp_micros));
        }
        Some(given)
    }
}

fn typed<'a, T>(
    batch: &'a RecordBatch,
    name: &str,
    expected: &str,
    cast: impl FnOnce(&'a ArrayRef) -> Option<&'a T>,
) -> Result<&'a T, TableError> {
    let column = column(batch, name)?;
    cast(column).ok_or_else(|| TableError::ColumnType {
        column: name.to_owned(),
        found: column.data_type().to_string(),
        expected: expected.to_owned(),
    })
}

/// The JSON texts of the elements: of a list, or of what stands where a list of one could.
fn list(raw: &str) -> Vec<&str> {
    match json::kind(raw) {
        Some(JsonKind::Array) => json::elements(raw).unwrap_or_default(),
        // `{}` means that nothing is set (API reference, section 5.3).
        Some(JsonKind::Object) if !json::is_masked(raw) && !json::is_empty_object(raw) => vec![raw],
        _ => Vec::new(),
    }
}

fn record(attributes: &str, given: &GivenValues) -> Vec<u8> {
    with_given(format!("{{\"attributes\":{attributes}}}").as_bytes(), given)
}

/// The attributes that an element is, as JSON text.
fn attributes(element: &str, bare: &str) -> String {
    match json::kind(element) {
        None => "{}".to_owned(),
        Some(JsonKind::Object) => element.to_owned(),
        Some(_) => {
            let mut attributes = JsonText::object();
            attributes.value(bare, element);
            attributes.end()
        }
    }
}

/// The attributes of a condition `{<field>: {operator, value}}`, as JSON text; what has another form stays as it is.
fn criterion(element: &str) -> String {
    condition(element).unwrap_or_else(|| attributes(element, VALUE))
}

fn condition(element: &str) -> Option<String> {
    let (conditions, mut others): (Vec<_>, Vec<_>) =
        members(element)?.into_iter().partition(|member| is_condition(member.value));
    let (field, more) = conditions.split_first()?;
    others.extend(more);
    let says = |member: &Member<'_>, names: &[&str]| member.name().is_some_and(|name| names.contains(&name.as_ref()));
    let (told, rest): (Vec<_>, Vec<_>) =
        members(field.value)?.into_iter().partition(|member| says(member, &[OPERATOR, VALUE]));
    let mut attributes = JsonText::object();
    attributes.value(FIELD, &format!("\"{}\"", field.key));
    for member in &told {
        attributes.member(member);
    }
    let taken = [FIELD, OPERATOR, VALUE, ELEMENT];
    if others.iter().any(|member| says(member, &taken)) || (!rest.is_empty() && says(field, &taken)) {
        attributes.value(ELEMENT, element);
        return Some(attributes.end());
    }
    for member in &others {
        attributes.member(member);
    }
    if !rest.is_empty() {
        attributes.open(field.key);
        for member in &rest {
            attributes.member(member);
        }
        attributes.close();
    }
    Some(attributes.end())
}

fn is_condition(json: &str) -> bool {
    [OPERATOR, VALUE].iter().any(|name| json::member(json, name).is_some())
}

/// The members of an object; none for anything else.
fn members(json: &str) -> Option<Vec<Member<'_>>> {
    let mut members = Vec::new();
    let read = json::members(json, |member| {
        members.push(member);
        Ok(())
    });
    read.ok().map(|()| members)
}
