//! How sessions come up, stay up and go down.

use crate::feeder::{CONN, Feeder, sent};
use crate::pair::{Pair, Side};
use crate::{customer, messages, net, nets, router, routes_after, seconds};
use directlink_bgp::{
    ConnId, DownReason, HoldTime, Input, Notification, Output, PeerConfig, State, Stop,
};
use proptest::prelude::*;
use rustbgpd_wire::{Message, RouteRefreshSubtype};
use std::time::Duration;

fn downs(said: &[Output]) -> Vec<&DownReason> {
    said.iter()
        .filter_map(|output| match output {
            Output::Down { reason, .. } => Some(reason),
            _ => None,
        })
        .collect()
}

#[test]
fn two_peers_that_dial_at_once_share_one_session_and_their_routes() {
    let mut pair = Pair::up(router(), customer());
    pair.run(seconds(600));
    assert!(pair.both_up());
    assert_eq!(pair.a.accepted(), nets(&["192.168.0.0/16", "192.168.7.0/24"]));
    assert_eq!(pair.b.accepted(), nets(&["10.1.0.0/16"]));
    assert_eq!(routes_after(&pair.a.said), pair.a.accepted());
    for side in [Side::A, Side::B] {
        let established =
            pair.end(side).said.iter().filter(|o| matches!(o, Output::Established(..))).count();
        assert_eq!(established, 1, "{side:?}");
        assert!(downs(&pair.end(side).said).is_empty(), "{side:?}");
        assert!(pair.status(side).converged, "{side:?}");
    }
}

#[test]
fn the_side_with_the_higher_identifier_keeps_what_it_dialled() {
    for (last, kept) in [(1, ConnId::Theirs(1)), (9, ConnId::Ours(1))] {
        let a = PeerConfig { router_id: [10, 255, 0, last].into(), ..router() };
        let pair = Pair::up(a, customer());
        let session = pair.status(Side::A).session.unwrap();
        assert_eq!(matches!(session, ConnId::Ours(_)), matches!(kept, ConnId::Ours(_)), "{last}");
    }
}

proptest! {
    /// Whatever the delays: soon there is one session, and it stays (rustbgpd's bugs 105 and 473).
    #[test]
    fn dials_that_cross_in_any_way_end_in_one_session(
        skew_ms in 0..40u64,
        latency_ms in 1..20u64,
        a_last in 1..5u8,
        a_first in any::<bool>(),
    ) {
        let a = PeerConfig { router_id: [10, 255, 0, a_last].into(), ..router() };
        let mut pair = Pair::new(a, customer());
        pair.latency = Duration::from_millis(latency_ms);
        let (first, second) = if a_first { (Side::A, Side::B) } else { (Side::B, Side::A) };
        pair.start(first);
        pair.run(Duration::from_millis(skew_ms));
        pair.start(second);
        pair.run(seconds(300));
        prop_assert!(pair.both_up());
        prop_assert!(downs(&pair.a.said).is_empty() && downs(&pair.b.said).is_empty());
        prop_assert_eq!(pair.a.accepted().len(), 2);
        prop_assert_eq!(pair.b.accepted().len(), 1);
    }
}

#[test]
fn the_lower_hold_time_holds_and_a_silent_peer_is_noticed() {
    let b = PeerConfig { hold_time: HoldTime::try_from(9).unwrap(), ..customer() };
    let b = PeerConfig { graceful_restart: None, ..b };
    let mut pair = Pair::up(router(), b);
    assert_eq!(pair.status(Side::A).negotiated.unwrap().hold_time_seconds, 9);
    pair.run(seconds(100));
    assert!(pair.both_up(), "keepalives keep it up");
    pair.cable = false;
    pair.a.hush();
    pair.run(seconds(10));
    assert_eq!(downs(&pair.a.said), [&DownReason::HoldTimerExpired]);
    assert_eq!(routes_after(&pair.a.said), []);
    assert!(pair.a.accepted().is_empty());
    pair.cable = true;
    pair.run(seconds(40));
    assert!(pair.both_up(), "it comes back without help");
    assert_eq!(pair.a.accepted().len(), 2);
}

#[test]
fn a_peer_that_is_not_there_yet_is_found_when_it_comes() {
    let mut pair = Pair::new(router(), customer());
    pair.b_listens = false;
    pair.start(Side::A);
    pair.run(seconds(60));
    let status = pair.status(Side::A);
    assert!(matches!(status.state, State::Active | State::Connect));
    assert!(matches!(status.last_failure, Some((_, DownReason::ConnectFailed(_)))));
    pair.b_listens = true;
    pair.run(seconds(11));
    assert_eq!(pair.status(Side::B).state, State::Idle, "it was not started, so it refuses");
    pair.start(Side::B);
    pair.run(seconds(5));
    assert!(pair.both_up());
}

#[test]
fn a_dial_into_silence_is_repeated() {
    let mut pair = Pair::new(router(), customer());
    pair.cable = false;
    pair.start(Side::A);
    pair.run(seconds(25));
    let dials = pair.a.said.iter().filter(|o| matches!(o, Output::Connect(_))).count();
    assert_eq!(dials, 3, "at 0, 10 and 20 s");
}

#[test]
fn a_wrong_as_number_is_said_to_both_sides_and_healed_by_configuration() {
    let wrong = PeerConfig { peer_asn: 64999u32.try_into().unwrap(), ..router() };
    let mut pair = Pair::new(wrong.clone(), customer());
    pair.start(Side::A);
    pair.start(Side::B);
    pair.run(seconds(30));
    assert!(!pair.both_up());
    let bad_peer_as = Notification { code: 2, subcode: 2, data: vec![] };
    let last = |pair: &Pair, side| pair.status(side).last_failure.unwrap().1;
    assert_eq!(last(&pair, Side::A), DownReason::NotificationSent(bad_peer_as.clone()));
    assert_eq!(last(&pair, Side::B), DownReason::NotificationReceived(bad_peer_as));
    pair.configure(Side::A, router());
    pair.run(seconds(40));
    assert!(pair.both_up());
}

#[test]
fn a_shutdown_says_why_and_stays() {
    let mut pair = Pair::up(router(), customer());
    pair.stop(Side::A, Stop::Shutdown("port maintenance".into()));
    pair.run(seconds(120));
    assert_eq!(pair.status(Side::A).state, State::Idle);
    let reasons = downs(&pair.b.said);
    let [DownReason::NotificationReceived(what)] = reasons[..] else { panic!("{reasons:?}") };
    assert_eq!(what.communication().as_deref(), Some("port maintenance"));
    assert!(what.is_hard_reset(), "both sides have the N bit");
    assert!(pair.b.accepted().is_empty());
    pair.start(Side::A);
    pair.run(seconds(40));
    assert!(pair.both_up());
}

#[test]
fn a_hold_time_below_three_is_refused() {
    for hold_time in [0, 1, 2] {
        let mut feeder = Feeder::open_sent(router());
        let open = rustbgpd_wire::OpenMessage { hold_time, ..messages::open_message() };
        let outputs = feeder.type_in(&messages::encoded(&Message::Open(open)));
        let unacceptable = Notification { code: 2, subcode: 6, data: vec![] };
        let failed = Output::Failed(DownReason::NotificationSent(unacceptable));
        assert!(outputs.contains(&failed), "{hold_time}: {outputs:?}");
    }
}

#[test]
fn a_peer_that_takes_nothing_is_given_up_after_the_send_hold_time() {
    let mut feeder = Feeder::established(router());
    // It keeps talking, but nothing that we send reaches its kernel.
    let mut outputs = Vec::new();
    for _ in 0..50 {
        feeder.now += seconds(10);
        outputs.extend(feeder.type_in(&messages::keepalive()));
        outputs.extend(feeder.input(Input::Tick));
    }
    assert_eq!(downs(&outputs), [&DownReason::SendHoldTimerExpired]);
    assert!(matches!(sent(&outputs).last(), Some(Message::Notification(n)) if n.code.as_u8() == 8));
}

#[test]
fn a_refresh_is_answered_between_its_brackets() {
    let mut feeder = Feeder::established(router());
    let answer = sent(&feeder.type_in(&messages::route_refresh(RouteRefreshSubtype::Normal)));
    let [Message::RouteRefresh(begin), Message::Update(table), Message::RouteRefresh(end)] =
        &answer[..]
    else {
        panic!("{answer:?}")
    };
    assert_eq!((begin.subtype_raw, end.subtype_raw), (1, 2));
    assert_eq!(table.nlri.as_ref(), [16, 10, 1]);
}

#[test]
fn a_refresh_waits_for_a_peer_that_does_not_read() {
    let mut config = router();
    config.advertised = (0..200u32).map(|n| net(&format!("10.1.{n}.0/24"))).collect();
    let mut feeder = Feeder::established(config);
    let mut bytes = 0;
    let mut refresh = |feeder: &mut Feeder| {
        let outputs = feeder.type_in(&messages::route_refresh(RouteRefreshSubtype::Normal));
        let size = |output: &Output| if let Output::Send(_, b) = output { b.len() } else { 0 };
        let more: usize = outputs.iter().map(size).sum();
        bytes += more;
        more
    };
    let asked = (0..1000).filter(|_| refresh(&mut feeder) > 0).count();
    assert!(asked < 100 && bytes < 80_000, "{asked} answers, {bytes} bytes");
    let owed = feeder.input(Input::Sent(CONN, 1_000_000));
    assert_eq!(sent(&owed).len(), 3, "the last one is answered when the peer reads on");
}

#[test]
fn bytes_may_come_in_any_pieces() {
    let mut feeder = Feeder::open_sent(router());
    let update = messages::update(&[], &messages::attributes(&[]), &messages::nlri([7]));
    let stream = [messages::open(), messages::keepalive(), update].concat();
    for byte in stream {
        feeder.type_in(&[byte]);
    }
    assert_eq!(feeder.refusals(), [("192.168.7.0/24".to_owned(), None)]);
}

#[test]
fn the_same_configuration_again_says_nothing() {
    let mut pair = Pair::up(router(), customer());
    pair.a.hush();
    pair.configure(Side::A, router());
    assert_eq!(pair.a.said, []);
}

#[test]
fn a_new_list_is_told_on_the_open_session() {
    let mut pair = Pair::up(router(), customer());
    let session = pair.status(Side::A).session;
    let advertised = nets(&["10.1.0.0/17", "10.2.0.0/16"]).into_iter().collect();
    pair.configure(Side::A, PeerConfig { advertised, ..router() });
    pair.run(seconds(1));
    assert_eq!(pair.b.accepted(), nets(&["10.1.0.0/17", "10.2.0.0/16"]));
    assert_eq!(pair.status(Side::A).session, session);
    let prepended = PeerConfig { prepend: 2, med: Some(50), ..pair.a.peer.config().clone() };
    pair.configure(Side::A, prepended);
    pair.run(seconds(1));
    for route in pair.b.peer.routes() {
        let attributes = route.attributes.unwrap();
        assert_eq!((attributes.as_path, attributes.med), (vec![50624; 3], Some(50)));
    }
    assert_eq!(pair.status(Side::A).session, session);
}

#[test]
fn a_new_policy_judges_what_is_there() {
    let mut pair = Pair::up(router(), customer());
    let session = pair.status(Side::A).session;
    let net_ranges = nets(&["10.1.0.0/16", "192.168.7.0/24"]);
    pair.configure(Side::A, PeerConfig { net_ranges, ..router() });
    assert_eq!(pair.a.accepted(), [], "one is the Net's, the other covers it");
    assert_eq!(routes_after(&pair.a.said), []);
    pair.configure(Side::A, router());
    assert_eq!(pair.a.accepted().len(), 2, "kept, and good again without a refresh");
    assert_eq!(routes_after(&pair.a.said).len(), 2);
    assert_eq!(pair.status(Side::A).session, session);
}

#[test]
fn what_the_open_said_needs_a_new_session() {
    let mut pair = Pair::up(router(), customer());
    let hold_time = HoldTime::try_from(30).unwrap();
    pair.configure(Side::A, PeerConfig { hold_time, ..router() });
    assert_eq!(downs(&pair.a.said), [&DownReason::ConfigurationChanged]);
    pair.run(seconds(5));
    assert!(pair.both_up());
    assert_eq!(pair.status(Side::B).negotiated.unwrap().hold_time_seconds, 30);
}

#[test]
fn ipv6_sessions_carry_ipv6() {
    let v6 = |config: PeerConfig, addrs: [&str; 2], advertised| PeerConfig {
        local_addr: addrs[0].parse().unwrap(),
        peer_addr: addrs[1].parse().unwrap(),
        net_ranges: vec![],
        advertised: nets(&[advertised, "172.20.0.0/16"]).into_iter().collect(),
        ..config
    };
    let mut pair = Pair::up(
        v6(router(), ["fd00::1", "fd00::2"], "fd00:1::/48"),
        v6(customer(), ["fd00::2", "fd00::1"], "2001:db8::/32"),
    );
    assert_eq!(pair.a.accepted(), nets(&["2001:db8::/32"]));
    assert_eq!(pair.b.accepted(), nets(&["fd00:1::/48"]), "IPv4 does not belong here");
    assert!(pair.status(Side::A).converged);
    let advertised = Default::default();
    pair.configure(Side::A, PeerConfig { advertised, ..pair.a.peer.config().clone() });
    pair.run(seconds(1));
    assert_eq!(pair.b.accepted(), []);
}

#[test]
fn a_router_that_knows_two_octets_only_is_understood() {
    let mut open = messages::open_message();
    open.capabilities.retain(|c| !matches!(c, rustbgpd_wire::Capability::FourOctetAs { .. }));
    let open = messages::encoded(&Message::Open(open));
    let mut feeder = Feeder::established_with(router(), &open);
    let mut attributes = vec![0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xfd, 0xe8];
    attributes.extend(messages::NEXT_HOP);
    feeder.type_in(&messages::update(&[], &attributes, &messages::nlri([7])));
    assert_eq!(feeder.refusals(), [("192.168.7.0/24".to_owned(), None)]);
    assert_eq!(feeder.peer.routes()[0].attributes.as_ref().unwrap().as_path, [65000]);
}

#[test]
fn four_octet_numbers_work_on_both_sides() {
    let asn = |n: u32| n.try_into().unwrap();
    let (ours, theirs) = (asn(4_200_000_001), asn(4_200_000_002));
    let pair = Pair::up(
        PeerConfig { local_asn: ours, peer_asn: theirs, ..router() },
        PeerConfig { local_asn: theirs, peer_asn: ours, ..customer() },
    );
    assert_eq!(pair.a.accepted().len(), 2);
    assert_eq!(pair.status(Side::A).negotiated.unwrap().peer_asn, theirs);
}
