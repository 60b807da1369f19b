//! Security groups: what a Net's NICs admit. A list of permissions, default deny, stateful.

use crate::ids::{AccountId, NetId, SecurityGroupId, SecurityGroupRuleId};
use directlink_net::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    pub id: SecurityGroupId,
    pub account: AccountId,
    pub net: NetId,
    pub name: String,
    pub description: String,
    pub rules: Vec<SecurityGroupRule>,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroupRule {
    pub id: SecurityGroupRuleId,
    pub flow: Flow,
    pub permission: Permission,
}

/// Seen from the NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Flow {
    Inbound,
    Outbound,
}

/// What one rule lets pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Permission {
    pub protocol: Protocol,
    /// The other side: source of inbound, destination of outbound packets.
    pub range: IpNet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// Every protocol and port (`-1` in the OUTSCALE API).
    Any,
    Tcp(PortRange),
    Udp(PortRange),
    /// `None`: every type, every code.
    Icmp {
        kind: Option<u8>,
        code: Option<u8>,
    },
    /// Another protocol by its IANA number.
    Other(u8),
}

/// Destination ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    pub from: u16,
    pub to: u16,
}

impl PortRange {
    pub const ALL: Self = Self { from: 0, to: u16::MAX };
}

impl SecurityGroup {
    /// A new group of a Net lets everything out (OUTSCALE API, `CreateSecurityGroup`).
    pub fn default_outbound() -> Permission {
        Permission { protocol: Protocol::Any, range: IpNet::V4(directlink_net::Ipv4Net::default()) }
    }
}
