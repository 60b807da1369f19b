//! The two addresses of a BGP session on its VLAN.

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr};
use thiserror::Error;

/// Router's and customer's address in one small subnet, each with its prefix length.
///
/// ```text
/// OutscalePrivateIp  amazonAddress    router    172.16.0.5/30
/// ClientPrivateIp    customerAddress  customer  172.16.0.6/30
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeerAddresses {
    router: IpNet,
    customer: IpNet,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadPeerAddresses {
    #[error(
        "the two addresses of a session must be of one family and in one subnet: {0} and {1} are not"
    )]
    Apart(IpNet, IpNet),
    #[error("both sides of the session have the address {0}: give each its own")]
    Same(IpAddr),
    #[error("{0} is address 0 of its subnet, which no router can have")]
    Network(IpNet),
    #[error("{0} is the broadcast address of its subnet, which no router can have")]
    Broadcast(IpNet),
    #[error("{0} cannot be a peer address: it is not a unicast address")]
    NotUnicast(IpNet),
    #[error("a peer subnet has 2 to 256 addresses: /{0} is not of that size")]
    Size(u8),
}

impl PeerAddresses {
    /// # Errors
    /// Apart, same, or an address that no router can have. `/31` has no network
    /// and no broadcast address (RFC 3021).
    pub fn new(router: IpNet, customer: IpNet) -> Result<Self, BadPeerAddresses> {
        if router.trunc() != customer.trunc() {
            return Err(BadPeerAddresses::Apart(router, customer));
        }
        if router.addr() == customer.addr() {
            return Err(BadPeerAddresses::Same(router.addr()));
        }
        let host_bits = router.max_prefix_len() - router.prefix_len();
        if !(1..=8).contains(&host_bits) {
            return Err(BadPeerAddresses::Size(router.prefix_len()));
        }
        for side in [router, customer] {
            check_host(side)?;
        }
        Ok(Self { router, customer })
    }

    /// The `n`th /30 of 169.254/16, router first: what is given when nothing was asked for.
    /// The first and last /24 of the range stay free (RFC 3927 §2.1). `None` past the last.
    pub fn allocated(n: u16) -> Option<Self> {
        let base = u32::from(std::net::Ipv4Addr::new(169, 254, 1, 0)) + 4 * u32::from(n);
        let end = u32::from(std::net::Ipv4Addr::new(169, 254, 255, 0));
        let side = |host: u32| Ipv4Net::new((base + host).into(), 30).ok().map(IpNet::V4);
        (base < end).then(|| Self::new(side(1)?, side(2)?).ok()).flatten()
    }

    pub const fn router(&self) -> IpNet {
        self.router
    }

    pub const fn customer(&self) -> IpNet {
        self.customer
    }
}

fn check_host(side: IpNet) -> Result<(), BadPeerAddresses> {
    let addr = side.addr();
    let unicast = match addr {
        IpAddr::V4(v4) => {
            !(v4.is_multicast()
                || v4.is_loopback()
                || v4.is_unspecified()
                || v4.octets()[0] >= 224
                || v4.octets()[0] == 0)
        }
        IpAddr::V6(v6) => !(v6.is_multicast() || v6.is_loopback() || v6.is_unspecified()),
    };
    if !unicast {
        return Err(BadPeerAddresses::NotUnicast(side));
    }
    let has_ends = side.prefix_len() < side.max_prefix_len() - 1;
    match () {
        () if has_ends && addr == side.network() => Err(BadPeerAddresses::Network(side)),
        () if has_ends && side.addr().is_ipv4() && addr == side.broadcast() => {
            Err(BadPeerAddresses::Broadcast(side))
        }
        () => Ok(()),
    }
}

impl fmt::Display for PeerAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ↔ {}", self.router, self.customer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_can_talk_are_taken_and_others_refused_by_name() {
        let net = |s: &str| s.parse::<IpNet>().unwrap();
        let pair = |a, b| PeerAddresses::new(net(a), net(b)).map(|p| p.to_string());
        assert_eq!(
            pair("172.16.0.1/30", "172.16.0.2/30"),
            Ok("172.16.0.1/30 ↔ 172.16.0.2/30".into())
        );
        assert!(pair("10.0.0.0/31", "10.0.0.1/31").is_ok());
        assert!(matches!(
            pair("172.16.0.4/30", "172.16.0.5/30"),
            Err(BadPeerAddresses::Network(_))
        ));
        assert!(matches!(
            pair("172.16.0.5/30", "172.16.0.7/30"),
            Err(BadPeerAddresses::Broadcast(_))
        ));
        assert!(matches!(pair("172.16.0.1/30", "172.16.0.5/30"), Err(BadPeerAddresses::Apart(..))));
        assert!(matches!(pair("172.16.0.1/30", "172.16.0.2/29"), Err(BadPeerAddresses::Apart(..))));
        assert!(matches!(pair("172.16.0.1/30", "172.16.0.1/30"), Err(BadPeerAddresses::Same(_))));
        assert!(matches!(pair("10.0.0.1/16", "10.0.0.2/16"), Err(BadPeerAddresses::Size(16))));
        assert!(matches!(
            pair("127.0.0.1/30", "127.0.0.2/30"),
            Err(BadPeerAddresses::NotUnicast(_))
        ));
    }

    #[test]
    fn allocated_pairs_are_distinct_and_end() {
        let all: Vec<_> = (0..).map_while(PeerAddresses::allocated).collect();
        assert_eq!(all.len(), 254 * 64);
        assert_eq!(all[0].to_string(), "169.254.1.1/30 ↔ 169.254.1.2/30");
        assert_eq!(all.last().unwrap().to_string(), "169.254.254.253/30 ↔ 169.254.254.254/30");
    }
}
