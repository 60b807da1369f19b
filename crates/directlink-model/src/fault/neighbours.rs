//! What is refused of a Net's route tables and security groups: families of their own, so that the
//! list of all faults, and each dialect's match over it, can be read at a glance.

use crate::ids::{NetId, NicId, RouteTableId, RouteTableLinkId, SecurityGroupId, SubnetId};
use directlink_net::Ipv4Net;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RouteFault {
    #[error(
        "The DestinationIpRange '{destination}' is inside the Net '{net}': within a Net packets find their way without routes."
    )]
    InsideNet { destination: Ipv4Net, net: NetId },
    #[error("The LinkRouteTableId '{0}' doesn't exist.")]
    NoSuchLink(RouteTableLinkId),
    #[error(
        "The route table '{table}' has no route to '{destination}' that was created by hand. A propagated route goes when propagation is disabled."
    )]
    NoSuchRoute { table: RouteTableId, destination: Ipv4Net },
    #[error("The route table '{table}' already has a route to '{destination}'.")]
    Exists { table: RouteTableId, destination: Ipv4Net },
    #[error(
        "The route of the table '{0}' to the Net's own range is always there: it can be neither changed nor deleted."
    )]
    IsLocal(RouteTableId),
    #[error(
        "'{target}' is still the target of the route to '{destination}' in '{table}'. Delete the route first."
    )]
    TargetInUse { target: String, table: RouteTableId, destination: Ipv4Net },
    #[error("The NIC '{nic}' belongs to another Net than '{net}'.")]
    NicElsewhere { nic: NicId, net: NetId },
    #[error("The Subnet '{subnet}' belongs to another Net than the route table '{table}'.")]
    SubnetElsewhere { subnet: SubnetId, table: RouteTableId },
    #[error("The route tables '{0}' and '{1}' belong to different Nets.")]
    TablesApart(RouteTableId, RouteTableId),
    #[error(
        "The Subnet '{subnet}' is already linked to the route table '{table}'. Unlink it first, or replace the link."
    )]
    SubnetLinked { subnet: SubnetId, table: RouteTableId },
    #[error("The route table '{0}' is the main one of its Net, and goes with it.")]
    TableIsMain(RouteTableId),
    #[error("The route table '{table}' is still linked to {count} Subnet(s). Unlink them first.")]
    TableInUse { table: RouteTableId, count: usize },
    #[error(
        "The link '{0}' makes its route table the main one of the Net: replace it by another table, it cannot be taken away."
    )]
    MainLink(RouteTableLinkId),
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GroupFault {
    #[error("The SecurityGroupName '{0}' doesn't exist.")]
    NoSuchName(String),
    #[error(
        "The security group '{0}' has no such rule: protocol, ports and the other side must be exactly those of the rule."
    )]
    NoSuchRule(SecurityGroupId),
    #[error("The security group '{group}' is still used by '{by}'. Change that first.")]
    InUse { group: SecurityGroupId, by: String },
    #[error("The security group '{0}' is the default one of its Net, and goes with it.")]
    IsDefault(SecurityGroupId),
    #[error(
        "The name '{name}' stands for {count} security groups. Give the SecurityGroupId instead."
    )]
    Ambiguous { name: String, count: usize },
}
