//! What the agent calls the things that it makes in the kernel. What does not bear such a
//! name is somebody else's, and is left alone.
//!
//! ```text
//! /run/netns/<prefix>dxvif-1a2b3c4d        the interface's namespace
//!     dxvif-1a2b3c4d ═══ veth ═══ vlan100  router's namespace ═ interface's namespace
//!     alias "directlink port p0"           for people, and for an agent without a ledger
//! ```

use directlink_model::ids::{InterfaceId, LagId, PortName};
use directlink_net::{Mac, Vlan};
use std::path::{Path, PathBuf};

/// The router's end of an interface's veth.
pub(crate) fn router_link(id: InterfaceId) -> String {
    id.to_string()
}

/// The end in the interface's own namespace.
pub(crate) fn inner_link(vlan: Vlan) -> String {
    format!("{INNER}{vlan}")
}

pub(crate) fn vlan_of(inner_link: &str) -> Option<Vlan> {
    inner_link.strip_prefix(INNER)?.parse::<u16>().ok()?.try_into().ok()
}

pub(crate) fn alias(port: &PortName) -> String {
    format!("{ALIAS}{port}")
}

pub(crate) fn port_of(alias: &str) -> Option<PortName> {
    alias.strip_prefix(ALIAS)?.parse().ok()
}

/// The interface's Ethernet address towards the customer: the same after a reboot, and
/// on every router. Locally administered, and apart from the Subnets' gateways
/// ([`directlink_model::plan::GATEWAY_MAC`]).
pub(crate) fn mac(id: InterfaceId) -> Mac {
    let [a, b, c, d] = id.bits().to_be_bytes();
    Mac([0x06, 0x44, a, b, c, d])
}

/// The system that a LAG is to the customer's router (IEEE 802.1AX), on all its ports.
pub(crate) fn system(lag: LagId) -> Mac {
    let [a, b, c, d] = lag.bits().to_be_bytes();
    Mac([0x06, 0x45, a, b, c, d])
}

/// The names of the namespaces of one agent.
#[derive(Clone, Debug)]
pub(crate) struct Namespaces {
    dir: PathBuf,
    prefix: String,
}

impl Namespaces {
    pub(crate) fn new(dir: &Path, prefix: &str) -> Self {
        Self { dir: dir.to_owned(), prefix: prefix.to_owned() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn path(&self, id: InterfaceId) -> PathBuf {
        self.dir.join(format!("{}{id}", self.prefix))
    }

    pub(crate) fn id(&self, name: &str) -> Option<InterfaceId> {
        name.strip_prefix(&self.prefix)?.parse().ok()
    }
}

const INNER: &str = "vlan";
const ALIAS: &str = "directlink port ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_agent_are_ours() {
        let ours = Namespaces::new(Path::new("/run/netns"), "lab1-");
        for (name, expected) in [
            ("lab1-dxvif-1a2b3c4d", Some(0x1a2b_3c4d)),
            ("lab1-r2-dxvif-1a2b3c4d", None),
            ("dxvif-1a2b3c4d", None),
            ("lab1-dxvif-1a2b3c4", None),
            ("lab1-", None),
        ] {
            assert_eq!(ours.id(name).map(InterfaceId::bits), expected, "{name}");
        }
        let id = InterfaceId::from_bits(7);
        assert_eq!(ours.path(id), Path::new("/run/netns/lab1-dxvif-00000007"));
    }

    #[test]
    fn names_are_read_back_and_fit_the_kernel() {
        let (vlan, port) = (Vlan::try_from(4094_u16).unwrap(), "p0".parse().unwrap());
        assert_eq!(vlan_of(&inner_link(vlan)), Some(vlan));
        assert_eq!(vlan_of("vlan1"), None);
        assert_eq!(port_of(&alias(&port)), Some(port));
        assert_eq!(port_of("uplink of rack 3"), None);
        assert!(router_link(InterfaceId::from_bits(u32::MAX)).len() < 16, "IFNAMSIZ");
    }

    #[test]
    fn every_interface_has_its_own_unicast_address() {
        let [a, b] = [1, 2].map(|bits| mac(InterfaceId::from_bits(bits)));
        assert!(a.is_unicast() && a != b);
        assert_eq!(a.to_string(), "06:44:00:00:00:01");
    }
}
