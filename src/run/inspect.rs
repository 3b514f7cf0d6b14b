//! Trying out what a run depends on: the key and its roles, the clock, the storage, the state.
//!
//! The rule: each thing is tried even when another one failed, and every failure says what to do.

use std::sync::Arc;

use super::error::RunError;
use super::exit::Exit;
use super::server_time::ServerTime;
use super::session::{self, Source, World};
use crate::api::ApiError;
use crate::catalog::{Access, Catalog, Entity};
use crate::config::Config;
use crate::extract::{Place, Progress, Step, Walk};
use crate::window::Window;

/// A difference of clocks that is worth a word, in seconds.
const CLOCK_TOLERANCE: i64 = 60;

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
    let ahead = source.time.local_ahead_by().num_seconds();
    if ahead.abs() <= CLOCK_TOLERANCE {
        return finding("clock", Verdict::Good, "agrees with the source");
    }
    let told =
        format!("this machine's clock is {ahead} s ahead of the source's; runs go by the source's, but logs will not");
    finding("clock", Verdict::Warning, told)
}

/// Asks for the first page of a window in which nothing can be, which needs the same roles as any other.
async fn access(entity: &Entity, source: &Source) -> Finding {
    let now = source.time.now();
    let place = if matches!(entity.access, Access::Lists { .. }) { Place::List } else { Place::Live };
    let future = Window::new(now + chrono::TimeDelta::days(1), now + chrono::TimeDelta::days(2));
    let Some(window) = future else { return finding(entity.name.as_str(), Verdict::Good, "not tried") };
    let step = Step { place, window, progress: Progress::None };
    let tried = match Walk::begin(&entity.access, &step) {
        Ok(mut walk) => walk.next(&source.client).await,
        Err(error) => Err(error),
    };
    match tried {
        Ok(_) => finding(entity.name.as_str(), Verdict::Good, "readable"),
        Err(crate::extract::WalkError::Api(ApiError::Forbidden(_))) => {
            let told = format!("the key lacks a role; it needs {}; make a new key with it", entity.needed_roles());
            finding(entity.name.as_str(), Verdict::Failed(Exit::Partial), told)
        }
        Err(error) => finding(entity.name.as_str(), Verdict::Failed(Exit::Partial), error.to_string()),
    }
}

async fn storage(config: &Config, world: &World, findings: &mut Vec<Finding>) {
    let lake = match session::lake(config, world) {
        Ok(lake) => lake,
        Err(error) => return findings.push(failed("destination", &error)),
    };
    match lake.probe().await {
        Ok(()) => findings.push(finding(
            "destination",
            Verdict::Good,
            format!("{} can be written, and create-only puts are honoured", lake.root()),
        )),
        Err(error) => return findings.push(failed("destination", &RunError::Lake(error))),
    }
    let time = ServerTime::told(Some(world.clock.now()), Arc::clone(&world.clock));
    match session::state(config, &lake, time).await {
        Ok(_) => findings.push(finding("state", Verdict::Good, "readable")),
        Err(error) => findings.push(failed("state", &error)),
    }
}
