//! What we refuse, as data. Each dialect gives it its own code; the text is for a person and says
//! what to do next.
//!
//! A fault is the customer's to mend. That the world failed (disk, network) is an error, and not here.

mod glass;
mod hosting;
mod inventory;
mod lags;
mod maintenance;
mod neighbours;
mod tags;

pub use crate::quota::Quota;
use crate::{
    connection::{ConnectionState, PortRef},
    ids::{
        AccountId, BadId, ConnectionId, GatewayId, InterfaceId, LocationCode, NetId, NicId,
        PortName, RouteTableId, RouterName, SecurityGroupId, SubnetId, SubregionName,
    },
    interface::InterfaceState,
};
use directlink_net::{Asn, BadPeerAddresses, IpNet, Ipv4Net, RegionAsn, Vlan};
pub use glass::GlassFault;
pub use hosting::HostingFault;
pub use inventory::InventoryFault;
pub use lags::LagFault;
pub use maintenance::MaintenanceFault;
pub use neighbours::{GroupFault, RouteFault};
use std::{net::Ipv4Addr, ops::RangeInclusive};
pub use tags::TagFault;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    // Asked in a wrong way.
    #[error(transparent)]
    BadId(#[from] BadId),
    /// A value that no rule could take: parameter, what was given, what would be good.
    #[error(
        "The provided value ('{given}') for the parameter '{parameter}' is invalid: {expected}."
    )]
    BadValue { parameter: &'static str, given: String, expected: String },
    #[error("The parameter '{0}' is missing.")]
    Missing(&'static str),
    #[error("The provided value ('{asn}') for the parameter 'BgpAsn' is not in a valid range: {asn} is a number of the provider, and this Region's routers speak as {}. Give the AS number of your own router, for example a private one (64512-65534, 4200000000-4294967294).", region.0)]
    AsnOfProvider { asn: Asn, region: RegionAsn },
    #[error("{0}.")]
    PeerAddresses(#[from] BadPeerAddresses),
    #[error("The provided value ('{range}') for the parameter 'IpRange' is invalid. The block size has to be between {} and {}.", lengths.start(), lengths.end())]
    RangeSize { range: Ipv4Net, lengths: RangeInclusive<u8> },
    #[error(transparent)]
    Tag(#[from] TagFault),

    // Not there, or not the caller's: the same answer, so that nobody learns of another's objects.
    #[error("The DirectLinkId '{0}' doesn't exist.")]
    NoSuchConnection(ConnectionId),
    #[error("The DirectLinkInterfaceId '{0}' doesn't exist.")]
    NoSuchInterface(InterfaceId),
    #[error("The Location '{0}' doesn't exist. ReadLocations lists those of this Region.")]
    NoSuchLocation(String),
    #[error("The NetId '{0}' doesn't exist.")]
    NoSuchNet(NetId),
    #[error("The SubnetId '{0}' doesn't exist.")]
    NoSuchSubnet(SubnetId),
    #[error("The VirtualGatewayId '{0}' doesn't exist.")]
    NoSuchGateway(GatewayId),
    #[error("The RouteTableId '{0}' doesn't exist.")]
    NoSuchRouteTable(RouteTableId),
    #[error("The NicId '{0}' doesn't exist.")]
    NoSuchNic(NicId),
    #[error("The SecurityGroupId '{0}' doesn't exist.")]
    NoSuchSecurityGroup(SecurityGroupId),
    #[error("The AccessKeyId '{0}' doesn't exist.")]
    NoSuchAccessKey(String),
    #[error("The SubregionName '{0}' doesn't exist. ReadSubregions lists those of this Region.")]
    NoSuchSubregion(String),
    #[error("The account '{0}' doesn't exist in this Region.")]
    NoSuchAccount(AccountId),
    #[error("The router '{0}' doesn't exist.")]
    NoSuchRouter(RouterName),
    #[error("The port '{0}' doesn't exist.")]
    NoSuchPort(PortRef),

    // There, but not in a state for it.
    #[error(
        "The DirectLink '{id}' is '{state}': it takes interfaces only while it is 'available', that is, approved, plugged at both ends and lit."
    )]
    ConnectionNotAvailable { id: ConnectionId, state: ConnectionState },
    #[error(
        "The DirectLink '{id}' is '{state}': only a 'requested' one can be approved or refused."
    )]
    ConnectionNotRequested { id: ConnectionId, state: ConnectionState },
    #[error(
        "The DirectLinkInterface '{id}' is '{state}': only a 'confirming' one can be accepted."
    )]
    InterfaceNotConfirming { id: InterfaceId, state: InterfaceState },
    #[error("The virtual gateway '{0}' is not in the 'available' state.")]
    GatewayNotAvailable(GatewayId),
    #[error(
        "The DirectLink '{id}' is '{state}': its Letter of Authorization is issued with the approval, and kept until the DirectLink is deleted."
    )]
    NoLetter { id: ConnectionId, state: ConnectionState },
    #[error(
        "The DirectLinkInterface '{id}' is '{state}': a failover test begins while it is 'available' or 'down'."
    )]
    InterfaceNotTestable { id: InterfaceId, state: InterfaceState },
    #[error("No failover test is running on the DirectLinkInterface '{0}'.")]
    NoTestRunning(InterfaceId),

    /// Of route tables and routes.
    #[error(transparent)]
    Route(#[from] RouteFault),
    /// Of hosted connections, and of interfaces that move.
    #[error(transparent)]
    Hosting(#[from] HostingFault),
    /// Of security groups and their rules.
    #[error(transparent)]
    Group(#[from] GroupFault),
    /// Of link aggregation groups.
    #[error(transparent)]
    Lag(#[from] LagFault),
    /// Of rooms, panels and cross-connects.
    #[error(transparent)]
    Inventory(#[from] InventoryFault),

    /// Of looking at an interface through its router.
    #[error(transparent)]
    Glass(#[from] GlassFault),

    // Conflicts with what is there.
    #[error(
        "The VLAN {vlan} is already used by '{by}' on the DirectLink '{connection}'. Choose another VLAN: each interface of a connection has its own."
    )]
    VlanTaken { connection: ConnectionId, vlan: Vlan, by: InterfaceId },
    #[error("The DirectLink '{id}' still has {count} interface(s). Delete them first.")]
    ConnectionHasInterfaces { id: ConnectionId, count: usize },
    #[error(
        "The Net '{net}' is already reached by '{by}' on this DirectLink. A DirectLink needs one interface for each Net."
    )]
    NetAlreadyReached { net: NetId, by: InterfaceId },
    #[error("The virtual gateway '{gateway}' is already linked to the Net '{net}'.")]
    GatewayLinked { gateway: GatewayId, net: NetId },
    #[error("The virtual gateway '{gateway}' is not linked to the Net '{net}'.")]
    GatewayNotLinked { gateway: GatewayId, net: NetId },
    #[error("The Net '{net}' already has the virtual gateway '{gateway}'.")]
    NetHasGateway { net: NetId, gateway: GatewayId },
    #[error(
        "The virtual gateway '{gateway}' still serves {count} DirectLink interface(s). Delete them first."
    )]
    GatewayHasInterfaces { gateway: GatewayId, count: usize },
    #[error("The IpRange '{0}' is reserved. Choose a range of RFC 1918, for example 10.0.0.0/16.")]
    RangeReserved(Ipv4Net),
    #[error("The IpRange '{range}' is not inside the range of the Net '{net}'.")]
    SubnetOutsideNet { range: Ipv4Net, net: NetId },
    #[error("The IpRange '{range}' overlaps the Subnet '{with}'.")]
    SubnetConflict { range: Ipv4Net, with: SubnetId },
    #[error("The Net '{net}' still contains {what}. Delete that first.")]
    NetInUse { net: NetId, what: String },
    #[error("The Subnet '{subnet}' still contains {count} NIC(s). Delete them first.")]
    SubnetInUse { subnet: SubnetId, count: usize },
    #[error("The address {address} is not one that a NIC of the Subnet '{subnet}' can have.")]
    AddressOutsideSubnet { address: Ipv4Addr, subnet: SubnetId },
    #[error("The address {address} is already used in the Subnet '{subnet}'.")]
    AddressTaken { address: Ipv4Addr, subnet: SubnetId },
    #[error("The Subnet '{0}' has no free address left.")]
    SubnetFull(SubnetId),
    #[error("A security group named '{name}' already exists in the Net '{net}'.")]
    SecurityGroupExists { name: String, net: NetId },
    #[error("The security group '{group}' belongs to another Net than '{net}'.")]
    SecurityGroupElsewhere { group: SecurityGroupId, net: NetId },
    #[error("The security group '{0}' already has this rule.")]
    RuleExists(SecurityGroupId),

    #[error("The tag key '{0}' is given twice.")]
    DuplicateTagKeys(String),
    #[error("The BGP peer '{peer}' of the DirectLinkInterface '{interface}' doesn't exist.")]
    NoSuchBgpPeer { interface: InterfaceId, peer: String },
    #[error(
        "'{0}' carries packets by this BGP peer alone: it goes with the DirectLinkInterface, by deleting that."
    )]
    LastBgpPeer(InterfaceId),
    #[error(
        "The addresses '{subnet}' meet '{by}', which another BGP peer on the DirectLink '{connection}' has. Give others."
    )]
    PeerAddressesTaken { connection: ConnectionId, subnet: IpNet, by: IpNet },
    #[error("'{interface}' takes no further BGP peer: {why}.")]
    BgpPeerNotCarried { interface: InterfaceId, why: &'static str },

    // Too much.
    #[error("A resource can have {limit} tags.")]
    TooManyTags { limit: usize },
    #[error("The quota of {limit} {what} is reached.")]
    TooMany { what: Quota, limit: u32 },
    #[error(
        "The location '{location}' has no free {speed} port. Choose another location of the Region."
    )]
    NoCapacity { location: LocationCode, speed: &'static str },

    // The operator's.
    #[error("The port '{0}' is already taken.")]
    PortTaken(PortRef),
    #[error("The port '{port}' does not fit: {why}.")]
    PortDoesNotFit { port: PortRef, why: String },
    #[error("'{0}' already exists.")]
    AlreadyExists(String),
    #[error("The location '{0}' still has routers.")]
    LocationInUse(LocationCode),
    #[error("The subregion '{0}' already has a location: there is one per Subregion.")]
    SubregionHasLocation(SubregionName),
    #[error("Give a port of router '{0}', for example '{0}/{1}'.")]
    NotAPortOf(RouterName, PortName),
}
