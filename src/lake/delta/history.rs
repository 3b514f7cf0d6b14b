//! Former versions, and the checkpoint of this one.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use delta_kernel::commit_range::{CommitRange, DeltaAction};
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::snapshot::{CheckpointWriteResult, Snapshot as KernelSnapshot};
use delta_kernel::{Engine as KernelEngine, KernelError};

use super::{Snapshot, blocking};
use crate::lake::error::LakeError;

impl Snapshot {
    /// The paths of all files that are live in `version` or in any version from then up to this one, as the log has them.
    pub(in crate::lake) async fn paths_since(&self, version: u64) -> Result<HashSet<String>, LakeError> {
        let snapshot = self.clone();
        blocking(move || {
            let former = snapshot.at_version(version)?;
            let mut paths: HashSet<String> = former.files_now("")?.into_iter().map(|file| file.path).collect();
            if version < snapshot.version() {
                let added = snapshot.added_in(version + 1, snapshot.version());
                paths.extend(added.map_err(|error| snapshot.failing().reading(error))?);
            }
            Ok(paths)
        })
        .await
    }

    /// That version of the table.
    pub(in crate::lake) fn at_version(&self, version: u64) -> Result<Self, LakeError> {
        if version == self.version() {
            return Ok(self.clone());
        }
        let built = KernelSnapshot::builder_for(self.url()).at_version(version).build(self.engine());
        built.map(|kernel| self.at(kernel)).map_err(|error| self.failing().reading(error))
    }

    fn added_in(&self, first: u64, last: u64) -> Result<Vec<String>, KernelError> {
        let engine: Arc<dyn KernelEngine> = self.log.engine.clone();
        let range = CommitRange::builder_for(self.url(), first).with_end_version(last).build(&*engine)?;
        let mut added = Vec::new();
        for commit in range.commits(Arc::clone(&engine), None, &[DeltaAction::Add])? {
            for batch in commit?.get_actions(&*engine)? {
                let batch: RecordBatch = (*ArrowEngineData::try_from_engine_data(batch?)?).into();
                let files = batch.column_by_name("add").and_then(|column| column.as_struct_opt());
                let paths = files.and_then(|files| files.column_by_name("path")?.as_string_opt::<i32>());
                let (Some(files), Some(paths)) = (files, paths) else {
                    return Err(KernelError::missing_column("the log's entries have no add.path"));
                };
                let named = (0..batch.num_rows()).filter(|row| files.is_valid(*row) && paths.is_valid(*row));
                added.extend(named.map(|row| paths.value(row).to_owned()));
            }
        }
        Ok(added)
    }

    /// Writes the checkpoint of this version; says whether there was none.
    pub(in crate::lake) async fn checkpoint(&self) -> Result<bool, LakeError> {
        let snapshot = self.clone();
        blocking(move || match snapshot.kernel.checkpoint(snapshot.engine(), None) {
            Ok((written, _)) => Ok(matches!(written, CheckpointWriteResult::Written)),
            Err(error) => Err(snapshot.failing().writing(error)),
        })
        .await
    }
}
