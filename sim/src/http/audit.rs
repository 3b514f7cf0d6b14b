//! `GET /v1/audit-logs` (API reference, section 15): newest first, with a cursor of ids that leads back in time.

use serde_json::{Value, json};

use super::api::Call;
use super::listing::{Next, elsewhere};
use super::reply::Reply;
use crate::context::Context;
use crate::render;
use crate::search::Refusal;
use crate::switches::{AuditBounds, AuditEnd, Switches};
use crate::timestamp::{self, SECOND};
use crate::world::World;
use crate::world::audit::{Entry, ObjectType, Place};

/// Which entries a request asks for.
struct Filter {
    object: Option<ObjectType>,
    object_id: Option<String>,
    also: Vec<ObjectType>,
    user: Option<String>,
    start: Option<i64>,
    end: Option<i64>,
    bounds: AuditBounds,
}

impl Filter {
    fn keeps(&self, world: &World, entry: &Entry) -> bool {
        let wanted = self.object.is_none_or(|object| object == entry.object)
            && self
                .object_id
                .as_ref()
                .is_none_or(|id| entry.object_id(world).is_some_and(|object| object.bytes() == id.as_bytes()));
        let user = |id: &String| {
            let user = entry.user(world).map(|user| world.store(Context::User).id(user));
            user.is_some_and(|user| user.bytes() == id.as_bytes())
        };
        (wanted || self.also.contains(&entry.object))
            && self.user.as_ref().is_none_or(user)
            && self.within(entry.created)
    }

    fn within(&self, at: i64) -> bool {
        let (start, end) = (self.start.unwrap_or(i64::MIN), self.end.unwrap_or(i64::MAX));
        match self.bounds {
            AuditBounds::Inclusive => start <= at && at <= end,
            AuditBounds::EndExclusive => start <= at && at < end,
            AuditBounds::WholeSeconds => whole(start) <= at && at <= whole(end),
        }
    }
}

fn whole(at: i64) -> i64 {
    at.div_euclid(SECOND).saturating_mul(SECOND)
}

/// A stretch of the log.
struct Cursor {
    count: usize,
    before: Option<Place>,
    after: Option<Place>,
}

impl Cursor {
    fn holds(&self, entry: &Entry) -> bool {
        self.before.is_none_or(|before| entry.place < before) && self.after.is_none_or(|after| entry.place > after)
    }

    /// The page of the entries that it holds, and whether older ones follow it. `after` alone gives the entries next
    /// to that one, `before` or none the newest.
    fn cut<'a>(&self, held: &'a [Entry]) -> (&'a [Entry], bool) {
        let forward = self.before.is_none() && self.after.is_some();
        let from = if forward { held.len().saturating_sub(self.count) } else { 0 };
        let until = from.saturating_add(self.count).min(held.len());
        (held.get(from..until).unwrap_or_default(), until < held.len())
    }
}

/// The entries that can be read now, newest first.
pub(crate) fn shown<'a>(world: &'a World, switches: &Switches, now: i64) -> impl Iterator<Item = Entry> + use<'a> {
    let object = switches.merge_object;
    world.audit.shown(now, switches.audit_lag_ms).map(move |entry| render::about(entry, object))
}

impl Call<'_> {
    /// A page of the audit log.
    pub(super) fn audit_logs(&self) -> Reply {
        match self.audit_filter().and_then(|filter| Ok((filter, self.audit_cursor()?))) {
            Ok((filter, cursor)) => self.audit_page(&filter, &cursor),
            Err(refusal) => Reply::bad_request(&refusal),
        }
    }

    fn audit_filter(&self) -> Result<Filter, Refusal> {
        let object = |name: &str| ObjectType::named(name).ok_or_else(|| Refusal::from("unknown object type"));
        let text = |name: &str| self.params.get(name).map(str::to_owned);
        let instant = |name: &str| -> Result<Option<i64>, Refusal> {
            let Some(text) = self.params.get(name) else {
                return Ok(None);
            };
            timestamp::parse(text).map(Some).ok_or_else(|| format!("{name} is no instant"))
        };
        let filter = Filter {
            object: self.params.get("filter[objectType]").map(object).transpose()?,
            object_id: text("filter[objectId]"),
            also: match self.params.get("filter[include]") {
                Some(names) => names.split(',').map(object).collect::<Result<_, _>>()?,
                None => Vec::new(),
            },
            user: text("filter[userId]"),
            start: instant("filter[start]")?,
            end: instant("filter[end]")?,
            bounds: self.switches.audit_bounds,
        };
        if filter.object_id.is_some() && filter.object.is_none() {
            return Err("filter[objectId] needs filter[objectType]".into());
        }
        Ok(filter)
    }

    fn audit_cursor(&self) -> Result<Cursor, Refusal> {
        let place = |name: &str| -> Result<Option<Place>, Refusal> {
            let Some(id) = self.params.get(name) else {
                return Ok(None);
            };
            Place::of(id).map(Some).ok_or_else(|| format!("{name} is no id"))
        };
        let count = self.params.number("count", 100, 1_000)?;
        Ok(Cursor { count, before: place("before")?, after: place("after")? })
    }

    fn audit_page(&self, filter: &Filter, cursor: &Cursor) -> Reply {
        let world = self.shared.world();
        let mut held: Vec<Entry> =
            shown(&world, &self.switches, self.now).filter(|entry| filter.keeps(&world, entry)).collect();
        let total = held.len();
        held.retain(|entry| cursor.holds(entry));
        let left = held.len();
        let (page, more) = cursor.cut(&held);
        let links = self.audit_links(page, more);
        let meta = json!({"count": page.len(), "total": total, "cursorCount": left});
        let mut out = format!("{{\"meta\":{meta},\"links\":{links},\"data\":[").into_bytes();
        out.reserve(page.len() * 1_200);
        for entry in page {
            render::audit(&mut out, &world, entry, self.switches.unset);
        }
        out.extend_from_slice(b"]}");
        Reply::page(out, page.len())
    }

    fn audit_links(&self, page: &[Entry], more: bool) -> Value {
        let link = |cursor: &str, dropped: &[&str], entry: &Entry| {
            let kept = self.params.without(dropped);
            let separator = if kept.is_empty() { "?" } else { "&" };
            format!("{}{kept}{separator}{cursor}={}", self.path, entry.id())
        };
        let older = page.last().map(|oldest| link("before", &["before"], oldest));
        let more = more || (self.switches.audit_end == AuditEnd::EmptyPage && older.is_some());
        let next = match Next::of(self.switches.next_links, more) {
            Next::None | Next::Unstated => None,
            Next::Page => older,
            Next::OtherOrigin => older.map(|link| elsewhere(&link)),
        };
        json!({
            "self": format!("{}{}", self.path, self.params.without(&[])),
            "prev": page.first().map(|newest| link("after", &["before", "after"], newest)),
            "next": next,
        })
    }
}
