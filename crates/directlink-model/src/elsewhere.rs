//! Where a Net's customers are reached by other routers than the one that is planned for.
//!
//! ```text
//!  par1-r1: 192.168.10.0/24 ─┐   plan of par1-r1: elsewhere 192.168.10.0/24 → par4-r1
//!  par4-r1: 192.168.10.0/24 ─┴─► plan of par4-r1: elsewhere 192.168.10.0/24 → par1-r1
//! ```
//!
//! Each router knows it before it needs it: one that loses its customer hands packets on at once,
//! without asking the server. Apart from the plan because it is made of what routers report, where
//! all else of a plan is made of what customers and the operator want.

use crate::{
    interface::{Interface, InterfaceState},
    report::InterfaceReport,
};
use directlink_net::{IpNet, Ipv4Net};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

/// A router that carries the Net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    pub vtep: Ipv4Addr,
    /// What it leads to.
    learned: BTreeSet<Ipv4Net>,
    /// What it leads to on interfaces that are drained alone.
    drained: BTreeSet<Ipv4Net>,
}

impl Carrier {
    pub const fn new(vtep: Ipv4Addr) -> Self {
        Self { vtep, learned: BTreeSet::new(), drained: BTreeSet::new() }
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
        let known = match interface.drain {
            Some(_) => &mut self.drained,
            None => &mut self.learned,
        };
        known.extend(report.learned().filter_map(|route| match route.prefix {
            IpNet::V4(prefix) => Some(prefix),
            // Packets of IPv6 are not relayed.
            IpNet::V6(_) => None,
        }));
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
) -> BTreeMap<Ipv4Net, BTreeSet<Ipv4Addr>> {
    let mut elsewhere: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for carrier in others(carriers, own) {
        for &prefix in &carrier.learned {
            elsewhere.entry(prefix).or_default().insert(carrier.vtep);
        }
    }
    let mut last_resorts: BTreeMap<Ipv4Net, BTreeSet<Ipv4Addr>> = BTreeMap::new();
    let is_drained_here = |prefix: &Ipv4Net| {
        let here = carriers.iter().find(|carrier| carrier.vtep == own);
        here.is_some_and(|it| it.drained.contains(prefix) && !it.learned.contains(prefix))
    };
    for carrier in others(carriers, own) {
        let free = |prefix: &&Ipv4Net| !elsewhere.contains_key(*prefix) && !is_drained_here(prefix);
        for &prefix in carrier.drained.iter().filter(free) {
            last_resorts.entry(prefix).or_default().insert(carrier.vtep);
        }
    }
    elsewhere.extend(last_resorts);
    elsewhere
}

fn others(carriers: &[Carrier], own: Ipv4Addr) -> impl Iterator<Item = &Carrier> {
    carriers.iter().filter(move |carrier| carrier.vtep != own)
}
