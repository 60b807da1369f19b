//! Figures over time: metered from reports in memory, written a minute at a time, read as a series.
//!
//! ```text
//!   report ──► its port's meter: a few sums          no report waits for the disk
//!                 │ every minute, and when the server stops
//!                 ▼
//!              a transaction for each port: a row or two of each interface in each ring
//! ```
//!
//! What a crash may lose: the last minute. Whoever reads sees that minute as well.

use super::{App, Context, Refusal, connections::own, interfaces::visible, write_tx};
use crate::store::{self, Tx, connections, editions::Touched, figures, interfaces};
use directlink_model::{
    connection::{Connection, PortRef},
    figures::{Meter, Point, PortPoint, PortPoints, Rate, Span},
    ids::{ConnectionId, InterfaceId},
    report::PortReport,
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tracing::error;

/// What is not yet on disk, by port.
#[derive(Debug, Default)]
pub struct Figures(Mutex<BTreeMap<PortRef, Meter>>);

/// A point for each slot of a ring, the oldest first. One in which nothing was seen is empty.
#[derive(Clone, Debug)]
pub struct Series {
    pub span: Span,
    /// The first point's.
    pub slot: i64,
    pub points: Vec<Point>,
}

impl Series {
    fn new(span: Span, found: &BTreeMap<i64, Point>, first: i64) -> Self {
        let slots = first..first + span.slots();
        let points = slots.map(|slot| found.get(&slot).cloned().unwrap_or_default()).collect();
        Self { span, slot: first, points }
    }
}

impl Figures {
    pub(crate) fn take(&self, port: &PortRef, report: &PortReport, now: Timestamp) {
        let mut meters = self.meters();
        match meters.get_mut(port) {
            Some(meter) => meter.take(report, now),
            None => meters.entry(port.clone()).or_default().take(report, now),
        }
    }

    /// What goes on now on each of these.
    pub(crate) fn rates(
        &self,
        ids: impl Iterator<Item = InterfaceId>,
    ) -> BTreeMap<InterfaceId, Rate> {
        let meters = self.meters();
        let rate = |id| meters.values().find_map(|meter| meter.rate(id));
        ids.filter_map(|id| Some((id, rate(id)?))).collect()
    }

    /// The same of all.
    pub(crate) fn all_rates(&self) -> BTreeMap<InterfaceId, Rate> {
        self.meters().values().flat_map(Meter::rates).collect()
    }

    fn drain(&self) -> Vec<(PortRef, PortPoints)> {
        let mut meters = self.meters();
        let taken = meters.iter_mut().map(|(port, meter)| (port.clone(), meter.drain()));
        taken.filter(|(_, points)| !points.is_empty()).collect()
    }

    /// What waits for the disk and `choose` takes of each point of a port, by slot.
    fn waiting(
        &self,
        span: Span,
        choose: impl Fn(&PortRef, &PortPoint) -> Vec<Point>,
    ) -> BTreeMap<i64, Point> {
        let mut found: BTreeMap<i64, Point> = BTreeMap::new();
        for (port, meter) in self.meters().iter() {
            for (finest, point) in meter.points() {
                for point in choose(port, point) {
                    found.entry(span.slot_of_finest(*finest)).or_default().add(&point);
                }
            }
        }
        found
    }

    /// A panic elsewhere leaves sums that are sums.
    fn meters(&self) -> MutexGuard<'_, BTreeMap<PortRef, Meter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Of an interface that the caller may see.
    pub async fn interface_figures(
        &self,
        ctx: &Context,
        id: InterfaceId,
        span: Span,
    ) -> Result<Series, Refusal> {
        let first = span.slot(ctx.now) - span.slots() + 1;
        let mut db = self.store().snapshot().await?;
        visible(&mut db, ctx, id).await?;
        let mut found = figures::since(&mut db, id, (span, first)).await?;
        let of_it = |_: &PortRef, point: &PortPoint| {
            point.interfaces.get(&id).cloned().into_iter().collect::<Vec<_>>()
        };
        merge(&mut found, self.parts().figures.waiting(span, of_it));
        Ok(Series::new(span, &found, first))
    }

    /// Of the caller's own connection: its light, and the traffic of its interfaces.
    pub async fn connection_figures(
        &self,
        ctx: &Context,
        id: ConnectionId,
        span: Span,
    ) -> Result<Series, Refusal> {
        let first = span.slot(ctx.now) - span.slots() + 1;
        let mut db = self.store().snapshot().await?;
        let connection = own(&mut db, ctx, id).await?;
        let mut found = figures::since(&mut db, id, (span, first)).await?;
        let on_it = interfaces::live_of_connection(&mut db, id).await?;
        let on_it: BTreeSet<_> = on_it.iter().map(|interface| interface.id).collect();
        let port = connection.approval.as_ref().map(|approval| approval.port.clone());
        let of_it = |at: &PortRef, point: &PortPoint| match Some(at) == port.as_ref() {
            true => vec![share(&connection, point, &on_it)],
            false => vec![],
        };
        merge(&mut found, self.parts().figures.waiting(span, of_it));
        Ok(Series::new(span, &found, first))
    }

    /// Writes what waits. What the disk refuses is lost, and told.
    pub(crate) async fn write_figures(&self) -> Result<(), store::Error> {
        let mut outcome = Ok(());
        for (port, points) in self.parts().figures.drain() {
            let written = write_tx!(self, false, store::Error, |tx| {
                tx.touched = Touched::None;
                write_port(tx, &port, &points).await
            });
            outcome = outcome.and(written);
        }
        outcome
    }
}

fn merge(found: &mut BTreeMap<i64, Point>, more: BTreeMap<i64, Point>) {
    for (slot, point) in more {
        found.entry(slot).or_default().add(&point);
    }
}

/// What of a port's is a connection's: all, or as one that is hosted its own interfaces'.
fn share(connection: &Connection, point: &PortPoint, on_it: &BTreeSet<InterfaceId>) -> Point {
    if connection.hosting.is_none() {
        return point.line.clone();
    }
    let mut sum = Point {
        seen_millis: point.line.seen_millis,
        light_millis: point.line.light_millis,
        ..Point::default()
    };
    let theirs = point.interfaces.iter().filter(|(id, _)| on_it.contains(id));
    theirs.for_each(|(_, point)| sum.add_traffic(point));
    sum
}

/// Of what is on the port now, and of nothing that is gone.
async fn write_port(tx: &mut Tx, port: &PortRef, points: &PortPoints) -> Result<(), store::Error> {
    let Some(wire) = connections::holding(tx, port).await? else { return Ok(()) };
    if wire.deleted_at.is_some() {
        return Ok(());
    }
    let mut on: BTreeMap<ConnectionId, BTreeSet<InterfaceId>> = BTreeMap::new();
    for interface in interfaces::live_on_wire(tx, wire.id).await? {
        on.entry(interface.connection).or_default().insert(interface.id);
        let of_it = |(slot, point): (&i64, &PortPoint)| {
            Some((*slot, point.interfaces.get(&interface.id)?.clone()))
        };
        figures::add(tx, interface.id, &points.iter().filter_map(of_it).collect()).await?;
    }
    let hosted = connections::live_on(tx, wire.id).await?;
    for connection in std::iter::once(&wire).chain(&hosted) {
        let on_it = on.remove(&connection.id).unwrap_or_default();
        let shares = points.iter().map(|(slot, point)| (*slot, share(connection, point, &on_it)));
        figures::add(tx, connection.id, &shares.collect()).await?;
    }
    Ok(())
}

/// Writes from time to time, until dropped.
pub(crate) async fn run(app: App) {
    const PACE: Duration = Duration::from_secs(60);
    loop {
        tokio::time::sleep(PACE).await;
        if let Err(error) = app.write_figures().await {
            error!(error = &error as &dyn std::error::Error, "cannot write figures");
        }
    }
}
