//! The bodies of the resources, one function a kind; attributes are those of the API reference (`entities.yaml`).
//!
//! Rule: what is unset is written as null here; the style of the organisation may leave it out when it is served.

mod company;
mod kobject;
mod organisation;
mod routing;
mod service;

use serde_json::Value;

use super::collection::{Collection, ShelfName};
use super::draft::Draft;

pub(super) use self::kobject::is_empty_klass;
pub(crate) use self::kobject::link_name;

/// What an outbound account, which has no id, is told apart by.
pub(super) fn account_key(ord: u32) -> String {
    let (channel, account) = routing::account(ord);
    format!("{channel}/{account}")
}

/// The body of a resource; `custom` is what the metadata gives it.
pub(super) fn body(shelf: &ShelfName, draft: &Draft<'_>, custom: Value) -> Value {
    match shelf {
        ShelfName::KObjects(klass) => kobject::kobject(draft, klass, custom),
        ShelfName::Of(collection) => match collection {
            Collection::Brands => organisation::brand(draft),
            Collection::Schedules => organisation::schedule(draft),
            Collection::Holidays => organisation::holiday(draft),
            Collection::Cards => organisation::card(draft),
            Collection::Klasses => kobject::klass(draft),
            Collection::Notifications => service::notification(draft),
            Collection::OutboundAccounts => routing::outbound_account(draft),
            Collection::Queues => routing::queue(draft),
            Collection::Slas => service::sla(draft),
            Collection::SlaVersions => service::sla_version(draft),
            Collection::Satisfactions => service::satisfaction(draft),
            Collection::Shortcuts => organisation::shortcut(draft),
            Collection::Snoozes => routing::snooze(draft),
            Collection::SpamSenders => routing::spam_sender(draft),
            Collection::Tags => organisation::tag(draft),
            Collection::Teams => organisation::team(draft),
            Collection::RoutingSettings => routing::routing_settings(draft),
            Collection::Companies => company::company(draft, custom),
        },
    }
}
