//! The table of one entity during a run, and what it knows of its own progress.
//!
//! The rule: progress never goes back. The cursor of a table is the later one of what its log and the
//! state file say, and the log's version is raised, never lowered.

use chrono::{DateTime, Utc};

use super::error::EntityError;
use crate::lake::{Lake, LakeError, Table, TableName, TransactionId};
use crate::table::TableSchema;
use crate::window::{Window, from_millis};

/// Application id of the cursor, in milliseconds (design: state and commits).
const CURSOR: &str = "kustlake/cursor";
/// Application id of the start from which a table was loaded, in milliseconds.
const START: &str = "kustlake/start";

/// How far a table's data reach, to be committed with them.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) id: TransactionId,
    pub(super) reached: DateTime<Utc>,
    /// Where the reading began, so that an earlier start date is noticed.
    pub(super) start: Option<DateTime<Utc>>,
}

/// How far the reading of an entity got, which each of its tables commits as its own progress.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub(super) id: TransactionId,
    pub(super) instant: DateTime<Utc>,
    /// A backfill says nothing of the start of a table.
    pub(super) moves_start: bool,
}

/// The id under which a run commits its cursor.
pub(super) fn cursor_id() -> TransactionId {
    TransactionId::new(CURSOR)
}

/// The id under which a backfill of that window commits how far it got.
pub(super) fn backfill_id(window: &Window) -> TransactionId {
    let (from, until) = (window.from().timestamp_millis(), window.until().timestamp_millis());
    TransactionId::new(format!("kustlake/backfill/{from}-{until}"))
}

/// A table that may not exist yet.
#[derive(Debug)]
pub(super) struct TableHome {
    lake: Lake,
    name: TableName,
    table: Option<Table>,
}

impl TableHome {
    pub(super) async fn find(lake: &Lake, name: &str) -> Result<Self, LakeError> {
        let name = TableName::new(name)?;
        let table = lake.table(&name).await?;
        Ok(Self { lake: lake.clone(), name, table })
    }

    pub(super) const fn table(&self) -> Option<&Table> {
        self.table.as_ref()
    }

    /// The version of the table, once there is one.
    pub(super) fn version(&self) -> Option<u64> {
        self.table.as_ref().map(Table::version)
    }

    pub(super) async fn open_or_create(&mut self, schema: &TableSchema) -> Result<Table, LakeError> {
        if let Some(table) = &self.table {
            return Ok(table.clone());
        }
        let table = self.lake.create_table(&self.name, schema.arrow().clone()).await?;
        self.table = Some(table.clone());
        Ok(table)
    }

    pub(super) fn moved_to(&mut self, table: Table) {
        self.table = Some(table);
    }

    /// What the log says under an id, as an instant.
    pub(super) async fn committed(&self, id: &TransactionId) -> Result<Option<DateTime<Utc>>, LakeError> {
        let Some(table) = &self.table else { return Ok(None) };
        Ok(table.transaction(id).await?.and_then(from_millis))
    }

    /// The start from which the table was loaded, as far as its log knows.
    pub(super) async fn start(&self) -> Result<Option<DateTime<Utc>>, LakeError> {
        self.committed(&TransactionId::new(START)).await
    }

    /// The newest value of a timestamp column.
    pub(super) async fn newest(&self, column: &str) -> Result<Option<DateTime<Utc>>, LakeError> {
        let Some(table) = &self.table else { return Ok(None) };
        table.newest(column).await
    }

    /// How many rows the table holds, when its log knows of every file.
    pub(super) async fn rows(&self) -> Result<Option<u64>, LakeError> {
        let Some(table) = &self.table else { return Ok(None) };
        let any_column = table.schema().fields().first().map_or("", |field| field.name());
        Ok(table.files(any_column).await?.iter().map(|file| file.rows).sum())
    }

    /// The transactions that commit this progress: raised, never lowered.
    pub(super) async fn transactions(
        &self,
        table: &Table,
        progress: Option<&Progress>,
    ) -> Result<Vec<(TransactionId, i64)>, EntityError> {
        let Some(progress) = progress else { return Ok(Vec::new()) };
        let mut transactions = Vec::new();
        let reached = progress.reached.timestamp_millis();
        if table.transaction(&progress.id).await?.is_none_or(|version| version < reached) {
            transactions.push((progress.id.clone(), reached));
        }
        let (id, start) = (TransactionId::new(START), progress.start.map(|start| start.timestamp_millis()));
        if let Some(start) = start
            && table.transaction(&id).await?.is_none_or(|version| version != start)
        {
            transactions.push((id, start));
        }
        Ok(transactions)
    }
}
