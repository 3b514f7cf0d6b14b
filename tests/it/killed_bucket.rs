//! Runs into a bucket that are killed at any moment, and pairs of runs that do not see each other's lease, end with
//! exactly what the source holds.
//!
//! `KUSTLAKE_TEST_BUCKET_KILLS`, `KUSTLAKE_TEST_PAIRS` and `KUSTLAKE_TEST_SEED` set how often, and which moments.

use std::process::{Child, Command};
use std::time::Duration;

use kustlake::clock::{Clock, Entropy, SystemClock};
use kustlake::lake::Lake;
use kustlake_sim::{Context, Mutation, Op, Switches, WorldSpec};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::parts::{BUCKET, Storage};
use crate::support::{Ended, Org, size};
use crate::tables::{assert_complete_in, rows_in, truth, versions};

const TABLES: [(Context, &str); 3] =
    [(Context::Customer, "customers"), (Context::Conversation, "conversations"), (Context::Message, "messages")];
const NAMES: [&str; 3] = ["customers", "conversations", "messages"];
/// After so many kills or pairs a run may end, the tables must be exact, and a new organisation comes into a new bucket: a
/// bucket that grows makes each further run slower.
const ROUND: u32 = 10;

async fn pause(millis: u64) {
    SystemClock::new().sleep(Duration::from_millis(millis)).await;
}

async fn organisation(storage: &Storage) -> Org {
    let mut org = Org::new(WorldSpec::of_messages(120), Switches::unlimited()).await;
    let rest = "pipelines: {customers: {}, conversations: {}, messages: {}}";
    org.configure_at(&storage.destination(BUCKET), "  reconcile: {every: 1000d}", rest);
    storage.admit(&mut org);
    org.sim.clock().advance(10 * 60_000);
    org
}

/// A few records of each kind come and change, and settle.
fn change(org: &Org, seed: u64) {
    for (context, _) in TABLES {
        for (op, count) in [(Op::Create, 2), (Op::Update, 4)] {
            org.sim.mutate(Mutation { context, op, count, seed }).unwrap();
        }
    }
    org.sim.clock().advance(10 * 60_000);
}

/// No table may show a record twice, or in a version that is still to come, at any time.
async fn assert_sound(org: &Org, lake: &Lake, told: &str) {
    for (context, name) in TABLES {
        let (table, truth) = (rows_in(lake, name).await, truth(&org.sim, context));
        let wrong = table.iter().find(|(id, versions)| {
            versions.len() != 1 || truth.get(*id).is_none_or(|newest| newest[0].0 < versions[0].0)
        });
        assert_eq!(wrong, None, "{told}: {name}");
    }
}

#[derive(Default)]
struct Kills {
    killed: u32,
    after_a_commit: u32,
    ended_before: u32,
}

impl Kills {
    /// Starts a run and kills it after `moment` milliseconds.
    async fn kill(&mut self, org: &Org, lake: &Lake, moment: u64) {
        let before = versions(lake).await;
        let mut child = org.start(&["--log-level", "error", "run"]);
        pause(moment).await;
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        match ended.status.code() {
            None => {
                self.killed += 1;
                self.after_a_commit += u32::from(versions(lake).await != before);
            }
            Some(0) => self.ended_before += 1,
            Some(_) => panic!("ended by itself: {:?}", Ended::from(ended)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_into_a_bucket_that_are_killed_at_any_moment_lose_nothing_and_double_nothing() {
    let attempts = size("KUSTLAKE_TEST_BUCKET_KILLS", 10);
    let seed = u64::from(size("KUSTLAKE_TEST_SEED", 1));
    eprintln!("KUSTLAKE_TEST_SEED={seed}");
    let (chance, clock, mut kills) = (Entropy::seeded(seed), SystemClock::new(), Kills::default());
    for round in 0..attempts.div_ceil(ROUND) {
        let storage = Storage::start();
        let (org, lake) = (organisation(&storage).await, storage.lake());
        let began = clock.monotonic();
        org.report(&["run"]).await;
        // The first run has more to do than the others: kills are to fall into all parts of these, and few after them.
        let longest = u64::try_from(clock.monotonic().saturating_sub(began).as_millis()).unwrap();
        for attempt in round * ROUND..attempts.min((round + 1) * ROUND) {
            change(&org, u64::from(attempt));
            kills.kill(&org, &lake, chance.below(longest)).await;
            assert_sound(&org, &lake, &format!("after attempt {attempt} with seed {seed}")).await;
        }
        org.report(&["run"]).await;
        assert_complete_in(&org.sim, &lake, &NAMES, &format!("round {round} with seed {seed}")).await;
    }
    let Kills { killed, after_a_commit, ended_before } = kills;
    eprintln!("{killed} killed, of which {after_a_commit} after a commit; {ended_before} ended before they could be");
    assert!(killed > 0);
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// A run that lost its lease without knowing, and stands still.
async fn robbed(org: &Org, storage: &Storage) -> Child {
    let (store, lease) = (storage.store(), Path::from("kustomer/_kustlake/lease.json"));
    let mut child = org.start(&["run"]);
    while store.head(&lease).await.is_err() {
        if child.try_wait().unwrap().is_some() {
            panic!("it ended before its lease was seen: {:#?}", Ended::from(child.wait_with_output().unwrap()));
        }
        pause(2).await;
    }
    send(&child, "-STOP");
    store.delete(&lease).await.unwrap();
    child
}

async fn end_of(child: Child) -> Ended {
    tokio::task::spawn_blocking(move || Ended::from(child.wait_with_output().unwrap())).await.unwrap()
}

#[derive(Default)]
struct Pairs {
    both_committed: u32,
    conflicts: u32,
    /// The first one saw at a heartbeat that its lease was gone.
    noticed: u32,
}

impl Pairs {
    /// Two runs at once, the first of which goes on `moment` milliseconds after the second one has started.
    async fn run(&mut self, org: &Org, storage: &Storage, moment: u64) {
        let first = robbed(org, storage).await;
        let second = org.start(&["run"]);
        pause(moment).await;
        send(&first, "-CONT");
        let ended = [end_of(first).await, end_of(second).await];
        assert!([0, 4].contains(&ended[0].code) && ended[1].code == 0, "{ended:#?}");
        let say = |text: &str| ended.iter().filter(|ended| ended.stderr.contains(text)).count();
        self.both_committed += u32::from(say("\"committed\"") == 2);
        self.conflicts += u32::from(say("another writer committed first") > 0);
        if ended[0].code == 4 {
            self.noticed += 1;
            org.report(&["run"]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_of_runs_that_do_not_see_each_other_lose_nothing_and_double_nothing() {
    let attempts = size("KUSTLAKE_TEST_PAIRS", 4);
    let seed = u64::from(size("KUSTLAKE_TEST_SEED", 1));
    eprintln!("KUSTLAKE_TEST_SEED={seed}");
    let (chance, mut pairs) = (Entropy::seeded(seed), Pairs::default());
    for round in 0..attempts.div_ceil(ROUND) {
        let storage = Storage::start();
        let (org, lake) = (organisation(&storage).await, storage.lake());
        for attempt in round * ROUND..attempts.min((round + 1) * ROUND) {
            change(&org, u64::from(attempt));
            pairs.run(&org, &storage, chance.below(600)).await;
            assert_complete_in(&org.sim, &lake, &NAMES, &format!("pair {attempt} with seed {seed}")).await;
        }
    }
    let Pairs { both_committed, conflicts, noticed } = pairs;
    eprintln!(
        "{attempts} pairs: both committed in {both_committed}, a conflict happened in {conflicts}, the first one noticed in \
         {noticed}"
    );
}
