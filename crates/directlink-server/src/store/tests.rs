//! What a database must be trusted for: every statement is one, files keep what they took, and
//! nobody else can read them.

use super::*;
use directlink_model::ids::AccountId;
use futures::future::join_all;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row};
use std::{collections::BTreeSet, os::unix::fs::PermissionsExt};

/// By the module that asks them.
fn every_statement() -> Vec<(&'static str, &'static [(&'static str, &'static str)])> {
    vec![
        ("accounts", accounts::ALL),
        ("api_logs", api_logs::ALL),
        ("audit", audit::ALL),
        ("authorities", authorities::ALL),
        ("bgp_peers", bgp_peers::ALL),
        ("certificates", certificates::ALL),
        ("connections", connections::ALL),
        ("failover_tests", failover_tests::ALL),
        ("figures", figures::ALL),
        ("fleet", fleet::ALL),
        ("gateways", gateways::ALL),
        ("guards", guards::ALL),
        ("hosted_connections", hosted_connections::ALL),
        ("interface_pages", interface_pages::ALL),
        ("interfaces", interfaces::ALL),
        ("inventory", inventory::ALL),
        ("journal", journal::ALL),
        ("lags", lags::ALL),
        ("maintenance", maintenance::ALL),
        ("nets", nets::ALL),
        ("nics", nics::ALL),
        ("order_needs", order_needs::ALL),
        ("outbox", outbox::ALL),
        ("plans", plans::ALL),
        ("quotas", quotas::ALL),
        ("route_tables", route_tables::ALL),
        ("security_groups", security_groups::ALL),
        ("sessions", sessions::ALL),
        ("sites", sites::ALL),
        ("tags", tags::ALL),
        ("tag_sets", tag_sets::ALL),
        ("webhooks", webhooks::ALL),
        ("wire_vlans", wire_vlans::ALL),
    ]
}

#[tokio::test]
async fn every_statement_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::open(dir.path()).await;
    let mut tx = store.begin().await.unwrap();
    for (file, statements) in every_statement() {
        for &(name, sql) in statements {
            let prepared = (&mut *tx).prepare(sql.into_sql_str()).await;
            assert!(prepared.is_ok(), "{file}::{name}: {:?}\n{sql}", prepared.err());
        }
    }
}

/// Of these there may be a million, most of them long over.
const LARGE: [&str; 12] = [
    "interface",
    "interface_report",
    "connection",
    "hosted_connection",
    "letter",
    "cross_connect",
    "event",
    "audit",
    "api_log",
    "plan",
    "plan_answer",
    "bgp_peer",
];

/// Statements that look at all of one, or all with a row in a part of an index, because that is what is asked.
const LOOK_AT_ALL: [&str; 13] = [
    // Of the operator: a page, a file or a figure of everything.
    "connections::EVERY",
    "interfaces::EVERY",
    "maintenance::EVERY_WAY",
    "maintenance::CONNECTIONS_ON",
    "plans::EVERY_SCOPE",
    "plans::STEPS",
    // When a server starts.
    "connections::LETTERS_WITHOUT_TOKEN",
    // The newest so many, in the order of an index.
    "connections::LETTERED",
    "inventory::LATEST",
    // Those of which there are few, which have an index of their own.
    "connections::REQUESTED",
    "connections::DARK",
    "order_needs::WAITING",
    "inventory::WAITING",
];

/// Who asks often must not wait longer the more there is: SQLite, which has no figures of its tables, once walked all
/// interfaces in the order that was asked for rather than look up the few that were.
#[tokio::test]
async fn nothing_but_what_is_for_all_walks_a_large_table() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&testing::file(dir.path())).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let mut walks = BTreeSet::new();
    for (file, statements) in every_statement() {
        for &(name, sql) in statements {
            let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            for step in sqlx::query(explained).fetch_all(&mut *tx).await.unwrap() {
                let step: String = step.get("detail");
                if let Some(what) = step.strip_prefix("SCAN ")
                    && is_large(what.split(' ').next().unwrap_or_default(), sql)
                {
                    walks.insert(format!("{file}::{name}"));
                }
            }
        }
    }
    assert_eq!(walks, LOOK_AT_ALL.map(str::to_owned).into());
}

/// Whether a name in a statement is that of a large table, or stands for one.
fn is_large(name: &str, sql: &str) -> bool {
    let stands = |table: &str| {
        ["FROM", "JOIN"].iter().any(|word| {
            let said = format!("{word} {table} {name}");
            sql.match_indices(&said)
                .any(|(at, _)| !sql[at + said.len()..].starts_with(char::is_alphanumeric))
        })
    };
    LARGE.iter().any(|table| *table == name || stands(table))
}

#[tokio::test]
async fn what_an_earlier_version_put_down_is_still_to_be_mailed_and_to_its_customer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("region.db");
    sqlx::any::install_default_drivers();
    own_file(&path).unwrap();
    let url = format!("sqlite://{}?mode=rw", path.display());
    let mut db = connect(&url.parse().unwrap(), &WRITER).await.unwrap();
    let all = migrator().migrations;
    let old: Vec<_> = all.iter().filter(|migration| migration.version < 13).cloned().collect();
    Migrator::with_migrations(old).run(&mut db).await.unwrap();
    for row in [
        "INSERT INTO account VALUES ('000000000007', 'net@example.org', 'x', 1)",
        "INSERT INTO location VALUES ('PAR1', 'A site', 'eu-west-2a')",
        "INSERT INTO connection (id, account, name, location, bandwidth, requested_us)
            VALUES ('dxcon-00000001', '000000000007', 'x', 'PAR1', '1Gbps', 1)",
        "INSERT INTO outbox VALUES ('01a213c0-0d5d-736a-86d0-961e254721ee', 'loa', 'dxcon-00000001', 5, NULL)",
        "INSERT INTO outbox VALUES ('01a213c0-0d5d-736a-86d0-961e254721ef', 'loa', 'dxcon-00000001', 4, 6)",
    ] {
        db.execute(row).await.unwrap();
    }
    db.close().await.unwrap();
    let store = Store::open(&Address::Sqlite(path)).await.unwrap();
    let mut db = store.reader().await.unwrap();
    let due = outbox::due(&mut db, Timestamp::from_microsecond(5).unwrap()).await.unwrap();
    let told: Vec<_> = due
        .iter()
        .map(|mail| (mail.notice.occasion.kind(), mail.notice.to, mail.attempts))
        .collect();
    assert_eq!(told, [("loa", AccountId::from_number(7), 0)]);
}

#[tokio::test]
async fn only_its_owner_reads_the_file_and_its_side_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&testing::file(dir.path())).await.unwrap();
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
    let store = testing::open(dir.path()).await;
    let mut tx = store.begin().await.unwrap();
    sites::set(&mut tx, "kept", "yes".into()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    sites::set(&mut tx, "dropped", "yes".into()).await.unwrap();
    drop(tx);
    // Not closed first: as after a kill, the write-ahead log is all there is.
    let again = testing::open(dir.path()).await;
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
    let store = testing::open(dir.path()).await;
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
    let store = testing::open(dir.path()).await;
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
async fn every_event_of_an_act_is_kept_in_order_however_many_and_none_of_an_act_that_was_undone() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::open(dir.path()).await;
    let mut expected = vec![];
    for (many, go_well) in
        [(0, true), (1, true), (3, false), (7, true), (8, true), (9, false), (27, true)]
    {
        let mut tx = store.begin().await.unwrap();
        for n in 0..many {
            let what = format!("{n} of {many}");
            let who = (&journal::Actor::Operator, Timestamp::UNIX_EPOCH);
            journal::record(&mut tx, who, "subject", &what, "why").await.unwrap();
            expected.extend(go_well.then_some(what));
        }
        match go_well {
            true => tx.commit().await.unwrap(),
            false => tx.rollback().await,
        }
    }
    let mut db = store.reader().await.unwrap();
    let kept: Vec<(String, String, String)> =
        sqlx::query_as("SELECT what, actor, why FROM event ORDER BY id")
            .fetch_all(&mut *db)
            .await
            .unwrap();
    let as_said = |what| (what, "operator".to_owned(), "why".to_owned());
    assert_eq!(kept, expected.into_iter().map(as_said).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::open(dir.path()).await;
    store.close().await;
    assert!(store.begin().await.is_err());
    assert!(store.reader().await.is_err());
    assert!(store.snapshot().await.is_err());
}

#[tokio::test]
async fn a_snapshot_is_of_one_moment_and_its_connection_reads_the_next_one_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::open(dir.path()).await;
    // More than there are connections: each is used for a snapshot, and again.
    for n in 0..3 * READERS {
        let value = n.to_string();
        let mut snapshot = store.snapshot().await.unwrap();
        let before = sites::setting(&mut snapshot, "n").await.unwrap();
        let mut tx = store.begin().await.unwrap();
        sites::set(&mut tx, "n", value.clone()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(sites::setting(&mut snapshot, "n").await.unwrap(), before);
        drop(snapshot);
        let mut all = vec![];
        for _ in 0..READERS {
            all.push(store.reader().await.unwrap());
        }
        for reader in &mut all {
            assert_eq!(sites::setting(reader, "n").await.unwrap().as_ref(), Some(&value));
        }
    }
}

#[tokio::test]
async fn readers_whose_callers_leave_serve_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::open(dir.path()).await;
    for _ in 0..10 * READERS {
        let leaving = store.clone();
        let task = tokio::spawn(async move {
            let mut snapshot = leaving.snapshot().await.unwrap();
            sites::locations(&mut snapshot).await.unwrap();
        });
        tokio::task::yield_now().await;
        task.abort();
        let _ = task.await;
        let mut tx = store.begin().await.unwrap();
        sites::set(&mut tx, "a", "b".into()).await.unwrap();
        tx.commit().await.unwrap();
        let mut reader = store.reader().await.unwrap();
        assert_eq!(sites::setting(&mut reader, "a").await.unwrap().as_deref(), Some("b"));
    }
}

#[tokio::test]
async fn every_line_of_a_batch_of_calls_is_kept_however_many() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::open(dir.path()).await;
    let line = |n: usize| api_logs::ApiLog {
        id: format!("{n:03}"),
        account: AccountId::from_number(1),
        at: Timestamp::UNIX_EPOCH,
        api: "oapi".into(),
        version: "1".into(),
        call: format!("Call{n}"),
        access_key: n.is_multiple_of(2).then(|| "KEY".into()),
        address: None,
        user_agent: "agent".into(),
        headers: "a: b".into(),
        headers_size: 1,
        payload: "{}".into(),
        payload_size: 2,
        response_size: 3,
        status: 200,
        duration_us: 4,
    };
    let mut expected = vec![];
    for many in [0, 1, 7, 8, 9, 20] {
        let batch: Vec<_> = (expected.len()..expected.len() + many).map(line).collect();
        let mut tx = store.begin().await.unwrap();
        api_logs::insert(&mut tx, &batch).await.unwrap();
        // Again, as after a commit whose answer was lost.
        api_logs::insert(&mut tx, &batch).await.unwrap();
        tx.commit().await.unwrap();
        expected.extend(batch);
    }
    let mut db = store.reader().await.unwrap();
    let (from, before) = (Timestamp::UNIX_EPOCH, (Timestamp::MAX, ""));
    let mut kept =
        api_logs::page(&mut db, AccountId::from_number(1), from, before, 100).await.unwrap();
    kept.reverse();
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn a_file_of_an_older_version_keeps_its_vlans_taken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("region.db");
    sqlx::any::install_default_drivers();
    own_file(&path).unwrap();
    let url = format!("sqlite://{}?mode=rw", path.display());
    let mut old = AnyConnection::connect(&url).await.unwrap();
    let before: Vec<Migration> = migrator().iter().take(3).cloned().collect();
    Migrator::with_migrations(before).run(&mut old).await.unwrap();
    let interface = |n: u8, ended: &str| {
        format!(
            "INSERT INTO interface (id, connection, owner, name, vlan, asn, router_address, customer_address, mtu,
                                    created_us, configured, session_up, forwarding, deleted_us)
             VALUES ('dxvif-0000000{n}', 'dxcon-00000001', '000000000001', 'i', 10{n}, 65000,
                     '169.254.1.1/30', '169.254.1.2/30', 1500, 0, 0, 0, 0, {ended})"
        )
    };
    for statement in [
        "INSERT INTO account VALUES ('000000000001', 'a@b', 'x', 0)".to_owned(),
        "INSERT INTO location VALUES ('PAR1', 'A site', 'eu-west-2a')".to_owned(),
        "INSERT INTO connection (id, account, name, location, bandwidth, requested_us)
         VALUES ('dxcon-00000001', '000000000001', 'c', 'PAR1', '1Gbps', 0)"
            .to_owned(),
        interface(1, "NULL"),
        interface(2, "7"),
    ] {
        old.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    old.close().await.unwrap();
    let store = Store::open(&Address::Sqlite(path)).await.unwrap();
    let mut db = store.reader().await.unwrap();
    let mut taken = vec![];
    for vlan in [101u16, 102] {
        let vlan = vlan.try_into().unwrap();
        let id = "dxcon-00000001".parse().unwrap();
        taken.push(wire_vlans::holder(&mut db, id, vlan).await.unwrap().is_some());
    }
    assert_eq!(taken, [true, false]);
    let id = "dxcon-00000001".parse().unwrap();
    let read = connections::by_id(&mut db, id).await.unwrap().unwrap();
    assert_eq!(read.hosting, None);
}

/// What a version without further BGP peers left behind: an interface, and a failover test on it.
const FORMER: [&str; 5] = [
    "INSERT INTO account VALUES ('000000000001', 'a@example.org', '', 0)",
    "INSERT INTO location VALUES ('PAR1', 'A site, France', 'eu-west-2a')",
    "INSERT INTO connection (id, account, name, location, bandwidth, requested_us)
     VALUES ('dxcon-00000001', '000000000001', 'c', 'PAR1', '1Gbps', 0)",
    "INSERT INTO interface (id, connection, owner, name, vlan, asn, router_address, customer_address, mtu,
                            created_us, configured, session_up, forwarding, testing_until_us)
     VALUES ('dxvif-00000001', 'dxcon-00000001', '000000000001', 'i', 101, 65000, '172.16.0.1/30',
             '172.16.0.2/30', 1500, 0, 1, 1, 1, 600000000)",
    "INSERT INTO failover_test (id, interface, owner, minutes, started_us, until_us)
     VALUES ('dxtest-00000001', 'dxvif-00000001', '000000000001', 10, 0, 600000000)",
];

#[tokio::test]
async fn interfaces_of_a_version_without_further_peers_are_brought_over() {
    sqlx::any::install_default_drivers();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("region.db");
    own_file(&path).unwrap();
    let url = format!("sqlite://{}?mode=rw", path.display());
    let mut old = AnyConnection::connect(&url).await.unwrap();
    let former = migrator().iter().filter(|migration| migration.version < 6).cloned().collect();
    Migrator::with_migrations(former).run(&mut old).await.unwrap();
    for row in FORMER {
        old.execute(row).await.unwrap();
    }
    old.close().await.unwrap();
    let store = Store::open(&Address::Sqlite(path)).await.unwrap();
    let mut db = store.reader().await.unwrap();
    let id = "dxvif-00000001".parse().unwrap();
    let interface = interfaces::by_id(&mut db, id).await.unwrap().unwrap();
    let peers: Vec<_> = interface.peers().collect();
    assert_eq!((peers.len(), peers[0].id, peers[0].is_wanted()), (1, interface.bgp_peer(), true));
    assert!(interface.works() && interface.shutdown(peers[0].id, interface.created_at).is_some());
    let test = failover_tests::running(&mut db, id).await.unwrap().unwrap();
    assert_eq!(test.peers, [interface.bgp_peer()].into());
}

#[tokio::test]
async fn connections_of_an_earlier_version_have_the_cross_connects_that_their_ports_have_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("region.db");
    sqlx::any::install_default_drivers();
    own_file(&path).unwrap();
    let url = format!("sqlite://{}?mode=rw", path.display());
    let mut db = connect(&url.parse().unwrap(), &WRITER).await.unwrap();
    let all = migrator().migrations;
    let old: Vec<_> = all.iter().filter(|migration| migration.version < 17).cloned().collect();
    Migrator::with_migrations(old).run(&mut db).await.unwrap();
    for row in [
        "INSERT INTO account VALUES ('000000000007', 'net@example.org', 'x', 1)",
        "INSERT INTO location VALUES ('PAR1', 'A site', 'eu-west-2a')",
        // Waiting; pending; lit; gone.
        "INSERT INTO connection (id, account, name, location, bandwidth, requested_us)
            VALUES ('dxcon-00000001', '000000000007', 'x', 'PAR1', '1Gbps', 1)",
        "INSERT INTO connection (id, account, name, location, bandwidth, requested_us, approved_us, router, port)
            VALUES ('dxcon-00000002', '000000000007', 'x', 'PAR1', '1Gbps', 1, 2, 'r', 'p2')",
        "INSERT INTO connection (id, account, name, location, bandwidth, requested_us, approved_us, router, port,
                                 light, light_since_us)
            VALUES ('dxcon-00000003', '000000000007', 'x', 'PAR1', '1Gbps', 1, 3, 'r', 'p3', 1, 4)",
        "INSERT INTO connection (id, account, name, location, bandwidth, requested_us, approved_us, router, port,
                                 light, light_since_us, delete_asked_us, deleted_us, port_freed_us)
            VALUES ('dxcon-00000004', '000000000007', 'x', 'PAR1', '1Gbps', 1, 4, 'r', 'p4', 0, 5, 6, 7, 8)",
    ] {
        db.execute(row).await.unwrap();
    }
    db.close().await.unwrap();
    let store = Store::open(&Address::Sqlite(path)).await.unwrap();
    let mut db = store.reader().await.unwrap();
    let all = inventory::latest(&mut db, 10).await.unwrap();
    let states: Vec<_> = all.iter().map(|it| (it.port.to_string(), it.state().as_str())).collect();
    let expected = [("r/p4", "removed"), ("r/p3", "patched"), ("r/p2", "awaited")];
    assert_eq!(states, expected.map(|(port, state)| (port.to_owned(), state)));
    assert!(all.iter().all(directlink_model::inventory::CrossConnect::ends_with_light));
}
