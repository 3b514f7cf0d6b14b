//! Rows in any order become one sorted row a key.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::conform::conform;
use super::order::{Revisions, RowOrder, TableError};

/// One row a key, sorted by key in ascending order of bytes: the row with the highest `rev`, then the
/// highest `updated_at`, then the one that was read last, which is the later row of the later batch.
///
/// The batches may lack columns of `schema`; these become null. Of the rows, as many columns as there are
/// processors are in memory twice at a time: as they came and as they are given back.
///
/// # Errors
/// Batches that do not fit the schema, or more than 2 GiB of text in one column.
pub fn newest_by_key(
    schema: &SchemaRef,
    order: &RowOrder,
    batches: Vec<RecordBatch>,
) -> Result<RecordBatch, TableError> {
    let batches = batches.into_iter().map(|batch| conform(schema, &batch)).collect::<Result<Vec<_>, _>>()?;
    if batches.is_empty() {
        return Ok(RecordBatch::new_empty(Arc::clone(schema)));
    }
    let rows = newest(order, &batches)?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), gather(batches, &rows)?, &options)?)
}

/// A row: the number of its batch, and its own there.
type Place = (usize, usize);

/// The places of the newest rows in the order of keys.
fn newest(order: &RowOrder, batches: &[RecordBatch]) -> Result<Vec<Place>, TableError> {
    let mut keyed = Vec::with_capacity(batches.len());
    for batch in batches {
        keyed.push((keys(order, batch)?, order.revisions(batch)?));
    }
    let mut rows: Vec<Place> = batches
        .iter()
        .enumerate()
        .flat_map(|(number, batch)| (0..batch.num_rows()).map(move |row| (number, row)))
        .collect();
    // The first of equal keys is the newest: later places, which sort higher, were read later.
    rows.sort_unstable_by(|a, b| {
        let newest_first = || (revision(&keyed, *b), *b).cmp(&(revision(&keyed, *a), *a));
        key(&keyed, *a).cmp(&key(&keyed, *b)).then_with(newest_first)
    });
    rows.dedup_by(|later, first| key(&keyed, *later) == key(&keyed, *first));
    Ok(rows)
}

/// The columns of the rows at `places`; each column of the batches is dropped once it is copied.
fn gather(batches: Vec<RecordBatch>, places: &[Place]) -> Result<Vec<ArrayRef>, ArrowError> {
    let width = batches.first().map_or(0, RecordBatch::num_columns);
    let mut sources: Vec<_> = batches.into_iter().map(|batch| batch.into_parts().1.into_iter()).collect();
    let parts = |_| sources.iter_mut().filter_map(Iterator::next).collect();
    let columns: Vec<Vec<ArrayRef>> = (0..width).map(parts).collect();
    let gathered = columns
        .into_par_iter()
        .map(|parts: Vec<ArrayRef>| interleave(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>(), places));
    gathered.collect()
}

type Keyed = (Rows, Revisions);

fn keys(order: &RowOrder, batch: &RecordBatch) -> Result<Rows, TableError> {
    let columns = order.key_columns(batch)?;
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    Ok(RowConverter::new(fields)?.convert_columns(&columns)?)
}

fn key(keyed: &[Keyed], (batch, row): Place) -> Option<arrow::row::Row<'_>> {
    keyed.get(batch).map(|(keys, _)| keys.row(row))
}

fn revision(keyed: &[Keyed], (batch, row): Place) -> super::order::Revision {
    keyed.get(batch).map_or((None, None), |(_, revisions)| revisions.at(row))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{prop_assert_eq, proptest};

    use crate::table::newest_by_key;
    use crate::table::tests::rows::{Sample, batch, batches, samples, schema};
    use crate::table::tests::things;

    proptest! {
        #[test]
        fn of_each_key_the_newest_row_remains_in_key_order(samples in samples(), cuts in proptest::collection::vec(0usize..40, 0..4)) {
            let mut model: BTreeMap<String, Sample> = BTreeMap::new();
            for sample in &samples {
                let newest = model.entry(sample.id.clone()).or_insert_with(|| sample.clone());
                if (sample.rev, sample.updated_at) >= (newest.rev, newest.updated_at) {
                    *newest = sample.clone();
                }
            }
            let newest = newest_by_key(&schema(), things().order(), batches(&samples, &cuts)).unwrap();
            prop_assert_eq!(newest, batch(&model.into_values().collect::<Vec<_>>()));
        }
    }

    #[test]
    fn nothing_read_is_an_empty_batch() {
        let newest = newest_by_key(&schema(), things().order(), Vec::new()).unwrap();
        assert_eq!((newest.num_rows(), newest.num_columns()), (0, schema().fields().len()));
    }
}
