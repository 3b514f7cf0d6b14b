//! What no search tells: deletes for good, deletes and restores that move no date, and rows that a table lost or never got.
//!
//! `KUSTLAKE_TEST_CONVERSATIONS` sets how many conversations are reconciled (1,000,000 by hand).

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use futures::TryStreamExt;
use kustlake::catalog::{Catalog, Sensitivity};
use kustlake::lake::{Read, TableName};
use kustlake::run::{Command, Exit};
use kustlake_sim::{
    ArchiveCovers, Context, DeleteStamp, Mutation, Op, Precision, ShelfChange, Switches, Total, Visibility, WorldSpec,
};
use serde_json::{Value, json};

use crate::support::{Org, eager, entity, size};
use crate::tables::{Rows, TABLES, difference, open, rows, truth};

pub(crate) const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Those that can be counted whatever their age.
const COUNTED: [(Context, &str); 3] =
    [(Context::Customer, "customers"), (Context::Conversation, "conversations"), (Context::Message, "messages")];

pub(crate) fn mutation(context: Context, op: Op, count: u32) -> Mutation {
    Mutation { context, op, count, seed: 7 }
}

/// An organisation that was loaded, and whose next run reconciles.
pub(crate) async fn loaded(switches: Switches, rest: &str) -> Org {
    let org = Org::new(WorldSpec::default(), switches).await;
    org.configure("", rest);
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    org.sim.clock().advance(DAY);
    org
}

async fn reported(org: &Org) -> Value {
    serde_json::to_value(org.load().await).unwrap()
}

/// The rows with these ids, with all their columns.
async fn found(lake: &Path, name: &str, column: &str, ids: &BTreeSet<String>) -> Vec<RecordBatch> {
    let table = open(lake).table(&TableName::new(name).unwrap()).await.unwrap().unwrap();
    let mut found = Vec::new();
    for file in table.files(column).await.unwrap() {
        let batches: Vec<RecordBatch> = table.read(&file, Read::default()).await.unwrap().try_collect().await.unwrap();
        for batch in batches {
            let keys = batch.column_by_name(column).unwrap().as_string::<i32>().clone();
            let wanted = (0..batch.num_rows()).filter(|row| ids.contains(keys.value(*row)));
            found.extend(wanted.map(|row| batch.slice(row, 1)));
        }
    }
    found
}

fn is_true(row: &RecordBatch, column: &str) -> bool {
    row.column_by_name(column).unwrap().as_boolean().value(0)
}

/// The rows of these records are tombstones: key and times, and nothing personal.
async fn assert_tombstones(lake: &Path, name: &str, of: &str, ids: &BTreeSet<String>) {
    let catalog = Catalog::embedded().unwrap();
    let entity = catalog.get(of).unwrap();
    let rows = found(lake, name, "id", ids).await;
    assert_eq!(rows.len(), ids.len(), "{name}: {ids:?}");
    for row in rows {
        assert!(is_true(&row, "_deleted"), "{name}");
        assert!(row.column_by_name("_deleted_at").unwrap().is_valid(0), "{name}");
        for column in ["id", "updated_at", "created_at"] {
            assert!(row.column_by_name(column).unwrap().is_valid(0), "{name}: {column}");
        }
        let personal = entity.columns.iter().filter(|column| column.sensitivity != Sensitivity::None);
        let personal = personal.map(|column| column.name.as_str()).chain(["_extra"]);
        let left: Vec<_> = personal.filter(|column| row.column_by_name(column).unwrap().is_valid(0)).collect();
        assert!(left.is_empty(), "{name}: {left:?} is left");
    }
}

/// Without old notes: only a list has them, which cannot count.
async fn countable(org: &Org, name: &str, ids: Vec<String>) -> BTreeSet<String> {
    let search_begins = org.sim.clock().now() - (org.sim.switches().search_window_days - 3) * DAY;
    let rows = rows(&org.lake(), name).await;
    let is_old =
        |id: &String| rows.get(id).is_some_and(|versions| versions.iter().any(|(_, at, _)| *at < search_begins));
    ids.into_iter().filter(|id| name != "notes" || !is_old(id)).collect()
}

const EVERYTHING_SEARCHED: &str = "pipelines: {conversations: {}, customers: {}, messages: {}, notes: {}, companies: {}, kobjects: {klasses: [order]}, \
     customer_emails: {}, conversation_events: {}, customer_drafts: {}, note_user_mentions: {}}";

#[tokio::test(flavor = "multi_thread")]
async fn deletes_for_good_leave_tombstones_and_what_belongs_to_them_goes_too() {
    let org = loaded(Switches::unlimited(), EVERYTHING_SEARCHED).await;
    let mut gone = Vec::new();
    for (context, name) in TABLES {
        let ids = org.sim.mutate(mutation(context, Op::DeleteHard, 5)).unwrap();
        gone.push((name, name, countable(&org, name, ids).await));
    }
    let orders = org.sim.change_shelf("kobject_order", ShelfChange::Delete, 2, 3).unwrap();
    gone.push(("kobject_order", "kobjects", orders.into_iter().collect()));
    let report = reported(&org).await;
    for (name, of, ids) in &gone {
        assert_tombstones(&org.lake(), name, of, ids).await;
        assert_eq!(entity(&report, name)["compared"]["gone"], ids.len(), "{name}");
    }
    let (_, _, customers) = &gone[0];
    let emails = found(&org.lake(), "customer_emails", "customer_id", customers).await;
    assert!(!emails.is_empty() && emails.iter().all(|row| is_true(row, "_deleted")));
    assert!(emails.iter().all(|row| row.column_by_name("email").unwrap().is_null(0)));
    let drafts = found(&org.lake(), "customer_drafts", "_parent_id", customers).await;
    assert!(drafts.iter().all(|row| is_true(row, "_deleted")));
    // What is history stays, without what is personal.
    let (_, _, conversations) = &gone[1];
    let events = found(&org.lake(), "conversation_events", "_parent_id", conversations).await;
    assert!(!events.is_empty() && events.iter().all(|row| !is_true(row, "_deleted")));
    assert!(events.iter().all(|row| row.column_by_name("changes").unwrap().is_null(0)));

    // All others are as they were, and the next reconciliation finds nothing and writes nothing.
    for (context, name) in COUNTED {
        let mut table = rows(&org.lake(), name).await;
        let truth = truth(&org.sim, context);
        table.retain(|id, _| !gone.iter().any(|(_, _, ids)| ids.contains(id)));
        let difference = difference(&table, &truth);
        assert!(difference.is_empty(), "{name}: {difference}");
    }
    org.sim.clock().advance(DAY);
    let report = reported(&org).await;
    for report in report["entities"].as_array().unwrap() {
        assert_eq!(report["commits"], 0, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_marked_first_and_is_gone_later_leaves_a_tombstone_as_well() {
    for shown in [Visibility::Shown, Visibility::Hidden] {
        let usual = Switches { delete_stamp: DeleteStamp::Keeps, ..Switches::unlimited() };
        let org = loaded(Switches { deleted_in_search: shown, ..usual }, EVERYTHING_SEARCHED).await;
        for (context, _) in COUNTED {
            org.sim.mutate(mutation(context, Op::DeleteSoft, 8)).unwrap();
        }
        org.load().await;
        org.sim.clock().advance(DAY);
        let mut purged = Vec::new();
        for (context, name) in COUNTED {
            // Where search hides them, those that were deleted before the first run have no row.
            let has = rows(&org.lake(), name).await;
            let mut ids: BTreeSet<String> =
                org.sim.mutate(mutation(context, Op::Purge, 9)).unwrap().into_iter().collect();
            ids.retain(|id| has.contains_key(id));
            let rows = found(&org.lake(), name, "id", &ids).await;
            assert!(!ids.is_empty() && rows.iter().all(|row| is_true(row, "_deleted")), "{name}");
            purged.push((name, ids));
        }
        let report = reported(&org).await;
        for (name, ids) in &purged {
            assert_tombstones(&org.lake(), name, name, ids).await;
            let compared = &entity(&report, name)["compared"];
            assert_eq!((&compared["gone"], &compared["outdated"]), (&json!(ids.len()), &json!(0)), "{name}, {shown:?}");
        }
        let emails = found(&org.lake(), "customer_emails", "customer_id", &purged[0].1).await;
        assert!(!emails.is_empty() && emails.iter().all(|row| row.column_by_name("email").unwrap().is_null(0)));
        // They are not asked for again, and the others keep their values.
        org.sim.clock().advance(DAY);
        let report = reported(&org).await;
        for (name, _) in &purged {
            assert_eq!(entity(&report, name)["compared"]["gone"], 0, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_hard_deletes_nothing_is_left() {
    let org = loaded(
        Switches::unlimited(),
        "defaults: {deletes: hard}\npipelines: {customers: {}, customer_emails: {}, customer_drafts: {}}",
    )
    .await;
    let ids = org.sim.mutate(mutation(Context::Customer, Op::DeleteHard, 5)).unwrap();
    let ids: BTreeSet<_> = ids.into_iter().collect();
    org.load().await;
    for (table, column) in [("customers", "id"), ("customer_emails", "customer_id"), ("customer_drafts", "_parent_id")]
    {
        assert!(found(&org.lake(), table, column, &ids).await.is_empty(), "{table}");
    }
    let mut wanted = truth(&org.sim, Context::Customer);
    wanted.retain(|_, versions| versions.iter().all(|(_, _, deleted)| !deleted));
    assert_eq!(difference(&rows(&org.lake(), "customers").await, &wanted), "");
}

/// The audit log tells of deletes as they happen, long before anything is counted.
#[tokio::test(flavor = "multi_thread")]
async fn deletes_that_the_audit_log_tells_are_followed_in_the_next_run() {
    let rest = "pipelines: {conversations: {}, messages: {}, customers: {}, audit_logs: {}, conversation_forwards: {}}";
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.configure("", rest);
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    let hard = org.sim.mutate(mutation(Context::Conversation, Op::DeleteHard, 7)).unwrap();
    org.sim.set_switches(Switches { delete_stamp: DeleteStamp::Keeps, ..Switches::unlimited() });
    let soft = org.sim.mutate(mutation(Context::Message, Op::DeleteSoft, 5)).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    org.sim.reset_stats();
    let report = reported(&org).await;
    assert_eq!(entity(&report, "conversations")["deleted"], 7);
    assert_eq!(entity(&report, "messages")["deleted"], 5);
    assert_tombstones(&org.lake(), "conversations", "conversations", &hard.into_iter().collect()).await;
    for row in found(&org.lake(), "messages", "id", &soft.into_iter().collect()).await {
        assert!(is_true(&row, "_deleted") && row.column_by_name("preview").unwrap().is_valid(0));
    }
    // Each delete is asked for once.
    let mut asked = Vec::new();
    for _ in 0..2 {
        org.sim.clock().advance(10 * MINUTE);
        org.sim.reset_stats();
        org.load().await;
        asked.push(org.sim.stats().requests);
    }
    assert_eq!(asked[0], asked[1]);
}

/// Deletes that move no date, and restores, wherever deleted records are shown.
#[tokio::test(flavor = "multi_thread")]
async fn deletes_without_a_date_are_found_and_restores() {
    for shown in [Visibility::Shown, Visibility::Hidden] {
        let switches = Switches { delete_stamp: DeleteStamp::Keeps, deleted_in_search: shown, ..Switches::unlimited() };
        let org = loaded(switches, "").await;
        for op in [Op::DeleteSoft, Op::Restore] {
            for (context, _) in COUNTED {
                assert!(!org.sim.mutate(mutation(context, op, 4)).unwrap().is_empty());
            }
            org.sim.clock().advance(10 * MINUTE);
            org.load().await;
            org.sim.clock().advance(DAY);
            for (context, name) in COUNTED {
                let (table, truth) = (rows(&org.lake(), name).await, truth(&org.sim, context));
                let live = |rows: &Rows| {
                    let live = rows.iter().filter(|(_, versions)| versions.iter().all(|(_, _, deleted)| !deleted));
                    live.map(|(id, _)| id.clone()).collect::<BTreeSet<_>>()
                };
                let (table, truth) = (live(&table), live(&truth));
                let differing: Vec<_> = table.symmetric_difference(&truth).collect();
                assert!(differing.is_empty(), "{name} after {op:?}, deleted ones {shown:?}: {differing:?}");
            }
        }
    }
}

/// Whatever the index makes of it: counts that are wrong or absent, seconds only, both indexes with the same records.
#[tokio::test(flavor = "multi_thread")]
async fn deletes_are_found_under_every_habit_of_the_index() {
    let usual = Switches::unlimited();
    for switches in [
        Switches { total: Total::Omitted, ..usual },
        Switches { total: Total::Off(-3), ..usual },
        Switches { archive_covers: ArchiveCovers::Everything, ..usual },
        Switches { precision: Precision::Second, ..usual },
        Switches { index_lag_ms: 2 * MINUTE, ..usual },
    ] {
        let org = loaded(switches, "pipelines: {conversations: {}, messages: {}}").await;
        for context in [Context::Conversation, Context::Message] {
            org.sim.mutate(mutation(context, Op::DeleteHard, 6)).unwrap();
        }
        org.sim.clock().advance(10 * MINUTE);
        org.load().await;
        for (context, name) in [(Context::Conversation, "conversations"), (Context::Message, "messages")] {
            let truth = truth(&org.sim, context);
            let mut table = rows(&org.lake(), name).await;
            table.retain(|id, versions| truth.contains_key(id) || versions.iter().any(|(_, _, deleted)| !deleted));
            assert_eq!(difference(&table, &truth), "", "{name}, {switches:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_stays_when_nothing_confirms_that_its_record_is_gone() {
    let org = loaded(Switches::unlimited(), "pipelines: {conversations: {}}").await;
    org.sim.mutate(mutation(Context::Conversation, Op::Create, 12)).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    let before = rows(&org.lake(), "conversations").await;
    // The index has forgotten the last days: what was created in them can still be read by id.
    org.sim.set_switches(Switches { index_lag_ms: 3 * DAY, ..Switches::unlimited() });
    org.sim.clock().advance(DAY);
    let report = reported(&org).await;
    assert_eq!(entity(&report, "conversations")["compared"]["gone"], 0);
    assert_eq!(rows(&org.lake(), "conversations").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconciliation_that_would_delete_too_much_stops_and_says_so() {
    let rest = "pipelines: {conversations: {}, notes: {}}";
    let org = loaded(Switches::unlimited(), rest).await;
    org.sim.mutate(mutation(Context::Conversation, Op::DeleteHard, 60)).unwrap();
    let notes = org.sim.mutate(mutation(Context::Note, Op::DeleteHard, 3)).unwrap();
    let notes = countable(&org, "notes", notes).await;
    let before = rows(&org.lake(), "conversations").await;
    let report = org.inside(Command::Run, &eager()).await.unwrap();
    assert_eq!(report.exit_code, Exit::Partial);
    let report = serde_json::to_value(report).unwrap();
    let told = entity(&report, "conversations")["error"].as_str().unwrap();
    assert!(told.contains("source.reconcile.max_deletes") && told.contains("nothing was deleted"), "{told}");
    assert_eq!(rows(&org.lake(), "conversations").await, before);
    assert_tombstones(&org.lake(), "notes", "notes", &notes).await;
    // It is said again until somebody decides.
    let again = org.inside(Command::Run, &eager()).await.unwrap();
    assert_eq!(again.exit_code, Exit::Partial);
    org.configure("  reconcile: {max_deletes: 100%}", rest);
    let report = reported(&org).await;
    assert_eq!(entity(&report, "conversations")["compared"]["gone"], 60);
}

/// A record that comes back after its row was purged is a row like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_comes_back_is_live_again() {
    let org = loaded(Switches::unlimited(), "pipelines: {customers: {}, customer_emails: {}}").await;
    let id = "67c420a8e5b1f00012ab34b9";
    let customer = |rev: u32, name: &str, at: &str| {
        json!({"type": "customer", "id": id, "attributes": {
            "name": name, "rev": rev, "createdAt": "2026-10-01T00:00:00.000Z", "updatedAt": at,
            "emails": [{"email": format!("{name}@example.com"), "type": "home"}]}})
        .to_string()
    };
    let now =
        |org: &Org| kustlake::window::text(chrono::DateTime::from_timestamp_millis(org.sim.clock().now()).unwrap());
    org.sim.insert_raw(Context::Customer, customer(1, "ann", &now(&org)).as_bytes()).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    org.sim.insert_raw(Context::Customer, customer(2, "bea", &now(&org)).as_bytes()).unwrap();
    org.sim.clock().advance(DAY);
    let report = org.load().await;
    assert_eq!(report.exit_code, Exit::Ok);
    let ids = BTreeSet::from([id.to_owned()]);
    let row = found(&org.lake(), "customers", "id", &ids).await.remove(0);
    assert_eq!(row.column_by_name("name").unwrap().as_string::<i32>().value(0), "bea");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconciliation_costs_as_much_as_there_is_to_find() {
    let conversations = size("KUSTLAKE_TEST_CONVERSATIONS", 60_000);
    let world = WorldSpec { conversations, customers: conversations / 4, ..WorldSpec::empty() };
    let org = Org::new(world, Switches::unlimited()).await;
    org.configure("", "pipelines: {conversations: {}}");
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    let cost = async |told: &str| {
        org.sim.clock().advance(DAY);
        org.sim.reset_stats();
        let report = reported(&org).await;
        let gone = entity(&report, "conversations")["compared"]["gone"].as_u64().unwrap();
        let requests = org.sim.stats().requests;
        eprintln!("{told}: {gone} of {conversations} gone, {requests} requests");
        (gone, requests)
    };
    let (gone, nothing) = cost("nothing").await;
    assert_eq!(gone, 0);
    // Eight of them count the rows that are marked as deleted already.
    assert!(nothing < 20 + u64::from(conversations) / 25_000, "{nothing}");
    org.sim.mutate(mutation(Context::Conversation, Op::DeleteHard, 1)).unwrap();
    let (gone, one) = cost("one").await;
    assert_eq!(gone, 1);
    assert!(one < nothing + 20, "{one}");
    org.sim.mutate(Mutation { seed: 99, ..mutation(Context::Conversation, Op::DeleteHard, 100) }).unwrap();
    let (gone, scattered) = cost("a hundred, scattered").await;
    assert_eq!(gone, 100);
    assert!(scattered < nothing + 800, "{scattered}");
    // Where the audit log is loaded, it has told of them: a request each, and the counts agree.
    org.configure("", "pipelines: {conversations: {}, audit_logs: {}}");
    cost("with the audit log for the first time").await;
    let deleted = |table: Rows| table.values().filter(|versions| versions.iter().any(|one| one.2)).count();
    let before = deleted(rows(&org.lake(), "conversations").await);
    org.sim.mutate(Mutation { seed: 5, ..mutation(Context::Conversation, Op::DeleteHard, 100) }).unwrap();
    let (gone, told) = cost("a hundred, told by the audit log").await;
    assert_eq!(gone, 0);
    assert_eq!(deleted(rows(&org.lake(), "conversations").await), before + 100);
    assert!(told < nothing + 130, "{told}");
}
