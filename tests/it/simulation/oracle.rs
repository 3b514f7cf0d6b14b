//! What must hold: at every version of every table, and at the end.
//!
//! Every record whose present version was updated before a committed cursor stands in the table in that version; nothing
//! stands there twice; and nothing stands there that the source never held. At the end, the tables are what the source is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use kustlake::catalog::Sensitivity;
use kustlake_sim::{DeleteStamp, Visibility};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::conduct::Play;
use super::source::{FOLLOWED, State};
use super::store::Commit;
use crate::tables::Version;

type Rows = Vec<Row>;

/// What is looked at of a row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    id: String,
    version: Version,
    /// Whether it holds anything personal.
    is_personal: bool,
}

/// A table as its log has told so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    files: BTreeSet<String>,
    cursor: Option<i64>,
}

async fn bytes(play: &Play, path: &Path) -> Bytes {
    play.memory.objects.get(path).await.unwrap().bytes().await.unwrap()
}

async fn rows(play: &Play, table: &str, file: &str) -> Arc<Rows> {
    let columns = play.catalog.get(table).map(|entity| entity.columns.as_slice()).unwrap_or_default();
    let columns = columns.iter().filter(|column| column.sensitivity != Sensitivity::None && column.name != "id");
    let personal: Vec<&str> = columns.map(|column| column.name.as_str()).chain(["_extra"]).collect();
    let content = bytes(play, &Path::from(format!("lake/{table}/{file}"))).await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(content).unwrap().build().unwrap();
    let mut rows = Rows::new();
    for batch in reader {
        collect(&batch.unwrap(), &personal, &mut rows);
    }
    Arc::new(rows)
}

fn collect(batch: &RecordBatch, personal: &[&str], rows: &mut Rows) {
    let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
    let number = |name: &str, row: usize| {
        let column = batch.column_by_name(name)?;
        column.is_valid(row).then(|| match column.as_primitive_opt::<Int64Type>() {
            Some(numbers) => numbers.value(row),
            None => column.as_primitive::<TimestampMicrosecondType>().value(row) / 1000,
        })
    };
    let deleted = batch.column_by_name("_deleted").unwrap().as_boolean();
    for row in 0..batch.num_rows() {
        let is_deleted = deleted.is_valid(row) && deleted.value(row);
        let version = (number("rev", row).unwrap_or(0), number("updated_at", row).unwrap_or(0), is_deleted);
        let mut personal = personal.iter().filter_map(|name| batch.column_by_name(name));
        let is_personal = personal.any(|column| column.is_valid(row));
        rows.push(Row { id: ids.value(row).to_owned(), version, is_personal });
    }
}

/// Checks every version that was committed since the last time.
pub(super) async fn every_version(play: &mut Play) -> Result<(), String> {
    let commits: Vec<Commit> = std::mem::take(&mut *play.memory.commits.lock().unwrap());
    for commit in commits {
        let log = bytes(play, &commit.path).await;
        let mut told = play.told.remove(&commit.table).unwrap_or_default();
        for action in std::str::from_utf8(&log).unwrap().lines() {
            let action: Value = serde_json::from_str(action).unwrap();
            if let Some(path) = action["add"]["path"].as_str() {
                told.files.insert(path.to_owned());
            }
            if let Some(path) = action["remove"]["path"].as_str() {
                told.files.remove(path);
            }
            if action["txn"]["appId"] == "kustlake/cursor" {
                let cursor = action["txn"]["version"].as_i64();
                if cursor < told.cursor {
                    return Err(format!("{}: the cursor went back", commit.path));
                }
                told.cursor = cursor;
            }
        }
        if let Some((_, table)) = FOLLOWED.iter().find(|(_, table)| **table == *commit.table) {
            version(play, table, &told, &commit).await?;
        }
        play.told.insert(commit.table, told);
    }
    Ok(())
}

async fn table(play: &mut Play, name: &str, told: &Told) -> Result<BTreeMap<String, Version>, String> {
    Ok(table_rows(play, name, told).await?.into_iter().map(|(id, row)| (id, row.version)).collect())
}

async fn table_rows(play: &mut Play, name: &str, told: &Told) -> Result<BTreeMap<String, Row>, String> {
    let mut all = BTreeMap::new();
    for file in &told.files {
        let found = match play.read.get(file) {
            Some(rows) => Arc::clone(rows),
            None => {
                let found = rows(play, name, file).await;
                play.read.insert(file.clone(), Arc::clone(&found));
                found
            }
        };
        for row in found.iter() {
            if all.insert(row.id.clone(), row.clone()).is_some() {
                return Err(format!("{name}: {} stands twice", row.id));
            }
        }
    }
    Ok(all)
}

async fn version(play: &mut Play, name: &'static str, told: &Told, commit: &Commit) -> Result<(), String> {
    let rows = table_rows(play, name, told).await?;
    let personal = rows.iter().filter(|(_, row)| row.is_personal);
    play.personal.extend(personal.map(|(id, row)| (name, id.clone(), row.version.0)));
    let found: BTreeMap<_, _> = rows.into_iter().map(|(id, row)| (id, row.version)).collect();
    let state = Arc::clone(&play.source.states.lock().unwrap()[usize::try_from(commit.truth).unwrap()]);
    let versions = play.source.versions.lock().unwrap();
    for (id, row) in &found {
        let (rev, updated, deleted) = *row;
        let held = versions.get(&(name, id.clone()));
        // A tombstone is the last version, marked.
        let is_held = held.is_some_and(|held| held.contains(row) || (deleted && held.contains(&(rev, updated, false))));
        if !is_held {
            return Err(format!("{}: {id} {row:?} was never there; it was {held:?}", commit.path));
        }
    }
    if name == "users" {
        // Nobody changes users: the whole snapshot, or none.
        let is_whole = told.files.is_empty() || found.keys().eq(state[name].keys());
        return if is_whole { Ok(()) } else { Err(format!("{}: only {} users", commit.path, found.len())) };
    }
    if play.scenario.switches.index_lag_ms > SETTLED {
        return Ok(());
    }
    let cursor = told.cursor.unwrap_or(i64::MIN);
    complete(play, name, cursor, &found, &state)
        .map_err(|told| format!("{}: the cursor is {cursor}, and {told}", commit.path))
}

/// Every record that was updated before the cursor stands in the table as it is.
fn complete(
    play: &Play,
    name: &str,
    cursor: i64,
    found: &BTreeMap<String, Version>,
    state: &State,
) -> Result<(), String> {
    for (id, record) in &state[name] {
        let (_, updated, deleted) = *record;
        if updated >= cursor || (deleted && is_hidden(play, name, updated)) {
            continue;
        }
        let row = found.get(id);
        let is_same = row.is_some_and(|row| match play.scenario.switches.delete_stamp {
            DeleteStamp::Moves => row == record,
            DeleteStamp::Keeps => row.1 == updated,
        });
        if !is_same {
            return Err(format!("{id} is {row:?} where the source has {record:?}"));
        }
    }
    Ok(())
}

/// What the index shows sooner than this has settled by the time it is read, in milliseconds.
const SETTLED: i64 = 120_000;
/// Before this instant, notes are in a list only, which shows no deleted ones and cannot be counted.
const SEARCHED: i64 = super::source::START - 700 * 86_400_000;

/// Whether the source hides a deleted record.
fn is_hidden(play: &Play, name: &str, updated: i64) -> bool {
    play.scenario.switches.deleted_in_search == Visibility::Hidden || (name == "notes" && updated < SEARCHED)
}

/// The tables have everything, also what the index has shown late, but within the overlap: whatever their logs say, the
/// run that has just ended believes so, and nothing has happened for an hour.
pub(super) async fn caught_up(play: &mut Play) -> Result<(), String> {
    let state = Arc::clone(play.source.states.lock().unwrap().last().unwrap());
    for (_, name) in FOLLOWED.into_iter().filter(|(_, name)| *name != "users") {
        let Some(told) = play.told.get(name).cloned() else { continue };
        let found = table(play, name, &told).await?;
        complete(play, name, i64::MAX, &found, &state).map_err(|told| format!("an hour later: {name}: {told}"))?;
    }
    Ok(())
}

/// The tables are what the source is.
pub(super) async fn the_end(play: &mut Play) -> Result<(), String> {
    let state = Arc::clone(play.source.states.lock().unwrap().last().unwrap());
    for (_, name) in FOLLOWED {
        let Some(told) = play.told.get(name).cloned() else { continue };
        let rows = table_rows(play, name, &told).await?;
        let found: BTreeMap<_, _> = rows.iter().map(|(id, row)| (id.clone(), row.version)).collect();
        for (id, record) in &state[name] {
            let (_, updated, deleted) = *record;
            let is_hidden = deleted && is_hidden(play, name, updated);
            match found.get(id) {
                Some(row) if row == record => {}
                // That it was deleted, nothing tells.
                Some(row) if deleted && name == "notes" && row.1 < SEARCHED && (is_hidden || row.1 == updated) => {}
                Some(row) if is_hidden && row.2 => {}
                None if is_hidden => {}
                row => return Err(format!("at the end: {name}: {id} is {row:?} where the source has {record:?}")),
            }
        }
        // What nobody can count may stay.
        let uncounted = |row: &Version| name == "users" || (name == "notes" && row.1 < SEARCHED);
        let mut gone = found.iter().filter(|(id, _)| !state[name].contains_key(*id));
        if let Some((id, row)) = gone.find(|(_, row)| !row.2 && !uncounted(row)) {
            return Err(format!("at the end: {name}: {id} {row:?} is gone at the source"));
        }
        let mut kept = rows.iter().filter(|(id, row)| state[name].contains_key(*id) && !row.is_personal);
        if let Some((id, row)) = kept.find(|(id, row)| play.personal.contains(&(name, (*id).clone(), row.version.0))) {
            return Err(format!("at the end: {name}: {id} {:?} is there, and lost its values", row.version));
        }
        let mut gone = rows.iter().filter(|(id, row)| !state[name].contains_key(*id) && !uncounted(&row.version));
        if let Some((id, row)) = gone.find(|(_, row)| row.is_personal) {
            return Err(format!("at the end: {name}: {id} {:?} is gone, and still tells of somebody", row.version));
        }
    }
    log(play).await
}

/// Every entry of the audit log stands in its table, once.
async fn log(play: &mut Play) -> Result<(), String> {
    let Some(told) = play.told.get("audit_logs").cloned() else { return Ok(()) };
    let found = table(play, "audit_logs", &told).await?;
    let settled = super::source::START + i64::try_from(play.time.now().as_millis()).unwrap() - 3_600_000;
    for entry in play.source.sim.audit_log() {
        let id = entry["id"].as_str().unwrap();
        let created = entry["attributes"]["createdAt"].as_str().unwrap();
        let created = chrono::DateTime::parse_from_rfc3339(created).unwrap().timestamp_millis();
        if created < settled && !found.contains_key(id) {
            return Err(format!("at the end: audit_logs: {id} is missing"));
        }
    }
    Ok(())
}

/// What is remembered from one check to the next.
pub(super) type Read = BTreeMap<String, Arc<Rows>>;
