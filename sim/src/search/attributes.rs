//! Which attributes a search can filter and sort by (API reference, sections 9.2, 9.3 and 9.8).

use std::borrow::Cow;

use crate::context::Context;

/// Which of the two searches is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What was updated in the last two years.
    Recent,
    /// What was updated before that.
    Archive,
}

/// What a search looks through: its `queryContext`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Records(Context),
    Companies,
    /// The KObjects of every klass.
    KObjects,
    /// Those of one klass, by its name.
    KObjectsOf(String),
}

impl Target {
    /// The target with this name; whether a klass exists is another question.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "company" => Some(Self::Companies),
            "kobject" => Some(Self::KObjects),
            _ => match name.strip_prefix("kobject_") {
                Some(klass) => Some(Self::KObjectsOf(klass.to_owned())),
                None => {
                    let context = Context::named(name).filter(|context| context.name() == name);
                    context.filter(|context| context.searchable()).map(Self::Records)
                }
            },
        }
    }

    pub(crate) fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Records(context) => context.name().into(),
            Self::Companies => "company".into(),
            Self::KObjects => "kobject".into(),
            Self::KObjectsOf(klass) => format!("kobject_{klass}").into(),
        }
    }
}

/// A fact about a record that a search can test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Updated,
    Created,
    Modified,
    Imported,
    RedactedAt,
    Redacted,
    Deleted,
    Id,
    Customer,
    Conversation,
    Company,
}

impl Field {
    /// Whether the field is an instant.
    pub(crate) const fn is_time(self) -> bool {
        matches!(self, Self::Updated | Self::Created | Self::Modified | Self::Imported | Self::RedactedAt)
    }

    pub(crate) const fn is_flag(self) -> bool {
        matches!(self, Self::Redacted | Self::Deleted)
    }
}

/// The field behind an attribute's name, if this search of this target has it.
pub(crate) fn filterable(target: &Target, reach: Reach, name: &str) -> Option<Field> {
    match target {
        Target::Records(context) => filterable_of_record(*context, reach, name),
        Target::Companies | Target::KObjects | Target::KObjectsOf(_) => {
            let field = shelved_field(target, name)?;
            let there = match field {
                Field::Updated | Field::Created | Field::Customer => true,
                Field::Id | Field::Company => reach == Reach::Archive,
                _ => reach == Reach::Recent,
            };
            there.then_some(field)
        }
    }
}

/// The field behind an attribute's name, if this search of this target sorts by it.
pub(crate) fn sortable(target: &Target, reach: Reach, name: &str) -> Option<Field> {
    match target {
        Target::Records(context) => sortable_of_record(*context, reach, name),
        Target::Companies | Target::KObjects | Target::KObjectsOf(_) => {
            let field = shelved_field(target, name)?;
            let sorts = match field {
                Field::Updated | Field::Created => true,
                Field::Modified | Field::Imported => reach == Reach::Recent,
                _ => false,
            };
            sorts.then_some(field)
        }
    }
}

/// The field of a company or KObject; those of one klass go by its own names too.
fn shelved_field(target: &Target, name: &str) -> Option<Field> {
    let rest = match target {
        Target::Records(_) => return None,
        Target::Companies => name.strip_prefix("company_"),
        Target::KObjects => name.strip_prefix("kobject_"),
        Target::KObjectsOf(klass) => {
            let own = name.strip_prefix("kobject_").and_then(|rest| rest.strip_prefix(klass.as_str()));
            own.and_then(|rest| rest.strip_prefix('_')).or_else(|| name.strip_prefix("kobject_"))
        }
    };
    match (rest?, *target == Target::Companies) {
        ("updated_at", _) => Some(Field::Updated),
        ("created_at", _) => Some(Field::Created),
        ("imported_at", _) => Some(Field::Imported),
        ("id", _) => Some(Field::Id),
        ("modified_at", true) => Some(Field::Modified),
        ("customer_id", false) => Some(Field::Customer),
        ("company_id", false) => Some(Field::Company),
        _ => None,
    }
}

fn filterable_of_record(context: Context, reach: Reach, name: &str) -> Option<Field> {
    let field = field(context, name)?;
    let archive_only = matches!(
        (context, field),
        (_, Field::Id)
            | (Context::Message, Field::Conversation)
            | (Context::Conversation | Context::Customer, Field::Deleted)
    );
    let in_both = matches!(field, Field::Updated | Field::Created)
        || matches!((context, field), (Context::Conversation | Context::Message, Field::Customer));
    let there = match reach {
        Reach::Recent => !archive_only,
        Reach::Archive => archive_only || in_both,
    };
    there.then_some(field)
}

fn sortable_of_record(context: Context, reach: Reach, name: &str) -> Option<Field> {
    let field = field(context, name)?;
    let sorts = match (reach, field) {
        (_, Field::Updated | Field::Created) => true,
        (Reach::Recent, Field::Modified | Field::Imported) => true,
        (Reach::Archive, Field::Id) => context == Context::Message,
        (Reach::Archive, Field::Deleted) => {
            matches!(context, Context::Conversation | Context::Customer)
        }
        (Reach::Archive, Field::Customer) => context == Context::Conversation,
        _ => false,
    };
    sorts.then_some(field)
}

fn field(context: Context, name: &str) -> Option<Field> {
    let rest = name.strip_prefix(context.name())?.strip_prefix('_')?;
    let field = match rest {
        "updated_at" => Field::Updated,
        "created_at" => Field::Created,
        "modified_at" => Field::Modified,
        "imported_at" => Field::Imported,
        "redacted_at" => Field::RedactedAt,
        "redacted" => Field::Redacted,
        "deleted" => Field::Deleted,
        "id" => Field::Id,
        "customer_id" => Field::Customer,
        "conversation_id" => Field::Conversation,
        _ => return None,
    };
    let missing = matches!(
        (context, field),
        (Context::User, _)
            | (Context::Message, Field::Modified | Field::Deleted)
            | (Context::Customer | Context::Conversation | Context::Note, Field::Redacted | Field::RedactedAt)
            | (Context::Customer, Field::Customer | Field::Conversation)
            | (Context::Conversation, Field::Conversation)
            | (Context::Note, Field::Id)
    );
    (!missing).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_searches_know_different_attributes() {
        let recent = |context, name| filterable(&Target::Records(context), Reach::Recent, name).is_some();
        let archive = |context, name| filterable(&Target::Records(context), Reach::Archive, name).is_some();
        assert!(recent(Context::Message, "message_updated_at") && archive(Context::Message, "message_updated_at"));
        assert!(!recent(Context::Message, "message_conversation_id"));
        assert!(archive(Context::Message, "message_conversation_id"));
        assert!(!recent(Context::Conversation, "conversation_deleted"));
        assert!(archive(Context::Conversation, "conversation_deleted"));
        assert!(recent(Context::Note, "note_deleted"));
        assert!(recent(Context::Message, "message_imported_at") && !archive(Context::Message, "message_imported_at"));
        assert!(!recent(Context::Message, "note_updated_at"));
    }

    #[test]
    fn kobjects_of_a_klass_go_by_two_names() {
        let field = |context: &str, name| filterable(&Target::named(context).unwrap(), Reach::Recent, name);
        for name in ["kobject_ecomm-order_updated_at", "kobject_updated_at"] {
            assert_eq!(field("kobject_ecomm-order", name), Some(Field::Updated));
        }
        assert_eq!(field("kobject", "kobject_ecomm-order_updated_at"), None);
        assert_eq!(field("kobject_order", "kobject_ecomm-order_updated_at"), None);
        assert_eq!(field("company", "company_customer_id"), None);
    }
}
