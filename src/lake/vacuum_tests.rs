//! Tables whose files go and stay, on a store whose time passes at will.

use std::sync::Arc;

use chrono::TimeDelta;
use object_store::ObjectStore;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::lake::testing::{Fault, FaultyStore, append, committed, counts, create, lake_in, read, rows, write};
use crate::lake::{Change, CommitOutcome, Effect, Read};

const GRACE: TimeDelta = TimeDelta::days(7);

fn lake() -> (Arc<FaultyStore>, Lake) {
    let store = Arc::new(FaultyStore::default());
    (store.clone(), lake_in(store, 1))
}

async fn unneeded(table: &Table) -> Unneeded {
    let cutoff = table.lake().store_time().await.unwrap() - GRACE;
    table.unneeded(cutoff).await.unwrap()
}

async fn names(lake: &Lake) -> Vec<String> {
    let objects: Vec<ObjectMeta> = lake.store().list(None).try_collect().await.unwrap();
    objects.into_iter().map(|object| object.location.to_string()).collect()
}

/// Merges all files of the table into one.
async fn compacted(table: &Table) -> Table {
    let files = table.files("id").await.unwrap();
    let mut all = Vec::new();
    for file in &files {
        all.extend(read(table, file, Read::default()).await);
    }
    let rows = arrow::compute::concat_batches(table.schema(), &all).unwrap();
    let change =
        Change { add: vec![write(table, &rows).await], remove: files, effect: Effect::Layout, ..Change::default() };
    committed(table.commit(change).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_cannot_be_stored_is_a_failure_of_the_storage() {
    let store = Arc::new(FaultyStore::default());
    let table = committed(append(&create(&lake_in(store.clone(), 1)).await, &rows(0..1)).await);
    store.fail(Fault::Full, "checkpoint", usize::MAX);
    let Err(LakeError::Unusable { problem, .. }) = table.checkpoint().await else { panic!("stored") };
    assert!(problem.starts_with("no space is left"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_file_goes_once_no_version_of_the_grace_needs_it() {
    let (store, lake) = lake();
    let table = committed(append(&create(&lake).await, &rows(0..3)).await);
    store.pass(TimeDelta::days(30)).await;
    let table = compacted(&committed(append(&table, &rows(3..5)).await)).await;
    assert!(unneeded(&table).await.data.is_empty());
    store.pass(TimeDelta::days(6)).await;
    assert!(unneeded(&table).await.data.is_empty());
    store.pass(TimeDelta::days(2)).await;
    let gone = unneeded(&table).await;
    assert_eq!((gone.data.len(), gone.without_checkpoint), (2, 3));
    table.remove(&gone).await.unwrap();
    assert_eq!(names(&lake).await.iter().filter(|name| name.ends_with(".parquet")).count(), 1);
    assert_eq!(counts(&table.refresh().await.unwrap()).await, [0, 1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_below_a_checkpoint_that_everybody_began_with() {
    let (store, lake) = lake();
    let mut table = create(&lake).await;
    for n in 0..12 {
        table = committed(append(&table, &rows(n..n + 1)).await);
    }
    store.pass(TimeDelta::days(8)).await;
    table = committed(append(&table, &rows(12..13)).await);
    assert!(table.checkpoint().await.unwrap());
    let gone = unneeded(&table).await;
    assert_eq!((gone.log.len(), gone.without_checkpoint), (20, 0));
    table.remove(&gone).await.unwrap();
    let log: Vec<_> = names(&lake).await.into_iter().filter(|name| name.contains("_delta_log")).collect();
    assert!(
        log.iter().all(|name| name.contains("/0000000000000000001") || name.ends_with("_last_checkpoint")),
        "{log:?}"
    );
    let reopened = lake.table(table.name()).await.unwrap().unwrap();
    assert_eq!(counts(&reopened).await, (0..13).collect::<Vec<_>>());
    assert_eq!(counts(&former(&reopened, 10)).await, (0..10).collect::<Vec<_>>());
    lake.store().delete(&lake.object("tags/_delta_log/_last_checkpoint").unwrap()).await.unwrap();
    assert_eq!(counts(&lake.table(table.name()).await.unwrap().unwrap()).await.len(), 13);
    // Checkpoints that are younger keep everything, and a note that tells of what goes goes first.
    store.pass(TimeDelta::days(8)).await;
    let note = lake.object("tags/_delta_log/_last_checkpoint").unwrap();
    lake.store().put(&note, r#"{"version":10,"size":1}"#.into()).await.unwrap();
    let gone = unneeded(&table).await;
    assert_eq!(gone.note, Some(note));
    table.remove(&gone).await.unwrap();
    assert_eq!(counts(&lake.table(table.name()).await.unwrap().unwrap()).await.len(), 13);
}

fn former(table: &Table, version: u64) -> Table {
    Table::new(table.lake().clone(), table.name().clone(), table.snapshot().at_version(version).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_and_not_committed_stays_for_the_grace() {
    let (store, lake) = lake();
    let table = committed(append(&create(&lake).await, &rows(0..3)).await);
    store.pass(TimeDelta::days(8)).await;
    let stored = write(&table, &rows(3..5)).await;
    store.pass(TimeDelta::days(6)).await;
    table.remove(&unneeded(&table).await).await.unwrap();
    let table = committed(table.commit(Change { add: vec![stored], ..Change::default() }).await.unwrap());
    assert_eq!(counts(&table).await, [0, 1, 2, 3, 4]);
    write(&table, &rows(5..6)).await;
    store.pass(TimeDelta::days(8)).await;
    assert_eq!(unneeded(&table).await.data.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_known_is_removed() {
    let (store, lake) = lake();
    let table = committed(append(&create(&lake).await, &rows(0..3)).await);
    let kept =
        ["tags/notes.txt", "tags/_change_data/a.parquet", "other/b.parquet", "views.sql", "_kustlake/state.json"];
    let gone = ["tags/c.parquet", "tags/part=1/d.parquet"];
    let left = ["_kustlake/probe-1", "_kustlake/probe-1-race", "_kustlake/clock-2"];
    for name in kept.iter().chain(&gone).chain(&left) {
        lake.put(name, "x".to_owned()).await.unwrap();
    }
    store.pass(TimeDelta::days(8)).await;
    table.remove(&unneeded(&table).await).await.unwrap();
    let cutoff = lake.store_time().await.unwrap() - GRACE;
    let leftovers = lake.leftovers(cutoff).await.unwrap();
    lake.remove(&leftovers).await.unwrap();
    let names = names(&lake).await;
    assert!(kept.iter().all(|name| names.contains(&format!("lake/{name}"))), "{names:?}");
    assert!(gone.iter().chain(&left).all(|name| !names.contains(&format!("lake/{name}"))), "{names:?}");
    assert_eq!(counts(&table).await, [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_tells_no_values_and_a_compaction_no_change() {
    let (_store, lake) = lake();
    let table = compacted(&committed(append(&create(&lake).await, &rows(0..3)).await)).await;
    let path = lake.object(&format!("tags/_delta_log/{:020}.json", table.version())).unwrap();
    let entry = lake.store().get(&path).await.unwrap().bytes().await.unwrap();
    let actions: Vec<serde_json::Value> =
        std::str::from_utf8(&entry).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let action = |name: &str| actions.iter().find_map(|action| action.get(name)).unwrap();
    assert_eq!((&action("remove")["dataChange"], &action("add")["dataChange"]), (&false.into(), &false.into()));
    assert!(action("add")["stats"].is_string() && action("remove").get("stats").is_none(), "{}", action("remove"));
    assert_eq!(action("commitInfo")["operation"], "OPTIMIZE");
}

/// What happens to a table.
#[derive(Debug, Clone)]
enum Event {
    Append(u8),
    Remove,
    Compact,
    Checkpoint,
    Store,
    Pass(i64),
    Vacuum,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (1u8..4).prop_map(Event::Append),
        2 => Just(Event::Remove),
        2 => Just(Event::Compact),
        2 => Just(Event::Checkpoint),
        1 => Just(Event::Store),
        4 => (0i64..6).prop_map(Event::Pass),
        4 => Just(Event::Vacuum),
    ];
    vec(event, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_version_of_the_grace_stays_readable(events in events()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, lake) = lake();
            let mut table = create(&lake).await;
            // Of each version: when the next one followed, in days, and its rows.
            let mut versions = vec![(None, Vec::new())];
            let (mut day, mut next) = (0, 0);
            for event in events {
                let before = table.version();
                match event {
                    Event::Append(count) => {
                        table = committed(append(&table, &rows(next..next + i64::from(count))).await);
                        next += i64::from(count);
                    }
                    Event::Remove => {
                        let files = table.files("id").await.unwrap();
                        let change = Change { remove: files.into_iter().take(1).collect(), ..Change::default() };
                        if !change.remove.is_empty() {
                            table = committed(table.commit(change).await.unwrap());
                        }
                    }
                    Event::Compact if table.files("id").await.unwrap().len() > 1 => table = compacted(&table).await,
                    Event::Compact => {}
                    Event::Checkpoint => drop(table.checkpoint().await.unwrap()),
                    Event::Store => drop(write(&table, &rows(900..901)).await),
                    Event::Pass(days) => {
                        day += days;
                        store.pass(TimeDelta::days(days)).await;
                    }
                    Event::Vacuum => table.remove(&unneeded(&table).await).await.unwrap(),
                }
                if table.version() > before {
                    versions.last_mut().unwrap().0 = Some(day);
                    versions.push((None, counts(&table).await));
                }
                table = lake.table(table.name()).await.unwrap().unwrap();
                let (_, now) = versions.last().unwrap();
                assert_eq!((table.version() + 1, &counts(&table).await), (versions.len() as u64, now));
            }
            for (version, (followed, rows)) in versions.iter().enumerate() {
                if followed.is_none_or(|followed| day - followed < GRACE.num_days()) {
                    assert_eq!(&counts(&former(&table, version as u64)).await, rows, "version {version}");
                }
            }
        });
    }
}

/// A table with files to be removed and a log to be cut.
async fn aged(store: &FaultyStore, lake: &Lake) -> Table {
    let mut table = create(lake).await;
    for n in 0..11 {
        table = committed(append(&table, &rows(n..n + 1)).await);
    }
    table = compacted(&table).await;
    store.pass(TimeDelta::days(8)).await;
    table
}

/// All that maintenance does to a table: files merged, checkpoint, files and log entries removed, leftovers removed.
async fn maintained(table: &Table) -> Result<(), LakeError> {
    let lake = table.lake();
    let cutoff = lake.store_time().await? - GRACE;
    let files = table.files("id").await?;
    if files.len() > 1 {
        let mut writer = table.writer(&[], &["id"])?;
        for file in &files {
            let mut batches = table.read(file, Read::default()).await?;
            while let Some(batch) = batches.try_next().await? {
                writer.write(&batch).await?;
            }
        }
        let add = writer.finish().await?.into_iter().collect();
        let change = Change { add, remove: files, effect: Effect::Layout, ..Change::default() };
        let (CommitOutcome::Committed(_) | CommitOutcome::Conflict(_)) = table.commit(change).await?;
    }
    let table = table.refresh().await?;
    table.checkpoint().await?;
    table.remove(&table.unneeded(cutoff).await?).await?;
    lake.remove(&lake.leftovers(cutoff).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_operation_leaves_the_table_as_it_was() {
    for operations in 0.. {
        let (store, lake) = lake();
        let table = aged(&store, &lake).await;
        let table = committed(append(&table, &rows(11..12)).await);
        let table = lake.table(table.name()).await.unwrap().unwrap();
        store.die_after(Some(operations));
        let done = maintained(&table).await;
        let died = store.is_dead();
        store.die_after(None);
        assert!(done.is_ok() || died);
        let table = lake.table(table.name()).await.unwrap().unwrap();
        assert_eq!(counts(&table).await, (0..12).collect::<Vec<_>>(), "after {operations} operations");
        let table = committed(append(&table, &rows(12..13)).await);
        maintained(&table).await.unwrap();
        let table = lake.table(table.name()).await.unwrap().unwrap();
        assert_eq!((counts(&table).await.len(), table.files("id").await.unwrap().len()), (13, 1));
        store.pass(TimeDelta::days(8)).await;
        table.remove(&unneeded(&table).await).await.unwrap();
        let names = names(&lake).await;
        let data = names.iter().filter(|name| name.ends_with(".parquet") && !name.contains("_delta_log"));
        assert_eq!(data.count(), 1, "{names:?}");
        if !died {
            break;
        }
    }
}
