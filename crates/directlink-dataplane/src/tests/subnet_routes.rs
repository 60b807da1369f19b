//! The route table of a NIC's Subnet: what it sends to the gateway goes on, all else is dropped.

use super::{
    frame::{ACK, tcp, udp},
    relays::OTHER,
    v6,
    world::{NUMBER, RULES, World, from_nic, ip, net, nic, rules, vni},
};
use crate::{Nic, Relay, Route, RuleSet, RuleSetNumber, SubnetRoutes, TableError, Toward, Verdict};
use directlink_net::Ipv4Net;
use proptest::{
    collection::{btree_map, btree_set},
    prelude::*,
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

const OTHER_RULES: RuleSetNumber = RuleSetNumber::new(2).unwrap();
const NOTHING: SubnetRoutes = SubnetRoutes { takes_learned: false, by_hand: BTreeMap::new() };
const ON: Verdict = Verdict::ForwardedToCustomer;
const OUT: Verdict = Verdict::NotInRouteTable;

fn v4(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

fn routes(takes_learned: bool, by_hand: &[(&str, Toward)]) -> SubnetRoutes {
    let by_hand = by_hand.iter().map(|&(prefix, toward)| (v4(prefix), toward)).collect();
    SubnetRoutes { takes_learned, by_hand }
}

/// The NIC's Subnet goes by this from now on.
fn follow(world: &mut World, number: RuleSetNumber, routes: &SubnetRoutes) {
    let set = RuleSet { routes: routes.clone(), ..rules() };
    world.dataplane.put_rule_set(number, &set).unwrap();
    world.dataplane.put_nic(&Nic { rule_set: Some(number), ..nic() }).unwrap();
}

fn learn(world: &mut World, prefix: &str) {
    let route = Route { vni: vni(), prefix: net(prefix), ways: vec![NUMBER] };
    world.dataplane.put_route(&route).unwrap();
}

/// The NIC sends to the address.
fn to(world: &mut World, address: &str) -> Verdict {
    world.reply(&udp("10.0.1.10:53", &format!("{address}:4000")))
}

#[test]
fn the_longest_prefix_decides_and_of_one_prefix_the_route_by_hand() {
    use Toward::{Elsewhere, Gateway};
    for (takes_learned, by_hand, verdict) in [
        (true, &[][..], ON),
        (false, &[], OUT),
        (false, &[("192.0.2.0/24", Gateway)], ON),
        (false, &[("0.0.0.0/0", Gateway)], ON),
        (false, &[("192.0.2.9/32", Gateway)], ON),
        (false, &[("192.0.2.8/32", Gateway)], OUT),
        (false, &[("0.0.0.0/0", Gateway), ("192.0.0.0/16", Elsewhere)], OUT),
        (false, &[("0.0.0.0/0", Elsewhere), ("192.0.0.0/16", Gateway)], ON),
        // What was learned is a /24.
        (true, &[("192.0.0.0/16", Elsewhere)], ON),
        (true, &[("192.0.2.0/24", Elsewhere)], OUT),
        (true, &[("192.0.2.0/25", Elsewhere)], OUT),
        (true, &[("192.0.2.128/25", Elsewhere)], ON),
        (true, &[("192.0.2.0/25", Elsewhere), ("192.0.2.9/32", Gateway)], ON),
        (true, &[("192.0.2.0/25", Gateway), ("192.0.2.9/32", Elsewhere)], OUT),
    ] {
        let mut world = World::new();
        follow(&mut world, OTHER_RULES, &routes(takes_learned, by_hand));
        assert_eq!(to(&mut world, "192.0.2.9"), verdict, "{takes_learned} {by_hand:?}");
    }
}

#[test]
fn a_route_by_hand_leads_no_further_than_what_was_learned() {
    let mut world = World::new();
    follow(&mut world, OTHER_RULES, &routes(false, &[("0.0.0.0/0", Toward::Gateway)]));
    assert_eq!(to(&mut world, "198.51.100.9"), Verdict::NoRoute);
}

#[test]
fn a_longer_learned_prefix_is_seen_beside_a_shorter_one_that_is_hidden() {
    let mut world = World::new();
    follow(&mut world, OTHER_RULES, &routes(true, &[("192.0.2.0/24", Toward::Elsewhere)]));
    assert_eq!(to(&mut world, "192.0.2.9"), OUT);
    learn(&mut world, "192.0.2.0/28");
    assert_eq!(to(&mut world, "192.0.2.9"), ON);
    assert_eq!(to(&mut world, "192.0.2.99"), OUT);
}

#[test]
fn what_comes_from_the_customer_needs_no_route() {
    let mut world = World::new();
    follow(&mut world, OTHER_RULES, &NOTHING);
    assert_eq!(world.send(&udp("192.0.2.9:4000", "10.0.1.10:53")), Verdict::ForwardedToNet);
    assert_eq!(world.reply(&udp("10.0.1.10:53", "192.0.2.9:4000")), OUT);
}

#[test]
fn a_drop_is_counted_at_the_interface_that_it_would_have_left_by() {
    let mut world = World::new();
    follow(&mut world, OTHER_RULES, &NOTHING);
    to(&mut world, "192.0.2.9");
    let tallies = world.dataplane.interface_tallies(NUMBER).unwrap().unwrap();
    assert_eq!(tallies.of(OUT).packets, 1);
}

#[test]
fn a_flow_that_is_under_way_goes_by_the_table_of_the_moment() {
    let mut world = World::new();
    let answer = tcp("10.0.1.10:22", "192.0.2.9:4000", ACK);
    for (number, routes, verdict) in
        [(1, SubnetRoutes::default(), ON), (2, NOTHING, OUT), (1, SubnetRoutes::default(), ON)]
    {
        follow(&mut world, RuleSetNumber::new(number).unwrap(), &routes);
        for _ in 0..3 {
            assert_eq!(world.reply(&answer), verdict);
        }
    }
}

#[test]
fn another_router_is_not_handed_what_the_table_does_not_send() {
    let mut world = World::new();
    ip("neigh add 10.9.0.3 lladdr 02:00:00:00:03:03 dev up0 nud permanent");
    let prefix = net("192.0.2.0/24");
    let relay = Relay { vni: vni(), prefix, routers: vec![OTHER], own: vec![] };
    world.dataplane.put_relay(&relay).unwrap();
    assert_eq!(to(&mut world, "192.0.2.9"), Verdict::Relayed);
    follow(&mut world, OTHER_RULES, &NOTHING);
    assert_eq!(to(&mut world, "192.0.2.9"), OUT);
}

#[test]
fn ipv6_goes_where_propagation_is_on() {
    for (routes, verdict) in [
        (SubnetRoutes::default(), ON),
        (routes(true, &[("0.0.0.0/0", Toward::Elsewhere)]), ON),
        (NOTHING, OUT),
        (routes(false, &[("0.0.0.0/0", Toward::Gateway)]), OUT),
    ] {
        let mut world = v6::world();
        let set = RuleSet { routes: routes.clone(), ..v6::rules6() };
        world.dataplane.put_rule_set(OTHER_RULES, &set).unwrap();
        world.dataplane.put_nic(&Nic { rule_set: Some(OTHER_RULES), ..v6::nic6() }).unwrap();
        let outcome = world.fabric(&v6::from_nic(&v6::answer()));
        assert_eq!(outcome.verdict, verdict, "{routes:?}");
    }
}

/// As many as there may be, all /32 and none of them meant, and then the one for everything.
fn many(count: u32, last: Toward) -> SubnetRoutes {
    let of = |n| (Ipv4Net::from(Ipv4Addr::from(0xc633_0000 + n)), Toward::Elsewhere);
    let mut by_hand: BTreeMap<_, _> = (1..count).map(of).collect();
    by_hand.insert(v4("0.0.0.0/0"), last);
    SubnetRoutes { takes_learned: false, by_hand }
}

#[test]
fn the_last_of_1024_routes_counts_and_no_more_are_taken() {
    let mut world = World::new();
    for count in [16, 17, 32, 1024] {
        let all = many(count, Toward::Gateway);
        follow(&mut world, OTHER_RULES, &all);
        assert_eq!(to(&mut world, "192.0.2.9"), ON, "{count}");
        let set = RuleSet { routes: all, ..rules() };
        assert_eq!(world.dataplane.rule_set(OTHER_RULES).unwrap(), Some(set), "{count}");
        world.dataplane.put_nic(&nic()).unwrap();
        world.dataplane.remove_rule_set(OTHER_RULES).unwrap();
    }
    let set = RuleSet { routes: many(1025, Toward::Gateway), ..rules() };
    let refused = world.dataplane.put_rule_set(OTHER_RULES, &set);
    assert!(matches!(refused, Err(TableError::HandRoutes(1025))));
    assert_eq!(world.dataplane.rule_sets().unwrap(), [RULES].into());
}

#[test]
fn a_removed_set_leaves_no_route_to_the_next_of_its_number() {
    let mut world = World::new();
    follow(&mut world, OTHER_RULES, &NOTHING);
    world.dataplane.put_nic(&nic()).unwrap();
    world.dataplane.remove_rule_set(OTHER_RULES).unwrap();
    follow(&mut world, OTHER_RULES, &SubnetRoutes::default());
    assert_eq!(to(&mut world, "192.0.2.9"), ON);
}

fn any_prefix() -> impl Strategy<Value = Ipv4Net> {
    let bits = prop_oneof![Just(0_u8), 8..=32_u8];
    (0..16_u32, bits).prop_map(|(host, bits)| {
        // Sixteen addresses that differ in their first and last bits.
        let address = (host & 3) << 26 | 0x5000_0000 | host >> 2;
        Ipv4Net::new(address.into(), bits).unwrap().trunc()
    })
}

fn any_toward() -> impl Strategy<Value = Toward> {
    prop_oneof![Just(Toward::Gateway), Just(Toward::Elsewhere)]
}

/// As a route table is read: all its lines, the longest that has the address.
fn expected(routes: &SubnetRoutes, learned: &BTreeSet<Ipv4Net>, to: Ipv4Addr) -> Verdict {
    let longest = |prefixes: &mut dyn Iterator<Item = Ipv4Net>| {
        prefixes.filter(|prefix| prefix.contains(&to)).max_by_key(Ipv4Net::prefix_len)
    };
    let Some(known) = longest(&mut learned.iter().copied()) else { return Verdict::NoRoute };
    let by_hand = longest(&mut routes.by_hand.keys().copied());
    let taken = Some(known).filter(|_| routes.takes_learned);
    match by_hand {
        Some(prefix) if taken.is_none_or(|known| known.prefix_len() <= prefix.prefix_len()) => {
            if routes.by_hand[&prefix] == Toward::Gateway {
                ON
            } else {
                OUT
            }
        }
        _ => {
            if taken.is_some() {
                ON
            } else {
                OUT
            }
        }
    }
}

#[test]
fn whatever_tables_say_packets_go_as_their_longest_prefixes_do() {
    let world = RefCell::new(World::new());
    world.borrow_mut().dataplane.remove_route(vni(), net("192.0.2.0/24")).unwrap();
    let number = Cell::new(1);
    let seen = RefCell::new(BTreeMap::new());
    let tables = (
        any::<bool>(),
        btree_map(any_prefix(), any_toward(), 0..24),
        btree_set(any_prefix(), 1..6),
    );
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    runner
        .run(&tables, |(takes_learned, by_hand, learned)| {
            let world = &mut *world.borrow_mut();
            number.set(number.get() + 1);
            let routes = SubnetRoutes { takes_learned, by_hand };
            let rule_set = RuleSetNumber::new(number.get()).unwrap();
            follow(world, rule_set, &routes);
            let prefixes: Vec<_> = learned.iter().map(ToString::to_string).collect();
            prefixes.iter().for_each(|prefix| learn(world, prefix));
            for host in 0..16_u32 {
                let to = Ipv4Addr::from((host & 3) << 26 | 0x5000_0000 | host >> 2);
                let verdict =
                    world.fabric(&from_nic(&udp("10.0.1.10:53", &format!("{to}:1")))).verdict;
                prop_assert_eq!(verdict, expected(&routes, &learned, to), "{}", to);
                *seen.borrow_mut().entry(verdict).or_insert(0) += 1;
            }
            for prefix in &learned {
                world.dataplane.remove_route(vni(), (*prefix).into()).unwrap();
            }
            world.dataplane.put_nic(&nic()).unwrap();
            world.dataplane.remove_rule_set(rule_set).unwrap();
            Ok(())
        })
        .unwrap();
    let seen = seen.into_inner();
    for verdict in [ON, OUT, Verdict::NoRoute] {
        assert!(seen[&verdict] > 100, "{seen:?}");
    }
}
