//! The rows as the packet programs lay them out: the mirror of `ebpf/tables.h`.
//!
//! What goes over the wire in network order is an array of big-endian bytes here, private,
//! with typed constructors and readers, so that no order can be mistaken. The rest of the
//! crate speaks the types of `rows.rs`; only this module and `handle.rs` see these.
//!
//! IPv6 has rows of its own, in `tables/v6.rs`.
//!
//! `tests/layout.rs` reads the compiled object's BTF and compares every size, offset and
//! verdict number.

mod bfd;
mod bundles;
mod captures;
mod flows;
mod rates;
mod routes;
mod rules;
mod subnet_routes;
mod v6;

use crate::rows::{Interface, InterfaceNumber, Nic, Peer, Rate, RuleSetNumber, Uplink};
use crate::verdict::Verdict;
use aya::{Pod, maps::lpm_trie};
pub(crate) use bfd::{Bfd6Key, Bfd6Row, BfdKey, BfdRow};
pub(crate) use bundles::BundledPortRow;
pub(crate) use captures::{CaptureRow, CapturedFrame};
use directlink_net::{IpNet, Ipv4Net, Mac, Mtu, Vlan, Vni};
pub(crate) use flows::{FlowKey, FlowLimitsRow, FlowRow};
pub(crate) use rates::{CREDIT_LIMITS, LimitRow, PORT_LIMITS, PortRow};
pub(crate) use routes::RouteRow;
pub(crate) use rules::{Direction, RULE_ROWS_PER_SET, RULES_PER_ROW, RuleKey, RuleRow};
use std::net::{IpAddr, Ipv4Addr};
pub(crate) use subnet_routes::{
    HAND_ROUTE_ROWS_PER_SET, HAND_ROUTES_PER_ROW, SubnetRoutesKey, SubnetRoutesRow,
};
pub(crate) use v6::{Address6Key, Flow6Key, Peers6Row, Rule6Row, Scoped6, Subnet6Row};

pub(crate) const NEXT_HOPS_PER_ROUTE: usize = 4;
pub(crate) const PEERS_PER_INTERFACE: usize = 2;
/// Rows of `changes` for Nets, behind the first.
pub(crate) const NET_CHANGES: u32 = 1024;
/// Each processor's rows of `forwarded`.
pub(crate) const FORWARDED_NUMBERS: u32 = 16384;
const FORWARDED_VERDICTS: usize = 2;
const INTERFACE_FORWARDS: u16 = 1;

/// An IPv4 address in network order.
type Address = [u8; 4];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct RouterRow {
    vtep: Address,
    fabric_ifindex: u32,
    gateway_mac: [u8; 6],
    zero: u16,
}

impl RouterRow {
    pub(crate) const fn new(uplink: &Uplink) -> Self {
        let Uplink { ifindex, vtep, gateway_mac } = *uplink;
        Self { vtep: vtep.octets(), fabric_ifindex: ifindex, gateway_mac: gateway_mac.0, zero: 0 }
    }

    /// Nothing while no uplink was ever attached.
    pub(crate) fn uplink(self) -> Option<Uplink> {
        (self.fabric_ifindex != 0).then(|| Uplink {
            ifindex: self.fabric_ifindex,
            vtep: self.vtep.into(),
            gateway_mac: Mac(self.gateway_mac),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct InterfaceKey {
    port_ifindex: u32,
    vlan: u16,
    zero: u16,
}

impl InterfaceKey {
    pub(crate) const fn new(port_ifindex: u32, vlan: Vlan) -> Self {
        Self { port_ifindex, vlan: vlan.as_u16(), zero: 0 }
    }

    pub(crate) const fn port_ifindex(self) -> u32 {
        self.port_ifindex
    }

    /// 0: none.
    pub(crate) const fn vlan(self) -> u16 {
        self.vlan
    }

    /// No VLAN 0 exists: what an interface number that nobody has leads to.
    pub(crate) const NONE: Self = Self { port_ifindex: 0, vlan: 0, zero: 0 };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct InterfaceRow {
    number: u32,
    vni: u32,
    slow_ifindex: u32,
    mtu: u16,
    flags: u16,
    peers: [PeerCell; PEERS_PER_INTERFACE],
    router_mac: [u8; 6],
    zero: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct PeerCell {
    way: u32,
    router: Address,
    customer: Address,
    mask: Address,
}

impl PeerCell {
    /// `None` for one of IPv6.
    fn new(peer: &Peer) -> Option<Self> {
        let (IpNet::V4(router), IpAddr::V4(customer)) = (peer.router, peer.customer) else {
            return None;
        };
        Some(Self {
            way: peer.way.into(),
            router: router.addr().octets(),
            customer: customer.octets(),
            mask: router.netmask().octets(),
        })
    }

    /// `None` where there is none.
    fn peer(self) -> Option<Peer> {
        let prefix_len = u32::from_be_bytes(self.mask).leading_ones();
        let router = Ipv4Net::new(self.router.into(), u8::try_from(prefix_len).ok()?).ok()?;
        Some(Peer {
            way: InterfaceNumber::try_from(self.way).ok()?,
            router: router.into(),
            customer: Ipv4Addr::from(self.customer).into(),
        })
    }
}

impl InterfaceRow {
    /// Those of IPv4.
    pub(crate) fn customers(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let peers = self.peers.into_iter().filter(|peer| peer.way != 0);
        peers.map(|peer| peer.customer.into())
    }

    /// With the peers of IPv4. `None` for no peer at all, or more than a row can hold.
    pub(crate) fn new(interface: &Interface) -> Option<Self> {
        let mut peers = [PeerCell::default(); PEERS_PER_INTERFACE];
        let cells: Vec<_> = interface.peers.iter().filter_map(PeerCell::new).collect();
        if interface.peers.is_empty() || cells.len() > peers.len() {
            return None;
        }
        for (slot, cell) in peers.iter_mut().zip(&cells) {
            *slot = *cell;
        }
        Some(Self {
            number: interface.number.into(),
            vni: interface.vni.as_u32(),
            slow_ifindex: interface.slow_ifindex,
            mtu: interface.mtu.as_u16(),
            flags: if interface.forwards { INTERFACE_FORWARDS } else { 0 },
            peers,
            router_mac: interface.router_mac.0,
            zero: 0,
        })
    }

    /// The ways to its peers of IPv4.
    pub(crate) fn ways(&self) -> impl Iterator<Item = InterfaceNumber> + '_ {
        self.peers.iter().filter_map(|cell| InterfaceNumber::try_from(cell.way).ok())
    }

    /// `None` for a row that no `InterfaceRow::new` made. Its rate and its IPv6 peers are in other tables.
    pub(crate) fn interface(
        self,
        key: InterfaceKey,
        rate: Option<Rate>,
        of_ipv6: Option<Peers6Row>,
    ) -> Option<Interface> {
        Some(Interface {
            number: self.number()?,
            port_ifindex: key.port_ifindex,
            vlan: Vlan::try_from(key.vlan).ok()?,
            vni: Vni::try_from(self.vni).ok()?,
            mtu: Mtu::try_from(self.mtu).ok()?,
            slow_ifindex: self.slow_ifindex,
            peers: self
                .peers
                .iter()
                .filter_map(|cell| cell.peer())
                .chain(of_ipv6.iter().flat_map(Peers6Row::peers))
                .collect(),
            router_mac: Mac(self.router_mac),
            forwards: self.flags & INTERFACE_FORWARDS != 0,
            rate,
        })
    }

    pub(crate) fn number(&self) -> Option<InterfaceNumber> {
        InterfaceNumber::try_from(self.number).ok()
    }

    pub(crate) const fn vni(&self) -> u32 {
        self.vni
    }

    pub(crate) const fn slow_ifindex(&self) -> u32 {
        self.slow_ifindex
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(8))]
pub(crate) struct NeighbourRow {
    mac: [u8; 6],
    zero: u16,
}

impl NeighbourRow {
    /// What an interface has whose customer's MAC is not known.
    pub(crate) const NONE: Self = Self { mac: [0; 6], zero: 0 };

    pub(crate) const fn new(mac: Mac) -> Self {
        Self { mac: mac.0, zero: 0 }
    }

    pub(crate) fn mac(self) -> Option<Mac> {
        (self != Self::NONE).then_some(Mac(self.mac))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct ChangeRow {
    count: u64,
}

impl ChangeRow {
    pub(crate) const fn next(self) -> Self {
        Self { count: self.count.wrapping_add(1) }
    }
}

/// What stands after the prefix length in the key of a longest-prefix table: 32 bits that
/// always count (a VNI, or an interface number), then the prefix's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Scoped {
    scope: [u8; 4],
    address: Address,
}

pub(crate) type PrefixKey = lpm_trie::Key<Scoped>;

impl Scoped {
    pub(crate) fn key(scope: impl Into<u32>, prefix: Ipv4Net) -> PrefixKey {
        let prefix = prefix.trunc();
        let data = Self { scope: scope.into().to_be_bytes(), address: prefix.network().octets() };
        lpm_trie::Key::new(32 + u32::from(prefix.prefix_len()), data)
    }

    /// The scope and the prefix. `None` for a key that `Scoped::key` did not make.
    pub(crate) fn read(key: &PrefixKey) -> Option<(u32, IpNet)> {
        let prefix_len = u8::try_from(key.prefix_len().checked_sub(32)?).ok()?;
        let Self { scope, address } = key.data();
        let prefix = Ipv4Net::new(address.into(), prefix_len).ok()?;
        Some((u32::from_be_bytes(scope), prefix.into()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct SubnetRow {
    gateway: Address,
}

impl SubnetRow {
    pub(crate) const fn new(gateway: Ipv4Addr) -> Self {
        Self { gateway: gateway.octets() }
    }

    pub(crate) fn gateway(self) -> IpAddr {
        Ipv4Addr::from(self.gateway).into()
    }
}

/// `source_row`, `net_row` and `relay_row`: to be there is all that they say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct PresenceRow {
    zero: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct AddressKey {
    vni: u32,
    address: Address,
}

impl AddressKey {
    pub(crate) const fn new(vni: Vni, address: Ipv4Addr) -> Self {
        Self { vni: vni.as_u32(), address: address.octets() }
    }

    pub(crate) fn read(self) -> Option<(Vni, Ipv4Addr)> {
        Some((Vni::try_from(self.vni).ok()?, self.address.into()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct NicRow {
    vtep: Address,
    rule_set: u32,
    mac: [u8; 6],
    zero: u16,
}

impl NicRow {
    pub(crate) fn new(nic: &Nic) -> Self {
        let rule_set = nic.rule_set.map_or(0, u32::from);
        Self { vtep: nic.vtep.octets(), rule_set, mac: nic.mac.0, zero: 0 }
    }

    pub(crate) fn nic(self, key: AddressKey) -> Option<Nic> {
        self.nic_at(key.vni, Ipv4Addr::from(key.address).into())
    }

    fn nic_at(self, vni: u32, address: IpAddr) -> Option<Nic> {
        Some(Nic {
            vni: Vni::try_from(vni).ok()?,
            address,
            mac: Mac(self.mac),
            vtep: self.vtep.into(),
            rule_set: RuleSetNumber::new(self.rule_set),
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct TallyRow {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct InterfaceTallies {
    pub(crate) by_verdict: [TallyRow; Verdict::COUNT],
}

impl InterfaceTallies {
    pub(crate) const ZERO: Self =
        Self { by_verdict: [TallyRow { packets: 0, bytes: 0 }; Verdict::COUNT] };
}

/// What most packets of an interface come to: the first two verdicts, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct ForwardedRow {
    pub(crate) by_verdict: [TallyRow; FORWARDED_VERDICTS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct CableTagRow {
    trunk_ifindex: u32,
    vlan: u16,
    zero: u16,
}

impl CableTagRow {
    pub(crate) const fn new(trunk_ifindex: u32, vlan: Vlan) -> Self {
        Self { trunk_ifindex, vlan: vlan.as_u16(), zero: 0 }
    }
}

/// Every table's rows are plain bytes for the kernel.
macro_rules! plain_bytes {
    ($($row:ty),* $(,)?) => {$(
        // SAFETY: `repr(C)`, integers and arrays of them only, padding is spelled out as
        // fields named `zero` (the layout test proves that sizes have no gap): every
        // byte is initialised, and every bit pattern is a value.
        #[allow(unsafe_code)]
        unsafe impl Pod for $row {}
    )*};
}

plain_bytes!(
    RouterRow,
    InterfaceKey,
    InterfaceRow,
    NeighbourRow,
    ChangeRow,
    Scoped,
    RouteRow,
    SubnetRow,
    PresenceRow,
    AddressKey,
    NicRow,
    RuleKey,
    RuleRow,
    SubnetRoutesKey,
    SubnetRoutesRow,
    FlowKey,
    FlowRow,
    FlowLimitsRow,
    TallyRow,
    InterfaceTallies,
    ForwardedRow,
    CableTagRow,
    PortRow,
    BundledPortRow,
    BfdKey,
    BfdRow,
    Bfd6Key,
    Bfd6Row,
    CaptureRow,
    LimitRow,
    Peers6Row,
    Scoped6,
    Subnet6Row,
    Address6Key,
    Rule6Row,
    Flow6Key,
);

#[cfg(test)]
mod mirrors;
#[cfg(test)]
pub(crate) use mirrors::{Mirror, mirrors};
