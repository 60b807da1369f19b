//! The best paths of a Net against a reference that is slow and plain: each rule of RFC 4271 §9.1.2
//! throws out, one path at a time, whatever another path beats.

// Helpers outside of #[test] functions are tests as well.
#![allow(clippy::unwrap_used)]

use directlink_bgp::{Decision, LocRib, Offers, Origin, Path};
use ipnet::IpNet;
use proptest::prelude::*;
use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
};

type Session = u8;
/// All that is offered.
type Offered = BTreeMap<IpNet, BTreeMap<Session, Path>>;

/// What one session offers.
#[derive(Clone, Debug, Default)]
struct Table(Rc<RefCell<BTreeMap<IpNet, Path>>>);

impl Offers for Table {
    fn path(&self, prefix: &IpNet) -> Option<Path> {
        self.0.borrow().get(prefix).copied()
    }
}

const WAYS_MAX: usize = 3;

/// Whether `a` is better than `b` by one rule alone.
type Rule = fn(a: &Path, b: &Path) -> bool;

/// In the order of the RFC. After the last, what is left is equally good.
const RULES: [(&str, Rule); 4] = [
    ("local preference", |a, b| a.local_pref > b.local_pref),
    ("AS_PATH length", |a, b| a.as_path_length < b.as_path_length),
    ("origin", |a, b| a.origin < b.origin),
    ("MED of one neighbour", |a, b| a.neighbor_asn == b.neighbor_asn && a.med < b.med),
];

fn reference(offers: &BTreeMap<Session, Path>) -> Vec<Session> {
    let mut left: Vec<_> = offers.iter().collect();
    for (_, better) in RULES {
        let beaten: Vec<_> = left
            .iter()
            .filter(|(_, path)| left.iter().any(|(_, other)| better(other, path)))
            .map(|(session, _)| **session)
            .collect();
        left.retain(|(session, _)| !beaten.contains(session));
    }
    // Which of the equally good come first, and which are too many.
    left.sort_by_key(|(session, path)| (path.router_id, path.peer_addr, **session));
    left.into_iter().map(|(session, _)| *session).take(WAYS_MAX).collect()
}

/// Few values each, so that every rule meets ties.
fn any_path() -> impl Strategy<Value = Path> {
    let origin = prop::sample::select(vec![Origin::Igp, Origin::Egp, Origin::Incomplete]);
    let local_pref = prop::sample::select(vec![0, 50, 100, 150]);
    (local_pref, 1..4u16, origin, 0..3u32, 65000..65002u32, 1..3u8, 1..3u8).prop_map(
        |(local_pref, as_path_length, origin, med, asn, id, addr)| Path {
            local_pref,
            as_path_length,
            origin,
            med,
            neighbor_asn: asn.try_into().unwrap(),
            router_id: Ipv4Addr::new(10, 0, 0, id),
            peer_addr: IpAddr::V4(Ipv4Addr::new(172, 16, 0, addr)),
        },
    )
}

/// Nested, so that the longest counts.
const PREFIXES: [&str; 4] = ["192.168.0.0/16", "192.168.0.0/20", "192.168.1.0/24", "172.20.0.0/14"];

#[derive(Clone, Debug)]
enum Event {
    Says(Session, usize, Option<Path>),
    Leaves(Session),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        9 => (0..5u8, 0..PREFIXES.len(), prop::option::weighted(0.8, any_path()))
            .prop_map(|(session, prefix, path)| Event::Says(session, prefix, path)),
        1 => (0..5u8).prop_map(Event::Leaves),
    ]
}

/// Of all prefixes that hold `to`, the longest decides alone (RFC 4271 §9.1.2 leaves it to
/// forwarding).
fn ways_to(table: &BTreeMap<IpNet, Vec<Session>>, to: IpAddr) -> Vec<Session> {
    let holds = table.iter().filter(|(prefix, _)| prefix.contains(&to));
    holds.max_by_key(|(prefix, _)| prefix.prefix_len()).map_or(vec![], |(_, ways)| ways.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn whatever_comes_and_goes_the_best_are_those_of_the_reference(
        events in prop::collection::vec(any_event(), 1..60),
        to in prop::sample::select(vec!["192.168.1.9", "192.168.9.9", "192.168.99.9", "172.21.0.1", "8.8.8.8"]),
    ) {
        let mut rib = LocRib::new(WAYS_MAX);
        let mut tables = BTreeMap::<Session, Table>::new();
        let mut offered = Offered::new();
        // What somebody knows who asks about prefixes that were touched: the data plane.
        let mut rows: BTreeMap<IpNet, Vec<Session>> = BTreeMap::new();
        for event in events {
            let touched: Vec<IpNet> = match event {
                Event::Says(session, prefix, path) => {
                    let prefix: IpNet = PREFIXES[prefix].parse().unwrap();
                    let of_prefix = offered.entry(prefix).or_default();
                    let table = tables.entry(session).or_insert_with(|| {
                        let table = Table::default();
                        rib.join(session, table.clone());
                        table
                    });
                    match path {
                        Some(path) => {
                            of_prefix.insert(session, path);
                            table.0.borrow_mut().insert(prefix, path);
                        }
                        None => {
                            of_prefix.remove(&session);
                            table.0.borrow_mut().remove(&prefix);
                        }
                    }
                    vec![prefix]
                }
                Event::Leaves(session) => {
                    for of_prefix in offered.values_mut() {
                        of_prefix.remove(&session);
                    }
                    tables.remove(&session);
                    let left = rib.leave(&session).unwrap_or_default();
                    left.0.borrow().keys().copied().collect()
                }
            };
            offered.retain(|_, of_prefix| !of_prefix.is_empty());
            for prefix in touched {
                let Decision { best, others } = rib.decide(&prefix);
                let all = offered.get(&prefix).map_or(0, BTreeMap::len);
                prop_assert_eq!(best.len() + others.len(), all, "each is one or the other");
                match best.is_empty() {
                    true => rows.remove(&prefix),
                    false => rows.insert(prefix, best),
                };
            }
            let expected: BTreeMap<_, _> =
                offered.iter().map(|(prefix, of_prefix)| (*prefix, reference(of_prefix))).collect();
            prop_assert_eq!(&rows, &expected);
        }
        let to = to.parse().unwrap();
        let slow = PREFIXES.iter().map(|prefix| prefix.parse::<IpNet>().unwrap());
        let slow = slow.filter(|prefix| prefix.contains(&to) && offered.contains_key(prefix));
        let slow = slow.max_by_key(IpNet::prefix_len).map(|prefix| reference(&offered[&prefix]));
        prop_assert_eq!(ways_to(&rows, to), slow.unwrap_or_default());
    }

    #[test]
    fn the_order_of_arrival_says_nothing(
        paths in prop::collection::vec(any_path(), 1..6),
        seed in any::<prop::sample::Index>(),
    ) {
        let prefix: IpNet = PREFIXES[0].parse().unwrap();
        let best = |order: &[usize]| {
            let mut rib = LocRib::new(WAYS_MAX);
            for session in order {
                let table = Table::default();
                table.0.borrow_mut().insert(prefix, paths[*session]);
                rib.join(*session, table);
            }
            rib.decide(&prefix)
        };
        let order: Vec<_> = (0..paths.len()).collect();
        let mut turned = order.clone();
        turned.rotate_left(seed.index(paths.len()));
        let backwards: Vec<_> = order.iter().rev().copied().collect();
        prop_assert_eq!(best(&order), best(&turned));
        prop_assert_eq!(best(&order), best(&backwards));
    }
}
