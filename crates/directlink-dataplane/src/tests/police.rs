//! What goes up to an interface's namespace: each class at its own pace, whatever the others do.

use super::{
    frame::{ACK, ARP, C_TAG, Packet, RST, SYN, arp, echo, tagged, tcp, udp},
    world::{CUSTOMER_MAC, NUMBER, ROUTER_MAC, VLAN, World, interface, now_ns, on_vlan, peer},
};
use crate::{Interface, InterfaceNumber, Peer, Verdict};
use aya::programs::{TestRun as _, TestRunOptions, Xdp};
use directlink_net::{Mac, Vlan};

struct Class {
    name: &'static str,
    frame: Vec<u8>,
    /// Packets that may come at once, and in a second.
    at_once: u64,
    a_second: u64,
    over: Verdict,
}

fn class(
    name: &'static str,
    frame: Vec<u8>,
    [at_once, a_second]: [u64; 2],
    over: Verdict,
) -> Class {
    Class { name, frame, at_once, a_second, over }
}

fn bfd() -> Packet {
    udp("203.0.113.2:49152", "203.0.113.1:3784").ttl(255)
}

fn question() -> Vec<u8> {
    let ask = arp(1, (CUSTOMER_MAC, "203.0.113.2"), (Mac([0; 6]), "203.0.113.1"));
    tagged(CUSTOMER_MAC, Mac([0xff; 6]), &[(C_TAG, VLAN)], ARP, &ask)
}

fn classes() -> Vec<Class> {
    use Verdict as V;
    let bgp = |flags| on_vlan(&tcp("203.0.113.2:30000", "203.0.113.1:179", flags));
    let rest = [100, 50];
    vec![
        class("BGP, established", bgp(ACK), [2000, 10_000], V::PolicedBgp),
        class("BGP, opening", bgp(SYN), [40, 20], V::PolicedBgpOpen),
        class("BFD", on_vlan(&bfd()), [100, 200], V::PolicedBfd),
        class("ARP", question(), [100, 50], V::PolicedNeighbour),
        class("ICMP", on_vlan(&echo("203.0.113.2", "203.0.113.1", 1)), [200, 200], V::PolicedIcmp),
        class("UDP", on_vlan(&udp("203.0.113.2:1", "203.0.113.1:33434")), rest, V::PolicedRest),
    ]
}

/// The same frame, again and again, as fast as the kernel runs the program. How many went up, and
/// how many were dropped for their class; no other verdict.
fn flood(world: &World, frame: &[u8], over: Verdict, packets: u32) -> (u64, u64) {
    let before = world.dataplane.tallies().unwrap();
    let program: &Xdp =
        world.dataplane.programs.program("directlink_port").unwrap().try_into().unwrap();
    let options =
        TestRunOptions { data_in: Some(frame), repeat: packets, ..TestRunOptions::default() };
    program.test_run(options).unwrap();
    let after = world.dataplane.tallies().unwrap();
    let new = |verdict| after.of(verdict).packets - before.of(verdict).packets;
    assert_eq!(new(Verdict::ToRouter) + new(over), u64::from(packets));
    (new(Verdict::ToRouter), new(over))
}

#[test]
fn each_class_has_its_burst_and_its_pace_and_takes_nothing_from_another() {
    let world = World::new();
    // A tick of the kernel at the slowest setting.
    let tick_ns = 10_000_000;
    for Class { name, frame, at_once, a_second, over } in classes() {
        let start = now_ns();
        let (up, dropped) = flood(&world, &frame, over, 10_000);
        let most = at_once + a_second * (now_ns() - start + tick_ns) / 1_000_000_000 + 1;
        assert!((at_once..=most).contains(&up), "{name}: {up} of {at_once} to {most}");
        assert!(dropped > 0, "{name}");
    }
    // Counted for the interface too.
    let counted = world.dataplane.interface_tallies(NUMBER).unwrap().unwrap();
    for Class { name, over, .. } in classes() {
        assert!(counted.of(over).packets > 0, "{name}");
    }
}

#[test]
fn one_interfaces_flood_takes_nothing_from_anothers() {
    let mut world = World::new();
    let number = InterfaceNumber::new(6).unwrap();
    let peers = vec![Peer { way: number, ..peer() }];
    let vlan = Vlan::try_from(200i64).unwrap();
    world.dataplane.put_interface(&Interface { number, vlan, peers, ..interface() }).unwrap();
    for Class { name, mut frame, at_once, over, .. } in classes() {
        flood(&world, &frame, over, 10_000);
        frame[15] = 200;
        let count = u32::try_from(at_once).unwrap();
        assert_eq!(flood(&world, &frame, over, count), (at_once, 0), "{name}");
    }
}

#[test]
fn what_only_looks_like_bgp_or_bfd_has_no_class_of_its_own() {
    let world = World::new();
    let rest = [
        // Has passed a router: RFC 5881 takes only what has not.
        bfd().ttl(254),
        bfd().with_options(),
        bfd().first_fragment(),
        bfd().later_fragment(3),
        tcp("203.0.113.2:30000", "203.0.113.1:179", ACK).first_fragment(),
        tcp("203.0.113.2:30000", "203.0.113.1:179", ACK).with_options(),
        tcp("203.0.113.2:30000", "203.0.113.1:22", SYN),
    ];
    for packet in rest {
        let (_, dropped) = flood(&world, &on_vlan(&packet), Verdict::PolicedRest, 1000);
        assert!(dropped > 0, "{packet:?}");
    }
    // An answer to the session that we opened, and its end, are of a session that stands.
    for flags in [SYN | ACK, RST] {
        let packet = tcp("203.0.113.2:179", "203.0.113.1:40000", flags);
        assert_eq!(flood(&world, &on_vlan(&packet), Verdict::PolicedBgp, 100), (100, 0));
    }
}

#[test]
fn what_the_customer_forwards_is_not_policed() {
    let world = World::new();
    let frame = tagged(
        CUSTOMER_MAC,
        ROUTER_MAC,
        &[(C_TAG, VLAN)],
        super::frame::IPV4,
        &echo("192.0.2.9", "10.0.1.99", 1).bytes(),
    );
    let before = world.dataplane.tallies().unwrap();
    let program: &Xdp =
        world.dataplane.programs.program("directlink_port").unwrap().try_into().unwrap();
    let options =
        TestRunOptions { data_in: Some(&frame), repeat: 10_000, ..TestRunOptions::default() };
    program.test_run(options).unwrap();
    let after = world.dataplane.tallies().unwrap();
    let verdict = Verdict::NicUnknown;
    assert_eq!(after.of(verdict).packets - before.of(verdict).packets, 10_000);
}
