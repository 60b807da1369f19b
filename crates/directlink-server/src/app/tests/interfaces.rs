//! Interfaces: their states, their refusals, and the race for a VLAN.

use super::*;

#[tokio::test]
async fn an_interface_is_pending_until_its_router_says_that_it_works_and_deleting_until_it_is_gone()
{
    let b = Bench::new().await;
    let connection = b.lit().await;
    let (_, gateway) = b.net().await;
    let made = b.app.create_interface(&b.alice(), interface(connection, Some(gateway))).await;
    let made = made.unwrap();
    assert_eq!(made.state, InterfaceState::Pending);
    assert_eq!(made.interface.peer.to_string(), "169.254.1.1/30 ↔ 169.254.1.2/30");
    let id = made.interface.id;
    let mut seen = vec![];
    b.say(true, &[]).await;
    seen.push(b.state(id).await.as_str());
    b.say(true, &[id]).await;
    seen.push(b.state(id).await.as_str());
    b.say(false, &[id]).await;
    seen.push(b.state(id).await.as_str());
    b.say(true, &[id]).await;
    seen.push(b.state(id).await.as_str());
    assert_eq!(seen, ["pending", "available", "down", "available"]);
    let refused = b.app.delete_connection(&b.alice(), connection).await;
    assert_eq!(fault(refused), "ConnectionHasInterfaces");
    b.app.delete_interface(&b.alice(), id).await.unwrap();
    b.say(true, &[id]).await;
    assert_eq!(b.state(id).await, InterfaceState::Deleting, "the router still has it");
    b.say(true, &[]).await;
    assert_eq!(b.state(id).await, InterfaceState::Deleted);
    assert_eq!(fault(b.app.delete_interface(&b.alice(), id).await), "NoSuchInterface");
    b.wait(SignedDuration::from_hours(1));
    assert!(b.interface(&b.alice(), id).await.is_none(), "no longer listed");
}

#[tokio::test]
async fn an_interface_deleted_before_any_router_heard_of_it_is_gone_too() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let gateway = b.gateway(&b.alice()).await;
    let wanted = interface(connection, Some(gateway));
    let id = b.app.create_interface(&b.alice(), wanted).await.unwrap().interface.id;
    b.app.delete_interface(&b.alice(), id).await.unwrap();
    // No new document, no new report: the last one said is weighed again.
    reconcile::pass(&b.app).await.unwrap();
    assert_eq!(b.state(id).await, InterfaceState::Deleted);
}

#[tokio::test]
async fn each_refusal_of_a_new_interface_has_its_name() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let waiting = b.order().await.connection.id;
    let (_, gateway) = b.net().await;
    let bare = b.gateway(&b.alice()).await;
    let gone = b.gateway(&b.alice()).await;
    b.app.delete_gateway(&b.alice(), gone).await.unwrap();
    let bobs = b.gateway(&b.bob()).await;
    let good = || interface(connection, Some(gateway));
    let vlan = |vlan: u16| vlan.try_into().unwrap();
    for (what, wanted, expected) in [
        ("empty name", CreateInterface { name: String::new(), ..good() }, "BadValue"),
        ("long name", CreateInterface { name: "x".repeat(256), ..good() }, "BadValue"),
        (
            "our own ASN",
            CreateInterface { asn: 50624u32.try_into().unwrap(), ..good() },
            "AsnOfProvider",
        ),
        (
            "half a pair of eight",
            CreateInterface { router_address: Some("10.0.0.1/29".parse().unwrap()), ..good() },
            "PeerAddresses",
        ),
        (
            "no such connection",
            interface(ConnectionId::from_bits(1), Some(gateway)),
            "NoSuchConnection",
        ),
        ("no such gateway", interface(connection, Some(GatewayId::from_bits(1))), "NoSuchGateway"),
        ("another's gateway", interface(connection, Some(bobs)), "NoSuchGateway"),
        (
            "no such account",
            CreateInterface { owner: Some(AccountId::from_number(1)), ..good() },
            "NoSuchAccount",
        ),
        ("order not approved", interface(waiting, Some(gateway)), "ConnectionNotAvailable"),
        ("deleted gateway", interface(connection, Some(gone)), "GatewayNotAvailable"),
        ("good", good(), "ok"),
        ("VLAN taken", interface(connection, Some(bare)), "VlanTaken"),
        ("Net reached", CreateInterface { vlan: vlan(102), ..good() }, "NetAlreadyReached"),
        (
            "bare gateway",
            CreateInterface { vlan: vlan(103), ..interface(connection, Some(bare)) },
            "ok",
        ),
    ] {
        assert_eq!(fault(b.app.create_interface(&b.alice(), wanted).await), expected, "{what}");
    }
    let theirs = b.app.create_interface(&b.bob(), interface(connection, Some(bobs))).await;
    assert_eq!(fault(theirs), "NoSuchConnection", "another's connection");
    b.say(false, &[]).await;
    let dark = CreateInterface { vlan: vlan(104), ..interface(connection, Some(bare)) };
    assert_eq!(fault(b.app.create_interface(&b.alice(), dark).await), "ConnectionNotAvailable");
}

#[tokio::test]
async fn a_hosted_interface_waits_seven_days_and_both_sides_see_how_it_ends() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let offer = |vlan: u16| CreateInterface {
        owner: Some(b.bob),
        vlan: vlan.try_into().unwrap(),
        ..interface(connection, None)
    };
    let mut ids = vec![];
    for vlan in [101, 102, 103] {
        let made = b.app.create_interface(&b.alice(), offer(vlan)).await.unwrap();
        assert_eq!(made.state, InterfaceState::Confirming);
        ids.push(made.interface.id);
    }
    let gateway = b.gateway(&b.bob()).await;
    let confirm = |id| ConfirmInterface { id, gateway };
    assert_eq!(
        fault(b.app.confirm_interface(&b.alice(), confirm(ids[0])).await),
        "NoSuchInterface"
    );
    let accepted = b.app.confirm_interface(&b.bob(), confirm(ids[0])).await.unwrap();
    assert_eq!(accepted.state, InterfaceState::Pending);
    let again = b.app.confirm_interface(&b.bob(), confirm(ids[0])).await;
    assert_eq!(fault(again), "InterfaceNotConfirming");
    let rejected = b.app.delete_interface(&b.bob(), ids[1]).await.unwrap();
    assert_eq!(rejected.state, InterfaceState::Rejected);
    b.wait(SignedDuration::from_hours(7 * 24) - SignedDuration::from_secs(1));
    assert_eq!(b.state(ids[2]).await, InterfaceState::Confirming);
    b.wait(SignedDuration::from_secs(1));
    assert_eq!(b.state(ids[2]).await, InterfaceState::Expired, "although no loop ran");
    let late = b.app.confirm_interface(&b.bob(), confirm(ids[2])).await;
    assert_eq!(fault(late), "InterfaceNotConfirming");
    let next = b.app.create_interface(&b.alice(), offer(103)).await.expect("the VLAN is free");
    ids.push(next.interface.id);
    reconcile::pass(&b.app).await.unwrap();
    for ctx in [b.alice(), b.bob()] {
        let mut states = vec![];
        for id in &ids {
            states.push(b.interface(&ctx, *id).await.unwrap().state.as_str());
        }
        assert_eq!(states, ["pending", "rejected", "expired", "confirming"]);
    }
}

#[tokio::test]
async fn an_expired_offer_reads_the_same_before_and_after_it_is_stamped() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let offer = CreateInterface { owner: Some(b.bob), ..interface(connection, None) };
    let id = b.app.create_interface(&b.alice(), offer).await.unwrap().interface.id;
    let deadline = reconcile::pass(&b.app).await.unwrap();
    let offered = b.interface(&b.alice(), id).await.unwrap().interface.created_at;
    assert_eq!(deadline, Some(offered + SignedDuration::from_hours(7 * 24)));
    b.wait(SignedDuration::from_hours(8 * 24));
    assert_eq!(b.state(id).await, InterfaceState::Expired);
    assert_eq!(reconcile::pass(&b.app).await.unwrap(), None, "stamped: nothing more to wait for");
    assert_eq!(b.state(id).await, InterfaceState::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_that_race_for_a_vlan_exactly_one_wins() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let gateway = b.gateway(&b.alice()).await;
    let tasks = (0..64).map(|_| {
        let (app, ctx) = (b.app.clone(), b.alice());
        tokio::spawn(async move {
            fault(app.create_interface(&ctx, interface(connection, Some(gateway))).await)
        })
    });
    let mut outcomes = BTreeMap::new();
    for outcome in join_all(tasks).await {
        *outcomes.entry(outcome.unwrap()).or_insert(0) += 1;
    }
    assert_eq!(outcomes, BTreeMap::from([("VlanTaken".into(), 63), ("ok".into(), 1)]));
}

#[tokio::test]
async fn the_database_itself_refuses_a_second_holder_of_a_vlan() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let gateway = b.gateway(&b.alice()).await;
    let wanted = interface(connection, Some(gateway));
    let mut copy = b.app.create_interface(&b.alice(), wanted).await.unwrap().interface;
    copy.id = InterfaceId::from_bits(7);
    let mut tx = b.app.parts().store.begin().await.unwrap();
    let second = store::interfaces::insert(&mut tx, &copy).await;
    assert!(matches!(second, Err(store::Error::Contended(_))), "{second:?}");
}
