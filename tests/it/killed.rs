//! A backfill that is killed at any moment, again and again, ends with exactly what the source holds.
//!
//! `KUSTLAKE_TEST_KILLS`, `KUSTLAKE_TEST_MESSAGES` and `KUSTLAKE_TEST_SEED` set how often, how much and which moments.

use std::time::Duration;

use kustlake::clock::{Clock, Entropy, SystemClock};
use kustlake_sim::{Switches, Visibility, WorldSpec};

use crate::support::{Org, size};
use crate::tables::{TABLES, between, difference, open, rows, truth, versions};

const DAY: i64 = 24 * 3_600_000;
/// Each window is killed so often before it may end.
const KILLS_OF_ONE_WINDOW: u32 = 5;

/// An instant as the command line takes it.
fn text(millis: i64) -> String {
    kustlake::window::text(chrono::DateTime::from_timestamp_millis(millis).unwrap())
}

/// Kills a backfill after so many of its requests and a moment; gives its exit code if it ended by itself.
async fn kill(org: &Org, args: &[&str], requests: u64, moment: Duration) -> Option<i32> {
    org.sim.reset_stats();
    let clock = SystemClock::new();
    let mut child = org.start(args);
    loop {
        if let Some(ended) = child.try_wait().unwrap() {
            return ended.code();
        }
        if org.sim.stats().requests >= requests {
            break;
        }
        clock.sleep(Duration::from_millis(1)).await;
    }
    clock.sleep(moment).await;
    child.kill().unwrap();
    child.wait().unwrap().code()
}

/// No table may show a record twice, or a version that the source never had, at any time.
async fn assert_sound(org: &Org, told: &str) {
    for (context, name) in TABLES {
        let (table, truth) = (rows(&org.lake(), name).await, truth(&org.sim, context));
        let wrong: Vec<_> = table.iter().filter(|(id, versions)| truth.get(*id) != Some(versions)).take(1).collect();
        assert!(wrong.is_empty(), "{told}: {name}: {wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_is_killed_at_any_moment_loses_nothing_and_doubles_nothing() {
    let kills = size("KUSTLAKE_TEST_KILLS", 15);
    let seed = u64::from(size("KUSTLAKE_TEST_SEED", 1));
    eprintln!("KUSTLAKE_TEST_SEED={seed}");
    let chance = Entropy::seeded(seed);
    let world = WorldSpec::of_messages(size("KUSTLAKE_TEST_MESSAGES", 41_000));
    // Old notes come from their list, which otherwise hides the deleted ones.
    let switches = Switches { latency_ms: 2, deleted_in_lists: Visibility::Shown, ..Switches::unlimited() };
    let org = Org::new(world, switches).await;
    org.sim.clock().advance(10 * 60_000);
    let windows = i64::from(kills.div_ceil(KILLS_OF_ONE_WINDOW));
    let first = (org.sim.clock().now() - 1100 * DAY).div_euclid(DAY) * DAY;
    let last = first + 1090 * DAY;
    let edge = |window: i64| first + (last - first) / DAY * window / windows * DAY;
    let (mut killed, mut ended_before, mut interrupted) = (0, 0, 0);
    for window in 0..windows {
        let (from, until) = (text(edge(window)), text(edge(window + 1)));
        let args = ["--log-level", "error", "backfill", "--start-date", &from, "--end-date", &until];
        // What a complete run of such a window takes, as far as can be guessed.
        let mut requests =
            u64::from(size("KUSTLAKE_TEST_MESSAGES", 41_000)) / 300 / u64::try_from(windows).unwrap() + 12;
        for _ in 0..KILLS_OF_ONE_WINDOW {
            let before = versions(&open(&org.lake())).await;
            let moment = Duration::from_millis(chance.below(400));
            match kill(&org, &args, chance.below(requests), moment).await {
                None => killed += 1,
                Some(0) => ended_before += 1,
                Some(code) => panic!("ended by itself with {code}"),
            }
            requests = requests.min(org.sim.stats().requests + 8).max(6);
            interrupted += u32::from(versions(&open(&org.lake())).await != before);
            assert_sound(&org, &format!("after {killed} kills with seed {seed}")).await;
        }
        let report = org.report(&args).await;
        assert_eq!(report["exit_code"], 0);
    }
    eprintln!("{killed} killed, of which {interrupted} after a commit; {ended_before} ended before they could be");
    for (context, name) in TABLES {
        let wanted = between(truth(&org.sim, context), first, last);
        assert!(!wanted.is_empty());
        let difference = difference(&rows(&org.lake(), name).await, &wanted);
        assert!(difference.is_empty(), "seed {seed}: {name}: {difference}");
    }
}
