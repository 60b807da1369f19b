//! Shortcuts of IPv6: what `shortcuts.rs` claims of IPv4. That no verdict is another beside a known
//! shortcut, `v6.rs` checks with its own rows.

use super::{
    frame::{ACK, FIN},
    frame6::{Packet6, tcp, udp},
    shortcuts::stay_on_one_processor,
    v6::{
        NIC, WAY, answer, from_nic, nic6, on_vlan, peer6, question, rules6, to_customer, to_nic,
        world,
    },
    world::{HOST, NUMBER, VNI, World, interface, net, peer, source_port, vni},
};
use crate::{
    Interface, InterfaceNumber, Nic, Peer, Route, RuleSet, RuleSetNumber, Source, SubnetRoutes,
    Verdict, tables::Address6Key,
};
use directlink_net::{Mac, Mtu, Vlan, Vni};
use std::net::Ipv4Addr;

const OTHER_MAC: Mac = Mac([2, 0, 0, 0, 9, 9]);
const OTHER_HOST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 9);
const SECOND: InterfaceNumber = InterfaceNumber::new(6).unwrap();

impl World {
    /// The flow's shortcuts are known from here on, for a moment.
    pub(super) fn know6(&mut self) {
        assert_eq!(self.send6(&question()), Verdict::ForwardedToNet);
        assert_eq!(self.reply6(&answer()), Verdict::ForwardedToCustomer);
    }

    fn send6(&mut self, packet: &Packet6) -> Verdict {
        self.port(&on_vlan(packet)).verdict
    }

    fn reply6(&mut self, packet: &Packet6) -> Verdict {
        self.fabric(&from_nic(packet)).verdict
    }

    /// As `goes_on_without_its_nic` of IPv4.
    fn goes_on_without_its_nic6(&mut self, meanwhile: impl Fn(&mut Self)) -> bool {
        self.dataplane.put_nic(&nic6()).unwrap();
        self.know6();
        let key = Address6Key::new(vni(), NIC.parse().unwrap());
        self.dataplane.tables.nics6.remove(&key).unwrap();
        meanwhile(self);
        let there = self.send6(&question()) == Verdict::ForwardedToNet;
        self.reply6(&answer()) == Verdict::ForwardedToCustomer && there
    }
}

/// The usual interface, with both families.
fn both() -> Interface {
    Interface { peers: vec![peer(), peer6()], ..interface() }
}

#[test]
fn a_flow_goes_its_known_shortcut_without_asking_the_tables_again() {
    let mut world = world();
    // A shortcut is only known for a moment, and this machine may be slow: one time in many.
    assert!((0..100).any(|_| world.goes_on_without_its_nic6(|_| {})));
}

#[test]
fn a_change_in_another_net_leaves_a_shortcut_known_and_one_in_its_own_does_not() {
    let mut world = world();
    let prefix = net("2001:db8:7::/48");
    let change = |vni: u32| {
        let route = Route { vni: Vni::try_from(vni).unwrap(), prefix, ways: vec![WAY] };
        move |world: &mut World| world.dataplane.put_route(&route).unwrap()
    };
    assert!((0..100).any(|_| world.goes_on_without_its_nic6(change(VNI + 1))));
    assert!((0..20).all(|_| !world.goes_on_without_its_nic6(change(VNI))));
}

#[test]
fn a_flow_that_goes_on_is_seen_again_beside_new_ones() {
    let mut world = world();
    stay_on_one_processor();
    world.know6();
    let seen = |world: &World| {
        let flows = world.dataplane.flows(10_000).unwrap();
        flows.iter().find(|flow| flow.outside.port() == 4000).unwrap().last_seen_ns
    };
    let first = seen(&world);
    assert!((10_000..10_200).any(|port| {
        let new = udp(&format!("[2001:db8:9::9]:{port}"), "[fd02:0:0:1::10]:53");
        assert_eq!(world.send6(&new), Verdict::ForwardedToNet);
        (0..500).for_each(|_| assert_eq!(world.send6(&question()), Verdict::ForwardedToNet));
        seen(&world) > first
    }));
}

#[test]
fn by_a_known_shortcut_a_packet_is_the_same_as_by_the_road() {
    let mut world = world();
    world.know6();
    let port = source_port(&world.port(&on_vlan(&question())).frame);
    for (bytes, hops, class, label) in [
        (48, 64, 0, 0),
        (52, 2, 0xb8, 1),
        (80, 255, 0xff, 0xf_ffff),
        (81, 64, 1, 0x8_0000),
        (576, 128, 0x10, 0),
        (1500, 3, 0, 0),
    ] {
        let of = |packet: Packet6| packet.of_bytes(bytes).of_class(class, label).hops(hops);
        let (there, back) = (of(question()), of(answer()));
        let frame = world.port(&on_vlan(&there)).frame;
        assert_eq!(frame, to_nic(&there.hops(hops - 1), port), "{bytes} bytes, {hops} hops");
        let frame = world.fabric(&from_nic(&back)).frame;
        assert_eq!(frame, to_customer(&back.hops(hops - 1)), "{bytes} bytes, {hops} hops");
    }
}

#[test]
fn tcp_is_forwarded_alike_from_its_first_packet_to_its_last() {
    let mut world = world();
    for flags in [ACK, ACK, ACK, FIN | ACK, ACK, ACK] {
        let there = tcp("[2001:db8:9::9]:4000", "[fd02:0:0:1::10]:22", flags);
        let frame = world.port(&on_vlan(&there)).frame;
        assert_eq!(frame, to_nic(&there.hops(63), source_port(&frame)), "{flags}");
        let back = tcp("[fd02:0:0:1::10]:22", "[2001:db8:9::9]:4000", flags);
        assert_eq!(world.fabric(&from_nic(&back)).frame, to_customer(&back.hops(63)), "{flags}");
    }
    let half = tcp("[2001:db8:9::9]:4000", "[fd02:0:0:1::10]:22", ACK).of_bytes(50);
    assert_eq!(world.send6(&half), Verdict::Malformed);
}

/// What a router is told, and what the next packet of a known flow then gets.
type Change = (&'static str, fn(&mut World), Verdict);

const CHANGES_THERE: [Change; 6] = [
    (
        "the NIC is gone",
        |w| w.dataplane.remove_nic(vni(), nic6().address).unwrap(),
        Verdict::NicUnknown,
    ),
    ("its rule is gone", no_rules, Verdict::DeniedBySecurityGroup),
    (
        "the source is withdrawn",
        |w| {
            let prefix = net("2001:db8:9::/48");
            w.dataplane.remove_source(Source { interface: NUMBER, prefix }).unwrap();
        },
        Verdict::SourceNotAnnounced,
    ),
    (
        "the interface stops forwarding",
        |w| w.dataplane.put_interface(&Interface { forwards: false, ..both() }).unwrap(),
        Verdict::NotForwarding,
    ),
    (
        "the interface has IPv4 alone",
        |w| w.dataplane.put_interface(&interface()).unwrap(),
        Verdict::NoIpv6Here,
    ),
    (
        "the NIC is at a host that nobody knows",
        |w| w.dataplane.put_nic(&Nic { vtep: OTHER_HOST, ..nic6() }).unwrap(),
        Verdict::FabricUnresolved,
    ),
];

const CHANGES_BACK: [Change; 7] = [
    ("the NIC is gone", |w| w.dataplane.remove_nic(vni(), nic6().address).unwrap(), SPOOFED),
    (
        "the NIC has another MAC",
        |w| w.dataplane.put_nic(&Nic { mac: OTHER_MAC, ..nic6() }).unwrap(),
        SPOOFED,
    ),
    ("its Subnet takes no routes any more", no_learned, Verdict::NotInRouteTable),
    ("its rule is gone", no_rules, Verdict::DeniedBySecurityGroup),
    (
        "the route is withdrawn",
        |w| w.dataplane.remove_route(vni(), net("2001:db8:9::/48")).unwrap(),
        Verdict::NoRoute,
    ),
    (
        "the interface has IPv4 alone",
        |w| w.dataplane.put_interface(&interface()).unwrap(),
        Verdict::InterfaceGone,
    ),
    (
        "the customer's MAC is forgotten",
        |w| w.dataplane.remove_neighbour(WAY).unwrap(),
        Verdict::NoNeighbour,
    ),
];

const SPOOFED: Verdict = Verdict::SpoofedSource;

fn no_rules(world: &mut World) {
    let number = RuleSetNumber::new(2).unwrap();
    world.dataplane.put_rule_set(number, &RuleSet::default()).unwrap();
    world.dataplane.put_nic(&Nic { rule_set: Some(number), ..nic6() }).unwrap();
}

fn no_learned(world: &mut World) {
    let number = RuleSetNumber::new(2).unwrap();
    let routes = SubnetRoutes { takes_learned: false, by_hand: [].into() };
    world.dataplane.put_rule_set(number, &RuleSet { routes, ..rules6() }).unwrap();
    world.dataplane.put_nic(&Nic { rule_set: Some(number), ..nic6() }).unwrap();
}

#[test]
fn a_change_holds_for_the_next_packet_into_the_net() {
    for (name, change, verdict) in CHANGES_THERE {
        let mut world = world();
        world.know6();
        change(&mut world);
        assert_eq!(world.send6(&question()), verdict, "{name}");
    }
}

#[test]
fn a_change_holds_for_the_next_packet_to_the_customer() {
    for (name, change, verdict) in CHANGES_BACK {
        let mut world = world();
        world.know6();
        change(&mut world);
        assert_eq!(world.reply6(&answer()), verdict, "{name}");
    }
}

#[test]
fn a_smaller_mtu_holds_for_the_next_packet_both_ways() {
    let mut world = world();
    world.know6();
    let mtu = Mtu::try_from(1300i64).unwrap();
    world.dataplane.put_interface(&Interface { mtu, ..both() }).unwrap();
    assert_eq!(world.send6(&question().of_bytes(1301)), Verdict::TooBig);
    assert_eq!(world.reply6(&answer().of_bytes(1301)), Verdict::TooBig);
}

#[test]
fn a_better_route_takes_the_next_packet_and_a_moved_nic_is_sent_to_where_it_is_now() {
    let mut world = world();
    let second = Interface {
        number: SECOND,
        vlan: Vlan::try_from(200i64).unwrap(),
        slow_ifindex: 0,
        peers: vec![Peer { way: SECOND, ..peer6() }],
        ..interface()
    };
    world.dataplane.put_interface(&second).unwrap();
    world.dataplane.put_neighbour(SECOND, OTHER_MAC).unwrap();
    world.know6();
    let route = Route { vni: vni(), prefix: net("2001:db8:9::/64"), ways: vec![SECOND] };
    world.dataplane.put_route(&route).unwrap();
    let frame = world.fabric(&from_nic(&answer())).frame;
    assert_eq!((&frame[..6], &frame[14..16]), (&OTHER_MAC.0[..], &[0, 200][..]));
    world.dataplane.put_nic(&Nic { mac: OTHER_MAC, ..nic6() }).unwrap();
    let frame = world.port(&on_vlan(&question())).frame;
    assert_eq!((&frame[30..34], &frame[50..56]), (&HOST.octets()[..], &OTHER_MAC.0[..]));
}

/// Flows that differ in one octet of an address or a port, and IPv4's of the same ports, between the same VLAN and
/// NIC: each packet is its own flow's.
#[test]
fn a_crowd_of_flows_of_both_families_shares_the_shortcuts_and_each_packet_is_its_flows() {
    let mut world = world();
    for _ in 0..2 {
        for n in 0..2000u16 {
            let (port, host) = (1000 + n / 20, n % 20);
            let packet =
                udp(&format!("[2001:db8:9:{host}::{port:x}]:{port}"), "[fd02:0:0:1::10]:53");
            let frame = world.port(&on_vlan(&packet)).frame;
            assert_eq!(frame, to_nic(&packet.hops(63), source_port(&frame)), "{host} {port}");
            let packet = super::frame::udp(&format!("192.0.2.{host}:{port}"), "10.0.1.10:53");
            assert_eq!(world.send(&packet), Verdict::ForwardedToNet);
        }
    }
    let tallies = world.dataplane.interface_tallies(NUMBER).unwrap().unwrap();
    assert_eq!(tallies.of(Verdict::ForwardedToNet).packets, 8000);
}
