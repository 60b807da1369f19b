//! Security groups: what a Net's NICs admit. A list of permissions, default deny, stateful.

use crate::{
    fault::{Fault, GroupFault},
    ids::{AccountId, NetId, NicId, SecurityGroupId, SecurityGroupRuleId},
};
use directlink_net::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    pub id: SecurityGroupId,
    pub account: AccountId,
    pub net: NetId,
    pub name: String,
    pub description: String,
    pub rules: Vec<SecurityGroupRule>,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroupRule {
    pub id: SecurityGroupRuleId,
    pub flow: Flow,
    pub admission: Admission,
}

/// What one rule lets pass, as it was asked for. Stored as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Admission {
    pub protocol: Protocol,
    #[serde(flatten)]
    pub other: OtherSide,
}

/// Source of inbound, destination of outbound packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherSide {
    Range(IpNet),
    /// The NICs of a group of the same Net, whatever addresses they have.
    Group(SecurityGroupId),
}

/// Seen from the NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Flow {
    Inbound,
    Outbound,
}

/// What a router lets pass: a rule, its groups resolved to addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Permission {
    pub protocol: Protocol,
    /// The other side: source of inbound, destination of outbound packets.
    pub range: IpNet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// Every protocol and port (`-1` in the OUTSCALE API).
    Any,
    Tcp(PortRange),
    Udp(PortRange),
    /// `None`: every type, every code.
    Icmp {
        kind: Option<u8>,
        code: Option<u8>,
    },
    /// Another protocol by its IANA number.
    Other(u8),
}

/// Destination ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    pub from: u16,
    pub to: u16,
}

impl PortRange {
    pub const ALL: Self = Self { from: 0, to: u16::MAX };
}

impl SecurityGroup {
    /// A new group of a Net lets everything out (OUTSCALE API, `CreateSecurityGroup`).
    pub fn default_outbound() -> Admission {
        Admission {
            protocol: Protocol::Any,
            other: OtherSide::Range(IpNet::V4(directlink_net::Ipv4Net::default())),
        }
    }

    /// The groups that its rules name.
    pub fn members(&self) -> impl Iterator<Item = SecurityGroupId> + '_ {
        self.rules.iter().filter_map(|rule| rule.admission.other.group())
    }

    /// # Errors
    /// It is the default one, a NIC has it, or another group's rules name it.
    pub fn check_deletable(
        &self,
        is_default: bool,
        nic: Option<NicId>,
        others: &[Self],
    ) -> Result<(), Fault> {
        if is_default {
            return Err(Fault::Group(GroupFault::IsDefault(self.id)));
        }
        let names_it = |other: &&Self| other.id != self.id && other.members().any(|m| m == self.id);
        let by = nic
            .map(|nic| nic.to_string())
            .or_else(|| others.iter().find(names_it).map(|other| other.id.to_string()));
        match by {
            Some(by) => Err(Fault::Group(GroupFault::InUse { group: self.id, by })),
            None => Ok(()),
        }
    }

    /// Adds a rule.
    ///
    /// # Errors
    /// There is the same one already.
    pub fn add(
        &mut self,
        id: SecurityGroupRuleId,
        flow: Flow,
        admission: Admission,
    ) -> Result<SecurityGroupRule, Fault> {
        if self.rules.iter().any(|r| r.flow == flow && r.admission == admission) {
            return Err(Fault::RuleExists(self.id));
        }
        let rule = SecurityGroupRule { id, flow, admission };
        self.rules.push(rule.clone());
        Ok(rule)
    }

    /// Takes a rule away.
    ///
    /// # Errors
    /// There is none exactly like it.
    pub fn remove(&mut self, flow: Flow, wanted: &RuleName) -> Result<SecurityGroupRuleId, Fault> {
        let is_it = |rule: &SecurityGroupRule| {
            rule.flow == flow
                && match wanted {
                    RuleName::Id(id) => rule.id == *id,
                    RuleName::Admission(admission) => rule.admission == *admission,
                }
        };
        let at = self
            .rules
            .iter()
            .position(is_it)
            .ok_or(Fault::Group(GroupFault::NoSuchRule(self.id)))?;
        Ok(self.rules.remove(at).id)
    }
}

/// How a rule is named when it shall go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleName {
    Id(SecurityGroupRuleId),
    Admission(Admission),
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = |f: &mut fmt::Formatter<'_>, name: &str, ports: &PortRange| match *ports {
            PortRange::ALL => f.write_str(name),
            PortRange { from, to } if from == to => write!(f, "{name} {from}"),
            PortRange { from, to } => write!(f, "{name} {from}-{to}"),
        };
        match self {
            Self::Any => f.write_str("any"),
            Self::Tcp(range) => ports(f, "tcp", range),
            Self::Udp(range) => ports(f, "udp", range),
            Self::Icmp { kind: Some(kind), .. } => write!(f, "icmp {kind}"),
            Self::Icmp { kind: None, .. } => f.write_str("icmp"),
            Self::Other(number) => write!(f, "protocol {number}"),
        }
    }
}

impl OtherSide {
    pub const fn group(self) -> Option<SecurityGroupId> {
        match self {
            Self::Range(_) => None,
            Self::Group(id) => Some(id),
        }
    }

    pub const fn range(self) -> Option<IpNet> {
        match self {
            Self::Range(range) => Some(range),
            Self::Group(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(n: u32, members: &[u32]) -> SecurityGroup {
        let rule = |m: &u32| SecurityGroupRule {
            id: SecurityGroupRuleId::from_bits(*m),
            flow: Flow::Inbound,
            admission: Admission {
                protocol: Protocol::Any,
                other: OtherSide::Group(SecurityGroupId::from_bits(*m)),
            },
        };
        SecurityGroup {
            id: SecurityGroupId::from_bits(n),
            account: AccountId::from_number(1),
            net: NetId::from_bits(1),
            name: n.to_string(),
            description: String::new(),
            rules: members.iter().map(rule).collect(),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_group_goes_only_when_nothing_names_it_but_itself() {
        let nic = Some(NicId::from_bits(1));
        for (is_default, nic, others, good) in [
            (false, None, vec![group(1, &[1]), group(2, &[3])], true),
            (false, None, vec![group(1, &[]), group(2, &[1])], false),
            (false, nic, vec![], false),
            (true, None, vec![], false),
        ] {
            let deletable = group(1, &[1]).check_deletable(is_default, nic, &others);
            assert_eq!(deletable.is_ok(), good, "{is_default} {nic:?} {others:?}");
        }
    }

    #[test]
    fn a_rule_is_added_once_and_removed_by_id_or_by_what_it_admits() {
        let mut group = group(1, &[]);
        let all = SecurityGroup::default_outbound();
        let id = SecurityGroupRuleId::from_bits;
        group.add(id(7), Flow::Outbound, all).unwrap();
        assert_eq!(group.add(id(8), Flow::Outbound, all), Err(Fault::RuleExists(group.id)));
        group.add(id(8), Flow::Inbound, all).unwrap();
        let gone = Fault::Group(GroupFault::NoSuchRule(group.id));
        assert_eq!(group.remove(Flow::Inbound, &RuleName::Id(id(7))), Err(gone.clone()));
        assert_eq!(group.remove(Flow::Outbound, &RuleName::Admission(all)), Ok(id(7)));
        assert_eq!(group.remove(Flow::Outbound, &RuleName::Admission(all)), Err(gone));
        assert_eq!(group.remove(Flow::Inbound, &RuleName::Id(id(8))), Ok(id(8)));
    }

    #[test]
    fn stored_rules_keep_the_form_that_they_had_before_groups() {
        let range = r#"{"protocol":"Any","range":"10.0.0.0/8"}"#;
        let group = r#"{"protocol":{"Tcp":{"from":1,"to":2}},"group":"sg-0000000a"}"#;
        for text in [range, group] {
            let admission: Admission = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&admission).unwrap(), text);
        }
    }
}
