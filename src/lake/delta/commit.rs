//! One atomic change of a table.
//!
//! The rule: a commit is `Committed` if and only if it is in the log, whatever the network did; what follows it
//! (checksum, checkpoint) only makes opening cheaper, so its failure is a warning.

use std::collections::HashSet;

use delta_kernel::FileMeta;
use delta_kernel::transaction::{CommitResult, CommittedTransaction, Transaction, UpdateTableOperation};
use delta_kernel_default_engine::build_add_file_metadata;
use delta_kernel_default_engine::parquet::DataFileMetadata;

use super::committer::{Fate, LogCommitter};
use super::{ENGINE_INFO, Snapshot, blocking};
use crate::lake::commit::{Change, Effect};
use crate::lake::error::LakeError;
use crate::lake::writer::WrittenFile;

/// Commits between two checkpoints; without any, opening reads every commit again.
const CHECKPOINT_EVERY: u64 = 10;

/// What became of a commit; either way the version to go on from.
#[derive(Debug)]
#[must_use]
pub(in crate::lake) enum Outcome {
    Committed(Snapshot),
    Conflict(Snapshot),
}

impl Snapshot {
    /// Commits `change` as the version after this one.
    pub(in crate::lake) async fn commit(&self, change: Change) -> Result<Outcome, LakeError> {
        let snapshot = self.clone();
        blocking(move || snapshot.commit_now(&change)).await
    }

    fn commit_now(&self, change: &Change) -> Result<Outcome, LakeError> {
        let committer = self.log.committer();
        let told = committer.told();
        let transaction = self.prepare(change, committer)?;
        match transaction.commit(self.engine()) {
            Ok(CommitResult::Committed(done)) => Ok(Outcome::Committed(self.after(&done)?)),
            Ok(CommitResult::Conflicted(_)) => Ok(Outcome::Conflict(self.refresh_now()?)),
            Ok(CommitResult::Retryable(retry)) => Err(self.failing().writing(retry.error)),
            Err(error) => match told.fate() {
                Fate::Landed => Ok(Outcome::Committed(self.refresh_now()?)),
                Fate::Refused(refusal) => Err(refusal),
                Fate::Unknown => Err(self.failing().writing(error)),
            },
        }
    }

    fn prepare(&self, change: &Change, committer: LogCommitter) -> Result<Transaction, LakeError> {
        // `Custom` operations would end the chain of checksums, so the closest typed one names the commit.
        let operation = match change.effect {
            Effect::Layout => UpdateTableOperation::Optimize,
            Effect::Rows if change.remove.is_empty() => UpdateTableOperation::Write,
            Effect::Rows => UpdateTableOperation::Merge,
        };
        let metrics = change.note.counts.iter().map(|(name, count)| (name.clone(), Some(count.to_string())));
        let parameters = change.note.facts.iter().map(|(name, fact)| (name.clone(), Some(fact.clone())));
        let mut builder = self.kernel.clone().update_table(operation, ENGINE_INFO, change.effect == Effect::Rows);
        builder = builder.with_operation_metrics(metrics).with_operation_parameters(parameters);
        for (id, version) in &change.transactions {
            builder = builder.with_transaction_id(id.as_str(), *version);
        }
        for field in self.kernel_fields(&change.add_columns)? {
            builder = builder.add_column(field);
        }
        let built = builder.build(self.engine(), Box::new(committer));
        let mut transaction = built.map_err(|error| self.failing().writing(error))?;
        self.add_files(&mut transaction, &change.add)?;
        if !change.remove.is_empty() {
            let paths: HashSet<&str> = change.remove.iter().map(|file| file.path.as_str()).collect();
            for rows in self.rows_of(paths)? {
                transaction.remove_files(rows);
            }
        }
        Ok(transaction)
    }

    fn add_files(&self, transaction: &mut Transaction, files: &[WrittenFile]) -> Result<(), LakeError> {
        if files.is_empty() {
            return Ok(());
        }
        let failed = |error| self.failing().writing(error);
        let context = transaction.write_state().and_then(|state| state.write_context_builder().build());
        let context = context.map_err(failed)?;
        for file in files {
            let url = self.url().join(&file.path);
            let url = url.map_err(|_| LakeError::Internal(format!("`{}` is not a relative path", file.path)))?;
            let meta = FileMeta::new(url, file.written_at.timestamp_millis(), file.size);
            let meta = DataFileMetadata::new(meta, file.stats.0.clone());
            transaction.add_files(build_add_file_metadata(meta, &context).map_err(failed)?);
        }
        Ok(())
    }

    fn after(&self, done: &CommittedTransaction) -> Result<Self, LakeError> {
        let Some(kernel) = done.post_commit_snapshot() else {
            return self.refresh_now();
        };
        let snapshot = self.at(kernel.clone()).with_checksum();
        if done.post_commit_stats().commits_since_checkpoint < CHECKPOINT_EVERY {
            return Ok(snapshot);
        }
        Ok(snapshot.with_checkpoint())
    }

    /// Writes the checksum of this version, which saves later openings the replay of the log.
    pub(super) fn with_checksum(self) -> Self {
        match self.kernel.write_checksum(self.engine()) {
            Ok((_, kernel)) => self.at(kernel),
            Err(error) => {
                let problem = self.failing().writing(error).to_string();
                tracing::warn!(table = %self.table, version = self.version(), error = problem, "no checksum was written");
                self
            }
        }
    }

    fn with_checkpoint(self) -> Self {
        match self.kernel.checkpoint(self.engine(), None) {
            Ok((_, kernel)) => self.at(kernel),
            Err(error) => {
                let problem = self.failing().writing(error).to_string();
                tracing::warn!(table = %self.table, version = self.version(), error = problem, "no checkpoint was written");
                self
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::lake::testing::{Fault, FaultyStore, append, committed, counts, create, lake_in, rows, write};
    use crate::lake::{Change, CommitOutcome, LakeError};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_whose_answer_is_lost_or_repeated_counts_once() {
        for fault in [Fault::LostReply, Fault::RepeatedPut] {
            let store = Arc::new(FaultyStore::default());
            let lake = lake_in(store.clone(), 1);
            let table = create(&lake).await;
            store.fail(fault, "00000000000000000001.json", 1);
            let table = committed(append(&table, &rows(0..5)).await);
            assert_eq!((table.version(), counts(&table).await.len()), (1, 5), "{fault:?}");
            let table = committed(append(&table, &rows(5..6)).await);
            assert_eq!((table.version(), counts(&table).await.len()), (2, 6), "{fault:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn creation_survives_a_lost_answer_too() {
        let store = Arc::new(FaultyStore::default());
        store.fail(Fault::LostReply, "00000000000000000000.json", 1);
        assert_eq!(create(&lake_in(store, 1)).await.version(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_is_named_and_leaves_the_table_as_it_was() {
        let store = Arc::new(FaultyStore::default());
        let lake = lake_in(store.clone(), 1);
        let table = create(&lake).await;
        let change = Change { add: vec![write(&table, &rows(0..5)).await], ..Change::default() };
        store.fail(Fault::Full, "_delta_log", 1);
        let Err(LakeError::Unusable { problem, .. }) = table.commit(change).await else { panic!("committed") };
        assert!(problem.starts_with("no space is left"), "{problem}");
        assert_eq!(table.refresh().await.unwrap().version(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_failed_checksum_or_checkpoint_fails_no_commit() {
        let store = Arc::new(FaultyStore::default());
        let mut table = create(&lake_in(store.clone(), 1)).await;
        store.fail(Fault::Full, ".crc", usize::MAX);
        for n in 0..6 {
            table = committed(append(&table, &rows(n..n + 1)).await);
        }
        store.fail(Fault::Full, "checkpoint", usize::MAX);
        for n in 6..12 {
            table = committed(append(&table, &rows(n..n + 1)).await);
        }
        assert_eq!(counts(&table.refresh().await.unwrap()).await.len(), 12);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_writers_whose_every_answer_is_a_refusal_lose_and_repeat_nothing() {
        const WRITERS: i64 = 5;
        const COMMITS: i64 = 4;
        let store = Arc::new(FaultyStore::default());
        let lake = lake_in(store.clone(), 1);
        let table = create(&lake).await;
        store.fail(Fault::RepeatedPut, "_delta_log/0000", usize::MAX);
        let writers = (0..WRITERS).map(|writer| {
            let mut table = table.clone();
            tokio::spawn(async move {
                for commit in 0..COMMITS {
                    let row = writer * COMMITS + commit;
                    let change = Change { add: vec![write(&table, &rows(row..row + 1)).await], ..Change::default() };
                    table = loop {
                        match table.commit(change.clone()).await.unwrap() {
                            CommitOutcome::Committed(next) => break next,
                            CommitOutcome::Conflict(newest) => table = newest,
                        }
                    };
                }
            })
        });
        for writer in futures::future::join_all(writers).await {
            writer.unwrap();
        }
        let table = table.refresh().await.unwrap();
        assert_eq!(counts(&table).await, (0..WRITERS * COMMITS).collect::<Vec<_>>());
        assert_eq!(table.version(), u64::try_from(WRITERS * COMMITS).unwrap());
    }
}
