//! An answer cut into its parts (API reference, sections 5.1 and 5.2).
//!
//! The rule: an answer of megabytes is read once as a whole, with the few values of each resource that the walks look
//! at. Whatever is odd about it is read once more, with more patience and the same outcome for all that is not odd.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::json::members;
use super::page::BadPage;
use crate::resource::{Section, Sections, characters};

/// The parts of an answer.
pub(super) struct Envelope<'a> {
    pub(super) data: Result<Vec<Item<'a>>, BadPage>,
    pub(super) included: Option<&'a RawValue>,
    pub(super) links: Option<&'a RawValue>,
    pub(super) meta: Option<&'a RawValue>,
}

/// A resource as received, if it is one.
pub(super) struct Item<'a> {
    pub(super) json: &'a str,
    /// None of what is no object.
    pub(super) head: Option<Head<'a>>,
    /// None of what is no object.
    pub(super) sections: Option<Sections<'a>>,
}

/// What decides about a resource; JSON texts.
#[derive(Default)]
pub(super) struct Head<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) updated_at: Option<&'a str>,
    pub(super) created_at: Option<&'a str>,
    pub(super) rev: Option<&'a str>,
    pub(super) deleted: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    /// Cuts an answer.
    ///
    /// # Errors
    /// Text that is no JSON object.
    pub(super) fn read(text: &'a str) -> Result<Self, BadPage> {
        Rest(text).list_answer().map_or_else(|| Self::patiently(text), Ok)
    }

    fn patiently(text: &'a str) -> Result<Self, BadPage> {
        let [data, included, links, meta] = members(text, ["data", "included", "links", "meta"])?;
        let data = resources(data)
            .map(|data| data.into_iter().map(|raw| Item::of(raw.get(), Sections::read(raw.get()).ok())).collect());
        Ok(Self { data, included, links, meta })
    }
}

/// The resources of `data`, which is a list, or one resource when the answer is about one.
pub(super) fn resources(data: Option<&RawValue>) -> Result<Vec<&RawValue>, BadPage> {
    let data = data.ok_or(BadPage::NoData)?;
    if data.get().starts_with('{') {
        return Ok(vec![data]);
    }
    serde_json::from_str(data.get()).map_err(|_| BadPage::NoData)
}

impl<'a> Item<'a> {
    fn of(json: &'a str, sections: Option<Sections<'a>>) -> Self {
        Self { json, head: sections.as_ref().map(Head::among), sections }
    }
}

impl<'a> Head<'a> {
    /// That of the resource with these members.
    fn among(sections: &Sections<'a>) -> Self {
        let mut head = Self::default();
        for (section, member) in &sections.members {
            let place = match (section, member.name().as_deref()) {
                (Section::Resource, Some("id")) => &mut head.id,
                (Section::Attributes, Some("updatedAt")) => &mut head.updated_at,
                (Section::Attributes, Some("createdAt")) => &mut head.created_at,
                (Section::Attributes, Some("rev")) => &mut head.rev,
                (Section::Attributes, Some("deleted")) => &mut head.deleted,
                _ => continue,
            };
            *place = Some(member.value);
        }
        head
    }
}

/// What is left of an answer with a list and nothing odd about it; nothing is given of any other one.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn list_answer(mut self) -> Option<Envelope<'a>> {
        let (mut data, mut included, mut links, mut meta) = (None, None, None, None);
        self.mark('{')?;
        loop {
            let key: &RawValue = self.value()?;
            self.mark(':')?;
            match characters(key.get()).as_deref()? {
                "data" if data.is_none() => data = Some(self.resources()?),
                "included" if included.is_none() => included = Some(self.value()?),
                "links" if links.is_none() => links = Some(self.value()?),
                "meta" if meta.is_none() => meta = Some(self.value()?),
                // Of repeated ones the last counts.
                "data" | "included" | "links" | "meta" => return None,
                _ => {
                    self.value::<IgnoredAny>()?;
                }
            }
            if self.mark(',').is_none() {
                self.mark('}')?;
                break;
            }
        }
        let is_all = trimmed(self.0).is_empty();
        is_all.then_some(Envelope { data: Ok(data?), included, links, meta })
    }

    fn resources(&mut self) -> Option<Vec<Item<'a>>> {
        let mut resources = Vec::new();
        self.mark('[')?;
        if self.mark(']').is_some() {
            return Some(resources);
        }
        loop {
            let before = trimmed(self.0);
            let sections = match self.value() {
                Some(sections) => sections,
                None => Sections::read(self.value::<&RawValue>()?.get()).ok()?,
            };
            let json = before.get(..before.len() - self.0.len())?;
            resources.push(Item::of(json, Some(sections)));
            if self.mark(',').is_none() {
                self.mark(']')?;
                return Some(resources);
            }
        }
    }

    /// Takes this mark, after white space; takes nothing if another one stands there.
    fn mark(&mut self, mark: char) -> Option<()> {
        self.0 = trimmed(self.0).strip_prefix(mark)?;
        Some(())
    }

    fn value<T: Deserialize<'a>>(&mut self) -> Option<T> {
        let mut values = serde_json::Deserializer::from_str(self.0).into_iter();
        let value = values.next()?.ok()?;
        self.0 = self.0.get(values.byte_offset()..)?;
        Some(value)
    }
}

/// Without the white space of JSON before it.
fn trimmed(json: &str) -> &str {
    json.trim_start_matches([' ', '\n', '\r', '\t'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::*;

    type Told<'a> = (Option<Vec<(&'a str, bool, Option<&'a str>)>>, [Option<&'a str>; 3]);

    fn told<'a>(envelope: &Envelope<'a>) -> Told<'a> {
        let text = |raw: Option<&'a RawValue>| raw.map(RawValue::get);
        let of = |one: &Item<'a>| {
            let stamp = one.head.as_ref().and_then(|head| head.updated_at);
            (one.json, one.head.is_some(), stamp)
        };
        let data = envelope.data.as_ref().ok().map(|data| data.iter().map(of).collect());
        (data, [envelope.included, envelope.links, envelope.meta].map(text))
    }

    #[test]
    fn a_list_is_cut_at_once() {
        let list = r#" { "x": [1], "data" : [ {"id":"a", "attributes": {"updatedAt": "t", "custom": {"a": [{}]}}} , {} ],
            "links": {"next": null}, "meta":{} } "#;
        let envelope = Rest(list).list_answer().unwrap();
        let records = vec![
            (r#"{"id":"a", "attributes": {"updatedAt": "t", "custom": {"a": [{}]}}}"#, true, Some("\"t\"")),
            ("{}", true, None),
        ];
        assert_eq!(told(&envelope), (Some(records), [None, Some(r#"{"next": null}"#), Some("{}")]));
        assert!(Rest(r#"{"data": []}"#).list_answer().is_some());
    }

    proptest! {
        /// Answers from pieces of answers, most of them broken.
        #[test]
        fn in_haste_and_with_patience_an_answer_is_the_same(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", " ", "\u{c}", "\"data\"", "\"data\":[", "\"d\\u0061ta\"", "\"links\"", "\"meta\":{}",
                "{\"id\":\"a\"}", "{\"attributes\":{\"updatedAt\":\"t\"}}", "{\"attributes\":5}", "null", "1", "\"x\"", "{\"data\":[",
                "]}", "\"included\":null", "\"attributes\":{\"updatedAt\":{}}",
            ]), 0..9),
        ) {
            let text = pieces.concat();
            if let Some(hasty) = Rest(&text).list_answer() {
                prop_assert_eq!(Some(told(&hasty)), Envelope::patiently(&text).ok().as_ref().map(told), "{}", text);
            }
        }
    }
}
