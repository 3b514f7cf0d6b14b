//! The small lists, and what a key may ask about itself.

use serde_json::json;

use super::api::Call;
use super::listing::{Listing, Next, close};
use super::reply::Reply;
use super::route::DirectoryList;
use crate::context::Context;
use crate::render::Writer;
use crate::timestamp;
use crate::world::{Directory, Named, World};

impl DirectoryList {
    const fn type_name(self) -> &'static str {
        match self {
            Self::Tags => "tag",
            Self::Teams => "team",
            Self::Shortcuts => "shortcut",
            Self::Klasses => "klass",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Tags => "/v1/tags/",
            Self::Teams => "/v1/teams/",
            Self::Shortcuts => "/v1/shortcuts/",
            Self::Klasses => "/v1/klasses/",
        }
    }

    fn items(self, directory: &Directory) -> &[Named] {
        match self {
            Self::Tags => &directory.tags,
            Self::Teams => &directory.teams,
            Self::Shortcuts => &directory.shortcuts,
            Self::Klasses => &directory.klasses,
        }
    }

    fn render(self, writer: &mut Writer<'_>, world: &World, item: &Named) {
        writer.open_bare();
        writer.text("type", self.type_name());
        writer.id("id", &item.id);
        writer.open("attributes");
        writer.text("name", item.name);
        match self {
            Self::Tags => writer.text("color", "#6f42c1"),
            Self::Teams => {
                let users = world.store(Context::User);
                let members: Vec<_> = (0..3).map(|ord| users.id(ord)).collect();
                writer.text("displayName", item.name);
                writer.text("icon", "flag");
                writer.ids("members", &members);
            }
            Self::Shortcuts => {
                writer.json("draft", r#"{"text":"Hello {{customer.firstName}},"}"#);
                writer.flag("isPrivate", false);
            }
            Self::Klasses => {
                writer.text("displayName", item.name);
                writer.text("status", "enabled");
            }
        }
        writer.unset_all(&["deleted", "deletedAt"]);
        writer.time("createdAt", item.created);
        writer.time("updatedAt", item.created + timestamp::HOUR);
        writer.unset("modifiedAt");
        writer.close();
        writer.open("relationships");
        writer.relation("org", "org", "/v1/orgs/", &world.directory.org);
        writer.relation("createdBy", "user", "/v1/users/", &world.store(Context::User).id(0));
        writer.close();
        writer.self_link(self.path(), &item.id, "");
        writer.close();
    }
}

impl Call<'_> {
    /// One of the small lists, or one item of it.
    pub(super) fn directory(&self, list: DirectoryList, id: Option<&str>) -> Reply {
        let world = self.shared.world();
        let items = list.items(&world.directory);
        if let Some(id) = id {
            let named = list == DirectoryList::Klasses;
            let item = items.iter().find(|item| item.id.bytes() == id.as_bytes() || (named && item.name == id));
            return match item {
                Some(item) => self.single(|writer| list.render(writer, &world, item)),
                None => Reply::not_found(),
            };
        }
        // Everything there is on the deleted side of these lists is nothing.
        let items = if self.params.get("deleted") == Some("true") { &[] } else { items };
        let most = if list == DirectoryList::Teams { 500 } else { 100 };
        self.pages(items, most, |writer, item| list.render(writer, &world, item))
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
