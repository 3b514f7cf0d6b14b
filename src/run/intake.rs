//! From pages to parts: converts records into rows and collects them until there are enough for a commit.
//!
//! The rule: what is collected is bounded, and it is bounded by what it takes in memory, not by what it took on its way.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};

use super::custom::Attributes;
use super::error::EntityError;
use super::instants;
use super::job::Job;
use crate::catalog::{Access, Mode};
use crate::cpu::off_thread;
use crate::resource::{RawResource, Resource};
use crate::table::{self, Converted, Converter, Problems, TableSchema};

/// Rows that are collected before they are committed: a full row group.
pub(super) const PART_ROWS: usize = 100_000;

/// Whether the next part is collected while one is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// It is: where no table was, a commit writes hardly more than the part.
    AtOnce,
    /// It is not: files of the table may be written again, and need the room in memory that the next part would have.
    ByTurns,
}

impl Pace {
    /// Bytes of Arrow memory that are collected before they are committed. Fewer commits write a file again less often.
    const fn part_bytes(self) -> usize {
        match self {
            Self::AtOnce => 32 * 1024 * 1024,
            Self::ByTurns => 48 * 1024 * 1024,
        }
    }
}

/// How large parts are, and how they follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) pace: Pace,
    /// Rows of a part, at most.
    pub(super) rows: usize,
}

/// Turns records into rows of one table, with a column for each attribute of the organisation's own that it meets.
#[derive(Clone)]
pub(super) struct Intake {
    job: Job,
    parts: Parts,
    schema: TableSchema,
    converter: Arc<Converter>,
    attributes: Arc<Attributes>,
}

/// Rows that are committed together.
#[derive(Default)]
pub(super) struct Part {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) problems: Problems,
    /// Records that were read for it.
    pub(super) read: u64,
    rows: usize,
    bytes: usize,
}

impl Part {
    /// Whether nothing is collected.
    pub(super) const fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

impl Intake {
    pub(super) fn new(job: &Job, schema: TableSchema, attributes: Attributes, parts: Parts) -> Self {
        let converter = Arc::new(Converter::new(&schema, unknown(job)));
        Self { job: job.clone(), parts, schema, converter, attributes: Arc::new(attributes) }
    }

    pub(super) const fn pace(&self) -> Pace {
        self.parts.pace
    }

    /// The columns as far as they are known.
    pub(super) const fn schema(&self) -> &TableSchema {
        &self.schema
    }

    /// Whether a part of what was read may be committed. A replacement may not: it is complete or nothing.
    pub(super) fn gives_parts(&self) -> bool {
        self.job.pipeline.mode != Mode::Replace
    }

    /// Whether a part should be committed.
    pub(super) fn is_full(&self, part: &Part) -> bool {
        self.gives_parts() && (part.rows >= self.parts.rows || part.bytes >= self.parts.pace.part_bytes())
    }

    /// Converts records and collects their rows.
    pub(super) async fn take(
        &mut self,
        part: &mut Part,
        records: Vec<Resource>,
        extracted_at: DateTime<Utc>,
    ) -> Result<(), EntityError> {
        if records.is_empty() {
            return Ok(());
        }
        part.read += records.len() as u64;
        let records = Arc::new(records);
        let Converted { batch, problems, without_key, .. } = loop {
            let converted = self.convert(Arc::clone(&records), extracted_at).await?;
            if converted.unknown_custom.is_empty() || !self.learn(&converted.unknown_custom) {
                break converted;
            }
        };
        part.problems.absorb(problems);
        // An element without a key is no loss: the record that it belongs to keeps it as well.
        let is_element = matches!(self.job.entity.access, Access::Elements { .. });
        if !without_key.is_empty() && !is_element {
            return Err(EntityError::WithoutKey {
                entity: self.job.entity.name.clone(),
                count: without_key.len(),
                key: self.schema.order().key.join(", "),
            });
        }
        part.rows += batch.num_rows();
        part.bytes += batch.get_array_memory_size();
        part.batches.push(batch);
        Ok(())
    }

    async fn convert(
        &self,
        records: Arc<Vec<Resource>>,
        extracted_at: DateTime<Utc>,
    ) -> Result<Converted, EntityError> {
        let converter = Arc::clone(&self.converter);
        let convert = move || {
            let raw: Vec<RawResource<'_>> = records.iter().map(Resource::raw).collect();
            converter.convert(&raw, instants::stored(extracted_at))
        };
        let converted = off_thread(convert).await.map_err(|_| EntityError::Broken(self.job.entity.name.clone()))?;
        Ok(converted?)
    }

    /// Makes columns for custom attributes that nobody has described. Says whether there are more columns now.
    fn learn(&mut self, names: &BTreeSet<String>) -> bool {
        let schema = self.attributes.met(&self.schema, names);
        if schema.arrow().fields().len() == self.schema.arrow().fields().len() {
            return false;
        }
        self.converter = Arc::new(Converter::new(&schema, unknown(&self.job)));
        self.schema = schema;
        true
    }
}

const fn unknown(job: &Job) -> table::UnknownAttributes {
    match job.pipeline.unknown_attributes {
        crate::config::UnknownAttributes::Extra => table::UnknownAttributes::Extra,
        crate::config::UnknownAttributes::Ignore => table::UnknownAttributes::Ignore,
        crate::config::UnknownAttributes::Fail => table::UnknownAttributes::Fail,
    }
}
