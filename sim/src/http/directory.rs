//! The merges of customers, and what a key may ask about itself.

use serde_json::json;

use super::api::Call;
use super::listing::{Listing, Next, close};
use super::reply::Reply;
use crate::context::Context;
use crate::render::Writer;
use crate::timestamp;
use crate::world::{Merge, World};

fn render_merge(writer: &mut Writer<'_>, world: &World, number: u32, merge: &Merge) {
    let customers = world.store(Context::Customer);
    let id = merge.id(number);
    writer.open_bare();
    writer.text("type", "customer_merge");
    writer.id("id", &id);
    writer.open("attributes");
    writer.text("status", "completed");
    writer.time("createdAt", merge.at);
    writer.time("updatedAt", merge.at);
    writer.close();
    writer.open("relationships");
    writer.relation("org", "org", "/v1/orgs/", &world.directory.org);
    writer.relation("source", "customer", "/v1/customers/", &customers.id(merge.source));
    writer.relation("target", "customer", "/v1/customers/", &customers.id(merge.target));
    writer.relation("createdBy", "user", "/v1/users/", &world.store(Context::User).id(0));
    writer.close();
    writer.self_link("/v1/customers/merges/", &id, "");
    writer.close();
}

impl Call<'_> {
    /// The merges that a customer took part in, oldest first.
    pub(super) fn merges(&self, customer: &str) -> Reply {
        let world = self.shared.world();
        let Some(customer) = world.store(Context::Customer).find(customer) else {
            return Reply::not_found();
        };
        let takes_part = |(_, merge): &(u32, &Merge)| merge.source == customer || merge.target == customer;
        let merges: Vec<(u32, &Merge)> = (0..).zip(&world.merges).filter(takes_part).collect();
        self.pages(&merges, 100, |writer, (number, merge)| render_merge(writer, &world, *number, merge))
    }

    pub(super) fn merge(&self, id: &str) -> Reply {
        let world = self.shared.world();
        let found = (0..).zip(&world.merges).find(|(number, merge)| merge.id(*number).bytes() == id.as_bytes());
        match found {
            Some((number, merge)) => self.single(|writer| render_merge(writer, &world, number, merge)),
            None => Reply::not_found(),
        }
    }

    fn single(&self, render: impl FnOnce(&mut Writer<'_>)) -> Reply {
        let mut out = b"{\"data\":".to_vec();
        render(&mut Writer::new(&mut out, self.switches.unset));
        out.push(b'}');
        Reply::one(out)
    }

    fn pages<T>(&self, items: &[T], most: usize, render: impl Fn(&mut Writer<'_>, &T)) -> Reply {
        let paging = match self.params.paging(most) {
            Ok(paging) => paging,
            Err(refusal) => return Reply::bad_request(&refusal),
        };
        let more = items.len() > paging.offset().saturating_add(paging.size);
        let listing = Listing {
            path: self.path,
            params: &self.params,
            paging,
            next: Next::of(self.switches.next_links, more),
            meta: Vec::new(),
            last: None,
        };
        let mut out = listing.open(1_024);
        let shown = items.iter().skip(paging.offset()).take(paging.size);
        let mut count = 0;
        for item in shown {
            render(&mut Writer::new(&mut out, self.switches.unset), item);
            count += 1;
        }
        close(&mut out);
        Reply::page(out, count)
    }

    /// The machine user behind the key.
    pub(super) fn current_user(&self) -> Reply {
        let id = self.shared.world().store(Context::User).id(1).to_string();
        self.by_id(Context::User, &id)
    }

    /// What a key may know about itself, whatever its roles (API reference, section 3).
    pub(super) fn current_token(&self) -> Reply {
        let world = self.shared.world();
        let last: String = self.token.token.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        let (org, user) = (world.directory.org.to_string(), world.store(Context::User).id(1).to_string());
        let body = json!({"data": {
            "type": "token",
            "id": world.directory.token.to_string(),
            "attributes": {
                "name": "Extractor",
                "roles": self.token.roles,
                "lastTokenChars": last,
                "ipAddress": "127.0.0.1",
                "lastAccessedAt": timestamp::text(self.now),
            },
            "relationships": {
                "org": {"links": {"self": format!("/v1/orgs/{org}")}, "data": {"type": "org", "id": org}},
                "user": {"links": {"self": format!("/v1/users/{user}")}, "data": {"type": "user", "id": user}},
            },
            "links": {"self": "/v1/auth/tokens/current"},
        }});
        Reply::one(body.to_string().into_bytes())
    }
}
