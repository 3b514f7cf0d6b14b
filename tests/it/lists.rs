//! Small lists: complete or untouched, whatever the source does to them.

use std::collections::{BTreeMap, BTreeSet};

use kustlake::catalog::Catalog;
use kustlake::clock::{Clock, SystemClock};
use kustlake::run::{Command, Exit};
use kustlake_sim::{Context, ShelfChange, Switches, TokenSpec, WorldSpec};
use serde_json::{Value, json};

use crate::parts::source;
use crate::rows::{Row, all, by_id, table};
use crate::support::{Org, eager, entity};

const MINUTE: i64 = 60_000;
const LISTS: &str = "pipelines: {tags: {}, brands: {}, outbound_accounts: {}, spam_senders: {}}";

async fn org(lists: &str) -> Org {
    let world = WorldSpec { users: 4, ..WorldSpec::empty() };
    let org = Org::new(world, Switches::unlimited()).await;
    org.configure("", lists);
    org.sim.clock().advance(10 * MINUTE);
    org
}

/// A run of which only some entities end well, as JSON.
async fn partial(org: &Org) -> Value {
    let report = org.inside(Command::Run, &eager()).await.unwrap();
    assert_eq!(report.exit_code, Exit::Partial, "{report:#?}");
    serde_json::to_value(report).unwrap()
}

fn ids(resources: &[Value]) -> BTreeSet<String> {
    resources.iter().map(|resource| resource["id"].as_str().unwrap().to_owned()).collect()
}

async fn loaded(org: &Org, name: &str) -> BTreeSet<String> {
    by_id(&org.lake(), name).await.into_keys().collect()
}

/// The account of each channel.
async fn accounts(org: &Org) -> Vec<(Value, Value)> {
    let rows = all(&org.lake(), "outbound_accounts").await.into_iter();
    let mut accounts: Vec<_> = rows.map(|row| (row["channel"].clone(), row["account"].clone())).collect();
    accounts.sort_by_key(|account| format!("{account:?}"));
    accounts
}

fn account(resource: &Value) -> (Value, Value) {
    (resource["attributes"]["channel"].clone(), resource["attributes"]["account"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_whole_leaves_its_table_as_it_was_and_the_others_are_loaded() {
    let nameless = json!({"type": "tag", "attributes": {"name": "nobody"}});
    let no_brands = {
        let mut token = TokenSpec::default();
        token.roles.retain(|role| !role.contains(".brand."));
        token
    };
    type Fault<'a> = (&'a str, &'a [&'a str], Box<dyn Fn(&Org) + 'a>);
    let faults: [Fault<'_>; 4] = [
        (
            "tags",
            &["tags", "1 records have no usable id"],
            Box::new(|org| {
                org.sim.serve_list("/v1/tags", [org.sim.shelf("tags"), vec![nameless.clone()]].concat());
            }),
        ),
        (
            "tags",
            &["/v1/tags", "without an end"],
            Box::new(|org| {
                org.sim.merge_switches(json!({"next_links": "endless"})).unwrap();
            }),
        ),
        (
            "tags",
            &["/v1/tags", "another host"],
            Box::new(|org| {
                org.sim.change_shelf("tags", ShelfChange::Insert, 200, 1).unwrap();
                org.sim.merge_switches(json!({"next_links": "other_origin"})).unwrap();
            }),
        ),
        (
            "brands",
            &["/v1/brands", "403", "org.permission.brand.read"],
            Box::new(|org| org.sim.add_token(no_brands.clone())),
        ),
    ];
    for (name, told, strike) in faults {
        let org = org(LISTS).await;
        org.load().await;
        let before = all(&org.lake(), name).await;
        let version = table(&org.lake(), name).await.unwrap().version();
        org.sim.change_shelf(name, ShelfChange::Update, 2, 1).unwrap();
        org.sim.change_shelf("outbound_accounts", ShelfChange::Insert, 1, 1).unwrap();
        org.sim.clock().advance(10 * MINUTE);
        strike(&org);
        let report = partial(&org).await;
        let failed = entity(&report, name);
        assert_eq!(failed["outcome"], "failed");
        let error = failed["error"].as_str().unwrap();
        assert!(told.iter().all(|part| error.contains(part)), "{told:?} in {error}");
        assert_eq!(entity(&report, "outbound_accounts")["outcome"], "complete", "{told:?}");
        assert_eq!(accounts(&org).await.len(), org.sim.shelf("outbound_accounts").len(), "{told:?}");
        assert_eq!(all(&org.lake(), name).await, before, "{told:?}");
        assert_eq!(table(&org.lake(), name).await.unwrap().version(), version, "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_on_more_than_one_page_are_all_read_although_no_link_says_so() {
    let org = org("pipelines: {outbound_accounts: {}, tags: {}}").await;
    // All of them at once, and again on each further page: more than a page should hold.
    org.sim.change_shelf("outbound_accounts", ShelfChange::Insert, 130, 1).unwrap();
    org.load().await;
    let sorted = |resources: &[Value]| {
        let mut accounts: Vec<_> = resources.iter().map(account).collect();
        accounts.sort_by_key(|account| format!("{account:?}"));
        accounts
    };
    assert_eq!(accounts(&org).await, sorted(&org.sim.shelf("outbound_accounts")));
    // Page by page, with none of a hundred, one, two and a half.
    org.sim.merge_switches(json!({"next_links": "unstated"})).unwrap();
    for count in [0, 100, 101, 200, 250] {
        let resource = |at: usize| {
            json!({"type": "outbound_account", "attributes": {
            "channel": "email", "account": format!("invented{at}@example.com"), "name": "Acme"}})
        };
        let resources: Vec<_> = (0..count).map(resource).collect();
        org.sim.serve_list("/v1/outboundAccounts", resources.clone());
        org.load().await;
        assert_eq!(accounts(&org).await, sorted(&resources), "{count}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_another_order_each_time_that_changes_while_it_is_read_loses_nothing() {
    for mode in ["replace", "update"] {
        let org = org(&format!("pipelines: {{tags: {{mode: {mode}}}}}")).await;
        org.sim.change_shelf("tags", ShelfChange::Insert, 330, 1).unwrap();
        org.sim.merge_switches(json!({"shelf_order": "random", "mover": "every_request"})).unwrap();
        org.sim.clock().advance(10 * MINUTE);
        for round in 0..6 {
            org.load().await;
            assert_eq!(loaded(&org, "tags").await, ids(&org.sim.shelf("tags")), "{mode}, round {round}");
            org.sim.change_shelf("tags", ShelfChange::Insert, 3, round).unwrap();
            org.sim.change_shelf("tags", ShelfChange::Delete, 3, round).unwrap();
            org.sim.clock().advance(10 * MINUTE);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_shrinks_while_it_is_read_loses_none_of_those_that_stay() {
    let org = org("pipelines: {brands: {}}").await;
    org.sim.change_shelf("brands", ShelfChange::Insert, 600, 1).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    for round in 0..4 {
        org.sim.merge_switches(json!({"latency_ms": 4})).unwrap();
        org.sim.reset_stats();
        let clock = SystemClock::new();
        let shrinking = async {
            for pages in 2..6 {
                while org.sim.stats().requests < pages {
                    clock.sleep(std::time::Duration::from_millis(1)).await;
                }
                org.sim.change_shelf("brands", ShelfChange::Delete, 7, round * 10 + pages).unwrap();
            }
        };
        let ((), _) = tokio::join!(shrinking, org.load());
        let (loaded, left) = (loaded(&org, "brands").await, ids(&org.sim.shelf("brands")));
        assert!(left.is_subset(&loaded), "round {round}: {} are missing", left.difference(&loaded).count());
        org.sim.merge_switches(json!({"latency_ms": 0})).unwrap();
        org.load().await;
        assert_eq!(self::loaded(&org, "brands").await, left);
    }
}

const SLAS: &str = "pipelines: {conversations: {}, slas: {}, slas_versions: {}, slas_criteria: {}}";

/// Stores a conversation that is under this SLA.
fn insert_under(org: &Org, place: u32, sla: &str) {
    let conversation = json!({"type": "conversation", "id": format!("65f0000000000000000000{place:02}"), "attributes": {"rev": 1},
        "relationships": {"sla": {"data": {"type": "sla", "id": sla}}}});
    org.sim.insert_raw(Context::Conversation, conversation.to_string().as_bytes()).unwrap();
    org.sim.clock().advance(10 * MINUTE);
}

fn versions_of(org: &Org, slas: &BTreeSet<String>) -> BTreeSet<String> {
    let sla = |version: &Value| version["relationships"]["sla"]["data"]["id"].as_str().unwrap().to_owned();
    let versions = org.sim.shelf("sla_versions").into_iter().filter(|version| slas.contains(&sla(version)));
    ids(&versions.collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn slas_that_cannot_be_listed_are_read_one_by_one_as_conversations_name_them() {
    for shape in ["array", "object"] {
        let world = WorldSpec { customers: 10, conversations: 80, users: 4, ..WorldSpec::empty() };
        let switches = json!({"sla_list": "not_found", "included_one": shape});
        let org = Org::new(world, Switches::unlimited().merged(switches).unwrap()).await;
        org.configure("", SLAS);
        org.sim.clock().advance(10 * MINUTE);
        org.load().await;
        let named = crate::rows::values(&org.lake(), "conversations", "sla_id").await;
        let mut named: BTreeSet<_> = named.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        assert!(!named.is_empty());
        assert_eq!(loaded(&org, "slas").await, named, "after the first run");
        assert_eq!(loaded(&org, "slas_versions").await, versions_of(&org, &named));
        // One that has a single version, so that a single resource is included.
        let single = org.sim.shelf("slas").into_iter();
        let mut single = single.filter(|sla| sla["relationships"]["versions"]["data"].as_array().unwrap().len() == 1);
        let single = single.next().unwrap()["id"].as_str().unwrap().to_owned();
        insert_under(&org, 1, &single);
        named.insert(single);
        org.load().await;
        assert_eq!(loaded(&org, "slas").await, named);
        assert_eq!(loaded(&org, "slas_versions").await, versions_of(&org, &named));
        // One that is gone is told, and the rest is there.
        insert_under(&org, 2, "65f00000000000000000dead");
        let report = serde_json::to_value(org.load().await).unwrap();
        assert_eq!(entity(&report, "slas")["skipped"], json!({"gone": 1}));
        assert_eq!(loaded(&org, "slas").await, ids(&org.sim.shelf("slas")).intersection(&named).cloned().collect());
        org.sim.merge_switches(json!({"sla_list": "served"})).unwrap();
        org.load().await;
        assert_eq!(loaded(&org, "slas").await, ids(&org.sim.shelf("slas")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slas_that_can_neither_be_listed_nor_found_by_conversations_fail_rather_than_vanish() {
    let org = org("pipelines: {slas: {}, tags: {}}").await;
    org.load().await;
    let before = loaded(&org, "slas").await;
    assert!(!before.is_empty());
    org.sim.merge_switches(json!({"sla_list": "not_found"})).unwrap();
    let report = partial(&org).await;
    let error = entity(&report, "slas")["error"].as_str().unwrap();
    assert!(error.contains("slas") && error.contains("conversations"), "{error}");
    assert_eq!(loaded(&org, "slas").await, before);
}

/// The schema file of the documentation, as a list and without what only lists below records are given.
fn documented() -> String {
    let guide = std::fs::read_to_string(source("docs/adding-an-entity.md")).unwrap();
    let yaml = guide.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let lines = yaml.lines().filter(|line| !line.starts_with("given:") && !line.contains("box_id"));
    let lines = lines.map(|line| match line.starts_with("access:") {
        true => "access: {lists: {lists: [{path: /v1/things}], page_size: 100}}",
        false => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_is_added_by_its_schema_file_alone() {
    let org = org("pipelines: {things: {}}").await;
    let thing = |at: usize| {
        json!({"type": "thing", "id": format!("650000000000000000000{at:03}"), "attributes": {
        "name": format!("Thing {at}"), "updatedAt": "2026-01-02T03:04:05.000Z", "type": "large",
        "firstDone": {"createdAt": "2026-01-01T00:00:00.000Z", "by": "nobody"}, "custom": {"sizeNum": at}}, "relationships": {
        "customer": {"data": {"type": "customer", "id": "61"}},
        "shortcuts": {"data": [{"type": "shortcut", "id": "62"}, {"type": "shortcut", "id": "63"}]},
        "userMentions": {"data": [{"type": "user", "id": "64"}, {"type": "team", "id": "65"}]}}})
    };
    let fixture: Vec<_> = (0..230).map(thing).collect();
    org.sim.serve_list("/v1/things", fixture.clone());
    let schema = documented();
    let catalog = Catalog::from_files([("things.yaml", schema.as_str())]).unwrap();
    for _ in 0..2 {
        let report = org.inside_of(&catalog, Command::Run, &eager()).await.unwrap();
        assert_eq!(report.exit_code, Exit::Ok, "{report:#?}");
    }
    let rows: BTreeMap<String, Row> = by_id(&org.lake(), "things").await;
    assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), ids(&fixture));
    for (at, row) in rows.values().enumerate() {
        for (column, value) in [
            ("name", json!(format!("Thing {at}"))),
            ("updated_at", json!(1_767_323_045_000_000_i64)),
            ("thing_type", json!("large")),
            ("first_done_created_at", json!(1_767_225_600_000_000_i64)),
            ("customer_id", json!("61")),
            ("shortcut_ids", json!(["62", "63"])),
            ("user_mentions", json!(r#"[{"id":"64","type":"user"},{"id":"65","type":"team"}]"#)),
            ("custom_sizeNum", json!(at as f64)),
            ("_extra", json!(r#"{"firstDone":{"by":"nobody"}}"#)),
            ("_deleted", json!(false)),
        ] {
            assert_eq!(row[column], value, "{column} of {at}");
        }
    }
    let report = serde_json::to_value(org.inside_of(&catalog, Command::Run, &eager()).await.unwrap()).unwrap();
    assert_eq!(entity(&report, "things")["commits"], 0);
}
