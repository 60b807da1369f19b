//! What holds for every command: dry runs, ownership, keys, restarts, the clock.

use super::*;

#[tokio::test]
async fn a_dry_run_refuses_alike_and_changes_nothing() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let (net, gateway) = b.net().await;
    let before = (b.generation("port/p0").await, dump(&b).await);
    let dry = b.app.context(Caller { account: b.alice }, true);
    let app = &b.app;
    let order = |location: &str| OrderConnection {
        name: "x".into(),
        location: location.into(),
        bandwidth: Bandwidth::OneGbps,
        lag: None,
        tags: TagSet::default(),
        needs: Needs::default(),
    };
    let range = "10.0.1.0/24".parse().unwrap();
    assert_eq!(fault(app.order_connection(&dry, order("PAR1")).await), "ok");
    assert_eq!(fault(app.order_connection(&dry, order("LON1")).await), "NoSuchLocation");
    assert_eq!(fault(app.create_interface(&dry, interface(connection, Some(gateway))).await), "ok");
    assert_eq!(fault(app.create_net(&dry, CreateNet { range }).await), "ok");
    assert_eq!(
        fault(app.create_subnet(&dry, CreateSubnet { net, range, subregion: None }).await),
        "ok"
    );
    assert_eq!(fault(app.create_gateway(&dry).await), "ok");
    assert_eq!(fault(app.unlink_gateway(&dry, LinkGateway { gateway, net }).await), "ok");
    assert_eq!(fault(app.delete_connection(&dry, connection).await), "ok");
    assert_eq!(fault(app.delete_net(&dry, net).await), "NetInUse");
    assert_eq!(
        fault(app.create_access_key(&dry, CreateAccessKey { expires_at: None, tag: None }).await),
        "ok"
    );
    reconcile::pass(app).await.unwrap();
    assert_eq!((b.generation("port/p0").await, dump(&b).await), before);
}

#[tokio::test]
async fn anothers_objects_do_not_exist() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let (net, gateway) = b.net().await;
    let (app, bob) = (&b.app, b.bob());
    let id = app
        .create_interface(&b.alice(), interface(connection, Some(gateway)))
        .await
        .unwrap()
        .interface
        .id;
    let range = "10.0.1.0/24".parse().unwrap();
    let table = app.route_tables(&b.alice(), None).await.unwrap()[0].table.id;
    let propagation = SetPropagation { table, gateway, enabled: true };
    let change = ChangeInterface { id, mtu: Some(Mtu::MIN), name: None };
    assert_eq!(fault(app.delete_connection(&bob, connection).await), "NoSuchConnection");
    assert_eq!(fault(app.delete_interface(&bob, id).await), "NoSuchInterface");
    assert_eq!(fault(app.change_interface(&bob, change).await), "NoSuchInterface");
    assert_eq!(fault(app.delete_net(&bob, net).await), "NoSuchNet");
    assert_eq!(
        fault(app.create_subnet(&bob, CreateSubnet { net, range, subregion: None }).await),
        "NoSuchNet"
    );
    assert_eq!(fault(app.delete_gateway(&bob, gateway).await), "NoSuchGateway");
    assert_eq!(fault(app.link_gateway(&bob, LinkGateway { gateway, net }).await), "NoSuchGateway");
    assert_eq!(fault(app.set_propagation(&bob, propagation).await), "NoSuchRouteTable");
    assert!(app.connections(&bob, Some(&[connection])).await.unwrap().is_empty());
    assert!(app.interfaces(&bob, &InterfaceFilter::default()).await.unwrap().is_empty());
    assert!(app.nets(&bob, None).await.unwrap().is_empty());
    assert!(app.route_tables(&bob, None).await.unwrap().is_empty());
}

#[tokio::test]
async fn keys_and_passwords_open_their_own_account_only() {
    let b = Bench::new().await;
    let email = "carol@example.test";
    let add = AddAccount { email: Some(email.into()), password: Some("open sesame".into()) };
    let carol = b.app.add_account(add.clone()).await.unwrap();
    assert_eq!(fault(b.app.add_account(add).await), "AlreadyExists");
    assert_eq!(b.app.login(email, "open sesame").await.unwrap(), Some(carol.account.id));
    assert_eq!(b.app.login(email, "open").await.unwrap(), None);
    assert_eq!(b.app.login("nobody@example.test", "open sesame").await.unwrap(), None);
    let key = &carol.access_key;
    assert_eq!((key.key.id.len(), key.secret.expose().len()), (20, 40));
    let credential = b.app.credential(&key.key.id).await.unwrap().unwrap();
    assert_eq!((credential.account, credential.usable), (carol.account.id, true));
    assert_eq!(credential.secret, key.secret);
    assert!(b.app.credential("AKIAIOSFODNN7EXAMPLE").await.unwrap().is_none());
    let end = b.app.now() + SignedDuration::from_hours(1);
    let brief = CreateAccessKey { expires_at: Some(end), tag: None };
    let brief = b.app.create_access_key(&b.ctx(carol.account.id), brief).await.unwrap();
    b.wait(SignedDuration::from_hours(1));
    assert!(!b.app.credential(&brief.key.id).await.unwrap().unwrap().usable, "past its end");
    assert!(!format!("{carol:?}").contains(key.secret.expose()));
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let (_, gateway) = b.net().await;
    let made = b.app.create_interface(&b.alice(), interface(connection, Some(gateway))).await;
    b.say(true, &[made.unwrap().interface.id]).await;
    let before = dump(&b).await;
    let Bench { app, dir, alice, bob } = b;
    drop(app);
    let b = Bench { app: app_in(&dir).await, dir, alice, bob };
    assert_eq!(dump(&b).await, before);
    reconcile::plan_all(&b.app).await.unwrap();
    let generation = b.generation("port/p0").await;
    reconcile::pass(&b.app).await.unwrap();
    assert_eq!(b.generation("port/p0").await, generation, "and plans nothing anew");
}

#[tokio::test]
async fn only_a_virtual_clock_can_be_moved_and_not_back() {
    let b = Bench::new().await;
    let before = b.app.now();
    let day = SignedDuration::from_hours(24);
    let after = b.app.advance_clock(day).await.unwrap();
    assert!((before + day..before + day + SignedDuration::from_secs(1)).contains(&after));
    assert_eq!(fault(b.app.advance_clock(-day).await), "BadValue");
}

#[tokio::test]
async fn the_operator_sees_every_account() {
    let b = Bench::new().await;
    let id = b.lit().await;
    let all = b.app.all_connections(None).await.unwrap();
    assert_eq!(all.iter().map(|v| v.connection.id).collect::<Vec<_>>(), [id]);
    let routers = b.app.routers().await.unwrap();
    let p0 = &routers[0].ports[0];
    assert_eq!((p0.connection, p0.light), (Some(id), Some(true)));
    assert!(!routers[0].agent.connected);
}
