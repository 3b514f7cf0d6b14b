//! The attributes that an organisation has made itself: typed columns, and no value lost.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use kustlake::run::{Command, Exit};
use kustlake::table::ATTRIBUTE_METADATA;
use kustlake_sim::{Context, Mutation, Op, ShelfChange, Switches, TokenSpec, WorldSpec};
use serde_json::{Value, json};

use crate::rows::{Row, all, by_id, schema, values};
use crate::support::{Org, eager, entity};
use crate::values::{assert_same, given, rebuilt, rebuilt_as};

const MINUTE: i64 = 60_000;
const EVERYTHING: &str =
    "pipelines: {conversations: {}, customers: {}, messages: {}, notes: {}, users: {}, companies: {}, kobjects: {}}";

/// Kinds of record with attributes of the organisation's own: as metadata name them, and their tables.
const RESOURCES: [(&str, &str); 7] = [
    ("customer", "customers"),
    ("conversation", "conversations"),
    ("message", "messages"),
    ("note", "notes"),
    ("user", "users"),
    ("company", "companies"),
    ("kobject.order", "kobject_order"),
];

async fn org(pipelines: &str) -> Org {
    let world = WorldSpec {
        customers: 20,
        companies: 10,
        kobjects: 8,
        conversations: 25,
        messages: 40,
        notes: 20,
        users: 6,
        ..WorldSpec::default()
    };
    let org = Org::new(world, Switches::unlimited()).await;
    org.configure("", pipelines);
    org.sim.clock().advance(10 * MINUTE);
    org
}

/// An organisation of which the tests make all records and metadata of customers.
async fn empty_org(properties: Value) -> Org {
    let org = Org::new(WorldSpec::empty(), Switches::unlimited()).await;
    org.configure("", "pipelines: {customers: {}}");
    describe(&org, properties);
    org
}

fn describe(org: &Org, properties: Value) {
    let metadata =
        json!({"type": "metadata", "id": "650000000000000000000001", "attributes": {"properties": properties}});
    org.sim.serve_list("/v1/metadata/customer", vec![metadata]);
}

/// Stores a customer with these attributes of the organisation's own.
fn insert(org: &Org, place: u32, rev: u32, custom: Value) -> String {
    let customer = json!({"type": "customer", "id": format!("65f0000000000000000000{place:02}"),
        "attributes": {"name": "Jane Invented", "rev": rev, "custom": custom}});
    let ids = org.sim.insert_raw(Context::Customer, customer.to_string().as_bytes()).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    ids[0].clone()
}

async fn row(org: &Org, id: &str) -> Row {
    by_id(&org.lake(), "customers").await.remove(id).unwrap()
}

fn extra(row: &Row) -> Value {
    row["_extra"].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

/// The column of each attribute, by the attribute's own name.
async fn columns(org: &Org, table: &str) -> BTreeMap<String, (String, DataType)> {
    let schema = schema(&org.lake(), table).await;
    let fields = schema.fields().iter();
    let own = fields.filter_map(|field| {
        let attribute = field.metadata().get(ATTRIBUTE_METADATA)?.strip_prefix("custom.")?;
        Some((attribute.to_owned(), (field.name().clone(), field.data_type().clone())))
    });
    own.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_name_and_the_flags_of_its_description_make_the_column() {
    let org = empty_org(json!({
        "aStr": {"type": "string"}, "bTxt": {}, "cNum": {}, "dAt": {}, "eBool": {}, "fUrl": {}, "gId": {}, "hTree": {},
        "listStr": {"array": true}, "listTree": {"multi": true}, "listNum": {"array": true},
        "plain": {"type": "number"}, "größe in cm.Num": {},
    }))
    .await;
    let id = insert(
        &org,
        1,
        1,
        json!({
            "aStr": "a", "bTxt": "b\nb", "cNum": 1.5, "dAt": "2026-01-02T03:04:05.006Z", "eBool": true,
            "fUrl": "https://acme.example", "gId": "5f", "hTree": "x.y", "listStr": ["k", "l"], "listTree": ["x.y"],
            "listNum": [1, 2.5], "plain": 7, "größe in cm.Num": 8, "unlisted": {"x": [1]}, "unlistedBool": false,
        }),
    );
    org.load().await;
    let row = row(&org, &id).await;
    for (column, value) in [
        ("custom_aStr", json!("a")),
        ("custom_bTxt", json!("b\nb")),
        ("custom_cNum", json!(1.5)),
        ("custom_dAt", json!(1_767_323_045_006_000_i64)),
        ("custom_eBool", json!(true)),
        ("custom_fUrl", json!("https://acme.example")),
        ("custom_gId", json!("5f")),
        ("custom_hTree", json!("x.y")),
        ("custom_listStr", json!(["k", "l"])),
        ("custom_listTree", json!(["x.y"])),
        ("custom_listNum", json!("[1,2.5]")),
        ("custom_plain", json!(7.0)),
        ("custom_gr__e_in_cm_Num", json!(8.0)),
        ("custom_unlisted", json!(r#"{"x":[1]}"#)),
        ("custom_unlistedBool", json!(false)),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
    assert_eq!(row["_extra"], Value::Null);
    assert_eq!(columns(&org, "customers").await["größe in cm.Num"].0, "custom_gr__e_in_cm_Num");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_differ_in_case_alone_have_columns_of_their_own_whatever_comes_first() {
    let org = empty_org(json!({"orderIDStr": {}})).await;
    let first = insert(&org, 1, 1, json!({"orderIDStr": "upper"}));
    org.load().await;
    let before = columns(&org, "customers").await;
    describe(&org, json!({"orderIdStr": {}, "orderIDStr": {}, "ORDERIDStr": {}}));
    let second = insert(&org, 2, 1, json!({"orderIdStr": "lower", "orderIDStr": "upper", "ORDERIDStr": "all"}));
    let report = serde_json::to_value(org.load().await).unwrap();
    let told = entity(&report, "customers")["new_columns"].as_array().unwrap().len();
    assert_eq!(told, 2, "{report}");
    let after = columns(&org, "customers").await;
    assert_eq!(after["orderIDStr"], before["orderIDStr"], "a column keeps its name");
    let schema = schema(&org.lake(), "customers").await;
    let mut names: Vec<_> = schema.fields().iter().map(|field| field.name().to_lowercase()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), schema.fields().len(), "{schema:?}");
    let (first, second) = (row(&org, &first).await, row(&org, &second).await);
    assert_eq!(first[&after["orderIDStr"].0], "upper");
    assert!(first[&after["orderIdStr"].0].is_null());
    for (attribute, value) in [("orderIdStr", "lower"), ("orderIDStr", "upper"), ("ORDERIDStr", "all")] {
        assert_eq!(second[&after[attribute].0], value, "{attribute}");
    }
    assert_eq!(second["_extra"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_contradicts_its_type_stands_in_the_rest_and_is_counted() {
    let org = empty_org(json!({"cNum": {}, "listStr": {"array": true}})).await;
    let odd = json!({"cNum": "12,50", "listStr": "one", "eBool": "yes", "dAt": "tomorrow", "aStr": 5});
    let id = insert(&org, 1, 1, odd.clone());
    let report = serde_json::to_value(org.load().await).unwrap();
    let row = row(&org, &id).await;
    assert_eq!(extra(&row), json!({"custom": odd}));
    for column in ["custom_cNum", "custom_listStr", "custom_eBool", "custom_dAt", "custom_aStr"] {
        assert!(row[column].is_null(), "{column}");
        let problems = entity(&report, "customers")["problems"].as_object().unwrap();
        let own: Vec<_> = problems.iter().filter(|(told, _)| told.starts_with(&format!("{column}: "))).collect();
        assert!(own.len() == 1 && *own[0].1 == 1, "{problems:?}");
    }
    // The column's type is not that of its first value.
    let id = insert(&org, 1, 2, json!({"cNum": 12.5, "listStr": ["one"], "eBool": true, "aStr": "5"}));
    org.load().await;
    let row = self::row(&org, &id).await;
    assert_eq!((&row["custom_cNum"], &row["custom_listStr"]), (&json!(12.5), &json!(["one"])));
    assert_eq!((&row["custom_eBool"], &row["custom_aStr"], &row["_extra"]), (&json!(true), &json!("5"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_that_is_added_has_its_column_after_the_same_run_and_its_values_with_the_records() {
    let org = org(EVERYTHING).await;
    org.load().await;
    for (resource, _) in RESOURCES {
        org.sim.add_custom_attribute(resource, "brandNewNum", json!({"type": "number"}), json!(4.5)).unwrap();
    }
    let report = serde_json::to_value(org.load().await).unwrap();
    for (_, table) in RESOURCES {
        assert_eq!(
            columns(&org, table).await["brandNewNum"],
            ("custom_brandNewNum".to_owned(), DataType::Float64),
            "{table}"
        );
        assert_eq!(values(&org.lake(), table, "custom_brandNewNum").await, [Value::Null; 0], "{table}");
        assert_eq!(entity(&report, table)["updated"], 0, "{table}");
    }
    for context in [Context::Customer, Context::Conversation, Context::Message, Context::Note, Context::User] {
        org.sim.mutate(Mutation { context, op: Op::Update, count: 3, seed: 1 }).unwrap();
    }
    for shelf in ["companies", "kobject_order"] {
        org.sim.change_shelf(shelf, ShelfChange::Update, 3, 1).unwrap();
    }
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    for (_, table) in RESOURCES {
        assert_eq!(values(&org.lake(), table, "custom_brandNewNum").await, vec![json!(4.5); 3], "{table}");
    }
    let report = serde_json::to_value(org.load().await).unwrap();
    assert!(RESOURCES.iter().all(|(_, table)| entity(&report, table)["commits"] == 0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_that_is_no_longer_described_stays_a_column() {
    let org = empty_org(json!({"oldStr": {}, "olderNum": {}})).await;
    let first = insert(&org, 1, 1, json!({"oldStr": "kept", "olderNum": 3}));
    org.load().await;
    let before = columns(&org, "customers").await;
    describe(
        &org,
        json!({"oldStr": {"deletedAt": "2026-01-01T00:00:00.000Z"}, "neverStr": {"deletedAt": "2026-01-01T00:00:00.000Z"}}),
    );
    let second = insert(&org, 2, 1, json!({"oldStr": "still", "olderNum": 4}));
    org.load().await;
    assert_eq!(columns(&org, "customers").await, before, "and one that nobody has gets none");
    for (id, value, number) in [(first, "kept", 3.0), (second, "still", 4.0)] {
        let row = row(&org, &id).await;
        assert_eq!((&row["custom_oldStr"], &row["custom_olderNum"]), (&json!(value), &json!(number)), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptions_the_ends_of_the_names_tell_the_types_and_nothing_fails() {
    let (whole, refused, absent) = (org(EVERYTHING).await, org(EVERYTHING).await, org(EVERYTHING).await);
    let mut token = TokenSpec::default();
    token.roles.retain(|role| !role.contains(".metadata."));
    refused.sim.add_token(token);
    absent.sim.merge_switches(json!({"metadata_access": "absent"})).unwrap();
    whole.load().await;
    for org in [&refused, &absent] {
        org.load().await;
        for (_, table) in RESOURCES {
            let (described, guessed) = (columns(&whole, table).await, columns(org, table).await);
            assert!(!guessed.is_empty(), "{table}");
            for (attribute, (_, kind)) in guessed {
                let is_list = matches!(described[&attribute].1, DataType::List(_));
                assert!(is_list || described[&attribute].1 == kind, "{table}: {attribute}");
            }
            assert_eq!(all(&org.lake(), table).await.len(), all(&whole.lake(), table).await.len(), "{table}");
        }
    }
    // Once they are there, no column changes its type, and none is missing.
    let before = columns(&refused, "customers").await;
    refused.sim.add_token(TokenSpec::default());
    refused.load().await;
    let after = columns(&refused, "customers").await;
    assert!(before.iter().all(|(attribute, column)| after[attribute] == *column));
    assert!(after.contains_key("loyaltyTierStr") && !before.contains_key("loyaltyTierStr"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_comes_back_on_every_kind_of_record_whenever_its_column_came() {
    let org = org(EVERYTHING).await;
    org.sim.merge_switches(json!({"deleted_in_lists": "shown", "metadata_access": "not_of_kobjects"})).unwrap();
    org.load().await;
    org.sim.merge_switches(json!({"metadata_access": "full"})).unwrap();
    for round in 0..2 {
        for (resource, _) in RESOURCES {
            let name = ["lateStr", "LATEStr"][round];
            org.sim.add_custom_attribute(resource, name, json!({"multi": true}), json!(["a", null])).unwrap();
        }
        for context in [Context::Customer, Context::Conversation, Context::Message, Context::Note, Context::User] {
            for (op, count) in [(Op::Create, 3), (Op::Update, 9), (Op::DeleteSoft, 2)] {
                org.sim.mutate(Mutation { context, op, count, seed: round as u64 }).unwrap();
            }
        }
        for shelf in ["companies", "kobject_order", "kobject_größe 2", "kobject_wishlist"] {
            for (change, count) in [(ShelfChange::Update, 3), (ShelfChange::Insert, 2)] {
                org.sim.change_shelf(shelf, change, count, round as u64).unwrap();
            }
        }
        org.sim.clock().advance(10 * MINUTE);
        assert_eq!(org.inside(Command::Run, &eager()).await.unwrap().exit_code, Exit::Ok);
    }
    let lake = org.lake();
    for (context, table) in crate::witness::TABLES {
        assert_same(table, given(&org.sim.records(context)), &rebuilt(&lake, table).await);
    }
    let lines = |shelf: &str| {
        let lines: Vec<_> = org.sim.shelf(shelf).iter().map(ToString::to_string).collect();
        given(lines.join("\n").as_bytes())
    };
    assert_same("companies", lines("companies"), &rebuilt(&lake, "companies").await);
    for (klass, table) in [("order", "kobject_order"), ("größe 2", "kobject_gr__e_2"), ("wishlist", "kobject_wishlist")]
    {
        assert_same(klass, lines(&format!("kobject_{klass}")), &rebuilt_as(&lake, table, "kobjects").await);
    }
}
