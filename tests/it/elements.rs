//! Tables of the elements of records: always those of the newest known version of each record, all of them.

use std::collections::BTreeMap;

use kustlake::catalog::{Catalog, ColumnType};
use kustlake::run::{Command, Exit};
use kustlake_sim::{Context, Mutation, Op, ShelfChange, Switches, WorldSpec};
use serde_json::{Value, json};

use crate::catalogue_records::{Record, cell};
use crate::expected;
use crate::rows::{Row, all, table};
use crate::support::{Org, eager, entity};

const MINUTE: i64 = 60_000;
const RECORDS: &str =
    "customers: {}, messages: {}, notes: {}, companies: {}, team_routing_settings: {mode: replace}, slas: {}";
const PARTS: [&str; 9] = [
    "customer_emails",
    "customer_shared_phones",
    "customer_locations",
    "messages_shortcuts",
    "note_user_mentions",
    "company_urls",
    "team_queues",
    "slas_versions",
    "slas_criteria",
];

async fn org() -> Org {
    let world = WorldSpec {
        customers: 40,
        companies: 25,
        conversations: 40,
        messages: 150,
        notes: 60,
        users: 4,
        ..WorldSpec::default()
    };
    let org = Org::new(world, Switches::unlimited()).await;
    org.sim.clock().advance(10 * MINUTE);
    org
}

fn with_parts(org: &Org) {
    let parts: Vec<_> = PARTS.iter().map(|name| format!("{name}: {{}}")).collect();
    org.configure("", &format!("pipelines: {{{RECORDS}, {}}}", parts.join(", ")));
}

fn change(org: &Org, seed: u64) {
    for context in [Context::Customer, Context::Message, Context::Note] {
        for (op, count) in [(Op::Create, 4), (Op::Update, 9), (Op::DeleteSoft, 2)] {
            org.sim.mutate(Mutation { context, op, count, seed }).unwrap();
        }
    }
    for shelf in ["companies", "routing_settings", "slas"] {
        org.sim.change_shelf(shelf, ShelfChange::Update, 3, seed).unwrap();
        org.sim.change_shelf(shelf, ShelfChange::Insert, 1, seed).unwrap();
    }
    org.sim.clock().advance(10 * MINUTE);
}

/// The rows of every table of elements have the keys, and the texts, that the records of the source say.
async fn assert_parts(org: &Org, told: &str) {
    let catalog = Catalog::embedded().unwrap();
    for name in PARTS {
        let entity = catalog.get(name).unwrap();
        let key =
            |row: &Row| json!(entity.key.iter().map(|column| row[column].clone()).collect::<Vec<_>>()).to_string();
        let mut rows = BTreeMap::new();
        for row in all(&org.lake(), name).await {
            assert!(rows.insert(key(&row), row).is_none(), "{told}: {name}: twice");
        }
        let texts = entity.columns.iter().filter(|column| column.kind == ColumnType::String).collect::<Vec<_>>();
        let expected = expected::records(&org.sim, &catalog, name);
        assert!(!expected.is_empty(), "{name}");
        // Somebody may be mentioned twice, and that is one row.
        let part = |record: &Record, name: &String| cell(entity.column(name).unwrap(), record).unwrap_or_default();
        let key = |record: &Record| entity.key.iter().map(|name| part(record, name)).collect::<Vec<_>>();
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|record| (json!(key(&record)).to_string(), record)).collect();
        for (key, record) in expected {
            let row = rows.remove(&key).unwrap_or_else(|| panic!("{told}: {name}: {key} is missing"));
            for column in &texts {
                assert_eq!(row[&column.name], cell(column, &record).unwrap_or_default(), "{told}: {name}: {key}");
            }
        }
        assert!(rows.is_empty(), "{told}: {name}: {rows:?} is not there");
    }
}

async fn versions(org: &Org) -> Vec<u64> {
    let mut versions = Vec::new();
    for name in ["customers", "messages", "notes", "companies", "team_routing_settings", "slas"] {
        versions.push(table(&org.lake(), name).await.unwrap().version());
    }
    versions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_elements_that_is_enabled_later_is_filled_from_the_start_and_the_records_stay() {
    let org = org().await;
    org.configure("", &format!("pipelines: {{{RECORDS}}}"));
    org.load().await;
    change(&org, 1);
    org.load().await;
    let before = versions(&org).await;
    with_parts(&org);
    org.load().await;
    assert_parts(&org, "enabled").await;
    assert_eq!(versions(&org).await, before);
    for name in PARTS {
        std::fs::remove_dir_all(org.lake().join(name)).unwrap();
    }
    org.load().await;
    assert_parts(&org, "removed by hand").await;
    assert_eq!(versions(&org).await, before);
    for seed in 2..5 {
        change(&org, seed);
        org.load().await;
        assert_parts(&org, "after changes").await;
    }
    let report = serde_json::to_value(org.load().await).unwrap();
    assert!(PARTS.iter().all(|name| entity(&report, name)["commits"] == 0), "{report}");
    let report = org.inside(Command::FullRefresh, &eager()).await.unwrap();
    assert_eq!(report.exit_code, Exit::Ok);
    assert_parts(&org, "after a full refresh").await;
}

/// Stores a customer with these addresses.
fn insert(org: &Org, place: u32, rev: u32, name: &str, emails: &[&str], deleted: bool) -> String {
    let emails: Vec<_> = emails.iter().map(|email| json!({"email": email})).collect();
    let customer = json!({"type": "customer", "id": format!("65f0000000000000000000{place:02}"),
        "attributes": {"name": name, "rev": rev, "emails": emails, "deleted": deleted}});
    org.sim.insert_raw(Context::Customer, customer.to_string().as_bytes()).unwrap()[0].clone()
}

/// Customer, address, and whether it is deleted.
async fn emails(org: &Org) -> Vec<(String, String, bool)> {
    let rows = all(&org.lake(), "customer_emails").await.into_iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut emails: Vec<_> =
        rows.map(|row| (text(&row["customer_id"]), text(&row["email"]), row["_deleted"] == true)).collect();
    emails.sort();
    emails
}

#[tokio::test(flavor = "multi_thread")]
async fn elements_stay_as_long_as_their_record_has_them_whatever_else_changes() {
    for deletes in ["soft", "hard"] {
        let org = Org::new(WorldSpec::empty(), Switches::unlimited()).await;
        org.configure(
            "",
            &format!("defaults: {{deletes: {deletes}}}\npipelines: {{customers: {{}}, customer_emails: {{}}}}"),
        );
        let load = async || {
            org.sim.clock().advance(10 * MINUTE);
            org.load().await;
        };
        let row = |id: &String, email: &str, deleted| (id.clone(), email.to_owned(), deleted);
        let first = insert(&org, 1, 1, "Jane", &["a@example.com", "b@example.com"], false);
        load().await;
        // Another name and the same addresses, beside a new customer.
        insert(&org, 1, 2, "Joan", &["a@example.com", "b@example.com"], false);
        let second = insert(&org, 2, 1, "Ana", &["c@example.com"], false);
        load().await;
        let kept = [row(&first, "a@example.com", false), row(&first, "b@example.com", false)];
        assert_eq!(
            emails(&org).await,
            [kept.as_slice(), &[row(&second, "c@example.com", false)]].concat(),
            "{deletes}"
        );
        insert(&org, 1, 3, "Joan", &["b@example.com"], false);
        insert(&org, 2, 2, "Ana", &[], false);
        load().await;
        assert_eq!(emails(&org).await, [row(&first, "b@example.com", false)], "{deletes}");
        // An older copy, as a lagging index gives it, changes nothing.
        insert(&org, 1, 2, "Joan", &["a@example.com", "b@example.com"], false);
        load().await;
        assert_eq!(emails(&org).await, [row(&first, "b@example.com", false)], "{deletes}");
        insert(&org, 1, 4, "Joan", &["b@example.com"], true);
        load().await;
        let left = if deletes == "soft" { vec![row(&first, "b@example.com", true)] } else { Vec::new() };
        assert_eq!(emails(&org).await, left, "{deletes}");
        insert(&org, 1, 5, "Joan", &["b@example.com"], false);
        load().await;
        assert_eq!(emails(&org).await, [row(&first, "b@example.com", false)], "{deletes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_ask_for_elements_only_is_to_ask_for_their_records_with_them() {
    let org = org().await;
    with_parts(&org);
    let report = org.report(&["run", "--only", "customer_emails"]).await;
    let loaded: Vec<_> = report["entities"].as_array().unwrap().iter().map(|one| &one["entity"]).collect();
    assert_eq!(loaded, ["customers", "customer_emails"]);
    let tables = crate::tables::open(&org.lake()).tables().await.unwrap();
    assert_eq!(tables.iter().map(|table| table.as_str()).collect::<Vec<_>>(), ["customer_emails", "customers"]);
    let catalog = Catalog::embedded().unwrap();
    let expected = expected::records(&org.sim, &catalog, "customer_emails").len();
    assert_eq!(all(&org.lake(), "customer_emails").await.len(), expected);
    // The others follow, and miss nothing.
    org.report(&["run"]).await;
    assert_parts(&org, "all of them").await;
}
