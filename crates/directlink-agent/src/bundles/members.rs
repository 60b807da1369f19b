//! Which port of a bundle has the interfaces, which others carry for it, and who each port is in LACP.

use super::{Member, Members};
use crate::{
    names,
    wanted::{Certainty, Known, Wanted},
};
use directlink_bgp::lacp::{Information, Role, States, Status};
use directlink_model::{
    ids::{InterfaceId, PortName},
    plan::{Document, LagPlan, Scope},
};
use directlink_net::{Mac, Vni};
use std::collections::{BTreeMap, BTreeSet};

/// The usual ones (IEEE 802.1AX-2020 §6.3): nobody has reason to prefer.
const PRIORITY: u16 = 0x8000;
/// A bundle is a system of its own: none of its ports can be bundled with another's.
const KEY: u16 = 1;

/// What is seen of ports.
pub(crate) struct Sight<'a> {
    pub(crate) lights: &'a BTreeMap<PortName, bool>,
    /// Of each port that speaks it.
    pub(crate) lacp: &'a BTreeMap<PortName, Status>,
}

impl Sight<'_> {
    fn is_lit(&self, port: &PortName) -> bool {
        self.lights.get(port).copied().unwrap_or_default()
    }

    /// The customer has it in its bundle.
    fn is_ready(&self, port: &PortName) -> bool {
        self.lacp.get(port).is_some_and(|status| status.is_ready)
    }

    /// The customer's bundle that it is a part of, or waits to be: its system, and the key there. Ports
    /// of two bundles carry nothing for each other.
    fn partner(&self, port: &PortName) -> Option<(Mac, u16)> {
        let partner = self.lacp.get(port)?.partner?;
        Some((partner.system, partner.key))
    }

    /// Ports by which both ends send.
    pub(crate) fn in_use<'l>(&self, lag: &'l LagPlan) -> impl Iterator<Item = &'l PortName> {
        let is_in_use = |port: &&PortName| {
            self.is_lit(port) && self.lacp.get(*port).is_some_and(|status| status.is_in_use)
        };
        lag.ports.iter().filter(is_in_use)
    }

    fn is_enough(&self, lag: &LagPlan) -> bool {
        lag.ports.iter().filter(|port| self.is_lit(port)).count() >= lag.minimum_links as usize
    }

    /// As the server chooses it by what it is told (`Bundle::carrier` of the model): of those that are lit the
    /// first, of those that are ready if one is. `None` with fewer lit ports than the LAG asks for.
    fn choice<'l>(&self, lag: &'l LagPlan) -> Option<&'l PortName> {
        let lit = lag.ports.iter().filter(|port| self.is_lit(port));
        lit.filter(|_| self.is_enough(lag)).min_by_key(|port| (!self.is_ready(port), *port))
    }

    /// Whether what a plan has on a port cannot go by it, but by the other.
    fn has_better(&self, port: &PortName, other: &PortName) -> bool {
        !self.is_lit(port) || (self.is_ready(other) && !self.is_ready(port))
    }
}

/// Interfaces of a LAG leave a port by which nothing can go, for the one that the server will choose: its
/// plan that says so comes a moment later, or when a server is there again. In all else it is as planned.
pub(crate) fn follow(wanted: &mut Wanted, sight: &Sight<'_>) {
    let planned: BTreeSet<_> = wanted.interfaces.values().map(|it| it.port.clone()).collect();
    let goes = |port: &PortName| Some((port.clone(), destination(wanted, port, sight)?.clone()));
    let moves: BTreeMap<PortName, PortName> = planned.iter().filter_map(goes).collect();
    for interface in wanted.interfaces.values_mut() {
        if let Some(port) = moves.get(&interface.port) {
            interface.port.clone_from(port);
        }
    }
}

/// Where what is planned on a port goes, if not there.
fn destination<'w>(
    wanted: &'w Wanted,
    planned: &PortName,
    sight: &Sight<'_>,
) -> Option<&'w PortName> {
    let lag = wanted.lags.get(planned)?;
    let port = sight.choice(lag).filter(|port| sight.has_better(planned, port))?;
    // A port whose plan cannot be read is left alone, or says something else.
    let is_its =
        wanted.ports.get(port) == Some(&Certainty::Current) && wanted.lags.get(port) == Some(lag);
    is_its.then_some(port)
}

/// Whether interfaces of a LAG are elsewhere than they shall be, by what is seen of its ports now: a customer
/// may turn light and LACP as often as it likes. Those of a port go together, so one tells.
pub(crate) fn is_overtaken(
    scopes: &BTreeMap<Scope, Known>,
    wanted: &Wanted,
    sight: &Sight<'_>,
) -> bool {
    let plan = |port: &PortName| match scopes.get(&Scope::Port(port.clone())) {
        Some(Known::Current { document: Document::Port(plan), .. }) => Some(plan),
        _ => None,
    };
    let is_elsewhere = |lag: &LagPlan, id: &InterfaceId| {
        // While a move is being told it is in two plans, of which the last holds, as in `Wanted::of`.
        let has = |port: &&PortName| plan(port).is_some_and(|it| it.interfaces.contains_key(id));
        let planned = lag.ports.iter().rev().find(has)?;
        let shall = destination(wanted, planned, sight).unwrap_or(planned);
        Some(wanted.interfaces.get(id)?.port != *shall)
    };
    wanted.lags.iter().any(|(port, lag)| {
        let one = plan(port).and_then(|plan| plan.interfaces.keys().next());
        one.and_then(|id| is_elsewhere(lag, id)).unwrap_or_default()
    })
}

/// By Net, the ports of LAGs over which what it sends is spread. Without LACP there are none.
pub(crate) type InUse = BTreeMap<Vni, BTreeSet<PortName>>;

pub(crate) fn in_use(wanted: &Wanted, sight: &Sight<'_>) -> InUse {
    let mut all = InUse::new();
    for interface in wanted.interfaces.values() {
        let Some((vni, lag)) = interface.vni.zip(wanted.lags.get(&interface.port)) else {
            continue;
        };
        let mut ports = sight.in_use(lag).peekable();
        if ports.peek().is_some() {
            all.entry(vni).or_default().extend(ports.cloned());
        }
    }
    all
}

/// Every port of a LAG. The one that has the interfaces is in the bundle, or while there are none or it is dark
/// the one that will have them; with it all lit ones that lead to the same bundle of the customer. None
/// is with fewer lit ports than the LAG asks for.
pub(crate) fn members(wanted: &Wanted, sight: &Sight<'_>) -> Members {
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
        let light = sight.is_lit(port);
        let joins = |carrier| light && joins(port, carrier, sight);
        let role = match carrier(lag, wanted, sight) {
            Some(carrier) if carrier == port || joins(carrier) => Role::Carries,
            _ => Role::StandsBy,
        };
        Some((port.clone(), Member { actor, role, light, ports: lag.ports.clone() }))
    };
    wanted.lags.iter().filter_map(member).collect()
}

fn carrier<'l>(lag: &'l LagPlan, wanted: &Wanted, sight: &Sight<'_>) -> Option<&'l PortName> {
    let has_interfaces = |port: &&PortName| wanted.interfaces.values().any(|it| it.port == **port);
    let lit = lag.ports.iter().find(has_interfaces).filter(|port| sight.is_lit(port));
    lit.filter(|_| sight.is_enough(lag)).or_else(|| sight.choice(lag))
}

/// Who speaks no LACP has one port at a time: what it sends by another may be a copy.
fn joins(port: &PortName, carrier: &PortName, sight: &Sight<'_>) -> bool {
    let partner = sight.partner(port);
    partner.is_some() && partner == sight.partner(carrier)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wanted::Interface;
    use directlink_bgp::lacp::Partner;
    use directlink_model::{ids::LagId, plan::PortPlan};
    use directlink_net::Mtu;

    fn port(name: &str) -> PortName {
        name.parse().unwrap()
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

    /// Three ports of one LAG, and one by itself.
    fn wanted(minimum_links: u32) -> Wanted {
        let ports = ["p0", "p1", "p2"].map(port).into();
        let lag = LagPlan { id: LagId::from_bits(0x1a2b_3c4d), ports, minimum_links };
        let scopes = ["p0", "p1", "p2", "p3"].map(|name| {
            let lag = Some(lag.clone()).filter(|lag| lag.ports.contains(&port(name)));
            let document = Document::Port(PortPlan { lag, ..PortPlan::default() });
            (Scope::Port(port(name)), Known::Current { generation: 1, document })
        });
        Wanted::of(&scopes.into())
    }

    fn lights(lit: &[&str]) -> BTreeMap<PortName, bool> {
        lit.iter().map(|name| (port(name), true)).collect()
    }

    /// With an interface that was planned there, after it has followed.
    fn with_interface(planned: &str, mut wanted: Wanted, sight: &Sight<'_>) -> Wanted {
        wanted.interfaces.insert(InterfaceId::from_bits(1), interface(port(planned)));
        follow(&mut wanted, sight);
        wanted
    }

    fn goes(planned: &str, wanted: &Wanted, sight: &Sight<'_>) -> String {
        let wanted = with_interface(planned, wanted.clone(), sight);
        wanted.interfaces[&InterfaceId::from_bits(1)].port.to_string()
    }

    /// Ports of which LACP says so much, each led to a bundle of its own.
    fn lacp(ready: &[&str]) -> BTreeMap<PortName, Status> {
        (1..).zip(ready).map(|(key, name)| (port(name), status(key, false))).collect()
    }

    fn status(key: u16, is_in_use: bool) -> Status {
        let partner = Some(Partner { system: Mac([2, 9, 9, 9, 9, 9]), key, port: 1 });
        Status { partner, is_ready: true, is_in_use }
    }

    fn carrying(wanted: &Wanted, sight: &Sight<'_>) -> Vec<String> {
        let members = members(wanted, sight).into_iter();
        let carrying = members.filter(|(_, member)| member.role == Role::Carries);
        carrying.map(|(port, _)| port.to_string()).collect()
    }

    #[test]
    fn an_interface_leaves_a_port_that_is_dark_or_that_another_is_readier_than() {
        for (lit, ready, minimum, planned, expected, in_bundle) in [
            (&["p0", "p1", "p2"][..], &[][..], 0, "p0", "p0", Some("p0")),
            (&["p1", "p2"], &[], 1, "p0", "p1", Some("p1")),
            (&["p2"], &[], 1, "p1", "p2", Some("p2")),
            (&["p1", "p2"], &["p2"], 1, "p0", "p2", Some("p2")),
            (&["p0", "p1"], &["p1"], 1, "p0", "p1", Some("p1")),
            (&["p1"], &["p0"], 1, "p0", "p1", Some("p1")),
            // Where both would do the server has chosen.
            (&["p0", "p1", "p2"], &[], 0, "p2", "p2", Some("p2")),
            (&["p0", "p1"], &["p0", "p1"], 1, "p1", "p1", Some("p1")),
            // Nothing moves where nothing carries.
            (&["p1", "p2"], &[], 3, "p0", "p0", None),
            (&[], &["p1"], 0, "p0", "p0", None),
            (&["p0"], &[], 0, "p3", "p3", Some("p0")),
        ] {
            let (lights, lacp) = (lights(lit), lacp(ready));
            let sight = Sight { lights: &lights, lacp: &lacp };
            let case = format!("{lit:?} {ready:?} {minimum} {planned}");
            let wanted = wanted(minimum);
            assert_eq!(goes(planned, &wanted, &sight), expected, "{case}");
            let wanted = with_interface(planned, wanted, &sight);
            assert_eq!(carrying(&wanted, &sight), Vec::from_iter(in_bundle), "{case}");
            for (port, member) in members(&wanted, &sight) {
                assert_eq!(member.light, lit.contains(&port.as_str()), "{port}");
            }
        }
    }

    #[test]
    fn without_interfaces_the_bundle_is_on_the_port_that_will_have_them() {
        for (lit, ready, minimum, expected) in [
            (&["p1", "p2"][..], &[][..], 0, Some("p1")),
            (&["p1", "p2"], &["p2"], 0, Some("p2")),
            (&["p1", "p2"], &["p2"], 3, None),
            (&[], &[], 0, None),
        ] {
            let (lights, lacp) = (lights(lit), lacp(ready));
            let sight = Sight { lights: &lights, lacp: &lacp };
            assert_eq!(carrying(&wanted(minimum), &sight), Vec::from_iter(expected), "{lit:?}");
        }
    }

    #[test]
    fn all_lit_ports_that_lead_to_the_same_bundle_of_the_customer_carry() {
        // By port: light, and the key of the customer's bundle.
        for (seen, minimum, planned, expected) in [
            ([(true, Some(1)), (true, Some(1)), (true, Some(1))], 0, "p1", &["p0", "p1", "p2"][..]),
            ([(true, Some(1)), (true, Some(1)), (true, Some(2))], 0, "p1", &["p0", "p1"]),
            ([(true, Some(1)), (true, Some(2)), (true, Some(2))], 0, "p1", &["p1", "p2"]),
            ([(true, Some(1)), (true, None), (true, None)], 0, "p0", &["p0"]),
            ([(true, None), (true, None), (true, None)], 0, "p0", &["p0"]),
            ([(false, Some(1)), (true, Some(1)), (true, Some(1))], 0, "p1", &["p1", "p2"]),
            // Dark a moment ago: the others go on before anything has moved.
            ([(false, None), (true, Some(1)), (true, Some(1))], 0, "p0", &["p1", "p2"]),
            ([(true, Some(1)), (true, Some(1)), (false, Some(1))], 3, "p0", &[]),
        ] {
            let ports = ["p0", "p1", "p2"].map(port);
            let lights = ports.iter().cloned().zip(seen.map(|(light, _)| light)).collect();
            let keys = seen.iter().map(|(_, key)| key.map(|key| status(key, true)));
            let lacp = ports.iter().zip(keys).filter_map(|(port, it)| Some((port.clone(), it?)));
            let lacp = lacp.collect();
            let sight = Sight { lights: &lights, lacp: &lacp };
            let mut wanted = wanted(minimum);
            wanted.interfaces.insert(InterfaceId::from_bits(1), interface(port(planned)));
            assert_eq!(carrying(&wanted, &sight), expected, "{seen:?} {planned}");
        }
    }

    #[test]
    fn a_port_is_in_use_where_lacp_says_so_and_light_is_seen() {
        let lights = lights(&["p0", "p2"]);
        let lacp = [("p0", true), ("p1", true), ("p2", false)];
        let lacp = lacp.map(|(name, is_in_use)| (port(name), status(1, is_in_use))).into();
        let sight = Sight { lights: &lights, lacp: &lacp };
        let vni = |n: u32| Vni::try_from(n).unwrap();
        let mut wanted = wanted(0);
        for (n, planned) in [(1, "p1"), (2, "p0"), (3, "p3")] {
            let interface = Interface { vni: Some(vni(n)), ..interface(port(planned)) };
            wanted.interfaces.insert(InterfaceId::from_bits(n), interface);
        }
        let p0 = || BTreeSet::from([port("p0")]);
        assert_eq!(in_use(&wanted, &sight), [(vni(1), p0()), (vni(2), p0())].into());
    }

    #[test]
    fn nothing_goes_to_a_port_whose_plan_is_old_or_of_another_lag() {
        let (lights, lacp) = (lights(&["p1"]), BTreeMap::new());
        let sight = Sight { lights: &lights, lacp: &lacp };
        let mut held = wanted(0);
        held.ports.insert(port("p1"), Certainty::Held);
        assert_eq!(goes("p0", &held, &sight), "p0");
        let mut other = wanted(0);
        other.lags.get_mut(&port("p1")).unwrap().id = LagId::from_bits(9);
        assert_eq!(goes("p0", &other, &sight), "p0");
    }

    #[test]
    fn the_ports_of_a_lag_are_one_system_with_numbers_of_their_own_and_others_do_not_speak() {
        let (lights, lacp) = (lights(&["p3"]), BTreeMap::new());
        let members = members(&wanted(0), &Sight { lights: &lights, lacp: &lacp });
        let said: Vec<_> = members.values().map(|it| (it.actor.system, it.actor.port)).collect();
        let system = [0x06, 0x45, 0x1a, 0x2b, 0x3c, 0x4d];
        assert_eq!(said, [(system, 1), (system, 2), (system, 3)]);
    }
}
