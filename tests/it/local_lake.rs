//! A lake in a folder, as other readers see it.

use kustlake_sim::{Context, Mutation, Op, SimHandle, Switches, WorldSpec};

use crate::support::Org;
use crate::witness::{TABLES, assert_true};

const TEN_MINUTES: i64 = 10 * 60 * 1000;

/// Something of every kind happens to every kind of record, and settles.
pub(crate) fn change(sim: &SimHandle, seed: u64) {
    sim.clock().advance(TEN_MINUTES);
    for (context, _) in TABLES {
        for (op, count) in [(Op::Create, 25), (Op::Update, 30), (Op::DeleteSoft, 12), (Op::Restore, 4)] {
            sim.mutate(Mutation { context, op, count, seed }).unwrap();
        }
    }
    sim.clock().advance(TEN_MINUTES);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_sees_every_record_after_each_run() {
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    let lake = org.lake().display().to_string();
    org.sim.clock().advance(TEN_MINUTES);
    org.report(&["run"]).await;
    assert_true(&org.sim, &lake, None);
    for seed in [1, 2, 3] {
        change(&org.sim, seed);
        org.report(&["run"]).await;
    }
    assert_true(&org.sim, &lake, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_an_empty_organisation_are_there_and_empty() {
    let world = WorldSpec { users: 0, ..WorldSpec::empty() };
    let org = Org::new(world, Switches::unlimited()).await;
    org.report(&["run"]).await;
    assert_true(&org.sim, &org.lake().display().to_string(), None);
    assert_eq!(org.sim.truth(Context::Message), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_any_name_can_be_read() {
    let org = Org::new(WorldSpec::of_messages(50), Switches::unlimited()).await;
    org.configure_at("  url: \"./it's a lake [1] *\"", "", "");
    org.sim.clock().advance(TEN_MINUTES);
    org.report(&["run"]).await;
    let read = tokio::task::spawn_blocking(move || {
        let mut duckdb = crate::parts::shell(org.folder.path());
        let query = r#"cd "it's a lake [1] *" && duckdb -list -noheader -init views.sql -c "FROM messages_live SELECT count(*)" 2>&1"#;
        (crate::parts::succeed(duckdb.args(["-c", query])), org)
    });
    let (read, org) = read.await.unwrap();
    let live = org.sim.truth(Context::Message).iter().filter(|row| !row.deleted).count();
    assert!(read.stdout.trim_end().ends_with(&format!("{live}")), "{read:#?}");
}
