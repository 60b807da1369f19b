//! Figures over time: traffic, drops, sessions and light, from what a router says again and again.
//!
//! ```text
//!   report, report, report ─► Meter: what passed between two, by slots of ten seconds
//!                                │ taken from time to time
//!                                ▼
//!        three rings       10 s × 360     2 min × 720     1 h × 720
//!        of strips of six   an hour         a day           a month
//! ```
//!
//! A ring has so many places and no more: what is new takes the place of what is oldest. Six slots
//! share a row, a strip, so that a minute of an interface is one row. A counter says how much, and
//! not when: what passed between two reports is spread evenly over that time.

use crate::{
    ids::InterfaceId,
    report::{InterfaceReport, PortReport, SessionReport},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, str::FromStr, sync::Arc};

/// Frames, and their bytes on the customer's wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tally {
    pub packets: u64,
    pub bytes: u64,
}

/// What went on, in either direction, since the interface was put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Traffic {
    pub from_customer: Tally,
    pub to_customer: Tally,
}

/// Whether a packet with a verdict of this name went on: all others are drops. The data plane's
/// names; the agent's tests hold them against it.
pub fn went_on(verdict: &str) -> bool {
    const WENT_ON: [&str; 11] = [
        "forwarded_to_net",
        "forwarded_to_customer",
        "to_router",
        "from_router",
        "arp_answered",
        "nd_answered",
        "to_kernel",
        "relayed",
        "bfd_answered",
        "lacp",
        "lacp_answered",
    ];
    WENT_ON.contains(&verdict)
}

/// What was seen in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// For so long the router was heard.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub seen_millis: u64,
    #[serde(rename = "l", default, skip_serializing_if = "is_zero")]
    pub light_millis: u64,
    /// At least one BGP session was established.
    #[serde(rename = "e", default, skip_serializing_if = "is_zero")]
    pub established_millis: u64,
    /// The customer spoke BFD.
    #[serde(rename = "b", default, skip_serializing_if = "is_zero")]
    pub bfd_millis: u64,
    #[serde(rename = "u", default, skip_serializing_if = "is_zero")]
    pub bfd_up_millis: u64,
    #[serde(rename = "f", default, skip_serializing_if = "Tally::is_zero")]
    pub from_customer: Tally,
    #[serde(rename = "t", default, skip_serializing_if = "Tally::is_zero")]
    pub to_customer: Tally,
    /// Packets dropped, by verdict.
    #[serde(rename = "d", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drops: BTreeMap<String, u64>,
}

/// serde asks with a reference.
#[expect(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Tally {
    const fn is_zero(&self) -> bool {
        self.packets == 0 && self.bytes == 0
    }

    fn add(&mut self, other: Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    fn since(self, was: Self) -> Self {
        Self { packets: risen(self.packets, was.packets), bytes: risen(self.bytes, was.bytes) }
    }
}

/// A counter that is lower than it was began anew.
const fn risen(is: u64, was: u64) -> u64 {
    match is.checked_sub(was) {
        Some(risen) => risen,
        None => is,
    }
}

impl Point {
    pub fn add(&mut self, other: &Self) {
        self.seen_millis += other.seen_millis;
        self.light_millis += other.light_millis;
        self.established_millis += other.established_millis;
        self.bfd_millis += other.bfd_millis;
        self.bfd_up_millis += other.bfd_up_millis;
        self.add_traffic(other);
    }

    /// Without what was seen of states.
    pub fn add_traffic(&mut self, other: &Self) {
        self.from_customer.add(other.from_customer);
        self.to_customer.add(other.to_customer);
        for (verdict, packets) in &other.drops {
            *self.drops.entry(verdict.clone()).or_default() += packets;
        }
    }

    pub fn dropped(&self) -> u64 {
        self.drops.values().sum()
    }

    /// Its part between two fractions of its time, such that all parts together are the whole.
    fn part(&self, (from, to, of): (u64, u64, u64)) -> Self {
        let part = |whole: u64| {
            let until = |at: u64| u128::from(whole) * u128::from(at) / u128::from(of);
            u64::try_from(until(to) - until(from)).unwrap_or(u64::MAX)
        };
        let tally = |whole: Tally| Tally { packets: part(whole.packets), bytes: part(whole.bytes) };
        let drops = self.drops.iter().map(|(name, packets)| (name.clone(), part(*packets)));
        Self {
            seen_millis: part(self.seen_millis),
            light_millis: part(self.light_millis),
            established_millis: part(self.established_millis),
            bfd_millis: part(self.bfd_millis),
            bfd_up_millis: part(self.bfd_up_millis),
            from_customer: tally(self.from_customer),
            to_customer: tally(self.to_customer),
            drops: drops.filter(|(_, packets)| *packets > 0).collect(),
        }
    }
}

/// How far back a graph looks: a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    #[default]
    Hour,
    Day,
    Month,
}

/// Slots in a row.
pub const STRIP: i64 = 6;

impl Span {
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Month => "30d",
        }
    }

    pub const fn step_seconds(self) -> i64 {
        match self {
            Self::Hour => 10,
            Self::Day => 120,
            Self::Month => 3600,
        }
    }

    /// How many slots it holds.
    pub const fn slots(self) -> i64 {
        match self {
            Self::Hour => 360,
            Self::Day | Self::Month => 720,
        }
    }

    /// The slot of a moment, counted from 1970.
    pub fn slot(self, at: Timestamp) -> i64 {
        at.as_second().div_euclid(self.step_seconds())
    }

    /// Strips of this ring that the next finer one still has whole, beside the one that is not over; of the finest, none.
    pub const fn strips_in_finer(self) -> i64 {
        let finer = match self {
            Self::Hour => return 0,
            Self::Day => Self::Hour,
            Self::Month => Self::Day,
        };
        finer.slots() * finer.step_seconds() / (self.step_seconds() * STRIP) - 1
    }

    /// The slot that holds a slot of the finest ring.
    pub const fn slot_of_finest(self, finest: i64) -> i64 {
        finest.div_euclid(self.step_seconds() / Self::Hour.step_seconds())
    }

    /// Where a strip is kept: the place of the one that is a ring older.
    pub const fn place(self, strip: i64) -> i64 {
        strip.rem_euclid(self.slots() / STRIP)
    }
}

impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|span| span.as_str() == text).ok_or(())
    }
}

/// What passed on a port in one slot of the finest ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortPoint {
    /// Its light, and the traffic of all its interfaces; as part of a LAG, of its wire.
    pub line: Point,
    pub interfaces: BTreeMap<InterfaceId, Point>,
}

/// By slot of the finest ring.
pub type PortPoints = BTreeMap<i64, PortPoint>;

/// Of a port: makes of one report after another what passed between them.
#[derive(Debug, Default)]
pub struct Meter {
    last: Option<(Timestamp, Arc<Look>)>,
    /// What the rates are measured from.
    base: Option<(Timestamp, Arc<Look>)>,
    points: PortPoints,
    rates: BTreeMap<InterfaceId, Rate>,
    /// Of the wire, as part of a LAG.
    line_rate: Option<Rate>,
}

/// What goes on now, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    pub from_customer_bits: u64,
    pub to_customer_bits: u64,
    pub from_customer_packets: u64,
    pub to_customer_packets: u64,
}

impl Rate {
    fn of(point: &Point, millis: u64) -> Self {
        let bits = |bytes: u64| bytes.saturating_mul(8_000) / millis;
        let per_second = |packets: u64| packets.saturating_mul(1_000) / millis;
        let (from, to) = (point.from_customer, point.to_customer);
        Self {
            from_customer_bits: bits(from.bytes),
            to_customer_bits: bits(to.bytes),
            from_customer_packets: per_second(from.packets),
            to_customer_packets: per_second(to.packets),
        }
    }
}

/// What a meter remembers of a report.
#[derive(Clone, Debug)]
struct Look {
    light: bool,
    /// Of the wire, as part of a LAG.
    traffic: Option<Traffic>,
    interfaces: BTreeMap<InterfaceId, InterfaceLook>,
}

#[derive(Clone, Debug)]
struct InterfaceLook {
    traffic: Traffic,
    drops: BTreeMap<String, u64>,
    established: bool,
    bfd_up: Option<bool>,
}

/// A router that says nothing for longer was not heard between.
const SILENCE_MILLIS: u64 = 20_000;
/// What passed in a longer time is nobody's: nobody knows when.
const GAP_MILLIS: u64 = 3_600_000;
/// A rate is measured over at least this.
const RATE_MILLIS: u64 = 4_000;

impl Meter {
    pub fn take(&mut self, report: &PortReport, now: Timestamp) {
        let mut look = Look::of(report);
        if let Some((then, was)) = &self.last {
            let millis = millis_between(*then, now);
            if millis == 0 {
                // At the same moment: what passed waits for the next.
                look.keep_counters_of(was);
            } else if millis <= GAP_MILLIS {
                let passed = passed(was, &look, Some(millis).filter(|m| *m <= SILENCE_MILLIS));
                self.spread(&passed, *then, millis);
            }
        }
        let look = Arc::new(look);
        self.measure(&look, now);
        self.last = Some((now, look));
    }

    /// What passed and was not yet taken.
    pub const fn points(&self) -> &PortPoints {
        &self.points
    }

    /// Takes those of slots before this one.
    pub fn drain(&mut self, end: i64) -> PortPoints {
        let later = self.points.split_off(&end);
        std::mem::replace(&mut self.points, later)
    }

    pub fn rate(&self, id: InterfaceId) -> Option<Rate> {
        self.rates.get(&id).copied()
    }

    /// Of each interface.
    pub fn rates(&self) -> impl Iterator<Item = (InterfaceId, Rate)> + '_ {
        self.rates.iter().map(|(id, rate)| (*id, *rate))
    }

    /// Of the wire of a LAG's port. `None`: it carries what its interfaces do.
    pub const fn line_rate(&self) -> Option<Rate> {
        self.line_rate
    }

    fn spread(&mut self, passed: &PortPoint, then: Timestamp, millis: u64) {
        let slot_millis = Span::Hour.step_seconds() * 1000;
        let begin = then.as_millisecond();
        let end = begin.saturating_add(i64::try_from(millis).unwrap_or(i64::MAX));
        for slot in begin.div_euclid(slot_millis)..=(end - 1).div_euclid(slot_millis) {
            let since = |at: i64| u64::try_from(at - begin).unwrap_or(0).min(millis);
            let part = (since(slot * slot_millis), since((slot + 1) * slot_millis), millis);
            let point = self.points.entry(slot).or_default();
            point.line.add(&passed.line.part(part));
            if point.interfaces.is_empty() {
                // Collected, a map has full nodes: there may be hundreds of thousands.
                let parts = passed.interfaces.iter().map(|(id, it)| (*id, it.part(part)));
                point.interfaces = parts.collect();
                continue;
            }
            for (id, it) in &passed.interfaces {
                point.interfaces.entry(*id).or_default().add(&it.part(part));
            }
        }
        // Nobody takes them: the oldest go.
        while self.points.len() > usize::try_from(Span::Hour.slots()).unwrap_or(0) {
            self.points.pop_first();
        }
    }

    fn measure(&mut self, look: &Arc<Look>, now: Timestamp) {
        if let Some((then, was)) = &self.base {
            let millis = millis_between(*then, now);
            if millis < RATE_MILLIS {
                return;
            }
            let passed = passed(was, look, None);
            let is_bundled = look.traffic.is_some();
            self.line_rate = is_bundled.then(|| Rate::of(&passed.line, millis));
            let interfaces = passed.interfaces.into_iter();
            self.rates = interfaces.map(|(id, point)| (id, Rate::of(&point, millis))).collect();
        }
        self.base = Some((now, Arc::clone(look)));
    }
}

fn millis_between(then: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_millisecond() - then.as_millisecond()).unwrap_or(0)
}

/// Between two looks; a state is what it was at the first, for so long.
fn passed(was: &Look, is: &Look, seen_millis: Option<u64>) -> PortPoint {
    let time = |holds: bool| if holds { seen_millis.unwrap_or(0) } else { 0 };
    let mut line =
        Point { seen_millis: time(true), light_millis: time(was.light), ..Point::default() };
    let passed = |(id, now): (&InterfaceId, &InterfaceLook)| {
        // One that is new has counted from 0.
        let then = was.interfaces.get(id);
        let traffic = then.map(|then| then.traffic).unwrap_or_default();
        let count = |name: &str| then.and_then(|then| then.drops.get(name)).copied().unwrap_or(0);
        let drops = now.drops.iter().map(|(name, n)| (name.clone(), risen(*n, count(name))));
        let point = Point {
            seen_millis: time(then.is_some()),
            light_millis: time(then.is_some() && was.light),
            established_millis: time(then.is_some_and(|then| then.established)),
            bfd_millis: time(then.is_some_and(|then| then.bfd_up.is_some())),
            bfd_up_millis: time(then.is_some_and(|then| then.bfd_up == Some(true))),
            from_customer: now.traffic.from_customer.since(traffic.from_customer),
            to_customer: now.traffic.to_customer.since(traffic.to_customer),
            drops: drops.filter(|(_, packets)| *packets > 0).collect(),
        };
        (*id, point)
    };
    let interfaces: BTreeMap<_, _> = is.interfaces.iter().map(passed).collect();
    interfaces.values().for_each(|point| line.add_traffic(point));
    if let (Some(then), Some(now)) = (was.traffic, is.traffic) {
        line.from_customer = now.from_customer.since(then.from_customer);
        line.to_customer = now.to_customer.since(then.to_customer);
    }
    PortPoint { line, interfaces }
}

impl Look {
    fn of(report: &PortReport) -> Self {
        let interfaces = report.interfaces.iter();
        let interfaces = interfaces.map(|(id, it)| (*id, InterfaceLook::of(it)));
        let traffic = report.evidence.traffic;
        Self { light: report.light, traffic, interfaces: interfaces.collect() }
    }
}

impl Look {
    fn keep_counters_of(&mut self, was: &Self) {
        self.traffic = was.traffic.or(self.traffic);
        for (id, look) in &mut self.interfaces {
            if let Some(was) = was.interfaces.get(id) {
                look.traffic = was.traffic;
                look.drops.clone_from(&was.drops);
            }
        }
    }
}

impl InterfaceLook {
    fn of(report: &InterfaceReport) -> Self {
        let further = report.further_peers.values().map(|peer| &peer.session);
        let sessions = || std::iter::once(&report.session).chain(further.clone());
        let drops = report.verdicts.iter().filter(|(name, _)| !went_on(name));
        let mut bfd = sessions().filter_map(|session| session.bfd.as_ref());
        let spoken = bfd.clone().next().is_some();
        Self {
            traffic: report.traffic,
            drops: drops.map(|(name, packets)| (name.clone(), *packets)).collect(),
            established: sessions().any(SessionReport::is_established),
            bfd_up: spoken.then(|| bfd.all(|bfd| bfd.state == "Up")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id() -> InterfaceId {
        InterfaceId::from_bits(1)
    }

    fn report(bytes: u64, dropped: u64, up: bool) -> PortReport {
        let state = if up { SessionReport::ESTABLISHED } else { "Idle" };
        let interface = InterfaceReport {
            session: SessionReport { state: state.into(), ..SessionReport::default() },
            traffic: Traffic {
                from_customer: Tally { packets: bytes / 100, bytes },
                to_customer: Tally::default(),
            },
            verdicts: [("no_route".into(), dropped), ("to_router".into(), 9)].into(),
            ..InterfaceReport::default()
        };
        PortReport {
            port: "p0".parse().unwrap(),
            applied_generation: 1,
            light: true,
            interfaces: [(id(), interface)].into(),
            unchanged: [].into(),
            evidence: crate::evidence::PortEvidence::default(),
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn total(points: &PortPoints) -> Point {
        let mut sum = Point::default();
        points.values().for_each(|point| sum.add(&point.interfaces[&id()]));
        sum
    }

    proptest! {
        #[test]
        fn what_passed_is_all_in_the_slots_whenever_reports_come(
            steps in prop::collection::vec((0i64..19_000, 0u64..100_000, 0u64..50), 1..20),
        ) {
            let mut meter = Meter::default();
            let (mut now, mut bytes, mut dropped) = (1_000_003, 77, 5);
            meter.take(&report(bytes, dropped, true), at(now));
            for (millis, more, drops) in &steps {
                (now, bytes, dropped) = (now + millis, bytes + more, dropped + drops);
                meter.take(&report(bytes, dropped, true), at(now));
            }
            now += 1;
            meter.take(&report(bytes, dropped, true), at(now));
            let sum = total(meter.points());
            let seen = u64::try_from(now - 1_000_003).unwrap();
            prop_assert_eq!(sum.from_customer.bytes, bytes - 77);
            prop_assert_eq!(sum.dropped(), dropped - 5);
            prop_assert_eq!((sum.seen_millis, sum.established_millis), (seen, seen));
            prop_assert!(meter.points().values().all(|p| p.line.seen_millis <= 10_000));
            prop_assert!(!sum.drops.contains_key("to_router"), "that is no drop");
        }
    }

    /// As part of a LAG, with so many octets on its wire, each way.
    fn bundled(bytes: u64, on_wire: u64) -> PortReport {
        let tally = Tally { packets: on_wire / 100, bytes: on_wire };
        let mut report = report(bytes, 0, true);
        report.evidence.traffic = Some(Traffic { from_customer: tally, to_customer: tally });
        report
    }

    #[test]
    fn a_port_of_a_lag_carries_what_its_wire_says_whatever_its_interfaces_do() {
        let mut meter = Meter::default();
        meter.take(&bundled(1_000, 70_000), at(0));
        meter.take(&bundled(9_000, 75_000), at(10_000));
        let point = &meter.points()[&0];
        assert_eq!(point.interfaces[&id()].from_customer.bytes, 8_000);
        assert_eq!(
            [point.line.from_customer, point.line.to_customer].map(|it| it.bytes),
            [5_000; 2]
        );
        assert_eq!(meter.line_rate().map(|rate| rate.to_customer_bits), Some(4_000));

        // One that left its LAG, or whose router is older, has only its interfaces.
        meter.take(&report(9_500, 0, true), at(15_000));
        assert_eq!(meter.points()[&1].line.from_customer.bytes, 500);
        assert_eq!(meter.line_rate(), None);
    }

    #[test]
    fn a_counter_that_began_anew_counts_from_nothing() {
        let mut meter = Meter::default();
        meter.take(&report(5_000, 0, true), at(0));
        meter.take(&report(200, 0, true), at(5_000));
        assert_eq!(total(meter.points()).from_customer.bytes, 200);
    }

    #[test]
    fn a_silent_router_was_not_seen_and_after_an_hour_nobody_knows_when_its_packets_went() {
        let mut meter = Meter::default();
        meter.take(&report(0, 0, true), at(0));
        meter.take(&report(600, 0, false), at(60_000));
        let sum = total(meter.points());
        assert_eq!((sum.seen_millis, sum.from_customer.bytes), (0, 600));
        assert_eq!(meter.points().len(), 6, "spread over the minute");
        meter.drain(i64::MAX);
        meter.take(&report(9_999, 0, false), at(60_000 + 3_600_001));
        assert!(meter.points().is_empty());
    }

    #[test]
    fn a_state_holds_from_the_report_that_says_so_to_the_next() {
        let mut meter = Meter::default();
        meter.take(&report(0, 0, true), at(0));
        meter.take(&report(0, 0, false), at(2_000));
        meter.take(&report(0, 0, false), at(8_000));
        let sum = total(meter.points());
        assert_eq!((sum.seen_millis, sum.established_millis), (8_000, 2_000));
    }

    #[test]
    fn a_rate_is_of_the_last_seconds() {
        let mut meter = Meter::default();
        for (millis, bytes) in [(0, 0), (1_000, 50), (5_000, 5_000), (10_000, 5_000)] {
            meter.take(&report(bytes, 0, true), at(millis));
            let bits = if millis == 5_000 { 8_000 } else { 0 };
            assert_eq!(meter.rate(id()).unwrap_or_default().from_customer_bits, bits, "{millis}");
        }
    }

    #[test]
    fn a_strip_takes_the_place_of_the_one_a_ring_older() {
        for span in Span::ALL {
            let strips = span.slots() / STRIP;
            assert_eq!(span.slots() % STRIP, 0);
            assert_eq!(span.place(7), span.place(7 + strips));
            assert_ne!(span.place(7), span.place(6 + strips));
            assert_eq!(span.as_str().parse(), Ok(span));
        }
        assert_eq!(Span::Month.slot_of_finest(Span::Hour.slot(at(7_200_000))), 2);
    }
}
