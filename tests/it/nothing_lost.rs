//! Nothing lost and nothing twice, over many runs against a source that moves, lags and has its limits.
//!
//! `KUSTLAKE_TEST_RUNS` and `KUSTLAKE_TEST_TIE` set how many runs, and how many records share one instant.

use kustlake_sim::{Context, Mover, Mutation, Op, Switches, TieOrder, WorldSpec};

use crate::support::{Org, size};
use crate::tables::assert_complete;

const MINUTE: i64 = 60_000;

/// What people do between two runs.
fn change(org: &Org, seed: u64) {
    for (context, count) in
        [(Context::Customer, 3), (Context::Conversation, 7), (Context::Message, 40), (Context::Note, 5)]
    {
        for op in [Op::Create, Op::Update, Op::DeleteSoft] {
            let count = if op == Op::DeleteSoft { count / 3 } else { count };
            org.sim.mutate(Mutation { context, op, count, seed: seed * 31 + op as u64 }).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_runs_against_a_source_that_moves_and_lags_end_in_the_truth() {
    let tie = size("KUSTLAKE_TEST_TIE", 25_000);
    let switches = Switches {
        index_lag_ms: 2 * MINUTE,
        ties: TieOrder::Random,
        mover: Mover::EveryRequest,
        ..Switches::unlimited()
    };
    let org = Org::new(WorldSpec { messages: tie + 1_000, ..WorldSpec::default() }, switches).await;
    let instant = org.sim.clock().now() - 3 * 24 * 60 * MINUTE;
    assert_eq!(org.sim.tie(Context::Message, tie, instant).len(), tie as usize);
    org.sim.clock().advance(10 * MINUTE);
    for run in 0..u64::from(size("KUSTLAKE_TEST_RUNS", 30)) {
        org.load().await;
        change(&org, run);
        org.sim.clock().advance(i64::try_from(run % 9 + 1).unwrap() * MINUTE + 137);
    }
    org.sim.merge_switches(serde_json::json!({"mover": "still"})).unwrap();
    org.sim.clock().advance(10 * MINUTE);
    org.load().await;
    assert_complete(&org.sim, &org.lake(), "at the end").await;
}
