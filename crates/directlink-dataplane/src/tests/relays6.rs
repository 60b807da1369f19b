//! Relays of IPv6: as those of IPv4 (`relays.rs`), on the road of its own.

use super::{
    frame::{IPV6, ethernet},
    frame6::{Packet6, SOLICITATION, error, neighbour, udp},
    relays::{OTHER, OTHER_MAC, by_other, counted, to_other},
    v6::{GATEWAY, NIC, WAY, answer, from_nic, to_customer, to_nic, world as v6_world},
    world::{Action, FROM_HOST, GATEWAY_MAC, NIC_MAC, World, ip, net, vni},
};
use crate::{Relay, Route, Verdict};

/// Knows the way to the other router, which leads to the Net as well.
fn world() -> World {
    let mut world = v6_world();
    ip("neigh add 10.9.0.3 lladdr 02:00:00:00:03:03 dev up0 nud permanent");
    world.dataplane.put_router(vni(), OTHER).unwrap();
    world
}

/// Its customer is reached only by the other router.
fn bereft() -> World {
    let mut world = world();
    world.dataplane.put_relay(&relay()).unwrap();
    world
}

fn relay() -> Relay {
    Relay { vni: vni(), prefix: net("2001:db8:9::/48"), routers: vec![OTHER], own: vec![] }
}

fn inner(packet: &Packet6) -> Vec<u8> {
    ethernet(NIC_MAC, GATEWAY_MAC, IPV6, &packet.bytes())
}

/// As the other router hands it on for the first or a later time.
fn relayed(time: u8, packet: &Packet6) -> Vec<u8> {
    by_other(time, &inner(packet))
}

#[test]
fn a_nics_packet_is_handed_on_to_the_other_router_as_it_came() {
    let mut world = bereft();
    for packet in [answer(), answer().hops(1), answer().of_bytes(1501), answer().later_fragment(3)]
    {
        let outcome = world.fabric(&from_nic(&packet));
        assert_eq!((outcome.verdict, outcome.action), (Verdict::Relayed, Action::Redirect));
        assert_eq!(outcome.frame, to_other(1, &inner(&packet)));
    }
    let spoofed = udp("[fd02:0:0:1::11]:53", "[2001:db8:9::9]:4000");
    assert_eq!(world.fabric(&from_nic(&spoofed)).verdict, Verdict::SpoofedSource);
}

#[test]
fn a_relayed_packet_takes_the_whole_road_here() {
    let mut world = world();
    for _ in 0..2 {
        let outcome = world.fabric(&relayed(1, &answer()));
        assert_eq!(outcome.verdict, Verdict::ForwardedToCustomer);
        assert_eq!(outcome.frame, to_customer(&answer().hops(63)));
    }
}

#[test]
fn a_relay_is_believed_only_while_it_leads_to_the_net_and_with_the_nics_mac() {
    let mut world = world();
    let frame = ethernet(OTHER_MAC, GATEWAY_MAC, IPV6, &answer().bytes());
    assert_eq!(world.fabric(&by_other(1, &frame)).verdict, Verdict::SpoofedSource);
    world.dataplane.remove_router(vni(), OTHER).unwrap();
    assert_eq!(world.fabric(&relayed(1, &answer())).verdict, Verdict::SpoofedSource);
}

#[test]
fn a_relay_cannot_ask_for_the_gateway() {
    let mut world = world();
    let ask = neighbour(SOLICITATION, NIC, GATEWAY, GATEWAY, NIC_MAC);
    assert_eq!(world.fabric(&from_nic(&ask)).verdict, Verdict::NdAnswered);
    assert_eq!(world.fabric(&relayed(1, &ask)).verdict, Verdict::SpoofedSource);
}

#[test]
fn what_was_relayed_is_relayed_once_more_and_never_again() {
    let mut world = bereft();
    let outcome = world.fabric(&relayed(1, &answer()));
    assert_eq!(
        (outcome.verdict, outcome.frame),
        (Verdict::Relayed, to_other(2, &inner(&answer())))
    );
    for relays in [2, 3, 255] {
        let outcome = world.fabric(&relayed(relays, &answer()));
        assert_eq!((outcome.verdict, outcome.action), (Verdict::RelayLoop, Action::Drop));
    }
    let forged = counted(2, from_nic(&answer()));
    assert_eq!(world.fabric(&forged).verdict, Verdict::Relayed, "a host counts nothing");
}

#[test]
fn a_better_router_is_handed_what_the_net_sends_and_what_it_hands_back_goes_our_own_way() {
    let mut world = world();
    world.dataplane.put_relay(&Relay { own: vec![WAY], ..relay() }).unwrap();
    assert_eq!(world.fabric(&from_nic(&answer())).verdict, Verdict::Relayed);
    for relays in [1, 2] {
        let outcome = world.fabric(&relayed(relays, &answer()));
        assert_eq!(outcome.verdict, Verdict::ForwardedToCustomer);
        assert_eq!(outcome.frame, to_customer(&answer().hops(63)));
    }
}

#[test]
fn answers_to_what_was_relayed_go_to_the_nics_own_host() {
    for (packet, mtu) in [(answer().hops(1), 0), (answer().of_bytes(1501), 1500)] {
        let mut world = world();
        let outcome = world.fabric(&relayed(1, &packet));
        assert_eq!(outcome.action, Action::Redirect);
        let quoted = if mtu == 0 { 48 } else { 248 };
        let error = error(GATEWAY, &packet, mtu, quoted);
        assert_eq!(outcome.frame, to_nic(&error, FROM_HOST.source_port));
    }
}

#[test]
fn the_longest_prefix_wins_over_both_and_a_way_of_our_own_takes_the_relays_place() {
    let mut world = world();
    let near = Relay { prefix: net("2001:db8:9::8/125"), ..relay() };
    world.dataplane.put_relay(&near).unwrap();
    assert_eq!(world.fabric(&from_nic(&answer())).verdict, Verdict::Relayed);
    assert_eq!(world.dataplane.relays().unwrap(), std::slice::from_ref(&near));
    let route = Route { vni: vni(), prefix: near.prefix, ways: vec![WAY] };
    world.dataplane.put_route(&route).unwrap();
    assert_eq!(world.fabric(&from_nic(&answer())).verdict, Verdict::ForwardedToCustomer);
    assert_eq!(world.dataplane.relays().unwrap(), []);
    world.dataplane.put_relay(&near).unwrap();
    world.dataplane.remove_route(vni(), near.prefix).unwrap();
    assert_eq!(world.dataplane.relays().unwrap(), []);
    assert_eq!(world.fabric(&from_nic(&answer())).verdict, Verdict::ForwardedToCustomer);
}
