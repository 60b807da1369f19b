//! The log of customers' calls: kept in memory for a moment, written in batches.
//!
//! ```text
//!   call answered ──► remember: a push into a bounded list     nothing waits for the disk
//!                        │ every second, or when many wait, or when somebody reads
//!                        ▼
//!                     write: a transaction for many lines; then the oldest beyond the rules go
//! ```
//!
//! What a crash may lose: the lines of the last second. What a flood may lose: lines beyond
//! [`WAITING_MAX`] that the disk is too slow for; they are counted, and said in the process's log.
//! The facts themselves never depend on it: what was changed is in `event`, in the same transaction.

use super::{App, Context, Refusal, write_tx};
use crate::store::{self, api_logs, audit, editions::Touched};
use directlink_model::ids::AccountId;
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};
use tracing::{error, warn};

pub(crate) use crate::store::api_logs::ApiLog;

/// So many lines may wait for the disk.
const WAITING_MAX: usize = 4096;
/// So many are worth a transaction before a second is over.
const BATCH: usize = 256;
/// Lines of an account between two looks at how many it has.
const TRIM_EVERY: usize = 1000;
const PACE: Duration = Duration::from_secs(1);

/// Lines that are not yet on disk.
#[derive(Debug, Default)]
pub struct ApiLogs {
    waiting: Mutex<Waiting>,
    /// One writes at a time, so that whoever has waited for it reads all that was before.
    pen: tokio::sync::Mutex<Written>,
    many: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<ApiLog>,
    /// Requests for changes, for the audit trail.
    requests: Vec<audit::Request>,
    lost: usize,
}

/// Since the last look at how many an account has.
type Written = BTreeMap<AccountId, usize>;

/// Which calls are asked for: from, and before the call `id` at that time.
#[derive(Clone, Debug)]
pub struct LogRange {
    pub from: Timestamp,
    pub before: (Timestamp, String),
}

impl ApiLogs {
    /// Never waits.
    pub(crate) fn remember(&self, line: ApiLog) {
        let mut waiting = self.waiting();
        if waiting.lines.len() >= WAITING_MAX {
            waiting.lost += 1;
            return;
        }
        waiting.lines.push(line);
        if waiting.lines.len() >= BATCH {
            self.many.notify_one();
        }
    }

    /// Never waits.
    pub(crate) fn remember_request(&self, request: audit::Request) {
        let mut waiting = self.waiting();
        match waiting.requests.len() >= WAITING_MAX {
            true => waiting.lost += 1,
            false => waiting.requests.push(request),
        }
    }

    fn take(&self) -> Waiting {
        mem::take(&mut *self.waiting())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// The caller's calls in that range that are admitted, newest first, no more than `at_most`.
    pub async fn api_logs(
        &self,
        ctx: &Context,
        range: LogRange,
        at_most: usize,
        admits: impl Fn(&ApiLog) -> bool + Send,
    ) -> Result<Vec<ApiLog>, Refusal> {
        const CHUNK: u32 = 1000;
        self.write_api_logs().await?;
        let (mut before, mut id) = range.before;
        let mut found = Vec::new();
        let mut db = self.store().reader().await?;
        loop {
            let account = ctx.caller.account;
            let chunk = api_logs::page(&mut db, account, range.from, (before, &id), CHUNK).await?;
            let is_last = chunk.len() < CHUNK as usize;
            if let Some(last) = chunk.last() {
                (before, id) = (last.at, last.id.clone());
            }
            let room = at_most - found.len();
            found.extend(chunk.into_iter().filter(&admits).take(room));
            if is_last || found.len() >= at_most {
                return Ok(found);
            }
        }
    }

    /// Writes what waits. Lines of a batch that the disk refuses are lost.
    pub(crate) async fn write_api_logs(&self) -> Result<(), store::Error> {
        let logs = &self.parts().api_logs;
        let mut written = logs.pen.lock().await;
        let Waiting { lines, requests, lost } = logs.take();
        if lost > 0 {
            warn!(lost, "calls came faster than their log could be written");
        }
        for batch in requests.chunks(BATCH) {
            write_tx!(self, false, store::Error, |tx| {
                tx.touched = Touched::None;
                for request in batch {
                    audit::add(tx, request).await?;
                }
                Ok(())
            })?;
        }
        for batch in lines.chunks(BATCH) {
            write_tx!(self, false, store::Error, |tx| {
                tx.touched = Touched::None;
                api_logs::insert(tx, batch).await
            })?;
            for line in batch {
                *written.entry(line.account).or_default() += 1;
            }
        }
        let keep = self.rules().api_logs_per_account;
        let due: Vec<_> = written
            .iter()
            .filter(|(_, n)| **n >= TRIM_EVERY)
            .map(|(account, _)| *account)
            .collect();
        for account in due {
            write_tx!(self, false, store::Error, |tx| {
                tx.touched = Touched::None;
                api_logs::drop_surplus(tx, account, keep).await
            })?;
            written.remove(&account);
        }
        Ok(())
    }

    /// Drops calls that are older than the rules keep them.
    pub(crate) async fn drop_old_api_logs(&self) -> Result<(), store::Error> {
        let before = self.now() - self.rules().keep_api_logs;
        write_tx!(self, false, store::Error, |tx| {
            tx.touched = Touched::None;
            api_logs::drop_old(tx, before).await
        })
    }
}

/// Writes from time to time, until dropped.
pub(crate) async fn run(app: App) {
    const DROP_EVERY: u32 = 3600;
    let mut rounds = 0u32;
    loop {
        // A time-out is as good as a wake-up.
        let _ = timeout(PACE, app.parts().api_logs.many.notified()).await;
        if let Err(error) = app.write_api_logs().await {
            error!(error = &error as &dyn std::error::Error, "cannot write the log of calls");
        }
        if rounds.is_multiple_of(DROP_EVERY)
            && let Err(error) = app.drop_old_api_logs().await
        {
            error!(error = &error as &dyn std::error::Error, "cannot trim the log of calls");
        }
        rounds = rounds.wrapping_add(1);
    }
}
