//! Storage that fails in mid-run: told with its place and what to do, nothing half visible, and the next run is right.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use kustlake::clock::{Clock, SystemClock};
use kustlake_sim::{Context, Mutation, Op, Switches, WorldSpec};

use crate::parts::{BUCKET, Storage};
use crate::relay::Relay;
use crate::small_disk::{SmallDisk, is_root};
use crate::support::{Ended, Org, TOKEN, entity};
use crate::tables::{assert_complete, assert_complete_in, open, versions};
use crate::witness::{assert_true, seen};

const CORE: [&str; 4] = ["conversations", "customers", "messages", "notes"];

/// Nearly every record changes, and settles.
fn change_everything(org: &Org, seed: u64) {
    for context in [Context::Customer, Context::Conversation, Context::Message, Context::Note] {
        org.sim.mutate(Mutation { context, op: Op::Update, count: 1_500, seed }).unwrap();
        org.sim.mutate(Mutation { context, op: Op::Create, count: 300, seed }).unwrap();
    }
    org.sim.clock().advance(10 * 60_000);
}

fn assert_told(ended: &Ended, problem: &str, place: &str) {
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, 5, "{told}");
    assert!(told.contains(problem) && told.contains(place), "{told}");
}

/// An organisation whose lake lies on a disk of a few megabytes.
async fn on_a_small_disk(world: WorldSpec) -> (Org, SmallDisk) {
    let org = Org::new(world, Switches::unlimited()).await;
    let disk = SmallDisk::new(&org.path("disk"), "6m");
    org.configure_at(&format!("  url: {}", org.path("disk/lake").display()), "", "");
    org.sim.clock().advance(10 * 60_000);
    assert_eq!(run_on(&org, &disk, "run").await.code, 0);
    disk.copy_out("lake");
    (org, disk)
}

async fn run_on(org: &Org, disk: &SmallDisk, command: &str) -> Ended {
    let mut command = disk.inside(&org.command(&[command]), org.folder.path());
    tokio::task::spawn_blocking(move || Ended::from(command.output().unwrap())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_mid_run_harms_nothing_and_is_told() {
    let (org, disk) = on_a_small_disk(WorldSpec::of_messages(2_000)).await;
    let address = org.path("disk/lake").display().to_string();
    let (lake, before) = (open(&org.path("disk/lake")), seen(&address, None, &CORE));
    let versions_before = versions(&lake).await;
    change_everything(&org, 1);
    let ballast = disk.fill(160 * 1024);
    let ended = run_on(&org, &disk, "run").await;
    assert_told(&ended, "no space is left", ".parquet");
    let report = ended.report();
    let read: u64 = report["entities"].as_array().unwrap().iter().filter_map(|entity| entity["read"].as_u64()).sum();
    assert!(read > 0, "it failed before it had read anything: {report:#}");
    // What was committed before the disk was full is whole, and everything else as it was.
    disk.copy_out("lake");
    let after = seen(&address, None, &CORE);
    for table in CORE {
        assert_eq!(after["deltalake"][table]["records"], after["polars"][table]["records"], "{table}");
    }
    let mut untouched = 0;
    for (table, version) in &versions(&lake).await {
        let (told, commits) = (entity(&report, table), version - versions_before[table]);
        // The answer to a last commit may have come when nobody waited for it any more.
        let unanswered = u64::from(told["outcome"] == "stopped");
        let told = told["commits"].as_u64().unwrap();
        assert!(told <= commits && commits <= told + unanswered, "{table}: {commits} commits: {report:#}");
        if commits == 0 {
            untouched += 1;
            assert_eq!(after["deltalake"][table], before["deltalake"][table], "{table}");
        }
    }
    assert!(untouched > 0, "{report:#}");
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(run_on(&org, &disk, "run").await.code, 0);
    disk.copy_out("lake");
    assert_true(&org.sim, &address, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_system_is_told() {
    let (org, mut disk) = on_a_small_disk(WorldSpec::of_messages(100)).await;
    disk.make_read_only();
    for command in ["check", "run"] {
        assert_told(&run_on(&org, &disk, command).await, "read-only", "lake");
    }
    disk.copy_out("lake");
    assert_complete(&org.sim, &org.path("disk/lake"), "read-only").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_may_not_be_written_is_told() {
    let org = Org::new(WorldSpec::of_messages(100), Switches::unlimited()).await;
    org.sim.clock().advance(10 * 60_000);
    org.report(&["run"]).await;
    let own = org.lake().join("_kustlake");
    std::fs::set_permissions(&own, PermissionsExt::from_mode(0o555)).unwrap();
    // Root may write everywhere unless it gives that right up.
    let program = env!("CARGO_BIN_EXE_kustlake");
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-dac_override,-dac_read_search", program]);
        command
    } else {
        Command::new(program)
    };
    command
        .arg("run")
        .current_dir(org.folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("KUSTOMER_API_KEY", TOKEN);
    let output = command.stdin(Stdio::null()).output();
    assert_told(&Ended::from(output.unwrap()), "access is denied", "lake");
    std::fs::set_permissions(&own, PermissionsExt::from_mode(0o755)).unwrap();
    org.report(&["run"]).await;
    assert_complete(&org.sim, &org.lake(), "denied").await;
}

/// A run into a bucket that is under way: so many requests are answered.
async fn under_way(org: &Org, requests: u64) -> std::process::Child {
    org.sim.reset_stats();
    let mut child = org.start(&["run"]);
    while org.sim.stats().requests < requests {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        SystemClock::new().sleep(Duration::from_millis(5)).await;
    }
    child
}

async fn end_of(child: std::process::Child) -> Ended {
    tokio::task::spawn_blocking(move || Ended::from(child.wait_with_output().unwrap())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_revoked_in_mid_run_are_told_and_what_is_committed_stays() {
    let mut storage = Storage::start();
    let mut org = Org::new(WorldSpec::of_messages(600), Switches { latency_ms: 100, ..Switches::unlimited() }).await;
    org.configure_at(&storage.destination(BUCKET), "", "");
    storage.admit(&mut org);
    org.sim.clock().advance(10 * 60_000);
    org.report(&["run"]).await;
    let before = versions(&storage.lake()).await;
    change_everything(&org, 1);
    let child = under_way(&org, 3).await;
    storage.revoke_or_renew();
    let ended = end_of(child).await;
    assert_eq!(ended.code, 5, "{ended:#?}");
    assert!(ended.stdout.contains("AWS_ACCESS_KEY_ID") || ended.stdout.contains("grant the right"), "{ended:#?}");
    storage.revoke_or_renew();
    let after = versions(&storage.lake()).await;
    assert!(before.iter().zip(&after).all(|(before, after)| before <= after), "{before:?} {after:?}");
    storage.admit(&mut org);
    org.report(&["run"]).await;
    assert_complete_in(&org.sim, &storage.lake(), &CORE, "after the key was renewed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_that_never_answers_ends_the_run_after_a_while() {
    let storage = Storage::start();
    let relay = Relay::to(&storage.endpoint).await;
    let mut org = Org::new(WorldSpec::of_messages(600), Switches { latency_ms: 100, ..Switches::unlimited() }).await;
    org.configure_at(&Storage::destination_at(&relay.endpoint, BUCKET), "", "");
    storage.admit(&mut org);
    // Otherwise one request is waited for as long as a slow line may take.
    org.set("AWS_TIMEOUT", "1s");
    org.sim.clock().advance(10 * 60_000);
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let child = under_way(&org, 3).await;
    relay.hang();
    let ended = end_of(child).await;
    assert_told(&ended, "cannot be reached", "what is committed is safe");
    let took = clock.monotonic().saturating_sub(began);
    assert!(took < Duration::from_secs(150), "{took:?}");
    relay.go_on();
    org.report(&["run"]).await;
    assert_complete_in(&org.sim, &storage.lake(), &CORE, "after the storage answered again").await;
    assert!(open(&org.lake()).tables().await.unwrap().is_empty(), "nothing is kept elsewhere");
}
