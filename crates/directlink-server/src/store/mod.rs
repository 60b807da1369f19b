//! The facts on disk. Nothing else knows SQL.
//!
//! ```text
//!   write ──► one connection; acts that come at once share a COMMIT     SQLite, WAL,
//!   read  ──► a few connections that cannot write                      synchronous=FULL
//! ```
//!
//! Written through sqlx's `Any` in the words that SQLite and PostgreSQL share: `$1` placeholders,
//! TEXT ids, BIGINT microseconds, `ON CONFLICT`. Every statement is a constant in a
//! [`statements!`](macro) block, so that a test prepares each of them; there are no others.
//! One file per family of tables; each function takes the connection that its caller has.

pub(crate) mod accounts;
pub(crate) mod api_logs;
pub(crate) mod connections;
pub(crate) mod failover_tests;
pub(crate) mod gateways;
pub(crate) mod interfaces;
pub(crate) mod journal;
pub(crate) mod nets;
pub(crate) mod nics;
pub(crate) mod plans;
pub(crate) mod quotas;
pub(crate) mod route_tables;
mod row;
pub(crate) mod security_groups;
pub(crate) mod sessions;
pub(crate) mod sites;
pub(crate) mod tag_sets;
pub(crate) mod tags;
mod writer;

pub use writer::Tx;

/// What a read or a write goes through; its callers need not know whose it is.
pub(crate) use sqlx::AnyConnection;
use sqlx::{
    Any, AnyPool, ConnectOptions, Connection, Executor, SqlSafeStr, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{Migration, MigrationType, Migrator},
    pool::PoolConnection,
};
use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;
use tokio::sync::watch;
use writer::Writer;

/// Declares constants for SQL texts, and lists them for the test that prepares each.
macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        $(const $name: &str = $sql;)*
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use statements;

/// The world failed: disk, database, or what they hold.
#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot prepare {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    /// A shared COMMIT failed: none of its acts is kept.
    #[error("the database could not keep it")]
    Commit(#[source] Arc<Self>),
    /// Another transaction was quicker: doing it all again may go well.
    #[error("the database was too busy, or another transaction was quicker")]
    Contended(#[source] sqlx::Error),
    #[error("cannot bring the database's tables to this version")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("'{text}' in column {column} cannot be read: {why}")]
    Unreadable { column: String, text: String, why: String },
    #[error("making a Letter of Authorization failed: {0}")]
    Letter(String),
    #[error("making a document failed")]
    Json(#[from] serde_json::Error),
    #[error("making or checking a password failed: {0}")]
    Password(String),
    #[error(transparent)]
    Certificates(#[from] crate::ca::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        // SQLite: BUSY and its kin, and PostgreSQL: serialisation failure, deadlock. A duplicate key
        // is a lost race as well: the codes check first, in the same transaction.
        let contended = error.as_database_error().is_some_and(|e| {
            e.is_unique_violation()
                || e.code().is_some_and(|code| {
                    matches!(code.as_ref(), "5" | "261" | "517" | "40001" | "40P01")
                })
        });
        match contended {
            true => Self::Contended(error),
            false => Self::Database(error),
        }
    }
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    readers: AnyPool,
    /// Carries no data: something was written.
    changes: watch::Sender<()>,
}

const READERS: u32 = 4;

const WRITER: [&str; 6] = [
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
];

const READER: [&str; 2] = ["PRAGMA busy_timeout = 10000", "PRAGMA query_only = ON"];

impl Store {
    /// Opens, or makes, the database at `path`, and brings its tables to this version.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        own_file(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        let url = format!("sqlite://{}?mode=rw", path.display());
        let options: AnyConnectOptions = url.parse()?;
        let options = options.disable_statement_logging();
        let mut connection = AnyConnection::connect_with(&options).await?;
        for pragma in WRITER {
            connection.execute(pragma).await?;
        }
        migrator().run(&mut connection).await?;
        let readers = AnyPoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .idle_timeout(None)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    for pragma in READER {
                        connection.execute(pragma).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        let changes = watch::Sender::new(());
        Ok(Self { writer: Writer::new(connection), readers, changes })
    }

    /// Woken when something was written by this process; what another server writes is not heard.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Something was written.
    pub(crate) fn tell_change(&self) {
        self.changes.send_replace(());
    }

    /// Begins a write transaction; the only one at a time.
    pub async fn begin(&self) -> Result<Tx, Error> {
        self.writer.begin().await
    }

    /// A connection for one read.
    pub async fn reader(&self) -> Result<PoolConnection<Any>, Error> {
        Ok(self.readers.acquire().await?)
    }

    /// A connection for several reads of one moment.
    pub async fn snapshot(&self) -> Result<Transaction<'static, Any>, Error> {
        Ok(self.readers.begin().await?)
    }

    /// Waits for running work, and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn migrator() -> Migrator {
    let texts = [
        (1, "region", include_str!("../../migrations/0001_region.sql")),
        (2, "neighbours", include_str!("../../migrations/0002_neighbours.sql")),
        (3, "direct_connect", include_str!("../../migrations/0003_direct_connect.sql")),
        (10, "cockpit", include_str!("../../migrations/0010_cockpit.sql")),
    ];
    let migration = |(version, name, text): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations(texts.map(migration).into())
}

/// The secrets of every account are in it: for its owner's eyes. SQLite gives its side files
/// (-wal, -shm) the same mode.
fn own_file(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(|_| ())
}

#[cfg(test)]
mod tests;
