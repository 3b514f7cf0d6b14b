//! The organisation, what happens to it, and everything that it ever held.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use futures::future::BoxFuture;
use kustlake::api::{Exchange, Received, Sent};
use kustlake_sim::{ClockSpec, Context, Mover, Mutation, Op, SimHandle, SimServer, Switches, TruthRow};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::clock::Time;
use super::process::{Process, RequestFault};
use super::scenario::Scenario;
use super::store::Memory;
use crate::support::TOKEN;
use crate::tables::Version;

/// Where the simulator's clock begins: 2026-11-01T00:00:00Z.
pub(super) const START: i64 = 1_793_491_200_000;

/// The kinds of record whose versions are followed, and their tables.
pub(super) const FOLLOWED: [(Context, &str); 5] = [
    (Context::Customer, "customers"),
    (Context::Conversation, "conversations"),
    (Context::Message, "messages"),
    (Context::Note, "notes"),
    (Context::User, "users"),
];

/// Something that people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Mutate(Context, Op, u32, u64),
    /// So many records get one and the same `updatedAt`.
    Tie(Context, u32),
}

/// What the source holds at one moment: by table and id.
pub(super) type State = BTreeMap<&'static str, BTreeMap<String, Version>>;

#[derive(Debug)]
pub(super) struct Source {
    pub(super) sim: SimHandle,
    time: Time,
    pub(super) states: Mutex<Vec<Arc<State>>>,
    pub(super) versions: Mutex<HashMap<(&'static str, String), HashSet<Version>>>,
}

impl Source {
    pub(super) fn new(scenario: &Scenario, time: Time) -> Arc<Self> {
        let clock = ClockSpec { start: START, ..ClockSpec::frozen() };
        let sim = SimServer::silent(&scenario.world, scenario.switches, clock);
        let (states, versions) = (Mutex::default(), Mutex::default());
        let source = Self { sim, time, states, versions };
        source.look();
        Arc::new(source)
    }

    pub(super) fn set_time(&self) {
        let passed = i64::try_from(self.time.now().as_millis()).unwrap();
        self.sim.clock().set(START + passed);
    }

    /// From now on, reading moves nothing.
    pub(super) fn rest(&self) {
        self.sim.set_switches(Switches { mover: Mover::Still, ..self.sim.switches() });
    }

    /// Takes note of what the source holds now; tells its number.
    fn look(&self) -> u64 {
        let millis = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
        let mut state = State::new();
        for (context, table) in FOLLOWED {
            let rows = self.sim.truth(context).into_iter();
            // A user does not tell its revision.
            let rev = |row: &TruthRow| if context == Context::User { 0 } else { i64::from(row.rev) };
            let rows = rows.map(|row| (row.id.clone(), (rev(&row), millis(&row.updated_at), row.deleted)));
            state.insert(table, rows.collect());
        }
        let mut versions = self.versions.lock().unwrap();
        for (table, rows) in &state {
            for (id, version) in rows {
                versions.entry((table, id.clone())).or_default().insert(*version);
            }
        }
        let mut states = self.states.lock().unwrap();
        states.push(Arc::new(state));
        states.len() as u64 - 1
    }

    pub(super) fn change(&self, change: Change, memory: &Memory) {
        self.set_time();
        match change {
            Change::Mutate(context, op, count, seed) => {
                // A merge of anything but customers is not drawn.
                self.sim.mutate(Mutation { context, op, count, seed }).unwrap();
            }
            Change::Tie(context, count) => drop(self.sim.tie(context, count, self.sim.clock().now())),
        }
        memory.truth.store(self.look(), Ordering::Release);
    }
}

/// One process's way to the source.
#[derive(Debug)]
pub(super) struct ProcessNetwork {
    pub(super) source: Arc<Source>,
    pub(super) memory: Arc<Memory>,
    pub(super) process: Arc<Process>,
    pub(super) time: Time,
    pub(super) latency: Duration,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}

impl ProcessNetwork {
    async fn carry(&self, sent: &Sent) -> Option<Received> {
        let number = self.process.next_request();
        // A moment of its own for each request, so that those that are sent at once arrive in the order of sending.
        self.time.sleep(self.latency + Duration::from_micros(number)).await;
        let fault = self.process.fault(number);
        let (url, body) = match sent {
            Sent::Get(url) => (url, None),
            Sent::Post(url, body) => (url, Some(body.clone())),
        };
        let target = url[url::Position::BeforePath..].to_owned();
        self.memory.trace.lock().unwrap().push(format!("{target} {body:?} {fault:?}"));
        if let Some(change) = self.process.fate.changes.get(&number) {
            self.source.change(*change, &self.memory);
        }
        match fault {
            Some(RequestFault::Cut) => return None,
            Some(RequestFault::Hangs) => {
                self.time.sleep(Duration::from_secs(3600)).await;
                return None;
            }
            Some(RequestFault::Dies) => {
                self.process.die();
                return None;
            }
            Some(RequestFault::Fails | RequestFault::Outage) => return Some(bare(StatusCode::SERVICE_UNAVAILABLE)),
            Some(RequestFault::Throttled) => return Some(bare(StatusCode::TOO_MANY_REQUESTS)),
            Some(RequestFault::Truncated) | None => {}
        }
        self.source.set_time();
        let method = if body.is_some() { "POST" } else { "GET" };
        let request = http::Request::builder().method(method).uri(target);
        let request =
            request.header("authorization", format!("Bearer {TOKEN}")).body(body.unwrap_or_default()).unwrap();
        let answer = self.source.sim.answer(request).await;
        if self.source.sim.switches().mover == Mover::EveryRequest {
            self.memory.truth.store(self.source.look(), Ordering::Release);
        }
        let (head, body) = answer?.into_parts();
        let body = if fault == Some(RequestFault::Truncated) { body.slice(..body.len() * 2 / 3) } else { body };
        Some(Received { status: head.status, headers: head.headers, body })
    }
}

fn bare(status: StatusCode) -> Received {
    Received { status, headers: HeaderMap::new(), body: Bytes::new() }
}

impl Exchange for ProcessNetwork {
    fn exchange<'a>(&'a self, sent: &'a Sent) -> BoxFuture<'a, Option<Received>> {
        Box::pin(self.carry(sent))
    }
}
