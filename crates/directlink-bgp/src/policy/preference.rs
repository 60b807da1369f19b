//! How much a customer wants one of its ways: the communities that stand for a local preference.
//!
//! ```text
//!   7224:7100  REGION:7100   low              7224 is what the tools of AWS Direct Connect use;
//!   7224:7200  REGION:7200   medium, as none  REGION is the Region's own AS number, where it
//!   7224:7300  REGION:7300   high             fits in a community (RFC 1997: 16 bits)
//!   65535:0                  none left        GRACEFUL_SHUTDOWN (RFC 8326)
//! ```
//!
//! They are evaluated before AS_PATH. One route should have one; of several the highest counts,
//! as it does in AWS, but a shutdown is a shutdown. All other communities mean nothing to us, the
//! well-known NO_EXPORT and NO_ADVERTISE (RFC 1997) included: what we learn is never advertised
//! to anybody, and what we advertise carries no community, so that they are kept for people only.

use directlink_net::Asn;
use std::fmt;

/// From the least wanted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preference {
    /// Its router is about to go: any other way is better.
    GracefulShutdown,
    Low,
    #[default]
    Medium,
    High,
}

impl Preference {
    /// What `communities` say to a Region of this AS number.
    pub fn of(communities: &[u32], region: Asn) -> Self {
        if communities.contains(&GRACEFUL_SHUTDOWN) {
            return Self::GracefulShutdown;
        }
        communities
            .iter()
            .filter_map(|community| Self::named(*community, region))
            .max()
            .unwrap_or_default()
    }

    /// The degree of preference (RFC 4271 §9.1.1).
    pub const fn local_pref(self) -> u32 {
        match self {
            Self::GracefulShutdown => 0,
            Self::Low => 50,
            Self::Medium => 100,
            Self::High => 150,
        }
    }

    fn named(community: u32, region: Asn) -> Option<Self> {
        let (asn, value) = (community >> 16, community & 0xffff);
        if asn != AWS && asn != region.as_u32() {
            return None;
        }
        match value {
            7100 => Some(Self::Low),
            7200 => Some(Self::Medium),
            7300 => Some(Self::High),
            _ => None,
        }
    }
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GracefulShutdown => "graceful shutdown",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

const AWS: u32 = 7224;

/// RFC 8326 §5.
pub(crate) const GRACEFUL_SHUTDOWN: u32 = 0xffff_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_of_communities_has_its_preference() {
        let of = |asn: u32, value: u32| asn << 16 | value;
        let (no_export, no_advertise) = (0xffff_ff01, 0xffff_ff02);
        let table: Vec<(Vec<u32>, Preference)> = vec![
            (vec![], Preference::Medium),
            (vec![of(7224, 7100)], Preference::Low),
            (vec![of(7224, 7200)], Preference::Medium),
            (vec![of(7224, 7300)], Preference::High),
            (vec![of(50624, 7100)], Preference::Low),
            (vec![of(50624, 7200)], Preference::Medium),
            (vec![of(50624, 7300)], Preference::High),
            (vec![of(7224, 7100), of(7224, 7300)], Preference::High),
            (vec![of(7224, 7100), of(50624, 7200)], Preference::Medium),
            (vec![of(7224, 7300), GRACEFUL_SHUTDOWN], Preference::GracefulShutdown),
            (vec![of(7224, 7101)], Preference::Medium),
            (vec![of(7224, 9100)], Preference::Medium),
            (vec![of(65000, 7300)], Preference::Medium),
            (vec![no_export, no_advertise], Preference::Medium),
        ];
        for (communities, preference) in table {
            let region = 50624u32.try_into().unwrap();
            assert_eq!(Preference::of(&communities, region), preference, "{communities:x?}");
        }
    }

    #[test]
    fn a_region_of_a_longer_number_has_the_common_form_only() {
        // 4200000000 is 0xfa56ea00: neither of its halves is a community's AS number.
        let region = 4_200_000_000u32.try_into().unwrap();
        for asn in [0xfa56, 0xea00] {
            assert_eq!(Preference::of(&[asn << 16 | 7300], region), Preference::Medium);
        }
        assert_eq!(Preference::of(&[7224 << 16 | 7300], region), Preference::High);
    }

    #[test]
    fn the_more_it_is_wanted_the_higher_its_degree() {
        use Preference::{GracefulShutdown, High, Low, Medium};
        let all = [GracefulShutdown, Low, Medium, High];
        assert!(all.is_sorted() && all.map(Preference::local_pref).is_sorted());
    }
}
