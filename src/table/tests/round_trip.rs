//! Whatever a record holds can be read back from its row.

use std::fs;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use serde_json::{Map, Value, json};

use super::{convert, read_at, things};
use crate::api::{Content, Page};
use crate::catalog::Catalog;
use crate::table::{Converter, TableSchema, UnknownAttributes, rebuild};

/// Paths of the columns of instants of the table of things.
const INSTANTS: [&str; 3] = ["/attributes/createdAt", "/attributes/updatedAt", "/attributes/box/openedAt"];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Fractions of two are the same to every parser.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 64.0)),
        "\\PC{0,8}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        (0i64..4_000_000_000_000_000).prop_map(|micros| {
            let instant = DateTime::from_timestamp_micros(micros).unwrap();
            Value::from(instant.to_rfc3339_opts(SecondsFormat::AutoSi, false))
        }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec("[a-z]{0,3}", 0..4).prop_map(Value::from),
            btree_map(key(), inner, 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "name",
        "count",
        "ratio",
        "open",
        "tags",
        "custom",
        "rev",
        "createdAt",
        "updatedAt",
        "openedAt",
        "box",
        "lid",
        "size",
        "colors",
        "deleted",
        "deletedAt",
        "_record",
        "_relationships",
        "_attributes",
        "isMasked",
        "id",
    ];
    prop_oneof![proptest::sample::select(KNOWN).prop_map(str::to_owned), any::<String>()]
}

fn relationship() -> impl Strategy<Value = Value> {
    let kind = proptest::sample::select(&["user", "part", "team"][..]);
    let identifier = (kind, value())
        .prop_map(|(kind, id)| match id {
            Value::String(id) => json!({"type": kind, "id": id}),
            odd => json!({"type": kind, "id": "x", "odd": odd}),
        })
        .boxed();
    let data = prop_oneof![identifier.clone(), vec(identifier, 0..3).prop_map(Value::from), value()];
    data.prop_map(|data| json!({"links": {"self": "/v1/x"}, "data": data}))
}

fn record() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        proptest::sample::select(&["owner", "parts", "mixed", "_record"][..]).prop_map(str::to_owned),
        any::<String>()
    ];
    let attributes = btree_map(key(), value(), 0..12);
    (attributes, btree_map(name, relationship(), 0..5), option::of(value())).prop_map(|(attributes, related, odd)| {
        let mut record = json!({"type": "thing", "id": "6ad8", "attributes": attributes, "relationships": related});
        record["odd"] = odd.unwrap_or_default();
        record
    })
}

/// What is the same by the rules of conversion becomes equal.
fn unified(mut record: Value) -> Value {
    let members = record.as_object_mut().unwrap();
    members.remove("type");
    if let Some(Value::Object(related)) = members.get_mut("relationships") {
        for relationship in related.values_mut() {
            relationship.as_object_mut().unwrap().remove("links");
        }
    }
    for path in INSTANTS {
        if let Some(value) = record.pointer_mut(path) {
            *value = instant(value);
        }
    }
    let is_deleted = record.pointer("/attributes/deleted") == Some(&Value::Bool(true));
    let attributes = record["attributes"].as_object_mut().unwrap();
    if is_deleted && let Some(value) = attributes.get_mut("deletedAt") {
        *value = instant(value);
    }
    if attributes.get("deleted") == Some(&Value::Bool(false)) {
        attributes.remove("deleted");
    }
    without_nothing(numbers(record))
}

fn instant(value: &Value) -> Value {
    let micros = match value {
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.timestamp_micros()),
        Value::Number(number) => {
            let millis = number.as_i64().or_else(|| integral(number.as_f64().unwrap_or(f64::NAN)));
            let instant = millis.and_then(DateTime::from_timestamp_millis);
            instant
                .filter(|instant| instant.to_rfc3339().len() == 25 || millis.is_some_and(|ms| ms.abs() < 1 << 47))
                .map(|instant| instant.timestamp_micros())
        }
        _ => None,
    };
    micros.map_or_else(|| value.clone(), Value::from)
}

#[expect(clippy::cast_possible_truncation, reason = "checked by the comparison")]
fn integral(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

/// Numbers by value: `5.0` is `5`.
fn numbers(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap();
            integral(number).map_or_else(|| Value::from(number), Value::from)
        }
        Value::Array(elements) => elements.into_iter().map(numbers).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, numbers(value))).collect(),
        other => other,
    }
}

/// Without members that are null, and objects that are empty without them.
fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| (key, without_nothing(value)));
            let something =
                |value: &Value| !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty());
            Value::Object(members.filter(|(_, value)| something(value)).collect::<Map<_, _>>())
        }
        other => other,
    }
}

proptest! {
    #[test]
    fn a_row_gives_its_record_back(original in record()) {
        let converted = convert(&[&original.to_string()]);
        let rebuilt = rebuild(&things(), &converted.batch, 0).unwrap();
        proptest::prop_assert_eq!(unified(rebuilt), unified(original));
    }

    #[test]
    fn a_record_of_a_page_gives_the_same_row_as_its_text_alone(original in record(), odd in value()) {
        let texts = [original.to_string(), json!({"id": "x", "attributes": {"size": odd}, "relationships": {"a": odd}}).to_string()];
        let body = Bytes::from(format!("{{\"data\": [{} , {}]}}", texts[0], texts[1]));
        let page = Page::parse(&body, Content::Full, None).unwrap();
        let resources: Vec<_> = page.records.iter().map(|record| record.resource.raw()).collect();
        let of_page = Converter::new(&things(), UnknownAttributes::Extra).convert(&resources, read_at()).unwrap();
        let alone = convert(&[&texts[0], &texts[1]]);
        proptest::prop_assert_eq!(of_page.batch, alone.batch);
        proptest::prop_assert_eq!(of_page.problems, alone.problems);
    }

    #[test]
    fn no_json_stops_the_conversion(json in value()) {
        let (bare, record) = (json.to_string(), json!({"id": "x", "attributes": json, "relationships": json}).to_string());
        let converted = convert(&[&bare, &record]);
        proptest::prop_assert_eq!(converted.batch.num_rows() + converted.without_key.len(), 2);
    }

    #[test]
    fn damaged_text_is_an_error_at_worst(text in any::<Vec<u8>>(), cut in 0usize..200, original in record()) {
        let json = original.to_string();
        let short = json.as_bytes().get(..cut).unwrap_or_default();
        for bytes in [text.as_slice(), short] {
            let _any = Converter::new(&things(), UnknownAttributes::Extra).convert(&[bytes], read_at());
        }
    }
}

/// Published payloads and examples, where they lie beside the source tree.
const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/kustomer-api");

#[test]
fn published_records_round_trip() {
    let catalog = Catalog::embedded().unwrap();
    for entity in catalog.iter() {
        let name = &entity.name;
        let example = fs::read_to_string(format!("{PUBLISHED}/examples/{name}.json")).ok();
        let payloads = fs::read_to_string(format!("{PUBLISHED}/payloads/{name}.jsonl")).unwrap_or_default();
        let records = example.into_iter().chain(payloads.lines().map(str::to_owned));
        round_trip(&TableSchema::new(entity), &records.collect::<Vec<_>>());
    }
}

fn round_trip(schema: &TableSchema, texts: &[String]) {
    let records: Vec<_> = texts.iter().map(String::as_bytes).collect();
    let converted = Converter::new(schema, UnknownAttributes::Extra).convert(&records, read_at()).unwrap();
    assert!(converted.problems.is_empty(), "{}: {:?}", schema.entity(), converted.problems);
    for (row, text) in texts.iter().enumerate() {
        let original: Value = serde_json::from_str(text).unwrap();
        let rebuilt = rebuild(schema, &converted.batch, row).unwrap();
        assert_eq!(canonical(rebuilt), canonical(original), "{}", schema.entity());
    }
}

/// Any text that is an instant becomes the instant; relationships keep their data alone.
fn canonical(mut record: Value) -> Value {
    record.as_object_mut().unwrap().retain(|key, _| key != "type" && key != "links");
    for relationship in record["relationships"].as_object_mut().unwrap().values_mut() {
        if let Value::Object(members) = relationship {
            members.retain(|key, _| key == "data");
        }
    }
    without_nothing(numbers(instants(record)))
}

fn instants(value: Value) -> Value {
    match value {
        Value::String(_) => instant(&value),
        Value::Array(elements) => elements.into_iter().map(instants).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, instants(value))).collect(),
        other => other,
    }
}
