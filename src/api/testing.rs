//! What the tests of this module share: a clock that jumps, and a server that says what it is told.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::clock::Clock;

/// Time that stands still while anybody has something to do, and then jumps to the next sleeper.
#[derive(Debug, Default)]
pub(super) struct JumpingClock(Mutex<Jumping>);

#[derive(Debug, Default)]
struct Jumping {
    now: Duration,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    count: u64,
}

impl JumpingClock {
    /// Runs to completion, on a runtime of one thread and without real time.
    pub(super) fn run<T>(self: &Arc<Self>, future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let jumps = async {
            loop {
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                let mut state = self.0.lock().unwrap();
                if let Some(((wake, _), sleeper)) = state.sleepers.pop_first() {
                    state.now = state.now.max(wake);
                    drop(state);
                    let _ = sleeper.send(());
                }
            }
        };
        runtime.block_on(async {
            tokio::select! {
                biased;
                result = future => result,
                () = jumps => unreachable!(),
            }
        })
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().now
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.0.lock().unwrap();
        let (sender, woken) = oneshot::channel();
        let key = (state.now + duration, state.count);
        state.count += 1;
        state.sleepers.insert(key, sender);
        Box::pin(async { woken.await.unwrap_or_default() })
    }
}

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Writes these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Writes the first bytes, and then the others again and again, without an end.
    Endless(Vec<u8>, Vec<u8>),
    /// The same, with a pause before each time.
    Trickle(Vec<u8>, Vec<u8>),
    /// Closes the connection without a word.
    Drop,
    /// Says nothing and waits.
    Hang,
}

impl Reply {
    /// A whole answer with a JSON body.
    pub(super) fn json(status: u16, headers: &[&str], body: &str) -> Self {
        let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        for header in headers {
            head.push_str(&format!("{header}\r\n"));
        }
        Self::Bytes(format!("{head}\r\n{body}").into_bytes())
    }
}

/// A server on this machine that gives the replies in turn, the last one for ever.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            for turn in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let reply = replies[turn.min(replies.len() - 1)].clone();
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let request = read_request(&mut stream).await;
                    seen.lock().unwrap().push(request);
                    match reply {
                        Reply::Bytes(bytes) => {
                            let _ = stream.write_all(&bytes).await;
                        }
                        Reply::Endless(head, again) => {
                            let mut written = stream.write_all(&head).await;
                            while written.is_ok() {
                                written = stream.write_all(&again).await;
                            }
                        }
                        Reply::Trickle(head, again) => {
                            let mut written = stream.write_all(&head).await;
                            while written.is_ok() {
                                pause().await;
                                written = stream.write_all(&again).await;
                            }
                        }
                        Reply::Drop => {}
                        Reply::Hang => std::future::pending().await,
                    }
                });
            }
        });
        Self { url, requests }
    }

    /// Every request so far, as received.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn pause() {
    crate::clock::SystemClock::new().sleep(Duration::from_millis(5)).await;
}

/// Reads a request's head and as much body as it announces, or what comes first of anything else.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        const TLS_HANDSHAKE: u8 = 22;
        if bytes.first() == Some(&TLS_HANDSHAKE) {
            return String::new();
        }
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= announced.map_or(0, |length| length.parse().unwrap()) {
                return String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(length) if length > 0 => bytes.extend_from_slice(&chunk[..length]),
            _ => return String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}
