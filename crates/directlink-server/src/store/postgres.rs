//! Acts on a PostgreSQL cluster: each a SERIALIZABLE transaction on a connection of its own.
//!
//! ```text
//!   BEGIN; LOCK gate ─► statements ─► events ─► INSERT act; COMMIT ─► yes, or no: that is the answer
//!     │ shared; an act that was                        │ the connection broke
//!     │ in the way of others too                       ▼
//!     │ often: alone                     elsewhere: INSERT the same act as one that is not kept
//!     ▼                                     │ waits for the broken one, if that is still at work
//!   so each comes to its end                ├─► it is there: kept, that is the answer
//!                                           └─► now it can never be: not kept, all can be done again
//! ```
//!
//! Serialisation failures, and everything that breaks before a COMMIT is sent, are the same: it never was, and is done
//! again (`write_tx!`). What was answered with "done" is in the database; with a synchronous standby, in both.

use super::{
    Error,
    journal::{self, Unwritten},
    pool::{Lent, Pool},
    primary::{ACT_WITHIN, Primary, doubt, within},
};
use sqlx::{AnyConnection, AssertSqlSafe, Executor, migrate::Migrator, query_scalar};
use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};
use tokio::{
    task,
    time::{sleep, timeout},
};
use tracing::{info, warn};
use uuid::Uuid;

/// Connections of one server: to write, and to read.
const WRITERS: u32 = 16;
const READERS: u32 = 16;

/// How long a broken COMMIT is asked after.
const LOOK_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);

const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE gate IN ROW SHARE MODE";
const BEGIN_ALONE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE gate IN EXCLUSIVE MODE";
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const ORDER: &str =
    "SELECT datcollate::text AS name FROM pg_database WHERE datname = current_database()";
const NEVER: &str = "INSERT INTO act (id, is_kept) VALUES ($1, 0) ON CONFLICT (id) DO NOTHING";
const IS_KEPT: &str = "SELECT is_kept FROM act WHERE id = $1";

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Postgres {
    pub(super) primary: Primary,
    writers: Pool,
    pub(super) readers: Pool,
}

/// An act under way. Dropped, it never was.
pub(super) struct Work {
    lent: Lent,
    primary: Primary,
}

impl Postgres {
    /// Brings the tables to this version; one server does, the others wait for it.
    pub(super) async fn open(primary: Primary, migrator: &Migrator) -> Result<Self, Error> {
        let mut connection = primary.connect_bare().await?;
        let order: String = query_scalar(ORDER).fetch_one(&mut connection).await?;
        if !matches!(order.as_str(), "C" | "POSIX" | "C.UTF-8" | "C.utf8") {
            return Err(Error::Order(order));
        }
        migrator.run(&mut connection).await?;
        drop(connection);
        let (writers, readers) =
            (Pool::to(primary.clone(), WRITERS), Pool::to(primary.clone(), READERS));
        Ok(Self { primary, writers, readers })
    }

    /// `alone`: no other act is under way meanwhile.
    pub(super) async fn begin(&self, alone: bool) -> Result<Work, Error> {
        let begin = if alone { BEGIN_ALONE } else { BEGIN };
        let lent = self.writers.lend_within(begin).await?;
        Ok(Work { lent, primary: self.primary.clone() })
    }

    pub(super) async fn snapshot(&self) -> Result<Lent, Error> {
        self.readers.lend_within(SNAPSHOT).await
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

impl Work {
    /// Ends in a task of its own: whoever asked may leave.
    pub(super) async fn commit(self, events: Vec<Unwritten>) -> Result<(), Error> {
        task::spawn(self.end(events)).await.unwrap_or(Err(Error::Unknown))
    }

    async fn end(mut self, events: Vec<Unwritten>) -> Result<(), Error> {
        match timeout(ACT_WITHIN, journal::write(&mut self.lent, &events)).await {
            Ok(written) => written?,
            Err(_) => {
                doubt();
                self.lent.discard();
                return Err(Error::Late);
            }
        }
        let act = Uuid::now_v7();
        // In one message. Of the text only the number is not a constant.
        let both = format!("INSERT INTO act (id, is_kept) VALUES ('{act}', 1); COMMIT");
        match within((&mut *self.lent).execute(AssertSqlSafe(both))).await {
            Ok(_) => {
                self.lent.has_ended();
                Ok(())
            }
            // Broken, or silent: what came of it is not known.
            Err(Error::Lost(_) | Error::Late) => {
                self.lent.discard();
                look(&self.primary, act).await
            }
            // It said no.
            Err(error) => Err(error),
        }
    }

    pub(super) async fn rollback(mut self) {
        if within((&mut *self.lent).execute("ROLLBACK")).await.is_ok() {
            self.lent.has_ended();
        }
    }
}

/// Whether an act is kept whose COMMIT was not answered. Whoever finds that it is not sees to it that it never is.
async fn look(primary: &Primary, act: Uuid) -> Result<(), Error> {
    warn!(%act, "a COMMIT was not answered");
    let found = timeout(LOOK_WITHIN, async {
        loop {
            if let Ok(mut db) = primary.connect().await
                && let Ok(is_kept) = settle(&mut db, act).await
            {
                return is_kept;
            }
            sleep(LOOK_EVERY).await;
        }
    });
    match found.await {
        Ok(true) => {
            info!(%act, "it is kept");
            Ok(())
        }
        Ok(false) => {
            info!(%act, "it is not kept, and never will be");
            Err(Error::Lost(sqlx::Error::WorkerCrashed))
        }
        Err(_) => Err(Error::Unknown),
    }
}

async fn settle(db: &mut AnyConnection, act: Uuid) -> Result<bool, Error> {
    let act = act.to_string();
    sqlx::query(NEVER).bind(act.as_str()).execute(&mut *db).await?;
    let is_kept: i64 = query_scalar(IS_KEPT).bind(act.as_str()).fetch_one(db).await?;
    Ok(is_kept != 0)
}

impl Deref for Work {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.lent
    }
}

impl DerefMut for Work {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.lent
    }
}
