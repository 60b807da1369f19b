//! The IPv6 range of a Region, and what follows from it: every Net's, Subnet's and NIC's address.
//!
//! ```text
//!   │ Region /24 │ VNI 24 bits │ lower 16 bits of the Subnet's IPv4 │ IPv4 address of the NIC │
//!   └────────────┴── Net /48 ──┴────────────── Subnet /64 ──────────┘  (the gateway has 1)
//! ```
//!
//! Nothing is stored or given out: who knows a Net's IPv4 plan can say its IPv6 plan. A Net has at
//! most 65,536 addresses of IPv4, so 16 bits tell its Subnets apart. VNIs are drawn at random, so in
//! a unique local block a Net's /48 has the random Global ID that RFC 4193 asks for, 16 bits of it
//! the Region's. No Net has the VNI 0: there the peer subnets are.

use crate::{PeerAddresses, Vni};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};
use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Ipv6Net", into = "Ipv6Net")]
pub struct Ipv6Block(Ipv6Net);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadIpv6Block {
    #[error("'{0}' is not an IPv6 range: give one as fd44:4c00::/24")]
    NotRange(String),
    #[error("a Region's IPv6 range is a /24, so that each of its Nets has a /48: {0} is not")]
    Size(Ipv6Net),
    #[error("{0} is neither of fc00::/7 (RFC 4193) nor of 2000::/3: nobody can use it")]
    NotUnicast(Ipv6Net),
}

const LENGTH: u8 = 24;
const NET_LENGTH: u8 = 48;
const SUBNET_LENGTH: u8 = 64;
const PEERS_LENGTH: u8 = 125;

impl Ipv6Block {
    /// Of a Net.
    pub fn net(self, vni: Vni) -> Ipv6Net {
        Ipv6Net::new_assert(self.at(vni.as_u32(), 0, 0), NET_LENGTH)
    }

    /// Of a Subnet of the Net, by its IPv4 range.
    pub fn subnet(self, vni: Vni, range: Ipv4Net) -> Ipv6Net {
        Ipv6Net::new_assert(self.at(vni.as_u32(), low_half(range), 0), SUBNET_LENGTH)
    }

    /// The address that a Subnet's hosts use as their router.
    pub fn gateway(self, vni: Vni, range: Ipv4Net) -> Ipv6Addr {
        self.at(vni.as_u32(), low_half(range), 1)
    }

    /// Of a NIC, by its IPv4 address.
    pub fn nic(self, vni: Vni, range: Ipv4Net, address: Ipv4Addr) -> Ipv6Addr {
        self.at(vni.as_u32(), low_half(range), address.into())
    }

    /// The `n`th /125 of what no Net has, router first: what is given when nothing was asked for.
    pub fn peers(self, n: u16) -> Option<PeerAddresses> {
        let base = 8 * u32::from(n);
        let side = |host| Ipv6Net::new(self.at(0, 0, base + host), PEERS_LENGTH).map(IpNet::V6);
        PeerAddresses::new(side(1).ok()?, side(2).ok()?).ok()
    }

    fn at(self, vni: u32, subnet: u16, host: u32) -> Ipv6Addr {
        let block = u128::from(self.0.network());
        (block | u128::from(vni) << 80 | u128::from(subnet) << 64 | u128::from(host)).into()
    }
}

/// The lower half of its network address.
fn low_half(range: Ipv4Net) -> u16 {
    let [_, _, high, low] = range.network().octets();
    u16::from_be_bytes([high, low])
}

impl TryFrom<Ipv6Net> for Ipv6Block {
    type Error = BadIpv6Block;
    fn try_from(range: Ipv6Net) -> Result<Self, BadIpv6Block> {
        let first = range.network().segments()[0];
        match range.prefix_len() == LENGTH {
            false => Err(BadIpv6Block::Size(range)),
            true if first & 0xfe00 == 0xfc00 || first & 0xe000 == 0x2000 => Ok(Self(range.trunc())),
            true => Err(BadIpv6Block::NotUnicast(range)),
        }
    }
}

impl From<Ipv6Block> for Ipv6Net {
    fn from(block: Ipv6Block) -> Self {
        block.0
    }
}

impl FromStr for Ipv6Block {
    type Err = BadIpv6Block;
    fn from_str(text: &str) -> Result<Self, BadIpv6Block> {
        let range: Ipv6Net = text.parse().map_err(|_| BadIpv6Block::NotRange(text.to_owned()))?;
        range.try_into()
    }
}

impl fmt::Display for Ipv6Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Ipv6Block {
        "fd44:4c00::/24".parse().unwrap()
    }

    #[test]
    fn all_addresses_follow_from_the_ipv4_plan() {
        let vni = Vni::try_from(0x12_3456).unwrap();
        let range: Ipv4Net = "10.0.1.0/24".parse().unwrap();
        assert_eq!(block().net(vni).to_string(), "fd44:4c12:3456::/48");
        assert_eq!(block().subnet(vni, range).to_string(), "fd44:4c12:3456:100::/64");
        assert_eq!(block().gateway(vni, range).to_string(), "fd44:4c12:3456:100::1");
        let nic = block().nic(vni, range, Ipv4Addr::new(10, 0, 1, 10));
        assert_eq!(nic, "fd44:4c12:3456:100::10.0.1.10".parse::<Ipv6Addr>().unwrap());
        assert!(block().subnet(vni, range).contains(&nic));
    }

    #[test]
    fn peer_subnets_are_distinct_and_no_nets() {
        let pair = |n| block().peers(n).unwrap();
        assert_eq!(pair(0).to_string(), "fd44:4c00::1/125 ↔ fd44:4c00::2/125");
        assert_eq!(pair(1).to_string(), "fd44:4c00::9/125 ↔ fd44:4c00::a/125");
        let first_net = block().net(Vni::try_from(1).unwrap());
        let IpNet::V6(last) = pair(u16::MAX).router() else { panic!("of IPv6") };
        assert!(!first_net.contains(&last));
    }

    #[test]
    fn only_a_24_of_addresses_that_hosts_can_have_is_taken() {
        for (text, good) in [
            ("fd44:4c00::/24", true),
            ("2a00:4c00::/24", true),
            ("fd44:4c00::/32", false),
            ("fd00::/8", false),
            ("fe80::/24", false),
            ("ff00::/24", false),
            ("10.0.0.0/24", false),
            ("fd44:4c00::", false),
        ] {
            assert_eq!(text.parse::<Ipv6Block>().is_ok(), good, "{text}");
        }
    }
}
