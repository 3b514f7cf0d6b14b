//! Starting a simulator, and holding it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::{ClockSpec, SimClock};
use crate::context::Context;
use crate::error::SimError;
use crate::http::Route;
use crate::http::auth::TokenSpec;
use crate::http::{api_answer, serve};
use crate::shared::Shared;
use crate::shelf::ShelfChange;
use crate::stats::Stats;
use crate::switches::Switches;
use crate::world::{Mutation, Offspring, TruthRow, World, WorldSpec};

/// Starts simulators.
#[derive(Debug)]
pub struct SimServer;

impl SimServer {
    /// Starts a simulator on a free port of the loopback interface, as tasks of the current Tokio runtime.
    ///
    /// # Errors
    /// [`SimError::Listen`] when no port can be had.
    pub async fn start(world: WorldSpec, switches: Switches, clock: ClockSpec) -> Result<SimHandle, SimError> {
        Self::start_on(0, world, switches, clock).await
    }

    /// Starts a simulator on a port of the loopback interface; 0 stands for any free one.
    ///
    /// # Errors
    /// [`SimError::Listen`] when the port is taken.
    pub async fn start_on(
        port: u16,
        world: WorldSpec,
        switches: Switches,
        clock: ClockSpec,
    ) -> Result<SimHandle, SimError> {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listen = |source| SimError::Listen { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let world = World::new(&world, clock.start);
        let shared = Arc::new(Shared::new(world, switches, SimClock::new(clock)));
        let task = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(SimHandle { addr, shared, task: Some(task) })
    }

    /// A simulator that listens nowhere, and answers only in this process: [`SimHandle::answer`].
    #[must_use]
    pub fn silent(world: &WorldSpec, switches: Switches, clock: ClockSpec) -> SimHandle {
        let world = World::new(world, clock.start);
        let shared = Arc::new(Shared::new(world, switches, SimClock::new(clock)));
        // The port of the discard service, where nobody answers either.
        SimHandle { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), shared, task: None }
    }
}

/// A running simulator; it stops when this is dropped.
#[derive(Debug)]
pub struct SimHandle {
    addr: SocketAddr,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Answers without a network.
impl SimHandle {
    /// The answer to an API request, whole; nothing where a connection would have broken.
    pub async fn answer(&self, request: Request<String>) -> Option<Response<Bytes>> {
        let (head, body) = api_answer(&self.shared, request.map(Full::<Bytes>::from)).await.ok()?.into_parts();
        Some(Response::from_parts(head, body.collect().await.ok()?.to_bytes()))
    }
}

impl SimHandle {
    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL for clients, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &SimClock {
        &self.shared.clock
    }

    /// The switches as they are now.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.shared.switches()
    }

    /// Sets all switches.
    pub fn set_switches(&self, switches: Switches) {
        self.shared.set_switches(switches);
    }

    /// Sets the switches that a JSON object names.
    ///
    /// # Errors
    /// [`SimError::Json`] when a name or a value is unknown.
    pub fn merge_switches(&self, changes: Value) -> Result<Switches, SimError> {
        let merged = self.shared.switches().merged(changes)?;
        self.shared.set_switches(merged);
        Ok(merged)
    }

    /// Changes records that a seed chooses, at the present; returns their ids (of merges: source, target, source, …).
    /// Raw records are never chosen.
    ///
    /// # Errors
    /// [`SimError::Control`] for merges of anything but customers.
    pub fn mutate(&self, change: Mutation) -> Result<Vec<String>, SimError> {
        self.shared.mutate(change)
    }

    /// Gives `count` records one and the same `updatedAt`, in milliseconds since the epoch; returns their ids.
    #[must_use]
    pub fn tie(&self, context: Context, count: u32, at: i64) -> Vec<String> {
        self.shared.tie(context, count, at)
    }

    /// Merges two customers by their ids.
    ///
    /// # Errors
    /// [`SimError::Control`] when one does not exist, or both are the same.
    pub fn merge(&self, source: &str, target: &str) -> Result<(), SimError> {
        self.shared.merge(source, target)
    }

    /// Stores JSON resources verbatim, one a line; one with a known id replaces that record. Returns their ids.
    ///
    /// # Errors
    /// [`SimError::Json`] or [`SimError::Control`] for a line that is no resource; earlier lines stay stored.
    pub fn insert_raw(&self, context: Context, lines: &[u8]) -> Result<Vec<String>, SimError> {
        self.shared.insert_raw(context, lines)
    }

    /// Adds a handling time to `count` live conversations, at the present; returns the ids of the conversations.
    /// Whether that moves them is a switch ([`Switches::time_stamp`]).
    pub fn add_times(&self, count: u32, seed: u64) -> Vec<String> {
        self.shared.add_times(count, seed)
    }

    /// Adds a key, or replaces the one with the same token.
    pub fn add_token(&self, token: TokenSpec) {
        self.shared.add_token(token);
    }

    /// What has been asked since the start or the last reset.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.tally().stats()
    }

    /// Forgets what has been asked.
    pub fn reset_stats(&self) {
        self.shared.tally().reset();
    }

    /// What the primary store holds; records deleted for good are absent.
    #[must_use]
    pub fn truth(&self, context: Context) -> Vec<TruthRow> {
        self.shared.world().truth(context)
    }

    /// Everything of a kind under every parent that is not deleted for good, as it is served now: pairs of the
    /// parent's id and the resource.
    #[must_use]
    pub fn offspring(&self, kind: Offspring) -> Vec<(String, Value)> {
        self.shared.offspring(kind)
    }

    /// The audit log as it can be read now, newest first: what is published and has not expired.
    #[must_use]
    pub fn audit_log(&self) -> Vec<Value> {
        self.shared.audit_log()
    }

    /// Every record of the primary store as it is served by id: NDJSON.
    #[must_use]
    pub fn records(&self, context: Context) -> Vec<u8> {
        self.shared.records(context)
    }
}

/// The shelves: small lists, companies, KObjects, and the metadata of custom attributes.
impl SimHandle {
    /// The present resources of a collection as they are served, softly deleted ones included where the API can show
    /// them: `brands`, `schedules`, `holidays`, `cards`, `klasses`, `notifications`, `outbound_accounts`, `queues`,
    /// `slas`, `sla_versions`, `satisfactions`, `shortcuts`, `snoozes`, `spam_senders`, `tags`, `teams`,
    /// `routing_settings`, `companies`, and `kobject_` with the name of a klass.
    ///
    /// There are none in a collection that does not exist.
    #[must_use]
    pub fn shelf(&self, name: &str) -> Vec<Value> {
        self.shared.shelf(name)
    }

    /// The names of all collections.
    #[must_use]
    pub fn shelf_names(&self) -> Vec<String> {
        self.shared.shelf_names()
    }

    /// The metadata of custom attributes by the kind of record, such as `customer` or `kobject.order`, as served.
    #[must_use]
    pub fn metadata(&self) -> BTreeMap<String, Value> {
        self.shared.metadata()
    }

    /// Changes up to `count` resources of a collection that a seed chooses, at the present; returns their ids (of
    /// outbound accounts: channel and account). A klass comes with KObjects and metadata of its own, and can only be
    /// deleted while it has none; a change of an SLA is a new version of it.
    ///
    /// # Errors
    /// [`SimError::Control`] when there is no such collection.
    pub fn change_shelf(
        &self,
        name: &str,
        change: ShelfChange,
        count: u32,
        seed: u64,
    ) -> Result<Vec<String>, SimError> {
        self.shared.change_shelf(name, change, count, seed)
    }

    /// Changes a few resources of every collection: some are updated, some appear, some are deleted.
    ///
    /// # Errors
    /// [`SimError::Control`] as for [`Self::change_shelf`].
    pub fn change_shelves(&self, seed: u64) -> Result<(), SimError> {
        self.shared.change_shelves(seed)
    }

    /// Lists one more custom attribute of a kind of record (`customer`, `company`, `kobject.order`, …). Records that
    /// are inserted or updated from now on carry the value.
    ///
    /// # Errors
    /// [`SimError::Control`] when the metadata has no such kind of record.
    pub fn add_custom_attribute(
        &self,
        resource: &str,
        name: &str,
        property: Value,
        value: Value,
    ) -> Result<(), SimError> {
        self.shared.add_custom_attribute(resource, name, property, value)
    }

    /// Whether it knows what a path means, apart from [`Self::serve_list`].
    #[must_use]
    pub fn serves(&self, path: &str) -> bool {
        Route::of(path) != Route::Unknown
    }

    /// Serves a list of resources at a path such as `/v1/widgets`, paged like every list; it takes the place of what
    /// the path meant before.
    pub fn serve_list(&self, path: &str, resources: Vec<Value>) {
        self.shared.serve_list(path, resources);
    }
}
