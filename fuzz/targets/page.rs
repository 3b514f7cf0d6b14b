//! Bodies of answers.

use std::ops::Range;

use bytes::Bytes;
use kustlake::api::{Content, Next, Page};
use serde::de::IgnoredAny;
use serde_json::Value;

/// A body is a page that says what any reader of JSON finds in it, or an error.
pub fn check(body: &[u8]) {
    let body = Bytes::copy_from_slice(body);
    let full = Page::parse(&body, Content::Full, None);
    let ids = Page::parse(&body, Content::IdsOnly, None);
    if full.is_ok() {
        assert_eq!(full, ids, "whole records are also an answer to a question for ids");
    }
    let Ok(page) = ids else { return };
    for part in page.records.iter().map(|record| &*record.resource).chain(&page.included) {
        assert!(within(&part.as_ptr_range(), &body.as_ptr_range()), "a part has memory of its own");
        assert!(serde_json::from_slice::<IgnoredAny>(part).is_ok(), "a part is no JSON");
    }
    let trimmed = body.trim_ascii_end();
    let cut = body.slice(..trimmed.len() - 1);
    assert!(Page::parse(&cut, Content::IdsOnly, None).is_err(), "a cut body is a page");
    if let Ok(tree) = serde_json::from_slice::<Value>(&body) {
        same(&page, &tree);
    }
}

fn within(part: &Range<*const u8>, whole: &Range<*const u8>) -> bool {
    whole.start <= part.start && part.end <= whole.end
}

/// Compares with a tree of the same body.
fn same(page: &Page, tree: &Value) {
    let records = match &tree["data"] {
        Value::Array(records) => records.as_slice(),
        one => std::slice::from_ref(one),
    };
    assert_eq!(page.records.len(), records.len());
    for (record, tree) in page.records.iter().zip(records) {
        let id = if tree.is_string() { tree } else { &tree["id"] };
        assert_eq!(record.id.as_ref().map(|id| id.as_str()), id.as_str().filter(|id| !id.is_empty()));
        assert_eq!(record.rev, tree["attributes"]["rev"].as_i64());
        assert_eq!(record.deleted, tree["attributes"]["deleted"] == true);
    }
    let next = &tree["links"]["next"];
    match &page.next {
        Next::More(link) => assert_eq!(next, link),
        Next::End | Next::Unstated => assert!(next.is_null(), "a link is not followed"),
    }
    assert_ne!(tree["meta"]["timed_out"], true);
}
