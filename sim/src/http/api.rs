//! One API request from arrival to answer.
//!
//! Rule: arrival is counted first; then key, budgets, role, fault, and only then the endpoint.

use std::error::Error;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};

use super::auth::{TokenSpec, authenticate};
use super::body::SimBody;
use super::budget::Verdict;
use super::faults::{Fault, strike};
use super::params::Params;
use super::reply::Reply;
use super::route::Route;
use crate::clock::pause;
use crate::shared::{Shared, count};
use crate::stats::Outcome;
use crate::switches::{Pod, ResetHeader, ResetUnit, RetryAfter, Switches};
use crate::timestamp::{self, SECOND};

/// The largest body that a client may send.
const MOST_BYTES: usize = 1 << 20;

/// The connection ends here, without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped on purpose")]
pub(crate) struct Dropped;

/// A request that passed the door.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) switches: Switches,
    pub(crate) token: TokenSpec,
    pub(crate) path: &'a str,
    pub(crate) params: Params,
    pub(crate) now: i64,
    pub(crate) number: u64,
}

/// A request on arrival.
struct Arrival<'a> {
    shared: &'a Shared,
    switches: Switches,
    parts: &'a Parts,
    route: Route,
    now: i64,
    number: u64,
}

/// Answers an API request.
pub(crate) async fn answer<B>(shared: &Shared, request: Request<B>) -> Result<Response<SimBody>, Dropped>
where
    B: Body<Data: Send> + Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let arrival = Arrival {
        shared,
        switches: shared.switches(),
        parts: &parts,
        route: Route::of(parts.uri.path()),
        now: shared.clock.now(),
        number: count(&shared.requests),
    };
    arrival.record();
    if arrival.switches.latency_ms > 0 {
        pause(arrival.switches.latency_ms).await;
    }
    let body = Limited::new(body, MOST_BYTES).collect().await;
    let body = body.ok().map(|body| body.to_bytes());
    let authorization = parts.headers.get(AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let (verdict, passed) = admit(shared, &arrival.switches, authorization, &arrival.route, arrival.now);
    let fault = passed.is_ok().then(|| strike(&arrival.switches, arrival.number)).flatten();
    let reply = match (passed, fault.and_then(Fault::replacement)) {
        (Err(refusal), _) => refusal,
        (Ok(_), Some(replacement)) => replacement,
        (Ok(token), None) => arrival.reply(token, body.as_deref()),
    };
    arrival.close(&reply, fault);
    if fault == Some(Fault::DropBefore) {
        return Err(Dropped);
    }
    let response = head(&arrival.switches, &reply, verdict, shared.clock.now());
    Ok(match fault {
        Some(fault) => fault.spoil(response, reply.body),
        None => response.map(|()| SimBody::whole(reply.body.into())),
    })
}

impl Arrival<'_> {
    fn writes(&self) -> bool {
        let method = &self.parts.method;
        *method != Method::GET && !(*method == Method::POST && self.route.searches())
    }

    fn record(&self) {
        let mut tally = self.shared.tally();
        tally.arrive(self.route.kind(), self.route.subject(), self.route.searches(), self.now);
        if self.writes() {
            tally.violate();
        }
    }

    /// The endpoint's answer, for a key that may ask.
    fn reply(&self, token: TokenSpec, body: Option<&[u8]>) -> Reply {
        if self.writes() {
            let (status, code) = (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
            return Reply::error(status, code, "Only reading is simulated");
        }
        let Some(body) = body else {
            return Reply::error(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is too large");
        };
        let call = Call {
            shared: self.shared,
            switches: self.switches,
            token,
            path: self.parts.uri.path(),
            params: Params::read(self.parts.uri.query().unwrap_or("")),
            now: self.now,
            number: self.number,
        };
        call.answer(&self.parts.method, &self.route, body)
    }

    fn close(&self, reply: &Reply, fault: Option<Fault>) {
        let dropped = fault == Some(Fault::DropBefore);
        let path = self.parts.uri.path_and_query();
        self.shared.tally().answer(&Outcome {
            method: self.parts.method.as_str(),
            path: path.map_or("/", |path| path.as_str()),
            status: if dropped { 0 } else { reply.status.as_u16() },
            records: reply.records,
            bytes: reply.body.len(),
        });
    }
}

/// Key, budgets and role, in this order.
fn admit(
    shared: &Shared,
    switches: &Switches,
    authorization: Option<&str>,
    route: &Route,
    now: i64,
) -> (Verdict, Result<TokenSpec, Reply>) {
    let unspent = Verdict { passes: true, remaining: switches.org_limit, reset: now };
    let unauthorized = |message| Err(Reply::error(StatusCode::UNAUTHORIZED, "unauthorized", message));
    if switches.pod == Pod::Wrong {
        let message = "Token belongs to pod prod2 but the request was handled by prod1";
        return (unspent, unauthorized(message));
    }
    let token = match authenticate(authorization, &shared.tokens(), now) {
        Ok(token) => token,
        Err(denial) => return (unspent, unauthorized(denial.message())),
    };
    let org = shared.org_budget().take(switches.org_limit, switches.other_clients, switches.limiting, now);
    let throttled = || Err(Reply::error(StatusCode::TOO_MANY_REQUESTS, "rate_limit", "Rate limit exceeded"));
    if !org.passes {
        return (org, throttled());
    }
    if route.searches() {
        let search = shared.search_budget().take(switches.search_limit, 0, switches.limiting, now);
        if !search.passes {
            // The headers go on describing the organisation's budget (API reference, section 7).
            return (Verdict { reset: search.reset, ..org }, throttled());
        }
    }
    if !token.may(route) {
        return (org, Err(Reply::forbidden()));
    }
    (org, Ok(token))
}

fn head(switches: &Switches, reply: &Reply, verdict: Verdict, now: i64) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    put(CONTENT_TYPE, "application/json; charset=utf-8".into());
    put(DATE, timestamp::http_date(now.saturating_add(switches.clock_skew_ms)));
    put(HeaderName::from_static("x-ratelimit-limit"), switches.org_limit.to_string());
    put(HeaderName::from_static("x-ratelimit-remaining"), verdict.remaining.to_string());
    let exceeded = reply.status == StatusCode::TOO_MANY_REQUESTS;
    if switches.reset_header == ResetHeader::Always || (exceeded && switches.reset_header == ResetHeader::OnExcess) {
        let reset = verdict.reset.saturating_add(switches.clock_skew_ms);
        let reset = match switches.reset_unit {
            ResetUnit::Seconds => (reset + SECOND - 1).div_euclid(SECOND),
            ResetUnit::Milliseconds => reset,
        };
        put(HeaderName::from_static("x-ratelimit-reset"), reset.to_string());
    }
    let wait = (verdict.reset - now + SECOND - 1).div_euclid(SECOND).max(1);
    match switches.retry_after {
        RetryAfter::Exact if exceeded => put(RETRY_AFTER, wait.to_string()),
        RetryAfter::Excessive if exceeded => put(RETRY_AFTER, (2 * wait + 30).to_string()),
        RetryAfter::Exact | RetryAfter::Excessive | RetryAfter::Absent => {}
    }
    response
}

impl Call<'_> {
    fn answer(&self, method: &Method, route: &Route, body: &[u8]) -> Reply {
        if let Some(reply) = self.own_list() {
            return reply;
        }
        match route {
            Route::Search(_) if *method == Method::GET => Reply::not_found(),
            Route::Search(reach) => self.search(*reach, body),
            Route::List(context) => self.list(*context),
            Route::ById(context, ids) => self.by_id(*context, ids),
            Route::Children { parent, id, child } => self.children(*parent, id, *child),
            Route::Offspring(kind, parent) => self.offspring(*kind, parent),
            Route::AuditLogs => self.audit_logs(),
            Route::Merge(id) => self.merge(id),
            Route::CurrentUser => self.current_user(),
            Route::CurrentToken => self.current_token(),
            Route::Shelf(collection, id) => self.shelf(*collection, id.as_deref()),
            Route::KObjects(klass, id) => self.kobjects(klass, id.as_deref()),
            Route::Metadata(resource) => self.metadata(resource),
            Route::Unknown => Reply::not_found(),
        }
    }
}
