//! What a PostgreSQL must be trusted for where several servers share it, and connections break.

use super::*;
use crate::store::{
    hints::Hint,
    way::{Fault, Way},
};
use directlink_model::{connection::PortRef, ids::NetId};
use futures::future::join_all;

async fn set(store: &Store, name: &'static str, value: &str) -> Result<(), Error> {
    let mut tx = store.begin().await?;
    sites::set(&mut tx, name, value.into()).await?;
    tx.commit().await
}

async fn setting(store: &Store, name: &'static str) -> Option<String> {
    sites::setting(&mut store.reader().await.unwrap(), name).await.unwrap()
}

#[tokio::test]
async fn an_act_whose_commit_was_not_answered_is_known_to_be_kept_or_known_never_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let (address, way) = Way::to(dir.path(), "").await;
    let store = Store::open(&address).await.unwrap();
    for (name, fault, is_kept) in [
        ("cut after", Fault::CutAfter, true),
        ("cut before", Fault::CutBefore, false),
        ("swallowed", Fault::Swallow, false),
        ("none", Fault::None, true),
    ] {
        way.set(fault);
        let outcome = set(&store, name, "yes").await;
        assert_eq!(outcome.is_ok(), is_kept, "{name}: {outcome:?}");
        assert!(outcome.is_ok() || outcome.unwrap_err().can_be_done_again(), "{name}");
        assert_eq!(setting(&store, name).await.is_some(), is_kept, "{name}");
    }
}

#[tokio::test]
async fn a_node_that_is_dead_is_passed_over_and_broken_connections_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (address, _way) = Way::to(dir.path(), "127.0.0.1:1,").await;
    let store = Store::open(&address).await.unwrap();
    set(&store, "a", "1").await.unwrap();
    let mut readers = vec![];
    for _ in 0..3 {
        readers.push(store.reader().await.unwrap());
    }
    drop(readers);
    let Engine::Postgres(postgres) = &store.engine else { unreachable!("a cluster") };
    let mut killer = postgres.primary.connect_bare().await.unwrap();
    let kill = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let killed: i64 = sqlx::query_scalar(kill).fetch_one(&mut killer).await.unwrap();
    assert!(killed >= 4, "{killed}");
    // The first to see it is told so; from then on all old connections are asked first.
    while sites::setting(&mut store.reader().await.unwrap(), "a").await.is_err() {}
    for _ in 0..8 {
        assert_eq!(setting(&store, "a").await.as_deref(), Some("1"));
        set(&store, "a", "1").await.unwrap();
    }
}

#[tokio::test]
async fn servers_that_open_a_new_database_at_once_make_its_tables_once() {
    let dir = tempfile::tempdir().unwrap();
    let address = testing::database(dir.path()).await;
    let stores = join_all((0..4).map(|_| Store::open(&address))).await;
    for (name, store) in ["a", "b", "c", "d"].into_iter().zip(stores) {
        set(&store.unwrap(), name, "yes").await.unwrap();
    }
}

#[tokio::test]
async fn what_one_server_changes_wakes_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let address = testing::database(dir.path()).await;
    let [one, other] = [Store::open(&address).await.unwrap(), Store::open(&address).await.unwrap()];
    let (mut changes, mut heard) = (other.changes(), other.hints().heard());
    let mut own = one.hints().heard();
    let plan = Hint::Plan("par1-r1".parse().unwrap());
    let woken = async {
        changes.changed().await.unwrap();
        while heard.recv().await.unwrap() != plan {}
    };
    // Told again until it is heard: the other may not listen yet.
    let telling = async {
        loop {
            one.tell_change();
            one.hints().tell(plan.clone());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = woken => {}
        () = telling => {}
        () = tokio::time::sleep(Duration::from_secs(10)) => panic!("nothing was heard"),
    }
    assert!(own.try_recv().is_err(), "nobody hears themselves");
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_that_are_in_each_others_way_all_come_to_their_end() {
    let dir = tempfile::tempdir().unwrap();
    let address = testing::database(dir.path()).await;
    let (one, other) = (Store::open(&address).await.unwrap(), Store::open(&address).await.unwrap());
    let add = async |store: &Store, attempt: u32| {
        let mut tx = store.begin_again(attempt).await?;
        let before = sites::setting(&mut tx, "n").await?.map_or(0, |n| n.parse().unwrap_or(0));
        sites::set(&mut tx, "n", (before + 1).to_string()).await?;
        tx.commit().await
    };
    let acts = (0..40).map(|n| {
        let store = if n % 2 == 0 { &one } else { &other };
        async move {
            let mut attempt = 1;
            while let Err(error) = add(store, attempt).await {
                assert!(error.can_be_done_again() && attempt < 8, "{attempt}: {error:?}");
                attempt += 1;
            }
        }
    });
    join_all(acts).await;
    assert_eq!(setting(&one, "n").await.as_deref(), Some("40"), "none is lost");
}

#[tokio::test]
async fn what_is_marked_while_it_is_planned_is_planned_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&testing::database(dir.path()).await).await.unwrap();
    let port = PortRef { router: "par1-r1".parse().unwrap(), port: "p0".parse().unwrap() };
    let net: NetId = "vpc-12345678".parse().unwrap();
    let mark = async |tx: &mut Tx| {
        plans::mark_port(tx, &port).await?;
        plans::mark_net(tx, net).await
    };
    let mut first = store.begin().await.unwrap();
    mark(&mut first).await.unwrap();
    first.commit().await.unwrap();

    let mut planner = store.begin().await.unwrap();
    assert_eq!(plans::dirty_ports(&mut planner, 9).await.unwrap(), std::slice::from_ref(&port));
    let mut other = store.begin().await.unwrap();
    mark(&mut other).await.unwrap();
    plans::clean_port(&mut planner, &port).await.unwrap();
    plans::clean_net(&mut planner, net).await.unwrap();
    planner.commit().await.unwrap();
    other.commit().await.unwrap();

    let mut db = store.reader().await.unwrap();
    assert_eq!(plans::dirty_ports(&mut db, 9).await.unwrap(), [port]);
    assert_eq!(plans::dirty_nets(&mut db, 9).await.unwrap(), [net]);
}
