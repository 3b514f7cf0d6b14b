//! A fault at every step: each operation of storage and each request, one at a time, goes wrong in every way there is.
//!
//! `KUSTLAKE_TEST_STRIDE` sets how many steps are passed over (1 for every one, by hand).

use kustlake_sim::{Context, Op, Switches, WorldSpec};

use super::conduct::with;
use super::process::{CLASSES, Fate, RequestFault};
use super::scenario::Scenario;
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
    let (pipelines, source) = (TEN.to_owned(), "  concurrency: 2\n".to_owned());
    Scenario { seed: 1, world, switches, pipelines, source, latency_ms: 5, events: Vec::new() }
}

/// What happens at the source while the run is under way.
fn meanwhile() -> Fate {
    let update = Change::Mutate(Context::Message, Op::Update, 2, 3);
    Fate { changes: [(9, update)].into(), ..Fate::default() }
}

fn strike(fate: Fate) {
    let told = format!("{fate:?}");
    let (outcome, _) = with(&scenario(), async |play| play.strike(fate).await);
    assert_eq!(outcome, Ok(()), "{told}");
}

/// How many requests, and how many changes, a run takes in which nothing goes wrong.
fn steps() -> (u64, u64) {
    let (outcome, play) = with(&scenario(), async |play| play.first(meanwhile()).await);
    assert_eq!(outcome, Ok(()));
    play.counts
}

#[test]
fn storage_fails_at_every_step() {
    let (_, changes) = steps();
    let stride = size("KUSTLAKE_TEST_STRIDE", 12) as usize;
    eprintln!("{changes} changes");
    for (at, fault) in
        [StoreFault::Fails, StoreFault::LosesReply, StoreFault::Dies, StoreFault::DiesAfter].into_iter().enumerate()
    {
        for step in (0..changes).skip(at * stride / 4).step_by(stride) {
            strike(Fate { store: [(step, fault)].into(), ..meanwhile() });
        }
    }
}

#[test]
fn every_object_fails_to_be_read() {
    let stride = size("KUSTLAKE_TEST_STRIDE", 12) as usize;
    let readings = (0..CLASSES).flat_map(|class| (0..4).map(move |number| (class, number)));
    for reading in readings.step_by(stride) {
        strike(Fate { reads: [reading].into(), ..meanwhile() });
    }
}

#[test]
fn the_service_fails_at_every_step() {
    let (requests, _) = steps();
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
            strike(Fate { requests: [(step, fault)].into(), ..meanwhile() });
        }
    }
}
