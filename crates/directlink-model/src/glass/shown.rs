//! What a looking glass shows: an interface as its router has it at this moment.
//!
//! In the order of the road: what the customer's speaker said, what became of it, what is forwarded
//! by, and what our side says. No key is in it.

use crate::{ids::BgpPeerId, report::BfdReport};
use directlink_net::{IpNet, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub at: Timestamp,
    pub vlan: u16,
    pub mtu: u16,
    pub router_mac: Mac,
    /// Of the Net that it leads to, if it does.
    pub vni: Option<u32>,
    /// As its row in the kernel says.
    pub forwards: bool,
    pub peers: Vec<ShownPeer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownPeer {
    pub id: BgpPeerId,
    /// With the length of the subnet.
    pub router: IpNet,
    pub customer: IpAddr,
    /// Where the kernel sends packets for it; `None`: nowhere.
    pub neighbour: Option<Mac>,
    pub session: SessionShown,
    pub received: Vec<Received>,
    /// How many there are, shown or not.
    pub received_count: u32,
    pub advertised: Vec<Advertised>,
    pub advertised_count: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionShown {
    /// RFC 4271 §8.2.2.
    pub state: String,
    pub local_asn: u32,
    pub peer_asn: u32,
    pub peer_identifier: Option<Ipv4Addr>,
    /// Whether segments are signed (RFC 2385).
    pub has_key: bool,
    pub established_since: Option<Timestamp>,
    pub timers: Timers,
    /// When it last came up or went down.
    pub last_change: Option<Timestamp>,
    pub last_error: Option<String>,
    pub last_error_at: Option<Timestamp>,
    /// When it is dialled again.
    pub retry_at: Option<Timestamp>,
    pub prefixes_max: u32,
    pub capabilities: Capabilities,
    pub bfd: Option<BfdReport>,
}

/// In seconds, as agreed; nothing while there is no session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    pub hold_seconds: Option<u16>,
    pub keepalive_seconds: Option<u16>,
    pub uptime_seconds: Option<u64>,
}

/// As the OPENs said, in the words of the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    pub ours: Vec<String>,
    pub theirs: Vec<String>,
}

/// Adj-RIB-In, before policy; after it is what has no reason of refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    pub prefix: IpNet,
    pub origin: Option<String>,
    pub as_path: Vec<u32>,
    pub next_hop: Option<IpAddr>,
    pub med: Option<u32>,
    pub local_pref: u32,
    pub communities: Vec<String>,
    /// From before the customer's restart, and not said again since.
    pub stale: bool,
    pub refused: Option<String>,
    /// Of what is not refused.
    pub standing: Option<Standing>,
    pub row: Option<Row>,
}

/// Among all ways to the prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub is_best: bool,
    /// The rule of RFC 4271 §9.1.2.2 that decided, in words.
    pub why: String,
}

/// What the packets meet: the kernel's row of the prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Customers' routers, and other routers of the Region; empty: none leads there.
    pub leads_to: Vec<String>,
    /// Packets from there are let in.
    pub lets_in: bool,
}

/// Adj-RIB-Out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertised {
    pub prefix: IpNet,
    pub as_path: Vec<u32>,
    pub next_hop: IpAddr,
}
