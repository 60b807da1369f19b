//! What the fuzzer does with a nightly compiler, done with any: its checks over its corpora, and
//! over what becomes of them when octets are changed, cut, doubled and put together.

// Helpers outside of #[test] functions are tests as well.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../fuzz/checks/bfd_packets.rs"]
mod bfd_packets;
#[path = "../../../fuzz/checks/bgp_messages.rs"]
mod bgp_messages;

use proptest::prelude::*;
use std::{fs, path::Path};

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> =
        files.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
    all.sort();
    assert!(all.len() >= 5, "{target} has lost its corpus");
    all
}

/// The name of the input stands before whatever goes wrong with it.
fn replay(target: &str, check: fn(&[u8])) {
    for (name, data) in corpus(target) {
        println!("{name}");
        check(&data);
    }
}

#[test]
fn every_known_bgp_input_is_survived() {
    replay("bgp_messages", bgp_messages::check);
}

#[test]
fn every_known_bfd_input_is_survived() {
    replay("bfd_packets", bfd_packets::check);
}

#[derive(Clone, Debug)]
enum Edit {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Cut(prop::sample::Index, prop::sample::Index),
    Double(prop::sample::Index, prop::sample::Index),
    /// The rest of another input.
    Splice(prop::sample::Index, prop::sample::Index, prop::sample::Index),
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    // What lengths and counts do not expect.
    let octet =
        || prop_oneof![any::<u8>(), prop::sample::select(vec![0, 1, 32, 33, 127, 128, 255])];
    prop_oneof![
        (at(), octet()).prop_map(|(at, value)| Edit::Set(at, value)),
        (at(), 0..8u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (at(), prop::collection::vec(octet(), 1..9)).prop_map(|(at, more)| Edit::Insert(at, more)),
        (at(), at()).prop_map(|(a, b)| Edit::Cut(a, b)),
        (at(), at()).prop_map(|(a, b)| Edit::Double(a, b)),
        (at(), at(), at()).prop_map(|(a, b, c)| Edit::Splice(a, b, c)),
    ]
}

fn edited(all: &[(String, Vec<u8>)], which: prop::sample::Index, edits: &[Edit]) -> Vec<u8> {
    let mut data = which.get(all).1.clone();
    let within = |a: &prop::sample::Index, b: &prop::sample::Index, length: usize| {
        let (a, b) = (a.index(length), b.index(length));
        a.min(b)..a.max(b)
    };
    for edit in edits {
        if data.is_empty() {
            return data;
        }
        let length = data.len();
        match edit {
            Edit::Set(at, value) => data[at.index(length)] = *value,
            Edit::Flip(at, bit) => data[at.index(length)] ^= 1 << bit,
            Edit::Insert(at, more) => {
                let at = at.index(length);
                data.splice(at..at, more.iter().copied());
            }
            Edit::Cut(a, b) => drop(data.drain(within(a, b, length))),
            Edit::Double(a, b) => {
                let part = data[within(a, b, length)].to_vec();
                data.extend(part);
            }
            Edit::Splice(at, which, from) => {
                let other = &which.get(all).1;
                data.truncate(at.index(length));
                data.extend(&other[from.index(other.len())..]);
            }
        }
    }
    data
}

/// A run of seconds; PROPTEST_CASES asks for more. What fails is told, not written beside the code.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(500), failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn mutated_bgp_inputs_are_survived(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(any_edit(), 1..6),
    ) {
        bgp_messages::check(&edited(&corpus("bgp_messages"), which, &edits));
    }

    #[test]
    fn mutated_bfd_inputs_are_survived(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(any_edit(), 1..6),
    ) {
        bfd_packets::check(&edited(&corpus("bfd_packets"), which, &edits));
    }
}
