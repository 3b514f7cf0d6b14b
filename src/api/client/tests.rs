mod hostile;

use std::num::NonZeroU32;

use super::*;
use crate::api::testing::{Reply, Server};
use crate::api::{
    BadPage, ConnectFailure, Content, Criterion, Deleted, Index, Limit, Next, Operator, Path, Phrase, RedirectTarget,
    Search, Share, Status, Total,
};
use crate::clock::SystemClock;

const TOKEN: &str = "eyJhbGciOiJub25lIn0.c2VjcmV0.c2lnbmF0dXJl";
const PAGE: &str = r#"{"data": [{"id": "a1", "attributes": {"rev": 2}}], "links": {"next": "/v1/users?page=2"}}"#;

fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        origin: Origin::parse(url).unwrap(),
        token: SecretString::from(TOKEN),
        user_agent: "kustlake/test".into(),
        quota: QuotaSettings {
            limit: Limit::Fixed(NonZeroU32::new(1000).unwrap()),
            share: Share::try_from(1.0).unwrap(),
            searches_per_minute: NonZeroU32::new(80).unwrap(),
        },
        // Generous: the clock of these tests is fast, and this machine may be slow.
        patience: Patience { answer: Duration::from_secs(20_000), max_bytes: 1000, ..Patience::default() },
        network: Network::Real,
        retry: RetrySettings { attempts: 3, attempts_to_reach: 2, ..RetrySettings::default() },
    }
}

fn client(settings: ClientSettings) -> Client {
    Client::new(settings, Arc::new(SystemClock::with_speed(1000)), Arc::new(Entropy::seeded(7))).unwrap()
}

fn users() -> Request {
    Request::ById(Path::parse("/v1/users/current").unwrap())
}

/// The outcome of one request to a server with these replies, and the requests that it saw.
async fn ask(replies: Vec<Reply>) -> (Result<Page, ApiError>, Vec<String>) {
    let server = Server::start(replies).await;
    let result = client(settings(&server.url)).page(&users()).await;
    (result, server.requests())
}

fn ok() -> Reply {
    Reply::json(200, &["Date: Wed, 21 Oct 2026 14:05:40 GMT"], PAGE)
}

#[tokio::test]
async fn a_page_comes_with_the_time_of_the_server() {
    let (page, requests) = ask(vec![ok()]).await;
    let page = page.unwrap();
    assert_eq!(page.server_time.unwrap().to_rfc3339(), "2026-10-21T14:05:40+00:00");
    assert_eq!((page.records.len(), page.next), (1, Next::More("/v1/users?page=2".into())));
    let request = requests.concat();
    assert!(request.starts_with("GET /v1/users/current HTTP/1.1\r\n"), "{request}");
    for line in [
        &format!("authorization: Bearer {TOKEN}"),
        "accept: application/json",
        "user-agent: kustlake/test",
        "accept-encoding: gzip",
    ] {
        assert!(request.contains(line), "{request}");
    }
}

#[tokio::test]
async fn a_search_is_posted_with_its_criteria() {
    let server = Server::start(vec![ok()]).await;
    let search = Search {
        index: Index::Live,
        context: "message".into(),
        all: vec![Criterion::instant("message_updated_at", Operator::Gte, DateTime::UNIX_EPOCH)],
        none: Vec::new(),
        sort_by: "message_updated_at".into(),
        page: 1,
        page_size: 500,
        content: Content::Full,
        deleted: Deleted::Included,
        total: Total::Hint,
    };
    let client = client(settings(&server.url));
    client.page(&Request::Search(search)).await.unwrap();
    let request = server.requests().concat();
    assert!(request.starts_with("POST /v1/customers/search?page=1&pageSize=500 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/json\r\n"), "{request}");
    assert!(request.contains(r#"{"message_updated_at":{"gte":"1970-01-01T00:00:00.000Z"}}"#), "{request}");
    let usage = client.usage();
    assert_eq!((usage.requests, usage.searches, usage.retries, usage.bytes), (1, 1, 0, PAGE.len() as u64));
}

#[tokio::test]
async fn passing_trouble_is_overcome() {
    let cut = Reply::Bytes(format!("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{PAGE}").into_bytes());
    let short = Reply::json(200, &[], &PAGE[..40]);
    let timed_out = Reply::json(200, &[], r#"{"data": [], "meta": {"timed_out": true}}"#);
    let garbled = Reply::json(200, &["content-encoding: gzip"], "not gzip");
    let html = Reply::json(502, &["content-type: text/html"], "<html>");
    for trouble in [cut, short, timed_out, garbled, html, Reply::Drop, Reply::json(503, &[], "")] {
        let (page, requests) = ask(vec![trouble.clone(), trouble, ok()]).await;
        assert_eq!((page.unwrap().records.len(), requests.len()), (1, 3));
    }
}

#[tokio::test]
async fn lasting_trouble_ends_after_the_attempts_with_its_last_cause() {
    let cause = |result: Result<Page, ApiError>| match result.unwrap_err() {
        ApiError::Exhausted(failure) => (failure.attempts, failure.cause),
        error => panic!("{error}"),
    };
    assert_eq!(cause(ask(vec![Reply::Drop]).await.0), (3, Cause::Cut));
    let timed_out = Reply::json(200, &[], r#"{"data": [], "meta": {"timed_out": true}}"#);
    assert_eq!(cause(ask(vec![timed_out]).await.0), (3, Cause::BadPage(BadPage::TimedOut)));

    let server = Server::start(vec![Reply::Hang]).await;
    let patience = Patience { answer: Duration::from_secs(100), ..Patience::default() };
    let result = client(ClientSettings { patience, ..settings(&server.url) }).page(&users()).await;
    assert_eq!(cause(result), (3, Cause::Timeout(Duration::from_secs(100))));
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(settings(&url)).page(&users()).await.unwrap_err();
    assert!(matches!(&error, ApiError::Unreachable(failure) if failure.attempts == 3), "{error}");
}

#[tokio::test]
async fn a_host_without_trusted_encryption_is_unreachable_after_few_attempts() {
    let server = Server::start(vec![Reply::Bytes(b"HTTP/1.1 400 plain\r\n\r\n".to_vec())]).await;
    let url = server.url.replace("http://", "https://");
    let error = client(settings(&url)).page(&users()).await.unwrap_err();
    assert_eq!((&error.failure().cause, error.failure().attempts), (&Cause::Connect(ConnectFailure::Tls), 2));
    assert!(matches!(error, ApiError::Unreachable(_)));
    assert!(server.requests().iter().all(|request| !request.contains(TOKEN)));
}

#[tokio::test]
async fn a_host_without_an_address_is_unreachable_after_few_attempts() {
    // No resolver may know this name (RFC 6761, section 6.4).
    let error = client(settings("https://kustlake.invalid")).page(&users()).await.unwrap_err();
    assert_eq!((&error.failure().cause, error.failure().attempts), (&Cause::Connect(ConnectFailure::Dns), 2));
    assert!(matches!(error, ApiError::Unreachable(_)));
}

#[tokio::test]
async fn refusals_are_told_apart_by_what_to_do_next() {
    async fn refused(status: u16, body: &str) -> ApiError {
        let (result, requests) = ask(vec![Reply::json(status, &[], body)]).await;
        assert_eq!(requests.len(), 1, "{status} must not be tried again");
        result.unwrap_err()
    }
    let expired = refused(401, r#"{"errors": [{"message": "Expired token"}]}"#).await;
    assert!(matches!(&expired, ApiError::Unauthorized(failure) if
        matches!(&failure.cause, Cause::Status(status) if status.phrase == Some(Phrase::Expired))));
    let pod = refused(400, r#"{"errors": [{"message": "token of prod2, request on prod1"}]}"#).await;
    assert!(matches!(pod, ApiError::Unauthorized(_)));
    assert!(matches!(refused(403, "").await, ApiError::Forbidden(_)));
    assert!(matches!(refused(404, "").await, ApiError::NotFound(_)));
    let rejected = refused(400, r#"{"errors": [{"code": "bad_request", "message": "Jane Doe"}]}"#).await;
    assert!(matches!(rejected, ApiError::Rejected(_)));
    insta::assert_snapshot!(rejected.to_string(), @"refused (status 400), bad_request. Asking again would not help (GET /v1/users/current at 127.0.0.1)");
    insta::assert_snapshot!(expired.to_string(), @"the API key has expired (status 401). Make a new one in Settings > Security > API Keys, and put it where the old one is (GET /v1/users/current at 127.0.0.1)");
}

#[tokio::test]
async fn too_many_requests_are_waited_for_as_the_service_says() {
    let date = "Date: Wed, 21 Oct 2026 14:05:40 GMT";
    for header in [
        "Retry-After: 40",
        "x-ratelimit-reset: 1792591580",
        "x-ratelimit-reset: 1792591580000",
        "x-ratelimit-reset: 40",
    ] {
        let server = Server::start(vec![Reply::json(429, &[date, header], "{}"), ok()]).await;
        let client = client(settings(&server.url));
        let began = client.clock.monotonic();
        client.page(&users()).await.unwrap();
        let waited = client.clock.monotonic() - began;
        assert!(waited >= Duration::from_secs(40), "{header}: {waited:?}");
        let usage = client.usage();
        assert_eq!((usage.requests, usage.retries, usage.throttled), (2, 1, 1));
        assert!(usage.waited >= Duration::from_secs(39), "{:?}", usage.waited);
    }
}

#[tokio::test]
async fn more_refusals_than_attempts_are_borne_if_they_end_in_time() {
    let busy = Reply::json(429, &["Retry-After: 1"], "{}");
    let (page, requests) = ask([vec![busy.clone(); 12], vec![ok()]].concat()).await;
    assert_eq!((page.unwrap().records.len(), requests.len()), (1, 13));
    let (page, _) = ask(vec![Reply::json(429, &["Retry-After: 120"], "{}")]).await;
    let error = page.unwrap_err();
    assert!(matches!(&error, ApiError::Exhausted(failure) if failure.elapsed >= Duration::from_secs(900)), "{error}");
}

#[tokio::test]
async fn a_redirect_is_refused_and_the_key_goes_nowhere_else() {
    let other = Server::start(vec![ok()]).await;
    let location = format!("Location: {}/v1/users/current", other.url);
    for (location, target) in
        [(location.as_str(), RedirectTarget::Elsewhere), ("Location: /v1/login", RedirectTarget::SameOrigin)]
    {
        let (result, requests) = ask(vec![Reply::json(307, &[location], "")]).await;
        let error = result.unwrap_err();
        assert!(
            matches!(&error, ApiError::Rejected(failure) if failure.cause == Cause::Redirect { status: 307, to: target })
        );
        assert_eq!(requests.len(), 1);
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    let (here, other) = (Server::start(vec![ok()]).await, Server::start(vec![ok()]).await);
    let client = client(settings(&here.url));
    let error = client.page(&Request::Follow(format!("{}/v1/users?page=2", other.url))).await.unwrap_err();
    assert!(matches!(error, ApiError::Rejected(_)), "{error}");
    assert!(here.requests().is_empty() && other.requests().is_empty());
    client.page(&Request::Follow("/v1/users?page=2".into())).await.unwrap();
    assert!(here.requests().concat().starts_with("GET /v1/users?page=2 "));
}

#[tokio::test]
async fn an_answer_of_any_size_is_kept_within_bounds() {
    let large = Reply::json(200, &[], &format!(r#"{{"data": ["{}"]}}"#, "x".repeat(2000)));
    let (result, requests) = ask(vec![large]).await;
    assert!(matches!(result, Err(ApiError::TooLarge(_))));
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn an_answer_may_be_compressed() {
    // The gzip form of {"data": []}.
    const BODY: [u8; 32] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 73, 44, 73, 84, 178, 82, 136, 142, 173, 5, 0, 184, 120, 189, 38,
        12, 0, 0, 0,
    ];
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", BODY.len());
    let (page, _) = ask(vec![Reply::Bytes([head.as_bytes(), &BODY].concat())]).await;
    let page = page.unwrap();
    assert_eq!((page.records.len(), page.next, page.bytes), (0, Next::Unstated, 12));
}

#[tokio::test]
async fn the_key_tells_its_roles() {
    let body = r#"{"data": {"type": "token", "attributes": {"name": "lake", "roles": ["org.permission.search.create"]},
        "relationships": {"org": {"data": {"type": "org", "id": "5f84"}}}}}"#;
    let server = Server::start(vec![Reply::json(200, &[], body), Reply::json(200, &[], r#"{"data": {}}"#)]).await;
    let client = client(settings(&server.url));
    let token = client.token().await.unwrap();
    assert_eq!((token.name.as_deref(), token.organisation.as_deref()), (Some("lake"), Some("5f84")));
    assert_eq!(token.roles, Some(vec!["org.permission.search.create".to_owned()]));
    assert_eq!(client.token().await.unwrap().roles, None);
}

#[tokio::test]
async fn the_key_is_in_no_message() {
    let server = Server::start(vec![Reply::json(401, &[], &format!(r#"{{"errors": [{{"code": "{TOKEN}"}}]}}"#))]).await;
    let settings = settings(&server.url);
    let mut messages = vec![format!("{settings:?}")];
    let client = client(settings.clone());
    let error = client.page(&users()).await.unwrap_err();
    messages.extend([format!("{client:?}"), format!("{error:?}"), error.to_string(), format!("{:?}", client.usage())]);
    let broken = ClientSettings { token: SecretString::from(format!("{TOKEN}\n")), ..settings };
    let error = Client::new(broken, Arc::new(SystemClock::new()), Arc::new(Entropy::seeded(7))).unwrap_err();
    messages.extend([format!("{error:?}"), error.to_string()]);
    for message in messages {
        assert!(!message.contains("eyJhbGci") && !message.contains("c2VjcmV0"), "{message}");
    }
}
