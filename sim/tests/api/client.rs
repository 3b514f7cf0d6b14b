//! A running simulator and a plain HTTP client, without a library that could repair what is broken.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use kustlake_sim::{ClockSpec, SimHandle, SimServer, Switches, WorldSpec};
use serde_json::Value;
use tokio::runtime::Runtime;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> i64 {
        self.header(name).expect(name).parse().expect(name)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// Sends one request over a connection of its own.
pub(crate) fn send(addr: SocketAddr, method: &str, path: &str, token: Option<&str>, body: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(addr)?;
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {length}\r\n{authorization}\r\n{body}"
    )?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let body = bytes[end + 4..].to_vec();
    let answer = Answer { status: status.ok_or(io::ErrorKind::InvalidData)?, headers, body };
    if answer.header("content-length").is_some_and(|length| length != answer.body.len().to_string()) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}

/// A simulator with a runtime of its own.
pub(crate) struct Sim {
    pub(crate) handle: SimHandle,
    _runtime: Runtime,
}

/// A small world, a clock that stands still, limits out of the way.
pub(crate) fn start() -> Sim {
    start_with(WorldSpec::default(), Switches::unlimited())
}

pub(crate) fn start_with(world: WorldSpec, switches: Switches) -> Sim {
    let runtime = Runtime::new().expect("a runtime");
    let handle = runtime.block_on(SimServer::start(world, switches, ClockSpec::frozen())).expect("a simulator");
    Sim { handle, _runtime: runtime }
}

impl Sim {
    pub(crate) fn try_get(&self, path: &str) -> io::Result<Answer> {
        send(self.handle.addr(), "GET", path, Some("sim-token"), "")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_get(path).expect("an answer")
    }

    pub(crate) fn get_as(&self, token: &str, path: &str) -> Answer {
        send(self.handle.addr(), "GET", path, Some(token), "").expect("an answer")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        send(self.handle.addr(), "POST", path, Some("sim-token"), body).expect("an answer")
    }

    /// Asks ordinary search with a query string.
    pub(crate) fn search(&self, query: &str, body: &Value) -> Answer {
        self.post(&format!("/v1/customers/search?{query}"), &body.to_string())
    }

    pub(crate) fn archive(&self, query: &str, body: &Value) -> Answer {
        self.post(&format!("/v1/customers/archive/search?{query}"), &body.to_string())
    }

    /// The records of every page of a search, by page number.
    pub(crate) fn search_all(&self, size: usize, body: &Value) -> Vec<Value> {
        let mut all = Vec::new();
        for page in 1.. {
            let answer = self.search(&format!("page={page}&pageSize={size}"), body);
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            let body = answer.json();
            all.extend(records(&body));
            if body["links"]["next"].is_null() {
                break;
            }
        }
        all
    }

    /// The records of a list, following its links to the end.
    pub(crate) fn follow(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let body = self.get(&path).json();
            all.extend(records(&body));
            next = body["links"]["next"].as_str().map(str::to_owned);
        }
        all
    }

    pub(crate) fn switch(&self, changes: Value) {
        self.handle.merge_switches(changes).expect("known switches");
    }
}

pub(crate) fn records(body: &Value) -> Vec<Value> {
    body["data"].as_array().expect("data").clone()
}

/// The ids of records, in their order.
pub(crate) fn ids(records: &[Value]) -> Vec<String> {
    records.iter().map(|record| record["id"].as_str().expect("id").to_owned()).collect()
}

/// The ids of records, sorted.
pub(crate) fn id_set(records: &[Value]) -> Vec<String> {
    let mut ids = ids(records);
    ids.sort();
    ids
}

/// `attributes.updatedAt` of a record.
pub(crate) fn updated_at(record: &Value) -> String {
    record["attributes"]["updatedAt"].as_str().expect("updatedAt").to_owned()
}

/// Two years before the clock's default start: where ordinary search ends.
pub(crate) const BOUNDARY: &str = "2024-11-01T00:00:00.000Z";
