//! The rows of rule sets: what the security groups of a NIC admit, merged.

use super::Address;
use crate::rows::{Protocol, Rule, RuleSetNumber};
use directlink_net::{IpNet, Ipv4Net};

pub(crate) const RULES_PER_ROW: usize = 16;
pub(crate) const RULE_ROWS_PER_SET: usize = 64;

/// `enum direction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Direction {
    Inbound = 0,
    Outbound = 1,
}

impl Direction {
    pub(crate) const BOTH: [Self; 2] = [Self::Inbound, Self::Outbound];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct RuleKey {
    pub(super) rule_set: u32,
    pub(super) row: u16,
    pub(super) direction: u8,
    pub(super) zero: u8,
}

impl RuleKey {
    pub(crate) fn new(set: RuleSetNumber, direction: Direction, row: u16) -> Self {
        Self { rule_set: set.into(), row, direction: direction as u8, zero: 0 }
    }

    pub(crate) const fn rule_set(self) -> Option<RuleSetNumber> {
        RuleSetNumber::new(self.rule_set)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct RuleCell {
    pub(super) network: Address,
    pub(super) mask: Address,
    pub(super) port_from: u16,
    pub(super) port_to: u16,
    pub(super) protocol: u8,
    pub(super) protocol_mask: u8,
    pub(super) zero: u16,
}

impl RuleCell {
    fn new(rule: &Rule) -> Option<Self> {
        let IpNet::V4(range) = rule.range else { return None };
        let ([protocol, protocol_mask], [port_from, port_to]) = words_of(rule);
        Some(Self {
            network: range.network().octets(),
            mask: range.netmask().octets(),
            port_from,
            port_to,
            protocol,
            protocol_mask,
            zero: 0,
        })
    }

    fn rule(self) -> Option<Rule> {
        let prefix_len = u32::from_be_bytes(self.mask).leading_ones();
        let range = Ipv4Net::new(self.network.into(), u8::try_from(prefix_len).ok()?).ok()?;
        let words = ([self.protocol, self.protocol_mask], [self.port_from, self.port_to]);
        Some(rule_of(range.into(), words))
    }
}

/// What a rule's cell says besides its range: protocol with its mask, first and last port.
type Words = ([u8; 2], [u16; 2]);

pub(super) fn words_of(rule: &Rule) -> Words {
    let protocol = match rule.protocol {
        Protocol::Any => [0, 0],
        Protocol::Number(number) => [number, u8::MAX],
    };
    let ports = rule.ports.as_ref();
    (protocol, ports.map_or([0, u16::MAX], |ports| [*ports.start(), *ports.end()]))
}

pub(super) fn rule_of(range: IpNet, ([protocol, mask], [from, to]): Words) -> Rule {
    let every_port = from == 0 && to == u16::MAX;
    Rule {
        range,
        protocol: match mask {
            0 => Protocol::Any,
            _ => Protocol::Number(protocol),
        },
        ports: (!every_port).then_some(from..=to),
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct RuleRow {
    pub(super) count: u32,
    pub(super) rules: [RuleCell; RULES_PER_ROW],
}

impl RuleRow {
    /// At most [`RULES_PER_ROW`] of them, all of IPv4.
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut row = Self::default();
        for (cell, rule) in row.rules.iter_mut().zip(rules.iter().filter_map(RuleCell::new)) {
            *cell = rule;
            row.count += 1;
        }
        row
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = Rule> + '_ {
        let count = usize::try_from(self.count).unwrap_or_default();
        self.rules.iter().take(count).filter_map(|cell| cell.rule())
    }
}
