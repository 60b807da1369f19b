//! What came of asking at this moment: a diagnosis that waits for no timer.
//!
//! ```text
//!   asked_at                                                              until
//!     │ who has CUSTOMER, who has ROUTER? ─ echoes of two sizes ─ a KEEPALIVE, or a dial │
//! ```

use super::Signatures;
use directlink_net::Mac;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};

/// Of an interface, by its router's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fresh {
    pub asked_at: Timestamp,
    pub until: Timestamp,
    /// Frames with its tag that arrived meanwhile.
    pub frames: u64,
    /// TCP segments that were dropped meanwhile.
    pub signatures: Signatures,
    /// By the customer's address.
    pub peers: BTreeMap<IpAddr, FreshPeer>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreshPeer {
    /// Who answered for the customer's address.
    pub stations: Vec<Mac>,
    /// Who claimed the router's.
    pub impostors: Vec<Mac>,
    /// `None`: there was nobody to send any to.
    pub echoes: Option<FreshEchoes>,
    pub session: SessionNow,
}

/// Echoes asked and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreshEchoes {
    pub small_answered: u32,
    pub full_bytes: u16,
    pub full_asked: u32,
    pub full_answered: u32,
}

/// What TCP says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionNow {
    /// Nothing was tried, or nothing came of it either way.
    #[default]
    Unknown,
    /// The customer's kernel took a KEEPALIVE of ours.
    Acknowledged,
    /// It did not, though it was sent again so often.
    Unacknowledged { retransmissions: u32, millis: u64 },
    /// A SYN of ours has had no answer for so long.
    Unanswered { millis: u64 },
}

impl Fresh {
    pub fn of(&self, customer: IpAddr) -> Option<&FreshPeer> {
        self.peers.get(&customer)
    }
}
