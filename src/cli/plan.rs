//! `plan`: what a run would read and cost.

use serde_json::json;

use super::table::{TextTable, duration, thousands};
use super::terminal::{Style, Terminal};
use crate::catalog::{Access, Catalog};
use crate::config::Config;
use crate::extract::Place;
use crate::run::{Exit, Outlook, Preview, RunError, World, preview};

pub(super) async fn plan(config: &Config, terminal: &Terminal, catalog: &Catalog) -> Result<Exit, RunError> {
    let Outlook { until, previews, requests_a_minute } = preview(config, catalog, &World::real()).await?;
    let searches: u64 = previews.iter().map(|preview| preview.searches).sum();
    let others: u64 = previews.iter().map(|preview| preview.lists).sum();
    let by_search = searches.div_ceil(u64::from(config.source.search_requests_per_minute));
    let minutes = by_search.max((searches + others).div_ceil(u64::from(requests_a_minute.max(1))));
    let failed = previews.iter().any(|preview| preview.error.is_some());
    match terminal.style() {
        Style::Machine => {
            let entities: Vec<_> = previews.iter().map(json).collect();
            terminal.json(&json!({
                "until": until, "entities": entities, "searches": searches, "other_requests": others, "minutes": minutes,
            }))?;
        }
        Style::Person => {
            let mut table = TextTable::new(["entity", "window", "records", "searches", "other requests"], 2);
            for preview in &previews {
                let window = match catalog.get(preview.entity.as_str()).map(|entity| &entity.access) {
                    Some(access) if access.is_whole() => "everything, as it is".to_owned(),
                    Some(Access::PerParent { .. }) => "below what changed".to_owned(),
                    _ => preview.window.map_or_else(|| "nothing new".to_owned(), |window| window.to_string()),
                };
                let records: u64 = preview.steps.iter().filter_map(|(_, records)| *records).sum();
                let told = preview.error.clone().unwrap_or(window);
                let cells = [records, preview.searches, preview.lists].map(thousands);
                let [records, searches, lists] = cells;
                table.row([preview.entity.to_string(), told, records, searches, lists]);
            }
            terminal.line(&table.render());
            terminal.line(&format!(
                "{} searches at {} a minute, {} other requests at {} a minute: about {}. Lists tell no length, so that it may be more",
                thousands(searches),
                config.source.search_requests_per_minute,
                thousands(others),
                requests_a_minute,
                duration(minutes)
            ));
        }
    }
    Ok(if failed { Exit::Partial } else { Exit::Ok })
}

fn json(preview: &Preview) -> serde_json::Value {
    let steps: Vec<_> = preview
        .steps
        .iter()
        .map(|(step, records)| {
            let place = match step.place {
                Place::Live => "search",
                Place::Archive => "archive",
                Place::List => "list",
            };
            json!({"place": place, "window": step.window.to_string(), "records": records})
        })
        .collect();
    json!({
        "entity": preview.entity, "window": preview.window.map(|window| window.to_string()), "steps": steps,
        "searches": preview.searches, "other_requests": preview.lists, "error": preview.error,
    })
}
