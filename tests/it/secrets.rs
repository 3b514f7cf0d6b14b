//! Neither the API key nor the storage's secret is ever written anywhere, whatever happens.

use std::path::Path;

use futures::TryStreamExt;
use kustlake_sim::{Every, Switches, TokenSpec, WorldSpec};
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::local_lake::change;
use crate::parts::{BUCKET, Storage};
use crate::support::{Ended, Org};

/// An invented key that the simulator accepts; nothing else has these characters in a row.
const KEY: &str = "eyJhbGciOiJub25lIn0.aW52ZW50ZWQta2V5LW9mLWEtdGVzdA.c2lnbmVk";

/// An organisation that knows the key, has the given roles for it, and fails now and then.
async fn organisation(roles: Option<&[&str]>) -> Org {
    let faults = Switches {
        server_error: Every { n: 20, run: 1, skip: 2 },
        html_error: Every { n: 31, run: 1, skip: 2 },
        drop_midway: Every { n: 43, run: 1, skip: 2 },
        ..Switches::unlimited()
    };
    let mut org = Org::new(WorldSpec::of_messages(60), faults).await;
    let all = TokenSpec::default();
    let roles = roles.map_or(all.roles.clone(), |roles| roles.iter().map(|role| (*role).to_owned()).collect());
    org.sim.add_token(TokenSpec { token: KEY.to_owned(), roles, ..all });
    org.set("KUSTOMER_API_KEY", KEY);
    change(&org.sim, 1);
    org
}

/// Runs a command as talkative as it gets, and asserts its exit code and that it does not show the secrets.
async fn silent(org: &Org, args: &[&str], code: i32, secrets: &[&str]) -> Ended {
    let args: Vec<_> = args.iter().copied().chain(["--log-level", "debug"]).collect();
    let ended = org.run(&args).await;
    assert_eq!(ended.code, code, "{args:?}: {}", ended.stdout);
    for secret in secrets {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{args:?} shows a secret");
    }
    ended
}

/// Asserts that no file of a folder has any of the texts in it.
fn assert_unwritten(folder: &Path, secrets: &[&str]) -> usize {
    let mut files = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += assert_unwritten(&path, secrets);
        } else {
            assert_absent(&std::fs::read(&path).unwrap(), secrets, &path.display().to_string());
            files += 1;
        }
    }
    files
}

fn assert_absent(bytes: &[u8], secrets: &[&str], place: &str) {
    for secret in secrets {
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "a secret stands in {place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_works_is_not_shown() {
    let org = organisation(None).await;
    for command in ["check", "plan", "run", "run", "status", "views"] {
        silent(&org, &[command], 0, &[KEY]).await;
    }
    silent(&org, &["backfill", "--start-date", "2026-01-01"], 0, &[KEY]).await;
    assert!(assert_unwritten(org.folder.path(), &[KEY]) > 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_is_not_shown() {
    let mut org = organisation(Some(&["org.permission.note.read", "org.permission.search.create"])).await;
    let ended = silent(&org, &["run"], 6, &[KEY]).await;
    assert!(ended.stdout.contains("lacks a role"), "{}", ended.stdout);
    let ended = silent(&org, &["check"], 6, &[KEY]).await;
    assert!(ended.stdout.contains("org.permission.message.read"), "{}", ended.stdout);
    assert!(org.path("lake/notes").exists());
    assert!(!org.path("lake/messages").exists(), "a table of what could not be read");

    let unknown = format!("{KEY}-revoked");
    org.set("KUSTOMER_API_KEY", &unknown);
    for command in ["check", "plan", "run"] {
        silent(&org, &[command], 3, &[KEY]).await;
    }
    org.set("KUSTOMER_API_KEY", &format!("{KEY}\n{KEY}"));
    let ended = silent(&org, &["run"], 2, &[KEY]).await;
    assert!(ended.stdout.contains("copied whole"), "{}", ended.stdout);
    assert_unwritten(org.folder.path(), &[KEY]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_configuration_is_refused_and_not_shown() {
    let org = organisation(None).await;
    org.configure(&format!("  api_key: {KEY}"), "");
    silent(&org, &["run"], 2, &[KEY]).await;
    org.configure("", &format!("api_key: {KEY}"));
    silent(&org, &["run"], 2, &[KEY]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_be_reached_is_told_without_the_key() {
    let mut org = organisation(None).await;
    // Nobody speaks TLS there; a refused connection ends likewise, but is tried for longer.
    let text = std::fs::read_to_string(org.path("pipelines.yaml")).unwrap();
    std::fs::write(org.path("pipelines.yaml"), text.replace("http://", "https://")).unwrap();
    org.set("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI-invented");
    let ended = silent(&org, &["run"], 6, &[KEY, "wJalrXUtnFEMI-invented"]).await;
    assert!(ended.stdout.contains("127.0.0.1"), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_the_storage_is_neither_shown_nor_stored() {
    let storage = Storage::start();
    let mut org = organisation(None).await;
    org.configure_at(&storage.destination(BUCKET), "", "");
    storage.admit(&mut org);
    let secrets = [KEY, &storage.secret];
    for command in ["check", "run", "run", "status", "views"] {
        silent(&org, &[command], 0, &secrets).await;
    }
    let bucket = AmazonS3Builder::new()
        .with_endpoint(&storage.endpoint)
        .with_allow_http(true)
        .with_bucket_name(BUCKET)
        .with_region("us-east-1")
        .with_access_key_id(&storage.key)
        .with_secret_access_key(&storage.secret)
        .build()
        .unwrap();
    let objects: Vec<_> = bucket.list(None).try_collect().await.unwrap();
    assert!(objects.len() > 20);
    for object in objects {
        let bytes = bucket.get(&object.location).await.unwrap().bytes().await.unwrap();
        assert_absent(&bytes, &[KEY, &storage.secret, &storage.key], object.location.as_ref());
    }
    assert_unwritten(org.folder.path(), &secrets);
}
