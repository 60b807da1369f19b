//! How this dialect says no: a type and a text.
//!
//! | text contains | who looks for it |
//! |---|---|
//! | `Could not find Connection with ID` | Terraform, connections and associations |
//! | `Could not find Lag with ID` | Terraform, LAGs |
//! | `The last BGP Peer on a Virtual Interface cannot be deleted` | Terraform, BGP peers |
//! | `does not exist` | Terraform, deletion of virtual interfaces; OUTSCALE |
//! | `Amazon Address and Customer Address must be in the same CIDR`, `… is address 0 on its subnet.`, `… is the broadcast address on its subnet.` | Terraform's acceptance tests |
//! | `ConfirmConnection failed. dxcon-… is in state` | scripts that wait for an offer |
//! | `is not in valid state`, `Interface already exists with same parameters` | OUTSCALE |

use crate::{api::identity::Denied, app::Refusal, auth::AuthError, store, throttle::TooFast};
use directlink_model::{
    connection::ConnectionState,
    fault::{Fault, HostingFault, LagFault},
    ids::{BadId, ConnectionId, InterfaceId},
    interface::InterfaceState,
};
use directlink_net::{BadPeerAddresses, Vlan};
use http::StatusCode;

/// A request that is not answered with what it asked for.
#[derive(Debug)]
pub(super) enum Failure {
    Refused { status: StatusCode, kind: &'static str, message: String },
    TooFast(TooFast),
    World(store::Error),
}

impl Failure {
    /// What the customer can mend.
    pub(super) fn client(message: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, "DirectConnectClientException", message)
    }

    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, "SerializationException", message)
    }

    pub(super) fn unknown_operation(target: &str) -> Self {
        let message = format!("The operation '{target}' is not known to this endpoint.");
        Self::refused(StatusCode::BAD_REQUEST, "UnknownOperationException", message)
    }

    fn refused(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self::Refused { status, kind, message: message.into() }
    }

    /// Status, type and text.
    pub(super) fn parts(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::Refused { status, kind, message } => (*status, kind, message),
            // What AWS's clients slow down for, whatever the status.
            Self::TooFast(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "ThrottlingException", "Rate exceeded")
            }
            Self::World(error) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "DirectConnectServerException", error.told())
            }
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fault(fault) => {
                Self::refused(StatusCode::BAD_REQUEST, kind_of(&fault), text_of(&fault))
            }
            Refusal::Error(error) => Self::World(error),
        }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        let error = match denied {
            Denied::Auth(error) => error,
            Denied::TooFast(too_fast) => return Self::TooFast(too_fast),
            Denied::World(error) => return Self::World(error),
        };
        let (status, kind) = match error {
            AuthError::Missing
            | AuthError::Malformed(_)
            | AuthError::UnknownKey
            | AuthError::WrongPassword
            | AuthError::PasswordNotTaken
            | AuthError::NoScopeDate
            | AuthError::Locked => (StatusCode::UNAUTHORIZED, "AuthFailure"),
            AuthError::WrongSignature | AuthError::NotSigned(_) | AuthError::BodyHash => {
                (StatusCode::FORBIDDEN, "SignatureDoesNotMatch")
            }
            AuthError::TooOld | AuthError::InFuture => (StatusCode::BAD_REQUEST, "RequestExpired"),
            AuthError::NoDate(_) | AuthError::EmptyDate(_) => {
                (StatusCode::BAD_REQUEST, "MissingParameter")
            }
            AuthError::BadDate(_) => (StatusCode::BAD_REQUEST, "InvalidParameterValue"),
        };
        Self::refused(status, kind, error.to_string())
    }
}

/// The few faults that this service has a type of their own for.
const fn kind_of(fault: &Fault) -> &'static str {
    match fault {
        Fault::DuplicateTagKeys(_) => "DuplicateTagKeysException",
        Fault::TooManyTags { .. } => "TooManyTagsException",
        _ => "DirectConnectClientException",
    }
}

/// This service's own words where clients look for them; else the fault's. Total, so that a new
/// fault is a text to choose here before anything builds.
fn text_of(fault: &Fault) -> String {
    match fault {
        Fault::BadId(bad) => text_of_id(bad),
        Fault::NoSuchLocation(code) => format!("Location '{code}' is invalid."),
        Fault::NoSuchConnection(id) => no_such_connection(*id),
        Fault::NoSuchInterface(id) => format!("Virtual interface '{id}' does not exist."),
        Fault::NoSuchGateway(id) => format!("Virtual gateway '{id}' does not exist."),
        Fault::NoSuchAccount(id) => format!("Account '{id}' does not exist."),
        Fault::ConnectionNotAvailable { id, state } => connection_not_available(*id, *state),
        Fault::InterfaceNotConfirming { id, state } => not_confirming(*id, *state),
        Fault::VlanTaken { vlan, by, .. } => vlan_taken(*vlan, *by),
        Fault::ConnectionHasInterfaces { id, count } => has_interfaces(*id, *count),
        Fault::PeerAddresses(bad) => text_of_addresses(bad),
        Fault::Hosting(fault) => text_of_hosting(fault),
        Fault::Lag(fault) => text_of_lag(fault),
        Fault::NoLetter { .. }
        | Fault::InterfaceNotTestable { .. }
        | Fault::NoTestRunning(_)
        | Fault::NoSuchBgpPeer { .. }
        | Fault::LastBgpPeer(_)
        | Fault::PeerAddressesTaken { .. }
        | Fault::BgpPeerNotCarried { .. }
        | Fault::DuplicateTagKeys(_)
        | Fault::TooManyTags { .. } => text_beyond(fault),
        Fault::BadValue { parameter, given, expected } => bad_value(parameter, given, expected),
        Fault::Missing(_)
        | Fault::AsnOfProvider { .. }
        | Fault::RangeSize { .. }
        | Fault::NoSuchNet(_)
        | Fault::NoSuchSubnet(_)
        | Fault::NoSuchRouteTable(_)
        | Fault::NoSuchNic(_)
        | Fault::NoSuchSecurityGroup(_)
        | Fault::NoSuchSubregion(_)
        | Fault::NoSuchRouter(_)
        | Fault::NoSuchPort(_)
        | Fault::ConnectionNotRequested { .. }
        | Fault::GatewayNotAvailable(_)
        | Fault::NetAlreadyReached { .. }
        | Fault::GatewayLinked { .. }
        | Fault::GatewayNotLinked { .. }
        | Fault::NetHasGateway { .. }
        | Fault::GatewayHasInterfaces { .. }
        | Fault::RangeReserved(_)
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
        | Fault::Route(_)
        | Fault::Group(_)
        | Fault::Inventory(_)
        | Fault::Glass(_)
        | Fault::Tag(_)
        | Fault::NoSuchAccessKey(_)
        | Fault::TooMany { .. }
        | Fault::NoCapacity { .. }
        | Fault::PortTaken(_)
        | Fault::PortDoesNotFit { .. }
        | Fault::AlreadyExists(_)
        | Fault::LocationInUse(_)
        | Fault::SubregionHasLocation(_)
        | Fault::NotAPortOf(..) => fault.to_string(),
    }
}

/// With the parameter as this dialect calls it.
fn bad_value(parameter: &'static str, given: &str, expected: &str) -> String {
    let parameter = match parameter {
        "DirectLinkName" => "connectionName",
        "DirectLinkInterfaceName" => "virtualInterfaceName",
        "OutscalePrivateIp" => "amazonAddress",
        "ClientPrivateIp" => "customerAddress",
        other => other,
    };
    let (given, expected) = (given.to_owned(), expected.to_owned());
    Fault::BadValue { parameter, given, expected }.to_string()
}

/// The words of what only this dialect can ask for.
fn text_beyond(fault: &Fault) -> String {
    match fault {
        Fault::NoLetter { id, state } => no_letter(*id, *state),
        Fault::InterfaceNotTestable { id, state } => not_testable(*id, *state),
        Fault::NoTestRunning(id) => no_test_running(*id),
        Fault::NoSuchBgpPeer { interface, peer } => {
            format!("BGP Peer '{peer}' of the virtual interface '{interface}' does not exist.")
        }
        Fault::LastBgpPeer(id) => last_peer(*id),
        Fault::BgpPeerNotCarried { interface, why } => {
            format!("Virtual interface {interface} takes no further BGP Peer: {why}")
        }
        Fault::PeerAddressesTaken { subnet, by, .. } => format!(
            "Amazon Address and Customer Address must not meet those of another BGP Peer of the connection: {subnet} meets {by}"
        ),
        Fault::DuplicateTagKeys(key) => format!("The tag key '{key}' is given more than once"),
        Fault::TooManyTags { limit } => format!("A resource can have at most {limit} tags"),
        other => other.to_string(),
    }
}

fn text_of_id(
    (BadId::Prefix { given, prefix } | BadId::Digits { given, prefix }): &BadId,
) -> String {
    format!("Invalid ID received: {given}. Expected format: {prefix}-")
}

/// Total, as [`text_of`].
fn text_of_lag(fault: &LagFault) -> String {
    match fault {
        LagFault::NoSuchLag(id) => {
            format!("Could not find Lag with ID {id}: Lag '{id}' does not exist.")
        }
        LagFault::NotAvailable { lag, state } => format!(
            "Lag is not in valid state: {lag} is {state}, and takes virtual interfaces only while it is available"
        ),
        LagFault::NotMember { .. }
        | LagFault::AlreadyMember { .. }
        | LagFault::Apart { .. }
        | LagFault::Full { .. }
        | LagFault::Count { .. }
        | LagFault::BelowMinimum { .. }
        | LagFault::LastMember { .. }
        | LagFault::MinimumLinks { .. }
        | LagFault::HasInterfaces { .. }
        | LagFault::MemberTakesNone { .. }
        | LagFault::NoRoom { .. } => fault.to_string(),
    }
}

fn no_such_connection(id: ConnectionId) -> String {
    format!("Could not find Connection with ID {id}: Connection '{id}' does not exist.")
}

fn connection_not_available(id: ConnectionId, state: ConnectionState) -> String {
    format!(
        "Connection is not in valid state: {id} is {state}, and takes virtual interfaces only while it is available"
    )
}

fn not_confirming(id: InterfaceId, state: InterfaceState) -> String {
    format!(
        "Virtual interface is not in valid state: {id} is {state}, and only a confirming one can be confirmed"
    )
}

fn has_interfaces(id: ConnectionId, count: usize) -> String {
    format!(
        "Connection {id} still has {count} virtual interface(s). Delete them before the connection"
    )
}

fn no_letter(id: ConnectionId, state: ConnectionState) -> String {
    format!(
        "DescribeLoa failed. {id} is in state {state}: the LOA-CFA is issued when the connection is approved"
    )
}

fn not_testable(id: InterfaceId, state: InterfaceState) -> String {
    format!(
        "Virtual interface is not in valid state: {id} is {state}, and a failover test begins while it is available or down"
    )
}

fn no_test_running(id: InterfaceId) -> String {
    format!("No failover test is running on the virtual interface {id}")
}

fn last_peer(id: InterfaceId) -> String {
    format!("The last BGP Peer on a Virtual Interface cannot be deleted: delete {id} instead")
}

fn vlan_taken(vlan: Vlan, by: InterfaceId) -> String {
    format!(
        "Interface already exists with same parameters: VLAN {vlan} of the connection is used by {by}"
    )
}

fn text_of_addresses(bad: &BadPeerAddresses) -> String {
    match bad {
        BadPeerAddresses::Apart(..) => {
            format!("Amazon Address and Customer Address must be in the same CIDR: {bad}")
        }
        BadPeerAddresses::Network(address) => {
            format!("Amazon Address is address 0 on its subnet. {address}: choose another")
        }
        BadPeerAddresses::Broadcast(address) => {
            format!(
                "Amazon Address is the broadcast address on its subnet. {address}: choose another"
            )
        }
        BadPeerAddresses::Same(_) | BadPeerAddresses::NotUnicast(_) | BadPeerAddresses::Size(_) => {
            bad.to_string()
        }
    }
}

/// "DirectLink" is the other API's word.
fn text_of_hosting(fault: &HostingFault) -> String {
    match fault {
        HostingFault::NotOrdering { id, state } => format!(
            "ConfirmConnection failed. {id} is in state {state}: only a hosted connection that is ordering can be confirmed"
        ),
        HostingFault::NotReady { id, state } => format!(
            "Connection is not in valid state: {id} is {state}, and hosts others from its approval until its deletion is asked"
        ),
        HostingFault::IsHosted(id) => {
            format!("Connection {id} is hosted itself, and cannot host others")
        }
        HostingFault::InLag { connection, lag } => {
            format!("Connection {connection} is a member of lag {lag}, and cannot host others")
        }
        HostingFault::NotHosted(id) => format!("Connection {id} is not a hosted connection"),
        HostingFault::VlanTaken { vlan, by, .. } => format!(
            "Connection already exists with same parameters: VLAN {vlan} of the connection is used by {by}"
        ),
        HostingFault::NoRoom { connection, asked, left_mbps } => format!(
            "Bandwidth {asked} is not available: connection {connection} has {left_mbps}Mbps left for hosted connections"
        ),
        HostingFault::HasHosted { id, count } => format!(
            "Connection {id} still has {count} hosted connection(s). Delete them before the connection"
        ),
        HostingFault::VlanIsFixed { connection, has, asked } => format!(
            "Invalid VLAN: the virtual interface of the hosted connection {connection} has VLAN {has}, not {asked}"
        ),
        HostingFault::OneInterface { connection, by } => format!(
            "Interface already exists with same parameters: the hosted connection {connection} carries one virtual interface, {by}"
        ),
        HostingFault::NoLetter(id) => format!(
            "DescribeLoa failed. {id} is a hosted connection: there is no LOA-CFA for it, because it comes over the partner's fibre"
        ),
        HostingFault::InterfaceStays { interface, connection } => format!(
            "Virtual interface {interface} stays on the hosted connection {connection}: it moves only with that, by AssociateHostedConnection"
        ),
    }
}
