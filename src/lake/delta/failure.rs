//! Kernel failures, said as the lake's.
//!
//! The rule: of a message that may quote the log (which holds values of people's records) only its kind is passed on.

use std::error::Error as StdError;

use delta_kernel::KernelError;
use object_store::Error as StoreError;

use crate::lake::error::{LakeError, causes, without_body};

/// The name of the table that was worked on.
pub(super) struct Table<'a>(pub(super) &'a str);

impl Table<'_> {
    /// The error for a failure while reading the log: what the kernel cannot understand is damaged.
    pub(super) fn reading(&self, error: KernelError) -> LakeError {
        self.outside(error)
            .unwrap_or_else(|error| LakeError::Damaged { table: self.0.to_owned(), problem: kind(&error) })
    }

    /// The error for a failure while preparing a commit: what the kernel refuses is our mistake.
    pub(super) fn writing(&self, error: KernelError) -> LakeError {
        self.outside(error).unwrap_or_else(|error| LakeError::Internal(format!("table {}: {}", self.0, kind(&error))))
    }

    fn place(&self) -> String {
        format!("the log of table {}", self.0)
    }

    /// The error if its cause lies in the storage or in the format's age; otherwise the kernel's error back.
    fn outside(&self, error: KernelError) -> Result<LakeError, KernelError> {
        match error {
            KernelError::Backtraced { source, .. } => self.outside(*source),
            KernelError::ObjectStore(error) => Ok(LakeError::table_object(self.0, &self.place(), &error)),
            KernelError::IOError(error) => Ok(LakeError::io(self.place(), &error)),
            KernelError::Unsupported(problem) | KernelError::InvalidProtocol(problem) => {
                Ok(LakeError::Newer { table: self.0.to_owned(), problem: without_body(&problem) })
            }
            error => match store_error(&error) {
                Some(inner) => Ok(LakeError::table_object(self.0, &self.place(), inner)),
                None => Err(error),
            },
        }
    }
}

/// A storage failure somewhere below `error`, such as under an Arrow or Parquet one.
fn store_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a StoreError> {
    causes(error).find_map(|error| error.downcast_ref::<StoreError>())
}

fn kind(error: &KernelError) -> String {
    match error {
        KernelError::MalformedJson(_) | KernelError::Arrow(_) => "an entry of the log cannot be parsed".to_owned(),
        KernelError::Parquet(_) => "a Parquet file of the log cannot be parsed".to_owned(),
        KernelError::ParseError(..) => "a value in the log does not fit its column".to_owned(),
        KernelError::FileNotFound(_) => "a file of the log is missing".to_owned(),
        other => without_body(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use crate::lake::testing::{append, committed, create, memory, rows};
    use crate::lake::{Lake, LakeError, Table, TableName};

    async fn with_log_entry(lake: &Lake, version: u64, entry: &str) -> Result<Option<Table>, LakeError> {
        let path = lake.object(&format!("tags/_delta_log/{version:020}.json")).unwrap();
        lake.store().put(&path, entry.to_owned().into()).await.unwrap();
        lake.table(&TableName::new("tags").unwrap()).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_with_an_unknown_feature_needs_a_newer_version() {
        let lake = memory();
        create(&lake).await;
        let entry = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["shinyNew"],"writerFeatures":["shinyNew"]}}"#;
        let Err(LakeError::Newer { table, problem }) = with_log_entry(&lake, 1, entry).await else { panic!("opened") };
        assert!(table == "tags" && problem.contains("shinyNew"), "{problem}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broken_log_damages_its_table_and_quotes_nothing_of_it() {
        let lake = memory();
        create(&lake).await;
        let entry = r#"{"metaData":{"id":"1","schemaString":"{\"secret\"","partitionColumns":[],"configuration":{},"format":{"provider":"parquet","options":{}}}}"#;
        let Err(LakeError::Damaged { problem, .. }) = with_log_entry(&lake, 1, entry).await else { panic!("opened") };
        assert!(!problem.contains("secret"), "{problem}");
        let broken = with_log_entry(&lake, 1, r#"{"add":{"path":"secret"#).await;
        let outcome = match broken {
            Ok(Some(table)) => table.files("id").await.map(|_| ()),
            other => other.map(|_| ()),
        };
        let Err(LakeError::Damaged { problem, .. }) = outcome else { panic!("{outcome:?}") };
        assert!(!problem.contains("secret"), "{problem}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_missing_log_entry_damages_its_table() {
        let lake = memory();
        let mut table = create(&lake).await;
        for n in 0..3 {
            table = committed(append(&table, &rows(n..n + 1)).await);
        }
        lake.store().delete(&lake.object("tags/_delta_log/00000000000000000001.json").unwrap()).await.unwrap();
        assert!(matches!(lake.table(table.name()).await, Err(LakeError::Damaged { .. })));
    }
}
