//! Loc-RIB of a Net: several sessions in, the best paths of each prefix out (RFC 4271 §9.1).
//!
//! Paths that only the last tie-breakers tell apart are equally good; up to a limit all of them
//! are used, so that a customer with two connections can share its traffic between them.

use crate::{Origin, RouteChange};
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

/// A prefix whose best sessions are others than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BestChange<K> {
    pub prefix: IpNet,
    /// The best first. Empty: it can no longer be reached.
    pub best: Vec<K>,
}

/// The routes of one Net. `K` names a session; the shell uses its interface's.
#[derive(Debug)]
pub struct LocRib<K> {
    ways_max: usize,
    prefixes: BTreeMap<IpNet, Candidates<K>>,
}

/// Seldom more than two.
#[derive(Debug)]
struct Candidates<K> {
    paths: Vec<(K, Path)>,
    best: Vec<K>,
}

impl<K: Clone + Ord> LocRib<K> {
    /// `ways_max`: how many equally good sessions a prefix may have; 1 for a single best path.
    pub const fn new(ways_max: usize) -> Self {
        Self { ways_max, prefixes: BTreeMap::new() }
    }

    /// What a session's Adj-RIB-In reported.
    pub fn update(&mut self, session: &K, change: &RouteChange) -> Option<BestChange<K>> {
        let RouteChange { prefix, path } = change;
        match path {
            Some(path) => self.offer(session, *prefix, *path),
            None => self.retract(session, *prefix),
        }
    }

    /// A session that is gone for good. While it may come back its routes stay.
    pub fn remove(&mut self, session: &K) -> Vec<BestChange<K>> {
        let offers =
            |candidates: &Candidates<K>| candidates.paths.iter().any(|(k, _)| k == session);
        let prefixes: Vec<_> =
            self.prefixes.iter().filter(|(_, c)| offers(c)).map(|(prefix, _)| *prefix).collect();
        prefixes.into_iter().filter_map(|prefix| self.retract(session, prefix)).collect()
    }

    /// In order of prefix.
    pub fn best(&self) -> impl Iterator<Item = (IpNet, &[K])> {
        self.prefixes.iter().map(|(prefix, candidates)| (*prefix, candidates.best.as_slice()))
    }

    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    fn offer(&mut self, session: &K, prefix: IpNet, path: Path) -> Option<BestChange<K>> {
        let none = || Candidates { paths: Vec::with_capacity(1), best: Vec::new() };
        let candidates = self.prefixes.entry(prefix).or_insert_with(none);
        match candidates.paths.iter_mut().find(|(k, _)| k == session) {
            Some((_, known)) => *known = path,
            None => candidates.paths.push((session.clone(), path)),
        }
        candidates.decide(prefix, self.ways_max)
    }

    fn retract(&mut self, session: &K, prefix: IpNet) -> Option<BestChange<K>> {
        let candidates = self.prefixes.get_mut(&prefix)?;
        candidates.paths.retain(|(k, _)| k != session);
        if candidates.paths.is_empty() {
            self.prefixes.remove(&prefix);
            return Some(BestChange { prefix, best: Vec::new() });
        }
        candidates.decide(prefix, self.ways_max)
    }
}

impl<K: Clone + Ord> Candidates<K> {
    fn decide(&mut self, prefix: IpNet, ways_max: usize) -> Option<BestChange<K>> {
        let best = decide(&self.paths, ways_max);
        (best != self.best).then(|| {
            self.best.clone_from(&best);
            BestChange { prefix, best }
        })
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

    #[test]
    fn only_changes_of_the_best_are_reported() {
        let mut rib = LocRib::new(1);
        let prefix = net("192.168.0.0/16");
        let offer =
            |as_path_length| RouteChange { prefix, path: Some(Path { as_path_length, ..path() }) };
        let gone = RouteChange { prefix, path: None };
        let best = |best: Option<&'static str>| {
            Some(BestChange { prefix, best: best.into_iter().collect() })
        };
        assert_eq!(rib.update(&"a", &offer(2)), best(Some("a")));
        assert_eq!(rib.update(&"b", &offer(3)), None, "worse");
        assert_eq!(rib.update(&"a", &offer(1)), None, "the best gets better");
        assert_eq!(rib.update(&"a", &offer(4)), best(Some("b")), "the best gets worse");
        assert_eq!(rib.update(&"a", &offer(3)), best(Some("a")), "a tie goes by name");
        assert_eq!(rib.update(&"a", &gone), best(Some("b")));
        assert_eq!(rib.update(&"a", &gone), None, "twice gone");
        assert_eq!(rib.update(&"b", &gone), best(None));
        assert!(rib.is_empty());
    }

    #[test]
    fn a_removed_session_leaves_its_prefixes_to_the_others() {
        let mut rib = LocRib::new(1);
        let offer = |prefix| RouteChange { prefix: net(prefix), path: Some(path()) };
        rib.update(&"a", &offer("192.168.0.0/16"));
        rib.update(&"a", &offer("192.168.7.0/24"));
        rib.update(&"b", &offer("192.168.0.0/16"));
        assert_eq!(
            rib.remove(&"a"),
            [
                BestChange { prefix: net("192.168.0.0/16"), best: vec!["b"] },
                BestChange { prefix: net("192.168.7.0/24"), best: vec![] },
            ]
        );
        assert_eq!(rib.best().collect::<Vec<_>>(), [(net("192.168.0.0/16"), &["b"][..])]);
    }

    #[test]
    fn equally_good_ways_are_all_used_up_to_the_limit() {
        let id = |n| Path { router_id: Ipv4Addr::new(10, 0, 0, n), ..path() };
        let paths = [('a', id(3)), ('b', id(1)), ('c', Path { as_path_length: 2, ..id(0) })];
        assert_eq!(decide(&paths, 4), ['b', 'a'], "the longer AS_PATH is not as good");
        assert_eq!(decide(&paths, 1), ['b']);
        let mut rib = LocRib::new(4);
        let prefix = net("192.168.0.0/16");
        let offer = |path| RouteChange { prefix, path: Some(path) };
        rib.update(&'a', &offer(path()));
        let both = rib.update(&'b', &offer(path())).unwrap();
        assert_eq!(both.best, ['a', 'b']);
        let worse = rib.update(&'a', &offer(Path { med: 9, ..path() })).unwrap();
        assert_eq!(worse.best, ['b']);
    }
}
