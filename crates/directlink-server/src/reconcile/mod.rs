//! The loop that makes what is wanted and what is seen meet.
//!
//! ```text
//!   woken, without data, by a command · by the next deadline · every few seconds
//!        │
//!        ▼
//!   expire   offers whose seven days are over are stamped, once; so are failover tests
//!   drain    interfaces where a maintenance runs, a step at a time, and back
//!   plan     each marked port and Net: snapshot → document; unlike the stored one: generation + 1
//!   fold     what the router last said of the port, against the facts as they are now
//!        │
//!        └──► the agents of changed routers are woken, without data
//! ```
//!
//! A pass is idempotent: a second one changes nothing. What to do is read from the store, so a
//! wake-up that is lost costs seconds and nothing else; from time to time everything is planned
//! anew, in case a mark was missed: in a round, beside all that.

mod agents;
mod causes;
mod failover;
pub mod fleet;
mod lags;
mod maintenance;
mod offers;
mod plans;
mod reports;
mod round;
#[cfg(test)]
mod tests;

pub use agents::Agents;
pub(crate) use agents::{Attachment, Generations};
pub(crate) use causes::sending;
pub(crate) use lags::settle as settle_lag;
pub(crate) use plans::adopt;
pub(crate) use reports::{ReportError, end_cross_connect, take_report};
pub use round::plan_all;

use crate::{
    app::{App, write_tx},
    config::Pace,
    store::{self, Error, hints::Hint},
};
use directlink_model::{
    connection::PortRef,
    ids::{NetId, RouterName},
    plan::Scope,
};
use directlink_telemetry::Origin;
use futures::FutureExt;
use jiff::Timestamp;
use round::Round;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tracing::{Instrument as _, error};

/// So many marks are worked off in one transaction: commands wait meanwhile.
const BATCH: u32 = 16;

/// Agents are told what has changed so often although nobody said so.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// A batch of a round that found nothing new is followed by a pause of so many times what it took.
const LEISURE: u32 = 4;

/// Runs until dropped. A pass that fails is tried again at the next occasion.
pub async fn run(app: App, pace: Pace) {
    // The first tick is at once: this version of the program may plan otherwise than the last.
    let mut full = interval(pace.full_pass);
    full.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round = Round::default();
    loop {
        if round.is_over() && full.tick().now_or_never().is_some() {
            round = Round::begin(&app).await.unwrap_or_else(|error| {
                error!(
                    error = &error as &dyn std::error::Error,
                    "cannot read what is to be planned"
                );
                Round::default()
            });
        }
        // A database that hangs ends this pass, and no more.
        let deadline = match app.parts().store.in_time(pass(&app)).await {
            Ok(deadline) => deadline,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "a reconcile pass failed");
                None
            }
        };
        let leisure = go_on(&mut round, &app).await.unwrap_or(pace.pass);
        let wait = deadline.map_or(pace.pass, |at| until(at, app.now()).min(pace.pass));
        // A time-out is as good as a wake-up.
        let _ = timeout(wait.min(leisure), app.parts().wake.notified()).await;
    }
}

/// A step of the round. How long the next may wait; `None`: there is no hurry.
async fn go_on(round: &mut Round, app: &App) -> Option<Duration> {
    if round.is_over() {
        return None;
    }
    let began = Instant::now();
    match round.step(app).await {
        Ok(true) => Some(Duration::ZERO),
        Ok(false) => Some(began.elapsed() * LEISURE),
        Err(error) => {
            error!(error = &error as &dyn std::error::Error, "cannot plan all anew");
            None
        }
    }
}

/// What other servers on the same database say: this one has agents whose documents they have changed. Until dropped.
pub async fn hear(app: App) {
    let mut heard = app.parts().store.hints().heard();
    loop {
        match timeout(LOOK_EVERY, heard.recv()).await {
            Ok(Ok(Hint::Plan(router))) => app.parts().agents.wake(&router),
            Ok(Ok(Hint::Changed)) => {}
            // Some may have been missed.
            Ok(Ok(Hint::All) | Err(RecvError::Lagged(_))) | Err(_) => look(&app),
            Ok(Err(RecvError::Closed)) => return,
        }
    }
}

/// Whether somebody has woken the loop since it was last asked.
pub fn is_woken(app: &App) -> bool {
    app.parts().wake.notified().now_or_never().is_some()
}

/// Any document may have changed: the agents that are here are told what is new to them.
pub fn look(app: &App) {
    app.parts().agents.wake_all();
}

/// Does all that there is to do, and says when time alone makes more.
pub async fn pass(app: &App) -> Result<Option<Timestamp>, Error> {
    offers::end_overdue(app).await?;
    failover::end_overdue(app).await?;
    let drains = maintenance::advance(app).await?;
    while work_off(app).await? {}
    let mut db = app.parts().store.reader().await?;
    let offers = offers::next_deadline(&mut db).await?;
    let tests = store::failover_tests::next_deadline(&mut db).await?;
    Ok(offers.into_iter().chain(tests).chain(drains).min())
}

/// Plans a batch of what is marked. Whether there was any.
async fn work_off(app: &App) -> Result<bool, Error> {
    let mut db = app.parts().store.reader().await?;
    let some = !store::plans::dirty_ports(&mut db, 1).await?.is_empty()
        || !store::plans::dirty_nets(&mut db, 1).await?.is_empty();
    drop(db);
    if some {
        plan(app, (&[], &[])).await?;
    }
    Ok(some)
}

/// Plans a batch of what is marked, and these. Whether any document is another.
async fn plan(app: &App, (ports, nets): (&[PortRef], &[NetId])) -> Result<bool, Error> {
    let now = app.now();
    let (changed, planned) = write_tx!(app, false, Error, |tx| {
        let mut changed: BTreeSet<RouterName> = BTreeSet::new();
        let mut origins_of_nets: BTreeMap<NetId, Vec<Origin>> = BTreeMap::new();
        let marked = store::plans::dirty_nets(tx, BATCH).await?;
        for net in marked.into_iter().chain(nets.iter().copied()) {
            origins_of_nets.entry(net).or_default();
        }
        let marked = store::plans::dirty_ports(tx, BATCH).await?;
        let ports: BTreeSet<PortRef> = marked.into_iter().chain(ports.iter().cloned()).collect();
        for port in &ports {
            let origins = store::plans::clean_port(tx, port).await?;
            let span = causes::planning(&origins, &Scope::Port(port.port.clone()));
            span.record("directlink.router", port.router.as_str());
            let outcome = plans::plan_port(tx, app.region(), port, now).instrument(span).await?;
            if outcome.changed {
                changed.insert(port.router.clone());
            }
            for net in outcome.nets {
                origins_of_nets.entry(net).or_default().extend_from_slice(&origins);
            }
        }
        for (net, mut origins) in origins_of_nets {
            origins.extend(store::plans::clean_net(tx, net).await?);
            let span = causes::planning(&origins, &Scope::Net(net));
            changed.extend(plans::plan_net(tx, app.region(), net, now).instrument(span).await?);
        }
        Ok((changed, ports))
    })?;
    let has_changed = !changed.is_empty();
    for router in changed {
        app.parts().agents.wake(&router);
        // Its agent may be another server's.
        app.parts().store.hints().tell(Hint::Plan(router));
    }
    // Routers need not wait for it.
    for port in planned {
        reports::fold_kept(app, &port).await?;
    }
    Ok(has_changed)
}

/// How long to wait for `at`; a moment more than none, so that the deadline is past when we look.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO) + Duration::from_millis(1)
}
