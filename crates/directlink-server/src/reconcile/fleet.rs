//! What servers on one database tell each other of their agents.
//!
//! ```text
//!   an agent attaches   its stream is the router's newest, in the store: reports on any earlier one are refused
//!   a report, news      kept and folded in one transaction, if its stream is the newest
//!   a report, no news   kept a few seconds later (counters, evidence)
//!   every few seconds   who is here, and a look at who is elsewhere
//! ```
//!
//! A server that has its database for itself does nothing of it: what it knows is all there is.

use super::Agents;
use crate::{
    app::{App, write_tx},
    store::{AnyConnection, Error, certificates, editions::Touched, fleet, guards},
};
use directlink_model::{connection::PortRef, ids::RouterName, report::PortReport};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;
use uuid::Uuid;

const PACE: Duration = Duration::from_secs(3);
/// Rounds of it: ten minutes.
const FORGET_EVERY: u32 = 200;

impl App {
    /// From now on this stream is the router's. False: what it showed was revoked a moment ago.
    pub(crate) async fn attached(
        &self,
        (router, fingerprint): (&RouterName, &str),
        stream: Uuid,
        build: &str,
    ) -> Result<bool, Error> {
        if !self.parts().store.is_shared() {
            return Ok(true);
        }
        let now = self.now();
        let agents = &self.parts().agents;
        let last = agents.last_stream(router);
        let attached = write_tx!(self, false, Error, |tx| {
            tx.touched = Touched::None;
            if certificates::is_revoked(tx, fingerprint).await? {
                return Ok(None);
            }
            let has_stayed = match last {
                Some(last) => fleet::is_current(tx, (router, last)).await?,
                None => true,
            };
            fleet::attach(tx, (router, stream), build, now).await?;
            Ok(Some(has_stayed))
        })?;
        if attached == Some(false) {
            agents.was_elsewhere(router);
        }
        Ok(attached.is_some())
    }

    /// It is over.
    pub(crate) async fn detached(&self, router: &RouterName, stream: Uuid) -> Result<(), Error> {
        if !self.parts().store.is_shared() {
            return Ok(());
        }
        write_tx!(self, false, Error, |tx| {
            tx.touched = Touched::None;
            fleet::detach(tx, (router, stream)).await
        })
    }

    /// Whether what is said on this stream is the router's last word: no other has been opened since, here or at another
    /// server.
    pub(crate) async fn is_current(
        &self,
        db: &mut AnyConnection,
        (router, stream): (&RouterName, Uuid),
    ) -> Result<bool, Error> {
        let is_here = self.parts().agents.stream(router) == Some(stream);
        Ok(is_here
            && (!self.parts().store.is_shared() || fleet::is_current(db, (router, stream)).await?))
    }

    /// What the port's router last said: to this server, or to another.
    pub(crate) async fn last_report(
        &self,
        db: &mut AnyConnection,
        port: &PortRef,
    ) -> Result<Option<PortReport>, Error> {
        match self.parts().agents.report(port) {
            None if self.parts().store.is_shared() => fleet::report(db, port).await,
            own => Ok(own),
        }
    }

    /// What was last folded of the port: of what is not, its own server will.
    pub(crate) async fn folded_report(
        &self,
        db: &mut AnyConnection,
        port: &PortRef,
    ) -> Result<Option<PortReport>, Error> {
        match self.parts().store.is_shared() {
            true => fleet::report(db, port).await,
            false => Ok(self.parts().agents.report(port)),
        }
    }
}

/// Runs until dropped.
pub async fn run(app: App) {
    if !app.parts().store.is_shared() {
        return;
    }
    let mut rounds = 0u32;
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        if let Err(error) = app.parts().store.in_time(exchange(&app)).await {
            error!(error = &error as &dyn std::error::Error, "cannot tell other servers of agents");
        }
        if rounds.is_multiple_of(FORGET_EVERY)
            && let Err(error) = forget(&app).await
        {
            error!(error = &error as &dyn std::error::Error, "cannot drop what is old");
        }
        rounds = rounds.wrapping_add(1);
    }
}

/// Any server may, whenever it likes.
async fn forget(app: &App) -> Result<(), Error> {
    let now = app.machine_now();
    write_tx!(app, false, Error, |tx| {
        tx.touched = Touched::None;
        guards::forget_old(tx, now).await
    })
}

/// Says who is here and what they last said, and learns the same of other servers.
pub async fn exchange(app: &App) -> Result<(), Error> {
    let agents: &Agents = &app.parts().agents;
    let present = agents.present();
    if !present.is_empty() {
        write_tx!(app, false, Error, |tx| {
            tx.touched = Touched::None;
            for (router, stream, seen_at) in &present {
                fleet::see(tx, (router, *stream), *seen_at).await?;
            }
            Ok(())
        })?;
    }
    for port in agents.to_show() {
        write_tx!(app, false, Error, |tx| {
            tx.touched = Touched::None;
            // Looked at within the transaction: if news has come meanwhile, it is the news.
            let (stream, report) = (agents.stream(&port.router), agents.report(&port));
            let (Some(stream), Some(report)) = (stream, report) else { return Ok(()) };
            if fleet::is_current(tx, (&port.router, stream)).await? {
                fleet::put_report(tx, &port, &report).await?;
            }
            Ok(())
        })?;
    }
    let mut db = app.parts().store.snapshot().await?;
    let (rows, signals) = (fleet::agents(&mut db).await?, fleet::signals(&mut db).await?);
    drop(db);
    agents.learn(rows, signals, app.now());
    Ok(())
}
