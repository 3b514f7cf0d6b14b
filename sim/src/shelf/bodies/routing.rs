//! What steers work: queues, routing settings, snooze options, outbound accounts and blocked senders.

use serde_json::{Value, json};

use crate::shelf::draft::{Draft, to_many, to_one};

pub(super) fn queue(draft: &Draft<'_>) -> Value {
    let dice = &mut draft.moving(2);
    let system = draft.stem.ord == 3;
    let name = if system { "DEFAULT_QUEUE".to_owned() } else { draft.name(&draft.lore.names.queues, "Queue") };
    let attributes = json!({
        "name": name,
        "displayName": format!("{name} {}", draft.stem.rev),
        "key": dice.chance(60).then(|| format!("queue_{}", draft.stem.ord)),
        "description": dice.word(&["", "Everything that is written", "Nur für \"Eilige\""]),
        "priority": 1 + dice.below(10),
        "itemSize": if dice.chance(30) { json!(0.5) } else { json!(1 + dice.below(3)) },
        "system": system,
        "restrictTransfersByUsers": dice.chance(60).then_some(false),
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    draft.resource("queue", "/v1/routing/queues", attributes, draft.relations(json!({})))
}

pub(super) fn routing_settings(draft: &Draft<'_>) -> Value {
    let dice = &mut draft.moving(2);
    let team = draft.stem.parent.as_deref().unwrap_or_default();
    let external: &[&str] = if dice.chance(30) { &["amazon-connect"] } else { &[] };
    let attributes = json!({
        "enabled": dice.chance(80),
        "workItemCapacity": 5 + dice.below(20),
        "externalQueues": external,
        "capacity": {"email": dice.below(9), "chat": {"max": dice.below(4)}},
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    let relationships = json!({
        "org": draft.org(),
        "team": to_one("team", "/v1/teams", team),
        "modifiedBy": draft.modifier(),
        "queues": to_many("queue", &draft.some(&draft.lore.queues, 10, 3)),
    });
    draft.resource("routing_settings", "/v1/routing/settings", attributes, relationships)
}

/// The values of options are numbers, objects or texts; every fifth option is one for KObjects.
pub(super) fn snooze(draft: &Draft<'_>) -> Value {
    let dice = &mut draft.moving(2);
    let (kind, value) = match draft.stem.ord % 3 {
        0 => ("relative", json!(900_000 * (1 + dice.below(40)))),
        1 => ("dynamic", json!({"day": {"type": "weekday", "value": dice.below(7)}, "time": "09:00"})),
        _ => ("absolute", json!(format!("2026-12-{:02}T08:00:00.000Z", 1 + dice.below(28)))),
    };
    let attributes = json!({
        "name": format!("Later, number {}", draft.stem.ord + 1),
        "type": kind,
        "value": value,
        "enabled": dice.chance(80),
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    let klass = draft.stem.parent.as_deref().map(|klass| to_one("klass", "/v1/klasses", klass));
    draft.resource("snooze", "/v1/snoozes", attributes, draft.relations(json!({"klass": klass})))
}

/// Accounts have neither ids nor links (API reference, section 19).
pub(super) fn outbound_account(draft: &Draft<'_>) -> Value {
    let (channel, account) = account(draft.stem.ord);
    let name = draft.moving(2).word(&["Main", "Help desk", "Übersee", "Main \"2\""]);
    json!({
        "type": "outbound_account",
        "attributes": {"channel": channel, "name": format!("{name} {}", draft.stem.rev), "account": account},
    })
}

/// Channel and account: together they are the key.
pub(super) fn account(ord: u32) -> (&'static str, String) {
    match ord % 3 {
        0 => ("email", format!("help{ord}@acme.example")),
        1 => ("sms", format!("+1555555{ord:04}")),
        _ => ("whatsapp", format!("+1555556{ord:04}")),
    }
}

/// Blocked senders have no links.
pub(super) fn spam_sender(draft: &Draft<'_>) -> Value {
    let dice = &mut draft.moving(2);
    let attributes = json!({
        "sender": format!("win{}@prizes.example", draft.stem.ord),
        "channel": "email",
        "list": dice.word(&["block", "allow"]),
        "deleted": draft.deletion().0,
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    let mut resource = draft.resource("spam_sender", "", attributes, draft.relations(json!({})));
    if let Value::Object(members) = &mut resource {
        members.remove("links");
    }
    resource
}
