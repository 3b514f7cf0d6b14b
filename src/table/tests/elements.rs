//! Elements of records, from the page to their own rows.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use arrow::array::{AsArray, RecordBatch};
use serde_json::{Value, json};

use super::read_at;
use crate::catalog::{AttributePath, Catalog, ElementShape, ElementsOf, Given};
use crate::table::{Converter, Explosion, GivenValues, TableSchema, UnknownAttributes, newest_by_key, with_given};

const THINGS: &str = r"
entity: things
type: thing
about: Invented things that have elements.
modes: [update]
key: [id]
cursor: updated_at
access: {lists: {lists: [{path: /v1/things}], page_size: 10, included: related}}
roles: []
deletes: invented
given:
  notes: {from: included, type: json, sensitivity: none}
attributes:
  updatedAt: {type: timestamp, sensitivity: none}
  wheels: {type: json, sensitivity: none}
  box.name: {type: string, sensitivity: none}
  meta: {type: json, sensitivity: none}
relationships:
  parts: {data: json, sensitivity: none}
sources: [invented]
";

fn attribute(path: &str) -> ElementsOf {
    ElementsOf::Attribute(AttributePath(path.split('.').map(str::to_owned).collect()))
}

/// Things of which these elements are kept.
fn things(elements: &[&ElementsOf]) -> TableSchema {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::from_files([("things.yaml", THINGS)]).unwrap());
    let kept: BTreeSet<_> = elements.iter().map(|of| (*of).clone()).collect();
    TableSchema::new(CATALOG.get("things").unwrap()).with_elements(kept)
}

fn convert(schema: &TableSchema, records: &[Vec<u8>]) -> RecordBatch {
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    let converted = Converter::new(schema, UnknownAttributes::Extra).convert(&records, read_at()).unwrap();
    newest_by_key(schema.wide(), schema.order(), vec![converted.batch]).unwrap()
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    batch.column_by_name(column).unwrap().as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

/// The elements of one record.
fn explode(of: &ElementsOf, shape: &ElementShape, record: &[u8]) -> Vec<Value> {
    let wide = convert(&things(&[of]), &[record.to_vec()]);
    let explosion = Explosion::new(of, shape, "id");
    let records = explosion.records(&wide, 0..wide.num_rows()).unwrap();
    records.map(|record| serde_json::from_slice(&record).unwrap()).collect()
}

fn wheels(json: &str) -> Vec<Value> {
    let shape = ElementShape::Attributes { bare: "size".to_owned() };
    explode(&attribute("wheels"), &shape, format!(r#"{{"id":"t1","attributes":{{"wheels":{json}}}}}"#).as_bytes())
}

fn at(position: usize) -> Value {
    json!({"parent_id": "t1", "position": position})
}

#[test]
fn elements_are_kept_beside_the_columns_wherever_they_stand() {
    let all = [
        attribute("wheels"),
        attribute("box"),
        attribute("meta.files"),
        attribute("new.deep"),
        ElementsOf::Included,
        ElementsOf::Relationship("parts".to_owned()),
        ElementsOf::Relationship("makers".to_owned()),
    ];
    let schema = things(&all.iter().collect::<Vec<_>>());
    let record = br#"{"id":"t2","attributes":{"wheels":[ 1 ],"box":{"name":"oak"},"meta":{"files":[2],"files":[3]},"new":{"deep":[4]}},
        "relationships":{"parts":{"data":[5]},"makers":{"data":[6]}}}"#;
    let given = GivenValues::default().json(Given::Included, "[7]".to_owned());
    let wide = convert(&schema, &[with_given(record, &given), br#"{"id":"t1"}"#.to_vec()]);
    assert_eq!(wide.schema_ref(), schema.wide());
    for (column, text) in [
        ("raw:attributes.wheels", "[ 1 ]"),
        ("raw:attributes.box", r#"{"name":"oak"}"#),
        ("raw:attributes.meta.files", "[3]"),
        ("raw:attributes.new.deep", "[4]"),
        ("raw:included", "[7]"),
        ("raw:relationships.parts", "[5]"),
        ("raw:relationships.makers", "[6]"),
    ] {
        assert_eq!(texts(&wide, column), [None, Some(text.to_owned())], "{column}");
    }
    let visible = schema.visible(&wide).unwrap();
    assert_eq!(visible.schema_ref(), things(&[]).arrow());
    assert_eq!(visible.schema_ref(), schema.arrow());
    assert_eq!(texts(&visible, "box_name")[1].as_deref(), Some("oak"));
    let extra = r#"{"new":{"deep":[4]},"_relationships":{"makers":[6]}}"#;
    assert_eq!(texts(&visible, "_extra")[1].as_deref(), Some(extra), "what has no column is still kept");
}

#[test]
fn an_element_is_an_object_a_bare_value_or_nothing() {
    let elements = wheels(r#"[{"size":1,"id":"w"},7,"x",null,[8],{}]"#);
    let attributes = [
        json!({"size": 1, "id": "w"}),
        json!({"size": 7}),
        json!({"size": "x"}),
        json!({}),
        json!({"size": [8]}),
        json!({}),
    ];
    let expected =
        attributes.iter().enumerate().map(|(place, attributes)| json!({"attributes": attributes, "_given": at(place)}));
    assert_eq!(elements, expected.collect::<Vec<_>>());
    assert_eq!(wheels(r#"{"size":1}"#), [json!({"attributes": {"size": 1}, "_given": at(0)})]);
    for none in ["null", "[]", "{ }", r#"{"isMasked":true}"#, "7", r#""x""#, "true"] {
        assert!(wheels(none).is_empty(), "{none}");
    }
}

#[test]
fn a_resource_stays_what_it_is() {
    let of = ElementsOf::Relationship("parts".to_owned());
    let record = |data: &str| format!(r#"{{"id":"t1","relationships":{{"parts":{{"data":{data}}}}}}}"#).into_bytes();
    let elements =
        explode(&of, &ElementShape::Resource, &record(r#"[{"type":"part","id":"p1"},null,{"id":"p2","_given":1}]"#));
    assert_eq!(elements, [json!({"type": "part", "id": "p1", "_given": at(0)}), json!({"id": "p2", "_given": at(2)})]);
    let one = explode(&of, &ElementShape::Resource, &record(r#"{"type":"part","id":"p1"}"#));
    assert_eq!(one.len(), 1);
}

#[test]
fn conditions_are_told_apart_by_group_and_nothing_of_them_is_lost() {
    let conditions = |json: &str| {
        let record = format!(r#"{{"id":"t1","attributes":{{"wheels":{json}}}}}"#);
        let elements = explode(&attribute("wheels"), &ElementShape::Criteria, record.as_bytes());
        elements
            .into_iter()
            .map(|element| (element["_given"].clone(), element["attributes"].clone()))
            .collect::<Vec<_>>()
    };
    let place = |group: &str, position: usize| json!({"parent_id": "t1", "position": position, "group": group});
    let found = conditions(
        r#"{"or":[{"tag":{"operator":"in","value":["a"]}}],"and":[{"vip":{"value":true}},{"lang":{"operator":"set"}}],"not":[1]}"#,
    );
    assert_eq!(
        found,
        [
            (place("and", 0), json!({"field": "vip", "value": true})),
            (place("and", 1), json!({"field": "lang", "operator": "set"})),
            (place("or", 0), json!({"field": "tag", "operator": "in", "value": ["a"]})),
        ]
    );
    for (element, attributes) in [
        (
            r#"{"a":{"operator":"is","value":1,"fold":true},"b":2}"#,
            json!({"field": "a", "operator": "is", "value": 1, "b": 2, "a": {"fold": true}}),
        ),
        (
            r#"{"field":{"operator":"is","fold":1}}"#,
            json!({"field": "field", "operator": "is", "element": {"field": {"operator": "is", "fold": 1}}}),
        ),
        (r#"{"field":"a","operator":"is","value":1}"#, json!({"field": "a", "operator": "is", "value": 1})),
        (r#"{"and":[]}"#, json!({"and": []})),
        ("null", json!({})),
        ("7", json!({"value": 7})),
    ] {
        assert_eq!(conditions(&format!(r#"{{"and":[{element}]}}"#)), [(place("and", 0), attributes)]);
    }
    for none in ["null", "{}", r#"{"and":[],"or":null}"#, r#"{"isMasked":true}"#, "[1]", r#"{"and":"x"}"#] {
        assert!(conditions(none).is_empty(), "{none}");
    }
}

#[test]
fn elements_of_a_deleted_record_are_deleted_and_only_the_asked_rows_are_taken_apart() {
    let of = attribute("wheels");
    let records = [
        r#"{"id":"a","attributes":{"wheels":[1],"deleted":true,"deletedAt":"1970-01-01T00:00:01Z"}}"#,
        r#"{"id":"b","attributes":{"wheels":[2]}}"#,
        r#"{"id":"c","attributes":{"wheels":[3,4]}}"#,
    ];
    let wide = convert(&things(&[&of]), &records.map(|record| record.as_bytes().to_vec()));
    let explosion = Explosion::new(&of, &ElementShape::Attributes { bare: "size".to_owned() }, "id");
    let elements: Vec<Value> =
        explosion.records(&wide, [0, 2, 9]).unwrap().map(|record| serde_json::from_slice(&record).unwrap()).collect();
    let given: Vec<_> = elements.iter().map(|element| element["_given"].clone()).collect();
    let dead = json!({"parent_id": "a", "position": 0, "deleted": true, "deletedAt": "1970-01-01T00:00:01Z"});
    assert_eq!(given, [dead, json!({"parent_id": "c", "position": 0}), json!({"parent_id": "c", "position": 1})]);
}

#[test]
fn an_element_whose_parent_has_no_key_there_is_handed_back_rather_than_lost() {
    let of = attribute("wheels");
    let wide = convert(&things(&[&of]), &[br#"{"id":"a","attributes":{"wheels":[1]}}"#.to_vec()]);
    let shape = ElementShape::Attributes { bare: "size".to_owned() };
    let explosion = Explosion::new(&of, &shape, "box_name");
    let elements: Vec<_> = explosion.records(&wide, [0]).unwrap().collect();
    assert_eq!(elements, [br#"{"attributes":{"size":1},"_given":{"position":0}}"#]);
    assert!(Explosion::new(&attribute("other"), &shape, "id").records(&wide, [0]).is_err());
}
