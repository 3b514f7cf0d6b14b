//! Which attributes a search can filter and sort by (API reference, sections 9.2, 9.3 and 9.8).

use crate::context::Context;

/// Which of the two searches is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What was updated in the last two years.
    Recent,
    /// What was updated before that.
    Archive,
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

/// The field behind an attribute's name, if this search of this context has it.
pub(crate) fn filterable(context: Context, reach: Reach, name: &str) -> Option<Field> {
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

/// The field behind an attribute's name, if this search of this context sorts by it.
pub(crate) fn sortable(context: Context, reach: Reach, name: &str) -> Option<Field> {
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
        let recent = |context, name| filterable(context, Reach::Recent, name).is_some();
        let archive = |context, name| filterable(context, Reach::Archive, name).is_some();
        assert!(recent(Context::Message, "message_updated_at") && archive(Context::Message, "message_updated_at"));
        assert!(!recent(Context::Message, "message_conversation_id"));
        assert!(archive(Context::Message, "message_conversation_id"));
        assert!(!recent(Context::Conversation, "conversation_deleted"));
        assert!(archive(Context::Conversation, "conversation_deleted"));
        assert!(recent(Context::Note, "note_deleted"));
        assert!(recent(Context::Message, "message_imported_at") && !archive(Context::Message, "message_imported_at"));
        assert!(!recent(Context::Message, "note_updated_at"));
    }
}
