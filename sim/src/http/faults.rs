//! What goes wrong on purpose, by count (API reference, section 21).

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};

use super::body::SimBody;
use super::reply::Reply;
use crate::switches::Switches;

/// A fault in place of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    DropBefore,
    ServerError(u16),
    Html,
    Redirect,
    DropMidway,
    Truncated,
    Garbage,
}

/// The fault that strikes the request with this number, if any.
pub(crate) fn strike(switches: &Switches, number: u64) -> Option<Fault> {
    [
        (switches.drop_before, Fault::DropBefore),
        (switches.server_error, Fault::ServerError(switches.server_error_status)),
        (switches.html_error, Fault::Html),
        (switches.redirect, Fault::Redirect),
        (switches.drop_midway, Fault::DropMidway),
        (switches.truncated, Fault::Truncated),
        (switches.garbage, Fault::Garbage),
    ]
    .into_iter()
    .find_map(|(every, fault)| every.strikes(number).then_some(fault))
}

impl Fault {
    /// The answer that this fault gives in place of one; `None` when it spoils the right one.
    pub(crate) fn replacement(self) -> Option<Reply> {
        let bare = |status, body: &[u8]| Reply { status, body: body.to_vec(), records: None };
        match self {
            Self::DropBefore => Some(bare(StatusCode::OK, b"")),
            Self::ServerError(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                Some(Reply::error(status, "internal_error", "Something went wrong"))
            }
            Self::Html => Some(bare(StatusCode::BAD_GATEWAY, b"<html><body><h1>502 Bad Gateway</h1></body></html>")),
            Self::Redirect => Some(bare(StatusCode::FOUND, b"")),
            Self::DropMidway | Self::Truncated | Self::Garbage => None,
        }
    }

    /// Spoils a response that is otherwise ready.
    pub(crate) fn spoil(self, mut response: Response<()>, body: Vec<u8>) -> Response<SimBody> {
        let body = match self {
            Self::DropMidway => SimBody::broken(body.into()),
            Self::Truncated => {
                let mut bytes = Bytes::from(body);
                bytes.truncate(bytes.len() * 2 / 3);
                SimBody::whole(bytes)
            }
            Self::Garbage => SimBody::whole(Bytes::from_static(b"\x00\xff{]not json at all")),
            Self::Html => {
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
                SimBody::whole(body.into())
            }
            Self::Redirect => {
                let elsewhere = HeaderValue::from_static("https://attacker.invalid/v1/customers");
                response.headers_mut().insert(LOCATION, elsewhere);
                SimBody::whole(body.into())
            }
            Self::DropBefore | Self::ServerError(_) => SimBody::whole(body.into()),
        };
        response.map(|()| body)
    }
}
