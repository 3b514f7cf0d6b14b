//! One version of one table.
//!
//! The rule: a [`Table`] never changes; a commit or a refresh gives the next one.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, SchemaRef};
use chrono::{DateTime, Utc};

use super::commit::{Change, CommitOutcome};
use super::delta::{LoggedStats, Outcome, Snapshot};
use super::error::LakeError;
use super::names::{TableName, TransactionId};
use super::store::Lake;
use super::writer::DataFileWriter;

/// One version of one table; cheap to clone.
#[derive(Debug, Clone)]
pub struct Table {
    lake: Lake,
    name: TableName,
    snapshot: Snapshot,
    schema: SchemaRef,
}

/// A live data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Relative to the table's folder, as the log writes it (percent-encoded).
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows, where the log knows them; it does for every file of ours.
    pub rows: Option<u64>,
    /// No key in the file is smaller. Long keys are cut in the log, so it need not be a key itself.
    pub min_key: Option<String>,
    /// No key in the file is greater; cut likewise, upwards.
    pub max_key: Option<String>,
}

impl DataFile {
    /// Whether a row with this key can be in the file.
    #[must_use]
    pub fn may_hold(&self, key: &str) -> bool {
        self.min_key.as_deref().is_none_or(|min| min <= key) && self.max_key.as_deref().is_none_or(|max| key <= max)
    }
}

impl Table {
    pub(super) fn new(lake: Lake, name: TableName, snapshot: Snapshot) -> Result<Self, LakeError> {
        let schema = snapshot.schema()?;
        Ok(Self { lake, name, snapshot, schema })
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// The number of the version: 0 after creation, one more with each commit.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.snapshot.version()
    }

    /// The columns, in order, with field metadata.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The version that the application `id` last committed, such as a cursor in milliseconds.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] or [`LakeError::Damaged`].
    pub async fn transaction(&self, id: &TransactionId) -> Result<Option<i64>, LakeError> {
        self.snapshot.transaction(id).await
    }

    /// The live files, with the bounds of the text column `key`.
    ///
    /// # Errors
    /// [`LakeError::Unusable`], [`LakeError::Damaged`]; [`LakeError::Newer`] when a file has a deletion vector.
    pub async fn files(&self, key: &str) -> Result<Vec<DataFile>, LakeError> {
        self.snapshot.files(key).await
    }

    /// The live files that can hold a row whose timestamp `column` is after `instant`.
    ///
    /// # Errors
    /// As [`Self::files`].
    pub async fn files_after(&self, column: &str, instant: DateTime<Utc>) -> Result<Vec<DataFile>, LakeError> {
        self.snapshot.files_after(column, instant).await
    }

    /// What the log states of these live files.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] or [`LakeError::Damaged`].
    pub async fn statistics(&self, files: impl IntoIterator<Item = &DataFile>) -> Result<LoggedStats, LakeError> {
        let paths: HashSet<String> = files.into_iter().map(|file| file.path.clone()).collect();
        if paths.is_empty() { Ok(LoggedStats::default()) } else { self.snapshot.statistics(paths).await }
    }

    /// The greatest value of a timestamp column, as far as the log has the bounds of its files; milliseconds.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] or [`LakeError::Damaged`].
    pub async fn newest(&self, column: &str) -> Result<Option<DateTime<Utc>>, LakeError> {
        self.snapshot.newest(column).await
    }

    /// The smallest value of a timestamp column, as far as the log has the bounds of its files.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] or [`LakeError::Damaged`].
    pub async fn oldest(&self, column: &str) -> Result<Option<DateTime<Utc>>, LakeError> {
        self.snapshot.oldest(column).await
    }

    /// A writer for a new file whose columns are the table's and then `add_columns`, sorted by `sort_key`.
    ///
    /// The commit that adds the file must add the same columns.
    ///
    /// # Errors
    /// [`LakeError::Internal`] for columns that the table cannot have.
    pub fn writer(&self, add_columns: &[FieldRef], sort_key: &[&str]) -> Result<DataFileWriter, LakeError> {
        DataFileWriter::new(self, add_columns, sort_key)
    }

    /// Commits `change` on this version, all or nothing.
    ///
    /// A repeated transaction version is not refused: compare [`Self::transaction`] first.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] when the storage failed and the commit is not known to be there: refresh before
    /// planning anew. [`LakeError::Internal`] for a change that contradicts this version.
    pub async fn commit(&self, change: Change) -> Result<CommitOutcome, LakeError> {
        Ok(match self.snapshot.commit(change).await? {
            Outcome::Committed(snapshot) => CommitOutcome::Committed(self.at(snapshot)?),
            Outcome::Conflict(snapshot) => CommitOutcome::Conflict(self.at(snapshot)?),
        })
    }

    /// The newest version.
    ///
    /// # Errors
    /// [`LakeError::Unusable`], [`LakeError::Damaged`] or [`LakeError::Newer`].
    pub async fn refresh(&self) -> Result<Self, LakeError> {
        self.at(self.snapshot.refresh().await?)
    }

    pub(super) fn lake(&self) -> &Lake {
        &self.lake
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    fn at(&self, snapshot: Snapshot) -> Result<Self, LakeError> {
        let schema = snapshot.schema()?;
        let schema = if schema == self.schema { Arc::clone(&self.schema) } else { schema };
        Ok(Self { lake: self.lake.clone(), name: self.name.clone(), snapshot, schema })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use arrow::datatypes::{DataType, Field};

    use super::*;
    use crate::lake::CommitNote;
    use crate::lake::testing::{
        FaultyStore, append, committed, counts, create, lake_in, local, memory, rows, schema, write,
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_is_created_once_and_keeps_its_field_metadata() {
        let folder = tempfile::tempdir().unwrap();
        for lake in [memory(), local(&folder)] {
            created_once(&lake).await;
        }
    }

    async fn created_once(lake: &Lake) {
        let name = TableName::new("tags").unwrap();
        assert!(lake.table(&name).await.unwrap().is_none());
        let created = create(lake).await;
        assert_eq!(created.schema(), &schema());
        let again = create(lake).await;
        assert_eq!((created.version(), again.version()), (0, 0));
        assert_eq!(again.schema(), &schema());
        assert_eq!(lake.tables().await.unwrap(), [name]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_commit_adds_removes_and_moves_the_cursor() {
        let folder = tempfile::tempdir().unwrap();
        for lake in [memory(), local(&folder)] {
            adds_removes_and_moves_the_cursor(&lake).await;
        }
    }

    async fn adds_removes_and_moves_the_cursor(lake: &Lake) {
        let (cursor, other) = (TransactionId::new("kustlake/cursor"), TransactionId::new("other"));
        let table = committed(append(&create(lake).await, &rows(0..10)).await);
        let table = committed(append(&table, &rows(20..30)).await);
        let old = table.files("id").await.unwrap().into_iter().find(|file| file.may_hold("row-00000025")).unwrap();
        assert_eq!((old.rows, old.min_key.as_deref()), (Some(10), Some("row-00000020")));
        let change = Change {
            add: vec![write(&table, &rows(20..25)).await],
            remove: vec![old],
            transactions: vec![(cursor.clone(), 1_700_000_000_123)],
            note: CommitNote {
                facts: [("run".to_owned(), "r1".to_owned())].into(),
                counts: [("deleted".to_owned(), 5)].into(),
            },
            ..Change::default()
        };
        let table = committed(table.commit(change).await.unwrap());
        assert_eq!(counts(&table).await, (0..10).chain(20..25).collect::<Vec<_>>());
        assert_eq!(table.transaction(&cursor).await.unwrap(), Some(1_700_000_000_123));
        assert_eq!(table.transaction(&other).await.unwrap(), None);
        let reopened = lake.table(table.name()).await.unwrap().unwrap();
        assert_eq!((reopened.version(), reopened.transaction(&cursor).await.unwrap()), (3, Some(1_700_000_000_123)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn progress_survives_checkpoints() {
        let folder = tempfile::tempdir().unwrap();
        for lake in [memory(), local(&folder)] {
            survives_checkpoints(&lake).await;
        }
    }

    async fn survives_checkpoints(lake: &Lake) {
        let mut table = create(lake).await;
        let window = TransactionId::new("kustlake/backfill/2024-01");
        for n in 0..25 {
            let mut change = Change { add: vec![write(&table, &rows(n..n + 1)).await], ..Change::default() };
            change.transactions.push((TransactionId::new("kustlake/cursor"), n));
            if n == 3 {
                change.transactions.push((window.clone(), 99));
            }
            table = committed(table.commit(change).await.unwrap());
        }
        let reopened = lake.table(table.name()).await.unwrap().unwrap();
        assert_eq!(reopened.transaction(&window).await.unwrap(), Some(99));
        assert_eq!(reopened.transaction(&TransactionId::new("kustlake/cursor")).await.unwrap(), Some(24));
        assert_eq!(counts(&reopened).await, (0..25).collect::<Vec<_>>());
        let bounds = reopened.files("id").await.unwrap();
        assert!(bounds.iter().all(|file| file.rows == Some(1) && file.min_key.is_some() && file.max_key.is_some()));
        for kept in ["00000000000000000010.checkpoint.parquet", "00000000000000000025.crc"] {
            let path = lake.object(&format!("tags/_delta_log/{kept}")).unwrap();
            object_store::ObjectStoreExt::head(lake.store().as_ref(), &path).await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_of_many_commits_is_opened_as_one_of_few() {
        let store = Arc::new(FaultyStore::default());
        let lake = lake_in(store.clone(), 1);
        let mut table = create(&lake).await;
        let mut opened = Vec::new();
        for commits in [13, 213] {
            while table.version() < commits {
                let change =
                    Change { transactions: vec![(TransactionId::new("kustlake/cursor"), 1)], ..Change::default() };
                table = committed(table.commit(change).await.unwrap());
            }
            store.seen.store(0, Ordering::Release);
            assert_eq!(lake.table(table.name()).await.unwrap().unwrap().version(), commits);
            opened.push(store.seen.load(Ordering::Acquire));
        }
        assert_eq!(opened[0], opened[1]);
        assert!(opened[0] > 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_new_column_comes_with_its_data_and_is_null_in_older_files() {
        let lake = memory();
        let table = committed(append(&create(&lake).await, &rows(0..3)).await);
        let added: FieldRef = Arc::new(Field::new("custom_tier", DataType::Utf8, true));
        let mut writer = table.writer(std::slice::from_ref(&added), &["id"]).unwrap();
        let tiers = arrow::array::StringArray::from(vec!["gold"; 2]);
        let mut columns = rows(3..5).columns().to_vec();
        columns.push(Arc::new(tiers));
        let batch = arrow::array::RecordBatch::try_new(Arc::clone(writer.schema()), columns).unwrap();
        writer.write(&batch).await.unwrap();
        let file = writer.finish().await.unwrap().unwrap();
        let change = Change { add: vec![file], add_columns: vec![added], ..Change::default() };
        let table = committed(table.commit(change).await.unwrap());
        assert_eq!(table.schema().field(2).name(), "custom_tier");
        let mut nulls = Vec::new();
        for file in table.files("id").await.unwrap() {
            let batches = crate::lake::testing::read(&table, &file, crate::lake::Read::default()).await;
            assert!(batches.iter().all(|batch| batch.schema() == *table.schema()));
            nulls.push(batches.iter().map(|batch| batch.column(2).null_count()).sum::<usize>());
        }
        nulls.sort_unstable();
        assert_eq!(nulls, [0, 3]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_two_writers_one_is_told_to_plan_again_and_nothing_is_lost() {
        let table = create(&memory()).await;
        let (left, right) = (rows(0..5), rows(5..10));
        let (first, second) = tokio::join!(append(&table, &left), append(&table, &right));
        let refreshed = match (first, second) {
            (CommitOutcome::Committed(_), CommitOutcome::Conflict(table))
            | (CommitOutcome::Conflict(table), CommitOutcome::Committed(_)) => table,
            other => panic!("{other:?}"),
        };
        assert_eq!(refreshed.version(), 1);
        let missing = if counts(&refreshed).await.contains(&0) { 5..10 } else { 0..5 };
        let table = committed(append(&refreshed, &rows(missing)).await);
        assert_eq!(counts(&table).await, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn absent_bounds_exclude_nothing() {
        let file = DataFile { path: "a".into(), size: 1, rows: None, min_key: None, max_key: Some("m".into()) };
        assert!(file.may_hold("a") && file.may_hold("m") && !file.may_hold("n"));
    }
}
