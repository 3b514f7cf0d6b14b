//! Which incoming rows a stored file holds already, found without reading more of it than its keys.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::{Bound, Range};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use futures::TryStreamExt;

use crate::lake::{DataFile, KeyRange, LakeError, Read, Table};

/// The rows that a file and the incoming rows have in common.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// Numbers of the file's rows, ascending.
    pub(super) stored: Vec<u64>,
    /// Numbers of the incoming rows, ascending and in the same order.
    pub(super) incoming: Vec<u64>,
}

/// Bounds of the first key column over some rows; absent ones exclude nothing.
#[derive(Clone, Copy)]
struct Bounds<'a> {
    min: Option<&'a str>,
    max: Option<&'a str>,
}

impl<'a> Bounds<'a> {
    fn of(range: &'a KeyRange) -> Self {
        Self { min: range.min.as_deref(), max: range.max.as_deref() }
    }

    fn of_file(file: &'a DataFile) -> Self {
        Self { min: file.min_key.as_deref(), max: file.max_key.as_deref() }
    }

    fn may_hold_one(self, texts: &BTreeSet<String>) -> bool {
        let from = self.min.map_or(Bound::Unbounded, Bound::Included);
        let mut candidates = texts.range::<str, _>((from, Bound::Unbounded));
        candidates.next().is_some_and(|first| self.max.is_none_or(|max| first.as_str() <= max))
    }
}

/// Finds the keys of `incoming`, which is sorted, in `file`.
///
/// Only the key columns are read, and of them only the pages whose bounds can hold an incoming key. A file whose own
/// bounds hold none is not opened at all.
pub(super) async fn matches(
    table: &Table,
    file: &DataFile,
    key: &[String],
    incoming: &RecordBatch,
) -> Result<Matches, LakeError> {
    let Some(first) = key.first() else { return Ok(Matches::default()) };
    let wanted = Keys::of(incoming, key);
    if !wanted.touch(Bounds::of_file(file)) {
        return Ok(Matches::default());
    }
    let ranges: Vec<_> =
        table.key_ranges(file, first).await?.into_iter().filter(|range| wanted.touch(Bounds::of(range))).collect();
    let mut rows = ranges.iter().flat_map(|range| range.rows.clone());
    let selected = joined(&ranges);
    if selected.is_empty() {
        return Ok(Matches::default());
    }
    let read = Read { columns: Some(key.to_vec()), rows: Some(selected), batch_size: 8192 };
    let mut batches = table.read(file, read).await?;
    let (mut matches, mut at) = (Matches::default(), 0);
    while let Some(batch) = batches.try_next().await? {
        let numbers: Vec<u64> = rows.by_ref().take(batch.num_rows()).collect();
        at = meet(&wanted, at, &Keys::of(&batch, key), &numbers, &mut matches);
    }
    Ok(matches)
}

/// Notes the incoming rows from `at` on that are among the stored ones with these numbers; gives the first one after them.
///
/// Either side skips what the other one lacks in ever larger steps, so that a few rows among many are found fast.
fn meet(wanted: &Keys<'_>, mut at: usize, stored: &Keys<'_>, numbers: &[u64], matches: &mut Matches) -> usize {
    let mut row = 0;
    while at < wanted.len() && row < numbers.len() {
        match wanted.row(at).partial_cmp(&stored.row(row)) {
            Some(Ordering::Less) => at = gallop(at, wanted.len(), |next| wanted.row(next) < stored.row(row)),
            Some(Ordering::Equal) => {
                matches.stored.extend(numbers.get(row));
                matches.incoming.push(at as u64);
                (at, row) = (at + 1, row + 1);
            }
            _ => row = gallop(row, numbers.len(), |next| stored.row(next) < wanted.row(at)),
        }
    }
    at
}

/// The first number after `from` for which `before` does not hold, or `end`; it holds for `from`, and up to some number.
fn gallop(from: usize, end: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut step) = (from, 1);
    while low + step < end && before(low + step) {
        low += step;
        step *= 2;
    }
    partition(low + 1, (low + step).min(end), before)
}

/// The numbers of the file's rows whose text in `column` is one of `texts`, ascending.
///
/// Where the file is sorted by that column first, only the pages that can hold one of the texts are read, and no file that
/// cannot.
pub(super) async fn rows_of(
    table: &Table,
    file: &DataFile,
    key: &[String],
    column: &str,
    texts: &BTreeSet<String>,
) -> Result<Vec<u64>, LakeError> {
    let sorted_by = key.first().filter(|first| *first == column);
    if sorted_by.is_some() && !Bounds::of_file(file).may_hold_one(texts) {
        return Ok(Vec::new());
    }
    let ranges = match sorted_by {
        Some(first) => {
            let ranges = table.key_ranges(file, first).await?;
            Some(ranges.into_iter().filter(|range| Bounds::of(range).may_hold_one(texts)).collect::<Vec<_>>())
        }
        None => None,
    };
    let selected = ranges.as_deref().map(joined);
    if selected.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let numbers: Box<dyn Iterator<Item = u64> + Send> = match &ranges {
        Some(ranges) => Box::new(ranges.iter().flat_map(|range| range.rows.clone())),
        None => Box::new(0..),
    };
    let read = Read { columns: Some(vec![column.to_owned()]), rows: selected, batch_size: 8192 };
    let (mut batches, mut numbers, mut found) = (table.read(file, read).await?, numbers, Vec::new());
    while let Some(batch) = batches.try_next().await? {
        let Some(values) = batch.column_by_name(column).and_then(|values| values.as_string_opt::<i32>()) else { break };
        for (value, number) in values.iter().zip(&mut numbers) {
            if value.is_some_and(|value| texts.contains(value)) {
                found.push(number);
            }
        }
    }
    Ok(found)
}

/// What is in one of two ascending lists, ascending.
pub(super) fn union(a: &[u64], b: &[u64]) -> Vec<u64> {
    a.iter().chain(b).copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The incoming rows with these numbers, which ascend; those that follow each other are not copied.
pub(super) fn rows(incoming: &RecordBatch, numbers: &[u64]) -> Result<RecordBatch, ArrowError> {
    if let [only] = ranges(numbers).as_slice() {
        let at = |row: u64| usize::try_from(row).unwrap_or(usize::MAX).min(incoming.num_rows());
        return Ok(incoming.slice(at(only.start), at(only.end) - at(only.start)));
    }
    take_record_batch(incoming, &UInt64Array::from(numbers.to_vec()))
}

/// The texts that stand in a column of these rows, each once.
pub(super) fn texts(rows: &RecordBatch, column: &str, numbers: impl IntoIterator<Item = u64>) -> BTreeSet<String> {
    let Some(column) = rows.column_by_name(column).and_then(|column| column.as_string_opt::<i32>()) else {
        return BTreeSet::new();
    };
    let there = numbers.into_iter().filter_map(|row| usize::try_from(row).ok());
    let there = there.filter(|row| *row < column.len() && column.is_valid(*row));
    there.map(|row| column.value(row).to_owned()).collect()
}

/// Single rows as the ranges that a file is read by.
pub(super) fn ranges(rows: &[u64]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for row in rows {
        match ranges.last_mut() {
            Some(last) if last.end == *row => last.end += 1,
            _ => ranges.push(*row..row + 1),
        }
    }
    ranges
}

fn joined(parts: &[KeyRange]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for part in parts {
        match ranges.last_mut() {
            Some(last) if last.end == part.rows.start => last.end = part.rows.end,
            _ => ranges.push(part.rows.clone()),
        }
    }
    ranges
}

/// The key columns of a batch, ordered as the rows of a table are: texts by their bytes, numbers by their value.
struct Keys<'a>(Vec<KeyColumn<'a>>);

/// A key column; the first one is text in every table.
enum KeyColumn<'a> {
    Text(&'a StringArray),
    Number(&'a Int64Array),
}

/// A value of a key column.
#[derive(PartialEq, PartialOrd)]
enum KeyPart<'a> {
    Text(&'a str),
    Number(i64),
}

impl<'a> KeyColumn<'a> {
    fn of(column: &'a ArrayRef) -> Option<Self> {
        let text = column.as_string_opt::<i32>().map(Self::Text);
        text.or_else(|| column.as_primitive_opt::<Int64Type>().map(Self::Number))
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(column) => column.len(),
            Self::Number(column) => column.len(),
        }
    }

    fn part(&self, row: usize) -> KeyPart<'a> {
        match self {
            Self::Text(column) => KeyPart::Text(column.value(row)),
            Self::Number(column) => KeyPart::Number(column.value(row)),
        }
    }
}

impl<'a> Keys<'a> {
    fn of(batch: &'a RecordBatch, key: &[String]) -> Self {
        Self(key.iter().filter_map(|name| KeyColumn::of(batch.column_by_name(name)?)).collect())
    }

    fn len(&self) -> usize {
        self.0.first().map_or(0, KeyColumn::len)
    }

    fn row(&self, row: usize) -> Row<'_> {
        Row { keys: self, row }
    }

    /// Whether rows with these bounds can hold any of these sorted keys, judged by the first key column.
    fn touch(&self, bounds: Bounds<'_>) -> bool {
        let Some(KeyColumn::Text(column)) = self.0.first() else { return true };
        let at = bounds.min.map_or(0, |min| partition(0, column.len(), |row| column.value(row) < min));
        at < column.len() && bounds.max.is_none_or(|max| column.value(at) <= max)
    }
}

/// The first number from `low` on for which `before` does not hold, or `high`.
fn partition(mut low: usize, mut high: usize, before: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

struct Row<'a> {
    keys: &'a Keys<'a>,
    row: usize,
}

impl Row<'_> {
    fn parts(&self) -> impl Iterator<Item = KeyPart<'_>> {
        self.keys.0.iter().map(|column| column.part(self.row))
    }
}

impl PartialEq for Row<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.parts().eq(other.parts())
    }
}

impl PartialOrd for Row<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.parts().partial_cmp(other.parts())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_texts_and_numbers_ascend_as_the_rows_do() {
        let columns: [(&str, ArrayRef); 2] = [
            ("parent_id", Arc::new(StringArray::from(vec!["a", "a", "a", "b"]))),
            ("position", Arc::new(Int64Array::from(vec![-1, 9, 10, 0]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let keys = Keys::of(&batch, &["parent_id".to_owned(), "position".to_owned()]);
        assert!((0..3).all(|row| keys.row(row) < keys.row(row + 1)));
    }

    proptest! {
        #[test]
        fn rows_meet_however_dense_either_side_is(
            wanted in prop::collection::btree_set(0i64..200, 0..60), stored in prop::collection::btree_set(0i64..200, 0..200),
            cut in 0usize..200,
        ) {
            let columns = |keys: &[i64]| {
                let parents: ArrayRef = Arc::new(StringArray::from_iter_values(keys.iter().map(|key| (key / 50).to_string())));
                let places: ArrayRef = Arc::new(Int64Array::from_iter_values(keys.iter().copied()));
                RecordBatch::try_from_iter([("parent", parents), ("place", places)]).unwrap()
            };
            let key = ["parent".to_owned(), "place".to_owned()];
            let (wanted, stored): (Vec<i64>, Vec<i64>) = (wanted.into_iter().collect(), stored.into_iter().collect());
            let incoming = columns(&wanted);
            let (mut matches, mut at) = (Matches::default(), 0);
            let (one, other) = stored.split_at(cut.min(stored.len()));
            for (from, part) in [(0, one), (one.len(), other)] {
                let numbers: Vec<u64> = (from as u64..(from + part.len()) as u64).collect();
                at = meet(&Keys::of(&incoming, &key), at, &Keys::of(&columns(part), &key), &numbers, &mut matches);
            }
            let place = |rows: &[u64], keys: &[i64]| rows.iter().map(|row| keys[usize::try_from(*row).unwrap()]).collect::<Vec<_>>();
            let both: Vec<i64> = wanted.iter().filter(|key| stored.contains(key)).copied().collect();
            prop_assert_eq!(place(&matches.incoming, &wanted), both.clone());
            prop_assert_eq!(place(&matches.stored, &stored), both);
        }
    }

    #[test]
    fn rows_next_to_each_other_are_read_as_one_range() {
        assert_eq!(ranges(&[]), []);
        assert_eq!(ranges(&[3, 4, 5, 9, 11, 12]), [3..6, 9..10, 11..13]);
    }
}
