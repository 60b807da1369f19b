//! What is asked now goes before what was seen of late, and waits for no timer.

use super::world::{World, ago, customer, healthy, mac};
use directlink_model::{
    diagnosis::Step,
    evidence::{Cause, Fresh, FreshEchoes, FreshPeer, Rise, SessionNow, Signatures},
};

fn well() -> FreshPeer {
    FreshPeer {
        stations: vec![mac(9)],
        impostors: vec![],
        echoes: Some(FreshEchoes {
            small_answered: 3,
            full_bytes: 1500,
            full_asked: 3,
            full_answered: 3,
        }),
        session: SessionNow::Acknowledged,
    }
}

/// As a router says that asked a second ago.
fn asked(frames: u64, peer: FreshPeer) -> Option<Fresh> {
    Some(Fresh {
        asked_at: ago(1),
        until: ago(0),
        frames,
        signatures: Signatures::default(),
        peers: [(customer(), peer)].into(),
    })
}

fn filtered() -> FreshPeer {
    FreshPeer { session: SessionNow::Unacknowledged { retransmissions: 2, millis: 1500 }, ..well() }
}

#[test]
fn a_fault_of_a_session_that_is_still_up_is_named_at_once() {
    let lost = |full_answered| FreshEchoes { full_answered, ..well().echoes.unwrap() };
    let silent = || FreshPeer { stations: vec![], echoes: None, ..filtered() };
    let with = |echoes| FreshPeer { echoes: Some(echoes), ..well() };
    let table = [
        ("filtered", asked(9, filtered()), Some((Step::Tcp, "2 retransmissions"))),
        ("no VLAN any more", asked(0, silent()), Some((Step::Tag, "arrives any more"))),
        ("no address any more", asked(4, silent()), Some((Step::Arp, "nobody answers"))),
        ("a blackhole", asked(9, with(lost(0))), Some((Step::Mtu, "none of 1500 bytes"))),
        ("loss that is not total", asked(9, with(lost(1))), None),
        ("no answer to pings", asked(9, FreshPeer { echoes: None, ..well() }), None),
        ("healthy", asked(9, well()), None),
    ];
    for (name, fresh, expected) in table {
        let world = World { fresh, ..healthy() };
        let diagnosis = world.diagnose();
        let first = diagnosis.first_failed();
        assert_eq!(first.map(|it| it.step), expected.map(|it| it.0), "{name}: {first:?}");
        let says = expected.map_or("", |it| it.1);
        assert!(first.is_none_or(|it| it.evidence.contains(says)), "{name}: {first:?}");
    }
}

#[test]
fn a_second_station_and_one_with_our_address_are_seen_when_they_answer() {
    let twins = FreshPeer { stations: vec![mac(9), mac(8)], ..well() };
    let impostor = FreshPeer { impostors: vec![mac(8)], ..well() };
    for peer in [twins, impostor] {
        let world = World { fresh: asked(9, peer), ..healthy() };
        assert_eq!(world.diagnose().first_failed().unwrap().step, Step::Duplicate);
    }
    let mut gone = World { fresh: asked(9, well()), ..healthy() };
    let was = gone.report.evidence.stations[0].clone();
    gone.report.evidence.stations.push(directlink_model::evidence::Station { mac: mac(8), ..was });
    assert_eq!(gone.diagnose().first_failed(), None, "it is gone, whatever was heard before");
}

#[test]
fn a_syn_without_an_answer_is_a_filter_unless_more_is_known() {
    let unanswered = FreshPeer { session: SessionNow::Unanswered { millis: 1400 }, ..well() };
    let mut world = healthy();
    world.down();
    world.fresh = asked(9, unanswered);
    let step = |world: &World| world.diagnose().first_failed().unwrap().step;
    assert_eq!(step(&world), Step::Tcp);
    if let Some(fresh) = &mut world.fresh {
        fresh.signatures.wrong = Some(Rise { count: 1, last_at: ago(0) });
    }
    assert_eq!(step(&world), Step::Md5, "its segments are signed by another key");
    if let Some(fresh) = &mut world.fresh {
        fresh.signatures.wrong = None;
    }
    world.ended(5, Cause::Closed("reset".into()));
    assert_eq!(step(&world), Step::Open, "it was spoken with a moment ago");
}
