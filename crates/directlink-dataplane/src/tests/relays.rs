//! What a host sends to a router that has lost its customer, on both routers that it meets.

use super::{
    frame::{ARP, Outer, Packet, arp, ethernet, icmp_error, in_tunnel, udp},
    world::{
        Action, FROM_HOST, GATEWAY_MAC, NIC_MAC, NUMBER, UPLINK_MAC, VNI, VTEP, World, from_nic,
        ip, to_customer, to_nic, vni,
    },
};
use crate::{Relay, Route, TableError, Verdict};
use directlink_net::Mac;
use std::net::Ipv4Addr;

/// The other router of the Region.
pub(super) const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 3);
pub(super) const OTHER_MAC: Mac = Mac([2, 0, 0, 0, 3, 3]);

/// The answer of the Net's NIC to the customer.
fn answer() -> Packet {
    udp("10.0.1.10:53", "192.0.2.9:4000")
}

/// As the other router hands it on.
fn relayed(packet: &Packet) -> Vec<u8> {
    relayed_for_the(1, packet)
}

fn relayed_for_the(time: u8, packet: &Packet) -> Vec<u8> {
    by_other(time, &inner(packet))
}

/// What the other router sends to us.
pub(super) fn by_other(relays: u8, inner: &[u8]) -> Vec<u8> {
    let outer = Outer { macs: [OTHER_MAC, UPLINK_MAC], addresses: [OTHER, VTEP], ..FROM_HOST };
    counted(relays, in_tunnel(&outer, VNI, inner))
}

/// What we send to it.
pub(super) fn to_other(relays: u8, inner: &[u8]) -> Vec<u8> {
    let outer = Outer { macs: [UPLINK_MAC, OTHER_MAC], addresses: [VTEP, OTHER], ..FROM_HOST };
    counted(relays, in_tunnel(&outer, VNI, inner))
}

/// So often relayed.
pub(super) fn counted(relays: u8, mut frame: Vec<u8>) -> Vec<u8> {
    // The last byte of VXLAN: Ethernet, IPv4 and UDP are before it.
    frame[14 + 20 + 8 + 7] = relays;
    frame
}

fn inner(packet: &Packet) -> Vec<u8> {
    ethernet(NIC_MAC, GATEWAY_MAC, super::frame::IPV4, &packet.bytes())
}

/// Knows the way to the other router, which leads to the Net as well.
fn world() -> World {
    let mut world = World::new();
    ip("neigh add 10.9.0.3 lladdr 02:00:00:00:03:03 dev up0 nud permanent");
    world.dataplane.put_router(vni(), OTHER).unwrap();
    world
}

/// Its customer is reached only by the other router.
fn bereft() -> World {
    let mut world = world();
    world.dataplane.put_relay(&relay(vec![OTHER])).unwrap();
    world
}

fn relay(routers: Vec<Ipv4Addr>) -> Relay {
    Relay { vni: vni(), prefix: "192.0.2.0/24".parse().unwrap(), routers, own: vec![] }
}

#[test]
fn a_nics_packet_is_handed_on_to_the_other_router_as_it_came() {
    let mut world = bereft();
    // Nothing is decided here, not even that the last hop is gone or a port is shut.
    for packet in [answer(), answer().ttl(1), answer().of_bytes(1501), answer().later_fragment(3)] {
        let outcome = world.fabric(&from_nic(&packet));
        assert_eq!((outcome.verdict, outcome.action), (Verdict::Relayed, Action::Redirect));
        assert_eq!(outcome.frame, to_other(1, &inner(&packet)));
    }
    assert_eq!(world.dataplane.flows(10).unwrap(), []);
}

#[test]
fn nobody_but_the_nic_is_relayed() {
    let mut world = bereft();
    let spoofed = udp("10.0.1.11:53", "192.0.2.9:4000");
    assert_eq!(world.fabric(&from_nic(&spoofed)).verdict, Verdict::SpoofedSource);
}

#[test]
fn a_relayed_packet_takes_the_whole_road_here() {
    let mut world = world();
    for _ in 0..3 {
        let outcome = world.fabric(&relayed(&answer()));
        assert_eq!(outcome.verdict, Verdict::ForwardedToCustomer);
        assert_eq!(outcome.frame, to_customer(&answer().ttl(63)));
    }
    assert_eq!(world.dataplane.flows(10).unwrap().len(), 1);
}

#[test]
fn a_relay_is_believed_only_while_it_leads_to_the_net() {
    let mut world = world();
    assert_eq!(world.fabric(&relayed(&answer())).verdict, Verdict::ForwardedToCustomer);
    // The flow has a shortcut by now.
    world.dataplane.remove_router(vni(), OTHER).unwrap();
    assert_eq!(world.fabric(&relayed(&answer())).verdict, Verdict::SpoofedSource);
    let elsewhere = directlink_net::Vni::try_from(VNI + 1).unwrap();
    world.dataplane.put_router(elsewhere, OTHER).unwrap();
    assert_eq!(world.fabric(&relayed(&answer())).verdict, Verdict::SpoofedSource, "another Net's");
}

#[test]
fn a_relay_cannot_speak_for_a_nic_but_with_its_mac_nor_ask_for_the_gateway() {
    let mut world = world();
    let frame = ethernet(OTHER_MAC, GATEWAY_MAC, super::frame::IPV4, &answer().bytes());
    assert_eq!(world.fabric(&by_other(0, &frame)).verdict, Verdict::SpoofedSource);
    let ask = arp(1, (NIC_MAC, "10.0.1.10"), (Mac([0; 6]), "10.0.1.1"));
    let frame = by_other(0, &ethernet(NIC_MAC, Mac([0xff; 6]), ARP, &ask));
    assert_eq!(world.fabric(&frame).verdict, Verdict::SpoofedSource);
}

#[test]
fn what_was_relayed_is_relayed_once_more_and_never_again() {
    let mut world = bereft();
    // A router of an older build counts none.
    for counted_by_it in [0, 1] {
        let outcome = world.fabric(&relayed_for_the(counted_by_it, &answer()));
        assert_eq!((outcome.verdict, outcome.action), (Verdict::Relayed, Action::Redirect));
        assert_eq!(outcome.frame, to_other(2, &inner(&answer())));
    }
    for relays in [2, 3, 255] {
        let outcome = world.fabric(&relayed_for_the(relays, &answer()));
        assert_eq!((outcome.verdict, outcome.action), (Verdict::RelayLoop, Action::Drop));
    }
    let forged = counted(2, from_nic(&answer()));
    assert_eq!(world.fabric(&forged).verdict, Verdict::Relayed, "a host counts nothing");
}

#[test]
fn a_better_router_is_handed_what_the_net_sends_and_what_it_hands_back_goes_our_own_way() {
    let mut world = world();
    world.dataplane.put_relay(&Relay { own: vec![NUMBER], ..relay(vec![OTHER]) }).unwrap();
    assert_eq!(world.dataplane.relays().unwrap()[0].own, [NUMBER]);
    for _ in 0..2 {
        assert_eq!(world.reply(&answer()), Verdict::Relayed);
    }
    for relays in [1, 2] {
        let outcome = world.fabric(&relayed_for_the(relays, &answer()));
        assert_eq!(outcome.verdict, Verdict::ForwardedToCustomer);
        assert_eq!(outcome.frame, to_customer(&answer().ttl(63)));
    }
    assert_eq!(world.reply(&answer()), Verdict::Relayed, "a shortcut of the relayed is not its");
}

#[test]
fn more_routers_and_ways_than_a_row_holds_are_refused() {
    let mut world = world();
    let full = Relay { own: vec![NUMBER; 2], ..relay(vec![OTHER; 2]) };
    world.dataplane.put_relay(&full).unwrap();
    assert_eq!(world.fabric(&relayed(&answer())).verdict, Verdict::ForwardedToCustomer);
    let over = Relay { own: vec![NUMBER; 3], ..full };
    assert!(matches!(world.dataplane.put_relay(&over), Err(TableError::Routers(_))));
}

#[test]
fn answers_to_what_was_relayed_go_to_the_nics_own_host() {
    for (packet, mtu) in [(answer().ttl(1), 0), (answer().of_bytes(1501), 1500)] {
        let mut world = world();
        let outcome = world.fabric(&relayed(&packet));
        assert_eq!(outcome.action, Action::Redirect);
        let error = icmp_error("10.0.1.1", &packet, mtu);
        assert_eq!(outcome.frame, to_nic(&error, FROM_HOST.source_port));
    }
}

#[test]
fn the_longest_prefix_wins_over_both_and_a_way_of_our_own_takes_the_relays_place() {
    let mut world = world();
    let near = Relay { prefix: "192.0.2.8/29".parse().unwrap(), ..relay(vec![OTHER]) };
    world.dataplane.put_relay(&near).unwrap();
    assert_eq!(world.reply(&answer()), Verdict::Relayed);
    assert_eq!(world.reply(&udp("10.0.1.10:53", "192.0.2.99:4000")), Verdict::ForwardedToCustomer);
    assert_eq!(world.dataplane.relays().unwrap(), std::slice::from_ref(&near));
    let route = Route { vni: vni(), prefix: near.prefix, ways: vec![NUMBER] };
    world.dataplane.put_route(&route).unwrap();
    assert_eq!(world.reply(&answer()), Verdict::ForwardedToCustomer);
    assert_eq!(world.dataplane.relays().unwrap(), []);
    world.dataplane.put_relay(&near).unwrap();
    assert_eq!(world.reply(&answer()), Verdict::Relayed);
    world.dataplane.remove_route(vni(), near.prefix).unwrap();
    assert_eq!(world.dataplane.relays().unwrap(), []);
    assert_eq!(world.reply(&answer()), Verdict::ForwardedToCustomer);
}

#[test]
fn a_relay_that_the_kernel_does_not_know_or_that_is_too_narrow_says_so() {
    let mut world = bereft();
    ip("neigh del 10.9.0.3 dev up0");
    assert_eq!(world.reply(&answer()), Verdict::FabricUnresolved);
    let mut world = bereft();
    ip("route add 10.9.0.3/32 dev up0 mtu lock 1400");
    assert_eq!(world.reply(&answer().of_bytes(1400)), Verdict::FabricTooSmall);
}

#[test]
fn several_routers_share_by_flow_and_none_or_no_address_is_no_relay() {
    let mut world = bereft();
    ip("neigh add 10.9.0.4 lladdr 02:00:00:00:03:04 dev up0 nud permanent");
    world.dataplane.put_relay(&relay(vec![OTHER, Ipv4Addr::new(10, 9, 0, 4)])).unwrap();
    let to = |port: u16| udp("10.0.1.10:53", &format!("192.0.2.9:{port}"));
    let mut via = |port| world.fabric(&from_nic(&to(port))).frame[33];
    let took: Vec<u8> = (4000..4064).map(&mut via).collect();
    assert_eq!(took, (4000..4064).map(&mut via).collect::<Vec<_>>(), "a flow keeps to one");
    assert!(took.contains(&3) && took.contains(&4), "{took:?}");
    for routers in [vec![], vec![Ipv4Addr::new(0, 0, 1, 1)], vec![OTHER; 5]] {
        let refused = world.dataplane.put_relay(&relay(routers));
        assert!(matches!(refused, Err(TableError::Routers(_))));
    }
}

#[test]
fn routers_are_listed_and_put_and_removed_twice_without_error() {
    let mut world = world();
    world.dataplane.put_router(vni(), OTHER).unwrap();
    assert_eq!(world.dataplane.routers().unwrap(), [(vni(), OTHER)].into());
    for _ in 0..2 {
        world.dataplane.remove_router(vni(), OTHER).unwrap();
        assert!(world.dataplane.routers().unwrap().is_empty());
    }
}
