//! The contact data of a customer: lists of none to four elements, others in every version.

use super::super::{Subject, Writer};
use crate::rng::{Dice, mix};

pub(super) fn render(writer: &mut Writer<'_>, subject: &Subject<'_>) {
    let mut dice = Dice::new(subject.salt ^ mix(0xc0_57 + u64::from(subject.record.rev)));
    let dice = &mut dice;
    external_ids(writer, subject, "externalIds", dice);
    external_ids(writer, subject, "sharedExternalIds", dice);
    emails(writer, subject, "emails", dice);
    emails(writer, subject, "sharedEmails", dice);
    phones(writer, subject, "phones", dice);
    phones(writer, subject, "sharedPhones", dice);
    for name in ["whatsapps", "sharedWhatsapps", "facebookIds", "instagramIds"] {
        writer.json(name, "[]");
    }
    socials(writer, subject, "socials", dice);
    socials(writer, subject, "sharedSocials", dice);
    list(writer, "urls", dice, |writer, number, dice| {
        writer.shown("url", format_args!("https://doetrading.example/{number}?q={}", dice.below(99)));
        writer.text_or_unset("type", dice.chance(60).then_some("website"));
    });
    list(writer, "locations", dice, location);
}

/// None to four elements; shared lists, by their names, are mostly empty. An element's id is null, missing or a text.
fn list(writer: &mut Writer<'_>, name: &str, dice: &mut Dice, element: impl Fn(&mut Writer<'_>, u64, &mut Dice)) {
    let shared = name.starts_with("shared");
    let count = if shared && dice.chance(70) { 0 } else { dice.below(5) };
    writer.open_list(name);
    for number in 0..count {
        writer.open_bare();
        element(writer, number, dice);
        match dice.below(4) {
            0 => {}
            1 => writer.shown("id", format_args!("el-{number}-{}", dice.below(1_000))),
            _ => writer.unset("id"),
        }
        writer.close();
    }
    writer.close_list();
}

fn external_ids(writer: &mut Writer<'_>, subject: &Subject<'_>, name: &str, dice: &mut Dice) {
    list(writer, name, dice, |writer, number, dice| {
        writer.shown("externalId", format_args!("crm-{}-{number}", subject.ord));
        writer.flag("verified", dice.chance(50));
    });
}

fn emails(writer: &mut Writer<'_>, subject: &Subject<'_>, name: &str, dice: &mut Dice) {
    list(writer, name, dice, |writer, number, dice| {
        writer.text("type", dice.word(&["home", "work", "other"]));
        if subject.masked {
            writer.private("email", "", true);
        } else {
            writer.shown("email", format_args!("jane{}.{number}.{}@example.com", subject.ord, dice.below(90)));
        }
        writer.flag("verified", dice.chance(50));
        if dice.chance(60) {
            writer.flag("externalVerified", false);
        }
    });
}

fn phones(writer: &mut Writer<'_>, subject: &Subject<'_>, name: &str, dice: &mut Dice) {
    list(writer, name, dice, |writer, number, dice| {
        writer.text("type", dice.word(&["mobile", "home", "work"]));
        writer.shown("phone", format_args!("+1555{number}{:06}", subject.ord % 999_999));
        writer.flag("verified", dice.chance(20));
    });
}

fn socials(writer: &mut Writer<'_>, subject: &Subject<'_>, name: &str, dice: &mut Dice) {
    list(writer, name, dice, |writer, number, dice| {
        writer.text("type", dice.word(&["twitter", "facebook", "instagram", "linkedin", "pinterest", "whatsapp"]));
        writer.text_or_unset("userid", dice.chance(60).then_some("2244994945"));
        writer.shown("username", format_args!("jane_{}_{number}", subject.ord));
        writer.text_or_unset("url", dice.chance(60).then_some("https://social.example/jane"));
        writer.flag("verified", dice.chance(20));
    });
}

fn location(writer: &mut Writer<'_>, number: u64, dice: &mut Dice) {
    writer.text("type", dice.word(&["home", "work", "other"]));
    match dice.below(3) {
        0 => {}
        1 => writer.shown("address", format_args!("{} Main Street\\nSpringfield", dice.below(999))),
        _ => {
            writer.shown("name", format_args!("Place {number}"));
            writer.shown("address", format_args!("{} Main Street", dice.below(999)));
            writer.text_or_unset("address2", dice.chance(40).then_some("2nd floor"));
            writer.text_or_unset("address3", dice.chance(20).then_some("c/o Zoë"));
            writer.formatted("latitude", format_args!("39.{}", 100 + dice.below(800)));
            writer.json("longitude", "-89");
            for (name, value) in [
                ("countryCode", "US"),
                ("countryName", "United States"),
                ("regionCode", "IL"),
                ("regionName", "Illinois"),
                ("cityName", "Springfield"),
                ("zipCode", "62701"),
            ] {
                writer.text(name, value);
            }
            writer.text_or_unset("areaCode", dice.chance(50).then_some("217"));
        }
    }
}
