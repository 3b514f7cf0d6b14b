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

    /// The error if its cause lies in the storage or in the format's age; otherwise the kernel's error back.
    fn outside(&self, error: KernelError) -> Result<LakeError, KernelError> {
        match error {
            KernelError::Backtraced { source, .. } => self.outside(*source),
            KernelError::ObjectStore(error) => Ok(LakeError::table_object(self.0, self.0, &error)),
            KernelError::IOError(error) => Ok(LakeError::io(self.0, &error)),
            KernelError::Unsupported(problem) | KernelError::InvalidProtocol(problem) => {
                Ok(LakeError::Newer { table: self.0.to_owned(), problem: without_body(&problem) })
            }
            error => match store_error(&error) {
                Some(inner) => Ok(LakeError::table_object(self.0, self.0, inner)),
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
