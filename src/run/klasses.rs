//! One job a klass: the tables of an organisation's own objects.
//!
//! The rule: a klass keeps its table for ever, and never gets that of another one. Each table tells of
//! what it is. Where the names of two klasses would give one table, the older klass has the plain name,
//! and the other one's name gets an ending that depends on itself alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::discovery::{Discovery, Klass};
use super::entity::Shared;
use super::error::EntityError;
use super::job::Job;
use crate::api::Pages;
use crate::catalog::{Access, Catalog, Entity, EntityName, History};
use crate::extract::WalkError;
use crate::table::{RESOURCE_METADATA, name_candidates};

/// Where the name of the klass stands in what the catalogue says of all klasses.
const KLASS: &str = "{klass}";

/// The jobs of the klasses that a job of all klasses stands for.
pub(super) async fn jobs(shared: &Shared<'_>, job: &Job, pages: &dyn Pages) -> Result<Vec<(Klass, Job)>, EntityError> {
    let klasses = shared.discovery.klasses(shared.catalog, pages).await?;
    let tables = shared.views.schemas().await;
    let resource = |schema: &SchemaRef| {
        let fields = schema.fields().iter();
        fields.filter_map(|field| field.metadata().get(RESOURCE_METADATA)).next().cloned()
    };
    let tables = tables.iter().map(|(name, schema)| (name.as_str().to_owned(), resource(schema)));
    of_klasses(job, &klasses, &tables.collect())
}

/// The jobs of the single tables that a job stands for, with the klass of each that has one.
pub(super) async fn each(
    shared: &Shared<'_>,
    job: &Job,
    pages: &dyn Pages,
) -> Result<Vec<(Option<Klass>, Job)>, EntityError> {
    if !matches!(job.entity.access, Access::Klasses { .. }) {
        return Ok(vec![(None, job.clone())]);
    }
    Ok(jobs(shared, job, pages).await?.into_iter().map(|(klass, job)| (Some(klass), job)).collect())
}

/// The same without klasses.
pub(super) async fn tables(shared: &Shared<'_>, job: &Job, pages: &dyn Pages) -> Result<Vec<Job>, EntityError> {
    Ok(each(shared, job, pages).await?.into_iter().map(|(_, job)| job).collect())
}

/// The tables that exist, and of what they are as far as they tell it.
type Tables = BTreeMap<String, Option<String>>;

/// The same with these tables.
fn of_klasses(job: &Job, klasses: &[Klass], tables: &Tables) -> Result<Vec<(Klass, Job)>, EntityError> {
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
    entity.resource_type = resource_type(&entity, klass);
    entity.custom = entity.custom.map(|custom| custom.replace(KLASS, &klass.name));
    if let Access::Klasses { prefix, record, parent, moved_by } = &job.entity.access {
        entity.access = Access::Search {
            context: format!("{prefix}{}", klass.name),
            history: History::Archive,
            record: record.clone(),
            deleted_by: None,
            klass: Some(klass.name.clone()),
            parent: parent.as_ref().map(|parent| format!("{prefix}{parent}")),
            moved_by: moved_by.clone(),
        };
    }
    let pipeline = crate::config::Pipeline { entity: entity.name.clone(), ..job.pipeline.clone() };
    Job { line: job.line, entity: Arc::new(entity), pipeline, elements: Vec::new() }
}

fn resource_type(entity: &Entity, klass: &Klass) -> String {
    format!("{}.{}", entity.resource_type, klass.name)
}

/// The table that is the klass's own already; else the first of its names that is neither taken nor another's.
fn table_name(entity: &Entity, klass: &Klass, taken: &BTreeSet<String>, tables: &Tables) -> String {
    let prefix = match &entity.access {
        Access::Klasses { prefix, .. } => prefix.as_str(),
        _ => "",
    };
    let names: Vec<String> = name_candidates(prefix, &klass.name).collect();
    let resource = resource_type(entity, klass);
    let is_own = |name: &&String| tables.get(*name).is_some_and(|of| of.as_ref() == Some(&resource));
    let is_free = |name: &&String| {
        let is_others = |(table, of): (&String, &Option<String>)| {
            table.eq_ignore_ascii_case(name) && of.as_ref().is_some_and(|of| *of != resource)
        };
        !taken.contains(&name.to_ascii_lowercase()) && !tables.iter().any(is_others)
    };
    names.iter().find(is_own).or_else(|| names.iter().find(is_free)).or(names.first()).cloned().unwrap_or_default()
}
