//! Files of random rows, merged; beside a writer, too.

use std::sync::Arc;

use arrow::array::RecordBatch;
use object_store::memory::InMemory;
use proptest::collection::vec;
use proptest::prelude::*;
use url::Url;

use super::*;
use crate::catalog::Catalog;
use crate::clock::{Entropy, SystemClock};
use crate::lake::{Lake, TableName, TransactionId};
use crate::run::changed::{Changed, Since};
use crate::run::upsert::Upsert;
use crate::table::{Converter, Deletes, MergePolicy, TableSchema, UnknownAttributes, newest_by_key};

fn schema() -> TableSchema {
    TableSchema::new(Catalog::embedded().unwrap().get("notes").unwrap())
}

async fn created(schema: &TableSchema) -> Table {
    let root = Url::parse("s3://bucket/lake/").unwrap();
    let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(Entropy::seeded(1)));
    let lake = Lake::with_store(Arc::new(InMemory::new()), root, clock, entropy).unwrap();
    lake.create_table(&TableName::new("notes").unwrap(), schema.arrow().clone()).await.unwrap()
}

/// Commits notes with these numbers as a file of their own, where there are any.
async fn load(mut table: Table, schema: &TableSchema, ids: &[u32], round: i64) -> Table {
    let json = |id: &u32| {
        format!(
            r#"{{"type":"note","id":"note-{id:05}","attributes":{{"rev":{round},"body":"text {round}","updatedAt":"2026-01-01T00:00:00Z"}}}}"#
        )
    };
    let texts: Vec<String> = ids.iter().map(json).collect();
    let raw: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    let read_at = chrono::DateTime::from_timestamp(1_700_000_000 + round, 0).unwrap();
    let rows = Converter::new(schema, UnknownAttributes::Extra).convert(&raw, read_at).unwrap().batch;
    let rows = newest_by_key(schema.arrow(), schema.order(), vec![rows]).unwrap();
    let upsert = Upsert::leaving_small_files(schema, MergePolicy::Update(Deletes::Soft));
    loop {
        let mut change = upsert.prepare(&table, &rows, None).await.unwrap().change;
        if change.add.is_empty() {
            return table;
        }
        change.transactions = vec![(TransactionId::new("kustlake/cursor"), round)];
        match table.commit(change).await.unwrap() {
            CommitOutcome::Committed(table) => return table,
            CommitOutcome::Conflict(newest) => table = newest,
        }
    }
}

/// Every row with all its columns, in the order of ids.
async fn rows(table: &Table, schema: &TableSchema) -> RecordBatch {
    let mut all = Vec::new();
    for file in table.files("id").await.unwrap() {
        let batches: Vec<RecordBatch> = table.read(&file, Read::default()).await.unwrap().try_collect().await.unwrap();
        all.extend(batches);
    }
    let stored: usize = all.iter().map(RecordBatch::num_rows).sum();
    let sorted = newest_by_key(table.schema(), schema.order(), all).unwrap();
    assert_eq!(sorted.num_rows(), stored, "a row stands twice");
    sorted
}

fn compaction<'a>(table: &Table, schema: &'a TableSchema, layout: Layout) -> Compaction<'a> {
    let (merged, note) = (Merged::default(), CommitNote::default());
    Compaction { table: table.clone(), order: schema.order(), layout, merged, note }
}

fn on_runtime<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_stay_as_they_are_and_files_end_apart(
        loads in vec(vec(0u32..300, 0..40), 1..8), streams in 2usize..5, file_size in prop_oneof![Just(20_000u64), Just(u64::MAX)],
    ) {
        on_runtime(async {
            let schema = schema();
            let mut table = created(&schema).await;
            for (round, ids) in (1..).zip(&loads) {
                table = load(table, &schema, ids, round).await;
            }
            let before = (rows(&table, &schema).await, table.transaction(&TransactionId::new("kustlake/cursor")).await.unwrap());
            let newest = Changed::in_table(&table, "id").await.unwrap().newest();
            let told = Changed::in_table(&table, "id").await.unwrap().next(Since::Ever).await.unwrap();
            let layout = Layout { small_file: 1, file_size, streams };
            let mut compaction = compaction(&table, &schema, layout);
            compaction.finish().await.unwrap();
            let after = compaction.table.clone();
            assert_eq!(after.version() - table.version(), compaction.merged.commits);
            assert_eq!((rows(&after, &schema).await, after.transaction(&TransactionId::new("kustlake/cursor")).await.unwrap()), before);
            let mut files = after.files("id").await.unwrap();
            files.sort_by(|a, b| a.min_key.cmp(&b.min_key));
            assert!(files.windows(2).all(|pair| pair[0].max_key < pair[1].min_key), "{files:?}");
            // Nobody who follows the changes sees any.
            let changed = Changed::in_table(&after, "id").await.unwrap();
            assert_eq!(changed.next(Since::Ever).await.unwrap(), told);
            if let Some(newest) = newest {
                assert_eq!(changed.count(Since::After(newest)).await.unwrap(), 0);
            }
            let merged = compaction.merged;
            compaction.finish().await.unwrap();
            assert_eq!(compaction.merged, merged, "nothing was left to be merged");
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_file_in_the_middle_is_merged_once_however_large_rows_look_before_they_are_encoded() {
    let schema = schema();
    let mut table = created(&schema).await;
    for (round, ids) in (1..).zip([0..5000, 5000..5002, 6000..11_000]) {
        table = load(table, &schema, &ids.collect::<Vec<_>>(), round).await;
    }
    let small_file = table.files("id").await.unwrap().iter().map(|file| file.size).min().unwrap() + 1;
    let layout = Layout { small_file, ..Layout::default() };
    let mut compaction = compaction(&table, &schema, layout);
    compaction.finish().await.unwrap();
    assert_eq!(compaction.merged.commits, 1);
    assert_eq!(compaction.table.files("id").await.unwrap().len(), 2);
    assert_eq!(rows(&compaction.table, &schema).await.num_rows(), 10_002);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_writer_nothing_is_lost() {
    let schema = schema();
    let mut table = created(&schema).await;
    for round in 1..8 {
        table =
            load(table, &schema, &(0..50).map(|n| n * 7 + u32::try_from(round).unwrap()).collect::<Vec<_>>(), round)
                .await;
    }
    let writer = async {
        let mut table = table.clone();
        for round in 8..20 {
            let ids: Vec<u32> = if round % 2 == 0 { (500..510).collect() } else { vec![7, 8, 400] };
            table = load(table, &schema, &ids, round).await;
        }
    };
    let compacting = async {
        let mut table = table.clone();
        for _ in 0..6 {
            let mut compaction = compaction(&table, &schema, Layout { streams: 3, ..Layout::default() });
            compaction.finish().await.unwrap();
            table = compaction.table;
        }
    };
    tokio::join!(writer, compacting);
    let table = table.refresh().await.unwrap();
    assert_eq!(table.transaction(&TransactionId::new("kustlake/cursor")).await.unwrap(), Some(19));
    let rows = rows(&table, &schema).await;
    // 50 notes of each of seven rounds, the ten and number 400, of which one was there already.
    let ids: std::collections::BTreeSet<u32> =
        (1..8).flat_map(|round| (0..50).map(move |n| n * 7 + round)).chain(500..510).chain([7, 8, 400]).collect();
    assert_eq!(rows.num_rows(), ids.len());
}
