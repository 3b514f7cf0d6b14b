//! The statistics of two parts of a file, as those of the whole.
//!
//! The rule: a bound holds for every row or is not stated. A part may have values and yet no bound, where none can be
//! written (a text of the greatest characters); then the whole has none either. A part without values bounds nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StructArray, new_null_array};
use arrow::compute::{SortOptions, bool_and, concat, sort_limit, sum_checked};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;

// Delta protocol, "Per-file Statistics".
pub(super) const NUM_RECORDS: &str = "numRecords";
const NULL_COUNT: &str = "nullCount";
const MIN_VALUES: &str = "minValues";
const MAX_VALUES: &str = "maxValues";
const TIGHT_BOUNDS: &str = "tightBounds";

type Joined<T> = Result<T, ArrowError>;

/// Which bound of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Smallest,
    Greatest,
}

/// One row for both: numbers of rows and nulls are added, bounds hold for both, and are tight where both are.
///
/// # Errors
/// Statistics of another form than the kernel's.
pub(super) fn joined(one: &StructArray, other: &StructArray) -> Joined<StructArray> {
    let both = concat(&[one, other])?;
    let both = both.as_struct_opt().ok_or_else(|| unknown("the whole"))?;
    let rows = named(both, NUM_RECORDS)?;
    let nulls = both.column_by_name(NULL_COUNT);
    let section = |(name, column): (&str, &ArrayRef)| match name {
        NUM_RECORDS => sum(column),
        NULL_COUNT => each(column, &|leaf| sum(leaf)),
        MIN_VALUES => bounds(column, nulls, rows, Bound::Smallest),
        MAX_VALUES => bounds(column, nulls, rows, Bound::Greatest),
        TIGHT_BOUNDS => {
            let tight = column.as_boolean_opt().and_then(bool_and).unwrap_or(false);
            Ok(Arc::new(BooleanArray::from(vec![tight])) as ArrayRef)
        }
        other => Err(unknown(other)),
    };
    let names = both.fields().iter().map(|field| field.name().as_str());
    let columns = names.zip(both.columns()).map(section).collect::<Joined<Vec<_>>>()?;
    StructArray::try_new(both.fields().clone(), columns, None)
}

/// One row for all leaves of an object.
fn each(object: &ArrayRef, leaf: &dyn Fn(&ArrayRef) -> Joined<ArrayRef>) -> Joined<ArrayRef> {
    let Some(object) = object.as_struct_opt() else { return leaf(object) };
    let columns = object.columns().iter().map(|column| each(column, leaf)).collect::<Joined<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new(object.fields().clone(), columns, None)?))
}

fn sum(counts: &ArrayRef) -> Joined<ArrayRef> {
    let counts = counts.as_primitive_opt::<Int64Type>().filter(|counts| counts.null_count() == 0);
    let sum = sum_checked(counts.ok_or_else(|| unknown("a count"))?)?;
    Ok(Arc::new(Int64Array::from(vec![sum])))
}

/// One row for the bounds of all columns, each beside the column's numbers of nulls and of rows.
fn bounds(column: &ArrayRef, nulls: Option<&ArrayRef>, rows: &ArrayRef, bound: Bound) -> Joined<ArrayRef> {
    if let Some(object) = column.as_struct_opt() {
        let of = |name: &str| nulls.and_then(|nulls| nulls.as_struct_opt()?.column_by_name(name));
        let columns = object.fields().iter().zip(object.columns());
        let columns = columns.map(|(field, column)| bounds(column, of(field.name()), rows, bound));
        let columns = columns.collect::<Joined<Vec<_>>>()?;
        return Ok(Arc::new(StructArray::try_new(object.fields().clone(), columns, None)?));
    }
    let has_values =
        |part: usize| match (nulls.and_then(|nulls| nulls.as_primitive_opt::<Int64Type>()), count(rows, part)) {
            (Some(nulls), Some(rows)) => nulls.is_null(part) || nulls.value(part) < rows,
            _ => true,
        };
    if (0..column.len()).any(|part| column.is_null(part) && has_values(part)) {
        return Ok(new_null_array(column.data_type(), 1));
    }
    let order = SortOptions { descending: bound == Bound::Greatest, nulls_first: false };
    sort_limit(column, Some(order), Some(1))
}

fn count(counts: &ArrayRef, part: usize) -> Option<i64> {
    counts.as_primitive_opt::<Int64Type>().filter(|counts| counts.is_valid(part)).map(|counts| counts.value(part))
}

fn named<'a>(stats: &'a StructArray, name: &str) -> Joined<&'a ArrayRef> {
    stats.column_by_name(name).ok_or_else(|| unknown(name))
}

fn unknown(part: &str) -> ArrowError {
    ArrowError::SchemaError(format!("{part} has an unknown form"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, ListArray, RecordBatch, StringArray};
    use arrow::datatypes::Int32Type;
    use delta_kernel::expressions::ColumnName;
    use delta_kernel::schema::{ArrayType, DataType, StructField, StructType};
    use delta_kernel_default_engine::stats::FileStatsAccumulator;
    use proptest::prelude::*;

    use super::*;

    /// Rows of a table with a text, a number, a list and an object.
    type Rows = Vec<(Option<String>, Option<i64>)>;

    fn batch(rows: &Rows) -> RecordBatch {
        let texts: ArrayRef = Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringArray>());
        let numbers: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
        #[expect(clippy::cast_precision_loss, reason = "any number will do")]
        let halves: ArrayRef = Arc::new(rows.iter().map(|row| row.1.map(|n| n as f64 / 2.0)).collect::<Float64Array>());
        let flags: ArrayRef = Arc::new(rows.iter().map(|row| row.1.map(|n| n > 0)).collect::<BooleanArray>());
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(
            rows.iter().map(|row| row.1.map(|_| vec![Some(1)])),
        ));
        let object = StructArray::from(vec![(
            Arc::new(arrow::datatypes::Field::new("inner", texts.data_type().clone(), true)),
            Arc::clone(&texts),
        )]);
        let columns = [("text", texts), ("number", numbers), ("half", halves), ("flag", flags), ("list", lists)];
        let columns = columns.into_iter().chain([("object", Arc::new(object) as ArrayRef)]);
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    }

    fn stats(batches: &[RecordBatch]) -> StructArray {
        let names = ["text", "number", "half", "flag", "list"].map(|name| ColumnName::new([name]));
        let names: Vec<_> = names.into_iter().chain([ColumnName::new(["object", "inner"])]).collect();
        let object = StructType::try_new([StructField::nullable("inner", DataType::STRING)]).unwrap();
        let schema = StructType::try_new([
            StructField::nullable("text", DataType::STRING),
            StructField::nullable("number", DataType::LONG),
            StructField::nullable("half", DataType::DOUBLE),
            StructField::nullable("flag", DataType::BOOLEAN),
            StructField::nullable("list", ArrayType::new(DataType::INTEGER, true)),
            StructField::nullable("object", object),
        ]);
        let mut accumulator = FileStatsAccumulator::new(&names, &schema.unwrap());
        batches.iter().for_each(|batch| accumulator.merge(batch).unwrap());
        accumulator.finish().unwrap().unwrap()
    }

    fn rows() -> impl Strategy<Value = Rows> {
        let text = prop_oneof![Just(None), "[a-c]{0,2}".prop_map(Some), "[a-b]{30,34}".prop_map(Some)];
        proptest::collection::vec((text, proptest::option::of(-3i64..3)), 0..5)
    }

    proptest! {
        #[test]
        fn parts_say_together_what_the_whole_says(one in rows(), other in rows()) {
            let (one, other) = (batch(&one), batch(&other));
            let by_parts = joined(&stats(std::slice::from_ref(&one)), &stats(std::slice::from_ref(&other))).unwrap();
            prop_assert_eq!(by_parts, stats(&[one, other]));
        }
    }

    #[test]
    fn a_bound_that_one_part_cannot_state_is_not_stated() {
        let greatest = "\u{10FFFF}".repeat(80);
        let parts =
            [vec![(Some(greatest), None)], vec![(Some("a".to_owned()), Some(1))]].map(|rows| stats(&[batch(&rows)]));
        for (one, other) in [(0, 1), (1, 0)] {
            let whole = joined(&parts[one], &parts[other]).unwrap();
            let of = |section, name| named(named(&whole, section).unwrap().as_struct(), name).unwrap().clone();
            assert!(of(MAX_VALUES, "text").is_null(0));
            assert_eq!(of(MIN_VALUES, "text").as_string::<i32>().value(0), "a");
            assert_eq!(of(MAX_VALUES, "number").as_primitive::<Int64Type>().value(0), 1);
        }
    }
}
