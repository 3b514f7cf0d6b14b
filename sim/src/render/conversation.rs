//! Conversations: the widest record, with sub-objects that are full, empty or missing.

mod moments;

use self::moments::Moments;
use super::pieces::named;
use super::texts::TEXTS;
use super::{Subject, Writer};
use crate::rng::Dice;
use crate::timestamp::{DAY, HOUR, MINUTE};
use crate::world::record::{channel, modified_at};

/// What determines whether a conversation is locked or pinned.
const LOCKED: u64 = 107;
const PINNED: u64 = 108;

pub(super) fn render(writer: &mut Writer<'_>, subject: Subject<'_>) {
    let mut dice = subject.dice.clone();
    let moments = Moments::of(&subject);
    writer.head(&subject);
    writer.open("attributes");
    subject_line(writer, &subject, &mut dice);
    counters(writer, &subject, &moments, &mut dice);
    moments.render(writer, &subject);
    people(writer, &subject, &mut dice);
    moments.responses(writer, &subject, &mut dice);
    writer.custom(&subject, &mut dice);
    service_level(writer, &subject, &mut dice);
    history(writer, &subject, &mut dice);
    writer.versions(&subject);
    writer.close();
    writer.open("relationships");
    relationships(writer, &subject);
    writer.close();
    writer.tail(&subject);
}

fn subject_line(writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
    let record = &subject.record;
    let channel = channel(subject.salt);
    writer.text_or_unset("externalId", dice.chance(5).then_some("legacy-4711"));
    writer.private("name", TEXTS.subject(dice), subject.masked);
    writer.sentences("preview", &TEXTS.sentences(dice), subject.masked);
    writer.formatted("channels", format_args!("[\"{channel}\"]"));
    writer.text_or_unset("replyChannel", dice.chance(80).then_some(channel));
    let status = ["open", "snoozed", "done"].get(crate::rng::index(subject.fixed(31 + u64::from(record.rev), 3)));
    let status = status.copied().unwrap_or("open");
    writer.text("status", status);
    writer.open("open");
    writer.time("statusAt", record.created);
    writer.close();
    if status == "snoozed" {
        writer.open("snooze");
        writer.text("status", "scheduled");
        writer.time("statusAt", record.updated);
        writer.time("time", record.updated + DAY);
        writer.close();
    } else {
        writer.unset("snooze");
    }
    writer.text("direction", if dice.chance(85) { "in" } else { "out" });
    writer.number("priority", 1 + dice.below(5));
    writer.text("defaultLang", "en_us");
    writer.text_or_unset("locale", dice.chance(50).then_some("US"));
    writer.text_or_unset("externalQueue", (subject.fixed(32, 20) == 0).then_some("amazon-connect"));
}

fn counters(writer: &mut Writer<'_>, subject: &Subject<'_>, moments: &Moments, dice: &mut Dice) {
    let record = &subject.record;
    writer.number("messageCount", moments.messages);
    writer.number("noteCount", moments.notes);
    writer.number("outboundMessageCount", moments.outbound);
    writer.number("inboundMessageCount", moments.messages - moments.outbound);
    writer.number("satisfaction", dice.below(2));
    writer.flag("spam", dice.chance(1));
    let ended = dice.chance(30);
    writer.flag("ended", ended);
    writer.time_or_unset("endedAt", ended.then_some(record.updated));
    writer.text_or_unset("endedReason", ended.then_some("agent_ended"));
    writer.text_or_unset("endedByType", ended.then_some("user"));
    for name in ["doneCount", "snoozeCount", "reopenCount"] {
        match dice.below(4) {
            0 => writer.unset(name),
            count => writer.number(name, count),
        }
    }
    let open = record.updated - record.created;
    writer.formatted(
        "totalOpen",
        format_args!("{{\"time\":{open},\"businessTime\":{},\"timeSinceLastDone\":{open}}}", open / 3),
    );
    for (name, purpose) in [("totalSnooze", 33), ("totalDone", 34)] {
        match subject.fixed(purpose, 3) {
            0 => writer.formatted(name, format_args!("{{\"time\":{},\"businessTime\":{}}}", open / 5, open / 9)),
            _ => writer.unset(name),
        }
    }
    seldom(writer, subject);
    writer.time("lastActivityAt", record.updated);
}

/// What few conversations have.
fn seldom(writer: &mut Writer<'_>, subject: &Subject<'_>) {
    let record = &subject.record;
    for (name, at, purpose) in [("locked", "lockedAt", LOCKED), ("pinned", "pinnedAt", PINNED)] {
        let is_set = subject.fixed(purpose, 12) == 0;
        if is_set {
            writer.flag(name, true);
        } else {
            writer.unset(name);
        }
        writer.time_or_unset(at, is_set.then_some(record.updated));
    }
    match subject.fixed(105, 6) {
        0 => writer.json("reopenFromDoneCount", "1"),
        _ => writer.unset("reopenFromDoneCount"),
    }
    match subject.fixed(106, 12) {
        0 => writer.json("skills", r#"["german",{"id":"5d1cb24ad09f6b001a0f11b4","level":3}]"#),
        1 => writer.json("attribution", r#"{"totalRevenue":12.5,"hasAttributableRevenue":true,"currency":"EUR"}"#),
        2 => writer.flag("mergedTarget", true),
        3 => writer.json(
            "lastDeflection",
            r#"{"deflectedAt":"2026-10-01T08:00:00.000Z","type":"article","status":"shown","query":{"rawText":"where is \"it\"?"},"articles":[{"id":"5d1cb24ad09f6b001a0f11b5","version":2,"lang":"en_us","title":"Delivery","url":"https://help.acme.example/delivery","visited":true,"deflected":false}]}"#,
        ),
        _ => {}
    }
}

fn people(writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
    let directory = &subject.world.directory;
    writer.some_ids("tags", &directory.tags, dice.next());
    match named(subject, &directory.tags, 37) {
        Some(tag) if dice.chance(20) => {
            writer.open_list("suggestedTags");
            writer.open_bare();
            writer.id("tag", &tag.id);
            writer.json("confidence", "0.71");
            writer.close();
            writer.close_list();
        }
        _ => writer.json("suggestedTags", "[]"),
    }
    writer.json("predictions", "[]");
    writer.json("suggestedShortcuts", "[]");
    writer.sentiment("sentiment", dice.next());
    writer.ids("assignedUsers", dice.chance(60).then(|| subject.user(41)).as_ref());
    writer.some_ids("assignedTeams", &directory.teams, dice.next());
    match named(subject, &directory.companies, 11) {
        Some(company) if dice.chance(25) => {
            writer.open("firstCompany");
            writer.id("id", &company.id);
            writer.text("name", company.name);
            writer.close();
        }
        _ => writer.unset("firstCompany"),
    }
    match dice.below(4) {
        0 => writer.unset("satisfactionLevel"),
        1 => {
            writer.open("satisfactionLevel");
            directory.forms.iter().take(1).for_each(|form| writer.id("form", &form.id));
            writer.json("score", "100");
            writer.json("rating", "5");
            writer.ids("sentByTeams", directory.teams.iter().take(1).map(|team| &team.id));
            writer.json("answers", "[]");
            writer.close();
        }
        _ => writer.json("satisfactionLevel", r#"{"sentByTeams":[],"answers":[]}"#),
    }
}

fn service_level(writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
    let record = &subject.record;
    if dice.chance(40) {
        return writer.unset("sla");
    }
    let breached = dice.chance(20);
    writer.open("sla");
    writer.text("name", named(subject, &subject.world.directory.slas, 43).map_or("", |sla| sla.name));
    writer.number("version", 1 + dice.below(6));
    writer.time("matchedAt", record.created);
    writer.text("status", dice.word(&["done", "pending", "paused"]));
    writer.flag("breached", breached);
    if breached {
        writer.open("breach");
        writer.text("metric", "firstResponse");
        writer.time("at", record.created + HOUR);
        writer.close();
    }
    writer.open("metrics");
    writer.open("firstResponse");
    writer.time("breachAt", record.created + HOUR);
    writer.time("satisfiedAt", record.created + 20 * MINUTE);
    writer.close();
    writer.close();
    writer.json("summary", "{}");
    writer.close();
}

fn history(writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
    let record = &subject.record;
    writer.json("roleGroupVersions", "[]");
    writer.json("accessOverride", "[]");
    if dice.chance(70) {
        writer.open("modificationHistory");
        writer.time("nameAt", record.created);
        writer.time("priorityAt", record.created);
        writer.time("statusAt", record.updated);
        writer.json("defaultLangAt", "null");
        writer.time("tagsAt", modified_at(subject.context, record, subject.salt).unwrap_or(record.created));
        writer.close();
    } else {
        writer.json("modificationHistory", "{}");
    }
    writer.json("assistant", r#"{"fac":{"reasons":[],"exclusions":[],"source":{}},"assistantId":[]}"#);
    writer.json("aiAgent", r#"{"automationId":[]}"#);
    writer.text("phase", dice.word(&["initial", "followup"]));
    writer.text("billingStatus", "active");
    writer.json("matchedTimeBasedRules", "[]");
    writer.json("linkedConversations", "[]");
}

fn relationships(writer: &mut Writer<'_>, subject: &Subject<'_>) {
    let directory = &subject.world.directory;
    writer.org(subject);
    writer.parents(subject);
    writer.collection("messages", "/v1/conversations/", &subject.id, "/messages");
    writer.actors(subject, subject.fixed(47, 3) > 0);
    writer.user_link("endedBy", (subject.fixed(109, 4) == 0).then(|| subject.user(7)));
    writer.user_link("lockedBy", (subject.fixed(LOCKED, 12) == 0).then(|| subject.user(8)));
    writer.user_link("pinnedBy", (subject.fixed(PINNED, 12) == 0).then(|| subject.user(9)));
    match subject.fixed(110, 10) {
        0 => writer.data_only("subStatus", "sub_status", &directory.org),
        _ => writer.unset("subStatus"),
    }
    for (name, path, list, purpose) in [
        ("queue", "/v1/routing/queues/", &directory.queues, 53),
        ("brand", "/v1/brands/", &directory.brands, 59),
        ("sla", "/v1/slas/", &directory.slas, 43),
    ] {
        match named(subject, list, purpose) {
            Some(item) if subject.fixed(purpose + 1, 4) > 0 => writer.relation(name, name, path, &item.id),
            _ => writer.unset(name),
        }
    }
    match named(subject, &directory.sla_versions, 43) {
        Some(version) => writer.data_only("slaVersion", "sla_version", &version.id),
        None => writer.unset("slaVersion"),
    }
}
