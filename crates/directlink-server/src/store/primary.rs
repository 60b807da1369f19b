//! The node of a PostgreSQL cluster that takes writes: found among those that are named, and found again when it
//! is another.
//!
//! ```text
//!   named nodes ──► all are dialled at once ──► the first that is no standby and not read-only
//!                        │ none
//!                        └► again, for as long as PATIENCE lasts; then whoever asked hears that it is gone
//! ```
//!
//! What breaks a connection breaks its neighbours, for a node died or stepped down. So each failure is a doubt about
//! all connections that are older, which are asked before they are used again.

use super::{Error, address::options};
use crate::store::Cluster;
use futures::{FutureExt, future::select_ok};
use sqlx::{AnyConnection, Connection, Executor, postgres::PgListener};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// A caller waits so long for a node that takes writes. A failover may take longer; who asks again later is served.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// What takes a node no time at all takes no longer than this, or the node is gone.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// An act of many statements.
pub(super) const ACT_WITHIN: Duration = Duration::from_secs(20);
/// A read that somebody waits for takes no longer, or the database has gone and says nothing.
pub(super) const READ_WITHIN: Duration = Duration::from_secs(10);
const DIAL_EVERY: Duration = Duration::from_millis(200);

/// Of each connection. A server that is cut off in the midst of an act does not hold its rows for ever. Tables that
/// are small would be read whole, and each act would then be in the way of each other (predicate locks of rows of an
/// index are finer than those of tables).
const SESSION: &str = "SET idle_in_transaction_session_timeout = '20s'; SET lock_timeout = '10s';
                       SET statement_timeout = '30s'; SET enable_seqscan = off";
const TAKES_WRITES: &str =
    "SELECT CASE WHEN pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'
                            THEN 0 ELSE 1 END AS n";

/// Failures so far. One for the process: clusters are not many.
static DOUBTS: AtomicU64 = AtomicU64::new(0);

pub(super) fn doubts() -> u64 {
    DOUBTS.load(Ordering::Relaxed)
}

/// A connection broke, or hung.
pub(super) fn doubt() {
    DOUBTS.fetch_add(1, Ordering::Relaxed);
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Primary(Arc<Cluster>);

impl Primary {
    pub(super) fn of(cluster: Cluster) -> Self {
        Self(Arc::new(cluster))
    }

    /// A new connection, ready for acts.
    pub(super) async fn connect(&self) -> Result<AnyConnection, Error> {
        let mut connection = self.connect_bare().await?;
        within(connection.execute(SESSION)).await?;
        Ok(connection)
    }

    /// The same without limits on how long a statement may take.
    pub(super) async fn connect_bare(&self) -> Result<AnyConnection, Error> {
        let dial = async |url: String| {
            let mut connection = AnyConnection::connect_with(&options(&url)?).await?;
            match takes_writes(&mut connection).await {
                true => Ok(connection),
                false => Err(standby()),
            }
        };
        self.first(dial).await
    }

    /// A connection that hears what is told on `channel`.
    pub(super) async fn listen(&self, channel: &'static str) -> Result<PgListener, Error> {
        let dial = async |url: String| {
            let mut listener = PgListener::connect(&url).await?;
            listener.eager_reconnect(false);
            match listens_at_primary(&mut listener).await {
                true => listener.listen(channel).await.map(|()| listener),
                false => Err(standby()),
            }
        };
        self.first(dial).await
    }

    /// What is made at the first node where that goes well.
    async fn first<T, F: Future<Output = Result<T, sqlx::Error>> + Send>(
        &self,
        dial: impl Fn(String) -> F,
    ) -> Result<T, Error> {
        let mut last = None;
        let found = timeout(PATIENCE, async {
            loop {
                let one = |url: &str| within(dial(url.to_owned())).boxed();
                match select_ok(self.0.nodes().map(one)).await {
                    Ok((made, _others)) => return made,
                    Err(error) => last = Some(error),
                }
                sleep(DIAL_EVERY).await;
            }
        });
        found.await.map_err(|_| last.unwrap_or(Error::Late))
    }
}

/// Whether the node at its other end lives, and takes writes.
pub(super) async fn takes_writes(connection: &mut AnyConnection) -> bool {
    let asked = sqlx::query_scalar::<_, i32>(TAKES_WRITES).fetch_one(connection);
    matches!(within(asked).await, Ok(1))
}

/// The same of one that listens.
pub(super) async fn listens_at_primary(listener: &mut PgListener) -> bool {
    let asked = sqlx::query_scalar::<_, i32>(TAKES_WRITES).fetch_one(listener);
    matches!(within(asked).await, Ok(1))
}

/// No longer than a living node takes.
pub(super) async fn within<T>(
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    match timeout(ANSWER_WITHIN, asked).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => {
            doubt();
            Err(Error::Late)
        }
    }
}

fn standby() -> sqlx::Error {
    sqlx::Error::Protocol("the node takes no writes".into())
}
