//! What the customer's router shall do: the one value that every configuration is written from,
//! and every pasted one is compared with.

use crate::{
    bgp_peer::BgpPeer,
    ids::{AccountId, InterfaceId},
    interface::Interface,
};
use directlink_net::{Asn, BgpKey, IpNet, Mtu, PeerAddresses, RegionAsn, Vlan};
use std::{fmt, net::IpAddr};

/// The far end of an interface, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub id: InterfaceId,
    pub vlan: Vlan,
    /// The largest IP packet; the four bytes of the tag and the Ethernet header come on top.
    pub mtu: Mtu,
    pub customer_asn: Asn,
    pub region_asn: RegionAsn,
    /// At least one, at most one per family, IPv4 first.
    pub sessions: Vec<Session>,
    /// What the customer may announce. Nothing of a family: a marked place to fill in.
    pub announce: Vec<IpNet>,
    /// What the Net announces. Nothing of a family: a marked place to fill in.
    pub accept: Vec<IpNet>,
    pub bfd: bool,
    /// The port that holds the cross-connect. `None`: a usual name of the router's vendor.
    pub port: Option<PhysicalPort>,
}

/// One BGP session of the interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub peer: PeerAddresses,
    pub key: Option<BgpKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    V4,
    V6,
}

/// Seconds. The interface's own side offers 90; the lower of both counts (RFC 4271 §4.2).
pub const HOLD_TIME_SECONDS: u16 = 30;
pub const KEEPALIVE_SECONDS: u16 = 10;
pub const BFD_INTERVAL_MILLISECONDS: u16 = 300;
pub const BFD_MULTIPLIER: u8 = 3;
/// A Net announces few prefixes; more than this is a mistake that must not fill the router.
pub const PREFIXES_MAX: u16 = 100;

impl Intent {
    /// What follows from the interface alone. The caller adds what it knows of the customer:
    /// prefixes, the port, the wish for BFD.
    pub fn of(interface: &Interface, region_asn: RegionAsn) -> Self {
        let peer = interface.main_peer();
        let of_router = sessions_of_one_router(interface, &peer);
        Self {
            id: interface.id,
            vlan: interface.vlan,
            mtu: interface.mtu,
            customer_asn: peer.asn,
            region_asn,
            sessions: of_router.map(|p| Session { peer: p.addresses, key: p.key }).collect(),
            announce: vec![],
            accept: vec![],
            bfd: false,
            port: None,
        }
    }

    /// The same, without the keys for whoever is not the interface's owner.
    pub fn seen_by(reader: AccountId, interface: &Interface, region_asn: RegionAsn) -> Self {
        let mut intent = Self::of(interface, region_asn);
        if interface.owner != reader {
            intent.sessions.iter_mut().for_each(|session| session.key = None);
        }
        intent
    }

    pub fn description(&self) -> String {
        format!("DirectLink {}", self.id)
    }

    pub(super) fn port_or(&self, usual: &str) -> String {
        self.port.as_ref().map_or(usual, PhysicalPort::as_str).to_owned()
    }

    /// A name for the policies of one direction and family: `DXVIF-1A2B3C4D-OUT`, `…-OUT6`.
    pub(super) fn policy(&self, way: Way, family: Family) -> String {
        let way = match way {
            Way::In => "IN",
            Way::Out => "OUT",
        };
        let family = match family {
            Family::V4 => "",
            Family::V6 => "6",
        };
        format!("{}-{way}{family}", self.id.to_string().to_uppercase())
    }

    /// The prefixes that a policy admits.
    pub(super) fn prefixes(&self, way: Way, family: Family) -> Prefixes {
        let all = match way {
            Way::In => &self.accept,
            Way::Out => &self.announce,
        };
        let list: Vec<_> =
            all.iter().copied().filter(|net| Family::of(net.addr()) == family).collect();
        match list.is_empty() {
            true => Prefixes { list: vec![family.documentation()], to_fill_in: true },
            false => Prefixes { list, to_fill_in: false },
        }
    }

    /// The same intent with a word instead of each key: for text that shows what to write.
    pub(super) fn with_keys_hidden(&self) -> Self {
        let mut shown = self.clone();
        for session in &mut shown.sessions {
            let word = BgpKey::try_from("KEY-OF-THE-INTERFACE").ok();
            session.key = session.key.as_ref().and(word);
        }
        shown
    }
}

/// The main peer, and the first of IPv6 beside one of IPv4. A second one of a family is for another
/// router, which has a text of its own; so is one of another AS.
fn sessions_of_one_router<'i>(
    interface: &'i Interface,
    main: &BgpPeer,
) -> impl Iterator<Item = BgpPeer> + use<'i> {
    let (asn, has_ipv4) = (main.asn, !main.is_ipv6());
    let is_beside = move |peer: &BgpPeer| has_ipv4 && peer.is_ipv6() && peer.asn == asn;
    std::iter::once(main.clone()).chain(interface.wanted_peers().find(is_beside))
}

impl Session {
    pub fn family(&self) -> Family {
        Family::of(self.peer.customer().addr())
    }
}

impl Family {
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// RFC 5737 and RFC 3849: a prefix that nobody has, so that a forgotten place does no harm.
    fn documentation(self) -> IpNet {
        let (address, length): (IpAddr, u8) = match self {
            Self::V4 => ([192, 0, 2, 0].into(), 24),
            Self::V6 => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0].into(), 32),
        };
        IpNet::new_assert(address, length)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Which way routes go, seen from the customer's router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

#[derive(Clone, Debug)]
pub(super) struct Prefixes {
    pub(super) list: Vec<IpNet>,
    /// Stands for what only the customer knows.
    pub(super) to_fill_in: bool,
}

/// A port's name as routers write them: letters, digits and `/ . _ : -`, at most 32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhysicalPort(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the name of a router's port: use 1 to 32 letters, digits and / . _ : -")]
pub struct BadPhysicalPort(pub String);

impl PhysicalPort {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for PhysicalPort {
    type Error = BadPhysicalPort;
    fn try_from(text: &str) -> Result<Self, BadPhysicalPort> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"/._:-".contains(&b);
        match (1..=32).contains(&text.len()) && text.bytes().all(good) {
            true => Ok(Self(text.to_owned())),
            false => Err(BadPhysicalPort(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_name_cannot_bring_a_second_line() {
        for (text, good) in [
            ("GigabitEthernet0/0/0", true),
            ("1/1/c1/1", true),
            ("ge-0/0/0:1", true),
            ("", false),
            ("eth0\nno router bgp", false),
            ("eth0 shutdown", false),
        ] {
            assert_eq!(PhysicalPort::try_from(text).is_ok(), good, "{text:?}");
        }
    }
}
