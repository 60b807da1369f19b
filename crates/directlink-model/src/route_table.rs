//! Route tables: what the Subnets of a Net know of the world outside.
//!
//! ```text
//!   Net ── main table ◄── every Subnet without a link of its own
//!    └──── table ◄── link ── Subnet
//!
//!   lines of a table:  the Net's own range · routes made by hand · routes learned by BGP
//!                      of one destination the first of these counts, and alone is shown
//! ```

use crate::{
    fault::{Fault, RouteFault},
    ids::{AccountId, GatewayId, NetId, NicId, RouteTableId, RouteTableLinkId, SubnetId},
};
use directlink_net::{IpNet, Ipv4Net};
use std::{collections::BTreeSet, fmt};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTable {
    pub id: RouteTableId,
    pub account: AccountId,
    pub net: NetId,
    /// Gateways whose learned routes show here.
    pub propagating: Vec<GatewayId>,
    pub links: Vec<RouteTableLink>,
    /// Made by hand, in order of destination: one for each.
    pub statics: Vec<StaticRoute>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTableLink {
    pub id: RouteTableLinkId,
    /// `None`: the main table of its Net, which serves every Subnet without one of its own.
    pub subnet: Option<SubnetId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticRoute {
    pub destination: Ipv4Net,
    pub target: RouteTarget,
}

/// Where a route made by hand leads, of what there is in this Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteTarget {
    Gateway(GatewayId),
    Nic(NicId),
}

impl fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(id) => id.fmt(f),
            Self::Nic(id) => id.fmt(f),
        }
    }
}

/// One line of a table, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub destination: IpNet,
    pub origin: RouteOrigin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteOrigin {
    /// The Net's own range.
    Local,
    /// Made by hand.
    Static(RouteTarget),
    /// Learned by BGP on an interface of this gateway, and propagated.
    Learned(GatewayId),
}

/// The table that a Subnet goes by: its own, or else the main one of its Net. `tables`: the Net's.
pub fn of_subnet(tables: &[RouteTable], subnet: SubnetId) -> Option<&RouteTable> {
    let linked = |table: &&RouteTable| table.links.iter().any(|it| it.subnet == Some(subnet));
    tables.iter().find(linked).or_else(|| tables.iter().find(|table| table.is_main()))
}

impl RouteTable {
    /// Whether anything goes to the gateway by it.
    pub fn leads_to(&self, gateway: GatewayId) -> bool {
        let by_hand = |route: &StaticRoute| route.target == RouteTarget::Gateway(gateway);
        self.propagating.contains(&gateway) || self.statics.iter().any(by_hand)
    }

    /// The lines, given the Net's range and what each gateway has learned. One line a prefix.
    pub fn routes(&self, range: Ipv4Net, learned: &[(GatewayId, IpNet)]) -> Vec<Route> {
        let local = Route { destination: range.into(), origin: RouteOrigin::Local };
        let by_hand = self.statics.iter().map(|route| Route {
            destination: route.destination.into(),
            origin: RouteOrigin::Static(route.target),
        });
        let mut propagated: Vec<_> =
            learned.iter().filter(|(gateway, _)| self.propagating.contains(gateway)).collect();
        propagated.sort_by_key(|(_, prefix)| *prefix);
        let propagated = propagated.into_iter().map(|&(gateway, destination)| Route {
            destination,
            origin: RouteOrigin::Learned(gateway),
        });
        let mut shown = BTreeSet::new();
        let all = std::iter::once(local).chain(by_hand).chain(propagated);
        all.filter(|route| shown.insert(route.destination)).collect()
    }

    pub fn is_main(&self) -> bool {
        self.links.iter().any(|link| link.subnet.is_none())
    }

    /// # Errors
    /// The destination is one that no route by hand may have, or has one already.
    pub fn check_new(&self, destination: Ipv4Net, range: Ipv4Net) -> Result<(), Fault> {
        if self.statics.iter().any(|route| route.destination == destination) || destination == range
        {
            return Err(Fault::Route(RouteFault::Exists { table: self.id, destination }));
        }
        match range.contains(&destination) {
            true => Err(Fault::Route(RouteFault::InsideNet { destination, net: self.net })),
            false => Ok(()),
        }
    }

    /// # Errors
    /// There is no route by hand to that destination.
    pub fn check_static(&self, destination: Ipv4Net, range: Ipv4Net) -> Result<(), Fault> {
        if destination == range {
            return Err(Fault::Route(RouteFault::IsLocal(self.id)));
        }
        match self.statics.iter().any(|route| route.destination == destination) {
            true => Ok(()),
            false => Err(Fault::Route(RouteFault::NoSuchRoute { table: self.id, destination })),
        }
    }

    /// # Errors
    /// It is the main one, or Subnets use it.
    pub fn check_deletable(&self) -> Result<(), Fault> {
        match (self.is_main(), self.links.len()) {
            (true, _) => Err(Fault::Route(RouteFault::TableIsMain(self.id))),
            (false, 0) => Ok(()),
            (false, count) => Err(Fault::Route(RouteFault::TableInUse { table: self.id, count })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: GatewayId = GatewayId::from_bits(1);
    const OFF: GatewayId = GatewayId::from_bits(2);

    fn range(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn table(links: &[Option<SubnetId>], statics: &[&str]) -> RouteTable {
        RouteTable {
            id: RouteTableId::from_bits(1),
            account: AccountId::from_number(1),
            net: NetId::from_bits(1),
            propagating: vec![ON],
            links: links
                .iter()
                .map(|subnet| RouteTableLink {
                    id: RouteTableLinkId::from_bits(1),
                    subnet: *subnet,
                })
                .collect(),
            statics: statics
                .iter()
                .map(|text| StaticRoute {
                    destination: range(text),
                    target: RouteTarget::Gateway(OFF),
                })
                .collect(),
        }
    }

    #[test]
    fn a_destination_shows_once_by_hand_before_learned_and_learned_where_propagation_is_on() {
        let table = table(&[], &["192.168.1.0/24", "0.0.0.0/0"]);
        let p = |s: &str| s.parse::<IpNet>().unwrap();
        let learned = [
            (ON, p("192.168.2.0/24")),
            (OFF, p("172.16.0.0/24")),
            (ON, p("192.168.1.0/24")),
            (ON, p("192.168.2.0/24")),
        ];
        let by_hand = RouteOrigin::Static(RouteTarget::Gateway(OFF));
        let lines: Vec<_> = table
            .routes(range("10.0.0.0/16"), &learned)
            .into_iter()
            .map(|r| (r.destination.to_string(), r.origin))
            .collect();
        assert_eq!(
            lines,
            [
                ("10.0.0.0/16".into(), RouteOrigin::Local),
                ("192.168.1.0/24".into(), by_hand.clone()),
                ("0.0.0.0/0".into(), by_hand),
                ("192.168.2.0/24".into(), RouteOrigin::Learned(ON)),
            ]
        );
    }

    #[test]
    fn which_destinations_a_route_by_hand_may_have() {
        let table = table(&[], &["192.168.1.0/24"]);
        let net = range("10.0.0.0/16");
        for (destination, fresh, there) in [
            ("192.168.2.0/24", "ok", "NoSuchRoute"),
            ("0.0.0.0/0", "ok", "NoSuchRoute"),
            ("192.168.1.0/24", "Exists", "ok"),
            ("10.0.0.0/16", "Exists", "IsLocal"),
            ("10.0.1.0/24", "InsideNet", "NoSuchRoute"),
            ("10.0.0.0/8", "ok", "NoSuchRoute"),
        ] {
            let name = |outcome: Result<(), Fault>| match outcome {
                Ok(()) => "ok".to_owned(),
                Err(Fault::Route(fault)) => {
                    format!("{fault:?}").split([' ', '(']).next().unwrap().to_owned()
                }
                Err(other) => panic!("{other:?}"),
            };
            let destination = range(destination);
            assert_eq!(name(table.check_new(destination, net)), fresh, "{destination}");
            assert_eq!(name(table.check_static(destination, net)), there, "{destination}");
        }
    }

    #[test]
    fn a_subnet_goes_by_its_own_table_or_else_by_the_main_one() {
        let [one, two] = [1, 2].map(SubnetId::from_bits);
        let main = table(&[None], &[]);
        let own = RouteTable { id: RouteTableId::from_bits(2), ..table(&[Some(two)], &[]) };
        let bare = RouteTable { id: RouteTableId::from_bits(3), ..table(&[], &[]) };
        let tables = [bare, own, main];
        let of = |subnet| of_subnet(&tables, subnet).map(|table| table.id);
        assert_eq!(of(one), Some(RouteTableId::from_bits(1)));
        assert_eq!(of(two), Some(RouteTableId::from_bits(2)));
        assert_eq!(of_subnet(&tables[..2], one), None);
    }

    #[test]
    fn a_table_leads_to_a_gateway_by_propagation_or_by_hand() {
        assert!(table(&[], &[]).leads_to(ON));
        assert!(!table(&[], &[]).leads_to(OFF));
        assert!(table(&[], &["192.168.1.0/24"]).leads_to(OFF));
    }

    #[test]
    fn a_table_in_use_stays() {
        for (links, good) in
            [(vec![], true), (vec![None], false), (vec![Some(SubnetId::from_bits(1))], false)]
        {
            assert_eq!(table(&links, &[]).check_deletable().is_ok(), good, "{links:?}");
        }
    }
}
