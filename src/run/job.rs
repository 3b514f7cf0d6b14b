//! What a run has to do, table by table.
//!
//! The rule: tables that are filled from the same records are one job, so that every record is read
//! once; what is read by way of other records comes after these, whose tables tell where to read.

use std::sync::Arc;

use crate::catalog::{Access, Catalog, Entity};
use crate::config::Pipeline;

/// A table to load, and the tables of the elements of its records.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The place of its line in the configuration.
    pub(super) line: usize,
    pub(super) entity: Arc<Entity>,
    pub(super) pipeline: Pipeline,
    pub(super) elements: Vec<Self>,
}

/// The jobs of a run.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// What is read by itself.
    pub(super) first: Vec<Job>,
    /// What is read below records, or may have to be read as they name it, once these are committed.
    pub(super) below: Vec<Job>,
}

impl Jobs {
    /// The jobs of these pipelines. The configuration has refused those without their parent.
    pub(super) fn of(pipelines: &[Pipeline], catalog: &Catalog) -> Self {
        let mut jobs = Self::default();
        for (line, pipeline) in pipelines.iter().enumerate() {
            let Some(entity) = catalog.get(pipeline.entity.as_str()) else { continue };
            match entity.access {
                Access::Elements { .. } => {}
                Access::PerParent { .. } | Access::Lists { otherwise: Some(_), .. } => {
                    jobs.below.push(Job::new(line, pipeline, entity, pipelines, catalog));
                }
                Access::Search { .. }
                | Access::Klasses { .. }
                | Access::Lists { .. }
                | Access::Log { .. }
                | Access::Metadata { .. } => jobs.first.push(Job::new(line, pipeline, entity, pipelines, catalog)),
            }
        }
        jobs
    }
}

impl Job {
    fn new(line: usize, pipeline: &Pipeline, entity: &Entity, pipelines: &[Pipeline], catalog: &Catalog) -> Self {
        let elements = pipelines.iter().enumerate().filter_map(|(line, pipeline)| {
            let own = catalog.get(pipeline.entity.as_str())?;
            let is_part = matches!(&own.access, Access::Elements { parent, .. } if *parent == entity.name);
            is_part.then(|| Self::new(line, pipeline, own, pipelines, catalog))
        });
        Self { line, entity: Arc::new(entity.clone()), pipeline: pipeline.clone(), elements: elements.collect() }
    }

    /// Whether it is one klass of many.
    pub(super) fn is_klass(&self) -> bool {
        matches!(self.entity.access, Access::Search { klass: Some(_), .. })
    }

    /// This job and those of its elements.
    pub(super) fn all(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.elements.iter().flat_map(Self::all)).collect()
    }
}
