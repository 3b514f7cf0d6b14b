//! Where the network begins, for whoever brings one along: a simulation answers inside its own process.
//!
//! The rule: what is brought along only carries. Origins, redirects, sizes, statuses and headers are judged by the client,
//! whoever carries.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use url::Url;

/// What carries requests.
#[derive(Debug, Clone, Default)]
pub enum Network {
    /// Connections of our own.
    #[default]
    Real,
    /// Something brought along.
    Given(Arc<dyn Exchange>),
}

/// A carrier of requests.
pub trait Exchange: Debug + Send + Sync {
    /// Carries a request there and its answer back; nothing if the connection broke. The key is the carrier's affair.
    fn exchange<'a>(&'a self, sent: &'a Sent) -> BoxFuture<'a, Option<Received>>;
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// A GET.
    Get(Url),
    /// A POST of JSON.
    Post(Url, String),
}

/// An answer, complete.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}
