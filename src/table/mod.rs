//! Shape: records become typed rows, rows become sorted files, and two copies of a row become one.
//!
//! The rule: nothing that the source said is lost. A value that fits its column stands there; any
//! other value stands, as unchanged JSON text, in the column `_extra`; a record without its key is
//! handed back by number. What is dropped on purpose: `links` and relationships without `data`,
//! which only say where else to ask, the difference between a value that is `null` and one that is
//! absent, and the text form of what fits (`5.0` or `5`, the UTC offset of an instant). What a
//! [`Treatment`] says must not be read stands nowhere at all.
//!
//! This module knows JSON, Arrow and Parquet; it knows no request, no storage and no transaction log.
//!
//! | Stage | From | To |
//! | --- | --- | --- |
//! | [`TableSchema`] | an entity, [`custom_columns`], [`Treatments`] | the columns of its table |
//! | [`with_given`] | a record, facts about it from outside | the record with both |
//! | [`Converter`] | JSON text of resources | a [`RecordBatch`](arrow::array::RecordBatch) and [`Problems`] |
//! | [`newest_by_key`] | batches in any order | one sorted batch, one row a key |
//! | [`Explosion`] | sorted rows with the texts of their elements | the elements as records of another table |
//! | [`Comparison`] | stored rows, incoming rows | which incoming rows change anything |
//! | [`Merger`] | stored rows, incoming rows | the merged rows, sorted |
//! | [`Weave`] | several sorted streams of stored rows | one of all of them |

mod builder;
mod compare;
mod conform;
mod convert;
mod custom;
mod elements;
mod extra;
mod field;
mod gather;
mod given;
mod join;
mod json;
mod merge;
mod order;
mod plan;
mod problems;
mod rebuild;
mod row;
mod schema;
mod sort;
mod surplus;
#[cfg(test)]
mod tests;
mod treatment;
mod weave;

pub use compare::{Compared, Comparison, MergeCounts};
pub use conform::conform;
pub use convert::{ConvertError, Converted, Converter, UnknownAttributes};
pub use custom::{custom_column, custom_columns, name_candidates};
pub use elements::Explosion;
pub use field::{ATTRIBUTE_METADATA, RESOURCE_METADATA, TREATMENT_METADATA, TYPE_METADATA};
pub use given::{GivenValues, with_given};
pub use join::Change;
pub use merge::Merger;
pub use order::{Deletes, MergePolicy, RowOrder, TableError};
pub use problems::{JsonKind, Misfit, Mismatch, Problems};
pub use rebuild::{RebuildError, rebuild};
pub use schema::TableSchema;
pub use sort::newest_by_key;
pub use surplus::{Replaced, Surplus};
pub use treatment::{HashKey, Treatment, TreatmentError, Treatments};
pub use weave::Weave;
