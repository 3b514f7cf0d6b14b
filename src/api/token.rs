//! What the service says about the API key in use.

use std::fmt::{self, Debug};

use chrono::{DateTime, Utc};

use super::json::members;
use super::page::Page;

/// The API key's own description (API reference, section 3), which any valid key may read.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// The name given to the key.
    pub name: Option<String>,
    /// Its roles; none if the service did not tell, which is not the same as an empty list.
    pub roles: Option<Vec<String>>,
    /// The id of the organisation it belongs to.
    pub organisation: Option<String>,
    /// The service's clock, to the second.
    pub server_time: Option<DateTime<Utc>>,
}

impl TokenInfo {
    /// A description of another shape than expected is one with gaps: the key works, which is what was asked.
    pub(super) fn read(page: &Page) -> Self {
        let json = page.records.first().and_then(|record| str::from_utf8(&record.resource).ok()).unwrap_or_default();
        let [attributes, relationships] = object(Some(json), ["attributes", "relationships"]);
        let [name, roles] = object(attributes, ["name", "roles"]);
        let [org] = object(relationships, ["org"]);
        let [data] = object(org, ["data"]);
        let [organisation] = object(data, ["id"]);
        Self {
            name: text(name),
            roles: roles.and_then(|roles| serde_json::from_str(roles).ok()),
            organisation: text(organisation),
            server_time: page.server_time,
        }
    }
}

/// People name keys after people.
impl Debug for TokenInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenInfo")
            .field("roles", &self.roles)
            .field("organisation", &self.organisation)
            .finish_non_exhaustive()
    }
}

fn object<'a, const N: usize>(json: Option<&'a str>, names: [&str; N]) -> [Option<&'a str>; N] {
    let found = json.and_then(|json| members(json, names).ok()).unwrap_or([None; N]);
    found.map(|raw| raw.map(serde_json::value::RawValue::get))
}

fn text(json: Option<&str>) -> Option<String> {
    serde_json::from_str(json?).ok()
}
