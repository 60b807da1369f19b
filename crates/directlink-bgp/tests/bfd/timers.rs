//! When packets go out, and when the peer is taken for dead (RFC 5880 §6.8.2 to §6.8.4, §6.8.7).

use crate::{OURS, Typed, ms, packet, sent, settings, told};
use directlink_bgp::bfd::{Diagnostic, Input, Output, Packet, Role, Session, Settings, State};
use proptest::prelude::*;

#[test]
fn a_passive_session_is_silent_until_it_is_spoken_to() {
    let mut typed = Typed::new(Role::Passive);
    assert_eq!(typed.wait(ms(60_000)), []);
    let outputs = typed.hear(packet(State::Down, 0));
    assert_eq!(sent(&outputs)[0].state, State::Init);
    // And after the peer has been silent for its detection time again.
    typed.wait(ms(10_000));
    assert_eq!(typed.wait(ms(60_000)), []);
    assert_eq!(typed.session.status().remote, None);
}

#[test]
fn an_active_session_calls_once_a_second_until_it_is_up() {
    let mut typed = Typed::new(Role::Active);
    typed.input(Input::Tick);
    let calls = sent(&typed.wait(ms(10_000)));
    assert_eq!(calls.len(), 10);
    assert!(
        calls.iter().all(|call| call.state == State::Down && call.your_discriminator.is_none())
    );
    assert!(calls.iter().all(|call| call.desired_min_tx_micros == 1_000_000));
}

/// Keeps the session up, and counts what it sends in a second.
fn packets_in_a_second(typed: &mut Typed, theirs: Packet) -> usize {
    let mut count = 0;
    for _ in 0..20 {
        count += sent(&typed.wait(ms(50))).len();
        count += sent(&typed.hear(theirs)).len();
    }
    count
}

#[test]
fn packets_come_as_often_as_both_sides_agree() {
    // Ours, the peer's Required Min RX in ms, packets in a second.
    for (interval, theirs, count) in [(50, 0, 0), (50, 1, 20), (50, 100, 10), (200, 50, 5)] {
        let mut typed = Typed::in_state(State::Up);
        typed.input(Input::Configure(settings(interval, 3)));
        let heard = Packet { required_min_rx_micros: theirs * 1000, ..packet(State::Up, OURS) };
        typed.hear(Packet { r#final: true, ..heard });
        packets_in_a_second(&mut typed, heard);
        let seen = packets_in_a_second(&mut typed, heard);
        assert_eq!(seen, count, "{interval} ms, {theirs} ms");
    }
}

#[test]
fn the_peer_is_dead_after_its_multiplier_times_the_slower_interval() {
    // The peer's Desired Min TX in ms and its Detect Mult; our Required Min RX in ms; ms to wait.
    for (tx, mult, rx, time) in
        [(300, 3, 300, 900), (50, 3, 300, 900), (500, 4, 300, 2000), (50, 3, 50, 150)]
    {
        let mut typed = Typed::in_state(State::Up);
        typed.input(Input::Configure(settings(rx, 3)));
        let heard = Packet {
            desired_min_tx_micros: tx * 1000,
            detect_mult: mult.try_into().unwrap(),
            ..packet(State::Up, OURS)
        };
        typed.hear(Packet { r#final: true, ..heard });
        typed.hear(heard);
        assert_eq!(typed.session.status().detection_time, Some(ms(time)));
        assert_eq!(told(&typed.wait(ms(time - 1))), []);
        let failed = Output::Failed(Diagnostic::ControlDetectionTimeExpired);
        assert_eq!(told(&typed.wait(ms(1))), [failed], "{tx} {mult} {rx}");
    }
}

#[test]
fn the_way_up_is_slow_and_what_comes_then_is_polled_for() {
    let mut typed = Typed::in_state(State::Init);
    assert_eq!(typed.session.status().transmit_interval, ms(1000));
    let outputs = typed.hear(packet(State::Init, OURS));
    let up = sent(&outputs)[0];
    assert_eq!((up.state, up.poll, up.desired_min_tx_micros), (State::Up, true, 300_000));
    assert_eq!(typed.session.status().transmit_interval, ms(300));
    assert!(sent(&typed.wait(ms(300)))[0].poll, "until it is answered");
    typed.hear(Packet { r#final: true, ..packet(State::Up, OURS) });
    assert!(!sent(&typed.wait(ms(300)))[0].poll);
}

#[test]
fn rarer_packets_and_less_patience_wait_for_the_peers_answer() {
    let mut typed = Typed::in_state(State::Up);
    let interval = |typed: &Typed| typed.session.status().transmit_interval;
    let patience = |typed: &Typed| typed.session.status().detection_time;
    typed.hear(packet(State::Up, OURS));
    typed.input(Input::Configure(settings(500, 3)));
    assert_eq!((interval(&typed), patience(&typed)), (ms(300), Some(ms(1500))), "rarer waits");
    let asked = sent(&typed.wait(ms(300)));
    assert_eq!((asked[0].poll, asked[0].desired_min_tx_micros), (true, 500_000), "but is told");
    typed.hear(Packet { r#final: true, ..packet(State::Up, OURS) });
    assert_eq!(interval(&typed), ms(500));
    typed.input(Input::Configure(settings(100, 3)));
    typed.hear(Packet { desired_min_tx_micros: 100_000, ..packet(State::Up, OURS) });
    assert_eq!((interval(&typed), patience(&typed)), (ms(300), Some(ms(1500))), "strict waits");
    typed.hear(Packet { r#final: true, desired_min_tx_micros: 100_000, ..packet(State::Up, OURS) });
    assert_eq!(patience(&typed), Some(ms(300)));
}

#[test]
fn a_change_during_a_poll_is_polled_for_again() {
    let mut typed = Typed::in_state(State::Up);
    typed.input(Input::Configure(settings(500, 3)));
    typed.input(Input::Configure(settings(600, 3)));
    let answer = Packet { r#final: true, ..packet(State::Up, OURS) };
    typed.hear(answer);
    assert_eq!(typed.session.status().transmit_interval, ms(300), "it may be to the first");
    typed.hear(answer);
    assert_eq!(typed.session.status().transmit_interval, ms(600));
}

#[test]
fn a_peer_in_demand_mode_has_its_silence_and_its_answers() {
    let mut typed = Typed::in_state(State::Up);
    let demand = Packet { demand: true, ..packet(State::Up, OURS) };
    assert_eq!(packets_in_a_second(&mut typed, demand), 0);
    let outputs = typed.hear(Packet { poll: true, ..demand });
    assert!(sent(&outputs)[0].r#final);
    assert_eq!(told(&typed.wait(ms(899))), [], "it still has to be heard itself");
    assert_eq!(told(&typed.wait(ms(1))).len(), 1);
}

#[test]
fn who_leaves_says_so_for_as_long_as_the_peer_would_wait_and_then_is_silent() {
    let mut typed = Typed::in_state(State::Up);
    let mut said = sent(&typed.input(Input::Disable));
    for _ in 0..100 {
        said.extend(sent(&typed.wait(ms(100))));
        typed.hear(packet(State::Down, OURS));
    }
    assert!(said.iter().all(|packet| packet.state == State::AdminDown));
    assert_eq!(said.len(), 3, "one per second");
    typed.input(Input::Enable);
    typed.hear(packet(State::Down, OURS));
    assert_eq!(typed.session.status().state, State::Init);
}

#[test]
fn the_same_settings_again_say_nothing() {
    let mut typed = Typed::in_state(State::Up);
    assert_eq!(typed.input(Input::Configure(Settings::default())), []);
    assert!(!sent(&typed.wait(ms(300)))[0].poll);
}

proptest! {
    /// RFC 5880 §6.8.7: 0 to 25 % less.
    #[test]
    fn packets_are_jittered_and_never_too_late(dice in prop::collection::vec(any::<u32>(), 40)) {
        let mut session = Session::new(crate::number(OURS), Role::Active, Settings::default());
        let mut last = None;
        for random in dice {
            let now = session.next_deadline().unwrap();
            prop_assert_eq!(sent(&session.handle(now, Input::Tick, random)).len(), 1);
            if let Some(last) = last {
                prop_assert!((ms(750)..=ms(1000)).contains(&(now - last)), "{:?}", now - last);
            }
            last = Some(now);
        }
    }
}
