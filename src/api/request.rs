//! What may be asked of Kustomer, as a value.
//!
//! The rule: a [`Request`] can be nothing but a GET or one of the two search POSTs, so no value of
//! this type can change anything in the organisation.

use std::fmt::{self, Display};

use url::form_urlencoded::Serializer;

use super::path::Path;
use super::search::{Content, Search};

/// One question to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Records that satisfy criteria (API reference, section 9).
    Search(Search),
    /// One page of a list by number (section 8).
    List(List),
    /// One resource, with its id in the path.
    ById(Path),
    /// The page that a former answer's `links.next` names; refused unless it is on our origin.
    Follow(String),
    /// The description of the API key in use (section 3).
    Token,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The list's path.
    pub path: Path,
    /// Filters and other parameters, unescaped.
    pub query: Vec<(String, String)>,
    /// The part of the list that is wanted.
    pub slice: Slice,
}

/// How a list is cut into pages (section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// By `page` (from 1) and `pageSize`.
    Page {
        /// The page number, from 1.
        page: u32,
        /// Records a page.
        size: u32,
    },
    /// By `count`; the answers' links lead on (the audit log, section 15).
    Count(u32),
    /// Not cut.
    Whole,
}

/// The quota that a request takes from (section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// The organisation's requests a minute.
    Organisation,
    /// The API keys' searches a minute; a search takes from the organisation's budget as well.
    Search,
}

/// A request as it travels: there is no third method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// A GET of this path and query (or link).
    Get(String),
    /// A POST of this JSON to this path and query.
    Post(String, String),
}

const TOKEN: &str = "/v1/auth/tokens/current";

impl Request {
    /// The quota that this request takes from.
    #[must_use]
    pub fn budget(&self) -> Budget {
        match self {
            Self::Search(_) => Budget::Search,
            Self::List(_) | Self::ById(_) | Self::Follow(_) | Self::Token => Budget::Organisation,
        }
    }

    /// What the records of the answer hold.
    #[must_use]
    pub fn content(&self) -> Content {
        match self {
            Self::Search(search) => search.content,
            Self::List(_) | Self::ById(_) | Self::Follow(_) | Self::Token => Content::Full,
        }
    }

    pub(super) fn message(&self) -> Message {
        match self {
            Self::Search(search) => Message::Post(search.target(), search.body().to_string()),
            Self::List(list) => Message::Get(list.target()),
            Self::ById(path) => Message::Get(path.to_string()),
            Self::Follow(link) => Message::Get(link.clone()),
            Self::Token => Message::Get(TOKEN.to_owned()),
        }
    }
}

impl List {
    fn target(&self) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&self.query);
        match self.slice {
            Slice::Page { page, size } => {
                query.append_pair("page", &page.to_string()).append_pair("pageSize", &size.to_string());
            }
            Slice::Count(count) => {
                query.append_pair("count", &count.to_string());
            }
            Slice::Whole => {}
        }
        let query = query.finish();
        if query.is_empty() { self.path.to_string() } else { format!("{}?{query}", self.path) }
    }
}

impl Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            // A link comes from outside: no control characters and no megabytes in a message.
            Message::Get(target) => write!(f, "GET {}", target.chars().take(500).collect::<String>().escape_debug()),
            Message::Post(target, _) => write!(f, "POST {target}"),
        }?;
        if let Self::Search(search) = self {
            write!(f, " ({search})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::search::tests::search;
    use crate::api::search::{ARCHIVE_SEARCH, Content, Index, SEARCH, Total};

    fn every_request() -> Vec<Request> {
        let archive = Search { index: Index::Archive, content: Content::IdsOnly, total: Total::Exact, ..search() };
        let path = Path::parse("/v1/customers").unwrap();
        let query = vec![("filter[updatedAt][gte]".to_owned(), "2026-10-21T14:05:00.000Z".to_owned())];
        let requests = vec![
            Request::Search(search()),
            Request::Search(archive),
            Request::List(List { path: path.clone(), query, slice: Slice::Page { page: 3, size: 100 } }),
            Request::List(List { path: path.clone(), query: Vec::new(), slice: Slice::Count(1000) }),
            Request::List(List { path: path.clone(), query: Vec::new(), slice: Slice::Whole }),
            Request::ById(path),
            Request::Follow("/v1/audit-logs?count=1&before=5822bab3".into()),
            Request::Token,
        ];
        for request in &requests {
            match request {
                // A new kind of request must be added to the list above.
                Request::Search(_) | Request::List(_) | Request::ById(_) | Request::Follow(_) | Request::Token => {}
            }
        }
        requests
    }

    #[test]
    fn nothing_but_a_get_or_one_of_the_two_searches_can_be_asked() {
        for request in every_request() {
            match request.message() {
                Message::Get(_) => assert_eq!(request.budget(), Budget::Organisation),
                Message::Post(target, _) => {
                    let (path, _) = target.split_once('?').unwrap();
                    assert!([SEARCH, ARCHIVE_SEARCH].contains(&path), "{target}");
                    assert_eq!(request.budget(), Budget::Search);
                }
            }
        }
    }

    #[test]
    fn requests_are_rendered_as_the_reference_writes_them() {
        let messages: Vec<_> = every_request().iter().map(|request| format!("{:?}", request.message())).collect();
        insta::assert_snapshot!(messages.join("\n"));
    }
}
