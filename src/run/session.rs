//! What a command needs before it can do anything: the source, the destination and the state, opened.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use secrecy::ExposeSecret;
use tokio::runtime::Handle;

use super::error::RunError;
use super::intake::PART_ROWS;
use super::server_time::ServerTime;
use super::state::StateKeeper;
use crate::api::{
    Client, ClientSettings, Limit, Network, Origin, Patience, QuotaSettings, RetrySettings, Share, TokenInfo,
};
use crate::clock::{Clock, Entropy};
use crate::config::{Addressing, Commits, Config, RequestLimit};
use crate::lake::{self, Destination, Lake, S3Settings, StateError, StateFile};

/// The outside that a command runs in: its clock, its chance, its network and its storage.
#[derive(Debug, Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names and jitter.
    pub entropy: Arc<Entropy>,
    /// How long the client waits, and how often it tries again.
    pub patience: Patience,
    /// When and how often a request is repeated.
    pub retry: RetrySettings,
    /// What carries requests.
    pub network: Network,
    /// Where tables stay.
    pub storage: Storage,
    /// Rows that are collected before they are committed, at most. Fewer than usual show what a load of many commits does.
    pub part_rows: usize,
}

/// Where tables stay.
#[derive(Debug, Clone, Default)]
pub enum Storage {
    /// Where the configuration says.
    #[default]
    Configured,
    /// In a store that is brought along, at the configured path. The log's own work runs on the other runtime.
    Given(Arc<dyn ObjectStore>, Handle),
}

impl World {
    /// The real one.
    #[must_use]
    pub fn real() -> Self {
        Self {
            clock: Arc::new(crate::clock::SystemClock::new()),
            entropy: Arc::new(Entropy::system()),
            patience: Patience::default(),
            retry: RetrySettings::default(),
            network: Network::Real,
            storage: Storage::Configured,
            part_rows: PART_ROWS,
        }
    }
}

/// The source: a client, what the key may do, and what time it is there.
#[derive(Debug)]
pub struct Source {
    /// The client.
    pub client: Client,
    /// What the API says of the key.
    pub token: TokenInfo,
    /// The time there.
    pub time: ServerTime,
}

impl Source {
    /// Sets up the client and makes the first request, which tells the server's time and whether the key is good.
    ///
    /// # Errors
    /// A client that cannot be set up, a key that is not accepted, a host that cannot be reached.
    pub async fn open(config: &Config, world: &World) -> Result<Self, RunError> {
        let client = client(config, world)?;
        let (token, time) = ask(&client, world).await?;
        Ok(Self { client, token, time })
    }
}

/// What the API says of the key, and what time it is there.
///
/// # Errors
/// A key that is not accepted, a host that cannot be reached.
pub(super) async fn ask(client: &Client, world: &World) -> Result<(TokenInfo, ServerTime), RunError> {
    let token = client.token().await?;
    let time = ServerTime::told(token.server_time, Arc::clone(&world.clock));
    Ok((token, time))
}

/// A client that has asked for nothing yet.
///
/// # Errors
/// Settings that make none.
pub(super) fn client(config: &Config, world: &World) -> Result<Client, RunError> {
    let source = &config.source;
    let positive = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let settings = ClientSettings {
        origin: Origin::parse(source.base_url.as_str())?,
        token: source.api_key.clone(),
        user_agent: concat!("kustlake/", env!("CARGO_PKG_VERSION")).to_owned(),
        quota: QuotaSettings {
            limit: match source.requests_per_minute {
                RequestLimit::Auto => Limit::Auto,
                RequestLimit::Fixed(number) => Limit::Fixed(positive(number)),
            },
            share: Share::try_from(source.rate_share)
                .map_err(|error| RunError::Usage(format!("source.rate_share: {error}")))?,
            searches_per_minute: positive(source.search_requests_per_minute),
        },
        patience: world.patience,
        retry: world.retry,
        network: world.network.clone(),
    };
    Ok(Client::new(settings, Arc::clone(&world.clock), Arc::clone(&world.entropy))?)
}

fn s3(config: &Config) -> S3Settings {
    let s3 = &config.destination.s3;
    let aws = config.destination.aws.iter();
    S3Settings {
        endpoint: s3.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
        region: s3.region.clone(),
        path_style: s3.addressing.map(|addressing| addressing == Addressing::Path),
        allow_http: s3.endpoint.as_ref().map(|url| url.scheme() == "http"),
        aws: aws.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect(),
    }
}

/// Opens the destination; relative paths are taken from the working folder.
///
/// # Errors
/// A destination that is none, or that cannot be reached.
pub fn lake(config: &Config, world: &World) -> Result<Lake, RunError> {
    let destination = Destination::parse(&config.destination.url, Path::new("."), s3(config))
        .map_err(|error| RunError::Usage(format!("destination.url: {error}")))?;
    let (clock, entropy) = (Arc::clone(&world.clock), Arc::clone(&world.entropy));
    Ok(match &world.storage {
        Storage::Configured => Lake::open(&destination, clock, entropy)?,
        Storage::Given(store, runtime) => {
            let (store, root) = (Arc::clone(store), destination.root().clone());
            Lake::with_runtime(store, root, clock, entropy, Some(runtime.clone()))?
        }
    })
}

/// Opens the destination and tries it out: the lake as its storage has to be treated.
///
/// # Errors
/// As [`lake`], and storage that cannot hold a lake.
pub(super) async fn proven_lake(config: &Config, world: &World) -> Result<Lake, RunError> {
    let commits = match config.destination.commits {
        Commits::CreateOnly => lake::Commits::CreateOnly,
        Commits::Lease => lake::Commits::Lease,
    };
    let proven = lake(config, world)?.probe(commits).await?;
    if proven.commits() == lake::Commits::Lease {
        tracing::warn!("the storage ignores create-only puts; only the lease keeps runs apart (docs/guarantees.md)");
    }
    Ok(proven)
}

/// Opens the state file beside the tables, or where the configuration says.
///
/// # Errors
/// A place that is none, storage that cannot be read, or a state of a newer version.
pub async fn state(config: &Config, lake: &Lake, time: ServerTime) -> Result<StateKeeper, RunError> {
    Ok(StateKeeper::open(state_file(config, lake)?, time).await?)
}

/// The place of the state file.
pub(super) fn state_file(config: &Config, lake: &Lake) -> Result<StateFile, StateError> {
    match &config.state_url {
        Some(url) => StateFile::open(url, Path::new("."), s3(config)),
        None => StateFile::of(lake),
    }
}

impl From<StateError> for RunError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Newer { .. } | StateError::Address(_) => Self::Usage(error.to_string()),
            StateError::Contended { .. } => Self::Busy(error.to_string()),
            StateError::Lake(error) => Self::Lake(error),
        }
    }
}
