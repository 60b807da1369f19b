//! What other routers of the Region lead to → rows for what this one does not, not any more, or not as
//! well. Pure.
//!
//! ```text
//! par1-r1, plan:  192.168.10.0/24 elsewhere → par4-r1
//!          rows:  192.168.10.0/24 → 1            while its own customer is there
//!                 192.168.10.0/24 → par4-r1      from the moment that it is not
//!
//!          plan:  … and par4-r1 is preferred: its customer says so (communities, AS_PATH, MED)
//!          rows:  192.168.10.0/24 → par4-r1, behind it 1
//! ```
//!
//! The plan says it before it is needed: when light goes, nobody is asked. A way of our own wins
//! unless another router's is better, or ours is drained. It stays behind in the row, for what others
//! relay to us: they have chosen, or have just lost what we prefer (`ebpf/relay.h`).

use crate::{
    routes::{FIRST_PREFIX, Relayed, RouteRows, WAYS_MAX},
    wanted::{Certainty, Net, Wanted},
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
    /// Those of them that lead there better than we do.
    preferred: BTreeMap<(Vni, IpNet), BTreeSet<Ipv4Addr>>,
    nets: BTreeMap<Vni, Certainty>,
    some_net_unknown: bool,
}

impl Elsewhere {
    /// Dead routers lead nowhere.
    pub(crate) fn of(wanted: &Wanted, dead: &BTreeSet<Ipv4Addr>) -> Self {
        let living = |of: fn(&Net) -> &BTreeMap<IpNet, BTreeSet<Ipv4Addr>>| {
            let nets = wanted.nets.iter();
            let all = nets.flat_map(|(&vni, net)| {
                of(net).iter().map(move |(&prefix, to)| ((vni, prefix), to))
            });
            all.map(|(key, to)| (key, to.difference(dead).copied().collect())).collect()
        };
        Self {
            routers: living(|net| &net.elsewhere),
            preferred: living(|net| &net.preferred),
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
            preferred: BTreeMap::new(),
            nets: self.nets.get(&vni).map(|certainty| (vni, *certainty)).into_iter().collect(),
            some_net_unknown: self.some_net_unknown,
        };
        if !self.routers.is_empty() {
            let keys = || prefixes.iter().map(|&prefix| (vni, prefix));
            let known = keys().filter_map(|key| Some((key, self.routers.get(&key)?.clone())));
            part.routers.extend(known);
            let better = keys().filter_map(|key| Some((key, self.preferred.get(&key)?.clone())));
            part.preferred.extend(better);
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
            let routers = it.prefixes(vni).map(|prefix| {
                let key = (vni, prefix);
                (prefix, it.routers.get(&key).cloned(), it.preferred.get(&key).cloned())
            });
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
    /// And where others lead: better than we do, or to what none of our own ways serves but those that
    /// are `drained`.
    pub(crate) fn with_relays(
        mut self,
        elsewhere: &Elsewhere,
        there: &Self,
        drained: &BTreeSet<InterfaceNumber>,
    ) -> Self {
        let held = there.relays.iter().filter(|((vni, _), _)| elsewhere.is_held(*vni));
        let held: Vec<_> = held.map(|(key, relayed)| (*key, relayed.routers.clone())).collect();
        for (key, routers) in held {
            if !elsewhere.routers.contains_key(&key) && !self.routes.contains_key(&key) {
                self.relays.insert(key, Relayed { routers, own: vec![] });
            }
        }
        for (&key, all) in &elsewhere.routers {
            let better = elsewhere.preferred.get(&key).filter(|better| !better.is_empty());
            let own = self.routes.get(&key);
            let is_open = own.is_some_and(|ways| ways.iter().any(|way| !drained.contains(way)));
            let Some(chosen) =
                better.or_else(|| Some(all).filter(|all| !is_open && !all.is_empty()))
            else {
                continue;
            };
            let own = self.routes.remove(&key).unwrap_or_default();
            self.relays.insert(key, Relayed::of(chosen, own));
        }
        self
    }
}

impl Relayed {
    /// As many as a row holds: of each two at least, if there are.
    fn of(routers: &BTreeSet<Ipv4Addr>, mut own: Vec<InterfaceNumber>) -> Self {
        own.truncate(WAYS_MAX.saturating_sub(routers.len()).max(WAYS_MAX / 2));
        let routers = routers.iter().copied().take(WAYS_MAX - own.len()).collect();
        Self { routers, own }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            preferred: BTreeMap::new(),
        };
        Wanted { nets: [(vni(), net)].into(), ..Wanted::default() }
    }

    /// And these routers lead to the office better.
    fn preferring(mut wanted: Wanted, better: &[u8]) -> Wanted {
        let better = better.iter().map(|&n| router(n)).collect();
        let net = wanted.nets.get_mut(&vni()).unwrap();
        net.preferred.insert(OFFICE.parse().unwrap(), better);
        wanted
    }

    fn own(prefixes: &[&str]) -> RouteRows {
        let way = InterfaceNumber::new(1).unwrap();
        let routes = prefixes.iter().map(|prefix| ((vni(), prefix.parse().unwrap()), vec![way]));
        RouteRows { routes: routes.collect(), ..RouteRows::default() }
    }

    fn relays(rows: &RouteRows) -> Vec<String> {
        let text = |relayed: &Relayed| match relayed.own.is_empty() {
            true => format!("{:?}", relayed.routers),
            false => format!("{:?}, behind {:?}", relayed.routers, relayed.own),
        };
        rows.relays.iter().map(|((_, prefix), to)| format!("{prefix} → {}", text(to))).collect()
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
        assert_eq!(changes.put_relays[0].1.routers, [router(4)]);
        assert!(changes.put_routes.is_empty() && changes.remove_routes.is_empty());
        let changes = with.changes_from(&without);
        assert_eq!((changes.put_routes.len(), changes.remove_routes.len()), (1, 0));
        assert!(changes.put_relays.is_empty());
    }

    #[test]
    fn what_a_plan_says_of_ipv6_is_relayed_beside_ipv4() {
        let wanted = wanted(Certainty::Current, &[(OFFICE, &[4]), ("2001:db8:9::/48", &[4, 5])]);
        let with = rows(own(&[OFFICE]), &wanted, &RouteRows::default());
        assert_eq!(relays(&with), ["2001:db8:9::/48 → [10.255.0.4, 10.255.0.5]"]);
        let with = rows(own(&["2001:db8:9::/48"]), &wanted, &RouteRows::default());
        assert_eq!(relays(&with), [format!("{OFFICE} → [10.255.0.4]")]);
    }

    #[test]
    fn a_drained_way_gives_way_to_another_router_and_stays_where_there_is_none() {
        let wanted = wanted(Certainty::Current, &[(OFFICE, &[4])]);
        let elsewhere = Elsewhere::of(&wanted, &BTreeSet::new());
        let way = |n| InterfaceNumber::new(n).unwrap();
        let none = RouteRows::default();
        let before = own(&[OFFICE, "10.9.0.0/16"]);
        let after = before.clone().with_relays(&elsewhere, &none, &[way(1)].into());
        assert_eq!(relays(&after), [format!("{OFFICE} → [10.255.0.4], behind [1]")]);
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
    fn a_better_router_goes_before_our_own_ways_which_stay_behind_it() {
        let all = wanted(Certainty::Current, &[(OFFICE, &[4, 5])]);
        let none = RouteRows::default();
        let with = rows(own(&[OFFICE]), &preferring(all.clone(), &[5]), &none);
        assert_eq!(relays(&with), [format!("{OFFICE} → [10.255.0.5], behind [1]")]);
        assert!(with.routes.is_empty() && with.numbers().len() == 1, "its number is in use");
        // It is worse again: one write in place.
        let worse = rows(own(&[OFFICE]), &all, &with);
        let changes = worse.changes_from(&with);
        assert_eq!((changes.put_routes.len(), changes.remove_routes.len()), (1, 0));
        assert!(relays(&worse).is_empty());
        // It is dead: our own, and without one all that live.
        let dead = Elsewhere::of(&preferring(all.clone(), &[5]), &[router(5)].into());
        let with = own(&[OFFICE]).with_relays(&dead, &none, &BTreeSet::new());
        assert!(relays(&with).is_empty() && with.routes.len() == 1);
        let with = own(&[]).with_relays(&dead, &none, &BTreeSet::new());
        assert_eq!(relays(&with), [format!("{OFFICE} → [10.255.0.4]")]);
        // Of those that we need, the better.
        let with = rows(own(&[]), &preferring(all, &[5]), &none);
        assert_eq!(relays(&with), [format!("{OFFICE} → [10.255.0.5]")]);
    }

    #[test]
    fn a_row_has_room_for_routers_and_own_ways() {
        let routers: BTreeSet<_> = (1..=4).map(router).collect();
        let ways = |n: u16| (1..=n).map(|n| InterfaceNumber::new(n).unwrap()).collect::<Vec<_>>();
        for (own, expected) in [(0, (4, 0)), (1, (3, 1)), (2, (2, 2)), (4, (2, 2))] {
            let Relayed { routers, own } = Relayed::of(&routers, ways(own));
            assert_eq!((routers.len(), own.len()), expected);
        }
        let Relayed { routers, own } = Relayed::of(&[router(1)].into(), ways(4));
        assert_eq!((routers.len(), own.len()), (1, 3));
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
        assert_eq!(with.relays.values().next().unwrap().routers.len(), WAYS_MAX);
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
