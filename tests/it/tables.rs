//! What the tables hold, held against what the source holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::DateTime;
use futures::TryStreamExt;
use kustlake::clock::{Entropy, SystemClock};
use kustlake::lake::{Destination, Lake, Read, S3Settings, TableName};
use kustlake_sim::{Context, SimHandle};

/// The version of a record: revision, change in milliseconds since the epoch, and whether it is marked as deleted.
pub(crate) type Version = (i64, i64, bool);

/// Every copy of every record, by id: more than one of an id is a fault.
pub(crate) type Rows = BTreeMap<String, Vec<Version>>;

pub(crate) fn open(folder: &Path) -> Lake {
    let destination = Destination::parse(folder.to_str().unwrap(), Path::new("."), S3Settings::default()).unwrap();
    Lake::open(&destination, Arc::new(SystemClock::new()), Arc::new(Entropy::system())).unwrap()
}

/// The live rows of a table; none when there is no such table.
pub(crate) async fn rows(folder: &Path, name: &str) -> Rows {
    rows_in(&open(folder), name).await
}

/// The same of any lake.
pub(crate) async fn rows_in(lake: &Lake, name: &str) -> Rows {
    let mut rows = Rows::new();
    let Some(table) = lake.table(&TableName::new(name).unwrap()).await.unwrap() else { return rows };
    let columns = ["id", "rev", "updated_at", "_deleted"].map(str::to_owned).to_vec();
    for file in table.files("id").await.unwrap() {
        let read = Read { columns: Some(columns.clone()), ..Read::default() };
        let batches: Vec<RecordBatch> = table.read(&file, read).await.unwrap().try_collect().await.unwrap();
        for batch in &batches {
            collect(batch, &mut rows);
        }
    }
    rows
}

fn collect(batch: &RecordBatch, rows: &mut Rows) {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let (ids, revs) = (column("id").as_string::<i32>(), column("rev").as_primitive::<Int64Type>());
    let updated = column("updated_at").as_primitive::<TimestampMicrosecondType>();
    let deleted = column("_deleted").as_boolean();
    for row in 0..batch.num_rows() {
        let version = (revs.value(row), updated.value(row) / 1000, deleted.is_valid(row) && deleted.value(row));
        rows.entry(ids.value(row).to_owned()).or_default().push(version);
    }
}

/// What the source holds: what a table must hold, each once.
pub(crate) fn truth(sim: &SimHandle, context: Context) -> Rows {
    let millis = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
    let rows = sim.truth(context).into_iter();
    rows.map(|row| (row.id, vec![(i64::from(row.rev), millis(&row.updated_at), row.deleted)])).collect()
}

/// The rows that were changed in `[from, until)`, in milliseconds since the epoch.
pub(crate) fn between(rows: Rows, from: i64, until: i64) -> Rows {
    rows.into_iter().filter(|(_, versions)| versions.iter().all(|(_, at, _)| (from..until).contains(at))).collect()
}

/// How a table differs from what it must hold; empty when it does not.
pub(crate) fn difference(table: &Rows, truth: &Rows) -> String {
    let missing: Vec<_> = truth.iter().filter(|(id, _)| !table.contains_key(*id)).collect();
    let foreign: Vec<_> = table.iter().filter(|(id, _)| !truth.contains_key(*id)).collect();
    let twice: Vec<_> = table.iter().filter(|(_, versions)| versions.len() != 1).collect();
    let both = table.iter().filter_map(|(id, ours)| Some((id, ours, truth.get(id)?)));
    let other: Vec<_> = both.filter(|(_, ours, theirs)| ours != theirs).collect();
    let mut told = String::new();
    let mut tell = |what: &str, count: usize, first: String| {
        if count > 0 {
            told.push_str(&format!("{count} {what}, such as {first}; "));
        }
    };
    tell("missing", missing.len(), format!("{:?}", missing.first()));
    tell("that should not be there", foreign.len(), format!("{:?}", foreign.first()));
    tell("twice", twice.len(), format!("{:?}", twice.first()));
    tell("in another version", other.len(), format!("{:?}", other.first()));
    told
}

/// The searchable kinds of record and their tables.
pub(crate) const TABLES: [(Context, &str); 4] = [
    (Context::Customer, "customers"),
    (Context::Conversation, "conversations"),
    (Context::Message, "messages"),
    (Context::Note, "notes"),
];

/// What a table holds and what it must hold, without notes that were deleted before search begins: neither list nor
/// search shows them, so they are there only if they were read before.
pub(crate) async fn compared(sim: &SimHandle, folder: &Path, context: Context, name: &str) -> String {
    compared_in(sim, &open(folder), context, name).await
}

async fn compared_in(sim: &SimHandle, lake: &Lake, context: Context, name: &str) -> String {
    let (mut table, mut truth) = (rows_in(lake, name).await, truth(sim, context));
    let search_begins = sim.clock().now() - sim.switches().search_window_days * 86_400_000;
    if context == Context::Note {
        truth.retain(|id, versions| {
            let hidden = versions.iter().any(|(_, at, deleted)| *deleted && *at <= search_begins);
            if hidden {
                table.remove(id);
            }
            !hidden
        });
    }
    difference(&table, &truth)
}

/// Every table holds exactly what the source holds.
pub(crate) async fn assert_complete(sim: &SimHandle, folder: &Path, told: &str) {
    for (context, name) in TABLES {
        let difference = compared(sim, folder, context, name).await;
        assert!(difference.is_empty(), "{told}: {name}: {difference}");
    }
}

/// Some of these tables hold exactly what the source holds.
pub(crate) async fn assert_complete_of(sim: &SimHandle, folder: &Path, names: &[&str]) {
    assert_complete_in(sim, &open(folder), names, "").await;
}

/// The same of any lake.
pub(crate) async fn assert_complete_in(sim: &SimHandle, lake: &Lake, names: &[&str], told: &str) {
    for (context, name) in TABLES.iter().filter(|(_, name)| names.contains(name)) {
        let difference = compared_in(sim, lake, *context, name).await;
        assert!(difference.is_empty(), "{told}: {name}: {difference}");
    }
}

/// The versions of all tables.
pub(crate) async fn versions(lake: &Lake) -> BTreeMap<String, u64> {
    let mut versions = BTreeMap::new();
    for name in lake.tables().await.unwrap() {
        versions.extend(lake.table(&name).await.unwrap().map(|table| (name.as_str().to_owned(), table.version())));
    }
    versions
}
