//! The kinds of resource that lie on shelves, and what is fixed about each.

use std::fmt;

use crate::world::ids::Kind;

/// A kind of resource with a list of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Collection {
    Brands,
    Schedules,
    Holidays,
    Cards,
    Klasses,
    Notifications,
    OutboundAccounts,
    Queues,
    Slas,
    SlaVersions,
    Satisfactions,
    Shortcuts,
    Snoozes,
    SpamSenders,
    Tags,
    Teams,
    RoutingSettings,
    Companies,
}

/// What a delete does to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletes {
    /// It is gone.
    Hard,
    /// It stays with `deleted: true` (API reference, section 12).
    Soft,
}

impl Collection {
    pub(crate) const ALL: [Self; 18] = [
        Self::Brands,
        Self::Schedules,
        Self::Holidays,
        Self::Cards,
        Self::Klasses,
        Self::Notifications,
        Self::OutboundAccounts,
        Self::Queues,
        Self::Slas,
        Self::SlaVersions,
        Self::Satisfactions,
        Self::Shortcuts,
        Self::Snoozes,
        Self::SpamSenders,
        Self::Tags,
        Self::Teams,
        Self::RoutingSettings,
        Self::Companies,
    ];

    /// The name of the shelf.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Brands => "brands",
            Self::Schedules => "schedules",
            Self::Holidays => "holidays",
            Self::Cards => "cards",
            Self::Klasses => "klasses",
            Self::Notifications => "notifications",
            Self::OutboundAccounts => "outbound_accounts",
            Self::Queues => "queues",
            Self::Slas => "slas",
            Self::SlaVersions => "sla_versions",
            Self::Satisfactions => "satisfactions",
            Self::Shortcuts => "shortcuts",
            Self::Snoozes => "snoozes",
            Self::SpamSenders => "spam_senders",
            Self::Tags => "tags",
            Self::Teams => "teams",
            Self::RoutingSettings => "routing_settings",
            Self::Companies => "companies",
        }
    }

    /// The path of its list, without `/v1/`; for what is only included elsewhere, the one its links are made of.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Holidays => "schedules/holidays",
            Self::OutboundAccounts => "outboundAccounts",
            Self::Queues => "routing/queues",
            Self::SlaVersions => "slas/versions",
            Self::Satisfactions => "satisfaction",
            Self::SpamSenders => "spam/senders",
            Self::RoutingSettings => "routing/settings",
            _ => self.name(),
        }
    }

    /// The collection that a path without `/v1/` lists.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let listed = |collection: &Self| !matches!(collection, Self::Holidays | Self::SlaVersions);
        Self::ALL.into_iter().filter(listed).find(|collection| collection.path() == path)
    }

    pub(super) const fn id_kind(self) -> Kind {
        match self {
            Self::Brands => Kind::Brand,
            Self::Klasses => Kind::Klass,
            Self::Queues => Kind::Queue,
            Self::Slas => Kind::Sla,
            Self::SlaVersions => Kind::SlaVersion,
            Self::Satisfactions => Kind::Form,
            Self::Shortcuts => Kind::Shortcut,
            Self::Tags => Kind::Tag,
            Self::Teams => Kind::Team,
            Self::Companies => Kind::Company,
            _ => Kind::Shelved(self as u8),
        }
    }

    /// How many there are at first, where the specification of the world does not say.
    pub(super) const fn founding(self) -> u32 {
        match self {
            Self::Brands | Self::Satisfactions => 3,
            Self::Schedules | Self::Slas => 4,
            Self::RoutingSettings | Self::Cards => 5,
            Self::OutboundAccounts => 7,
            Self::Notifications | Self::Teams => 8,
            Self::Klasses | Self::SlaVersions => 9,
            Self::Holidays => 10,
            Self::Queues | Self::SpamSenders => 12,
            Self::Snoozes => 14,
            Self::Shortcuts => 30,
            Self::Companies => 60,
            Self::Tags => 125,
        }
    }

    pub(crate) const fn deletes(self) -> Deletes {
        match self {
            Self::Schedules | Self::Shortcuts | Self::SpamSenders | Self::Tags | Self::Teams | Self::Companies => {
                Deletes::Soft
            }
            _ => Deletes::Hard,
        }
    }

    /// The largest page of its list.
    pub(crate) const fn largest_page(self) -> usize {
        if matches!(self, Self::Teams) { 500 } else { 100 }
    }

    /// The attribute that masking hides.
    const fn private(self) -> Option<&'static str> {
        match self {
            Self::Companies => Some("name"),
            Self::Brands => Some("email"),
            Self::SpamSenders => Some("sender"),
            _ => None,
        }
    }
}

/// The name of a shelf: of a collection, or of the KObjects of a klass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ShelfName {
    Of(Collection),
    KObjects(String),
}

impl ShelfName {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let collection = Collection::ALL.into_iter().find(|collection| collection.name() == name);
        match collection {
            Some(collection) => Some(Self::Of(collection)),
            None => name.strip_prefix("kobject_").map(|klass| Self::KObjects(klass.to_owned())),
        }
    }

    pub(crate) const fn deletes(&self) -> Deletes {
        match self {
            Self::Of(collection) => collection.deletes(),
            Self::KObjects(_) => Deletes::Hard,
        }
    }

    /// The attribute that masking hides.
    pub(crate) const fn private(&self) -> Option<&'static str> {
        match self {
            Self::Of(collection) => collection.private(),
            Self::KObjects(_) => Some("title"),
        }
    }

    /// The resource of the metadata that lists its custom attributes, if it has any.
    pub(super) fn metadata_name(&self) -> Option<String> {
        match self {
            Self::Of(Collection::Companies) => Some("company".to_owned()),
            Self::Of(_) => None,
            Self::KObjects(klass) => Some(format!("kobject.{klass}")),
        }
    }
}

impl fmt::Display for ShelfName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(collection) => formatter.write_str(collection.name()),
            Self::KObjects(klass) => write!(formatter, "kobject_{klass}"),
        }
    }
}
