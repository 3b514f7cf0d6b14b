//! Answers before they become HTTP, and the body of an error (API reference, section 6).

use hyper::StatusCode;
use serde_json::json;

/// An answer of an endpoint.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    /// How many records the page has, when it is one.
    pub(crate) records: Option<usize>,
}

impl Reply {
    pub(crate) const fn page(body: Vec<u8>, records: usize) -> Self {
        Self { status: StatusCode::OK, body, records: Some(records) }
    }

    pub(crate) const fn one(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body, records: None }
    }

    pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Self {
        let body = json!({"errors": [{"code": code, "message": message, "meta": {}}]});
        Self { status, body: body.to_string().into_bytes(), records: None }
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::error(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn not_found() -> Self {
        Self::error(StatusCode::NOT_FOUND, "not_found", "Not found")
    }

    pub(crate) fn forbidden() -> Self {
        Self::error(StatusCode::FORBIDDEN, "forbidden", "Missing role")
    }
}
