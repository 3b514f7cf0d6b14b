//! An organisation's own objects: a table for each klass, for ever, whatever it is called and whatever becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use kustlake::run::{Command, Exit};
use kustlake_sim::{ShelfChange, Switches, TokenSpec, WorldSpec};
use serde_json::{Value, json};

use crate::rows::by_id;
use crate::support::{Org, eager, entity};

const MINUTE: i64 = 60_000;
const KOBJECTS: &str = "pipelines: {kobjects: {}, users: {}}";

/// The klasses that the simulator begins with, and their tables: two would have one name where case does not count.
const TABLES: [(&str, &str); 9] = [
    ("order", "kobject_order"),
    ("ecomm-order", "kobject_ecomm_order"),
    ("Ecomm_Order", "kobject_Ecomm_Order_bee82d05"),
    ("subscription", "kobject_subscription"),
    ("größe 2", "kobject_gr__e_2"),
    ("shopify-order", "kobject_shopify_order"),
    ("legacy-ticket", "kobject_legacy_ticket"),
    ("loyalty-card", "kobject_loyalty_card"),
    ("wishlist", "kobject_wishlist"),
];

async fn org(pipelines: &str) -> Org {
    let world = WorldSpec { customers: 20, kobjects: 12, users: 4, ..WorldSpec::empty() };
    let org = Org::new(world, Switches::unlimited()).await;
    org.configure("", pipelines);
    org.sim.clock().advance(10 * MINUTE);
    org
}

async fn tables(org: &Org) -> BTreeSet<String> {
    let tables = crate::tables::open(&org.lake()).tables().await.unwrap();
    tables.iter().map(|name| name.as_str().to_owned()).filter(|name| name.starts_with("kobject_")).collect()
}

/// The table of a klass holds what the source has of it.
async fn assert_holds(org: &Org, klass: &str, table: &str) {
    let expected: BTreeMap<_, _> = org
        .sim
        .shelf(&format!("kobject_{klass}"))
        .into_iter()
        .map(|kobject| (kobject["id"].as_str().unwrap().to_owned(), kobject["attributes"].clone()))
        .collect();
    let rows = by_id(&org.lake(), table).await;
    assert_eq!(rows.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{klass}");
    for (id, row) in rows {
        for column in ["rev", "title", "status"] {
            assert_eq!(row[column], expected[&id].get(column).cloned().unwrap_or_default(), "{klass} {id} {column}");
        }
    }
}

async fn assert_all_hold(org: &Org) {
    for (klass, table) in TABLES {
        assert_holds(org, klass, table).await;
    }
}

/// A run that ends with this code, as JSON.
async fn run(org: &Org, code: Exit) -> Value {
    let report = org.inside(Command::Run, &eager()).await.unwrap();
    assert_eq!(report.exit_code, code, "{report:#?}");
    serde_json::to_value(report).unwrap()
}

/// The klasses as the source lists them, to be changed and served again.
fn klasses(org: &Org) -> Vec<Value> {
    org.sim.shelf("klasses")
}

fn klass(name: &str, status: &str, created_at: &str) -> Value {
    json!({"type": "klass", "id": format!("6500000000000000000{:05}", name.len()), "attributes": {
        "name": name, "status": status, "createdAt": created_at, "updatedAt": created_at}})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_klass_has_its_table_whatever_its_name_and_status() {
    let org = org(KOBJECTS).await;
    let report = run(&org, Exit::Ok).await;
    assert_eq!(tables(&org).await, TABLES.map(|(_, table)| table.to_owned()).into());
    assert_all_hold(&org).await;
    assert!(by_id(&org.lake(), "kobject_wishlist").await.is_empty());
    for (klass, table) in TABLES {
        let own = entity(&report, table);
        assert_eq!((&own["outcome"], &own["inserted"]), (&json!("complete"), &own["read"]), "{klass}");
    }
    let views = std::fs::read_to_string(org.lake().join("views.sql")).unwrap();
    assert!(TABLES.iter().all(|(_, table)| views.contains(table)), "{views}");
    for round in 0..3 {
        for (klass, _) in TABLES {
            for (change, count) in [(ShelfChange::Update, 4), (ShelfChange::Insert, 2)] {
                org.sim.change_shelf(&format!("kobject_{klass}"), change, count, round).unwrap();
            }
        }
        org.sim.clock().advance(10 * MINUTE);
        run(&org, Exit::Ok).await;
        assert_all_hold(&org).await;
    }
    let report = run(&org, Exit::Ok).await;
    assert!(TABLES.iter().all(|(_, table)| entity(&report, table)["commits"] == 0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_klass_that_appears_between_runs_has_its_table_after_the_next() {
    let org = org(KOBJECTS).await;
    run(&org, Exit::Ok).await;
    org.sim.change_shelf("klasses", ShelfChange::Insert, 1, 1).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    run(&org, Exit::Ok).await;
    assert_eq!(org.sim.shelf("kobject_klass-10").len(), 3);
    assert_holds(&org, "klass-10", "kobject_klass_10").await;
    assert_all_hold(&org).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_klasses_that_are_named_are_read() {
    let org = org("pipelines: {kobjects: {klasses: [order, Ecomm_Order]}}").await;
    run(&org, Exit::Ok).await;
    let two = BTreeSet::from(["kobject_order".to_owned(), "kobject_Ecomm_Order_bee82d05".to_owned()]);
    assert_eq!(tables(&org).await, two);
    let asked = org.sim.stats().by_context;
    let asked: Vec<_> = asked.keys().filter(|context| context.starts_with("kobject_")).collect();
    assert_eq!(asked, ["kobject_Ecomm_Order", "kobject_order"]);
    // The others come later, from their start, and change no name.
    org.configure("", KOBJECTS);
    run(&org, Exit::Ok).await;
    assert_all_hold(&org).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_klass_that_does_not_exist_fails_kobjects_and_the_known_ones_are_named() {
    let org = org("pipelines: {kobjects: {klasses: [order, ordre]}, users: {}}").await;
    let report = run(&org, Exit::Partial).await;
    let failed = entity(&report, "kobjects");
    assert_eq!(failed["outcome"], "failed");
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("no klass ordre"), "{error}");
    assert!(TABLES.iter().all(|(klass, _)| error.contains(klass)), "{error}");
    assert_eq!(tables(&org).await, BTreeSet::new());
    assert_eq!(entity(&report, "users")["outcome"], "complete");
    assert_eq!(org.run(&["run"]).await.code, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_klass_out_of_use_that_can_no_longer_be_searched_is_left_out_and_told() {
    let org = org(KOBJECTS).await;
    let gone = klass("gone for good", "disabled", "2024-01-01T00:00:00.000Z");
    org.sim.serve_list("/v1/klasses", [klasses(&org), vec![gone.clone()]].concat());
    let report = run(&org, Exit::Ok).await;
    let own = entity(&report, "kobject_gone_for_good");
    assert_eq!((&own["outcome"], &own["skipped"]), (&json!("complete"), &json!({"unsearchable_klass": 1})), "{own}");
    assert_all_hold(&org).await;
    let ended = org.run(&["run"]).await;
    assert_eq!(ended.code, 0, "{ended:#?}");

    // One in use is another matter: its objects would be missed.
    let enabled = klass("gone for good", "enabled", "2024-01-01T00:00:00.000Z");
    org.sim.serve_list("/v1/klasses", [klasses(&org), vec![enabled]].concat());
    org.sim.change_shelf("kobject_wishlist", ShelfChange::Insert, 2, 1).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    let report = run(&org, Exit::Partial).await;
    let own = entity(&report, "kobject_gone_for_good");
    assert_eq!(own["outcome"], "failed");
    assert!(own["error"].as_str().unwrap().contains("gone for good"), "{own}");
    assert_all_hold(&org).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_not_read_klasses_fails_kobjects_alone() {
    let org = org("pipelines: {kobjects: {}, klasses: {}, users: {}, companies: {}}").await;
    let mut token = TokenSpec::default();
    token.roles.retain(|role| !role.contains(".klass."));
    org.sim.add_token(token);
    let report = run(&org, Exit::Partial).await;
    for name in ["kobjects", "klasses"] {
        let error = entity(&report, name)["error"].as_str().unwrap();
        assert!(error.contains("/v1/klasses") && error.contains("org.permission.klass.read"), "{error}");
    }
    assert_eq!(tables(&org).await, BTreeSet::new());
    assert_eq!(entity(&report, "users")["outcome"], "complete");
    assert_eq!(entity(&report, "companies")["outcome"], "complete");
    org.sim.add_token(TokenSpec::default());
    run(&org, Exit::Ok).await;
    assert_all_hold(&org).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn klasses_whose_names_collide_keep_their_tables_when_the_older_one_disappears() {
    let org = org(KOBJECTS).await;
    run(&org, Exit::Ok).await;
    let mut left = klasses(&org);
    left.retain(|klass| klass["attributes"]["name"] != "ecomm-order");
    org.sim.serve_list("/v1/klasses", left);
    let before = by_id(&org.lake(), "kobject_ecomm_order").await;
    for klass in ["ecomm-order", "Ecomm_Order"] {
        org.sim.change_shelf(&format!("kobject_{klass}"), ShelfChange::Update, 5, 1).unwrap();
    }
    org.sim.clock().advance(10 * MINUTE);
    run(&org, Exit::Ok).await;
    assert_holds(&org, "Ecomm_Order", "kobject_Ecomm_Order_bee82d05").await;
    assert_eq!(by_id(&org.lake(), "kobject_ecomm_order").await, before);
    assert_eq!(tables(&org).await.len(), TABLES.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_klass_never_gets_the_table_of_another_one_that_is_gone() {
    let org = org("pipelines: {kobjects: {klasses: [ecomm-order]}}").await;
    run(&org, Exit::Ok).await;
    let before = by_id(&org.lake(), "kobject_ecomm_order").await;
    let mut left = klasses(&org);
    left.retain(|klass| klass["attributes"]["name"] != "ecomm-order");
    org.sim.serve_list("/v1/klasses", left);
    org.configure("", "pipelines: {kobjects: {}}");
    run(&org, Exit::Ok).await;
    assert_holds(&org, "Ecomm_Order", "kobject_Ecomm_Order_bee82d05").await;
    assert_eq!(by_id(&org.lake(), "kobject_ecomm_order").await, before);
}
