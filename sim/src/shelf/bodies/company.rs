//! Companies: contact data in lists, which some old ones have as plain texts.

use serde_json::{Value, json};

use crate::rng::Dice;
use crate::shelf::bodies::kobject::link_name;
use crate::shelf::draft::{Draft, members};
use crate::timestamp::{self, DAY};

/// The id of an element: null, missing, or a text (API reference, `company_emails`).
fn with_id(element: Value, dice: &mut Dice, number: u64) -> Value {
    let mut element = members(element);
    match dice.below(3) {
        0 => drop(element.insert("id".into(), Value::Null)),
        1 => drop(element.insert("id".into(), format!("el-{number}-{}", dice.below(1_000)).into())),
        _ => {}
    }
    Value::Object(element)
}

/// Up to four elements, others in every version; one company in ten has plain texts.
fn list(draft: &Draft<'_>, purpose: u64, element: impl Fn(u64, &mut Dice) -> Value, plain: &str) -> Value {
    let dice = &mut draft.moving(purpose);
    let count = dice.below(5);
    if !plain.is_empty() && draft.stem.ord % 10 == 7 {
        return (0..count).map(|number| plain.replace('#', &number.to_string())).collect();
    }
    let mut all = Vec::new();
    for number in 0..count {
        let element = element(number, dice);
        all.push(with_id(element, dice, number));
    }
    Value::Array(all)
}

fn location(number: u64, dice: &mut Dice) -> Value {
    if dice.chance(30) {
        return json!({"type": "other"});
    }
    json!({
        "type": dice.word(&["home", "work", "other"]),
        "name": format!("Site {number}"),
        "address": format!("{} Main Street\nSpringfield", dice.below(999)),
        "address2": dice.chance(40).then_some("2nd floor"),
        "address3": dice.chance(20).then_some("c/o Zoë"),
        "latitude": 39.78 + f64::from(u32::try_from(dice.below(100)).unwrap_or(0)) / 1_000.0,
        "longitude": -89,
        "countryCode": "US",
        "countryName": "United States",
        "regionCode": "IL",
        "regionName": "Illinois",
        "cityName": "Springfield",
        "zipCode": "62701",
        "areaCode": dice.chance(50).then_some("217"),
    })
}

fn contacts(draft: &Draft<'_>) -> Value {
    let host = format!("company{}.example", draft.stem.ord);
    let email = |number, dice: &mut Dice| {
        json!({
            "email": format!("office{number}.{}@{host}", dice.below(90)),
            "type": dice.word(&["home", "work", "other"]),
            "verified": dice.chance(50),
            "externalVerified": dice.chance(50).then_some(false),
        })
    };
    let phone = |number, dice: &mut Dice| json!({"phone": format!("+1555{number}{:06}", dice.below(999_999)), "type": "work", "verified": false});
    let social = |number, dice: &mut Dice| {
        json!({
            "type": dice.word(&["twitter", "facebook", "instagram", "linkedin", "pinterest", "whatsapp"]),
            "userid": dice.chance(60).then(|| format!("22449949{number}")),
            "username": format!("acme_{}", dice.below(99)),
            "url": dice.chance(60).then(|| format!("https://social.example/{number}")),
            "verified": dice.chance(70).then_some(true),
        })
    };
    let url = |number, dice: &mut Dice| json!({"url": format!("https://{host}/{number}?q={}", dice.below(99)), "type": dice.chance(60).then_some("website")});
    let domains = |number, _: &mut Dice| json!({"domain": format!("d{number}.{host}")});
    json!({
        "emails": list(draft, 20, email, "plain#@company.example"),
        "phones": list(draft, 21, phone, "+155555500#"),
        "whatsapps": list(draft, 22, phone, ""),
        "socials": list(draft, 23, social, "https://social.example/#"),
        "urls": list(draft, 24, url, "https://plain.example/#"),
        "domains": list(draft, 25, domains, "plain#.example"),
        "locations": list(draft, 26, location, "# Main Street, Springfield"),
    })
}

pub(super) fn company(draft: &Draft<'_>, custom: Value) -> Value {
    let (deleted, deleted_at) = draft.deletion();
    let dice = &mut draft.moving(2);
    let imported = draft.fixed(3).chance(5);
    let created = if imported { timestamp::text(draft.stem.created - 500 * DAY) } else { draft.created() };
    let mut attributes = members(contacts(draft));
    attributes.extend(members(json!({
        "name": draft.name(&draft.lore.names.companies, "Trading House"),
        "externalId": dice.chance(40).then(|| format!("erp-{}", draft.stem.ord)),
        "avatarUrl": dice.chance(40).then_some("https://cdn.acme.example/c.png"),
        "employeeCount": if dice.chance(50) { json!(dice.below(5_000)) } else { Value::Null },
        "tags": draft.some(&draft.lore.tags, 3, 4),
        "custom": custom,
        "defaultLang": dice.chance(50).then_some("de_de"),
        "importedAt": imported.then(|| draft.created()),
        "deleted": deleted,
        "deletedAt": deleted_at,
        "rev": draft.stem.rev,
        "roleGroupVersions": [],
        "createdAt": created,
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    })));
    let mut others = members(json!({"deletedBy": draft.deleter()}));
    for (place, klass) in (0_u64..).zip(&draft.lore.names.klasses) {
        if draft.fixed(30 + place).chance(30) {
            let link = format!("/v1/companies/{}/klasses/{}s", draft.stem.id, link_name(klass));
            others.insert(format!("{klass}s"), json!({"links": {"self": link}, "meta": {"kobject": true}}));
        }
    }
    let relationships = draft.relations(Value::Object(others));
    draft.resource("company", "/v1/companies", Value::Object(attributes), relationships)
}
