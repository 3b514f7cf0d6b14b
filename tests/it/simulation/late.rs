//! A run that stands still after it has read, while records change and another run passes it.

use kustlake_sim::{Context, Op};

use super::conduct::with;
use super::faults::scenario;
use super::process::Fate;
use super::source::Change;

/// Minutes for which a run stands still before it stores what it has read.
fn standing(minutes: u32) -> Fate {
    Fate { stands: minutes, ..Fate::default() }
}

fn change(op: Op, seed: u64) -> Change {
    Change::Mutate(Context::Message, op, 6, seed)
}

/// The first of two runs stores what it has read when the second one has begun, which has read what changed since.
fn passed(first: u32, second: u32) {
    let (outcome, _) = with(&scenario(), async |play| {
        play.first(Fate::default()).await?;
        play.wait(60);
        play.change(change(Op::Update, 1));
        play.wait(10);
        let changes = [change(Op::Update, 2), change(Op::Create, 3)];
        play.passed(&standing(first), &standing(second), &changes).await
    });
    assert_eq!(outcome, Ok(()), "the first stands for {first} minutes, the second for {second}");
}

#[test]
fn what_a_run_has_read_long_ago_replaces_nothing_newer() {
    passed(150, 0);
}

#[test]
fn a_run_that_was_overtaken_commits_what_it_has_read_all_the_same() {
    passed(150, 90);
}
