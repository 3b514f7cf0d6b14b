//! Customers: contact data in lists (of their own module), activity, and one extra relationship per klass.

mod contacts;

use super::pieces::{named, person};
use super::texts::TEXTS;
use super::{Subject, Writer};
use crate::rng::Dice;
use crate::shelf::link_name;
use crate::timestamp::{DAY, HOUR, SECOND};
use crate::world::ids::{self, Kind};

pub(super) fn render(writer: &mut Writer<'_>, subject: Subject<'_>) {
    let mut dice = subject.dice.clone();
    writer.head(&subject);
    writer.open("attributes");
    identity(writer, &subject, &mut dice);
    contacts::render(writer, &subject);
    places(writer, &subject, &mut dice);
    activity(writer, &subject, &mut dice);
    satisfaction(writer, &subject, &mut dice);
    writer.custom(&subject, &mut dice);
    writer.json("roleGroupVersions", "[]");
    writer.json("accessOverride", "[]");
    writer.versions(&subject);
    writer.close();
    writer.open("relationships");
    relationships(writer, &subject);
    writer.close();
    writer.tail(&subject);
}

fn identity(writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
    let (first, last) = person(dice);
    for name in ["name", "displayName"] {
        if subject.masked {
            writer.private(name, "", true);
        } else {
            writer.shown(name, format_args!("{first} {last}"));
        }
    }
    writer.private("firstName", first, subject.masked);
    writer.private("lastName", last, subject.masked);
    writer.text("displayColor", dice.word(&["purple", "black", "maroon", "teal"]));
    writer.text("displayIcon", dice.word(&["branch", "stereo", "cloud", "leaf"]));
    if dice.chance(50) {
        writer.shown("externalId", format_args!("crm-{}", subject.ord));
    } else {
        writer.unset("externalId");
    }
    writer.text_or_unset("username", dice.chance(20).then_some("jane.doe"));
    writer.text_or_unset("companyName", dice.chance(10).then_some("Doe Trading"));
    writer.text_or_unset("avatarUrl", dice.chance(20).then_some("https://cdn.acme.example/avatars/c.png"));
    if dice.chance(5) {
        writer.json("smoochIds", r#"["5d1cb24a-smooch"]"#);
    }
    if dice.chance(5) {
        writer.open("unmaskingWindow");
        writer.time("createdAt", subject.record.created);
        writer.time("updatedAt", subject.record.updated);
        writer.close();
    }
    writer.time_or_unset("signedUpAt", dice.chance(60).then_some(subject.record.created / SECOND * SECOND));
}

fn places(writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
    writer.json("activeUsers", "[]");
    writer.ids("watchers", dice.chance(20).then(|| subject.user(71)).as_ref());
    if dice.chance(40) {
        writer.open("recentLocation");
        writer.time("updatedAt", subject.record.updated - HOUR);
        writer.json(
            "location",
            r#"{"countryName":"United States","regionName":"Illinois","cityName":"Springfield","zipCode":"62701"}"#,
        );
        writer.close();
    } else {
        writer.unset("recentLocation");
    }
    writer.text_or_unset("locale", dice.chance(70).then_some("en_us"));
    writer.text_or_unset("timeZone", dice.chance(50).then_some("America/Chicago"));
    writer.text_or_unset("birthdayAt", dice.chance(10).then_some("1980-02-29T00:00:00.000Z"));
    writer.text_or_unset("gender", dice.chance(40).then(|| dice.word(&["f", "m"])));
    writer.text_or_unset("presence", dice.chance(50).then_some("offline"));
    writer.text_or_unset("defaultLang", dice.chance(60).then_some("en_us"));
}

fn activity(writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
    let record = &subject.record;
    let seen = dice.chance(60).then(|| record.updated - dice.millis(DAY));
    for name in ["lastSeenAt", "lastCustomerActivityAt", "lastMessageAt"] {
        writer.time_or_unset(name, seen);
    }
    writer.time("lastActivityAt", record.updated);
    for name in ["lastMessageIn", "lastMessageOut", "lastMessageUnrespondedTo"] {
        match seen {
            Some(at) if dice.chance(70) => {
                writer.open(name);
                writer.time("sentAt", at / SECOND * SECOND);
                writer.text("channel", "email");
                writer.close();
            }
            _ => writer.unset(name),
        }
    }
    conversations(writer, subject, dice);
    preview(writer, subject, seen, dice);
    writer.some_ids("tags", &subject.world.directory.tags, dice.next());
    writer.sentiment("sentiment", dice.next());
    writer.text_or_unset("progressiveStatus", dice.chance(70).then(|| dice.word(&["open", "snoozed", "done"])));
    writer.flag("verified", dice.chance(50));
    writer.open_list("recentItems");
    if dice.chance(30) {
        writer.open_bare();
        writer.text("type", "kobject");
        writer.id("id", &ids::encode(record.id_second, Kind::KObject, subject.ord));
        writer.time("updatedAt", record.updated);
        writer.json("meta", r#"{"klassName":"ecomm-order"}"#);
        writer.close();
    }
    writer.close_list();
}

fn conversations(writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
    match subject.fixed(73, 3) {
        0 => writer.json("lastConversation", r#"{"channels":[],"tags":[]}"#),
        _ => {
            writer.open("lastConversation");
            writer.sentiment("sentiment", dice.next());
            writer.some_ids("tags", &subject.world.directory.tags, dice.next());
            writer.json("channels", r#"["email"]"#);
            writer.close();
        }
    }
    let (open, done) = (dice.below(3), dice.below(9));
    writer.formatted(
        "conversationCounts",
        format_args!("{{\"all\":{},\"open\":{open},\"snoozed\":0,\"done\":{done}}}", open + done),
    );
}

fn preview(writer: &mut Writer<'_>, subject: &Subject<'_>, seen: Option<i64>, dice: &mut Dice) {
    match seen {
        Some(at) => {
            writer.open("preview");
            writer.time("previewAt", at);
            writer.text("type", "message_in");
            writer.text("channel", "email");
            writer.text("subject", TEXTS.subject(dice));
            writer.sentences("text", &TEXTS.sentences(dice), subject.masked);
            writer.close();
        }
        None => writer.unset("preview"),
    }
}

fn satisfaction(writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
    let directory = &subject.world.directory;
    match (dice.below(4), named(subject, &directory.forms, 79)) {
        (0, _) => writer.unset("satisfactionLevel"),
        (1, Some(form)) => {
            writer.open("satisfactionLevel");
            writer.json("count", "1");
            writer.json("acknowledgeCount", "1");
            writer.json("avgRating", "4.5");
            writer.json("avgScore", "100");
            writer.open("firstSatisfaction");
            writer.id("form", &form.id);
            writer.text("channel", "email");
            writer.text("status", "rated");
            writer.json("rating", "5");
            writer.json("score", "100");
            writer.ids("sentByTeams", directory.teams.iter().take(1).map(|team| &team.id));
            writer.id("sentBy", &subject.user(83));
            writer.time("createdAt", subject.record.created);
            writer.close();
            writer.json("lastSatisfaction", r#"{"sentByTeams":[]}"#);
            writer.close();
        }
        _ => writer.json(
            "satisfactionLevel",
            r#"{"firstSatisfaction":{"sentByTeams":[]},"lastSatisfaction":{"sentByTeams":[]}}"#,
        ),
    }
}

fn relationships(writer: &mut Writer<'_>, subject: &Subject<'_>) {
    let directory = &subject.world.directory;
    writer.org(subject);
    writer.collection("messages", "/v1/customers/", &subject.id, "/messages");
    writer.actors(subject, subject.fixed(89, 3) > 0);
    match named(subject, &directory.companies, 11) {
        Some(company) if subject.fixed(97, 3) == 0 => {
            writer.relation("company", "company", "/v1/companies/", &company.id);
        }
        _ => writer.unset("company"),
    }
    for (place, klass) in directory.klasses.iter().enumerate() {
        if subject.fixed(101 + place as u64, 3) > 0 {
            continue;
        }
        writer.open(&format!("{}s", klass.name));
        writer.self_link("/v1/customers/", &subject.id, &format!("/klasses/{}s", link_name(klass.name)));
        writer.json("meta", r#"{"kobject":true}"#);
        writer.close();
    }
}
