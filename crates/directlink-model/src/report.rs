//! The report: what a router sees on one of its ports. Complete for that port each time.
//!
//! `interfaces` lists whatever of ours is in the kernel, wanted or not: what is not in the list is
//! gone, which is how the server knows that a deletion is done.

use crate::{
    ids::{InterfaceId, PortName},
    interface::Seen,
};
use directlink_net::{IpNet, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortReport {
    pub port: PortName,
    /// The generation of the port's plan that the kernel was last brought to; 0: none yet.
    pub applied_generation: u64,
    /// Light at both ends (carrier).
    pub light: bool,
    pub interfaces: BTreeMap<InterfaceId, InterfaceReport>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceReport {
    /// VLAN, addresses and rows are as the plan says.
    pub configured: bool,
    /// Why not, if not.
    pub failure: Option<String>,
    pub session: SessionReport,
    /// The customer's MAC address, once it has answered.
    pub neighbour: Option<Mac>,
    /// The rows of its prefixes are in the kernel.
    pub rows_in_kernel: bool,
    pub learned: Vec<LearnedRoute>,
    pub refused: Vec<RefusedRoute>,
    pub advertised: Vec<IpNet>,
    /// Packets by verdict, both directions together; only those that are not zero.
    pub verdicts: BTreeMap<String, u64>,
}

/// The BGP session, in the words of RFC 4271 §8.2.2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReport {
    /// Idle, Connect, Active, OpenSent, OpenConfirm, Established.
    pub state: String,
    pub established_since: Option<Timestamp>,
    /// The last thing that ended it, in words: a NOTIFICATION and by whom, a timer, a refusal.
    pub last_error: Option<String>,
    /// It has four fifths of the prefixes that it may announce, or more: one too many ends it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub near_prefix_limit: bool,
    /// Once the customer speaks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bfd: Option<BfdReport>,
}

/// BFD on the session's path, in the words of RFC 5880.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdReport {
    /// AdminDown, Down, Init, Up.
    pub state: String,
    /// As the customer last said; `None`: it is silent.
    pub remote_state: Option<String>,
    /// Why it last changed.
    pub diagnostic: String,
    pub transmit_interval_millis: u64,
    /// How long the customer may be silent.
    pub detection_time_millis: Option<u64>,
}

impl SessionReport {
    pub const ESTABLISHED: &'static str = "Established";

    pub fn is_established(&self) -> bool {
        self.state == Self::ESTABLISHED
    }
}

impl Default for SessionReport {
    fn default() -> Self {
        Self {
            state: "Idle".into(),
            established_since: None,
            last_error: None,
            near_prefix_limit: false,
            bfd: None,
        }
    }
}

/// A prefix taken from the customer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LearnedRoute {
    pub prefix: IpNet,
    pub as_path: Vec<u32>,
    pub med: Option<u32>,
    /// It is the one that is forwarded on, or one of several.
    pub best: bool,
}

/// A prefix not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefusedRoute {
    pub prefix: IpNet,
    pub reason: String,
}

impl InterfaceReport {
    /// What the rules need of it.
    pub fn seen(&self) -> Seen {
        Seen {
            configured: self.configured,
            session_up: self.session.is_established(),
            forwarding: self.neighbour.is_some() && self.rows_in_kernel,
        }
    }
}
