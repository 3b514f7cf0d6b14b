//! Notes: what users write about a conversation, with mentions of users and teams.

use super::pieces::named;
use super::texts::TEXTS;
use super::{Subject, Writer};
use crate::world::record::mentions;

pub(super) fn render(writer: &mut Writer<'_>, subject: Subject<'_>) {
    let mut dice = subject.dice.clone();
    let directory = &subject.world.directory;
    writer.head(&subject);
    writer.open("attributes");
    writer.unset("externalId");
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
    writer.close();
    writer.tail(&subject);
}
