//! What a customer may announce to us, and the reason for each prefix that it may not.
//!
//! RFC 8212 by construction: an Adj-RIB-In cannot be built without an [`ImportPolicy`], and what
//! is advertised is a list that somebody gave. There is no rule language: a DirectLink has one
//! purpose, and its rules are the same for every interface but for the values below.
//!
//! Attributes are judged once per attribute set, prefixes once per prefix; a route is accepted
//! when neither side refuses.

mod preference;

pub(crate) use preference::GRACEFUL_SHUTDOWN;
pub use preference::Preference;

use crate::Attributes;
use directlink_net::Asn;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The rules of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportPolicy {
    pub local_asn: Asn,
    pub peer_asn: Asn,
    pub peer_addr: IpAddr,
    /// What the Net itself uses; the customer must not draw it away.
    pub net_ranges: Vec<IpNet>,
    pub limits: PrefixLimits,
    /// Whatever the customer wants, its routes here are taken where there are no others.
    pub last_resort: bool,
}

/// How many, how long, how short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixLimits {
    /// Distinct prefixes that the peer may announce in a family, refused ones included: they
    /// take memory as well, and this is the number that the customer's router shows.
    pub prefixes_max: u32,
    pub shortest_v4: u8,
    pub longest_v4: u8,
    pub shortest_v6: u8,
    pub longest_v6: u8,
    /// Accept an aggregate that covers a range of the Net (10.0.0.0/8 over 10.1.0.0/16). The
    /// Net keeps its own range by longest match, but the rest of the aggregate goes to the customer.
    pub covering_net: bool,
}

/// Why a prefix was not taken. Small on purpose: one is kept for each refused prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    AsLoop,
    AsPathEmpty,
    CoversNet,
    DefaultRoute,
    FirstAsNotPeer,
    InsideNet,
    /// RFC 7606 treat-as-withdraw; the attribute's type code where it is known, else 0.
    Malformed {
        attribute: u8,
    },
    Martian,
    NextHopNotPeer,
    /// RFC 9774: AS_SET is no longer allowed.
    ProhibitedAsSet,
    ReservedAs,
    TooLong,
    TooShort,
}

impl ImportPolicy {
    /// The first rule that `attributes` break.
    pub fn check_attributes(&self, attributes: &Attributes) -> Option<Refusal> {
        let path = &attributes.as_path;
        match path.first() {
            None => return Some(Refusal::AsPathEmpty),
            Some(first) if *first != self.peer_asn.as_u32() => {
                return Some(Refusal::FirstAsNotPeer);
            }
            Some(_) => {}
        }
        if path.contains(&self.local_asn.as_u32()) {
            return Some(Refusal::AsLoop);
        }
        if path.iter().any(|asn| matches!(asn, 0 | &AS_TRANS | &u32::MAX)) {
            return Some(Refusal::ReservedAs);
        }
        (attributes.next_hop != self.peer_addr).then_some(Refusal::NextHopNotPeer)
    }

    /// How much a route of these attributes is wanted.
    pub fn preference(&self, attributes: &Attributes) -> Preference {
        match self.last_resort {
            true => Preference::GracefulShutdown,
            false => Preference::of(&attributes.communities, self.local_asn),
        }
    }

    /// The first rule that `prefix` breaks.
    pub fn check_prefix(&self, prefix: &IpNet) -> Option<Refusal> {
        if prefix.prefix_len() == 0 {
            return Some(Refusal::DefaultRoute);
        }
        if is_martian(prefix) {
            return Some(Refusal::Martian);
        }
        if self.net_ranges.iter().any(|range| range.contains(prefix)) {
            return Some(Refusal::InsideNet);
        }
        let PrefixLimits { shortest_v4, longest_v4, shortest_v6, longest_v6, .. } = self.limits;
        let (shortest, longest) = match prefix {
            IpNet::V4(_) => (shortest_v4, longest_v4),
            IpNet::V6(_) => (shortest_v6, longest_v6),
        };
        match prefix.prefix_len() {
            length if length < shortest => return Some(Refusal::TooShort),
            length if length > longest => return Some(Refusal::TooLong),
            _ => {}
        }
        let covers = self.net_ranges.iter().any(|range| prefix.contains(range));
        (covers && !self.limits.covering_net).then_some(Refusal::CoversNet)
    }
}

impl Default for PrefixLimits {
    fn default() -> Self {
        Self {
            prefixes_max: 100,
            shortest_v4: 8,
            longest_v4: 28,
            shortest_v6: 16,
            longest_v6: 64,
            covering_net: false,
        }
    }
}

impl Refusal {
    /// A word for metrics and APIs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsLoop => "as-loop",
            Self::AsPathEmpty => "as-path-empty",
            Self::CoversNet => "covers-net",
            Self::DefaultRoute => "default-route",
            Self::FirstAsNotPeer => "first-as-not-peer",
            Self::InsideNet => "inside-net",
            Self::Malformed { .. } => "malformed-attribute",
            Self::Martian => "martian",
            Self::NextHopNotPeer => "next-hop-not-peer",
            Self::ProhibitedAsSet => "as-set",
            Self::ReservedAs => "reserved-as",
            Self::TooLong => "too-long",
            Self::TooShort => "too-short",
        }
    }
}

impl fmt::Display for Refusal {
    /// A clause that goes after "refused: ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsLoop => "its AS_PATH holds our own AS number",
            Self::AsPathEmpty => "its AS_PATH is empty",
            Self::CoversNet => "it covers a range of the Net itself",
            Self::DefaultRoute => "a default route is not accepted",
            Self::FirstAsNotPeer => "the first AS of its AS_PATH is not the peer's",
            Self::InsideNet => "it is a range of the Net itself",
            Self::Malformed { attribute } => {
                return write!(f, "its path attribute {attribute} is malformed (RFC 7606)");
            }
            Self::Martian => {
                "it is not a range that can be routed (loopback, link-local, multicast, reserved)"
            }
            Self::NextHopNotPeer => "its next hop is not the peer's address",
            Self::ProhibitedAsSet => "its AS_PATH holds an AS_SET (RFC 9774)",
            Self::ReservedAs => "its AS_PATH holds a reserved AS number",
            Self::TooLong => "its prefix length is above the limit",
            Self::TooShort => "its prefix length is below the limit",
        })
    }
}

/// Never a customer's network. Private, shared and documentation ranges are: this is a private
/// interconnect.
fn is_martian(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(v4) => MARTIANS_V4.iter().any(|martian| martian.contains(v4)),
        // Global unicast and unique local addresses; all the rest is special or unassigned.
        IpNet::V6(v6) => !ROUTABLE_V6.iter().any(|routable| routable.contains(v6)),
    }
}

const fn v4(a: u8, b: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), length)
}

const MARTIANS_V4: [Ipv4Net; 5] =
    [v4(0, 0, 8), v4(127, 0, 8), v4(169, 254, 16), v4(224, 0, 4), v4(240, 0, 4)];

const ROUTABLE_V6: [Ipv6Net; 2] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3),
    Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
];

const AS_TRANS: u32 = 23456;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Origin;

    fn asn(n: u32) -> Asn {
        n.try_into().unwrap()
    }

    fn policy() -> ImportPolicy {
        ImportPolicy {
            local_asn: asn(50624),
            peer_asn: asn(65000),
            peer_addr: "172.16.0.2".parse().unwrap(),
            net_ranges: vec!["10.1.0.0/16".parse().unwrap(), "fd00:1::/48".parse().unwrap()],
            limits: PrefixLimits::default(),
            last_resort: false,
        }
    }

    #[test]
    fn each_prefix_has_its_verdict() {
        let table = [
            ("192.168.0.0/16", None),
            ("192.0.2.0/24", None),
            ("100.64.0.0/10", None),
            ("11.0.0.0/8", None),
            ("192.168.1.16/28", None),
            ("0.0.0.0/0", Some(Refusal::DefaultRoute)),
            ("0.0.0.0/8", Some(Refusal::Martian)),
            ("127.1.0.0/16", Some(Refusal::Martian)),
            ("169.254.10.0/24", Some(Refusal::Martian)),
            ("224.0.0.0/24", Some(Refusal::Martian)),
            ("239.0.0.0/8", Some(Refusal::Martian)),
            ("255.255.255.255/32", Some(Refusal::Martian)),
            ("10.1.0.0/16", Some(Refusal::InsideNet)),
            ("10.1.7.0/24", Some(Refusal::InsideNet)),
            ("10.1.7.1/32", Some(Refusal::InsideNet)),
            ("10.0.0.0/8", Some(Refusal::CoversNet)),
            ("10.0.0.0/7", Some(Refusal::TooShort)),
            ("128.0.0.0/1", Some(Refusal::TooShort)),
            ("192.168.1.16/29", Some(Refusal::TooLong)),
            ("192.168.1.1/32", Some(Refusal::TooLong)),
            ("2001:db8::/32", None),
            ("fd00:2::/48", None),
            ("::/0", Some(Refusal::DefaultRoute)),
            ("::1/128", Some(Refusal::Martian)),
            ("fe80::/64", Some(Refusal::Martian)),
            ("ff02::/16", Some(Refusal::Martian)),
            ("fd00:1:0:5::/64", Some(Refusal::InsideNet)),
            ("fd00:1::/32", Some(Refusal::CoversNet)),
            ("2001:db8::1/128", Some(Refusal::TooLong)),
            ("2000::/3", Some(Refusal::TooShort)),
        ];
        for (prefix, verdict) in table {
            assert_eq!(policy().check_prefix(&prefix.parse().unwrap()), verdict, "{prefix}");
        }
    }

    #[test]
    fn the_limits_are_the_interfaces_own() {
        let limits = PrefixLimits { longest_v4: 32, covering_net: true, ..Default::default() };
        let policy = ImportPolicy { limits, ..policy() };
        for prefix in ["192.168.1.1/32", "10.0.0.0/8"] {
            assert_eq!(policy.check_prefix(&prefix.parse().unwrap()), None, "{prefix}");
        }
    }

    #[test]
    fn each_attribute_set_has_its_verdict() {
        let table: [(&[u32], &str, Option<Refusal>); 9] = [
            (&[65000], "172.16.0.2", None),
            (&[65000, 65000, 64900], "172.16.0.2", None),
            (&[], "172.16.0.2", Some(Refusal::AsPathEmpty)),
            (&[64900, 65000], "172.16.0.2", Some(Refusal::FirstAsNotPeer)),
            (&[65000, 50624], "172.16.0.2", Some(Refusal::AsLoop)),
            (&[65000, 0], "172.16.0.2", Some(Refusal::ReservedAs)),
            (&[65000, 23456], "172.16.0.2", Some(Refusal::ReservedAs)),
            (&[65000], "172.16.0.1", Some(Refusal::NextHopNotPeer)),
            (&[65000], "172.16.0.3", Some(Refusal::NextHopNotPeer)),
        ];
        for (as_path, next_hop, verdict) in table {
            let attributes = Attributes {
                origin: Origin::Igp,
                as_path: as_path.to_vec(),
                next_hop: next_hop.parse().unwrap(),
                med: None,
                communities: vec![],
                large_communities: vec![],
            };
            assert_eq!(policy().check_attributes(&attributes), verdict, "{as_path:?} {next_hop}");
        }
    }
}
