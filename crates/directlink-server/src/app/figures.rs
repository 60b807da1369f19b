//! Figures over time: metered from reports in memory, written a minute at a time, read as a series.
//!
//! ```text
//!   report ──► its port's meter: a few sums          no report waits for the disk
//!                 │ every minute those of a minute that is over, and all when the server stops
//!                 ▼
//!              a transaction for each port: a row of each interface in the finest ring
//!                 │ when a strip of a coarser ring is over: in twelve minutes, in six hours; at leisure
//!                 ▼
//!              its row, of what the finer ring has of it
//! ```
//!
//! What a crash may lose: the last two minutes. Whoever reads sees those as well.

use super::{App, Context, Refusal, connections::own, interfaces::visible, write_tx};
use crate::store::{
    self, AnyConnection, Tx, connections,
    editions::Touched,
    figures::{self, Row},
    interfaces,
};
use directlink_model::{
    connection::{Connection, PortRef},
    figures::{Meter, Point, PortPoint, PortPoints, Rate, STRIP, Span},
    ids::{ConnectionId, InterfaceId},
    report::PortReport,
};
use futures::{Stream, StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    ops::{Range, RangeInclusive},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, warn};

/// By port.
#[derive(Debug, Default)]
pub struct Figures(Mutex<BTreeMap<PortRef, Metered>>);

#[derive(Debug, Default)]
struct Metered {
    /// What is not yet on disk.
    meter: Meter,
    /// The last slot of the finest ring that is.
    written: Option<i64>,
    /// Of each coarser ring the last strip that is made of all that was written. `None`: this server has made none.
    rolled: BTreeMap<Span, i64>,
}

impl Metered {
    /// Something was written: strips that are made of it are to be made, or made again.
    fn see_written(&mut self, slots: (i64, i64)) {
        let (first, last) = slots;
        self.written = self.written.max(Some(last));
        for (span, rolled) in &mut self.rolled {
            *rolled = strip_of_finest(*span, first).saturating_sub(1).min(*rolled);
        }
    }

    /// Strips to be made of what is written before a slot. `newest`: the last that an earlier server has made, perhaps of
    /// a part of what it is to be made of.
    fn to_roll(&self, span: Span, end: i64, newest: Option<i64>) -> RangeInclusive<i64> {
        let over = strip_of_finest(span, end) - 1;
        let last = self.written.map_or(i64::MIN, |slot| strip_of_finest(span, slot).min(over));
        let whole_from = over - span.strips_in_finer() + 1;
        match (self.rolled.get(&span), newest) {
            (Some(&rolled), _) => whole_from.max(rolled + 1)..=last,
            // What was written before that server ended is still there, however long ago that is.
            (None, Some(newest)) => newest..=last.min(newest + span.strips_in_finer()),
            (None, None) => whole_from..=last,
        }
    }
}

fn strip_of_finest(span: Span, slot: i64) -> i64 {
    span.slot_of_finest(slot).div_euclid(STRIP)
}

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
            Some(metered) => metered.meter.take(report, now),
            None => meters.entry(port.clone()).or_default().meter.take(report, now),
        }
    }

    /// What goes on now on each of these.
    pub(crate) fn rates(
        &self,
        ids: impl Iterator<Item = InterfaceId>,
    ) -> BTreeMap<InterfaceId, Rate> {
        let meters = self.meters();
        let rate = |id| meters.values().find_map(|metered| metered.meter.rate(id));
        ids.filter_map(|id| Some((id, rate(id)?))).collect()
    }

    /// The same of all.
    pub(crate) fn all_rates(&self) -> BTreeMap<InterfaceId, Rate> {
        self.meters().values().flat_map(|metered| metered.meter.rates()).collect()
    }

    /// Of the wires of LAGs' ports.
    pub(crate) fn line_rates(&self) -> BTreeMap<PortRef, Rate> {
        let meters = self.meters();
        let rate = |(port, metered): (&PortRef, &Metered)| {
            Some((port.clone(), metered.meter.line_rate()?))
        };
        meters.iter().filter_map(rate).collect()
    }

    fn ports(&self) -> Vec<PortRef> {
        self.meters().keys().cloned().collect()
    }

    fn look<T>(&self, port: &PortRef, look: impl FnOnce(&mut Metered) -> T) -> T {
        look(self.meters().entry(port.clone()).or_default())
    }

    /// As of a server that has just been started.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.meters().clear();
    }

    /// What waits for the disk and `choose` takes of each point of a port, by slot.
    fn waiting(
        &self,
        span: Span,
        choose: impl Fn(&PortRef, &PortPoint) -> Vec<Point>,
    ) -> BTreeMap<i64, Point> {
        let mut found: BTreeMap<i64, Point> = BTreeMap::new();
        for (port, metered) in self.meters().iter() {
            for (finest, point) in metered.meter.points() {
                for point in choose(port, point) {
                    found.entry(span.slot_of_finest(*finest)).or_default().add(&point);
                }
            }
        }
        found
    }

    /// A panic elsewhere leaves sums that are sums.
    fn meters(&self) -> MutexGuard<'_, BTreeMap<PortRef, Metered>> {
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
        let mut found = stored(&mut db, id, span, ctx.now).await?;
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
        let mut found = stored(&mut db, id, span, ctx.now).await?;
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

    /// Writes all that waits, as the server stops. What the disk refuses is lost, and told.
    pub(crate) async fn write_figures(&self) -> Result<(), store::Error> {
        // Of some at once, which share a COMMIT.
        let ports = stream::iter(self.parts().figures.ports());
        let written = ports.map(|port| self.write_port(port, i64::MAX));
        in_all(written.buffer_unordered(PORTS_AT_ONCE)).await?;
        let ports = stream::iter(self.parts().figures.ports());
        let rolled = ports.map(|port| self.roll(port, i64::MAX, 0));
        let rolled = in_all(rolled.buffer_unordered(PORTS_AT_ONCE));
        timeout(STOP_WITHIN, rolled).await.unwrap_or_else(|_| {
            warn!("some figures stay in their finest ring, which forgets them after an hour");
            Ok(())
        })
    }

    /// Writes what waits of minutes that are over, one port after the other, and rests for `rest` times what each took:
    /// customers' acts go between.
    pub(crate) async fn write_finished_figures(&self, rest: u32) -> Result<(), store::Error> {
        let end = self.finished();
        let ports = stream::iter(self.parts().figures.ports());
        in_all(ports.then(async |port| {
            let began = Instant::now();
            let written = self.write_port(port, end).await;
            sleep(began.elapsed() * rest).await;
            written
        }))
        .await
    }

    /// Makes what is over of the coarser rings, one port after the other. Nobody waits for it, so it rests for `rest` times
    /// what each step took.
    pub(crate) async fn roll_finished_figures(&self, rest: u32) -> Result<(), store::Error> {
        let ports = stream::iter(self.parts().figures.ports());
        in_all(ports.then(|port| self.roll(port, self.finished(), rest))).await
    }

    /// The first slot of the finest ring of the minute that is not over.
    fn finished(&self) -> i64 {
        let late = self.now().saturating_sub(LATE).unwrap_or(Timestamp::MIN);
        Span::Hour.slot(late).div_euclid(STRIP) * STRIP
    }

    async fn roll(&self, port: PortRef, end: i64, rest: u32) -> Result<(), store::Error> {
        for span in [Span::Day, Span::Month] {
            self.roll_ring(&port, span, (end, rest)).await?;
        }
        Ok(())
    }

    async fn write_port(&self, port: PortRef, end: i64) -> Result<(), store::Error> {
        let points = self.parts().figures.look(&port, |metered| metered.meter.drain(end));
        let (Some(first), Some(last)) = (points.keys().next(), points.keys().last()) else {
            return Ok(());
        };
        write_tx!(self, false, store::Error, |tx| {
            tx.touched = Touched::None;
            let rows = rows(tx, &port, &points).await?;
            figures::add(tx, rows).await
        })?;
        self.parts().figures.look(&port, |metered| metered.see_written((*first, *last)));
        Ok(())
    }

    /// Makes the strips of a coarser ring that are over, if any. What they are made of is read before anybody waits for it.
    async fn roll_ring(
        &self,
        port: &PortRef,
        span: Span,
        (end, rest): (i64, u32),
    ) -> Result<(), store::Error> {
        let finest = span.step_seconds() / Span::Hour.step_seconds();
        let now = Span::Hour.slot(self.now());
        // Whoever writes all writes of the strip that is not over as well: the server may be away for long.
        let end = end.min((strip_of_finest(span, now) + 1) * STRIP * finest);
        let figures = &self.parts().figures;
        if figures.look(port, |metered| metered.to_roll(span, end, None).is_empty()) {
            return Ok(());
        }
        let mut db = self.store().reader().await?;
        let Some(wire) = connections::holding(&mut db, port).await? else { return Ok(()) };
        let newest = figures::newest(&mut db, &wire.id.to_string(), span).await?;
        let all: Vec<String> = subjects(&mut db, &wire).await?.into_iter().collect();
        drop(db);
        let (strips, mut taken) = Taken::new(figures, (port, span), end, newest);
        let slots = strips.start() * STRIP..(strips.end() + 1) * STRIP;
        let until = (slots.end * finest).min(now + 1);
        for some in all.chunks(SUBJECTS_AT_ONCE) {
            let began = Instant::now();
            self.make(some, &wire, (span, slots.clone()), until).await?;
            sleep(began.elapsed() * rest).await;
        }
        taken.are_made = true;
        Ok(())
    }

    async fn make(
        &self,
        some: &[String],
        wire: &Connection,
        (span, slots): (Span, Range<i64>),
        until: i64,
    ) -> Result<(), store::Error> {
        let mut made = Vec::new();
        let mut db = self.store().reader().await?;
        for subject in some {
            let found = figures::within(&mut db, subject, (span, slots.clone()), until).await?;
            let found = found.iter().map(|(slot, point)| (*slot, point));
            made.extend(figures::rows_of(subject, found));
        }
        drop(db);
        write_tx!(self, false, store::Error, |tx| {
            tx.touched = Touched::None;
            let there = subjects(tx, wire).await?;
            let rows: Vec<_> =
                made.iter().filter(|row| there.contains(&row.subject)).cloned().collect();
            figures::put(tx, span, &rows).await
        })
    }
}

/// Strips of a coarser ring that somebody makes. They count as made before they are read, so that what is written meanwhile
/// has them made again; unless they are in the end, they do not.
struct Taken<'a> {
    figures: &'a Figures,
    port: &'a PortRef,
    span: Span,
    was: Option<i64>,
    are_made: bool,
}

impl<'a> Taken<'a> {
    fn new(
        figures: &'a Figures,
        (port, span): (&'a PortRef, Span),
        end: i64,
        newest: Option<i64>,
    ) -> (RangeInclusive<i64>, Self) {
        let (strips, was) = figures.look(port, |metered| {
            let strips = metered.to_roll(span, end, newest);
            let was = metered.rolled.insert(span, *strips.end());
            (strips, was)
        });
        (strips, Self { figures, port, span, was, are_made: false })
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.are_made {
            return;
        }
        self.figures.look(self.port, |metered| match self.was {
            Some(was) => metered.rolled.insert(self.span, was),
            None => metered.rolled.remove(&self.span),
        });
    }
}

/// All are tried; the first failure is told.
async fn in_all(
    outcomes: impl Stream<Item = Result<(), store::Error>>,
) -> Result<(), store::Error> {
    outcomes.fold(Ok(()), async |before, outcome| before.and(outcome)).await
}

/// Of the slots that a ring has now.
async fn stored(
    db: &mut AnyConnection,
    subject: impl Display,
    span: Span,
    now: Timestamp,
) -> Result<BTreeMap<i64, Point>, store::Error> {
    let end = span.slot(now) + 1;
    let slots = (span, end - span.slots()..end);
    figures::within(db, &subject.to_string(), slots, Span::Hour.slot(now) + 1).await
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
async fn rows(tx: &mut Tx, port: &PortRef, points: &PortPoints) -> Result<Vec<Row>, store::Error> {
    let Some(wire) = connections::holding(tx, port).await? else { return Ok(vec![]) };
    if wire.deleted_at.is_some() {
        return Ok(vec![]);
    }
    let mut rows = Vec::new();
    let mut on: BTreeMap<ConnectionId, BTreeSet<InterfaceId>> = BTreeMap::new();
    for (id, connection) in figures::on_wire(tx, wire.id).await? {
        on.entry(connection).or_default().insert(id);
        let of_it = points.iter().filter_map(|(slot, at)| Some((*slot, at.interfaces.get(&id)?)));
        rows.extend(figures::rows_of(&id.to_string(), of_it));
    }
    let hosted = connections::live_on(tx, wire.id).await?;
    for connection in std::iter::once(&wire).chain(&hosted) {
        let on_it = on.remove(&connection.id).unwrap_or_default();
        let shares: Vec<_> =
            points.iter().map(|(slot, point)| (*slot, share(connection, point, &on_it))).collect();
        let shares = shares.iter().map(|(slot, point)| (*slot, point));
        rows.extend(figures::rows_of(&connection.id.to_string(), shares));
    }
    Ok(rows)
}

/// Everything on the fibre that has figures, itself and what it hosts as well; nothing that is gone.
async fn subjects(
    db: &mut AnyConnection,
    wire: &Connection,
) -> Result<BTreeSet<String>, store::Error> {
    let live = connections::by_id(db, wire.id).await?.filter(|wire| wire.deleted_at.is_none());
    let Some(wire) = live else { return Ok(BTreeSet::new()) };
    let on_it = figures::on_wire(db, wire.id).await?;
    let hosted = connections::live_on(db, wire.id).await?;
    let connections = std::iter::once(&wire).chain(&hosted).map(|it| it.id.to_string());
    Ok(on_it.into_iter().map(|(id, _)| id.to_string()).chain(connections).collect())
}

/// As the server stops.
const PORTS_AT_ONCE: usize = 4;

/// Reports that tell of a minute may come so long after it.
const LATE: SignedDuration = SignedDuration::from_secs(10);

/// The coarser rings are made within this as the server stops, or later.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// What the coarser rings are made of is read, and they are written, of so many at a time.
const SUBJECTS_AT_ONCE: usize = 8;

/// They are made in a fifth of the time: all of hundreds of routers would take a minute of a core, every twelve minutes.
const REST: u32 = 4;

/// A minute's figures are written in half of the time.
const REST_OF_MINUTE: u32 = 1;

/// Writes whenever a minute is over, and makes the coarser rings beside that, until dropped.
pub(crate) async fn run(app: App) {
    let write = async {
        loop {
            minute_is_over(&app).await;
            tell(app.write_finished_figures(REST_OF_MINUTE).await);
        }
    };
    let roll = async {
        loop {
            minute_is_over(&app).await;
            tell(app.roll_finished_figures(REST).await);
        }
    };
    tokio::join!(write, roll);
}

async fn minute_is_over(app: &App) {
    const MINUTE: i64 = STRIP * Span::Hour.step_seconds();
    let into_minute = app.now().as_second().rem_euclid(MINUTE);
    let rest = MINUTE - into_minute + LATE.as_secs();
    sleep(Duration::from_secs(rest.unsigned_abs())).await;
}

fn tell(outcome: Result<(), store::Error>) {
    if let Err(error) = outcome {
        error!(error = &error as &dyn std::error::Error, "cannot write figures");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first slot of the finest ring of a strip of the day's.
    fn strip(n: i64) -> i64 {
        n * STRIP * 12
    }

    fn metered(written: i64, rolled: Option<i64>) -> Metered {
        let rolled = rolled.map(|strip| (Span::Day, strip)).into_iter().collect();
        Metered { meter: Meter::default(), written: Some(written), rolled }
    }

    #[test]
    fn strips_are_made_once_they_are_over_and_of_what_the_finer_ring_still_has_whole() {
        for (why, written, rolled, newest, end, made) in [
            ("nothing is over since", strip(10) - 1, Some(9), None, strip(10) + 5, vec![]),
            ("one is", strip(10) - 1, Some(8), None, strip(10), vec![9]),
            ("not written yet", strip(9) - 1, Some(7), None, strip(10), vec![8]),
            (
                "long silent, then written",
                strip(90),
                Some(8),
                None,
                strip(91),
                vec![87, 88, 89, 90],
            ),
            ("a server's first", strip(10) - 1, None, None, strip(10), vec![6, 7, 8, 9]),
            ("another made a part of it", strip(10), None, Some(9), strip(10) + 1, vec![9]),
            (
                "it was down for long",
                strip(90),
                None,
                Some(9),
                strip(90) + 1,
                vec![9, 10, 11, 12, 13],
            ),
        ] {
            let strips = metered(written, rolled).to_roll(Span::Day, end, newest);
            assert_eq!(strips.collect::<Vec<_>>(), made, "{why}");
        }
    }

    #[test]
    fn strips_that_somebody_gave_up_making_are_made_again_and_so_is_what_was_written_meanwhile() {
        let port = PortRef { router: "r1".parse().unwrap(), port: "p0".parse().unwrap() };
        let of_port = |figures: &Figures| {
            figures.look(&port, |metered| metered.to_roll(Span::Day, strip(10), None))
        };
        for (are_made, written, left) in
            [(true, None, vec![]), (false, None, vec![9]), (true, Some(strip(9) + 3), vec![9])]
        {
            let figures = Figures::default();
            figures.look(&port, |it| *it = metered(strip(10) - 1, Some(8)));
            let (strips, mut taken) = Taken::new(&figures, (&port, Span::Day), strip(10), None);
            assert_eq!(strips, 9..=9);
            if let Some(slot) = written {
                figures.look(&port, |metered| metered.see_written((slot, slot)));
            }
            taken.are_made = are_made;
            drop(taken);
            assert_eq!(of_port(&figures).collect::<Vec<_>>(), left, "{are_made} {written:?}");
        }
    }

    #[test]
    fn what_comes_late_has_its_strip_made_again() {
        let mut metered = metered(strip(10), Some(9));
        metered.see_written((strip(9) + 3, strip(10)));
        assert_eq!(metered.to_roll(Span::Day, strip(10) + 1, None), 9..=9);
    }
}
