//! Resource paths, and how an id gets into one.
//!
//! The rule: a value from outside (an id, a klass name) fills exactly one segment of a path and can
//! neither add a segment nor a query, so a strange id reads nothing but its own resource.

use std::fmt::{self, Display};

use url::form_urlencoded::byte_serialize;

/// A path below the origin: `/v1/users`, `/v2/conversations/6ad8c5e3e5b1f00012ab3500/times`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path(String);

/// A text that is not a resource path, or a value that cannot be in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// Queries, dot segments, empty segments, gaps without a value and characters that need escaping.
    #[error("not a resource path: plain segments after /v1/ or /v2/, such as /v1/users")]
    Malformed,
    /// An empty value or one that means a folder.
    #[error("this value cannot be a segment of a path")]
    Segment,
}

impl Path {
    /// Reads a path that needs no value from outside.
    ///
    /// # Errors
    /// [`InvalidPath::Malformed`].
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        Self::expand(text, &[])
    }

    /// Fills the gaps of a template: `{id}` in `/v1/conversations/{id}/events`, `{klass}` in `/v1/metadata/kobject.{klass}`.
    ///
    /// # Errors
    /// [`InvalidPath::Malformed`] for the template, [`InvalidPath::Segment`] for a value.
    pub fn expand(template: &str, values: &[(&str, &str)]) -> Result<Self, InvalidPath> {
        if template.contains('%') {
            return Err(InvalidPath::Malformed);
        }
        let mut path = template.to_owned();
        for (gap, value) in values {
            if matches!(*value, "" | "." | "..") {
                return Err(InvalidPath::Segment);
            }
            let escaped: String = byte_serialize(value.as_bytes()).collect();
            // Form encoding differs from a path's in the space alone.
            path = path.replace(&format!("{{{gap}}}"), &escaped.replace('+', "%20"));
        }
        let rest = path.strip_prefix('/').ok_or(InvalidPath::Malformed)?;
        let versioned = rest.starts_with("v1/") || rest.starts_with("v2/");
        if versioned && rest.split('/').all(is_segment) { Ok(Self(path)) } else { Err(InvalidPath::Malformed) }
    }

    /// The path as sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~,:*%".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn a_path_is_plain_segments_below_a_version() {
        for good in ["/v1/users", "/v1/auth/tokens/current", "/v1/users/a1,b2", "/v1/metadata/kobject.order"] {
            assert!(Path::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "v1/users", "/v1/", "/v3/users", "/v1/../v1", "/v1//users", "/v1/users?x=1", "//v1/x"] {
            assert_eq!(Path::parse(bad), Err(InvalidPath::Malformed), "{bad}");
        }
        for bad in ["/v1/a b", "/v1/users/{id}", "/v1/%2e%2e/users", "/v1/users#x"] {
            assert_eq!(Path::parse(bad), Err(InvalidPath::Malformed), "{bad}");
        }
    }

    #[test]
    fn a_value_fills_its_gap() {
        let fill = |template, name, value| Path::expand(template, &[(name, value)]).map(|path| path.to_string());
        let events = "/v1/conversations/{id}/events";
        assert_eq!(fill(events, "id", "5f84").unwrap(), "/v1/conversations/5f84/events");
        assert_eq!(fill(events, "id", "a b+c/d").unwrap(), "/v1/conversations/a%20b%2Bc%2Fd/events");
        assert_eq!(fill("/v1/metadata/kobject.{klass}", "klass", "e-order").unwrap(), "/v1/metadata/kobject.e-order");
        assert_eq!(fill(events, "klass", "x"), Err(InvalidPath::Malformed));
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_segment(value in any::<String>()) {
            if let Ok(path) = Path::expand("/v1/conversations/{id}/events", &[("id", &value)]) {
                let url = url::Url::parse("https://a.example").unwrap().join(path.as_str()).unwrap();
                let segments: Vec<_> = url.path_segments().unwrap().collect();
                assert_eq!(segments.len(), 4, "{value:?}");
                assert_eq!((segments[0], segments[1], segments[3]), ("v1", "conversations", "events"));
                assert!(url.query().is_none() && url.fragment().is_none());
            }
        }
    }
}
