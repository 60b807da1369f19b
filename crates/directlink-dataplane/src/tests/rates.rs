//! Rates, without waiting: a rate so slow that a test sees its burst alone, and a bucket whose
//! time is moved by hand.

use super::{
    frame::{Packet, SYN, echo, echo_reply, tcp, udp},
    world::{NUMBER, PORT, World, interface, now_ns},
};
use crate::{Interface, Rate, Verdict};
use aya::maps::Array;

/// 125 bytes a second: what comes in while a test runs is no frame.
const SLOW: Rate = Rate::new(1000).unwrap();
const BURST_BYTES: usize = 65_536;
const BURST_NS: u64 = 524_288_000_000;
const FRAME_BYTES: usize = 1024;
const FRAMES: usize = BURST_BYTES / FRAME_BYTES;
const FRAME_NS: u64 = BURST_NS / FRAMES as u64;

/// In a frame of [`FRAME_BYTES`] on the customer's wire: its Ethernet header and tag are 18.
fn of_a_frame(packet: Packet) -> Packet {
    packet.of_bytes(FRAME_BYTES - 18)
}

fn question() -> Packet {
    of_a_frame(udp("192.0.2.9:4000", "10.0.1.10:53"))
}

fn answer() -> Packet {
    of_a_frame(udp("10.0.1.10:53", "192.0.2.9:4000"))
}

#[derive(Clone, Copy)]
enum Of {
    Interface,
    Connection,
}

fn limit(world: &mut World, of: Of, rate: Rate) {
    match of {
        Of::Interface => {
            let limited = Interface { rate: Some(rate), ..interface() };
            world.dataplane.put_interface(&limited).unwrap();
        }
        Of::Connection => world.dataplane.put_port_rate(PORT, rate).unwrap(),
    }
}

/// How many of `packets` come before the first that does not get `verdict`, and what that got.
fn passed(
    world: &mut World,
    way: fn(&mut World, &Packet) -> Verdict,
    packet: &Packet,
    verdict: Verdict,
) -> (usize, Verdict) {
    for count in 0..=4 * FRAMES {
        let got = way(world, packet);
        if got != verdict {
            return (count, got);
        }
    }
    panic!("more than four bursts went through");
}

#[test]
fn a_burst_goes_through_and_not_a_frame_more_either_way_by_road_and_by_shortcut() {
    use Verdict as V;
    let to_net = World::send as fn(&mut World, &Packet) -> Verdict;
    let to_customer = World::reply as fn(&mut World, &Packet) -> Verdict;
    // An echo never takes a shortcut, the second datagram of a flow does.
    let ping = of_a_frame(echo("192.0.2.9", "10.0.1.10", 1));
    let pong = of_a_frame(echo_reply("10.0.1.10", "192.0.2.9", 1));
    let both = [
        (to_net, [question(), ping], V::ForwardedToNet),
        (to_customer, [answer(), pong], V::ForwardedToCustomer),
    ];
    for (of, over) in [
        (Of::Interface, [V::OverInterfaceRateToNet, V::OverInterfaceRateToCustomer]),
        (Of::Connection, [V::OverConnectionRateToNet, V::OverConnectionRateToCustomer]),
    ] {
        for kind in 0..2 {
            let mut world = World::new();
            limit(&mut world, of, SLOW);
            // The way back has a bucket of its own, which the way there has not touched.
            for ((way, packets, on), over) in both.iter().zip(over) {
                let seen = passed(&mut world, *way, &packets[kind], *on);
                assert_eq!(seen, (FRAMES, over), "kind {kind}");
                let counted = world.dataplane.interface_tallies(NUMBER).unwrap().unwrap();
                assert_eq!(counted.of(over).packets, 1);
                assert_eq!(counted.of(*on).packets, FRAMES as u64);
            }
        }
    }
}

#[test]
fn time_fills_a_bucket_again_and_no_more_than_it_holds() {
    let mut world = World::new();
    limit(&mut world, Of::Interface, SLOW);
    let over = Verdict::OverInterfaceRateToNet;
    let full_at = |world: &mut World, ahead_ns: u64| {
        let map = world.dataplane.programs.map_mut("buckets").unwrap();
        let mut buckets = Array::<_, [u64; 2]>::try_from(map).unwrap();
        buckets.set(1024 + u32::from(NUMBER), [now_ns() + ahead_ns, 0], 0).unwrap();
    };
    for (ahead_ns, frames) in [
        // Empty; a frame's time ago it was; half-way; long ago.
        (BURST_NS, 0),
        (BURST_NS - FRAME_NS, 1),
        (BURST_NS / 2, FRAMES / 2),
        (0, FRAMES),
    ] {
        full_at(&mut world, ahead_ns);
        let seen = passed(&mut world, World::send, &question(), Verdict::ForwardedToNet);
        assert_eq!(seen, (frames, over), "{ahead_ns}");
    }
}

#[test]
fn a_rate_that_was_raised_or_lifted_holds_at_once() {
    let mut world = World::new();
    let fast = Rate::new(1_000_000_000).unwrap();
    for of in [Of::Interface, Of::Connection] {
        limit(&mut world, of, SLOW);
        passed(&mut world, World::send, &question(), Verdict::ForwardedToNet);
        limit(&mut world, of, fast);
        assert_eq!(world.send(&question()), Verdict::ForwardedToNet);
        limit(&mut world, of, SLOW);
        passed(&mut world, World::send, &question(), Verdict::ForwardedToNet);
        world.dataplane.put_interface(&interface()).unwrap();
        world.dataplane.remove_port_rate(PORT).unwrap();
        assert_eq!(world.send(&question()), Verdict::ForwardedToNet);
    }
}

#[test]
fn what_the_connection_refuses_costs_the_interface_nothing() {
    let mut world = World::new();
    limit(&mut world, Of::Connection, SLOW);
    passed(&mut world, World::send, &question(), Verdict::ForwardedToNet);
    limit(&mut world, Of::Interface, SLOW);
    for _ in 0..2 * FRAMES {
        assert_eq!(world.send(&question()), Verdict::OverConnectionRateToNet);
    }
    world.dataplane.remove_port_rate(PORT).unwrap();
    let seen = passed(&mut world, World::send, &question(), Verdict::ForwardedToNet);
    assert_eq!(seen, (FRAMES, Verdict::OverInterfaceRateToNet));
}

#[test]
fn a_customer_at_the_limit_still_speaks_with_the_router() {
    let mut world = World::new();
    limit(&mut world, Of::Connection, SLOW);
    passed(&mut world, World::send, &question(), Verdict::ForwardedToNet);
    let syn = tcp("203.0.113.2:30000", "203.0.113.1:179", SYN);
    assert_eq!(world.send(&syn), Verdict::ToRouter);
}

#[test]
fn rates_are_listed_as_they_were_put() {
    let mut world = World::new();
    let rate = |mega: u64| Rate::new(mega * 1_000_000).unwrap();
    let limited = Interface { rate: Some(rate(50)), ..interface() };
    world.dataplane.put_interface(&limited).unwrap();
    assert_eq!(world.dataplane.interfaces().unwrap(), [limited]);
    for (port, mega) in [(7, 100), (8, 200), (7, 300)] {
        world.dataplane.put_port_rate(port, rate(mega)).unwrap();
    }
    assert_eq!(world.dataplane.port_rates().unwrap(), [(7, rate(300)), (8, rate(200))].into());
    for _ in 0..2 {
        world.dataplane.remove_port_rate(7).unwrap();
    }
    // The next port has its place, and nothing of its rate.
    world.dataplane.put_port_rate(9, rate(400)).unwrap();
    assert_eq!(world.dataplane.port_rates().unwrap(), [(8, rate(200)), (9, rate(400))].into());
    world.dataplane.remove_interface(NUMBER).unwrap();
    world.dataplane.put_interface(&interface()).unwrap();
    assert_eq!(world.dataplane.interfaces().unwrap(), [interface()]);
}
