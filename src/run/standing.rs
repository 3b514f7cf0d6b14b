//! How far one table is, without asking the source.

use chrono::{DateTime, Utc};

use super::error::RunError;
use super::server_time::ServerTime;
use super::session::{self, World};
use super::state::StateKeeper;
use super::tables::{TableHome, cursor_id};
use crate::catalog::{Access, Catalog, EntityName};
use crate::config::Config;
use crate::lake::{Lake, LakeError, Table};

/// How far one table is.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Which.
    pub entity: EntityName,
    /// Everything updated before it is committed.
    pub cursor: Option<DateTime<Utc>>,
    /// The end of the last run that completed it.
    pub last_run: Option<DateTime<Utc>>,
    /// Rows, those marked as deleted included.
    pub rows: Option<u64>,
    /// Version of the table; none before its first run.
    pub version: Option<u64>,
    /// Why the table cannot be read.
    pub damage: Option<String>,
}

impl Standing {
    /// All tables of the configuration, as the lake and the state file have them at `now`; of the klasses, those that exist.
    ///
    /// # Errors
    /// The destination cannot be read.
    pub async fn all(
        config: &Config,
        catalog: &Catalog,
        lake: &Lake,
        world: &World,
        now: DateTime<Utc>,
    ) -> Result<Vec<Self>, RunError> {
        let time = ServerTime::told(Some(now), world.clock.clone());
        let state = &session::state(config, lake, time).await?;
        let mut standings = Vec::new();
        for pipeline in &config.pipelines {
            let entity = catalog.get(pipeline.entity.as_str());
            if let Some(Access::Klasses { prefix, .. }) = entity.map(|entity| &entity.access) {
                let tables = lake.tables().await?;
                for table in tables.iter().filter(|table| table.as_str().starts_with(prefix.as_str())) {
                    standings.push(Self::of(&EntityName::new(table.as_str()), lake, state).await?);
                }
            } else {
                standings.push(Self::of(&pipeline.entity, lake, state).await?);
            }
        }
        Ok(standings)
    }

    /// What the table's log and the state file know together.
    ///
    /// # Errors
    /// The destination cannot be read.
    pub async fn of(entity: &EntityName, lake: &Lake, state: &StateKeeper) -> Result<Self, RunError> {
        let last_run = state.entity(entity.as_str()).and_then(|entity| entity.last_run);
        match Self::of_table(entity, last_run, (lake, state)).await {
            Err(error @ LakeError::Damaged { .. }) => {
                let damage = Some(error.to_string());
                Ok(Self { entity: entity.clone(), cursor: None, last_run, rows: None, version: None, damage })
            }
            other => Ok(other?),
        }
    }

    async fn of_table(
        entity: &EntityName,
        last_run: Option<DateTime<Utc>>,
        (lake, state): (&Lake, &StateKeeper),
    ) -> Result<Self, LakeError> {
        let home = TableHome::find(lake, entity.as_str()).await?;
        let version = home.table().map(Table::version);
        let cursor = home.committed(&cursor_id()).await?.max(state.cursor(entity.as_str()));
        Ok(Self {
            entity: entity.clone(),
            cursor: cursor.filter(|_| version.is_some()),
            last_run,
            rows: home.rows().await?,
            version,
            damage: None,
        })
    }
}
