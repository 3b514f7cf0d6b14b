//! The envelope of a page (API reference, section 5.2): meta and links before the data, written into one buffer.

use serde_json::{Value, json};

use super::params::{PageParams, Params};
use crate::switches::NextLinks;

/// Everything about a page but its records.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    pub(crate) path: &'a str,
    pub(crate) params: &'a Params,
    pub(crate) paging: PageParams,
    pub(crate) next: Next,
    /// Members of `meta` beside page and size.
    pub(crate) meta: Vec<(&'static str, Value)>,
    /// The number of the last page, where the list tells it.
    pub(crate) last: Option<usize>,
}

/// What the link to the next page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    None,
    Page,
    OtherOrigin,
    /// It is not even said that there is none.
    Unstated,
}

impl Next {
    /// The link of a page behind which there is another one, or not.
    pub(crate) const fn of(links: NextLinks, more: bool) -> Self {
        match (links, more) {
            (NextLinks::Endless, _) | (NextLinks::Honest, true) => Self::Page,
            (NextLinks::OtherOrigin, true) => Self::OtherOrigin,
            (NextLinks::Unstated, _) => Self::Unstated,
            (NextLinks::Honest | NextLinks::OtherOrigin, false) => Self::None,
        }
    }
}

/// An origin that no client may send its token to; nothing listens there.
const OTHER_ORIGIN: &str = "https://attacker.invalid";

/// The same path on another origin.
pub(crate) fn elsewhere(path: &str) -> String {
    format!("{OTHER_ORIGIN}{path}")
}

impl Listing<'_> {
    /// Opens the envelope; records follow, then [`close`].
    pub(crate) fn open(&self, capacity: usize) -> Vec<u8> {
        let PageParams { page, size } = self.paging;
        let link = |page: usize| self.params.link(self.path, page, size);
        let mut meta = serde_json::Map::new();
        meta.insert("pageSize".into(), size.into());
        meta.insert("page".into(), page.into());
        meta.extend(self.meta.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let next = match self.next {
            Next::None | Next::Unstated => None,
            Next::Page => Some(link(page + 1)),
            Next::OtherOrigin => Some(elsewhere(&link(page + 1))),
        };
        let mut links = json!({
            "self": link(page),
            "first": link(1),
            "prev": (page > 1).then(|| link(page - 1)),
            "next": next,
        });
        if let (Next::Unstated, Some(links)) = (self.next, links.as_object_mut()) {
            links.retain(|name, _| name == "self");
        } else if let (Some(last), Some(links)) = (self.last, links.as_object_mut()) {
            links.insert("last".into(), link(last.max(1)).into());
        }
        let mut out = Vec::with_capacity(capacity);
        out.extend_from_slice(b"{\"meta\":");
        out.extend_from_slice(Value::Object(meta).to_string().as_bytes());
        out.extend_from_slice(b",\"links\":");
        out.extend_from_slice(links.to_string().as_bytes());
        out.extend_from_slice(b",\"data\":[");
        out
    }
}

/// Appends records with commas between; returns how many there were.
pub(crate) fn fill(out: &mut Vec<u8>, ords: &[u32], mut render: impl FnMut(&mut Vec<u8>, u32) -> bool) -> usize {
    let mut count = 0;
    for ord in ords {
        if count > 0 {
            out.push(b',');
        }
        if render(out, *ord) {
            count += 1;
        } else if count > 0 {
            out.pop();
        }
    }
    count
}

/// Ends the envelope.
pub(crate) fn close(out: &mut Vec<u8>) {
    close_with(out, &[]);
}

/// Ends the envelope with what the records refer to.
pub(crate) fn close_with(out: &mut Vec<u8>, included: &[Vec<u8>]) {
    out.extend_from_slice(b"],\"included\":[");
    out.extend_from_slice(&included.join(&b','));
    out.extend_from_slice(b"]}");
}

/// Ends the envelope with what else was asked for: an array, or one object.
pub(crate) fn close_with_value(out: &mut Vec<u8>, included: &Value) {
    out.extend_from_slice(b"],\"included\":");
    out.extend_from_slice(included.to_string().as_bytes());
    out.push(b'}');
}

/// Appends whole resources with commas between.
pub(crate) fn fill_values(out: &mut Vec<u8>, resources: &[Value]) {
    for (place, resource) in resources.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(resource.to_string().as_bytes());
    }
}
