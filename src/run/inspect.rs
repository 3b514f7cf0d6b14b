//! Trying out what a run depends on: the key and its roles, the clock, the storage, the state.
//!
//! The rule: each thing is tried even when another one failed, and every failure says what to do.

use std::sync::Arc;

use chrono::TimeDelta;

use super::error::RunError;
use super::exit::Exit;
use super::server_time::ServerTime;
use super::session::{self, Source, World};
use crate::api::{ApiError, Path, Request};
use crate::catalog::{Access, Catalog, Entity, History, ListSource};
use crate::config::Config;
use crate::extract::{Place, Progress, Step, Walk, WalkError};
use crate::lake::Commits;
use crate::window::Window;

/// What was found about one thing.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The thing.
    pub subject: String,
    /// Whether it will do.
    pub verdict: Verdict,
    /// What was found, and what to do about it.
    pub told: String,
}

/// Whether a thing will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It will.
    Good,
    /// It will, but look at it.
    Warning,
    /// It will not, and a run would end with this code.
    Failed(Exit),
}

/// Tries everything out.
pub async fn inspect(config: &Config, catalog: &Catalog, world: &World) -> Vec<Finding> {
    let mut findings = Vec::new();
    match Source::open(config, world).await {
        Ok(source) => {
            findings.push(key(&source));
            findings.push(clock(&source));
            for pipeline in &config.pipelines {
                if let Some(entity) = catalog.get(pipeline.entity.as_str()) {
                    findings.push(access(entity, &source).await);
                }
            }
        }
        Err(error) => findings.push(failed("source", &error)),
    }
    storage(config, world, &mut findings).await;
    findings
}

fn finding(subject: &str, verdict: Verdict, told: impl Into<String>) -> Finding {
    Finding { subject: subject.to_owned(), verdict, told: told.into() }
}

fn failed(subject: &str, error: &RunError) -> Finding {
    finding(subject, Verdict::Failed(error.exit()), error.to_string())
}

fn key(source: &Source) -> Finding {
    let name = source.token.name.as_deref().unwrap_or("without a name");
    let roles = source
        .token
        .roles
        .as_ref()
        .map_or_else(|| "roles unknown".to_owned(), |roles| format!("{} roles", roles.len()));
    finding("API key", Verdict::Good, format!("accepted: {name}, {roles}"))
}

fn clock(source: &Source) -> Finding {
    let Some(difference) = source.time.difference() else {
        return finding("clock", Verdict::Good, "agrees with the source");
    };
    let told = format!("{difference}; runs go by that, but logs and certificates do not: set it (NTP)");
    finding("clock", Verdict::Warning, told)
}

/// Asks for something that is not there, which needs the same roles as anything else.
async fn access(entity: &Entity, source: &Source) -> Finding {
    let name = entity.name.as_str();
    let tried = match &entity.access {
        Access::Elements { parent, .. } => return finding(name, Verdict::Good, format!("read with {parent}")),
        Access::PerParent { lists, page_size, .. } => below_nobody(lists, *page_size, source).await,
        Access::Metadata { path } => described(path, source).await,
        Access::Klasses { .. } => {
            let context = entity.resource_type.clone();
            in_future(&Access::search(context, History::Archive), source).await
        }
        Access::Search { .. } | Access::Lists { .. } | Access::Log { .. } => in_future(&entity.access, source).await,
    };
    match tried {
        Ok(()) => finding(name, Verdict::Good, "readable"),
        Err(WalkError::Api(ApiError::Forbidden(_))) => {
            let told = format!("the key lacks a role; it needs {}; make a new key with it", entity.needed_roles());
            finding(name, Verdict::Failed(Exit::Partial), told)
        }
        Err(error) => finding(name, Verdict::Failed(Exit::Partial), error.to_string()),
    }
}

/// The first page of a window in which nothing can be.
async fn in_future(access: &Access, source: &Source) -> Result<(), WalkError> {
    let now = source.time.now();
    let place = if access.is_whole() { Place::List } else { Place::Live };
    let window = Window::new(now + TimeDelta::days(1), now + TimeDelta::days(2)).ok_or(WalkError::Unresolved)?;
    let mut walk = Walk::begin(access, &Step { place, window, progress: Progress::None })?;
    match walk.next(&source.client).await {
        // Some lists may not be there; then their records are read one by one.
        Err(WalkError::Api(ApiError::NotFound(_))) if matches!(access, Access::Lists { otherwise: Some(_), .. }) => {
            Ok(())
        }
        other => other.map(|_| ()),
    }
}

/// The lists below a record that does not exist.
async fn below_nobody(lists: &[ListSource], page_size: u32, source: &Source) -> Result<(), WalkError> {
    const NOBODY: &str = "000000000000000000000000";
    let now = source.time.now();
    let window = Window::new(now, now + TimeDelta::days(1)).ok_or(WalkError::Unresolved)?;
    for list in lists {
        let mut walk = Walk::below(std::slice::from_ref(list), page_size, NOBODY, window)?;
        match walk.next(&source.client).await {
            Ok(_) | Err(WalkError::Api(ApiError::NotFound(_))) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn described(path: &str, source: &Source) -> Result<(), WalkError> {
    let path = Path::expand(path, &[("resource", "customer")])?;
    match source.client.page(&Request::ById(path)).await {
        Ok(_) | Err(ApiError::NotFound(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn storage(config: &Config, world: &World, findings: &mut Vec<Finding>) {
    let lake = match session::proven_lake(config, world).await {
        Ok(lake) => lake,
        Err(error) => return findings.push(failed("destination", &error)),
    };
    findings.push(match lake.commits() {
        Commits::CreateOnly => {
            let told = format!("{} can be written, and create-only puts are honoured", lake.root());
            finding("destination", Verdict::Good, told)
        }
        Commits::Lease => {
            let told = format!(
                "{} can be written, but create-only puts are ignored: only the lease keeps runs apart, as \
                 destination.commits allows",
                lake.root()
            );
            finding("destination", Verdict::Warning, told)
        }
    });
    let time = ServerTime::told(Some(world.clock.now()), Arc::clone(&world.clock));
    match session::state(config, &lake, time).await {
        Ok(_) => findings.push(finding("state", Verdict::Good, "readable")),
        Err(error) => findings.push(failed("state", &error)),
    }
}
