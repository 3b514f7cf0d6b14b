//! What went wrong with a request, cut by what the caller does next.
//!
//! The rule: a message says what happened, what to do, and last, being long, to which request. It never holds the API
//! key, nor text from an answer other than the short error code that the reference names.

use std::fmt::{self, Display};
use std::time::Duration;

use super::page::BadPage;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The API key is not accepted: end the run.
    #[error("{}. {} ({})", .0.what(), .0.key_remedy(), .0.asked())]
    Unauthorized(Box<Failure>),
    /// The API key lacks a role for this resource: skip the entity, go on with others.
    #[error("{}. The API key lacks a role that may read this; roles are fixed when a key is created ({})", .0.what(), .0.asked())]
    Forbidden(Box<Failure>),
    /// The resource is gone, or never was: for a single one an answer like any other.
    #[error("{} ({})", .0.what(), .0.asked())]
    NotFound(Box<Failure>),
    /// The request itself is not accepted: asking again would not help.
    #[error("{}. Asking again would not help ({})", .0.what(), .0.asked())]
    Rejected(Box<Failure>),
    /// The answer exceeds what is kept in memory: ask for a smaller page.
    #[error("{}. A smaller page may fit ({})", .0.what(), .0.asked())]
    TooLarge(Box<Failure>),
    /// The service cannot be reached at all: end the run, the next one tries again.
    #[error(
        "{}. Check the organisation's name or base URL, and this machine's network, proxy and certificates ({})",
        .0.what(), .0.asked()
    )]
    Unreachable(Box<Failure>),
    /// The service answered, but not usefully, until the retries were used up: the next run tries again.
    #[error(
        "{}. The service may be in trouble; what is committed stays, and the next run tries again ({})",
        .0.what(), .0.asked()
    )]
    Exhausted(Box<Failure>),
}

/// A failed request and the last thing that went wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The request as [`Request`](super::Request) displays it.
    pub request: String,
    /// The host it went to.
    pub host: String,
    /// What happened at the last attempt.
    pub cause: Cause,
    /// How often it was sent.
    pub attempts: u32,
    /// Since it was first wanted, waits included.
    pub elapsed: Duration,
}

/// What happened to one attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// An answer with a status other than success.
    #[error("{0}")]
    Status(Status),
    /// A redirect. It is not followed: the API key goes nowhere else.
    #[error("redirected ({status}) {to}, which is not followed")]
    Redirect {
        /// The status of the answer.
        status: u16,
        /// Where it leads.
        to: RedirectTarget,
    },
    /// A link in an answer that leads to another host.
    #[error("the link to the next page leads to another host, which is not followed")]
    ForeignLink,
    /// No connection.
    #[error("{0}")]
    Connect(ConnectFailure),
    /// The answer did not come in time.
    #[error("no complete answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The connection ended before the answer did, or the answer was garbled on its way.
    #[error("the connection broke before the answer was complete")]
    Cut,
    /// An answer that is not a page.
    #[error("{0}")]
    BadPage(BadPage),
    /// An answer longer than what is kept in memory, in bytes.
    #[error("the answer exceeds {} MiB", .0 / (1024 * 1024))]
    Oversize(u64),
    /// Taking the answer apart was broken off.
    #[error("the answer could not be taken apart; this is an error of kustlake, please report it")]
    Unread,
}

/// An answer's status, with what could safely be read from its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The HTTP status.
    pub status: u16,
    /// `errors[0].code`, if it is a plain word (API reference, section 6).
    pub code: Option<String>,
    /// A known text in the body.
    pub phrase: Option<Phrase>,
}

/// Texts that tell more than a status does (API reference, sections 2 and 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Phrase {
    /// `Expired token`.
    #[error("the API key has expired")]
    Expired,
    /// The key belongs to another pod than the one asked.
    #[error("the API key belongs to another pod than this host")]
    WrongPod,
}

/// Where a redirect leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectTarget {
    /// Another path on the same host.
    #[error("within this host")]
    SameOrigin,
    /// Anywhere else.
    #[error("to another host")]
    Elsewhere,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFailure {
    /// The host's name has no address.
    #[error("the host name cannot be resolved")]
    Dns,
    /// The host's certificate is not accepted, or encryption could not be agreed on.
    #[error("no trusted encrypted connection: the certificate or protocol is not accepted")]
    Tls,
    /// Nobody listens there.
    #[error("the connection was refused")]
    Refused,
    /// Nobody answered in time.
    #[error("the host does not answer")]
    Silent,
    /// Anything else.
    #[error("no connection could be made")]
    Other,
}

impl ApiError {
    /// The request that failed, and how.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        match self {
            Self::Unauthorized(failure)
            | Self::Forbidden(failure)
            | Self::NotFound(failure)
            | Self::Rejected(failure)
            | Self::TooLarge(failure)
            | Self::Unreachable(failure)
            | Self::Exhausted(failure) => failure,
        }
    }
}

impl Cause {
    /// Whether the service refused the request because there were too many.
    pub(super) fn is_throttling(&self) -> bool {
        matches!(self, Self::Status(Status { status: 429, phrase: None, .. }))
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let failure = Box::new(failure);
        match &failure.cause {
            Cause::Status(Status { phrase: Some(_), .. } | Status { status: 401, .. }) => Self::Unauthorized(failure),
            Cause::Status(Status { status: 403, .. }) => Self::Forbidden(failure),
            Cause::Status(Status { status: 404 | 410, .. }) => Self::NotFound(failure),
            Cause::Status(Status { status: 408 | 429 | 500.., .. }) => Self::Exhausted(failure),
            Cause::Status(_) | Cause::Redirect { .. } | Cause::ForeignLink | Cause::Unread => Self::Rejected(failure),
            Cause::Oversize(_) => Self::TooLarge(failure),
            Cause::Connect(_) => Self::Unreachable(failure),
            Cause::Timeout(_) | Cause::Cut | Cause::BadPage(_) => Self::Exhausted(failure),
        }
    }
}

impl Failure {
    /// What happened, and how often it was tried.
    #[must_use]
    pub fn what(&self) -> String {
        match self.attempts {
            0 | 1 => self.cause.to_string(),
            attempts => format!("{}, {attempts} attempts in {} s", self.cause, self.elapsed.as_secs()),
        }
    }

    /// To which request.
    #[must_use]
    pub fn asked(&self) -> String {
        format!("{} at {}", self.request, self.host)
    }

    /// What to do about a key that is not accepted.
    fn key_remedy(&self) -> &'static str {
        match &self.cause {
            Cause::Status(Status { phrase: Some(Phrase::Expired), .. }) => {
                "Make a new one in Settings > Security > API Keys, and put it where the old one is"
            }
            Cause::Status(Status { phrase: Some(Phrase::WrongPod), .. }) => {
                "Name the host of its pod as source.base_url, or leave base_url out and name source.org"
            }
            _ => {
                "Check the API key and that it belongs to this organisation; a new one is made in Settings > Security > API Keys"
            }
        }
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.status {
            401 => "not accepted",
            403 => "not permitted",
            404 | 410 => "not found",
            429 => "too many requests",
            400..=499 => "refused",
            500.. => "failed on the server",
            _ => "no usable answer",
        };
        match (&self.phrase, &self.code) {
            (Some(phrase), _) => write!(f, "{phrase} (status {})", self.status),
            (None, Some(code)) => write!(f, "{meaning} (status {}), {code}", self.status),
            (None, None) => write!(f, "{meaning} (status {})", self.status),
        }
    }
}
