//! Members of a JSON object, as text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One `key: value` of an object; both are JSON text, the key without its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
}

impl<'a> Member<'a> {
    /// The key's characters; none if it has an escape that is no Unicode character.
    pub(crate) fn name(&self) -> Option<Cow<'a, str>> {
        unescaped(self.key)
    }

    /// Whether the value is null, which Kustomer uses like an absent member (API reference, section 5.3).
    pub(crate) fn is_null(&self) -> bool {
        self.value.starts_with('n')
    }

    pub(crate) fn is_object(&self) -> bool {
        self.value.starts_with('{')
    }
}

/// The characters of a JSON string; none if it has an escape that is no Unicode character.
pub(crate) fn characters(json: &str) -> Option<Cow<'_, str>> {
    unescaped(json.strip_prefix('"')?.strip_suffix('"')?)
}

/// The same for what is between the quotes.
fn unescaped(inner: &str) -> Option<Cow<'_, str>> {
    // Keys are short: a search that is made for long texts takes longer to begin than this one to end.
    if !inner.as_bytes().contains(&b'\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(&format!("\"{inner}\"")).map(Cow::Owned).ok()
}

/// Calls `each` for every member of the object whose JSON text is `object`, in order, repeated keys included.
///
/// # Errors
/// Text that is no JSON object, or an error of `each`.
pub(crate) fn members<'a>(
    object: &'a str,
    each: impl FnMut(Member<'a>) -> serde_json::Result<()>,
) -> serde_json::Result<()> {
    struct Each<F>(F);
    impl<'de, F: FnMut(Member<'de>) -> serde_json::Result<()>> Visitor<'de> for Each<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((key, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
                let quoted = key.get();
                let key = quoted.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(quoted);
                (self.0)(Member { key, value: value.get() }).map_err(A::Error::custom)?;
            }
            Ok(())
        }
    }
    let mut json = serde_json::Deserializer::from_str(object);
    json.deserialize_map(Each(each))?;
    json.end()
}

/// The value of the member `name` of an object, unless it is null; the last one of that name counts.
pub(crate) fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    members(object, |member| {
        if member.name().as_deref() == Some(name) {
            found = Some(member);
        }
        Ok(())
    })
    .ok()?;
    found.filter(|found| !found.is_null()).map(|found| found.value)
}
