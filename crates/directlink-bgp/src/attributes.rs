//! What a route says about itself (RFC 4271 §5), in the shape that people and policy read.

use rustbgpd_wire::PathAttribute;
use std::{fmt, net::IpAddr};

/// The attributes that this router looks at or shows. Others are kept on the wire form only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub origin: Origin,
    /// Nearest first, prepends included.
    pub as_path: Vec<u32>,
    pub next_hop: IpAddr,
    pub med: Option<u32>,
    /// RFC 1997: AS number in the upper half.
    pub communities: Vec<u32>,
    /// RFC 8092.
    pub large_communities: Vec<[u32; 3]>,
}

/// RFC 4271 §5.1.1; the lower is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    Igp,
    Egp,
    Incomplete,
}

impl Attributes {
    /// From validated attributes of one UPDATE and the next hop of the family in question.
    /// `None` where a mandatory one is missing.
    pub(crate) fn from_wire(list: &[PathAttribute], next_hop: Option<IpAddr>) -> Option<Self> {
        let (mut origin, mut as_path, mut body_next_hop) = (None, None, None);
        let (mut med, mut communities, mut large_communities) = (None, Vec::new(), Vec::new());
        for attribute in list {
            match attribute {
                PathAttribute::Origin(seen) => origin = Some(Origin::from_wire(*seen)),
                PathAttribute::AsPath(path) => as_path = Some(path.asns().collect()),
                PathAttribute::NextHop(addr) => body_next_hop = Some(IpAddr::V4(*addr)),
                PathAttribute::Med(value) => med = Some(*value),
                PathAttribute::LargeCommunities(all)
                | PathAttribute::LargeCommunitiesPartial(all) => {
                    large_communities = all
                        .iter()
                        .map(|c| [c.global_admin, c.local_data1, c.local_data2])
                        .collect();
                }
                other => communities.extend(other.communities().unwrap_or_default()),
            }
        }
        Some(Self {
            origin: origin?,
            as_path: as_path?,
            next_hop: next_hop.or(body_next_hop)?,
            med,
            communities,
            large_communities,
        })
    }
}

impl Origin {
    const fn from_wire(origin: rustbgpd_wire::Origin) -> Self {
        match origin {
            rustbgpd_wire::Origin::Igp => Self::Igp,
            rustbgpd_wire::Origin::Egp => Self::Egp,
            rustbgpd_wire::Origin::Incomplete => Self::Incomplete,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Igp => "IGP",
            Self::Egp => "EGP",
            Self::Incomplete => "incomplete",
        })
    }
}
