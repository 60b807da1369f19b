//! Ports that speak LACP, as the packet programs answer on them.

use crate::bundles::BundledPort;
use directlink_net::Mac;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct BundledPortRow {
    pub(super) full_at_ns: u64,
    pub(super) alive_ns: u64,
    pub(super) mac: [u8; 6],
    pub(super) said: [u8; BundledPort::SAID],
    pub(super) heard: [u8; BundledPort::SAID],
    pub(super) ports: [u32; BundledPort::PORTS_MAX],
    pub(super) zero: [u8; 4],
}

impl BundledPortRow {
    pub(crate) fn new(port: &BundledPort, before: Option<&Self>) -> Self {
        let alive_ns = u64::try_from(port.alive.as_nanos()).unwrap_or(u64::MAX);
        let BundledPort { mac, said, heard, ports, .. } = *port;
        let full_at_ns = before.map_or(0, |row| row.full_at_ns);
        Self { full_at_ns, alive_ns, mac: mac.0, said, heard, ports, zero: [0; 4] }
    }

    pub(crate) fn port(self) -> BundledPort {
        let alive = Duration::from_nanos(self.alive_ns);
        let Self { mac, said, heard, ports, .. } = self;
        BundledPort { mac: Mac(mac), said, heard, ports, alive }
    }
}
