//! Several sorted streams of rows become one, and no row changes.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};

use super::order::{RowOrder, TableError};

/// Rows of one batch that is given, at most.
const OUTPUT_ROWS: usize = 16_384;

/// A merge of streams, each sorted by key, of which no key stands in two. In memory is one batch of each.
///
/// As long as [`wants`](Self::wants) names a stream, [`give`](Self::give) its next batch or [`end`](Self::end) it; then
/// [`pull`](Self::pull) has rows, until all streams have ended.
pub struct Weave {
    converter: RowConverter,
    order: RowOrder,
    streams: Vec<Stream>,
}

/// Where one of the streams stands.
enum Stream {
    /// Before its next batch.
    Waiting {
        last: Option<OwnedRow>,
    },
    /// In a batch that has rows left.
    Open(Open),
    Ended,
}

struct Open {
    batch: RecordBatch,
    keys: Rows,
    /// The next row.
    at: usize,
}

impl Weave {
    /// A merge of so many streams of rows with these columns.
    ///
    /// # Errors
    /// A key that is no column of the schema.
    pub fn new(schema: &SchemaRef, order: &RowOrder, streams: usize) -> Result<Self, TableError> {
        let empty = RecordBatch::new_empty(Arc::clone(schema));
        let columns = order.key_columns(&empty)?;
        let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let streams = (0..streams).map(|_| Stream::Waiting { last: None }).collect();
        Ok(Self { converter: RowConverter::new(fields)?, order: order.clone(), streams })
    }

    /// A stream that waits for its next batch.
    #[must_use]
    pub fn wants(&self) -> Option<usize> {
        self.streams.iter().position(|stream| matches!(stream, Stream::Waiting { .. }))
    }

    /// Takes the next rows of a stream.
    ///
    /// # Errors
    /// Rows that do not continue the stream in the order of keys.
    pub fn give(&mut self, stream: usize, batch: RecordBatch) -> Result<(), TableError> {
        let Some(slot) = self.streams.get_mut(stream) else { return Ok(()) };
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let keys = self.converter.convert_columns(&self.order.key_columns(&batch)?)?;
        let follows = match slot {
            Stream::Waiting { last: Some(last) } => last.row() < keys.row(0),
            _ => true,
        };
        if !follows || (1..keys.num_rows()).any(|row| keys.row(row - 1) >= keys.row(row)) {
            return Err(TableError::Unsorted);
        }
        *slot = Stream::Open(Open { batch, keys, at: 0 });
        Ok(())
    }

    /// Takes note that a stream has no more rows.
    pub fn end(&mut self, stream: usize) {
        if let Some(slot) = self.streams.get_mut(stream) {
            *slot = Stream::Ended;
        }
    }

    /// The next rows of all; nothing is left when none are given.
    ///
    /// # Errors
    /// A key that stands in two streams: the output so far must not be used.
    pub fn pull(&mut self) -> Result<Option<RecordBatch>, TableError> {
        let mut open: Vec<&mut Open> = self
            .streams
            .iter_mut()
            .filter_map(|stream| match stream {
                Stream::Open(open) => Some(open),
                Stream::Waiting { .. } | Stream::Ended => None,
            })
            .collect();
        if open.is_empty() {
            return Ok(None);
        }
        let mut origins = Vec::new();
        while origins.len() < OUTPUT_ROWS {
            let Some(first) = smallest(&open)? else { break };
            let Some(from) = open.get_mut(first) else { break };
            origins.push((first, from.at));
            from.at += 1;
        }
        let batches: Vec<&RecordBatch> = open.iter().map(|open| &open.batch).collect();
        let rows = interleave_record_batch(&batches, &origins)?;
        for stream in &mut self.streams {
            if let Stream::Open(Open { keys, at, .. }) = stream
                && *at == keys.num_rows()
            {
                *stream = Stream::Waiting { last: Some(keys.row(*at - 1).owned()) };
            }
        }
        Ok(Some(rows))
    }
}

/// Which batch has the smallest key; none as soon as one of them has no row left.
fn smallest(open: &[&mut Open]) -> Result<Option<usize>, TableError> {
    let mut smallest: Option<(usize, arrow::row::Row<'_>)> = None;
    for (number, open) in open.iter().enumerate() {
        if open.at == open.keys.num_rows() {
            return Ok(None);
        }
        let key = open.keys.row(open.at);
        match &smallest {
            Some((_, first)) if *first == key => return Err(TableError::Unsorted),
            Some((_, first)) if *first < key => {}
            _ => smallest = Some((number, key)),
        }
    }
    Ok(smallest.map(|(number, _)| number))
}

#[cfg(test)]
mod tests {
    use arrow::compute::concat_batches;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::table::tests::rows::{Sample, batch, samples, schema};
    use crate::table::tests::things;

    fn woven(streams: &[Vec<RecordBatch>]) -> Result<Vec<RecordBatch>, TableError> {
        let mut weave = Weave::new(&schema(), things().order(), streams.len())?;
        let mut streams: Vec<_> = streams.iter().map(|batches| batches.iter()).collect();
        let mut rows = Vec::new();
        loop {
            while let Some(stream) = weave.wants() {
                match streams[stream].next() {
                    Some(batch) => weave.give(stream, batch.clone())?,
                    None => weave.end(stream),
                }
            }
            match weave.pull()? {
                Some(batch) => rows.push(batch),
                None => return Ok(rows),
            }
        }
    }

    proptest! {
        #[test]
        fn all_rows_of_all_streams_come_in_the_order_of_keys(samples in samples(), streams in 1usize..5, cut in 1usize..6) {
            let mut all: Vec<Sample> = samples;
            all.sort_by(|a, b| a.id.cmp(&b.id));
            all.dedup_by(|a, b| a.id == b.id);
            let of = |stream: usize| {
                let own: Vec<Sample> = all.iter().enumerate().filter(|(n, _)| (n * 7 / 3) % streams == stream).map(|(_, one)| one.clone()).collect();
                own.chunks(cut).map(batch).collect::<Vec<_>>()
            };
            let parts: Vec<_> = (0..streams).map(of).collect();
            let rows = woven(&parts).unwrap();
            prop_assert_eq!(concat_batches(&schema(), &rows).unwrap(), batch(&all));
            if let Some(first) = parts.first().filter(|first| !first.is_empty()) {
                prop_assert!(matches!(woven(&[first.clone(), first.clone()]), Err(TableError::Unsorted)));
                let twice: Vec<_> = first.iter().chain(first).cloned().collect();
                prop_assert!(matches!(woven(&[twice]), Err(TableError::Unsorted)));
            }
        }
    }
}
