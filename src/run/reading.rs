//! Reading one step of an entity, whatever its records come from.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use serde_json::value::RawValue;

use super::discovery::Description;
use super::entity::Shared;
use super::error::EntityError;
use super::job::Job;
use super::klasses;
use super::matching::texts;
use super::report::{Skip, Skipped};
use crate::api::{ApiError, Pages};
use crate::catalog::{Access, ById, Given, ListSource};
use crate::extract::{Read, Step, Walk, WalkError};
use crate::lake::{Read as ReadFile, TableName};
use crate::resource::Resource;
use crate::table::{GivenValues, with_given};

/// Records as they are converted, and how far they complete the window.
pub(super) struct Batch {
    pub(super) records: Vec<Resource>,
    pub(super) reached: DateTime<Utc>,
}

/// Where the records of a step come from.
pub(super) enum Reading {
    /// A walk over what the source lists.
    Walk(Walk),
    /// Records one by one, because there is no list.
    ById(OneByOne),
    /// Descriptions of custom attributes, one resource after the other.
    Metadata(VecDeque<String>),
    /// Records that were read already.
    Ready(Option<Batch>),
}

/// Records that are read one by one.
pub(super) struct OneByOne {
    source: ListSource,
    ids: VecDeque<String>,
    open: Option<Walk>,
}

/// What a reading needs beside itself.
pub(super) struct Asked<'a> {
    pub(super) job: &'a Job,
    pub(super) shared: &'a Shared<'a>,
    pub(super) step: &'a Step,
    pub(super) pages: &'a dyn Pages,
}

impl Reading {
    pub(super) async fn begin(asked: &Asked<'_>) -> Result<Self, EntityError> {
        let Asked { job, shared, step, pages } = asked;
        if matches!(job.entity.access, Access::Metadata { .. }) {
            let resources = klasses::described(shared.discovery, shared.catalog, *pages).await?;
            return Ok(Self::Metadata(resources.into()));
        }
        if let Some(records) = shared.discovery.recorded(&job.entity, shared.catalog, *pages).await? {
            let nothing = GivenValues::default();
            let records = records.into_iter().map(|record| given_to(record.resource, &nothing)).collect();
            return Ok(Self::Ready(Some(Batch { records, reached: step.window.until() })));
        }
        Ok(Self::Walk(Walk::begin(&job.entity.access, step)?))
    }

    /// Reads on; `None` after the stated end.
    pub(super) async fn next(
        &mut self,
        asked: &Asked<'_>,
        skipped: &mut Skipped,
    ) -> Result<Option<Batch>, EntityError> {
        loop {
            match self {
                Self::Ready(batch) => return Ok(batch.take()),
                Self::Metadata(resources) => return metadata(resources, asked, skipped).await,
                Self::ById(records) => return records.next(asked, skipped).await,
                Self::Walk(walk) => match (walk.next(asked.pages).await, &asked.job.entity.access) {
                    (Ok(read), _) => return Ok(read.map(|read| batch(read, &GivenValues::default()))),
                    (Err(error), Access::Lists { otherwise: Some(by_id), .. }) if is_absent(&error) => {
                        *self = Self::ById(OneByOne::of(by_id, asked).await?);
                    }
                    (Err(error), _) => return Err(error.into()),
                },
            }
        }
    }
}

/// Whether the source says that there is no such list.
pub(super) const fn is_absent(error: &WalkError) -> bool {
    matches!(error, WalkError::Api(ApiError::NotFound(_)))
}

/// What was read, with what is given to all and what the way to each record tells of it.
pub(super) fn batch(read: Read, given: &GivenValues) -> Batch {
    let Read { records, asides, reached } = read;
    let mut asides = asides.into_iter();
    let with_aside = |resource: Resource| {
        let mut given = given.clone();
        if let Some(aside) = asides.next() {
            if !aside.implies.is_empty() {
                given = given.implied(&aside.implies);
            }
            let included: Vec<&str> = aside.included.iter().filter_map(|part| str::from_utf8(part).ok()).collect();
            if !included.is_empty() {
                given = given.json(Given::Included, format!("[{}]", included.join(",")));
            }
        }
        given_to(resource, &given)
    };
    Batch { records: records.into_iter().map(|record| record.resource).map(with_aside).collect(), reached }
}

/// A record with what is given to it.
pub(super) fn given_to(resource: Resource, given: &GivenValues) -> Resource {
    if given.change(&resource) { Bytes::from(with_given(&resource, given)).into() } else { resource }
}

/// The descriptions of the custom attributes of the next resource that has any: a record an attribute.
async fn metadata(
    resources: &mut VecDeque<String>,
    asked: &Asked<'_>,
    skipped: &mut Skipped,
) -> Result<Option<Batch>, EntityError> {
    let Some(resource) = resources.pop_front() else { return Ok(None) };
    let described = asked.shared.discovery.description(&resource, asked.shared.catalog, asked.pages).await?;
    let (properties, relationships) = match described {
        Description::Known(properties, relationships) => (properties, relationships),
        Description::Absent => {
            skipped.count(Skip::NoMetadata);
            return Ok(Some(Batch { records: Vec::new(), reached: asked.step.window.from() }));
        }
        Description::Forbidden(failure) => return Err(WalkError::Api(ApiError::Forbidden(failure)).into()),
    };
    let related = relationships.as_deref().map_or("null", RawValue::get);
    let record = |name: &str, property: &RawValue| {
        let given = GivenValues::default().text(Given::Resource, &resource).text(Given::AttributeName, name);
        let record = format!(r#"{{"attributes":{},"relationships":{related}}}"#, property.get());
        Bytes::from(with_given(record.as_bytes(), &given)).into()
    };
    let records = properties.iter().map(|(name, property)| record(name, property)).collect();
    Ok(Some(Batch { records, reached: asked.step.window.from() }))
}

impl OneByOne {
    async fn of(by_id: &ById, asked: &Asked<'_>) -> Result<Self, EntityError> {
        let parent = by_id.entity.as_str();
        let Some(table) = asked.shared.lake.table(&TableName::new(parent)?).await? else {
            // Nothing read is not an empty list.
            let (entity, parent) = (asked.job.entity.name.clone(), parent.to_owned());
            return Err(EntityError::NoParents { entity, parent });
        };
        let mut ids = BTreeSet::new();
        for file in table.files("").await? {
            let read = ReadFile { columns: Some(vec![by_id.column.clone()]), ..ReadFile::default() };
            let mut batches = table.read(&file, read).await?;
            while let Some(batch) = batches.try_next().await? {
                ids.extend(texts(&batch, &by_id.column, 0..batch.num_rows() as u64));
            }
        }
        let source = ListSource { path: by_id.path.clone(), query: by_id.query.clone(), ..ListSource::default() };
        Ok(Self { source, ids: ids.into_iter().collect(), open: None })
    }

    async fn next(&mut self, asked: &Asked<'_>, skipped: &mut Skipped) -> Result<Option<Batch>, EntityError> {
        loop {
            if let Some(walk) = &mut self.open {
                match walk.next(asked.pages).await {
                    Ok(Some(read)) => return Ok(Some(batch(read, &GivenValues::default()))),
                    Ok(None) => {}
                    Err(error) if is_absent(&error) => skipped.count(Skip::Gone),
                    Err(error) => return Err(error.into()),
                }
            }
            let Some(id) = self.ids.pop_front() else { return Ok(None) };
            let sources = std::slice::from_ref(&self.source);
            self.open = Some(Walk::below(sources, PAGE_SIZE, &id, asked.step.window)?);
        }
    }
}

/// A single record is a page of one.
const PAGE_SIZE: u32 = 100;
