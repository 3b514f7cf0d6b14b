//! What can go wrong with the lake, cut by what the caller does next.
//!
//! The rule: an error names a place and a cause, never a value, a credential or an answer's body; the body of a
//! refused S3 request repeats the access key, so of it only the `<Code>` is kept.

use std::error::Error as StdError;
use std::io;

use object_store::Error as StoreError;

/// A failure of the lake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LakeError {
    /// The destination cannot be used as it is: tell the user and stop.
    #[error("{location}: {problem}; {hint}")]
    Unusable {
        /// The folder, bucket or object concerned.
        location: String,
        /// What was found.
        problem: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// What one table stores cannot be read: leave that table alone, go on with the others.
    #[error(
        "table {table} is damaged: {problem}; restore the file from a backup, or remove the folder of the table: the next run loads it anew"
    )]
    Damaged {
        /// The table concerned.
        table: String,
        /// What was found.
        problem: String,
    },
    /// A table needs a feature which this version does not know: only a newer version helps.
    #[error("table {table} uses a newer or unsupported format: {problem}; update kustlake")]
    Newer {
        /// The table concerned.
        table: String,
        /// What was found.
        problem: String,
    },
    /// Commits rely on the lease, and it is not certain that this run still holds it: it must end.
    #[error(
        "another run took over the lease, or no heartbeat of this one came through for a minute; on this storage only the \
         lease keeps runs apart, so this one commits nothing more, and the next run goes on"
    )]
    Overtaken,
    /// A mistake of ours.
    #[error("internal error in the lake: {0}")]
    Internal(String),
}

impl LakeError {
    /// The error for a request to the store at `location`.
    pub(super) fn store(location: impl Into<String>, error: &StoreError) -> Self {
        let location = location.into();
        let cause = Cause::of(error);
        let problem = cause.problem(error);
        Self::Unusable { location, problem, hint: cause.hint() }
    }

    /// The error for a request for an object which `table` says exists.
    pub(super) fn table_object(table: &str, location: &str, error: &StoreError) -> Self {
        match Cause::of(error) {
            Cause::Absent => Self::Damaged { table: table.to_owned(), problem: format!("{location} is missing") },
            _ => Self::store(location, error),
        }
    }

    /// Nothing where an object may be absent and is; the error otherwise.
    pub(super) fn absent_or<T>(location: &impl ToString, error: &StoreError) -> Result<Option<T>, Self> {
        match Cause::of(error) {
            Cause::Absent => Ok(None),
            _ => Err(Self::store(location.to_string(), error)),
        }
    }

    /// The error for a failure of the file system at `location`.
    pub(super) fn io(location: impl Into<String>, error: &io::Error) -> Self {
        let cause = Cause::of_io(error.kind()).unwrap_or(Cause::Other);
        Self::Unusable { location: location.into(), problem: cause.problem(error), hint: cause.hint() }
    }
}

/// Why a store refused, as far as a user can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    MissingBucket,
    Credentials,
    Forbidden,
    Clock,
    Full,
    ReadOnly,
    NotAFolder,
    Unreachable,
    Absent,
    Other,
}

impl Cause {
    fn of(error: &StoreError) -> Self {
        let code = s3_code(error);
        match code.as_deref() {
            Some("NoSuchBucket") => return Self::MissingBucket,
            Some(
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "InvalidToken"
                | "ExpiredToken"
                | "AuthorizationHeaderMalformed"
                | "InvalidClientTokenId",
            ) => return Self::Credentials,
            Some("AccessDenied" | "AllAccessDisabled" | "AccountProblem") => return Self::Forbidden,
            Some("RequestTimeTooSkewed") => return Self::Clock,
            Some("QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage") => return Self::Full,
            _ => {}
        }
        if let Some(cause) =
            causes(error).find_map(|e| e.downcast_ref::<io::Error>().and_then(|e| Self::of_io(e.kind())))
        {
            return cause;
        }
        let text = error.to_string();
        match error {
            StoreError::NotFound { .. } => Self::Absent,
            StoreError::PermissionDenied { .. } => Self::Forbidden,
            StoreError::Unauthenticated { .. } => Self::Credentials,
            _ if text.contains("latest/meta-data") || text.contains("latest/api/token") => Self::Credentials,
            _ if text.contains("error sending request") || text.contains("timed out") => Self::Unreachable,
            _ => Self::Other,
        }
    }

    fn of_io(kind: io::ErrorKind) -> Option<Self> {
        use io::ErrorKind as Kind;
        match kind {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Some(Self::Full),
            Kind::PermissionDenied => Some(Self::Forbidden),
            Kind::ReadOnlyFilesystem => Some(Self::ReadOnly),
            Kind::NotADirectory | Kind::AlreadyExists => Some(Self::NotAFolder),
            Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::TimedOut => Some(Self::Unreachable),
            _ => None,
        }
    }

    fn problem(self, error: &(dyn StdError + 'static)) -> String {
        let stated = match self {
            Self::MissingBucket => "the bucket does not exist",
            Self::Credentials => "the credentials are missing or refused",
            Self::Forbidden => "access is denied",
            Self::Clock => "the storage refuses the time of this machine",
            Self::Full => "no space is left",
            Self::ReadOnly => "the file system is read-only",
            Self::NotAFolder => "a file stands where a folder is needed",
            Self::Unreachable => "the storage cannot be reached",
            Self::Absent => "the object does not exist",
            Self::Other => "the storage failed",
        };
        let detail = s3_code(error).unwrap_or_else(|| innermost(error));
        format!("{stated} ({detail})")
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::MissingBucket => "create the bucket, or correct destination.url, the region or the endpoint",
            Self::Credentials => {
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and the machine's clock"
            }
            Self::Forbidden => "grant the right to list, read, write and delete below the destination",
            Self::Clock => "set this machine's clock (NTP), then run again; what is committed is safe",
            Self::Full => "free space or raise the quota; what is committed is safe",
            Self::ReadOnly => "choose a destination that can be written",
            Self::NotAFolder => "choose another destination, or move the file away",
            Self::Unreachable => "check the endpoint and the network, then run again; what is committed is safe",
            Self::Absent => "check that nothing else deletes below the destination",
            Self::Other => "run again; if it stays, check the storage's own log",
        }
    }
}

/// The error and everything that caused it, outermost first.
pub(super) fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    // An I/O error that wraps another one names the cause of that as its own, and so hides it.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// The `<Code>` of an S3 error document, anywhere in the chain.
fn s3_code(error: &(dyn StdError + 'static)) -> Option<String> {
    causes(error).find_map(|error| {
        let text = error.to_string();
        let (_, rest) = text.split_once("<Code>")?;
        let (code, _) = rest.split_once("</Code>")?;
        (code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric())).then(|| code.to_owned())
    })
}

/// What the deepest cause says, without any answer's body that it may quote.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let text = causes(error).last().map(ToString::to_string).unwrap_or_default();
    without_body(&text)
}

/// The part of a message before a quoted document starts, of bounded length.
pub(super) fn without_body(text: &str) -> String {
    const LONGEST: usize = 160;
    let head = text.split(['<', '{', '\n']).next().unwrap_or_default();
    head.chars().take(LONGEST).collect::<String>().trim_end_matches([' ', ':', ',']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(source: impl Into<Box<dyn StdError + Send + Sync>>) -> StoreError {
        StoreError::Generic { store: "test", source: source.into() }
    }

    fn problem(error: &StoreError) -> String {
        match LakeError::store("s3://acme-lake", error) {
            LakeError::Unusable { problem, .. } => problem,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_full_disk_and_a_forbidden_folder_are_named_as_such() {
        let full = generic(io::Error::from_raw_os_error(28));
        assert!(problem(&full).starts_with("no space is left"), "{}", problem(&full));
        let denied = generic(io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(problem(&denied).starts_with("access is denied"));
        let read_only = generic(io::Error::from_raw_os_error(30));
        assert!(problem(&read_only).starts_with("the file system is read-only"));
    }

    #[test]
    fn an_s3_answer_is_reduced_to_its_code() {
        let body = "status code 403: <Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIASECRET</AWSAccessKeyId></Error>";
        let text = problem(&generic(body));
        assert_eq!(text, "the credentials are missing or refused (SignatureDoesNotMatch)");
        assert!(problem(&generic("404: <Error><Code>NoSuchBucket</Code></Error>")).starts_with("the bucket does not"));
        let skewed = problem(&generic("403: <Error><Code>RequestTimeTooSkewed</Code></Error>"));
        assert!(skewed.starts_with("the storage refuses the time of this machine"), "{skewed}");
        let unknown = problem(&generic("400 Bad Request: <html>AKIASECRET</html>"));
        assert_eq!(unknown, "the storage failed (400 Bad Request)");
    }

    #[test]
    fn an_absent_data_file_damages_its_table_and_an_absent_bucket_does_not() {
        let absent = StoreError::NotFound { path: "a".into(), source: "gone".into() };
        assert!(matches!(LakeError::table_object("tags", "a", &absent), LakeError::Damaged { .. }));
        let bucket = StoreError::NotFound { path: "a".into(), source: "<Code>NoSuchBucket</Code>".into() };
        assert!(matches!(LakeError::table_object("tags", "a", &bucket), LakeError::Unusable { .. }));
    }
}
