//! The largest IP packet that an interface carries, in bytes.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// 576 (RFC 791: what every host must accept) to 1500 (the guide: "limited to 1500 bytes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Mtu(u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is not a possible MTU: a DirectLink interface carries packets of 576 to 1500 bytes")]
pub struct BadMtu(pub i64);

impl Mtu {
    pub const MAX: Self = Self(1500);
    pub const MIN: Self = Self(576);

    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

impl Default for Mtu {
    fn default() -> Self {
        Self::MAX
    }
}

impl TryFrom<i64> for Mtu {
    type Error = BadMtu;
    fn try_from(n: i64) -> Result<Self, BadMtu> {
        match u16::try_from(n) {
            Ok(bytes @ 576..=1500) => Ok(Self(bytes)),
            _ => Err(BadMtu(n)),
        }
    }
}

impl TryFrom<u16> for Mtu {
    type Error = BadMtu;
    fn try_from(n: u16) -> Result<Self, BadMtu> {
        i64::from(n).try_into()
    }
}

impl From<Mtu> for u16 {
    fn from(mtu: Mtu) -> Self {
        mtu.0
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_576_to_1500() {
        for (n, good) in
            [(0, false), (575, false), (576, true), (1500, true), (1501, false), (9001, false)]
        {
            assert_eq!(Mtu::try_from(n as i64).is_ok(), good, "{n}");
        }
    }
}
