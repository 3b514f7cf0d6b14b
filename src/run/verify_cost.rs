//! What a comparison of all tables with the source would cost, told by the tables alone.

use super::census::Closeness;
use super::error::RunError;
use super::session::{self, World};
use super::tables::TableHome;
use crate::catalog::{Access, Catalog};
use crate::config::Config;

/// What a comparison would cost if nothing differed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Tables that can be compared by counting.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
    /// Searches, at least.
    pub searches: u64,
}

/// What comparing the configured tables would cost.
///
/// # Errors
/// The destination cannot be read.
pub async fn comparison(config: &Config, catalog: &Catalog, world: &World) -> Result<Comparison, RunError> {
    let lake = session::lake(config, world)?;
    let mut names = Vec::new();
    for pipeline in &config.pipelines {
        match catalog.get(pipeline.entity.as_str()).map(|entity| &entity.access) {
            Some(Access::Search { .. }) => names.push(pipeline.entity.to_string()),
            Some(Access::Klasses { prefix, .. }) => {
                let tables = lake.tables().await?;
                let own = tables.iter().filter(|table| table.as_str().starts_with(prefix.as_str()));
                names.extend(own.map(ToString::to_string));
            }
            _ => {}
        }
    }
    let mut cost = Comparison::default();
    for name in names {
        let Some(rows) = TableHome::find(&lake, &name).await?.rows().await? else { continue };
        cost.tables += 1;
        cost.rows += rows;
        // One for what was updated since, one for each part; of history, one more on each side of the boundary.
        cost.searches += 1 + rows.div_ceil(Closeness::Everything.rows()).max(1) + 2;
    }
    Ok(cost)
}
