//! What is asked of columns is done, or refused.

use std::collections::{BTreeMap, BTreeSet};

use kustlake::run::{Command, Exit};
use kustlake_sim::{Context, Mutation, Op, Switches, WorldSpec};
use serde_json::{Value, json};

use crate::rows::{all, by_id, schema, values};
use crate::support::{Org, eager};

pub(crate) const MINUTE: i64 = 60_000;
const KEY: &str = "an invented key of hashes";
const OTHER_KEY: &str = "another invented key of hashes";

/// A small organisation of every kind of record, and a key of hashes.
pub(crate) async fn org(rest: &str) -> Org {
    let world = WorldSpec {
        customers: 30,
        companies: 12,
        kobjects: 5,
        conversations: 30,
        messages: 60,
        notes: 30,
        users: 9,
        ..WorldSpec::default()
    };
    let mut org = Org::new(world, Switches::unlimited()).await;
    org.set("KUSTLAKE_HASH_KEY", KEY);
    org.configure("", rest);
    org.sim.clock().advance(10 * MINUTE);
    org
}

/// The records of a kind, as the source gives them.
pub(crate) fn records(org: &Org, context: Context) -> Vec<Value> {
    let lines = org.sim.records(context);
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// The `emails` of customers, as `customer_emails` should have them: by customer and place.
fn emails(org: &Org) -> BTreeMap<(String, u64), Value> {
    let mut emails = BTreeMap::new();
    for customer in records(org, Context::Customer) {
        let list = customer["attributes"]["emails"].as_array().cloned().unwrap_or_default();
        for (position, element) in list.into_iter().enumerate() {
            emails.insert((customer["id"].as_str().unwrap().to_owned(), position as u64), element["email"].clone());
        }
    }
    emails
}

async fn loaded_emails(org: &Org) -> BTreeMap<(String, u64), Value> {
    let rows = all(&org.lake(), "customer_emails").await.into_iter();
    rows.map(|row| {
        ((row["customer_id"].as_str().unwrap().to_owned(), row["position"].as_u64().unwrap()), row["email"].clone())
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_list_still_fills_the_table_of_its_elements() {
    let org =
        org("pipelines: {customers: {columns: {exclude: [emails, name, birthday_at]}}, customer_emails: {}}").await;
    for seed in 0..2 {
        org.load().await;
        assert_eq!(loaded_emails(&org).await, emails(&org));
        org.sim.mutate(Mutation { context: Context::Customer, op: Op::Update, count: 9, seed }).unwrap();
        org.sim.clock().advance(10 * MINUTE);
    }
    org.load().await;
    assert_eq!(loaded_emails(&org).await, emails(&org));
    let columns = schema(&org.lake(), "customers").await;
    for name in ["emails", "name", "birthday_at"] {
        assert!(columns.field_with_name(name).is_err(), "{name}");
    }
    assert!(columns.field_with_name("phones").is_ok());
    for extra in values(&org.lake(), "customers", "_extra").await {
        let extra: Value = serde_json::from_str(extra.as_str().unwrap()).unwrap();
        assert!(["emails", "name", "birthdayAt"].iter().all(|name| extra.get(name).is_none()), "{extra}");
    }
}

const HASHED: &str = "pipelines: {customers: {columns: {hash: [emails, name]}}, customer_emails: {columns: {hash: [email]}}, \
    users: {columns: {hash: [email]}}}";

/// A customer that is a user as well, by the one address.
fn insert_user_as_customer(org: &Org, place: u32) -> String {
    let user = &records(org, Context::User)[0];
    let email = &user["attributes"]["email"];
    let customer = json!({"type": "customer", "id": format!("65f0000000000000000000{place:02}"), "attributes": {
        "name": "Jane Invented", "emails": [{"email": email, "type": "work"}], "rev": 1}});
    let ids = org.sim.insert_raw(Context::Customer, customer.to_string().as_bytes()).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    ids[0].clone()
}

/// The hash of the first address of a customer.
async fn hash_of(org: &Org, customer: &str) -> String {
    loaded_emails(org).await[&(customer.to_owned(), 0)].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_texts_have_equal_hashes_in_all_tables_and_runs_as_long_as_the_key_stays() {
    let mut org = org(HASHED).await;
    let first = insert_user_as_customer(&org, 1);
    org.load().await;
    let user = records(&org, Context::User)[0]["id"].as_str().unwrap().to_owned();
    let hash = by_id(&org.lake(), "users").await[&user]["email"].as_str().unwrap().to_owned();
    assert!(hash.len() == 64 && hash.chars().all(|digit| digit.is_ascii_hexdigit()), "{hash}");
    assert_eq!(hash_of(&org, &first).await, hash);
    let second = insert_user_as_customer(&org, 2);
    org.load().await;
    assert_eq!(hash_of(&org, &second).await, hash);
    // The lists as such are equal, too.
    let customers = by_id(&org.lake(), "customers").await;
    assert_eq!(customers[&first]["emails"], customers[&second]["emails"]);
    assert_eq!(customers[&first]["name"], customers[&second]["name"]);
    let versions = |report: &kustlake::run::Report| report.entities.iter().map(|one| one.version).collect::<Vec<_>>();
    let before = versions(&org.load().await);
    let report = org.inside(Command::FullRefresh, &eager()).await.unwrap();
    assert_eq!((report.exit_code, versions(&report)), (Exit::Ok, before), "an equal hash is no change");
    assert_eq!(hash_of(&org, &first).await, hash);

    org.set("KUSTLAKE_HASH_KEY", OTHER_KEY);
    let report = org.inside(Command::FullRefresh, &eager()).await.unwrap();
    assert_eq!(report.exit_code, Exit::Ok);
    let other = by_id(&org.lake(), "users").await[&user]["email"].as_str().unwrap().to_owned();
    assert_ne!(other, hash);
    for customer in [&first, &second] {
        assert_eq!(hash_of(&org, customer).await, other);
    }
    let stored = values(&org.lake(), "customer_emails", "email").await;
    assert!(stored.iter().all(|email| *email != hash), "a hash by the former key is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_masks_is_dropped_from_hashed_columns_and_counted() {
    let org = org("pipelines: {messages: {columns: {hash: [preview]}}, users: {columns: {hash: [email]}}}").await;
    org.sim.merge_switches(json!({"mask_every": 3})).unwrap();
    let report = serde_json::to_value(org.load().await).unwrap();
    for (context, name, attribute) in [(Context::Message, "messages", "preview"), (Context::User, "users", "email")] {
        let given: BTreeMap<String, bool> = records(&org, context)
            .iter()
            .map(|record| (record["id"].as_str().unwrap().to_owned(), record["attributes"][attribute].is_object()))
            .collect();
        let masked = given.values().filter(|masked| **masked).count();
        assert!(masked > 0);
        let counted = &crate::support::entity(&report, name)["problems"][format!("{attribute}: masked (object)")];
        assert_eq!(counted, masked, "{name}");
        for (id, row) in by_id(&org.lake(), name).await {
            assert_eq!(row[attribute].is_null(), given[&id], "{name} {id}");
            assert!(
                !row["_extra"].to_string().contains(&format!(r#"\"{attribute}\""#)),
                "{name} {id}: {}",
                row["_extra"]
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_cannot_be_treated_as_asked_are_told_all_at_once_before_any_request() {
    let mut org = org("pipelines:\n  \
        customers: {columns: {exclude: [nmae, id], hash: [name, rev]}}\n  \
        messages:\n    columns:\n      exclude: [preview, conversation_id]\n      hash: [preview]\n      keep: [preview]\n  \
        notes: {columns: {exclude: [updated_at, custom_anythingStr, _extra], personal: hide}}\n  \
        conversations: {columns: {exclude: [sla_id]}}\n  \
        audit_logs: {columns: {hash: [custom_aStr]}}\n\
        defaults: {columns: {exclude: [name]}}")
    .await;
    let text = std::fs::read_to_string(org.path("pipelines.yaml")).unwrap();
    let line = |part: &str| text.lines().position(|line| line.contains(part)).unwrap() + 1;
    let told = [
        format!("pipelines.yaml:{}: pipelines.customers.columns.exclude: customers has no column nmae", line("nmae")),
        format!("pipelines.yaml:{}: pipelines.customers.columns.exclude: id must stay", line("nmae")),
        format!("pipelines.yaml:{}: pipelines.customers.columns.hash: rev", line("nmae")),
        format!(
            "pipelines.yaml:{}: pipelines.messages.columns.hash: preview is excluded and hashed",
            line("hash: [preview]")
        ),
        format!(
            "pipelines.yaml:{}: pipelines.messages.columns.exclude: conversation_id must stay",
            line("conversation_id")
        ),
        format!("pipelines.yaml:{}: pipelines.messages.columns.keep: preview is kept", line("keep: [preview]")),
        format!("pipelines.yaml:{}: pipelines.notes.columns.exclude: updated_at must stay", line("updated_at")),
        format!("pipelines.yaml:{}: pipelines.notes.columns.personal", line("updated_at")),
        format!("pipelines.yaml:{}: pipelines.conversations.columns.exclude: sla_id must stay", line("sla_id")),
        format!(
            "pipelines.yaml:{}: pipelines.audit_logs.columns.hash: audit_logs has no column custom_aStr",
            line("custom_aStr")
        ),
        format!("pipelines.yaml:{}: defaults.columns.exclude", line("defaults:")),
    ];
    let ended = org.run(&["run"]).await;
    assert_eq!(ended.code, 2, "{ended:#?}");
    let shown = format!("{}{}", ended.stdout, ended.stderr);
    for told in &told {
        assert!(shown.contains(told), "`{told}` in {shown}");
    }
    assert!(!shown.contains("custom_anythingStr") && !shown.contains("_extra"), "{shown}");
    for (key, told) in [("", "a hash needs a key"), ("short", "fewer than 16 characters")] {
        org.set("KUSTLAKE_HASH_KEY", key);
        org.configure("", "pipelines:\n  users: {columns: {hash: [email]}}");
        let ended = org.run(&["run"]).await;
        let shown = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, 2, "{shown}");
        assert!(shown.contains("pipelines.users.columns.hash") && shown.contains(told), "{shown}");
    }
    assert_eq!(org.sim.stats().requests, 0);
    assert!(!org.lake().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_excluded_later_holds_nothing_new_and_a_full_refresh_empties_it() {
    let org = org("pipelines: {customers: {}, users: {mode: replace}, messages: {}}").await;
    org.load().await;
    let before = by_id(&org.lake(), "messages").await;
    assert!(before.values().any(|row| row["preview"].is_string()));
    org.configure(
        "",
        "pipelines: {customers: {columns: {exclude: [name]}}, users: {columns: {exclude: [email]}}, \
        messages: {columns: {exclude: [preview, custom_orderNumberStr], keep: [subject]}}}",
    );
    let mut changed = BTreeSet::new();
    for op in [Op::Create, Op::Update] {
        changed.extend(org.sim.mutate(Mutation { context: Context::Message, op, count: 8, seed: 3 }).unwrap());
    }
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    for (id, row) in by_id(&org.lake(), "messages").await {
        match changed.contains(&id) {
            true => assert!(row["preview"].is_null() && row["custom_orderNumberStr"].is_null(), "{id}"),
            false => assert_eq!(row["preview"], before[&id]["preview"], "{id}"),
        }
    }
    assert_eq!(values(&org.lake(), "users", "email").await, [Value::Null; 0], "a snapshot is all new");
    let report = org.inside(Command::FullRefresh, &eager()).await.unwrap();
    assert_eq!(report.exit_code, Exit::Ok);
    for (table, column) in [("messages", "preview"), ("messages", "custom_orderNumberStr"), ("customers", "name")] {
        assert_eq!(values(&org.lake(), table, column).await, [Value::Null; 0], "{table}.{column}");
    }
    assert!(values(&org.lake(), "messages", "subject").await.len() > 10);
    crate::tables::assert_complete_of(&org.sim, &org.lake(), &["customers", "messages"]).await;
}
