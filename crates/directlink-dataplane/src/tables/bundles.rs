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
    pub(super) zero: [u8; 4],
}

impl BundledPortRow {
    pub(crate) fn new(port: &BundledPort) -> Self {
        let alive_ns = u64::try_from(port.alive.as_nanos()).unwrap_or(u64::MAX);
        let BundledPort { mac, said, heard, .. } = *port;
        Self { full_at_ns: 0, alive_ns, mac: mac.0, said, heard, zero: [0; 4] }
    }

    pub(crate) fn port(self) -> BundledPort {
        let alive = Duration::from_nanos(self.alive_ns);
        BundledPort { mac: Mac(self.mac), said: self.said, heard: self.heard, alive }
    }
}
