//! Which endpoint a path means.

use percent_encoding::percent_decode_str;

use crate::context::Context;
use crate::search::Reach;
use crate::shelf::Collection;
use crate::world::Offspring;

/// An endpoint with what its path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Search(Reach),
    List(Context),
    /// One id, or several with commas between.
    ById(Context, String),
    Children {
        parent: Context,
        id: String,
        child: Context,
    },
    /// What is listed per parent, and the id of the parent.
    Offspring(Offspring, String),
    Merge(String),
    AuditLogs,
    CurrentUser,
    CurrentToken,
    /// A small list, or one resource of it.
    Shelf(Collection, Option<String>),
    /// The KObjects of a klass, or one of them; a klass's id in place of its name means the klass itself.
    KObjects(String, Option<String>),
    Metadata(String),
    Unknown,
}

impl Route {
    /// Reads a path; a slash at its end means nothing.
    pub(crate) fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').skip(1).collect();
        let parts = match parts.as_slice() {
            ["v1", rest @ ..] => rest,
            ["v2", "conversations", id, "times"] => return Self::Offspring(Offspring::TimesV2, (*id).to_owned()),
            _ => return Self::Unknown,
        };
        match parts {
            ["customers", "search"] => Self::Search(Reach::Recent),
            ["customers", "archive", "search"] => Self::Search(Reach::Archive),
            ["users", "current"] => Self::CurrentUser,
            ["auth", "tokens", "current"] => Self::CurrentToken,
            ["customers", "merges", id] => Self::Merge((*id).to_owned()),
            ["audit-logs"] => Self::AuditLogs,
            ["klasses", name] => Self::KObjects(decoded(name), None),
            ["klasses", name, id] => Self::KObjects(decoded(name), Some((*id).to_owned())),
            ["metadata", resource] => Self::Metadata(decoded(resource)),
            _ => Self::of_shelf(&parts.join("/")).unwrap_or_else(|| Self::of_record(parts)),
        }
    }

    fn of_shelf(path: &str) -> Option<Self> {
        if let Some(collection) = Collection::at(path) {
            return Some(Self::Shelf(collection, None));
        }
        let (list, id) = path.rsplit_once('/')?;
        Some(Self::Shelf(Collection::at(list)?, Some(id.to_owned())))
    }

    fn of_record(parts: &[&str]) -> Self {
        match parts {
            [collection] => plural(collection).map_or(Self::Unknown, Self::List),
            [collection, id] => {
                plural(collection).map_or(Self::Unknown, |context| Self::ById(context, (*id).to_owned()))
            }
            [parent, id, child] => match (plural(parent), plural(child)) {
                (Some(parent), Some(child)) if is_parent(parent, child) => {
                    Self::Children { parent, id: (*id).to_owned(), child }
                }
                _ => per_parent(parent, child).map_or(Self::Unknown, |kind| Self::Offspring(kind, (*id).to_owned())),
            },
            _ => Self::Unknown,
        }
    }

    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Search(Reach::Recent) => "search",
            Self::Search(Reach::Archive) => "archive_search",
            Self::List(_) => "list",
            Self::ById(..) => "by_id",
            Self::Children { .. } => "children",
            Self::Offspring(kind, _) => kind.name(),
            Self::Merge(_) => "merges",
            Self::AuditLogs => "audit_logs",
            Self::CurrentUser | Self::CurrentToken => "identity",
            Self::Shelf(..) => "directory",
            Self::KObjects(..) => "kobjects",
            Self::Metadata(_) => "metadata",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of record that is read, as far as the path tells it.
    pub(crate) const fn context(&self) -> Option<Context> {
        match self {
            Self::List(context) | Self::ById(context, _) | Self::Children { child: context, .. } => Some(*context),
            Self::Merge(_) => Some(Context::Customer),
            Self::Search(_)
            | Self::Offspring(..)
            | Self::AuditLogs
            | Self::CurrentUser
            | Self::CurrentToken
            | Self::Shelf(..)
            | Self::KObjects(..)
            | Self::Metadata(_)
            | Self::Unknown => None,
        }
    }

    /// The name of what is read, as far as the path tells it.
    pub(crate) const fn subject(&self) -> Option<&'static str> {
        match (self, self.context()) {
            (_, Some(context)) => Some(context.name()),
            (Self::Shelf(collection, _), _) => Some(collection.name()),
            (Self::KObjects(..), _) => Some("kobjects"),
            (Self::Metadata(_), _) => Some("metadata"),
            _ => None,
        }
    }

    pub(crate) const fn searches(&self) -> bool {
        matches!(self, Self::Search(_))
    }
}

/// The lists of the first version of the API.
fn per_parent(parent: &str, child: &str) -> Option<Offspring> {
    Some(match (parent, child) {
        ("conversations", "events") => Offspring::Events,
        ("conversations", "forwards") => Offspring::Forwards,
        ("conversations", "times") => Offspring::TimesV1,
        ("conversations", "attachments") => Offspring::Attachments,
        ("customers", "drafts") => Offspring::Drafts,
        ("customers", "merges") => Offspring::Merges,
        _ => return None,
    })
}

pub(super) fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

fn plural(name: &str) -> Option<Context> {
    Context::named(name).filter(|context| context.collection() == name)
}

const fn is_parent(parent: Context, child: Context) -> bool {
    matches!(
        (parent, child),
        (Context::Conversation, Context::Message | Context::Note)
            | (Context::Customer, Context::Conversation | Context::Message | Context::Note)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_endpoints() {
        assert_eq!(Route::of("/v1/customers/search"), Route::Search(Reach::Recent));
        assert_eq!(Route::of("/v1/users/current/"), Route::CurrentUser);
        assert_eq!(Route::of("/v1/notes"), Route::List(Context::Note));
        assert_eq!(Route::of("/v1/notes/x"), Route::ById(Context::Note, "x".into()));
        let children = Route::Children { parent: Context::Customer, id: "x".into(), child: Context::Note };
        assert_eq!(Route::of("/v1/customers/x/notes"), children);
        assert_eq!(Route::of("/v1/customers/x/merges"), Route::Offspring(Offspring::Merges, "x".into()));
        assert_eq!(Route::of("/v1/conversations/x/times"), Route::Offspring(Offspring::TimesV1, "x".into()));
        assert_eq!(Route::of("/v2/conversations/x/times"), Route::Offspring(Offspring::TimesV2, "x".into()));
        assert_eq!(Route::of("/v1/routing/queues"), Route::Shelf(Collection::Queues, None));
        assert_eq!(Route::of("/v1/routing/queues/x"), Route::Shelf(Collection::Queues, Some("x".into())));
        assert_eq!(Route::of("/v1/klasses"), Route::Shelf(Collection::Klasses, None));
        assert_eq!(Route::of("/v1/klasses/gr%C3%B6%C3%9Fe%202"), Route::KObjects("größe 2".into(), None));
        assert_eq!(Route::of("/v1/metadata/kobject.a-b"), Route::Metadata("kobject.a-b".into()));
        for path in [
            "/",
            "/v1/schedules/holidays/x",
            "/v2/notes",
            "/v1/note",
            "/v1/notes/x/messages",
            "/v1/events",
            "/v1/customers/x/events",
            "/v2/conversations/x/events",
            "/v1/users/x/notes",
        ] {
            assert_eq!(Route::of(path), Route::Unknown, "{path}");
        }
    }
}
