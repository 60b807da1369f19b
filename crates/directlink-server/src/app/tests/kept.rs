//! What is kept in memory is never seen: whatever is asked is answered as a server would that has
//! just been started, and as soon as somebody was told of a change.

use super::*;
use crate::store::connections;
use directlink_model::{account::AccessKey, tag_set::Tagged};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a server without memory has of Alice: her lines as they are listed.
async fn anew(b: &Bench, ctx: &Context) -> String {
    let fresh = app_in(&b.dir).await;
    // Each alone first, before anything is kept of them.
    for view in b.app.connections(ctx, None).await.unwrap() {
        let id = view.connection.id;
        let kept = b.app.own_line(ctx, id).await.unwrap();
        assert_eq!(fresh.own_line(ctx, id).await.unwrap(), kept);
    }
    lines(&fresh, ctx).await
}

async fn lines(app: &App, ctx: &Context) -> String {
    let own = app.own_lines(ctx).await.unwrap();
    let listed: Vec<_> = own.connections().collect();
    let connections = app.connections(ctx, None).await.unwrap();
    let ids: Vec<_> = connections.iter().map(|view| view.connection.id).collect();
    let one_by_one = app.connections(ctx, Some(&ids)).await.unwrap();
    assert_eq!(format!("{one_by_one:?}"), format!("{connections:?}"));
    let tagged: Vec<Tagged> = ids.into_iter().map(Tagged::from).collect();
    let tags = app.line_tags(ctx, Some(&tagged)).await.unwrap();
    assert_eq!(format!("{tags:?}"), format!("{:?}", app.line_tags(ctx, None).await.unwrap()));
    let write = || Ok::<_, ()>(format!("{listed:?} {:?}", own.tags()).into());
    assert_eq!(own.text("debug", write), write(), "a text that is kept is what would be written");
    format!("{listed:?} {:?} {connections:?}", own.tags())
}

#[tokio::test]
async fn a_list_is_that_of_a_server_without_memory_after_each_change() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let tags = |value: &str| TagSet::new([("k".to_owned(), value.to_owned())]).unwrap();
    let approve = ApproveOrder { connection: id, port: Some(port("par1-r1/p0")) };
    let mut seen = vec![];
    for act in 0..9 {
        // Read before the change, so that it is kept.
        lines(&b.app, &b.alice()).await;
        match act {
            0 => drop(b.order().await),
            1 => drop(b.app.approve_order(approve.clone()).await.unwrap()),
            2 => b.say(true, &[]).await,
            3 => drop(b.app.tag_line(&b.alice(), id.into(), tags("v")).await.unwrap()),
            4 => drop(b.app.tag_line(&b.alice(), id.into(), tags("w")).await.unwrap()),
            5 => {
                let rename = RenameConnection { id, name: "another".into() };
                b.app.rename_connection(&b.alice(), rename).await.unwrap();
            }
            6 => drop(b.app.untag_line(&b.alice(), id.into(), vec!["k".into()]).await.unwrap()),
            7 => drop(b.app.delete_connection(&b.alice(), id).await.unwrap()),
            _ => drop(b.app.release_port(port("par1-r1/p0")).await.unwrap()),
        }
        let ctx = b.alice();
        seen.push(lines(&b.app, &ctx).await);
        assert_eq!(seen.last(), Some(&anew(&b, &ctx).await), "act {act}");
    }
    seen.dedup();
    assert_eq!(seen.len(), 9, "each act changed what is listed");
    b.wait(SignedDuration::from_hours(2));
    let ctx = b.alice();
    let last = lines(&b.app, &ctx).await;
    assert_eq!(last, anew(&b, &ctx).await, "time alone takes the deleted one away");
    assert_ne!(seen.last(), Some(&last));
}

#[tokio::test]
async fn a_key_is_refused_from_the_answer_on_that_says_so_and_taken_again_likewise() {
    let b = Bench::new().await;
    let made = CreateAccessKey { expires_at: None, tag: None };
    let key = b.app.create_access_key(&b.alice(), made).await.unwrap().key;
    let usable = async || {
        let found = b.app.credential(&key.id).await.unwrap();
        // Once more: what was kept is no other.
        let again = b.app.credential(&key.id).await.unwrap();
        assert_eq!(found.as_ref().map(|c| c.usable), again.map(|c| c.usable));
        found.map(|c| c.usable)
    };
    let change =
        |active, expires_at| ChangeAccessKey { id: key.id.clone(), active, expires_at, tag: None };
    assert_eq!(usable().await, Some(true));
    b.app.change_access_key(&b.alice(), change(Some(false), None)).await.unwrap();
    assert_eq!(usable().await, Some(false), "switched off");
    b.app.change_access_key(&b.alice(), change(Some(true), None)).await.unwrap();
    assert_eq!(usable().await, Some(true), "switched on");
    let end = b.app.now() + SignedDuration::from_hours(1);
    b.app.change_access_key(&b.alice(), change(None, Some(Some(end)))).await.unwrap();
    assert_eq!(usable().await, Some(true));
    b.wait(SignedDuration::from_hours(1));
    assert_eq!(usable().await, Some(false), "past its end");
    b.app.delete_access_key(&b.alice(), &key.id).await.unwrap();
    assert_eq!(usable().await, None, "deleted");
    let left = b.app.access_keys(&b.alice(), None).await.unwrap();
    assert!(left.iter().all(|AccessKey { id, .. }| *id != key.id));
}

/// The number that the connection is named by: in the database, then in the list.
async fn both(app: &App, ctx: &Context, id: ConnectionId) -> (u32, u32) {
    let mut db = app.parts().store.reader().await.unwrap();
    let stored = connections::by_id(&mut db, id).await.unwrap().unwrap();
    drop(db);
    let listed = app.connections(ctx, None).await.unwrap().remove(0).connection;
    (stored.name.parse().unwrap(), listed.name.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_saw_a_change_in_the_database_never_lists_what_was_before_it() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let rename = |n: u32| RenameConnection { id, name: n.to_string() };
    b.app.rename_connection(&b.alice(), rename(0)).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (app, ctx, done) = (b.app.clone(), b.alice(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut pairs = vec![];
                while !done.load(Ordering::Relaxed) {
                    pairs.push(both(&app, &ctx, id).await);
                }
                pairs
            })
        })
        .collect();
    for n in 1..=200 {
        b.app.rename_connection(&b.alice(), rename(n)).await.unwrap();
        let (_, listed) = both(&b.app, &b.alice(), id).await;
        assert_eq!(listed, n, "answered, so listed");
    }
    done.store(true, Ordering::Relaxed);
    for reader in join_all(readers).await {
        for (stored, listed) in reader.unwrap() {
            assert!(listed >= stored, "{stored} is stored, {listed} was listed after it was read");
        }
    }
}
