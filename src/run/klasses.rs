//! One job a klass: the tables of an organisation's own objects.
//!
//! The rule: a klass keeps its table for ever. Where the names of two klasses would give one table,
//! the older klass has the plain name, and the other one's name gets an ending that depends on itself
//! alone; a table that exists under such a name stays the klass's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::discovery::{Discovery, Klass};
use super::entity::Shared;
use super::error::EntityError;
use super::job::Job;
use crate::api::Pages;
use crate::catalog::{Access, Catalog, Entity, EntityName, History};
use crate::extract::WalkError;
use crate::table::name_candidates;

/// Where the name of the klass stands in what the catalogue says of all klasses.
const KLASS: &str = "{klass}";

/// The jobs of the klasses that a job of all klasses stands for.
pub(super) async fn jobs(shared: &Shared<'_>, job: &Job, pages: &dyn Pages) -> Result<Vec<(Klass, Job)>, EntityError> {
    let klasses = shared.discovery.klasses(shared.catalog, pages).await?;
    let tables = shared.lake.tables().await?;
    of_klasses(job, &klasses, &tables.iter().map(|name| name.as_str().to_owned()).collect())
}

/// The same; `tables` are those that exist.
fn of_klasses(job: &Job, klasses: &[Klass], tables: &BTreeSet<String>) -> Result<Vec<(Klass, Job)>, EntityError> {
    let wanted = job.pipeline.klasses.as_deref();
    if let Some(unknown) =
        wanted.and_then(|wanted| wanted.iter().find(|name| klasses.iter().all(|klass| klass.name != **name)))
    {
        return Err(EntityError::UnknownKlass {
            klass: unknown.clone(),
            known: klasses.iter().map(|klass| klass.name.clone()).collect(),
        });
    }
    let mut taken = BTreeSet::new();
    let mut jobs = Vec::new();
    for klass in klasses {
        let table = table_name(&job.entity, klass, &taken, tables);
        taken.insert(table.to_ascii_lowercase());
        if wanted.is_none_or(|wanted| wanted.contains(&klass.name)) {
            jobs.push((klass.clone(), of_klass(job, klass, &table)));
        }
    }
    Ok(jobs)
}

/// Everything that has custom attributes, as the source names it.
pub(super) async fn described(
    discovery: &Discovery,
    catalog: &Catalog,
    pages: &dyn Pages,
) -> Result<Vec<String>, WalkError> {
    let mut resources = Vec::new();
    for custom in catalog.iter().filter_map(|entity| entity.custom.as_ref()) {
        if custom.contains(KLASS) {
            let klasses = discovery.klasses(catalog, pages).await?;
            resources.extend(klasses.iter().map(|klass| custom.replace(KLASS, &klass.name)));
        } else {
            resources.push(custom.clone());
        }
    }
    Ok(resources)
}

fn of_klass(job: &Job, klass: &Klass, table: &str) -> Job {
    let mut entity = Entity::clone(&job.entity);
    entity.name = EntityName::new(table);
    entity.resource_type = format!("{}.{}", entity.resource_type, klass.name);
    entity.custom = entity.custom.map(|custom| custom.replace(KLASS, &klass.name));
    if let Access::Klasses { prefix, parent, moved_by } = &job.entity.access {
        entity.access = Access::Search {
            context: format!("{prefix}{}", klass.name),
            history: History::Archive,
            parent: parent.as_ref().map(|parent| format!("{prefix}{parent}")),
            moved_by: moved_by.clone(),
        };
    }
    let pipeline = crate::config::Pipeline { entity: entity.name.clone(), ..job.pipeline.clone() };
    Job { line: job.line, entity: Arc::new(entity), pipeline, elements: Vec::new() }
}

fn table_name(entity: &Entity, klass: &Klass, taken: &BTreeSet<String>, tables: &BTreeSet<String>) -> String {
    let prefix = match &entity.access {
        Access::Klasses { prefix, .. } => prefix.as_str(),
        _ => "",
    };
    let names: Vec<String> = name_candidates(prefix, &klass.name).collect();
    let own = names.iter().skip(1).find(|name| tables.contains(*name));
    let free = || names.iter().find(|name| !taken.contains(&name.to_ascii_lowercase()));
    own.or_else(free).or(names.first()).cloned().unwrap_or_default()
}
