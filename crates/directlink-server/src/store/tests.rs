//! What a database must be trusted for: every statement is one, files keep what they took, and
//! nobody else can read them.

use super::*;
use futures::future::join_all;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn every_statement_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("region.db")).await.unwrap();
    let all = [
        ("accounts", accounts::ALL),
        ("api_logs", api_logs::ALL),
        ("connections", connections::ALL),
        ("failover_tests", failover_tests::ALL),
        ("gateways", gateways::ALL),
        ("interfaces", interfaces::ALL),
        ("journal", journal::ALL),
        ("nets", nets::ALL),
        ("nics", nics::ALL),
        ("plans", plans::ALL),
        ("quotas", quotas::ALL),
        ("route_tables", route_tables::ALL),
        ("security_groups", security_groups::ALL),
        ("sessions", sessions::ALL),
        ("sites", sites::ALL),
        ("tags", tags::ALL),
        ("tag_sets", tag_sets::ALL),
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

async fn set(store: Store, name: &'static str, go_well: bool) -> Result<(), Error> {
    let mut tx = store.begin().await?;
    sites::set(&mut tx, name, "yes".into()).await?;
    // Others come in line meanwhile.
    tokio::task::yield_now().await;
    match go_well {
        true => tx.commit().await,
        false => {
            tx.rollback().await;
            Ok(())
        }
    }
}

const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

async fn kept(store: &Store) -> Vec<&'static str> {
    let mut db = store.reader().await.unwrap();
    let mut kept = vec![];
    for name in NAMES {
        kept.extend(sites::setting(&mut db, name).await.unwrap().map(|_| name));
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_that_come_at_once_share_a_commit_and_one_that_fails_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("region.db")).await.unwrap();
    for _ in 0..20 {
        let acts = NAMES
            .iter()
            .enumerate()
            .map(|(n, name)| tokio::spawn(set(store.clone(), name, n % 3 != 0)));
        for act in join_all(acts).await {
            act.unwrap().unwrap();
        }
        assert_eq!(kept(&store).await, ["b", "c", "e", "f", "h", "i", "k", "l"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_whose_caller_leaves_never_was_and_those_beside_it_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("region.db")).await.unwrap();
    for _ in 0..20 {
        let leaving: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut tx = store.begin().await.unwrap();
                    sites::set(&mut tx, "a", "half".into()).await.unwrap();
                    std::future::pending::<()>().await;
                })
            })
            .collect();
        let staying = tokio::spawn(set(store.clone(), "b", true));
        for task in leaving {
            task.abort();
            let _ = task.await;
        }
        staying.await.unwrap().unwrap();
        assert_eq!(kept(&store).await, ["b"]);
    }
    // The desk is free for the next.
    set(store.clone(), "c", true).await.unwrap();
    assert_eq!(kept(&store).await, ["b", "c"]);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("region.db")).await.unwrap();
    store.close().await;
    assert!(store.begin().await.is_err());
}
