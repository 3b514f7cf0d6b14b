//! `views.sql`: the live files of every table by name, for readers that know Parquet but not the log.
//!
//! The rule: a view has the table's columns and types whatever the files hold, so that a query never fails for want of
//! rows or of a column that is younger than a file.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;

use super::error::LakeError;
use super::names::TableName;
use super::store::Lake;
use super::table::Table;
use super::writer::location;

/// The file below the root.
const VIEWS: &str = "views.sql";

/// The column that marks rows which the source deleted.
const DELETED: &str = "_deleted";

/// Tables whose logs are read at once.
const LISTINGS: usize = 4;

/// What a view shows.
#[derive(Debug, Clone)]
pub struct TableFiles {
    /// The table, and the view.
    pub name: TableName,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its live files: absolute paths or `s3://` addresses.
    pub files: Vec<String>,
}

/// Gives the statements that follow the views of these names.
pub type More = fn(&BTreeSet<String>) -> String;

/// `views.sql` of one lake, kept up to date commit by commit.
#[derive(Debug)]
pub struct Views {
    lake: Lake,
    more: More,
    tables: Mutex<BTreeMap<TableName, TableFiles>>,
}

impl Views {
    /// The views of all tables that the lake holds by now, and what follows them.
    ///
    /// # Errors
    /// [`LakeError::Unusable`], [`LakeError::Newer`]; a damaged table is left out, since it concerns no other.
    pub async fn open(lake: &Lake, more: More) -> Result<Self, LakeError> {
        let names = futures::stream::iter(lake.tables().await?);
        let listed = names.map(|name| async move {
            let listed = match lake.table(&name).await {
                Ok(Some(table)) => TableFiles::of(&table).await.map(Some),
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            match listed {
                Ok(listed) => Ok(listed),
                Err(LakeError::Damaged { table, problem }) => {
                    tracing::warn!(%table, error = %problem, "a damaged table has no view");
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        });
        let tables: Vec<Option<TableFiles>> = listed.buffered(LISTINGS).try_collect().await?;
        let tables = tables.into_iter().flatten().map(|table| (table.name.clone(), table)).collect();
        Ok(Self { lake: lake.clone(), more, tables: Mutex::new(tables) })
    }

    /// The columns of every table.
    pub async fn schemas(&self) -> BTreeMap<TableName, SchemaRef> {
        let tables = self.tables.lock().await;
        tables.iter().map(|(name, table)| (name.clone(), SchemaRef::clone(&table.schema))).collect()
    }

    /// The text of `views.sql`, in the order of the tables' names.
    pub async fn sql(&self) -> String {
        self.text(&*self.tables.lock().await)
    }

    fn text(&self, tables: &BTreeMap<TableName, TableFiles>) -> String {
        views_sql(tables.values(), self.more)
    }

    /// Rewrites the file.
    ///
    /// # Errors
    /// [`LakeError::Unusable`].
    pub async fn write(&self) -> Result<(), LakeError> {
        let tables = self.tables.lock().await;
        self.lake.put(VIEWS, self.text(&tables)).await
    }

    /// Takes up new versions of tables and rewrites the file.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] or [`LakeError::Damaged`].
    pub async fn committed<'a>(&self, new: impl IntoIterator<Item = &'a Table>) -> Result<(), LakeError> {
        let mut changed = Vec::new();
        for table in new {
            changed.push(TableFiles::of(table).await?);
        }
        if changed.is_empty() {
            return Ok(());
        }
        // Held while the file is written, so that an older text never replaces a newer one.
        let mut tables = self.tables.lock().await;
        tables.extend(changed.into_iter().map(|files| (files.name.clone(), files)));
        self.lake.put(VIEWS, self.text(&tables)).await
    }
}

impl TableFiles {
    /// What a view of this version shows.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] or [`LakeError::Damaged`].
    pub async fn of(table: &Table) -> Result<Self, LakeError> {
        let root = table.lake().root();
        let bucket = root.host_str().filter(|_| root.scheme() != "file");
        let mut files = Vec::new();
        for file in table.files("").await? {
            let path = location(table, &file.path)?;
            files.push(bucket.map_or_else(|| format!("/{path}"), |bucket| format!("s3://{bucket}/{path}")));
        }
        Ok(Self { name: table.name().clone(), schema: table.schema().clone(), files })
    }
}

/// One statement a view, in DuckDB's SQL: all rows as `<table>`, and those not deleted as `<table>_live`; then more.
#[must_use]
pub fn views_sql<'a>(tables: impl IntoIterator<Item = &'a TableFiles>, more: More) -> String {
    let tables: Vec<_> = tables.into_iter().collect();
    let names: HashSet<String> = tables.iter().map(|table| table.name.as_str().to_lowercase()).collect();
    let mut sql = String::from("-- Written by kustlake at each commit: duckdb -init views.sql\n");
    let mut views = BTreeSet::new();
    for table in tables {
        sql.push_str(&view(table));
        views.insert(table.name.to_string());
        let live = format!("{}_live", table.name);
        if table.schema.column_with_name(DELETED).is_some() && !names.contains(&live.to_lowercase()) {
            let (live, name, deleted) = (identifier(&live), identifier(table.name.as_str()), identifier(DELETED));
            let _ = writeln!(
                sql,
                "CREATE OR REPLACE VIEW {live} AS SELECT * FROM {name} WHERE NOT coalesce({deleted}, false);"
            );
            views.insert(format!("{}_live", table.name));
        }
    }
    sql.push_str(&more(&views));
    sql
}

fn view(table: &TableFiles) -> String {
    let columns: Vec<String> = table
        .schema
        .fields()
        .iter()
        .map(|field| format!("NULL::{} AS {}", sql_type(field.data_type()), identifier(field.name())))
        .collect();
    let mut sql = format!(
        "CREATE OR REPLACE VIEW {} AS SELECT {} WHERE false",
        identifier(table.name.as_str()),
        columns.join(", ")
    );
    if !table.files.is_empty() {
        let files: Vec<String> =
            table.files.iter().map(|file| format!("  {}", literal(&without_globs(file)))).collect();
        let files = files.join(",\n");
        let _ = write!(sql, "\nUNION ALL BY NAME SELECT * FROM read_parquet([\n{files}\n], union_by_name = true)");
    }
    sql.push_str(";\n");
    sql
}

fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP".to_owned(),
        DataType::Timestamp(_, _) => "TIMESTAMP WITH TIME ZONE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Binary => "BLOB".to_owned(),
        DataType::List(element) => format!("{}[]", sql_type(element.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{} {}", identifier(field.name()), sql_type(field.data_type())))
                .collect();
            format!("STRUCT({})", fields.join(", "))
        }
        _ => "VARCHAR".to_owned(),
    }
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The path so that a reader which expands patterns finds the file itself.
fn without_globs(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '*' | '?' | '[' => plain.extend(['[', c, ']']),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, Schema};
    use object_store::ObjectStoreExt;

    use super::*;
    use crate::lake::testing::{append, committed, create, memory, rows};

    fn table(name: &str, files: &[&str]) -> TableFiles {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let tags = DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)));
        let fields = vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("say \"when\"", utc, true),
            Field::new("tag_ids", tags, true),
            Field::new(DELETED, DataType::Boolean, true),
        ];
        TableFiles {
            name: TableName::new(name).unwrap(),
            schema: Arc::new(Schema::new(fields)),
            files: files.iter().map(|&file| file.to_owned()).collect(),
        }
    }

    #[test]
    fn names_paths_and_types_are_written_as_the_reader_takes_them() {
        insta::assert_snapshot!(views_sql(&[table("tags", &["/a b/it's [1]/x.parquet"]), table("teams", &[])], |views| format!("{views:?}\n")), @r#"
    -- Written by kustlake at each commit: duckdb -init views.sql
    CREATE OR REPLACE VIEW "tags" AS SELECT NULL::VARCHAR AS "id", NULL::TIMESTAMP WITH TIME ZONE AS "say ""when""", NULL::VARCHAR[] AS "tag_ids", NULL::BOOLEAN AS "_deleted" WHERE false
    UNION ALL BY NAME SELECT * FROM read_parquet([
      '/a b/it''s [[]1]/x.parquet'
    ], union_by_name = true);
    CREATE OR REPLACE VIEW "tags_live" AS SELECT * FROM "tags" WHERE NOT coalesce("_deleted", false);
    CREATE OR REPLACE VIEW "teams" AS SELECT NULL::VARCHAR AS "id", NULL::TIMESTAMP WITH TIME ZONE AS "say ""when""", NULL::VARCHAR[] AS "tag_ids", NULL::BOOLEAN AS "_deleted" WHERE false;
    CREATE OR REPLACE VIEW "teams_live" AS SELECT * FROM "teams" WHERE NOT coalesce("_deleted", false);
    {"tags", "tags_live", "teams", "teams_live"}
    "#);
    }

    #[test]
    fn a_live_view_never_replaces_a_table() {
        let sql = views_sql(&[table("kobject_a", &[]), table("kobject_a_LIVE", &[])], |_| String::new());
        assert_eq!(sql.matches("VIEW \"kobject_a_live\"").count(), 0);
        assert_eq!(sql.matches("VIEW \"kobject_a_LIVE_live\"").count(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_file_names_the_live_files() {
        let lake = memory();
        let table = committed(append(&create(&lake).await, &rows(0..3)).await);
        Views::open(&lake, |_| String::new()).await.unwrap().committed([&table]).await.unwrap();
        let path = lake.object(VIEWS).unwrap();
        let sql = lake.store().get(&path).await.unwrap().bytes().await.unwrap();
        let file = table.files("id").await.unwrap().remove(0);
        assert!(String::from_utf8_lossy(&sql).contains(&format!("'s3://bucket/lake/tags/{}'", file.path)));
    }
}
