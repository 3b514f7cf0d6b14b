//! What must not be read stands nowhere.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{read_at, things};
use crate::catalog::{AttributePath, Catalog, ElementsOf};
use crate::table::{
    Converted, Converter, HashKey, TREATMENT_METADATA, TableSchema, Treatment, TreatmentError, Treatments,
    UnknownAttributes, custom_column, custom_columns, rebuild,
};

use Treatment::{Exclude, Hash, Keep};

const SECRET: &str = "s3cret";

fn treatments(columns: &[(&str, Treatment)]) -> Treatments {
    let columns = columns.iter().map(|(name, treatment)| ((*name).to_owned(), *treatment)).collect();
    Treatments { columns, hash_key: Some(HashKey::new(b"invented key")), ..Treatments::default() }
}

fn treated(columns: &[(&str, Treatment)]) -> TableSchema {
    things().with_treatments(treatments(columns)).unwrap()
}

fn convert(schema: &TableSchema, record: &str) -> Converted {
    Converter::new(schema, UnknownAttributes::Extra).convert(&[record.as_bytes()], read_at()).unwrap()
}

fn thing(attributes: &str) -> String {
    format!(r#"{{"type":"thing","id":"6ad8","attributes":{attributes}}}"#)
}

fn text<'a>(batch: &'a RecordBatch, column: &str) -> Option<&'a str> {
    let array = batch.column_by_name(column).unwrap().as_string::<i32>();
    array.is_valid(0).then(|| array.value(0))
}

fn list(batch: &RecordBatch, column: &str) -> Vec<String> {
    let list = batch.column_by_name(column).unwrap().as_list::<i32>().value(0);
    list.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
}

fn hash(text: &str) -> String {
    HashKey::new(b"invented key").hash(text)
}

#[test]
fn the_hash_is_the_one_that_others_compute_with_the_same_secret() {
    let hash = HashKey::new(b"Jefe").hash("what do ya want for nothing?");
    assert_eq!(hash, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "RFC 4231, test case 2");
    assert!(!format!("{:?}", treatments(&[])).contains("invented"));
}

#[test]
fn equal_texts_have_equal_hashes_in_every_kind_of_column() {
    let schema = treated(&[("name", Hash), ("tags", Hash), ("custom", Hash), ("owner_id", Hash), ("parts_ids", Hash)]);
    let record = r#"{"id":"x","attributes":{"name":"u\u0031","tags":["u1","b"],"custom":{ "a b" : [1, "\" c"] }},
        "relationships":{"owner":{"data":{"type":"user","id":"u1"}},"parts":{"data":[{"type":"part","id":"u1"}]}}}"#;
    let batch = convert(&schema, record).batch;
    for column in ["name", "owner_id"] {
        assert_eq!(text(&batch, column), Some(hash("u1").as_str()), "{column}");
    }
    assert_eq!(list(&batch, "tags"), [hash("u1"), hash("b")]);
    assert_eq!(list(&batch, "parts_ids"), [hash("u1")]);
    assert_eq!(text(&batch, "custom"), Some(hash(r#"{"a b":[1,"\" c"]}"#).as_str()));
    let metadata =
        |name: &str| schema.arrow().field_with_name(name).unwrap().metadata().get(TREATMENT_METADATA).cloned();
    assert_eq!((metadata("custom").as_deref(), metadata("count")), (Some("hash"), None));
    let rebuilt = rebuild(&schema, &batch, 0).unwrap();
    assert_eq!(rebuilt["attributes"]["custom"], hash(r#"{"a b":[1,"\" c"]}"#));
}

#[test]
fn an_excluded_column_does_not_exist_and_its_value_neither() {
    let schema = treated(&[("name", Exclude), ("box_opened_at", Exclude), ("owner_id", Exclude)]);
    for name in ["name", "box_opened_at", "owner_id"] {
        assert!(schema.arrow().field_with_name(name).is_err(), "{name}");
    }
    let record = r#"{"id":"x","attributes":{"name":"a","box":{"name":"b","openedAt":5,"new":1}},"relationships":{"owner":{"data":{"type":"team","id":"t"}}}}"#;
    let converted = convert(&schema, record);
    assert_eq!(text(&converted.batch, "_extra"), Some(r#"{"box":{"new":1}}"#));
    assert_eq!(text(&converted.batch, "box_name"), Some("b"));
}

#[test]
fn a_table_without_extra_keeps_nothing_in_it() {
    let converted = convert(&treated(&[("_extra", Exclude)]), &thing(r#"{"new":1,"count":"many"}"#));
    assert_eq!(text(&converted.batch, "_extra"), None);
    assert_eq!(converted.problems.misfits.len(), 1);
}

#[test]
fn what_does_not_fit_a_hash_is_dropped_and_counted() {
    let schema = treated(&[("name", Hash), ("custom", Hash), ("tags", Hash)]);
    let converted =
        convert(&schema, &thing(r#"{"name":{"isMasked":true},"custom":{"isMasked":true},"tags":[1],"open":1}"#));
    assert_eq!(text(&converted.batch, "_extra"), Some(r#"{"open":1}"#));
    assert_eq!(text(&converted.batch, "custom"), None);
    let columns: BTreeSet<_> = converted.problems.misfits.keys().map(|misfit| misfit.column.as_str()).collect();
    assert_eq!(columns, BTreeSet::from(["custom", "name", "open", "tags"]));
}

#[test]
fn treatments_that_a_table_cannot_have_are_refused() {
    let refused = |column: &str, treatment| things().with_treatments(treatments(&[(column, treatment)])).unwrap_err();
    for column in ["id", "rev", "updated_at", "_deleted"] {
        assert_eq!(refused(column, Exclude), TreatmentError::Needed(column.to_owned()));
    }
    for column in ["count", "open", "created_at", "_extra"] {
        assert_eq!(refused(column, Hash), TreatmentError::NoText(column.to_owned()));
    }
    let no_key = Treatments { hash_key: None, ..treatments(&[("name", Hash)]) };
    assert_eq!(things().with_treatments(no_key).unwrap_err(), TreatmentError::NoKey);
}

#[test]
fn the_texts_of_elements_do_not_depend_on_the_column() {
    let tags = ElementsOf::Attribute(AttributePath(vec!["tags".to_owned()]));
    let schema = treated(&[("tags", Exclude), ("name", Hash)]).with_elements(BTreeSet::from([tags]));
    let wide = convert(&schema, &thing(r#"{"tags":["a"]}"#)).batch;
    assert_eq!(text(&wide, "raw:attributes.tags"), Some(r#"["a"]"#));
    assert!(schema.visible(&wide).unwrap().column_by_name("tags").is_none());
}

fn note(custom: &Value) -> String {
    json!({"type": "note", "id": "6ad8", "attributes": {"custom": custom}}).to_string()
}

fn notes(treatments: Treatments) -> TableSchema {
    TableSchema::new(Catalog::embedded().unwrap().get("notes").unwrap()).with_treatments(treatments).unwrap()
}

#[test]
fn custom_columns_are_treated_whenever_they_come_to_light() {
    let asked = Treatments {
        content: Hash,
        ..treatments(&[("custom_openStr", Keep), ("custom_goneStr", Exclude), ("custom_openNum", Keep)])
    };
    let schema = notes(asked);
    let record = note(&json!({"openStr": "a", "goneStr": "b", "someStr": "c", "ageNum": 4, "openNum": 5}));
    let first = convert(&schema, &record);
    assert_eq!(first.unknown_custom.len(), 5);
    assert_eq!(text(&first.batch, "_extra"), Some(r#"{"custom":{"openNum":5,"openStr":"a"}}"#));

    let wanted = first.unknown_custom.iter().map(|name| custom_column(name, None)).collect();
    let schema = schema.with_custom(custom_columns(&schema, None, wanted));
    let names: Vec<_> = schema
        .arrow()
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| name.starts_with("custom_"))
        .collect();
    assert_eq!(
        names,
        ["custom_openNum", "custom_openStr", "custom_someStr"],
        "a number has no hash, so it is excluded"
    );
    let second = convert(&schema, &record);
    assert!(second.unknown_custom.is_empty());
    assert_eq!(text(&second.batch, "_extra"), None);
    assert_eq!(text(&second.batch, "custom_openStr"), Some("a"));
    assert_eq!(text(&second.batch, "custom_someStr"), Some(hash("c").as_str()));
}

#[test]
fn a_custom_column_that_was_hashed_stays_so_without_its_metadata() {
    let asked = || Treatments { personal: Hash, ..treatments(&[]) };
    let personal = custom_column("nameStr", Some(&json!({"hasSensitiveAttributes": true})));
    let stored = notes(asked()).with_custom(vec![personal]);
    let again = notes(asked());
    let again = again.with_custom(custom_columns(&again, Some(stored.arrow()), vec![custom_column("nameStr", None)]));
    let batch = convert(&again, &note(&json!({"nameStr": "Ann"}))).batch;
    assert_eq!(text(&batch, "custom_nameStr"), Some(hash("Ann").as_str()));
}

/// A value of any form that holds the secret.
fn secret() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(SECRET)), Just(json!({"isMasked": true, "was": SECRET}))];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|value| json!([value, 1])),
            inner.clone().prop_map(|value| json!({"type": "user", "id": value})),
            (proptest::sample::select(&["name", "lid", "openedAt", "data", "attributes"][..]), inner)
                .prop_map(|(key, value)| json!({key: value})),
        ]
    })
}

fn all_cells(batch: &RecordBatch) -> String {
    let mut cells = String::new();
    for column in batch.columns() {
        if let Some(texts) = column.as_string_opt::<i32>() {
            cells.extend(texts.iter().flatten());
        } else if let Some(lists) = column.as_list_opt::<i32>() {
            cells.extend(lists.values().as_string::<i32>().iter().flatten());
        }
    }
    cells
}

proptest! {
    #[test]
    fn a_treated_value_stands_nowhere_whatever_its_form(secret in secret(), place in 0usize..12, hashes in any::<bool>()) {
        let columns = ["name", "tags", "custom", "box_name", "box_lid_colors", "owner_id", "parts_ids", "mixed"];
        let how = if hashes { Hash } else { Exclude };
        let columns: BTreeMap<_, _> = columns.into_iter().map(|name| (name, how)).chain([("created_at", Exclude), ("box_opened_at", Exclude)]).collect();
        let schema = treated(&columns.into_iter().collect::<Vec<_>>());
        let mut record = json!({"type": "thing", "id": "6ad8", "attributes": {}, "relationships": {}});
        match place {
            0 => record["attributes"]["name"] = secret,
            1 => record["attributes"]["tags"] = secret,
            2 => record["attributes"]["custom"] = secret,
            3 => record["attributes"]["box"]["name"] = secret,
            4 => record["attributes"]["box"]["lid"]["colors"] = secret,
            5 => record["attributes"]["createdAt"] = secret,
            6 => record["relationships"]["owner"]["data"] = secret,
            7 => record["relationships"]["parts"]["data"] = secret,
            8 => record["relationships"]["mixed"]["data"] = secret,
            // In place of objects around such values, where an object has members of its own.
            9 if !secret.is_object() => record["relationships"]["owner"] = secret,
            10 if !secret.is_object() || secret.get("isMasked").is_some() => record["attributes"]["box"] = secret,
            11 if !secret.is_object() => record["attributes"] = secret,
            _ => record["relationships"] = json!([secret]),
        }
        let converted = convert(&schema, &record.to_string());
        prop_assert!(!all_cells(&converted.batch).contains(SECRET), "{record} in {:?}", converted.batch);
        let problems = format!("{:?}", converted.problems);
        prop_assert!(!problems.contains(SECRET));
    }
}
