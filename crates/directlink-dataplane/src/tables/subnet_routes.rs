//! What the route table of a NIC's Subnet says, row by row: part of a rule set.

use super::Address;
use crate::rows::{RuleSetNumber, SubnetRoutes, Toward};
use directlink_net::Ipv4Net;

pub(crate) const HAND_ROUTES_PER_ROW: usize = 16;
pub(crate) const HAND_ROUTE_ROWS_PER_SET: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct SubnetRoutesKey {
    pub(super) rule_set: u32,
    pub(super) row: u32,
}

impl SubnetRoutesKey {
    pub(crate) fn new(set: RuleSetNumber, row: u32) -> Self {
        Self { rule_set: set.into(), row }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct HandRoute {
    pub(super) network: Address,
    pub(super) mask: Address,
    pub(super) prefix_len: u16,
    pub(super) to_gateway: u16,
}

impl HandRoute {
    fn new((prefix, toward): (Ipv4Net, Toward)) -> Self {
        Self {
            network: prefix.network().octets(),
            mask: prefix.netmask().octets(),
            prefix_len: prefix.prefix_len().into(),
            to_gateway: u16::from(toward == Toward::Gateway),
        }
    }

    fn route(self) -> Option<(Ipv4Net, Toward)> {
        let prefix = Ipv4Net::new(self.network.into(), u8::try_from(self.prefix_len).ok()?);
        let toward = if self.to_gateway == 0 { Toward::Elsewhere } else { Toward::Gateway };
        Some((prefix.ok()?, toward))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct SubnetRoutesRow {
    pub(super) count: u8,
    pub(super) has_next: u8,
    pub(super) takes_learned: u16,
    pub(super) routes: [HandRoute; HAND_ROUTES_PER_ROW],
}

impl SubnetRoutesRow {
    /// All of a set's, in their order: none where the table takes what was learned and has no route
    /// by hand, else at least one.
    pub(crate) fn all(routes: &SubnetRoutes) -> Vec<Self> {
        let mut by_hand: Vec<_> = routes.by_hand.iter().map(|(&to, &it)| (to, it)).collect();
        by_hand.sort_by_key(|(prefix, _)| u8::MAX - prefix.prefix_len());
        let row_of = |chunk: &[(Ipv4Net, Toward)]| {
            let mut row = Self { takes_learned: routes.takes_learned.into(), ..Self::default() };
            for (cell, &route) in row.routes.iter_mut().zip(chunk) {
                *cell = HandRoute::new(route);
                row.count += 1;
            }
            row
        };
        let mut rows: Vec<_> = match by_hand.is_empty() && !routes.takes_learned {
            true => vec![row_of(&[])],
            false => by_hand.chunks(HAND_ROUTES_PER_ROW).map(row_of).collect(),
        };
        for row in rows.iter_mut().rev().skip(1) {
            row.has_next = 1;
        }
        rows
    }

    pub(crate) const fn takes_learned(&self) -> bool {
        self.takes_learned != 0
    }

    pub(crate) fn by_hand(&self) -> impl Iterator<Item = (Ipv4Net, Toward)> + '_ {
        self.routes.iter().take(self.count.into()).filter_map(|cell| cell.route())
    }
}
