//! How this dialect says no: a code, the code's type, an HTTP status, a text.
//!
//! ```text
//!   1 4 13 15   AccessDenied           401     6xxx    InvalidState                    409
//!   2000        InternalError          500     7000    MissingParameter                400
//!   3xxx        InvalidParameter       400     9xxx    ResourceConflict                409
//!   4xxx        InvalidParameterValue  400     10001   InsufficientCapacity            409
//!   5xxx        InvalidResource        400     10xxx   TooManyResources (QuotaExceded) 400
//!   2001        RequestLimitExceeded   503     12000   InvalidAction                   404
//! ```
//!
//! Codes that the service's own table (`spec/outscale-gateway-errors.yaml`) names are used for
//! what they name; 2001 is ours, for clients go by its status. The texts are ours: they say what to do.

use crate::{api::identity::Denied, app::Refusal, auth::AuthError, store, throttle::TooFast};
use directlink_model::{
    fault::{
        Fault, GlassFault, GroupFault, HostingFault, InventoryFault, LagFault, MaintenanceFault,
        Quota, RouteFault, TagFault,
    },
    ids::BadId,
};
use http::StatusCode;
use std::fmt::Display;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(pub(super) u16);

impl Code {
    pub(super) const INTERNAL: Self = Self(2000);
    pub(super) const TOO_FAST: Self = Self(2001);
    pub(super) const UNKNOWN_PARAMETER: Self = Self(3001);
    pub(super) const CONTENT_TYPE: Self = Self(3010);
    pub(super) const ASN: Self = Self(4010);
    pub(super) const BLOCK_SIZE: Self = Self(4014);
    pub(super) const PARAMETER_SET: Self = Self(4046);
    pub(super) const VALUE: Self = Self(4047);
    pub(super) const ID_PREFIX: Self = Self(4104);
    pub(super) const ID_DIGITS: Self = Self(4105);
    pub(super) const JSON_TYPE: Self = Self(4110);
    pub(super) const PAGE_SIZE: Self = Self(4113);
    pub(super) const PAGE_TOKEN: Self = Self(4117);
    pub(super) const NO_SUCH_ATTACHMENT: Self = Self(5007);
    pub(super) const NO_SUCH_USER: Self = Self(5075);
    pub(super) const MISSING: Self = Self(7000);
    pub(super) const ACTION: Self = Self(12000);

    pub(super) fn kind(self) -> &'static str {
        match self.0 {
            2000 => "InternalError",
            2001 => "RequestLimitExceeded",
            0..3000 => "AccessDenied",
            3000..4000 => "InvalidParameter",
            4000..5000 => "InvalidParameterValue",
            5000..6000 => "InvalidResource",
            6000..7000 => "InvalidState",
            7000..9000 => "MissingParameter",
            9000..10000 => "ResourceConflict",
            10001 => "InsufficientCapacity",
            10000..12000 => "TooManyResources (QuotaExceded)",
            12000.. => "InvalidAction",
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self.0 {
            2000 => StatusCode::INTERNAL_SERVER_ERROR,
            2001 => StatusCode::SERVICE_UNAVAILABLE,
            0..3000 => StatusCode::UNAUTHORIZED,
            6000..7000 | 9000..10000 | 10001 => StatusCode::CONFLICT,
            12000.. => StatusCode::NOT_FOUND,
            3000.. => StatusCode::BAD_REQUEST,
        }
    }
}

/// A request that is not answered with what it asked for.
#[derive(Debug)]
pub(super) enum Failure {
    Refused {
        code: Code,
        details: String,
    },
    /// A read by GET, on an address that takes POST.
    Method,
    TooFast(TooFast),
    World(store::Error),
}

impl Failure {
    pub(super) fn new(code: Code, details: impl Into<String>) -> Self {
        Self::Refused { code, details: details.into() }
    }

    /// A value that no rule could take.
    pub(super) fn value(parameter: &str, given: impl Display, expected: impl Display) -> Self {
        Self::coded_value(Code::VALUE, parameter, given, expected)
    }

    pub(super) fn coded_value(
        code: Code,
        parameter: &str,
        given: impl Display,
        expected: impl Display,
    ) -> Self {
        let text = format!(
            "The provided value ('{given}') for the parameter '{parameter}' is invalid: {expected}."
        );
        Self::new(code, text)
    }

    pub(super) fn missing(parameter: impl Display) -> Self {
        Self::new(Code::MISSING, format!("The parameter '{parameter}' is missing."))
    }

    /// What the API describes and this Region does not do (yet). Said, never ignored.
    pub(super) fn not_offered(parameter: &str, instead: &str) -> Self {
        let text = format!("The parameter '{parameter}' is not offered by this Region: {instead}.");
        Self::new(Code::VALUE, text)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fault(fault) => fault.into(),
            Refusal::Error(error) => Self::World(error),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::new(code_of(&fault), fault.to_string())
    }
}

impl From<BadId> for Failure {
    fn from(bad: BadId) -> Self {
        Fault::from(bad).into()
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Auth(error) => Self::new(code_of_denial(error), error.to_string()),
            Denied::TooFast(too_fast) => Self::TooFast(too_fast),
            Denied::World(error) => Self::World(error),
        }
    }
}

const fn code_of_denial(error: AuthError) -> Code {
    match error {
        AuthError::Missing
        | AuthError::Malformed(_)
        | AuthError::NotSigned(_)
        | AuthError::BodyHash
        | AuthError::UnknownKey
        | AuthError::WrongSignature
        | AuthError::WrongPassword
        | AuthError::PasswordNotTaken => Code(1),
        AuthError::Locked => Code(13),
        AuthError::NoDate(_)
        | AuthError::EmptyDate(_)
        | AuthError::BadDate(_)
        | AuthError::TooOld
        | AuthError::InFuture => Code(15),
        AuthError::NoScopeDate => Code(4118),
    }
}

/// Total, so that a new fault is a code to choose here before anything builds.
const fn code_of(fault: &Fault) -> Code {
    match fault {
        Fault::BadId(BadId::Prefix { .. }) => Code::ID_PREFIX,
        Fault::BadId(BadId::Digits { .. }) => Code::ID_DIGITS,
        Fault::BadValue { .. }
        | Fault::PeerAddresses(_)
        | Fault::AddressOutsideSubnet { .. }
        | Fault::NotAPortOf(..)
        | Fault::DuplicateTagKeys(_)
        | Fault::NoSuchBgpPeer { .. }
        | Fault::LastBgpPeer(_)
        | Fault::PeerAddressesTaken { .. }
        | Fault::BgpPeerNotCarried { .. }
        | Fault::TooManyTags { .. } => Code::VALUE,
        Fault::Missing(_) => Code::MISSING,
        Fault::AsnOfProvider { .. } => Code::ASN,
        Fault::RangeSize { .. } => Code::BLOCK_SIZE,
        Fault::Route(fault) => code_of_route(fault),
        Fault::Group(fault) => code_of_group(fault),
        Fault::Hosting(fault) => code_of_hosting(fault),
        Fault::Lag(fault) => code_of_lag(fault),
        Fault::Inventory(fault) => code_of_inventory(fault),
        Fault::Glass(fault) => code_of_glass(fault),
        Fault::Tag(fault) => code_of_tag(fault),
        Fault::SecurityGroupElsewhere { .. } => Code(4086), // network-mismatch
        Fault::NoSuchSubregion(_) => Code(5009),
        Fault::NoSuchSecurityGroup(_) => Code(5020),
        Fault::NoSuchAccessKey(_) => Code(5027),
        Fault::NoSuchNic(_) => Code(5036),
        Fault::NoSuchAccount(_) | Fault::NoSuchRouter(_) | Fault::NoSuchPort(_) => Code(5044),
        Fault::NoSuchRouteTable(_) => Code(5046),
        Fault::NoSuchLocation(_) => Code(5052),
        Fault::NoSuchSubnet(_) => Code(5057),
        Fault::NoSuchNet(_) => Code(5065),
        Fault::NoSuchGateway(_) => Code(5068),
        Fault::NoSuchConnection(_) => Code(5072),
        Fault::NoSuchInterface(_) => Code(5073),
        Fault::ConnectionNotRequested { .. }
        | Fault::InterfaceNotConfirming { .. }
        | Fault::NoLetter { .. }
        | Fault::InterfaceNotTestable { .. }
        | Fault::NoTestRunning(_) => Code(6003),
        Fault::GatewayNotAvailable(_) => Code(6008),
        Fault::ConnectionNotAvailable { .. } => Code(6011),

        Fault::RuleExists(_)
        | Fault::AddressTaken { .. }
        | Fault::AlreadyExists(_)
        | Fault::SubregionHasLocation(_) => Code(9000), // already-exist
        Fault::ConnectionHasInterfaces { .. }
        | Fault::GatewayHasInterfaces { .. }
        | Fault::LocationInUse(_) => Code(9002), // busy
        Fault::PortDoesNotFit { .. } => Code(9003), // device-conflict
        Fault::PortTaken(_) => Code(9004),          // device-in-use
        Fault::SecurityGroupExists { .. } => Code(9008), // duplicate-group
        Fault::VlanTaken { .. } | Fault::NetAlreadyReached { .. } => Code(9010), // duplicate-interface
        Fault::GatewayLinked { .. } => Code(9024), // gateway-is-already-attached
        Fault::GatewayNotLinked { .. } => Code(9026), // gateway-is-not-attached
        Fault::SubnetOutsideNet { .. } => Code(9044), // not-in-vpc-block
        Fault::RangeReserved(_) => Code(9050),     // reserved-block
        Fault::SubnetInUse { .. } => Code(9057),   // subnet-already-in-use
        Fault::SubnetConflict { .. } => Code(9058), // subnet-conflict
        Fault::NetHasGateway { .. } => Code(9065), // vpc-already-attached
        Fault::NetInUse { .. } => Code(9066),      // vpc-is-associated

        Fault::NoCapacity { .. } => Code(10001),
        Fault::SubnetFull(_) => Code(10021), // too-many-private-ips
        Fault::TooMany { what, .. } => code_of_quota(*what),
    }
}

const fn code_of_tag(fault: &TagFault) -> Code {
    match fault {
        TagFault::Key(_) => Code(4069),
        TagFault::Value(_) => Code(4071),
    }
}

const fn code_of_glass(fault: &GlassFault) -> Code {
    match fault {
        GlassFault::Bounds(_) => Code::VALUE,
        GlassFault::NoRouter(_)
        | GlassFault::Unheard(_)
        | GlassFault::TooOld { .. }
        | GlassFault::Silent(_)
        | GlassFault::Refused { .. } => Code(6003),
        GlassFault::Crowded(_) => Code(9002), // busy
    }
}

/// Nothing that this dialect can ask for.
const fn code_of_maintenance(fault: &MaintenanceFault) -> Code {
    match fault {
        MaintenanceFault::NoSuch(_) => Code(5044),
        MaintenanceFault::NotPlanned { .. }
        | MaintenanceFault::NotRunning { .. }
        | MaintenanceFault::GoesDark(_) => Code(9004), // device-in-use
    }
}

const fn code_of_inventory(fault: &InventoryFault) -> Code {
    match fault {
        InventoryFault::NoSuchRoom(_)
        | InventoryFault::NoSuchPanel(_)
        | InventoryFault::NoSuchPosition { .. }
        | InventoryFault::NoCrossConnect(_)
        | InventoryFault::NotPatched(_) => Code(5044),
        InventoryFault::PositionTaken { .. }
        | InventoryFault::PortWired { .. }
        | InventoryFault::Apart { .. }
        | InventoryFault::AlreadyPatched(_)
        | InventoryFault::CrossConnectInUse(_)
        | InventoryFault::LetterLapsed(_)
        | InventoryFault::LetterServed(_) => Code(9004), // device-in-use
        InventoryFault::Maintenance(fault) => code_of_maintenance(fault),
    }
}

const fn code_of_route(fault: &RouteFault) -> Code {
    match fault {
        RouteFault::InsideNet { .. } | RouteFault::IsLocal(_) | RouteFault::MainLink(_) => {
            Code::VALUE
        }
        RouteFault::NicElsewhere { .. }
        | RouteFault::SubnetElsewhere { .. }
        | RouteFault::TablesApart(..) => Code(4086), // network-mismatch
        RouteFault::NoSuchRoute { .. } => Code(5045),
        RouteFault::NoSuchLink(_) => Code(5047),
        RouteFault::TargetInUse { .. }
        | RouteFault::TableIsMain(_)
        | RouteFault::TableInUse { .. } => Code(9002), // busy
        RouteFault::Exists { .. } => Code(9052), // route-already-exists
        RouteFault::SubnetLinked { .. } => Code(9059), // subnet-is-associated
    }
}

const fn code_of_group(fault: &GroupFault) -> Code {
    match fault {
        GroupFault::NoSuchRule(_) => Code(5008), // no-such-authorization
        GroupFault::NoSuchName(_) => Code(5020),
        GroupFault::Ambiguous { .. } => Code(9015), // duplicate-name
        GroupFault::IsDefault(_) => Code(9051),     // reserved-group
        GroupFault::InUse { .. } => Code(9085),
    }
}

const fn code_of_hosting(fault: &HostingFault) -> Code {
    match fault {
        HostingFault::IsHosted(_)
        | HostingFault::InLag { .. }
        | HostingFault::NotHosted(_)
        | HostingFault::VlanIsFixed { .. }
        | HostingFault::InterfaceStays { .. } => Code::VALUE,
        HostingFault::NotOrdering { .. } | HostingFault::NoLetter(_) => Code(6003),
        HostingFault::NotReady { .. } => Code(6011),
        HostingFault::HasHosted { .. } => Code(9002), // busy
        HostingFault::VlanTaken { .. } | HostingFault::OneInterface { .. } => Code(9010), // duplicate-interface
        HostingFault::NoRoom { .. } => Code(10001),
    }
}

/// A member of a LAG can be deleted, or asked for an interface, in this dialect too.
const fn code_of_lag(fault: &LagFault) -> Code {
    match fault {
        LagFault::NotMember { .. }
        | LagFault::AlreadyMember { .. }
        | LagFault::Apart { .. }
        | LagFault::Full { .. }
        | LagFault::Count { .. }
        | LagFault::MinimumLinks { .. } => Code::VALUE,
        LagFault::NoSuchLag(_) => Code(5072),
        LagFault::NotAvailable { .. } | LagFault::MemberTakesNone { .. } => Code(6011),
        LagFault::BelowMinimum { .. }
        | LagFault::LastMember { .. }
        | LagFault::HasInterfaces { .. } => Code(9002), // busy
        LagFault::NoRoom { .. } => Code(10001),
    }
}

const fn code_of_quota(quota: Quota) -> Code {
    match quota {
        Quota::AccessKeys => Code(10005),
        Quota::Nics => Code(10015),
        Quota::RulesPerGroup => Code(10017),
        Quota::Nets => Code(10022),
        Quota::Connections | Quota::Lags => Code(10028),
        Quota::InterfacesPerConnection => Code(10031),
        Quota::RouteTables => Code(10037),
        Quota::SecurityGroups => Code(10038),
        Quota::Gateways => Code(10039),
        Quota::RoutesPerTable => Code(10040),
        Quota::TagsPerResource => Code(10041),
    }
}
