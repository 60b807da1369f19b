//! One type per kind of id, so that none is ever taken for another.
//!
//! Outside form: prefix, hyphen, eight lower-case hexadecimal digits (`dxvif-1a2b3c4d`).
//! An account is twelve digits.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// Why a text is not an id of the wanted kind. The OUTSCALE API tells the two apart (4104, 4105).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadId {
    #[error("The provided value '{given}' does not respect the expected ID prefix '{prefix}-'.")]
    Prefix { given: String, prefix: &'static str },
    #[error(
        "The provided value '{given}' is not a valid ID: '{prefix}-' must be followed by 8 hexadecimal characters."
    )]
    Digits { given: String, prefix: &'static str },
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u32);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub const fn from_bits(bits: u32) -> Self {
                Self(bits)
            }

            /// The eight hexadecimal digits as a number: a compact key for tables.
            pub const fn bits(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{:08x}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                digits(text, $prefix).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

ids! {
    /// A connection: OUTSCALE "DirectLink".
    ConnectionId = "dxcon";
    /// A link aggregation group of connections.
    LagId = "dxlag";
    /// A DirectLink interface: AWS "virtual interface".
    InterfaceId = "dxvif";
    /// The BGP session of an interface, as a thing of its own.
    BgpPeerId = "dxpeer";
    FailoverTestId = "dxtest";
    /// Work on something of the Region's, whose traffic is sent away meanwhile.
    MaintenanceId = "dxmaint";
    NetId = "vpc";
    SubnetId = "subnet";
    /// A virtual gateway.
    GatewayId = "vgw";
    RouteTableId = "rtb";
    /// The link of a route table with a Subnet, or with its Net as main table.
    RouteTableLinkId = "rtbassoc";
    NicId = "eni";
    SecurityGroupId = "sg";
    SecurityGroupRuleId = "sgr";
    DhcpOptionsId = "dopt";
    /// Where an account is told of what happens.
    WebhookId = "whk";
}

fn digits(text: &str, prefix: &'static str) -> Result<u32, BadId> {
    let given = || text.to_owned();
    let digits = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .ok_or_else(|| BadId::Prefix { given: given(), prefix })?;
    let good = digits.len() == 8 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    good.then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
        .ok_or_else(|| BadId::Digits { given: given(), prefix })
}

/// An account: twelve digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(u64);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is not an account ID: it has 12 digits")]
pub struct BadAccountId(pub String);

impl AccountId {
    /// `n` modulo 10¹².
    pub const fn from_number(n: u64) -> Self {
        Self(n % 1_000_000_000_000)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccountId {
    type Err = BadAccountId;
    fn from_str(text: &str) -> Result<Self, BadAccountId> {
        let good = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        good.then(|| text.parse().ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| BadAccountId(text.to_owned()))
    }
}

impl TryFrom<String> for AccountId {
    type Error = BadAccountId;
    fn try_from(text: String) -> Result<Self, BadAccountId> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.to_string()
    }
}

/// A word that names a place or a device in commands, file names and certificates:
/// 1 to 32 of a–z A–Z 0–9 `-` `_` `.`, starting with a letter or digit.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                match is_name(&text) {
                    true => Ok(Self(text)),
                    false => Err(BadName(text)),
                }
            }
        }

        impl FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "'{0}' is not a name: use 1 to 32 of a-z, A-Z, 0-9, '-', '_' and '.', starting with a letter or digit"
)]
pub struct BadName(pub String);

names! {
    /// `eu-west-2`.
    RegionName;
    /// `eu-west-2a`.
    SubregionName;
    /// A location's code, as `PAR1`.
    LocationCode;
    /// A DirectLink router, as `par1-r1`. It is the common name of the router's certificate.
    RouterName;
    /// A port of a router, as `p0`: the kernel's link name there.
    PortName;
    /// A meet-me room of a location, as `MMR-1`.
    RoomName;
    /// A patch panel of a meet-me room, as `PP-07`.
    PanelName;
}

fn is_name(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=32).contains(&text.len())
        && text.bytes().all(good)
        && text.as_bytes()[0].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_text_round_trips_and_errors_tell_prefix_from_digits() {
        for (text, expected) in [
            ("dxcon-1a2b3c4d", "ok"),
            ("dxcon-00000000", "ok"),
            ("dxvif-1a2b3c4d", "prefix"),
            ("foo", "prefix"),
            ("dxcon1a2b3c4d", "prefix"),
            ("dxcon-1a2b3c4", "digits"),
            ("dxcon-1a2b3c4d5", "digits"),
            ("dxcon-1A2B3C4D", "digits"),
            ("dxcon-+a2b3c4d", "digits"),
        ] {
            let got = match text.parse::<ConnectionId>() {
                Ok(id) if id.to_string() == text => "ok",
                Ok(_) => "changed",
                Err(BadId::Prefix { .. }) => "prefix",
                Err(BadId::Digits { .. }) => "digits",
            };
            assert_eq!(got, expected, "{text}");
        }
    }

    #[test]
    fn accounts_are_twelve_digits() {
        for (text, good) in
            [("012345678901", true), ("12345678901", false), ("01234567890a", false)]
        {
            assert_eq!(
                text.parse::<AccountId>().is_ok_and(|a| a.to_string() == text),
                good,
                "{text}"
            );
        }
    }

    #[test]
    fn names_cannot_climb_out_of_a_folder() {
        for (text, good) in
            [("par1-r1", true), ("..", false), ("a/b", false), ("", false), ("é", false)]
        {
            assert_eq!(text.parse::<RouterName>().is_ok(), good, "{text}");
        }
    }
}
