//! What the log states of files, for a file that is written again with other values in some columns only.
//!
//! The rule: statements are passed on as they stand, of columns that do not change and of no other ones.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray, new_null_array};
use arrow::datatypes::{Field, Int64Type};
use arrow::error::ArrowError;

use super::joined_stats::NUM_RECORDS;
use super::stats::FileStats;
use crate::lake::error::LakeError;

/// Statistics of some live files, by their paths, as the log has them.
#[derive(Debug, Clone, Default)]
pub struct LoggedStats(HashMap<String, Logged>);

/// The row of one file.
#[derive(Debug, Clone)]
struct Logged {
    stats: Arc<StructArray>,
    row: usize,
}

impl LoggedStats {
    /// Adds the statistics in a row; none, where it does not even tell the number of rows.
    pub(super) fn add(&mut self, path: &str, stats: &Arc<StructArray>, row: usize) {
        let rows = stats.column_by_name(NUM_RECORDS).and_then(|rows| rows.as_primitive_opt::<Int64Type>());
        if stats.is_valid(row) && rows.is_some_and(|rows| rows.is_valid(row)) {
            self.0.insert(path.to_owned(), Logged { stats: Arc::clone(stats), row });
        }
    }

    /// Those of the file at `path`, if the log has any.
    pub(in crate::lake) fn of(&self, path: &str) -> Option<FileStats> {
        self.0.get(path).map(|logged| FileStats(logged.stats.slice(logged.row, 1)))
    }
}

impl FileStats {
    /// These, of all columns of a file, with others in their place for the columns that have them there.
    ///
    /// # Errors
    /// [`LakeError::Internal`] for statistics of another number of rows, or of another form than the kernel's.
    pub(in crate::lake) fn with(&self, others: &Self, table: &str) -> Result<Self, LakeError> {
        let stats = replaced(&self.0, &others.0);
        stats.map(Self).map_err(|error| LakeError::Internal(format!("table {table}: statistics: {error}")))
    }
}

fn replaced(whole: &StructArray, part: &StructArray) -> Result<StructArray, ArrowError> {
    if count(whole) != count(part) {
        return Err(ArrowError::InvalidArgumentError("another number of rows".to_owned()));
    }
    let mut sections = Vec::with_capacity(whole.num_columns());
    for (name, section) in whole.column_names().into_iter().zip(whole.columns()) {
        let of_part = part.column_by_name(name);
        sections.push((
            name.to_owned(),
            match (section.as_struct_opt(), of_part.and_then(|part| part.as_struct_opt())) {
                (Some(columns), Some(others)) => Arc::new(with_columns(columns, others)?) as ArrayRef,
                _ => Arc::clone(section),
            },
        ));
    }
    built(sections)
}

/// The columns of `section`, and those of `others` in their place or after them.
fn with_columns(section: &StructArray, others: &StructArray) -> Result<StructArray, ArrowError> {
    // What stands below a null is no statement.
    let stated = |column: &ArrayRef| {
        if section.is_valid(0) { Arc::clone(column) } else { new_null_array(column.data_type(), 1) }
    };
    let kept = section.column_names().into_iter().zip(section.columns());
    let mut columns: Vec<(String, ArrayRef)> = kept.map(|(name, column)| (name.to_owned(), stated(column))).collect();
    for (name, other) in others.column_names().into_iter().zip(others.columns()) {
        match columns.iter_mut().find(|(kept, _)| kept == name) {
            Some((_, column)) => *column = Arc::clone(other),
            None => columns.push((name.to_owned(), Arc::clone(other))),
        }
    }
    built(columns)
}

fn built(columns: Vec<(String, ArrayRef)>) -> Result<StructArray, ArrowError> {
    let field = |(name, column): &(String, ArrayRef)| Field::new(name, column.data_type().clone(), true);
    let fields: Vec<Field> = columns.iter().map(field).collect();
    StructArray::try_new(fields.into(), columns.into_iter().map(|(_, column)| column).collect(), None)
}

fn count(stats: &StructArray) -> Option<i64> {
    let rows = stats.column_by_name(NUM_RECORDS)?.as_primitive_opt::<Int64Type>()?;
    (rows.len() == 1 && rows.is_valid(0)).then(|| rows.value(0))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::buffer::NullBuffer;

    use super::*;

    fn object(columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
        Arc::new(built(columns.into_iter().map(|(name, column)| (name.to_owned(), column)).collect()).unwrap())
    }

    fn numbers(number: i64) -> ArrayRef {
        Arc::new(Int64Array::from(vec![number]))
    }

    fn stats(rows: i64, sections: Vec<(&str, ArrayRef)>) -> StructArray {
        let rows = (NUM_RECORDS, numbers(rows));
        object([rows].into_iter().chain(sections).collect()).as_struct().clone()
    }

    fn value(stats: &StructArray, section: &str, column: &str) -> Option<i64> {
        let column = stats.column_by_name(section)?.as_struct().column_by_name(column)?.as_primitive::<Int64Type>();
        column.is_valid(0).then(|| column.value(0))
    }

    #[test]
    fn columns_that_change_are_stated_anew_and_others_as_before() {
        let before = vec![("nullCount", object(vec![("a", numbers(1)), ("b", numbers(2))]))];
        let since = vec![("nullCount", object(vec![("b", numbers(0)), ("c", numbers(9))]))];
        let both = replaced(&stats(9, before), &stats(9, since)).unwrap();
        assert_eq!(["a", "b", "c"].map(|name| value(&both, "nullCount", name)), [Some(1), Some(0), Some(9)]);
        assert_eq!(count(&both), Some(9));
    }

    #[test]
    fn what_stands_below_a_null_is_no_bound() {
        let bounds = object(vec![("a", numbers(7)), ("b", numbers(8))]);
        let (fields, columns, _) = bounds.as_struct().clone().into_parts();
        let hidden = StructArray::new(fields, columns, Some(NullBuffer::from(vec![false])));
        let before = stats(9, vec![("minValues", Arc::new(hidden))]);
        let both = replaced(&before, &stats(9, vec![("minValues", object(vec![("b", numbers(3))]))])).unwrap();
        assert_eq!(["a", "b"].map(|name| value(&both, "minValues", name)), [None, Some(3)]);
    }

    #[test]
    fn statistics_of_other_rows_are_refused_and_those_without_a_count_are_none() {
        assert!(replaced(&stats(9, Vec::new()), &stats(8, Vec::new())).is_err());
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["9"]));
        let mut logged = LoggedStats::default();
        logged.add("odd", &Arc::new(object(vec![(NUM_RECORDS, texts)]).as_struct().clone()), 0);
        logged.add("known", &Arc::new(stats(9, Vec::new())), 0);
        assert!(logged.of("odd").is_none() && logged.of("known").is_some());
    }
}
