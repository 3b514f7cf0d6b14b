//! What an answer that is not a success says about itself.
//!
//! The rule: of its body only a plain error code and the recognition of known phrases come out, as
//! the rest could repeat what was sent or hold people's data.

use reqwest::StatusCode;

use super::error::{Phrase, Status};
use super::json::{members, value};

/// Reads a body of any of the shapes of section 6 of the API reference, or of none.
pub(super) fn read(status: StatusCode, body: &[u8]) -> Status {
    let text = String::from_utf8_lossy(body);
    let phrase = if status.is_client_error() { phrase(&text) } else { None };
    Status { status: status.as_u16(), code: code(&text), phrase }
}

fn code(body: &str) -> Option<String> {
    let [errors] = members(body, ["errors"]).ok()?;
    let first = value::<Vec<&serde_json::value::RawValue>>(errors)?.into_iter().next()?;
    let [code] = members(first.get(), ["code"]).ok()?;
    value::<String>(code).filter(|code| is_word(code))
}

/// A word of a program. Longer ones, and ones of other characters, might be anything.
fn is_word(code: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=40).contains(&code.len()) && code.bytes().all(plain)
}

fn phrase(body: &str) -> Option<Phrase> {
    let body = body.to_lowercase();
    let names_pods = || (1..=9).filter(|pod| body.contains(&format!("prod{pod}"))).count() > 1;
    if body.contains("expired token") || body.contains("token expired") {
        Some(Phrase::Expired)
    } else if body.contains("token") && (body.contains(" pod") || names_pods()) {
        Some(Phrase::WrongPod)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> (Option<String>, Option<Phrase>) {
        let Status { code, phrase, .. } = read(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        (code, phrase)
    }

    #[test]
    fn a_plain_code_is_told() {
        let body = r#"{"errors": [{"code": "bad_request", "message": "Invalid value: Jane Doe"}]}"#;
        assert_eq!(refusal(400, body), (Some("bad_request".into()), None));
    }

    #[test]
    fn nothing_else_of_a_body_comes_out() {
        for body in [
            "",
            "<html>prod1",
            "[]",
            r#"{"errors": {}}"#,
            r#"{"errors": []}"#,
            r#"{"errors": ["text"]}"#,
            r#"{"errors": [{"code": "jane.doe@example.com"}]}"#,
            r#"{"errors": [{"code": 7}]}"#,
            r#"{"error": "x", "message": "y"}"#,
        ] {
            assert_eq!(refusal(400, body), (None, None), "{body}");
        }
    }

    #[test]
    fn the_faults_of_a_key_are_recognised() {
        let expired = r#"{"errors": [{"message": "Expired token"}]}"#;
        assert_eq!(refusal(401, expired).1, Some(Phrase::Expired));
        let pod = r#"{"errors": [{"message": "Token is for pod prod2, but the request was handled by prod1"}]}"#;
        assert_eq!(refusal(401, pod).1, Some(Phrase::WrongPod));
        assert_eq!(refusal(502, "expired token").1, None);
    }
}
