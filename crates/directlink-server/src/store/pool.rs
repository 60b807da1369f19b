//! Connections that are lent out one at a time. Last in, first out, so that few callers find a warm one.
//!
//! ```text
//!   SQLite       four that read, opened once                 PostgreSQL   as many as are needed, up to a
//!                                                            number; each is to the node that takes writes
//!   lent ──► dropped ──► idle ──► lent …                     doubted (something broke since it was last used):
//!                └► a transaction is open: ROLLBACK first    asked first, and replaced if it does not answer
//! ```
//!
//! sqlx has a pool of its own; it asks each connection whether it still lives whenever one comes
//! back, which for a file is a walk to its thread and back for nothing, as dear as a small read.

use super::{
    Error,
    primary::{self, Primary},
};
use sqlx::{AnyConnection, Connection, Executor};
use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool {
    /// A permit for each connection that is not lent.
    free: Arc<Semaphore>,
    many: u32,
    idle: Arc<Mutex<Vec<Idle>>>,
    /// Who opens new ones. `None`: those that are there are all.
    primary: Option<Primary>,
}

struct Idle {
    connection: AnyConnection,
    /// What was broken when it was last known to live.
    doubts: u64,
}

/// A connection that is lent; given back when dropped.
pub(crate) struct Lent {
    /// `None`: given back.
    connection: Option<AnyConnection>,
    doubts: u64,
    /// A transaction may be open on it.
    is_within: bool,
    /// It may hang, or be broken; another can be opened.
    is_remote: bool,
    idle: Arc<Mutex<Vec<Idle>>>,
    /// Given back after the connection.
    permit: Option<OwnedSemaphorePermit>,
}

impl Pool {
    /// Of a file.
    pub(super) fn of(connections: Vec<AnyConnection>) -> Self {
        let many = u32::try_from(connections.len()).unwrap_or(u32::MAX);
        let idle = connections.into_iter().map(|connection| Idle { connection, doubts: 0 });
        Self::new(many, idle.collect(), None)
    }

    /// Of a cluster; none is opened before it is needed.
    pub(super) fn to(primary: Primary, many: u32) -> Self {
        Self::new(many, Vec::new(), Some(primary))
    }

    fn new(many: u32, idle: Vec<Idle>, primary: Option<Primary>) -> Self {
        let free = Arc::new(Semaphore::new(usize::try_from(many).unwrap_or(usize::MAX)));
        Self { free, many, idle: Arc::new(Mutex::new(idle)), primary }
    }

    pub(super) async fn lend(&self) -> Result<Lent, Error> {
        let permit = Arc::clone(&self.free).acquire_owned();
        let permit = match self.primary {
            None => permit.await,
            // Whoever has one may wait for a node that is gone.
            Some(_) => timeout(primary::PATIENCE, permit).await.map_err(|_| Error::Late)?,
        };
        let permit = Some(permit.map_err(|_| gone())?);
        let (connection, doubts) = match &self.primary {
            None => (lock(&self.idle).pop().ok_or_else(gone)?.connection, 0),
            Some(primary) => self.living(primary).await?,
        };
        let (idle, is_remote) = (Arc::clone(&self.idle), self.primary.is_some());
        Ok(Lent { connection: Some(connection), doubts, is_within: false, is_remote, idle, permit })
    }

    /// One that was idle and is not in doubt, or answers; else a new one.
    async fn living(&self, primary: &Primary) -> Result<(AnyConnection, u64), Error> {
        loop {
            let doubts = primary::doubts();
            let idle = lock(&self.idle).pop();
            let Some(mut idle) = idle else { return Ok((primary.connect().await?, doubts)) };
            if idle.doubts == doubts || primary::takes_writes(&mut idle.connection).await {
                return Ok((idle.connection, doubts));
            }
        }
    }

    /// With a transaction that is begun by this statement.
    pub(super) async fn lend_within(&self, begin: &'static str) -> Result<Lent, Error> {
        let mut lent = self.lend().await?;
        // Before it is asked for: whoever leaves meanwhile may leave it open.
        lent.is_within = true;
        match self.primary {
            None => (&mut *lent).execute(begin).await?,
            Some(_) => primary::within((&mut *lent).execute(begin)).await?,
        };
        Ok(lent)
    }

    /// Waits for those that are lent now, and lends no more.
    pub(super) async fn close(&self) {
        let every = self.free.acquire_many(self.many).await;
        self.free.close();
        drop(every);
        let idle = mem::take(&mut *lock(&self.idle));
        for Idle { connection, .. } in idle {
            // The database is sound whatever comes of this.
            let _ = timeout(primary::ANSWER_WITHIN, connection.close()).await;
        }
    }
}

impl Lent {
    /// Its transaction was ended.
    pub(super) const fn has_ended(&mut self) {
        self.is_within = false;
    }

    /// It is of no use any more.
    pub(super) fn discard(mut self) {
        self.connection = None;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let (idle, doubts, permit) = (Arc::clone(&self.idle), self.doubts, self.permit.take());
        if !self.is_within {
            return lock(&idle).push(Idle { connection, doubts });
        }
        let (Ok(runtime), is_remote) = (Handle::try_current(), self.is_remote) else { return };
        runtime.spawn(async move {
            let ending = (&mut connection).execute("ROLLBACK");
            let outcome = match is_remote {
                true => primary::within(ending).await.map(drop),
                false => ending.await.map(drop).map_err(Error::from),
            };
            // A file says no where nothing was begun, which is what is wanted.
            if outcome.is_ok() || !is_remote {
                lock(&idle).push(Idle { connection, doubts });
            }
            drop(permit);
        });
    }
}

impl Deref for Lent {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        let connection = self.connection.as_ref();
        connection.unwrap_or_else(|| unreachable!("it has its connection until it is dropped"))
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        let connection = self.connection.as_mut();
        connection.unwrap_or_else(|| unreachable!("it has its connection until it is dropped"))
    }
}

fn lock(idle: &Mutex<Vec<Idle>>) -> MutexGuard<'_, Vec<Idle>> {
    // A push or a pop leaves nothing half-done.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> Error {
    Error::Database(sqlx::Error::PoolClosed)
}
