//! How a resource looks when it is served: spelled as the organisation does, masked, and in the form of the place.

use serde_json::{Value, json};

use super::collection::{Collection, ShelfName};
use super::item::Version;
use crate::render::{Style, Unset};

/// Where a resource is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    List,
    ById,
}

/// The resource as its endpoint gives it.
pub(crate) fn served(name: &ShelfName, version: &Version, style: Style, place: Place) -> Value {
    let mut resource = version.body.clone().unwrap_or_default();
    if let (Some(private), true) =
        (name.private(), style.mask_every > 0 && version.stem.ord.is_multiple_of(style.mask_every))
    {
        set(&mut resource, private, json!({"isMasked": true, "maskedPresentation": "****"}));
    }
    // A list has the creation of queues as a number (API reference, section 19).
    if *name == ShelfName::Of(Collection::Queues) && place == Place::List {
        set(&mut resource, "createdAt", version.stem.created.into());
    }
    if style.unset == Unset::Absent {
        for part in ["attributes", "relationships"] {
            if let Some(members) = resource.get_mut(part).and_then(Value::as_object_mut) {
                members.retain(|_, value| !value.is_null());
            }
        }
    }
    resource
}

/// Replaces an attribute that is there.
fn set(resource: &mut Value, attribute: &str, value: Value) {
    if let Some(present) = resource.get_mut("attributes").and_then(|attributes| attributes.get_mut(attribute)) {
        *present = value;
    }
}
