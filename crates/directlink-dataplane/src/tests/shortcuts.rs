//! Shortcuts: a flow's later packets fare exactly as if each took the whole road.
//!
//! Each claim is made of a flow that has left its shortcuts, there and back, a moment ago. That the
//! programs use them at all is seen by taking a row away behind their back, uncounted.

use super::{
    frame::{ACK, FIN, IPV4, Packet, ethernet, in_tunnel, tcp, udp},
    verdicts::{Row, fabric_rows, port_rows},
    world::{
        FROM_HOST, GATEWAY_MAC, HOST, NIC_MAC, NUMBER, VLAN, VNI, VTEP, World, from_nic, interface,
        ip, net, nic, on_vlan, rules, source_port, to_customer, to_nic, vni,
    },
};
use crate::{
    Interface, InterfaceNumber, Nic, Route, RuleSet, RuleSetNumber, Source, SubnetRoutes, Uplink,
    Verdict, tables::AddressKey,
};
use directlink_net::{Mac, Mtu, Vlan, Vni};
use nix::{
    net::if_::if_nametoindex,
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use std::net::Ipv4Addr;

const OTHER_MAC: Mac = Mac([2, 0, 0, 0, 9, 9]);
const OTHER_HOST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 9);
/// Of the usual NIC.
const NIC_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 10);
const SECOND: InterfaceNumber = InterfaceNumber::new(6).unwrap();

/// Each has shortcuts of its own.
pub(super) fn stay_on_one_processor() {
    let mut one = CpuSet::new();
    one.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
}

fn question() -> Packet {
    udp("192.0.2.9:4000", "10.0.1.10:53")
}

fn answer() -> Packet {
    udp("10.0.1.10:53", "192.0.2.9:4000")
}

impl World {
    /// The flow's shortcuts are known from here on, for a moment.
    fn know(&mut self) {
        assert_eq!(self.send(&question()), Verdict::ForwardedToNet);
        assert_eq!(self.reply(&answer()), Verdict::ForwardedToCustomer);
    }

    /// Takes the NIC's row away; nothing counts it, as if the packets' programs had read it
    /// just before. Whether the flow's packets went on both ways.
    fn goes_on_without_its_nic(&mut self, meanwhile: impl Fn(&mut Self)) -> bool {
        self.dataplane.put_nic(&nic()).unwrap();
        self.know();
        self.dataplane.tables.nics.remove(&AddressKey::new(vni(), NIC_ADDRESS)).unwrap();
        meanwhile(self);
        let there = self.send(&question()) == Verdict::ForwardedToNet;
        self.reply(&answer()) == Verdict::ForwardedToCustomer && there
    }
}

#[test]
fn a_flow_goes_its_known_shortcut_without_asking_the_tables_again() {
    let mut world = World::new();
    // A shortcut is only known for a moment, and this machine may be slow: one time in many.
    assert!((0..100).any(|_| world.goes_on_without_its_nic(|_| {})));
}

#[test]
fn a_change_in_another_net_leaves_a_shortcut_known_and_one_in_its_own_does_not() {
    let mut world = World::new();
    let prefix = net("198.51.100.0/24");
    let change = |vni: u32| {
        let route = Route { vni: Vni::try_from(vni).unwrap(), prefix, ways: vec![NUMBER] };
        move |world: &mut World| world.dataplane.put_route(&route).unwrap()
    };
    assert!((0..100).any(|_| world.goes_on_without_its_nic(change(VNI + 1))));
    assert!((0..20).all(|_| !world.goes_on_without_its_nic(change(VNI))));
}

#[test]
fn no_shortcut_is_known_for_longer_than_a_moment() {
    let mut world = World::new();
    world.know();
    world.dataplane.tables.nics.remove(&AddressKey::new(vni(), NIC_ADDRESS)).unwrap();
    assert!((0..1_000_000).any(|_| world.send(&question()) == Verdict::NicUnknown));
}

/// Its row must not grow old, though new flows keep the end that it shares with them current.
#[test]
fn a_flow_that_goes_on_is_seen_again_beside_new_ones() {
    let mut world = World::new();
    stay_on_one_processor();
    world.know();
    let seen = |world: &World| {
        let flows = world.dataplane.flows(10_000).unwrap();
        flows.iter().find(|flow| flow.outside.port() == 4000).unwrap().last_seen_ns
    };
    let first = seen(&world);
    assert!((10_000..10_200).any(|port| {
        let new = udp(&format!("192.0.2.9:{port}"), "10.0.1.10:53");
        assert_eq!(world.send(&new), Verdict::ForwardedToNet);
        (0..500).for_each(|_| assert_eq!(world.send(&question()), Verdict::ForwardedToNet));
        seen(&world) > first
    }));
}

#[test]
fn no_verdict_is_another_when_a_like_packets_shortcut_is_known() {
    let mut world = World::new();
    for Row { name, frame, verdict } in port_rows() {
        world.know();
        assert_eq!(world.port(&frame).verdict, verdict, "port: {name}");
    }
    for Row { name, frame, verdict } in fabric_rows() {
        world.know();
        assert_eq!(world.fabric(&frame).verdict, verdict, "fabric: {name}");
    }
}

#[test]
fn by_a_known_shortcut_a_packet_is_the_same_as_by_the_road() {
    let mut world = World::new();
    world.know();
    let port = source_port(&world.port(&on_vlan(&question())).frame);
    for (bytes, ttl) in [(28, 64), (32, 2), (60, 255), (61, 64), (576, 128), (1500, 3)] {
        let there = question().of_bytes(bytes).ttl(ttl);
        let frame = world.port(&on_vlan(&there)).frame;
        assert_eq!(frame, to_nic(&there.ttl(ttl - 1), port), "{bytes} bytes, TTL {ttl}");
        let back = answer().of_bytes(bytes).ttl(ttl);
        let frame = world.fabric(&from_nic(&back)).frame;
        assert_eq!(frame, to_customer(&back.ttl(ttl - 1)), "{bytes} bytes, TTL {ttl}");
    }
}

#[test]
fn tcp_is_forwarded_alike_from_its_first_packet_to_its_last() {
    let mut world = World::new();
    for flags in [ACK, ACK, ACK, FIN | ACK, ACK, ACK] {
        let there = tcp("192.0.2.9:4000", "10.0.1.10:22", flags);
        let frame = world.port(&on_vlan(&there)).frame;
        assert_eq!(frame, to_nic(&there.ttl(63), source_port(&frame)), "{flags}");
        let back = tcp("10.0.1.10:22", "192.0.2.9:4000", flags);
        assert_eq!(world.fabric(&from_nic(&back)).frame, to_customer(&back.ttl(63)), "{flags}");
    }
    let half = tcp("192.0.2.9:4000", "10.0.1.10:22", ACK).of_bytes(30);
    assert_eq!(world.send(&half), Verdict::Malformed);
}

/// What a router is told, and what the next packet of a known flow then gets.
type Change = (&'static str, fn(&mut World), Verdict);

const CHANGES_THERE: [Change; 8] = [
    (
        "the NIC is gone",
        |w| w.dataplane.remove_nic(vni(), nic().address).unwrap(),
        Verdict::NicUnknown,
    ),
    ("its rule is gone", no_rules, Verdict::DeniedBySecurityGroup),
    (
        "the source is withdrawn",
        |w| {
            let prefix = net("192.0.2.0/24");
            w.dataplane.remove_source(Source { interface: NUMBER, prefix }).unwrap();
        },
        Verdict::SourceNotAnnounced,
    ),
    (
        "the interface stops forwarding",
        |w| w.dataplane.put_interface(&Interface { forwards: false, ..interface() }).unwrap(),
        Verdict::NotForwarding,
    ),
    (
        "the interface is gone",
        |w| w.dataplane.remove_interface(NUMBER).unwrap(),
        Verdict::UnknownVlan,
    ),
    (
        "the interface leads to another Net",
        |w| {
            let vni = Vni::try_from(VNI + 1).unwrap();
            w.dataplane.put_interface(&Interface { vni, ..interface() }).unwrap();
        },
        Verdict::NicUnknown,
    ),
    (
        "the router has another MAC",
        |w| w.dataplane.put_interface(&Interface { router_mac: OTHER_MAC, ..interface() }).unwrap(),
        Verdict::NotForRouter,
    ),
    (
        "the NIC is at a host that nobody knows",
        |w| w.dataplane.put_nic(&Nic { vtep: OTHER_HOST, ..nic() }).unwrap(),
        Verdict::FabricUnresolved,
    ),
];

const CHANGES_BACK: [Change; 8] = [
    ("the NIC is gone", |w| w.dataplane.remove_nic(vni(), nic().address).unwrap(), SPOOFED),
    (
        "the NIC is at another host",
        |w| w.dataplane.put_nic(&Nic { vtep: OTHER_HOST, ..nic() }).unwrap(),
        SPOOFED,
    ),
    (
        "the NIC has another MAC",
        |w| w.dataplane.put_nic(&Nic { mac: OTHER_MAC, ..nic() }).unwrap(),
        SPOOFED,
    ),
    ("its Subnet takes no routes any more", no_learned, Verdict::NotInRouteTable),
    ("its rule is gone", no_rules, Verdict::DeniedBySecurityGroup),
    (
        "the route is withdrawn",
        |w| w.dataplane.remove_route(vni(), net("192.0.2.0/24")).unwrap(),
        Verdict::NoRoute,
    ),
    (
        "the interface is gone",
        |w| w.dataplane.remove_interface(NUMBER).unwrap(),
        Verdict::InterfaceGone,
    ),
    (
        "the customer's MAC is forgotten",
        |w| w.dataplane.remove_neighbour(NUMBER).unwrap(),
        Verdict::NoNeighbour,
    ),
];

const SPOOFED: Verdict = Verdict::SpoofedSource;

fn no_rules(world: &mut World) {
    let number = RuleSetNumber::new(2).unwrap();
    world.dataplane.put_rule_set(number, &RuleSet::default()).unwrap();
    world.dataplane.put_nic(&Nic { rule_set: Some(number), ..nic() }).unwrap();
}

fn no_learned(world: &mut World) {
    let number = RuleSetNumber::new(2).unwrap();
    let routes = SubnetRoutes { takes_learned: false, by_hand: [].into() };
    world.dataplane.put_rule_set(number, &RuleSet { routes, ..rules() }).unwrap();
    world.dataplane.put_nic(&Nic { rule_set: Some(number), ..nic() }).unwrap();
}

#[test]
fn a_change_holds_for_the_next_packet_into_the_net() {
    for (name, change, verdict) in CHANGES_THERE {
        let mut world = World::new();
        world.know();
        change(&mut world);
        assert_eq!(world.send(&question()), verdict, "{name}");
    }
}

#[test]
fn a_change_holds_for_the_next_packet_to_the_customer() {
    for (name, change, verdict) in CHANGES_BACK {
        let mut world = World::new();
        world.know();
        change(&mut world);
        assert_eq!(world.reply(&answer()), verdict, "{name}");
    }
}

#[test]
fn a_smaller_mtu_holds_for_the_next_packet_both_ways() {
    let mut world = World::new();
    world.know();
    let mtu = Mtu::try_from(1000i64).unwrap();
    world.dataplane.put_interface(&Interface { mtu, ..interface() }).unwrap();
    assert_eq!(world.send(&question().of_bytes(1001)), Verdict::TooBig);
    assert_eq!(world.reply(&answer().of_bytes(1001)), Verdict::TooBig);
}

#[test]
fn a_moved_nic_is_sent_to_where_it_is_now() {
    let mut world = World::new();
    ip("neigh add 10.9.0.9 lladdr 02:00:00:00:09:09 dev up0 nud permanent");
    world.know();
    world.dataplane.put_nic(&Nic { vtep: OTHER_HOST, ..nic() }).unwrap();
    let frame = world.port(&on_vlan(&question())).frame;
    assert_eq!((&frame[..6], &frame[30..34]), (&OTHER_MAC.0[..], &OTHER_HOST.octets()[..]));
    world.dataplane.put_nic(&Nic { mac: OTHER_MAC, ..nic() }).unwrap();
    let frame = world.port(&on_vlan(&question())).frame;
    assert_eq!((&frame[30..34], &frame[50..56]), (&HOST.octets()[..], &OTHER_MAC.0[..]));
}

#[test]
fn another_vtep_of_ours_is_the_next_packets_source() {
    let mut world = World::new();
    world.know();
    let (ifindex, vtep) = (if_nametoindex("up0").unwrap(), Ipv4Addr::new(10, 9, 0, 7));
    let uplink = Uplink { ifindex, vtep, gateway_mac: GATEWAY_MAC };
    world.dataplane.attach_fabric(&uplink).unwrap();
    assert_eq!(world.reply(&answer()), Verdict::ToKernel, "{VTEP} is not ours any more");
    assert_eq!(world.port(&on_vlan(&question())).frame[26..30], vtep.octets());
}

/// Another interface with the same addresses, on another VLAN, its way numbered as itself.
fn second(vlan: Vlan) -> Interface {
    let mut second = Interface { number: SECOND, vlan, slow_ifindex: 0, ..interface() };
    second.peers.iter_mut().for_each(|peer| peer.way = SECOND);
    second
}

#[test]
fn a_better_route_takes_the_next_packet_and_a_new_mac_too() {
    let mut world = World::new();
    let vlan = Vlan::try_from(200i64).unwrap();
    let second = second(vlan);
    world.dataplane.put_interface(&second).unwrap();
    world.dataplane.put_neighbour(SECOND, OTHER_MAC).unwrap();
    world.know();
    world.dataplane.put_neighbour(NUMBER, OTHER_MAC).unwrap();
    let frame = world.fabric(&from_nic(&answer())).frame;
    assert_eq!((&frame[..6], &frame[14..16]), (&OTHER_MAC.0[..], &VLAN.to_be_bytes()[..]));
    let prefix = net("192.0.2.0/28");
    let route = Route { vni: vni(), prefix, ways: vec![SECOND] };
    world.dataplane.put_route(&route).unwrap();
    assert_eq!(world.fabric(&from_nic(&answer())).frame[14..16], [0, 200]);
    world.dataplane.remove_route(vni(), prefix).unwrap();
    assert_eq!(world.fabric(&from_nic(&answer())).frame[14..16], VLAN.to_be_bytes());
}

#[test]
fn a_hosts_new_mac_is_seen_within_a_moment() {
    let mut world = World::new();
    world.know();
    ip("neigh replace 10.9.0.2 lladdr 02:00:00:00:09:09 dev up0 nud permanent");
    let seen =
        (0..1_000_000).any(|_| world.port(&on_vlan(&question())).frame[..6] == OTHER_MAC.0[..]);
    assert!(seen);
}

#[test]
fn a_shortcut_is_the_interfaces_that_left_it_alone() {
    let mut world = World::new();
    let vlan = Vlan::try_from(200i64).unwrap();
    let second = second(vlan);
    world.dataplane.put_interface(&second).unwrap();
    world.know();
    let mut frame = on_vlan(&question());
    frame[14..16].copy_from_slice(&[0, 200]);
    assert_eq!(world.port(&frame).verdict, Verdict::SourceNotAnnounced);
    // Nor is a shortcut in a Net that of another Net's NIC with the same addresses.
    let inner = ethernet(NIC_MAC, GATEWAY_MAC, IPV4, &answer().bytes());
    let stranger = in_tunnel(&FROM_HOST, VNI + 1, &inner);
    assert_eq!(world.fabric(&stranger).verdict, Verdict::UnknownVni);
}

#[test]
fn a_crowd_of_flows_shares_the_shortcuts_and_each_packet_is_its_flows() {
    let mut world = World::new();
    // Of 4,000 flows in 4,096 rows, some find all eight of theirs taken.
    for _ in 0..2 {
        for port in 1000..5000 {
            let packet = udp(&format!("192.0.2.9:{port}"), "10.0.1.10:53");
            let frame = world.port(&on_vlan(&packet)).frame;
            assert_eq!(frame, to_nic(&packet.ttl(63), source_port(&frame)), "port {port}");
        }
    }
    let tallies = world.dataplane.interface_tallies(NUMBER).unwrap().unwrap();
    assert_eq!(tallies.of(Verdict::ForwardedToNet).packets, 8000);
}
