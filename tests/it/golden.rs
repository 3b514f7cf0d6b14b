//! A lake as the first version of every stored format left it: read, and gone on with.
//!
//! `tests/golden/lake-1` holds tables, state, budget, report and the lease of a run that was killed, all of invented
//! records. A format that changes gets a folder of its own; this one stays. `KUSTLAKE_TEST_GOLDEN=1` writes it anew.

use std::path::Path;
use std::time::{Duration, SystemTime};

use kustlake_sim::{ClockSpec, Context, Mutation, Op, Switches, WorldSpec};
use serde_json::json;

use crate::parts::source;
use crate::support::{Org, entity, size};
use crate::tables::{TABLES, difference, rows, truth};

const GOLDEN: &str = "tests/golden/lake-1";
/// 2026-11-20T12:00:00Z, the present of the organisation when its lake was written.
const PRESENT: i64 = 1_795_176_000_000;
const MINUTE: i64 = 60_000;

/// The organisation whose lake is kept, as it was then.
async fn organisation() -> Org {
    let clock = ClockSpec { start: PRESENT, frozen: true, ..ClockSpec::default() };
    let switches = Switches::unlimited();
    let org = Org::with_clock(WorldSpec { seed: 5, ..WorldSpec::of_messages(60) }, switches, clock).await;
    org.configure("", "pipelines: {messages: {}, users: {}}");
    org
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Writes the golden lake: what a run, a backfill and a run that was killed leave.
async fn write(org: &Org) {
    let folder = source(GOLDEN);
    let _ = std::fs::remove_dir_all(&folder);
    org.report(&["run"]).await;
    org.report(&["backfill", "--start-date", "2026-10-01", "--end-date", "2026-11-01", "--only", "messages"]).await;
    let lease = json!({
        "version": 1, "holder": "run 5f0c2d9e-7a41-4f6b-9d3e-3c1b8a6e2d70", "token": "5f0c2d9e", "heartbeats": 3,
        "since": "2026-11-20T12:00:00Z", "heartbeat_at": "2026-11-20T12:01:00Z", "process": {
            "boot": "an-earlier-boot", "pid_namespace": "pid:[1]", "user": 0, "pid": 4711, "started": 1,
        },
    });
    std::fs::write(org.lake().join("_kustlake/lease.json"), lease.to_string()).unwrap();
    // It names files by where they lay, and is written anew.
    std::fs::remove_file(org.lake().join("views.sql")).unwrap();
    copy(&org.lake(), &folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_the_first_formats_is_gone_on_with() {
    let org = organisation().await;
    org.sim.clock().advance(10 * MINUTE);
    if size("KUSTLAKE_TEST_GOLDEN", 0) > 0 {
        write(&org).await;
        std::fs::remove_dir_all(org.lake()).unwrap();
    }
    copy(&source(GOLDEN), &org.lake());
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let lease = std::fs::File::options().write(true).open(org.lake().join("_kustlake/lease.json")).unwrap();
    lease.set_modified(long_ago).unwrap();

    let state = org.run(&["state", "show"]).await;
    assert!(state.code == 0 && state.stdout.contains("\"version\": 1"), "{state:#?}");
    let status = org.report(&["status"]).await;
    let messages = status["tables"].as_array().unwrap().iter().find(|table| table["entity"] == "messages").unwrap();
    assert_eq!((&messages["cursor"], &messages["rows"]), (&json!("2026-11-20T12:05:00.000Z"), &json!(60)), "{status}");
    let runs = org.report(&["report"]).await;
    let commands: Vec<_> = runs["runs"].as_array().unwrap().iter().map(|run| run["command"].clone()).collect();
    assert_eq!(commands, ["run", "backfill"]);

    org.sim.mutate(Mutation { context: Context::Message, op: Op::Update, count: 5, seed: 1 }).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    let report = org.report(&["run"]).await;
    let told = entity(&report, "messages");
    assert_eq!(told["updated"], 5, "{report}");
    assert!(told["read"].as_u64().unwrap() < 60, "the cursor was not understood: {report}");
    for (context, name) in TABLES.into_iter().filter(|(_, name)| ["messages", "users"].contains(name)) {
        let difference = difference(&rows(&org.lake(), name).await, &truth(&org.sim, context));
        assert!(difference.is_empty(), "{name}: {difference}");
    }
    // The backfill's window is known as done.
    let again = ["backfill", "--start-date", "2026-10-01", "--end-date", "2026-11-01", "--only", "messages"];
    assert_eq!(entity(&org.report(&again).await, "messages")["read"], 0);
}
