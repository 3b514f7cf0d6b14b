//! Programs that are not ours: readers of the tables and storage servers, from `.venv/`, which `tests/run` fills.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use kustlake::clock::{Entropy, SystemClock};
use kustlake::lake::{Destination, Lake, S3Settings};
use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use serde_json::Value;

use crate::support::{Ended, Org};

/// The bucket that every storage server has.
pub(crate) const BUCKET: &str = "lake";

/// A file of the source tree.
pub(crate) fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file below `.venv/`.
pub(crate) fn installed(path: &str) -> PathBuf {
    let file = source(".venv").join(path);
    assert!(file.exists(), "{} is missing: `tests/run` installs it", file.display());
    file
}

/// The Python that has the readers.
pub(crate) fn python() -> Command {
    Command::new(installed("readers/bin/python"))
}

/// Runs a program of somebody else, which must succeed.
pub(crate) fn succeed(command: &mut Command) -> Ended {
    let ended = Ended::from(command.stdin(Stdio::null()).output().unwrap());
    assert_eq!(ended.code, 0, "{ended:#?}");
    ended
}

/// Bash with our program, DuckDB's and the readers' Python in its path. DuckDB finds its extensions at home.
pub(crate) fn shell(folder: &Path) -> Command {
    let home = folder.join("home");
    let platform = if cfg!(target_arch = "aarch64") { "linux_arm64" } else { "linux_amd64" };
    let extensions = home.join(".duckdb/extensions/v1.5.5").join(platform);
    std::fs::create_dir_all(&extensions).unwrap();
    for name in ["delta", "httpfs"] {
        let file = format!("{name}.duckdb_extension");
        let packages = installed("readers/lib").read_dir().unwrap().next().unwrap().unwrap().path();
        let package = packages.join(format!("site-packages/duckdb_extension_{name}/extensions/v1.5.5/{file}"));
        std::fs::copy(package, extensions.join(file)).unwrap();
    }
    let ours = Path::new(env!("CARGO_BIN_EXE_kustlake")).parent().unwrap();
    let path = std::env::join_paths([ours, &installed("readers/bin"), Path::new("/usr/bin"), Path::new("/bin")]);
    let mut command = Command::new("bash");
    command.current_dir(folder).env_clear().env("HOME", home).env("PATH", path.unwrap());
    command.args(["--noprofile", "--norc", "-euo", "pipefail"]);
    command
}

/// An S3-compatible server on loopback, by somebody else; it ends when this is dropped.
pub(crate) struct Storage {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) endpoint: String,
    pub(crate) key: String,
    pub(crate) secret: String,
}

impl Storage {
    /// A server that checks signatures and permissions, and keeps the promise of create-only puts.
    pub(crate) fn start() -> Self {
        Self::await_start(python().arg(source("tests/storage.py")).arg(BUCKET))
    }

    /// A server that accepts create-only puts and overwrites all the same.
    pub(crate) fn start_weak(folder: &Path) -> Self {
        let (script, module) = (source("tests/weak_storage.js"), installed("s3rver/node_modules/s3rver"));
        Self::await_start(Command::new("node").args([&script, &module]).arg(folder).arg(BUCKET))
    }

    fn await_start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a server");
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (endpoint, key, secret) = (String::new(), String::new(), String::new());
        let mut storage = Self { child, input, output, endpoint, key, secret };
        storage.hear();
        storage
    }

    fn hear(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).expect("the server tells where it listens");
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        self.endpoint = text("endpoint");
        (self.key, self.secret) = (text("access_key_id"), text("secret_access_key"));
    }

    /// Takes the right to use the server away; the next call gives it back, under another key.
    pub(crate) fn revoke_or_renew(&mut self) {
        self.input.write_all(b"\n").unwrap();
        self.hear();
    }

    /// The bucket, as another program sees it.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        let builder = AmazonS3Builder::new().with_endpoint(&self.endpoint).with_allow_http(true);
        let builder = builder.with_access_key_id(&self.key).with_secret_access_key(&self.secret);
        let builder = builder.with_region("us-east-1").with_bucket_name(BUCKET);
        Arc::new(builder.with_conditional_put(S3ConditionalPut::ETagMatch).build().unwrap())
    }

    /// The lake at [`Self::destination`].
    pub(crate) fn lake(&self) -> Lake {
        let aws = [("AWS_ACCESS_KEY_ID", &self.key), ("AWS_SECRET_ACCESS_KEY", &self.secret)];
        let s3 = S3Settings {
            endpoint: Some(self.endpoint.clone()),
            region: Some("us-east-1".to_owned()),
            path_style: Some(true),
            allow_http: Some(true),
            aws: aws.map(|(name, value)| (name.to_owned(), value.clone())).into(),
        };
        let destination = Destination::parse(&format!("s3://{BUCKET}/kustomer"), Path::new("."), s3).unwrap();
        Lake::open(&destination, Arc::new(SystemClock::new()), Arc::new(Entropy::system())).unwrap()
    }

    /// The lines below `destination:` for a prefix of a bucket.
    pub(crate) fn destination(&self, bucket: &str) -> String {
        Self::destination_at(&self.endpoint, bucket)
    }

    /// The same by another way to the server.
    pub(crate) fn destination_at(endpoint: &str, bucket: &str) -> String {
        format!(
            "  url: s3://{bucket}/kustomer\n  s3: {{endpoint: {endpoint}, region: us-east-1, path_style: true, allow_http: true}}"
        )
    }

    /// Gives an organisation's commands the credentials of this server.
    pub(crate) fn admit(&self, org: &mut Org) {
        org.set("AWS_ACCESS_KEY_ID", &self.key);
        org.set("AWS_SECRET_ACCESS_KEY", &self.secret);
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
