//! The client: quota, exchange, retry, in this order and only here.
//!
//! The rule: every request that leaves passes the quota, retries included, and every answer is told
//! to it. An error comes out only when trying again would not help or has been tried enough.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::error::{ApiError, Cause, Failure};
use super::exchange::Network;
use super::headers::QuotaHeaders;
use super::origin::Origin;
use super::page::Page;
use super::quota::{Quota, QuotaSettings, Spent};
use super::request::{Message, Request};
use super::retry::{Retry, RetrySettings, Verdict};
use super::search::Content;
use super::token::TokenInfo;
use super::transport::{Patience, SetupError, Transport};
use super::usage::{Meter, Usage};
use crate::clock::{Clock, Entropy};
use crate::cpu::{Aborted, off_thread};

/// From here on, in bytes, an answer is taken apart off the thread.
const LARGE_BODY: usize = 64 * 1024;

/// The seam between the extraction and the service: a question in, a page out.
pub trait Pages: Debug + Send + Sync {
    /// Asks, and waits for a complete page.
    ///
    /// # Errors
    /// [`ApiError`], after all retries that make sense.
    fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>>;
}

/// What a client needs to know.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Where the service is.
    pub origin: Origin,
    /// The API key.
    pub token: SecretString,
    /// How we introduce ourselves.
    pub user_agent: String,
    /// Our part of the service's limits.
    pub quota: QuotaSettings,
    /// How answers are waited for.
    pub patience: Patience,
    /// When requests are sent again.
    pub retry: RetrySettings,
    /// What carries them.
    pub network: Network,
}

/// Speaks to one organisation with one API key. Any number of requests may be under way.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    quota: Quota,
    retry: RetrySettings,
    meter: Meter,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// One request on its way through its attempts.
#[derive(Debug)]
struct Call<'a> {
    request: &'a Request,
    message: Message,
    began: Duration,
    attempts: u32,
}

impl Client {
    /// Prepares a connection pool; nothing is sent yet.
    ///
    /// # Errors
    /// [`SetupError`], without the API key.
    pub fn new(settings: ClientSettings, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Result<Self, SetupError> {
        let ClientSettings { origin, token, user_agent, quota, patience, retry, network } = settings;
        Ok(Self {
            transport: Transport::new(origin, &token, &user_agent, patience, network, Arc::clone(&clock))?,
            quota: Quota::new(quota, Arc::clone(&clock)),
            retry,
            meter: Meter::default(),
            clock,
            entropy,
        })
    }

    /// Asks, and waits for a complete page.
    ///
    /// # Errors
    /// [`ApiError`], after all retries that make sense.
    pub async fn page(&self, request: &Request) -> Result<Page, ApiError> {
        let mut call = Call { request, message: request.message(), began: self.clock.monotonic(), attempts: 0 };
        let mut retry = Retry::new(self.retry, &self.entropy);
        loop {
            let (headers, result) = self.attempt(&mut call).await;
            let cause = match result {
                Ok(page) => return Ok(page),
                Err(cause) => cause,
            };
            let now = self.clock.monotonic();
            match retry.after(&cause, now) {
                Verdict::Again(pause) => {
                    tracing::warn!(%request, error = %cause, attempt = call.attempts, pause_ms = pause.as_millis(), "asking again");
                    self.clock.sleep(pause).await;
                }
                // The quota holds back this request with all others, and shows why.
                Verdict::AgainThrottled(pause) => {
                    let pause = headers.wait.unwrap_or(pause);
                    tracing::warn!(%request, attempt = call.attempts, pause_ms = pause.as_millis(), "too many requests");
                    self.quota.throttle(request.budget(), headers, pause);
                }
                Verdict::GiveUp => return Err(self.failure(&call, cause, now).into()),
            }
        }
    }

    /// Asks what the API key is, as the first question of a run: it also tells the organisation's
    /// limit and the service's time.
    ///
    /// # Errors
    /// [`ApiError`], after all retries that make sense.
    pub async fn token(&self) -> Result<TokenInfo, ApiError> {
        Ok(TokenInfo::read(&self.page(&Request::Token).await?))
    }

    /// What the last minute's requests have taken of the budgets, to be told to the next run's client.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.quota.spent()
    }

    /// Counts what a former run has spent, so that two runs in one minute stay within the share together.
    pub fn count(&self, spent: Spent) {
        self.quota.count(spent);
    }

    /// The requests a minute that it may send, as far as the organisation's limit is known.
    #[must_use]
    pub fn allowance(&self) -> u32 {
        self.quota.allowance()
    }

    /// What has been used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.meter.read(self.quota.waited(), self.quota.waiting(), self.quota.searches_left())
    }

    async fn attempt(&self, call: &mut Call<'_>) -> (QuotaHeaders, Result<Page, Cause>) {
        let budget = call.request.budget();
        let permit = self.quota.permit(budget).await;
        call.attempts += 1;
        self.meter.sent(budget, call.attempts);
        let answer = self.transport.exchange(&call.message).await;
        let result = match answer.body {
            Ok(body) => {
                self.meter.received(&body);
                take_apart(body, call.request.content(), answer.server_time).await
            }
            Err(cause) => Err(cause),
        };
        if result.as_ref().is_err_and(Cause::is_throttling) {
            self.meter.throttled();
        } else if let Some(headers) = answer.quota {
            self.quota.observe(budget, headers);
        }
        drop(permit);
        (answer.quota.unwrap_or_default(), result)
    }

    fn failure(&self, call: &Call<'_>, cause: Cause, now: Duration) -> Failure {
        Failure {
            request: call.request.to_string(),
            host: self.transport.host().to_owned(),
            cause,
            attempts: call.attempts,
            elapsed: now.saturating_sub(call.began),
        }
    }
}

/// A large answer takes milliseconds, in which all else that waits for the network would wait for it.
async fn take_apart(body: Bytes, content: Content, server_time: Option<DateTime<Utc>>) -> Result<Page, Cause> {
    if body.len() < LARGE_BODY {
        return Page::parse(&body, content, server_time).map_err(Cause::BadPage);
    }
    let parse = move || Page::parse(&body, content, server_time);
    off_thread(parse).await.map_err(|Aborted| Cause::Unread)?.map_err(Cause::BadPage)
}

impl Pages for Client {
    fn page<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Page, ApiError>> {
        Box::pin(Self::page(self, request))
    }
}

#[cfg(test)]
mod tests;
