//! What a database must be trusted for: every statement is one, files keep what they took, and
//! nobody else can read them.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn every_statement_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("region.db")).await.unwrap();
    let all = [
        ("accounts", accounts::ALL),
        ("connections", connections::ALL),
        ("gateways", gateways::ALL),
        ("interfaces", interfaces::ALL),
        ("journal", journal::ALL),
        ("nets", nets::ALL),
        ("nics", nics::ALL),
        ("plans", plans::ALL),
        ("route_tables", route_tables::ALL),
        ("security_groups", security_groups::ALL),
        ("sites", sites::ALL),
    ];
    let mut tx = store.begin().await.unwrap();
    for (file, statements) in all {
        for &(name, sql) in statements {
            let prepared = (&mut *tx).prepare(sql.into_sql_str()).await;
            assert!(prepared.is_ok(), "{file}::{name}: {:?}\n{sql}", prepared.err());
        }
    }
}

#[tokio::test]
async fn only_its_owner_reads_the_file_and_its_side_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("region.db")).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    sites::set(&mut tx, "a", "b".into()).await.unwrap();
    tx.commit().await.unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        seen += 1;
    }
    assert!(seen >= 2, "the database and its write-ahead log");
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening_and_what_was_not_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("region.db");
    let store = Store::open(&path).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    sites::set(&mut tx, "kept", "yes".into()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    sites::set(&mut tx, "dropped", "yes".into()).await.unwrap();
    drop(tx);
    // Not closed first: as after a kill, the write-ahead log is all there is.
    let again = Store::open(&path).await.unwrap();
    let mut db = again.reader().await.unwrap();
    assert_eq!(sites::setting(&mut db, "kept").await.unwrap().as_deref(), Some("yes"));
    assert_eq!(sites::setting(&mut db, "dropped").await.unwrap(), None);
}
