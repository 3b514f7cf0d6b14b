//! Schema files.

use chrono::DateTime;
use kustlake::catalog::Catalog;
use kustlake::table::{Converter, TableSchema, UnknownAttributes, rebuild};

/// Names of the files that one input may hold, with `---` between them.
const FILES: [&str; 3] = ["things.yaml", "boxes.yaml", "others.yaml"];
const RECORD: &[u8] = br#"{"type": "thing", "id": "6ad8", "attributes": {"name": "x", "rev": 1, "box": {"name": 1}},
    "relationships": {"owner": {"data": {"type": "user", "id": "5f84"}}}}"#;

/// Files are a catalogue of usable tables, or an error that names the file.
pub fn check(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let files = FILES.into_iter().zip(text.split("\n---\n"));
    match Catalog::from_files(files) {
        Ok(catalog) => {
            for entity in catalog.iter() {
                let schema = TableSchema::new(entity);
                let converter = Converter::new(&schema, UnknownAttributes::Extra);
                let converted = converter.convert(&[RECORD], DateTime::UNIX_EPOCH).expect("a record gives rows");
                if converted.batch.num_rows() > 0 {
                    rebuild(&schema, &converted.batch, 0).expect("a row gives its record back");
                }
            }
        }
        Err(error) => assert!(error.to_string().starts_with("schemas/"), "{error}"),
    }
}
