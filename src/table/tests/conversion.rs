//! What becomes of expected and of odd values.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;

use super::{convert, read_at, things};
use crate::catalog::Catalog;
use crate::table::{ConvertError, Converter, JsonKind, Mismatch, TableSchema, UnknownAttributes};

fn thing(attributes: &str) -> String {
    format!(r#"{{"type":"thing","id":"6ad8","attributes":{attributes}}}"#)
}

fn text<'a>(batch: &'a RecordBatch, column: &str) -> Option<&'a str> {
    let array = batch.column_by_name(column).unwrap().as_string::<i32>();
    array.is_valid(0).then(|| array.value(0))
}

fn is_null(batch: &RecordBatch, column: &str) -> bool {
    batch.column_by_name(column).unwrap().is_null(0)
}

#[test]
fn a_value_of_another_kind_stands_unchanged_in_extra() {
    let odd = [
        ("name", "5.00", Mismatch::Type, JsonKind::Number),
        ("name", r#"{"isMasked": true, "maskedPresentation": "****"}"#, Mismatch::Masked, JsonKind::Object),
        ("name", r#""\ud800""#, Mismatch::Escape, JsonKind::String),
        ("count", "1.5", Mismatch::Range, JsonKind::Number),
        ("count", "99999999999999999999999", Mismatch::Range, JsonKind::Number),
        ("ratio", "1e999", Mismatch::Range, JsonKind::Number),
        ("open", r#""yes""#, Mismatch::Type, JsonKind::String),
        ("tags", r#"[ "a", 1 ]"#, Mismatch::Element, JsonKind::Array),
        ("tags", r#""a""#, Mismatch::Type, JsonKind::String),
        ("createdAt", r#""yesterday""#, Mismatch::Instant, JsonKind::String),
        ("createdAt", r#""2026-10-22T15:20:06.0000001Z""#, Mismatch::Precision, JsonKind::String),
    ];
    for (attribute, value, mismatch, found) in odd {
        let converted = convert(&[&thing(&format!(r#"{{"{attribute}": {value} }}"#))]);
        let column = if attribute == "createdAt" { "created_at" } else { attribute };
        assert!(is_null(&converted.batch, column), "{value}");
        assert_eq!(text(&converted.batch, "_extra").unwrap(), format!(r#"{{"{attribute}":{value}}}"#));
        let (misfit, count) = converted.problems.misfits.first_key_value().unwrap();
        assert_eq!((misfit.column.as_str(), misfit.mismatch, misfit.found, *count), (column, mismatch, found, 1));
    }
}

#[test]
fn a_record_without_oddities_has_no_extra() {
    let record = r#"{"type":"thing","id":"6ad8","links":{"self":"/v1/things/6ad8"},
        "attributes":{"name":"Ann","count":5.0,"ratio":3,"open":true,"tags":[],"custom":{"a" : 1},"box":{},"rev":null,
            "createdAt":1500,"updatedAt":"2026-10-22T15:20:06.011Z"},
        "relationships":{"owner":{"links":{},"data":{"type":"user","id":"u1"}},"parts":{"data":[{"type":"part","id":"p1"}]},
            "others":{"links":{"self":"/v1/others"},"meta":{"kobject":true}},"nobody":null,"mixed":{"links":{},"data":null},"maker":{"data":null}}}"#;
    let converted = convert(&[record]);
    assert!(converted.problems.is_empty());
    let batch = &converted.batch;
    assert_eq!(text(batch, "_extra"), None);
    assert_eq!(text(batch, "custom"), Some(r#"{"a" : 1}"#));
    assert_eq!(text(batch, "owner_id"), Some("u1"));
    let lists = |column: &str| batch.column_by_name(column).unwrap().as_list::<i32>().value(0);
    assert_eq!(lists("parts_ids").as_string::<i32>().value(0), "p1");
    assert_eq!(lists("tags").len(), 0);
    assert!(!is_null(batch, "tags"), "an empty list is no missing list");
    let instants = |column: &str| batch.column_by_name(column).unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(instants("created_at").value(0), 1_500_000);
    assert_eq!(instants("_extracted_at").value(0), read_at().timestamp_micros());
    assert!(!batch.column_by_name("_deleted").unwrap().as_boolean().value(0));
}

#[test]
fn what_has_no_column_keeps_its_place() {
    let record = r#"{"type":"gadget","id":"6ad8","meta":{"x":1},
        "attributes":{"new":{"a":null},"box":{"lid":{"wood":"oak"},"name":7},"_record":1,"gone":null},
        "relationships":{"owner":{"data":{"type":"team","id":"t1"}},"maker":{"data":{"type":"user","id":"u1"}},"odd":"x"}}"#;
    let extra = r#"{"new":{"a":null},"box":{"name":7,"lid":{"wood":"oak"}},"_attributes":{"_record":1},"_relationships":{"maker":{"type":"user","id":"u1"},"owner":{"type":"team","id":"t1"}},"_record":{"meta":{"x":1},"type":"gadget","relationships":{"odd":"x"}}}"#;
    assert_eq!(text(&convert(&[record]).batch, "_extra"), Some(extra));
}

#[test]
fn an_object_with_columns_that_is_no_object_is_kept_whole() {
    let converted = convert(&[&thing(r#"{"box": [1, {"a": 2}]}"#)]);
    assert_eq!(text(&converted.batch, "_extra"), Some(r#"{"box":[1, {"a": 2}]}"#));
    assert_eq!(converted.problems.misfits.first_key_value().unwrap().0.column, "box.*");
    let masked = thing(r#"{"box":{"isMasked":true}}"#);
    let refusing = Converter::new(&things(), UnknownAttributes::Fail);
    let converted = refusing.convert(&[masked.as_bytes()], read_at()).unwrap();
    assert_eq!(text(&converted.batch, "_extra"), Some(r#"{"box":{"isMasked":true}}"#));
    assert_eq!(converted.problems.misfits.first_key_value().unwrap().0.mismatch, Mismatch::Masked);
    let record = r#"{"type":"thing","id":"6ad8","attributes":"none"}"#;
    assert_eq!(text(&convert(&[record]).batch, "_extra"), Some(r#"{"_record":{"attributes":"none"}}"#));
}

#[test]
fn a_deleted_record_says_so_and_a_restored_one_keeps_when_it_was() {
    let deleted = convert(&[&thing(r#"{"deleted":true,"deletedAt":"1970-01-01T00:00:01Z"}"#)]).batch;
    assert!(deleted.column_by_name("_deleted").unwrap().as_boolean().value(0));
    let instants = deleted.column_by_name("_deleted_at").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(instants.value(0), 1_000_000);
    assert_eq!(text(&deleted, "_extra"), None);
    let restored = convert(&[&thing(r#"{"deleted":null,"deletedAt":"1970-01-01T00:00:01Z"}"#)]).batch;
    assert!(is_null(&restored, "_deleted_at"));
    assert_eq!(text(&restored, "_extra"), Some(r#"{"deletedAt":"1970-01-01T00:00:01Z"}"#));
    for odd in [r#"{"deleted":"y"}"#, r#"{"deletedAt":"long ago"}"#] {
        assert_eq!(text(&convert(&[&thing(odd)]).batch, "_extra"), Some(odd));
    }
    let odd = convert(&[&thing(r#"{"deleted":true,"deletedAt":"long ago"}"#)]);
    assert_eq!(text(&odd.batch, "_extra"), Some(r#"{"deletedAt":"long ago"}"#));
    assert_eq!(odd.problems.misfits.first_key_value().unwrap().0.column, "_deleted_at");
}

#[test]
fn a_record_without_its_key_is_handed_back() {
    let good = thing("{}");
    let converted = convert(&[r#"{"id":5}"#, &good, "{}", "[1]", r#"{"id":""}"#]);
    assert_eq!(converted.without_key, [0, 2, 3, 4]);
    assert_eq!(converted.problems.without_key, 4);
    assert_eq!(converted.batch.num_rows(), 1);
}

#[test]
fn unknown_attributes_are_kept_dropped_or_refused_as_asked() {
    let record = thing(r#"{"gone":null,"count":"many","box":{"wood":"oak"}}"#);
    let with = |unknown| Converter::new(&things(), unknown).convert(&[record.as_bytes()], read_at());
    let kept = with(UnknownAttributes::Extra).unwrap();
    assert_eq!(text(&kept.batch, "_extra"), Some(r#"{"count":"many","box":{"wood":"oak"}}"#));
    let dropped = with(UnknownAttributes::Ignore).unwrap();
    assert_eq!(text(&dropped.batch, "_extra"), Some(r#"{"count":"many"}"#));
    let refused = with(UnknownAttributes::Fail).unwrap_err();
    assert_eq!(refused.to_string(), "things: attribute box.wood has no column (unknown_attributes: fail)");
}

#[test]
fn the_organisations_own_attributes_are_kept_whatever_is_asked_of_unknown_ones() {
    let schema = TableSchema::new(Catalog::embedded().unwrap().get("notes").unwrap());
    let record = br#"{"type":"note","id":"6ad8","attributes":{"custom":{"rankStr":"gold"}}}"#;
    for unknown in [UnknownAttributes::Extra, UnknownAttributes::Ignore, UnknownAttributes::Fail] {
        let kept = Converter::new(&schema, unknown).convert(&[record.as_slice()], read_at()).unwrap();
        assert_eq!(text(&kept.batch, "_extra"), Some(r#"{"custom":{"rankStr":"gold"}}"#));
    }
}

#[test]
fn a_repeated_key_counts_as_it_stands_last_and_an_escaped_one_as_it_reads() {
    let record = r#"{"id":"6ad8","attributes":{"name":"Ann","name":"Bea","n\u0065w":1,"b\u006fx":{"n\u0061me":"oak"}},
        "relationships":{"\u006fwner":{"d\u0061ta":{"type":"user","\u0069d":"u1"}}}}"#;
    let batch = convert(&[record]).batch;
    assert_eq!(text(&batch, "name"), Some("Bea"));
    assert_eq!(text(&batch, "box_name"), Some("oak"));
    assert_eq!(text(&batch, "owner_id"), Some("u1"));
    assert_eq!(text(&batch, "_extra"), Some(r#"{"n\u0065w":1}"#));
}

#[test]
fn no_depth_of_nesting_fails_a_record() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let record = thing(&format!(r#"{{"deep":{deep},"custom":{deep},"tags":{deep}}}"#));
    let batch = convert(&[&record]).batch;
    assert_eq!(text(&batch, "custom"), Some(deep.as_str()));
    assert_eq!(text(&batch, "_extra").unwrap(), format!(r#"{{"deep":{deep},"tags":{deep}}}"#));
}

#[test]
fn a_damaged_record_is_named_by_its_number() {
    let good = thing("{}");
    for damaged in [&b"{\"id\":\"x\""[..], b"\xff", b"{\"id\":\"\xff\"}", b"{\"id\":\"x\"} x"] {
        let records = [good.as_bytes(), damaged];
        let error = Converter::new(&things(), UnknownAttributes::Extra).convert(&records, read_at()).unwrap_err();
        assert!(matches!(error, ConvertError::Malformed { record: 1 }), "{error}");
    }
}
