//! What administrators set up: brands, schedules, cards, shortcuts, tags and teams.

use serde_json::{Value, json};

use crate::shelf::draft::{Draft, to_many, to_one};

/// A text, or null in the other cases.
fn perhaps(percent: u64, draft: &Draft<'_>, purpose: u64, text: impl Into<Value>) -> Value {
    if draft.often(percent, purpose) { text.into() } else { Value::Null }
}

pub(super) fn brand(draft: &Draft<'_>) -> Value {
    let name = draft.name(&draft.lore.names.brands, "Brand");
    let host = format!("brand{}.example", draft.stem.ord);
    let domains = match (draft.stem.ord + draft.stem.rev) % 3 {
        0 => Value::Null,
        1 => json!([host]),
        _ => json!([host, format!("shop.{host}")]),
    };
    let attributes = json!({
        "name": name,
        "default": draft.stem.ord == 0,
        "iconUrl": perhaps(60, draft, 3, format!("https://cdn.acme.example/brands/{}.png", draft.stem.rev)),
        "displayName": perhaps(70, draft, 4, format!("{name} ({})", draft.stem.rev)),
        "email": perhaps(70, draft, 5, format!("help@{host}")),
        "domains": domains,
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    draft.resource("brand", "/v1/brands", attributes, draft.relations(json!({})))
}

pub(super) fn schedule(draft: &Draft<'_>) -> Value {
    let (deleted, deleted_at) = draft.deletion();
    let opens = 7 + draft.moving(2).below(4);
    let zone = ["America/Chicago", "Europe/Berlin", "Asia/Kolkata", "UTC"];
    let attributes = json!({
        "name": format!("Hours {}", draft.stem.ord + 1),
        "hours": {
            "0": null,
            "1": [[opens, 17]],
            "2": [[opens, 12], [13, 17.5]],
            "3": [[opens, 17]],
            "4": [[opens, 17]],
            "5": [[opens, 15]],
            "6": if draft.moving(3).chance(50) { Value::Null } else { json!([]) },
        },
        "timezone": draft.fixed(4).word(&zone),
        "default": draft.stem.ord == 0,
        "enabled": perhaps(60, draft, 5, draft.moving(6).chance(80)),
        "deleted": deleted,
        "deletedAt": deleted_at,
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    let relationships = draft.relations(json!({"deletedBy": draft.deleter()}));
    draft.resource("schedule", "/v1/schedules", attributes, relationships)
}

pub(super) fn holiday(draft: &Draft<'_>) -> Value {
    let day = 1 + draft.moving(2).below(28);
    let attributes = json!({
        "name": draft.fixed(3).word(&["New Year", "Feiertag der Größe", "Company day", "Thanksgiving", "元日"]),
        "startDate": format!("2026-12-{day:02}"),
        "endDate": perhaps(70, draft, 4, format!("2026-12-{day:02}")),
        "description": perhaps(50, draft, 5, format!("closed, notice {}", draft.stem.rev)),
        "enabled": draft.moving(6).chance(80),
        "createdAt": draft.created(),
        "modifiedAt": draft.modified(),
        "updatedAt": draft.updated(),
    });
    let schedule = draft.stem.parent.as_deref().unwrap_or_default();
    let relationships = draft.relations(json!({"schedule": to_one("schedule", "/v1/schedules", schedule)}));
    draft.resource("holiday", "/v1/schedules/holidays", attributes, relationships)
}

pub(super) fn card(draft: &Draft<'_>) -> Value {
    let contexts: &[&str] = match draft.moving(2).below(3) {
        0 => &["customer"],
        1 => &["customer", "company", "conversation"],
        _ => &["kobject"],
    };
    let attributes = json!({
        "name": format!("Orders of \"{}\"", draft.stem.ord + 1),
        "description": format!("Shows what was bought.\nRelease {}", draft.stem.rev),
        "url": format!("https://cards.acme.example/{}", draft.stem.ord),
        "contexts": contexts,
        "app": perhaps(60, draft, 3, "acme_orders"),
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    draft.resource("card", "/v1/cards", attributes, json!({"org": draft.org()}))
}

/// A rich text.
fn payload(draft: &Draft<'_>) -> Value {
    let text = format!("Hello again, {}", draft.stem.rev);
    let block = json!({
        "key": "a1b2c",
        "text": text,
        "type": "unstyled",
        "depth": 0,
        "inlineStyleRanges": [{"offset": 0, "length": 5, "style": "BOLD"}],
        "entityRanges": [],
        "data": {},
    });
    json!({"text": {"blocks": [block], "entityMap": {}}})
}

pub(super) fn shortcut(draft: &Draft<'_>) -> Value {
    let dice = &mut draft.moving(2);
    let conversation = match dice.below(3) {
        0 => Value::Null,
        1 => json!({"name": {"operator": "set", "value": "Where is my \"order\"?"}}),
        _ => json!({"tags": {"operator": "add", "value": draft.some(&draft.lore.tags, 2, 3)}}),
    };
    let draft_text = json!({
        "text": format!("Hello {{{{customer.firstName}}}}, version {}", draft.stem.rev),
        "template": dice.chance(50).then_some("<p>Hello</p>"),
    });
    let attributes = json!({
        "name": draft.name(&draft.lore.names.shortcuts, "Shortcut"),
        "draft": if dice.chance(85) { draft_text } else { Value::Null },
        "payload": perhaps(40, draft, 4, payload(draft)),
        "conversation": conversation,
        "isPrivate": perhaps(70, draft, 5, dice.chance(20)),
        "deleted": draft.deletion().0,
        "rev": perhaps(90, draft, 14, draft.stem.rev),
        "appDisabled": perhaps(20, draft, 6, false),
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    let relationships = draft.relations(json!({
        "parent": perhaps(30, draft, 7, to_one("shortcut_category", "/v1/shortcuts/categories", &draft.lore.org)),
        "accessUsers": perhaps(40, draft, 8, to_many("user", &draft.some(&draft.lore.users, 3, 9))),
        "accessTeams": perhaps(40, draft, 10, to_many("team", &draft.some(&draft.lore.teams, 2, 11))),
        "attachments": perhaps(20, draft, 12, to_many("attachment", &draft.some(&draft.lore.conversations, 1, 13))),
    }));
    draft.resource("shortcut", "/v1/shortcuts", attributes, relationships)
}

pub(super) fn tag(draft: &Draft<'_>) -> Value {
    let (deleted, deleted_at) = draft.deletion();
    let attributes = json!({
        "name": draft.name(&draft.lore.names.tags, "tag"),
        "color": perhaps(80, draft, 2, draft.moving(3).word(&["#6f42c1", "#ff0000", "teal", ""])),
        "deleted": deleted,
        "deletedAt": deleted_at,
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    let relationships = draft.relations(json!({"deletedBy": draft.deleter()}));
    draft.resource("tag", "/v1/tags", attributes, relationships)
}

pub(super) fn team(draft: &Draft<'_>) -> Value {
    let (deleted, deleted_at) = draft.deletion();
    let name = draft.name(&draft.lore.names.teams, "Team");
    let imported = draft.stem.ord == 2;
    let attributes = json!({
        "name": name,
        "displayName": perhaps(80, draft, 2, format!("{name} {}", draft.stem.rev)),
        "icon": perhaps(80, draft, 3, draft.moving(4).word(&["flag", "rocket", "☎"])),
        "externalId": perhaps(30, draft, 5, format!("hr-{}", draft.stem.ord)),
        "members": draft.some(&draft.lore.users, 7, 6),
        "roleGroups": perhaps(50, draft, 7, json!(["agents"])),
        "deleted": deleted,
        "deletedAt": deleted_at,
        "importedAt": if imported { draft.created().into() } else { Value::Null },
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    let relationships = draft.relations(json!({"deletedBy": draft.deleter()}));
    draft.resource("team", "/v1/teams", attributes, relationships)
}
