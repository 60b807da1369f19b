//! Tags: words that an account sticks on what it has. They mean nothing to us.
//!
//! Connections and interfaces are not among what the OUTSCALE API lets be tagged.

use crate::{
    fault::{Fault, TagFault},
    ids::{BadId, GatewayId, NetId, NicId, RouteTableId, SecurityGroupId, SubnetId},
};
use std::{fmt, str::FromStr};

/// What can carry tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Taggable {
    Net(NetId),
    Subnet(SubnetId),
    Gateway(GatewayId),
    RouteTable(RouteTableId),
    Nic(NicId),
    SecurityGroup(SecurityGroupId),
}

impl Taggable {
    /// That it is not there, or another's.
    pub const fn missing(self) -> Fault {
        match self {
            Self::Net(id) => Fault::NoSuchNet(id),
            Self::Subnet(id) => Fault::NoSuchSubnet(id),
            Self::Gateway(id) => Fault::NoSuchGateway(id),
            Self::RouteTable(id) => Fault::NoSuchRouteTable(id),
            Self::Nic(id) => Fault::NoSuchNic(id),
            Self::SecurityGroup(id) => Fault::NoSuchSecurityGroup(id),
        }
    }
}

impl fmt::Display for Taggable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(id) => id.fmt(f),
            Self::Subnet(id) => id.fmt(f),
            Self::Gateway(id) => id.fmt(f),
            Self::RouteTable(id) => id.fmt(f),
            Self::Nic(id) => id.fmt(f),
            Self::SecurityGroup(id) => id.fmt(f),
        }
    }
}

impl FromStr for Taggable {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        match text.split_once('-').map_or(text, |(prefix, _)| prefix) {
            NetId::PREFIX => text.parse().map(Self::Net),
            SubnetId::PREFIX => text.parse().map(Self::Subnet),
            GatewayId::PREFIX => text.parse().map(Self::Gateway),
            RouteTableId::PREFIX => text.parse().map(Self::RouteTable),
            NicId::PREFIX => text.parse().map(Self::Nic),
            SecurityGroupId::PREFIX => text.parse().map(Self::SecurityGroup),
            _ => Err(BadId::Prefix {
                given: text.to_owned(),
                prefix: "vpc-', 'subnet-', 'vgw-', 'rtb-', 'eni-' or 'sg",
            }),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

impl Tag {
    const LENGTH_MAX: usize = 255;

    /// # Errors
    /// A key or a value of a length or with characters that none may have.
    pub fn check(&self) -> Result<(), Fault> {
        let fits = |text: &str| {
            text.chars().count() <= Self::LENGTH_MAX && !text.chars().any(char::is_control)
        };
        if self.key.is_empty() || !fits(&self.key) {
            return Err(TagFault::Key(self.key.escape_default().to_string()).into());
        }
        match fits(&self.value) {
            true => Ok(()),
            false => Err(TagFault::Value(self.key.clone()).into()),
        }
    }

    /// # Errors
    /// One that no resource may have, or two of one key.
    pub fn check_all(tags: &[Self]) -> Result<(), Fault> {
        for (at, tag) in tags.iter().enumerate() {
            tag.check()?;
            if tags[..at].iter().any(|other| other.key == tag.key) {
                return Err(TagFault::Key(tag.key.clone()).into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_tagged_reads_as_written_and_the_rest_is_refused() {
        for text in ["vpc-0000000a", "subnet-1", "vgw-0000000a", "rtb-0000000a", "eni-0000000a"] {
            match text.parse::<Taggable>() {
                Ok(taggable) => assert_eq!(taggable.to_string(), text),
                Err(bad) => assert!(matches!(bad, BadId::Digits { .. }), "{text}"),
            }
        }
        assert!("sg-0000000a".parse::<Taggable>().is_ok());
        for text in ["dxcon-0000000a", "dxvif-0000000a", "i-0000000a", "", "vpc"] {
            assert!(text.parse::<Taggable>().is_err(), "{text}");
        }
    }

    #[test]
    fn keys_are_words_and_given_once() {
        let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
        let long = "x".repeat(256);
        for (tags, good) in [
            (vec![tag("Name", "")], true),
            (vec![tag("Name", "a"), tag("name", "b")], true),
            (vec![tag("", "a")], false),
            (vec![tag(&long, "a")], false),
            (vec![tag("a", &long)], false),
            (vec![tag("a\n", "a")], false),
            (vec![tag("a", "1"), tag("a", "2")], false),
        ] {
            assert_eq!(Tag::check_all(&tags).is_ok(), good, "{tags:?}");
        }
    }
}
