//! Address families (RFC 4760 §3: AFI and SAFI together).

use ipnet::IpNet;
use rustbgpd_wire::{Afi, Safi};
use std::{fmt, net::IpAddr};

/// What a session carries. One session carries the family of its own addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    Ipv4Unicast,
    Ipv6Unicast,
}

impl Family {
    pub const ALL: [Self; 2] = [Self::Ipv4Unicast, Self::Ipv6Unicast];

    pub const fn of(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(_) => Self::Ipv4Unicast,
            IpAddr::V6(_) => Self::Ipv6Unicast,
        }
    }

    pub const fn of_net(net: &IpNet) -> Self {
        match net {
            IpNet::V4(_) => Self::Ipv4Unicast,
            IpNet::V6(_) => Self::Ipv6Unicast,
        }
    }

    pub(crate) const fn wire(self) -> (Afi, Safi) {
        match self {
            Self::Ipv4Unicast => (Afi::Ipv4, Safi::Unicast),
            Self::Ipv6Unicast => (Afi::Ipv6, Safi::Unicast),
        }
    }

    pub(crate) fn from_wire(afi: Afi, safi: Safi) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.wire() == (afi, safi))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4Unicast => "IPv4 unicast",
            Self::Ipv6Unicast => "IPv6 unicast",
        })
    }
}
