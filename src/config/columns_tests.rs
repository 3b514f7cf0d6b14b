use super::*;
use crate::catalog::AttributePath;

fn custom(name: &str, kind: ColumnType, sensitivity: Sensitivity) -> Column {
    let source = Source::Attribute(AttributePath(vec!["custom".to_owned(), name.to_owned()]));
    Column { sensitivity, ..Column::plain(&format!("{CUSTOM}{name}"), source, kind) }
}

#[test]
fn a_custom_column_found_later_is_treated_by_its_name_and_then_by_its_mark() {
    let columns = Columns {
        treated: BTreeMap::from([("custom_aNum".to_owned(), Treatment::Hash)]),
        kept: BTreeSet::from(["custom_bStr".to_owned()]),
        personal: Some(Treatment::Exclude),
        content: Some(Treatment::Hash),
    };
    for (name, kind, sensitivity, treatment) in [
        ("aNum", ColumnType::Double, Sensitivity::Content, Some(Treatment::Exclude)),
        ("bStr", ColumnType::String, Sensitivity::Personal, None),
        ("cStr", ColumnType::String, Sensitivity::Personal, Some(Treatment::Exclude)),
        ("dStr", ColumnType::Strings, Sensitivity::Content, Some(Treatment::Hash)),
        ("eAt", ColumnType::Timestamp, Sensitivity::Content, Some(Treatment::Exclude)),
        ("fStr", ColumnType::String, Sensitivity::None, None),
    ] {
        assert_eq!(columns.treatment(&custom(name, kind, sensitivity)), treatment, "{name}");
    }
}

#[test]
fn a_column_of_the_catalogue_is_treated_only_as_was_resolved() {
    let columns = Columns { personal: Some(Treatment::Exclude), ..Columns::default() };
    let source = Source::Attribute(AttributePath(vec!["name".to_owned()]));
    let column = Column { sensitivity: Sensitivity::Personal, ..Column::plain("name", source, ColumnType::String) };
    assert_eq!(columns.treatment(&column), None, "it was kept, because the table needs it");
}
