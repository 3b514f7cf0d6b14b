//! `entities`: what can be loaded, and what each entity is.

use serde_json::json;

use super::args::Entities;
use super::table::TextTable;
use super::terminal::{Style, Terminal};
use crate::catalog::{Catalog, page};
use crate::run::{Exit, RunError};

pub(super) fn entities(asked: &Entities, catalog: &Catalog, terminal: &Terminal) -> Result<Exit, RunError> {
    match &asked.name {
        None => list(catalog, terminal),
        Some(name) => {
            let unknown = || RunError::Usage(format!("there is no entity {name}; `kustlake entities` lists them"));
            let entity = catalog.get(name).ok_or_else(unknown)?;
            terminal.line(page(catalog, entity).trim_end());
        }
    }
    Ok(Exit::Ok)
}

fn list(catalog: &Catalog, terminal: &Terminal) {
    match terminal.style() {
        Style::Machine => {
            for entity in catalog.iter() {
                let line = json!({
                    "entity": entity.name, "about": entity.about, "modes": entity.modes, "key": entity.key,
                    "access": entity.access.summary(), "roles": entity.roles, "columns": entity.columns.len(),
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
                    entity.access.summary().to_owned(),
                    columns,
                    entity.about.clone(),
                ]);
            }
            terminal.line(&table.render());
        }
    }
}
