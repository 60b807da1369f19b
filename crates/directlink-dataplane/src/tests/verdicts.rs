//! Every verdict, as named rows: a packet in, its verdict, and the packet out.

use super::{
    frame::{
        ARP, C_TAG, IPV4, IPV6, Outer, Packet, S_TAG, SYN, arp, echo, echo_reply, ethernet,
        icmp_error, in_tunnel, other, tagged, tcp, udp,
    },
    world::{
        Action, CUSTOMER_MAC, FROM_HOST, GATEWAY_MAC, HOST_MAC, NIC_MAC, NUMBER, ROUTER_MAC,
        TO_HOST, VLAN, VNI, World, from_nic, interface, ip, net, nic, on_vlan, peer, source_port,
        to_customer, to_nic, vni,
    },
};
use crate::{Interface, InterfaceNumber, Nic, Peer, Route, Verdict};
use directlink_net::{Mac, Mtu, Vlan, Vni};
use std::{collections::BTreeSet, net::Ipv4Addr};

const BROADCAST: Mac = Mac([0xff; 6]);
const OTHER_MAC: Mac = Mac([2, 0, 0, 0, 9, 9]);
const NO_MAC: Mac = Mac([0; 6]);

pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) frame: Vec<u8>,
    pub(super) verdict: Verdict,
}

fn row(name: &'static str, frame: Vec<u8>, verdict: Verdict) -> Row {
    Row { name, frame, verdict }
}

fn question() -> Packet {
    udp("192.0.2.9:4000", "10.0.1.10:53")
}

/// One tag of VLAN 100 and this payload.
fn vlan_frame(to: Mac, protocol: u16, payload: &[u8]) -> Vec<u8> {
    tagged(CUSTOMER_MAC, to, &[(C_TAG, VLAN)], protocol, payload)
}

fn inner(from: Mac, to: Mac, packet: &Packet) -> Vec<u8> {
    ethernet(from, to, IPV4, &packet.bytes())
}

pub(super) fn port_rows() -> Vec<Row> {
    use Verdict as V;
    let q = question().bytes();
    let none = udp("192.0.2.9:1", "10.0.1.99:53");
    vec![
        row("a NIC that admits it", on_vlan(&question()), V::ForwardedToNet),
        row(
            "from the peer's own address",
            on_vlan(&echo("203.0.113.2", "10.0.1.10", 1)),
            V::ForwardedToNet,
        ),
        row(
            "ARP for the router",
            vlan_frame(
                BROADCAST,
                ARP,
                &arp(1, (CUSTOMER_MAC, "203.0.113.2"), (NO_MAC, "203.0.113.1")),
            ),
            V::ToRouter,
        ),
        row(
            "ARP for somebody else",
            vlan_frame(
                BROADCAST,
                ARP,
                &arp(1, (CUSTOMER_MAC, "203.0.113.2"), (NO_MAC, "203.0.113.3")),
            ),
            V::NotForRouter,
        ),
        row(
            "ARP of somebody who claims to be the router",
            vlan_frame(
                BROADCAST,
                ARP,
                &arp(1, (CUSTOMER_MAC, "203.0.113.1"), (NO_MAC, "203.0.113.2")),
            ),
            V::ToRouter,
        ),
        row("half an ARP", vlan_frame(BROADCAST, ARP, &[0; 12]), V::Malformed),
        row(
            "BGP to the router",
            on_vlan(&tcp("203.0.113.2:30000", "203.0.113.1:179", SYN)),
            V::ToRouter,
        ),
        row(
            "options are the kernel's business at the router",
            on_vlan(&echo("203.0.113.2", "203.0.113.1", 1).with_options()),
            V::ToRouter,
        ),
        row(
            "to the router from behind the customer",
            on_vlan(&echo("192.0.2.9", "203.0.113.1", 1)),
            V::SourceNotAnnounced,
        ),
        row("a frame of 14 bytes", ethernet(CUSTOMER_MAC, ROUTER_MAC, C_TAG, &[]), V::Malformed),
        row("half an IP header", vlan_frame(ROUTER_MAC, IPV4, &q[..12]), V::Malformed),
        row(
            "less than the IP header says",
            vlan_frame(ROUTER_MAC, IPV4, &q[..q.len() - 1]),
            V::Malformed,
        ),
        row(
            "IP version 5",
            vlan_frame(ROUTER_MAC, IPV4, &[&[0x55], &q[1..]].concat()),
            V::Malformed,
        ),
        row(
            "a header length of 16",
            vlan_frame(ROUTER_MAC, IPV4, &[&[0x44], &q[1..]].concat()),
            V::Malformed,
        ),
        row(
            "half a TCP header",
            on_vlan(&tcp("192.0.2.9:1", "10.0.1.10:22", SYN).of_bytes(30)),
            V::Malformed,
        ),
        row("no tag", ethernet(CUSTOMER_MAC, ROUTER_MAC, IPV4, &q), V::Untagged),
        row(
            "a priority tag",
            tagged(CUSTOMER_MAC, ROUTER_MAC, &[(C_TAG, 0xe000)], IPV4, &q),
            V::Untagged,
        ),
        row(
            "priority bits beside the VLAN",
            tagged(CUSTOMER_MAC, ROUTER_MAC, &[(C_TAG, 0xe000 | VLAN)], IPV4, &q),
            V::ForwardedToNet,
        ),
        row(
            "a tag in a tag",
            tagged(CUSTOMER_MAC, ROUTER_MAC, &[(C_TAG, VLAN), (C_TAG, 200)], IPV4, &q),
            V::DoubleTagged,
        ),
        row(
            "a tag in a service tag",
            tagged(CUSTOMER_MAC, ROUTER_MAC, &[(S_TAG, VLAN), (C_TAG, VLAN)], IPV4, &q),
            V::DoubleTagged,
        ),
        row(
            "a VLAN without interface",
            tagged(CUSTOMER_MAC, ROUTER_MAC, &[(C_TAG, 101)], IPV4, &q),
            V::UnknownVlan,
        ),
        row("IPv6, without a peer", vlan_frame(ROUTER_MAC, IPV6, &[0x60; 60]), V::NoIpv6Here),
        row("another protocol", vlan_frame(ROUTER_MAC, 0x8847, &[0; 60]), V::NotIp),
        row("another station's", vlan_frame(OTHER_MAC, IPV4, &q), V::NotForRouter),
        row("an IP broadcast", vlan_frame(BROADCAST, IPV4, &q), V::NotForRouter),
        row("IP options", on_vlan(&question().with_options()), V::IpOptions),
        row(
            "a source that was not announced",
            on_vlan(&udp("198.51.100.1:1", "10.0.1.10:53")),
            V::SourceNotAnnounced,
        ),
        row(
            "the router's own address as source",
            on_vlan(&udp("203.0.113.1:1", "10.0.1.10:53")),
            V::SourceNotAnnounced,
        ),
        row(
            "a source within the Net",
            on_vlan(&udp("10.0.1.11:1", "10.0.1.10:53")),
            V::SourceNotAnnounced,
        ),
        row("no such NIC", on_vlan(&none), V::NicUnknown),
        row(
            "another port of the NIC",
            on_vlan(&udp("192.0.2.9:4000", "10.0.1.10:54")),
            V::DeniedBySecurityGroup,
        ),
        row(
            "a protocol that no rule names",
            on_vlan(&other("192.0.2.9", "10.0.1.10", 47)),
            V::DeniedBySecurityGroup,
        ),
        row(
            "VXLAN from a customer",
            on_vlan(&udp("192.0.2.9:4000", "10.0.1.10:4789")),
            V::DeniedBySecurityGroup,
        ),
        row(
            "a fragment out of nowhere",
            on_vlan(&question().later_fragment(3)),
            V::FragmentWithoutFlow,
        ),
        row("the last hop", on_vlan(&question().ttl(1)), V::TtlExpired),
        row("larger than the MTU", on_vlan(&question().of_bytes(1501)), V::TooBig),
        row("as large as the MTU", on_vlan(&question().of_bytes(1500)), V::ForwardedToNet),
    ]
}

pub(super) fn fabric_rows() -> Vec<Row> {
    use Verdict as V;
    let answer = udp("10.0.1.10:53", "192.0.2.9:4000");
    let tunnel = |vni, inner: &[u8]| in_tunnel(&FROM_HOST, vni, inner);
    let good = from_nic(&answer);
    let with = |at: usize, byte: u8| {
        let mut frame = good.clone();
        frame[at] = byte;
        frame
    };
    let from_vtep =
        |vtep: [u8; 4]| Outer { addresses: [vtep.into(), FROM_HOST.addresses[1]], ..FROM_HOST };
    let ask = |mac, sender, gateway| {
        ethernet(mac, BROADCAST, ARP, &arp(1, (mac, sender), (NO_MAC, gateway)))
    };
    vec![
        row("to an announced prefix", good.clone(), V::ForwardedToCustomer),
        row(
            "ARP for the gateway",
            tunnel(VNI, &ask(NIC_MAC, "10.0.1.10", "10.0.1.1")),
            V::ArpAnswered,
        ),
        row(
            "ARP for a neighbour",
            tunnel(VNI, &ask(NIC_MAC, "10.0.1.10", "10.0.1.11")),
            V::NotForRouter,
        ),
        row("ARP by nobody", tunnel(VNI, &ask(NIC_MAC, "10.0.1.11", "10.0.1.1")), V::SpoofedSource),
        row(
            "ARP with another MAC",
            tunnel(VNI, &ask(OTHER_MAC, "10.0.1.10", "10.0.1.1")),
            V::SpoofedSource,
        ),
        row("half an ARP", tunnel(VNI, &ethernet(NIC_MAC, BROADCAST, ARP, &[0; 20])), V::Malformed),
        row("not IPv4 outside", ethernet(HOST_MAC, BROADCAST, ARP, &[0; 60]), V::ToKernel),
        row("to another address of ours", with(33, 9), V::ToKernel),
        row("another UDP port", with(37, 0), V::ToKernel),
        row("TCP", with(23, 6), V::ToKernel),
        row("an outer fragment", with(20, 0x20), V::ToKernel),
        row("VXLAN without a VNI", with(42, 0), V::Malformed),
        row(
            "a VNI that no Net has",
            tunnel(7002, &inner(NIC_MAC, GATEWAY_MAC, &answer)),
            V::UnknownVni,
        ),
        row(
            "no NIC has the source",
            tunnel(VNI, &inner(NIC_MAC, GATEWAY_MAC, &udp("10.0.1.11:53", "192.0.2.9:4000"))),
            V::SpoofedSource,
        ),
        row(
            "not the NIC's MAC",
            tunnel(VNI, &inner(OTHER_MAC, GATEWAY_MAC, &answer)),
            V::SpoofedSource,
        ),
        row(
            "not the NIC's VTEP",
            in_tunnel(&from_vtep([10, 9, 0, 3]), VNI, &inner(NIC_MAC, GATEWAY_MAC, &answer)),
            V::SpoofedSource,
        ),
        row(
            "not to the gateway",
            tunnel(VNI, &inner(NIC_MAC, OTHER_MAC, &answer)),
            V::NotForRouter,
        ),
        row(
            "another protocol inside",
            tunnel(VNI, &ethernet(NIC_MAC, GATEWAY_MAC, 0x8847, &[0; 60])),
            V::NotIp,
        ),
        row(
            "half an IP header inside",
            tunnel(VNI, &ethernet(NIC_MAC, GATEWAY_MAC, IPV4, &answer.bytes()[..12])),
            V::Malformed,
        ),
        row("options inside", from_nic(&answer.clone().with_options()), V::IpOptions),
        row("no route", from_nic(&udp("10.0.1.10:53", "198.51.100.1:1")), V::NoRoute),
        row("the last hop", from_nic(&answer.clone().ttl(1)), V::TtlExpired),
        row("larger than the interface's MTU", from_nic(&answer.clone().of_bytes(1501)), V::TooBig),
        row(
            "a fragment out of nowhere",
            from_nic(&answer.later_fragment(3)),
            V::FragmentWithoutFlow,
        ),
    ]
}

/// Verdicts that need a router in another state; tested below, in `rates.rs`, `police.rs` and `relays.rs`, or with real links
/// (`tests/traffic.rs`).
const ELSEWHERE: [Verdict; 29] = [
    Verdict::FromRouter,
    Verdict::NotForwarding,
    Verdict::FabricUnresolved,
    Verdict::FabricTooSmall,
    Verdict::InterfaceGone,
    Verdict::NoNeighbour,
    Verdict::SlowLinkGone,
    // No way to make BPF_PROG_TEST_RUN give a packet less headroom.
    Verdict::NoHeadroom,
    Verdict::DeniedBySecurityGroup,
    Verdict::OverInterfaceRateToNet,
    Verdict::OverInterfaceRateToCustomer,
    Verdict::OverConnectionRateToNet,
    Verdict::OverConnectionRateToCustomer,
    Verdict::PolicedBgp,
    Verdict::PolicedBgpOpen,
    Verdict::PolicedBfd,
    Verdict::PolicedNeighbour,
    Verdict::PolicedIcmp,
    Verdict::PolicedRest,
    // `v6.rs`.
    Verdict::NdAnswered,
    Verdict::ExtensionHeaders,
    Verdict::Relayed,
    Verdict::RelayLoop,
    // `flow_table.rs`.
    Verdict::FlowsFull,
    // `stand_ins.rs`.
    Verdict::BfdAnswered,
    // `subnet_routes.rs`.
    Verdict::NotInRouteTable,
    // `bundles.rs`.
    Verdict::Lacp,
    Verdict::LacpAnswered,
    Verdict::PolicedLacp,
];

#[test]
fn every_packet_gets_its_verdict_and_its_action() {
    let mut world = World::new();
    let mut seen: BTreeSet<_> = ELSEWHERE.into();
    let port = port_rows().into_iter().map(|row| (true, row));
    let fabric = fabric_rows().into_iter().map(|row| (false, row));
    for (is_port, Row { name, frame, verdict }) in port.chain(fabric) {
        let road = if is_port { "port" } else { "fabric" };
        let outcome = if is_port { world.port(&frame) } else { world.fabric(&frame) };
        assert_eq!(outcome.verdict, verdict, "{road}: {name}");
        let action = match verdict {
            Verdict::ForwardedToNet | Verdict::ForwardedToCustomer | Verdict::ArpAnswered => {
                Action::Redirect
            }
            Verdict::ToRouter | Verdict::ToKernel => Action::Pass,
            // Answers are limited in time; what they say is tested below.
            Verdict::TtlExpired | Verdict::TooBig => continue,
            _ => Action::Drop,
        };
        assert_eq!(outcome.action, action, "{road}: {name}");
        seen.insert(verdict);
    }
    seen.extend([Verdict::TtlExpired, Verdict::TooBig]);
    let missing: Vec<_> = Verdict::ALL.into_iter().filter(|v| !seen.contains(v)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn into_the_net_a_packet_is_wrapped_with_one_hop_less() {
    let mut world = World::new();
    let outcome = world.port(&on_vlan(&question()));
    let port = source_port(&outcome.frame);
    assert!(port >= 49152, "{port}");
    assert_eq!(outcome.frame, to_nic(&question().ttl(63), port));
    // Same flow, same path; the next flow has another.
    assert_eq!(source_port(&world.port(&on_vlan(&question())).frame), port);
    let next = world.port(&on_vlan(&udp("192.0.2.9:4001", "10.0.1.10:53")));
    assert_ne!(source_port(&next.frame), port);
}

#[test]
fn onto_the_vlan_a_packet_is_bare_tagged_and_has_one_hop_less() {
    let mut world = World::new();
    let answer = udp("10.0.1.10:53", "192.0.2.9:4000");
    for ttl in [2, 64, 255] {
        let outcome = world.fabric(&from_nic(&answer.clone().ttl(ttl)));
        assert_eq!(outcome.frame, to_customer(&answer.clone().ttl(ttl - 1)), "TTL {ttl}");
    }
}

#[test]
fn the_gateway_answers_arp_with_the_regions_mac() {
    let mut world = World::new();
    let ask = arp(1, (NIC_MAC, "10.0.1.10"), (NO_MAC, "10.0.1.1"));
    let answer = arp(2, (GATEWAY_MAC, "10.0.1.1"), (NIC_MAC, "10.0.1.10"));
    let outcome =
        world.fabric(&in_tunnel(&FROM_HOST, VNI, &ethernet(NIC_MAC, BROADCAST, ARP, &ask)));
    assert_eq!(
        outcome.frame,
        in_tunnel(&TO_HOST, VNI, &ethernet(GATEWAY_MAC, NIC_MAC, ARP, &answer))
    );
}

#[test]
fn a_customers_packet_without_hops_or_too_big_is_answered_by_the_router() {
    for (packet, mtu) in [(question().ttl(1), 0), (question().of_bytes(1501), 1500)] {
        let mut world = World::new();
        let outcome = world.port(&on_vlan(&packet));
        assert_eq!(outcome.action, Action::Redirect);
        assert_eq!(outcome.frame, to_customer(&icmp_error("203.0.113.1", &packet, mtu)));
    }
}

#[test]
fn a_nics_packet_without_hops_or_too_big_is_answered_by_its_gateway() {
    let answer = udp("10.0.1.10:53", "192.0.2.9:4000");
    for (packet, mtu) in [(answer.clone().ttl(1), 0), (answer.of_bytes(1501), 1500)] {
        let mut world = World::new();
        let outcome = world.fabric(&from_nic(&packet));
        assert_eq!(outcome.action, Action::Redirect);
        let error = icmp_error("10.0.1.1", &packet, mtu);
        assert_eq!(outcome.frame, to_nic(&error, FROM_HOST.source_port));
    }
}

#[test]
fn errors_and_later_fragments_are_never_answered() {
    for packet in [
        icmp_error("192.0.2.9", &udp("10.0.1.10:1", "192.0.2.9:2"), 0).ttl(1),
        question().later_fragment(4).ttl(1),
    ] {
        let mut world = World::new();
        let outcome = world.port(&on_vlan(&packet));
        assert_eq!((outcome.verdict, outcome.action), (Verdict::TtlExpired, Action::Drop));
    }
}

#[test]
fn answers_are_limited_in_time() {
    let mut world = World::new();
    let frame = on_vlan(&question().ttl(1));
    let answered = (0..200).filter(|_| world.port(&frame).action == Action::Redirect).count();
    assert!((1..150).contains(&answered), "{answered} of 200");
}

#[test]
fn an_interface_that_does_not_forward_still_lets_the_router_speak() {
    let mut world = World::new();
    world.dataplane.put_interface(&Interface { forwards: false, ..interface() }).unwrap();
    assert_eq!(world.send(&question()), Verdict::NotForwarding);
    assert_eq!(world.reply(&udp("10.0.1.10:53", "192.0.2.9:1")), Verdict::NotForwarding);
    assert_eq!(world.send(&echo("203.0.113.2", "203.0.113.1", 1)), Verdict::ToRouter);
}

#[test]
fn a_smaller_mtu_is_told_to_both_sides() {
    let mut world = World::new();
    let mtu = Mtu::try_from(1000i64).unwrap();
    world.dataplane.put_interface(&Interface { mtu, ..interface() }).unwrap();
    assert_eq!(world.send(&question().of_bytes(1000)), Verdict::ForwardedToNet);
    assert_eq!(world.send(&question().of_bytes(1001)), Verdict::TooBig);
    let answer = udp("10.0.1.10:53", "192.0.2.9:4000");
    assert_eq!(world.reply(&answer.clone().of_bytes(1000)), Verdict::ForwardedToCustomer);
    assert_eq!(world.reply(&answer.of_bytes(1001)), Verdict::TooBig);
}

#[test]
fn without_way_or_room_on_the_fabric_nothing_leaves() {
    let mut world = World::new();
    let far = Nic {
        address: Ipv4Addr::new(10, 0, 1, 20).into(),
        vtep: Ipv4Addr::new(10, 9, 0, 77),
        ..nic()
    };
    world.dataplane.put_nic(&far).unwrap();
    assert_eq!(world.send(&udp("192.0.2.9:1", "10.0.1.20:53")), Verdict::FabricUnresolved);
    ip("neigh add 10.9.0.77 lladdr 02:00:00:00:03:77 dev up0 nud permanent");
    assert_eq!(world.send(&udp("192.0.2.9:1", "10.0.1.20:53")), Verdict::ForwardedToNet);
    ip("link set up0 mtu 1400");
    let near = Nic {
        address: Ipv4Addr::new(10, 0, 1, 30).into(),
        vtep: Ipv4Addr::new(10, 9, 0, 78),
        ..nic()
    };
    ip("neigh add 10.9.0.78 lladdr 02:00:00:00:03:78 dev up0 nud permanent");
    world.dataplane.put_nic(&near).unwrap();
    let large = udp("192.0.2.9:1", "10.0.1.30:53");
    assert_eq!(world.send(&large.clone().of_bytes(1350)), Verdict::ForwardedToNet);
    assert_eq!(world.send(&large.of_bytes(1351)), Verdict::FabricTooSmall);
}

#[test]
fn a_route_to_a_removed_interface_drops_and_a_new_one_needs_a_neighbour() {
    let mut world = World::new();
    let answer = udp("10.0.1.10:53", "192.0.2.9:4000");
    world.dataplane.remove_interface(NUMBER).unwrap();
    assert_eq!(world.reply(&answer), Verdict::InterfaceGone);
    assert_eq!(world.send(&question()), Verdict::UnknownVlan);
    world.dataplane.put_interface(&interface()).unwrap();
    assert_eq!(world.reply(&answer), Verdict::NoNeighbour);
    assert_eq!(world.send(&question()), Verdict::SourceNotAnnounced);
    // What its namespace sends teaches the neighbour; other stations and broadcasts do not.
    let hello = |to: Mac| inner(ROUTER_MAC, to, &tcp("203.0.113.1:179", "203.0.113.2:30000", SYN));
    assert_eq!(world.slow(&hello(BROADCAST)), Verdict::FromRouter);
    assert_eq!(world.reply(&answer), Verdict::NoNeighbour);
    assert_eq!(world.slow(&hello(OTHER_MAC)), Verdict::FromRouter);
    assert_eq!(world.dataplane.neighbours().unwrap(), [(NUMBER, OTHER_MAC)].into());
    assert_eq!(world.reply(&answer), Verdict::ForwardedToCustomer);
    // A customer's router was exchanged.
    assert_eq!(world.slow(&hello(CUSTOMER_MAC)), Verdict::FromRouter);
    assert_eq!(world.reply(&answer), Verdict::ForwardedToCustomer);
    assert_eq!(world.dataplane.neighbours().unwrap(), [(NUMBER, CUSTOMER_MAC)].into());
}

#[test]
fn the_slow_path_carries_ipv4_and_arp_of_known_links_only() {
    let mut world = World::new();
    let ipv6 = ethernet(ROUTER_MAC, CUSTOMER_MAC, IPV6, &[0x60; 60]);
    assert_eq!(world.slow(&ipv6), Verdict::NoIpv6Here);
    let other = ethernet(ROUTER_MAC, CUSTOMER_MAC, 0x8847, &[0; 60]);
    assert_eq!(world.slow(&other), Verdict::NotIp);
    let ask = arp(1, (ROUTER_MAC, "203.0.113.1"), (NO_MAC, "203.0.113.2"));
    assert_eq!(world.slow(&ethernet(ROUTER_MAC, BROADCAST, ARP, &ask)), Verdict::FromRouter);
    world.dataplane.put_interface(&Interface { slow_ifindex: 77, ..interface() }).unwrap();
    assert_eq!(world.slow(&ipv6), Verdict::InterfaceGone);
}

#[test]
fn customers_with_the_same_addresses_do_not_meet() {
    let mut world = World::new();
    let number = InterfaceNumber::new(6).unwrap();
    let vni_b = Vni::try_from(7002).unwrap();
    let vlan = Vlan::try_from(200i64).unwrap();
    let dataplane = &mut world.dataplane;
    dataplane.put_interface(&Interface { vlan, vni: vni_b, ..another(number) }).unwrap();
    dataplane.put_source(crate::Source { interface: number, prefix: net("192.0.2.0/24") }).unwrap();
    dataplane.put_net(vni_b).unwrap();
    let frame = tagged(CUSTOMER_MAC, ROUTER_MAC, &[(C_TAG, 200)], IPV4, &question().bytes());
    assert_eq!(world.port(&frame).verdict, Verdict::NicUnknown, "the NIC is the other Net's");
    world.dataplane.put_nic(&Nic { vni: vni_b, ..nic() }).unwrap();
    let outcome = world.port(&frame);
    assert_eq!(outcome.frame[46..49], [0, 0x1b, 0x5a], "VNI 7002");
    let answer = inner(NIC_MAC, GATEWAY_MAC, &echo_reply("10.0.1.10", "192.0.2.9", 1));
    let outcome = world.fabric(&in_tunnel(&FROM_HOST, 7002, &answer));
    assert_eq!(outcome.verdict, Verdict::NoRoute, "the route is the other Net's");
}

/// As the usual one, under another number and without a namespace.
fn another(number: InterfaceNumber) -> Interface {
    let peers = vec![Peer { way: number, ..peer() }];
    Interface { number, slow_ifindex: 0, peers, ..interface() }
}

#[test]
fn two_peers_on_a_vlan_have_a_way_each_and_one_that_goes_takes_its_own_along() {
    let mut world = World::new();
    let way = InterfaceNumber::new(6).unwrap();
    let customer = Ipv4Addr::new(203, 0, 113, 6).into();
    let second = Peer { way, router: net("203.0.113.5/30"), customer };
    let both = Interface { peers: vec![peer(), second], ..interface() };
    world.dataplane.put_interface(&both).unwrap();
    assert_eq!(world.dataplane.interfaces().unwrap(), [both]);
    // What it sends, to us and into the Net.
    let ask = |own| arp(1, (OTHER_MAC, "203.0.113.6"), (NO_MAC, own));
    for (frame, verdict) in [
        (vlan_frame(BROADCAST, ARP, &ask("203.0.113.5")), Verdict::ToRouter),
        (on_vlan(&tcp("203.0.113.6:30000", "203.0.113.5:179", SYN)), Verdict::ToRouter),
        // Past the look at its source: that no rule admits it is another matter.
        (on_vlan(&echo("203.0.113.6", "10.0.1.10", 1)), Verdict::DeniedBySecurityGroup),
        (on_vlan(&echo("203.0.113.9", "10.0.1.10", 1)), Verdict::SourceNotAnnounced),
        (on_vlan(&echo("203.0.113.5", "10.0.1.10", 1)), Verdict::SourceNotAnnounced),
    ] {
        assert_eq!(world.port(&frame).verdict, verdict, "{frame:02x?}");
    }
    // Its MAC is learned off what the kernel sends it, beside the other's.
    let syn = tcp("203.0.113.5:179", "203.0.113.6:40000", SYN).bytes();
    assert_eq!(world.slow(&ethernet(ROUTER_MAC, OTHER_MAC, IPV4, &syn)), Verdict::FromRouter);
    let known = [(NUMBER, CUSTOMER_MAC), (way, OTHER_MAC)].into();
    assert_eq!(world.dataplane.neighbours().unwrap(), known);
    let prefix = net("198.51.100.0/24");
    world.dataplane.put_route(&Route { vni: vni(), prefix, ways: vec![way] }).unwrap();
    let packet = udp("10.0.1.10:53", "198.51.100.9:4000");
    let outcome = world.fabric(&from_nic(&packet));
    assert_eq!(outcome.verdict, Verdict::ForwardedToCustomer);
    assert_eq!((&outcome.frame[..6], &outcome.frame[14..16]), (&OTHER_MAC.0[..], &[0, 100][..]));
    // The first goes: the second's way stays, and nobody is sent by the first's.
    let alone = Interface { peers: vec![second], ..interface() };
    world.dataplane.put_interface(&alone).unwrap();
    assert_eq!(world.reply(&packet), Verdict::ForwardedToCustomer);
    assert_eq!(world.reply(&udp("10.0.1.10:53", "192.0.2.9:4000")), Verdict::InterfaceGone);
    assert_eq!(world.dataplane.neighbours().unwrap(), [(way, OTHER_MAC)].into());
    world.dataplane.put_interface(&interface()).unwrap();
    assert_eq!(world.reply(&packet), Verdict::InterfaceGone);
}

#[test]
fn an_interface_has_one_or_two_peers() {
    let mut world = World::new();
    for (count, good) in [(0, false), (1, true), (2, true), (3, false)] {
        let put =
            world.dataplane.put_interface(&Interface { peers: vec![peer(); count], ..interface() });
        assert_eq!(put.is_ok(), good, "{count}");
    }
}

#[test]
fn equal_routes_share_flows_and_each_flow_keeps_its_way() {
    let mut world = World::new();
    let second = InterfaceNumber::new(6).unwrap();
    let vlan = Vlan::try_from(200i64).unwrap();
    let dataplane = &mut world.dataplane;
    dataplane.put_interface(&Interface { vlan, ..another(second) }).unwrap();
    dataplane.put_neighbour(second, OTHER_MAC).unwrap();
    let ways = vec![NUMBER, second];
    dataplane.put_route(&Route { vni: vni(), prefix: net("192.0.2.0/24"), ways }).unwrap();
    let vlan_of = |world: &mut World, port: u16| {
        let to = format!("192.0.2.9:{port}");
        let frame = world.fabric(&from_nic(&udp("10.0.1.10:53", &to))).frame;
        u16::from_be_bytes([frame[14], frame[15]])
    };
    let ways: Vec<_> = (1000..1100).map(|port| vlan_of(&mut world, port)).collect();
    let again: Vec<_> = (1000..1100).map(|port| vlan_of(&mut world, port)).collect();
    assert_eq!(ways, again);
    let first = ways.iter().filter(|&&vlan| vlan == VLAN).count();
    assert!((20..80).contains(&first), "{first} of 100 by the first way");
}

#[test]
fn frames_of_no_interface_are_counted_by_their_tag_and_others_are_not() {
    let mut world = World::new();
    let tag =
        |tags: &[(u16, u16)]| tagged(CUSTOMER_MAC, ROUTER_MAC, tags, IPV4, &question().bytes());
    for frame in [
        tag(&[(C_TAG, 200)]),
        tag(&[(C_TAG, 200)]),
        tag(&[(C_TAG, 300)]),
        ethernet(CUSTOMER_MAC, ROUTER_MAC, IPV4, &question().bytes()),
        on_vlan(&question()),
    ] {
        world.port(&frame);
    }
    let port = super::world::PORT;
    let expected = [((port, None), 1), ((port, Some(200)), 2), ((port, Some(300)), 1)];
    assert_eq!(world.dataplane.strays().unwrap(), expected.into());
}
