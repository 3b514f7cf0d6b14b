//! What the organisation itself has defined: its klasses and its custom attributes.
//!
//! The rule: each is asked for once a run, when it is first needed. A key that may not read the
//! descriptions of custom attributes still reads their values, whose names tell their types.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, OnceCell};

use crate::api::{ApiError, Failure, Pages, Path, Record, Request, entries, text_at, value_at};
use crate::catalog::{Access, Catalog, Entity};
use crate::extract::{Place, Progress, Step, Walk, WalkError};
use crate::window::Window;

/// The entity that lists the klasses.
const KLASSES: &str = "klasses";

/// What is known of the organisation's own definitions.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    klasses: OnceCell<Vec<Record>>,
    described: Mutex<BTreeMap<String, Arc<OnceCell<Description>>>>,
}

/// What the source says of the custom attributes of one resource.
#[derive(Debug, Clone)]
pub(super) enum Description {
    /// Their properties by name, and what all of them are related to; JSON texts as received.
    Known(Arc<BTreeMap<String, Box<RawValue>>>, Option<Arc<RawValue>>),
    /// There is no such resource.
    Absent,
    /// The key may not read it.
    Forbidden(Box<Failure>),
}

/// A klass, as far as reading its objects needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Klass {
    pub(super) name: String,
    status: String,
    pub(super) created_at: Option<DateTime<Utc>>,
}

impl Discovery {
    /// The records of all klasses, whatever their status.
    pub(super) async fn klass_records(&self, catalog: &Catalog, pages: &dyn Pages) -> Result<&[Record], WalkError> {
        let read = async || {
            let Some(entity) = catalog.get(KLASSES) else { return Ok(Vec::new()) };
            let window = Window::new(DateTime::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC).ok_or(WalkError::Unresolved)?;
            let mut walk = Walk::begin(&entity.access, &Step { place: Place::List, window, progress: Progress::None })?;
            let mut records = Vec::new();
            while let Some(read) = walk.next(pages).await? {
                records.extend(read.records);
            }
            Ok::<_, WalkError>(records)
        };
        Ok(self.klasses.get_or_try_init(read).await?.as_slice())
    }

    /// All klasses, the oldest first.
    pub(super) async fn klasses(&self, catalog: &Catalog, pages: &dyn Pages) -> Result<Vec<Klass>, WalkError> {
        let records = self.klass_records(catalog, pages).await?;
        let mut klasses: Vec<Klass> = records.iter().filter_map(Klass::of).collect();
        klasses.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
        klasses.dedup_by(|a, b| a.name == b.name);
        Ok(klasses)
    }

    /// What the source says of the custom attributes of a resource.
    pub(super) async fn description(
        &self,
        resource: &str,
        catalog: &Catalog,
        pages: &dyn Pages,
    ) -> Result<Description, WalkError> {
        let described_at = catalog.iter().find_map(|entity| match &entity.access {
            Access::Metadata { path } => Some(path),
            _ => None,
        });
        let Some(path) = described_at else { return Ok(Description::Absent) };
        let cell = Arc::clone(self.described.lock().await.entry(resource.to_owned()).or_default());
        cell.get_or_try_init(async || describe(path, resource, pages).await).await.cloned()
    }

    /// The records of a whole entity that were read for the sake of another one.
    pub(super) async fn recorded(
        &self,
        entity: &Entity,
        catalog: &Catalog,
        pages: &dyn Pages,
    ) -> Result<Option<Vec<Record>>, WalkError> {
        let is_shared = entity.name.as_str() == KLASSES && catalog.iter().any(has_klasses);
        if !is_shared {
            return Ok(None);
        }
        self.klass_records(catalog, pages).await.map(|records| Some(records.to_vec()))
    }
}

fn has_klasses(entity: &Entity) -> bool {
    matches!(entity.access, Access::Klasses { .. })
}

async fn describe(path: &str, resource: &str, pages: &dyn Pages) -> Result<Description, WalkError> {
    let path = Path::expand(path, &[("resource", resource)])?;
    let page = match pages.page(&Request::ById(path)).await {
        Ok(page) => page,
        Err(ApiError::NotFound(_)) => return Ok(Description::Absent),
        Err(ApiError::Forbidden(failure)) => return Ok(Description::Forbidden(failure)),
        Err(error) => return Err(error.into()),
    };
    let Some(record) = page.records.into_iter().next() else { return Ok(Description::Absent) };
    let properties = value_at(&record.resource, &["attributes", "properties"]).map(entries).unwrap_or_default();
    let properties = properties.into_iter().map(|(name, property)| (name, property.to_owned())).collect();
    let relationships = value_at(&record.resource, &["relationships"]).map(|related| Arc::from(related.to_owned()));
    Ok(Description::Known(Arc::new(properties), relationships))
}

impl Klass {
    /// Whether new objects of it can be made.
    pub(super) fn is_enabled(&self) -> bool {
        self.status == "enabled"
    }

    fn of(record: &Record) -> Option<Self> {
        let text = |name: &str| text_at(&record.resource, &["attributes", name]);
        let (name, status) = (text("name")?, text("status").unwrap_or_else(|| "enabled".to_owned()));
        Some(Self { name, status, created_at: record.created_at })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_klass_is_known_whatever_else_its_description_holds() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for odd in ["\"\\ud800\"", "1e999", &deep] {
            let json = format!(r#"{{"id": "k1", "attributes": {{"icon": {odd}, "name": "order"}}}}"#);
            let resource = Bytes::from(json).into();
            let record = Record { id: None, updated_at: None, created_at: None, rev: None, deleted: false, resource };
            let klass = Klass::of(&record).unwrap();
            assert_eq!((klass.name.as_str(), klass.is_enabled()), ("order", true));
        }
    }
}
