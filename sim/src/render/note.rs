//! Notes: what users write about a conversation, with mentions of users and teams.

use super::pieces::named;
use super::texts::TEXTS;
use super::{Subject, Writer};
use crate::world::ids::{self, Kind};
use crate::world::record::mentions;

pub(super) fn render(writer: &mut Writer<'_>, subject: Subject<'_>) {
    let mut dice = subject.dice.clone();
    let directory = &subject.world.directory;
    writer.head(&subject);
    writer.open("attributes");
    writer.text_or_unset("externalId", (subject.fixed(61, 20) == 0).then_some("legacy-note"));
    writer.sentences("body", &TEXTS.sentences(&mut dice), subject.masked);
    writer.some_ids("createdByTeams", &directory.teams, dice.next());
    writer.text_or_unset("lang", dice.chance(70).then_some("en_us"));
    writer.custom(&subject, &mut dice);
    writer.versions(&subject);
    writer.close();
    writer.open("relationships");
    writer.org(&subject);
    writer.parents(&subject);
    writer.actors(&subject, true);
    writer.open("userMentions");
    writer.open_list("data");
    let rev = u64::from(subject.record.rev) << 32;
    for number in 0..mentions(subject.salt ^ rev.wrapping_mul(5)) {
        match named(&subject, &directory.teams, 23 + number) {
            Some(team) if number % 2 == 1 => writer.reference("team", &team.id),
            _ => writer.reference("user", &subject.user(29 + number)),
        }
    }
    writer.close_list();
    writer.close();
    if subject.fixed(67, 10) == 0 {
        writer.open("attachments");
        writer.open_list("data");
        writer.reference("attachment", &ids::encode(subject.record.id_second, Kind::Shelved(0x7e), subject.ord));
        writer.close_list();
        writer.close();
    } else {
        writer.unset("attachments");
    }
    writer.close();
    writer.tail(&subject);
}
