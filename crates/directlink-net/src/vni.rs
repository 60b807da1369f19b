//! VXLAN network identifiers (RFC 7348): which Net a packet on the fabric belongs to.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// 1 to 16777215 (24 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Vni(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is not a VXLAN network identifier: give 1 to 16777215")]
pub struct BadVni(pub u32);

impl Vni {
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Vni {
    type Error = BadVni;
    fn try_from(n: u32) -> Result<Self, BadVni> {
        match n {
            1..=0x00ff_ffff => Ok(Self(n)),
            n => Err(BadVni(n)),
        }
    }
}

impl From<Vni> for u32 {
    fn from(vni: Vni) -> Self {
        vni.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
