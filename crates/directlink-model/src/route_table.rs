//! Route tables: what the Subnets of a Net know of the world outside.

use crate::ids::{AccountId, GatewayId, NetId, RouteTableId, RouteTableLinkId, SubnetId};
use directlink_net::{IpNet, Ipv4Net};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTable {
    pub id: RouteTableId,
    pub account: AccountId,
    pub net: NetId,
    /// Gateways whose learned routes show here.
    pub propagating: Vec<GatewayId>,
    pub links: Vec<RouteTableLink>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTableLink {
    pub id: RouteTableLinkId,
    /// `None`: the main table of its Net, which serves every Subnet without one of its own.
    pub subnet: Option<SubnetId>,
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
    /// Learned by BGP on an interface of this gateway, and propagated.
    Learned(GatewayId),
}

impl RouteTable {
    /// The lines, given the Net's range and what each gateway has learned. One line a prefix.
    pub fn routes(&self, range: Ipv4Net, learned: &[(GatewayId, IpNet)]) -> Vec<Route> {
        let local = Route { destination: range.into(), origin: RouteOrigin::Local };
        let mut propagated: Vec<_> =
            learned.iter().filter(|(gateway, _)| self.propagating.contains(gateway)).collect();
        propagated.sort_by_key(|(_, prefix)| *prefix);
        propagated.dedup_by_key(|(_, prefix)| *prefix);
        let line = |&&(gateway, destination): &&(GatewayId, IpNet)| Route {
            destination,
            origin: RouteOrigin::Learned(gateway),
        };
        std::iter::once(local).chain(propagated.iter().map(line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learned_routes_show_only_where_propagation_is_on_and_once_a_prefix() {
        let (on, off) = (GatewayId::from_bits(1), GatewayId::from_bits(2));
        let table = RouteTable {
            id: RouteTableId::from_bits(1),
            account: AccountId::from_number(1),
            net: NetId::from_bits(1),
            propagating: vec![on],
            links: vec![],
        };
        let p = |s: &str| s.parse::<IpNet>().unwrap();
        let learned = [
            (on, p("192.168.2.0/24")),
            (off, p("172.16.0.0/24")),
            (on, p("192.168.1.0/24")),
            (on, p("192.168.2.0/24")),
        ];
        let lines: Vec<_> = table
            .routes("10.0.0.0/16".parse().unwrap(), &learned)
            .into_iter()
            .map(|r| (r.destination.to_string(), r.origin))
            .collect();
        assert_eq!(
            lines,
            [
                ("10.0.0.0/16".into(), RouteOrigin::Local),
                ("192.168.1.0/24".into(), RouteOrigin::Learned(on)),
                ("192.168.2.0/24".into(), RouteOrigin::Learned(on)),
            ]
        );
    }
}
