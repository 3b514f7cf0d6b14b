//! Replacing a table by a complete new snapshot.
//!
//! The rule: it is the new snapshot or the old one, in one commit, and an unchanged snapshot makes none.

use arrow::array::RecordBatch;
use futures::TryStreamExt;

use super::error::EntityError;
use super::output::Output;
use super::upsert::{Prepared, Upsert, widened};
use crate::lake::{Change, Read, Table};
use crate::table::{Comparison, Deletes, MergeCounts, MergePolicy, TableSchema, conform};

/// How a snapshot replaces the rows of one table.
#[derive(Debug, Clone)]
pub(super) struct Replace {
    schema: TableSchema,
    rows: Upsert,
}

impl Replace {
    pub(super) fn new(schema: &TableSchema) -> Self {
        Self { schema: schema.clone(), rows: Upsert::new(schema, MergePolicy::Update(Deletes::Soft)) }
    }

    /// Plans the replacement of all rows of this version by `incoming`, and writes the files.
    pub(super) async fn prepare(&self, table: &Table, incoming: &RecordBatch) -> Result<Prepared, EntityError> {
        let order = self.schema.order();
        let add_columns = self.rows.missing_columns(table);
        let schema = widened(table.schema(), &add_columns);
        let files = table.files(order.key.first().map_or("", String::as_str)).await?;
        let mut comparison = Comparison::new(&schema, order, MergePolicy::Update(Deletes::Soft), incoming)
            .map_err(|error| self.rows.table_error(error))?;
        // Files of one snapshot follow each other in the order of keys.
        let mut in_order = files.clone();
        in_order.sort_by(|a, b| a.min_key.cmp(&b.min_key));
        for file in &in_order {
            let mut stored = table.read(file, Read::default()).await?;
            while let Some(batch) = stored.try_next().await? {
                comparison.push(&batch).map_err(|error| self.rows.table_error(error))?;
            }
        }
        let compared = comparison.finish();
        let gone = compared
            .stored_rows
            .saturating_sub(compared.counts.updated + compared.counts.unchanged + compared.counts.stale);
        if compared.is_same_snapshot() {
            let change = Change { add_columns, ..Change::default() };
            return Ok(Prepared { change, counts: compared.counts, ..Prepared::default() });
        }
        let rows = conform(&schema, incoming).map_err(|error| self.rows.table_error(error))?;
        let mut output = Output::new(table, add_columns.clone(), order);
        output.write_all(vec![rows]).await?;
        let change = Change { add: output.finish().await?, remove: files, add_columns, ..Change::default() };
        let counts = MergeCounts { deleted: gone, ..compared.counts };
        Ok(Prepared { change, counts, ..Prepared::default() })
    }
}
