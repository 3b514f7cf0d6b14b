//! Where the lake lies: a folder or a bucket, and how to reach it.
//!
//! The rule: a destination is parsed once, from what the configuration passes in; nothing here reads the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use super::error::LakeError;

/// For one request: a part of some megabytes over a slow line needs more than the usual half minute.
const REQUEST_TIMEOUT: &str = "120s";

/// A parsed destination.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Where: ends with `/`, so that a relative path can be joined.
    root: Url,
    place: Place,
    s3: S3Settings,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    Bucket(String),
}

/// How S3-compatible storage is reached; what is absent here comes from `aws`.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// The server, for storage that is not Amazon's.
    pub endpoint: Option<String>,
    /// The region; needed by Amazon, ignored by most others.
    pub region: Option<String>,
    /// The bucket in the path of a request rather than in the host name.
    pub path_style: Option<bool>,
    /// Accept an endpoint without TLS.
    pub allow_http: Option<bool>,
    /// The usual `AWS_*` variables by name, credentials among them.
    pub aws: BTreeMap<String, String>,
}

impl fmt::Debug for S3Settings {
    /// Names the variables, never their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .field("allow_http", &self.allow_http)
            .field("aws", &self.aws.keys())
            .finish()
    }
}

/// A destination that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Neither a folder nor an S3 address.
    #[error("`{0}` is neither a folder nor an address like s3://bucket/prefix")]
    Unknown(String),
    /// An S3 address without a bucket, or with parts it cannot have; not repeated, for it may hold credentials.
    #[error("an S3 address must have the form s3://bucket/prefix, without user, port, query or fragment")]
    NotABucket,
}

impl Destination {
    /// Parses `s3://bucket/prefix`, `file:///folder` or a folder's path; a relative path is taken from `base`.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn parse(text: &str, base: &Path, s3: S3Settings) -> Result<Self, DestinationError> {
        let unknown = || DestinationError::Unknown(text.to_owned());
        if !text.contains("://") {
            if text.is_empty() {
                return Err(unknown());
            }
            return Self::folder(&base.join(text), s3).ok_or_else(unknown);
        }
        let url = Url::parse(text).map_err(|_| unknown())?;
        match url.scheme() {
            "file" => Self::folder(&url.to_file_path().map_err(|()| unknown())?, s3).ok_or_else(unknown),
            "s3" | "s3a" => Self::bucket(&url, s3),
            _ => Err(unknown()),
        }
    }

    fn folder(path: &Path, s3: S3Settings) -> Option<Self> {
        let path = normal(&std::path::absolute(path).ok()?);
        let root = Url::from_directory_path(&path).ok()?;
        Some(Self { root, place: Place::Folder(path), s3 })
    }

    fn bucket(url: &Url, s3: S3Settings) -> Result<Self, DestinationError> {
        let plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
        if !plain || url.query().is_some() || url.fragment().is_some() || url.path().contains("//") {
            return Err(DestinationError::NotABucket);
        }
        let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or(DestinationError::NotABucket)?.to_owned();
        let prefix = url.path().trim_matches('/');
        let address = if prefix.is_empty() { format!("s3://{bucket}/") } else { format!("s3://{bucket}/{prefix}/") };
        let root = Url::parse(&address).map_err(|_| DestinationError::NotABucket)?;
        Ok(Self { root, place: Place::Bucket(bucket), s3 })
    }

    /// The address of the root, ending with `/`.
    #[must_use]
    pub fn root(&self) -> &Url {
        &self.root
    }

    /// Connects, without a request; creates the folder of a local destination.
    pub(super) fn connect(&self) -> Result<Arc<dyn ObjectStore>, LakeError> {
        match &self.place {
            Place::Folder(path) => {
                std::fs::create_dir_all(path).map_err(|error| LakeError::io(path.display().to_string(), &error))?;
                Ok(Arc::new(LocalFileSystem::new().with_fsync(true)))
            }
            Place::Bucket(bucket) => {
                let store = self.s3.builder(bucket).build();
                Ok(Arc::new(store.map_err(|error| LakeError::store(self.root.as_str(), &error))?))
            }
        }
    }
}

impl S3Settings {
    fn builder(&self, bucket: &str) -> AmazonS3Builder {
        let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
        let mut builder = AmazonS3Builder::new().with_config(timeout, REQUEST_TIMEOUT);
        for (name, value) in &self.aws {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(path_style) = self.path_style {
            builder = builder.with_virtual_hosted_style_request(!path_style);
        }
        if let Some(allow_http) = self.allow_http {
            builder = builder.with_allow_http(allow_http);
        }
        builder.with_bucket_name(bucket).with_conditional_put(S3ConditionalPut::ETagMatch).with_retry(retries())
    }
}

/// The one layer that repeats a request to the store: about a minute in all.
fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(10), base: 2.0 };
    RetryConfig { backoff, max_retries: 8, retry_timeout: Duration::from_secs(120) }
}

/// The path without `.` and `..`, which an address cannot keep.
fn normal(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Result<String, DestinationError> {
        Destination::parse(text, Path::new("/srv/etl"), S3Settings::default()).map(|d| d.root().to_string())
    }

    #[test]
    fn folders_and_buckets_are_told_apart() {
        assert_eq!(root("./lake").unwrap(), "file:///srv/etl/lake/");
        assert_eq!(root("../a b/lake/").unwrap(), "file:///srv/a%20b/lake/");
        assert_eq!(root("/data/lake").unwrap(), "file:///data/lake/");
        assert_eq!(root("file:///data/lake").unwrap(), "file:///data/lake/");
        assert_eq!(root("s3://acme-lake/kustomer").unwrap(), "s3://acme-lake/kustomer/");
        assert_eq!(root("s3://acme-lake").unwrap(), "s3://acme-lake/");
        assert_eq!(root("s3://acme-lake/a/b/").unwrap(), "s3://acme-lake/a/b/");
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["", "gs://bucket/a", "http://host/a", "s3://"] {
            assert!(root(text).is_err(), "{text}");
        }
        assert!(matches!(root("s3://key:secret@bucket/a"), Err(DestinationError::NotABucket)));
        assert!(matches!(root("s3://bucket/a?x=1"), Err(DestinationError::NotABucket)));
    }

    #[test]
    fn settings_are_shown_without_their_values() {
        let aws = BTreeMap::from([("AWS_SECRET_ACCESS_KEY".to_owned(), "hidden".to_owned())]);
        let shown = format!("{:?}", S3Settings { aws, ..S3Settings::default() });
        assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hidden"));
    }
}
