//! Wanted against observed → what to do, in order. Pure.
//!
//! ```text
//!  wanted ──┐
//!           ├─► Difference { changes, blocked } ─► apply ─► kernel ─► observed ─┐
//!  observed ┴───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! From any start this reaches nothing-to-do in at most three rounds, and when nothing is to be
//! done it does nothing. The order is such that a packet in between is dropped, never misled:
//! what is referred to comes first and goes last.

mod interfaces;
mod nets;

use crate::{
    observed::{NicRow, Observed},
    wanted::{Certainty, Wanted},
};
use directlink_dataplane::{InterfaceNumber, Rate, RuleSet, RuleSetNumber, Subnet, Uplink};
use directlink_model::{
    ids::{InterfaceId, PortName},
    plan::GATEWAY_MAC,
};
use directlink_net::{IpNet, Mac, Mtu, Vlan, Vni};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::OnceLock,
};

/// One thing to do. Each is idempotent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    // The uplink and the ports.
    AttachUplink(Uplink),
    AttachPort {
        port: PortName,
        ifindex: u32,
    },
    /// The link is gone; only our pin is left.
    Detach(u32),
    PutRate {
        port: PortName,
        ifindex: u32,
        rate: Rate,
    },
    /// By ifindex: the port may be gone.
    RemoveRate(u32),
    KeepNextHop(Ipv4Addr),
    ReleaseNextHop(Ipv4Addr),
    // An interface.
    MakeNamespace(InterfaceId),
    Tune(InterfaceId),
    MakeLink {
        id: InterfaceId,
        port: PortName,
        vlan: Vlan,
        mac: Mac,
        mtu: Mtu,
    },
    Relabel {
        id: InterfaceId,
        port: PortName,
    },
    Resize {
        id: InterfaceId,
        vlan: Vlan,
        mtu: Mtu,
    },
    Raise {
        id: InterfaceId,
        vlan: Vlan,
    },
    AddAddress {
        id: InterfaceId,
        vlan: Vlan,
        address: IpNet,
    },
    RemoveAddress {
        id: InterfaceId,
        vlan: Vlan,
        address: IpNet,
    },
    KeepNeighbour {
        id: InterfaceId,
        vlan: Vlan,
        address: IpAddr,
    },
    ReleaseNeighbour {
        id: InterfaceId,
        vlan: Vlan,
        address: IpAddr,
    },
    AttachSlow(InterfaceId),
    /// `slow_ifindex` is filled in when it is done: the link may be as new as the row.
    PutRow {
        id: InterfaceId,
        row: directlink_dataplane::Interface,
    },
    RemoveRow {
        id: Option<InterfaceId>,
        number: InterfaceNumber,
    },
    RemoveLink(InterfaceId),
    RemoveNamespace(InterfaceId),
    // A Net.
    PutNet(Vni),
    PutSubnet(Subnet),
    PutRuleSet {
        vni: Vni,
        number: RuleSetNumber,
        rules: RuleSet,
    },
    PutNic {
        vni: Vni,
        address: IpAddr,
        row: NicRow,
    },
    RemoveNic {
        vni: Vni,
        address: IpAddr,
    },
    RemoveSubnet {
        vni: Vni,
        range: IpNet,
    },
    /// Another router that carries the Net, and may relay to us.
    PutRouter {
        vni: Vni,
        vtep: Ipv4Addr,
    },
    RemoveRouter {
        vni: Vni,
        vtep: Ipv4Addr,
    },
    RemoveNet(Vni),
    RemoveRuleSet(RuleSetNumber),
}

/// What a change is about: if one fails, the others of the same subject wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Router,
    Port(PortName),
    Interface(InterfaceId),
    Net(Vni),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) changes: Vec<Change>,
    /// What is wanted and cannot be begun, and why.
    pub(crate) blocked: BTreeMap<Subject, String>,
    /// Of the changes, made when it is first asked for: each interface of thousands asks.
    subjects: OnceLock<BTreeSet<Subject>>,
}

/// All that is to be done.
pub(crate) fn diff(wanted: &Wanted, observed: &Observed) -> Difference {
    let mut difference = Difference::default();
    let nets = nets::diff(wanted, observed);
    difference.changes.extend(nets.first);
    interfaces::diff(wanted, observed, &mut difference);
    // New programs come over tables that are filled: those of another layout begin empty.
    router(observed, &mut difference);
    ports(wanted, observed, &mut difference);
    rates(wanted, observed, &mut difference);
    difference.changes.extend(nets.last);
    difference
}

impl Difference {
    pub(crate) fn is_about(&self, subject: &Subject) -> bool {
        let all = || self.changes.iter().map(Change::subject).collect();
        self.blocked.contains_key(subject) || self.subjects.get_or_init(all).contains(subject)
    }
}

impl Change {
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::AttachUplink(_)
            | Self::Detach(_)
            | Self::RemoveRate(_)
            | Self::KeepNextHop(_)
            | Self::ReleaseNextHop(_)
            | Self::RemoveRuleSet(_)
            | Self::RemoveRow { id: None, .. } => Subject::Router,
            Self::AttachPort { port, .. } | Self::PutRate { port, .. } => {
                Subject::Port(port.clone())
            }
            Self::MakeNamespace(id)
            | Self::Tune(id)
            | Self::MakeLink { id, .. }
            | Self::Relabel { id, .. }
            | Self::Resize { id, .. }
            | Self::Raise { id, .. }
            | Self::AddAddress { id, .. }
            | Self::RemoveAddress { id, .. }
            | Self::KeepNeighbour { id, .. }
            | Self::ReleaseNeighbour { id, .. }
            | Self::AttachSlow(id)
            | Self::PutRow { id, .. }
            | Self::RemoveRow { id: Some(id), .. }
            | Self::RemoveLink(id)
            | Self::RemoveNamespace(id) => Subject::Interface(*id),
            Self::PutNet(vni)
            | Self::PutSubnet(Subnet { vni, .. })
            | Self::PutRuleSet { vni, .. }
            | Self::PutNic { vni, .. }
            | Self::RemoveNic { vni, .. }
            | Self::PutRouter { vni, .. }
            | Self::RemoveRouter { vni, .. }
            | Self::RemoveSubnet { vni, .. }
            | Self::RemoveNet(vni) => Subject::Net(*vni),
        }
    }
}

impl Subject {
    pub(crate) const fn interface(&self) -> Option<InterfaceId> {
        match self {
            Self::Interface(id) => Some(*id),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router => f.write_str("router"),
            Self::Port(port) => write!(f, "port {port}"),
            Self::Interface(id) => id.fmt(f),
            Self::Net(vni) => write!(f, "VNI {vni}"),
        }
    }
}

fn router(observed: &Observed, difference: &mut Difference) {
    let lost = observed.lost_attachments.iter().map(|&ifindex| Change::Detach(ifindex));
    difference.changes.extend(lost);
    let Some(seen) = observed.uplink else {
        let why = "there is no uplink: no link of that name in the router's namespace";
        difference.blocked.insert(Subject::Router, why.into());
        return;
    };
    let Some(vtep) = seen.vtep else {
        let why = "the uplink has no IPv4 address: nothing can be sent into a Net";
        difference.blocked.insert(Subject::Router, why.into());
        return;
    };
    let row = Uplink { ifindex: seen.ifindex, vtep, gateway_mac: GATEWAY_MAC };
    if !seen.attached || observed.tables.uplink != Some(row) {
        difference.changes.push(Change::AttachUplink(row));
    }
}

fn ports(wanted: &Wanted, observed: &Observed, difference: &mut Difference) {
    for port in wanted.ports.keys() {
        match observed.ports.get(port) {
            Some(seen) if !seen.attached => {
                let change = Change::AttachPort { port: port.clone(), ifindex: seen.ifindex };
                difference.changes.push(change);
            }
            // A port without a link carries nothing; its interfaces say so.
            _ => {}
        }
    }
}

/// What is ordered of a port holds before it carries anything more, and goes with its connection.
fn rates(wanted: &Wanted, observed: &Observed, difference: &mut Difference) {
    let seen = &observed.tables.rates;
    for &ifindex in seen.keys() {
        let port = observed.port_with(ifindex);
        let stays = port.is_some_and(|port| {
            wanted.certainty(&port) == Certainty::Held || wanted.rates.contains_key(&port)
        });
        if !stays {
            difference.changes.push(Change::RemoveRate(ifindex));
        }
    }
    for (port, &rate) in &wanted.rates {
        let Some(ifindex) = observed.ports.get(port).map(|port| port.ifindex) else { continue };
        let held = wanted.certainty(port) == Certainty::Held && seen.contains_key(&ifindex);
        if !held && seen.get(&ifindex) != Some(&rate) {
            difference.changes.push(Change::PutRate { port: port.clone(), ifindex, rate });
        }
    }
}

#[cfg(test)]
mod tests;
