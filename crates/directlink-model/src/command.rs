//! What can be asked of a Region, in good words: every dialect translates into these, none adds a rule.
//!
//! Each command is a struct; the server's `app` has one function for each, which answers with a
//! view ([`crate::view`]) or a [`crate::Fault`]. Text that only the model can judge (an address
//! pair, a location's code) is already parsed where a type exists for it.

use crate::{
    connection::{Bandwidth, PortRef},
    hosting::Capacity,
    ids::{
        AccountId, BgpPeerId, ConnectionId, GatewayId, InterfaceId, LagId, LocationCode, NetId,
        NicId, RouteTableId, RouteTableLinkId, RouterName, SecurityGroupId, SubnetId,
        SubregionName,
    },
    inventory::{Connector, Optics, PanelRef, Position, RoomRef},
    lag::Trunk,
    needs::Needs,
    quota::Quota,
    route_table::RouteTarget,
    security_group::{Admission, Flow, RuleName},
    tag::{Tag, Taggable},
    tag_set::TagSet,
};
use directlink_net::{Asn, BgpKey, IpNet, Ipv4Net, Mtu, Vlan};
use jiff::Timestamp;
use std::net::{IpAddr, Ipv4Addr};

/// `CreateDirectLink`, `CreateConnection`.
#[derive(Clone, Debug)]
pub struct OrderConnection {
    pub name: String,
    pub location: String,
    pub bandwidth: Bandwidth,
    /// To be a member of.
    pub lag: Option<LagId>,
    pub tags: TagSet,
    pub needs: Needs,
}

/// `CreateLag`.
#[derive(Clone, Debug)]
pub struct CreateLag {
    pub name: String,
    pub location: String,
    pub bandwidth: Bandwidth,
    /// How many connections it shall have at first, with `connection`.
    pub count: i64,
    /// One that is there already.
    pub connection: Option<ConnectionId>,
    pub tags: TagSet,
    /// Of the connections that are ordered with it.
    pub member_tags: TagSet,
}

/// `UpdateLag`. `None`: stays as it is.
#[derive(Clone, Debug)]
pub struct ChangeLag {
    pub id: LagId,
    pub name: Option<String>,
    pub minimum_links: Option<i64>,
}

/// `AssociateConnectionWithLag`, `DisassociateConnectionFromLag`.
#[derive(Clone, Copy, Debug)]
pub struct SetMember {
    pub lag: LagId,
    pub connection: ConnectionId,
}

/// `UpdateConnection`.
#[derive(Clone, Debug)]
pub struct RenameConnection {
    pub id: ConnectionId,
    pub name: String,
}

/// `AllocateHostedConnection`.
#[derive(Clone, Debug)]
pub struct AllocateConnection {
    pub parent: ConnectionId,
    /// For whom.
    pub owner: AccountId,
    pub name: String,
    pub vlan: Vlan,
    pub capacity: Capacity,
    pub tags: TagSet,
}

/// `AssociateHostedConnection`.
#[derive(Clone, Copy, Debug)]
pub struct MoveHosted {
    pub id: ConnectionId,
    pub parent: ConnectionId,
}

/// `AssociateVirtualInterface`.
#[derive(Clone, Copy, Debug)]
pub struct MoveInterface {
    pub id: InterfaceId,
    pub to: Trunk,
}

/// `CreateDirectLinkInterface`, `CreatePrivateVirtualInterface`, `AllocatePrivateVirtualInterface`.
///
/// Without a gateway, or for another owner, it is hosted and waits in `confirming`.
#[derive(Clone, Debug)]
pub struct CreateInterface {
    pub trunk: Trunk,
    /// `None`: the caller.
    pub owner: Option<AccountId>,
    pub name: String,
    pub vlan: Vlan,
    pub asn: Asn,
    pub key: Option<BgpKey>,
    /// Whether its first BGP peer is of IPv6.
    pub ipv6: bool,
    /// Both, or neither: then a /30 of 169.254/16 is allocated, or a /125 of the Region's block. One
    /// alone: its neighbour is taken for the other side where the subnet has just two hosts.
    pub router_address: Option<IpNet>,
    pub customer_address: Option<IpNet>,
    pub mtu: Mtu,
    pub gateway: Option<GatewayId>,
    pub tags: TagSet,
}

#[derive(Clone, Debug)]
pub struct ConfirmInterface {
    pub id: InterfaceId,
    pub gateway: GatewayId,
}

#[derive(Clone, Debug)]
pub struct ChangeInterface {
    pub id: InterfaceId,
    pub mtu: Option<Mtu>,
    pub name: Option<String>,
}

/// `CreateBGPPeer`.
#[derive(Clone, Debug)]
pub struct AddBgpPeer {
    pub interface: InterfaceId,
    pub asn: Asn,
    pub key: Option<BgpKey>,
    /// Where both are missing, both are given from our own range.
    pub router_address: Option<IpNet>,
    pub customer_address: Option<IpNet>,
    pub ipv6: bool,
}

/// `DeleteBGPPeer`.
#[derive(Clone, Debug)]
pub struct DeleteBgpPeer {
    pub interface: InterfaceId,
    pub peer: ChosenPeer,
}

/// A BGP peer, by its number or by what it is.
#[derive(Clone, Copy, Debug)]
pub enum ChosenPeer {
    Id(BgpPeerId),
    /// `None`: whatever its address is.
    Asn(Asn, Option<IpAddr>),
}

/// `StartBgpFailoverTest`.
#[derive(Clone, Debug)]
pub struct StartFailoverTest {
    pub interface: InterfaceId,
    /// Empty: all that it has.
    pub peers: Vec<BgpPeerId>,
    /// `None`: [`crate::failover::MINUTES_DEFAULT`].
    pub minutes: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct CreateNet {
    pub range: Ipv4Net,
}

#[derive(Clone, Debug)]
pub struct CreateSubnet {
    pub net: NetId,
    pub range: Ipv4Net,
    /// `None`: the Region's first.
    pub subregion: Option<SubregionName>,
}

#[derive(Clone, Debug)]
pub struct LinkGateway {
    pub gateway: GatewayId,
    pub net: NetId,
}

#[derive(Clone, Debug)]
pub struct SetPropagation {
    pub table: RouteTableId,
    pub gateway: GatewayId,
    pub enabled: bool,
}

#[derive(Clone, Debug)]
pub struct CreateNic {
    pub subnet: SubnetId,
    pub description: String,
    pub address: Option<Ipv4Addr>,
    /// Empty: the Net's default group.
    pub security_groups: Vec<SecurityGroupId>,
}

#[derive(Clone, Debug)]
pub struct CreateSecurityGroup {
    pub net: NetId,
    pub name: String,
    pub description: String,
}

#[derive(Clone, Debug)]
pub struct AddSecurityGroupRules {
    pub group: SecurityGroupId,
    pub flow: Flow,
    pub admissions: Vec<Admission>,
}

#[derive(Clone, Debug)]
pub struct RemoveSecurityGroupRules {
    pub group: SecurityGroupId,
    pub flow: Flow,
    pub rules: Vec<RuleName>,
}

/// `None`: stays as it is.
#[derive(Clone, Debug)]
pub struct ChangeNic {
    pub id: NicId,
    pub description: Option<String>,
    pub security_groups: Option<Vec<SecurityGroupId>>,
}

/// A route by hand: new, or with another target than before.
#[derive(Clone, Debug)]
pub struct SetRoute {
    pub table: RouteTableId,
    pub destination: Ipv4Net,
    pub target: RouteTarget,
}

#[derive(Clone, Debug)]
pub struct DeleteRoute {
    pub table: RouteTableId,
    pub destination: Ipv4Net,
}

#[derive(Clone, Debug)]
pub struct LinkRouteTable {
    pub table: RouteTableId,
    pub subnet: SubnetId,
}

#[derive(Clone, Debug)]
pub struct ReplaceRouteTable {
    pub link: RouteTableLinkId,
    pub table: RouteTableId,
}

/// Sticks them on, or takes them off.
#[derive(Clone, Debug)]
pub struct SetTags {
    pub resources: Vec<Taggable>,
    pub tags: Vec<Tag>,
}

#[derive(Clone, Debug)]
pub struct CreateAccessKey {
    pub expires_at: Option<Timestamp>,
    pub tag: Option<String>,
}

/// Outer `None`: stays as it is. Inner `None`: it has none from now on.
#[derive(Clone, Debug)]
pub struct ChangeAccessKey {
    pub id: String,
    pub active: Option<bool>,
    pub expires_at: Option<Option<Timestamp>>,
    pub tag: Option<Option<String>>,
}

// The operator's.

#[derive(Clone, Debug)]
pub struct AddLocation {
    pub code: LocationCode,
    pub name: String,
    pub subregion: SubregionName,
}

#[derive(Clone, Debug)]
pub struct AddRouter {
    pub name: RouterName,
    pub location: LocationCode,
    pub vtep: Ipv4Addr,
}

#[derive(Clone, Debug)]
pub struct AddPort {
    pub port: PortRef,
    pub speed: Bandwidth,
    /// See [`crate::location::Port::optics`].
    pub optics: Option<Optics>,
    /// Of a panel, to whose back it is wired.
    pub position: Option<Position>,
}

/// What is said of a port later: each `Some` is set, to nothing by its inner `None`.
#[derive(Clone, Debug)]
pub struct ChangePort {
    pub port: PortRef,
    pub optics: Option<Option<Optics>>,
    pub position: Option<Option<Position>>,
}

/// `data_centre: None`: the location's own name.
#[derive(Clone, Debug)]
pub struct AddRoom {
    pub at: RoomRef,
    pub data_centre: Option<String>,
}

#[derive(Clone, Debug)]
pub struct AddPanel {
    pub at: PanelRef,
    pub positions: u16,
    pub connector: Connector,
}

/// A cross-connect was made, or taken out, by whom. `at: None`: now.
#[derive(Clone, Debug)]
pub struct RecordPatch {
    pub connection: ConnectionId,
    pub by: String,
    pub at: Option<Timestamp>,
}

/// `port: None`: the first free one of the connection's location that fits.
#[derive(Clone, Debug)]
pub struct ApproveOrder {
    pub connection: ConnectionId,
    pub port: Option<PortRef>,
}

#[derive(Clone, Debug)]
pub struct RefuseOrder {
    pub connection: ConnectionId,
    /// What the customer is told.
    pub reason: String,
}

/// `limit: None`: the Region's own rule again.
#[derive(Clone, Debug)]
pub struct SetQuota {
    pub account: AccountId,
    pub quota: Quota,
    pub limit: Option<u32>,
}

/// Behind which fabric address a NIC lives. `None`: nowhere yet.
#[derive(Clone, Debug)]
pub struct PlaceNic {
    pub nic: NicId,
    pub vtep: Option<Ipv4Addr>,
}
