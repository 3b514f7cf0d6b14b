//! A fault at every step: each operation of storage and each request, one at a time, goes wrong in every way there is.
//!
//! `KUSTLAKE_TEST_STRIDE` sets how many steps are passed over (1 for every one, by hand).

use kustlake_sim::{Context, Op, Switches, WorldSpec};

use super::conduct::{Play, with};
use super::process::{CLASSES, Fate, RequestFault};
use super::scenario::{NO_LOOK_BACK, Scenario};
use super::source::{Change, START};
use super::store::StoreFault;
use crate::support::size;

/// Ten entities of every kind of access.
const TEN: &str = "conversations: {}, customers: {}, messages: {}, notes: {}, users: {}, tags: {}, audit_logs: {}, \
                   customer_emails: {}, conversation_times: {}, customer_merges: {}";

pub(super) fn scenario() -> Scenario {
    let world = WorldSpec {
        customers: 4,
        conversations: 5,
        messages: 12,
        notes: 4,
        users: 3,
        companies: 0,
        kobjects: 0,
        audit_logs: 5,
        start: Some(START - 900 * 86_400_000),
        end: Some(START),
        ..WorldSpec::default()
    };
    let switches = Switches { largest_page: 5, ..Switches::unlimited() };
    let (pipelines, source) = (TEN.to_owned(), format!("  concurrency: 2\n{NO_LOOK_BACK}"));
    Scenario { seed: 1, world, switches, pipelines, source, latency_ms: 5, events: Vec::new() }
}

/// What happens at the source while the run is under way.
fn meanwhile() -> Fate {
    let update = Change::Mutate(Context::Message, Op::Update, 2, 3);
    Fate { changes: [(9, update)].into(), ..Fate::default() }
}

/// Which run it is that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Struck {
    /// The one that loads everything.
    First,
    /// One that reads what has changed, longer ago than any run looks back.
    Later,
}

/// What has happened before the run.
async fn before(play: &mut Play, struck: Struck) -> Result<(), String> {
    if struck == Struck::Later {
        play.first(Fate::default()).await?;
        play.wait(60);
        for (context, op) in
            [(Context::Message, Op::Update), (Context::Customer, Op::Create), (Context::Note, Op::Update)]
        {
            play.change(Change::Mutate(context, op, 2, 5));
        }
        play.wait(120);
    }
    Ok(())
}

fn strike(struck: Struck, fate: Fate) {
    let told = format!("{struck:?} {fate:?}");
    let (outcome, _) = with(&scenario(), async |play| {
        before(play, struck).await?;
        play.strike(fate).await
    });
    assert_eq!(outcome, Ok(()), "{told}");
}

/// How many requests, and how many changes, a run takes in which nothing goes wrong.
fn steps(struck: Struck) -> (u64, u64) {
    let (outcome, play) = with(&scenario(), async |play| {
        before(play, struck).await?;
        play.first(meanwhile()).await
    });
    assert_eq!(outcome, Ok(()));
    play.counts
}

fn storage_fails(struck: Struck) {
    let (_, changes) = steps(struck);
    let stride = size("KUSTLAKE_TEST_STRIDE", 12) as usize;
    for (at, fault) in
        [StoreFault::Fails, StoreFault::LosesReply, StoreFault::Dies, StoreFault::DiesAfter].into_iter().enumerate()
    {
        for step in (0..changes).skip(at * stride / 4).step_by(stride) {
            strike(struck, Fate { store: [(step, fault)].into(), ..meanwhile() });
        }
    }
}

#[test]
fn storage_fails_at_every_step() {
    storage_fails(Struck::First);
}

#[test]
fn storage_fails_at_every_step_of_a_later_run() {
    storage_fails(Struck::Later);
}

#[test]
fn every_object_fails_to_be_read() {
    let stride = size("KUSTLAKE_TEST_STRIDE", 12) as usize;
    let readings = (0..CLASSES).flat_map(|class| (0..4).map(move |number| (class, number)));
    for reading in readings.step_by(stride) {
        strike(Struck::First, Fate { reads: [reading].into(), ..meanwhile() });
    }
}

#[test]
fn the_service_fails_at_every_step() {
    let (requests, _) = steps(Struck::First);
    let stride = size("KUSTLAKE_TEST_STRIDE", 12) as usize;
    eprintln!("{requests} requests");
    let faults = [
        RequestFault::Cut,
        RequestFault::Fails,
        RequestFault::Throttled,
        RequestFault::Truncated,
        RequestFault::Hangs,
        RequestFault::Outage,
        RequestFault::Dies,
    ];
    for (at, fault) in faults.into_iter().enumerate() {
        for step in (0..requests).skip(at * stride / 7).step_by(stride) {
            strike(Struck::First, Fate { requests: [(step, fault)].into(), ..meanwhile() });
        }
    }
}
