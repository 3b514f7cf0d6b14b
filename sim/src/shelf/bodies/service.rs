//! Service levels, surveys and notifications.

use serde_json::{Value, json};

use crate::rng::Dice;
use crate::shelf::draft::{Draft, to_many, to_one};
use crate::timestamp::{self, SECOND};

pub(super) fn sla(draft: &Draft<'_>) -> Value {
    let attributes = json!({"currentVersion": draft.stem.number, "createdAt": draft.created()});
    let relationships = json!({
        "org": draft.org(),
        "createdBy": draft.user(1),
        "versions": to_many("sla_version", &draft.stem.refs),
    });
    draft.resource("sla", "/v1/slas", attributes, relationships)
}

fn metric(dice: &mut Dice) -> Value {
    let minutes = 5 + dice.below(100);
    let mut metric = json!({
        "enabled": dice.chance(70),
        "times": {"1": minutes, "2": 2 * minutes, "3": 3 * minutes, "4": 240, "5": 0.5},
    });
    if let (true, Some(members)) = (dice.chance(40), metric.as_object_mut()) {
        members.insert("basedOnHumanInteraction".into(), true.into());
    }
    metric
}

fn criteria(dice: &mut Dice) -> Value {
    let channel = dice.word(&["email", "chat", "sms"]);
    let tree = json!({"conversation_custom_contactReasonTree": {"operator": "in", "value": ["billing", "other"]}});
    let both = match dice.below(3) {
        0 => vec![],
        1 => vec![json!({"conversation_channel": {"operator": "equals", "value": channel}})],
        _ => vec![
            json!({"conversation_channel": {"operator": "equals", "value": channel}}),
            json!({"conversation_priority": {"operator": "gte", "value": 3}}),
            json!({"customer_vip": {"operator": "equals", "value": true}}),
        ],
    };
    let either = if dice.chance(50) { vec![tree] } else { vec![] };
    json!({"and": both, "or": either})
}

pub(super) fn sla_version(draft: &Draft<'_>) -> Value {
    let dice = &mut draft.moving(2);
    let sla = draft.stem.parent.as_deref().unwrap_or_default();
    let attributes = json!({
        "name": draft.name(&draft.lore.names.slas, "Level"),
        "description": format!("Promise {} of its kind", draft.stem.number),
        "version": draft.stem.number,
        "hours": dice.word(&["business", "calendar"]),
        "metrics": {
            "firstResponse": metric(dice),
            "longestUnrespondedMessage": metric(dice),
            "totalConversationOpenTime": metric(dice),
            "totalCustomerWaitTime": metric(dice),
            "nextReply": metric(dice),
        },
        "criteria": criteria(dice),
        "createdAt": draft.created(),
    });
    let relationships = json!({
        "org": draft.org(),
        "createdBy": draft.user(1),
        "sla": to_one("sla", "/v1/slas", sla),
    });
    draft.resource("sla_version", "/v1/slas/versions", attributes, relationships)
}

fn question(text: &str, required: bool) -> Value {
    json!({"question": text, "type": "text", "required": required})
}

/// A survey form, not its answers.
pub(super) fn satisfaction(draft: &Draft<'_>) -> Value {
    let dice = &mut draft.moving(2);
    let full = dice.chance(60) || draft.stem.ord == 0;
    let set = |value: Value| if full { value } else { Value::Null };
    let name = draft.name(&draft.lore.names.forms, "Survey");
    let (good, bad) = (question("What was good?", true), question("What was \"bad\"?", false));
    let attributes = json!({
        "name": draft.often(70, 3).then_some(&name),
        "formType": draft.often(70, 4).then_some("csat"),
        "enabled": draft.often(60, 5).then(|| dice.chance(80)),
        "channel": draft.often(70, 6).then(|| dice.word(&["email", "chat"])),
        "description": set(format!("{name}, wording {}", draft.stem.rev).into()),
        "from": set(json!({"account": "help0@acme.example", "app": "postmark", "channel": "email"})),
        "metaTitle": set("How did we do?".into()),
        "metaDescription": set("Ein paar Fragen".into()),
        "delayTime": set(json!(dice.below(72) * 3_600)),
        "scale": set(json!({"options": 5, "type": "emoji", "labelHigh": "good", "labelLow": "bad"})),
        "introduction": set("Thank you.".into()),
        "ratingPrompt": set("Rate us".into()),
        "questions": set(json!([])),
        "positiveQuestions": set(json!([good])),
        "negativeQuestions": set(json!([bad, good])),
        "allQuestions": set(json!([good, bad])),
        "followUpType": set("all".into()),
        "criteria": set(criteria(dice)),
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
        "modifiedAt": draft.modified(),
    });
    let template = set(to_one("template", "/v1/templates", &draft.lore.org));
    draft.resource("satisfaction", "/v1/satisfaction", attributes, draft.relations(json!({"template": template})))
}

/// What the machine user of the key was told; the event is that of a webhook (API reference, section 18).
pub(super) fn notification(draft: &Draft<'_>) -> Value {
    let dice = &mut draft.fixed(2);
    let published = timestamp::text(draft.stem.created - SECOND);
    let conversation = dice.pick(&draft.lore.conversations).cloned().unwrap_or_default();
    let name = dice.word(&["kustomer.conversation.update", "kustomer.message.create", "kustomer.note.mention"]);
    let changes = json!({"attributes": {"status": {"op": "replace", "before": "open", "after": "done"}}});
    let attributes = json!({
        "name": name,
        "status": if draft.stem.rev > 1 || draft.stem.ord % 4 == 1 { "read" } else { "unread" },
        "event": {
            "id": format!("{}ffff", draft.stem.id.get(..20).unwrap_or_default()),
            "name": name,
            "org": draft.lore.org,
            "partition": draft.lore.org,
            "orgName": "acme",
            "client": "web",
            "sourceType": "user",
            "sourceId": draft.user_id(4),
            "persist": true,
            "changes": if dice.chance(50) { changes } else { Value::Null },
            "createdAt": published,
            "_meta": {"id": draft.stem.id, "publishedAt": published},
            "data": {"type": "conversation", "id": conversation, "attributes": {"name": "Where is my order?"}},
        },
        "createdAt": draft.created(),
        "updatedAt": draft.updated(),
    });
    let machine = draft.lore.users.get(1).cloned().unwrap_or_default();
    let relationships = json!({"org": draft.org(), "user": to_one("user", "/v1/users", &machine)});
    draft.resource("notification", "/v1/notifications", attributes, relationships)
}
