//! What no router should send: each malformed attribute has its RFC 7606 outcome, and nothing
//! that comes from a wire can panic.

use crate::feeder::{CONN, Feeder, sent};
use crate::{customer, messages, router, seconds};
use directlink_bgp::{DialFailure, Input, Output, Peer};
use proptest::prelude::*;
use rustbgpd_wire::Message;

#[derive(Debug, PartialEq)]
enum Outcome {
    Taken,
    Refused(&'static str),
    Reset { code: u8, subcode: u8 },
}
use Outcome::{Refused, Reset, Taken};

fn outcome(update: &[u8]) -> Outcome {
    let mut feeder = Feeder::established(router());
    let outputs = feeder.type_in(update);
    if let Some(Message::Notification(n)) = sent(&outputs).first() {
        return Reset { code: n.code.as_u8(), subcode: n.subcode };
    }
    match feeder.refusals()[..] {
        [(_, None)] => Taken,
        [(_, Some(reason))] => Refused(reason),
        ref other => panic!("{other:?}"),
    }
}

/// `attributes` instead of the usual ones, around 192.168.7.0/24.
fn with(attributes: &[&[u8]]) -> Vec<u8> {
    messages::update(&[], &attributes.concat(), &messages::nlri([7]))
}

const LARGE: [u8; 15] = [0xc0, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
const MP_REACH: [u8; 16] = [0x80, 14, 13, 0, 1, 1, 4, 172, 16, 0, 2, 0, 24, 192, 168, 8];

#[test]
fn each_malformed_attribute_has_its_outcome() {
    let origin: &[u8] = &[0x40, 1, 1, 0];
    let path = messages::as_path(&[65000]);
    let path = path.as_slice();
    let hop: &[u8] = &messages::NEXT_HOP;
    let malformed = Refused("malformed-attribute");
    let table: Vec<(&str, Vec<u8>, Outcome)> = vec![
        ("well-formed", with(&[origin, path, hop]), Taken),
        ("in another order", with(&[hop, path, origin]), Taken),
        ("ORIGIN missing", with(&[path, hop]), Refused("malformed-attribute")),
        ("AS_PATH missing", with(&[origin, hop]), Refused("malformed-attribute")),
        ("NEXT_HOP missing", with(&[origin, path]), Refused("malformed-attribute")),
        ("ORIGIN undefined", with(&[&[0x40, 1, 1, 9], path, hop]), malformed),
        (
            "ORIGIN of length 2",
            with(&[&[0x40, 1, 2, 0, 0], path, hop]),
            Refused("malformed-attribute"),
        ),
        (
            "ORIGIN said optional",
            with(&[&[0xc0, 1, 1, 0], path, hop]),
            Refused("malformed-attribute"),
        ),
        (
            "AS_PATH segment type 9",
            with(&[origin, &[0x40, 2, 6, 9, 1, 0, 0, 0xfd, 0xe8], hop]),
            Refused("malformed-attribute"),
        ),
        (
            "AS_PATH segment overruns",
            with(&[origin, &[0x40, 2, 6, 2, 9, 0, 0, 0xfd, 0xe8], hop]),
            Refused("malformed-attribute"),
        ),
        (
            "AS_PATH segment of no AS",
            with(&[origin, &[0x40, 2, 2, 2, 0], hop]),
            Refused("malformed-attribute"),
        ),
        ("AS_PATH empty", with(&[origin, &[0x40, 2, 0], hop]), Refused("as-path-empty")),
        (
            "AS_SET",
            with(&[origin, &[0x40, 2, 12, 2, 1, 0, 0, 0xfd, 0xe8, 1, 1, 0, 0, 0xfd, 0xe9], hop]),
            Refused("as-set"),
        ),
        ("AS 0", with(&[origin, &messages::as_path(&[65000, 0]), hop]), Refused("reserved-as")),
        ("our AS", with(&[origin, &messages::as_path(&[65000, 50624]), hop]), Refused("as-loop")),
        (
            "another first AS",
            with(&[origin, &messages::as_path(&[64999, 65000]), hop]),
            Refused("first-as-not-peer"),
        ),
        (
            "NEXT_HOP of length 3",
            with(&[origin, path, &[0x40, 3, 3, 172, 16, 0]]),
            Refused("malformed-attribute"),
        ),
        (
            "NEXT_HOP 0.0.0.0",
            with(&[origin, path, &[0x40, 3, 4, 0, 0, 0, 0]]),
            Refused("malformed-attribute"),
        ),
        (
            "NEXT_HOP is us",
            with(&[origin, path, &[0x40, 3, 4, 172, 16, 0, 1]]),
            Refused("next-hop-not-peer"),
        ),
        (
            "NEXT_HOP elsewhere",
            with(&[origin, path, &[0x40, 3, 4, 8, 8, 8, 8]]),
            Refused("next-hop-not-peer"),
        ),
        (
            "MED of length 3",
            with(&[origin, path, hop, &[0x80, 4, 3, 0, 0, 1]]),
            Refused("malformed-attribute"),
        ),
        ("LOCAL_PREF is dropped", with(&[origin, path, hop, &[0x40, 5, 4, 0, 0, 1, 0]]), Taken),
        ("LOCAL_PREF malformed is dropped", with(&[origin, path, hop, &[0x40, 5, 1, 0]]), Taken),
        (
            "ATOMIC_AGGREGATE with content is dropped",
            with(&[origin, path, hop, &[0x40, 6, 1, 0]]),
            Taken,
        ),
        (
            "AGGREGATOR of length 3 is dropped",
            with(&[origin, path, hop, &[0xc0, 7, 3, 0, 0, 0]]),
            Taken,
        ),
        (
            "COMMUNITIES of length 5",
            with(&[origin, path, hop, &[0xc0, 8, 5, 0, 0, 0, 0, 0]]),
            Refused("malformed-attribute"),
        ),
        ("ORIGINATOR_ID is dropped", with(&[origin, path, hop, &[0x80, 9, 4, 1, 2, 3, 4]]), Taken),
        (
            "CLUSTER_LIST malformed is dropped",
            with(&[origin, path, hop, &[0x80, 10, 3, 1, 2, 3]]),
            Taken,
        ),
        (
            "an unknown optional one passes",
            with(&[origin, path, hop, &[0xc0, 200, 2, 1, 2]]),
            Taken,
        ),
        (
            "an unknown well-known one",
            with(&[origin, path, hop, &[0x40, 200, 2, 1, 2]]),
            Refused("malformed-attribute"),
        ),
        ("a doubled ORIGIN: the first counts", with(&[origin, path, hop, origin]), Taken),
        (
            "the list is cut short",
            with(&[origin, path, hop, &[0xc0, 8, 9, 0]]),
            Refused("malformed-attribute"),
        ),
        (
            "AS_TRANS from a peer of four octets",
            with(&[origin, &messages::as_path(&[65000, 23456]), hop]),
            Refused("reserved-as"),
        ),
        (
            "AS_CONFED_SEQUENCE",
            with(&[origin, &[0x40, 2, 6, 3, 1, 0, 0, 0xfd, 0xe8], hop]),
            Refused("malformed-attribute"),
        ),
        (
            "AS_PATH ends in a segment's head",
            with(&[origin, &[0x40, 2, 7, 2, 1, 0, 0, 0xfd, 0xe8, 2], hop]),
            Refused("malformed-attribute"),
        ),
        (
            "NEXT_HOP said optional",
            with(&[origin, path, &[0xc0, 3, 4, 172, 16, 0, 2]]),
            Refused("malformed-attribute"),
        ),
        (
            "NEXT_HOP of class D",
            with(&[origin, path, &[0x40, 3, 4, 224, 0, 0, 5]]),
            Refused("malformed-attribute"),
        ),
        (
            "MED said transitive",
            with(&[origin, path, hop, &[0xc0, 4, 4, 0, 0, 0, 1]]),
            Refused("malformed-attribute"),
        ),
        (
            "COMMUNITIES of length 0",
            with(&[origin, path, hop, &[0xc0, 8, 0]]),
            Refused("malformed-attribute"),
        ),
        (
            "COMMUNITIES not said transitive",
            with(&[origin, path, hop, &[0x80, 8, 4, 0, 0, 0, 1]]),
            Refused("malformed-attribute"),
        ),
        (
            "extended communities of length 7",
            with(&[origin, path, hop, &[0xc0, 16, 7, 0, 2, 0, 0, 0, 0, 0]]),
            Refused("malformed-attribute"),
        ),
        (
            "large communities of length 11",
            with(&[origin, path, hop, &[0xc0, 32, 11, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]]),
            Refused("malformed-attribute"),
        ),
        ("large communities", with(&[origin, path, hop, &LARGE]), Taken),
        (
            "AS4_PATH malformed is dropped",
            with(&[origin, path, hop, &[0xc0, 17, 3, 2, 9, 0]]),
            Taken,
        ),
        (
            "AS4_AGGREGATOR of length 3 is dropped",
            with(&[origin, path, hop, &[0xc0, 18, 3, 0, 0, 0]]),
            Taken,
        ),
        ("the length in two octets", with(&[&[0x50, 1, 0, 1, 0], path, hop]), Taken),
        (
            "a head without its length",
            with(&[origin, path, hop, &[0xc0, 8]]),
            Refused("malformed-attribute"),
        ),
        (
            "two that are malformed: one is enough",
            with(&[&[0x40, 1, 1, 9], path, &[0x40, 3, 3, 0, 0, 0]]),
            Refused("malformed-attribute"),
        ),
        (
            "one to drop beside one to refuse",
            with(&[origin, path, hop, &[0x40, 6, 1, 0], &[0x80, 4, 1, 0]]),
            Refused("malformed-attribute"),
        ),
        (
            "MP_REACH_NLRI twice",
            with(&[origin, path, hop, &MP_REACH, &MP_REACH]),
            Reset { code: 3, subcode: 1 },
        ),
        (
            "the attributes are longer than the message",
            {
                let mut update = with(&[origin, path, hop]);
                update[22] = 200;
                update
            },
            Reset { code: 3, subcode: 1 },
        ),
        (
            "the withdrawn routes are longer than the message",
            {
                let mut update = with(&[origin, path, hop]);
                update[20] = 200;
                update
            },
            Reset { code: 3, subcode: 1 },
        ),
        (
            "MP_REACH_NLRI malformed",
            with(&[origin, path, hop, &[0x80, 14, 3, 0, 1, 1]]),
            Reset { code: 3, subcode: 5 },
        ),
        (
            "NLRI of length 33",
            messages::update(&[], &messages::attributes(&[]), &[33, 1, 2, 3, 4, 5]),
            Reset { code: 3, subcode: 10 },
        ),
        (
            "withdrawn of length 33",
            messages::update(&[33, 1, 2, 3, 4, 5], &[], &[]),
            Reset { code: 3, subcode: 10 },
        ),
    ];
    let wrong: Vec<_> = table
        .into_iter()
        .map(|(name, update, expected)| (name, outcome(&update), expected))
        .filter(|(_, seen, expected)| seen != expected)
        .collect();
    assert!(wrong.is_empty(), "name, seen, expected: {wrong:#?}");
}

#[test]
fn a_malformed_route_takes_back_a_good_one_and_the_session_stays() {
    let mut feeder = Feeder::established(router());
    feeder.type_in(&messages::update(&[], &messages::attributes(&[]), &messages::nlri([7])));
    let broken = messages::attributes(&[0xc0, 8, 5, 0, 0, 0, 0, 0]);
    let outputs = feeder.type_in(&messages::update(&[], &broken, &messages::nlri([7])));
    assert!(matches!(&outputs[..], [Output::Routes(changes)] if changes[0].path.is_none()));
    let outputs =
        feeder.type_in(&messages::update(&[], &messages::attributes(&[]), &messages::nlri([7])));
    assert!(matches!(&outputs[..], [Output::Routes(changes)] if changes[0].path.is_some()));
}

#[test]
fn what_an_external_peer_has_no_say_in_is_not_kept() {
    let mut feeder = Feeder::established(router());
    let more = [0x40, 5, 4, 0, 0, 1, 0x90, 0x80, 9, 4, 1, 2, 3, 4];
    let outputs =
        feeder.type_in(&messages::update(&[], &messages::attributes(&more), &messages::nlri([7])));
    let [Output::Routes(changes)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(changes[0].path.unwrap().local_pref, 100, "ours, not the customer's 400");
    // The same route without them is the same attribute set: nothing changed.
    let plain = messages::update(&[], &messages::attributes(&[]), &messages::nlri([7]));
    assert_eq!(feeder.type_in(&plain), []);
}

#[test]
fn ipv4_routes_may_come_in_mp_reach_as_well() {
    let mut feeder = Feeder::established(router());
    let mp_reach = [0x80, 14, 13, 0, 1, 1, 4, 172, 16, 0, 2, 0, 24, 192, 168, 8];
    let mut attributes = vec![0x40, 1, 1, 0];
    attributes.extend(messages::as_path(&[65000]));
    attributes.extend(mp_reach);
    feeder.type_in(&messages::update(&[], &attributes, &[]));
    assert_eq!(feeder.refusals(), [("192.168.8.0/24".to_owned(), None)]);
    let mp_unreach = [0x80, 15, 7, 0, 1, 1, 24, 192, 168, 8];
    feeder.type_in(&messages::update(&[], &mp_unreach, &[]));
    assert_eq!(feeder.refusals(), []);
}

/// The fuzzer's first find: they were kept for ever, and their End-of-RIB was taken for ours.
#[test]
fn what_is_of_a_family_that_was_not_agreed_on_is_passed_over() {
    let mut feeder = Feeder::established(router());
    let mut attributes = vec![0x40, 1, 1, 0];
    attributes.extend(messages::as_path(&[65000]));
    let next_hop = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    attributes.extend([0x80, 14, 26, 0, 2, 1, 16]);
    attributes.extend(next_hop);
    attributes.extend([0, 32, 0x20, 0x01, 0x0d, 0xb8]);
    assert_eq!(feeder.type_in(&messages::update(&[], &attributes, &[])), []);
    let end_of_rib = messages::update(&[], &[0x80, 15, 3, 0, 2, 1], &[]);
    assert_eq!(feeder.type_in(&end_of_rib), []);
    let status = feeder.peer.status(feeder.now);
    assert_eq!((status.routes.received, status.converged), (0, false));
    assert!(status.established_at.is_some(), "it is no error either");
}

#[test]
fn a_bad_header_is_answered_by_name() {
    let keepalive = messages::keepalive();
    let edited = |at: usize, value: u8| {
        let mut bytes = keepalive.clone();
        bytes[at] = value;
        bytes
    };
    for (bytes, subcode) in [(edited(3, 0), 1), (edited(17, 18), 2), (edited(18, 9), 3)] {
        let mut feeder = Feeder::established(router());
        let outputs = feeder.type_in(&bytes);
        let sent = sent(&outputs);
        let [Message::Notification(n)] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((n.code.as_u8(), n.subcode), (1, subcode));
    }
}

/// Everything a customer's router says in a session's life.
fn valid_stream() -> Vec<u8> {
    let mut mp = vec![0x40, 1, 1, 0];
    mp.extend(messages::as_path(&[65000, 64999]));
    mp.extend([0x80, 14, 13, 0, 1, 1, 4, 172, 16, 0, 2, 0, 24, 192, 168, 8]);
    [
        messages::open(),
        messages::keepalive(),
        messages::update(
            &[],
            &messages::attributes(&[0x80, 4, 4, 0, 0, 0, 9]),
            &messages::nlri([1, 2]),
        ),
        messages::update(
            &messages::nlri([1]),
            &messages::attributes(&[0xc0, 8, 4, 1, 2, 3, 4]),
            &messages::nlri([3]),
        ),
        messages::update(&[], &mp, &[]),
        messages::end_of_rib(),
        messages::route_refresh(rustbgpd_wire::RouteRefreshSubtype::Normal),
        messages::keepalive(),
    ]
    .concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), established in any::<bool>()) {
        let mut feeder = match established {
            true => Feeder::established(router()),
            false => Feeder::open_sent(router()),
        };
        feeder.type_in(&bytes);
        feeder.now += seconds(1000);
        feeder.input(Input::Tick);
        feeder.peer.routes();
    }

    #[test]
    fn arbitrary_bodies_never_panic(kind in 0..7u8, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut message = vec![0xff; 16];
        message.extend((19 + body.len() as u16).to_be_bytes());
        message.push(kind);
        message.extend(body);
        for mut feeder in [Feeder::open_sent(router()), Feeder::established(router())] {
            feeder.type_in(&message);
            feeder.peer.routes();
        }
    }

    #[test]
    fn mutated_sessions_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut stream = valid_stream();
        for (index, value) in edits {
            let at = index.index(stream.len());
            stream[at] = value;
        }
        let cut = cut.index(stream.len());
        let mut feeder = Feeder::open_sent(router());
        feeder.type_in(&stream[..cut]);
        feeder.type_in(&stream[cut..]);
        feeder.peer.routes();
        let mut other = customer();
        other.net_ranges = vec!["192.168.0.0/16".parse().unwrap()];
        let now = feeder.now;
        feeder.peer.configure(now, directlink_bgp::PeerConfig { net_ranges: other.net_ranges, ..router() });
        feeder.input(Input::Closed(CONN, "reset".into()));
    }
}

#[test]
fn the_unmutated_session_is_a_good_one() {
    let mut feeder = Feeder::open_sent(router());
    feeder.type_in(&valid_stream());
    let taken = |third: u8| (format!("192.168.{third}.0/24"), None);
    assert_eq!(feeder.refusals(), [2, 3, 8].map(taken));
}

#[test]
fn inputs_about_unknown_connections_are_passed_over() {
    let mut peer = Peer::new(router());
    let inputs = [
        Input::Received(CONN, &[1, 2, 3]),
        Input::Sent(CONN, 5),
        Input::Closed(CONN, String::new()),
        Input::ConnectFailed(CONN, DialFailure::NoAnswer),
        Input::Tick,
    ];
    for input in inputs {
        peer.handle(seconds(1), input);
        assert_eq!(peer.poll_output(), None);
    }
    peer.handle(seconds(1), Input::Opened(CONN));
    assert_eq!(peer.poll_output(), Some(Output::Close(CONN)), "not started");
}
