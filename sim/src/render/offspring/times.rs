//! The handling times of a conversation: one record a session of an agent, by two timers with record sets of their
//! own (API reference, section 16).

use super::{Parent, Resource, some_of, some_user};
use crate::render::Writer;
use crate::rng::Dice;
use crate::switches::TimeIds;
use crate::timestamp::{HOUR, MINUTE, SECOND};
use crate::world::ids::{self, Kind};
use crate::world::offspring::StepKind;
use crate::world::record::channel;

const PURPOSE: u64 = 2;

/// One conversation of so many has had more sessions than a hundred.
const BUSY: u64 = 128;

/// Which timer measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The first one, in seconds.
    Seconds,
    /// The second one, in milliseconds.
    Milliseconds,
}

struct Session {
    at: i64,
    salt: u64,
    /// Whether nothing has happened to the conversation since.
    open: bool,
}

impl Session {
    const fn is_seen_by(&self, timer: Timer) -> bool {
        match timer {
            Timer::Seconds => self.salt.is_multiple_of(3),
            Timer::Milliseconds => self.salt.is_multiple_of(2),
        }
    }
}

impl Parent<'_> {
    pub(super) fn times(&self, timer: Timer) -> Vec<Resource> {
        let mut sessions = self.sessions();
        sessions.sort_by_key(|session| session.at);
        sessions.iter().filter(|session| session.is_seen_by(timer)).map(|session| self.time(session, timer)).collect()
    }

    fn sessions(&self) -> Vec<Session> {
        let last = self.course.steps.len().saturating_sub(1);
        let counted = self.course.steps.iter().enumerate().filter(|(_, step)| step.kind != StepKind::Moved);
        let mut sessions: Vec<Session> = counted
            .map(|(place, step)| Session { at: step.at, salt: self.part(PURPOSE, place as u64), open: place == last })
            .collect();
        if let Some(first) = self.course.steps.first().filter(|_| self.salt.is_multiple_of(BUSY)) {
            let more = (0..420).map(|number| (first.at, 1 << 32 | number));
            sessions.extend(more.map(|(at, number)| Session { at, salt: self.part(PURPOSE, number), open: false }));
        }
        let late = self.world.late_times.get(&self.ord).into_iter().flatten().zip(0_u64..);
        // Both timers saw what was added on purpose.
        sessions.extend(late.map(|(at, number)| Session {
            at: *at,
            salt: self.part(PURPOSE, 1 << 33 | number) / 6 * 6,
            open: false,
        }));
        sessions
    }

    fn time(&self, session: &Session, timer: Timer) -> Resource {
        let kind = match (timer, self.switches.time_ids) {
            (Timer::Seconds, _) | (Timer::Milliseconds, TimeIds::Shared) => Kind::Time,
            (Timer::Milliseconds, TimeIds::Separate) => Kind::LaterTime,
        };
        let id = ids::derived(u32::try_from(session.at / SECOND).unwrap_or(0), kind, session.salt);
        let dice = &mut Dice::new(session.salt);
        let handled = 20 * SECOND + dice.millis(40 * MINUTE);
        let unit = if timer == Timer::Seconds { SECOND } else { 1 };
        self.resource("conversation_time", &id, |writer| {
            writer.open("attributes");
            writer.time("createdAt", session.at);
            self.people(writer, dice);
            writer.formatted("channels", format_args!("[\"{}\"]", channel(self.salt)));
            writer.time("handleAt", session.at - handled);
            writer.number("handleTime", handled / unit);
            let sent = dice.chance(70).then(|| dice.millis(HOUR));
            writer.time_or_unset("messageAt", sent.map(|_| session.at - SECOND));
            match sent {
                Some(sent) => writer.number("messageTime", sent / unit),
                None => writer.unset("messageTime"),
            }
            if timer == Timer::Milliseconds {
                later_attributes(writer, session, handled, dice);
            }
            writer.close();
            writer.open("relationships");
            self.org_link(writer);
            self.customer_link(writer, self.record.parent);
            self.conversation_link(writer);
            self.user_link(writer, "createdBy", dice.chance(90).then_some(session.salt));
            if timer == Timer::Milliseconds {
                self.user_link(writer, "handleBy", dice.chance(80).then_some(session.salt));
            }
            writer.close();
            writer.self_link("/v1/conversations/times/", &id, "");
        })
    }

    fn people(&self, writer: &mut Writer<'_>, dice: &mut Dice) {
        let directory = &self.world.directory;
        writer.ids("createdByTeams", some_of(&directory.teams, dice));
        let users: Vec<_> = (0..dice.below(3)).map(|number| some_user(self.world, self.salt ^ number)).collect();
        writer.ids("assignedUsers", &users);
        let team = some_of(&directory.teams, dice);
        writer.ids("assignedTeams", team.filter(|_| dice.chance(50)));
    }
}

/// What only the second timer knows.
fn later_attributes(writer: &mut Writer<'_>, session: &Session, handled: i64, dice: &mut Dice) {
    let triggers = [
        "reply_sent",
        "note_sent",
        "conversation_done",
        "conversation_reopened",
        "conversation_snoozed",
        "kobject_status_change",
    ];
    writer.text("timerVersion", "v2");
    let paused = dice.chance(30);
    writer.time_or_unset("handlePauseAt", paused.then_some(session.at - handled / 2));
    writer.text_or_unset("handlePauseBy", paused.then(|| dice.word(&["blur", "idle"])));
    writer.flag("isFocused", dice.chance(80));
    writer.flag("isInitialFocusSession", dice.chance(30));
    writer.text_or_unset("agentActionTrigger", dice.chance(80).then(|| dice.word(&triggers)));
    writer.text("conversationStatus", dice.word(&["open", "snoozed", "done"]));
    for name in ["touched", "snoozed", "reopened"] {
        writer.flag(name, dice.chance(30));
    }
    let resolved = dice.chance(60);
    writer.flag("resolved", resolved && !session.open);
    writer.number("messagesSent", dice.below(4));
    let noted = dice.chance(40);
    writer.time_or_unset("noteAt", noted.then_some(session.at - 2 * SECOND));
    if noted {
        writer.number("noteTime", handled / 3);
        writer.number("notesSent", 1 + dice.below(2));
    } else {
        writer.unset("noteTime");
        writer.json("notesSent", "0");
    }
}
