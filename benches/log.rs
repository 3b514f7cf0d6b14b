//! What a table costs to open, and a commit to make, after so many commits: `cargo bench --bench log`.
//!
//! Each commit replaces the table's only file and moves a cursor, as small runs do. On a local folder; preparing the
//! longest log takes some minutes.
#![expect(clippy::expect_used, reason = "a benchmark that cannot prepare its tables has nothing to measure")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use divan::{Bencher, black_box};
use kustlake::clock::{Entropy, SystemClock};
use kustlake::lake::{Change, CommitOutcome, Destination, Lake, S3Settings, Table, TableName, TransactionId};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const COMMITS: [u64; 4] = [10, 100, 1_000, 10_000];

fn main() {
    divan::main();
    // What is static is never dropped.
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static FOLDERS: LazyLock<Mutex<HashMap<u64, TempDir>>> = LazyLock::new(Mutex::default);

fn name() -> TableName {
    TableName::new("messages").expect("a name")
}

fn cursor() -> TransactionId {
    TransactionId::new("cursor")
}

fn lake(folder: &Path) -> Lake {
    let destination = Destination::parse(&folder.to_string_lossy(), Path::new("."), S3Settings::default());
    let destination = destination.expect("a folder is a destination");
    let _inside = RUNTIME.enter();
    Lake::open(&destination, Arc::new(SystemClock::new()), Arc::new(Entropy::system())).expect("a folder can be used")
}

/// A lake whose table has so many commits; made once.
fn prepared(commits: u64) -> Lake {
    let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = folders.get(&commits) {
        return lake(folder.path());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    RUNTIME.block_on(async {
        let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Utf8, false)]));
        let mut table = lake.create_table(&name(), schema).await.expect("a table");
        while table.version() < commits {
            table = replaced(&table).await;
        }
    });
    folders.insert(commits, folder);
    lake
}

/// The table after one more commit.
async fn replaced(table: &Table) -> Table {
    let version = table.version();
    let ids = Arc::new(StringArray::from(vec![format!("{version:024}")]));
    let rows = RecordBatch::try_new(Arc::clone(table.schema()), vec![ids]).expect("a row");
    let mut writer = table.writer(&[], &["id"]).expect("a writer");
    writer.write(&rows).await.expect("a row can be written");
    let change = Change {
        add: writer.finish().await.expect("a file").into_iter().collect(),
        remove: table.files("id").await.expect("files"),
        transactions: vec![(cursor(), i64::try_from(version).expect("a small number"))],
        ..Change::default()
    };
    match table.commit(change).await.expect("a commit") {
        CommitOutcome::Committed(table) | CommitOutcome::Conflict(table) => table,
    }
}

#[divan::bench(args = COMMITS, sample_count = 25, sample_size = 1)]
fn open(bencher: Bencher<'_, '_>, commits: u64) {
    let lake = prepared(commits);
    bencher.bench_local(|| {
        RUNTIME.block_on(async {
            let table = lake.table(&name()).await.expect("the log can be read").expect("there is a table");
            (table.files("id").await.expect("files"), table.transaction(&cursor()).await.expect("a cursor"))
        })
    });
}

#[divan::bench(args = COMMITS, sample_count = 25, sample_size = 1)]
fn commit(bencher: Bencher<'_, '_>, commits: u64) {
    let lake = prepared(commits);
    let mut table = RUNTIME.block_on(lake.table(&name())).expect("the log can be read").expect("there is a table");
    bencher.bench_local(|| table = RUNTIME.block_on(replaced(black_box(&table))));
}
