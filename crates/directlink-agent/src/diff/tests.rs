//! The difference against a model of the kernel: whatever the start, few rounds end it.

use super::*;
use crate::{
    names,
    observed::{Inside, Interface as Seen, Link, Port, Tables, Uplink as SeenUplink},
    simulated::kernel::do_change,
    wanted::{Certainty, Interface, Net, Nic, Peer},
};
use directlink_dataplane::{Protocol, Rule, SubnetRoutes, Toward};
use directlink_model::ids::BgpPeerId;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Rounds until nothing is to be done; more than 3 is a failure.
fn settle(wanted: &Wanted, kernel: &mut Observed) -> usize {
    let mut next_ifindex = 1000;
    for round in 0..=3 {
        let difference = diff(wanted, kernel);
        if difference.changes.is_empty() {
            return round;
        }
        for change in &difference.changes {
            do_change(kernel, change, &mut next_ifindex).unwrap();
        }
    }
    panic!("still to do after 3 rounds: {:#?}", diff(wanted, kernel).changes);
}

fn port(n: u8) -> PortName {
    format!("p{n}").parse().unwrap()
}

fn vni(n: u8) -> Vni {
    Vni::try_from(1000 + u32::from(n)).unwrap()
}

fn vlan(n: u16) -> Vlan {
    Vlan::try_from(100 + n).unwrap()
}

/// The first is of IPv6, the others of IPv4.
fn net_of(third: u8) -> IpNet {
    match third {
        0 => "fd00::1/125".parse().unwrap(),
        _ => format!("10.0.{third}.1/24").parse().unwrap(),
    }
}

fn customer_of(n: u8) -> IpAddr {
    match n {
        0 => "fd00::2".parse().unwrap(),
        _ => Ipv4Addr::new(10, 0, n, 2).into(),
    }
}

fn number(n: u16) -> InterfaceNumber {
    InterfaceNumber::new(n).unwrap()
}

fn peer_of(n: u8) -> Peer {
    let id = BgpPeerId::from_bits(n.into());
    Peer { id, router: net_of(n), customer: customer_of(n) }
}

prop_compose! {
    fn interface()(p in 0..3u8, v in 0..4u16, peer in 0..3u8, second in proptest::option::of(3..5u8), net in proptest::option::of(0..3u8),
                   mtu in prop_oneof![Just(1500u16), Just(1400)]) -> Interface {
        Interface {
            port: port(p),
            vlan: vlan(v),
            mtu: Mtu::try_from(i64::from(mtu)).unwrap(),
            mac: Mac([6; 6]),
            peers: [Some(peer), second].into_iter().flatten().map(peer_of).collect(),
            vni: net.map(vni),
            rate: (p == 1).then(|| Rate::new(50_000_000).unwrap()),
        }
    }
}

fn rules(n: u8) -> RuleSet {
    let rule =
        |protocol| Rule { range: net_of(n), protocol: Protocol::Number(protocol), ports: None };
    let routes = SubnetRoutes { takes_learned: n != 2, ..SubnetRoutes::default() };
    RuleSet { inbound: (0..n).map(rule).collect(), outbound: vec![], routes }
}

/// VTEPs of other routers.
fn others() -> impl Strategy<Value = BTreeSet<Ipv4Addr>> {
    prop::collection::btree_set((0..3u8).prop_map(|n| Ipv4Addr::new(192, 0, 2, 10 + n)), 0..3)
}

prop_compose! {
    fn net()(held: bool, hosts in prop::collection::btree_map(1..6u8, (0..3u8, 0..3u8), 0..4),
             subnets in prop::collection::btree_set(0..3u8, 0..3), routers in others()) -> Net {
        Net {
            certainty: if held { Certainty::Held } else { Certainty::Current },
            subnets: subnets.into_iter().map(|n| (net_of(n).trunc(), net_of(n).addr())).collect(),
            nics: hosts.into_iter().map(|(host, (vtep, set))| {
                let nic = Nic {
                    mac: Mac([2, 0, 0, 0, 0, host]),
                    vtep: Ipv4Addr::new(192, 0, 2, vtep),
                    rules: rules(set),
                };
                (Ipv4Addr::new(10, 1, 0, host).into(), nic)
            }).collect(),
            routers,
            elsewhere: BTreeMap::new(),
            preferred: BTreeMap::new(),
        }
    }
}

prop_compose! {
    fn wanted()(held in prop::collection::btree_map(0..3u8, any::<bool>(), 0..4),
                interfaces in prop::collection::btree_map(0..6u32, interface(), 0..6),
                nets in prop::collection::btree_map(0..3u8, net(), 0..3),
                some_net_unknown: bool) -> Wanted {
        let mut wanted = Wanted { some_net_unknown, ..Wanted::default() };
        for (p, held) in held {
            wanted.ports.insert(port(p), if held { Certainty::Held } else { Certainty::Current });
        }
        // The server's promise: a VLAN is on a port once, and only documented ports are named.
        let mut taken = BTreeSet::new();
        for (id, it) in interfaces {
            if wanted.ports.contains_key(&it.port) && taken.insert((it.port.clone(), it.vlan)) {
                wanted.interfaces.insert(InterfaceId::from_bits(id), it);
            }
        }
        let rate = |port: &PortName| (port.clone(), Rate::new(1_000_000_000).unwrap());
        wanted.rates = wanted.ports.keys().take(2).map(rate).collect();
        wanted.nets = nets.into_iter().map(|(n, net)| (vni(n), net)).collect();
        wanted
    }
}

prop_compose! {
    fn seen()(has_namespace: bool, link in proptest::option::of((0..4u8, any::<bool>(), any::<bool>())),
              inside in proptest::option::of((0..4u16, any::<bool>(), any::<bool>())),
              addresses in prop::collection::btree_set((0..3u8).prop_map(net_of), 0..3)) -> Seen {
        let link = link.map(|(p, is_up, attached)| Link {
            ifindex: 0, port: (p < 3).then(|| port(p)), mtu: 1500, is_up, attached,
        });
        let inside = inside.filter(|_| has_namespace).map(|(v, is_up, is_tuned)| Inside {
            vlan: vlan(v), mac: Mac([6; 6]), mtu: 1500, is_up,
            kept: addresses.iter().map(IpNet::addr).collect(), addresses: addresses.clone(), is_tuned,
        });
        // Half of a veth pair is nothing that can be.
        let (link, inside) = match (link, inside) {
            (Some(link), Some(inside)) => (Some(link), Some(inside)),
            (Some(link), None) => (Some(link), None),
            _ => (None, None),
        };
        Seen { has_namespace: has_namespace || link.is_none(), link, inside }
    }
}

/// Ways beyond all that `kernel` gives to interfaces, but for the first.
fn cells(n: u16, peers: &[Peer]) -> Vec<directlink_dataplane::Peer> {
    let cell = |(way, peer): (u16, &Peer)| {
        let (router, customer) = (peer.router, peer.customer);
        directlink_dataplane::Peer { way: number(way), router, customer }
    };
    [n, 100 + n].into_iter().zip(peers).map(cell).collect()
}

prop_compose! {
    fn kernel()(ports in prop::collection::btree_map(0..3u8, any::<bool>(), 0..4),
                uplink in proptest::option::of(any::<(bool, bool)>()),
                mut interfaces in prop::collection::btree_map(0..6u32, seen(), 0..6),
                rows in prop::collection::btree_map(1..9u16, (0..4u32, interface(), 0..8u32), 0..6),
                named in prop::collection::btree_set((1..9u16).prop_map(number), 0..3),
                nics in prop::collection::btree_map((0..3u8, 1..6u8), (0..3u8, proptest::option::of(1..9u32)), 0..5),
                sets in prop::collection::btree_map(1..9u32, (0..3u8).prop_map(rules), 0..4),
                nets in prop::collection::btree_set((0..3u8).prop_map(vni), 0..3),
                routers in prop::collection::btree_set((0..3u8, 10..13u8), 0..4)) -> Observed {
        for (&id, seen) in &mut interfaces {
            seen.link.iter_mut().for_each(|link| link.ifindex = 100 + id);
        }
        let router = |(net, n)| (vni(net), Ipv4Addr::new(192, 0, 2, n));
        let routers = routers.into_iter().map(router).collect();
        let mut tables = Tables { named, nets, routers, ..Tables::default() };
        let mut keys = BTreeSet::new();
        let mut links = BTreeSet::new();
        for (n, (port, it, link)) in rows {
            if keys.insert((10 + port, it.vlan)) && links.insert(100 + link) {
                tables.interfaces.insert(number(n), directlink_dataplane::Interface {
                    number: number(n), port_ifindex: 10 + port, vlan: it.vlan, vni: vni(0), mtu: it.mtu,
                    slow_ifindex: 100 + link, peers: cells(n, &it.peers),
                    router_mac: it.mac, forwards: it.vni.is_some(), rate: it.rate,
                });
            }
        }
        tables.rule_sets =
            sets.into_iter().map(|(n, set)| (RuleSetNumber::new(n).unwrap(), set)).collect();
        for ((n, host), (vtep, set)) in nics {
            tables.nics.insert((vni(n), Ipv4Addr::new(10, 1, 0, host).into()), NicRow {
                mac: Mac([2, 0, 0, 0, 0, host]),
                vtep: Ipv4Addr::new(192, 0, 2, vtep),
                rule_set: set.and_then(RuleSetNumber::new),
            });
        }
        Observed {
            ports: ports.into_iter()
                .map(|(p, attached)| (port(p), Port { ifindex: 10 + u32::from(p), attached }))
                .collect(),
            uplink: uplink.map(|(attached, has_vtep)| SeenUplink {
                ifindex: 1, vtep: has_vtep.then_some(Ipv4Addr::new(192, 0, 2, 99)), attached,
            }),
            interfaces: interfaces.into_iter().map(|(n, seen)| (InterfaceId::from_bits(n), seen)).collect(),
            tables,
            next_hops: (0..3).map(|n| Ipv4Addr::new(192, 0, 2, n)).map(|a| (a, a)).collect(),
            kept_next_hops: [Ipv4Addr::new(192, 0, 2, 2), Ipv4Addr::new(192, 0, 2, 7)].into(),
            lost_attachments: [77].into(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_start_settles_in_three_rounds(wanted in wanted(), mut kernel in kernel()) {
        settle(&wanted, &mut kernel);
        // … and what is wanted of certain ports is there, whole.
        let numbers = kernel.numbers();
        for (id, it) in &wanted.interfaces {
            if kernel.ports.contains_key(&it.port) && wanted.certainty(&it.port) == Certainty::Current {
                let row = &kernel.tables.interfaces[&numbers[id]];
                prop_assert_eq!((row.vlan, row.forwards), (it.vlan, it.vni.is_some()));
                let have: Vec<_> = row.peers.iter().map(|peer| (peer.router, peer.customer)).collect();
                let want: Vec<_> = it.peers.iter().map(|peer| (peer.router, peer.customer)).collect();
                prop_assert_eq!(have, want);
            }
        }
        // No two interfaces or ways have one number; a way that stayed kept its own.
        let rows = kernel.tables.interfaces.values();
        let ways: Vec<_> = rows.clone().flat_map(|row| {
            row.peers.iter().map(|peer| peer.way).filter(|way| *way != row.number).chain([row.number])
        }).collect();
        prop_assert_eq!(ways.iter().collect::<BTreeSet<_>>().len(), ways.len());
    }

    #[test]
    fn without_documents_nothing_that_carries_packets_is_touched(kernel in kernel()) {
        let mut after = kernel.clone();
        settle(&Wanted::default(), &mut after);
        for (number, row) in &kernel.tables.interfaces {
            let link = kernel.interfaces.values().filter_map(|seen| seen.link.as_ref())
                .find(|link| link.ifindex == row.slow_ifindex);
            let on_a_port = kernel.port_with(row.port_ifindex).is_some();
            if link.is_some() && on_a_port {
                prop_assert_eq!(Some(row), after.tables.interfaces.get(number));
                let vni = row.vni;
                let nics = |k: &Observed| k.tables.nics.iter().filter(|((v, _), _)| *v == vni).count();
                if row.forwards {
                    prop_assert_eq!(nics(&kernel), nics(&after));
                }
            }
        }
    }
}

fn one() -> (Wanted, Observed) {
    let mut wanted = Wanted::default();
    wanted.ports.insert(port(0), Certainty::Current);
    let id = InterfaceId::from_bits(1);
    let interface = Interface {
        port: port(0),
        vlan: vlan(0),
        mtu: Mtu::MAX,
        mac: names::mac(id),
        peers: vec![peer_of(1)],
        vni: Some(vni(1)),
        rate: None,
    };
    wanted.interfaces.insert(id, interface);
    let ports = [(port(0), Port { ifindex: 10, attached: true })].into();
    (wanted, Observed { ports, ..Observed::default() })
}

#[test]
fn a_second_peer_comes_beside_the_first_and_stays_as_it_is_when_that_goes() {
    let (mut wanted, mut kernel) = one();
    let id = InterfaceId::from_bits(1);
    settle(&wanted, &mut kernel);
    let mut with = |peers: &[u8]| {
        wanted.interfaces.get_mut(&id).unwrap().peers =
            peers.iter().copied().map(peer_of).collect();
        let before = kernel.interfaces[&id].link.clone();
        let difference = diff(&wanted, &kernel);
        settle(&wanted, &mut kernel);
        assert_eq!(kernel.interfaces[&id].link, before, "the veth is not touched");
        let row = kernel.tables.interfaces.values().next().unwrap();
        let ways = row.peers.iter().map(|peer| (peer.way, peer.customer));
        (difference.changes.len(), ways.collect::<Vec<_>>())
    };
    // An address, a neighbour, the row.
    assert_eq!(with(&[1, 2]), (3, vec![(number(1), customer_of(1)), (number(2), customer_of(2))]));
    assert_eq!(with(&[2]), (3, vec![(number(2), customer_of(2))]));
    // Routes may still lead by number 1, which is the interface's own.
    assert_eq!(with(&[2, 3]), (3, vec![(number(2), customer_of(2)), (number(3), customer_of(3))]));
}

#[test]
fn a_document_from_before_removes_nothing_and_adds_only_what_is_missing() {
    let (mut wanted, mut kernel) = one();
    settle(&wanted, &mut kernel);
    let before = kernel.clone();
    wanted.ports.insert(port(0), Certainty::Held);
    let id = InterfaceId::from_bits(1);
    let mut other = wanted.interfaces.remove(&id).unwrap();
    // Another interface had the VLAN, in the former plan.
    wanted.interfaces.insert(InterfaceId::from_bits(2), other.clone());
    assert_eq!(settle(&wanted, &mut kernel), 0);
    assert_eq!(kernel, before);
    // One on a VLAN that is free is made: after a reboot the former plan is better than none.
    other.vlan = vlan(3);
    wanted.interfaces.insert(InterfaceId::from_bits(3), other);
    settle(&wanted, &mut kernel);
    assert_eq!(kernel.tables.interfaces.len(), 2);
}

#[test]
fn an_interface_on_a_port_without_a_link_waits_and_says_why() {
    let (wanted, mut kernel) = one();
    kernel.ports.clear();
    let difference = diff(&wanted, &kernel);
    let subject = Subject::Interface(InterfaceId::from_bits(1));
    assert_eq!(difference.changes, [Change::PutNet(vni(1))]);
    assert_eq!(difference.blocked[&subject], "port p0 has no link in the router's namespace");
}

#[test]
fn a_ports_rate_comes_with_its_connection_and_goes_with_it_and_a_former_plan_changes_none() {
    let (mut wanted, mut kernel) = one();
    let rate = |mega: u64| Rate::new(mega * 1_000_000).unwrap();
    let rates = |kernel: &Observed| kernel.tables.rates.values().copied().collect::<Vec<_>>();
    wanted.rates.insert(port(0), rate(100));
    settle(&wanted, &mut kernel);
    assert_eq!(kernel.tables.rates, [(10, rate(100))].into());
    // Another's, of a port that is no more.
    kernel.tables.rates.insert(77, rate(1));
    wanted.rates.insert(port(0), rate(200));
    settle(&wanted, &mut kernel);
    assert_eq!(kernel.tables.rates, [(10, rate(200))].into());
    wanted.ports.insert(port(0), Certainty::Held);
    for former in [Some(rate(300)), None] {
        wanted.rates = former.map(|rate| (port(0), rate)).into_iter().collect();
        assert_eq!(settle(&wanted, &mut kernel), 0);
        assert_eq!(rates(&kernel), [rate(200)]);
    }
    // After a reboot a former plan's is better than none.
    wanted.rates.insert(port(0), rate(300));
    kernel.tables.rates.clear();
    settle(&wanted, &mut kernel);
    assert_eq!(rates(&kernel), [rate(300)]);
    wanted.ports.insert(port(0), Certainty::Current);
    wanted.rates.clear();
    settle(&wanted, &mut kernel);
    assert_eq!(rates(&kernel), []);
}

#[test]
fn an_interfaces_share_is_changed_in_its_row() {
    let (mut wanted, mut kernel) = one();
    settle(&wanted, &mut kernel);
    let share = Rate::new(50_000_000);
    wanted.interfaces.get_mut(&InterfaceId::from_bits(1)).unwrap().rate = share;
    let changes = diff(&wanted, &kernel).changes;
    assert!(matches!(changes.as_slice(), [Change::PutRow { row, .. }] if row.rate == share));
}

#[test]
fn a_number_that_a_route_still_names_is_not_given_again() {
    let (wanted, mut kernel) = one();
    kernel.tables.named.insert(number(1));
    settle(&wanted, &mut kernel);
    assert_eq!(kernel.tables.interfaces.keys().copied().collect::<Vec<_>>(), [number(2)]);
}

#[test]
fn a_mtu_is_changed_without_taking_the_interface_down() {
    let (mut wanted, mut kernel) = one();
    settle(&wanted, &mut kernel);
    let id = InterfaceId::from_bits(1);
    let mtu = Mtu::try_from(1400_i64).unwrap();
    wanted.interfaces.get_mut(&id).unwrap().mtu = mtu;
    let changes = diff(&wanted, &kernel).changes;
    assert!(matches!(
        changes.as_slice(),
        [Change::Resize { .. }, Change::PutRow { row, .. }] if row.number == number(1)
    ));
}

#[test]
fn a_rule_added_is_a_new_set_before_the_nic_names_it() {
    let (mut wanted, mut kernel) = one();
    let nic = |set| Nic { mac: Mac([2; 6]), vtep: Ipv4Addr::new(192, 0, 2, 1), rules: rules(set) };
    let nics = |set| [(Ipv4Addr::new(10, 1, 0, 1).into(), nic(set))].into();
    let net = |set| Net {
        certainty: Certainty::Current,
        subnets: [].into(),
        nics: nics(set),
        routers: BTreeSet::new(),
        elsewhere: BTreeMap::new(),
        preferred: BTreeMap::new(),
    };
    wanted.nets.insert(vni(1), net(1));
    settle(&wanted, &mut kernel);
    wanted.nets.insert(vni(1), net(2));
    let changes = diff(&wanted, &kernel).changes;
    assert!(matches!(
        changes.as_slice(),
        [Change::PutRuleSet { .. }, Change::PutNic { .. }, Change::RemoveRuleSet(_)]
    ));
}

#[test]
fn another_route_table_is_another_set() {
    let nothing = SubnetRoutes { takes_learned: false, by_hand: [].into() };
    let by_hand = |toward| SubnetRoutes {
        by_hand: [("10.0.0.0/8".parse().unwrap(), toward)].into(),
        ..SubnetRoutes::default()
    };
    let tables =
        [SubnetRoutes::default(), nothing, by_hand(Toward::Gateway), by_hand(Toward::Elsewhere)];
    let (mut wanted, mut kernel) = one();
    let address = Ipv4Addr::new(10, 1, 0, 1).into();
    let mut numbers = BTreeSet::new();
    for routes in &tables {
        let rules = RuleSet { routes: routes.clone(), ..rules(1) };
        let nic = Nic { mac: Mac([2; 6]), vtep: Ipv4Addr::new(192, 0, 2, 1), rules };
        let net = Net {
            certainty: Certainty::Current,
            subnets: [].into(),
            nics: [(address, nic)].into(),
            routers: BTreeSet::new(),
            elsewhere: BTreeMap::new(),
            preferred: BTreeMap::new(),
        };
        wanted.nets.insert(vni(1), net);
        settle(&wanted, &mut kernel);
        let number = kernel.tables.nics[&(vni(1), address)].rule_set.unwrap();
        assert_eq!(kernel.tables.rule_sets[&number].routes, *routes);
        numbers.insert(number);
    }
    assert_eq!(numbers.len(), tables.len());
}
