//! SQLite's one connection that writes: acts in line, each undone by itself, committed together.
//!
//! ```text
//!   begin ─► wait in line ─► BEGIN, or if one is open SAVEPOINT ─► statements of one act
//!                                                                    │ failed, or its caller left
//!                                      going well                    └─► ROLLBACK (TO): it never was
//!                                          ▼
//!                  nobody waits: COMMIT    ·    somebody waits: the next act joins the batch
//!                                          ▼
//!                            one fsync, and every act of the batch is answered
//! ```
//!
//! An fsync costs more than all the rest of a small act, so those that come at once share one.
//! Whoever is answered is on disk: an act waits for its batch's COMMIT. A COMMIT never depends on
//! a caller who may leave: it runs in a task of its own.

use super::{
    Error,
    editions::{Editions, Touched},
    journal::{self, Unwritten},
};
use sqlx::{AnyConnection, Connection, query};
use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard, oneshot},
};

/// So many acts share a COMMIT at most, and so many wait for the first of them.
const BATCH_MAX: usize = 32;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    desk: Arc<Mutex<Desk>>,
    /// Acts that wait for the desk. A hint only.
    waiting: Arc<AtomicUsize>,
}

/// An act at the desk. Dropped without commit, it never was.
pub(super) struct Turn {
    /// `None`: ended.
    desk: Option<OwnedMutexGuard<Desk>>,
    writer: Writer,
}

struct Desk {
    /// `None`: the store is closed.
    connection: Option<AnyConnection>,
    transaction: Transaction,
    /// Statements of an act that has not ended may have run, after its savepoint. Seen by the next
    /// in line, it was left.
    is_acting: bool,
    /// Acts that went well and wait for the COMMIT.
    batch: Vec<Waiting>,
    /// Which batch that is.
    number: u64,
    /// What they did, to be written before it.
    events: Vec<Unwritten>,
    editions: Editions,
}

struct Waiting {
    touched: Touched,
    tell: oneshot::Sender<Result<(), Error>>,
}

/// What the database has open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    /// Something, or nothing: whoever sent a BEGIN or an end did not stay for the answer.
    Unsure,
    Open,
}

impl Writer {
    pub(super) fn new(connection: AnyConnection, editions: Editions) -> Self {
        let connection = Some(connection);
        let transaction = Transaction::None;
        let (is_acting, batch, events) = (false, Vec::new(), Vec::new());
        let desk = Desk { connection, transaction, is_acting, batch, number: 0, events, editions };
        Self { desk: Arc::new(Mutex::new(desk)), waiting: Arc::default() }
    }

    pub(super) async fn begin(&self) -> Result<Turn, Error> {
        let place = Place::take(&self.waiting);
        let mut desk = Arc::clone(&self.desk).lock_owned().await;
        drop(place);
        desk.begin_act().await?;
        Ok(Turn { desk: Some(desk), writer: self.clone() })
    }

    pub(super) async fn close(&self) {
        let mut desk = self.desk.lock().await;
        desk.settle().await;
        if let Some(connection) = desk.connection.take() {
            // The file is sound whatever comes of this.
            let _ = connection.close().await;
        }
    }

    /// Ends what is open, in a task of its own.
    fn settle(mut desk: OwnedMutexGuard<Desk>) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { desk.settle().await });
        }
    }

    /// The same for one batch, after those who are in line now.
    fn settle_later(&self, batch: u64) {
        let line = Arc::clone(&self.desk);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let mut desk = line.lock_owned().await;
                // Already done, it would cut the next batch short.
                if desk.number == batch {
                    desk.settle().await;
                }
            });
        }
    }
}

impl Turn {
    pub(super) async fn commit(
        mut self,
        touched: Touched,
        mut events: Vec<Unwritten>,
    ) -> Result<(), Error> {
        let Some(mut desk) = self.desk.take() else { return Err(gone()) };
        desk.is_acting = false;
        let (tell, told) = oneshot::channel();
        desk.events.append(&mut events);
        desk.batch.push(Waiting { touched, tell });
        let join = self.writer.waiting.load(Ordering::Relaxed) > 0 && desk.batch.len() < BATCH_MAX;
        // The first asks for the batch's COMMIT, so that one comes even if those in line leave.
        if join && desk.batch.len() == 1 {
            self.writer.settle_later(desk.number);
        }
        match join {
            true => drop(desk),
            false => Writer::settle(desk),
        }
        told.await.unwrap_or_else(|_| Err(gone()))
    }

    pub(super) async fn rollback(mut self) {
        // Kept while it is undone: if its caller leaves, the drop does it.
        if let Some(desk) = self.desk.as_mut() {
            desk.undo().await;
        }
        self.desk = None;
    }
}

impl Drop for Turn {
    /// Its caller left: the act is undone without them.
    fn drop(&mut self) {
        if let Some(desk) = self.desk.take() {
            Writer::settle(desk);
        }
    }
}

impl Deref for Turn {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        let connection = self.desk.as_ref().and_then(|desk| desk.connection.as_ref());
        connection.unwrap_or_else(|| unreachable!("a transaction that has not ended has its desk"))
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        let connection = self.desk.as_mut().and_then(|desk| desk.connection.as_mut());
        connection.unwrap_or_else(|| unreachable!("a transaction that has not ended has its desk"))
    }
}

impl Desk {
    async fn begin_act(&mut self) -> Result<(), Error> {
        if self.is_acting {
            self.undo().await;
        }
        if self.transaction == Transaction::Unsure {
            self.give_up().await;
        }
        if self.transaction == Transaction::None {
            self.transaction = Transaction::Unsure;
            self.run("BEGIN IMMEDIATE").await?;
            self.transaction = Transaction::Open;
        }
        // The first of a batch can be undone with the transaction itself.
        if !self.batch.is_empty() {
            self.run("SAVEPOINT act").await?;
        }
        self.is_acting = true;
        Ok(())
    }

    /// The act under way never was. Those before it in the batch stay.
    async fn undo(&mut self) {
        if self.batch.is_empty() || self.run("ROLLBACK TO act").await.is_err() {
            self.give_up().await;
        }
        self.is_acting = false;
    }

    /// Ends what is open: with a COMMIT if acts wait for it, else as if nothing had been.
    async fn settle(&mut self) {
        if self.is_acting {
            self.undo().await;
        }
        if self.batch.is_empty() {
            return self.give_up().await;
        }
        let batch = std::mem::take(&mut self.batch);
        self.number += 1;
        self.transaction = Transaction::Unsure;
        let written = self.write_events().await;
        let changing = self.editions.changing(batch.iter().map(|waiting| waiting.touched));
        let outcome = match written {
            Ok(()) => self.run("COMMIT").await,
            Err(error) => Err(error),
        };
        let outcome = outcome.map_err(Arc::new);
        match outcome {
            Ok(()) => self.transaction = Transaction::None,
            Err(_) => self.give_up().await,
        }
        drop(changing);
        for waiting in batch {
            // Who left does not hear it.
            let _ = waiting.tell.send(outcome.clone().map_err(Error::Commit));
        }
    }

    /// Nothing is open any more; acts of the batch, if any, hear that they are not kept.
    async fn give_up(&mut self) {
        self.batch.clear();
        self.number += 1;
        self.events.clear();
        if self.transaction != Transaction::None {
            self.transaction = Transaction::Unsure;
            // It fails where nothing was open, which is what is wanted.
            let _ = self.run("ROLLBACK").await;
            self.transaction = Transaction::None;
        }
    }

    async fn write_events(&mut self) -> Result<(), Error> {
        let events = std::mem::take(&mut self.events);
        journal::write(self.connection.as_mut().ok_or_else(gone)?, &events).await
    }

    async fn run(&mut self, statement: &'static str) -> Result<(), Error> {
        let connection = self.connection.as_mut().ok_or_else(gone)?;
        // As a query, it is parsed once.
        query(statement).execute(connection).await?;
        Ok(())
    }
}

/// A place in line, given up when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn gone() -> Error {
    Error::Database(sqlx::Error::PoolClosed)
}

#[cfg(test)]
mod tests {
    use super::super::{Engine, Store, sites, testing};
    use futures::future::join_all;

    /// A request for a COMMIT that outlives its batch would cut each following one short.
    #[tokio::test]
    async fn callers_who_come_again_and_again_go_on_sharing_commits() {
        const CALLERS: u64 = 12;
        const TIMES: u64 = 10;
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&testing::file(dir.path())).await.unwrap();
        let Engine::Sqlite { writer, .. } = &store.engine else { unreachable!("a file") };
        let before = writer.desk.lock().await.number;
        let callers = (0..CALLERS).map(|_| async {
            for _ in 0..TIMES {
                let mut tx = store.begin().await.unwrap();
                sites::set(&mut tx, "name", "value".into()).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
        join_all(callers).await;
        let batches = writer.desk.lock().await.number - before;
        assert!(
            batches <= 3 * TIMES,
            "{batches} batches for {CALLERS} callers, {TIMES} times each"
        );
    }
}
