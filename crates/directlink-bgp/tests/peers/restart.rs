//! Graceful restart (RFC 4724, RFC 8538), seen from both sides.

use crate::feeder::Feeder;
use crate::pair::{Pair, Side};
use crate::{customer, messages, nets, router, routes_after, seconds};
use directlink_bgp::{DownReason, GracefulRestart, Input, Output, PeerConfig, Stop};
use rustbgpd_wire::{Message, RouteRefreshSubtype};

fn restarting(config: PeerConfig) -> PeerConfig {
    let restarting = Some(GracefulRestart { restarting: true, ..Default::default() });
    PeerConfig { graceful_restart: restarting, ..config }
}

fn kept(said: &[Output]) -> Vec<bool> {
    said.iter()
        .filter_map(|output| match output {
            Output::Down { routes_kept, .. } => Some(*routes_kept),
            _ => None,
        })
        .collect()
}

#[test]
fn a_router_that_restarts_is_forgiven_and_its_routes_stay() {
    let mut pair = Pair::up(router(), customer());
    pair.b.hush();
    pair.replace(Side::A, restarting(router()), true);
    pair.run(seconds(10));
    assert!(pair.both_up());
    assert_eq!(kept(&pair.b.said), [true]);
    let withdrawn = pair.b.said.iter().any(|output| match output {
        Output::Routes(changes) => changes.iter().any(|change| change.path.is_none()),
        _ => false,
    });
    assert!(!withdrawn, "the customer never lost a route");
    let restart = pair.status(Side::B).negotiated.unwrap().graceful_restart.unwrap();
    assert!(restart.restarting && restart.notification);
    assert_eq!(restart.restart_time_seconds, 120);
    assert!(restart.families.iter().all(|(_, forwarding)| *forwarding));
    assert_eq!(pair.status(Side::B).routes.stale, 0, "confirmed");
}

#[test]
fn the_restart_bit_is_said_once_and_the_forwarding_bit_from_then_on() {
    let mut pair = Pair::up(router(), customer());
    let bits = |pair: &Pair| {
        let restart = pair.status(Side::B).negotiated.unwrap().graceful_restart.unwrap();
        (restart.restarting, restart.families[0].1)
    };
    assert_eq!(bits(&pair), (false, false), "a first start preserved nothing");
    pair.replace(Side::A, restarting(router()), true);
    pair.run(seconds(10));
    assert_eq!(bits(&pair), (true, true));
    pair.cable = false;
    pair.run(seconds(100));
    pair.cable = true;
    pair.run(seconds(40));
    assert!(pair.both_up());
    assert_eq!(bits(&pair), (false, true), "only the session was lost");
}

#[test]
fn a_planned_restart_says_nothing_and_withdraws_nothing() {
    let mut pair = Pair::up(router(), customer());
    pair.a.hush();
    pair.b.hush();
    pair.stop(Side::A, Stop::Restart);
    pair.run(seconds(1));
    assert_eq!(kept(&pair.a.said), [true]);
    assert_eq!(kept(&pair.b.said), [true]);
    assert!(!pair.a.said.iter().any(|o| matches!(o, Output::Send(..) | Output::Routes(_))));
    assert_eq!(pair.b.accepted(), nets(&["10.1.0.0/16"]));
}

#[test]
fn a_deleted_interface_leaves_nothing_behind() {
    let mut pair = Pair::up(router(), customer());
    pair.stop(Side::A, Stop::Deleted);
    pair.run(seconds(1));
    assert_eq!(kept(&pair.b.said), [false]);
    assert_eq!(pair.b.accepted(), []);
    assert_eq!(routes_after(&pair.b.said), []);
    assert_eq!(routes_after(&pair.a.said), []);
    let down = pair.b.said.iter().find_map(|output| match output {
        Output::Down { reason: DownReason::NotificationReceived(what), .. } => Some(what),
        _ => None,
    });
    assert_eq!(down.unwrap().to_string(), "Hard Reset: Cease: Peer De-configured (6/3)");
}

#[test]
fn what_a_restarted_peer_does_not_say_again_is_swept_at_its_end_of_rib() {
    let mut pair = Pair::up(router(), customer());
    let fewer = nets(&["192.168.7.0/24"]).into_iter().collect();
    pair.a.hush();
    pair.replace(Side::B, PeerConfig { advertised: fewer, ..restarting(customer()) }, true);
    pair.run(seconds(10));
    assert_eq!(kept(&pair.a.said), [true]);
    assert_eq!(pair.a.accepted(), nets(&["192.168.7.0/24"]));
    assert_eq!(routes_after(&pair.a.said), nets(&["192.168.7.0/24"]));
}

#[test]
fn a_peer_that_forwarded_nothing_through_its_restart_starts_from_nothing() {
    let mut pair = Pair::up(router(), customer());
    pair.a.hush();
    pair.replace(Side::B, PeerConfig { advertised: Default::default(), ..customer() }, true);
    pair.run(seconds(10));
    assert!(pair.both_up());
    let gone_before_end_of_rib = pair.a.said.iter().position(|output| match output {
        Output::Routes(changes) => changes.iter().all(|change| change.path.is_none()),
        _ => false,
    });
    assert!(gone_before_end_of_rib.is_some());
    assert_eq!(pair.a.accepted(), []);
}

#[test]
fn a_peer_that_does_not_come_back_is_forgotten_after_its_restart_time() {
    let mut pair = Pair::up(router(), customer());
    pair.replace(Side::B, customer(), true);
    pair.stop(Side::B, Stop::Restart);
    pair.run(seconds(119));
    assert_eq!(pair.status(Side::A).routes.stale, 2);
    assert_eq!(routes_after(&pair.a.said).len(), 2);
    pair.run(seconds(2));
    assert_eq!(pair.status(Side::A).routes.received, 0);
    assert_eq!(routes_after(&pair.a.said), []);
}

#[test]
fn a_peer_without_graceful_restart_takes_its_routes_along() {
    let mut pair = Pair::up(router(), PeerConfig { graceful_restart: None, ..customer() });
    pair.a.hush();
    pair.stop(Side::B, Stop::Restart);
    pair.run(seconds(1));
    assert_eq!(kept(&pair.a.said), [false]);
    assert_eq!(pair.a.accepted(), []);
}

/// The customer's router loses power and is back before the hold time is over.
#[test]
fn a_peer_that_dials_anew_replaces_its_dead_connection() {
    let mut pair = Pair::up(router(), customer());
    pair.run(seconds(10));
    pair.a.hush();
    pair.replace(Side::B, restarting(customer()), false);
    pair.run(seconds(5));
    assert!(pair.both_up());
    let superseded = pair.a.said.iter().any(|output| {
        matches!(output, Output::Down { reason: DownReason::Superseded, routes_kept: true, .. })
    });
    assert!(superseded, "{:?}", pair.a.said);
    assert_eq!(pair.a.accepted().len(), 2);
}

#[test]
fn without_graceful_restart_an_open_session_wins_over_a_newcomer() {
    let mut pair = Pair::up(router(), PeerConfig { graceful_restart: None, ..customer() });
    let session = pair.status(Side::A).session;
    pair.a.hush();
    pair.replace(Side::B, PeerConfig { graceful_restart: None, ..customer() }, false);
    pair.run(seconds(60));
    assert_eq!(pair.status(Side::A).session, session, "until its hold time is over");
    assert_eq!(kept(&pair.a.said), Vec::<bool>::new());
    pair.run(seconds(90));
    assert!(pair.both_up());
    assert_ne!(pair.status(Side::A).session, session);
}

#[test]
fn a_second_restart_does_not_prolong_the_first() {
    let mut open = messages::open_message();
    open.capabilities.push(messages::graceful_restart(true, true));
    let open = messages::encoded(&Message::Open(open));
    let mut feeder = Feeder::established_with(router(), &open);
    let attributes = messages::attributes(&[]);
    feeder.type_in(&messages::update(&[], &attributes, &messages::nlri([1, 2])));
    feeder.input(Input::Closed(crate::feeder::CONN, "reset".into()));
    assert_eq!(feeder.peer.status(feeder.now).routes.stale, 2);
    let again = directlink_bgp::ConnId::Theirs(2);
    feeder.input(Input::Opened(again));
    feeder.input(Input::Received(again, &open));
    feeder.input(Input::Received(again, &messages::keepalive()));
    let confirmed = messages::update(&[], &attributes, &messages::nlri([1]));
    feeder.input(Input::Received(again, &confirmed));
    feeder.input(Input::Closed(again, "reset".into()));
    let routes = feeder.peer.routes();
    assert_eq!(routes.len(), 1);
    assert_eq!((routes[0].prefix.to_string(), routes[0].stale), ("192.168.1.0/24".into(), true));
}

#[test]
fn an_enhanced_refresh_sweeps_what_was_not_repeated() {
    let mut feeder = Feeder::established(router());
    let attributes = messages::attributes(&[]);
    feeder.type_in(&messages::update(&[], &attributes, &messages::nlri([1, 2])));
    // Before the first table is complete the brackets mean nothing.
    feeder.type_in(&messages::route_refresh(RouteRefreshSubtype::BoRR));
    assert_eq!(feeder.peer.status(feeder.now).routes.stale, 0);
    assert!(
        feeder.type_in(&messages::keepalive()).iter().any(|o| matches!(o, Output::Converged(_)))
    );
    feeder.type_in(&messages::route_refresh(RouteRefreshSubtype::BoRR));
    assert_eq!(feeder.peer.status(feeder.now).routes.stale, 2);
    feeder.type_in(&messages::update(&[], &attributes, &messages::nlri([2])));
    let outputs = feeder.type_in(&messages::route_refresh(RouteRefreshSubtype::EoRR));
    assert_eq!(feeder.refusals(), [("192.168.2.0/24".to_owned(), None)]);
    assert!(outputs.iter().any(|o| matches!(o, Output::Routes(c) if c[0].path.is_none())));
}

#[test]
fn a_table_that_never_says_its_end_counts_as_told_after_a_while() {
    let mut open = messages::open_message();
    open.capabilities.push(messages::graceful_restart(true, true));
    let mut feeder = Feeder::established_with(router(), &messages::encoded(&Message::Open(open)));
    let mut converged = false;
    for _ in 0..37 {
        feeder.now += seconds(10);
        let mut outputs = feeder.input(Input::Sent(crate::feeder::CONN, 10_000));
        outputs.extend(feeder.type_in(&messages::keepalive()));
        converged |= outputs.iter().any(|o| matches!(o, Output::Converged(_)));
    }
    assert!(converged);
    assert!(feeder.peer.status(feeder.now).established_at.is_some());
}
