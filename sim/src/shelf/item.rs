//! One resource through time: what is remembered of it, and every body it has had.
//!
//! Rule: a version is never changed; the search index shows the newest one that is older than its lag.

use serde_json::Value;

use crate::world::store::View;

/// What a body follows from, beside the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stem {
    pub(crate) ord: u32,
    pub(crate) id: String,
    /// The id of what it belongs to: the schedule of a holiday, the SLA of a version, the customer of a KObject.
    pub(crate) parent: Option<String>,
    /// The number of a version, or of the newest version of an SLA.
    pub(crate) number: u32,
    /// The ids of the versions of an SLA.
    pub(crate) refs: Vec<String>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) deleted: Option<i64>,
    pub(crate) rev: u32,
}

/// A resource as it was from an instant on.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) stored: i64,
    pub(crate) stem: Stem,
    /// `None` when it is gone.
    pub(crate) body: Option<Value>,
}

impl Version {
    /// The id of something the resource is related to.
    pub(crate) fn related(&self, name: &str) -> Option<&str> {
        self.body.as_ref()?.get("relationships")?.get(name)?.get("data")?.get("id")?.as_str()
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&Value> {
        self.body.as_ref()?.get("attributes")?.get(name)
    }
}

/// A resource.
#[derive(Debug)]
pub(crate) struct Item {
    versions: Vec<Version>,
}

impl Item {
    pub(super) fn new(version: Version) -> Self {
        Self { versions: vec![version] }
    }

    pub(super) fn put(&mut self, version: Version) {
        self.versions.push(version);
    }

    /// The version that a view shows, `until` being the newest instant that the index has taken in.
    pub(crate) fn seen(&self, view: View, until: i64) -> Option<&Version> {
        let mut newest_first = self.versions.iter().rev();
        let version = match view {
            View::Primary => newest_first.next(),
            View::Index => newest_first.find(|version| version.stored <= until),
        };
        version.filter(|version| version.body.is_some())
    }

    /// The present version, unless the resource is gone.
    pub(crate) fn present(&self) -> Option<&Version> {
        self.seen(View::Primary, i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(stored: i64, rev: u32, body: Option<Value>) -> Version {
        let (id, parent, refs) = ("a".to_owned(), None, Vec::new());
        let stem = Stem { ord: 0, id, parent, number: 0, refs, created: 0, updated: stored, deleted: None, rev };
        Version { stored, stem, body }
    }

    #[test]
    fn the_index_trails() {
        let mut item = Item::new(version(5, 1, Some(Value::Null)));
        item.put(version(9, 2, Some(Value::Null)));
        item.put(version(12, 3, None));
        let rev = |view, until| item.seen(view, until).map(|version| version.stem.rev);
        assert_eq!([4, 5, 9, 12].map(|until| rev(View::Index, until)), [None, Some(1), Some(2), None]);
        assert_eq!(rev(View::Primary, 0), None);
    }
}
