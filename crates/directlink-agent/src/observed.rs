//! What the kernel really has, as far as it is ours: the left side of every difference.
//!
//! Read anew, never remembered: what is here was seen in the kernel, except `attached`, which
//! also says that it was this process's programs that went there (a restart brings the new
//! build's programs in, under traffic).

use directlink_dataplane::{InterfaceNumber, Rate, RuleSet, RuleSetNumber, Uplink as UplinkRow};
use directlink_model::ids::{InterfaceId, PortName};
use directlink_net::{IpNet, Mac, Vlan, Vni};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The router's ports that were asked about, where there is such a link.
    pub(crate) ports: BTreeMap<PortName, Port>,
    pub(crate) uplink: Option<Uplink>,
    /// Whatever bears a name of ours.
    pub(crate) interfaces: BTreeMap<InterfaceId, Interface>,
    pub(crate) tables: Tables,
    /// The neighbour through which the kernel would reach each VTEP that was asked about.
    pub(crate) next_hops: BTreeMap<Ipv4Addr, Ipv4Addr>,
    /// Neighbours on the uplink that the kernel keeps resolved for us.
    pub(crate) kept_next_hops: BTreeSet<Ipv4Addr>,
    /// Attachments to links that are gone.
    pub(crate) lost_attachments: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) ifindex: u32,
    pub(crate) attached: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uplink {
    pub(crate) ifindex: u32,
    /// Its first address; none yet, and nothing can be sent.
    pub(crate) vtep: Option<Ipv4Addr>,
    pub(crate) attached: bool,
}

/// An interface, or what there is of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) has_namespace: bool,
    pub(crate) link: Option<Link>,
    pub(crate) inside: Option<Inside>,
}

/// The router's end of the veth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) ifindex: u32,
    /// As its alias says.
    pub(crate) port: Option<PortName>,
    pub(crate) mtu: u32,
    pub(crate) is_up: bool,
    pub(crate) attached: bool,
}

/// The end in the interface's own namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    pub(crate) vlan: Vlan,
    pub(crate) mac: Mac,
    pub(crate) mtu: u32,
    pub(crate) is_up: bool,
    /// But for the link-local one, which the kernel makes where there is another of IPv6.
    pub(crate) addresses: BTreeSet<IpNet>,
    /// Neighbours that the kernel keeps resolved.
    pub(crate) kept: BTreeSet<IpAddr>,
    /// The stack's switches are as they should be.
    pub(crate) is_tuned: bool,
}

/// The data plane's tables, but for routes and sources (see [`crate::routes`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    pub(crate) uplink: Option<UplinkRow>,
    pub(crate) interfaces: BTreeMap<InterfaceNumber, directlink_dataplane::Interface>,
    /// Of ports, by ifindex.
    pub(crate) rates: BTreeMap<u32, Rate>,
    /// Numbers that some route or source still names.
    pub(crate) named: BTreeSet<InterfaceNumber>,
    pub(crate) nets: BTreeSet<Vni>,
    pub(crate) subnets: BTreeMap<(Vni, IpNet), IpAddr>,
    pub(crate) nics: BTreeMap<(Vni, IpAddr), NicRow>,
    /// Those that may relay to us, by Net.
    pub(crate) routers: BTreeSet<(Vni, Ipv4Addr)>,
    pub(crate) rule_sets: BTreeMap<RuleSetNumber, RuleSet>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NicRow {
    pub(crate) mac: Mac,
    pub(crate) vtep: Ipv4Addr,
    pub(crate) rule_set: Option<RuleSetNumber>,
}

impl Observed {
    /// The number under which the tables know each interface: by the row that leads to its veth.
    pub(crate) fn numbers(&self) -> BTreeMap<InterfaceId, InterfaceNumber> {
        let by_link: BTreeMap<u32, InterfaceNumber> = self
            .tables
            .interfaces
            .iter()
            .map(|(&number, row)| (row.slow_ifindex, number))
            .collect();
        self.interfaces
            .iter()
            .filter_map(|(&id, seen)| Some((id, *by_link.get(&seen.link.as_ref()?.ifindex)?)))
            .collect()
    }

    pub(crate) fn port_with(&self, ifindex: u32) -> Option<PortName> {
        let port = self.ports.iter().find(|(_, port)| port.ifindex == ifindex);
        port.map(|(name, _)| name.clone())
    }
}
