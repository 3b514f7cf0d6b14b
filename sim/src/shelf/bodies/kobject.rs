//! Klasses and their KObjects (API reference, section 14).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::rng::Dice;
use crate::shelf::draft::{Draft, to_one};
use crate::timestamp::{self, DAY, HOUR};

/// What a segment of a path may be made of.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The name of a klass as it stands in paths.
pub(crate) fn link_name(klass: &str) -> impl std::fmt::Display {
    utf8_percent_encode(klass, SEGMENT)
}

/// Whether the klass begins without a record.
pub(in crate::shelf) fn is_empty_klass(klass: &str) -> bool {
    klass == "wishlist"
}

fn is_assignable(klass: &str) -> bool {
    klass == "subscription"
}

fn mixins(klass: &str) -> Value {
    match klass {
        "subscription" => json!(["commentable", "assignable", "editable"]),
        "order" => json!(["editable", "creatable"]),
        "wishlist" => json!([]),
        _ => Value::Null,
    }
}

pub(super) fn klass(draft: &Draft<'_>) -> Value {
    let dice = &mut draft.moving(2);
    let name = draft.name(&draft.lore.names.klasses, "klass").replace("klass ", "klass-");
    let status = match name.as_str() {
        "legacy-ticket" => "disabled",
        "loyalty-card" => "existing_only",
        _ => "enabled",
    };
    let attributes = json!({
        "name": name,
        "displayName": draft.often(80, 4).then(|| format!("{name} ({})", draft.stem.rev)),
        "icon": draft.often(70, 5).then_some("cart"),
        "color": draft.often(70, 6).then(|| dice.word(&["#112233", "maroon"])),
        "klassSchema": draft.often(30, 7).then_some("{\"type\":\"object\"}"),
        "appVersion": draft.often(40, 8).then(|| format!("1.{}.0", draft.stem.rev)),
        "appDisabled": draft.often(40, 9).then_some(false),
        "status": status,
        "mixins": mixins(&name),
        "s3DataUrl": draft.often(20, 10).then_some("https://s3.acme.example/klass.json"),
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
    });
    let link = format!("/v1/klasses/{}", link_name(&name));
    let relationships = json!({"org": draft.org(), "kobjects": {"links": {"self": link}}});
    draft.resource("klass", "/v1/klasses", attributes, relationships)
}

fn done(draft: &Draft<'_>, dice: &mut Dice) -> Value {
    json!({
        "time": dice.below(90_000_000),
        "businessTime": dice.below(30_000_000),
        "createdAt": timestamp::text(draft.stem.updated),
        "createdBy": draft.user_id(8),
        "createdByTeam": draft.lore.teams.first(),
        "assignedTeam": draft.lore.teams.get(1),
        "assignedUser": draft.user_id(9),
        "commentCount": dice.below(5),
    })
}

/// The attributes that only klasses with the mixin have.
fn assignment(draft: &Draft<'_>, dice: &mut Dice) -> Value {
    let finished = dice.chance(50);
    json!({
        "status": if finished { "done" } else { "open" },
        "queue": draft.fixed(5).pick(&draft.lore.queues),
        "assignedUser": dice.chance(70).then(|| draft.user_id(7)),
        "assignedTeam": dice.chance(50).then(|| dice.pick(&draft.lore.teams)),
        "firstDone": if finished { done(draft, dice) } else { Value::Null },
        "lastDone": if finished { done(draft, dice) } else { json!({}) },
        "doneCount": u32::from(finished),
        "reopenCount": dice.below(3),
        "reopenFromDoneCount": dice.chance(50).then(|| dice.below(2)),
    })
}

pub(super) fn kobject(draft: &Draft<'_>, klass: &str, custom: Value) -> Value {
    let dice = &mut draft.moving(2);
    let imported = draft.fixed(3).chance(8);
    let attributed = json!({
        "conversationId": dice.pick(&draft.lore.conversations),
        "attributionBy": "last_touch",
        "channel": "email",
        "time": timestamp::text(draft.stem.updated - HOUR),
        "revenueValue": 12.5,
        "currency": "EUR",
    });
    let images: Vec<String> =
        (0..dice.below(4)).map(|number| format!("https://cdn.acme.example/i/{number}.png")).collect();
    let created = if imported { draft.stem.created - 400 * DAY } else { draft.stem.created };
    let mut attributes = json!({
        "externalId": dice.chance(60).then(|| format!("shop-{}", draft.stem.ord)),
        "title": format!("{klass} {} \"v{}\"", draft.stem.ord + 1, draft.stem.rev),
        "description": dice.chance(60).then_some("Two lines\nof text – ja"),
        "icon": dice.chance(50).then_some("cart"),
        "images": images,
        "custom": custom,
        "data": if dice.chance(40) { json!({"lines": [{"sku": "A-1", "n": dice.below(9)}], "raw": null}) } else { Value::Null },
        "tags": draft.some(&draft.lore.tags, 3, 4),
        "klassDisplayName": dice.chance(70).then_some(klass),
        "klassMixins": mixins(klass),
        "attribution": if dice.chance(30) { attributed } else { Value::Null },
        "s3DataUrl": dice.chance(10).then_some("https://s3.acme.example/data.json"),
        "roleGroupVersions": dice.chance(50).then(Vec::<Value>::new),
        "importedAt": imported.then(|| draft.created()),
        "rev": draft.stem.rev,
        "createdAt": timestamp::text(created),
        "updatedAt": draft.updated(),
    });
    if let (true, Some(attributes), Value::Object(more)) =
        (is_assignable(klass), attributes.as_object_mut(), assignment(draft, dice))
    {
        attributes.extend(more);
    }
    let relationships = relationships(draft, klass);
    let path = format!("/v1/klasses/{}", link_name(klass));
    draft.resource(&format!("kobject.{klass}"), &path, attributes, relationships)
}

/// The klass is linked by `link`, in the singular; owner is a customer, a company or nobody.
fn relationships(draft: &Draft<'_>, klass: &str) -> Value {
    let company = draft.fixed(6).chance(15).then(|| draft.fixed(7).pick(&draft.lore.companies)).flatten();
    let customer = draft.stem.parent.as_deref().filter(|_| company.is_none());
    let queue = is_assignable(klass).then(|| draft.fixed(5).pick(&draft.lore.queues)).flatten();
    let klass_id = draft.lore.klasses.get(klass).map(|klass| klass.id.as_str()).unwrap_or_default();
    draft.relations(json!({
        "klass": {
            "link": {"self": format!("/v1/klasses/{}", link_name(klass))},
            "data": {"type": "klass", "id": klass_id},
        },
        "customer": customer.map(|id| to_one("customer", "/v1/customers", id)),
        "company": company.map(|id| to_one("company", "/v1/companies", id)),
        "queue": queue.map(|id| to_one("queue", "/v1/routing/queues", id)),
    }))
}
