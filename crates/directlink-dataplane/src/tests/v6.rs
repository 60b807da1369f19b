//! IPv6 through the programs: every verdict that it can have, as named rows, and what comes out.
//!
//! ```text
//! customer fd01::2 ── VLAN 100 ── router fd01::1 ── VNI 7001 ── Subnet fd02:0:0:1::/64
//!   announces 2001:db8:9::/48                                  NIC fd02:0:0:1::10
//! ```

use super::{
    frame::{ACK, C_TAG, IPV6, SYN, ethernet, in_tunnel, tagged},
    frame6::{
        ADVERTISEMENT, DESTINATION, HOP_BY_HOP, Packet6, ROUTING, SOLICITATION, echo, echo_reply,
        error, neighbour, router_solicitation, tcp, udp,
    },
    world::{
        Action, CUSTOMER_MAC, FROM_HOST, GATEWAY_MAC, NIC_MAC, NUMBER, Outcome, ROUTER_MAC, SMALL,
        TO_HOST, VLAN, VNI, World, interface, net, nic, peer, source_port, vni,
    },
};
use crate::{
    Capacity, Interface, InterfaceNumber, Nic, Peer, Protocol, Route, Rule, RuleSet, RuleSetNumber,
    Source, Subnet, Verdict,
};
use directlink_net::Mac;

pub(super) const WAY: InterfaceNumber = InterfaceNumber::new(8).unwrap();
const RULES: RuleSetNumber = RuleSetNumber::new(6).unwrap();
const OTHER_MAC: Mac = Mac([2, 0, 0, 0, 9, 9]);
/// All routers of the link, and whoever has an address that ends in :1.
const MULTICAST: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);
const SOLICITED: &str = "ff02::1:ff00:1";
/// The router's own, by its MAC; the customer's.
const ROUTER_LINK_LOCAL: &str = "fe80::ff:fe00:102";
const CUSTOMER_LINK_LOCAL: &str = "fe80::1234";
const FAR: &str = "2001:db8:9::9";
pub(super) const NIC: &str = "fd02:0:0:1::10";
pub(super) const GATEWAY: &str = "fd02:0:0:1::1";

pub(super) fn peer6() -> Peer {
    Peer { way: WAY, router: net("fd01::1/125"), customer: "fd01::2".parse().unwrap() }
}

pub(super) fn nic6() -> Nic {
    Nic { address: NIC.parse().unwrap(), rule_set: Some(RULES), ..nic() }
}

/// Inbound: UDP 53, TCP 22 and ICMPv6 from the announced range, ICMPv6 from the peer. Outbound: all.
pub(super) fn rules6() -> RuleSet {
    let rule = |range, protocol, port: Option<u16>| Rule {
        range: net(range),
        protocol,
        ports: port.map(|port| port..=port),
    };
    RuleSet {
        inbound: vec![
            rule("2001:db8:9::/48", Protocol::UDP, Some(53)),
            rule("2001:db8:9::/48", Protocol::TCP, Some(22)),
            rule("2001:db8:9::/48", Protocol::ICMPV6, None),
            rule("fd01::/125", Protocol::ICMPV6, None),
        ],
        outbound: vec![rule("::/0", Protocol::Any, None)],
        ..RuleSet::default()
    }
}

/// The usual world, with IPv6 beside.
pub(super) fn world() -> World {
    world_with(SMALL)
}

fn world_with(capacity: Capacity) -> World {
    let mut world = World::with(capacity);
    let dataplane = &mut world.dataplane;
    let both = Interface { peers: vec![peer(), peer6()], ..interface() };
    dataplane.put_interface(&both).unwrap();
    dataplane.put_neighbour(WAY, CUSTOMER_MAC).unwrap();
    let prefix = net("2001:db8:9::/48");
    dataplane.put_source(Source { interface: NUMBER, prefix }).unwrap();
    dataplane.put_route(&Route { vni: vni(), prefix, ways: vec![WAY] }).unwrap();
    let (range, gateway) = (net("fd02:0:0:1::/64"), GATEWAY.parse().unwrap());
    dataplane.put_subnet(Subnet { vni: vni(), range, gateway }).unwrap();
    dataplane.put_rule_set(RULES, &rules6()).unwrap();
    dataplane.put_nic(&nic6()).unwrap();
    world
}

fn vlan_frame(to: Mac, packet: &[u8]) -> Vec<u8> {
    tagged(CUSTOMER_MAC, to, &[(C_TAG, VLAN)], IPV6, packet)
}

pub(super) fn on_vlan(packet: &Packet6) -> Vec<u8> {
    vlan_frame(ROUTER_MAC, &packet.bytes())
}

fn to_all(packet: &Packet6) -> Vec<u8> {
    vlan_frame(MULTICAST, &packet.bytes())
}

pub(super) fn to_customer(packet: &Packet6) -> Vec<u8> {
    tagged(ROUTER_MAC, CUSTOMER_MAC, &[(C_TAG, VLAN)], IPV6, &packet.bytes())
}

fn by_nic(from: Mac, to: Mac, packet: &Packet6) -> Vec<u8> {
    in_tunnel(&FROM_HOST, VNI, &ethernet(from, to, IPV6, &packet.bytes()))
}

pub(super) fn from_nic(packet: &Packet6) -> Vec<u8> {
    by_nic(NIC_MAC, GATEWAY_MAC, packet)
}

pub(super) fn to_nic(packet: &Packet6, source_port: u16) -> Vec<u8> {
    let inner = ethernet(GATEWAY_MAC, NIC_MAC, IPV6, &packet.bytes());
    in_tunnel(&super::frame::Outer { source_port, ..TO_HOST }, VNI, &inner)
}

pub(super) fn question() -> Packet6 {
    udp("[2001:db8:9::9]:4000", "[fd02:0:0:1::10]:53")
}

pub(super) fn answer() -> Packet6 {
    udp("[fd02:0:0:1::10]:53", "[2001:db8:9::9]:4000")
}

type Row = (&'static str, Vec<u8>, Verdict);

/// One after another, and each when a like packet's shortcut is known.
fn check(run: impl Fn(&mut World, &[u8]) -> Outcome, rows: Vec<Row>) {
    for knows in [false, true] {
        let mut world = world();
        for row in &rows {
            if knows {
                world.know6();
            }
            check_row(&mut world, &run, row);
        }
    }
}

fn check_row(
    world: &mut World,
    run: impl Fn(&mut World, &[u8]) -> Outcome,
    (name, frame, verdict): &Row,
) {
    let outcome = run(world, frame);
    assert_eq!(outcome.verdict, *verdict, "{name}");
    let action = match verdict {
        Verdict::ForwardedToNet | Verdict::ForwardedToCustomer | Verdict::NdAnswered => {
            Action::Redirect
        }
        Verdict::ToRouter => Action::Pass,
        // Answers are limited in time; what they say is tested below.
        Verdict::TtlExpired | Verdict::TooBig => return,
        _ => Action::Drop,
    };
    assert_eq!(outcome.action, action, "{name}");
}

#[test]
fn from_a_vlan_every_packet_gets_its_verdict_and_its_action() {
    use Verdict as V;
    let q = question().bytes();
    let with = |at: usize, byte: u8| {
        let mut bytes = q.clone();
        bytes[at] = byte;
        vlan_frame(ROUTER_MAC, &bytes)
    };
    check(
        World::port,
        vec![
            ("a NIC that admits it", on_vlan(&question()), V::ForwardedToNet),
            ("from the peer itself", on_vlan(&echo("fd01::2", NIC, 1)), V::ForwardedToNet),
            ("half a header", vlan_frame(ROUTER_MAC, &q[..20]), V::Malformed),
            ("less than it says", vlan_frame(ROUTER_MAC, &q[..q.len() - 1]), V::Malformed),
            ("version 5", with(0, 0x50), V::Malformed),
            ("half a UDP header", on_vlan(&question().of_bytes(44)), V::Malformed),
            ("no NIC", on_vlan(&echo(FAR, "fd02:0:0:1::11", 1)), V::NicUnknown),
            (
                "a port that no rule names",
                on_vlan(&udp("[2001:db8:9::9]:1", "[fd02:0:0:1::10]:54")),
                V::DeniedBySecurityGroup,
            ),
            ("a protocol that no rule names", with(6, 47), V::DeniedBySecurityGroup),
            ("not announced", on_vlan(&echo("2001:db8:8::9", NIC, 1)), V::SourceNotAnnounced),
            ("as the router", on_vlan(&echo("fd01::1", NIC, 1)), V::SourceNotAnnounced),
            ("as a NIC", on_vlan(&echo("fd02:0:0:1::11", NIC, 1)), V::SourceNotAnnounced),
            (
                "from the link alone",
                on_vlan(&echo(CUSTOMER_LINK_LOCAL, NIC, 1)),
                V::SourceNotAnnounced,
            ),
            ("from nobody", on_vlan(&echo("::", NIC, 1)), V::SourceNotAnnounced),
            ("to many", on_vlan(&echo(FAR, "ff0e::1", 1)), V::NotForRouter),
            ("another station's", vlan_frame(OTHER_MAC, &q), V::NotForRouter),
            ("the last hop", on_vlan(&question().hops(1)), V::TtlExpired),
            ("larger than the MTU", on_vlan(&question().of_bytes(1501)), V::TooBig),
            ("as large as the MTU", on_vlan(&question().of_bytes(1500)), V::ForwardedToNet),
        ],
    );
}

#[test]
fn extension_headers_are_passed_over_within_bounds_and_source_routes_refused() {
    use Verdict as V;
    let q = question;
    check(
        World::port,
        vec![
            ("hop-by-hop options", on_vlan(&q().with(HOP_BY_HOP, 8)), V::ForwardedToNet),
            ("destination options", on_vlan(&q().with(DESTINATION, 24)), V::ForwardedToNet),
            (
                "four of them",
                on_vlan(&(0..4).fold(q(), |packet, _| packet.with(DESTINATION, 8))),
                V::ForwardedToNet,
            ),
            (
                "five of them",
                on_vlan(&(0..5).fold(q(), |packet, _| packet.with(DESTINATION, 8))),
                V::ExtensionHeaders,
            ),
            ("a long one", on_vlan(&q().with(DESTINATION, 504)), V::ExtensionHeaders),
            (
                "hop-by-hop options behind others",
                on_vlan(&q().with(DESTINATION, 8).with(HOP_BY_HOP, 8)),
                V::ExtensionHeaders,
            ),
            ("a routing header", on_vlan(&q().with(ROUTING, 24)), V::IpOptions),
            (
                "a routing header behind another",
                on_vlan(&q().with(DESTINATION, 8).with(ROUTING, 8)),
                V::IpOptions,
            ),
            (
                "a header that is longer than the packet",
                vlan_frame(ROUTER_MAC, &q().with(DESTINATION, 64).of_bytes(44).bytes()[..48]),
                V::Malformed,
            ),
            ("a fragment out of nowhere", on_vlan(&q().later_fragment(3)), V::FragmentWithoutFlow),
            ("a first fragment", on_vlan(&q().first_fragment()), V::ForwardedToNet),
            ("its later ones", on_vlan(&q().later_fragment(2)), V::ForwardedToNet),
        ],
    );
}

#[test]
fn neighbour_discovery_goes_up_for_the_routers_own_addresses_from_its_link_alone() {
    use Verdict as V;
    let solicit = |from, target| neighbour(SOLICITATION, from, SOLICITED, target, CUSTOMER_MAC);
    let advertise = |from, to, target| neighbour(ADVERTISEMENT, from, to, target, CUSTOMER_MAC);
    let cut = solicit("fd01::2", "fd01::1").of_bytes(52);
    check(
        World::port,
        vec![
            ("asked by the peer", to_all(&solicit("fd01::2", "fd01::1")), V::ToRouter),
            ("asked by its link", to_all(&solicit(CUSTOMER_LINK_LOCAL, "fd01::1")), V::ToRouter),
            (
                "for the link's own address",
                to_all(&solicit(CUSTOMER_LINK_LOCAL, ROUTER_LINK_LOCAL)),
                V::ToRouter,
            ),
            ("asked once more", on_vlan(&solicit("fd01::2", "fd01::1")), V::ToRouter),
            ("whether it is taken", to_all(&solicit("::", "fd01::1")), V::ToRouter),
            ("for another's", to_all(&solicit("fd01::2", "fd01::3")), V::NotForRouter),
            ("by a stranger", to_all(&solicit("2001:db8:8::1", "fd01::1")), V::SpoofedSource),
            ("from behind the peer", to_all(&solicit(FAR, "fd01::1")), V::SpoofedSource),
            ("in the router's name", to_all(&solicit("fd01::1", "fd01::1")), V::SpoofedSource),
            ("over a hop", to_all(&solicit("fd01::2", "fd01::1").hops(254)), V::SpoofedSource),
            ("half of it", to_all(&cut), V::Malformed),
            ("told", on_vlan(&advertise("fd01::2", "fd01::1", "fd01::2")), V::ToRouter),
            (
                "told to the link's own address",
                on_vlan(&advertise(CUSTOMER_LINK_LOCAL, ROUTER_LINK_LOCAL, "fd01::2")),
                V::ToRouter,
            ),
            (
                "told what is ours",
                on_vlan(&advertise("fd01::2", "fd01::1", "fd01::1")),
                V::SpoofedSource,
            ),
            (
                "told what is not there",
                on_vlan(&advertise("fd01::2", "fd01::1", FAR)),
                V::SpoofedSource,
            ),
            ("told to all", to_all(&advertise("fd01::2", "ff02::1", "fd01::2")), V::NotForRouter),
            ("a router wanted", to_all(&router_solicitation(CUSTOMER_LINK_LOCAL)), V::NotForRouter),
            ("BGP", on_vlan(&tcp("[fd01::2]:30000", "[fd01::1]:179", SYN)), V::ToRouter),
            (
                "to the router from behind the peer",
                on_vlan(&echo(FAR, "fd01::1", 1)),
                V::SourceNotAnnounced,
            ),
        ],
    );
}

#[test]
fn from_the_net_every_packet_gets_its_verdict_and_its_action() {
    use Verdict as V;
    let a = answer;
    let solicit = |from, target| neighbour(SOLICITATION, from, SOLICITED, target, NIC_MAC);
    check(
        World::fabric,
        vec![
            ("to an announced prefix", from_nic(&a()), V::ForwardedToCustomer),
            (
                "the gateway wanted",
                by_nic(NIC_MAC, MULTICAST, &solicit(NIC, GATEWAY)),
                V::NdAnswered,
            ),
            (
                "a sister wanted",
                by_nic(NIC_MAC, MULTICAST, &solicit(NIC, "fd02:0:0:1::11")),
                V::NotForRouter,
            ),
            (
                "by nobody",
                by_nic(NIC_MAC, MULTICAST, &solicit("fd02:0:0:1::11", GATEWAY)),
                V::SpoofedSource,
            ),
            (
                "with another MAC",
                by_nic(OTHER_MAC, MULTICAST, &solicit(NIC, GATEWAY)),
                V::SpoofedSource,
            ),
            (
                "over a hop",
                by_nic(NIC_MAC, MULTICAST, &solicit(NIC, GATEWAY).hops(64)),
                V::SpoofedSource,
            ),
            (
                "whether its own is taken",
                by_nic(NIC_MAC, MULTICAST, &solicit("::", NIC)),
                V::NotForRouter,
            ),
            (
                "a router wanted",
                by_nic(NIC_MAC, MULTICAST, &router_solicitation("fe80::1")),
                V::NotForRouter,
            ),
            ("not the NIC's MAC", by_nic(OTHER_MAC, GATEWAY_MAC, &a()), V::SpoofedSource),
            ("not a NIC's address", from_nic(&echo("fd02:0:0:1::11", FAR, 1)), V::SpoofedSource),
            ("not to the gateway", by_nic(NIC_MAC, OTHER_MAC, &a()), V::NotForRouter),
            (
                "a VNI that no Net has",
                in_tunnel(&FROM_HOST, 7002, &ethernet(NIC_MAC, GATEWAY_MAC, IPV6, &a().bytes())),
                V::UnknownVni,
            ),
            ("a routing header", from_nic(&a().with(ROUTING, 8)), V::IpOptions),
            ("no route", from_nic(&echo(NIC, "2001:db8:8::1", 1)), V::NoRoute),
            ("the last hop", from_nic(&a().hops(1)), V::TtlExpired),
            ("larger than the interface's MTU", from_nic(&a().of_bytes(1501)), V::TooBig),
            ("a fragment out of nowhere", from_nic(&a().later_fragment(3)), V::FragmentWithoutFlow),
        ],
    );
}

#[test]
fn into_the_net_and_out_of_it_a_packet_has_one_hop_less() {
    let mut world = world();
    let outcome = world.port(&on_vlan(&question()));
    let port = source_port(&outcome.frame);
    assert_eq!(outcome.frame, to_nic(&question().hops(63), port));
    let outcome = world.fabric(&from_nic(&answer().hops(2)));
    assert_eq!(outcome.frame, to_customer(&answer().hops(1)));
}

#[test]
fn the_gateway_answers_neighbour_discovery_with_the_regions_mac() {
    let mut world = world();
    let told = neighbour(ADVERTISEMENT, GATEWAY, NIC, GATEWAY, GATEWAY_MAC);
    for option in [true, false] {
        let ask = neighbour(SOLICITATION, NIC, SOLICITED, GATEWAY, NIC_MAC);
        // One that is sure of us asks without its own MAC.
        let ask = if option { ask } else { ask.of_bytes(64) };
        let outcome = world.fabric(&by_nic(NIC_MAC, MULTICAST, &ask));
        assert_eq!(outcome.frame, to_nic(&told, FROM_HOST.source_port), "{option}");
    }
}

#[test]
fn whoever_has_no_hop_or_is_too_big_is_told_by_the_router_with_the_right_mtu() {
    for (packet, mtu, quoted) in
        [(question().hops(1), 0, 48), (question().of_bytes(1501), 1500, 248)]
    {
        let mut world = world();
        let outcome = world.port(&on_vlan(&packet));
        assert_eq!(outcome.action, Action::Redirect);
        assert_eq!(outcome.frame, to_customer(&error("fd01::1", &packet, mtu, quoted)));
    }
    for (packet, mtu, quoted) in [(answer().hops(1), 0, 48), (answer().of_bytes(1501), 1500, 248)] {
        let mut world = world();
        let outcome = world.fabric(&from_nic(&packet));
        assert_eq!(outcome.action, Action::Redirect);
        let told = error(GATEWAY, &packet, mtu, quoted);
        assert_eq!(outcome.frame, to_nic(&told, FROM_HOST.source_port));
    }
}

#[test]
fn errors_are_never_answered() {
    let mut world = world();
    let about = error(FAR, &echo(NIC, FAR, 1), 0, 48).hops(1);
    let outcome = world.port(&on_vlan(&about));
    assert_eq!((outcome.verdict, outcome.action), (Verdict::TtlExpired, Action::Drop));
}

#[test]
fn a_full_table_refuses_new_flows_and_keeps_those_that_stand() {
    let mut world = world_with(Capacity { flows: 5, ..SMALL });
    let ask = |n| on_vlan(&udp(&format!("[2001:db8:9::9]:{}", 4000 + n), "[fd02:0:0:1::10]:53"));
    for n in 0..8 {
        let verdict = if n < 5 { Verdict::ForwardedToNet } else { Verdict::FlowsFull };
        assert_eq!(world.port(&ask(n)).verdict, verdict, "{n}");
    }
    assert_eq!(world.fabric(&from_nic(&answer())).verdict, Verdict::ForwardedToCustomer);
}

#[test]
fn flows_are_admitted_by_rules_and_answers_by_flows() {
    let mut world = world();
    let none = RuleSetNumber::new(7).unwrap();
    let inbound_only = RuleSet { outbound: vec![], ..rules6() };
    world.dataplane.put_rule_set(none, &inbound_only).unwrap();
    world.dataplane.put_nic(&Nic { rule_set: Some(none), ..nic6() }).unwrap();
    let flows = [
        (echo(FAR, NIC, 9), echo_reply(NIC, FAR, 9)),
        (question(), answer()),
        (
            tcp("[2001:db8:9::9]:4000", "[fd02:0:0:1::10]:22", SYN),
            tcp("[fd02:0:0:1::10]:22", "[2001:db8:9::9]:4000", SYN | ACK),
        ),
    ];
    for (there, back) in flows {
        let denied = Verdict::DeniedBySecurityGroup;
        assert_eq!(world.fabric(&from_nic(&back)).verdict, denied, "{back:?}");
        assert_eq!(world.port(&on_vlan(&there)).verdict, Verdict::ForwardedToNet, "{there:?}");
        let verdict = world.fabric(&from_nic(&back)).verdict;
        assert_eq!(verdict, Verdict::ForwardedToCustomer, "{back:?}");
        // An error about the answer belongs to the flow; about another's it does not.
        let about = error("2001:db8:9::1", &back, 1400, back.bytes().len().min(48));
        assert_eq!(world.port(&on_vlan(&about)).verdict, Verdict::ForwardedToNet, "{back:?}");
    }
    assert_eq!(world.dataplane.flows(9).unwrap().len(), 3);
    world.dataplane.put_nic(&Nic { rule_set: None, ..nic6() }).unwrap();
    assert_eq!(world.port(&on_vlan(&question())).verdict, Verdict::DeniedBySecurityGroup);
}

#[test]
fn ipv4_rules_say_nothing_of_ipv6_nor_the_other_way_round() {
    let mut world = world();
    let everything = |range| RuleSet {
        inbound: vec![Rule { range: net(range), protocol: Protocol::Any, ports: None }],
        ..RuleSet::default()
    };
    for (range, number, verdict) in [
        ("0.0.0.0/0", 7, Verdict::DeniedBySecurityGroup),
        ("::/0", 8, Verdict::ForwardedToNet),
        ("2001:db8:9::8/127", 9, Verdict::ForwardedToNet),
        ("2001:db8:9::a/127", 10, Verdict::DeniedBySecurityGroup),
        ("2001:db8::/47", 11, Verdict::DeniedBySecurityGroup),
    ] {
        let number = RuleSetNumber::new(number).unwrap();
        world.dataplane.put_rule_set(number, &everything(range)).unwrap();
        world.dataplane.put_nic(&Nic { rule_set: Some(number), ..nic6() }).unwrap();
        assert_eq!(world.port(&on_vlan(&question())).verdict, verdict, "{range}");
    }
}

#[test]
fn a_peer_teaches_its_mac_and_takes_its_way_along_when_it_goes() {
    let mut world = world();
    world.dataplane.remove_neighbour(WAY).unwrap();
    assert_eq!(world.fabric(&from_nic(&answer())).verdict, Verdict::NoNeighbour);
    let hello = tcp("[fd01::1]:179", "[fd01::2]:30000", SYN).bytes();
    let slow = |world: &mut World, to| world.slow(&ethernet(ROUTER_MAC, to, IPV6, &hello));
    assert_eq!(slow(&mut world, MULTICAST), Verdict::FromRouter);
    assert_eq!(world.fabric(&from_nic(&answer())).verdict, Verdict::NoNeighbour);
    assert_eq!(slow(&mut world, CUSTOMER_MAC), Verdict::FromRouter);
    assert_eq!(world.fabric(&from_nic(&answer())).verdict, Verdict::ForwardedToCustomer);
    let known = [(NUMBER, CUSTOMER_MAC), (WAY, CUSTOMER_MAC)].into();
    assert_eq!(world.dataplane.neighbours().unwrap(), known);
    world.dataplane.put_interface(&interface()).unwrap();
    assert_eq!(world.fabric(&from_nic(&answer())).verdict, Verdict::InterfaceGone);
    assert_eq!(world.port(&on_vlan(&question())).verdict, Verdict::NoIpv6Here);
    assert_eq!(slow(&mut world, CUSTOMER_MAC), Verdict::NoIpv6Here);
    let known = [(NUMBER, CUSTOMER_MAC)].into();
    assert_eq!(world.dataplane.neighbours().unwrap(), known);
}

#[test]
fn an_interface_of_ipv6_alone_forwards_it_and_no_ipv4() {
    let mut world = world();
    let alone = Interface { peers: vec![peer6()], ..interface() };
    world.dataplane.put_interface(&alone).unwrap();
    assert_eq!(world.dataplane.interfaces().unwrap(), [alone]);
    assert_eq!(world.port(&on_vlan(&question())).verdict, Verdict::ForwardedToNet);
    let answer4 = super::frame::udp("10.0.1.10:53", "192.0.2.9:4000");
    assert_eq!(world.reply(&answer4), Verdict::InterfaceGone);
}

#[test]
fn what_is_put_of_ipv6_is_listed_beside_ipv4_and_gone_when_removed() {
    let mut world = world();
    let dataplane = &mut world.dataplane;
    let (prefix, range) = (net("2001:db8:9::/48"), net("fd02:0:0:1::/64"));
    assert_eq!(dataplane.interfaces().unwrap()[0].peers, [peer(), peer6()]);
    assert_eq!(dataplane.nics().unwrap(), [nic(), nic6()]);
    assert_eq!(dataplane.rule_set(RULES).unwrap(), Some(rules6()));
    assert!(dataplane.sources().unwrap().contains(&Source { interface: NUMBER, prefix }));
    let route = Route { vni: vni(), prefix, ways: vec![WAY] };
    assert!(dataplane.routes().unwrap().contains(&route));
    let subnet = Subnet { vni: vni(), range, gateway: GATEWAY.parse().unwrap() };
    assert!(dataplane.subnets().unwrap().contains(&subnet));
    for _ in 0..2 {
        dataplane.remove_route(vni(), prefix).unwrap();
        dataplane.remove_source(Source { interface: NUMBER, prefix }).unwrap();
        dataplane.remove_subnet(vni(), range).unwrap();
        dataplane.remove_nic(vni(), nic6().address).unwrap();
        dataplane.remove_rule_set(RULES).unwrap();
    }
    assert_eq!(dataplane.nics().unwrap(), [nic()]);
    assert_eq!(dataplane.rule_set(RULES).unwrap(), None);
    assert_eq!(dataplane.routes().unwrap().len(), 1);
    assert_eq!(dataplane.sources().unwrap().len(), 1);
    assert_eq!(dataplane.subnets().unwrap().len(), 1);
    let mixed = Subnet { gateway: "10.0.0.1".parse().unwrap(), ..subnet };
    assert!(dataplane.put_subnet(mixed).is_err());
}
