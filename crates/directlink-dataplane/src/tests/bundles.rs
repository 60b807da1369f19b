//! LACP on a port: up to an agent that lives, answered for one that is silent, and a frame without a tag anywhere
//! else. And what a port takes that another of its bundle has; what they send is in `tests/traffic/bundles.rs`.

use super::{
    frame::{self, IPV4, ethernet, udp},
    frame6, v6,
    world::{Action, CUSTOMER_MAC, PORT, World, interface, now_ns, on_vlan},
};
use crate::{BundledPort, Interface, Verdict};
use directlink_net::Mac;
use nix::net::if_::if_nametoindex;
use std::time::Duration;

const SLOW_PROTOCOLS: Mac = Mac([0x01, 0x80, 0xc2, 0, 0, 2]);
const SLOW: u16 = 0x8809;
const PORT_MAC: Mac = Mac([2, 0, 0, 0, 4, 1]);
const OURS: [u8; 15] = [0x80, 0, 2, 0x44, 0x4c, 7, 7, 7, 0, 1, 0x80, 0, 0, 2, 0x3f];
const THEIRS: [u8; 15] = [0xff, 0xff, 2, 9, 9, 9, 9, 9, 0, 9, 0, 0xff, 0, 1, 0x3d];
/// What they last heard of us, which is old.
const OLD: [u8; 15] = [0x80, 0, 2, 0x44, 0x4c, 7, 7, 7, 0, 1, 0x80, 0, 0, 2, 0x07];

/// The 110 octets of an LACPDU.
fn pdu(actor: [u8; 15], partner: [u8; 15]) -> Vec<u8> {
    let parts = [&[1, 1][..], &[1, 20], &actor, &[0; 3], &[2, 20], &partner, &[0; 3], &[3, 16]];
    let mut bytes = parts.concat();
    bytes.resize(110, 0);
    bytes
}

fn frame() -> Vec<u8> {
    ethernet(CUSTOMER_MAC, SLOW_PROTOCOLS, SLOW, &pdu(THEIRS, OLD))
}

/// A bundled port whose agent lived so long ago.
fn world(silent: Duration) -> World {
    let world = World::new();
    let alive = Duration::from_nanos(now_ns()).saturating_sub(silent);
    let port =
        BundledPort { mac: PORT_MAC, said: OURS, heard: [0; 15], ports: [PORT, 0, 0, 0], alive };
    world.dataplane.bundled_ports().unwrap().put(PORT, &port).unwrap();
    world
}

#[test]
fn it_goes_up_as_it_came_while_the_agent_lives() {
    let outcome = world(Duration::from_secs(1)).port(&frame());
    assert_eq!((outcome.verdict, outcome.action), (Verdict::Lacp, Action::Pass));
    assert_eq!(outcome.frame, frame());
}

#[test]
fn on_the_way_up_it_reaches_the_agents_socket_and_nothing_else_without_a_tag_does() {
    const OK: u32 = 0;
    const SHOT: u32 = 2;
    let mut world = world(Duration::ZERO);
    assert_eq!(world.passed(&frame()), OK);
    assert_eq!(world.passed(&ethernet(CUSTOMER_MAC, PORT_MAC, IPV4, &[0x45; 60])), SHOT);
}

#[test]
fn it_is_answered_with_what_a_silent_agent_last_said() {
    for silent in [2, 3600] {
        let mut world = world(Duration::from_secs(silent));
        let outcome = world.port(&frame());
        assert_eq!((outcome.verdict, outcome.action), (Verdict::LacpAnswered, Action::Redirect));
        let row = world.dataplane.bundled_ports().unwrap().get(PORT).unwrap().unwrap();
        assert_eq!((row.said, row.heard), (OURS, THEIRS), "the next agent knows");
        let expected = ethernet(PORT_MAC, SLOW_PROTOCOLS, SLOW, &pdu(OURS, THEIRS));
        assert_eq!(outcome.frame, expected, "they hear what we heard of them");
    }
}

#[test]
fn on_a_port_by_itself_it_is_a_frame_without_a_tag() {
    assert_eq!(World::new().port(&frame()).verdict, Verdict::Untagged);
    let mut world = world(Duration::ZERO);
    assert_eq!(world.port(&frame()).verdict, Verdict::Lacp);
    world.dataplane.bundled_ports().unwrap().remove(PORT).unwrap();
    assert_eq!(world.port(&frame()).verdict, Verdict::Untagged);
}

#[test]
fn what_is_no_lacp_stays_a_frame_without_a_tag_on_a_bundled_port() {
    let changed = |at: usize, octet: u8| {
        let mut frame = frame();
        frame[at] = octet;
        frame
    };
    for (name, frame) in [
        ("to another address", changed(5, 3)),
        ("to a group beside it", changed(3, 1)),
        ("another protocol", changed(13, 0x0a)),
        ("a marker", changed(14, 2)),
        ("an actor of another length", changed(17, 19)),
        ("a partner of another length", changed(37, 19)),
        ("cut off", frame()[..50].to_vec()),
        ("an IPv4 packet", ethernet(CUSTOMER_MAC, SLOW_PROTOCOLS, IPV4, &[0x45; 60])),
    ] {
        let mut world = world(Duration::from_secs(9));
        assert_eq!(world.port(&frame).verdict, Verdict::Untagged, "{name}");
    }
}

#[test]
fn more_than_a_port_needs_is_dropped() {
    let mut world = world(Duration::ZERO);
    let verdicts: Vec<_> = (0..100).map(|_| world.port(&frame()).verdict).collect();
    let passed = verdicts.iter().filter(|&&verdict| verdict == Verdict::Lacp).count();
    assert!((30..60).contains(&passed), "{passed} of 100");
    assert!(verdicts.ends_with(&[Verdict::PolicedLacp]));
    // Nor does the agent make room for more by what it writes down of the last one.
    let mut table = world.dataplane.bundled_ports().unwrap();
    for _ in 0..20 {
        let row = table.get(PORT).unwrap().unwrap();
        table.put(PORT, &row).unwrap();
        let verdict = world.port(&frame()).verdict;
        if verdict != Verdict::Lacp {
            assert_eq!(verdict, Verdict::PolicedLacp);
            return;
        }
    }
    panic!("twenty more passed");
}

#[test]
fn what_was_put_is_listed() {
    let world = world(Duration::ZERO);
    let mut ports = world.dataplane.bundled_ports().unwrap();
    let listed = ports.list().unwrap();
    assert_eq!(listed.keys().collect::<Vec<_>>(), [&PORT]);
    assert_eq!((listed[&PORT].mac, listed[&PORT].said), (PORT_MAC, OURS));
    for _ in 0..2 {
        ports.remove(PORT).unwrap();
        assert!(ports.list().unwrap().is_empty());
    }
}

/// The customer's interface is on `up1`, and the port where everything comes bundled as `row` says.
fn with_interface_elsewhere(row: impl FnOnce(BundledPort, u32) -> Option<BundledPort>) -> World {
    let mut world = v6::world();
    let elsewhere = if_nametoindex("up1").unwrap();
    let moved = Interface {
        port_ifindex: elsewhere,
        peers: vec![super::world::peer(), v6::peer6()],
        ..interface()
    };
    world.dataplane.put_interface(&moved).unwrap();
    let alive = Duration::from_nanos(now_ns());
    let ports = [elsewhere, PORT, 0, 0];
    let both = BundledPort { mac: PORT_MAC, said: OURS, heard: THEIRS, ports, alive };
    if let Some(row) = row(both, elsewhere) {
        world.dataplane.bundled_ports().unwrap().put(PORT, &row).unwrap();
    }
    world
}

#[test]
fn a_port_that_collects_takes_what_another_of_its_bundle_has() {
    let mut world = with_interface_elsewhere(|both, _| Some(both));
    let packet = udp("192.0.2.9:5000", "10.0.1.10:53");
    // The second takes the shortcut of the first.
    for _ in 0..2 {
        assert_eq!(world.send(&packet), Verdict::ForwardedToNet);
        let packet6 = v6::on_vlan(&frame6::udp("[2001:db8:9::9]:5000", "[fd02:0:0:1::10]:53"));
        assert_eq!(world.port(&packet6).verdict, Verdict::ForwardedToNet);
    }
    let to_router = on_vlan(&frame::tcp("203.0.113.2:5000", "203.0.113.1:179", frame::ACK));
    assert_eq!(world.port(&to_router).verdict, Verdict::ToRouter);
}

#[test]
fn a_port_that_does_not_collect_or_is_of_another_bundle_takes_nothing_of_it() {
    let states = |said: u8| {
        move |both: BundledPort, _| {
            let mut row = both;
            row.said[14] = said;
            Some(row)
        }
    };
    let alone = |both, _| Some(BundledPort { ports: [PORT, 0, 0, 0], ..both });
    for (name, mut world) in [
        ("no bundle", with_interface_elsewhere(|_, _| None)),
        ("stands by", with_interface_elsewhere(states(0x07))),
        ("distributes only", with_interface_elsewhere(states(0x2f))),
        ("alone", with_interface_elsewhere(alone)),
    ] {
        let packet = udp("192.0.2.9:5000", "10.0.1.10:53");
        assert_eq!(world.send(&packet), Verdict::UnknownVlan, "{name}");
    }
}

#[test]
fn an_interface_on_the_port_itself_comes_before_one_of_its_bundle() {
    let mut world = with_interface_elsewhere(|both, _| Some(both));
    let own = Interface { number: 9.try_into().unwrap(), forwards: false, ..interface() };
    let own = Interface { peers: vec![crate::Peer { way: own.number, ..own.peers[0] }], ..own };
    world.dataplane.put_interface(&own).unwrap();
    let packet = udp("192.0.2.9:5000", "10.0.1.10:53");
    assert_eq!(world.send(&packet), Verdict::NotForwarding);
}
