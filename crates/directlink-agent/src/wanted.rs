//! Documents → what the kernel shall be: one value, computed purely.
//!
//! ```text
//!  port/p0   ─┐                 ports       which may be touched at all
//!  port/p1   ─┼─► Wanted::of ─► interfaces  namespace, veth, addresses, VLAN row
//!  net/vpc-… ─┘                 nets        Subnets, NICs, rule sets
//! ```
//!
//! Knowing nothing of a port or a Net is not the same as wanting nothing there. So a document
//! that is only known in a former version (`held`) adds what is missing and removes nothing,
//! and where there is none at all, everything stays as it is.

use crate::names;
use directlink_dataplane::{Protocol, Rate, Rule, RuleSet, SubnetRoutes, Toward};
use directlink_model::{
    ids::{BgpPeerId, InterfaceId, PortName},
    plan::{self, Document, InterfacePlan, LagPlan, NetPlan, NicPlan, PeerPlan, PortPlan, Scope},
    security_group::{Permission, PortRange, Protocol as Admitted},
};
use directlink_net::{IpNet, Ipv4Net, Ipv6Net, Mac, Mtu, Vlan, Vni};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
};

/// What is known of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Current {
        generation: u64,
        document: Document,
    },
    /// The current document cannot be read; an older one can, perhaps.
    Former(Option<Document>),
}

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) ports: BTreeMap<PortName, Certainty>,
    /// The bandwidth of each port's connection.
    pub(crate) rates: BTreeMap<PortName, Rate>,
    /// Of ports that are part of one.
    pub(crate) lags: BTreeMap<PortName, LagPlan>,
    pub(crate) interfaces: BTreeMap<InterfaceId, Interface>,
    /// Those that this router cannot bring about, and why.
    pub(crate) refused: BTreeMap<InterfaceId, (PortName, String)>,
    pub(crate) nets: BTreeMap<Vni, Net>,
    /// What of a Net this router cannot bring about, and why.
    pub(crate) net_problems: BTreeMap<Vni, String>,
    /// Of some Net nothing can be read: no Net's rows may be removed.
    pub(crate) some_net_unknown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// As the plan says: what it does not name goes.
    Current,
    /// From a former plan: what is there stays, what is missing comes.
    Held,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) port: PortName,
    pub(crate) vlan: Vlan,
    pub(crate) mtu: Mtu,
    pub(crate) mac: Mac,
    /// The customer's routers on the VLAN: at least one, at most two of a family.
    pub(crate) peers: Vec<Peer>,
    /// `None`: leads nowhere, BGP only.
    pub(crate) vni: Option<Vni>,
    /// Its share, if it has less than the port.
    pub(crate) rate: Option<Rate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) id: BgpPeerId,
    /// Our peer address with its prefix length, and the customer's.
    pub(crate) router: IpNet,
    pub(crate) customer: IpAddr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    pub(crate) certainty: Certainty,
    pub(crate) subnets: BTreeMap<IpNet, IpAddr>,
    /// By address; one with an IPv6 address too is here twice.
    pub(crate) nics: BTreeMap<IpAddr, Nic>,
    /// The other routers that carry it, by VTEP.
    pub(crate) routers: BTreeSet<Ipv4Addr>,
    /// Where those lead.
    pub(crate) elsewhere: BTreeMap<IpNet, BTreeSet<Ipv4Addr>>,
    /// Those of them that lead there better than this router.
    pub(crate) preferred: BTreeMap<IpNet, BTreeSet<Ipv4Addr>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nic {
    pub(crate) mac: Mac,
    pub(crate) vtep: Ipv4Addr,
    pub(crate) rules: RuleSet,
}

impl Wanted {
    pub(crate) fn of(scopes: &BTreeMap<Scope, Known>) -> Self {
        let mut wanted = Self::default();
        for (scope, known) in scopes {
            let (certainty, document) = match known {
                Known::Current { document, .. } => (Certainty::Current, Some(document)),
                Known::Former(document) => (Certainty::Held, document.as_ref()),
            };
            match (scope, document) {
                (Scope::Port(port), Some(Document::Port(plan))) => {
                    wanted.add_port(port, certainty, plan);
                }
                (Scope::Net(_), Some(Document::Net(Some(plan)))) => {
                    wanted.add_net(certainty, plan);
                }
                (Scope::Net(_), Some(Document::Net(None))) if certainty == Certainty::Current => {}
                // Nothing is known, or a document is about something else than its scope.
                (Scope::Port(port), _) => {
                    wanted.ports.insert(port.clone(), Certainty::Held);
                }
                (Scope::Net(_), _) => wanted.some_net_unknown = true,
            }
        }
        wanted
    }

    pub(crate) fn certainty(&self, port: &PortName) -> Certainty {
        self.ports.get(port).copied().unwrap_or(Certainty::Held)
    }

    /// The far ends of all tunnels.
    pub(crate) fn vteps(&self) -> BTreeSet<Ipv4Addr> {
        let of = |net: &Net| {
            let hosts: BTreeSet<_> = net.nics.values().map(|nic| nic.vtep).collect();
            hosts.into_iter().chain(net.routers.clone())
        };
        self.nets.values().flat_map(of).collect()
    }

    fn add_port(&mut self, port: &PortName, certainty: Certainty, plan: &PortPlan) {
        self.ports.insert(port.clone(), certainty);
        let rate = plan.connection.as_ref().map(|connection| rate(connection.bits_per_second));
        self.rates.extend(rate.map(|rate| (port.clone(), rate)));
        self.lags.extend(plan.lag.clone().map(|lag| (port.clone(), lag)));
        let mut taken: BTreeMap<Vlan, InterfaceId> = BTreeMap::new();
        for (&id, plan) in &plan.interfaces {
            let interface = match taken.get(&plan.vlan) {
                // Two would take it from each other, forever.
                Some(other) => Err(format!("VLAN {} of the port is {other}'s", plan.vlan)),
                None => interface(id, port, plan),
            };
            match interface {
                Ok(interface) => {
                    taken.insert(plan.vlan, id);
                    self.interfaces.insert(id, interface);
                }
                Err(why) => drop(self.refused.insert(id, (port.clone(), why))),
            }
        }
    }

    fn add_net(&mut self, certainty: Certainty, plan: &NetPlan) {
        let nics = plan.nics.iter().flat_map(|(&address, nic_plan)| {
            let routes = routes(plan, address);
            let addresses = [Some(address.into()), nic_plan.ipv6.map(IpAddr::V6)];
            let addresses = addresses.into_iter().flatten();
            addresses.map(move |address| (address, nic(nic_plan, &routes, address)))
        });
        let subnets = plan.subnets.iter().map(|(&range, &gateway)| (range.into(), gateway.into()));
        let subnets6 =
            plan.ipv6_subnets.iter().map(|(&range, &gateway)| (range.into(), gateway.into()));
        let subnets = subnets.chain(subnets6).collect();
        let mut net = Net {
            certainty,
            subnets,
            nics: nics.collect(),
            routers: plan.routers.clone(),
            elsewhere: of_both(&plan.elsewhere, &plan.ipv6_elsewhere),
            preferred: of_both(&plan.preferred, &plan.ipv6_preferred),
        };
        for (address, nic) in &mut net.nics {
            let rules = nic.rules.inbound.len().max(nic.rules.outbound.len());
            if rules > RULES_MAX {
                let why = format!(
                    "the security groups of {address} have {rules} rules one way, \
                     more than {RULES_MAX}: nothing is admitted"
                );
                nic.rules = RuleSet::default();
                self.net_problems.insert(plan.vni, why);
            }
        }
        self.nets.insert(plan.vni, net);
    }
}

/// What a plan says of each family, as one.
fn of_both<T: Clone>(v4: &BTreeMap<Ipv4Net, T>, v6: &BTreeMap<Ipv6Net, T>) -> BTreeMap<IpNet, T> {
    let v4 = v4.iter().map(|(&prefix, it)| (prefix.into(), it.clone()));
    v4.chain(v6.iter().map(|(&prefix, it)| (prefix.into(), it.clone()))).collect()
}

/// Of one NIC, one way, in the data plane's table.
const RULES_MAX: usize = 1024;

fn interface(id: InterfaceId, port: &PortName, plan: &InterfacePlan) -> Result<Interface, String> {
    let peers: Vec<_> = plan.peers(id).map(|(id, plan)| peer(id, &plan)).collect();
    for is_ipv6 in [false, true] {
        let count = peers.iter().filter(|peer| peer.customer.is_ipv6() == is_ipv6).count();
        if count > PEERS_MAX {
            return Err(format!(
                "this router takes {PEERS_MAX} BGP peers of a family on a VLAN, not {count}"
            ));
        }
    }
    Ok(Interface {
        port: port.clone(),
        vlan: plan.vlan,
        mtu: plan.mtu,
        mac: names::mac(id),
        peers,
        vni: plan.net.as_ref().map(|net| net.vni),
        rate: plan.bits_per_second.map(rate),
    })
}

/// No plan asks for less than the least; one that does is not a plan without a limit.
fn rate(bits_per_second: u64) -> Rate {
    Rate::new(bits_per_second.max(Rate::LEAST)).unwrap_or_else(|| unreachable!("it is the least"))
}

/// On one VLAN, of one family, in the data plane's table.
const PEERS_MAX: usize = 2;

fn peer(id: BgpPeerId, plan: &PeerPlan) -> Peer {
    Peer { id, router: plan.addresses.router(), customer: plan.addresses.customer().addr() }
}

/// What the route table of the address's Subnet says.
fn routes(plan: &NetPlan, address: Ipv4Addr) -> SubnetRoutes {
    let said = plan.routes.iter().find(|(range, _)| range.contains(&address));
    let Some((_, said)) = said else { return SubnetRoutes::default() };
    let by_hand = said.by_hand.iter().map(|(to, toward)| {
        let toward = match toward {
            plan::Toward::Gateway => Toward::Gateway,
            plan::Toward::Elsewhere => Toward::Elsewhere,
        };
        (to.trunc(), toward)
    });
    SubnetRoutes { takes_learned: said.takes_learned, by_hand: by_hand.collect() }
}

/// With the rules and routes that speak of its address's family.
fn nic(plan: &NicPlan, routes: &SubnetRoutes, address: IpAddr) -> Nic {
    let is_its = |rule: &Rule| matches!(rule.range, IpNet::V6(_)) == address.is_ipv6();
    let rules =
        |permissions: &[Permission]| permissions.iter().filter_map(rule).filter(is_its).collect();
    let mut routes = routes.clone();
    if address.is_ipv6() {
        routes.by_hand.clear();
    }
    let rules = RuleSet { inbound: rules(&plan.inbound), outbound: rules(&plan.outbound), routes };
    Nic { mac: plan.mac, vtep: plan.vtep, rules }
}

/// `None`: admits nothing.
fn rule(permission: &Permission) -> Option<Rule> {
    let is_ipv6 = matches!(permission.range, IpNet::V6(_));
    let ports = |range: PortRange| (range != PortRange::ALL).then_some(range.from..=range.to);
    let (protocol, ports) = match permission.protocol {
        Admitted::Any => (Protocol::Any, None),
        Admitted::Tcp(range) => (Protocol::TCP, ports(range)),
        Admitted::Udp(range) => (Protocol::UDP, ports(range)),
        Admitted::Icmp { kind, code } => match is_ipv6 {
            false => (Protocol::ICMP, icmp_kinds(kind, code)?),
            true => (Protocol::ICMPV6, icmp_kinds(kind.map(icmpv6_type), code)?),
        },
        Admitted::Other(number) => (Protocol::Number(number), None),
    };
    Some(Rule { range: permission.range.trunc(), protocol, ports })
}

/// Type and code as a rule of the data plane has them: `type << 8 | code`. The outer `None`: a code
/// of whatever type is no range of these.
fn icmp_kinds(kind: Option<u8>, code: Option<u8>) -> Option<Option<RangeInclusive<u16>>> {
    match (kind, code) {
        (None, None) => Some(None),
        (None, Some(_)) => None,
        (Some(kind), code) => {
            let [from, to] = [code.unwrap_or(0), code.unwrap_or(u8::MAX)];
            Some(Some(u16::from_be_bytes([kind, from])..=u16::from_be_bytes([kind, to])))
        }
    }
}

/// To who writes rules ICMP is one protocol: an echo is meant by either number (RFC 792, RFC 4443).
const fn icmpv6_type(kind: u8) -> u8 {
    match kind {
        8 => 128,
        0 => 129,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use directlink_model::{
        ids::NetId,
        plan::{NetRef, RoutesPlan},
    };
    use directlink_net::PeerAddresses;

    fn permission(protocol: Admitted, range: &str) -> Permission {
        Permission { protocol, range: range.parse().unwrap() }
    }

    #[test]
    fn permissions_become_rules() {
        let ports = |from, to| PortRange { from, to };
        let icmp = |kind, code| Admitted::Icmp { kind, code };
        for (protocol, range, expected) in [
            (Admitted::Any, "0.0.0.0/0", Some("Any None 0.0.0.0/0")),
            (Admitted::Tcp(PortRange::ALL), "10.0.0.9/8", Some("Number(6) None 10.0.0.0/8")),
            (
                Admitted::Tcp(ports(22, 22)),
                "10.0.0.0/8",
                Some("Number(6) Some(22..=22) 10.0.0.0/8"),
            ),
            (Admitted::Udp(ports(1, 9)), "10.0.0.0/8", Some("Number(17) Some(1..=9) 10.0.0.0/8")),
            (icmp(None, None), "10.0.0.0/8", Some("Number(1) None 10.0.0.0/8")),
            (icmp(Some(8), None), "10.0.0.0/8", Some("Number(1) Some(2048..=2303) 10.0.0.0/8")),
            (icmp(Some(8), Some(0)), "10.0.0.0/8", Some("Number(1) Some(2048..=2048) 10.0.0.0/8")),
            (icmp(Some(3), Some(4)), "10.0.0.0/8", Some("Number(1) Some(772..=772) 10.0.0.0/8")),
            (icmp(None, Some(3)), "10.0.0.0/8", None),
            (Admitted::Other(50), "10.0.0.0/8", Some("Number(50) None 10.0.0.0/8")),
            (Admitted::Any, "::/0", Some("Any None ::/0")),
            (icmp(None, None), "2001:db8::9/32", Some("Number(58) None 2001:db8::/32")),
            (icmp(Some(8), None), "::/0", Some("Number(58) Some(32768..=33023) ::/0")),
            (icmp(Some(128), Some(0)), "::/0", Some("Number(58) Some(32768..=32768) ::/0")),
            (icmp(Some(1), None), "::/0", Some("Number(58) Some(256..=511) ::/0")),
            (Admitted::Other(58), "::/0", Some("Number(58) None ::/0")),
            (Admitted::Tcp(ports(80, 80)), "::/0", Some("Number(6) Some(80..=80) ::/0")),
        ] {
            let given = permission(protocol, range);
            let got = rule(&given).map(|r| format!("{:?} {:?} {}", r.protocol, r.ports, r.range));
            assert_eq!(got.as_deref(), expected, "{given:?}");
        }
    }

    fn port(peer: PeerAddresses) -> PortPlan {
        let plan = InterfacePlan {
            vlan: Vlan::try_from(100_u16).unwrap(),
            mtu: Mtu::MAX,
            peer,
            router_asn: 50624_u32.try_into().unwrap(),
            customer_asn: 65000_u32.try_into().unwrap(),
            bgp_identifier: Ipv4Addr::new(10, 0, 0, 1),
            key: None,
            net: Some(NetRef {
                id: NetId::from_bits(1),
                vni: 1000_u32.try_into().unwrap(),
                advertised: vec![],
            }),
            shutdown: None,
            bits_per_second: None,
            drain: None,
            peer_id: None,
            further_peers: BTreeMap::new(),
        };
        PortPlan {
            connection: None,
            lag: None,
            interfaces: [(InterfaceId::from_bits(1), plan)].into(),
        }
    }

    #[test]
    fn a_vlan_is_one_interfaces_and_too_many_rules_admit_nothing() {
        let mut plan = port(PeerAddresses::allocated(0).unwrap());
        let twin = plan.interfaces[&InterfaceId::from_bits(1)].clone();
        plan.interfaces.insert(InterfaceId::from_bits(2), twin);
        let rule = |n: u8| permission(Admitted::Other(n), "10.0.0.0/8");
        let nic = NicPlan {
            mac: Mac([2; 6]),
            vtep: Ipv4Addr::new(192, 0, 2, 2),
            ipv6: None,
            inbound: std::iter::repeat_n(0..=u8::MAX, 4).flatten().chain(0..1).map(rule).collect(),
            outbound: vec![],
        };
        let net = net_of([(Ipv4Addr::new(10, 1, 0, 5), nic)]);
        let current = |document| Known::Current { generation: 1, document };
        let wanted = Wanted::of(&scopes(&[
            ("port/p0", current(Document::Port(plan))),
            ("net/vpc-00000001", current(Document::Net(Some(net)))),
        ]));
        assert_eq!(wanted.interfaces.len(), 1);
        let (_, why) = &wanted.refused[&InterfaceId::from_bits(2)];
        assert_eq!(why, "VLAN 100 of the port is dxvif-00000001's");
        let (vni, why) = wanted.net_problems.first_key_value().unwrap();
        assert!(why.contains("1025 rules"), "{why}");
        let nic = wanted.nets[vni].nics.values().next().unwrap();
        assert_eq!(nic.rules, RuleSet::default());
    }

    /// Of these NICs, and nothing else.
    fn net_of(nics: impl IntoIterator<Item = (Ipv4Addr, NicPlan)>) -> NetPlan {
        NetPlan {
            vni: 1000_u32.try_into().unwrap(),
            range: "10.1.0.0/16".parse().unwrap(),
            subnets: BTreeMap::new(),
            ipv6_subnets: BTreeMap::new(),
            nics: nics.into_iter().collect(),
            routes: BTreeMap::new(),
            routers: BTreeSet::new(),
            elsewhere: BTreeMap::new(),
            preferred: BTreeMap::new(),
            ipv6_elsewhere: BTreeMap::new(),
            ipv6_preferred: BTreeMap::new(),
        }
    }

    fn scopes(list: &[(&str, Known)]) -> BTreeMap<Scope, Known> {
        list.iter().map(|(scope, known)| (scope.parse().unwrap(), known.clone())).collect()
    }

    #[test]
    fn a_document_that_cannot_be_read_wants_nothing_and_removes_nothing() {
        let plan = Document::Port(port(PeerAddresses::allocated(0).unwrap()));
        let current = Known::Current { generation: 1, document: plan.clone() };
        let wanted = Wanted::of(&scopes(&[
            ("port/p0", current),
            ("port/p1", Known::Former(None)),
            ("port/p2", Known::Former(Some(plan))),
            ("net/vpc-00000001", Known::Former(None)),
        ]));
        let certainty = |port: &str| wanted.certainty(&port.parse().unwrap());
        assert_eq!(certainty("p0"), Certainty::Current);
        for port in ["p1", "p2", "p3"] {
            assert_eq!(certainty(port), Certainty::Held, "{port}");
        }
        assert!(wanted.some_net_unknown);
    }

    #[test]
    fn every_peer_of_a_plan_is_wanted_under_its_own_number() {
        let mut plan = port(PeerAddresses::allocated(0).unwrap());
        let id = InterfaceId::from_bits(1);
        let second = |n: u16| PeerPlan {
            addresses: PeerAddresses::allocated(n).unwrap(),
            customer_asn: 65001_u32.try_into().unwrap(),
            key: None,
            shutdown: None,
        };
        let wanted = |plan: &PortPlan| {
            let document = Document::Port(plan.clone());
            Wanted::of(&scopes(&[("port/p0", Known::Current { generation: 1, document })]))
        };
        let one = plan.interfaces.get_mut(&id).unwrap();
        one.further_peers.insert(BgpPeerId::from_bits(9), second(1));
        let peers = wanted(&plan).interfaces[&id].peers.clone();
        let peers: Vec<_> = peers.iter().map(|p| (p.id.bits(), p.customer.to_string())).collect();
        assert_eq!(peers, [(1, "169.254.1.2".to_owned()), (9, "169.254.1.6".to_owned())]);
        let one = plan.interfaces.get_mut(&id).unwrap();
        one.further_peers.insert(BgpPeerId::from_bits(10), second(2));
        assert!(wanted(&plan).refused[&id].1.contains("2 BGP peers of a family"));
    }

    #[test]
    fn peers_of_both_families_stand_side_by_side_two_of_each() {
        let mut plan = port(PeerAddresses::allocated(0).unwrap());
        let id = InterfaceId::from_bits(1);
        let of_ipv6 = |n: u8| PeerPlan {
            addresses: PeerAddresses::new(
                format!("fd00::{n}1/125").parse().unwrap(),
                format!("fd00::{n}2/125").parse().unwrap(),
            )
            .unwrap(),
            customer_asn: 65001_u32.try_into().unwrap(),
            key: None,
            shutdown: None,
        };
        let wanted = |plan: &PortPlan| {
            let document = Document::Port(plan.clone());
            Wanted::of(&scopes(&[("port/p0", Known::Current { generation: 1, document })]))
        };
        for n in 1..=3 {
            let one = plan.interfaces.get_mut(&id).unwrap();
            one.further_peers.insert(BgpPeerId::from_bits(n.into()), of_ipv6(n));
            if n == 2 {
                assert_eq!(wanted(&plan).interfaces[&id].peers.len(), 3);
            }
        }
        assert!(wanted(&plan).refused[&id].1.contains("of a family on a VLAN, not 3"));
    }

    #[test]
    fn a_nic_is_known_by_each_of_its_addresses_with_the_rules_of_that_family() {
        let nic = NicPlan {
            mac: Mac([2; 6]),
            vtep: Ipv4Addr::new(192, 0, 2, 2),
            ipv6: Some("fd00::5".parse().unwrap()),
            inbound: vec![
                permission(Admitted::Any, "10.0.0.0/8"),
                permission(Admitted::Any, "2001:db8::/32"),
            ],
            outbound: vec![permission(Admitted::Any, "::/0")],
        };
        let net = NetPlan {
            subnets: [("10.1.0.0/24".parse().unwrap(), Ipv4Addr::new(10, 1, 0, 1))].into(),
            ipv6_subnets: [("fd00::/64".parse().unwrap(), "fd00::1".parse().unwrap())].into(),
            ..net_of([(Ipv4Addr::new(10, 1, 0, 5), nic)])
        };
        let document = Document::Net(Some(net));
        let known = Known::Current { generation: 1, document };
        let wanted = Wanted::of(&scopes(&[("net/vpc-00000001", known)]));
        let net = wanted.nets.values().next().unwrap();
        assert_eq!(net.subnets.len(), 2);
        let rules = |address: &str| {
            let rules = &net.nics[&address.parse::<IpAddr>().unwrap()].rules;
            let ranges = |rules: &[Rule]| rules.iter().map(|r| r.range.to_string()).collect();
            (ranges(&rules.inbound), ranges(&rules.outbound))
        };
        let none: Vec<String> = vec![];
        assert_eq!(rules("10.1.0.5"), (vec!["10.0.0.0/8".to_owned()], none));
        assert_eq!(rules("fd00::5"), (vec!["2001:db8::/32".to_owned()], vec!["::/0".to_owned()]));
    }

    #[test]
    fn a_nic_goes_by_the_route_table_of_its_own_subnet() {
        let nic = |host| NicPlan {
            mac: Mac([2; 6]),
            vtep: Ipv4Addr::new(192, 0, 2, 2),
            ipv6: Some(format!("fd00::{host}").parse().unwrap()),
            inbound: vec![],
            outbound: vec![],
        };
        let nics = [(0, 5), (1, 6)].map(|(net, host)| (Ipv4Addr::new(10, 1, net, host), nic(host)));
        let by_hand = [
            ("10.0.0.0/8".parse().unwrap(), plan::Toward::Gateway),
            ("10.9.0.0/16".parse().unwrap(), plan::Toward::Elsewhere),
        ];
        let routes = RoutesPlan { takes_learned: false, by_hand: by_hand.into() };
        let net =
            NetPlan { routes: [("10.1.1.0/24".parse().unwrap(), routes)].into(), ..net_of(nics) };
        let document = Document::Net(Some(net));
        let known = Known::Current { generation: 1, document };
        let wanted = Wanted::of(&scopes(&[("net/vpc-00000001", known)]));
        let nics = &wanted.nets.values().next().unwrap().nics;
        let routes = |address: &str| nics[&address.parse::<IpAddr>().unwrap()].rules.routes.clone();
        for address in ["10.1.0.5", "fd00::5"] {
            assert_eq!(routes(address), SubnetRoutes::default(), "{address}");
        }
        let SubnetRoutes { takes_learned, by_hand } = routes("10.1.1.6");
        let by_hand: Vec<_> = by_hand.iter().map(|(to, it)| format!("{to} {it:?}")).collect();
        assert!(!takes_learned);
        assert_eq!(by_hand, ["10.0.0.0/8 Gateway", "10.9.0.0/16 Elsewhere"]);
        let of_ipv6 = SubnetRoutes { takes_learned: false, by_hand: BTreeMap::new() };
        assert_eq!(routes("fd00::6"), of_ipv6, "routes by hand are of IPv4");
    }
}
