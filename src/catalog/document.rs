//! The page of documentation of an entity, made of its schema file alone.
//!
//! The rule: what a page says is what the program does, because both come from the same file. The
//! pages stand in `docs/entities/`, where a test compares them with what is made here.

use std::fmt::Write as _;

use super::Catalog;
use super::access::{Absent, Access, ElementsOf, History, ListSource};
use super::column::{Column, ColumnType, Given, PARENT_COLUMN, Relation, Sensitivity, Source, SystemColumn};
use super::entity::{Entity, EntityName, Mode, SEARCH_ROLE};

/// The page of `entity` in Markdown, with links to the pages of others.
#[must_use]
pub fn page(catalog: &Catalog, entity: &Entity) -> String {
    let mut page = format!("# {}\n\n{}\n\n", entity.name, text(&entity.about));
    facts(&mut page, catalog, entity);
    let _ = write!(page, "\n## How it is read\n\n{}\n\n", read(entity));
    if let Some(moved_by) = entity.access.moved_by() {
        let _ = write!(
            page,
            "A new record of {} has the records found by `{}` read again: they may have moved without a change.\n\n",
            link(&moved_by.entity),
            moved_by.attribute
        );
    }
    let _ = write!(page, "Requests: {}\n\n", cost(&entity.access));
    let _ = write!(page, "Deletes show by: {}.", text(&entity.deletes));
    if let Some(record) = entity.access.record() {
        let _ = write!(page, " That a record is gone for good is confirmed by `GET {record}`.");
    }
    page.push_str("\n\n");
    page.push_str("## Roles\n\n");
    page.push_str(&roles(entity));
    page.push_str("\n## Columns\n\n| column | type | meaning | from | sensitivity |\n|---|---|---|---|---|\n");
    for column in &entity.columns {
        if column.source == Source::System(SystemColumn::ExtractedAt) {
            page.push_str(&custom_row(entity));
        }
        page.push_str(&row(catalog, entity, column));
    }
    page.push_str("\n## Sources\n\n");
    for source in &entity.sources {
        let _ = if source.starts_with("https://") {
            writeln!(page, "- <{source}>")
        } else {
            writeln!(page, "- {}", text(source))
        };
    }
    page
}

/// Text for people in Markdown, where some characters would mean something else.
pub(super) fn text(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "\\<")
}

/// A link to the page of an entity, from a page beside it.
pub(super) fn link(name: &EntityName) -> String {
    format!("[{name}]({name}.md)")
}

fn facts(page: &mut String, catalog: &Catalog, entity: &Entity) {
    let table = match &entity.access {
        Access::Klasses { prefix, .. } => format!("`{prefix}<klass>`, one for each klass"),
        _ => format!("`{}`", entity.name),
    };
    let _ = writeln!(page, "- Table: {table}");
    let modes = entity.modes.iter().enumerate().map(|(at, mode)| {
        let usual = if at == 0 && entity.modes.len() > 1 { " (the default)" } else { "" };
        format!("{mode}{usual}, {}", meaning(*mode))
    });
    let _ = writeln!(page, "- Mode: {}", modes.collect::<Vec<_>>().join("; or "));
    let _ = writeln!(page, "- Key: {}", code(&entity.key));
    // What is reached by way of another entity goes on from where that one's cursor stands.
    let leading = std::iter::successors(Some(entity), |entity| catalog.get(entity.access.parent()?.as_str())).last();
    let _ = match (leading.filter(|leading| leading.name != entity.name), &entity.cursor) {
        (None, Some(cursor)) => writeln!(page, "- Cursor: `{cursor}`"),
        (Some(leading), own) if leading.cursor.is_some() => {
            let own = own.as_ref().map_or_else(String::new, |own| format!("; its own time is `{own}`"));
            writeln!(page, "- Cursor: that of {}{own}", link(&leading.name))
        }
        (Some(_) | None, _) => Ok(()),
    };
}

const fn meaning(mode: Mode) -> &'static str {
    match mode {
        Mode::Append => "each record exactly once",
        Mode::Update => "one row for each key, the newest copy of the record",
        Mode::Replace => "a snapshot of what there is now",
    }
}

fn code(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How its records are reached.
fn read(entity: &Entity) -> String {
    match &entity.access {
        Access::Search { context, history, .. } => {
            let older = match history {
                History::Archive => "in the archive search".to_owned(),
                History::List { path, .. } => format!("in the list `GET {path}`"),
            };
            format!(
                "By search (`POST /v1/customers/search`, context `{context}`), in windows of `{context}_updated_at`. \
                 What was not updated for two years is found {older}."
            )
        }
        Access::Klasses { prefix, .. } => format!(
            "By search (`POST /v1/customers/search`, context `{prefix}<klass>`), for each klass in windows of its \
             `updated_at`. What was not updated for two years is found in the archive search."
        ),
        Access::Lists { lists, included, otherwise, .. } => {
            let mut read = format!("Whole, by {}.", places(lists));
            if included.is_some() {
                read.push_str(" Related resources are included in the answers.");
            }
            if let Some(by_id) = otherwise {
                let (path, entity) = (&by_id.path, link(&by_id.entity));
                let _ = write!(
                    read,
                    " Where there is no such list: one by one by `GET {path}`, for each `{}` in {entity}.",
                    by_id.column
                );
            }
            read
        }
        Access::Log { path, .. } => {
            format!("By the log `GET {path}`, newest first, in windows of `created_at`.")
        }
        Access::PerParent { parent, told_by, lists, absent, .. } => {
            let gone = match absent {
                Absent::Kept => "A record that is no longer listed stays.",
                Absent::Deleted => "A record that is no longer listed counts as deleted.",
            };
            match told_by {
                None => format!("By {}, for each record of {} that changed. {gone}", places(lists), link(parent)),
                Some(told_by) => format!(
                    "By {}, for each record of {} that a record of {} which changed belongs to. {gone}",
                    places(lists),
                    link(parent),
                    link(&told_by.entity)
                ),
            }
        }
        Access::Elements { parent, of, .. } => {
            let place = match of {
                ElementsOf::Attribute(path) => format!("the attribute `{path}`"),
                ElementsOf::Relationship(name) => format!("the relationship `{name}`"),
                ElementsOf::Included => "what is included with the records".to_owned(),
            };
            let parent = link(parent);
            format!(
                "With {parent}, of whose records it holds {place}. All rows of a record that changed are replaced together."
            )
        }
        Access::Metadata { path } => format!(
            "By `GET {path}`, for customers, companies, conversations, messages, notes, users and each klass: a row for each attribute."
        ),
    }
}

/// The lists that are read, in words.
fn places(lists: &[ListSource]) -> String {
    let one = |list: &ListSource| {
        let query: Vec<_> = list.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("`GET {}{mark}{}`", list.path, query.join("&"))
    };
    let noun = if lists.len() == 1 { "the list" } else { "the union of the lists" };
    format!("{noun} {}", lists.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// What reading costs in requests: when nothing changed, and from the beginning.
fn cost(access: &Access) -> String {
    const SEARCH_PAGE: &str = "one search for each 500 records";
    match access {
        Access::Search { history: History::Archive, .. } => {
            format!("one search when nothing changed; otherwise, and from the beginning, {SEARCH_PAGE}.")
        }
        Access::Search { history: History::List { page_size, .. }, .. } => format!(
            "one search when nothing changed, otherwise {SEARCH_PAGE}; from the beginning, also one request for each \
             {page_size} records of the list."
        ),
        Access::Klasses { .. } => format!(
            "one search for each klass when nothing changed; otherwise, and from the beginning, {SEARCH_PAGE} of a klass."
        ),
        Access::Lists { lists, page_size, .. } => {
            let number = if lists.len() == 1 { "one".to_owned() } else { lists.len().to_string() };
            format!("{number} in every run, and one more for each {page_size} records of a list.")
        }
        Access::Log { page_size, .. } => {
            format!("one when nothing happened, otherwise one for each {page_size} entries.")
        }
        Access::PerParent { parent, told_by, lists, page_size, .. } => {
            let parent = told_by.as_ref().map_or(parent, |told_by| &told_by.entity);
            let number = if lists.len() == 1 { "one".to_owned() } else { lists.len().to_string() };
            format!(
                "none when no record of {parent} changed; {number} for each that did, and from the beginning for each \
                 there is. One more for each {page_size} records of a list."
            )
        }
        Access::Elements { parent, .. } => format!("none of its own; they are those of {}.", link(parent)),
        Access::Metadata { .. } => "six in every run, and one for each klass.".to_owned(),
    }
}

fn roles(entity: &Entity) -> String {
    let mut told = match entity.roles.as_slice() {
        [] => "No role is known to be needed.".to_owned(),
        [only] => format!("`{only}`"),
        roles => format!("Any one of {}.", code(roles)),
    };
    if entity.access.searches() {
        let _ = write!(told, " To search, also `{}`.", SEARCH_ROLE);
    }
    told.push('\n');
    told
}

fn row(catalog: &Catalog, entity: &Entity, column: &Column) -> String {
    format!(
        "| `{}` | {} | {} | {} | {} |\n",
        column.name,
        kind(column.kind),
        about(catalog, entity, column),
        from(&column.source),
        match column.sensitivity {
            Sensitivity::None => "",
            Sensitivity::Personal => "personal",
            Sensitivity::Content => "content",
        }
    )
}

/// The line that stands for the columns that no schema file knows.
fn custom_row(entity: &Entity) -> String {
    entity.custom.as_ref().map_or_else(String::new, |resource| {
        format!(
            "| `custom_…` | by its suffix | the organisation's own attributes, as `GET /v1/metadata/{resource}` describes \
             them | `attributes.custom` | personal or content |\n"
        )
    })
}

const fn kind(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::String => "text",
        ColumnType::Integer => "integer",
        ColumnType::Double => "double",
        ColumnType::Boolean => "boolean",
        ColumnType::Timestamp => "timestamp",
        ColumnType::Strings => "list of texts",
        ColumnType::Json => "JSON text",
    }
}

fn about(catalog: &Catalog, entity: &Entity, column: &Column) -> String {
    let own = text(&column.about);
    let usual = match &column.source {
        Source::System(column) => Some(system(*column).to_owned()),
        _ => referred(catalog, entity, column).map(|referred| {
            let told = match (column.kind, column.name.as_str()) {
                (ColumnType::Strings, _) => "some of",
                (_, PARENT_COLUMN) => "in whose lists it was found, one of",
                _ => "one of",
            };
            format!("{told} {}", link(&referred.name))
        }),
    };
    match usual {
        Some(usual) if own.is_empty() => usual,
        Some(usual) => format!("{own}; {usual}"),
        None => own,
    }
}

/// The entity of whose records the column holds ids.
pub(super) fn referred<'c>(catalog: &'c Catalog, entity: &Entity, column: &Column) -> Option<&'c Entity> {
    match &column.source {
        Source::Relationship { relation: Relation::One(kind), .. } => catalog.of_type(kind),
        // What is listed below one kind of record is not all that others may have of its type.
        Source::Relationship { relation: Relation::Many(kind), .. } => {
            catalog.of_type(kind).filter(|other| !matches!(other.access, Access::PerParent { .. }))
        }
        Source::Id if column.name != "id" => catalog.of_type(&entity.resource_type),
        Source::Given(Given::ParentId) => owner(catalog, entity),
        Source::Id | Source::Attribute(_) | Source::Relationship { .. } | Source::Given(_) | Source::System(_) => None,
    }
}

/// The entity whose id a row has as that of its parent: the parent, or the one to which the parent's own column refers.
fn owner<'c>(catalog: &'c Catalog, entity: &Entity) -> Option<&'c Entity> {
    let parent = catalog.get(entity.access.parent()?.as_str())?;
    match &entity.access {
        Access::Elements { parent_key: Some(key), .. } => {
            parent.column(key).and_then(|column| referred(catalog, parent, column)).or(Some(parent))
        }
        _ => Some(parent),
    }
}

const fn system(column: SystemColumn) -> &'static str {
    match column {
        SystemColumn::ExtractedAt => "when it was read, by the clock of the source",
        SystemColumn::Deleted => "whether it was deleted at the source",
        SystemColumn::DeletedAt => "when it was deleted, as far as that is known",
        SystemColumn::Extra => "all that no other column holds",
    }
}

fn from(source: &Source) -> String {
    match source {
        Source::Id => "`id`".to_owned(),
        Source::Attribute(path) => format!("`attributes.{path}`"),
        Source::Relationship { name, .. } => format!("`relationships.{name}`"),
        Source::Given(given) => match given {
            Given::ParentId | Given::Position | Given::Group => "where it stands".to_owned(),
            Given::Resource | Given::AttributeName => "what was asked for".to_owned(),
            Given::Included => "`included`".to_owned(),
        },
        Source::System(_) => "kustlake".to_owned(),
    }
}
