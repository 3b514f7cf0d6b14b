//! What was made to do harm: answers of the service, and files. It costs its own entity, and nothing else.

use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode};
use kustlake::api::{Exchange, Network, Received, RetrySettings, Sent};
use kustlake::run::{Command, Exit, World};
use kustlake_sim::{Context, Switches, WorldSpec};
use serde_json::json;

use crate::parts::source;
use crate::support::{Org, TOKEN, eager, entity};
use crate::tables::{assert_complete, rows, truth};

#[path = "../../fuzz/targets/mod.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets are other crates")]
mod targets;

/// Stands in every hostile answer, and in no message.
const PRIVATE: &str = "jane.doe@example.com";

/// The same functions look for more such inputs: `fuzz/run`.
#[test]
fn every_input_that_was_ever_kept_is_borne() {
    for (target, check) in targets::TARGETS {
        let mut kept = 0;
        for folder in ["corpus", "regressions"] {
            let Ok(inputs) = source(&format!("fuzz/{folder}/{target}")).read_dir() else { continue };
            for input in inputs {
                let path = input.unwrap().path();
                let bytes = std::fs::read(&path).unwrap();
                assert!(catch_unwind(|| check(&bytes)).is_ok(), "{}", path.display());
                kept += 1;
            }
        }
        assert!(kept >= 10, "{target} has {kept} inputs in fuzz/corpus");
    }
}

/// Carries everything to the simulator, but answers for the list of users itself.
#[derive(Debug)]
struct Usurper {
    http: reqwest::Client,
    answer: Received,
}

impl Exchange for Usurper {
    fn exchange<'a>(&'a self, sent: &'a Sent) -> BoxFuture<'a, Option<Received>> {
        Box::pin(async move {
            let (url, request) = match sent {
                Sent::Get(url) => (url, self.http.get(url.clone())),
                Sent::Post(url, body) => (url, self.http.post(url.clone()).body(body.clone())),
            };
            assert!(matches!(url.host_str(), Some("127.0.0.1" | "localhost")), "{url}");
            if url.path() == "/v1/users" {
                return Some(self.answer.clone());
            }
            let answer = request.bearer_auth(TOKEN).send().await.ok()?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Some(Received { status, headers, body: answer.bytes().await.ok()? })
        })
    }
}

/// A world in which the list of users is always answered so.
fn usurped(status: StatusCode, location: Option<&'static str>, body: Vec<u8>) -> World {
    let mut headers = HeaderMap::new();
    headers.extend(location.map(|location| (http::header::LOCATION, HeaderValue::from_static(location))));
    let answer = Received { status, headers, body: Bytes::from(body) };
    let retry = RetrySettings { attempts: 3, throttled_for: Duration::from_secs(1), ..eager().retry };
    World { network: Network::Given(Arc::new(Usurper { http: reqwest::Client::new(), answer })), retry, ..eager() }
}

fn page(records: &str, next: &str) -> Vec<u8> {
    format!(r#"{{"data": [{records}], "links": {{"next": {next}}}, "meta": {{"x": "{PRIVATE}"}}}}"#).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_answered_with_malice_fails_alone_and_is_read_once_answers_are_honest() {
    const USER: &str = r#"{"type": "user", "id": "6ad8", "attributes": {"name": "jane.doe@example.com"}}"#;
    let (ok, found) = (StatusCode::OK, StatusCode::FOUND);
    let wide = page(USER, "null").iter().flat_map(|byte| [*byte, 0]).collect::<Vec<_>>();
    let open = [b"{\"jane.doe@example.com\": ".to_vec(), b"[".repeat(3_000_000)].concat();
    let attacks = [
        (usurped(ok, None, wide), "not a JSON object"),
        (usurped(ok, None, page(USER, "null").repeat(2)), "not a JSON object"),
        (usurped(ok, None, [b"\xef\xbb\xbf".to_vec(), page(USER, "null")].concat()), "not a JSON object"),
        (usurped(ok, None, open), "not a JSON object"),
        (usurped(ok, None, page(PRIVATE, "null")), "not a JSON object"),
        (usurped(ok, None, page(&format!("{USER}, \"{PRIVATE}\""), "null")), "data[1] is not an object"),
        (usurped(ok, None, page(USER, "\"/v1/users?page=2\"")), "without an end"),
        (usurped(ok, None, page(USER, "\"https://evil.example/v1/users\"")), "leads to another host"),
        (usurped(ok, None, page(USER, "\"//jane:doe@127.0.0.1/v1/users\"")), "leads to another host"),
        (usurped(found, Some("https://evil.example/v1/users"), Vec::new()), "to another host"),
        (usurped(StatusCode::FORBIDDEN, None, PRIVATE.into()), "not permitted"),
    ];
    let org = Org::new(WorldSpec::default(), Switches::unlimited()).await;
    org.sim.clock().advance(600_000);
    for (world, told) in attacks {
        let report = json!(org.inside(Command::Run, &world).await.unwrap());
        let users = entity(&report, "users");
        assert_eq!((&report["exit_code"], &users["outcome"]), (&json!(Exit::Partial), &json!("failed")), "{told}");
        let error = users["error"].as_str().unwrap_or_else(|| panic!("{users}"));
        assert!(error.contains("/v1/users") && error.contains(told), "`{told}` in {error}");
        assert!(!report.to_string().contains(PRIVATE), "{report}");
        assert!(rows(&org.lake(), "users").await.is_empty(), "half a list is in the table: {told}");
    }
    for (context, name) in [(Context::Conversation, "conversations"), (Context::Message, "messages")] {
        assert_eq!(rows(&org.lake(), name).await, truth(&org.sim, context), "{name}");
    }
    org.load().await;
    assert_complete(&org.sim, &org.lake(), "with honest answers").await;
}
