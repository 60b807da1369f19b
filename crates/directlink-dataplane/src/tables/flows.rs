//! The flows that a Net's security groups admitted, and how many there may be.

use super::{Address, Direction};
use crate::rows::{Flow, Opened};
use directlink_net::Vni;
use std::net::{Ipv4Addr, SocketAddr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct FlowKey {
    pub(super) vni: u32,
    pub(super) outside: Address,
    pub(super) inside: Address,
    pub(super) outside_port: [u8; 2],
    pub(super) inside_port: [u8; 2],
    pub(super) protocol: u8,
    pub(super) zero: [u8; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct FlowRow {
    pub(super) last_seen_ns: u64,
    pub(super) rule_set: u32,
    pub(super) opened: u8,
    pub(super) admitted: u8,
    pub(super) closing: u8,
    pub(super) answered: u8,
}

/// How many flows there may be, of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct FlowLimitsRow {
    pub(crate) places: u32,
    pub(crate) net_places: u32,
}

impl FlowRow {
    /// As it is, seen last so much earlier; the clock may be younger than that, and all is modulo 2^64.
    #[cfg(test)]
    pub(crate) const fn older(self, ns: u64) -> Self {
        Self { last_seen_ns: self.last_seen_ns.wrapping_sub(ns), ..self }
    }

    pub(crate) fn flow(self, key: FlowKey) -> Option<Flow> {
        let end = |address: Address, port| {
            SocketAddr::new(Ipv4Addr::from(address).into(), u16::from_be_bytes(port))
        };
        let ends = [end(key.outside, key.outside_port), end(key.inside, key.inside_port)];
        self.flow_of(key.vni, key.protocol, ends)
    }

    pub(super) fn flow_of(
        self,
        vni: u32,
        protocol: u8,
        [outside, inside]: [SocketAddr; 2],
    ) -> Option<Flow> {
        Some(Flow {
            vni: Vni::try_from(vni).ok()?,
            protocol,
            outside,
            inside,
            opened: match self.opened {
                opened if opened == Direction::Inbound as u8 => Opened::ByCustomer,
                _ => Opened::ByNic,
            },
            admitted: self.admitted != 0,
            last_seen_ns: self.last_seen_ns,
        })
    }
}
