//! RFC 5880 §6.8.6, sentence by sentence.

use crate::{OURS, THEIRS, Typed, ms, number, packet, sent, told};
use directlink_bgp::bfd::{
    Diagnostic, Discard, Input, Output, PACKET_BYTES, Packet, Role, Session, Settings, State,
};
use proptest::prelude::*;
use std::time::Duration;

/// A good packet (Down, no Your Discriminator) with octets changed.
fn edited(edits: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = packet(State::Down, 0).encode().to_vec();
    for (at, value) in edits {
        bytes[*at] = *value;
    }
    bytes
}

#[test]
fn what_must_be_discarded_is_and_touches_nothing() {
    let up = |bytes: Vec<u8>| [&bytes[..1], &[0xc0], &bytes[2..]].concat();
    let table: Vec<(&str, Vec<u8>, Discard)> = vec![
        ("nothing", vec![], Discard::LengthTooSmall),
        ("three octets", vec![0x20, 0x40, 3], Discard::LengthTooSmall),
        ("version 0", edited(&[(0, 0x00)]), Discard::Version),
        ("version 2", edited(&[(0, 0x40)]), Discard::Version),
        ("Length 23", edited(&[(3, 23)]), Discard::LengthTooSmall),
        ("Length 25 and the A bit", edited(&[(1, 0x44), (3, 25)]), Discard::LengthTooSmall),
        ("Length 25 of 24", edited(&[(3, 25)]), Discard::LengthBeyondPayload),
        ("cut to 23", edited(&[])[..23].to_vec(), Discard::LengthBeyondPayload),
        ("Detect Mult 0", edited(&[(2, 0)]), Discard::DetectMultZero),
        ("M bit", edited(&[(1, 0x41)]), Discard::Multipoint),
        (
            "My Discriminator 0",
            edited(&[(4, 0), (5, 0), (6, 0), (7, 0)]),
            Discard::MyDiscriminatorZero,
        ),
        ("Your Discriminator of another", edited(&[(11, 9)]), Discard::UnknownSession),
        ("the same, Up", up(edited(&[(11, 9)])), Discard::UnknownSession),
        ("Init without Your Discriminator", edited(&[(1, 0x80)]), Discard::YourDiscriminatorZero),
        ("Up without Your Discriminator", edited(&[(1, 0xc0)]), Discard::YourDiscriminatorZero),
        (
            "A bit",
            [edited(&[(1, 0x44), (3, 28)]), vec![1, 4, 0, 0]].concat(),
            Discard::Authenticated,
        ),
    ];
    for (name, bytes, why) in table {
        let mut typed = Typed::new(Role::Passive);
        assert_eq!(typed.input(Input::Received(&bytes)), [], "{name}");
        let status = typed.session.status();
        assert_eq!((status.discarded, status.last_discard), (1, Some(why)), "{name}");
        assert_eq!((status.state, status.remote), (State::Down, None), "{name}");
        assert_eq!(typed.session.next_deadline(), None, "{name}: it is no sign of life");
    }
}

#[test]
fn what_must_be_taken_is() {
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("plain", edited(&[])),
        ("a reserved diagnostic", edited(&[(0, 0x3f)])),
        ("octets after its Length", [edited(&[]), vec![7; 9]].concat()),
        ("the C bit", edited(&[(1, 0x48)])),
        ("the D bit", edited(&[(1, 0x42)])),
        ("echo offered", edited(&[(23, 9)])),
        ("AdminDown without Your Discriminator", edited(&[(1, 0)])),
    ];
    for (name, bytes) in table {
        let mut typed = Typed::new(Role::Passive);
        typed.input(Input::Received(&bytes));
        assert!(typed.session.status().remote.is_some(), "{name}");
        assert_eq!(typed.session.status().discarded, 0, "{name}");
    }
}

#[test]
fn each_state_goes_on_as_the_rfc_has_it() {
    use State::{AdminDown, Down, Init, Up};
    let neighbour = Output::Failed(Diagnostic::NeighborSignaledSessionDown);
    // Local, heard, then; what is told.
    let table: [(State, State, State, Option<Output>); 16] = [
        (AdminDown, AdminDown, AdminDown, None),
        (AdminDown, Down, AdminDown, None),
        (AdminDown, Init, AdminDown, None),
        (AdminDown, Up, AdminDown, None),
        (Down, AdminDown, Down, None),
        (Down, Down, Init, None),
        (Down, Init, Up, Some(Output::Up)),
        (Down, Up, Down, None),
        (Init, AdminDown, Down, None),
        (Init, Down, Init, None),
        (Init, Init, Up, Some(Output::Up)),
        (Init, Up, Up, Some(Output::Up)),
        (Up, AdminDown, Down, Some(Output::Ended)),
        (Up, Down, Down, Some(neighbour)),
        (Up, Init, Up, None),
        (Up, Up, Up, None),
    ];
    for (local, heard, then, what) in table {
        let mut typed = Typed::in_state(local);
        let outputs = typed.hear(packet(heard, OURS));
        let name = format!("{local} hears {heard}");
        assert_eq!(typed.session.status().state, then, "{name}");
        assert_eq!(told(&outputs), what.into_iter().collect::<Vec<_>>(), "{name}");
        // Whoever changes says so at once.
        let said: Vec<_> = sent(&outputs).iter().map(|packet| packet.state).collect();
        assert!(local == then || said == [then], "{name}: {said:?}");
    }
}

#[test]
fn the_reason_of_a_change_is_said_to_the_peer() {
    let mut typed = Typed::in_state(State::Up);
    let outputs = typed.hear(packet(State::Down, OURS));
    assert_eq!(sent(&outputs)[0].diagnostic, Diagnostic::NeighborSignaledSessionDown);
    let mut typed = Typed::in_state(State::Up);
    let outputs = typed.input(Input::Disable);
    assert_eq!(sent(&outputs)[0].diagnostic, Diagnostic::AdministrativelyDown);
    assert_eq!(told(&outputs), [Output::Ended]);
    let mut typed = Typed::in_state(State::Up);
    let outputs = typed.wait(Duration::from_secs(2));
    let diagnostic = Diagnostic::ControlDetectionTimeExpired;
    assert_eq!(told(&outputs), [Output::Failed(diagnostic)]);
    let last = *sent(&outputs).last().unwrap();
    assert_eq!((last.state, last.diagnostic), (State::Down, diagnostic));
    assert_eq!(last.your_discriminator, Some(number(THEIRS)));
}

#[test]
fn a_poll_is_answered_at_once_and_only_once() {
    for state in [State::Init, State::Up] {
        let mut typed = Typed::in_state(state);
        let outputs = typed.hear(Packet { poll: true, ..packet(state, OURS) });
        let answers: Vec<_> = sent(&outputs).iter().map(|p| (p.poll, p.r#final)).collect();
        assert_eq!(answers, [(false, true)], "{state}");
    }
    let mut typed = Typed::in_state(State::AdminDown);
    let outputs = typed.hear(Packet { poll: true, ..packet(State::Down, OURS) });
    assert!(sent(&outputs).iter().all(|packet| !packet.r#final), "it was discarded");
}

#[test]
fn only_a_session_that_can_be_kept_by_answers_says_that_it_is_independent() {
    let says = |make: bool, theirs: Packet| {
        let mut typed = Typed::in_state(State::Up);
        if make {
            typed.session.make_independent();
        }
        let outputs = typed.input(Input::Received(&Packet { poll: true, ..theirs }.encode()));
        sent(&outputs)[0].control_plane_independent
    };
    let up = packet(State::Up, OURS);
    assert!(says(true, up));
    assert!(!says(false, up), "nobody keeps it");
    // Our 3 x 300 ms of patience are theirs to speak twice in.
    assert!(says(true, Packet { desired_min_tx_micros: 450_000, ..up }));
    assert!(!says(true, Packet { desired_min_tx_micros: 460_000, ..up }));
    assert!(!says(true, Packet { demand: true, ..up }), "who may be silent cannot be answered");
    assert!(!says(true, packet(State::Init, OURS)));
}

#[test]
fn a_kept_session_whose_peer_fell_silent_meanwhile_fails() {
    let mut typed = Typed::in_state(State::Up);
    typed.session.make_independent();
    let kept = typed.session.kept().unwrap();
    let resumed = Session::resume(&kept, Role::Passive, Settings::default());
    let mut later = Typed { session: resumed, now: typed.now + ms(899) };
    assert_eq!(told(&later.input(Input::Tick)), []);
    let elsewhere = Input::HeardElsewhere(later.now);
    later.input(elsewhere);
    later.now += ms(899);
    assert_eq!(told(&later.input(Input::Tick)), [], "it was heard in our place");
    later.now += ms(2);
    let failed = Output::Failed(Diagnostic::ControlDetectionTimeExpired);
    assert_eq!(told(&later.input(Input::Tick)), [failed]);
}

#[test]
fn a_peer_that_restarts_is_met_again_under_its_new_number() {
    let mut typed = Typed::in_state(State::Up);
    let newborn = Packet { my_discriminator: number(77), ..packet(State::Down, 0) };
    let outputs = typed.hear(newborn);
    assert_eq!(told(&outputs), [Output::Failed(Diagnostic::NeighborSignaledSessionDown)]);
    typed.hear(newborn);
    let outputs = typed.hear(Packet {
        your_discriminator: Some(number(OURS)),
        state: State::Init,
        ..newborn
    });
    assert_eq!(told(&outputs), [Output::Up]);
    assert_eq!(sent(&outputs)[0].your_discriminator, Some(number(77)));
}

fn any_state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![State::AdminDown, State::Down, State::Init, State::Up])
}

prop_compose! {
    fn any_packet()(
        five_bits in 0..32u8,
        state in any_state(),
        flags in any::<[bool; 4]>(),
        mult in 1..=u8::MAX,
        numbers in (1..=u32::MAX, any::<u32>()),
        intervals in any::<[u32; 3]>(),
    ) -> Packet {
        let [poll, r#final, control_plane_independent, demand] = flags;
        // A reserved number has one name only.
        let head = Packet::parse(&edited(&[(0, 0x20 | five_bits)]), |_| true).unwrap();
        Packet {
            diagnostic: head.diagnostic,
            state,
            poll,
            r#final,
            control_plane_independent,
            demand,
            detect_mult: mult.try_into().unwrap(),
            my_discriminator: number(numbers.0),
            your_discriminator: numbers.1.try_into().ok(),
            desired_min_tx_micros: intervals[0],
            required_min_rx_micros: intervals[1],
            required_min_echo_rx_micros: intervals[2],
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_packet_reads_as_it_was_written(packet in any_packet()) {
        let read = Packet::parse(&packet.encode(), |_| true);
        match (packet.your_discriminator, packet.state) {
            (None, State::Init | State::Up) => {
                prop_assert_eq!(read, Err(Discard::YourDiscriminatorZero));
            }
            _ => prop_assert_eq!(read, Ok(packet)),
        }
    }

    #[test]
    fn nothing_that_comes_from_a_wire_can_panic(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        packets in prop::collection::vec(any_packet(), 0..20),
    ) {
        let mut session = Session::new(number(OURS), Role::Passive, Settings::default());
        let typed = packets.into_iter().map(|packet| {
            let to_us = Packet { your_discriminator: Some(number(OURS)), ..packet };
            to_us.encode().to_vec()
        });
        for (n, payload) in payloads.into_iter().chain(typed).enumerate() {
            let now = Duration::from_millis(100 * n as u64);
            session.handle(now, Input::Received(&payload), n as u32);
            session.next_deadline();
            session.status();
        }
    }

    #[test]
    fn what_is_sent_can_be_read(packets in prop::collection::vec(any_packet(), 1..30)) {
        let mut typed = Typed::new(Role::Active);
        for packet in packets {
            let to_us = Packet { your_discriminator: Some(number(OURS)), ..packet };
            typed.now += Duration::from_millis(70);
            for packet in sent(&typed.hear(to_us)) {
                prop_assert_eq!(packet.my_discriminator, number(OURS));
                prop_assert!(!(packet.poll && packet.r#final), "RFC 5880 §6.5");
                prop_assert!(!packet.demand && !packet.control_plane_independent);
            }
        }
        prop_assert_eq!(PACKET_BYTES, 24);
    }
}
