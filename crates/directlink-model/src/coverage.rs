//! Failover coverage: which Nets, and which of their customers' prefixes, would be out of reach if
//! something went. Pure: ways as they are, and which of them are supposed to be lost.
//!
//! A way that does not work now, or is drained, covers nothing.

use crate::{
    ids::{AccountId, ConnectionId, InterfaceId, LocationCode, NetId, RouterName},
    interface::{Interface, InterfaceState},
    maintenance::Target,
    report::InterfaceReport,
};
use directlink_net::IpNet;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The fibre that an interface runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    pub connection: ConnectionId,
    pub router: RouterName,
    pub location: LocationCode,
    pub is_lit: bool,
}

/// An interface that leads to a Net, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub interface: InterfaceId,
    pub owner: AccountId,
    pub connection: ConnectionId,
    /// The connection whose fibre it is.
    pub wire: ConnectionId,
    pub router: RouterName,
    pub location: LocationCode,
    pub net: NetId,
    /// It carries traffic now: available, and not drained.
    pub is_open: bool,
    /// What the customer announces on it, and is accepted.
    pub learned: BTreeSet<IpNet>,
}

/// What a loss does to one Net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shade {
    pub net: NetId,
    pub owner: AccountId,
    /// No way is left: nobody reaches it any more.
    pub is_dark: bool,
    /// Prefixes that no other way leads to.
    pub lost: BTreeSet<IpNet>,
    /// The ways that are left.
    pub left: BTreeSet<InterfaceId>,
}

impl Wire {
    /// Whether what `line` carries is worked on.
    pub fn is_on(&self, target: &Target, line: ConnectionId) -> bool {
        match target {
            Target::Interface(_) => false,
            Target::Connection(id) => line == *id || self.connection == *id,
            Target::Router(name) => self.router == *name,
            Target::Location(code) => self.location == *code,
        }
    }
}

impl Way {
    /// Whether it runs there.
    pub fn is_on(&self, target: &Target) -> bool {
        match target {
            Target::Interface(id) => self.interface == *id,
            Target::Connection(id) => self.connection == *id || self.wire == *id,
            Target::Router(name) => self.router == *name,
            Target::Location(code) => self.location == *code,
        }
    }

    /// Of an interface with what its router last said.
    pub fn of(
        (interface, report): (&Interface, &InterfaceReport),
        (net, wire): (NetId, &Wire),
        now: Timestamp,
    ) -> Self {
        let state = interface.state(wire.is_lit, now);
        Self {
            interface: interface.id,
            owner: interface.owner,
            connection: interface.connection,
            wire: wire.connection,
            router: wire.router.clone(),
            location: wire.location.clone(),
            net,
            is_open: state == InterfaceState::Available && interface.drain.is_none(),
            learned: report.learned().map(|route| route.prefix).collect(),
        }
    }
}

/// What each Net that loses something has left, if these ways were lost. One that was dark before
/// loses nothing.
pub fn without(ways: &[Way], is_lost: impl Fn(&Way) -> bool) -> Vec<Shade> {
    let mut nets: BTreeMap<NetId, Vec<&Way>> = BTreeMap::new();
    for way in ways.iter().filter(|way| way.is_open) {
        nets.entry(way.net).or_default().push(way);
    }
    let shade = |(net, ways): (NetId, Vec<&Way>)| {
        let (lost, left): (Vec<&Way>, Vec<&Way>) = ways.into_iter().partition(|way| is_lost(way));
        let owner = lost.first()?.owner;
        let prefixes = |ways: &[&Way]| -> BTreeSet<IpNet> {
            ways.iter().flat_map(|way| way.learned.iter().copied()).collect()
        };
        Some(Shade {
            net,
            owner,
            is_dark: left.is_empty(),
            lost: prefixes(&lost).difference(&prefixes(&left)).copied().collect(),
            left: left.iter().map(|way| way.interface).collect(),
        })
    };
    nets.into_iter().filter_map(shade).collect()
}

/// What the loss of each location, and of each router, would do: only where it would do something.
pub fn weak_points(ways: &[Way]) -> Vec<(Target, Vec<Shade>)> {
    let locations: BTreeSet<_> = ways.iter().map(|way| way.location.clone()).collect();
    let routers: BTreeSet<_> = ways.iter().map(|way| way.router.clone()).collect();
    let all = locations.into_iter().map(Target::Location);
    let all = all.chain(routers.into_iter().map(Target::Router));
    let hurt = |target: Target| {
        let shades = without(ways, |way| way.is_on(&target)).into_iter();
        let shades: Vec<_> = shades.filter(|it| it.is_dark || !it.lost.is_empty()).collect();
        (!shades.is_empty()).then_some((target, shades))
    };
    all.filter_map(hurt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interface, location, Net, open, what it learned.
    fn way(n: u32, location: &str, net: u32, is_open: bool, learned: &[&str]) -> Way {
        Way {
            interface: InterfaceId::from_bits(n),
            owner: AccountId::from_number(1),
            connection: ConnectionId::from_bits(n),
            wire: ConnectionId::from_bits(n),
            router: format!("{}-r1", location.to_lowercase()).parse().unwrap(),
            location: location.parse().unwrap(),
            net: NetId::from_bits(net),
            is_open,
            learned: learned.iter().map(|prefix| prefix.parse().unwrap()).collect(),
        }
    }

    fn text(shades: &[Shade]) -> Vec<String> {
        let say = |it: &Shade| {
            let lost: Vec<_> = it.lost.iter().map(ToString::to_string).collect();
            format!(
                "{} dark:{} lost:{} left:{}",
                it.net.bits(),
                it.is_dark,
                lost.join(","),
                it.left.len()
            )
        };
        shades.iter().map(say).collect()
    }

    #[test]
    fn each_loss_darkens_what_has_no_other_open_way() {
        const A: &str = "10.9.0.0/16";
        const B: &str = "10.8.0.0/16";
        let par1 = |way: &Way| way.location.as_str() == "PAR1";
        let rows: [(&str, Vec<Way>, &[&str]); 6] = [
            (
                "alone",
                vec![way(1, "PAR1", 7, true, &[A])],
                &["7 dark:true lost:10.9.0.0/16 left:0"],
            ),
            (
                "the other takes over",
                vec![way(1, "PAR1", 7, true, &[A]), way(2, "PAR4", 7, true, &[A])],
                &["7 dark:false lost: left:1"],
            ),
            (
                "the other is announced less",
                vec![way(1, "PAR1", 7, true, &[A, B]), way(2, "PAR4", 7, true, &[A])],
                &["7 dark:false lost:10.8.0.0/16 left:1"],
            ),
            (
                "the other is down, or drained",
                vec![way(1, "PAR1", 7, true, &[A]), way(2, "PAR4", 7, false, &[A])],
                &["7 dark:true lost:10.9.0.0/16 left:0"],
            ),
            ("dark before", vec![way(1, "PAR1", 7, false, &[A])], &[]),
            (
                "another Net is none of it",
                vec![way(1, "PAR4", 8, true, &[A]), way(2, "PAR1", 7, true, &[A])],
                &["7 dark:true lost:10.9.0.0/16 left:0"],
            ),
        ];
        for (what, ways, expected) in rows {
            assert_eq!(text(&without(&ways, par1)), expected, "{what}");
        }
    }

    #[test]
    fn weak_points_are_the_places_whose_loss_is_felt() {
        let two = [way(1, "PAR1", 7, true, &[]), way(2, "PAR4", 7, true, &[])];
        assert!(weak_points(&two).is_empty());
        let points = weak_points(&two[..1]);
        let names: Vec<_> = points.iter().map(|(target, _)| target.to_string()).collect();
        assert_eq!(names, ["location PAR1", "router par1-r1"]);
    }
}
