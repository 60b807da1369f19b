//! Too many prefixes: the session ends, says so, and comes back by itself.

use crate::feeder::{CONN, Feeder, sent};
use crate::pair::{Pair, Side};
use crate::{customer, messages, net, router, routes_after, seconds};
use directlink_bgp::{DownReason, Family, Input, Output, PeerConfig, PrefixLimits, State};
use rustbgpd_wire::{Message, RouteRefreshSubtype};

fn many(count: u32) -> PeerConfig {
    let advertised = (0..count).map(|n| net(&format!("192.168.{n}.0/24"))).collect();
    PeerConfig { advertised, ..customer() }
}

#[test]
fn one_hundred_prefixes_are_taken_and_one_more_is_too_many() {
    let mut pair = Pair::up(router(), many(100));
    assert_eq!(pair.status(Side::A).routes.accepted, 100);
    pair.configure(Side::B, many(101));
    pair.run(seconds(1));
    let status = pair.status(Side::A);
    let too_many = DownReason::MaximumPrefixes { family: Family::Ipv4Unicast, max: 100 };
    assert_eq!(status.last_down.as_ref().unwrap().1, too_many);
    assert_eq!((status.state, status.routes.received), (State::Idle, 0));
    assert_eq!(routes_after(&pair.a.said), []);
    let Some((_, DownReason::NotificationReceived(what))) = pair.status(Side::B).last_down else {
        panic!("the customer is told")
    };
    assert_eq!(what.to_string(), "Hard Reset: Cease: Maximum Number of Prefixes Reached (6/1)");
    pair.run(seconds(55));
    assert_eq!(pair.status(Side::A).state, State::Idle, "the customer's dials are refused");
    pair.configure(Side::B, many(3));
    pair.run(seconds(60));
    assert!(pair.both_up(), "{:?}", pair.status(Side::A));
    assert_eq!(pair.status(Side::A).routes.accepted, 3);
}

#[test]
fn each_further_time_is_a_longer_wait() {
    let mut pair = Pair::up(router(), customer());
    pair.configure(Side::B, many(101));
    pair.run(seconds(1));
    let first = pair.status(Side::A).retry_at.unwrap() - pair.now;
    pair.run(seconds(80));
    let second = pair.status(Side::A).retry_at.unwrap() - pair.now;
    assert!(first <= seconds(60) && second > seconds(60), "{first:?} {second:?}");
}

#[test]
fn a_raised_limit_is_tried_at_once() {
    let mut pair = Pair::up(router(), customer());
    pair.configure(Side::B, many(101));
    pair.run(seconds(1));
    let limits = PrefixLimits { prefixes_max: 200, ..Default::default() };
    pair.configure(Side::A, PeerConfig { limits, ..router() });
    pair.run(seconds(5));
    assert!(pair.both_up());
    assert_eq!(pair.status(Side::A).routes.accepted, 101);
}

#[test]
fn a_lowered_limit_ends_a_session_that_is_over_it() {
    let mut pair = Pair::up(router(), many(50));
    let limits = PrefixLimits { prefixes_max: 49, ..Default::default() };
    pair.configure(Side::A, PeerConfig { limits, ..router() });
    assert_eq!(pair.status(Side::A).state, State::Idle);
}

#[test]
fn refused_prefixes_count_and_repeated_ones_do_not() {
    let mut feeder = Feeder::established(router());
    let attributes = messages::attributes(&[]);
    for _ in 0..5 {
        feeder.type_in(&messages::update(&[], &attributes, &messages::nlri(0..60)));
    }
    assert_eq!(feeder.peer.status(feeder.now).routes.received, 60);
    // /32s: refused, but there are 41 of them.
    let hosts: Vec<u8> = (0..41).flat_map(|n| [32, 192, 168, 0, n]).collect();
    let outputs = feeder.type_in(&messages::update(&[], &attributes, &hosts));
    assert!(matches!(sent(&outputs)[..], [Message::Notification(ref n)] if n.subcode == 1));
}

#[test]
fn a_blast_is_cut_before_it_takes_memory() {
    let mut feeder = Feeder::established(router());
    let attributes = messages::attributes(&[]);
    let mut stream = Vec::new();
    for second in 0..=255u8 {
        let nlri: Vec<u8> = (0..=255).flat_map(|third| [24, 11, second, third]).collect();
        stream.extend(messages::update(&[], &attributes, &nlri));
    }
    let outputs = feeder.type_in(&stream);
    let changes: usize = outputs
        .iter()
        .map(|output| if let Output::Routes(changes) = output { changes.len() } else { 0 })
        .sum();
    assert_eq!(changes, 200, "100 came and went");
    assert_eq!(feeder.peer.status(feeder.now).routes.received, 0);
}

#[test]
fn refresh_brackets_are_no_way_around_the_limit() {
    let mut feeder = Feeder::established(router());
    feeder.type_in(&messages::keepalive());
    let attributes = messages::attributes(&[]);
    for second in 0..50 {
        feeder.type_in(&messages::route_refresh(RouteRefreshSubtype::BoRR));
        let nlri: Vec<u8> = (0..100).flat_map(|third| [24, 11, second, third]).collect();
        feeder.type_in(&messages::update(&[], &attributes, &nlri));
    }
    assert!(feeder.peer.status(feeder.now).routes.received <= 200);
    feeder.input(Input::Closed(CONN, "reset".into()));
    assert_eq!(feeder.peer.status(feeder.now).routes.received, 0);
}

#[test]
fn four_fifths_of_the_limit_are_warned_of_once() {
    let warnings = |outputs: &[Output]| {
        let is_warning = |output: &&Output| matches!(output, Output::NearLimit { max: 100, .. });
        outputs.iter().filter(is_warning).count()
    };
    let mut pair = Pair::up(router(), many(79));
    assert_eq!((warnings(&pair.a.said), pair.status(Side::A).near_limit), (0, false));
    for (count, told, near) in [(80, 1, true), (81, 1, true), (50, 1, false), (99, 2, true)] {
        pair.configure(Side::B, many(count));
        pair.run(seconds(1));
        assert_eq!(warnings(&pair.a.said), told, "{count}");
        assert_eq!(pair.status(Side::A).near_limit, near, "{count}");
    }
    let limits = PrefixLimits { prefixes_max: 200, ..Default::default() };
    pair.configure(Side::A, PeerConfig { limits, ..router() });
    assert!(!pair.status(Side::A).near_limit, "a raised limit is far");
}
