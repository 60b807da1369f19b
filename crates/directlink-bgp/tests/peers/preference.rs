//! What a customer's communities do to its routes, and what they do not.

use crate::feeder::{Feeder, sent};
use crate::{messages, router};
use directlink_bgp::{Input, Output, PeerConfig, Preference};
use rustbgpd_wire::{Message, PathAttribute};

/// 192.168.7.0/24 with these communities.
fn announced(communities: &[u32]) -> Vec<u8> {
    let mut more = vec![0xc0, 8, 4 * communities.len() as u8];
    more.extend(communities.iter().flat_map(|community| community.to_be_bytes()));
    let more = if communities.is_empty() { vec![] } else { more };
    messages::update(&[], &messages::attributes(&more), &messages::nlri([7]))
}

#[test]
fn communities_set_the_local_preference_of_what_is_offered() {
    let mut feeder = Feeder::established(router());
    let table = [
        (vec![7224 << 16 | 7100], Preference::Low, Some(50)),
        (vec![], Preference::Medium, Some(100)),
        // As wanted as before, but another attribute set.
        (vec![7224 << 16 | 7200], Preference::Medium, Some(100)),
        (vec![50624 << 16 | 7300], Preference::High, Some(150)),
        (vec![7224 << 16 | 7100, 50624 << 16 | 7300], Preference::High, Some(150)),
        (vec![0xffff_0000], Preference::GracefulShutdown, Some(0)),
    ];
    for (communities, preference, local_pref) in table {
        let outputs = feeder.type_in(&announced(&communities));
        let [Output::Routes(changes)] = &outputs[..] else { panic!("{outputs:?}") };
        assert_eq!(changes[0].path.map(|path| path.local_pref), local_pref, "{communities:x?}");
        let route = &feeder.peer.routes()[0];
        assert_eq!(route.preference, preference);
        assert_eq!(route.attributes.as_ref().unwrap().communities, communities, "shown as sent");
    }
}

#[test]
fn a_local_pref_attribute_is_no_way_to_a_preference() {
    let mut feeder = Feeder::established(router());
    let attributes = messages::attributes(&[0x40, 5, 4, 0, 0, 3, 0xe8]);
    let outputs = feeder.type_in(&messages::update(&[], &attributes, &messages::nlri([7])));
    let [Output::Routes(changes)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(changes[0].path.unwrap().local_pref, 100);
}

/// Neither its routes, NO_EXPORT or not, nor its communities: what goes out is built of our own.
#[test]
fn nothing_that_a_customer_says_is_said_again() {
    let mut feeder = Feeder::established(router());
    feeder.type_in(&announced(&[0xffff_ff01, 7224 << 16 | 7300, 65000 << 16 | 1]));
    let refresh = messages::route_refresh(rustbgpd_wire::RouteRefreshSubtype::Normal);
    let mut outputs = feeder.type_in(&refresh);
    outputs.extend(feeder.input(Input::Tick));
    let updates: Vec<_> = sent(&outputs)
        .into_iter()
        .filter_map(|message| match message {
            Message::Update(update) => Some(update.parse(true, false, &[]).unwrap()),
            _ => None,
        })
        .collect();
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0].announced.len(), 1, "the Net's range");
    let is_ours = |attribute: &PathAttribute| {
        matches!(
            attribute,
            PathAttribute::Origin(_) | PathAttribute::AsPath(_) | PathAttribute::NextHop(_)
        )
    };
    assert!(updates[0].attributes.iter().all(is_ours), "{:?}", updates[0].attributes);
}

/// The last UPDATE of `outputs`, parsed: what it announces, what it takes back, and its attributes.
fn said(outputs: &[Output]) -> (usize, usize, Vec<PathAttribute>) {
    let updates = sent(outputs).into_iter().filter_map(|message| match message {
        Message::Update(update) => Some(update.parse(true, false, &[]).unwrap()),
        _ => None,
    });
    let last = updates.last().unwrap();
    (last.announced.len(), last.withdrawn.len(), last.attributes)
}

#[test]
fn a_way_that_is_to_be_closed_is_told_so_taken_last_and_open_all_the_time() {
    let mut feeder = Feeder::established(router());
    feeder.type_in(&announced(&[50624 << 16 | 7300]));
    let mut wish = |config: PeerConfig| {
        feeder.peer.configure(feeder.now, config);
        feeder.input(Input::Tick)
    };
    let closing = PeerConfig { prepend: 3, graceful_shutdown: true, ..router() };
    let rank = |outputs: &[Output]| {
        outputs.iter().find_map(|output| match output {
            Output::Routes(changes) => changes[0].path.map(|path| path.local_pref),
            _ => None,
        })
    };
    let outputs = wish(closing.clone());
    let (announced, withdrawn, attributes) = said(&outputs);
    assert_eq!((announced, withdrawn, rank(&outputs)), (1, 0, Some(0)));
    assert!(attributes.contains(&PathAttribute::Communities(vec![0xffff_0000])));
    let is_longer = |attribute: &PathAttribute| matches!(attribute, PathAttribute::AsPath(path) if path.asns().collect::<Vec<_>>() == [50624; 4]);
    assert!(attributes.iter().any(is_longer), "{attributes:?}");
    let closed = wish(PeerConfig { advertised: [].into(), ..closing.clone() });
    assert_eq!((said(&closed).0, said(&closed).1, rank(&closed)), (0, 1, None));
    assert_eq!(said(&wish(closing)).0, 1);
    let back = wish(router());
    assert_eq!((said(&back).0, said(&back).2.len(), rank(&back)), (1, 3, Some(150)));
    assert!(!back.iter().any(|output| matches!(output, Output::Down { .. })));
}
