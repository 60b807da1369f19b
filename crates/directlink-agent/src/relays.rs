//! What other routers of the Region lead to → rows for what this one does not, or not any more. Pure.
//!
//! ```text
//! par1-r1, plan:  192.168.10.0/24 elsewhere → par4-r1
//!          rows:  192.168.10.0/24 → 1            while its own customer is there
//!                 192.168.10.0/24 → par4-r1      from the moment that it is not
//! ```
//!
//! The plan says it before it is needed: when light goes, nobody is asked. A way of our own always
//! wins, unless it is drained; packets that meet it on the way there are relayed once at most (`ebpf/relay.h`).

use crate::{
    routes::{FIRST_PREFIX, RouteRows, WAYS_MAX},
    wanted::{Certainty, Wanted},
};
use directlink_dataplane::InterfaceNumber;
use directlink_net::{IpNet, Vni};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

/// By Net and prefix, the other routers that lead there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    routers: BTreeMap<(Vni, IpNet), BTreeSet<Ipv4Addr>>,
    nets: BTreeMap<Vni, Certainty>,
    some_net_unknown: bool,
}

impl Elsewhere {
    /// Dead routers lead nowhere.
    pub(crate) fn of(wanted: &Wanted, dead: &BTreeSet<Ipv4Addr>) -> Self {
        let routers = wanted.nets.iter().flat_map(|(&vni, net)| {
            let living = |to: &BTreeSet<Ipv4Addr>| to.difference(dead).copied().collect();
            net.elsewhere.iter().map(move |(&prefix, to)| ((vni, prefix.into()), living(to)))
        });
        Self {
            routers: routers.collect(),
            nets: wanted.nets.iter().map(|(&vni, net)| (vni, net.certainty)).collect(),
            some_net_unknown: wanted.some_net_unknown,
        }
    }

    /// The prefixes of a Net that others lead to.
    pub(crate) fn prefixes(&self, vni: Vni) -> impl Iterator<Item = IpNet> {
        let of_net = self.routers.range((vni, FIRST_PREFIX)..);
        of_net.map(|(key, _)| *key).take_while(move |(of, _)| *of == vni).map(|(_, prefix)| prefix)
    }

    /// These of them.
    pub(crate) fn within(&self, vni: Vni, prefixes: &BTreeSet<IpNet>) -> Self {
        let mut part = Self {
            routers: BTreeMap::new(),
            nets: self.nets.get(&vni).map(|certainty| (vni, *certainty)).into_iter().collect(),
            some_net_unknown: self.some_net_unknown,
        };
        if !self.routers.is_empty() {
            let keys = prefixes.iter().map(|&prefix| (vni, prefix));
            let known = keys.filter_map(|key| Some((key, self.routers.get(&key)?.clone())));
            part.routers.extend(known);
        }
        part
    }

    /// The Nets that differ.
    pub(crate) fn unlike(&self, other: &Self) -> BTreeSet<Vni> {
        let all = |it: &Self| {
            it.routers.keys().map(|(vni, _)| *vni).chain(it.nets.keys().copied()).collect()
        };
        let nets: BTreeSet<Vni> = all(self);
        let nets: BTreeSet<Vni> = nets.union(&all(other)).copied().collect();
        let of = |it: &Self, vni: Vni| {
            let routers =
                it.prefixes(vni).map(|prefix| (prefix, it.routers[&(vni, prefix)].clone()));
            (routers.collect::<Vec<_>>(), it.is_held(vni))
        };
        nets.into_iter().filter(|&vni| of(self, vni) != of(other, vni)).collect()
    }

    /// Something of before stays because what might ask for it cannot be read.
    pub(crate) fn holds(&self) -> bool {
        self.some_net_unknown || self.nets.values().any(|certainty| *certainty == Certainty::Held)
    }

    /// Whether relays that no document asks for stay: the one that might cannot be read.
    fn is_held(&self, vni: Vni) -> bool {
        let certainty = self.nets.get(&vni);
        certainty.map_or(self.some_net_unknown, |certainty| *certainty == Certainty::Held)
    }
}

impl RouteRows {
    /// And where others lead, what none of our own ways serves but those that are `drained`.
    pub(crate) fn with_relays(
        mut self,
        elsewhere: &Elsewhere,
        there: &Self,
        drained: &BTreeSet<InterfaceNumber>,
    ) -> Self {
        let held = there.relays.iter().filter(|((vni, _), _)| elsewhere.is_held(*vni));
        self.relays.extend(held.map(|(key, routers)| (*key, routers.clone())));
        for (&key, routers) in elsewhere.routers.iter().filter(|(_, routers)| !routers.is_empty()) {
            self.relays.insert(key, routers.iter().copied().take(WAYS_MAX).collect());
        }
        let relays = &self.relays;
        let leaves = |key: &_, ways: &[InterfaceNumber]| {
            relays.contains_key(key) && ways.iter().all(|way| drained.contains(way))
        };
        self.routes.retain(|key, ways| !leaves(key, ways));
        let routes = &self.routes;
        self.relays.retain(|key, _| !routes.contains_key(key));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wanted::Net;

    const OFFICE: &str = "192.168.10.0/24";

    fn vni() -> Vni {
        Vni::try_from(1000).unwrap()
    }

    fn router(n: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 255, 0, n)
    }

    fn wanted(certainty: Certainty, prefixes: &[(&str, &[u8])]) -> Wanted {
        let elsewhere = prefixes.iter().map(|(prefix, routers)| {
            (prefix.parse().unwrap(), routers.iter().map(|&n| router(n)).collect())
        });
        let net = Net {
            certainty,
            subnets: BTreeMap::new(),
            nics: BTreeMap::new(),
            routers: BTreeSet::new(),
            elsewhere: elsewhere.collect(),
        };
        Wanted { nets: [(vni(), net)].into(), ..Wanted::default() }
    }

    fn own(prefixes: &[&str]) -> RouteRows {
        let way = InterfaceNumber::new(1).unwrap();
        let routes = prefixes.iter().map(|prefix| ((vni(), prefix.parse().unwrap()), vec![way]));
        RouteRows { routes: routes.collect(), ..RouteRows::default() }
    }

    fn relays(rows: &RouteRows) -> Vec<String> {
        rows.relays.iter().map(|((_, prefix), to)| format!("{prefix} → {to:?}")).collect()
    }

    fn rows(own: RouteRows, wanted: &Wanted, there: &RouteRows) -> RouteRows {
        own.with_relays(&Elsewhere::of(wanted, &BTreeSet::new()), there, &BTreeSet::new())
    }

    #[test]
    fn what_our_own_ways_do_not_serve_is_relayed_and_a_way_of_our_own_wins() {
        let wanted = wanted(Certainty::Current, &[(OFFICE, &[4]), ("10.9.0.0/16", &[4, 5])]);
        let with = rows(own(&[OFFICE]), &wanted, &RouteRows::default());
        assert_eq!(relays(&with), ["10.9.0.0/16 → [10.255.0.4, 10.255.0.5]"]);
        // The customer is lost: its row changes in place, and back.
        let without = rows(own(&[]), &wanted, &with);
        let changes = without.changes_from(&with);
        assert_eq!(changes.put_relays.len(), 1);
        assert_eq!(changes.put_relays[0].1, [router(4)]);
        assert!(changes.put_routes.is_empty() && changes.remove_routes.is_empty());
        let changes = with.changes_from(&without);
        assert_eq!((changes.put_routes.len(), changes.remove_routes.len()), (1, 0));
        assert!(changes.put_relays.is_empty());
    }

    #[test]
    fn a_drained_way_gives_way_to_another_router_and_stays_where_there_is_none() {
        let wanted = wanted(Certainty::Current, &[(OFFICE, &[4])]);
        let elsewhere = Elsewhere::of(&wanted, &BTreeSet::new());
        let way = |n| InterfaceNumber::new(n).unwrap();
        let none = RouteRows::default();
        let before = own(&[OFFICE, "10.9.0.0/16"]);
        let after = before.clone().with_relays(&elsewhere, &none, &[way(1)].into());
        assert_eq!(relays(&after), [format!("{OFFICE} → [10.255.0.4]")]);
        assert_eq!(
            after.routes.keys().map(|(_, p)| p.to_string()).collect::<Vec<_>>(),
            ["10.9.0.0/16"]
        );
        let changes = after.changes_from(&before);
        assert!(changes.remove_routes.is_empty(), "the row changes in place");
        let other = before.clone().with_relays(&elsewhere, &none, &[way(2)].into());
        assert!(relays(&other).is_empty(), "one way is open");
    }

    #[test]
    fn nothing_is_relayed_to_a_dead_router() {
        let wanted = wanted(Certainty::Current, &[(OFFICE, &[4]), ("10.9.0.0/16", &[4, 5])]);
        let elsewhere = Elsewhere::of(&wanted, &[router(4)].into());
        let none = RouteRows::default();
        let with = own(&[]).with_relays(&elsewhere, &none, &BTreeSet::new());
        assert_eq!(relays(&with), ["10.9.0.0/16 → [10.255.0.5]"]);
    }

    #[test]
    fn more_routers_than_a_row_holds_are_left_out() {
        let wanted = wanted(Certainty::Current, &[(OFFICE, &[1, 2, 3, 4, 5, 6])]);
        let with = rows(own(&[]), &wanted, &RouteRows::default());
        assert_eq!(with.relays.values().next().unwrap().len(), WAYS_MAX);
    }

    #[test]
    fn a_relay_goes_with_its_plan_and_stays_when_that_cannot_be_read() {
        let full = wanted(Certainty::Current, &[(OFFICE, &[4])]);
        let there = rows(own(&[]), &full, &RouteRows::default());
        let none = rows(own(&[]), &wanted(Certainty::Current, &[]), &there);
        assert!(relays(&none).is_empty());
        assert_eq!(none.changes_from(&there).remove_routes.len(), 1);
        assert!(relays(&rows(own(&[]), &Wanted::default(), &there)).is_empty(), "no such Net");
        let unknown = Wanted { some_net_unknown: true, ..Wanted::default() };
        for wanted in [wanted(Certainty::Held, &[]), unknown] {
            assert_eq!(rows(own(&[]), &wanted, &there), there);
            assert!(relays(&rows(own(&[OFFICE]), &wanted, &there)).is_empty(), "our own wins");
        }
    }
}
