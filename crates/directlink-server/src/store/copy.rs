//! A Region from one database into another, and a look whether all has arrived.
//!
//! ```text
//!   schema   an empty database in memory: tables, columns, and who refers to whom
//!   FROM     one moment of it ──► rows ──► TO, which must be empty: one transaction, tables before those that refer to them
//!                  │ rows, digest            │ read again: rows, digest
//!                  └──────── equal? ─────────┘ of each table; only then is it kept
//! ```
//!
//! A digest is the sum of the hashes of a table's rows: the same in whatever order they are read.

use super::{Address, Error, Store, Tx, connect, migrator};
use futures::TryStreamExt;
use sha2::{Digest as _, Sha256};
use sqlx::{
    Any, AnyConnection, AssertSqlSafe, Row, any::AnyArguments, any::AnyRow, query, query::Query,
};
use std::{collections::BTreeSet, fmt};
use thiserror::Error as ThisError;

/// So many parameters has a statement at most.
const PARAMETERS_MAX: usize = 900;

/// Acts are a database's own: who asks after one asks where it was done.
const TABLES: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\'
                      AND name NOT LIKE 'sqlite%' AND name <> 'act' ORDER BY name";
const COLUMNS: &str = "SELECT name, type FROM pragma_table_info($1)";
const REFERENCES: &str = "SELECT DISTINCT \"table\" AS name FROM pragma_foreign_key_list($1)";

#[derive(Debug, ThisError)]
pub enum CopyError {
    #[error(transparent)]
    Store(#[from] Error),
    #[error("the database to copy to is not empty: table {0} has rows")]
    NotEmpty(String),
    #[error("table {table} arrived as {arrived}, and was {was}: nothing is kept")]
    Different { table: String, was: Digest, arrived: Digest },
    #[error("the tables refer to each other in a circle: {0}")]
    Circle(String),
}

impl From<sqlx::Error> for CopyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub table: String,
    pub digest: Digest,
}

/// How many rows, and what is in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    pub rows: u64,
    sum: u128,
}

impl Digest {
    /// In words.
    pub fn sum(&self) -> String {
        format!("{:032x}", self.sum)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {}", self.rows, self.sum())
    }
}

/// Copies all that is in `from` at one moment into `to`, and says what. Both are brought to this version first.
///
/// # Errors
/// Nothing is copied, or not all: then `to` is as it was.
pub async fn copy(from: &Address, to: &Address) -> Result<Vec<Copied>, CopyError> {
    let tables = schema().await?;
    let (source, target) = (Store::open(from).await?, Store::open(to).await?);
    let outcome = copy_all(&source, &target, &tables).await;
    source.close().await;
    target.close().await;
    outcome
}

async fn copy_all(
    source: &Store,
    target: &Store,
    tables: &[Table],
) -> Result<Vec<Copied>, CopyError> {
    let mut from = source.snapshot().await?;
    let mut tx = target.begin().await?;
    for table in tables {
        let select = table.select();
        if query(AssertSqlSafe(select)).fetch_optional(&mut *tx).await?.is_some() {
            return Err(CopyError::NotEmpty(table.name.clone()));
        }
    }
    let mut copied = Vec::with_capacity(tables.len());
    for table in tables {
        let was = table.copy(&mut from, &mut tx).await?;
        let arrived = table.digest(&mut tx).await?;
        if arrived != was {
            return Err(CopyError::Different { table: table.name.clone(), was, arrived });
        }
        copied.push(Copied { table: table.name.clone(), digest: arrived });
    }
    tx.commit().await?;
    Ok(copied)
}

struct Table {
    name: String,
    columns: Vec<Column>,
}

struct Column {
    name: String,
    is_number: bool,
}

enum Value {
    Number(Option<i64>),
    Text(Option<String>),
}

/// Of this version: every table, after those that it refers to.
async fn schema() -> Result<Vec<Table>, CopyError> {
    sqlx::any::install_default_drivers();
    let mut db = connect(&super::address::options("sqlite::memory:")?, &[]).await?;
    migrator().run(&mut db).await.map_err(Error::from)?;
    let names: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut db).await?;
    let mut left = Vec::new();
    for name in names {
        let columns = query(COLUMNS).bind(name.as_str()).fetch_all(&mut db).await?;
        let column = |row: &AnyRow| -> Result<Column, sqlx::Error> {
            let is_number = row.try_get::<&str, _>("type")? == "BIGINT";
            Ok(Column { name: row.try_get("name")?, is_number })
        };
        let columns = columns.iter().map(column).collect::<Result<_, _>>()?;
        let refers: Vec<String> =
            sqlx::query_scalar(REFERENCES).bind(name.as_str()).fetch_all(&mut db).await?;
        let refers: BTreeSet<_> = refers.into_iter().filter(|other| *other != name).collect();
        left.push((Table { name, columns }, refers));
    }
    let mut ordered: Vec<Table> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_there = |name: &String| ordered.iter().any(|table| table.name == *name);
        let next = left.iter().position(|(_, refers)| refers.iter().all(is_there));
        let Some(next) = next else { return Err(CopyError::Circle(left.remove(0).0.name)) };
        ordered.push(left.remove(next).0);
    }
    Ok(ordered)
}

impl Table {
    fn column_names(&self) -> String {
        self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.column_names(), self.name)
    }

    /// Of so many rows at once.
    fn insert(&self, rows: usize) -> String {
        let row = |n: usize| {
            let one = |c: usize| format!("${}", n * self.columns.len() + c + 1);
            let all = (0..self.columns.len()).map(one).collect::<Vec<_>>();
            format!("({})", all.join(", "))
        };
        let rows = (0..rows).map(row).collect::<Vec<_>>().join(", ");
        format!("INSERT INTO {} ({}) VALUES {rows}", self.name, self.column_names())
    }

    async fn copy(&self, from: &mut AnyConnection, to: &mut Tx) -> Result<Digest, CopyError> {
        let many = (PARAMETERS_MAX / self.columns.len()).max(1);
        let mut digest = Digest::default();
        let select = self.select();
        let mut rows = query(AssertSqlSafe(select)).fetch(from);
        let mut waiting = Vec::with_capacity(many);
        while let Some(row) = rows.try_next().await? {
            let values = self.read(&row)?;
            digest.add(&self.columns, &values);
            waiting.push(values);
            if waiting.len() == many {
                self.write(to, &std::mem::take(&mut waiting)).await?;
            }
        }
        self.write(to, &waiting).await?;
        Ok(digest)
    }

    async fn digest(&self, db: &mut AnyConnection) -> Result<Digest, CopyError> {
        let mut digest = Digest::default();
        let select = self.select();
        let mut rows = query(AssertSqlSafe(select)).fetch(db);
        while let Some(row) = rows.try_next().await? {
            digest.add(&self.columns, &self.read(&row)?);
        }
        Ok(digest)
    }

    fn read(&self, row: &AnyRow) -> Result<Vec<Value>, sqlx::Error> {
        let value = |(n, column): (usize, &Column)| {
            Ok(match column.is_number {
                true => Value::Number(row.try_get(n)?),
                false => Value::Text(row.try_get(n)?),
            })
        };
        self.columns.iter().enumerate().map(value).collect()
    }

    async fn write(&self, to: &mut Tx, rows: &[Vec<Value>]) -> Result<(), sqlx::Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let insert = self.insert(rows.len());
        let statement = rows.iter().flatten().fold(query(AssertSqlSafe(insert)), bind);
        statement.execute(&mut **to).await?;
        Ok(())
    }
}

fn bind<'q>(
    statement: Query<'q, Any, AnyArguments>,
    value: &'q Value,
) -> Query<'q, Any, AnyArguments> {
    match value {
        Value::Number(number) => statement.bind(*number),
        Value::Text(text) => statement.bind(text.as_deref()),
    }
}

impl Digest {
    fn add(&mut self, columns: &[Column], values: &[Value]) {
        let mut hash = Sha256::new();
        for (column, value) in columns.iter().zip(values) {
            hash.update(column.name.as_bytes());
            match value {
                Value::Number(Some(number)) => {
                    hash.update([&b"=n"[..], &number.to_be_bytes()].concat());
                }
                Value::Text(Some(text)) => {
                    hash.update(b"=t");
                    hash.update(text.len().to_be_bytes());
                    hash.update(text.as_bytes());
                }
                Value::Number(None) | Value::Text(None) => hash.update(b"=0"),
            }
        }
        let mut half = [0; 16];
        half.copy_from_slice(&hash.finalize()[..16]);
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(half));
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::app::tests::{Bench, interface};

    /// With something in most tables.
    async fn full() -> Bench {
        let b = Bench::new().await;
        let (line, (_, gateway)) = (b.lit().await, b.net().await);
        let wanted = interface(line, Some(gateway));
        let id = b.app.create_interface(&b.alice(), wanted).await.unwrap().interface.id;
        b.say(true, &[id]).await;
        b
    }

    async fn digests(store: &Store) -> Vec<(String, Digest)> {
        let mut db = store.snapshot().await.unwrap();
        let mut all = vec![];
        for table in schema().await.unwrap() {
            all.push((table.name.clone(), table.digest(&mut db).await.unwrap()));
        }
        all
    }

    #[tokio::test]
    async fn a_region_goes_from_a_file_to_a_cluster_and_back_without_a_difference() {
        let (first, second, third) =
            (full().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let from = testing::address(first.dir.path()).await;
        let (cluster, file) = (testing::database(second.path()).await, testing::file(third.path()));
        let there = copy(&from, &cluster).await.unwrap();
        let back = copy(&cluster, &file).await.unwrap();
        assert_eq!(there, back);
        let rows = |table: &str| there.iter().find(|c| c.table == table).unwrap().digest.rows;
        assert!(rows("connection") > 0 && rows("interface") > 0 && rows("event") > 0);
        let store = Store::open(&file).await.unwrap();
        let is_in_file: Vec<_> = digests(&store).await;
        let copied: Vec<_> = back.into_iter().map(|c| (c.table, c.digest)).collect();
        assert_eq!(is_in_file, copied);
    }

    #[tokio::test]
    async fn nothing_is_copied_over_what_is_there() {
        let (first, second) = (full().await, full().await);
        let from = testing::address(first.dir.path()).await;
        let to = testing::address(second.dir.path()).await;
        let before = digests(&second.app.parts().store).await;
        let refused = copy(&from, &to).await.unwrap_err();
        assert!(matches!(refused, CopyError::NotEmpty(_)), "{refused}");
        assert_eq!(digests(&second.app.parts().store).await, before);
    }

    #[test]
    fn a_digest_is_the_same_in_any_order_and_another_for_any_other_value() {
        let columns = ["a", "b"].map(|name| Column { name: name.into(), is_number: name == "a" });
        let row =
            |a: Option<i64>, b: Option<&str>| [Value::Number(a), Value::Text(b.map(Into::into))];
        let of = |rows: &[[Value; 2]]| {
            let mut digest = Digest::default();
            rows.iter().for_each(|row| digest.add(&columns, row));
            digest
        };
        let one = || row(Some(1), Some("x"));
        let other = || row(None, Some(""));
        assert_eq!(of(&[one(), other()]), of(&[other(), one()]));
        for changed in
            [row(Some(2), Some("x")), row(Some(1), Some("y")), row(Some(1), None), other()]
        {
            assert_ne!(of(&[one()]), of(&[changed]));
        }
        assert_ne!(of(&[one()]), of(&[one(), one()]), "a row more");
    }
}
