//! Loc-RIB of a Net: several sessions in, the best paths of each prefix out (RFC 4271 §9.1).
//!
//! It keeps no routes. Whoever wants to know how a prefix is reached now asks, and each session is
//! asked in turn; who must act on a change is told by the sessions which prefixes to ask about.
//!
//! Paths that only the last tie-breakers tell apart are equally good; up to a limit all of them
//! are used, so that a customer with two connections can share its traffic between them.

use super::{
    Offers,
    explain::{Standing, differ},
};
use crate::Origin;
use directlink_net::Asn;
use ipnet::IpNet;
use std::{collections::BTreeMap, net::IpAddr, net::Ipv4Addr};

/// What the decision process compares of one session's route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub local_pref: u32,
    pub as_path_length: u16,
    pub origin: Origin,
    pub med: u32,
    pub neighbor_asn: Asn,
    pub router_id: Ipv4Addr,
    pub peer_addr: IpAddr,
}

/// How a prefix is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<K> {
    /// The best first. Empty: it cannot be reached.
    pub best: Vec<K>,
    /// Those that lead there as well.
    pub others: Vec<K>,
}

/// The sessions of one Net. `K` names a session; the shell uses its peer's id.
#[derive(Clone, Debug)]
pub struct LocRib<K, O> {
    ways_max: usize,
    sessions: BTreeMap<K, O>,
}

impl<K: Clone + Ord, O: Offers> LocRib<K, O> {
    /// `ways_max`: how many equally good sessions a prefix may have; 1 for a single best path.
    pub const fn new(ways_max: usize) -> Self {
        Self { ways_max, sessions: BTreeMap::new() }
    }

    pub fn join(&mut self, session: K, offers: O) {
        self.sessions.insert(session, offers);
    }

    /// A session that is gone for good, with what it offered. While it may come back it stays.
    pub fn leave(&mut self, session: &K) -> Option<O> {
        self.sessions.remove(session)
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    pub fn sessions(&self) -> impl Iterator<Item = (&K, &O)> {
        self.sessions.iter()
    }

    /// As all of them offer it now.
    pub fn decide(&self, prefix: &IpNet) -> Decision<K> {
        let offers = self.sessions.iter();
        let paths: Vec<_> = offers.filter_map(|(k, o)| Some((k, o.path(prefix)?))).collect();
        let best = decide(&paths, self.ways_max);
        let others = paths.iter().map(|(k, _)| *k).filter(|k| !best.contains(k));
        let others = others.cloned().collect();
        Decision { best: best.into_iter().cloned().collect(), others }
    }

    /// How each session's path to the prefix stands, as [`LocRib::decide`] has it.
    pub fn explain(&self, prefix: &IpNet) -> BTreeMap<K, Standing> {
        let offers = self.sessions.iter();
        let paths: Vec<_> = offers.filter_map(|(k, o)| Some((k, o.path(prefix)?))).collect();
        let best: Vec<_> = decide(&paths, self.ways_max).into_iter().cloned().collect();
        let path = |name: &K| paths.iter().find(|(k, _)| *k == name).map(|(_, path)| path);
        let Some(first) = best.first().and_then(path) else { return BTreeMap::new() };
        // The rule that keeps the next best out.
        let runners_up: Vec<_> = paths.iter().filter(|(k, _)| !best.contains(k)).copied().collect();
        let second = decide(&runners_up, 1).first().copied().and_then(path);
        let standing = |name: &K, path: &Path| match (best.contains(name), second) {
            (false, _) => Standing::Beaten(differ(first, path)),
            (true, _) if best.len() > 1 => Standing::Shared { ways: best.len() },
            (true, None) => Standing::Only,
            (true, Some(second)) => Standing::Best(differ(path, second)),
        };
        paths.iter().map(|(name, path)| ((*name).clone(), standing(name, path))).collect()
    }
}

/// RFC 4271 §9.1.2.2, in its order. MED is compared only between paths from one neighbouring AS
/// (step c), which is why it removes candidates rather than ranks them.
fn decide<K: Clone + Ord>(paths: &[(K, Path)], ways_max: usize) -> Vec<K> {
    if let [(only, _)] = paths {
        return vec![only.clone()];
    }
    let preference =
        |path: &Path| (std::cmp::Reverse(path.local_pref), path.as_path_length, path.origin);
    let top = paths.iter().map(|(_, path)| preference(path)).min();
    let tied = || paths.iter().filter(|(_, path)| Some(preference(path)) == top);
    let beaten = |path: &Path| {
        tied().any(|(_, other)| other.neighbor_asn == path.neighbor_asn && other.med < path.med)
    };
    let mut ways: Vec<_> = tied().filter(|(_, path)| !beaten(path)).collect();
    ways.sort_unstable_by_key(|(session, path)| (path.router_id, path.peer_addr, session));
    ways.into_iter().take(ways_max).map(|(session, _)| session.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> Path {
        Path {
            local_pref: 100,
            as_path_length: 1,
            origin: Origin::Igp,
            med: 0,
            neighbor_asn: 65000u32.try_into().unwrap(),
            router_id: Ipv4Addr::new(10, 0, 0, 5),
            peer_addr: "172.16.0.2".parse().unwrap(),
        }
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    /// Each row: what makes 'a' different from 'b', and who wins, in whichever order they come.
    #[test]
    fn the_better_path_wins_at_each_step() {
        let other_asn = 65001u32.try_into().unwrap();
        let table = [
            ("nothing: the session's name", path(), path(), 'a'),
            ("local-pref, higher", Path { local_pref: 90, ..path() }, path(), 'b'),
            (
                "local-pref before AS_PATH",
                Path { local_pref: 200, as_path_length: 9, ..path() },
                path(),
                'a',
            ),
            ("AS_PATH, shorter", Path { as_path_length: 2, ..path() }, path(), 'b'),
            ("AS_PATH before origin", path(), Path { as_path_length: 2, ..path() }, 'a'),
            ("origin, lower", Path { origin: Origin::Incomplete, ..path() }, path(), 'b'),
            ("MED of one neighbour, lower", Path { med: 10, ..path() }, path(), 'b'),
            (
                "MED of two neighbours is not compared",
                Path { med: 10, neighbor_asn: other_asn, ..path() },
                Path { router_id: Ipv4Addr::new(10, 0, 0, 9), ..path() },
                'a',
            ),
            (
                "MED before router id",
                Path { med: 10, router_id: Ipv4Addr::new(10, 0, 0, 1), ..path() },
                path(),
                'b',
            ),
            (
                "router id, lower",
                Path { router_id: Ipv4Addr::new(10, 0, 0, 9), ..path() },
                path(),
                'b',
            ),
            (
                "peer address, lower",
                Path { peer_addr: "172.16.0.6".parse().unwrap(), ..path() },
                path(),
                'b',
            ),
        ];
        for (step, a, b, winner) in table {
            for order in [[('a', a), ('b', b)], [('b', b), ('a', a)]] {
                assert_eq!(decide(&order, 1), [winner], "{step}");
            }
        }
    }

    #[test]
    fn med_chooses_within_each_neighbour_whatever_the_order() {
        let asn = |n: u32| n.try_into().unwrap();
        let id = |n| Ipv4Addr::new(10, 0, 0, n);
        // 'a' beats 'c' by MED, 'b' beats 'a' by router id; pairwise comparison would go in circles.
        let a = ('a', Path { med: 1, neighbor_asn: asn(65000), router_id: id(3), ..path() });
        let b = ('b', Path { med: 5, neighbor_asn: asn(65001), router_id: id(2), ..path() });
        let c = ('c', Path { med: 9, neighbor_asn: asn(65000), router_id: id(1), ..path() });
        for order in [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
            assert_eq!(decide(&order, 1), ['b']);
        }
    }

    impl Offers for BTreeMap<IpNet, Path> {
        fn path(&self, prefix: &IpNet) -> Option<Path> {
            self.get(prefix).copied()
        }
    }

    #[test]
    fn a_decision_is_of_what_is_offered_now() {
        let mut rib = LocRib::new(1);
        let prefix = net("192.168.0.0/16");
        let offers = |as_path_length| BTreeMap::from([(prefix, Path { as_path_length, ..path() })]);
        let mut decided = |session, offered| {
            match offered {
                Some(offered) => rib.join(session, offered),
                None => drop(rib.leave(&session)),
            }
            let Decision { best, others } = rib.decide(&prefix);
            (best, others)
        };
        assert_eq!(decided("a", Some(offers(2))), (vec!["a"], vec![]));
        assert_eq!(decided("b", Some(offers(3))), (vec!["a"], vec!["b"]), "worse");
        assert_eq!(decided("a", Some(offers(4))), (vec!["b"], vec!["a"]), "the best gets worse");
        assert_eq!(decided("a", Some(offers(3))), (vec!["a"], vec!["b"]), "a tie goes by name");
        assert_eq!(decided("a", None), (vec!["b"], vec![]));
        assert_eq!(decided("b", Some(BTreeMap::new())), (vec![], vec![]), "no longer offered");
    }

    #[test]
    fn each_path_is_told_the_rule_that_decided() {
        let prefix = net("192.168.0.0/16");
        let id = |n| Path { router_id: Ipv4Addr::new(10, 0, 0, n), ..path() };
        let explain = |ways_max, paths: &[(char, Path)]| {
            let mut rib = LocRib::new(ways_max);
            for (name, path) in paths {
                rib.join(*name, BTreeMap::from([(prefix, *path)]));
            }
            rib.explain(&prefix).into_values().map(|it| it.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(explain(1, &[]), [""; 0]);
        assert_eq!(explain(1, &[('a', path())]), ["the only path"]);
        let longer = Path { as_path_length: 3, ..id(1) };
        let shorter = ["best: shorter AS_PATH", "not used: another has a shorter AS_PATH"];
        assert_eq!(explain(4, &[('a', id(9)), ('b', longer)]), shorter);
        let liked = Path { local_pref: 150, ..longer };
        assert_eq!(
            explain(1, &[('a', id(9)), ('b', liked)])[1],
            "best: higher preference (by its communities)"
        );
        let shared = explain(4, &[('a', id(2)), ('b', id(1)), ('c', longer)]);
        assert_eq!(shared[..2], ["one of 2 equally good paths"; 2]);
        assert_eq!(shared[2], "not used: another has a shorter AS_PATH");
        assert_eq!(explain(1, &[('a', id(2)), ('b', id(1))])[1], "best: lower BGP identifier");
    }

    #[test]
    fn equally_good_ways_are_all_used_up_to_the_limit() {
        let id = |n| Path { router_id: Ipv4Addr::new(10, 0, 0, n), ..path() };
        let paths = [('a', id(3)), ('b', id(1)), ('c', Path { as_path_length: 2, ..id(0) })];
        assert_eq!(decide(&paths, 4), ['b', 'a'], "the longer AS_PATH is not as good");
        assert_eq!(decide(&paths, 1), ['b']);
    }
}
