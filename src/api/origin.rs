//! The one place to which the API key may be sent.
//!
//! The rule: every request goes to a URL made by [`Origin::resolve`], and that URL has the scheme,
//! host and port of the configured base URL. Whatever a link in an answer says, it cannot lead elsewhere.

use std::fmt::{self, Display};

use url::{Host, Url};

/// The scheme, host and port of a Kustomer organisation's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Url);

/// Why a base URL cannot be used. The URL itself is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// Not a URL with a host.
    #[error("not a URL with a host, such as https://acme.api.kustomerapp.com")]
    Malformed,
    /// Plain http to another machine would show the API key to the network.
    #[error("must begin with https:// (plain http is accepted for this machine only)")]
    Insecure,
    /// A base URL with credentials, path, query or fragment.
    #[error("must be a scheme, a host and perhaps a port, with nothing before or after them")]
    Excess,
    /// An organisation name that is not one label of a host name.
    #[error("not an organisation name: letters, digits and hyphens, as in https://NAME.kustomerapp.com")]
    Organisation,
}

/// A link that leads to another origin than the configured one, or nowhere. It is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ForeignLink;

impl Origin {
    /// Reads a base URL: https, or http on a loopback host.
    ///
    /// # Errors
    /// What is wrong with the text, without the text.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin::Malformed)?;
        let host = url.host().ok_or(InvalidOrigin::Malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            _ => return Err(InvalidOrigin::Insecure),
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || has_credentials(&url) {
            return Err(InvalidOrigin::Excess);
        }
        Ok(Self(url))
    }

    /// The origin of an organisation by its name, whatever its pod (API reference, section 2).
    ///
    /// # Errors
    /// A name that could not be one label of a host name.
    pub fn of_organisation(name: &str) -> Result<Self, InvalidOrigin> {
        let is_label = (1..=63).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-');
        if !is_label {
            return Err(InvalidOrigin::Organisation);
        }
        Self::parse(&format!("https://{name}.api.kustomerapp.com"))
    }

    /// The host, for messages.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether requests stay on this machine and unencrypted, so that no proxy may see them.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// The URL of a path (with its query) or of a link on this origin.
    pub(super) fn resolve(&self, target: &str) -> Result<Url, ForeignLink> {
        let url = self.0.join(target).map_err(|_| ForeignLink)?;
        if url.origin() == self.0.origin() && !has_credentials(&url) { Ok(url) } else { Err(ForeignLink) }
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in ["https://acme.api.kustomerapp.com", "https://acme.api.kustomerapp.com/", "http://127.0.0.1:9000"] {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
        for good in ["http://[::1]:1", "http://localhost:8080"] {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
        for bad in ["http://acme.api.kustomerapp.com", "http://localhost.example", "ftp://127.0.0.1", "http://10.0.0.1"]
        {
            assert_eq!(Origin::parse(bad), Err(InvalidOrigin::Insecure), "{bad}");
        }
    }

    #[test]
    fn only_an_origin_is_accepted() {
        for bad in ["https://u:p@a.example", "https://a.example/v1", "https://a.example?x=1", "https://a.example#x"] {
            assert_eq!(Origin::parse(bad), Err(InvalidOrigin::Excess), "{bad}");
        }
        for bad in ["", "acme", "https://", "data:text/plain,x"] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_organisation_is_one_label_of_the_host() {
        assert_eq!(Origin::of_organisation("acme").unwrap().host(), "acme.api.kustomerapp.com");
        for bad in ["", "a.b", "evil.example/", "acme@x", "-acme", "acme#", "ac me"] {
            assert_eq!(Origin::of_organisation(bad), Err(InvalidOrigin::Organisation), "{bad}");
        }
    }

    #[test]
    fn no_link_leads_to_another_origin() {
        let origin = Origin::parse("https://acme.api.kustomerapp.com").unwrap();
        for good in [
            "/v1/users?page=2",
            "https://acme.api.kustomerapp.com/v1/users?page=2",
            "https://acme.api.kustomerapp.com:443/",
        ] {
            assert_eq!(origin.resolve(good).unwrap().host_str(), Some(origin.host()), "{good}");
        }
        for bad in [
            "//evil.example/v1/users",
            "/\\evil.example/v1",
            "\\\\evil.example",
            "https://evil.example/",
            "http://acme.api.kustomerapp.com/v1",
            "https://acme.api.kustomerapp.com:8443/v1",
            "https://acme.api.kustomerapp.com@evil.example/",
            "https://user:word@acme.api.kustomerapp.com/v1",
            "/\t/evil.example",
            "file:///etc/passwd",
            "https://acme.api.kustomerapp.com.evil.example/",
        ] {
            assert_eq!(origin.resolve(bad), Err(ForeignLink), "{bad}");
        }
    }
}
