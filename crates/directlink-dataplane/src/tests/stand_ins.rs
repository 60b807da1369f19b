//! BFD in the place of an agent that is silent: what is answered, and what is not.

use super::{
    frame::{C_TAG, IPV4, Packet, checksum, tagged, to_neighbour},
    frame6, v6,
    world::{Action, CUSTOMER_MAC, NUMBER, ROUTER_MAC, VLAN, World, now_ns, on_vlan},
};
use crate::{StandIn, Verdict};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

const CUSTOMER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 2));
const OURS: u32 = 0x0a0b_0c0d;
const THEIRS: u32 = 0x1a1b_1c1d;
const SECOND: Duration = Duration::from_secs(1);

/// The agent spoke so long ago, at 300 ms x 3.
fn session(silent_for: Duration) -> StandIn {
    let now = Duration::from_nanos(now_ns());
    StandIn {
        router: Ipv4Addr::new(203, 0, 113, 1).into(),
        source_port: 50_000,
        discriminator: OURS.try_into().unwrap(),
        detect_mult: 3.try_into().unwrap(),
        desired_tx_micros: 300_000,
        required_rx_micros: 300_001,
        their_discriminator: THEIRS.try_into().unwrap(),
        their_detect_mult: 3.try_into().unwrap(),
        their_desired_tx_micros: 300_002,
        their_required_rx_micros: 300_003,
        sent: now.saturating_sub(silent_for),
        silence: SECOND * 3 / 10,
        patience: SECOND * 120,
        heard: now.saturating_sub(silent_for),
    }
}

/// RFC 5880 §4.1, Up, with the customer's numbers.
fn control() -> Vec<u8> {
    let mut control = vec![1 << 5, 3 << 6, 3, 24];
    for word in [THEIRS, OURS, 200_000, 400_000, 0] {
        control.extend(word.to_be_bytes());
    }
    control
}

fn packet(control: &[u8]) -> Packet {
    to_neighbour("203.0.113.2:49999", "203.0.113.1:3784", control)
}

/// Whose agent has been silent for so long, as of now: to make a world takes a while.
fn world(silent_for: Duration) -> (World, StandIn) {
    let world = World::new();
    let session = session(silent_for);
    world.dataplane.stand_ins().unwrap().put(NUMBER, CUSTOMER, &session).unwrap();
    (world, session)
}

#[test]
fn a_silent_agents_session_is_answered_with_its_own_numbers() {
    let (mut world, _) = world(SECOND);
    for (flags, said) in
        [(3 << 6, 3 << 6 | 8), (3 << 6 | 0x20, 3 << 6 | 8 | 0x10), (2 << 6, 3 << 6 | 8)]
    {
        let mut asked = control();
        asked[1] = flags;
        let outcome = world.port(&on_vlan(&packet(&asked)));
        assert_eq!((outcome.verdict, outcome.action), (Verdict::BfdAnswered, Action::Redirect));
        let mut answer = vec![1 << 5, said, 3, 24];
        for word in [OURS, THEIRS, 300_000, 300_001, 0] {
            answer.extend(word.to_be_bytes());
        }
        let mut expected = to_neighbour("203.0.113.1:50000", "203.0.113.2:3784", &answer).bytes();
        // CS6, and no identification.
        expected[1] = 0xc0;
        expected[4..6].fill(0);
        expected[10..12].fill(0);
        let sum = checksum(&expected[..20]);
        expected[10..12].copy_from_slice(&sum);
        let tags = [(C_TAG, VLAN)];
        assert_eq!(outcome.frame, tagged(ROUTER_MAC, CUSTOMER_MAC, &tags, IPV4, &expected));
    }
}

#[test]
fn what_the_forwarding_heard_is_there_for_the_agent() {
    let (mut world, before) = world(SECOND);
    world.port(&on_vlan(&packet(&control())));
    let sessions = world.dataplane.stand_ins().unwrap();
    let after = sessions.get(NUMBER, CUSTOMER).unwrap().unwrap();
    assert!(after.heard >= before.heard + SECOND);
    let their = (after.their_desired_tx_micros, after.their_required_rx_micros);
    assert_eq!(their, (200_000, 400_000));
    let heard = StandIn { heard: before.heard, ..after };
    assert_eq!(
        heard,
        StandIn { their_desired_tx_micros: 200_000, their_required_rx_micros: 400_000, ..before }
    );
}

#[test]
fn an_agent_that_speaks_or_is_gone_for_too_long_is_not_spoken_for() {
    let frame = on_vlan(&packet(&control()));
    for silent_for in [Duration::ZERO, SECOND * 121] {
        let outcome = world(silent_for).0.port(&frame);
        assert_eq!((outcome.verdict, outcome.action), (Verdict::ToRouter, Action::Pass));
        assert_eq!(outcome.frame, frame, "{silent_for:?}");
    }
    assert_eq!(World::new().port(&frame).verdict, Verdict::ToRouter, "no session");
}

#[test]
fn what_is_not_of_the_session_goes_up() {
    let (mut world, _) = world(SECOND);
    let edits: [(&str, &[(usize, u8)]); 9] = [
        ("version", &[(0, 2 << 5)]),
        ("detect mult", &[(2, 0)]),
        ("length", &[(3, 25)]),
        ("another of theirs", &[(7, 0)]),
        ("another of ours", &[(11, 0)]),
        ("authenticated", &[(1, 3 << 6 | 4)]),
        ("demand", &[(1, 3 << 6 | 2)]),
        ("multipoint", &[(1, 3 << 6 | 1)]),
        ("none of ours", &[(8, 0), (9, 0), (10, 0), (11, 0)]),
    ];
    for (what, edits) in edits {
        let mut control = control();
        edits.iter().for_each(|&(at, octet)| control[at] = octet);
        assert_eq!(world.port(&on_vlan(&packet(&control))).verdict, Verdict::ToRouter, "{what}");
    }
    let longer = [control(), vec![0; 4]].concat();
    assert_eq!(world.port(&on_vlan(&packet(&longer))).verdict, Verdict::ToRouter);
    assert_eq!(world.port(&on_vlan(&packet(&control()))).verdict, Verdict::BfdAnswered);
}

#[test]
fn a_customer_who_is_no_longer_up_has_ended_it() {
    for state in [0, 1] {
        let (mut world, _) = world(SECOND);
        let mut over = control();
        over[1] = state << 6;
        assert_eq!(world.port(&on_vlan(&packet(&over))).verdict, Verdict::ToRouter);
        assert_eq!(world.port(&on_vlan(&packet(&control()))).verdict, Verdict::ToRouter);
        assert_eq!(world.dataplane.stand_ins().unwrap().get(NUMBER, CUSTOMER).unwrap(), None);
    }
}

#[test]
fn a_removed_interface_speaks_no_more() {
    let (mut world, _) = world(SECOND);
    world.dataplane.remove_interface(NUMBER).unwrap();
    assert_eq!(world.dataplane.stand_ins().unwrap().get(NUMBER, CUSTOMER).unwrap(), None);
}

const CUSTOMER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 2));
const ROUTER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 1));

fn world6(silent_for: Duration) -> World {
    let world = v6::world();
    let session = StandIn { router: ROUTER6, ..session(silent_for) };
    world.dataplane.stand_ins().unwrap().put(NUMBER, CUSTOMER6, &session).unwrap();
    world
}

fn packet6(control: &[u8]) -> Vec<u8> {
    v6::on_vlan(&frame6::to_neighbour("[fd01::2]:49999", "[fd01::1]:3784", control))
}

#[test]
fn a_session_of_ipv6_is_answered_with_its_own_numbers_and_a_checksum() {
    let mut world = world6(SECOND);
    let outcome = world.port(&packet6(&control()));
    assert_eq!((outcome.verdict, outcome.action), (Verdict::BfdAnswered, Action::Redirect));
    let mut answer = vec![1 << 5, 3 << 6 | 8, 3, 24];
    for word in [OURS, THEIRS, 300_000, 300_001, 0] {
        answer.extend(word.to_be_bytes());
    }
    let packet = frame6::to_neighbour("[fd01::1]:50000", "[fd01::2]:3784", &answer);
    let mut expected = v6::to_customer(&packet);
    // CS6, behind Ethernet and the tag.
    expected[18..20].copy_from_slice(&[0x6c, 0]);
    assert_eq!(outcome.frame, expected);
    let after = world.dataplane.stand_ins().unwrap().get(NUMBER, CUSTOMER6).unwrap().unwrap();
    assert_eq!((after.router, after.their_desired_tx_micros), (ROUTER6, 200_000));
}

#[test]
fn of_ipv6_too_what_is_not_of_the_session_or_not_up_goes_up() {
    let edited = |at: usize, octet| {
        let mut control = control();
        control[at] = octet;
        packet6(&control)
    };
    let mut world = world6(SECOND);
    for (what, frame) in [
        ("another of ours", edited(11, 0)),
        ("demand", edited(1, 3 << 6 | 2)),
        ("longer", packet6(&[control(), vec![0; 4]].concat())),
    ] {
        assert_eq!(world.port(&frame).verdict, Verdict::ToRouter, "{what}");
    }
    assert_eq!(world.port(&packet6(&control())).verdict, Verdict::BfdAnswered);
    assert_eq!(world.port(&edited(1, 1 << 6)).verdict, Verdict::ToRouter, "it is down");
    assert_eq!(world.port(&packet6(&control())).verdict, Verdict::ToRouter, "and so it is over");
    assert_eq!(world6(Duration::ZERO).port(&packet6(&control())).verdict, Verdict::ToRouter);
}

#[test]
fn a_removed_interface_speaks_no_more_ipv6_and_two_families_are_no_session() {
    let (mut world, mut session) = (world6(SECOND), session(SECOND));
    world.dataplane.remove_interface(NUMBER).unwrap();
    let mut stand_ins = world.dataplane.stand_ins().unwrap();
    assert_eq!(stand_ins.get(NUMBER, CUSTOMER6).unwrap(), None);
    assert!(stand_ins.put(NUMBER, CUSTOMER6, &session).is_err());
    session.router = ROUTER6;
    stand_ins.put(NUMBER, CUSTOMER6, &session).unwrap();
    stand_ins.remove(NUMBER, CUSTOMER6).unwrap();
    assert_eq!(stand_ins.get(NUMBER, CUSTOMER6).unwrap(), None);
}
