//! The model's refusals on a page: the status of the answer, and beside which field the words stand.

use directlink_model::{
    Fault,
    fault::{
        GlassFault, GroupFault, HostingFault, InventoryFault, LagFault, MaintenanceFault,
        RouteFault,
    },
};
use http::StatusCode;

/// Where nothing else says it: a page that was asked for, or a button.
pub(super) const fn status(fault: &Fault) -> StatusCode {
    match place(fault).0 {
        Kind::Absent => StatusCode::NOT_FOUND,
        Kind::Wrong => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Conflict => StatusCode::CONFLICT,
    }
}

/// The field of a form that it is about; empty: the form as a whole.
pub(super) const fn field(fault: &Fault) -> &'static str {
    place(fault).1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Absent,
    Wrong,
    Conflict,
}

const WHOLE: &str = "";

const fn place(fault: &Fault) -> (Kind, &'static str) {
    use Kind::{Absent, Conflict, Wrong};
    match fault {
        Fault::BadId(_) => (Absent, WHOLE),
        Fault::BadValue { parameter, .. } | Fault::Missing(parameter) => (Wrong, of(parameter)),
        Fault::AsnOfProvider { .. } => (Wrong, "asn"),
        Fault::PeerAddresses(_) => (Wrong, "customer_address"),
        Fault::RangeSize { .. } | Fault::RangeReserved(_) => (Wrong, "range"),
        Fault::Tag(_) | Fault::DuplicateTagKeys(_) => (Wrong, WHOLE),
        Fault::NoSuchConnection(_) => (Absent, "connection"),
        Fault::NoSuchLocation(_) => (Absent, "location"),
        Fault::NoSuchGateway(_) | Fault::GatewayNotAvailable(_) => (Absent, "gateway"),
        Fault::NoSuchAccount(_) => (Absent, "owner"),
        Fault::NoSuchPort(_) | Fault::NoSuchRouter(_) => (Absent, "port"),
        Fault::NoSuchInterface(_)
        | Fault::NoSuchNet(_)
        | Fault::NoSuchSubnet(_)
        | Fault::NoSuchRouteTable(_)
        | Fault::NoSuchNic(_)
        | Fault::NoSuchSecurityGroup(_)
        | Fault::NoSuchAccessKey(_)
        | Fault::NoSuchSubregion(_)
        | Fault::NoSuchBgpPeer { .. } => (Absent, WHOLE),
        Fault::ConnectionNotAvailable { .. } => (Conflict, "connection"),
        Fault::NoLetter { .. } => (Absent, WHOLE),
        Fault::VlanTaken { .. } => (Conflict, "vlan"),
        Fault::NetAlreadyReached { .. }
        | Fault::GatewayLinked { .. }
        | Fault::GatewayNotLinked { .. }
        | Fault::NetHasGateway { .. }
        | Fault::GatewayHasInterfaces { .. } => (Conflict, "gateway"),
        Fault::PortTaken(_) | Fault::PortDoesNotFit { .. } | Fault::NotAPortOf(..) => {
            (Conflict, "port")
        }
        Fault::NoCapacity { .. } => (Conflict, "location"),
        Fault::AlreadyExists(_) => (Conflict, "name"),
        Fault::PeerAddressesTaken { .. } => (Conflict, "customer_address"),
        Fault::Hosting(fault) => of_hosting(fault),
        Fault::Lag(fault) => of_lag(fault),
        Fault::Inventory(fault) => of_inventory(fault),
        Fault::Glass(GlassFault::Bounds(_)) => (Wrong, WHOLE),
        Fault::Glass(_) => (Conflict, WHOLE),
        Fault::Route(fault) => (of_route(fault), WHOLE),
        Fault::Group(fault) => (of_group(fault), WHOLE),
        Fault::ConnectionNotRequested { .. }
        | Fault::InterfaceNotConfirming { .. }
        | Fault::InterfaceNotTestable { .. }
        | Fault::NoTestRunning(_)
        | Fault::ConnectionHasInterfaces { .. }
        | Fault::SubnetOutsideNet { .. }
        | Fault::SubnetConflict { .. }
        | Fault::NetInUse { .. }
        | Fault::SubnetInUse { .. }
        | Fault::AddressOutsideSubnet { .. }
        | Fault::AddressTaken { .. }
        | Fault::SubnetFull(_)
        | Fault::SecurityGroupExists { .. }
        | Fault::SecurityGroupElsewhere { .. }
        | Fault::RuleExists(_)
        | Fault::LastBgpPeer(_)
        | Fault::BgpPeerNotCarried { .. }
        | Fault::TooManyTags { .. }
        | Fault::TooMany { .. }
        | Fault::LocationInUse(_)
        | Fault::SubregionHasLocation(_) => (Conflict, WHOLE),
    }
}

const fn of_hosting(fault: &HostingFault) -> (Kind, &'static str) {
    match fault {
        HostingFault::VlanTaken { .. } | HostingFault::VlanIsFixed { .. } => {
            (Kind::Conflict, "vlan")
        }
        HostingFault::OneInterface { .. } => (Kind::Conflict, "connection"),
        HostingFault::NoLetter(_) => (Kind::Absent, WHOLE),
        HostingFault::NotOrdering { .. }
        | HostingFault::NotReady { .. }
        | HostingFault::IsHosted(_)
        | HostingFault::InLag { .. }
        | HostingFault::NotHosted(_)
        | HostingFault::NoRoom { .. }
        | HostingFault::HasHosted { .. }
        | HostingFault::InterfaceStays { .. } => (Kind::Conflict, WHOLE),
    }
}

const fn of_inventory(fault: &InventoryFault) -> (Kind, &'static str) {
    match fault {
        InventoryFault::NoSuchRoom(_) => (Kind::Absent, "room"),
        InventoryFault::NoSuchPanel(_) => (Kind::Absent, "panel"),
        InventoryFault::NoCrossConnect(_) => (Kind::Absent, WHOLE),
        InventoryFault::NoSuchPosition { .. }
        | InventoryFault::PositionTaken { .. }
        | InventoryFault::PortWired { .. }
        | InventoryFault::Apart { .. } => (Kind::Conflict, "position"),
        InventoryFault::AlreadyPatched(_)
        | InventoryFault::NotPatched(_)
        | InventoryFault::CrossConnectInUse(_)
        | InventoryFault::LetterLapsed(_)
        | InventoryFault::LetterServed(_) => (Kind::Conflict, WHOLE),
        InventoryFault::Maintenance(MaintenanceFault::NoSuch(_)) => (Kind::Absent, WHOLE),
        InventoryFault::Maintenance(_) => (Kind::Conflict, WHOLE),
    }
}

const fn of_lag(fault: &LagFault) -> (Kind, &'static str) {
    match fault {
        LagFault::NoSuchLag(_) => (Kind::Absent, WHOLE),
        LagFault::NotAvailable { .. } | LagFault::MemberTakesNone { .. } => {
            (Kind::Conflict, "connection")
        }
        LagFault::NotMember { .. }
        | LagFault::AlreadyMember { .. }
        | LagFault::Apart { .. }
        | LagFault::Full { .. }
        | LagFault::Count { .. }
        | LagFault::BelowMinimum { .. }
        | LagFault::LastMember { .. }
        | LagFault::MinimumLinks { .. }
        | LagFault::HasInterfaces { .. }
        | LagFault::NoRoom { .. } => (Kind::Conflict, WHOLE),
    }
}

const fn of_route(fault: &RouteFault) -> Kind {
    match fault {
        RouteFault::NoSuchLink(_) | RouteFault::NoSuchRoute { .. } => Kind::Absent,
        RouteFault::InsideNet { .. }
        | RouteFault::Exists { .. }
        | RouteFault::IsLocal(_)
        | RouteFault::TargetInUse { .. }
        | RouteFault::NicElsewhere { .. }
        | RouteFault::SubnetElsewhere { .. }
        | RouteFault::TablesApart(..)
        | RouteFault::SubnetLinked { .. }
        | RouteFault::TableIsMain(_)
        | RouteFault::TableInUse { .. }
        | RouteFault::MainLink(_) => Kind::Conflict,
    }
}

const fn of_group(fault: &GroupFault) -> Kind {
    match fault {
        GroupFault::NoSuchName(_) | GroupFault::NoSuchRule(_) => Kind::Absent,
        GroupFault::InUse { .. } | GroupFault::IsDefault(_) | GroupFault::Ambiguous { .. } => {
            Kind::Conflict
        }
    }
}

/// The commands' parameters, as our fields are called.
const fn of(parameter: &str) -> &'static str {
    match parameter.as_bytes() {
        b"DirectLinkName" | b"DirectLinkInterfaceName" => "name",
        b"OutscalePrivateIp" => "router_address",
        b"ClientPrivateIp" => "customer_address",
        b"addressFamily" => "family",
        b"Mtu" => "mtu",
        b"Vlan" => "vlan",
        b"BgpAsn" => "asn",
        b"BgpKey" => "key",
        b"reason" => "reason",
        b"by" => "by",
        b"at" => "at",
        b"optics" => "optics",
        b"positions" => "positions",
        b"data_centre" => "data_centre",
        b"providerName" => "provider",
        _ => WHOLE,
    }
}
