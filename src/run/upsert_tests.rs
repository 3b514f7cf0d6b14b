//! Upserts and replacements of random rows in random batches, against a map that says what must come out.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::collection::vec;
use proptest::prelude::*;
use url::Url;

use super::*;
use crate::catalog::Catalog;
use crate::clock::{Entropy, SystemClock};
use crate::lake::{CommitOutcome, Lake, TableName};
use crate::run::replace::Replace;
use crate::table::{Converter, Deletes, UnknownAttributes, newest_by_key};

/// One copy of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Copy {
    id: u32,
    rev: i64,
    body: u8,
    deleted: bool,
}

type Model = BTreeMap<String, (i64, String, bool)>;

impl Copy {
    fn json(&self) -> String {
        let Self { id, rev, body, deleted } = self;
        format!(
            r#"{{"type":"note","id":"note-{id:05}","attributes":{{"rev":{rev},"body":"text {body}","deleted":{deleted}}}}}"#
        )
    }

    fn row(&self) -> (String, (i64, String, bool)) {
        (format!("note-{:05}", self.id), (self.rev, format!("text {}", self.body), self.deleted))
    }
}

fn copies() -> impl Strategy<Value = Vec<Copy>> {
    let copy = (0u32..60, 0i64..6, 0u8..3, prop::bool::weighted(0.15));
    vec(copy.prop_map(|(id, rev, body, deleted)| Copy { id, rev, body, deleted }), 0..40)
}

fn policies() -> impl Strategy<Value = MergePolicy> {
    prop_oneof![
        Just(MergePolicy::Append),
        Just(MergePolicy::Update(Deletes::Soft)),
        Just(MergePolicy::Update(Deletes::Hard)),
    ]
}

/// What a batch makes of the rows: first the newest copy of each key, then that copy against the stored row.
fn expect(model: &mut Model, batch: &[Copy], policy: MergePolicy) {
    let mut newest: BTreeMap<u32, &Copy> = BTreeMap::new();
    for copy in batch {
        let slot = newest.entry(copy.id).or_insert(copy);
        if copy.rev >= slot.rev {
            *slot = copy;
        }
    }
    for copy in newest.values() {
        let (id, row) = copy.row();
        let stored = model.get(&id).map(|(rev, ..)| *rev);
        let wins = match policy {
            MergePolicy::Append => stored.is_none(),
            MergePolicy::Update(_) => stored.is_none_or(|rev| copy.rev >= rev),
        };
        if wins && copy.deleted && policy == MergePolicy::Update(Deletes::Hard) {
            model.remove(&id);
        } else if wins {
            model.insert(id, row);
        }
    }
}

struct Fixture {
    schema: TableSchema,
    store: Arc<InMemory>,
    table: Table,
}

impl Fixture {
    async fn new(name: &str) -> Self {
        let catalog = Catalog::embedded().unwrap();
        let schema = TableSchema::new(catalog.get(name).unwrap());
        let root = Url::parse("s3://bucket/lake/").unwrap();
        let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(Entropy::seeded(1)));
        let store = Arc::new(InMemory::new());
        let lake = Lake::with_store(Arc::clone(&store) as Arc<dyn ObjectStore>, root, clock, entropy).unwrap();
        let name = TableName::new(name).unwrap();
        let table = lake.create_table(&name, schema.arrow().clone()).await.unwrap();
        Self { schema, store, table }
    }

    fn incoming(&self, batch: &[Copy]) -> RecordBatch {
        self.converted(&batch.iter().map(Copy::json).collect::<Vec<_>>())
    }

    fn converted(&self, texts: &[String]) -> RecordBatch {
        let raw: Vec<_> = texts.iter().map(String::as_bytes).collect();
        let converter = Converter::new(&self.schema, UnknownAttributes::Extra);
        let read_at = chrono::DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
        let rows = converter.convert(&raw, read_at).unwrap().batch;
        newest_by_key(self.schema.arrow(), self.schema.order(), vec![rows]).unwrap()
    }

    /// Commits what was prepared; whether anything changed.
    async fn commit(&mut self, prepared: Prepared) -> bool {
        let changed = !prepared.change.add.is_empty() || !prepared.change.remove.is_empty();
        assert_eq!(changed, prepared.counts.changes() > 0, "{:?}", prepared.counts);
        if changed {
            let CommitOutcome::Committed(table) = self.table.commit(prepared.change).await.unwrap() else {
                panic!("nobody else commits here")
            };
            self.table = table;
        }
        changed
    }

    /// Every row of the table; a key that stands twice is an error.
    async fn rows(&self) -> Model {
        let mut model = Model::new();
        let bounds = self.table.files("body").await.unwrap();
        for (file, bounds) in self.table.files("id").await.unwrap().into_iter().zip(bounds) {
            let mut batches = self.table.read(&file, Read::default()).await.unwrap();
            let mut last = String::new();
            let mut of_file = BTreeSet::new();
            while let Some(batch) = batches.try_next().await.unwrap() {
                let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
                let (ids, bodies) = (text("id"), text("body"));
                let revs = batch.column_by_name("rev").unwrap().as_primitive::<Int64Type>();
                let deleted = batch.column_by_name("_deleted").unwrap().as_boolean();
                for row in 0..batch.num_rows() {
                    let id = ids.value(row).to_owned();
                    assert!(last < id, "{id} does not follow {last}");
                    last.clone_from(&id);
                    let values = (revs.value(row), bodies.value(row).to_owned(), deleted.value(row));
                    of_file.insert(values.1.clone());
                    assert!(model.insert(id, values).is_none(), "{last} stands twice");
                }
            }
            assert_eq!((&bounds.min_key, &bounds.max_key), (&of_file.first().cloned(), &of_file.last().cloned()));
        }
        model
    }
}

fn on_runtime<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Small files are folded (`u64::MAX`) or each commit leaves its own (`0`); the rows are the same.
    #[test]
    fn a_table_is_what_the_model_says_after_every_batch(
        batches in vec(copies(), 1..6), policy in policies(), open_file in prop_oneof![Just(0), Just(u64::MAX)],
    ) {
        on_runtime(async {
            let mut fixture = Fixture::new("notes").await;
            let upsert = Upsert { open_file, ..Upsert::new(&fixture.schema, policy) };
            let mut model = Model::new();
            for batch in &batches {
                let before = model.clone();
                expect(&mut model, batch, policy);
                let incoming = fixture.incoming(batch);
                let prepared = upsert.prepare(&fixture.table, &incoming, None).await.unwrap();
                let changed = fixture.commit(prepared).await;
                assert_eq!(fixture.rows().await, model);
                assert_eq!(changed, before != model, "a commit without a change, or a change without a commit");
                let again = upsert.prepare(&fixture.table, &incoming, None).await.unwrap();
                assert_eq!(again.counts.changes(), 0, "the same rows again");
            }
            if open_file > 0 {
                assert!(fixture.table.files("id").await.unwrap().len() <= 1, "small files were left behind");
            }
        });
    }

    #[test]
    fn a_replacement_leaves_the_new_snapshot_and_nothing_else(snapshots in vec(copies(), 1..5)) {
        on_runtime(async {
            let mut fixture = Fixture::new("notes").await;
            let replace = Replace::new(&fixture.schema);
            for snapshot in &snapshots {
                let before = fixture.rows().await;
                let mut model = Model::new();
                expect(&mut model, snapshot, MergePolicy::Update(Deletes::Soft));
                let prepared = replace.prepare(&fixture.table, &fixture.incoming(snapshot)).await.unwrap();
                let changed = !prepared.change.add.is_empty() || !prepared.change.remove.is_empty();
                assert_eq!(changed, before != model);
                if let CommitOutcome::Conflict(_) = fixture.table.commit(prepared.change).await.unwrap() {
                    panic!("nobody else commits here");
                }
                fixture.table = fixture.table.refresh().await.unwrap();
                assert_eq!(fixture.rows().await, model);
            }
        });
    }
}

/// The greatest key of each file, in order.
async fn last_keys(table: &Table) -> Vec<String> {
    let mut keys: Vec<_> = table.files("id").await.unwrap().into_iter().filter_map(|file| file.max_key).collect();
    keys.sort();
    keys
}

#[test]
fn new_rows_join_the_last_open_file_also_where_a_smaller_one_is_there_or_changes() {
    on_runtime(async {
        let mut fixture = Fixture::new("notes").await;
        let policy = MergePolicy::Update(Deletes::Soft);
        let (apart, folding) =
            (Upsert::leaving_small_files(&fixture.schema, policy), Upsert::new(&fixture.schema, policy));
        let note = |id: u32, rev: u32| format!(r#"{{"type":"note","id":"{id:02}","attributes":{{"rev":{rev}}}}}"#);
        let steps = [
            (&apart, vec![note(10, 1)], vec!["10"]),
            (&apart, (20..40).map(|id| note(id, 1)).collect(), vec!["10", "39"]),
            (&folding, vec![note(50, 1)], vec!["10", "50"]),
            // The first file changes, and the last one does not.
            (&folding, vec![note(10, 2), note(11, 1)], vec!["10", "50"]),
            (&folding, vec![note(10, 3), note(50, 2), note(60, 1)], vec!["10", "60"]),
        ];
        for (upsert, texts, expected) in steps {
            let prepared = upsert.prepare(&fixture.table, &fixture.converted(&texts), None).await.unwrap();
            assert!(fixture.commit(prepared).await);
            assert_eq!(last_keys(&fixture.table).await, expected, "{texts:?}");
        }
    });
}

#[test]
fn a_file_that_can_hold_none_of_the_keys_is_not_opened() {
    on_runtime(async {
        let mut fixture = Fixture::new("notes").await;
        let upsert = Upsert::leaving_small_files(&fixture.schema, MergePolicy::Update(Deletes::Soft));
        let note = |id: u32, rev: u32| format!(r#"{{"type":"note","id":"{id:02}","attributes":{{"rev":{rev}}}}}"#);
        for (from, to) in [(10, 20), (30, 40), (50, 60)] {
            let texts: Vec<_> = (from..to).map(|id| note(id, 1)).collect();
            let prepared = upsert.prepare(&fixture.table, &fixture.converted(&texts), None).await.unwrap();
            assert!(fixture.commit(prepared).await);
        }
        for file in fixture.table.files("id").await.unwrap().iter().filter(|file| !file.may_hold("35")) {
            fixture.store.delete(&Path::from(format!("lake/notes/{}", file.path))).await.unwrap();
        }
        let between_after_and_within = [note(25, 1), note(35, 2), note(70, 1)];
        let incoming = fixture.converted(&between_after_and_within);
        let prepared = upsert.prepare(&fixture.table, &incoming, None).await.unwrap();
        assert_eq!((prepared.counts.inserted, prepared.counts.updated), (2, 1));
        assert!(upsert.prepare(&fixture.table, &fixture.converted(&[note(10, 2)]), None).await.is_err());
    });
}

/// A forward of a conversation: its conversation, its number there, and its text.
type Forward = (u8, u8, u8);

/// What the lists of some conversations hold.
fn forwards() -> impl Strategy<Value = (BTreeSet<u8>, Vec<Forward>)> {
    // Few texts, so that much stays as it is: new rows beside unchanged ones are a case of their own.
    let forward = (0u8..3, 0u8..5, 0u8..1);
    (proptest::collection::btree_set(0u8..3, 0..3), vec(forward, 0..12))
}

/// The id comes first in the order of rows, and says nothing of the conversation.
fn forward_id((conversation, number, _): Forward) -> String {
    format!("{number}-{conversation:02}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn all_rows_of_the_parents_that_were_read_are_replaced_together(
        rounds in vec(forwards(), 1..6), surplus in prop_oneof![Just(Deletes::Soft), Just(Deletes::Hard)],
        open_file in prop_oneof![Just(0), Just(u64::MAX)],
    ) {
        on_runtime(async {
            let mut fixture = Fixture::new("conversation_forwards").await;
            let upsert = Upsert { open_file, ..Upsert::new(&fixture.schema, MergePolicy::Update(surplus)) };
            let mut model: BTreeMap<String, (String, String, bool)> = BTreeMap::new();
            for (read, found) in &rounds {
                let found: BTreeMap<String, Forward> = found.iter().filter(|one| read.contains(&one.0)).map(|one| (forward_id(*one), *one)).collect();
                let parents: BTreeSet<String> = read.iter().map(|one| format!("c{one:02}")).collect();
                let texts: Vec<_> = found.iter().map(|(id, (conversation, _, text))| format!(
                    r#"{{"type":"forward","id":"{id}","attributes":{{"body":"text {text}"}},"_given":{{"parent_id":"c{conversation:02}"}}}}"#
                )).collect();
                let before = model.clone();
                let gone: Vec<_> = model.iter().filter(|(id, row)| parents.contains(&row.0) && !found.contains_key(*id)).map(|(id, _)| id.clone()).collect();
                for id in gone {
                    match surplus {
                        Deletes::Hard => drop(model.remove(&id)),
                        Deletes::Soft => model.get_mut(&id).unwrap().2 = true,
                    }
                }
                for (id, (conversation, _, text)) in &found {
                    model.insert(id.clone(), (format!("c{conversation:02}"), format!("text {text}"), false));
                }
                let at = chrono::DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
                let replaced = Replaced { column: "_parent_id".to_owned(), parents: Arc::new(parents), surplus: surplus.into(), at };
                let incoming = fixture.converted(&texts);
                let prepared = upsert.prepare(&fixture.table, &incoming, Some(&replaced)).await.unwrap();
                let changed = fixture.commit(prepared).await;
                assert_eq!(forward_rows(&fixture.table).await, model);
                assert_eq!(changed, before != model, "a commit without a change, or a change without a commit");
            }
        });
    }
}

async fn forward_rows(table: &Table) -> BTreeMap<String, (String, String, bool)> {
    let mut rows = BTreeMap::new();
    for file in table.files("id").await.unwrap() {
        let mut batches = table.read(&file, Read::default()).await.unwrap();
        while let Some(batch) = batches.try_next().await.unwrap() {
            let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
            let (ids, parents, bodies) = (text("id"), text("_parent_id"), text("body"));
            let deleted = batch.column_by_name("_deleted").unwrap().as_boolean();
            for row in 0..batch.num_rows() {
                let values = (parents.value(row).to_owned(), bodies.value(row).to_owned(), deleted.value(row));
                assert!(rows.insert(ids.value(row).to_owned(), values).is_none(), "a row stands twice");
            }
        }
    }
    rows
}
