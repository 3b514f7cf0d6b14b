//! One message out, one answer in.
//!
//! The rule: the API key travels to the configured origin only, in one header, and nothing follows a
//! redirect. An answer is complete and of bounded size, or it is a [`Cause`]; nothing is sent twice from here.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use reqwest::{RequestBuilder, Response, StatusCode, redirect, retry};
use secrecy::{ExposeSecret, SecretString};

use super::error::{Cause, ConnectFailure, RedirectTarget};
use super::exchange::{Exchange, Network, Received, Sent};
use super::headers::{QuotaHeaders, server_time};
use super::origin::Origin;
use super::refusal;
use super::request::Message;
use crate::clock::Clock;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// How much of an answer that is not a success is read, to learn its error code.
const REFUSAL_BYTES: u64 = 64 * 1024;

/// How answers are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For a complete answer, from the sending of the request.
    pub answer: Duration,
    /// The longest answer kept in memory, in bytes after decompression.
    pub max_bytes: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), answer: Duration::from_secs(120), max_bytes: 256 * 1024 * 1024 }
    }
}

/// Why there is no client. It never holds the API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The key or the user agent has characters that no HTTP header may have.
    #[error("the API key (or user agent) is not printable ASCII: was it copied whole, without a line break?")]
    Header,
    /// The TLS library or its certificates cannot be loaded.
    #[error(
        "no encrypted connections can be made: the TLS library or this machine's root certificates cannot be loaded"
    )]
    Tls,
}

/// The way to one origin.
#[derive(Debug)]
pub(super) struct Transport {
    carrier: Carrier,
    origin: Origin,
    patience: Patience,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
enum Carrier {
    Own(reqwest::Client),
    Given(Arc<dyn Exchange>),
}

/// The outcome of one exchange, with what its headers say in either case.
#[derive(Debug)]
pub(super) struct Answer {
    /// None if nothing was answered.
    pub(super) quota: Option<QuotaHeaders>,
    pub(super) server_time: Option<DateTime<Utc>>,
    /// The body of a success.
    pub(super) body: Result<Bytes, Cause>,
}

impl Transport {
    pub(super) fn new(
        origin: Origin,
        token: &SecretString,
        user_agent: &str,
        patience: Patience,
        network: Network,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let bearer = format!("Bearer {}", token.expose_secret());
        let mut authorization = HeaderValue::try_from(bearer).map_err(|_| SetupError::Header)?;
        authorization.set_sensitive(true);
        let user_agent = HeaderValue::try_from(user_agent).map_err(|_| SetupError::Header)?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization), (ACCEPT, JSON), (USER_AGENT, user_agent)]);
        let carrier = match network {
            Network::Real => Carrier::Own(http(headers, patience, origin.is_plain())?),
            Network::Given(network) => Carrier::Given(network),
        };
        Ok(Self { carrier, origin, patience, clock })
    }

    pub(super) fn host(&self) -> &str {
        self.origin.host()
    }

    /// Sends the message and reads the answer to its end.
    pub(super) async fn exchange(&self, message: &Message) -> Answer {
        let failed = |cause| Answer { quota: None, server_time: None, body: Err(cause) };
        let Ok(sent) = self.sent(message) else { return failed(Cause::ForeignLink) };
        let carried = async {
            match &self.carrier {
                Carrier::Own(http) => self.send(request(http, sent)).await,
                Carrier::Given(network) => {
                    network.exchange(&sent).await.ok_or(Cause::Cut).map(|received| self.judged(received))
                }
            }
        };
        tokio::select! {
            answer = carried => answer.unwrap_or_else(failed),
            () = self.clock.sleep(self.patience.answer) => failed(Cause::Timeout(self.patience.answer)),
        }
    }

    fn sent(&self, message: &Message) -> Result<Sent, super::origin::ForeignLink> {
        Ok(match message {
            Message::Get(target) => Sent::Get(self.origin.resolve(target)?),
            Message::Post(target, body) => Sent::Post(self.origin.resolve(target)?, body.clone()),
        })
    }

    /// What an answer is that somebody else has carried.
    fn judged(&self, received: Received) -> Answer {
        let Received { status, headers, body } = received;
        let limit = self.patience.max_bytes;
        let body = if !status.is_success() {
            Err(self.redirect(status, &headers).unwrap_or_else(|| Cause::Status(refusal::read(status, &body))))
        } else if length(&body) > limit {
            Err(Cause::Oversize(limit))
        } else {
            Ok(body)
        };
        Answer { quota: Some(QuotaHeaders::read(&headers)), server_time: server_time(&headers), body }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Cause> {
        let response = request.send().await.map_err(|error| cause_of(&error, self.patience.answer))?;
        let (quota, server_time) = (Some(QuotaHeaders::read(response.headers())), server_time(response.headers()));
        let status = response.status();
        let body = if status.is_success() {
            self.body(response).await
        } else if let Some(redirect) = self.redirect(status, response.headers()) {
            Err(redirect)
        } else {
            Err(Cause::Status(refusal::read(status, &opening(response, REFUSAL_BYTES).await)))
        };
        Ok(Answer { quota, server_time, body })
    }

    async fn body(&self, mut response: Response) -> Result<Bytes, Cause> {
        let limit = self.patience.max_bytes;
        // Known unless the answer is compressed. Otherwise it is copied each time that it outgrows its place.
        let announced = response.content_length().unwrap_or_default().min(limit);
        let mut body = BytesMut::with_capacity(usize::try_from(announced).unwrap_or_default());
        while let Some(chunk) = response.chunk().await.map_err(|error| cause_of(&error, self.patience.answer))? {
            if length(&body).saturating_add(length(&chunk)) > limit {
                return Err(Cause::Oversize(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// A redirect, if it is one.
    fn redirect(&self, status: StatusCode, headers: &HeaderMap) -> Option<Cause> {
        let location = headers.get(LOCATION).filter(|_| status.is_redirection())?;
        let to = match location.to_str().map(|location| self.origin.resolve(location)) {
            Ok(Ok(_)) => RedirectTarget::SameOrigin,
            Ok(Err(_)) | Err(_) => RedirectTarget::Elsewhere,
        };
        Some(Cause::Redirect { status: status.as_u16(), to })
    }
}

/// A pool of connections, each request with these headers.
fn http(headers: HeaderMap, patience: Patience, is_plain: bool) -> Result<reqwest::Client, SetupError> {
    let builder = reqwest::Client::builder()
        .default_headers(headers)
        .redirect(redirect::Policy::none())
        .referer(false)
        // One layer retries, and it is not this one.
        .retry(retry::never())
        .connect_timeout(patience.connect)
        .tcp_keepalive(Duration::from_secs(30));
    // An unencrypted request through a proxy would show it the API key.
    let builder = if is_plain { builder.no_proxy() } else { builder.https_only(true) };
    builder.build().map_err(|_| SetupError::Tls)
}

fn request(http: &reqwest::Client, sent: Sent) -> RequestBuilder {
    match sent {
        Sent::Get(url) => http.get(url),
        Sent::Post(url, body) => http.post(url).header(CONTENT_TYPE, JSON).body(body),
    }
}

/// What can be had of a body that only explains a refusal: its loss is no second failure.
async fn opening(mut response: Response, limit: u64) -> BytesMut {
    let mut body = BytesMut::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if length(&body).saturating_add(length(&chunk)) > limit {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    body
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The kind of an error of the HTTP library, whose own text would repeat the URL.
fn cause_of(error: &reqwest::Error, patience: Duration) -> Cause {
    if error.is_connect() {
        Cause::Connect(connect_failure(error))
    } else if error.is_timeout() {
        Cause::Timeout(patience)
    } else {
        Cause::Cut
    }
}

fn connect_failure(error: &reqwest::Error) -> ConnectFailure {
    if error.is_timeout() {
        return ConnectFailure::Silent;
    }
    let mut source = error.source();
    while let Some(inner) = source {
        // The resolver's failures have no type of their own, only this text.
        if inner.to_string().starts_with("dns error") {
            return ConnectFailure::Dns;
        }
        let Some(error) = inner.downcast_ref::<io::Error>() else {
            source = inner.source();
            continue;
        };
        match error.kind() {
            io::ErrorKind::ConnectionRefused => return ConnectFailure::Refused,
            // This is how the TLS library reports what it does not accept.
            io::ErrorKind::InvalidData => return ConnectFailure::Tls,
            // What an I/O error wraps is no source of it.
            _ => source = error.get_ref().map(|inner| inner as &dyn Error),
        }
    }
    ConnectFailure::Other
}
