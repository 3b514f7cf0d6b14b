//! Keys and their roles (API reference, sections 3 and 4).

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::http::route::Route;
use crate::search::Target;
use crate::shelf::Collection;
use crate::switches::SearchRoles;
use crate::world::Offspring;

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// The bearer token.
    pub token: String,
    /// What it may do.
    pub roles: Vec<String>,
    /// When it stops working, in milliseconds since the epoch of simulated time.
    #[serde(default)]
    pub expires_at: Option<i64>,
}

impl Default for TokenSpec {
    /// The key `sim-token`, which may read everything and never expires.
    fn default() -> Self {
        let roles = ALL_ROLES.iter().chain(&SHELF_ROLES).map(|role| (*role).to_owned()).collect();
        Self { token: "sim-token".to_owned(), roles, expires_at: None }
    }
}

/// The roles that the default key has.
const ALL_ROLES: [&str; 14] = [
    "org.permission.attachment.read",
    "org.permission.audit_logs.read",
    "org.permission.conversation.read",
    "org.permission.customer.read",
    "org.permission.customer_merge.read",
    "org.permission.draft.read",
    "org.permission.event.read",
    "org.permission.klass.read",
    "org.permission.message.read",
    "org.permission.note.read",
    "org.permission.search.create",
    "org.permission.shortcut.read",
    "org.permission.team.read",
    "org.permission.user.read",
];

/// Those of the shelves that need one of their own.
const SHELF_ROLES: [&str; 13] = [
    "org.permission.apps.read",
    "org.permission.brand.read",
    "org.permission.company.read",
    "org.permission.kobject.read",
    "org.permission.metadata.read",
    "org.permission.queue.read",
    "org.permission.routing.read",
    "org.permission.satisfaction.read",
    "org.permission.schedule.read",
    "org.permission.sla.read",
    "org.permission.snooze.read",
    "org.permission.spam.read",
    "org.permission.tag.read",
];

const SEARCH_ROLES: [&str; 6] = [
    "org.permission.search.create",
    "org.permission.search.update",
    "org.permission.search_global.create",
    "org.permission.search_preview.create",
    "org.user.search.read",
    "org.admin.search.read",
];

/// Why a request is refused before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denial {
    Missing,
    Unknown,
    Expired,
}

impl Denial {
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Missing => "Missing credentials",
            Self::Unknown => "Invalid token",
            Self::Expired => "Expired token",
        }
    }
}

/// Finds the key that an `Authorization` header names.
pub(crate) fn authenticate(header: Option<&str>, tokens: &[TokenSpec], now: i64) -> Result<TokenSpec, Denial> {
    let token = header.and_then(|header| header.strip_prefix("Bearer ")).ok_or(Denial::Missing)?;
    let spec = tokens.iter().find(|spec| spec.token == token.trim()).ok_or(Denial::Unknown)?;
    match spec.expires_at {
        Some(at) if at <= now => Err(Denial::Expired),
        _ => Ok(spec.clone()),
    }
}

const fn record_roles(context: Context) -> &'static [&'static str] {
    match context {
        Context::Customer => &["org.permission.customer.read", "org.user.customer.read"],
        Context::Conversation => &["org.permission.conversation.read", "org.user.conversation.read"],
        Context::Message => &["org.permission.message.read", "org.user.message.read"],
        Context::Note => &["org.permission.note.read", "org.user.note.read"],
        Context::User => &["org.permission.user.read", "org.user.read"],
    }
}

/// None for tags and notifications: the former are not documented, the latter need none.
const fn shelf_roles(collection: Collection) -> &'static [&'static str] {
    match collection {
        Collection::Tags | Collection::Notifications => &[],
        Collection::Brands => &["org.permission.brand.read", "org.admin.brand.read", "org.user.brand.read"],
        Collection::Schedules | Collection::Holidays => {
            &["org.permission.schedule.read", "org.user.schedule.read", "org.admin.schedule.read"]
        }
        Collection::Cards => &["org.permission.apps.read", "org.user.apps.read", "org.admin.apps.read"],
        Collection::OutboundAccounts => &["org.permission.apps.read", "org.user.apps.read"],
        Collection::Klasses => &["org.permission.klass.read", "org.user.klass.read", "org.admin.klass.read"],
        Collection::Queues => &["org.permission.queue.read", "org.permission.routing.read", "org.user.routing.read"],
        Collection::RoutingSettings => &["org.permission.routing.read", "org.user.routing.read"],
        Collection::Satisfactions => &["org.permission.satisfaction.read", "org.user.satisfaction.read"],
        Collection::Slas | Collection::SlaVersions => &["org.permission.sla.read", "org.user.sla.read"],
        Collection::Shortcuts => &[
            "org.permission.shortcut.read",
            "org.user.shortcut.read",
            "org.admin.shortcut.read",
            "org.user.content.shortcut.read",
            "org.admin.content.shortcut.read",
        ],
        Collection::Snoozes => &["org.permission.snooze.read"],
        Collection::SpamSenders => &["org.permission.spam.read", "org.admin.spam.read"],
        Collection::Teams => &["org.permission.team.read"],
        Collection::Companies => &["org.permission.company.read", "org.user.company.read"],
    }
}

const AUDIT_ROLES: [&str; 3] =
    ["org.permission.audit_logs.read", "org.user.audit_logs.read", "org.admin.audit_logs.read"];

const fn offspring_roles(kind: Offspring) -> &'static [&'static str] {
    match kind {
        Offspring::Events => &["org.permission.event.read", "org.user.event.read"],
        Offspring::Forwards | Offspring::Drafts => &["org.permission.draft.read", "org.user.draft.read"],
        Offspring::TimesV1 | Offspring::TimesV2 => record_roles(Context::Conversation),
        Offspring::Attachments => &["org.permission.attachment.read", "org.user.attachment.read"],
        Offspring::Merges => {
            &["org.permission.customer_merge.read", "org.user.customer.read", "org.admin.customer.merge.read"]
        }
    }
}

const KOBJECT_ROLES: [&str; 3] =
    ["org.permission.kobject.read", "org.permission.kobject.kobject_*.read", "org.user.kobject.read"];

const METADATA_ROLES: [&str; 3] = ["org.permission.metadata.read", "org.user.metadata.read", "org.admin.metadata.read"];

impl TokenSpec {
    /// Any one of the roles is enough; an empty list asks for none.
    fn has_any(&self, roles: &[&str]) -> bool {
        roles.is_empty() || self.roles.iter().any(|role| roles.contains(&role.as_str()))
    }

    /// Whether the key may ask for this at all.
    pub(crate) fn may(&self, route: &Route) -> bool {
        match route {
            Route::Search(_) => self.has_any(&SEARCH_ROLES),
            Route::List(context) | Route::ById(context, _) => self.has_any(record_roles(*context)),
            Route::Children { child, .. } => self.has_any(record_roles(*child)),
            Route::Offspring(kind, _) => self.has_any(offspring_roles(*kind)),
            Route::AuditLogs => self.has_any(&AUDIT_ROLES),
            Route::Merge(_) => {
                self.has_any(&["org.permission.customer_merge.create", "org.permission.customer_merge.read"])
            }
            Route::Shelf(collection, _) => self.has_any(shelf_roles(*collection)),
            Route::KObjects(_, None) => self.has_any(shelf_roles(Collection::Klasses)),
            Route::KObjects(klass, Some(_)) => self.may_read_kobjects(Some(klass)),
            Route::Metadata(_) => self.has_any(&METADATA_ROLES),
            Route::CurrentUser | Route::CurrentToken | Route::Unknown => true,
        }
    }

    /// Whether the key may find this by searching.
    pub(crate) fn may_find(&self, target: &Target, needed: SearchRoles) -> bool {
        needed == SearchRoles::SearchOnly
            || match target {
                Target::Records(context) => self.has_any(record_roles(*context)),
                Target::Companies => self.has_any(shelf_roles(Collection::Companies)),
                Target::KObjects => self.may_find_kobjects(None),
                Target::KObjectsOf(klass) => self.may_find_kobjects(Some(klass)),
            }
    }

    fn may_find_kobjects(&self, klass: Option<&str>) -> bool {
        self.may_read_kobjects(klass) || self.has_any(shelf_roles(Collection::Klasses))
    }

    /// There is a role for all KObjects, and one for those of each klass.
    fn may_read_kobjects(&self, klass: Option<&str>) -> bool {
        let own = klass.map(|klass| format!("org.permission.kobject.kobject_{klass}.read"));
        self.has_any(&KOBJECT_ROLES) || own.is_some_and(|own| self.roles.contains(&own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_expire() {
        let tokens = [TokenSpec { expires_at: Some(1_000), ..TokenSpec::default() }];
        let ask = |header, now| authenticate(header, &tokens, now).map(|spec| spec.token);
        assert!(ask(Some("Bearer sim-token"), 999).is_ok());
        assert_eq!(ask(Some("Bearer sim-token"), 1_000), Err(Denial::Expired));
        assert_eq!(ask(Some("Bearer other"), 0), Err(Denial::Unknown));
        assert_eq!(ask(Some("Basic sim-token"), 0), Err(Denial::Missing));
        assert_eq!(ask(None, 0), Err(Denial::Missing));
    }

    #[test]
    fn one_role_of_several_is_enough() {
        let key = |role: &str| TokenSpec { roles: vec![role.to_owned()], ..TokenSpec::default() };
        let notes = Route::List(Context::Note);
        assert!(key("org.user.note.read").may(&notes) && key("org.permission.note.read").may(&notes));
        assert!(!key("org.permission.message.read").may(&notes));
        assert!(key("org.user.none").may(&Route::CurrentToken));
    }
}
