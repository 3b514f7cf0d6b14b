//! When rows were taken up: the order of `_extracted_at` is the order of commits.
//!
//! The rule: a row that a commit adds or changes has a later `_extracted_at` than every row of the
//! version that it is committed on. So "all rows after this instant" are exactly those that changed
//! since some version, whatever the clocks did and however many runs there were.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, TimeDelta, Utc};

use crate::catalog::SystemColumn;
use crate::lake::{LakeError, Table};
use crate::window::Precision;

/// An instant as rows keep it: whole milliseconds, which every bound in a log can tell.
pub(super) fn stored(instant: DateTime<Utc>) -> DateTime<Utc> {
    Precision::Millisecond.floor(instant)
}

/// The rows with their instants moved, all by the same time, behind those of this version.
pub(super) async fn after(rows: RecordBatch, table: &Table) -> Result<RecordBatch, LakeError> {
    let name = SystemColumn::ExtractedAt.name();
    let Some((at, own)) = own(&rows, name) else { return Ok(rows) };
    let Some(newest) = table.newest(name).await? else { return Ok(rows) };
    let first_free = (stored(newest) + TimeDelta::milliseconds(1)).timestamp_micros();
    let Some(behind) = own.iter().flatten().min().map(|earliest| first_free - earliest).filter(|behind| *behind > 0)
    else {
        return Ok(rows);
    };
    let moved: TimestampMicrosecondArray = own.unary(|instant| instant.saturating_add(behind));
    let moved: ArrayRef = Arc::new(moved.with_timezone_opt(own.timezone()));
    let columns = rows.columns().iter().enumerate().map(|(number, column)| if number == at { &moved } else { column });
    let columns = columns.cloned().collect();
    RecordBatch::try_new(rows.schema(), columns).map_err(|error| LakeError::Internal(error.to_string()))
}

fn own<'a>(rows: &'a RecordBatch, name: &str) -> Option<(usize, &'a TimestampMicrosecondArray)> {
    let (at, _) = rows.schema_ref().column_with_name(name)?;
    let instants = rows.column(at).as_primitive_opt::<TimestampMicrosecondType>()?;
    (!instants.is_empty()).then_some((at, instants))
}
