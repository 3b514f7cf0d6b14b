//! What a run would read and what it would cost, told by the counts of the search; nothing is changed.

use chrono::{DateTime, Utc};

use super::entity::{Goal, Load, Shared};
use super::error::{EntityError, RunError};
use super::progress::EntityProgress;
use super::session::{self, Source, World};
use crate::catalog::{Catalog, EntityName};
use crate::config::Config;
use crate::extract::{Place, Step, count};
use crate::lake::Views;
use crate::window::Window;

/// What a run would do for one entity.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Which.
    pub entity: EntityName,
    /// What it would read; none when nothing has settled since the last run.
    pub window: Option<Window>,
    /// The steps and, where the search counts, how many records each has.
    pub steps: Vec<(Step, Option<u64>)>,
    /// Searches that it would send, as far as they can be counted.
    pub searches: u64,
    /// Requests of other kinds; lists tell no length, so that these are a lower bound.
    pub lists: u64,
    /// Why it cannot be told.
    pub error: Option<String>,
}

/// Previews every entity of the configuration.
///
/// # Errors
/// What would keep a run from beginning.
pub async fn preview(
    config: &Config,
    catalog: &Catalog,
    world: &World,
) -> Result<(DateTime<Utc>, Vec<Preview>), RunError> {
    let lake = session::lake(config, world)?;
    let source = Source::open(config, world).await?;
    let state = session::state(config, &lake, source.time.clone()).await?;
    let until = source.time.settled(config.source.settle);
    let views = Views::open(&lake).await?;
    let shared = Shared {
        run: "",
        config,
        lake: &lake,
        views: &views,
        pages: &source.client,
        state: &state,
        time: &source.time,
        until,
        goal: Goal::Changes,
    };
    let mut previews = Vec::new();
    for pipeline in &config.pipelines {
        let Some(entity) = catalog.get(pipeline.entity.as_str()) else { continue };
        let progress = EntityProgress::new(entity.name.clone());
        let load = Load { shared: &shared, entity, pipeline, progress: &progress };
        let mut preview = Preview {
            entity: entity.name.clone(),
            window: None,
            steps: Vec::new(),
            searches: 0,
            lists: 0,
            error: None,
        };
        if let Err(error) = fill(&mut preview, &load, &source).await {
            preview.error = Some(error.to_string());
        }
        previews.push(preview);
    }
    Ok((until, previews))
}

async fn fill(preview: &mut Preview, load: &Load<'_>, source: &Source) -> Result<(), EntityError> {
    let Some((window, plan)) = load.planned().await? else { return Ok(()) };
    preview.window = Some(window);
    for step in plan.steps {
        let (records, requests) = count(&load.entity.access, &step, &source.client).await?;
        match step.place {
            Place::Live | Place::Archive => preview.searches += requests,
            Place::List => preview.lists += requests,
        }
        preview.steps.push((step, records));
    }
    Ok(())
}
