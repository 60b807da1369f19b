//! A plan's document as a file on a router's disk, or a server, may hold it.

use directlink_model::plan::{Document, Scope};

pub(crate) fn check(data: &[u8]) {
    if let Ok(scope) = std::str::from_utf8(data).unwrap_or_default().parse::<Scope>() {
        assert_eq!(scope.to_string().parse(), Ok(scope));
    }
    let Ok(document) = serde_json::from_slice::<Document>(data) else { return };
    let written = serde_json::to_vec(&document).expect("strings and numbers");
    let read = serde_json::from_slice::<Document>(&written).expect("its own words");
    assert_eq!(read, document, "what is kept is what was sent");
    // The ledger compares documents by their bytes.
    assert_eq!(serde_json::to_vec(&read).expect("strings and numbers"), written);
    drop(format!("{document:?}"));
}
