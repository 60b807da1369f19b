//! What the router is told, and what it says: the tables' rows in the words of the field.

use directlink_net::{IpNet, Ipv4Net, Mac, Mtu, Vlan, Vni};
use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::{NonZeroU16, NonZeroU32, NonZeroU64},
    ops::RangeInclusive,
};

/// Names an interface in every table of one router, or the way to one of its peers: 1 to 65535,
/// chosen by the agent, and not given to another while any table still names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceNumber(NonZeroU16);

impl InterfaceNumber {
    /// `None` for 0.
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    pub const fn as_u16(self) -> u16 {
        self.0.get()
    }
}

impl From<InterfaceNumber> for u32 {
    fn from(number: InterfaceNumber) -> Self {
        number.as_u16().into()
    }
}

impl TryFrom<u32> for InterfaceNumber {
    type Error = std::num::TryFromIntError;
    fn try_from(number: u32) -> Result<Self, Self::Error> {
        NonZeroU16::try_from(u16::try_from(number)?).map(Self)
    }
}

impl fmt::Debug for InterfaceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for InterfaceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The uplink that tunnels leave by, and who we are on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uplink {
    pub ifindex: u32,
    /// Our end of every tunnel; an address that the router's namespace has.
    pub vtep: Ipv4Addr,
    /// What every Subnet's gateway answers to ARP and ND: one for all routers of a Region, so that
    /// a NIC keeps it when another router takes over.
    pub gateway_mac: Mac,
}

/// A VLAN on a port, leading to a Net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub number: InterfaceNumber,
    pub port_ifindex: u32,
    pub vlan: Vlan,
    pub vni: Vni,
    pub mtu: Mtu,
    /// Router's end of the veth whose other end is in the interface's own namespace; 0 while
    /// there is none.
    pub slow_ifindex: u32,
    /// The customer's routers on the VLAN: at least one, at most two of a family. A VLAN without an
    /// IPv6 peer carries no IPv6.
    pub peers: Vec<Peer>,
    /// The MAC that the interface has in its own namespace.
    pub router_mac: Mac,
    /// Without, only the slow path works (ARP, BGP, ping to the router).
    pub forwards: bool,
    /// What it may carry, each way, if it is less than its port.
    pub rate: Option<Rate>,
}

/// Bits per second, of whole frames without preamble and check sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(NonZeroU64);

impl Rate {
    /// Below it a frame of 64 KiB would take more time than a bucket can count.
    pub const LEAST: u64 = 1000;

    /// `None` below [`Rate::LEAST`].
    pub const fn new(bits_per_second: u64) -> Option<Self> {
        match NonZeroU64::new(bits_per_second) {
            Some(bits) if bits_per_second >= Self::LEAST => Some(Self(bits)),
            _ => None,
        }
    }

    pub const fn bits_per_second(self) -> u64 {
        self.0.get()
    }
}

/// A router of the customer on an interface's VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Names it among the ways of routes; no other has it. Mostly the number of its interface,
    /// where it is the first.
    pub way: InterfaceNumber,
    /// Our peer address, with the length of the peer subnet's prefix.
    pub router: IpNet,
    /// The customer's peer address, of the same family: where what goes this way is sent.
    pub customer: IpAddr,
}

/// A prefix of the customer's network, and the equal-cost ways that lead there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub vni: Vni,
    pub prefix: IpNet,
    /// To 1 to 4 peers of its family; each flow keeps to one.
    pub ways: Vec<InterfaceNumber>,
}

/// A prefix of the customer's network that only other routers of the Region lead to, or that they
/// lead to better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    pub vni: Vni,
    pub prefix: IpNet,
    /// The VTEPs of 1 to 4 of them; each flow keeps to one.
    pub routers: Vec<Ipv4Addr>,
    /// Peers here that lead there too, for what other routers relay to us; 4 with the VTEPs.
    pub own: Vec<InterfaceNumber>,
}

/// A prefix that packets on this interface may come from. The peer subnets always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    pub interface: InterfaceNumber,
    pub prefix: IpNet,
}

/// A Subnet of a Net, with the gateway address that we answer ARP or ND for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet {
    pub vni: Vni,
    pub range: IpNet,
    pub gateway: IpAddr,
}

/// A NIC's address, and the host that it is on. A NIC of both families is two of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nic {
    pub vni: Vni,
    pub address: IpAddr,
    pub mac: Mac,
    pub vtep: Ipv4Addr,
    /// None: everything is denied.
    pub rule_set: Option<RuleSetNumber>,
}

/// Names a set of rules. A set never changes: a change is a new set under a new number, put
/// whole before a NIC names it. Flows judged by another set are judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleSetNumber(NonZeroU32);

impl RuleSetNumber {
    /// `None` for 0.
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl From<RuleSetNumber> for u32 {
    fn from(number: RuleSetNumber) -> Self {
        number.0.get()
    }
}

impl fmt::Display for RuleSetNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the security groups of a NIC admit, merged: at most 1,024 rules each way and family; and what
/// its Subnet's route table says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    /// From the customer's network to the NIC.
    pub inbound: Vec<Rule>,
    /// From the NIC to the customer's network.
    pub outbound: Vec<Rule>,
    pub routes: SubnetRoutes,
}

/// What a Subnet's route table says of the world outside its Net. The longest prefix counts, and of
/// one prefix the route by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetRoutes {
    /// Whether it takes what the Net's gateway learned from customers (propagation).
    pub takes_learned: bool,
    /// At most 1,024.
    pub by_hand: BTreeMap<Ipv4Net, Toward>,
}

impl Default for SubnetRoutes {
    /// All that is learned, and nothing else.
    fn default() -> Self {
        Self { takes_learned: true, by_hand: BTreeMap::new() }
    }
}

/// Where a route by hand leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Toward {
    /// To the Net's gateway: on to whoever announced the address.
    Gateway,
    /// Not to the customer.
    Elsewhere,
}

/// Admits what goes to or comes from a range; what no rule admits is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Of the far end: the customer's side.
    pub range: IpNet,
    pub protocol: Protocol,
    /// Destination ports; None is all. Says nothing about protocols without ports.
    pub ports: Option<RangeInclusive<u16>>,
}

/// IANA's protocol numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Any,
    Number(u8),
}

impl Protocol {
    pub const ICMP: Self = Self::Number(1);
    pub const ICMPV6: Self = Self::Number(58);
    pub const TCP: Self = Self::Number(6);
    pub const UDP: Self = Self::Number(17);
}

/// A flow that was admitted once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    pub vni: Vni,
    pub protocol: u8,
    /// In the customer's network. An ICMP echo has its identifier as both ports.
    pub outside: SocketAddr,
    /// The NIC.
    pub inside: SocketAddr,
    pub opened: Opened,
    /// False once the rule is gone that admitted it.
    pub admitted: bool,
    /// On the kernel's monotonic clock.
    pub last_seen_ns: u64,
}

/// Who sent a flow's first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    ByCustomer,
    ByNic,
}
