//! The plan: all that one router shall do, in numbered documents, each complete by itself.
//!
//! ```text
//!   scope          document   changes when                        generation
//!   port/p0        PortPlan   an interface of that port changes   its own
//!   net/vpc-…      NetPlan    a NIC, Subnet or rule of it changes its own
//! ```
//!
//! A Net is a document of its own because many interfaces on many ports lead to one, and a new
//! NIC must not move thousands of interfaces. A plan is never a delta; a generation only grows;
//! what a router must no longer do is a document with nothing in it. Planning is a pure function
//! of a snapshot: the same snapshot gives the same bytes.

use crate::{
    bgp_peer::{BgpPeer, first_peer},
    connection::{Bandwidth, Connection},
    drain::Draining,
    elsewhere::{self, Carrier},
    ids::{BgpPeerId, ConnectionId, GatewayId, InterfaceId, LagId, NetId, PortName},
    interface::Interface,
    lag::Bundle,
    net::{Net, Nic, Subnet},
    route_table::{self, RouteTable, RouteTarget},
    security_group::{Admission, Flow, OtherSide, Permission, SecurityGroup},
};
use directlink_net::{
    Asn, BgpKey, IpNet, Ipv4Net, Ipv6Block, Ipv6Net, Mac, Mtu, PeerAddresses, RegionAsn, Vlan, Vni,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// The MAC address of every Subnet's gateway, on every router: hosts keep theirs when traffic moves.
pub const GATEWAY_MAC: Mac = Mac([0x02, 0x44, 0x4c, 0x00, 0x00, 0x01]);

/// What a document is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    Port(PortName),
    Net(NetId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "port/{port}"),
            Self::Net(net) => write!(f, "net/{net}"),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a plan's scope: port/NAME or net/vpc-…")]
pub struct BadScope(String);

impl FromStr for Scope {
    type Err = BadScope;
    fn from_str(text: &str) -> Result<Self, BadScope> {
        let bad = || BadScope(text.to_owned());
        match text.split_once('/').ok_or_else(bad)? {
            ("port", name) => name.parse().map(Self::Port).map_err(|_| bad()),
            ("net", id) => id.parse().map(Self::Net).map_err(|_| bad()),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = BadScope;
    fn try_from(text: String) -> Result<Self, BadScope> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// One document, for one scope of one router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Document {
    Port(PortPlan),
    /// `None`: no interface of this router leads to that Net any more.
    Net(Option<NetPlan>),
}

/// A port and the interfaces on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortPlan {
    /// `None`: the port is free, and carries nothing.
    pub connection: Option<ConnectionPlan>,
    /// The LAG that the connection is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<LagPlan>,
    pub interfaces: BTreeMap<InterfaceId, InterfacePlan>,
}

/// What the members of a LAG have in common. The server chooses which of the ports has the
/// interfaces; by this the router speaks LACP on all of them. One that does not know it speaks none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LagPlan {
    pub id: LagId,
    pub ports: BTreeSet<PortName>,
    pub minimum_links: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionPlan {
    pub id: ConnectionId,
    pub bits_per_second: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfacePlan {
    pub vlan: Vlan,
    pub mtu: Mtu,
    pub peer: PeerAddresses,
    pub router_asn: Asn,
    pub customer_asn: Asn,
    pub bgp_identifier: Ipv4Addr,
    pub key: Option<BgpKey>,
    /// `None`: the gateway is attached to no Net. BGP runs, nothing is advertised or forwarded.
    pub net: Option<NetRef>,
    /// For as long as these words stand here the session is administratively shut, and the customer
    /// is told them (RFC 9003). All else of the interface stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<String>,
    /// What it may send and receive, each way: of a hosted connection's interface, which has a share
    /// of the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_second: Option<u64>,
    /// For as long as it stands here the traffic is sent away, or kept away; the sessions stay up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// Whose `peer`, `customer_asn`, `key` and `shutdown` are, where the peer that the interface
    /// was born with is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<BgpPeerId>,
    /// Those beside it. A router that does not know them runs the one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub further_peers: BTreeMap<BgpPeerId, PeerPlan>,
}

/// What an interface that is drained says to its customer. Of what the customer announces on it any
/// other way is taken, also another router's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drain {
    /// Our AS number three times more, with GRACEFUL_SHUTDOWN (RFC 8326): any other way is better.
    Prepend,
    /// Nothing is advertised any more. What still comes is forwarded.
    Withdraw,
}

/// One BGP session of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerPlan {
    pub addresses: PeerAddresses,
    pub customer_asn: Asn,
    pub key: Option<BgpKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<String>,
}

impl InterfacePlan {
    /// All its peers, the first first. `id`: the interface's.
    pub fn peers(&self, id: InterfaceId) -> impl Iterator<Item = (BgpPeerId, PeerPlan)> + '_ {
        let main = PeerPlan {
            addresses: self.peer,
            customer_asn: self.customer_asn,
            key: self.key.clone(),
            shutdown: self.shutdown.clone(),
        };
        let further = self.further_peers.iter().map(|(&id, peer)| (id, peer.clone()));
        std::iter::once((self.peer_id.unwrap_or_else(|| first_peer(id)), main)).chain(further)
    }
}

/// Which Net an interface leads to, and what is told of it to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetRef {
    pub id: NetId,
    pub vni: Vni,
    pub advertised: Vec<IpNet>,
}

/// What a router must know of a Net to send packets into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetPlan {
    pub vni: Vni,
    pub range: IpNet,
    /// Each Subnet's range, with the address that its hosts use as their router.
    pub subnets: BTreeMap<Ipv4Net, Ipv4Addr>,
    /// The same of IPv6, where the Region has it. A router that does not know it forwards IPv4.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ipv6_subnets: BTreeMap<Ipv6Net, Ipv6Addr>,
    pub nics: BTreeMap<Ipv4Addr, NicPlan>,
    /// Of Subnets whose route table says anything but that it takes all that the gateway learned. A
    /// router that does not know them sends to the customer from every Subnet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<Ipv4Net, RoutesPlan>,
    /// The VTEPs of the other routers that carry the Net: what they hand on is as good as from
    /// the NIC itself. A router that does not know them takes it for spoofed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub routers: BTreeSet<Ipv4Addr>,
    /// Where those lead: for what this router has no way to, or none any more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub elsewhere: BTreeMap<Ipv4Net, BTreeSet<Ipv4Addr>>,
    /// Those of them that lead there better than this router, whose own ways are second best.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub preferred: BTreeMap<Ipv4Net, BTreeSet<Ipv4Addr>>,
    /// Both, of IPv6: apart, because a router that does not know them forwards IPv4.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ipv6_elsewhere: BTreeMap<Ipv6Net, BTreeSet<Ipv4Addr>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ipv6_preferred: BTreeMap<Ipv6Net, BTreeSet<Ipv4Addr>>,
}

/// What a Subnet's route table says of the world outside its Net. The longest prefix counts, and of
/// one prefix the route by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutesPlan {
    /// Whether it takes what the gateway learned, of both families.
    pub takes_learned: bool,
    pub by_hand: BTreeMap<Ipv4Net, Toward>,
}

/// Where a route by hand leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Toward {
    /// On to whoever announced the address.
    Gateway,
    /// To a NIC of the Net, which is its host's business.
    Elsewhere,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicPlan {
    pub mac: Mac,
    pub vtep: Ipv4Addr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Addr>,
    /// All groups of the NIC as one list; order says nothing, no rule forbids.
    pub inbound: Vec<Permission>,
    pub outbound: Vec<Permission>,
}

/// The facts that the documents of one port are made of.
#[derive(Clone, Debug)]
pub struct PortSnapshot {
    /// The connection that has the port, if one has.
    pub connection: Option<Connection>,
    /// Those that it hosts.
    pub hosted: Vec<Connection>,
    /// The LAG that it is a member of.
    pub bundle: Option<Bundle>,
    /// Its interfaces and those of what it hosts, each with the Net behind its gateway.
    pub interfaces: Vec<(Interface, Option<Net>)>,
    pub region: RegionAsn,
    /// The Region's.
    pub ipv6: Option<Ipv6Block>,
    pub bgp_identifier: Ipv4Addr,
}

/// The facts that the document of one Net is made of.
#[derive(Clone, Debug)]
pub struct NetSnapshot {
    pub net: Net,
    /// The Region's.
    pub ipv6: Option<Ipv6Block>,
    pub subnets: Vec<Subnet>,
    pub nics: Vec<Nic>,
    pub security_groups: Vec<SecurityGroup>,
    /// The one that is attached to it.
    pub gateway: Option<GatewayId>,
    pub route_tables: Vec<RouteTable>,
    /// All routers that an interface to it is on.
    pub carriers: Vec<Carrier>,
}

/// Which Nets the interfaces of a port lead to.
pub fn nets_of(port: &PortPlan) -> impl Iterator<Item = NetId> + '_ {
    port.interfaces.values().filter_map(|i| i.net.as_ref().map(|n| n.id))
}

/// What the port shall do now. Interfaces that wait, are going, or are gone are not in it; nor is any
/// of a LAG with too few links.
pub fn plan_port(snapshot: &PortSnapshot, now: Timestamp) -> PortPlan {
    let Some(connection) = snapshot.connection.as_ref().filter(|c| c.wanted_port().is_some())
    else {
        return PortPlan::default();
    };
    let is_carried = snapshot.bundle.as_ref().is_none_or(Bundle::is_carried);
    let interfaces = snapshot
        .interfaces
        .iter()
        .filter(|_| is_carried)
        .filter(|(interface, _)| interface.state(false, now).is_wanted())
        .map(|(interface, net)| {
            (interface.id, plan_interface((interface, net.as_ref()), snapshot, now))
        })
        .collect();
    let connection = ConnectionPlan {
        id: connection.id,
        bits_per_second: Bandwidth::bits_per_second(connection.bandwidth),
    };
    PortPlan {
        connection: Some(connection),
        lag: snapshot.bundle.as_ref().map(plan_lag),
        interfaces,
    }
}

fn plan_lag(bundle: &Bundle) -> LagPlan {
    let ports = bundle.members.iter().filter_map(Connection::wanted_port);
    LagPlan {
        id: bundle.lag.id,
        ports: ports.map(|port| port.port.clone()).collect(),
        minimum_links: bundle.lag.minimum_links,
    }
}

fn plan_interface(
    (interface, net): (&Interface, Option<&Net>),
    snapshot: &PortSnapshot,
    now: Timestamp,
) -> InterfacePlan {
    let carrier = snapshot.hosted.iter().find(|hosted| hosted.id == interface.connection);
    let main = interface.main_peer();
    let further = interface.wanted_peers().filter(|peer| peer.id != main.id);
    InterfacePlan {
        vlan: interface.vlan,
        mtu: interface.mtu,
        peer: main.addresses,
        router_asn: snapshot.region.0,
        customer_asn: main.asn,
        bgp_identifier: snapshot.bgp_identifier,
        shutdown: interface.shutdown(main.id, now),
        peer_id: Some(main.id).filter(|id| *id != interface.bgp_peer()),
        key: main.key,
        net: net.map(|net| NetRef {
            id: net.id,
            vni: net.vni,
            advertised: advertised(interface, net, snapshot.ipv6),
        }),
        bits_per_second: carrier.and_then(Connection::share_bits_per_second),
        drain: interface.drain.as_ref().map(Draining::says),
        further_peers: further.map(|peer| (peer.id, plan_peer(peer, interface, now))).collect(),
    }
}

/// What a customer is told of a Net: each session tells what is of its family.
pub fn advertised(interface: &Interface, net: &Net, ipv6: Option<Ipv6Block>) -> Vec<IpNet> {
    let ipv6 = ipv6.filter(|_| interface.wanted_peers().any(|peer| peer.is_ipv6()));
    let range = ipv6.map(|block| block.net(net.vni).into());
    [net.range.into()].into_iter().chain(range).collect()
}

fn plan_peer(peer: BgpPeer, interface: &Interface, now: Timestamp) -> PeerPlan {
    PeerPlan {
        addresses: peer.addresses,
        customer_asn: peer.asn,
        shutdown: interface.shutdown(peer.id, now),
        key: peer.key,
    }
}

/// What the router with this VTEP shall know of the Net now. A NIC that lives nowhere yet cannot be
/// sent to.
pub fn plan_net(snapshot: &NetSnapshot, vtep: Ipv4Addr) -> NetPlan {
    let subnets = snapshot.subnets.iter().map(|subnet| (subnet.range, subnet.gateway())).collect();
    let nics = snapshot
        .nics
        .iter()
        .filter_map(|nic| Some((nic.address, plan_nic(nic, nic.vtep?, snapshot))))
        .collect();
    let (elsewhere, ipv6_elsewhere) = by_family(elsewhere::elsewhere(&snapshot.carriers, vtep));
    let (preferred, ipv6_preferred) = by_family(elsewhere::preferred(&snapshot.carriers, vtep));
    NetPlan {
        vni: snapshot.net.vni,
        range: snapshot.net.range.into(),
        subnets,
        ipv6_subnets: ipv6_subnets(snapshot),
        nics,
        routes: snapshot
            .subnets
            .iter()
            .filter_map(|subnet| plan_routes(subnet, snapshot))
            .collect(),
        routers: elsewhere::routers(&snapshot.carriers, vtep),
        elsewhere,
        preferred,
        ipv6_elsewhere,
        ipv6_preferred,
    }
}

/// `None` where there is nothing to say.
fn plan_routes(subnet: &Subnet, snapshot: &NetSnapshot) -> Option<(Ipv4Net, RoutesPlan)> {
    let table = route_table::of_subnet(&snapshot.route_tables, subnet.id)?;
    let is_attached = |gateway: &GatewayId| Some(*gateway) == snapshot.gateway;
    let by_hand = table.statics.iter().map(|route| {
        let toward = match route.target {
            RouteTarget::Gateway(gateway) if is_attached(&gateway) => Toward::Gateway,
            RouteTarget::Gateway(_) | RouteTarget::Nic(_) => Toward::Elsewhere,
        };
        (route.destination, toward)
    });
    let routes = RoutesPlan {
        takes_learned: table.propagating.iter().any(is_attached),
        by_hand: by_hand.collect(),
    };
    let says_more = !routes.takes_learned || !routes.by_hand.is_empty();
    says_more.then_some((subnet.range, routes))
}

fn by_family<T>(all: BTreeMap<IpNet, T>) -> (BTreeMap<Ipv4Net, T>, BTreeMap<Ipv6Net, T>) {
    let (mut v4, mut v6) = (BTreeMap::new(), BTreeMap::new());
    for (prefix, it) in all {
        match prefix {
            IpNet::V4(prefix) => drop(v4.insert(prefix, it)),
            IpNet::V6(prefix) => drop(v6.insert(prefix, it)),
        }
    }
    (v4, v6)
}

fn ipv6_subnets(snapshot: &NetSnapshot) -> BTreeMap<Ipv6Net, Ipv6Addr> {
    let Some(block) = snapshot.ipv6 else { return BTreeMap::new() };
    let vni = snapshot.net.vni;
    let ranges = snapshot.subnets.iter().map(|subnet| subnet.range);
    ranges.map(|range| (block.subnet(vni, range), block.gateway(vni, range))).collect()
}

fn ipv6_address(nic: &Nic, snapshot: &NetSnapshot) -> Option<Ipv6Addr> {
    let subnet = snapshot.subnets.iter().find(|subnet| subnet.id == nic.subnet)?;
    Some(snapshot.ipv6?.nic(snapshot.net.vni, subnet.range, nic.address))
}

fn plan_nic(nic: &Nic, vtep: Ipv4Addr, snapshot: &NetSnapshot) -> NicPlan {
    let permissions =
        |flow: Flow| permissions((nic, flow), &snapshot.security_groups, &snapshot.nics);
    NicPlan {
        mac: nic.mac,
        vtep,
        ipv6: ipv6_address(nic, snapshot),
        inbound: permissions(Flow::Inbound),
        outbound: permissions(Flow::Outbound),
    }
}

/// What all groups of a NIC let pass; `nics` are the Net's.
pub(crate) fn permissions(
    (nic, flow): (&Nic, Flow),
    groups: &[SecurityGroup],
    nics: &[Nic],
) -> Vec<Permission> {
    let own = groups.iter().filter(|group| nic.security_groups.contains(&group.id));
    let rules = own.flat_map(|group| &group.rules).filter(|rule| rule.flow == flow);
    let mut all: Vec<_> = rules.flat_map(|rule| resolve(rule.admission, nics)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A router knows addresses: a group is each of its NICs.
fn resolve(admission: Admission, nics: &[Nic]) -> Vec<Permission> {
    let permission = |range: IpNet| Permission { protocol: admission.protocol, range };
    match admission.other {
        OtherSide::Range(range) => vec![permission(range)],
        OtherSide::Group(group) => nics
            .iter()
            .filter(|nic| nic.security_groups.contains(&group))
            .map(|nic| permission(Ipv4Net::from(nic.address).into()))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
