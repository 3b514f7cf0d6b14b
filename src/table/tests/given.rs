//! Records that do not tell everything of themselves: elements of other records, and records of lists.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::DateTime;
use serde_json::json;

use super::read_at;
use crate::catalog::{Catalog, Given};
use crate::table::{
    Converted, Converter, GivenValues, TableSchema, UnknownAttributes, newest_by_key, rebuild, with_given,
};

const THINGS: &str = r"
entity: things
type: thing
about: Invented things that have elements.
modes: [update]
key: [id]
cursor: updated_at
access: {search: {context: thing, history: archive}}
roles: []
deletes: invented
attributes:
  updatedAt: {type: timestamp, sensitivity: none}
sources: [invented]
";

const WHEELS: &str = r"
entity: thing_wheels
type: wheel
about: Invented elements.
modes: [update]
key: [thing_id, position]
access: {elements: {parent: things, of: {attribute: wheels}, shape: {attributes: {bare: size}}}}
roles: []
deletes: with their thing
id: none
given:
  thing_id: {from: parent_id, type: string, sensitivity: none}
  position: {from: position, type: integer, sensitivity: none}
attributes:
  size: {type: integer, sensitivity: none}
  rev: {type: integer, sensitivity: none}
sources: [invented]
";

const PARTS: &str = r"
entity: thing_parts
type: part
about: Invented records of a list below each thing.
modes: [update]
key: [part_id, version]
access: {per_parent: {parent: things, lists: [{path: '/v1/things/{id}/parts'}], page_size: 10, absent: deleted}}
roles: []
deletes: absence
id: part_id
given:
  thing_id: {from: parent_id, type: string, sensitivity: none}
  others: {from: included, type: json, sensitivity: none}
attributes:
  version: {type: string, sensitivity: none}
sources: [invented]
";

pub(super) fn schema(entity: &str) -> TableSchema {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
        let files = [("things.yaml", THINGS), ("thing_wheels.yaml", WHEELS), ("thing_parts.yaml", PARTS)];
        Catalog::from_files(files).unwrap()
    });
    TableSchema::new(CATALOG.get(entity).unwrap())
}

fn convert(entity: &str, records: &[Vec<u8>]) -> Converted {
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    Converter::new(&schema(entity), UnknownAttributes::Extra).convert(&records, read_at()).unwrap()
}

fn text<'a>(batch: &'a RecordBatch, column: &str, row: usize) -> Option<&'a str> {
    let array = batch.column_by_name(column).unwrap().as_string::<i32>();
    array.is_valid(row).then(|| array.value(row))
}

fn wheel(attributes: &str, given: &GivenValues) -> Vec<u8> {
    with_given(format!(r#"{{"attributes":{attributes}}}"#).as_bytes(), given)
}

#[test]
fn given_values_fill_their_columns_and_nothing_else() {
    let given = GivenValues::default()
        .text(Given::ParentId, "t1")
        .json(Given::Included, r#"[{"type":"x"}]"#.to_owned())
        .implied(&BTreeMap::from([("version".to_owned(), "v1".to_owned()), ("unheard".to_owned(), "of".to_owned())]));
    let records = [
        r#"{"id":"p1","_given":{"parent_id":"forged"}}"#,
        r#"{"id":"p2","attributes":{"version":"v2"}}"#,
        r#"{"id":"p3","attributes":{"version":null,"new":1}}"#,
    ];
    let converted = convert("thing_parts", &records.map(|record| with_given(record.as_bytes(), &given)));
    assert!(converted.problems.is_empty());
    let batch = &converted.batch;
    for row in 0..3 {
        assert_eq!(text(batch, "thing_id", row), Some("t1"));
        assert_eq!(text(batch, "_parent_id", row), Some("t1"));
        assert_eq!(text(batch, "others", row), Some(r#"[{"type":"x"}]"#));
    }
    assert_eq!([0, 1, 2].map(|row| text(batch, "version", row).unwrap()), ["v1", "v2", "v1"]);
    let forged = r#"{"_record":{"_given":{"parent_id":"forged"}}}"#;
    assert_eq!([0, 1, 2].map(|row| text(batch, "_extra", row)), [Some(forged), None, Some(r#"{"new":1}"#)]);
    assert_eq!(text(batch, "part_id", 0), Some("p1"));
    let rebuilt = rebuild(&schema("thing_parts"), batch, 1).unwrap();
    assert_eq!(rebuilt, json!({"id": "p2", "attributes": {"version": "v2"}, "relationships": {}}));
}

#[test]
fn a_value_of_another_type_is_counted_and_not_taken_for_the_sources() {
    let given = GivenValues::default().text(Given::ParentId, "t1").json(Given::Included, "1".to_owned());
    let record = br#"{"id":"p1","attributes":{"version":"v1"},"_given":5}"#;
    let converted = convert("thing_parts", &[with_given(record, &given.json(Given::ParentId, "7".to_owned()))]);
    assert_eq!(text(&converted.batch, "_extra", 0), Some(r#"{"_record":{"_given":5}}"#));
    let columns: Vec<_> = converted.problems.misfits.keys().map(|misfit| misfit.column.as_str()).collect();
    assert_eq!(columns, ["_parent_id", "thing_id"]);
}

#[test]
fn a_record_can_give_itself_nothing() {
    let forged = r#"{"id":"t1","_given":{"deleted":true,"attributes":{"updatedAt":"1970-01-01T00:00:01Z"}}}"#;
    let spelled = r#"{"id":"t1","_giv\u0065n":{"deleted":true}}"#;
    for record in [forged, spelled] {
        let nothing = GivenValues::default();
        let batch = convert("things", &[with_given(record.as_bytes(), &nothing)]).batch;
        assert!(!batch.column_by_name("_deleted").unwrap().as_boolean().value(0));
        assert!(batch.column_by_name("updated_at").unwrap().is_null(0));
        let rebuilt = rebuild(&schema("things"), &batch, 0).unwrap();
        assert_eq!(rebuilt["_given"]["deleted"], true, "what it says is data like any other");
    }
}

#[test]
fn an_element_is_deleted_with_its_record_and_keeps_what_it_says_itself() {
    let live = GivenValues::default().text(Given::ParentId, "t1").position(0);
    let dead = live.clone().position(1).deleted(DateTime::from_timestamp(5, 0));
    let own = r#"{"deleted":true,"deletedAt":"1970-01-01T00:00:01Z"}"#;
    let records = [
        wheel("{}", &live),
        wheel("{}", &dead),
        wheel(own, &live.clone().position(2)),
        wheel(own, &dead.clone().position(3)),
    ];
    let batch = convert("thing_wheels", &records).batch;
    let deleted = batch.column_by_name("_deleted").unwrap().as_boolean();
    assert_eq!([0, 1, 2, 3].map(|row| deleted.value(row)), [false, true, true, true]);
    let since = batch.column_by_name("_deleted_at").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(since.iter().collect::<Vec<_>>(), [None, Some(5_000_000), Some(1_000_000), Some(1_000_000)]);
    assert_eq!([0, 1, 2, 3].map(|row| text(&batch, "_extra", row)), [None, None, Some(own), Some(own)]);
    let rebuilt = [1, 3].map(|row| rebuild(&schema("thing_wheels"), &batch, row).unwrap());
    assert_eq!(rebuilt[0], json!({"attributes": {}, "relationships": {}}));
    assert_eq!(rebuilt[1]["attributes"], serde_json::from_str::<serde_json::Value>(own).unwrap());
}

#[test]
fn a_key_may_hold_numbers_and_rows_are_sorted_by_their_value() {
    let at = |position| GivenValues::default().text(Given::ParentId, "t1").position(position);
    let records: Vec<_> = [10, 9, 0, 9]
        .iter()
        .enumerate()
        .map(|(size, at_position)| wheel(&format!(r#"{{"size":{size},"rev":{}}}"#, 9 - size), &at(*at_position)))
        .collect();
    let schema = schema("thing_wheels");
    let batch = convert("thing_wheels", &records).batch;
    let sorted = newest_by_key(schema.arrow(), schema.order(), vec![batch]).unwrap();
    let column = |name| sorted.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(column("position"), [0, 9, 10]);
    assert_eq!(column("size"), [2, 3, 0], "of two elements in one place the later one counts, whatever it says");
}

#[test]
fn a_part_of_the_key_that_is_missing_or_no_number_hands_the_record_back() {
    let given = GivenValues::default().text(Given::ParentId, "t1");
    let odd = given.clone().json(Given::Position, r#""1""#.to_owned());
    let records = [
        wheel("{}", &given),
        wheel("{}", &odd),
        wheel("{}", &given.clone().position(1)),
        br#"{"attributes":{}}"#.to_vec(),
    ];
    assert_eq!(convert("thing_wheels", &records).without_key, [0, 1, 3]);
}

#[test]
fn an_id_without_a_column_is_left_over() {
    let given = GivenValues::default().text(Given::ParentId, "t1").position(0);
    let batch = convert("thing_wheels", &[with_given(br#"{"id":"w1","type":"wheel"}"#, &given)]).batch;
    assert_eq!(text(&batch, "_extra", 0), Some(r#"{"_record":{"id":"w1"}}"#));
    assert_eq!(rebuild(&schema("thing_wheels"), &batch, 0).unwrap()["id"], "w1");
}
