//! Records become typed rows.
//!
//! The rule: a value is a typed cell, or it is text in `_extra`; an odd value never fails a record
//! and never changes. `null`, absent, and `{}` in place of an object whose members are columns mean
//! the same (API reference, section 5.3), as do `deleted: false` and its absence where only
//! `_deleted` reads it. If a key is repeated in an object, the last one fills the column. Of a
//! relationship only `data` is kept. No depth of nesting below a column is too deep, because values
//! are skipped, not built.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use thiserror::Error;

use super::builder::ColumnBuilder;
use super::gather::Gatherer;
use super::json;
use super::plan::{Fill, Plan};
use super::problems::Problems;
use super::row::Row;
use super::schema::TableSchema;
use crate::catalog::{ColumnType, EntityName, SystemColumn};
use crate::resource::RawResource;

/// Bytes of text for which a column has room from the start, at most.
const MOST_ROOM: usize = 4 * 1024 * 1024;

/// What becomes of attributes that have no column. Relationships and values that do not fit are kept in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownAttributes {
    /// They are kept in `_extra`.
    Extra,
    /// They are dropped, which is the one loss that the configuration can ask for.
    Ignore,
    /// They are an error.
    Fail,
}

/// Records that give no batch at all.
#[derive(Debug, Error)]
pub enum ConvertError {
    /// The text of a record is no JSON, so the page was damaged on its way: read it again.
    #[error("record {record} of the page is no JSON")]
    Malformed {
        /// Its number, from 0.
        record: usize,
    },
    /// An attribute has no column, and [`UnknownAttributes::Fail`] was asked for: change the schema or the configuration.
    #[error("{entity}: attribute {path} has no column (unknown_attributes: fail)")]
    UnknownAttribute {
        /// The entity.
        entity: EntityName,
        /// The dotted path of the attribute.
        path: String,
    },
    /// The records are too large for one batch: convert fewer at once.
    #[error("records of {bytes} bytes are too many for one batch")]
    TooLarge {
        /// Their size.
        bytes: usize,
    },
    /// Arrow refused the columns, which is an error of ours.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// The rows of some records.
#[derive(Debug, Clone)]
pub struct Converted {
    /// One [wide](TableSchema::wide) row for each record that has its key, in the order of the records.
    pub batch: RecordBatch,
    /// What was odd.
    pub problems: Problems,
    /// The numbers, from 0, of the records that are in no batch, because a part of their key is missing or has
    /// another type than its column.
    pub without_key: Vec<usize>,
    /// The names of the organisation's own attributes that have values but no column. `_extra` keeps
    /// the values, but for those that may be hashed or excluded once they have one: convert again with columns for them.
    pub unknown_custom: BTreeSet<String>,
}

/// Turns records of one entity into rows of its table.
#[derive(Debug)]
pub struct Converter {
    schema: TableSchema,
    plan: Plan,
    unknown: UnknownAttributes,
    /// Bytes of text that a row of the last batch had, by builder: a column that outgrows its place is copied.
    room: Vec<AtomicUsize>,
}

impl Converter {
    /// A converter to rows of that schema.
    #[must_use]
    pub fn new(schema: &TableSchema, unknown: UnknownAttributes) -> Self {
        let plan = Plan::new(schema);
        let room = std::iter::repeat_with(AtomicUsize::default).take(schema.columns().len() + plan.raws.len());
        Self { schema: schema.clone(), room: room.collect(), plan, unknown }
    }

    /// The rows of `records`, which were read at `extracted_at` by the server's clock.
    ///
    /// # Errors
    /// A text that is no JSON, an attribute that must not be unknown, more than 2 GiB at once.
    pub fn convert<'a, R: Copy + Into<RawResource<'a>>>(
        &self,
        records: &[R],
        extracted_at: DateTime<Utc>,
    ) -> Result<Converted, ConvertError> {
        let records: Vec<RawResource<'a>> = records.iter().map(|record| (*record).into()).collect();
        fits_one_batch(&records)?;
        let mut builders = self.builders(records.len());
        let (mut problems, mut without_key, mut rows) = (Problems::default(), Vec::new(), 0);
        let mut unknown_custom = BTreeSet::new();
        let gatherer = Gatherer { plan: &self.plan, resource_type: self.schema.resource_type(), unknown: self.unknown };
        for (number, record) in records.iter().enumerate() {
            let malformed = |_| ConvertError::Malformed { record: number };
            let Some(text) = json::object(record.text()).map_err(malformed)? else {
                without_key.push(number);
                continue;
            };
            let parts = gatherer.gather(*record, text, &mut problems).map_err(malformed)?;
            unknown_custom.extend(parts.unknown_custom.iter().map(|name| name.to_string()));
            if let Some(path) = parts.unknown {
                return Err(ConvertError::UnknownAttribute { entity: self.schema.entity().clone(), path });
            }
            let row = Row { schema: &self.schema, plan: &self.plan, parts };
            if !row.has_key() {
                without_key.push(number);
                continue;
            }
            row.append_to(&mut builders, &mut problems);
            rows += 1;
        }
        problems.without_key += without_key.len() as u64;
        for (builder, room) in builders.iter().zip(&self.room).filter(|_| rows > 0) {
            room.store(builder.bytes().div_ceil(rows), Ordering::Relaxed);
        }
        let batch = self.finish(builders, rows, extracted_at)?;
        Ok(Converted { batch, problems, without_key, unknown_custom })
    }

    /// A builder for each column, and then for each text of elements.
    fn builders(&self, rows: usize) -> Vec<ColumnBuilder> {
        let raw = self.plan.raws.iter().map(|_| ColumnType::Json);
        let kinds = self.schema.columns().iter().map(|column| column.kind).chain(raw);
        let builder = |(kind, room): (ColumnType, &AtomicUsize)| {
            let bytes = room.load(Ordering::Relaxed).saturating_mul(rows);
            ColumnBuilder::new(kind, rows, bytes.saturating_add(bytes / 8).min(MOST_ROOM))
        };
        kinds.zip(&self.room).map(builder).collect()
    }

    fn finish(
        &self,
        builders: Vec<ColumnBuilder>,
        rows: usize,
        extracted_at: DateTime<Utc>,
    ) -> Result<RecordBatch, ArrowError> {
        let fills = self.plan.cells.iter().map(|cell| Some(&cell.fill)).chain(std::iter::repeat(None));
        let columns = builders.into_iter().zip(fills).map(|(builder, fill)| match fill {
            Some(Fill::System(SystemColumn::ExtractedAt)) => instants(extracted_at, rows),
            _ => {
                let mut column = builder.finish();
                // Builders double their room when it is full, and batches wait to be sorted.
                column.shrink_to_fit();
                column
            }
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(self.schema.wide()), columns.collect(), &options)
    }
}

fn instants(instant: DateTime<Utc>, rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_value(instant.timestamp_micros(), rows).with_timezone("UTC"))
}

/// Arrow's text columns end at 2 GiB. No column outgrows the records that it was made of, `_extra` by less than
/// the names that it adds.
fn fits_one_batch(records: &[RawResource<'_>]) -> Result<(), ConvertError> {
    const ADDED_NAMES: usize = 128;
    let bytes = records.iter().map(|record| record.text().len() + ADDED_NAMES).sum();
    if i32::try_from(bytes).is_ok() { Ok(()) } else { Err(ConvertError::TooLarge { bytes }) }
}
