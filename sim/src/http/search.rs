//! `POST /v1/customers/search` and its sibling for the archive (API reference, section 9).

use hyper::StatusCode;
use serde_json::{Value, json};

use super::api::Call;
use super::listing::{Listing, Next, close, fill, fill_values};
use super::params::PageParams;
use super::reply::Reply;
use crate::context::Context;
use crate::render::{self, Style, Writer};
use crate::search::{self, Found, Query, Reach, Scope, Shelved, Span, Target, Ties};
use crate::shared::count;
use crate::shelf::{Collection, Place, ShelfName, Version, served};
use crate::switches::{ArchiveCovers, Mover, PastAnswer, SecondSortKey, Switches, TieOrder, Total, Visibility};
use crate::timestamp::DAY;
use crate::world::World;
use crate::world::store::View;

/// A page never needs more than this at once; longer ones grow.
const BYTES_A_RECORD: usize = 2_600;

impl Call<'_> {
    /// Answers a search.
    pub(super) fn search(&self, reach: Reach, body: &[u8]) -> Reply {
        let number = count(&self.shared.searches);
        let paging = match self.params.paging(500) {
            Ok(paging) => PageParams { size: paging.size.min(self.switches.largest_page), ..paging },
            Err(refusal) => return Reply::bad_request(&refusal),
        };
        let query = match search::read(body, reach, self.switches.precision) {
            Ok(query) => query,
            Err(refusal) => return Reply::bad_request(&refusal),
        };
        self.shared.tally().searched(&query.target.name());
        if !self.token.may_find(&query.target, self.switches.search_roles) {
            return Reply::forbidden();
        }
        if self.switches.mover == Mover::EveryRequest {
            self.move_one_of(&query.target, number);
        }
        let world = self.shared.world();
        let Some(shelves) = shelves_of(&world, &query.target) else {
            return Reply::bad_request(&format!("unknown queryContext {}", query.target.name()));
        };
        let page = Page { call: self, world: &world, query: &query, reach, number, shelves };
        page.answer(paging)
    }

    fn move_one_of(&self, target: &Target, number: u64) {
        let mut world = self.shared.world_mut();
        if let Target::Records(context) = target {
            return world.move_one(*context, number, self.now);
        }
        if let Some(name) = shelves_of(&world, target).into_iter().flatten().next() {
            world.shelves.move_one(&name, number, self.now);
        }
    }
}

/// The shelves that a search looks through, none for compact records; `None` when the klass does not exist.
fn shelves_of(world: &World, target: &Target) -> Option<Vec<ShelfName>> {
    let name = match target {
        Target::Records(_) => return Some(Vec::new()),
        Target::Companies => ShelfName::Of(Collection::Companies),
        Target::KObjects => return Some(world.shelves.kobject_shelves().cloned().collect()),
        Target::KObjectsOf(klass) => ShelfName::KObjects(klass.clone()),
    };
    world.shelves.has(&name).then(|| vec![name])
}

struct Page<'a> {
    call: &'a Call<'a>,
    world: &'a World,
    query: &'a Query,
    reach: Reach,
    number: u64,
    /// Where the target lies, unless it is a kind of compact record.
    shelves: Vec<ShelfName>,
}

impl Page<'_> {
    const fn switches(&self) -> &Switches {
        &self.call.switches
    }

    fn answer(&self, paging: PageParams) -> Reply {
        let switches = self.switches();
        let reachable = switches.ceiling_records.min(switches.max_pages.saturating_mul(paging.size));
        if paging.page > switches.max_pages || paging.offset() >= switches.ceiling_records {
            return self.past(paging, reachable, switches.past_ceiling);
        }
        let limit = paging.size.min(reachable - paging.offset());
        let found = self.find(paging.offset(), limit);
        if paging.page > 1 && paging.offset() >= found.total {
            return self.past(paging, reachable.min(found.total), switches.past_end);
        }
        self.page(paging, found)
    }

    /// The answer to a page behind the last of `records`.
    fn past(&self, paging: PageParams, records: usize, answer: PastAnswer) -> Reply {
        match answer {
            PastAnswer::BadRequest => Reply::bad_request("Result window is too large"),
            PastAnswer::NotFound => Reply::not_found(),
            PastAnswer::EmptyPage => self.page(paging, Found { ords: Vec::new(), ..self.find(0, 0) }),
            PastAnswer::LastPage => {
                let pages = records.div_ceil(paging.size).max(1);
                let last = PageParams { page: pages, size: paging.size };
                let limit = paging.size.min(records.saturating_sub(last.offset()));
                self.page(paging, self.find(last.offset(), limit))
            }
        }
    }

    /// Which `updatedAt` this search covers: the last two years, or what is older (API reference, section 1, fact 2).
    fn covers(&self) -> Span {
        let boundary = self.call.now.saturating_sub(self.switches().search_window_days.saturating_mul(DAY));
        match (self.reach, self.switches().archive_covers) {
            (Reach::Recent, _) => Span { from: boundary, ..Span::ALL },
            (Reach::Archive, ArchiveCovers::Older) => Span { until: boundary, ..Span::ALL },
            (Reach::Archive, ArchiveCovers::Everything) => Span::ALL,
        }
    }

    fn ties(&self) -> Ties {
        let switches = self.switches();
        match (switches.ties, switches.second_sort_key) {
            (TieOrder::Random, _) => Ties::Random(self.world.seed ^ self.number),
            (TieOrder::Stable, SecondSortKey::Honoured) => Ties::SecondKey,
            (TieOrder::Stable, SecondSortKey::Ignored) => Ties::Stable,
        }
    }

    fn with_deleted(&self) -> bool {
        self.query.with_deleted && self.switches().deleted_in_search == Visibility::Shown
    }

    fn find(&self, offset: usize, limit: usize) -> Found {
        let (covers, with_deleted, ties) = (self.covers(), self.with_deleted(), self.ties());
        let Target::Records(context) = self.query.target else {
            let versions = self.shelved().map(|(_, version)| version).collect();
            return search::run_shelved(&Shelved { versions, covers, with_deleted, ties }, self.query, offset, limit);
        };
        let times = &self.world.store(context).indexed;
        let scope = Scope { world: self.world, context, view: View::Index, times, covers, with_deleted, ties };
        search::run(&scope, self.query, offset, limit)
    }

    /// What the index shows of the shelves.
    fn shelved(&self) -> impl Iterator<Item = (&ShelfName, &Version)> {
        let until = self.call.now.saturating_sub(self.switches().index_lag_ms);
        self.shelves.iter().flat_map(move |name| {
            let items = self.world.shelves.items(name).iter();
            items.filter_map(move |item| item.seen(View::Index, until)).map(move |version| (name, version))
        })
    }

    fn page(&self, paging: PageParams, found: Found) -> Reply {
        let switches = self.switches();
        let pages = found.total.div_ceil(paging.size);
        let next = Next::of(switches.next_links, paging.page < pages);
        let mut meta = Vec::new();
        match switches.total {
            Total::Exact => meta.push(("total", found.total.into())),
            Total::Omitted => {}
            Total::Off(by) => meta.push(("total", found.total.saturating_add_signed(offset(by)).into())),
        }
        meta.push(("totalPages", pages.into()));
        meta.push(("aggregations", json!({})));
        let timed_out = switches.timed_out.strikes(self.number);
        if timed_out {
            meta.push(("timed_out", true.into()));
        }
        let params = &self.call.params;
        let listing = Listing { path: self.call.path, params, paging, next, meta, last: Some(pages) };
        let kept = if timed_out { found.ords.len() / 2 } else { found.ords.len() };
        let ords = found.ords.get(..kept).unwrap_or_default();
        let mut out = listing.open(1_024 + ords.len() * BYTES_A_RECORD);
        let ids_only = match self.call.params.flag("idsOnly") {
            Ok(ids_only) => ids_only,
            Err(refusal) => return Reply::bad_request(&refusal),
        };
        let count = match self.query.target {
            Target::Records(context) if ids_only => fill(&mut out, ords, |out, ord| self.id_only(out, context, ord)),
            Target::Records(context) => fill(&mut out, ords, |out, ord| self.record(out, context, ord)),
            _ => {
                let resources = self.resources(ords, ids_only);
                fill_values(&mut out, &resources);
                resources.len()
            }
        };
        close(&mut out);
        Reply { status: StatusCode::OK, body: out, records: Some(count) }
    }

    /// The resources at these places among those that the index shows.
    fn resources(&self, places: &[u32], ids_only: bool) -> Vec<Value> {
        let all: Vec<(&ShelfName, &Version)> = self.shelved().collect();
        let found = places.iter().filter_map(|place| all.get(*place as usize));
        let whole = found.map(|(name, version)| served(name, version, self.call.style(), Place::List));
        if !ids_only {
            return whole.collect();
        }
        whole.map(|resource| json!({"type": resource.get("type"), "id": resource.get("id")})).collect()
    }

    fn record(&self, out: &mut Vec<u8>, context: Context, ord: u32) -> bool {
        let style = Style { unset: self.switches().unset, mask_every: self.switches().mask_every };
        render::record(out, self.world, View::Index, context, ord, style)
    }

    fn id_only(&self, out: &mut Vec<u8>, context: Context, ord: u32) -> bool {
        Writer::new(out, self.switches().unset).reference_value(context.name(), &self.world.store(context).id(ord));
        true
    }
}

fn offset(by: i64) -> isize {
    isize::try_from(by).unwrap_or(0)
}
