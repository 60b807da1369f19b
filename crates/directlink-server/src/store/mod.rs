//! The facts on disk. Nothing else knows SQL.
//!
//! ```text
//!   SQLite       write ──► one connection; acts that come at once share a COMMIT (WAL, synchronous=FULL)
//!                read  ──► a few connections that cannot write, or memory, while it is what the database says
//!   PostgreSQL   write ──► a SERIALIZABLE transaction on the node that takes writes; several servers may
//!                read  ──► the same node; nothing is kept in memory, as others write too
//! ```
//!
//! Written through sqlx's `Any` in the words that both share: `$1` placeholders,
//! TEXT ids, BIGINT microseconds, `ON CONFLICT`. Every statement is a constant in a
//! [`statements!`](macro) block, so that a test prepares each of them; there are no others.
//! One file per family of tables; each function takes the connection that its caller has.

pub(crate) mod accounts;
mod address;
pub(crate) mod api_logs;
pub mod audit;
pub(crate) mod authorities;
pub(crate) mod bgp_peers;
pub(crate) mod certificates;
pub(crate) mod connections;
pub mod copy;
pub(crate) mod editions;
pub(crate) mod failover_tests;
pub(crate) mod figures;
pub(crate) mod fleet;
pub(crate) mod gateways;
pub(crate) mod guards;
pub(crate) mod hints;
pub(crate) mod hosted_connections;
pub(crate) mod interface_pages;
pub(crate) mod interfaces;
pub(crate) mod inventory;
pub(crate) mod journal;
mod kept;
pub(crate) mod lags;
pub(crate) mod maintenance;
pub(crate) mod nets;
pub(crate) mod nics;
pub(crate) mod order_needs;
pub(crate) mod outbox;
pub(crate) mod plans;
mod pool;
mod postgres;
mod primary;
pub(crate) mod quotas;
pub(crate) mod route_tables;
mod row;
pub(crate) mod row_pages;
pub(crate) mod security_groups;
pub(crate) mod sessions;
pub(crate) mod sites;
pub(crate) mod tag_sets;
pub(crate) mod tags;
#[cfg(test)]
pub(crate) mod testing;
mod tx;
pub mod weather;
pub(crate) mod webhooks;
pub(crate) mod wire_vlans;
mod writer;

pub use address::{Address, BadAddress, Cluster};
pub(crate) use kept::Lines;
pub(crate) use tx::Planned;
pub use tx::Tx;

use hints::{Hint, Hints};
use kept::Kept;
use pool::{Lent, Pool};
use postgres::Postgres;
use primary::Primary;
/// What a read or a write goes through; its callers need not know whose it is.
pub(crate) use sqlx::AnyConnection;
use sqlx::{
    Connection, Executor, SqlSafeStr,
    any::AnyConnectOptions,
    migrate::{Migration, MigrationType, Migrator},
};
use std::{
    fs,
    future::Future,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::timeout,
};
use weather::{Sky, Weather};
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
    /// The connection broke before anything was asked to be kept: doing it all again may go well.
    #[error("the database is gone, or takes no writes")]
    Lost(#[source] sqlx::Error),
    /// The same of a database that says nothing.
    #[error("the database did not answer in time")]
    Late,
    /// A COMMIT was not answered, and nobody could be asked what came of it.
    #[error(
        "the database was gone before it could say whether it kept that: look before you do it again"
    )]
    Unknown,
    #[error("the database sorts texts as {0} does; make it with LC_COLLATE 'C'")]
    Order(String),
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
                    matches!(code.as_ref(), "5" | "261" | "517" | "40001" | "40P01" | "55P03")
                })
        });
        match contended {
            true => Self::Contended(error),
            false if is_lost(&error) => {
                primary::doubt();
                Self::Lost(error)
            }
            false => Self::Database(error),
        }
    }
}

/// Nobody is at the other end, or somebody who takes no writes: a node that stops or starts, or became a standby. SQLite
/// has no such.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08")
                || matches!(
                    code.as_ref(),
                    "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006" | "53300"
                )
        }),
        _ => false,
    }
}

impl Error {
    /// The database says nothing: neither may others that were asked before.
    pub(crate) fn late() -> Self {
        primary::doubt();
        Self::Late
    }

    /// For whoever asked: what has come of it.
    pub(crate) const fn told(&self) -> &'static str {
        match self {
            Self::Unknown => {
                "The database was lost before it could say whether that was done. Look before you try again."
            }
            _ => "The request could not be served. It changed nothing; try again.",
        }
    }

    /// Nothing is kept of what was asked, and doing it all again may go well.
    pub(crate) const fn can_be_done_again(&self) -> bool {
        matches!(self, Self::Contended(_) | Self::Lost(_) | Self::Late)
    }
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Engine,
    kept: Arc<Kept>,
    /// Carries no data: something was written.
    changes: watch::Sender<()>,
    hints: Hints,
    sky: Sky,
    background: Arc<Semaphore>,
}

#[derive(Clone)]
enum Engine {
    Sqlite { writer: Writer, readers: Pool },
    Postgres(Postgres),
}

const READERS: usize = 4;

/// Long acts that a server of a cluster has at a time, beside those of customers.
const BACKGROUND: usize = 4;

fn background(places: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(places))
}

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
    /// Opens the database, a file also if it is not there yet, and brings its tables to this version.
    pub async fn open(address: &Address) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        match address {
            Address::Sqlite(path) => Self::open_file(path).await,
            Address::Postgres(cluster) => Self::open_cluster(cluster).await,
        }
    }

    async fn open_file(path: &Path) -> Result<Self, Error> {
        own_file(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        let options = address::options(&format!("sqlite://{}?mode=rw", path.display()))?;
        let mut connection = connect(&options, &WRITER).await?;
        migrator().run(&mut connection).await?;
        let mut readers = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            readers.push(connect(&options, &READER).await?);
        }
        let kept = Arc::<Kept>::default();
        let writer = Writer::new(connection, kept.editions.clone());
        let engine = Engine::Sqlite { writer, readers: Pool::of(readers) };
        let (changes, hints) = (watch::Sender::new(()), Hints::unheard());
        Ok(Self { engine, kept, changes, hints, sky: None, background: background(1) })
    }

    async fn open_cluster(cluster: &Cluster) -> Result<Self, Error> {
        let postgres = Postgres::open(Primary::of(cluster.clone()), &migrator()).await?;
        let changes = watch::Sender::new(());
        let hints = Hints::exchanged(&postgres, &changes);
        let kept = Arc::new(Kept::nothing());
        let (engine, background) = (Engine::Postgres(postgres), background(BACKGROUND));
        Ok(Self { engine, kept, changes, hints, sky: None, background })
    }

    /// The same under a weather: a file that is as unsteady as a cluster.
    #[must_use]
    pub fn in_weather(self, weather: Arc<dyn Weather>) -> Self {
        let kept = match weather.is_shared() {
            true => Arc::new(Kept::nothing()),
            false => self.kept,
        };
        Self { kept, sky: Some(weather), ..self }
    }

    /// A place for a long act that no customer waits for, until dropped. There are few: who is waited for, waits for few.
    pub(crate) async fn in_background(&self) -> Option<SemaphorePermit<'_>> {
        self.background.acquire().await.ok()
    }

    /// Whether other servers may write to it as well.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_)) || weather::is_shared(&self.sky)
    }

    /// Woken when something was written: by this server at once, by another soon.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Something was written.
    pub(crate) fn tell_change(&self) {
        self.changes.send_replace(());
        self.hints.tell(Hint::Changed);
    }

    /// What goes on between servers.
    pub(crate) const fn hints(&self) -> &Hints {
        &self.hints
    }

    /// Begins a write transaction. Of a file it is the only one at a time.
    pub async fn begin(&self) -> Result<Tx, Error> {
        self.begin_again(1).await
    }

    /// The same after others were quicker: from some attempt on it is the only one at a time.
    pub(crate) async fn begin_again(&self, attempt: u32) -> Result<Tx, Error> {
        const ALONE_FROM: u32 = 4;
        weather::ask(&self.sky).await?;
        match &self.engine {
            Engine::Sqlite { writer, .. } => {
                Ok(Tx::at_desk(writer.begin().await?).under(self.sky.clone()))
            }
            Engine::Postgres(postgres) => {
                Ok(Tx::at_work(postgres.begin(attempt >= ALONE_FROM).await?))
            }
        }
    }

    /// A connection for one read.
    pub(crate) async fn reader(&self) -> Result<Lent, Error> {
        weather::ask(&self.sky).await?;
        match &self.engine {
            Engine::Sqlite { readers, .. } => readers.lend().await,
            Engine::Postgres(postgres) => postgres.readers.lend().await,
        }
    }

    /// A connection for several reads of one moment.
    pub(crate) async fn snapshot(&self) -> Result<Lent, Error> {
        weather::ask(&self.sky).await?;
        match &self.engine {
            Engine::Sqlite { readers, .. } => readers.lend_within("BEGIN").await,
            Engine::Postgres(postgres) => postgres.snapshot().await,
        }
    }

    /// A block of statements, for as long as its database may be expected to take.
    pub(crate) async fn in_time<T, E: From<Error>>(
        &self,
        block: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.within(primary::ACT_WITHIN, block).await.unwrap_or_else(|late| Err(late.into()))
    }

    /// A read that somebody waits for, and what is made of it: of a database that hangs it is not waited for long.
    pub(crate) async fn read_in_time<T>(&self, read: impl Future<Output = T>) -> Result<T, Error> {
        self.within(primary::READ_WITHIN, read).await
    }

    async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Result<T, Error> {
        match &self.engine {
            Engine::Sqlite { .. } => Ok(work.await),
            Engine::Postgres(_) => timeout(limit, work).await.map_err(|_| Error::late()),
        }
    }

    /// Waits for running work, and closes the database.
    pub async fn close(&self) {
        self.hints.stop();
        match &self.engine {
            Engine::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Engine::Postgres(postgres) => postgres.close().await,
        }
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
        (24, "maintenance", include_str!("../../migrations/0024_maintenance.sql")),
        (26, "webhooks", include_str!("../../migrations/0026_webhooks.sql")),
        (27, "audit", include_str!("../../migrations/0027_audit.sql")),
        (28, "servers", include_str!("../../migrations/0028_servers.sql")),
        (29, "fleet", include_str!("../../migrations/0029_fleet.sql")),
        (31, "marks", include_str!("../../migrations/0031_marks.sql")),
        (32, "certificates", include_str!("../../migrations/0032_certificates.sql")),
        (33, "authorities", include_str!("../../migrations/0033_authorities.sql")),
        (35, "plan news", include_str!("../../migrations/0035_plan_news.sql")),
        (36, "unclaimed light", include_str!("../../migrations/0036_unclaimed_light.sql")),
        (37, "bundled", include_str!("../../migrations/0037_bundled.sql")),
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
mod cluster_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod way;
