//! The merge against a model that a reader can check by eye.

use arrow::compute::filter_record_batch;
use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::rows::{Sample, batch, batches, samples, schema};
use super::things;
use crate::table::{Change, Compared, Comparison, Deletes, MergeCounts, MergePolicy, Merger, TableError};

type Table = BTreeMap<String, Sample>;

fn table() -> impl Strategy<Value = Table> {
    samples().prop_map(|samples| samples.into_iter().map(|sample| (sample.id.clone(), sample)).collect())
}

fn policy() -> impl Strategy<Value = MergePolicy> {
    prop_oneof![
        Just(MergePolicy::Append),
        Just(MergePolicy::Update(Deletes::Soft)),
        Just(MergePolicy::Update(Deletes::Hard))
    ]
}

/// The merge, one row at a time.
fn model(stored: &Table, incoming: &Table, policy: MergePolicy) -> (Table, Vec<Change>) {
    let (mut merged, mut changes) = (stored.clone(), Vec::new());
    for (id, new) in incoming {
        let change = expected(stored.get(id), new, policy);
        match change {
            Change::Delete if policy == MergePolicy::Update(Deletes::Hard) => drop(merged.remove(id)),
            Change::Insert | Change::Update | Change::Delete => drop(merged.insert(id.clone(), new.clone())),
            Change::Unchanged | Change::Stale => {}
        }
        changes.push(change);
    }
    (merged, changes)
}

fn expected(old: Option<&Sample>, new: &Sample, policy: MergePolicy) -> Change {
    let hard = policy == MergePolicy::Update(Deletes::Hard);
    let Some(old) = old else {
        return if hard && new.deleted { Change::Unchanged } else { Change::Insert };
    };
    if policy == MergePolicy::Append {
        return Change::Unchanged;
    }
    let (before, after) = ((old.rev, old.updated_at), (new.rev, new.updated_at));
    let same = before == after && old.tags == new.tags && old.deleted == new.deleted;
    match () {
        () if after < before => Change::Stale,
        () if hard && new.deleted => Change::Delete,
        () if same => Change::Unchanged,
        () if new.deleted && !old.deleted => Change::Delete,
        () => Change::Update,
    }
}

fn rows(table: &Table) -> Vec<Sample> {
    table.values().cloned().collect()
}

fn merge(
    stored: &[RecordBatch],
    incoming: &RecordBatch,
    policy: MergePolicy,
) -> Result<(RecordBatch, MergeCounts), TableError> {
    let mut merger = Merger::new(&schema(), things().order(), policy, incoming)?;
    let mut merged = Vec::new();
    for batch in stored {
        merged.extend(merger.push(batch)?);
    }
    let (rest, counts) = merger.finish()?;
    merged.extend(rest);
    Ok((concat_batches(&schema(), &merged)?, counts))
}

fn names(batch: &RecordBatch) -> impl Iterator<Item = &String> {
    batch.schema_ref().fields().iter().map(|field| field.name())
}

fn compare(stored: &[RecordBatch], incoming: &RecordBatch, policy: MergePolicy) -> Compared {
    let mut comparison = Comparison::new(&schema(), things().order(), policy, incoming).unwrap();
    for batch in stored {
        comparison.push(batch).unwrap();
    }
    comparison.finish()
}

proptest! {
    #[test]
    fn a_merge_is_what_the_model_says_however_the_stored_rows_are_cut(
        stored in table(), incoming in table(), cuts in vec(0usize..40, 0..5), policy in policy(),
    ) {
        let (expected, changes) = model(&stored, &incoming, policy);
        let (stored, incoming) = (batches(&rows(&stored), &cuts), batch(&rows(&incoming)));
        let (merged, counts) = merge(&stored, &incoming, policy).unwrap();
        prop_assert_eq!(&merged, &batch(&rows(&expected)));
        let compared = compare(&stored, &incoming, policy);
        prop_assert_eq!(&compared.changes, &changes);
        prop_assert_eq!(compared.counts, counts);
        let mask = compared.changes.iter().map(|change| Some(change.is_real())).collect();
        let changed = filter_record_batch(&incoming, &mask).unwrap();
        prop_assert_eq!(changed.num_rows() as u64, counts.changes());
        prop_assert_eq!(&merge(&stored, &changed, policy).unwrap().0, &merged, "only real changes matter");
        let before = concat_batches(&schema(), &stored).unwrap();
        match compared.changed_columns {
            Some(columns) => for (name, (old, new)) in names(&before).zip(before.columns().iter().zip(merged.columns())) {
                prop_assert!(!name.eq("id") || old == new, "rows keep their places");
                prop_assert_eq!(columns.contains(name), old != new, "{}", name);
            },
            None => prop_assert!(before.column(0) != merged.column(0), "rows keep their places, and nobody says so"),
        }
    }

    #[test]
    fn the_same_rows_again_change_nothing(table in table(), cuts in vec(0usize..40, 0..5)) {
        let again = table.values().map(|sample| Sample { read_at: sample.read_at + 1, ..sample.clone() });
        let (stored, incoming) = (batches(&rows(&table), &cuts), batch(&again.collect::<Vec<_>>()));
        let counts = compare(&stored, &incoming, MergePolicy::Update(Deletes::Soft)).counts;
        prop_assert_eq!(counts.changes() + counts.stale, 0);
        prop_assert!(compare(&stored, &incoming, MergePolicy::Update(Deletes::Soft)).is_same_snapshot());
    }

    #[test]
    fn pages_in_any_order_end_in_the_same_rows(pages in vec(table(), 0..4)) {
        let update = MergePolicy::Update(Deletes::Soft);
        // Copies with equal revisions are told apart by when they were read: here, they are all equal.
        let pages: Vec<Table> = pages.into_iter().map(|page| page.into_iter().map(|(id, sample)| {
            let tags = vec![format!("{:?}{:?}", sample.rev, sample.updated_at)];
            (id, Sample { tags, deleted: false, read_at: 0, ..sample })
        }).collect()).collect();
        let end = |pages: Vec<&Table>| pages.into_iter().fold(batch(&[]), |stored, page| {
            merge(&[stored], &batch(&rows(page)), update).unwrap().0
        });
        prop_assert_eq!(end(pages.iter().collect()), end(pages.iter().rev().collect()));
    }

    #[test]
    fn another_snapshot_is_noticed(a in table(), b in table()) {
        let same = compare(&[batch(&rows(&a))], &batch(&rows(&b)), MergePolicy::Update(Deletes::Soft)).is_same_snapshot();
        let content = |table: &Table| table.values().map(|row| Sample { read_at: 0, ..row.clone() }).collect::<Vec<_>>();
        prop_assert_eq!(same, content(&a) == content(&b));
    }
}

fn row(id: &str) -> Sample {
    Sample { id: id.to_owned(), rev: None, updated_at: None, tags: Vec::new(), deleted: false, read_at: 0 }
}

#[test]
fn unsorted_rows_are_an_error_rather_than_a_damaged_table() {
    let update = MergePolicy::Update(Deletes::Soft);
    let none = batch(&[]);
    let refused = |stored: &[RecordBatch], incoming: &RecordBatch| {
        matches!(merge(stored, incoming, update), Err(TableError::Unsorted))
    };
    assert!(refused(&[batch(&[row("b"), row("a")])], &none));
    assert!(refused(&[batch(&[row("a"), row("a")])], &none));
    assert!(refused(&[batch(&[row("b")]), none.clone(), batch(&[row("a")])], &none));
    assert!(refused(&[batch(&[row("b")]), batch(&[row("b")])], &none));
    assert!(refused(&[], &batch(&[row("b"), row("a")])));
    assert!(!refused(&[batch(&[row("a")]), batch(&[row("b")])], &batch(&[row("a"), row("c")])));
}

#[test]
fn a_file_without_later_columns_is_merged_with_nulls() {
    let stored = batch(&[row("a"), row("c")]).project(&[0, 1]).unwrap();
    let (merged, counts) = merge(&[stored], &batch(&[row("b")]), MergePolicy::Append).unwrap();
    assert_eq!((merged.num_rows(), counts.inserted), (3, 1));
    assert_eq!(merged.column_by_name("_extracted_at").unwrap().null_count(), 2);
}
