//! Invented rows of the table of things, for sorting and merging.

use std::sync::Arc;

use arrow::array::{RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use proptest::prelude::{Strategy, any};
use serde_json::json;

use super::{convert, things};

/// A row reduced to what decides its fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) id: String,
    pub(crate) rev: Option<i64>,
    pub(crate) updated_at: Option<i64>,
    pub(crate) tags: Vec<String>,
    pub(crate) deleted: bool,
    pub(crate) read_at: i64,
}

pub(crate) fn schema() -> SchemaRef {
    Arc::clone(things().arrow())
}

pub(crate) fn sample() -> impl Strategy<Value = Sample> {
    let revision = (proptest::option::of(0i64..3), proptest::option::of(0i64..3));
    let rest = (proptest::collection::vec("[xy]", 0..2), any::<bool>(), 0i64..3);
    ("[a-c][a-c]?", revision, rest).prop_map(|(id, (rev, updated_at), (tags, deleted, read_at))| Sample {
        id,
        rev,
        updated_at,
        tags,
        deleted,
        read_at,
    })
}

pub(crate) fn samples() -> impl Strategy<Value = Vec<Sample>> {
    proptest::collection::vec(sample(), 0..40)
}

/// The rows of one batch.
pub(crate) fn batch(samples: &[Sample]) -> RecordBatch {
    let records: Vec<_> = samples
        .iter()
        .map(|Sample { id, rev, updated_at, tags, deleted, .. }| {
            let attributes = json!({"rev": rev, "updatedAt": updated_at, "tags": tags, "deleted": deleted});
            json!({"type": "thing", "id": id, "attributes": attributes}).to_string()
        })
        .collect();
    let batch = convert(&records.iter().map(String::as_str).collect::<Vec<_>>()).batch;
    let read_at = TimestampMicrosecondArray::from_iter_values(samples.iter().map(|sample| sample.read_at));
    let mut columns = batch.columns().to_vec();
    columns[batch.schema().index_of("_extracted_at").unwrap()] = Arc::new(read_at.with_timezone("UTC"));
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// The same rows as several batches, cut at those rows.
pub(crate) fn batches(samples: &[Sample], cuts: &[usize]) -> Vec<RecordBatch> {
    let whole = batch(samples);
    let mut cuts: Vec<_> = cuts.iter().map(|cut| (*cut).min(samples.len())).chain([0, samples.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| whole.slice(cut[0], cut[1] - cut[0])).collect()
}
