//! What the tests of this module share.

mod conversion;
mod elements;
mod given;
mod merging;
mod round_trip;
pub(super) mod rows;
mod surplus;
mod treatment;

use std::sync::LazyLock;

use chrono::{DateTime, Utc};

use super::{Converted, Converter, TableSchema, UnknownAttributes};
use crate::catalog::Catalog;

const THINGS: &str = r"
entity: things
type: thing
about: Invented things with every kind of column.
modes: [update]
key: [id]
cursor: updated_at
access: {search: {context: thing, history: archive}}
roles: []
deletes: invented
attributes:
  name: {type: string, sensitivity: personal}
  count: {type: integer, sensitivity: none}
  ratio: {type: double, sensitivity: none}
  open: {type: boolean, sensitivity: none}
  tags: {type: strings, sensitivity: none}
  custom: {type: json, sensitivity: content}
  rev: {type: integer, sensitivity: none}
  createdAt: {type: timestamp, sensitivity: none}
  updatedAt: {type: timestamp, sensitivity: none}
  box.name: {type: string, sensitivity: none}
  box.openedAt: {type: timestamp, sensitivity: none}
  box.lid.size: {type: integer, sensitivity: none}
  box.lid.colors: {type: strings, sensitivity: none}
relationships:
  owner: {one: user, sensitivity: none}
  parts: {many: part, sensitivity: none}
  mixed: {data: json, sensitivity: none}
sources: [invented]
";

/// A table with every kind of column.
pub(super) fn things() -> TableSchema {
    static SCHEMA: LazyLock<TableSchema> = LazyLock::new(|| {
        let catalog = Catalog::from_files([("things.yaml", THINGS)]).unwrap();
        TableSchema::new(catalog.get("things").unwrap())
    });
    SCHEMA.clone()
}

pub(super) fn read_at() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_000_000_123).unwrap()
}

pub(super) fn convert(records: &[&str]) -> Converted {
    let records: Vec<_> = records.iter().map(|record| record.as_bytes()).collect();
    Converter::new(&things(), UnknownAttributes::Extra).convert(&records, read_at()).unwrap()
}
