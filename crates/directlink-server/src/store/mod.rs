//! The facts on disk. Nothing else knows SQL.
//!
//! ```text
//!   write ──► one connection; acts that come at once share a COMMIT     SQLite, WAL,
//!   read  ──► a few connections that cannot write                      synchronous=FULL
//!             or memory, while it is what the database says
//! ```
//!
//! Written through sqlx's `Any` in the words that SQLite and PostgreSQL share: `$1` placeholders,
//! TEXT ids, BIGINT microseconds, `ON CONFLICT`. Every statement is a constant in a
//! [`statements!`](macro) block, so that a test prepares each of them; there are no others.
//! One file per family of tables; each function takes the connection that its caller has.

pub(crate) mod accounts;
pub(crate) mod api_logs;
pub mod audit;
pub(crate) mod bgp_peers;
pub(crate) mod connections;
pub(crate) mod editions;
pub(crate) mod failover_tests;
pub(crate) mod figures;
pub(crate) mod gateways;
pub(crate) mod hosted_connections;
pub(crate) mod interface_pages;
pub(crate) mod interfaces;
pub(crate) mod inventory;
pub(crate) mod journal;
mod kept;
pub(crate) mod lags;
pub(crate) mod nets;
pub(crate) mod nics;
pub(crate) mod order_needs;
pub(crate) mod outbox;
pub(crate) mod plans;
pub(crate) mod quotas;
mod readers;
pub(crate) mod route_tables;
mod row;
pub(crate) mod row_pages;
pub(crate) mod security_groups;
pub(crate) mod sessions;
pub(crate) mod sites;
pub(crate) mod tag_sets;
pub(crate) mod tags;
pub(crate) mod webhooks;
pub(crate) mod wire_vlans;
mod writer;

pub(crate) use kept::Lines;
pub use writer::Tx;

use kept::Kept;
use readers::{Reader, Readers};
/// What a read or a write goes through; its callers need not know whose it is.
pub(crate) use sqlx::AnyConnection;
use sqlx::{
    ConnectOptions, Connection, Executor, SqlSafeStr,
    any::AnyConnectOptions,
    migrate::{Migration, MigrationType, Migrator},
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
    readers: Readers,
    kept: Arc<Kept>,
    /// Carries no data: something was written.
    changes: watch::Sender<()>,
}

const READERS: usize = 4;

const WRITER: [&str; 7] = [
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 10000",
    // A page that many commits change is copied from the log into the file once for them all.
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
];

const READER: [&str; 3] =
    ["PRAGMA busy_timeout = 10000", "PRAGMA query_only = ON", "PRAGMA cache_size = -8192"];

impl Store {
    /// Opens, or makes, the database at `path`, and brings its tables to this version.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        own_file(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        let url = format!("sqlite://{}?mode=rw", path.display());
        let options: AnyConnectOptions = url.parse()?;
        let options = options.disable_statement_logging();
        let mut connection = connect(&options, &WRITER).await?;
        migrator().run(&mut connection).await?;
        let mut readers = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            readers.push(connect(&options, &READER).await?);
        }
        let kept = Arc::<Kept>::default();
        let writer = Writer::new(connection, kept.editions.clone());
        let changes = watch::Sender::new(());
        Ok(Self { writer, readers: Readers::new(readers), kept, changes })
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
    pub(crate) async fn reader(&self) -> Result<Reader, Error> {
        self.readers.reader().await
    }

    /// A connection for several reads of one moment.
    pub(crate) async fn snapshot(&self) -> Result<Reader, Error> {
        self.readers.snapshot().await
    }

    /// Waits for running work, and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn connect(
    options: &AnyConnectOptions,
    pragmas: &[&'static str],
) -> Result<AnyConnection, Error> {
    let mut connection = AnyConnection::connect_with(options).await?;
    for &pragma in pragmas {
        connection.execute(pragma).await?;
    }
    Ok(connection)
}

fn migrator() -> Migrator {
    let texts = [
        (1, "region", include_str!("../../migrations/0001_region.sql")),
        (2, "neighbours", include_str!("../../migrations/0002_neighbours.sql")),
        (3, "direct_connect", include_str!("../../migrations/0003_direct_connect.sql")),
        (4, "hosted_connections", include_str!("../../migrations/0004_hosted_connections.sql")),
        (5, "lags", include_str!("../../migrations/0005_lags.sql")),
        (6, "bgp_peers", include_str!("../../migrations/0006_bgp_peers.sql")),
        (10, "cockpit", include_str!("../../migrations/0010_cockpit.sql")),
        (13, "mail", include_str!("../../migrations/0013_mail.sql")),
        (14, "desk", include_str!("../../migrations/0014_desk.sql")),
        (17, "inventory", include_str!("../../migrations/0017_inventory.sql")),
        (18, "orders", include_str!("../../migrations/0018_orders.sql")),
        (19, "figures", include_str!("../../migrations/0019_figures.sql")),
        (20, "pages", include_str!("../../migrations/0020_pages.sql")),
        (21, "letters", include_str!("../../migrations/0021_letters.sql")),
        (26, "webhooks", include_str!("../../migrations/0026_webhooks.sql")),
        (27, "audit", include_str!("../../migrations/0027_audit.sql")),
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
