//! What people and machines do wrong: a message that helps, the right exit code, nothing half done.

use kustlake::run::{Command, Exit};
use kustlake_sim::{Context, Mutation, Op, Switches, TokenSpec, WorldSpec};
use serde_json::{Value, json};

use crate::support::{Ended, Org, TOKEN, eager, entity, program};
use crate::tables::{assert_complete, rows};

const MINUTE: i64 = 60_000;

async fn org() -> Org {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.sim.clock().advance(10 * MINUTE);
    org
}

#[track_caller]
fn assert_told(ended: &Ended, code: i32, told: &[&str]) {
    assert_eq!(ended.code, code, "{ended:#?}");
    for part in told {
        assert!(ended.stderr.contains(part) || ended.stdout.contains(part), "`{part}` in {ended:#?}");
    }
    assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_the_configuration_are_told_all_at_once_before_any_request() {
    let org = org().await;
    org.configure(
        "  settle: soon\n  concurency: 2",
        "pipelines: {messages: {mode: sometimes}, mesages: {mode: update}}",
    );
    let ended = org.run(&["run"]).await;
    let told =
        ["pipelines.yaml:6: source.settle", "source.concurency", "concurrency", "pipelines.messages.mode", "mesages"];
    assert_told(&ended, 2, &told);
    assert_eq!(org.sim.stats().requests, 0);
    assert!(!org.lake().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_not_set_is_named() {
    let org = org().await;
    let ended = tokio::task::spawn_blocking({
        let mut command = program(org.folder.path());
        command.arg("run");
        move || Ended::from(command.output().unwrap())
    });
    assert_told(&ended.await.unwrap(), 2, &["KUSTOMER_API_KEY", "is not set"]);
    std::fs::remove_file(org.path("pipelines.yaml")).unwrap();
    assert_told(&org.run(&["run"]).await, 2, &["pipelines.yaml", "kustlake init"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_ends_the_run_and_is_never_shown() {
    let mut org = org().await;
    org.set("KUSTOMER_API_KEY", "wrong-invented-key");
    let ended = org.run(&["run"]).await;
    assert_told(&ended, 3, &["not accepted (status 401)", "Check the API key"]);
    assert!(!format!("{ended:?}").contains("wrong-invented-key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_in_mid_run_keeps_what_is_committed() {
    let org = Org::new(WorldSpec::of_messages(9_000), Switches { latency_ms: 5, ..Switches::unlimited() }).await;
    org.sim.clock().advance(10 * MINUTE);
    org.configure("  concurrency: 1", "");
    let running = org.run(&["run"]);
    let expiring = async {
        // Conversations, the first in the file, are committed by now.
        while rows(&org.lake(), "conversations").await.len() < 1_500 {
            tokio::task::yield_now().await;
        }
        let expires_at = Some(org.sim.clock().now());
        org.sim.add_token(TokenSpec { expires_at, ..TokenSpec::default() });
    };
    let (ended, ()) = tokio::join!(running, expiring);
    assert_told(&ended, 3, &["the API key has expired"]);
    let before = rows(&org.lake(), "conversations").await.len();
    assert!(before >= 1_500);
    org.sim.add_token(TokenSpec::default());
    org.report(&["run"]).await;
    assert_complete(&org.sim, &org.lake(), "with a good key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_role_fails_its_entity_which_is_loaded_from_its_start_once_it_is_granted() {
    let org = org().await;
    let mut token = TokenSpec::default();
    token.roles.retain(|role| !role.contains(".note.") && !role.contains(".user."));
    org.sim.add_token(token);
    let ended = org.run(&["run"]).await;
    assert_told(&ended, 6, &["not permitted (status 403)", "lacks a role", "org.permission.note.read"]);
    let report = ended.report();
    for name in ["conversations", "customers", "messages"] {
        assert_eq!(entity(&report, name)["outcome"], "complete", "{name}");
    }
    assert_eq!(entity(&report, "notes")["outcome"], "failed");
    org.sim.mutate(Mutation { context: Context::Note, op: Op::Update, count: 9, seed: 1 }).unwrap();
    org.sim.clock().advance(60 * MINUTE);
    assert_eq!(org.run(&["run"]).await.code, 6);
    org.sim.add_token(TokenSpec::default());
    let report = org.report(&["run"]).await;
    assert_complete(&org.sim, &org.lake(), "with the role").await;
    assert_eq!(entity(&report, "users")["inserted"], org.sim.truth(Context::User).len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cannot_be_reached_is_named() {
    let org = org().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = std::fs::read_to_string(org.path("pipelines.yaml")).unwrap();
    let text = text.replace(&org.sim.base_url(), &format!("http://{free}"));
    std::fs::write(org.path("pipelines.yaml"), text).unwrap();
    let error = org.inside(Command::Run, &eager()).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Partial);
    for part in ["127.0.0.1", "the connection was refused", "base URL"] {
        assert!(error.to_string().contains(part), "`{part}` in {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_that_cannot_be_written_ends_the_run_before_it_asks_the_source() {
    let org = org().await;
    std::fs::write(org.path("file"), "in the way").unwrap();
    let text = std::fs::read_to_string(org.path("pipelines.yaml")).unwrap();
    for place in ["./file/lake", "/proc/kustlake"] {
        std::fs::write(org.path("pipelines.yaml"), text.replace("./lake", place)).unwrap();
        assert_told(&org.run(&["run"]).await, 5, &[place.trim_start_matches("./")]);
    }
    assert_eq!(org.sim.stats().requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_absent_is_created() {
    let org = org().await;
    let text = std::fs::read_to_string(org.path("pipelines.yaml")).unwrap();
    std::fs::write(org.path("pipelines.yaml"), text.replace("./lake", "./one/two/three")).unwrap();
    org.report(&["run"]).await;
    assert_complete(&org.sim, &org.path("one/two/three"), "in a new folder").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_may_not_grow_commit_nothing_half_and_the_next_run_completes() {
    let org = Org::new(WorldSpec::of_messages(20_000), Switches::unlimited()).await;
    org.sim.clock().advance(10 * MINUTE);
    let binary = org.command(&["run"]);
    // Files end after 256 KiB (in blocks of 512 bytes), and writing on fails instead of killing.
    let script = format!("trap '' XFSZ; ulimit -f 512; exec {:?} run", binary.get_program());
    let mut limited = std::process::Command::new("sh");
    limited.current_dir(org.folder.path()).env_clear().env("KUSTOMER_API_KEY", TOKEN).args(["-c", &script]);
    let ended = tokio::task::spawn_blocking(move || Ended::from(limited.output().unwrap())).await.unwrap();
    assert_told(&ended, 5, &["no space is left", "File too large"]);
    for (_, name) in crate::tables::TABLES {
        assert!(rows(&org.lake(), name).await.values().all(|versions| versions.len() == 1), "{name}");
    }
    org.report(&["run"]).await;
    assert_complete(&org.sim, &org.lake(), "with room").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_may_be_lost_or_damaged_but_not_newer() {
    let org = org().await;
    org.report(&["run"]).await;
    let state = org.lake().join("_kustlake/state.json");
    for damage in [None, Some(""), Some("{"), Some(r#"{"version": 1, "entities": 7}"#), Some("\u{0}")] {
        org.sim.mutate(Mutation { context: Context::Message, op: Op::Update, count: 5, seed: 3 }).unwrap();
        org.sim.clock().advance(10 * MINUTE);
        match damage {
            None => std::fs::remove_file(&state).unwrap(),
            Some(text) => std::fs::write(&state, text).unwrap(),
        }
        let report = org.report(&["run"]).await;
        // The tables know their cursors: nothing is read from the beginning (but for the wider look back).
        assert!(entity(&report, "messages")["window"][0].as_str().unwrap() > "2026-", "{report}");
        assert_complete(&org.sim, &org.lake(), "after damage").await;
    }
    let newer = r#"{"version": 99, "entities": {}}"#;
    std::fs::write(&state, newer).unwrap();
    assert_told(&org.run(&["run"]).await, 2, &["format version 99", "update kustlake"]);
    assert_eq!(std::fs::read_to_string(&state).unwrap(), newer);
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_that_make_no_sense_are_told() {
    let org = org().await;
    let backfill = |args: &[&'static str]| [&["backfill"], args].concat();
    let ended = org.run(&backfill(&["--start-date", "2026-02-01", "--end-date", "2026-01-01"])).await;
    assert_told(&ended, 2, &["--end-date must be after --start-date"]);
    let ended = org.run(&backfill(&["--start-date", "2199-01-01"])).await;
    assert_told(&ended, 2, &["2199-01-01", "is not before"]);
    assert_told(&org.run(&backfill(&["--start-date", "yesterday"])).await, 2, &["expected a date like"]);
    org.configure("  start_date: 2199-01-01", "");
    assert_told(&org.run(&["run"]).await, 2, &["2199-01-01", "is not before"]);
    org.configure("", "");
    assert_told(&org.run(&["run", "--only", "mesages"]).await, 2, &["--only mesages", "messages"]);
    assert!(crate::tables::open(&org.lake()).tables().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_at_the_same_time_is_refused_and_spoils_nothing() {
    let org = Org::new(WorldSpec::default(), Switches { latency_ms: 300, ..Switches::unlimited() }).await;
    org.sim.clock().advance(10 * MINUTE);
    let first = org.run(&["run"]);
    let second = async {
        while org.sim.stats().requests == 0 {
            tokio::task::yield_now().await;
        }
        org.run(&["run"]).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_told(&second, 4, &["another run is active"]);
    assert_eq!(first.code, 0, "{first:#?}");
    org.sim.merge_switches(json!({"latency_ms": 0})).unwrap();
    assert_complete(&org.sim, &org.lake(), "after both").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_entry_of_one_log_keeps_no_other_table() {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.sim.clock().advance(10 * MINUTE);
    org.report(&["run"]).await;
    let log = org.lake().join("notes/_delta_log");
    let newest = std::fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path());
    let newest = newest.filter(|path| path.extension().is_some_and(|end| end == "json")).max().unwrap();
    let text = std::fs::read_to_string(&newest).unwrap();
    std::fs::write(&newest, &text[..text.len() / 2]).unwrap();
    org.sim.mutate(Mutation { context: Context::Message, op: Op::Update, count: 20, seed: 1 }).unwrap();
    org.sim.clock().advance(10 * MINUTE);

    let ended = org.run(&["run"]).await;
    assert_told(&ended, 6, &["table notes is damaged"]);
    let report = ended.report();
    assert_eq!(entity(&report, "messages")["updated"], 20, "{report}");
    let status = org.report(&["status"]).await;
    let tables = status["tables"].as_array().unwrap();
    let to_do = |name: &str| tables.iter().find(|table| table["entity"] == name).unwrap()["to_do"].clone();
    assert!(to_do("notes").as_str().unwrap().contains("remove the folder of the table"), "{status}");
    assert_eq!(to_do("messages"), Value::Null);

    std::fs::remove_dir_all(org.lake().join("notes")).unwrap();
    org.report(&["run"]).await;
    assert_complete(&org.sim, &org.lake(), "loaded anew").await;
}
