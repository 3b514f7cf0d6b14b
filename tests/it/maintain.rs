//! `maintain`: what it removes, what it keeps, and what everybody sees of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::util::display::array_value_to_string;
use futures::TryStreamExt;
use kustlake::lake::{Lease, LeaseTiming, Read, TableName};
use kustlake_sim::{Context, Op, Switches, WorldSpec};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::local_lake::change;
use crate::reconcile::{MINUTE, loaded, mutation};
use crate::support::Org;
use crate::tables::{assert_complete, open};
use crate::witness::{TABLES, seen};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Lets time pass for everything stored so far.
fn pass(folder: &Path, time: Duration) {
    for path in files(folder) {
        let file = File::options().write(true).open(path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - time).unwrap();
    }
}

/// Every file with its size and its time.
fn state(folder: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let stated = |path: PathBuf| {
        let metadata = path.metadata().unwrap();
        (path, (metadata.len(), metadata.modified().unwrap()))
    };
    files(folder).into_iter().map(stated).collect()
}

/// What a file says: its bytes and, of Parquet, every value.
fn text(path: &Path) -> String {
    let mut text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    if path.extension().is_some_and(|end| end == "parquet") {
        for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap() {
            for column in batch.unwrap().columns() {
                (0..column.len()).for_each(|row| text.push_str(&array_value_to_string(column, row).unwrap()));
            }
        }
    }
    text
}

/// The texts of a column, by the ids in another one.
async fn texts(lake: &Path, name: &str, key: &str, column: &str) -> BTreeMap<String, BTreeSet<String>> {
    let table = open(lake).table(&TableName::new(name).unwrap()).await.unwrap().unwrap();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in table.files(key).await.unwrap() {
        let batches: Vec<RecordBatch> = table.read(&file, Read::default()).await.unwrap().try_collect().await.unwrap();
        for batch in batches {
            let of = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
            let (keys, values) = (of(key), of(column));
            for row in (0..batch.num_rows()).filter(|row| values.is_valid(*row)) {
                texts.entry(keys.value(row).to_owned()).or_default().insert(values.value(row).to_owned());
            }
        }
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_for_good_stands_in_no_file_once_the_grace_is_over() {
    let org = loaded(Switches::unlimited(), "pipelines: {customers: {}, customer_emails: {}}").await;
    let emails = texts(&org.lake(), "customer_emails", "customer_id", "email").await;
    let gone: BTreeSet<String> =
        org.sim.mutate(mutation(Context::Customer, Op::DeleteHard, 8)).unwrap().into_iter().collect();
    let of = |is_gone: bool| {
        let those = emails.iter().filter(|(id, _)| gone.contains(*id) == is_gone);
        those.flat_map(|(_, emails)| emails.clone()).collect::<BTreeSet<String>>()
    };
    let (stay, mut forgotten) = (of(false), of(true));
    forgotten.retain(|email| !stay.iter().any(|other| other.contains(email.as_str())));
    assert!(!forgotten.is_empty());
    org.load().await;
    let found = |org: &Org| {
        let texts: Vec<_> = files(&org.lake()).iter().map(|path| (path.clone(), text(path))).collect();
        let holds = |text: &String| forgotten.iter().any(|email| text.contains(email.as_str()));
        texts.into_iter().filter(|(_, text)| holds(text)).map(|(path, _)| path).collect::<Vec<_>>()
    };
    assert!(!found(&org).is_empty(), "former versions hold it");
    let first = org.report(&["maintain"]).await;
    assert!(first["tables"].as_array().unwrap().iter().all(|table| table["files_removed"] == 0), "{first}");
    assert!(!found(&org).is_empty());
    pass(&org.lake(), 8 * DAY);
    let second = org.report(&["maintain"]).await;
    assert!(second["tables"].as_array().unwrap().iter().all(|table| table["files_removed"] != 0), "{second}");
    assert_eq!(found(&org), Vec::<PathBuf>::new());
    org.sim.clock().advance(10 * MINUTE);
    org.sim.mutate(mutation(Context::Customer, Op::Update, 5)).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    assert!(texts(&org.lake(), "customer_emails", "customer_id", "email").await.len() > 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_sees_the_same_before_and_after_and_the_next_run_goes_on() {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    let lake = org.lake().display().to_string();
    for seed in 1..=12 {
        change(&org.sim, seed);
        org.load().await;
    }
    let tables = TABLES.map(|(_, table)| table);
    let before = seen(&lake, None, &tables);
    org.report(&["maintain"]).await;
    assert_eq!(seen(&lake, None, &tables), before);
    pass(&org.lake(), 8 * DAY);
    let report = org.report(&["maintain"]).await;
    let removed = |name: &str| {
        let tables = report["tables"].as_array().unwrap().iter();
        tables.map(|table| table[name].as_u64().unwrap()).sum::<u64>()
    };
    assert!(removed("files_removed") > 20 && removed("log_entries_removed") > 50, "{report}");
    assert_eq!(seen(&lake, None, &tables), before);
    let again = org.report(&["maintain"]).await;
    for table in again["tables"].as_array().unwrap() {
        assert!(table["files_removed"] == 0 && table["files_merged"] == 0 && table["checkpoint"] == false, "{again}");
    }
    for table in ["messages", "users"] {
        std::fs::remove_file(org.lake().join(table).join("_delta_log/_last_checkpoint")).unwrap();
    }
    change(&org.sim, 77);
    org.load().await;
    let after = seen(&lake, None, &tables);
    for (reader, table) in after.as_object().unwrap().keys().flat_map(|reader| tables.map(|table| (reader, table))) {
        let (ours, first) = (&after[reader][table], &after["delta_scan"][table]);
        assert!(ours["differences"] == 0 && ours["records"] == first["records"], "{reader}, {table}");
    }
    assert_complete(&org.sim, &org.lake(), "after maintenance").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_would_be_done_and_changes_nothing() {
    let org = Org::new(WorldSpec::of_messages(200), Switches::unlimited()).await;
    for seed in 1..=3 {
        change(&org.sim, seed);
        org.load().await;
    }
    pass(&org.lake(), 8 * DAY);
    let before = state(&org.lake());
    let told = org.report(&["maintain", "--dry-run"]).await;
    assert_eq!(state(&org.lake()), before);
    let done = org.report(&["maintain"]).await;
    assert!(told["dry_run"] == true && done["dry_run"] == false);
    for (told, done) in told["tables"].as_array().unwrap().iter().zip(done["tables"].as_array().unwrap()) {
        for count in ["files_merged", "files_removed", "bytes_removed", "log_entries_removed", "checkpoint"] {
            assert_eq!(told[count], done[count], "{count}: {told} and {done}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_has_its_exit_code() {
    let org = Org::new(WorldSpec::of_messages(50), Switches::unlimited()).await;
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    let code = async |args: &[&str]| org.run(&[&["maintain"], args].concat()).await;
    let ended = code(&["--only", "messages,tags"]).await;
    assert!(ended.code == 2 && ended.stderr.contains("--only tags: no table of"), "{ended:#?}");
    let ended = code(&["--grace", "59m"]).await;
    assert!(ended.code == 2 && ended.stderr.contains("--grace 59m"), "{ended:#?}");
    assert_eq!(code(&["--grace", "soon"]).await.code, 2);

    // Beside a run, unless the grace is so short that the run might lose what it has not committed.
    let lease = Lease::acquire(&open(&org.lake()), "a run", LeaseTiming::default()).await.unwrap();
    assert_eq!(code(&[]).await.code, 0);
    let ended = code(&["--grace", "2h"]).await;
    assert!(ended.code == 4 && ended.stderr.contains("another run is active"), "{ended:#?}");
    lease.release().await;
    assert_eq!(code(&["--grace", "2h", "--only", "messages"]).await.code, 0);

    // No key is needed, a foreign table is left alone, and a damaged one does not keep the others.
    let foreign = org.lake().join("theirs/_delta_log");
    std::fs::create_dir_all(&foreign).unwrap();
    std::fs::copy(
        org.lake().join("users/_delta_log/00000000000000000000.json"),
        foreign.join("00000000000000000000.json"),
    )
    .unwrap();
    let version = open(&org.lake()).table(&TableName::new("users").unwrap()).await.unwrap().unwrap().version() + 1;
    std::fs::write(org.lake().join(format!("users/_delta_log/{version:020}.json")), "{").unwrap();
    let mut without_key = org.command(&["maintain"]);
    let output = without_key.env_remove("KUSTOMER_API_KEY").output().unwrap();
    let ended = crate::support::Ended::from(output);
    assert_eq!(ended.code, 6, "{ended:#?}");
    let report = ended.report();
    assert_eq!(report["left_alone"][0], "theirs");
    for table in report["tables"].as_array().unwrap() {
        assert_eq!(table["outcome"], if table["table"] == "users" { "failed" } else { "complete" }, "{table}");
    }
    std::fs::write(org.path("file"), "").unwrap();
    org.configure_at("  url: ./file", "", "");
    assert_eq!(code(&[]).await.code, 5);
}
