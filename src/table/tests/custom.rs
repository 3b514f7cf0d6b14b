//! Columns for attributes whose names and values an organisation chooses freely.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::json;

use super::*;
use crate::catalog::Catalog;
use crate::table::tests::read_at;
use crate::table::{Converted, Converter, Mismatch, UnknownAttributes, conform, rebuild};

fn notes() -> TableSchema {
    TableSchema::new(Catalog::embedded().unwrap().get("notes").unwrap())
}

/// The schema of notes with columns for those attributes, by their names alone.
fn with(names: &[&str]) -> TableSchema {
    let wanted = names.iter().map(|name| custom_column(name, None)).collect();
    notes().with_custom(custom_columns(&notes(), None, wanted))
}

fn convert(schema: &TableSchema, custom: &Value) -> Converted {
    let record = json!({"type": "note", "id": "6ad8", "attributes": {"custom": custom}}).to_string();
    Converter::new(schema, UnknownAttributes::Fail).convert(&[record.as_bytes()], read_at()).unwrap()
}

fn text<'a>(batch: &'a RecordBatch, column: &str) -> Option<&'a str> {
    let array = batch.column_by_name(column).unwrap().as_string::<i32>();
    array.is_valid(0).then(|| array.value(0))
}

#[test]
fn the_end_of_the_name_is_the_type_and_metadata_say_the_rest() {
    for (name, property, kind) in [
        ("rankStr", None, ColumnType::String),
        ("storyTxt", None, ColumnType::String),
        ("siteUrl", None, ColumnType::String),
        ("orderId", None, ColumnType::String),
        ("topicTree", None, ColumnType::String),
        ("ageNum", None, ColumnType::Double),
        ("bornAt", None, ColumnType::Timestamp),
        ("vipBool", None, ColumnType::Boolean),
        ("flat", None, ColumnType::Json),
        ("flat", Some(json!({"type": "date"})), ColumnType::Timestamp),
        ("flat", Some(json!({"type": "reference"})), ColumnType::Json),
        ("flat", Some(json!({"type": ["string", "null"]})), ColumnType::Json),
        ("rankStr", Some(json!({"type": "number"})), ColumnType::String),
        ("rankStr", Some(json!({"array": true})), ColumnType::Strings),
        ("orderId", Some(json!({"multi": true, "array": false})), ColumnType::Strings),
        ("ageNum", Some(json!({"multi": true})), ColumnType::Json),
        ("flat", Some(json!({"type": "string", "multi": true})), ColumnType::Strings),
    ] {
        let column = custom_column(name, property.as_ref());
        assert_eq!((column.kind, column.sensitivity), (kind, Sensitivity::Content), "{name} {property:?}");
    }
    let column = custom_column("rankStr", Some(&json!({"hasSensitiveAttributes": true})));
    assert_eq!(column.sensitivity, Sensitivity::Personal);
}

#[test]
fn any_attribute_name_gives_a_column_name_and_can_be_read_back() {
    for (attribute, name) in [
        ("rankStr", "custom_rankStr"),
        ("größe.in cm\"Num", "custom_gr__e_in_cm_Num"),
        ("", "custom_"),
        ("a.b", "custom_a_b"),
    ] {
        let schema = with(&[attribute]);
        let field = schema.arrow().field_with_name(name).unwrap();
        assert_eq!(field.metadata()[ATTRIBUTE_METADATA], format!("custom.{attribute}"));
        let converted = convert(&schema, &json!({attribute: 5}));
        assert!(converted.unknown_custom.is_empty());
        let again = custom_columns(&notes(), Some(schema.arrow()), Vec::new());
        assert_eq!(again.iter().map(|column| &column.source).collect::<Vec<_>>(), [&source(attribute)]);
    }
}

#[test]
fn custom_columns_stand_before_those_that_every_table_has() {
    let schema = with(&["rankStr", "ageNum"]);
    let names: Vec<_> = schema.arrow().fields().iter().map(|field| field.name().as_str()).collect();
    let end = ["custom_ageNum", "custom_rankStr", "_extracted_at", "_deleted", "_deleted_at", "_extra"];
    assert_eq!(names[names.len() - 6..], end);
    assert_eq!(schema.with_custom(vec![custom_column("rankStr", None)]).arrow(), schema.arrow());
}

#[test]
fn a_value_stands_in_its_column_or_in_extra_and_attributes_without_a_column_are_told() {
    let schema = with(&["rankStr", "ageNum"]);
    let converted = convert(&schema, &json!({"rankStr": "gold", "ageNum": "old", "new": 1, "unset": null}));
    assert_eq!(text(&converted.batch, "custom_rankStr"), Some("gold"));
    assert!(converted.batch.column_by_name("custom_ageNum").unwrap().as_primitive::<Float64Type>().is_null(0));
    assert_eq!(text(&converted.batch, "_extra"), Some(r#"{"custom":{"ageNum":"old","new":1}}"#));
    assert_eq!(converted.unknown_custom.into_iter().collect::<Vec<_>>(), ["new"]);
    let (misfit, count) = converted.problems.misfits.first_key_value().unwrap();
    assert_eq!((misfit.column.as_str(), misfit.mismatch, *count), ("custom_ageNum", Mismatch::Type, 1));
    let rebuilt = rebuild(&schema, &converted.batch, 0).unwrap();
    assert_eq!(rebuilt["attributes"]["custom"], json!({"rankStr": "gold", "ageNum": "old", "new": 1}));
}

#[test]
fn attributes_are_told_before_any_of_them_has_a_column() {
    let converted = convert(&notes(), &json!({"rankStr": "gold", "b": {"c": 1}}));
    assert_eq!(converted.unknown_custom.into_iter().collect::<Vec<_>>(), ["b", "rankStr"]);
    assert_eq!(text(&converted.batch, "_extra"), Some(r#"{"custom":{"b":{"c":1},"rankStr":"gold"}}"#));
    for odd in [json!({"isMasked": true}), json!("none"), json!([1])] {
        let converted = convert(&notes(), &odd);
        assert!(converted.unknown_custom.is_empty(), "{odd}");
        assert_eq!(text(&converted.batch, "_extra").unwrap(), json!({"custom": odd}).to_string());
    }
}

#[test]
fn a_taken_name_gets_an_ending_that_the_attribute_alone_decides() {
    let names = |attributes: &[&str]| -> Vec<String> {
        let wanted = attributes.iter().map(|name| custom_column(name, None)).collect();
        custom_columns(&notes(), None, wanted).into_iter().map(|column| column.name).collect()
    };
    let both = names(&["rankStr", "RankStr"]);
    assert_eq!(both[0], "custom_RankStr");
    assert!(both[1].starts_with("custom_rankStr_") && both[1].len() == "custom_rankStr_".len() + 8, "{both:?}");
    assert_eq!(names(&["RankStr", "rankStr"]), both);
    assert_eq!(names(&["rankStr"]), ["custom_rankStr"]);
    assert_ne!(names(&["a.b", "a b", "a_b"])[0], names(&["a.b", "a b", "a_b"])[2]);
}

#[test]
fn a_table_keeps_the_type_that_it_gave_an_attribute() {
    let stored = with(&["flat"]);
    let now = custom_column("flat", Some(&json!({"type": "number", "hasSensitiveAttributes": true})));
    let kept = custom_columns(&notes(), Some(stored.arrow()), vec![now]);
    assert_eq!(
        kept.iter().map(|column| (column.kind, column.sensitivity)).collect::<Vec<_>>(),
        [(ColumnType::Json, Sensitivity::Personal)]
    );
}

fn attribute() -> impl Strategy<Value = String> {
    prop_oneof!["[aA]{1,2}[._ ]?(Str|str|Num|)", ".{0,3}"]
}

proptest! {
    /// Attributes come to light bit by bit, each time in a run that knows the table alone.
    #[test]
    fn an_attribute_keeps_its_column_whatever_comes_later(arrivals in vec(vec(attribute(), 0..4), 0..5)) {
        let mut table = notes();
        let mut known = BTreeMap::new();
        for names in &arrivals {
            let wanted = names.iter().map(|name| custom_column(name, None)).collect();
            let run = notes().with_custom(custom_columns(&notes(), Some(table.arrow()), wanted));
            prop_assert!(conform(run.arrow(), &RecordBatch::new_empty(table.arrow().clone())).is_ok(), "a column is lost");
            for column in run.columns() {
                if let Some(attribute) = custom_attribute(&column.source) {
                    let first = known.entry(attribute.to_owned()).or_insert_with(|| (column.name.clone(), column.kind));
                    prop_assert_eq!(&*first, &(column.name.clone(), column.kind));
                }
            }
            for name in names {
                prop_assert!(known.contains_key(name));
            }
            let lower: BTreeSet<_> = run.columns().iter().map(|column| column.name.to_ascii_lowercase()).collect();
            prop_assert_eq!(lower.len(), run.columns().len());
            table = run;
        }
    }
}
