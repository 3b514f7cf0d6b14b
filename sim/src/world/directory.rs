//! The small fixed things that records refer to: teams, tags, shortcuts, klasses, queues, brands and the like.

use super::ids::{self, IdText, Kind};
use crate::timestamp::{DAY, SECOND};

const TEAMS: [&str; 5] = ["Support", "Billing", "Second Level", "Café Crew", "Night Shift"];
const TAGS: [&str; 8] = ["shipping", "refund", "vip", "überfällig", "follow-up", "bug", "feedback", "return"];
const SHORTCUTS: [&str; 4] = ["Greeting", "Refund policy", "Closing", "Ask for order number"];
/// Two collide when they are sanitised, one is no identifier, and one is empty.
const KLASSES: [&str; 9] = [
    "order",
    "ecomm-order",
    "Ecomm_Order",
    "subscription",
    "größe 2",
    "shopify-order",
    "legacy-ticket",
    "loyalty-card",
    "wishlist",
];
/// As JSON string contents, like every name here.
const COMPANIES: [&str; 4] = ["Doe Trading", "Müller & Söhne", "Blue \\\"Sky\\\" Ltd", "Acme Partners"];

/// Something with an id and a name.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) id: IdText,
    pub(crate) name: &'static str,
}

/// Everything that records refer to and that never changes.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) org: IdText,
    /// When the organisation began.
    pub(crate) founded: i64,
    pub(crate) teams: Vec<Named>,
    pub(crate) tags: Vec<Named>,
    pub(crate) shortcuts: Vec<Named>,
    pub(crate) klasses: Vec<Named>,
    pub(crate) companies: Vec<Named>,
    pub(crate) queues: Vec<Named>,
    pub(crate) brands: Vec<Named>,
    pub(crate) slas: Vec<Named>,
    pub(crate) sla_versions: Vec<Named>,
    pub(crate) forms: Vec<Named>,
    pub(crate) role_groups: Vec<Named>,
    pub(crate) token: IdText,
}

impl Directory {
    /// Everything is a little older than the world it belongs to.
    pub(crate) fn new(seed: u64, start: i64) -> Self {
        let shift = i64::try_from(seed % 1_000).unwrap_or(0) * SECOND;
        let founded = start - 800 * DAY + shift;
        let list = |kind, names: &[&'static str]| {
            (0_u32..)
                .zip(names)
                .map(|(ord, name)| {
                    let created = founded + i64::from(ord) * DAY / 4;
                    let second = u32::try_from(created / SECOND).unwrap_or(0);
                    Named { id: ids::encode(second, kind, ord), name }
                })
                .collect()
        };
        let second = u32::try_from(founded / SECOND).unwrap_or(0);
        Self {
            org: ids::encode(second, Kind::Org, 0),
            founded,
            teams: list(Kind::Team, &TEAMS),
            tags: list(Kind::Tag, &TAGS),
            shortcuts: list(Kind::Shortcut, &SHORTCUTS),
            klasses: list(Kind::Klass, &KLASSES),
            companies: list(Kind::Company, &COMPANIES),
            queues: list(Kind::Queue, &["Email", "Chat", "Escalations"]),
            brands: list(Kind::Brand, &["Acme", "Acme Outlet"]),
            slas: list(Kind::Sla, &["Standard email", "Fast chat"]),
            sla_versions: list(Kind::SlaVersion, &["Standard email", "Fast chat"]),
            forms: list(Kind::Form, &["After conversation"]),
            role_groups: list(Kind::RoleGroup, &["Agents", "Leads"]),
            token: ids::encode(second, Kind::Token, 0),
        }
    }
}
