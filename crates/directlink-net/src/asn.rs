//! Autonomous System numbers (RFC 6793): 32 bits, and which of them a customer may use.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// An AS number that may open a BGP session: 1 to 4294967294.
///
/// 0 (RFC 7607) and 4294967295 (RFC 7300) are reserved; 23456 is AS_TRANS (RFC 6793 §9)
/// and never names a real system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Asn(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is not an AS number a router can use: give 1 to 4294967294, and not 23456 (AS_TRANS)")]
pub struct BadAsn(pub i64);

impl Asn {
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// RFC 6996: 64512–65534 and 4200000000–4294967294.
    pub const fn is_private(self) -> bool {
        matches!(self.0, 64512..=65534 | 4_200_000_000..=4_294_967_294)
    }

    /// RFC 5398: documentation numbers, never to be seen on a wire.
    pub const fn is_documentation(self) -> bool {
        matches!(self.0, 64496..=64511 | 65536..=65551)
    }
}

impl TryFrom<u32> for Asn {
    type Error = BadAsn;
    fn try_from(n: u32) -> Result<Self, BadAsn> {
        match n {
            0 | 23456 | u32::MAX => Err(BadAsn(i64::from(n))),
            n => Ok(Self(n)),
        }
    }
}

impl TryFrom<i64> for Asn {
    type Error = BadAsn;
    fn try_from(n: i64) -> Result<Self, BadAsn> {
        u32::try_from(n).map_err(|_| BadAsn(n))?.try_into()
    }
}

impl From<Asn> for u32 {
    fn from(asn: Asn) -> Self {
        asn.0
    }
}

impl fmt::Display for Asn {
    /// "asplain" (RFC 5396).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The side of a Region: the number its DirectLink routers speak with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RegionAsn(pub Asn);

impl RegionAsn {
    /// Numbers that name the provider in some Region: no customer may use them
    /// (OUTSCALE API, `BgpAsn`).
    pub const PROVIDER: [u32; 3] = [50624, 53306, 132_418];

    /// Whether a customer in this Region must not use `asn`: it is the provider's here or elsewhere.
    pub fn refuses(self, asn: Asn) -> bool {
        asn == self.0 || Self::PROVIDER.contains(&asn.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_numbers_are_refused_and_the_edges_are_not() {
        for (n, good) in [
            (-1i64, false),
            (0, false),
            (1, true),
            (23456, false),
            (65535, true),
            (4_294_967_294, true),
            (4_294_967_295, false),
            (4_294_967_296, false),
        ] {
            assert_eq!(Asn::try_from(n).is_ok(), good, "{n}");
        }
    }

    #[test]
    fn provider_numbers_are_not_a_customers() -> Result<(), BadAsn> {
        let region = RegionAsn(Asn::try_from(50624u32)?);
        for (n, refused) in [(50624u32, true), (53306, true), (132_418, true), (65000, false)] {
            assert_eq!(region.refuses(n.try_into()?), refused, "{n}");
        }
        Ok(())
    }
}
