//! A lake on S3-compatible storage: one server keeps what a lake relies on, the other does not.

use kustlake_sim::{Switches, WorldSpec};

use crate::local_lake::change;
use crate::parts::{BUCKET, Storage, source};
use crate::support::Org;
use crate::witness::assert_true;

async fn organisation(storage: &Storage) -> Org {
    let mut org = Org::new(WorldSpec::of_messages(300), Switches::unlimited()).await;
    org.configure_at(&storage.destination(BUCKET), "", "");
    storage.admit(&mut org);
    org
}

/// The configuration of the repository, with this source and this destination in it.
fn configure_as_shipped(org: &Org, destination: &str) {
    let shipped = std::fs::read_to_string(source("pipelines.yaml")).unwrap();
    let source = format!("  base_url: {}\n", org.sim.base_url());
    let text =
        shipped.replacen("  org: acme\n", &source, 1).replacen("  url: ./lake\n", &format!("{destination}\n"), 1);
    assert!(text.contains(&source) && text.contains(destination));
    std::fs::write(org.path("pipelines.yaml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_configuration_loads_into_a_bucket_that_every_reader_can_read() {
    let storage = Storage::start();
    let org = organisation(&storage).await;
    configure_as_shipped(&org, &storage.destination(BUCKET));
    let lake = format!("s3://{BUCKET}/kustomer");
    let checked = org.run(&["check"]).await;
    assert_eq!(checked.code, 0, "{checked:#?}");
    for seed in [1, 2] {
        change(&org.sim, seed);
        org.report(&["run"]).await;
        assert_true(&org.sim, &lake, Some(&storage));
    }
    assert!(!org.lake().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_told_and_not_shown() {
    let storage = Storage::start();
    let mut org = organisation(&storage).await;
    let wrong = format!("{}0", storage.secret);
    org.set("AWS_SECRET_ACCESS_KEY", &wrong);
    for command in ["check", "run", "status"] {
        let ended = org.run(&[command, "--log-level", "debug"]).await;
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, 5, "{told}");
        assert!(told.contains("AWS_SECRET_ACCESS_KEY"), "{told}");
        assert!(!told.contains(&storage.secret) && !told.contains(&storage.key), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_bucket_is_told() {
    let storage = Storage::start();
    let org = organisation(&storage).await;
    org.configure_at(&storage.destination("no-such-bucket"), "", "");
    for command in ["check", "run"] {
        let ended = org.run(&[command]).await;
        assert_eq!(ended.code, 5, "{ended:#?}");
        assert!(ended.stdout.contains("no-such-bucket"), "{ended:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_that_is_not_there_is_told() {
    let storage = Storage::start();
    let org = organisation(&storage).await;
    let endpoint = storage.endpoint.clone();
    drop(storage);
    let ended = org.run(&["check"]).await;
    assert_eq!(ended.code, 5, "{ended:#?}");
    assert!(ended.stdout.contains(&endpoint) || ended.stdout.contains(BUCKET), "{ended:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_that_overwrites_commits_is_refused_with_a_word_on_what_to_use() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::start_weak(folder.path());
    let org = organisation(&storage).await;
    for command in ["check", "run"] {
        let ended = org.run(&[command]).await;
        assert_eq!(ended.code, 5, "{ended:#?}");
        assert!(ended.stdout.contains("create-only puts") && ended.stdout.contains("commits: lease"), "{ended:#?}");
    }
    let left = std::fs::read_dir(folder.path().join(BUCKET)).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind");
}
