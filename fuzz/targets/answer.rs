//! Whole answers: status, headers and body, as the client judges them.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::executor::block_on;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kustlake::api::{
    ApiError, Cause, Client, ClientSettings, Exchange, Limit, Network, Origin, Patience, QuotaSettings, Received,
    RetrySettings, Sent, Share,
};
use kustlake::clock::{Clock, Entropy};
use secrecy::SecretString;

const TOKEN: &str = "invented-key-of-this-target";
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Recognised by the clock: nobody waits here for an answer.
const PATIENCE: Duration = Duration::from_secs(7_777);

/// An answer is a page or an error that names the request, after bounded waiting, and quotes nothing of it.
///
/// An input is a status, a header a line, an empty line and the body; `%%` stands between answers that come in turn, the last
/// of which comes for ever.
pub fn check(input: &[u8]) {
    let answers = split(input, b"\n%%\n").map(received).collect::<Option<Vec<_>>>();
    let Some(answers) = answers else { return };
    let clock = Arc::new(Jumping::default());
    let carrier = Carrier { answers, turn: Mutex::new(0) };
    let client = Client::new(settings(carrier), Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(Entropy::seeded(7)));
    let outcome = block_on(client.expect("a client").token());
    assert!(clock.monotonic() < HOUR, "waited for {:?}", clock.monotonic());
    match outcome {
        Ok(token) => assert!(!format!("{token:?}").contains(TOKEN)),
        Err(error) => clear(&error),
    }
}

/// An error names the request and nothing of the answer but a plain code.
fn clear(error: &ApiError) {
    let told = error.to_string();
    assert!(told.ends_with(" (GET /v1/auth/tokens/current at 127.0.0.1)"), "{told}");
    assert!(told.len() < 500 && told.is_ascii() && !told.contains(['@', '\n', '{']), "{told}");
    assert!(!told.contains(TOKEN));
    if let Cause::Status(status) = &error.failure().cause {
        assert!(!(200..300).contains(&status.status));
    }
}

fn settings(carrier: Carrier) -> ClientSettings {
    let second = Duration::from_secs(1);
    ClientSettings {
        origin: Origin::parse("http://127.0.0.1:1").expect("an origin"),
        token: SecretString::from(TOKEN),
        user_agent: "kustlake/test".to_owned(),
        quota: QuotaSettings {
            limit: Limit::Auto,
            share: Share::try_from(1.0).expect("a share"),
            searches_per_minute: NonZeroU32::MIN,
        },
        patience: Patience { answer: PATIENCE, max_bytes: 1 << 20, ..Patience::default() },
        retry: RetrySettings { attempts: 3, throttled_for: 300 * second, ..RetrySettings::default() },
        network: Network::Given(Arc::new(carrier)),
    }
}

fn received(answer: &[u8]) -> Option<Received> {
    let at = answer.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = at.map_or((answer, &[][..]), |at| (&answer[..at], &answer[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = StatusCode::from_bytes(lines.next()?).ok()?;
    let mut headers = HeaderMap::new();
    for line in lines.take(64) {
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':')?);
        headers.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value[1..].trim_ascii()).ok()?);
    }
    Some(Received { status, headers, body: Bytes::copy_from_slice(body) })
}

fn split<'a>(mut input: &'a [u8], between: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let at = input.windows(between.len()).position(|part| part == between);
        ended = at.is_none();
        let (part, rest) = at.map_or((input, &[][..]), |at| (&input[..at], &input[at + between.len()..]));
        input = rest;
        Some(part)
    })
}

#[derive(Debug)]
struct Carrier {
    answers: Vec<Received>,
    turn: Mutex<usize>,
}

impl Exchange for Carrier {
    fn exchange<'a>(&'a self, sent: &'a Sent) -> BoxFuture<'a, Option<Received>> {
        let (Sent::Get(url) | Sent::Post(url, _)) = sent;
        assert_eq!(url.host_str(), Some("127.0.0.1"));
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = self.answers.get(*turn).or(self.answers.last()).cloned();
        *turn += 1;
        Box::pin(std::future::ready(answer))
    }
}

/// Time that passes by waiting alone.
#[derive(Debug, Default)]
struct Jumping(Mutex<Duration>);

impl Clock for Jumping {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration == PATIENCE {
            return Box::pin(std::future::pending());
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += duration;
        Box::pin(std::future::ready(()))
    }
}
