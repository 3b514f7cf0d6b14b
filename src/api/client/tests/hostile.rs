//! Answers made to do harm: each ends in a clear error that names the request and repeats nothing of the answer.

use super::*;

/// Stands in every hostile answer, and in no message.
const PRIVATE: &str = "jane.doe@example.com";

fn reply(head: &str, body: &[u8]) -> Reply {
    Reply::Bytes([format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes(), body].concat())
}

/// What becomes of a request that is always answered so, and how often it was sent.
async fn fate(reply: Reply) -> (Cause, u32) {
    fate_within(Duration::from_secs(20_000), reply).await
}

async fn fate_within(answer: Duration, reply: Reply) -> (Cause, u32) {
    let server = Server::start(vec![reply]).await;
    let patience = Patience { answer, ..settings(&server.url).patience };
    let error = client(ClientSettings { patience, ..settings(&server.url) }).page(&users()).await.unwrap_err();
    let told = error.to_string();
    assert!(told.ends_with(" (GET /v1/users/current at 127.0.0.1)"), "{told}");
    assert!(!told.contains("jane") && !format!("{error:?}").contains("jane"), "{told}");
    (error.failure().cause.clone(), error.failure().attempts)
}

/// A stream of gzip that goes on for ever: its opening, and what comes again and again, 13 bytes for two thousand.
fn bomb() -> (Vec<u8>, Vec<u8>) {
    const HEADER: [u8; 10] = [31, 139, 8, 0, 0, 0, 0, 0, 0, 255];
    // A block of fixed codes with one space in it, then the longest copy of the byte before.
    let copy = [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0];
    let opening = [&[0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0][..], &copy].concat();
    let packed = |bits: &[u8]| -> Vec<u8> {
        bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |byte, bit| byte << 1 | bit)).collect()
    };
    ([&HEADER[..], &packed(&opening)].concat(), packed(&copy.repeat(8)))
}

#[tokio::test]
async fn an_answer_without_end_ends_at_the_limit_also_when_it_is_compressed() {
    let (opening, more) = bomb();
    let gzip = [b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", opening.as_slice()].concat();
    let plain = format!("HTTP/1.1 200 OK\r\n\r\n{PRIVATE}").into_bytes();
    for endless in [Reply::Endless(gzip, more), Reply::Endless(plain, vec![b' '; 4096])] {
        assert_eq!(fate(endless).await, (Cause::Oversize(1000), 1));
    }
}

/// The most memory that this process has had at once, in MiB; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    line.map_or(0, |kibibytes| kibibytes.parse::<u64>().unwrap() / 1024)
}

#[tokio::test]
async fn an_answer_that_inflates_for_ever_takes_no_more_memory_than_the_largest_answer() {
    let (opening, more) = bomb();
    let gzip = [b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", opening.as_slice()].concat();
    let server = Server::start(vec![Reply::Endless(gzip, more)]).await;
    let patience = Patience { max_bytes: 64 * 1024 * 1024, ..settings(&server.url).patience };
    let before = peak();
    let error = client(ClientSettings { patience, ..settings(&server.url) }).page(&users()).await.unwrap_err();
    assert!(matches!(error, ApiError::TooLarge(_)), "{error}");
    let grown = peak() - before;
    // The buffer grows by doubling: old and new exist at once for a moment.
    assert!(grown < 3 * 64, "{grown} MiB more");
}

#[tokio::test]
async fn a_refusal_without_end_is_read_as_far_as_it_can_tell_something() {
    let (opening, more) = bomb();
    let gzip = [b"HTTP/1.1 400 X\r\ncontent-encoding: gzip\r\n\r\n", opening.as_slice()].concat();
    let plain = format!("HTTP/1.1 400 X\r\n\r\n{{\"errors\": \"{PRIVATE}").into_bytes();
    for endless in [Reply::Endless(gzip, more), Reply::Endless(plain, vec![b' '; 4096])] {
        let (cause, attempts) = fate(endless).await;
        assert_eq!((cause, attempts), (Cause::Status(Status { status: 400, code: None, phrase: None }), 1));
    }
}

#[tokio::test]
async fn an_answer_that_trickles_is_given_up_in_time() {
    let page = format!("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{{\"{PRIVATE}\": ").into_bytes();
    let refusal = format!("HTTP/1.1 403 OK\r\n\r\n{{\"{PRIVATE}\": ").into_bytes();
    let header = format!("HTTP/1.1 200 OK\r\nx: {PRIVATE}").into_bytes();
    let informal = (Vec::new(), b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec());
    let byte = |head| (head, vec![b' ']);
    for (head, again) in [byte(page), byte(refusal), byte(header), informal] {
        let patience = Duration::from_secs(300);
        let (cause, attempts) = fate_within(patience, Reply::Trickle(head, again)).await;
        assert_eq!((cause, attempts), (Cause::Timeout(patience), 3));
    }
}

#[tokio::test]
async fn headers_without_end_break_the_connection() {
    let start = format!("HTTP/1.1 200 OK\r\nx: {PRIVATE}");
    for (head, again) in [(start.clone(), "a".repeat(4096)), (format!("{start}\r\n"), "x: y\r\n".repeat(99))] {
        let (cause, attempts) = fate(Reply::Endless(head.into_bytes(), again.into_bytes())).await;
        assert_eq!((cause, attempts), (Cause::Cut, 3));
    }
}

#[tokio::test]
async fn headers_of_any_content_do_not_spoil_a_page() {
    let digits = "9".repeat(10_000);
    for name in ["date", "retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "location"] {
        for value in [&b"\xff\xfe"[..], "\u{2603}".as_bytes(), b"", b"-1e999", b"NaN", b"\t1;w=\"", digits.as_bytes()] {
            let head = [b"HTTP/1.1 200 OK\r\n", name.as_bytes(), b": ", value, b"\r\n\r\n", PAGE.as_bytes()].concat();
            let (page, requests) = ask(vec![Reply::Bytes(head)]).await;
            assert_eq!((page.unwrap().records.len(), requests.len()), (1, 1), "{name}");
        }
    }
}

#[tokio::test]
async fn a_length_that_lies_never_makes_a_page() {
    let body = format!(r#"{{"data": [], "x": "{PRIVATE}"}}"#);
    let length = |length: &str| reply(&format!("content-length: {length}\r\n"), body.as_bytes());
    assert!(matches!(fate(length("20")).await, (Cause::BadPage(BadPage::Syntax { .. }), 3)));
    for lie in ["0\r\ncontent-length: 20", "-1", "1e3", "99999999999999999999999", "99999999"] {
        assert_eq!(fate(length(lie)).await, (Cause::Cut, 3), "{lie}");
    }
    for chunks in ["zz\r\n", "ffffffffffffffffff\r\n", "5\r\n{\"dat", "2\r\n{}0\r\n\r\n"] {
        let chunked = reply("transfer-encoding: chunked\r\n", chunks.as_bytes());
        assert_eq!(fate(chunked).await, (Cause::Cut, 3), "{chunks}");
    }
}

#[tokio::test]
async fn text_in_another_encoding_is_no_page() {
    let text = format!(r#"{{"data": [{{"id": "a", "attributes": {{"name": "{PRIVATE}"}}}}]}}"#);
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe", wide.as_slice()].concat();
    let latin =
        text.replace("jane", "jane\u{e9}").chars().map(|letter| u8::try_from(letter).unwrap()).collect::<Vec<_>>();
    for (body, encoding) in [(&marked, true), (&latin, true), (&wide, false)] {
        let (cause, attempts) = fate(reply("", body)).await;
        let expected = matches!(cause, Cause::BadPage(BadPage::Encoding)) == encoding;
        assert!(expected && matches!(cause, Cause::BadPage(_)) && attempts == 3, "{cause:?}");
    }
    let bom = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    assert_eq!(fate(reply("", &bom)).await.0, Cause::BadPage(BadPage::Syntax { line: 1, column: 1 }));
    for unasked in ["br", "deflate", "zstd", "compress", "utf-16"] {
        let body = reply(&format!("content-encoding: {unasked}\r\n"), &[0x8b, 0xff, 0]);
        assert_eq!(fate(body).await, (Cause::BadPage(BadPage::Encoding), 3), "{unasked}");
    }
}

#[tokio::test]
async fn odd_values_are_their_records_own_affair() {
    let deep = format!("{}{}", "[".repeat(300_000), "]".repeat(300_000));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(300_000), "}".repeat(300_000));
    let digits = "9".repeat(300_000);
    let long = format!("\"{}\"", "x".repeat(3_000_000));
    for odd in [&deep, &objects, &digits, &long, "\"\\ud800\"", "1e999999", "-0.0e-999", "{\"a\": 1, \"a\": 2}"] {
        for place in [format!(r#""x": {odd}"#), format!(r#""\ud800": {odd}"#), format!(r#""id": {odd}, "id": "a1""#)] {
            let body = format!(
                r#"{{"data": [{{{place}, "attributes": {{{place}, "rev": 3, "updatedAt": "2026-10-21T14:05:40Z"}}}}], {place}}}"#
            );
            let server = Server::start(vec![Reply::json(200, &[], &body)]).await;
            let patience = Patience { max_bytes: 1 << 30, ..settings(&server.url).patience };
            let page = client(ClientSettings { patience, ..settings(&server.url) }).page(&users()).await.unwrap();
            let record = &page.records[0];
            assert_eq!((record.rev, record.updated_at.is_some()), (Some(3), true), "{}", &place[..30.min(place.len())]);
        }
    }
}

#[tokio::test]
async fn what_is_no_number_in_json_is_no_page() {
    for odd in ["NaN", "Infinity", "-", "+1", "0x10", "01", "1.", ".5", "'a'", "\"\u{1}\"", "\"\\x41\"", "nul", "//"] {
        let body = format!(r#"{{"data": [], "{PRIVATE}": {odd}}}"#);
        let (cause, attempts) = fate(reply("", body.as_bytes())).await;
        assert!(matches!(cause, Cause::BadPage(BadPage::Syntax { .. })) && attempts == 3, "{odd}: {cause:?}");
    }
}
