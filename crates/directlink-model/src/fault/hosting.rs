//! What we refuse of hosted connections, and of moving interfaces.

use crate::{
    connection::ConnectionState,
    hosting::{Capacity, Holder},
    ids::{ConnectionId, InterfaceId, LagId},
};
use directlink_net::Vlan;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostingFault {
    #[error(
        "The DirectLink '{id}' is '{state}': only a hosted one that is 'ordering' can be confirmed."
    )]
    NotOrdering { id: ConnectionId, state: ConnectionState },
    #[error(
        "The DirectLink '{id}' is '{state}': it can host others from its approval until its deletion is asked."
    )]
    NotReady { id: ConnectionId, state: ConnectionState },
    #[error("The DirectLink '{0}' is hosted itself, and cannot host others.")]
    IsHosted(ConnectionId),
    #[error(
        "The DirectLink '{connection}' is a member of the LAG '{lag}', and cannot host others."
    )]
    InLag { connection: ConnectionId, lag: LagId },
    #[error("The DirectLink '{0}' is not a hosted one.")]
    NotHosted(ConnectionId),
    #[error(
        "The VLAN {vlan} is already used by '{by}', which is hosted on the DirectLink '{connection}'. Choose another VLAN."
    )]
    VlanTaken { connection: ConnectionId, vlan: Vlan, by: ConnectionId },
    #[error(
        "{asked} is more than the {left_mbps}Mbps that the DirectLink '{connection}' has left for hosted ones. Choose a smaller bandwidth, or delete what is no longer used."
    )]
    NoRoom { connection: ConnectionId, asked: Capacity, left_mbps: u64 },
    #[error("The DirectLink '{id}' still hosts {count} other(s). Have them deleted first.")]
    HasHosted { id: ConnectionId, count: usize },
    #[error(
        "The DirectLink '{connection}' is hosted on the VLAN {has}: its interface has that VLAN, not {asked}."
    )]
    VlanIsFixed { connection: ConnectionId, has: Vlan, asked: Vlan },
    #[error(
        "The DirectLink '{connection}' is hosted and carries one interface, '{by}'. Delete that first."
    )]
    OneInterface { connection: ConnectionId, by: Holder },
    #[error(
        "The DirectLink '{0}' is hosted: there is no Letter of Authorization for it, because it comes over the fibre of the partner that allocated it. There is nothing to plug."
    )]
    NoLetter(ConnectionId),
    #[error(
        "The DirectLinkInterface '{interface}' stays on the DirectLink '{connection}', which is hosted: it moves only with that."
    )]
    InterfaceStays { interface: InterfaceId, connection: ConnectionId },
}
