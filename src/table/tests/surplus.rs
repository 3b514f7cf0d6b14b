//! Replacing all rows of some parents against a model that a reader can check by eye.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::DateTime;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

use super::given::schema;
use crate::catalog::{Given, PARENT_COLUMN};
use crate::table::{
    Comparison, Converter, Deletes, GivenValues, MergeCounts, MergePolicy, Merger, Replaced, Surplus,
    UnknownAttributes, with_given,
};

/// `(parent, position)`.
type Key = (String, usize);

/// What a row says of itself: instants in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wheel {
    size: i64,
    deleted: Option<i64>,
    read_at: i64,
}

type Table = BTreeMap<Key, Wheel>;

/// When the parents were read.
const NOW: i64 = 100;

fn table(read_at: i64) -> impl Strategy<Value = Table> {
    let wheel = (0i64..3, proptest::option::weighted(0.2, 0i64..9));
    let wheel = wheel.prop_map(move |(size, deleted)| Wheel { size, deleted, read_at });
    btree_map(("[a-d]", 0usize..12), wheel, 0..30)
}

fn policy() -> impl Strategy<Value = MergePolicy> {
    let deletes = any::<bool>().prop_map(|soft| if soft { Deletes::Soft } else { Deletes::Hard });
    prop_oneof![1 => Just(MergePolicy::Append), 4 => deletes.prop_map(MergePolicy::Update)]
}

fn batch(table: &Table) -> RecordBatch {
    let schema = schema("thing_wheels");
    let converter = Converter::new(&schema, UnknownAttributes::Extra);
    let rows = table.iter().map(|((parent, position), wheel)| {
        let given = GivenValues::default().text(Given::ParentId, parent).position(*position);
        let given = match wheel.deleted {
            Some(at) => given.deleted(DateTime::from_timestamp(at, 0)),
            None => given,
        };
        let record = with_given(format!(r#"{{"attributes":{{"size":{}}}}}"#, wheel.size).as_bytes(), &given);
        converter.convert(&[record.as_slice()], DateTime::from_timestamp(wheel.read_at, 0).unwrap()).unwrap().batch
    });
    concat_batches(schema.arrow(), &rows.collect::<Vec<_>>()).unwrap()
}

fn replaced(parents: &BTreeSet<String>, surplus: Deletes) -> Replaced {
    let at = DateTime::from_timestamp(NOW, 0).unwrap();
    Replaced { column: "thing_id".to_owned(), parents: Arc::new(parents.clone()), surplus: surplus.into(), at }
}

/// The replacement, one row at a time: the rows afterwards, and how many are deleted for being surplus.
fn model(
    stored: &Table,
    incoming: &Table,
    parents: &BTreeSet<String>,
    policy: MergePolicy,
    deletes: Deletes,
) -> (Table, u64) {
    let (mut merged, mut surplus) = (Table::new(), 0);
    for (key, old) in stored {
        let gone = policy != MergePolicy::Append && parents.contains(&key.0) && !incoming.contains_key(key);
        match (gone, deletes) {
            (true, Deletes::Hard) => surplus += 1,
            (true, _) if old.deleted.is_none() => {
                surplus += 1;
                merged.insert(key.clone(), Wheel { deleted: Some(NOW), read_at: NOW, ..old.clone() });
            }
            _ => drop(merged.insert(key.clone(), old.clone())),
        }
    }
    for (key, new) in incoming {
        let old = stored.get(key);
        let same = old.is_some_and(|old| (old.size, old.deleted) == (new.size, new.deleted));
        match policy {
            MergePolicy::Append => drop(merged.entry(key.clone()).or_insert_with(|| new.clone())),
            MergePolicy::Update(Deletes::Hard) if new.deleted.is_some() => drop(merged.remove(key)),
            MergePolicy::Update(_) if same => {}
            // Nothing says which of two elements is the newer one: what was read now counts.
            MergePolicy::Update(_) => drop(merged.insert(key.clone(), new.clone())),
        }
    }
    (merged, surplus)
}

fn merge(
    stored: &[RecordBatch],
    incoming: &RecordBatch,
    parents: &BTreeSet<String>,
    policy: MergePolicy,
    surplus: Deletes,
) -> (RecordBatch, MergeCounts) {
    let schema = schema("thing_wheels");
    let mut merger =
        Merger::new(schema.arrow(), schema.order(), policy, incoming).unwrap().replacing(replaced(parents, surplus));
    let mut merged: Vec<_> = stored.iter().flat_map(|batch| merger.push(batch).unwrap()).collect();
    let (rest, counts) = merger.finish().unwrap();
    merged.extend(rest);
    (concat_batches(schema.arrow(), &merged).unwrap(), counts)
}

proptest! {
    #[test]
    fn all_rows_of_the_parents_are_replaced_and_no_others(
        stored in table(1), incoming in table(2), others in btree_set("[a-e]", 0..4), cuts in vec(0usize..30, 0..4), policy in policy(),
        deletes in prop_oneof![Just(Deletes::Soft), Just(Deletes::Hard)],
    ) {
        let parents: BTreeSet<_> = incoming.keys().map(|key| key.0.clone()).chain(others).collect();
        let (expected, surplus) = model(&stored, &incoming, &parents, policy, deletes);
        let (whole, incoming) = (batch(&stored), batch(&incoming));
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stored.len())).chain([0, stored.len()]).collect();
        cuts.sort_unstable();
        let stored: Vec<_> = cuts.windows(2).map(|cut| whole.slice(cut[0], cut[1] - cut[0])).collect();

        let (merged, counts) = merge(&stored, &incoming, &parents, policy, deletes);
        prop_assert_eq!(&merged, &batch(&expected));

        let schema = schema("thing_wheels");
        let mut comparison = Comparison::new(schema.arrow(), schema.order(), policy, &incoming).unwrap().replacing(replaced(&parents, deletes));
        for batch in &stored {
            comparison.push(batch).unwrap();
        }
        let compared = comparison.finish();
        prop_assert_eq!((compared.counts, compared.surplus), (counts, surplus));
        prop_assert_eq!(compared.changes.len(), incoming.num_rows());
        let differs = merged != whole;
        prop_assert_eq!(counts.changes() > 0, differs, "a rewrite without need, or a change that is missed");

        let (again, counts) = merge(slice::from_ref(&merged), &incoming, &parents, policy, deletes);
        prop_assert_eq!((counts.changes(), again), (0, merged));
    }
}

/// What is forgotten leaves key and times; what is history stays live; neither is written twice.
#[test]
fn purged_rows_lose_what_is_personal_and_keep_when_they_were_deleted() {
    let key = |position| ("a".to_owned(), position);
    let stored = Table::from([
        (key(0), Wheel { size: 1, deleted: None, read_at: 1 }),
        (key(1), Wheel { size: 2, deleted: Some(5), read_at: 1 }),
        (("b".to_owned(), 0), Wheel { size: 3, deleted: None, read_at: 1 }),
    ]);
    let schema = schema("thing_wheels");
    let columns = Arc::new(BTreeSet::from(["size".to_owned()]));
    let nothing = batch(&Table::new());
    for (surplus, deleted_at, counted) in [
        (Surplus::Purged(Arc::clone(&columns)), [Some(NOW), Some(5), None], (2, 0)),
        (Surplus::Emptied(columns), [None, Some(5), None], (0, 2)),
    ] {
        let replaced = Replaced { surplus, ..replaced(&BTreeSet::from(["a".to_owned()]), Deletes::Soft) };
        let merge = |stored: &RecordBatch| {
            let policy = MergePolicy::Update(Deletes::Soft);
            let merger = Merger::new(schema.arrow(), schema.order(), policy, &nothing).unwrap();
            let mut merger = merger.replacing(replaced.clone());
            let merged = concat_batches(schema.arrow(), &merger.push(stored).unwrap()).unwrap();
            (merged, merger.finish().unwrap().1)
        };
        let (merged, counts) = merge(&batch(&stored));
        let column = |name: &str| merged.column_by_name(name).unwrap();
        assert_eq!(column("size").as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [None, None, Some(3)]);
        let instants = column("_deleted_at").as_primitive::<TimestampMicrosecondType>();
        let seconds: Vec<_> = instants.iter().map(|at| at.map(|at| at / 1_000_000)).collect();
        assert_eq!(seconds, deleted_at);
        assert_eq!((counts.deleted, counts.updated), counted);
        let (again, counts) = merge(&merged);
        assert_eq!((again, counts.changes()), (merged, 0));
    }
}

#[test]
fn a_deleted_row_comes_back_when_its_record_does() {
    let key = |position| ("a".to_owned(), position);
    let wheel = |read_at| Wheel { size: 1, deleted: None, read_at };
    let parents = BTreeSet::from(["a".to_owned()]);
    let update = MergePolicy::Update(Deletes::Soft);
    let stored = batch(&Table::from([(key(0), wheel(1)), (key(1), wheel(1))]));
    let shorter = batch(&Table::from([(key(0), wheel(2))]));
    let (gone, counts) = merge(slice::from_ref(&stored), &shorter, &parents, update, Deletes::Soft);
    assert_eq!((counts.deleted, counts.unchanged), (1, 1));
    let deleted_at = gone.column_by_name("_deleted_at").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(deleted_at.iter().collect::<Vec<_>>(), [None, Some(NOW * 1_000_000)]);
    let longer = batch(&Table::from([(key(0), wheel(3)), (key(1), wheel(3))]));
    let (back, counts) = merge(&[gone], &longer, &parents, update, Deletes::Soft);
    assert_eq!((counts.updated, counts.unchanged), (1, 1));
    assert_eq!(back.column_by_name("_deleted").unwrap().as_boolean().true_count(), 0);
    assert_eq!(back.column_by_name("size").unwrap().as_primitive::<Int64Type>().values(), &[1, 1]);
}

#[test]
fn records_of_lists_are_told_apart_by_the_parent_in_whose_lists_they_were() {
    let schema = schema("thing_parts");
    let converter = Converter::new(&schema, UnknownAttributes::Extra);
    let rows = |rows: &[(&str, Option<&str>)]| {
        let records: Vec<_> = rows
            .iter()
            .map(|(id, parent)| {
                let record = format!(r#"{{"id":"{id}","attributes":{{"version":"v1"}}}}"#);
                let given = parent.map(|parent| GivenValues::default().text(Given::ParentId, parent));
                with_given(record.as_bytes(), &given.unwrap_or_default())
            })
            .collect();
        converter.convert(&records.iter().map(Vec::as_slice).collect::<Vec<_>>(), DateTime::UNIX_EPOCH).unwrap().batch
    };
    let replaced = |column: &str| Replaced {
        column: column.to_owned(),
        ..replaced(&BTreeSet::from(["t1".to_owned()]), Deletes::Hard)
    };
    let stored = rows(&[("p1", Some("t1")), ("p2", Some("t2")), ("p3", Some("t1")), ("p4", None)]);
    let incoming = rows(&[("p3", Some("t1"))]);
    let merger = || Merger::new(schema.arrow(), schema.order(), MergePolicy::Update(Deletes::Hard), &incoming).unwrap();
    let merged = merger().replacing(replaced(PARENT_COLUMN)).push(&stored).unwrap();
    let ids: Vec<_> = merged
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned))
        .collect();
    assert_eq!(ids, ["p2", "p3", "p4"]);
    for column in ["nothing", "_deleted"] {
        assert!(merger().replacing(replaced(column)).push(&stored).is_err(), "{column}");
    }
}
