//! The connections that read. Handed out last in, first out, so that few callers find a warm one.
//!
//! sqlx has a pool of its own; it asks each connection whether it still lives whenever one comes
//! back, which for a file is a walk to its thread and back for nothing, as dear as a small read.

use super::Error;
use sqlx::{AnyConnection, Connection, Executor};
use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Readers {
    /// A permit for each connection that is idle.
    free: Arc<Semaphore>,
    many: u32,
    idle: Arc<Mutex<Vec<AnyConnection>>>,
}

/// A connection that reads; given back when dropped.
pub(crate) struct Reader {
    /// `None`: given back.
    connection: Option<AnyConnection>,
    /// All that it reads is of one moment.
    is_snapshot: bool,
    idle: Arc<Mutex<Vec<AnyConnection>>>,
    /// Given back after the connection.
    permit: Option<OwnedSemaphorePermit>,
}

impl Readers {
    pub(super) fn new(connections: Vec<AnyConnection>) -> Self {
        let free = Arc::new(Semaphore::new(connections.len()));
        let many = u32::try_from(connections.len()).unwrap_or(u32::MAX);
        Self { free, many, idle: Arc::new(Mutex::new(connections)) }
    }

    pub(super) async fn reader(&self) -> Result<Reader, Error> {
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(|_| gone())?;
        let connection = Some(lock(&self.idle).pop().ok_or_else(gone)?);
        let (idle, permit) = (Arc::clone(&self.idle), Some(permit));
        Ok(Reader { connection, is_snapshot: false, idle, permit })
    }

    pub(super) async fn snapshot(&self) -> Result<Reader, Error> {
        let mut reader = self.reader().await?;
        // Before it is asked for: whoever leaves meanwhile may leave it open.
        reader.is_snapshot = true;
        (&mut *reader).execute("BEGIN").await?;
        Ok(reader)
    }

    /// Waits for those that read now, and takes no more.
    pub(super) async fn close(&self) {
        let every = self.free.acquire_many(self.many).await;
        self.free.close();
        drop(every);
        let idle = mem::take(&mut *lock(&self.idle));
        for connection in idle {
            // The file is sound whatever comes of this.
            let _ = connection.close().await;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !self.is_snapshot {
            return lock(&self.idle).push(connection);
        }
        let (idle, permit) = (Arc::clone(&self.idle), self.permit.take());
        let mut ending = Self { connection: Some(connection), is_snapshot: false, idle, permit };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                // It fails where nothing was begun, which is what is wanted.
                let _ = (&mut *ending).execute("ROLLBACK").await;
            });
        }
    }
}

impl Deref for Reader {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        let connection = self.connection.as_ref();
        connection.unwrap_or_else(|| unreachable!("it has its connection until it is dropped"))
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        let connection = self.connection.as_mut();
        connection.unwrap_or_else(|| unreachable!("it has its connection until it is dropped"))
    }
}

fn lock(idle: &Mutex<Vec<AnyConnection>>) -> MutexGuard<'_, Vec<AnyConnection>> {
    // A push or a pop leaves nothing half-done.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> Error {
    Error::Database(sqlx::Error::PoolClosed)
}
