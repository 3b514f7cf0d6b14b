//! The audit log: founding entries over the last twelve months, then one for every change.
//!
//! Rule: entries are only added, and ids ascend in the order of adding; `createdAt` need not, and may repeat.

use super::ids::{self, IdText, Kind};
use super::record::{ORPHAN, Record};
use super::spec::WorldSpec;
use super::{Named, World};
use crate::context::Context;
use crate::rng::{Dice, mix};
use crate::timestamp::{DAY, SECOND};

/// What an entry is about (API reference, section 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectType {
    BillSubscription,
    BusinessRule,
    Company,
    Conversation,
    Customer,
    Message,
    Search,
    Shortcut,
    User,
    WorkItem,
    IpRule,
    WorkSession,
    ShopifyRest,
}

impl ObjectType {
    pub(crate) const ALL: [Self; 13] = [
        Self::BillSubscription,
        Self::BusinessRule,
        Self::Company,
        Self::Conversation,
        Self::Customer,
        Self::Message,
        Self::Search,
        Self::Shortcut,
        Self::User,
        Self::WorkItem,
        Self::IpRule,
        Self::WorkSession,
        Self::ShopifyRest,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BillSubscription => "bill_subscription",
            Self::BusinessRule => "business_rule",
            Self::Company => "company",
            Self::Conversation => "conversation",
            Self::Customer => "customer",
            Self::Message => "message",
            Self::Search => "search",
            Self::Shortcut => "shortcut",
            Self::User => "user",
            Self::WorkItem => "work_item",
            Self::IpRule => "ip_rule",
            Self::WorkSession => "work_session",
            Self::ShopifyRest => "shopify_rest",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How long entries are kept: 90 days for what is routine, twelve months for what is rare.
    const fn kept(self, verb: Verb) -> i64 {
        let updated =
            matches!(self, Self::Conversation | Self::Customer | Self::Message) && matches!(verb, Verb::Update);
        if updated || matches!(self, Self::WorkItem | Self::WorkSession) { 90 * DAY } else { 365 * DAY }
    }

    /// The kind of record that it is, when it is one that the stores hold.
    pub(crate) const fn context(self) -> Option<Context> {
        match self {
            Self::Customer => Some(Context::Customer),
            Self::Conversation => Some(Context::Conversation),
            Self::Message => Some(Context::Message),
            Self::User => Some(Context::User),
            Self::BillSubscription
            | Self::BusinessRule
            | Self::Company
            | Self::Search
            | Self::Shortcut
            | Self::WorkItem
            | Self::IpRule
            | Self::WorkSession
            | Self::ShopifyRest => None,
        }
    }

    /// The log has none of notes.
    const fn of(context: Context) -> Option<Self> {
        match context {
            Context::Customer => Some(Self::Customer),
            Context::Conversation => Some(Self::Conversation),
            Context::Message => Some(Self::Message),
            Context::User => Some(Self::User),
            Context::Note => None,
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Update,
    Delete,
    Merge,
}

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Merge => "merge",
        }
    }
}

/// The position of an entry in the log: its id says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    second: u32,
    number: u32,
}

impl Place {
    /// Where an id stands among the entries, whether there is such an entry (still) or not.
    pub(crate) fn of(id: &str) -> Option<Self> {
        let digits = id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = |range| u32::from_str_radix(id.get(range)?, 16).ok();
        digits.then_some(())?;
        Some(Self { second: number(0..8)?, number: number(16..24)? })
    }
}

/// One entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) object: ObjectType,
    pub(crate) verb: Verb,
    pub(crate) created: i64,
    /// The ordinal of a record that the stores hold.
    ord: u32,
    /// The customer that the entry belongs to, or none.
    pub(crate) customer: u32,
    /// The customer that was merged into another one.
    pub(crate) source: u32,
    pub(crate) salt: u64,
}

impl Entry {
    pub(crate) fn id(&self) -> IdText {
        ids::serial(self.place.second, Kind::AuditEntry, self.place.number)
    }

    /// The same merge, told of the customer that was merged into another one.
    pub(crate) const fn about_source(&self) -> Self {
        Self { ord: self.source, customer: self.source, ..*self }
    }

    /// Entries are published some seconds after the event.
    pub(crate) fn published(&self) -> i64 {
        self.created + SECOND + i64::try_from(self.salt % 8_000).unwrap_or(0)
    }

    pub(crate) const fn expires(&self) -> i64 {
        self.created + self.object.kept(self.verb)
    }

    pub(crate) fn shows(&self, now: i64, lag: i64) -> bool {
        self.created.saturating_add(lag) <= now && now < self.expires()
    }

    /// The user who did it; `None` when the system did.
    pub(crate) fn user(&self, world: &World) -> Option<u32> {
        let founding = u64::from(world.store(Context::User).founding.max(1));
        (!self.salt.is_multiple_of(4)).then(|| u32::try_from((self.salt >> 20) % founding).unwrap_or(0))
    }

    /// The id of what it is about; searches have none.
    pub(crate) fn object_id(&self, world: &World) -> Option<IdText> {
        let one_of =
            |list: &[Named]| list.get(crate::rng::index(self.salt >> 8) % list.len().max(1)).map(|one| one.id.clone());
        match (self.object, self.object.context()) {
            (_, Some(context)) => Some(world.store(context).id(self.ord)),
            (ObjectType::Search, None) => None,
            (ObjectType::Company, None) => one_of(&world.directory.companies),
            (ObjectType::Shortcut, None) => one_of(&world.directory.shortcuts),
            (_, None) => {
                Some(ids::derived(1_700_000_000, Kind::Audited, self.object as u64 * 100 + (self.salt >> 8) % 9))
            }
        }
    }
}

/// All entries, oldest first; those that have expired are only hidden.
#[derive(Debug, Default)]
pub(crate) struct AuditLog {
    entries: Vec<Entry>,
}

impl AuditLog {
    /// What is published and has not expired, newest first.
    pub(crate) fn shown(&self, now: i64, lag: i64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev().filter(move |entry| entry.shows(now, lag))
    }

    fn push(&mut self, seed: u64, event: Event) {
        let second = u32::try_from(event.logged.div_euclid(SECOND)).unwrap_or(0);
        let number = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let last = self.entries.last().map_or(0, |entry| entry.place.second);
        let Event { object, verb, created, ord, customer, source, .. } = event;
        let place = Place { second: second.max(last), number };
        let salt = mix(seed ^ mix(0xa0d1 << 32 | u64::from(number)));
        self.entries.push(Entry { place, object, verb, created, ord, customer, source, salt });
    }
}

/// What is about to be logged.
#[derive(Debug, Clone, Copy)]
struct Event {
    object: ObjectType,
    verb: Verb,
    created: i64,
    logged: i64,
    ord: u32,
    customer: u32,
    source: u32,
}

impl Event {
    const fn of(object: ObjectType, verb: Verb, at: i64) -> Self {
        Self { object, verb, created: at, logged: at, ord: ORPHAN, customer: ORPHAN, source: ORPHAN }
    }

    const fn of_merge(source: u32, target: u32, at: i64) -> Self {
        Self { ord: target, customer: target, source, ..Self::of(ObjectType::Customer, Verb::Merge, at) }
    }
}

impl World {
    fn is_merged(&self, customer: u32) -> bool {
        self.merges.iter().any(|merge| merge.source == customer)
    }

    fn customer_of(&self, context: Context, ord: u32) -> u32 {
        let parent = |context, ord| self.store(context).version(ord).map_or(ORPHAN, |record: Record| record.parent);
        match context {
            Context::Customer => ord,
            Context::Conversation => parent(context, ord),
            Context::Message | Context::Note => parent(Context::Conversation, parent(context, ord)),
            Context::User => ORPHAN,
        }
    }

    /// Tells the log of a change at `now`.
    pub(super) fn log(&mut self, context: Context, ord: u32, verb: Verb, now: i64) {
        if let Some(object) = ObjectType::of(context) {
            let customer = self.customer_of(context, ord);
            self.audit.push(self.seed, Event { ord, customer, ..Event::of(object, verb, now) });
        }
    }

    /// Tells the log of a merge: its object is the customer that stays.
    pub(super) fn log_merge(&mut self, source: u32, target: u32, now: i64) {
        self.audit.push(self.seed, Event::of_merge(source, target, now));
    }

    /// Fills the log of a new world.
    pub(super) fn found_audit(&mut self, spec: &WorldSpec, now: i64) {
        if spec.audit_logs == 0 {
            return;
        }
        let (start, end) = spec.span(now);
        let from = start.max(end - 365 * DAY);
        let mut events = self.founding_merges(from);
        events.extend(self.deletions(from, crate::rng::index(spec.audit_logs.into()) / 20));
        let rest = spec.audit_logs.saturating_sub(u32::try_from(events.len()).unwrap_or(u32::MAX));
        events.extend((0..rest).map(|number| self.routine(number, rest, from, end)));
        events.sort_by_key(|event| event.logged);
        events.into_iter().for_each(|event| self.audit.push(spec.seed, event));
    }

    /// Every merge since an instant: nothing else leads to them but asking for each customer's.
    fn founding_merges(&self, from: i64) -> Vec<Event> {
        let recent = self.merges.iter().filter(|merge| merge.at > from);
        recent.map(|merge| Event::of_merge(merge.source, merge.target, merge.at)).collect()
    }

    /// Soft deletes since an instant, at most so many of a kind.
    fn deletions(&self, from: i64, most: usize) -> Vec<Event> {
        let mut events = Vec::new();
        for object in [ObjectType::Customer, ObjectType::Conversation, ObjectType::Message] {
            let Some(context) = object.context() else {
                continue;
            };
            let deleted = self.store(context).existing().filter_map(|(ord, record)| Some((ord, record.deleted_at()?)));
            let deleted =
                deleted.filter(|(ord, at)| *at > from && !(context == Context::Customer && self.is_merged(*ord)));
            events.extend(deleted.take(most).map(|(ord, at)| {
                let customer = self.customer_of(context, ord);
                Event { ord, customer, ..Event::of(object, Verb::Delete, at) }
            }));
        }
        events
    }

    /// The event with this number of `count` evenly spread ones; some share one instant, some come a little late.
    fn routine(&self, number: u32, count: u32, from: i64, end: i64) -> Event {
        let slot = if number % 16 < 6 { number - number % 16 } else { number };
        let step = ((end - from) / i64::from(count.max(1))).max(1);
        let shared = &mut Dice::new(mix(self.seed ^ 0xa0d2) ^ u64::from(slot));
        let logged = (from + step * i64::from(slot) + shared.millis(step)).min(end - 1);
        let dice = &mut Dice::new(mix(self.seed ^ 0xa0d3) ^ u64::from(number));
        let created = if dice.chance(10) { (logged - 3 * SECOND).max(from) } else { logged };
        let object = dice.pick(&ObjectType::ALL).copied().unwrap_or(ObjectType::Search);
        let verb = match object {
            ObjectType::Message if created + 90 * DAY <= end => Verb::Create,
            ObjectType::Search | ObjectType::WorkSession | ObjectType::WorkItem => Verb::Create,
            _ if dice.chance(30) => Verb::Create,
            _ => Verb::Update,
        };
        let expired = created + object.kept(verb) <= end;
        let rule = Event { created, ..Event::of(ObjectType::BusinessRule, Verb::Update, logged) };
        match object.context() {
            _ if expired => rule,
            None => Event { object, verb, ..rule },
            Some(context) => match self.known_at(context, created, dice) {
                Some(ord) => Event { object, verb, ord, customer: self.customer_of(context, ord), ..rule },
                None => rule,
            },
        }
    }

    /// Some live record that was there at an instant.
    fn known_at(&self, context: Context, at: i64, dice: &mut Dice) -> Option<u32> {
        let store = self.store(context);
        (0..12).find_map(|_| {
            let ord = u32::try_from(dice.below(store.len().into())).unwrap_or(0);
            store.primary(ord).filter(|record| record.is_live() && record.created <= at).map(|_| ord)
        })
    }
}
