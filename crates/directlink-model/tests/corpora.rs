//! What `make fuzz` does for as long as one likes, for some seconds: its check of plan documents
//! over its corpus, and over what becomes of that when octets change.

// Helpers outside of #[test] functions are tests as well.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../fuzz/checks/plan_documents.rs"]
mod plan_documents;

use directlink_model::plan::Document;
use proptest::prelude::*;
use std::{fs, path::Path};

fn corpus() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/plan_documents");
    let mut all: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

/// The documents that routers have on their disks are read by whatever comes after.
#[test]
fn good_documents_are_read_and_bad_ones_are_not() {
    let mut seen = [0, 0];
    for (name, data) in corpus() {
        println!("{name}");
        plan_documents::check(&data);
        let read = serde_json::from_slice::<Document>(&data);
        match name.split_once('_').unwrap().0 {
            "good" => assert!(read.is_ok(), "{name}: {read:?}"),
            "bad" => assert!(read.is_err(), "{name}: {read:?}"),
            "scope" => continue,
            other => panic!("{other}"),
        }
        seen[usize::from(read.is_ok())] += 1;
    }
    assert!(seen.iter().all(|count| *count >= 5), "{seen:?}");
}

#[test]
fn a_key_is_never_shown() {
    let (_, data) = corpus().into_iter().find(|(name, _)| name == "good_port").unwrap();
    assert!(String::from_utf8_lossy(&data).contains("tgyn26example"));
    let document: Document = serde_json::from_slice(&data).unwrap();
    assert!(!format!("{document:?}").contains("tgyn26example"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn mutated_documents_are_survived(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let mut data = which.get(&corpus()).1.clone();
        for (at, value, how) in edits {
            let at = at.index(data.len().max(1));
            match how {
                // Most often another digit or letter: what is still JSON goes deeper.
                0 if at < data.len() => data[at] = data[at].wrapping_add(value % 3),
                1 if at < data.len() => drop(data.remove(at)),
                0 | 1 => {}
                _ => data.insert(at, b"0123456789abcdef\"{}[]:,./-null"[usize::from(value) % 30]),
            }
        }
        plan_documents::check(&data);
    }
}
