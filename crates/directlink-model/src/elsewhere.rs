//! Where a Net's customers are reached by other routers than the one that is planned for.
//!
//! ```text
//!  par1-r1: 192.168.10.0/24 ─┐   plan of par1-r1: elsewhere 192.168.10.0/24 → par4-r1
//!  par4-r1: 192.168.10.0/24 ─┴─► plan of par4-r1: elsewhere 192.168.10.0/24 → par1-r1
//! ```
//!
//! Each router knows it before it needs it: one that loses its customer hands packets on at once,
//! without asking the server. And it knows which of the others the customer prefers to itself: best
//! path over all locations, as RFC 4271 §9.1.2.2 decides it (by local preference, AS_PATH, and MED of one
//! neighbour; ORIGIN is not compared). Equal ways stay where the packets are. Apart from the plan because it is made of what routers report, where
//! all else of a plan is made of what customers and the operator want.

use crate::{
    interface::{Interface, InterfaceState},
    report::{InterfaceReport, LearnedRoute},
};
use directlink_net::IpNet;
use jiff::Timestamp;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

/// A router that carries the Net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    pub vtep: Ipv4Addr,
    /// What it leads to, and how well at best.
    learned: BTreeMap<IpNet, Rank>,
    /// What it leads to on interfaces that are drained alone.
    drained: BTreeSet<IpNet>,
}

/// How well a route leads there: the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    local_pref: Reverse<u32>,
    as_path_length: usize,
    med: u32,
    neighbour: Option<u32>,
}

impl Rank {
    fn of(route: &LearnedRoute) -> Self {
        Self {
            local_pref: Reverse(route.local_pref),
            as_path_length: route.as_path.len(),
            med: route.med.unwrap_or_default(),
            neighbour: route.as_path.first().copied(),
        }
    }

    /// Not by MED, which only one neighbour's can be compared by.
    fn is_as_near_as(&self, other: &Self) -> bool {
        (self.local_pref, self.as_path_length) == (other.local_pref, other.as_path_length)
    }

    fn is_beaten_by(&self, other: &Self) -> bool {
        self.neighbour == other.neighbour && other.med < self.med
    }
}

impl Carrier {
    pub const fn new(vtep: Ipv4Addr) -> Self {
        Self { vtep, learned: BTreeMap::new(), drained: BTreeSet::new() }
    }

    /// What customers announce on one of its interfaces to the Net, while that is available.
    pub fn learn(
        &mut self,
        (interface, wire_on): (&Interface, bool),
        report: &InterfaceReport,
        now: Timestamp,
    ) {
        if interface.state(wire_on, now) != InterfaceState::Available {
            return;
        }
        for route in report.learned() {
            let prefix = route.prefix;
            if matches!(prefix, IpNet::V6(_)) && !report.takes_relayed_ipv6 {
                continue;
            }
            let rank = Rank::of(route);
            match interface.drain {
                Some(_) => drop(self.drained.insert(prefix)),
                None => {
                    let best = self.learned.entry(prefix).or_insert(rank);
                    *best = rank.min(*best);
                }
            }
        }
    }
}

/// The routers beside the one with this VTEP.
pub(crate) fn routers(carriers: &[Carrier], own: Ipv4Addr) -> BTreeSet<Ipv4Addr> {
    others(carriers, own).map(|carrier| carrier.vtep).collect()
}

/// Each prefix that they lead to. A router of which all ways there are drained counts where there is
/// no other, and never for one whose own are drained too: two that are drained would send packets to
/// each other.
pub(crate) fn elsewhere(
    carriers: &[Carrier],
    own: Ipv4Addr,
) -> BTreeMap<IpNet, BTreeSet<Ipv4Addr>> {
    let mut elsewhere: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for carrier in others(carriers, own) {
        for &prefix in carrier.learned.keys() {
            elsewhere.entry(prefix).or_default().insert(carrier.vtep);
        }
    }
    let mut last_resorts: BTreeMap<IpNet, BTreeSet<Ipv4Addr>> = BTreeMap::new();
    let is_drained_here = |prefix: &IpNet| {
        let here = carriers.iter().find(|carrier| carrier.vtep == own);
        here.is_some_and(|it| it.drained.contains(prefix) && !it.learned.contains_key(prefix))
    };
    for carrier in others(carriers, own) {
        let free = |prefix: &&IpNet| !elsewhere.contains_key(*prefix) && !is_drained_here(prefix);
        for &prefix in carrier.drained.iter().filter(free) {
            last_resorts.entry(prefix).or_default().insert(carrier.vtep);
        }
    }
    elsewhere.extend(last_resorts);
    elsewhere
}

/// Of those, the routers that lead there better than the one with this VTEP, or best of all where it
/// leads nowhere. Not where all of them do alike, and it does not: that is said already.
pub(crate) fn preferred(
    carriers: &[Carrier],
    own: Ipv4Addr,
) -> BTreeMap<IpNet, BTreeSet<Ipv4Addr>> {
    let prefixes: BTreeSet<_> = others(carriers, own).flat_map(|it| it.learned.keys()).collect();
    let better = |prefix: &IpNet| {
        let ranks: Vec<_> =
            carriers.iter().filter_map(|it| Some((it.vtep, *it.learned.get(prefix)?))).collect();
        let (_, first) = ranks.iter().min_by_key(|(_, rank)| *rank)?;
        let near = || ranks.iter().filter(|(_, rank)| rank.is_as_near_as(first));
        let best = near().filter(|(_, it)| !near().any(|(_, other)| it.is_beaten_by(other)));
        let best: BTreeSet<_> = best.map(|(vtep, _)| *vtep).collect();
        (!best.contains(&own) && best.len() < ranks.len()).then_some(best)
    };
    prefixes.into_iter().filter_map(|prefix| Some((*prefix, better(prefix)?))).collect()
}

fn others(carriers: &[Carrier], own: Ipv4Addr) -> impl Iterator<Item = &Carrier> {
    carriers.iter().filter(move |carrier| carrier.vtep != own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "10.9.0.0/16";

    fn vtep(n: u8) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, n)
    }

    /// Local preference, AS_PATH, MED.
    type Said<'a> = (u32, &'a [u32], u32);

    fn preferred_to_the_first(said: &[Option<Said<'_>>]) -> Vec<u8> {
        let carriers: Vec<_> = (1..)
            .zip(said)
            .map(|(n, said)| {
                let mut carrier = Carrier::new(vtep(n));
                if let Some((local_pref, as_path, med)) = *said {
                    let prefix: IpNet = PREFIX.parse().unwrap();
                    let as_path = as_path.to_vec();
                    let route =
                        LearnedRoute { prefix, as_path, med: Some(med), local_pref, best: true };
                    carrier.learned.insert(prefix, Rank::of(&route));
                }
                carrier
            })
            .collect();
        let told = preferred(&carriers, vtep(1));
        told.into_values().flatten().map(|it| it.octets()[3]).collect()
    }

    #[test]
    fn the_better_way_over_all_locations_is_preferred_and_an_equal_one_is_not() {
        const NEAR: &[u32] = &[65010];
        const FAR: &[u32] = &[65010, 65010];
        let usual = Some((100, NEAR, 0));
        for (name, said, expected) in [
            ("alike", [usual, usual, None], &[][..]),
            ("alone", [usual, None, None], &[]),
            ("local preference", [usual, Some((150, FAR, 9)), None], &[2]),
            ("ours by local preference", [usual, Some((50, NEAR, 0)), None], &[]),
            ("AS_PATH", [Some((100, FAR, 0)), usual, usual], &[2, 3]),
            ("MED of one neighbour", [Some((100, NEAR, 5)), usual, None], &[2]),
            ("MED of two", [Some((100, &[65020], 5)), usual, None], &[]),
            ("of two others the better", [None, usual, Some((100, FAR, 0))], &[2]),
            ("of two others alike", [None, usual, usual], &[]),
            ("the only other", [None, usual, None], &[]),
        ] {
            assert_eq!(preferred_to_the_first(&said), expected, "{name}");
        }
    }
}
