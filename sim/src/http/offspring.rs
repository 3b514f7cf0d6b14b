//! Lists per parent: events, handling times, forwards, drafts, attachments and merges.

use super::api::Call;
use super::listing::{Listing, Next, close_with};
use super::reply::Reply;
use crate::render::{self, Resource};
use crate::search::Direction;
use crate::world::Offspring;

impl Offspring {
    /// The largest page (API reference, section 8).
    const fn most(self) -> usize {
        match self {
            Self::TimesV1 | Self::TimesV2 => 1_000,
            Self::Events | Self::Forwards | Self::Attachments | Self::Drafts | Self::Merges => 100,
        }
    }

    /// The order of a list that is not told one.
    const fn order(self) -> Direction {
        match self {
            Self::Events => Direction::Descending,
            Self::TimesV1 | Self::TimesV2 | Self::Forwards | Self::Attachments | Self::Drafts | Self::Merges => {
                Direction::Ascending
            }
        }
    }
}

impl Call<'_> {
    /// One page of what a parent has.
    pub(super) fn offspring(&self, kind: Offspring, parent: &str) -> Reply {
        let world = self.shared.world();
        let found = world.store(kind.parent()).find(parent);
        let Some(all) = found.and_then(|ord| render::offspring(&world, kind, ord, &self.switches)) else {
            return Reply::not_found();
        };
        let paging =
            self.params.paging(kind.most()).and_then(|paging| Ok((paging, self.params.direction_or(kind.order())?)));
        let (paging, direction) = match paging {
            Ok(paging) => paging,
            Err(refusal) => return Reply::bad_request(&refusal),
        };
        let more = all.len() > paging.offset().saturating_add(paging.size);
        let listing = Listing {
            path: self.path,
            params: &self.params,
            paging,
            next: Next::of(self.switches.next_links, more),
            meta: Vec::new(),
            last: None,
        };
        let cut = |all: &mut dyn Iterator<Item = Resource>| -> Vec<Resource> {
            all.skip(paging.offset()).take(paging.size).collect()
        };
        let page = match direction {
            Direction::Ascending => cut(&mut all.into_iter()),
            Direction::Descending => cut(&mut all.into_iter().rev()),
        };
        let count = page.len();
        let (bodies, included): (Vec<_>, Vec<_>) = page.into_iter().map(|one| (one.body, one.included)).unzip();
        let mut out = listing.open(1_024 + bodies.iter().map(Vec::len).sum::<usize>());
        out.extend_from_slice(&bodies.join(&b','));
        let included = if self.params.includes("attachments") { included.concat() } else { Vec::new() };
        close_with(&mut out, &included);
        Reply::page(out, count)
    }

    /// One merge.
    pub(super) fn merge(&self, id: &str) -> Reply {
        let world = self.shared.world();
        let found = (0..).zip(&world.merges).find(|(number, merge)| merge.id(*number).bytes() == id.as_bytes());
        let Some((number, merge)) = found else {
            return Reply::not_found();
        };
        let body = render::merge(&world, number, merge, self.switches.unset);
        Reply::one([b"{\"data\":", body.as_slice(), b"}"].concat())
    }
}
