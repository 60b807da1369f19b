//! How the operator's API says no: a status, a short code for programs, a text for people.

use crate::{
    app::{AuthorityRefusal, Refusal},
    store,
};
use directlink_model::authority::AuthorityFault;
use directlink_model::fault::{
    Fault, GlassFault, GroupFault, HostingFault, InventoryFault, LagFault, MaintenanceFault,
    RouteFault, TagFault,
};
use http::StatusCode;
use std::borrow::Cow;

#[derive(Debug)]
pub(super) enum Failure {
    Token,
    NoSuchAddress,
    Method,
    /// The body or a word of the address is not well formed.
    Form(String),
    ClockIsReal,
    Authority(AuthorityFault),
    Fault(Fault),
    World(store::Error),
}

impl Failure {
    pub(super) fn form(message: impl Into<String>) -> Self {
        Self::Form(message.into())
    }

    pub(super) fn parts(&self) -> (StatusCode, &'static str, Cow<'_, str>) {
        match self {
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "Give the operator's token: Authorization: Bearer TOKEN.".into(),
            ),
            Self::NoSuchAddress => (
                StatusCode::NOT_FOUND,
                "no_such_address",
                "There is nothing at this address.".into(),
            ),
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Read with GET, change with POST.".into(),
            ),
            Self::Form(message) => (StatusCode::BAD_REQUEST, "bad_request", message.into()),
            Self::ClockIsReal => (
                StatusCode::CONFLICT,
                "clock_is_real",
                "This Region runs on the machine's clock. Only a virtual one can be moved on."
                    .into(),
            ),
            Self::Authority(fault) => {
                let (status, code) = code_of_authority(fault);
                (status, code, fault.to_string().into())
            }
            Self::Fault(fault) => {
                let (status, code) = code_of(fault);
                (status, code, fault.to_string().into())
            }
            Self::World(error) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", error.told().into())
            }
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fault(fault) => Self::Fault(fault),
            Refusal::Error(error) => Self::World(error),
        }
    }
}

impl From<AuthorityRefusal> for Failure {
    fn from(refusal: AuthorityRefusal) -> Self {
        match refusal {
            AuthorityRefusal::Fault(fault) => Self::Authority(fault),
            AuthorityRefusal::Error(error) => Self::World(error),
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::World(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

const BAD: StatusCode = StatusCode::BAD_REQUEST;
const GONE: StatusCode = StatusCode::NOT_FOUND;
const CONFLICT: StatusCode = StatusCode::CONFLICT;

const fn code_of_authority(fault: &AuthorityFault) -> (StatusCode, &'static str) {
    match fault {
        AuthorityFault::NoSuch(_) => (GONE, "no_such_authority"),
        AuthorityFault::Signs(_) => (CONFLICT, "authority_signs"),
        AuthorityFault::NoKey(_) => (CONFLICT, "authority_without_key"),
        AuthorityFault::NotTrusted(_) => (CONFLICT, "authority_not_trusted"),
        AuthorityFault::InUse(_) => (CONFLICT, "authority_in_use"),
    }
}

/// Total: the operator may meet any fault that a customer may.
const fn code_of(fault: &Fault) -> (StatusCode, &'static str) {
    match fault {
        Fault::BadId(_) => (BAD, "bad_id"),
        Fault::BadValue { .. } => (BAD, "bad_value"),
        Fault::Missing(_) => (BAD, "missing"),
        Fault::AsnOfProvider { .. } => (BAD, "asn_of_provider"),
        Fault::PeerAddresses(_) => (BAD, "peer_addresses"),
        Fault::RangeSize { .. } => (BAD, "range_size"),
        Fault::NotAPortOf(..) => (BAD, "not_a_port"),
        Fault::NoSuchConnection(_) => (GONE, "no_such_connection"),
        Fault::NoSuchInterface(_) => (GONE, "no_such_interface"),
        Fault::NoSuchLocation(_) => (GONE, "no_such_location"),
        Fault::NoSuchNet(_) => (GONE, "no_such_net"),
        Fault::NoSuchSubnet(_) => (GONE, "no_such_subnet"),
        Fault::NoSuchGateway(_) => (GONE, "no_such_gateway"),
        Fault::NoSuchRouteTable(_) => (GONE, "no_such_route_table"),
        Fault::NoSuchNic(_) => (GONE, "no_such_nic"),
        Fault::NoSuchSecurityGroup(_) => (GONE, "no_such_security_group"),
        Fault::NoSuchSubregion(_) => (GONE, "no_such_subregion"),
        Fault::NoSuchAccount(_) => (GONE, "no_such_account"),
        Fault::NoSuchRouter(_) => (GONE, "no_such_router"),
        Fault::NoSuchPort(_) => (GONE, "no_such_port"),
        Fault::ConnectionNotAvailable { .. } => (CONFLICT, "connection_not_available"),
        Fault::ConnectionNotRequested { .. } => (CONFLICT, "connection_not_requested"),
        Fault::InterfaceNotConfirming { .. } => (CONFLICT, "interface_not_confirming"),
        Fault::GatewayNotAvailable(_) => (CONFLICT, "gateway_not_available"),
        Fault::NoLetter { .. } => (CONFLICT, "no_letter"),
        Fault::InterfaceNotTestable { .. } => (CONFLICT, "interface_not_testable"),
        Fault::NoTestRunning(_) => (CONFLICT, "no_test_running"),
        Fault::DuplicateTagKeys(_) => (BAD, "duplicate_tag_keys"),
        Fault::TooManyTags { .. } => (CONFLICT, "too_many_tags"),
        Fault::NoSuchBgpPeer { .. } => (GONE, "no_such_bgp_peer"),
        Fault::LastBgpPeer(_) => (CONFLICT, "last_bgp_peer"),
        Fault::PeerAddressesTaken { .. } => (CONFLICT, "peer_addresses_taken"),
        Fault::BgpPeerNotCarried { .. } => (CONFLICT, "bgp_peer_not_carried"),
        Fault::VlanTaken { .. } => (CONFLICT, "vlan_taken"),
        Fault::ConnectionHasInterfaces { .. } => (CONFLICT, "connection_has_interfaces"),
        Fault::NetAlreadyReached { .. } => (CONFLICT, "net_already_reached"),
        Fault::GatewayLinked { .. } => (CONFLICT, "gateway_linked"),
        Fault::GatewayNotLinked { .. } => (CONFLICT, "gateway_not_linked"),
        Fault::NetHasGateway { .. } => (CONFLICT, "net_has_gateway"),
        Fault::GatewayHasInterfaces { .. } => (CONFLICT, "gateway_has_interfaces"),
        Fault::RangeReserved(_) => (CONFLICT, "range_reserved"),
        Fault::SubnetOutsideNet { .. } => (CONFLICT, "subnet_outside_net"),
        Fault::SubnetConflict { .. } => (CONFLICT, "subnet_conflict"),
        Fault::NetInUse { .. } => (CONFLICT, "net_in_use"),
        Fault::SubnetInUse { .. } => (CONFLICT, "subnet_in_use"),
        Fault::AddressOutsideSubnet { .. } => (CONFLICT, "address_outside_subnet"),
        Fault::AddressTaken { .. } => (CONFLICT, "address_taken"),
        Fault::SubnetFull(_) => (CONFLICT, "subnet_full"),
        Fault::SecurityGroupExists { .. } => (CONFLICT, "security_group_exists"),
        Fault::SecurityGroupElsewhere { .. } => (CONFLICT, "security_group_elsewhere"),
        Fault::RuleExists(_) => (CONFLICT, "rule_exists"),
        Fault::Route(fault) => code_of_route(fault),
        Fault::Group(fault) => code_of_group(fault),
        Fault::Hosting(fault) => code_of_hosting(fault),
        Fault::Lag(fault) => code_of_lag(fault),
        Fault::Inventory(fault) => code_of_inventory(fault),
        Fault::Glass(fault) => code_of_glass(fault),
        Fault::Tag(fault) => code_of_tag(fault),
        Fault::NoSuchAccessKey(_) => (GONE, "no_such_access_key"),
        Fault::TooMany { .. } => (CONFLICT, "too_many"),
        Fault::NoCapacity { .. } => (CONFLICT, "no_capacity"),
        Fault::PortTaken(_) => (CONFLICT, "port_taken"),
        Fault::PortDoesNotFit { .. } => (CONFLICT, "port_does_not_fit"),
        Fault::AlreadyExists(_) => (CONFLICT, "already_exists"),
        Fault::LocationInUse(_) => (CONFLICT, "location_in_use"),
        Fault::SubregionHasLocation(_) => (CONFLICT, "subregion_has_location"),
    }
}

const fn code_of_route(fault: &RouteFault) -> (StatusCode, &'static str) {
    match fault {
        RouteFault::InsideNet { .. } => (BAD, "route_inside_net"),
        RouteFault::NoSuchLink(_) => (GONE, "no_such_route_table_link"),
        RouteFault::NoSuchRoute { .. } => (GONE, "no_such_route"),
        RouteFault::Exists { .. } => (CONFLICT, "route_exists"),
        RouteFault::IsLocal(_) => (CONFLICT, "route_is_local"),
        RouteFault::TargetInUse { .. } => (CONFLICT, "target_of_route"),
        RouteFault::NicElsewhere { .. } => (CONFLICT, "nic_elsewhere"),
        RouteFault::SubnetElsewhere { .. } => (CONFLICT, "subnet_elsewhere"),
        RouteFault::TablesApart(..) => (CONFLICT, "route_tables_apart"),
        RouteFault::SubnetLinked { .. } => (CONFLICT, "subnet_linked"),
        RouteFault::TableIsMain(_) => (CONFLICT, "route_table_is_main"),
        RouteFault::TableInUse { .. } => (CONFLICT, "route_table_in_use"),
        RouteFault::MainLink(_) => (CONFLICT, "main_link"),
    }
}

const fn code_of_group(fault: &GroupFault) -> (StatusCode, &'static str) {
    match fault {
        GroupFault::NoSuchName(_) => (GONE, "no_such_security_group_name"),
        GroupFault::NoSuchRule(_) => (GONE, "no_such_rule"),
        GroupFault::InUse { .. } => (CONFLICT, "security_group_in_use"),
        GroupFault::IsDefault(_) => (CONFLICT, "security_group_is_default"),
        GroupFault::Ambiguous { .. } => (CONFLICT, "security_group_ambiguous"),
    }
}

const fn code_of_hosting(fault: &HostingFault) -> (StatusCode, &'static str) {
    match fault {
        HostingFault::NotOrdering { .. } => (CONFLICT, "connection_not_ordering"),
        HostingFault::NotReady { .. } => (CONFLICT, "connection_not_ready"),
        HostingFault::IsHosted(_) => (CONFLICT, "connection_is_hosted"),
        HostingFault::InLag { .. } => (CONFLICT, "connection_in_lag"),
        HostingFault::NotHosted(_) => (CONFLICT, "connection_not_hosted"),
        HostingFault::VlanTaken { .. } => (CONFLICT, "vlan_taken"),
        HostingFault::NoRoom { .. } => (CONFLICT, "no_room"),
        HostingFault::HasHosted { .. } => (CONFLICT, "connection_has_hosted"),
        HostingFault::VlanIsFixed { .. } => (CONFLICT, "vlan_is_fixed"),
        HostingFault::OneInterface { .. } => (CONFLICT, "one_interface"),
        HostingFault::NoLetter(_) => (CONFLICT, "no_letter"),
        HostingFault::InterfaceStays { .. } => (CONFLICT, "interface_stays"),
    }
}

const fn code_of_tag(fault: &TagFault) -> (StatusCode, &'static str) {
    match fault {
        TagFault::Key(_) => (BAD, "tag_key"),
        TagFault::Value(_) => (BAD, "tag_value"),
    }
}

const fn code_of_glass(fault: &GlassFault) -> (StatusCode, &'static str) {
    match fault {
        GlassFault::Bounds(_) => (BAD, "out_of_bounds"),
        GlassFault::NoRouter(_) => (CONFLICT, "no_router"),
        GlassFault::Unheard(_) => (CONFLICT, "router_not_connected"),
        GlassFault::TooOld { .. } => (CONFLICT, "router_too_old"),
        GlassFault::Crowded(_) => (CONFLICT, "router_busy"),
        GlassFault::Silent(_) => (CONFLICT, "router_silent"),
        GlassFault::Refused { .. } => (CONFLICT, "refused_by_router"),
    }
}

const fn code_of_inventory(fault: &InventoryFault) -> (StatusCode, &'static str) {
    match fault {
        InventoryFault::NoSuchRoom(_) => (GONE, "no_such_room"),
        InventoryFault::NoSuchPanel(_) => (GONE, "no_such_panel"),
        InventoryFault::NoSuchPosition { .. } => (GONE, "no_such_position"),
        InventoryFault::NoCrossConnect(_) => (GONE, "no_cross_connect"),
        InventoryFault::PositionTaken { .. } => (CONFLICT, "position_taken"),
        InventoryFault::PortWired { .. } => (CONFLICT, "port_wired"),
        InventoryFault::Apart { .. } => (CONFLICT, "port_elsewhere"),
        InventoryFault::AlreadyPatched(_) => (CONFLICT, "already_patched"),
        InventoryFault::NotPatched(_) => (CONFLICT, "not_patched"),
        InventoryFault::LetterLapsed(_) => (CONFLICT, "letter_lapsed"),
        InventoryFault::LetterServed(_) => (CONFLICT, "letter_served"),
        InventoryFault::CrossConnectInUse(_) => (CONFLICT, "cross_connect_in_use"),
        InventoryFault::Maintenance(fault) => code_of_maintenance(fault),
    }
}

const fn code_of_maintenance(fault: &MaintenanceFault) -> (StatusCode, &'static str) {
    match fault {
        MaintenanceFault::NoSuch(_) => (GONE, "no_such_maintenance"),
        MaintenanceFault::NotPlanned { .. } => (CONFLICT, "maintenance_not_planned"),
        MaintenanceFault::NotRunning { .. } => (CONFLICT, "maintenance_not_running"),
        MaintenanceFault::GoesDark(_) => (CONFLICT, "net_goes_dark"),
    }
}

const fn code_of_lag(fault: &LagFault) -> (StatusCode, &'static str) {
    match fault {
        LagFault::NoSuchLag(_) => (GONE, "no_such_lag"),
        LagFault::NotMember { .. } => (CONFLICT, "not_a_member"),
        LagFault::AlreadyMember { .. } => (CONFLICT, "already_a_member"),
        LagFault::Apart { .. } => (CONFLICT, "members_apart"),
        LagFault::Full { .. } => (CONFLICT, "lag_full"),
        LagFault::Count { .. } => (BAD, "lag_count"),
        LagFault::BelowMinimum { .. } => (CONFLICT, "lag_below_minimum"),
        LagFault::LastMember { .. } => (CONFLICT, "last_member"),
        LagFault::MinimumLinks { .. } => (BAD, "minimum_links"),
        LagFault::HasInterfaces { .. } => (CONFLICT, "lag_has_interfaces"),
        LagFault::NotAvailable { .. } => (CONFLICT, "lag_not_available"),
        LagFault::MemberTakesNone { .. } => (CONFLICT, "member_takes_no_interface"),
        LagFault::NoRoom { .. } => (CONFLICT, "no_room_for_lag"),
    }
}
