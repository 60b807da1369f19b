//! Which ports speak, as who, and which of a bundle carries.

use super::{Member, Members};
use crate::{names, wanted::Wanted};
use directlink_bgp::lacp::{Information, Role, States};
use directlink_model::{ids::PortName, plan::LagPlan};
use std::collections::BTreeMap;

/// The usual ones (IEEE 802.1AX-2020 §6.3): nobody has reason to prefer.
const PRIORITY: u16 = 0x8000;
/// A bundle is a system of its own: none of its ports can be bundled with another's.
const KEY: u16 = 1;

/// Every port of a LAG. It is the server that chooses which one carries: the one whose plan has the
/// interfaces; and while there are none, the first that is lit. None does with fewer lit ports than
/// the LAG asks for.
pub(crate) fn members(wanted: &Wanted, lights: &BTreeMap<PortName, bool>) -> Members {
    let is_lit = |port: &PortName| lights.get(port).copied().unwrap_or_default();
    let has_interfaces =
        |port: &PortName| wanted.interfaces.values().any(|interface| interface.port == *port);
    let carrier = |lag: &LagPlan| {
        let lit = lag.ports.iter().filter(|port| is_lit(port));
        let is_enough = lit.clone().count() >= lag.minimum_links as usize;
        let chosen =
            lag.ports.iter().find(|port| has_interfaces(port)).or_else(|| lit.clone().next());
        chosen.filter(|_| is_enough).cloned()
    };
    let member = |(port, lag): (&PortName, &LagPlan)| {
        let number = lag.ports.iter().position(|it| it == port)?;
        let actor = Information {
            system_priority: PRIORITY,
            system: names::system(lag.id).0,
            key: KEY,
            port_priority: PRIORITY,
            port: u16::try_from(number + 1).ok()?,
            states: States::default(),
        };
        let role = if carrier(lag).as_ref() == Some(port) { Role::Carries } else { Role::StandsBy };
        Some((port.clone(), Member { actor, role, light: is_lit(port) }))
    };
    wanted.lags.iter().filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wanted::{Interface, Known};
    use directlink_model::{
        ids::{InterfaceId, LagId},
        plan::{Document, PortPlan, Scope},
    };
    use directlink_net::{Mac, Mtu};

    fn port(name: &str) -> PortName {
        name.parse().unwrap()
    }

    fn lag(minimum_links: u32) -> LagPlan {
        let ports = ["p0", "p1", "p2"].map(port).into();
        LagPlan { id: LagId::from_bits(0x1a2b_3c4d), ports, minimum_links }
    }

    fn interface(port: PortName) -> Interface {
        Interface {
            port,
            vlan: 101_u16.try_into().unwrap(),
            mtu: Mtu::MAX,
            mac: Mac([6; 6]),
            peers: vec![],
            vni: None,
            rate: None,
        }
    }

    /// Three ports of one LAG, of which these are lit, and the one that has interfaces.
    fn of(lit: &[&str], with_interfaces: Option<&str>, minimum_links: u32) -> Members {
        let plan = PortPlan { lag: Some(lag(minimum_links)), ..PortPlan::default() };
        let scopes = ["p0", "p1", "p2"].map(|name| {
            let known = Known::Current { generation: 1, document: Document::Port(plan.clone()) };
            (Scope::Port(port(name)), known)
        });
        let mut wanted = Wanted::of(&scopes.into());
        if let Some(name) = with_interfaces {
            wanted.interfaces.insert(InterfaceId::from_bits(1), interface(port(name)));
        }
        members(&wanted, &lit.iter().map(|name| (port(name), true)).collect())
    }

    #[test]
    fn the_port_with_interfaces_carries_or_else_the_first_that_is_lit() {
        for (lit, with_interfaces, minimum, carries) in [
            (&["p0", "p1", "p2"][..], None, 0, Some("p0")),
            (&["p1", "p2"], None, 1, Some("p1")),
            (&["p0", "p1", "p2"], Some("p2"), 1, Some("p2")),
            (&["p0", "p1"], Some("p2"), 1, Some("p2")),
            (&["p0", "p1"], Some("p1"), 3, None),
            (&["p0", "p1"], None, 3, None),
            (&[], None, 0, None),
        ] {
            let members = of(lit, with_interfaces, minimum);
            let carrying: Vec<_> = members
                .iter()
                .filter(|(_, member)| member.role == Role::Carries)
                .map(|(port, _)| port.as_str())
                .collect();
            assert_eq!(carrying.first().copied(), carries, "{lit:?} {with_interfaces:?} {minimum}");
            assert!(carrying.len() <= 1);
            for (port, member) in &members {
                assert_eq!(member.light, lit.contains(&port.as_str()), "{port}");
            }
        }
    }

    #[test]
    fn the_ports_of_a_lag_are_one_system_with_numbers_of_their_own() {
        let members = of(&[], None, 0);
        let said: Vec<_> = members.values().map(|it| (it.actor.system, it.actor.port)).collect();
        let system = [0x06, 0x45, 0x1a, 0x2b, 0x3c, 0x4d];
        assert_eq!(said, [(system, 1), (system, 2), (system, 3)]);
    }

    #[test]
    fn a_port_by_itself_does_not_speak() {
        let known = Known::Current { generation: 1, document: Document::Port(PortPlan::default()) };
        let wanted = Wanted::of(&[(Scope::Port(port("p0")), known)].into());
        assert!(members(&wanted, &[(port("p0"), true)].into()).is_empty());
    }
}
