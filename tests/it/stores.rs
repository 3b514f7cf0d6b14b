//! What a lake relies on, tried out on every kind of store: one suite, and a test for each store.
//!
//! The rule: a behaviour is written once. One that needs a faithful store says so, and is left out where a server ignores
//! create-only puts; there commits rely on the lease, and all other behaviours must hold all the same.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use chrono::DateTime;
use futures::{StreamExt, TryStreamExt};
use kustlake::clock::{Clock, Entropy, SystemClock};
use kustlake::lake::{
    Change, CommitOutcome, Commits, EntityState, Lake, Lease, LeaseError, LeaseTiming, Loaded, Read, State, StateFile,
    Table, TableName, WrittenFile,
};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use crate::forgetful::Forgetful;
use crate::parts::{BUCKET, Storage};

/// A store, where in it a lake may lie, and what it promises.
struct Subject {
    store: Arc<dyn ObjectStore>,
    root: Url,
    commits: Commits,
}

impl Subject {
    /// A lake of its own for each behaviour, as a probe has found that the store has to be treated.
    async fn lake(&self, part: &str) -> Lake {
        self.lake_through(Arc::clone(&self.store), part).await
    }

    async fn lake_through(&self, store: Arc<dyn ObjectStore>, part: &str) -> Lake {
        let root = self.root.join(&format!("{part}/")).unwrap();
        let lake = Lake::with_store(store, root, Arc::new(SystemClock::new()), Arc::new(Entropy::system())).unwrap();
        lake.probe(Commits::Lease).await.unwrap()
    }

    /// The same, and the lease of it.
    async fn held(&self, part: &str) -> (Lake, Lease) {
        let lake = self.lake(part).await;
        let lease = Lease::acquire(&lake, "suite", LeaseTiming::default()).await.unwrap();
        (lease.guard(&lake), lease)
    }

    fn path(&self, name: &str) -> Path {
        Path::from_url_path(self.root.join(name).unwrap().path()).unwrap()
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Utf8, false), Field::new("text", DataType::Utf8, true)]))
}

fn rows(ids: std::ops::Range<u32>, text: impl Fn() -> String) -> RecordBatch {
    let keys: StringArray = ids.clone().map(|id| Some(format!("{id:08}"))).collect();
    let texts: StringArray = ids.map(|_| Some(text())).collect();
    RecordBatch::try_new(schema(), vec![Arc::new(keys), Arc::new(texts)]).unwrap()
}

async fn create(lake: &Lake) -> Table {
    lake.create_table(&TableName::new("tags").unwrap(), schema()).await.unwrap()
}

async fn write(table: &Table, id: u32) -> WrittenFile {
    let mut writer = table.writer(&[], &["id"]).unwrap();
    writer.write(&rows(id..id + 1, String::new)).await.unwrap();
    writer.finish().await.unwrap().unwrap()
}

async fn append(table: &Table, id: u32) -> CommitOutcome {
    table.commit(Change { add: vec![write(table, id).await], ..Change::default() }).await.unwrap()
}

async fn ids(table: &Table) -> Vec<String> {
    let mut ids = Vec::new();
    for file in table.files("id").await.unwrap() {
        let batches: Vec<RecordBatch> = table.read(&file, Read::default()).await.unwrap().try_collect().await.unwrap();
        for batch in batches {
            let column = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap().clone();
            ids.extend(column.iter().flatten().map(str::to_owned));
        }
    }
    ids.sort();
    ids
}

async fn the_probe_tells_what_the_store_promises_and_leaves_nothing(subject: &Subject) {
    let lake = subject.lake("probe").await;
    assert_eq!(lake.commits(), subject.commits);
    assert_eq!(lake.probe(Commits::CreateOnly).await.is_ok(), subject.commits == Commits::CreateOnly);
    let left: Vec<_> = subject.store.list(Some(&subject.path("probe"))).try_collect().await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

async fn a_table_is_created_once_and_found(subject: &Subject) {
    let (lake, lease) = subject.held("create").await;
    let table = create(&lake).await;
    assert_eq!((table.version(), create(&lake).await.version()), (0, 0));
    let CommitOutcome::Committed(_) = append(&table, 1).await else { panic!("a conflict with nobody") };
    assert_eq!(lake.tables().await.unwrap(), [table.name().clone()]);
    lease.release().await;
}

async fn a_table_without_any_row_is_found(subject: &Subject) {
    let (lake, lease) = subject.held("empty").await;
    let table = create(&lake).await;
    assert_eq!(lake.tables().await.unwrap(), [table.name().clone()]);
    lease.release().await;
}

async fn a_commit_on_an_old_version_is_a_conflict(subject: &Subject) {
    let (lake, lease) = subject.held("conflict").await;
    let table = create(&lake).await;
    let CommitOutcome::Committed(first) = append(&table, 1).await else { panic!("a conflict with nobody") };
    let CommitOutcome::Conflict(newest) = append(&table, 2).await else { panic!("overwritten") };
    assert_eq!((first.version(), newest.version()), (1, 1));
    let CommitOutcome::Committed(second) = append(&newest, 2).await else { panic!("a conflict with nobody") };
    assert_eq!(ids(&second).await, ["00000001", "00000002"]);
    lease.release().await;
}

async fn of_racing_commits_each_is_there_once(subject: &Subject) {
    const WRITERS: u32 = 16;
    let lake = subject.lake("race").await;
    let table = create(&lake).await;
    let conflicts = AtomicUsize::new(0);
    let writers = (0..WRITERS).map(|id| {
        let (mut table, conflicts) = (table.clone(), &conflicts);
        async move {
            let change = Change { add: vec![write(&table, id).await], ..Change::default() };
            while let CommitOutcome::Conflict(newest) = table.commit(change.clone()).await.unwrap() {
                conflicts.fetch_add(1, Ordering::Relaxed);
                table = newest;
            }
        }
    });
    futures::future::join_all(writers).await;
    let table = table.refresh().await.unwrap();
    assert_eq!(table.version(), u64::from(WRITERS));
    assert_eq!(ids(&table).await, (0..WRITERS).map(|id| format!("{id:08}")).collect::<Vec<_>>());
    assert!(conflicts.load(Ordering::Relaxed) > 0, "nothing raced");
}

async fn a_commit_whose_answer_is_lost_counts_once(subject: &Subject) {
    let store = Arc::new(Forgetful::new(Arc::clone(&subject.store)));
    let lake = subject.lake_through(Arc::clone(&store) as Arc<dyn ObjectStore>, "lost").await;
    let lease = Lease::acquire(&lake, "suite", LeaseTiming::default()).await.unwrap();
    let table = create(&lease.guard(&lake)).await;
    store.forget("00000000000000000001.json");
    let CommitOutcome::Committed(table) = append(&table, 1).await else { panic!("taken for somebody else's") };
    assert!(store.has_forgotten(), "no answer was lost");
    assert_eq!((table.version(), ids(&table).await.len()), (1, 1));
    lease.release().await;
}

async fn the_state_is_merged_and_never_taken_back(subject: &Subject) {
    let lake = subject.lake("state").await;
    let at = |name: &str, seconds| {
        let entity = EntityState { cursor: DateTime::from_timestamp(seconds, 0), ..EntityState::default() };
        let mut state = State::default();
        state.entities.insert(name.to_owned(), entity);
        state
    };
    let (mut first, mut second) = (StateFile::of(&lake).unwrap(), StateFile::of(&lake).unwrap());
    assert_eq!((first.load().await.unwrap(), second.load().await.unwrap()), (Loaded::Absent, Loaded::Absent));
    first.save(&at("tags", 9)).await.unwrap();
    first.save(&at("tags", 10)).await.unwrap();
    let mut both = at("tags", 5);
    both.entities.extend(at("teams", 5).entities);
    let stored = second.save(&both).await.unwrap();
    assert_eq!((stored.entities.len(), &stored.entities["tags"]), (2, &at("tags", 10).entities["tags"]));
    assert_eq!(first.save(&at("users", 7)).await.unwrap().entities.len(), 3);
}

async fn a_lease_is_held_by_one_renewed_taken_over_and_given_back(subject: &Subject) {
    let lake = subject.lake("lease").await;
    let timing = LeaseTiming { heartbeat: Duration::from_secs(1), expiry: Duration::from_secs(60) };
    let first = Lease::acquire(&lake, "first", timing).await.unwrap();
    SystemClock::new().sleep(timing.heartbeat * 3).await;
    let Err(LeaseError::HeldBy { holder, .. }) = Lease::acquire(&lake, "second", timing).await else { panic!("two") };
    assert!(holder == "first" && !first.is_lost());
    first.release().await;
    // Its heartbeat comes long after the other one has lost patience.
    let silent = LeaseTiming { heartbeat: Duration::from_secs(12), expiry: Duration::from_secs(60) };
    let hasty = LeaseTiming { heartbeat: Duration::from_secs(1), expiry: Duration::from_secs(2) };
    let third = Lease::acquire(&lake, "third", silent).await.unwrap();
    SystemClock::new().sleep(Duration::from_secs(4)).await;
    let fourth = Lease::acquire(&lake, "fourth", hasty).await.unwrap();
    SystemClock::new().sleep(silent.heartbeat).await;
    assert!(third.is_lost() && !fourth.is_lost());
    third.release().await;
    assert!(matches!(Lease::acquire(&lake, "fifth", timing).await, Err(LeaseError::HeldBy { .. })));
    fourth.release().await;
    Lease::acquire(&lake, "sixth", timing).await.unwrap().release().await;
}

async fn a_listing_is_complete(subject: &Subject) {
    listing(subject, 50).await;
}

async fn a_listing_of_several_pages_is_complete(subject: &Subject) {
    listing(subject, 1_050).await;
}

async fn listing(subject: &Subject, many: usize) {
    let name = |n: usize| subject.path(&format!("list/{}/{n:05}", n % 3));
    let puts = futures::stream::iter(0..many).map(|n| async move { subject.store.put(&name(n), "x".into()).await });
    puts.buffer_unordered(16).try_collect::<Vec<_>>().await.unwrap();
    let prefix = subject.path("list");
    let mut all: Vec<Path> =
        subject.store.list(Some(&prefix)).map_ok(|object| object.location).try_collect().await.unwrap();
    all.sort();
    let mut wanted: Vec<Path> = (0..many).map(name).collect();
    wanted.sort();
    assert!(all == wanted, "{} of {many} listed", all.len());
    let level = subject.store.list_with_delimiter(Some(&prefix)).await.unwrap();
    assert_eq!((level.common_prefixes.len(), level.objects.len()), (3, 0));
    let deleted: Vec<_> = subject
        .store
        .delete_stream(futures::stream::iter(all.into_iter().map(Ok)).boxed())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(deleted.len(), many);
    assert!(subject.store.list(Some(&prefix)).next().await.is_none());
}

async fn ranges_are_exact(subject: &Subject) {
    let path = subject.path("ranges");
    let content: Bytes = (0..100_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect::<Vec<_>>().into();
    subject.store.put(&path, content.clone().into()).await.unwrap();
    for range in [1..2, 4_096..70_000, 99_999..100_000] {
        let wanted = content.slice(usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap());
        assert_eq!(subject.store.get_range(&path, range).await.unwrap(), wanted);
    }
    assert_eq!(subject.store.head(&path).await.unwrap().size, 100_000);
}

async fn a_large_file_goes_up_in_parts_and_an_abandoned_one_leaves_nothing(subject: &Subject) {
    const ROWS: u32 = 160_000;
    let (lake, lease) = subject.held("large").await;
    let (table, entropy) = (create(&lake).await, Entropy::seeded(1));
    let noise = || format!("{}{}", entropy.unique(), entropy.unique()) + &entropy.unique().to_string();
    let (mut kept, mut abandoned) = (table.writer(&[], &["id"]).unwrap(), table.writer(&[], &["id"]).unwrap());
    for from in (0..ROWS).step_by(16_000) {
        let batch = rows(from..from + 16_000, noise);
        kept.write(&batch).await.unwrap();
        abandoned.write(&batch).await.unwrap();
    }
    abandoned.abort().await;
    let file = kept.finish().await.unwrap().unwrap();
    assert!(file.size > 9 * 1024 * 1024, "one request would have done: {}", file.size);
    let committed = table.commit(Change { add: vec![file], ..Change::default() }).await.unwrap();
    let CommitOutcome::Committed(table) = committed else { panic!("a conflict with nobody") };
    let stored: Vec<ObjectMeta> = subject.store.list(Some(&subject.path("large/tags"))).try_collect().await.unwrap();
    assert_eq!(stored.iter().filter(|object| object.location.as_ref().ends_with(".parquet")).count(), 1);
    assert_eq!(ids(&table).await.len(), usize::try_from(ROWS).unwrap());
    let middle = Read { rows: Some(vec![0..3, 120_000..120_010]), ..Read::default() };
    let file = table.files("id").await.unwrap().remove(0);
    let batches: Vec<RecordBatch> = table.read(&file, middle).await.unwrap().try_collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 13);
    lease.release().await;
}

async fn what_is_deleted_is_gone_and_deleting_twice_is_no_failure_of_the_store(subject: &Subject) {
    let path = subject.path("deleted");
    subject.store.put(&path, "x".into()).await.unwrap();
    subject.store.delete(&path).await.unwrap();
    assert!(matches!(subject.store.get(&path).await, Err(Error::NotFound { .. })));
    assert!(matches!(subject.store.delete(&path).await, Ok(()) | Err(Error::NotFound { .. })));
}

async fn the_clock_of_the_store_goes_on(subject: &Subject) {
    let (old, new) = (subject.path("clock-old"), subject.path("clock-new"));
    subject.store.put(&old, "x".into()).await.unwrap();
    SystemClock::new().sleep(Duration::from_millis(2_100)).await;
    subject.store.put(&new, "x".into()).await.unwrap();
    let (old, new) = (subject.store.head(&old).await.unwrap(), subject.store.head(&new).await.unwrap());
    let passed = new.last_modified - old.last_modified;
    assert!((1..60).contains(&passed.num_seconds()), "{passed}");
}

type Behaviour = for<'a> fn(&'a Subject) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The behaviours of that name.
macro_rules! behaviours {
    ($($name:ident),* $(,)?) => {
        &[$((|subject| Box::pin($name(subject))) as Behaviour),*]
    };
}

/// What every store must do.
const ALWAYS: &[Behaviour] = behaviours![
    the_probe_tells_what_the_store_promises_and_leaves_nothing,
    a_table_is_created_once_and_found,
    a_commit_on_an_old_version_is_a_conflict,
    a_commit_whose_answer_is_lost_counts_once,
    the_state_is_merged_and_never_taken_back,
    a_lease_is_held_by_one_renewed_taken_over_and_given_back,
    a_listing_is_complete,
    ranges_are_exact,
    a_large_file_goes_up_in_parts_and_an_abandoned_one_leaves_nothing,
    what_is_deleted_is_gone_and_deleting_twice_is_no_failure_of_the_store,
    the_clock_of_the_store_goes_on,
];

/// What only a store does that keeps its promises. The server that overwrites commits also fails to go on with a listing,
/// and leaves out folders that hold nothing but folders.
const FAITHFUL: &[Behaviour] = behaviours![
    of_racing_commits_each_is_there_once,
    a_table_without_any_row_is_found,
    a_listing_of_several_pages_is_complete,
];

async fn examine(store: Arc<dyn ObjectStore>, root: &str, commits: Commits) {
    let subject = Subject { store, root: Url::parse(root).unwrap(), commits };
    let stronger = if commits == Commits::CreateOnly { FAITHFUL } else { &[] };
    for behaviour in ALWAYS.iter().chain(stronger) {
        behaviour(&subject).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_memory_does_what_a_lake_relies_on() {
    examine(Arc::new(InMemory::new()), "s3://bucket/lake/", Commits::CreateOnly).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_does_what_a_lake_relies_on() {
    let folder = tempfile::tempdir().unwrap();
    let root = Url::from_directory_path(folder.path()).unwrap();
    examine(Arc::new(LocalFileSystem::new().with_fsync(true)), root.as_str(), Commits::CreateOnly).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_its_promises_does_what_a_lake_relies_on() {
    let storage = Storage::start();
    examine(storage.store(), &format!("s3://{BUCKET}/kustomer/"), Commits::CreateOnly).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_overwrites_commits_does_all_else_that_a_lake_relies_on() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::start_weak(folder.path());
    examine(storage.store(), &format!("s3://{BUCKET}/kustomer/"), Commits::Lease).await;
}
