//! 802.1Q VLAN identifiers that an interface may have.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// 2 to 4094. 0 is the priority tag, 4095 is reserved (IEEE 802.1Q table 9-2), and 1 is the
/// default VLAN of most switches, which the OUTSCALE API leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Vlan(u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is not a usable VLAN: give 2 to 4094")]
pub struct BadVlan(pub i64);

impl Vlan {
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for Vlan {
    type Error = BadVlan;
    fn try_from(n: i64) -> Result<Self, BadVlan> {
        match u16::try_from(n) {
            Ok(id @ 2..=4094) => Ok(Self(id)),
            _ => Err(BadVlan(n)),
        }
    }
}

impl TryFrom<u16> for Vlan {
    type Error = BadVlan;
    fn try_from(n: u16) -> Result<Self, BadVlan> {
        i64::from(n).try_into()
    }
}

impl From<Vlan> for u16 {
    fn from(vlan: Vlan) -> Self {
        vlan.0
    }
}

impl fmt::Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2_to_4094() {
        for (n, good) in [
            (-1, false),
            (0, false),
            (1, false),
            (2, true),
            (4094, true),
            (4095, false),
            (65537, false),
        ] {
            assert_eq!(Vlan::try_from(n as i64).is_ok(), good, "{n}");
        }
    }
}
