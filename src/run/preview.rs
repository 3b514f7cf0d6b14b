//! What a run would read and what it would cost, told by the counts of the search; nothing is changed.

use chrono::{DateTime, Utc};

use super::discovery::Discovery;
use super::done::Reports;
use super::entity::{Goal, Load, Shared};
use super::error::{EntityError, RunError};
use super::job::{Job, Jobs};
use super::klasses;
use super::progress::EntityProgress;
use super::session::{self, Source, World};
use crate::catalog::{self, Access, Catalog, EntityName};
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
    /// Requests of other kinds; lists tell no length, so that these are a lower bound. Below records, one a list of each
    /// record that changed or is about to be read.
    pub lists: u64,
    /// Why it cannot be told.
    pub error: Option<String>,
}

/// What a run would do.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// What was updated before this instant is read.
    pub until: DateTime<Utc>,
    /// Each table.
    pub previews: Vec<Preview>,
    /// Requests of any kind that may be sent in a minute.
    pub requests_a_minute: u32,
}

/// Previews every table that the configuration leads to, but for those that are filled along with another one.
///
/// # Errors
/// What would keep a run from beginning.
pub async fn preview(config: &Config, catalog: &Catalog, world: &World) -> Result<Outlook, RunError> {
    let lake = session::lake(config, world)?;
    let source = Source::open(config, world).await?;
    let state = session::state(config, &lake, source.time.clone()).await?;
    let until = source.time.settled(config.source.settle);
    let views = Views::open(&lake, catalog::marts).await?;
    let discovery = Discovery::default();
    let shared = Shared {
        run: "",
        config,
        catalog,
        lake: &lake,
        views: &views,
        pages: &source.client,
        state: &state,
        reports: &Reports::none(&config.pipelines),
        discovery: &discovery,
        time: &source.time,
        until,
        goal: Goal::Changes,
        part_rows: world.part_rows,
    };
    let Jobs { first, below } = Jobs::of(&config.pipelines, catalog);
    let mut previews = Vec::new();
    for job in first.iter().chain(&below) {
        match klasses::tables(&shared, job, shared.pages).await {
            Ok(jobs) => {
                for job in jobs {
                    let preview = Preview::of(&shared, &job, &previews).await;
                    previews.push(preview);
                }
            }
            Err(error) => previews.push(Preview { error: Some(error.to_string()), ..Preview::new(job) }),
        }
    }
    Ok(Outlook { until, previews, requests_a_minute: source.client.allowance() })
}

impl Preview {
    fn new(job: &Job) -> Self {
        let entity = job.entity.name.clone();
        Self { entity, window: None, steps: Vec::new(), searches: 0, lists: 0, error: None }
    }

    /// What is read below records depends on what is read of these, which was previewed before.
    async fn of(shared: &Shared<'_>, job: &Job, before: &[Self]) -> Self {
        let progress = EntityProgress::new(job.entity.name.clone());
        let load = Load::new(shared, job, &progress);
        let mut preview = Self::new(job);
        if let Err(error) = preview.fill(&load, before).await {
            preview.error = Some(error.to_string());
        }
        preview
    }

    /// The records that its steps have, where the search counts them.
    fn records(&self) -> u64 {
        self.steps.iter().filter_map(|(_, records)| *records).sum()
    }

    async fn fill(&mut self, load: &Load<'_>, before: &[Self]) -> Result<(), EntityError> {
        match &load.job.entity.access {
            Access::PerParent { parent, lists, .. } => {
                let coming = before.iter().find(|preview| preview.entity == *parent).map_or(0, Self::records);
                self.lists = (load.changed_parents().await? + coming) * lists.len() as u64;
                return Ok(());
            }
            Access::Metadata { .. } => {
                let resources =
                    klasses::described(load.shared.discovery, load.shared.catalog, load.shared.pages).await?;
                self.lists = resources.len() as u64;
                return Ok(());
            }
            _ => {}
        }
        let Some((window, plan)) = load.planned().await? else { return Ok(()) };
        self.window = Some(window);
        for step in plan.steps {
            let (records, requests) = count(&load.job.entity.access, &step, load.shared.pages).await?;
            match step.place {
                Place::Live | Place::Archive => self.searches += requests,
                Place::List => self.lists += requests,
            }
            self.steps.push((step, records));
        }
        Ok(())
    }
}
