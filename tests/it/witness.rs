//! What readers that are not ours see, against what the simulator knows.

use chrono::DateTime;
use kustlake_sim::{Context, SimHandle};
use serde_json::{Value, json};

use crate::parts::{Storage, python, source, succeed};

/// Every table and the kind of record that it holds.
pub(crate) const TABLES: [(Context, &str); 5] = [
    (Context::Conversation, "conversations"),
    (Context::Customer, "customers"),
    (Context::Message, "messages"),
    (Context::Note, "notes"),
    (Context::User, "users"),
];

/// What each reader sees of the tables of a lake: `{reader: {table: {…}}}`.
pub(crate) fn seen(lake: &str, storage: Option<&Storage>, tables: &[&str]) -> Value {
    let mut command = python();
    command.arg(source("tests/witness.py")).arg(lake).args(tables).env_clear();
    if let Some(storage) = storage {
        command.env("AWS_ENDPOINT_URL", &storage.endpoint);
        command.env("AWS_ACCESS_KEY_ID", &storage.key).env("AWS_SECRET_ACCESS_KEY", &storage.secret);
    }
    serde_json::from_str(&succeed(&mut command).stdout).unwrap()
}

/// Asserts that every reader sees every record of the organisation, once, as it is now.
pub(crate) fn assert_true(sim: &SimHandle, lake: &str, storage: Option<&Storage>) {
    let all = seen(lake, storage, &TABLES.map(|(_, table)| table));
    let readers: Vec<_> = all.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(readers, ["daft", "delta_scan", "deltalake", "polars", "views"]);
    for (context, table) in TABLES {
        let expected = records(sim, context);
        let live = expected.iter().filter(|record| record[3] == false).count();
        let columns = &all["delta_scan"][table]["columns"];
        for reader in &readers {
            let seen = &all[reader][table];
            let first = expected.iter().zip(seen["records"].as_array().unwrap()).find(|(a, b)| a != b);
            assert_eq!(first, None, "{reader}, {table}: expected and seen");
            assert_eq!((&seen["rows"], &seen["live"]), (&json!(expected.len()), &json!(live)), "{reader}, {table}");
            assert_eq!(seen["differences"], 0, "{reader}, {table}");
            assert_eq!(&seen["columns"], columns, "{reader}, {table}");
        }
    }
}

/// `[id, rev, updated_at in milliseconds, deleted]` of each record by id; users have no column for the revision.
///
/// Notes that were deleted before the two years that search covers are left out: no request shows them, since the list
/// that older notes are read from tells no deleted ones.
fn records(sim: &SimHandle, context: Context) -> Vec<Value> {
    let covered = sim.clock().now() - sim.switches().search_window_days * 24 * 60 * 60 * 1000;
    let covered = DateTime::from_timestamp_millis(covered).unwrap().to_rfc3339();
    let mut rows = sim.truth(context);
    rows.retain(|row| context != Context::Note || !row.deleted || row.updated_at > covered);
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    let record = |row: kustlake_sim::TruthRow| {
        let updated_at = DateTime::parse_from_rfc3339(&row.updated_at).unwrap().timestamp_millis();
        let rev = (context != Context::User).then_some(row.rev);
        json!([row.id, rev, updated_at, row.deleted])
    };
    rows.into_iter().map(record).collect()
}
