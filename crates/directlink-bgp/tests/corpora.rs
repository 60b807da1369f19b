//! What `make fuzz` does for as long as one likes, for some seconds: its checks over its corpora, and
//! over what becomes of them when octets are changed, cut, doubled and put together.

// Helpers outside of #[test] functions are tests as well.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../fuzz/checks/bfd_packets.rs"]
mod bfd_packets;
#[path = "../../../fuzz/checks/bgp_messages.rs"]
mod bgp_messages;
#[path = "../../../fuzz/checks/edits.rs"]
mod edits;
#[path = "../../../fuzz/checks/lacp_pdus.rs"]
mod lacp_pdus;

use edits::{any_edit, edited};
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

#[test]
fn every_known_lacp_input_is_survived() {
    replay("lacp_pdus", lacp_pdus::check);
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

    #[test]
    fn mutated_lacp_inputs_are_survived(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(any_edit(), 1..6),
    ) {
        lacp_pdus::check(&edited(&corpus("lacp_pdus"), which, &edits));
    }
}
