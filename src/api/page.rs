//! One answer of the API, cut into records that are not looked into further than the extraction needs.
//!
//! The rule: what cannot be read as a page is a [`BadPage`], never a page with fewer records, so a
//! walk ends only at an end that the service states. A strange value inside a record is that
//! record's affair: it costs the record its stamp, and nobody else anything.

use std::fmt::{self, Display};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::envelope::{Envelope, Head, Item, resources};
use super::json::{is_null, members, value, value_of};
use super::search::Content;
use crate::resource::{Resource, characters};

/// One answer: records in the order of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The resources of `data`; one for an answer that is about one resource.
    pub records: Vec<Record>,
    /// The resources of `included`, as received: what belongs to the records, where the list brings it along.
    pub included: Vec<Bytes>,
    /// Whether the service has more.
    pub next: Next,
    /// `meta.total`, which some lists and searches tell: a hint unless asked to be exact.
    pub total: Option<u64>,
    /// The service's clock when it answered, to the second (`Date` header).
    pub server_time: Option<DateTime<Utc>>,
    /// Length of the body in bytes, decompressed.
    pub bytes: u64,
}

/// What the service says about the rest of a list (`links.next`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// There is none: the stated end.
    End,
    /// Nothing at all: some lists link to nothing but themselves (outbound accounts).
    Unstated,
    /// It is at this link. Not yet checked: the client does that when it is sent.
    More(String),
}

/// One resource, verbatim, with the few values that decide about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The resource's id; some kinds have none (outbound accounts).
    pub id: Option<RecordId>,
    /// `attributes.updatedAt`, to the millisecond.
    pub updated_at: Option<DateTime<Utc>>,
    /// `attributes.createdAt`, to the millisecond.
    pub created_at: Option<DateTime<Utc>>,
    /// `attributes.rev`, one higher with each stored change.
    pub rev: Option<i64>,
    /// `attributes.deleted`, the soft delete.
    pub deleted: bool,
    /// The resource object as received: a part of the page's body, which stays in memory as long as any of its records.
    pub resource: Resource,
}

/// The id of a record: 24 hexadecimal characters as a rule, but importers may choose others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Box<str>);

impl RecordId {
    /// An id as the service spells it.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id as the service spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an answer is not a page. It tells where, never what was there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPage {
    /// The body is not UTF-8.
    #[error("the answer is not UTF-8 text")]
    Encoding,
    /// The body is not a JSON object, or is cut.
    #[error("the answer is not a JSON object (line {line}, column {column})")]
    Syntax {
        /// Line in the body, from 1.
        line: usize,
        /// Column in the line, from 1.
        column: usize,
    },
    /// `data` is absent, null, or neither a resource nor a list of them.
    #[error("the answer has no resources in `data`")]
    NoData,
    /// An item of `data` is not an object.
    #[error("data[{0}] is not an object")]
    NotARecord(usize),
    /// `included` is neither a resource nor a list of them.
    #[error("the answer's `included` is neither a resource nor a list of them")]
    Included,
    /// `links.next` is neither null nor a text.
    #[error("`links.next` is neither null nor a text")]
    Next,
    /// The search says itself that it did not finish (`meta.timed_out`).
    #[error("the search timed out on the server, so that its answer may be incomplete")]
    TimedOut,
}

impl From<serde_json::Error> for BadPage {
    fn from(error: serde_json::Error) -> Self {
        Self::Syntax { line: error.line(), column: error.column() }
    }
}

impl Page {
    /// Reads the envelope of sections 5.1 and 5.2 of the API reference.
    ///
    /// The shape of an answer to a search for ids only is not documented: resources without attributes and bare
    /// ids are both read.
    ///
    /// # Errors
    /// [`BadPage`], each of which is worth another try.
    pub fn parse(body: &Bytes, content: Content, server_time: Option<DateTime<Utc>>) -> Result<Self, BadPage> {
        let text = simdutf8::basic::from_utf8(body).map_err(|_| BadPage::Encoding)?;
        let Envelope { data, included, links, meta } = Envelope::read(text)?;
        let meta = meta.and_then(|meta| members(meta.get(), ["timed_out", "total"]).ok());
        let [timed_out, total] = meta.unwrap_or_default();
        if value(timed_out) == Some(true) {
            return Err(BadPage::TimedOut);
        }
        let records = data?
            .into_iter()
            .enumerate()
            .map(|(index, Item { json, head, sections })| {
                match (head, content) {
                    (Some(head), _) => Some(Record::read(&head, Resource::of(body, json, sections.as_ref()))),
                    (None, Content::Full) => None,
                    (None, Content::IdsOnly) => Record::read_id(body, json),
                }
                .ok_or(BadPage::NotARecord(index))
            })
            .collect::<Result<_, _>>()?;
        let included = match included {
            // Some endpoints send one object in place of an array (API reference, section 5.2).
            Some(raw) if !is_null(Some(raw)) => resources(Some(raw)).map_err(|_| BadPage::Included)?,
            _ => Vec::new(),
        };
        let included = included.into_iter().map(|raw| body.slice_ref(raw.get().as_bytes())).collect();
        let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        Ok(Self { records, included, next: Next::read(links)?, total: value(total), server_time, bytes })
    }
}

impl Next {
    /// Whether nothing says that there is more.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        !matches!(self, Self::More(_))
    }

    fn read(links: Option<&RawValue>) -> Result<Self, BadPage> {
        if is_null(links) {
            return Ok(Self::Unstated);
        }
        let [next] = links.and_then(|links| members(links.get(), ["next"]).ok()).ok_or(BadPage::Next)?;
        if next.is_none() {
            return Ok(Self::Unstated);
        }
        if is_null(next) {
            return Ok(Self::End);
        }
        value(next).filter(|link: &String| !link.is_empty()).map(Self::More).ok_or(BadPage::Next)
    }
}

impl Record {
    fn read(head: &Head<'_>, resource: Resource) -> Self {
        Self {
            id: value_of(head.id).and_then(record_id),
            updated_at: instant(head.updated_at),
            created_at: instant(head.created_at),
            rev: value_of(head.rev),
            deleted: value_of(head.deleted) == Some(true),
            resource,
        }
    }

    /// The same for a bare id.
    fn read_id(body: &Bytes, json: &str) -> Option<Self> {
        let id = Some(record_id(serde_json::from_str(json).ok()?)?);
        let resource = Resource::of(body, json, None);
        Some(Self { id, updated_at: None, created_at: None, rev: None, deleted: false, resource })
    }
}

fn record_id(id: String) -> Option<RecordId> {
    (!id.is_empty()).then(|| RecordId(id.into()))
}

fn instant(json: Option<&str>) -> Option<DateTime<Utc>> {
    let instant = DateTime::parse_from_rfc3339(&characters(json?)?).ok()?;
    DateTime::from_timestamp_millis(instant.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn parse(body: &str) -> Result<Page, BadPage> {
        Page::parse(&Bytes::copy_from_slice(body.as_bytes()), Content::Full, None)
    }

    fn record(attributes: &str) -> Record {
        let page = parse(&format!(r#"{{"data": [{{"id": "a1", "attributes": {attributes}}}]}}"#)).unwrap();
        page.records.into_iter().next().unwrap()
    }

    const LIST: &str = r#"{"meta": {"pageSize": 2, "page": 1, "total": 7, "timed_out": false},
        "links": {"self": "/v1/tags?page=1", "next": "/v1/tags?page=2&pageSize=2"},
        "included": {"type": "x"},
        "data": [
          {"type": "tag", "id": "a1", "attributes": {"updatedAt": "2026-10-21T14:05:40.118Z", "rev": 6, "deleted": true,
           "createdAt": "2026-10-21T14:02:11+02:00"}, "relationships": {"org": {"data": {"id": "b2"}}}},
          {"type": "tag", "id": "a2" , "attributes":{"updatedAt":null} } ]}"#;

    #[test]
    fn a_list_is_read_in_order_with_its_records_verbatim() {
        let page = parse(LIST).unwrap();
        assert_eq!((page.total, page.bytes), (Some(7), LIST.len() as u64));
        assert_eq!(page.next, Next::More("/v1/tags?page=2&pageSize=2".into()));
        let [first, second] = page.records.as_slice() else { panic!("two records") };
        assert_eq!(first.id, Some(RecordId::new("a1")));
        assert_eq!(first.updated_at.unwrap().to_rfc3339(), "2026-10-21T14:05:40.118+00:00");
        assert_eq!(first.created_at.unwrap().to_rfc3339(), "2026-10-21T12:02:11+00:00");
        assert_eq!((first.rev, first.deleted), (Some(6), true));
        assert_eq!(page.included, [&br#"{"type": "x"}"#[..]]);
        assert_eq!(&second.resource[..], br#"{"type": "tag", "id": "a2" , "attributes":{"updatedAt":null} }"#);
        assert_eq!((second.updated_at, second.rev, second.deleted), (None, None, false));
    }

    #[test]
    fn records_share_the_memory_of_the_page() {
        let body = Bytes::copy_from_slice(LIST.as_bytes());
        let page = Page::parse(&body, Content::Full, None).unwrap();
        assert!(page.records.iter().all(|record| body.as_ptr_range().contains(&record.resource.as_ptr())));
    }

    #[test]
    fn one_resource_is_a_page_of_one_record() {
        let page = parse(r#"{"data": {"type": "user", "id": "a1", "attributes": {}}}"#).unwrap();
        assert_eq!((page.records.len(), &page.next), (1, &Next::Unstated));
    }

    #[test]
    fn ids_are_read_bare_or_as_resources_where_ids_were_asked_for() {
        let body = Bytes::from_static(br#"{"data": ["a1", {"type": "user", "id": "a2"}]}"#);
        let page = Page::parse(&body, Content::IdsOnly, None).unwrap();
        let ids: Vec<_> = page.records.iter().filter_map(|record| record.id.as_ref()).map(RecordId::as_str).collect();
        assert_eq!(ids, ["a1", "a2"]);
        assert_eq!(Page::parse(&body, Content::Full, None), Err(BadPage::NotARecord(0)));
        let body = Bytes::from_static(br#"{"data": [""]}"#);
        assert_eq!(Page::parse(&body, Content::IdsOnly, None), Err(BadPage::NotARecord(0)));
    }

    #[test]
    fn an_empty_list_with_a_stated_end_is_an_empty_page() {
        for body in [r#"{"data": []}"#, r#"{"data": [], "links": null}"#, r#"{"data": [], "links": {"next": null}}"#] {
            let page = parse(body).unwrap();
            assert!(page.records.is_empty() && page.next.is_end(), "{body}");
        }
    }

    #[test]
    fn what_is_not_a_page_is_never_an_empty_one() {
        for (body, why) in [
            ("{}", BadPage::NoData),
            (r#"{"data": null}"#, BadPage::NoData),
            (r#"{"data": "text"}"#, BadPage::NoData),
            (r#"{"errors": [{"code": "x"}]}"#, BadPage::NoData),
            (r#"{"data": [{}, 5]}"#, BadPage::NotARecord(1)),
            (r#"{"data": [[]]}"#, BadPage::NotARecord(0)),
            (r#"{"data": [], "links": "text"}"#, BadPage::Next),
            (r#"{"data": [], "links": {"next": {"href": "/v1"}}}"#, BadPage::Next),
            (r#"{"data": [], "links": {"next": ""}}"#, BadPage::Next),
            (r#"{"data": [], "meta": {"timed_out": true}}"#, BadPage::TimedOut),
        ] {
            assert_eq!(parse(body), Err(why), "{body}");
        }
        for body in ["", "[]", "<html>", r#"{"data": []} x"#, r#"[[], {"next": null}]"#] {
            assert!(matches!(parse(body), Err(BadPage::Syntax { .. })), "{body}");
        }
        assert_eq!(
            Page::parse(&Bytes::from_static(b"{\"data\": [\"\xff\"]}"), Content::Full, None),
            Err(BadPage::Encoding)
        );
    }

    #[test]
    fn a_strange_value_costs_the_record_its_stamp_only() {
        for attributes in ["5", "null", "[]", r#"{"updatedAt": 5, "rev": "6", "deleted": "true"}"#] {
            let record = record(attributes);
            assert_eq!(record.id, Some(RecordId::new("a1")), "{attributes}");
            assert_eq!((record.updated_at, record.rev, record.deleted), (None, None, false), "{attributes}");
        }
        assert_eq!(record(r#"{"updatedAt": {"isMasked": true}, "rev": 1e999, "createdAt": "soon"}"#).created_at, None);
        assert_eq!(
            record(r#"{"updatedAt": "2026-10-21T14:05:40.118999Z"}"#).updated_at.unwrap().timestamp_subsec_micros(),
            118_000
        );
    }

    #[test]
    fn a_record_of_any_depth_leaves_its_page_readable() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(record(&format!(r#"{{"custom": {deep}, "rev": 3}}"#)).rev, Some(3));
    }

    proptest! {
        #[test]
        fn a_cut_body_is_never_a_page(cut in 0..LIST.len()) {
            assert!(parse(&LIST[..cut]).is_err());
        }

        #[test]
        fn no_bytes_break_the_reading(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Page::parse(&Bytes::from(bytes), Content::IdsOnly, None);
        }
    }
}
