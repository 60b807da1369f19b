//! Maintenances begin and end, and the interfaces there are drained and come back: a step at a time,
//! each by the model, of what the routers said and what time it is.

use crate::{
    app::{App, write_tx},
    reconcile::reports::tell_other_routers,
    store::{
        AnyConnection, Error,
        journal::{self, Actor},
        maintenance::{self, Placed},
        plans,
    },
};
use directlink_model::{
    connection::PortRef,
    drain::{self, Draining},
    ids::InterfaceId,
    maintenance::{Maintenance, State},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use tracing::info;

/// What is to be written, and when time alone makes more.
#[derive(Default)]
struct Due {
    maintenances: Vec<Maintenance>,
    drains: Vec<(Placed, Option<Draining>)>,
    /// No port has them any more: there is nothing to drain.
    nowhere: Vec<InterfaceId>,
    next: Option<Timestamp>,
}

/// Does what is due; says when something is.
pub(super) async fn advance(app: &App) -> Result<Option<Timestamp>, Error> {
    let now = app.now();
    let mut db = app.parts().store.reader().await?;
    let due = due(app, &mut db, now).await?;
    drop(db);
    if due.maintenances.is_empty() && due.drains.is_empty() && due.nowhere.is_empty() {
        return Ok(due.next);
    }
    let told = !due.maintenances.is_empty();
    let next = write_tx!(app, false, Error, |tx| {
        let due = self::due(app, tx, now).await?;
        for it in &due.maintenances {
            maintenance::update(tx, it).await?;
            let what = format!("maintenance {}", it.state(now));
            journal::record(tx, (&Actor::Time, now), it.id, &what, &it.target).await?;
            info!(maintenance = %it.id, target = %it.target, state = %it.state(now), "maintenance");
        }
        for (placed, is) in &due.drains {
            put(tx, placed, is.as_ref(), now).await?;
        }
        for id in &due.nowhere {
            maintenance::put_drain(tx, *id, None).await?;
            let of = (&Actor::Time, now);
            journal::record(tx, of, id, "drain over", "no port carries it any more").await?;
        }
        Ok(due.next)
    })?;
    if told {
        app.parts().wake_mail.notify_one();
    }
    Ok(next)
}

async fn due(app: &App, db: &mut AnyConnection, now: Timestamp) -> Result<Due, Error> {
    let mut due = Due::default();
    let mut wanted: BTreeMap<InterfaceId, SignedDuration> = BTreeMap::new();
    let mut there: BTreeMap<InterfaceId, Placed> = BTreeMap::new();
    for mut it in maintenance::open(db).await? {
        if it.step(now) {
            due.maintenances.push(it.clone());
        }
        due.next = due.next.into_iter().chain(it.deadline(now)).min();
        if it.state(now) == State::Running {
            for placed in maintenance::on_target(db, &it.target).await? {
                wanted.entry(placed.interface.id).or_insert(it.at_most);
                there.insert(placed.interface.id, placed);
            }
        }
    }
    for placed in maintenance::drained(db).await? {
        there.insert(placed.interface.id, placed);
    }
    due.nowhere = maintenance::drained_nowhere(db).await?;
    for (id, placed) in there {
        let said = app.parts().agents.interface(&port(&placed), id);
        let said = said.as_ref().map(|(report, at)| (report, *at));
        let was = placed.interface.drain.as_ref();
        let is = drain::next(was, wanted.get(&id).copied(), said, now);
        due.next = due.next.into_iter().chain(is.as_ref().and_then(Draining::deadline)).min();
        if was != is.as_ref() {
            due.drains.push((placed, is));
        }
    }
    Ok(due)
}

/// Writes a drain; where it says something else to routers than before, these are told.
async fn put(
    tx: &mut crate::store::Tx,
    placed: &Placed,
    is: Option<&Draining>,
    now: Timestamp,
) -> Result<(), Error> {
    let (id, was) = (placed.interface.id, placed.interface.drain.as_ref());
    maintenance::put_drain(tx, id, is).await?;
    let (before, after) = (was.map(Draining::phase), is.map(Draining::phase));
    if before != after {
        let what =
            after.map_or_else(|| "in use again".to_owned(), |phase| format!("drain {phase}"));
        info!(interface = %id, what, "drain");
        journal::record(tx, (&Actor::Time, now), id, &what, "maintenance").await?;
    }
    if was.map(Draining::says) != is.map(Draining::says) {
        let port = port(placed);
        plans::mark_port(tx, &port).await?;
        tell_other_routers(tx, &port).await?;
    }
    Ok(())
}

fn port(placed: &Placed) -> PortRef {
    PortRef { router: placed.wire.router.clone(), port: placed.port.clone() }
}
