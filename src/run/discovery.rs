//! What the organisation itself has defined: its klasses and its custom attributes.
//!
//! The rule: each is asked for once a run, when it is first needed. A key that may not read the
//! descriptions of custom attributes still reads their values, whose names tell their types.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, OnceCell};

use crate::api::{ApiError, Failure, Pages, Path, Record, Request};
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
    /// Their properties by name, and what all of them are related to.
    Known(Arc<Map<String, Value>>, Arc<Value>),
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
    let mut resource: Value = serde_json::from_slice(&record.json).unwrap_or_default();
    let properties = match resource.pointer_mut("/attributes/properties").map(Value::take) {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    let relationships = resource.get_mut("relationships").map(Value::take).unwrap_or_default();
    Ok(Description::Known(Arc::new(properties), Arc::new(relationships)))
}

impl Klass {
    /// Whether new objects of it can be made.
    pub(super) fn is_enabled(&self) -> bool {
        self.status == "enabled"
    }

    fn of(record: &Record) -> Option<Self> {
        let resource: Value = serde_json::from_slice(&record.json).ok()?;
        let text = |name: &str| resource.pointer(&format!("/attributes/{name}")).and_then(Value::as_str);
        let (name, status) = (text("name")?.to_owned(), text("status").unwrap_or("enabled").to_owned());
        Some(Self { name, status, created_at: record.created_at })
    }
}
