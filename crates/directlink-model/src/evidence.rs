//! What a router has seen beyond state: who spoke when, and how tries ended. A part of the report
//! that decides nothing; [`crate::diagnosis`] reads it.
//!
//! Bounded, so that no customer can make a report grow: so many tags of a port, stations of a VLAN,
//! endings of a session. Times are the router's own, and are compared with its own `at` alone: the
//! server's clock may be another.

mod fresh;

pub use fresh::{Fresh, FreshEchoes, FreshPeer, SessionNow};

use crate::figures::Traffic;
use directlink_net::Mac;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

/// The most of each list.
pub const LIST_MAX: usize = 8;

/// Of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortEvidence {
    /// When the router said so.
    pub at: Option<Timestamp>,
    /// Frames that belong to no interface, by tag; the last seen first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<Stray>,
    /// Frames that arrived broken, as the network card counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_errors: Option<Rise>,
    /// What is plugged in it, where the network card tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transceiver: Option<Transceiver>,
    /// Of a LAG's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacp: Option<Lacp>,
    /// Of a LAG's port: all frames on its wire, as the network card counts them. It carries for interfaces of
    /// other ports; of a port by itself its interfaces tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
}

/// What LACP (IEEE 802.1AX) says on a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lacp {
    /// The system at the other end. `None`: nobody there speaks it.
    pub partner: Option<Mac>,
    /// It has the port in its bundle, and waits for nothing but our word to use it.
    pub is_ready: bool,
    /// Both ends send by it; else it stands by.
    pub is_in_use: bool,
}

/// What a pluggable transceiver says of itself (SFF-8472), and the light that it measures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transceiver {
    /// By the name of IEEE 802.3, as `10GBASE-LR`.
    pub optics: Option<String>,
    pub connector: Option<String>,
    pub wavelength_nm: Option<u16>,
    pub vendor: Option<String>,
    pub serial: Option<String>,
    /// In thousandths of a dBm; of no light at all -40 dBm, where the measure ends.
    pub receive_millidbm: Option<i32>,
    pub transmit_millidbm: Option<i32>,
}

/// Frames of one tag that no interface of the port has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stray {
    /// `None`: untagged.
    pub vlan: Option<u16>,
    pub frames: u64,
    pub last_at: Timestamp,
}

/// A counter, and when it was last seen to rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rise {
    pub count: u64,
    pub last_at: Timestamp,
}

/// Of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InterfaceEvidence {
    /// When each verdict's counter was last seen to rise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rose_at: BTreeMap<String, Timestamp>,
    #[serde(default)]
    pub signatures: Signatures,
    /// Who spoke ARP in the VLAN; the last heard first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stations: Vec<Station>,
    /// Echoes of the customer's router.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub echoes: BTreeMap<IpAddr, Echoes>,
}

/// TCP segments dropped for their MD5 signature (RFC 2385), by what was wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signatures {
    /// There was none, and the session has a key (`TCPMD5NotFound`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Rise>,
    /// There was one, and the session has no key (`TCPMD5Unexpected`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unexpected: Option<Rise>,
    /// It was of another key (`TCPMD5Failure`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<Rise>,
}

/// A sender of ARP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Station {
    pub address: IpAddr,
    pub mac: Mac,
    pub heard_at: Timestamp,
}

/// What came of pinging the customer's router, with a small packet and with one as large as the
/// interface's MTU that may not be fragmented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Echoes {
    pub full_bytes: u16,
    pub small_answered_at: Option<Timestamp>,
    pub full_answered_at: Option<Timestamp>,
    /// Large ones since the last that was answered.
    pub full_unanswered: u32,
}

/// How a try, or a session, ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ending {
    pub at: Timestamp,
    pub cause: Cause,
    /// It was a session, and not a try.
    pub was_established: bool,
}

/// Why. In the order of how far it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nobody answers ARP, or there is no route.
    Unreachable,
    /// Our SYN got no answer.
    NoAnswer,
    /// Our SYN got RST.
    Refused,
    /// The dial failed otherwise.
    DialFailed(String),
    /// A connection that was open ended without a NOTIFICATION.
    Closed(String),
    NotificationSent(Notice),
    NotificationReceived(Notice),
    HoldTimerExpired,
    SendHoldTimerExpired,
    /// BFD.
    PathFailed,
    MaximumPrefixes {
        max: u32,
    },
    /// By ourselves, with the reason.
    Stopped(String),
}

/// A NOTIFICATION (RFC 4271 §4.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notice {
    pub code: u8,
    pub subcode: u8,
    /// The registered names, with the sender's own words (RFC 9003) if there are some.
    pub words: String,
}

/// The customer's last OPEN, accepted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpenSeen {
    pub at: Timestamp,
    pub asn: u32,
    pub hold_time_seconds: u16,
    pub bgp_identifier: Ipv4Addr,
}

/// Of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionEvidence {
    /// Of each kind the last; the last of all first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endings: Vec<Ending>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenSeen>,
}

impl SessionEvidence {
    /// Puts an ending first, in place of the former one of its kind.
    pub fn end(&mut self, ending: Ending) {
        self.endings.retain(|known| !known.is_kin(&ending));
        self.endings.insert(0, ending);
        self.endings.truncate(LIST_MAX);
    }
}

impl Ending {
    /// Of the same kind: the later stands for both.
    fn is_kin(&self, other: &Self) -> bool {
        let is_same = std::mem::discriminant(&self.cause) == std::mem::discriminant(&other.cause);
        is_same && self.was_established == other.was_established
    }
}

impl Cause {
    /// Whether the two speakers told each other something: dials that fail soon after tell less.
    /// That nothing was heard for the hold time is no conversation, and they tell more.
    pub const fn is_conversation(&self) -> bool {
        match self {
            Self::Closed(_)
            | Self::NotificationSent(_)
            | Self::NotificationReceived(_)
            | Self::MaximumPrefixes { .. }
            | Self::Stopped(_) => true,
            Self::Unreachable
            | Self::NoAnswer
            | Self::Refused
            | Self::DialFailed(_)
            | Self::HoldTimerExpired
            | Self::SendHoldTimerExpired
            | Self::PathFailed => false,
        }
    }

    /// Whether TCP got through: the customer's BGP speaker has been spoken to.
    pub const fn is_beyond_tcp(&self) -> bool {
        match self {
            Self::Unreachable | Self::NoAnswer | Self::Refused | Self::DialFailed(_) => false,
            Self::Closed(_)
            | Self::NotificationSent(_)
            | Self::NotificationReceived(_)
            | Self::HoldTimerExpired
            | Self::SendHoldTimerExpired
            | Self::PathFailed
            | Self::MaximumPrefixes { .. }
            | Self::Stopped(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_kind_the_last_ending_is_kept_and_the_last_of_all_is_first() {
        let mut evidence = SessionEvidence::default();
        let second = |s| Timestamp::from_second(s).unwrap();
        for (at, cause) in [
            (1, Cause::Refused),
            (2, Cause::NoAnswer),
            (3, Cause::Closed("reset".into())),
            (4, Cause::Refused),
        ] {
            evidence.end(Ending { at: second(at), cause, was_established: false });
        }
        let times: Vec<_> = evidence.endings.iter().map(|e| e.at.as_second()).collect();
        assert_eq!(times, [4, 3, 2]);
    }
}
