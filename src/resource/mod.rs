//! A resource of the API as received, and where its members stand in it (API reference, section 5.1).
//!
//! The rule: a resource is read to its end once on its whole way from the answer to the row, because nothing on that way
//! costs more. So whoever looks at it first, to find what the extraction needs, notes where each member begins and ends,
//! and whoever makes a row of it goes by the note. A resource without a note is read again, with the same outcome.

mod member;
mod sections;

use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;
use serde::de::Error;

pub(crate) use member::{Member, characters, member, members};
pub(crate) use sections::{Section, Sections};

/// Members of one resource that are noted; of a resource with more of them, nothing is, so that no answer can make the
/// notes larger than a small multiple of itself.
const MOST_MEMBERS: usize = 512;

/// The JSON text of one resource.
#[derive(Debug, Clone)]
pub struct Resource {
    text: Bytes,
    cuts: Option<Box<[Cut]>>,
}

/// The JSON text of one resource, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct RawResource<'a> {
    text: &'a [u8],
    cuts: Option<&'a [Cut]>,
}

/// Where a member stands in the text of its resource.
#[derive(Debug, Clone, Copy)]
struct Cut {
    section: Section,
    key: Part,
    value: Part,
}

/// A part of a text, in bytes.
#[derive(Debug, Clone, Copy)]
struct Part {
    from: u32,
    until: u32,
}

impl Resource {
    /// The resource whose JSON text is `json`, a part of `body`, and whose members are `sections`, parts of `json`.
    pub(crate) fn of(body: &Bytes, json: &str, sections: Option<&Sections<'_>>) -> Self {
        let cuts = sections.filter(|sections| sections.is_complete && sections.members.len() <= MOST_MEMBERS);
        let cut = |(section, member): &(Section, Member<'_>)| {
            Some(Cut { section: *section, key: Part::of(json, member.key)?, value: Part::of(json, member.value)? })
        };
        let cuts = cuts.and_then(|sections| {
            let mut cuts = Vec::with_capacity(sections.members.len());
            for member in &sections.members {
                cuts.push(cut(member)?);
            }
            Some(cuts.into_boxed_slice())
        });
        Self { text: body.slice_ref(json.as_bytes()), cuts }
    }

    /// The resource, borrowed.
    #[must_use]
    pub fn raw(&self) -> RawResource<'_> {
        RawResource { text: &self.text, cuts: self.cuts.as_deref() }
    }
}

/// A resource without a note of its members.
impl From<Bytes> for Resource {
    fn from(text: Bytes) -> Self {
        Self { text, cuts: None }
    }
}

/// Its text.
impl Deref for Resource {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.text
    }
}

/// Resources are equal when their texts are.
impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Resource {}

impl Hash for Resource {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl<'a> RawResource<'a> {
    /// Its bytes.
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Calls `each` for every member of the resource, by their note if there is one. `text` are its bytes, which are known
    /// to be UTF-8.
    ///
    /// # Errors
    /// Text that is no JSON object, or an error of `each`.
    pub(crate) fn sections(
        &self,
        text: &'a str,
        mut each: impl FnMut(Section, Member<'a>) -> serde_json::Result<()>,
    ) -> serde_json::Result<()> {
        let Some(cuts) = self.cuts else {
            return Sections::read(text)?.members.into_iter().try_for_each(|(section, member)| each(section, member));
        };
        cuts.iter().try_for_each(|cut| match (cut.key.within(text), cut.value.within(text)) {
            (Some(key), Some(value)) => each(cut.section, Member { key, value }),
            _ => Err(serde_json::Error::custom("the note of another resource")),
        })
    }
}

impl<'a> From<&'a [u8]> for RawResource<'a> {
    fn from(text: &'a [u8]) -> Self {
        Self { text, cuts: None }
    }
}

impl Part {
    /// Where `part` stands in `text`, if it is a slice of it.
    fn of(text: &str, part: &str) -> Option<Self> {
        let from = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        let until = from.checked_add(part.len()).filter(|until| *until <= text.len())?;
        Some(Self { from: u32::try_from(from).ok()?, until: u32::try_from(until).ok()? })
    }

    fn within(self, text: &str) -> Option<&str> {
        text.get(usize::try_from(self.from).ok()?..usize::try_from(self.until).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<'a>(resource: &'a Resource, raw: RawResource<'a>) -> Vec<(Section, &'a str, &'a str)> {
        let mut members = Vec::new();
        let each = |section, member: Member<'a>| {
            members.push((section, member.key, member.value));
            Ok(())
        };
        raw.sections(str::from_utf8(resource).unwrap(), each).unwrap();
        members
    }

    fn resource(json: &str) -> Resource {
        let body = Bytes::copy_from_slice(json.as_bytes());
        let text = str::from_utf8(&body).unwrap();
        let sections: Sections<'_> = serde_json::from_str(text).unwrap();
        Resource::of(&body, text, Some(&sections))
    }

    #[test]
    fn members_are_the_same_by_the_note_and_without_it() {
        let noted = resource(
            r#" {"id": "ä", "attributes": {"naïve": "ü", "b": [1, {}]}, "relationships": {"org": {"data": {"id": "x"}}, "a": null}}"#,
        );
        assert!(noted.cuts.is_some());
        let again = told(&noted, RawResource::from(noted.as_ref()));
        assert_eq!(told(&noted, noted.raw()), again);
        assert_eq!(again.len(), 4);
    }

    #[test]
    fn what_is_odd_or_has_too_many_members_has_no_note() {
        let many: Vec<String> = (0..=MOST_MEMBERS).map(|number| format!("\"m{number}\":1")).collect();
        for (json, expected) in [
            (r#"{"relationships": {"a": {"data": 5}, "b": [{}, 1.5, "x"]}}"#.to_owned(), 2),
            (format!("{{{}}}", many.join(",")), MOST_MEMBERS + 1),
        ] {
            let odd = resource(&json);
            assert!(odd.cuts.is_none());
            assert_eq!(told(&odd, odd.raw()).len(), expected);
        }
    }

    #[test]
    fn a_part_of_another_text_has_no_place() {
        let (text, other) = (String::from("{}"), String::from("{}"));
        assert!(Part::of(&text, &other).is_none());
        assert!(Part::of(&text[..1], &text).is_none());
    }
}
