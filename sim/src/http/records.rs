//! Reading without search: lists, children of a parent, records by id (API reference, section 10).

use super::api::Call;
use super::listing::{Listing, Next, close, close_with, fill};
use super::params::PageParams;
use super::reply::Reply;
use crate::context::Context;
use crate::render::{self, Style};
use crate::search::{self, Clause, Direction, Field, Found, Query, Refusal, Scope, SortKey, Span, Target, Test, Ties};
use crate::switches::{Mover, UserList, Visibility};
use crate::timestamp;
use crate::world::World;
use crate::world::ids;
use crate::world::record::{Record, UserType, is_pending};
use crate::world::store::View;

/// What a page of a list holds, and whether another one follows.
struct Slice {
    ords: Vec<u32>,
    total: usize,
}

impl Slice {
    fn cut(all: Vec<u32>, paging: PageParams) -> Self {
        let total = all.len();
        Self { ords: all.into_iter().skip(paging.offset()).take(paging.size).collect(), total }
    }
}

impl Call<'_> {
    pub(super) const fn style(&self) -> Style {
        Style { unset: self.switches.unset, mask_every: self.switches.mask_every }
    }

    /// A plain list.
    pub(super) fn list(&self, context: Context) -> Reply {
        if self.switches.mover == Mover::EveryRequest {
            self.shared.world_mut().move_one(context, self.number, self.now);
        }
        let world = self.shared.world();
        let most = if context == Context::User { 500 } else { 100 };
        let slice = self.params.paging(most).and_then(|paging| {
            let slice = match context {
                Context::Customer => self.customers(&world, paging),
                Context::User => self.users(&world, paging),
                Context::Conversation | Context::Message | Context::Note => self.by_order(&world, context, paging),
            };
            slice.map(|slice| (paging, slice))
        });
        match slice {
            Ok((paging, slice)) => self.page(&world, context, paging, &slice),
            Err(refusal) => Reply::bad_request(&refusal),
        }
    }

    fn page(&self, world: &World, context: Context, paging: PageParams, slice: &Slice) -> Reply {
        let pages = slice.total.div_ceil(paging.size);
        let counted = context == Context::Customer;
        let listing = Listing {
            path: self.path,
            params: &self.params,
            paging,
            next: Next::of(self.switches.next_links, paging.page < pages),
            meta: if counted { vec![("total", slice.total.into()), ("totalPages", pages.into())] } else { Vec::new() },
            last: counted.then_some(pages),
        };
        let mut out = listing.open(1_024 + slice.ords.len() * 2_600);
        let count = fill(&mut out, &slice.ords, |out, ord| {
            render::record(out, world, View::Primary, context, ord, self.style())
        });
        if context == Context::Message && self.params.includes("attachments") {
            close_with(&mut out, &render::of_messages(world, &slice.ords, self.switches.unset));
        } else {
            close(&mut out);
        }
        Reply::page(out, count)
    }

    fn shows_deleted(&self) -> bool {
        self.switches.deleted_in_lists == Visibility::Shown
    }

    /// In the order of ids.
    fn by_order(&self, world: &World, context: Context, paging: PageParams) -> Result<Slice, Refusal> {
        let order = world.store(context).by_id.choose(self.shows_deleted());
        let total = order.len();
        let (from, until) = (paging.offset().min(total), paging.offset().saturating_add(paging.size).min(total));
        let ords = match self.params.direction()? {
            Direction::Ascending => order.range(from, until).map(|(_, ord)| ord).collect(),
            Direction::Descending => {
                let mut ords: Vec<u32> = order.range(total - until, total - from).map(|(_, ord)| ord).collect();
                ords.reverse();
                ords
            }
        };
        Ok(Slice { ords, total })
    }

    /// Customers, which alone can be filtered and sorted by time.
    fn customers(&self, world: &World, paging: PageParams) -> Result<Slice, Refusal> {
        let filters = self.params.pairs().filter(|(name, _)| name.starts_with("filter["));
        let all = filters.map(|(name, value)| self.filter(name, value)).collect::<Result<_, _>>()?;
        let sort = self.params.get("sort").unwrap_or("createdAt");
        let (name, direction) = match sort.strip_prefix('-') {
            Some(name) => (name, Direction::Descending),
            None => (sort, Direction::Ascending),
        };
        let field = time_field(name).ok_or("sort is neither createdAt nor updatedAt")?;
        let store = world.store(Context::Customer);
        let query = Query {
            target: Target::Records(Context::Customer),
            all,
            any: Vec::new(),
            none: Vec::new(),
            with_deleted: self.shows_deleted(),
            sort: vec![SortKey { field, direction }],
        };
        let scope = Scope {
            world,
            context: Context::Customer,
            view: View::Primary,
            times: store.listed.as_ref().unwrap_or(&store.indexed),
            covers: Span::ALL,
            with_deleted: query.with_deleted,
            ties: Ties::Stable,
        };
        let Found { total, ords } = search::run(&scope, &query, paging.offset(), paging.size);
        Ok(Slice { ords, total })
    }

    /// `filter[updatedAt][gte]=…`.
    fn filter(&self, name: &str, value: &str) -> Result<Clause, Refusal> {
        let parts = name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']'));
        let (field, operator) = parts.and_then(|rest| rest.split_once("][")).ok_or("bad filter")?;
        let field = time_field(field).ok_or("the filter has no such field")?;
        let at = timestamp::parse(value).ok_or("the filter's value is no instant")?;
        let span = search::span(operator, at, self.switches.precision).filter(|_| operator != "equals");
        Ok(Clause { field, tests: vec![Test::Within(span.ok_or("the filter has no such operator")?)] })
    }

    /// Users: one list of the active, one of the deactivated, one of the invited, one a type.
    fn users(&self, world: &World, paging: PageParams) -> Result<Slice, Refusal> {
        let chosen = ["pending", "deleted", "userType", "email"].map(|name| self.params.get(name));
        if chosen.iter().flatten().count() > 1 {
            return Err("only one of pending, deleted, userType and email".into());
        }
        let (pending, deleted) = (self.params.flag("pending")?, self.params.flag("deleted")?);
        let user_type = match self.params.get("userType") {
            Some(name) => Some(UserType::named(name).ok_or("unknown userType")?),
            None if self.switches.user_list == UserList::People => Some(UserType::Person),
            None => None,
        };
        let store = world.store(Context::User);
        let wanted = |(ord, record): &(u32, &Record)| {
            let salt = store.salt(*ord);
            let is = if record.is_raw() { UserType::Person } else { UserType::of(*ord, salt) };
            let invited = !record.is_raw() && is_pending(*ord, salt);
            match (deleted, pending) {
                (true, _) => !record.is_live(),
                (_, true) => record.is_live() && invited,
                _ => record.is_live() && !invited && user_type.is_none_or(|wanted| wanted == is),
            }
        };
        Ok(Slice::cut(store.existing().filter(wanted).map(|(ord, _)| ord).collect(), paging))
    }

    /// The conversations, messages or notes of one parent.
    pub(super) fn children(&self, parent: Context, id: &str, child: Context) -> Reply {
        let world = self.shared.world();
        let Some(owner) = world.store(parent).find(id).filter(|ord| world.store(parent).primary(*ord).is_some()) else {
            return Reply::not_found();
        };
        let ords: Vec<u32> = match (parent, child) {
            (Context::Customer, Context::Conversation) => world.conversations_of(owner).collect(),
            (Context::Customer, _) => {
                world.conversations_of(owner).flat_map(|conversation| world.entries_of(conversation, child)).collect()
            }
            _ => world.entries_of(owner, child).collect(),
        };
        let store = world.store(child);
        let shown = |record: &Record| record.is_live() || self.shows_deleted();
        let mut keys: Vec<(i64, u32)> = ords
            .into_iter()
            .filter_map(|ord| {
                store.primary(ord).filter(shown).map(|record| (ids::sort_key(record.id_second, ord), ord))
            })
            .collect();
        keys.sort_unstable();
        let paging = self.params.paging(100).and_then(|paging| Ok((paging, self.params.direction()?)));
        match paging {
            Ok((paging, direction)) => {
                if direction == Direction::Descending {
                    keys.reverse();
                }
                let slice = Slice::cut(keys.into_iter().map(|(_, ord)| ord).collect(), paging);
                self.page(&world, child, paging, &slice)
            }
            Err(refusal) => Reply::bad_request(&refusal),
        }
    }

    /// One record, or several of a kind that can be read so.
    pub(super) fn by_id(&self, context: Context, ids: &str) -> Reply {
        let world = self.shared.world();
        let mut out = Vec::with_capacity(4_096);
        out.extend_from_slice(b"{\"data\":");
        let one = |out: &mut Vec<u8>, id: &str| {
            world
                .store(context)
                .find(id)
                .is_some_and(|ord| render::record(out, &world, View::Primary, context, ord, self.style()))
        };
        if ids.contains(',') {
            if !matches!(context, Context::Conversation | Context::User) {
                return Reply::not_found();
            }
            out.push(b'[');
            for id in ids.split(',') {
                if out.last() == Some(&b'}') {
                    out.push(b',');
                }
                if !one(&mut out, id) && out.last() == Some(&b',') {
                    out.pop();
                }
            }
            out.push(b']');
        } else if !one(&mut out, ids) {
            return Reply::not_found();
        }
        out.push(b'}');
        Reply::one(out)
    }
}

fn time_field(name: &str) -> Option<Field> {
    match name {
        "createdAt" => Some(Field::Created),
        "updatedAt" => Some(Field::Updated),
        _ => None,
    }
}
