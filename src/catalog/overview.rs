//! The page about all entities: what there is, how it hangs together, and what an API key must be allowed to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Catalog;
use super::column::{ColumnType, PARENT_COLUMN};
use super::document::{link, referred, text};
use super::entity::{Entity, SEARCH_ROLE};

/// The JSON:API type of those who do things: nearly every record names several, so that lines to them would hide all else.
const USER: &str = "user";

/// The page about all entities in Markdown, with links to the pages of each.
#[must_use]
pub fn overview(catalog: &Catalog) -> String {
    let mut page =
        "# Entities\n\nWhat can be loaded: each entity has a table of its own and a page here. The pages are made of \
                    [`schemas/`](../../schemas) by the tests; `kustlake entities NAME` prints one.\n\n\
                    | entity | mode | read by | about |\n|---|---|---|---|\n"
            .to_owned();
    for entity in catalog.iter() {
        let modes: Vec<_> = entity.modes.iter().map(ToString::to_string).collect();
        let (name, modes, about) = (link(&entity.name), modes.join(", "), text(&entity.about));
        let _ = writeln!(page, "| {name} | {modes} | {} | {about} |", entity.access.summary());
    }
    page.push_str(
        "\nOf several modes the first is the default. `update` keeps one row for each key, `append` adds immutable records, \
         `replace` keeps a snapshot.\n\n",
    );
    roles(&mut page, catalog);
    diagram(&mut page, catalog);
    page
}

/// The first role of each entity, and what it permits to read.
fn roles(page: &mut String, catalog: &Catalog) {
    let mut permitted: BTreeMap<&str, Vec<&Entity>> = BTreeMap::new();
    for entity in catalog.iter() {
        if let Some(role) = entity.roles.first() {
            permitted.entry(role).or_default().push(entity);
        }
        if entity.access.searches() {
            permitted.entry(SEARCH_ROLE).or_default().push(entity);
        }
    }
    page.push_str(
        "## Roles\n\nAn API key that may read everything has these roles. The page of an entity tells which others would do in \
         the place of one. For entities that are not listed here no role is known to be needed.\n\n| role | for |\n|---|---|\n",
    );
    for (role, entities) in permitted {
        let entities: Vec<_> = entities.iter().map(|entity| link(&entity.name)).collect();
        let _ = writeln!(page, "| `{role}` | {} |", entities.join(", "));
    }
    page.push('\n');
}

/// Which table refers to which, by which column.
fn diagram(page: &mut String, catalog: &Catalog) {
    page.push_str(
        "## Relations\n\nEach line is a column of the table at its fork. Left out are lists of ids, and the users who created, \
         changed, deleted or otherwise touched a record: they stand in nearly every table.\n\n```mermaid\nerDiagram\n",
    );
    let lines: BTreeSet<_> = catalog.iter().flat_map(|entity| relations(catalog, entity)).collect();
    for line in lines {
        let _ = writeln!(page, "    {line}");
    }
    page.push_str("```\n");
}

fn relations(catalog: &Catalog, entity: &Entity) -> Vec<String> {
    let columns = entity.columns.iter().filter(|column| column.kind != ColumnType::Strings);
    let referring: Vec<_> = columns
        .filter_map(|column| Some((column, referred(catalog, entity, column)?)))
        .filter(|(_, other)| other.resource_type != USER)
        .collect();
    let is_named = |other: &Entity| {
        referring.iter().any(|(column, named)| column.name != PARENT_COLUMN && named.name == other.name)
    };
    referring
        .iter()
        .filter(|(column, other)| column.name != PARENT_COLUMN || !is_named(other))
        .map(|(column, other)| format!("{} ||--o{{ {} : {}", other.name, entity.name, column.name))
        .collect()
}
