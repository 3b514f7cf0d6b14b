//! `entities`: what can be loaded.

use serde_json::json;

use super::table::TextTable;
use super::terminal::{Style, Terminal};
use crate::catalog::{Access, Catalog, Entity};

pub(super) fn entities(catalog: &Catalog, terminal: &Terminal) {
    match terminal.style() {
        Style::Machine => {
            for entity in catalog.iter() {
                let line = json!({
                    "entity": entity.name, "about": entity.about, "modes": entity.modes, "key": entity.key,
                    "access": access(entity), "roles": entity.roles, "columns": entity.columns.len(),
                });
                terminal.line(&line.to_string());
            }
        }
        Style::Person => {
            let mut table = TextTable::new(["entity", "modes", "read by", "columns", "about"], 5);
            for entity in catalog.iter() {
                let modes: Vec<_> = entity.modes.iter().map(ToString::to_string).collect();
                let columns = entity.columns.len().to_string();
                table.row([
                    entity.name.to_string(),
                    modes.join(", "),
                    access(entity).to_owned(),
                    columns,
                    entity.about.clone(),
                ]);
            }
            terminal.line(&table.render());
        }
    }
}

fn access(entity: &Entity) -> &'static str {
    match entity.access {
        Access::Search { .. } => "search",
        Access::Klasses { .. } => "search per klass",
        Access::Lists { .. } => "lists",
        Access::Log { .. } => "log",
        Access::PerParent { .. } => "lists per parent",
        Access::Elements { .. } => "with its parent",
        Access::Metadata { .. } => "metadata",
    }
}
