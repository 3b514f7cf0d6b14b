//! The control over HTTP: what the library handle does, for clients in other languages.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body::SimBody;
use super::reply::Reply;
use super::route::decoded;
use crate::context::Context;
use crate::error::SimError;
use crate::shared::Shared;
use crate::shelf::ShelfChange;
use crate::timestamp;
use crate::world::Offspring;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    advance_ms: Option<i64>,
    set: Option<Instant>,
    speed: Option<f64>,
    freeze: Option<bool>,
}

/// An instant as milliseconds or as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Instant {
    Millis(i64),
    Text(String),
}

impl Instant {
    fn millis(&self) -> Result<i64, SimError> {
        match self {
            Self::Millis(millis) => Ok(*millis),
            Self::Text(text) => timestamp::parse(text).ok_or_else(|| SimError::control("not an instant")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tie {
    context: Context,
    count: u32,
    at: Instant,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoreTimes {
    count: u32,
    #[serde(default)]
    seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MergePair {
    source: String,
    target: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShelfOp {
    shelf: String,
    op: ShelfChange,
    count: u32,
    #[serde(default)]
    seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    seed: u64,
}

/// Answers a control request.
pub(crate) async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<SimBody> {
    let (parts, body) = request.into_parts();
    let reply = match body.collect().await {
        Ok(body) => {
            let path = parts.uri.path().trim_start_matches("/_sim/").trim_end_matches('/').to_owned();
            control(shared, &parts.method, &path, &body.to_bytes())
                .unwrap_or_else(|error| Reply::bad_request(&explain(&error)))
        }
        Err(_) => Reply::bad_request("the body broke off"),
    };
    let mut response = Response::new(SimBody::whole(reply.body.into()));
    *response.status_mut() = reply.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The error with its cause: a person is reading.
fn explain(error: &SimError) -> String {
    match error {
        SimError::Json { source, .. } => format!("{error}: {source}"),
        SimError::Listen { .. } | SimError::Control { .. } => error.to_string(),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, SimError> {
    serde_json::from_slice(body).map_err(|source| SimError::Json { place: "a control request", source })
}

fn context(name: &str) -> Result<Context, SimError> {
    Context::named(name).ok_or_else(|| SimError::control("unknown kind of record"))
}

fn control(shared: &Shared, method: &Method, path: &str, body: &[u8]) -> Result<Reply, SimError> {
    let parts: Vec<&str> = path.split('/').collect();
    let value = match (method.as_str(), parts.as_slice()) {
        ("GET", ["switches"]) => json!(shared.switches()),
        ("POST", ["switches"]) => {
            let merged = shared.switches().merged(read(body)?)?;
            shared.set_switches(merged);
            json!(merged)
        }
        ("GET", ["clock"]) => clock(shared),
        ("POST", ["clock"]) => {
            set_clock(shared, &read(body)?)?;
            clock(shared)
        }
        ("POST", ["mutate"]) => json!({"ids": shared.mutate(read(body)?)?}),
        ("POST", ["tie"]) => {
            let tie: Tie = read(body)?;
            json!({"ids": shared.tie(tie.context, tie.count, tie.at.millis()?)})
        }
        ("POST", ["merge"]) => {
            let pair: MergePair = read(body)?;
            shared.merge(&pair.source, &pair.target)?;
            json!({})
        }
        ("POST", ["times"]) => {
            let more: MoreTimes = read(body)?;
            json!({"ids": shared.add_times(more.count, more.seed)})
        }
        ("GET", ["offspring", name]) => {
            let kind = Offspring::named(name).ok_or_else(|| SimError::control("unknown kind of offspring"))?;
            return Ok(lines(&shared.offspring(kind)));
        }
        ("GET", ["audit-logs"]) => return Ok(lines(&shared.audit_log())),
        ("POST", ["raw", name]) => json!({"ids": shared.insert_raw(context(name)?, body)?}),
        ("POST", ["tokens"]) => {
            shared.add_token(read(body)?);
            json!({})
        }
        ("GET", ["stats"]) => json!(shared.tally().stats()),
        ("POST", ["stats", "reset"]) => {
            shared.tally().reset();
            json!({})
        }
        ("GET", ["truth", name]) => {
            let rows = shared.world().truth(context(name)?);
            return Ok(lines(&rows));
        }
        ("GET", ["shelf", name]) => json!(shared.shelf(&decoded(name))),
        ("GET", ["metadata"]) => json!(shared.metadata()),
        ("POST", ["change-shelf"]) => {
            let ShelfOp { shelf, op, count, seed } = read(body)?;
            json!({"ids": shared.change_shelf(&shelf, op, count, seed)?})
        }
        ("POST", ["change-shelves"]) => {
            let Seed { seed } = read(body)?;
            shared.change_shelves(seed)?;
            json!({})
        }
        ("GET", ["records", name]) => return Ok(Reply::one(shared.records(context(name)?))),
        _ => return Ok(Reply::not_found()),
    };
    Ok(Reply::one(value.to_string().into_bytes()))
}

fn lines(values: &[impl Serialize]) -> Reply {
    let lines = values.iter().map(|value| json!(value).to_string() + "\n").collect::<String>();
    Reply::one(lines.into_bytes())
}

fn clock(shared: &Shared) -> Value {
    let spec = shared.clock.spec();
    json!({
        "now_ms": spec.start, "now": timestamp::text(spec.start), "speed": spec.speed, "frozen": spec.frozen,
    })
}

fn set_clock(shared: &Shared, change: &ClockChange) -> Result<(), SimError> {
    if let Some(set) = &change.set {
        shared.clock.set(set.millis()?);
    }
    if let Some(millis) = change.advance_ms {
        shared.clock.advance(millis);
    }
    if let Some(speed) = change.speed {
        shared.clock.set_speed(speed);
    }
    if let Some(freeze) = change.freeze {
        shared.clock.set_frozen(freeze);
    }
    Ok(())
}
