//! Users: people, machines and limited ones; active, invited and deactivated.

use super::pieces::person;
use super::{Subject, Writer};
use crate::rng::Dice;
use crate::timestamp::{DAY, HOUR, MINUTE};
use crate::world::record::{UserType, is_pending, modified_at};

pub(super) fn render(writer: &mut Writer<'_>, subject: Subject<'_>) {
    let mut dice = subject.dice.clone();
    let user_type = UserType::of(subject.ord, subject.salt);
    let pending = is_pending(subject.ord, subject.salt);
    let (first, last) = person(&mut dice);
    writer.head(&subject);
    writer.open("attributes");
    writer.text("displayName", first);
    writer.shown("name", format_args!("{first} {last}"));
    writer.text("userType", user_type.name());
    if subject.masked {
        writer.private("email", "", true);
    } else {
        writer.shown("email", format_args!("user{}@acme.example", subject.ord));
    }
    let verified = (!pending).then_some(subject.record.created + 5 * MINUTE);
    writer.time_or_unset("emailVerifiedAt", verified);
    writer.time_or_unset("firstEmailVerifiedAt", verified);
    writer.text_or_unset("verifiedEmailStatus", (!pending).then_some("verified"));
    writer.flag("isEmailValid", true);
    access(writer, &subject, &mut dice);
    versions(writer, &subject);
    writer.close();
    writer.open("relationships");
    writer.org(&subject);
    writer.actors(&subject, true);
    writer.close();
    writer.tail(&subject);
}

fn access(writer: &mut Writer<'_>, subject: &Subject<'_>, dice: &mut Dice) {
    let record = &subject.record;
    let pending = is_pending(subject.ord, subject.salt);
    writer.text_or_unset("mobile", dice.chance(20).then_some("+15555550100"));
    writer.text_or_unset("avatarUrl", dice.chance(60).then_some("https://cdn.acme.example/avatars/a.png"));
    writer.text_or_unset("emailSignature", dice.chance(60).then_some("<p>Acme Support</p>\\n\\\"Here to help\\\""));
    if UserType::of(subject.ord, subject.salt) == UserType::Person {
        writer.open("password");
        writer.flag("allowNew", true);
        writer.flag("forceNew", pending);
        writer.time("updatedAt", record.created + DAY.min(record.updated - record.created));
        writer.close();
    } else {
        writer.unset("password");
    }
    writer.json("roles", if dice.chance(20) { r#"["org.admin","org.user"]"# } else { r#"["org.user"]"# });
    writer.some_ids("roleGroups", &subject.world.directory.role_groups, dice.next());
    writer.time_or_unset("firstLoginAt", (!pending).then_some(record.created + 6 * MINUTE));
    writer.time_or_unset("mostRecentLoginAt", (!pending).then_some(record.updated - dice.millis(HOUR)));
    writer.custom(subject, dice);
}

/// Users have no `rev` (the example in the API reference has none).
fn versions(writer: &mut Writer<'_>, subject: &Subject<'_>) {
    let record = &subject.record;
    writer.time("createdAt", record.created);
    writer.time("updatedAt", record.updated);
    writer.time_or_unset("modifiedAt", modified_at(subject.context, record, subject.salt));
    if record.deleted_at().is_some() {
        writer.flag("deleted", true);
    }
    writer.time_or_unset("deletedAt", record.deleted_at());
}
