//! The rows of IPv6: the mirror of `ebpf/tables6.h`.

use super::{FlowRow, PEERS_PER_INTERFACE, rules};
use crate::{
    rows::{Flow, Interface, InterfaceNumber, Nic, Peer, Rule},
    tables::{NicRow, RULES_PER_ROW},
};
use aya::maps::lpm_trie;
use directlink_net::{IpNet, Ipv6Net, Vni};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An IPv6 address in network order: `struct address6`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(4))]
pub(crate) struct Address6 {
    pub(super) words: [u8; 16],
}

impl From<Ipv6Addr> for Address6 {
    fn from(address: Ipv6Addr) -> Self {
        Self { words: address.octets() }
    }
}

impl From<Address6> for Ipv6Addr {
    fn from(address: Address6) -> Self {
        address.words.into()
    }
}

impl Address6 {
    /// Of a mask: how many bits it has.
    fn prefix_len(self) -> u8 {
        u8::try_from(u128::from_be_bytes(self.words).leading_ones()).unwrap_or(128)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Peer6Cell {
    pub(super) way: u32,
    pub(super) router: Address6,
    pub(super) customer: Address6,
    pub(super) mask: Address6,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Peers6Row {
    pub(super) peers: [Peer6Cell; PEERS_PER_INTERFACE],
}

impl Peers6Row {
    /// `Ok(None)`: no peer speaks IPv6. `Err`: more than a row can hold.
    pub(crate) fn new(interface: &Interface) -> Result<Option<Self>, usize> {
        let cells: Vec<_> = interface.peers.iter().filter_map(Peer6Cell::new).collect();
        let mut row = Self::default();
        if cells.len() > row.peers.len() {
            return Err(cells.len());
        }
        for (slot, cell) in row.peers.iter_mut().zip(&cells) {
            *slot = *cell;
        }
        Ok((!cells.is_empty()).then_some(row))
    }

    pub(crate) fn customers(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        self.peers.iter().filter(|peer| peer.way != 0).map(|peer| peer.customer.into())
    }

    pub(crate) fn ways(&self) -> impl Iterator<Item = InterfaceNumber> + '_ {
        self.peers.iter().filter_map(|cell| InterfaceNumber::try_from(cell.way).ok())
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = Peer> + '_ {
        self.peers.iter().filter_map(|cell| cell.peer())
    }
}

impl Peer6Cell {
    fn new(peer: &Peer) -> Option<Self> {
        let (IpNet::V6(router), IpAddr::V6(customer)) = (peer.router, peer.customer) else {
            return None;
        };
        Some(Self {
            way: peer.way.into(),
            router: router.addr().into(),
            customer: customer.into(),
            mask: router.netmask().into(),
        })
    }

    fn peer(self) -> Option<Peer> {
        Some(Peer {
            way: InterfaceNumber::try_from(self.way).ok()?,
            router: Ipv6Net::new(self.router.into(), self.mask.prefix_len()).ok()?.into(),
            customer: Ipv6Addr::from(self.customer).into(),
        })
    }
}

/// As `Scoped`, of a longer address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Scoped6 {
    pub(super) scope: [u8; 4],
    pub(super) address: Address6,
}

pub(crate) type Prefix6Key = lpm_trie::Key<Scoped6>;

impl Scoped6 {
    pub(crate) fn key(scope: impl Into<u32>, prefix: Ipv6Net) -> Prefix6Key {
        let prefix = prefix.trunc();
        let data = Self { scope: scope.into().to_be_bytes(), address: prefix.network().into() };
        lpm_trie::Key::new(32 + u32::from(prefix.prefix_len()), data)
    }

    /// The scope and the prefix. `None` for a key that `Scoped6::key` did not make.
    pub(crate) fn read(key: &Prefix6Key) -> Option<(u32, IpNet)> {
        let prefix_len = u8::try_from(key.prefix_len().checked_sub(32)?).ok()?;
        let Self { scope, address } = key.data();
        let prefix = Ipv6Net::new(address.into(), prefix_len).ok()?;
        Some((u32::from_be_bytes(scope), prefix.into()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Subnet6Row {
    pub(super) gateway: Address6,
}

impl Subnet6Row {
    pub(crate) fn new(gateway: Ipv6Addr) -> Self {
        Self { gateway: gateway.into() }
    }

    pub(crate) fn gateway(self) -> IpAddr {
        Ipv6Addr::from(self.gateway).into()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Address6Key {
    pub(super) vni: u32,
    pub(super) address: Address6,
}

impl Address6Key {
    pub(crate) fn new(vni: Vni, address: Ipv6Addr) -> Self {
        Self { vni: vni.as_u32(), address: address.into() }
    }

    pub(crate) fn nic(self, row: NicRow) -> Option<Nic> {
        row.nic_at(self.vni, Ipv6Addr::from(self.address).into())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Rule6Cell {
    pub(super) network: Address6,
    pub(super) mask: Address6,
    pub(super) port_from: u16,
    pub(super) port_to: u16,
    pub(super) protocol: u8,
    pub(super) protocol_mask: u8,
    pub(super) zero: u16,
}

impl Rule6Cell {
    fn new(rule: &Rule) -> Option<Self> {
        let IpNet::V6(range) = rule.range else { return None };
        let ([protocol, protocol_mask], [port_from, port_to]) = rules::words_of(rule);
        Some(Self {
            network: range.network().into(),
            mask: range.netmask().into(),
            port_from,
            port_to,
            protocol,
            protocol_mask,
            zero: 0,
        })
    }

    fn rule(self) -> Option<Rule> {
        let range = Ipv6Net::new(self.network.into(), self.mask.prefix_len()).ok()?;
        let words = ([self.protocol, self.protocol_mask], [self.port_from, self.port_to]);
        Some(rules::rule_of(range.into(), words))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Rule6Row {
    pub(super) count: u32,
    pub(super) rules: [Rule6Cell; RULES_PER_ROW],
}

impl Rule6Row {
    /// At most [`RULES_PER_ROW`] of them, all of IPv6.
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut row = Self::default();
        for (cell, rule) in row.rules.iter_mut().zip(rules.iter().filter_map(Rule6Cell::new)) {
            *cell = rule;
            row.count += 1;
        }
        row
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = Rule> + '_ {
        let count = usize::try_from(self.count).unwrap_or_default();
        self.rules.iter().take(count).filter_map(|cell| cell.rule())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Flow6Key {
    pub(super) vni: u32,
    pub(super) outside: Address6,
    pub(super) inside: Address6,
    pub(super) outside_port: [u8; 2],
    pub(super) inside_port: [u8; 2],
    pub(super) protocol: u8,
    pub(super) zero: [u8; 3],
}

impl Flow6Key {
    pub(crate) fn flow(self, row: FlowRow) -> Option<Flow> {
        let end = |address: Address6, port| {
            SocketAddr::new(Ipv6Addr::from(address).into(), u16::from_be_bytes(port))
        };
        let ends = [end(self.outside, self.outside_port), end(self.inside, self.inside_port)];
        row.flow_of(self.vni, self.protocol, ends)
    }
}
