//! Hosted connections: Alice is the partner, Bob the customer. The wire is par1-r1/p0.

use super::*;
use directlink_model::{
    hosting::Capacity,
    plan::{Document, PortPlan},
};

fn share(b: &Bench, parent: ConnectionId, vlan: u16, capacity: Capacity) -> AllocateConnection {
    AllocateConnection {
        parent,
        owner: b.bob,
        name: "for Bob".into(),
        vlan: vlan.try_into().unwrap(),
        capacity,
        tags: TagSet::default(),
    }
}

async fn allocate(b: &Bench, parent: ConnectionId, vlan: u16) -> ConnectionId {
    let wish = share(b, parent, vlan, Capacity::Mbps50);
    let made = b.app.allocate_connection(&b.alice(), wish).await.unwrap();
    assert_eq!(made.state, ConnectionState::Ordering);
    made.connection.id
}

/// Allocated and confirmed, with Bob's interface on it.
async fn with_interface(b: &Bench, parent: ConnectionId) -> (ConnectionId, InterfaceId) {
    let hosted = allocate(b, parent, 101).await;
    b.app.confirm_connection(&b.bob(), hosted).await.unwrap();
    let gateway = b.gateway(&b.bob()).await;
    let made = b.app.create_interface(&b.bob(), interface(hosted, Some(gateway))).await.unwrap();
    (hosted, made.interface.id)
}

async fn seen(b: &Bench, ctx: &Context, id: ConnectionId) -> Option<&'static str> {
    let found = b.app.connections(ctx, Some(&[id])).await.unwrap();
    found.first().map(|view| view.state.as_str())
}

async fn hosted_state(b: &Bench, id: ConnectionId) -> Option<&'static str> {
    seen(b, &b.bob(), id).await
}

async fn plan_of(b: &Bench, port: &str) -> PortPlan {
    reconcile::pass(&b.app).await.unwrap();
    let mut db = b.app.parts().store.reader().await.unwrap();
    let (router, scope) = ("par1-r1".parse().unwrap(), format!("port/{port}").parse().unwrap());
    let stored = plans::stored(&mut db, &router, &scope).await.unwrap().unwrap();
    match serde_json::from_str(&stored.document).unwrap() {
        Document::Port(plan) => plan,
        Document::Net(_) => panic!("a Net under {port}"),
    }
}

/// A second connection of Alice's with light, on p1.
async fn second(b: &Bench) -> ConnectionId {
    let id = b.order().await.connection.id;
    let approve = ApproveOrder { connection: id, port: Some(port("par1-r1/p1")) };
    b.app.approve_order(approve).await.unwrap();
    say_on_p1(b, &[]).await;
    id
}

async fn say_on_p1(b: &Bench, working: &[InterfaceId]) {
    reconcile::pass(&b.app).await.unwrap();
    let at = port("par1-r1/p1");
    let interfaces = working.iter().map(|id| (*id, works())).collect();
    let applied_generation = b.generation("port/p1").await;
    let report = PortReport {
        port: at.port.clone(),
        applied_generation,
        light: true,
        interfaces,
        unchanged: [].into(),
        evidence: Default::default(),
    };
    take_report(&b.app, &at, report).await.unwrap();
    reconcile::pass(&b.app).await.unwrap();
}

#[tokio::test]
async fn a_share_is_what_its_parents_wire_is_from_confirmation_to_deletion() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    let (hosted, id) = with_interface(&b, parent).await;
    let mut states = vec![];
    for light in [true, false, true] {
        b.say(light, &[id]).await;
        let interface = b.interface(&b.bob(), id).await.unwrap().state.as_str();
        states.push((hosted_state(&b, hosted).await.unwrap(), interface));
    }
    let up = ("available", "available");
    assert_eq!(states, [up, ("down", "down"), up]);
    let plan = plan_of(&b, "p0").await;
    assert_eq!(plan.interfaces[&id].bits_per_second, Some(50_000_000));
    assert_eq!(plan.connection.unwrap().id, parent);

    let refused = b.app.delete_connection(&b.alice(), parent).await;
    assert_eq!(fault(refused), "Hosting");
    assert_eq!(fault(b.app.delete_connection(&b.bob(), hosted).await), "ConnectionHasInterfaces");
    b.app.delete_interface(&b.bob(), id).await.unwrap();
    b.say(true, &[id]).await;
    assert_eq!(fault(b.app.delete_connection(&b.bob(), hosted).await), "ConnectionHasInterfaces");
    b.say(true, &[]).await;
    let gone = b.app.delete_connection(&b.bob(), hosted).await.unwrap();
    assert_eq!(gone.state, ConnectionState::Deleting);
    reconcile::pass(&b.app).await.unwrap();
    assert_eq!(hosted_state(&b, hosted).await, Some("deleted"));
    b.app.delete_connection(&b.alice(), parent).await.unwrap();
    b.say(true, &[]).await;
    assert_eq!(seen(&b, &b.alice(), parent).await, Some("deleted"));
}

#[tokio::test]
async fn a_confirmed_share_is_pending_until_its_parent_first_has_light() {
    let b = Bench::new().await;
    let parent = b.order().await.connection.id;
    let early = b.app.allocate_connection(&b.alice(), share(&b, parent, 7, Capacity::Mbps50)).await;
    assert_eq!(fault(early), "Hosting", "not approved");
    let approve = ApproveOrder { connection: parent, port: Some(port("par1-r1/p0")) };
    b.app.approve_order(approve).await.unwrap();
    let hosted = allocate(&b, parent, 7).await;
    b.say(false, &[]).await;
    let confirmed = b.app.confirm_connection(&b.bob(), hosted).await.unwrap();
    assert_eq!(confirmed.state, ConnectionState::Pending);
    b.say(true, &[]).await;
    assert_eq!(hosted_state(&b, hosted).await, Some("available"));
}

#[tokio::test]
async fn an_offer_is_the_customers_to_take_and_either_sides_to_end() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    let ids = [allocate(&b, parent, 7).await, allocate(&b, parent, 8).await];
    let theirs = b.app.confirm_connection(&b.alice(), ids[0]).await;
    assert_eq!(fault(theirs), "NoSuchConnection", "the partner's to offer, not to take");
    b.app.delete_connection(&b.alice(), ids[0]).await.unwrap();
    b.app.delete_connection(&b.bob(), ids[1]).await.unwrap();
    for id in ids {
        assert_eq!(hosted_state(&b, id).await, Some("rejected"));
        assert_eq!(fault(b.app.confirm_connection(&b.bob(), id).await), "Hosting");
        assert_eq!(fault(b.app.delete_connection(&b.bob(), id).await), "NoSuchConnection");
    }
    allocate(&b, parent, 7).await;
    assert_eq!(seen(&b, &b.alice(), ids[0]).await, None, "not one of the partner's own");
    let hosted = b.app.hosted_connections(&b.alice(), parent).await.unwrap();
    let states: Vec<_> = hosted.iter().map(|view| view.state.as_str()).collect();
    assert_eq!(states, ["rejected", "rejected", "ordering"]);
    let other = b.app.hosted_connections(&b.bob(), parent).await;
    assert_eq!(fault(other), "NoSuchConnection");
}

#[tokio::test]
async fn an_offer_that_nobody_takes_lapses_after_seven_days_and_holds_nothing() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    let all = share(&b, parent, 7, Capacity::Gbps1);
    let first = b.app.allocate_connection(&b.alice(), all.clone()).await.unwrap().connection.id;
    b.wait(SignedDuration::from_hours(7 * 24) - SignedDuration::from_secs(1));
    assert_eq!(hosted_state(&b, first).await, Some("ordering"));
    assert_eq!(fault(b.app.allocate_connection(&b.alice(), all.clone()).await), "Hosting");
    b.wait(SignedDuration::from_secs(1));
    // Nothing has stamped it yet.
    assert_eq!(hosted_state(&b, first).await, Some("rejected"));
    assert_eq!(fault(b.app.confirm_connection(&b.bob(), first).await), "Hosting");
    let again = b.app.allocate_connection(&b.alice(), all).await.unwrap().connection.id;
    b.wait(SignedDuration::from_hours(7 * 24));
    reconcile::pass(&b.app).await.unwrap();
    let mut db = b.app.parts().store.reader().await.unwrap();
    let stored = store::connections::by_id(&mut db, again).await.unwrap().unwrap();
    assert_eq!(stored.state(), ConnectionState::Rejected, "stamped by the pass");
    drop(db);
    b.app.delete_connection(&b.alice(), parent).await.unwrap();
}

#[tokio::test]
async fn a_vlan_of_a_wire_is_one_interfaces_or_one_shares() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    let gateway = b.gateway(&b.alice()).await;
    let own = b.app.create_interface(&b.alice(), interface(parent, Some(gateway))).await.unwrap();
    let taken = share(&b, parent, 101, Capacity::Mbps50);
    assert_eq!(fault(b.app.allocate_connection(&b.alice(), taken.clone()).await), "VlanTaken");
    let hosted = allocate(&b, parent, 7).await;
    let on_7 = CreateInterface {
        vlan: 7u16.try_into().unwrap(),
        ..interface(parent, Some(b.gateway(&b.alice()).await))
    };
    assert_eq!(fault(b.app.create_interface(&b.alice(), on_7.clone()).await), "Hosting");
    b.app.delete_connection(&b.bob(), hosted).await.unwrap();
    assert_eq!(fault(b.app.create_interface(&b.alice(), on_7).await), "ok");
    b.app.delete_interface(&b.alice(), own.interface.id).await.unwrap();
    b.say(true, &[]).await;
    assert_eq!(fault(b.app.allocate_connection(&b.alice(), taken).await), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_a_vlan_at_once_one_gets_it() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    let gateway = b.gateway(&b.alice()).await;
    let shares = (0..6).map(|_| {
        let (app, ctx, wish) = (b.app.clone(), b.alice(), share(&b, parent, 101, Capacity::Mbps50));
        tokio::spawn(async move { app.allocate_connection(&ctx, wish).await.is_ok() })
    });
    let interfaces = (0..6).map(|_| {
        let (app, ctx, wish) = (b.app.clone(), b.alice(), interface(parent, Some(gateway)));
        tokio::spawn(async move { app.create_interface(&ctx, wish).await.is_ok() })
    });
    let outcomes = join_all(shares.chain(interfaces)).await;
    assert_eq!(outcomes.into_iter().filter(|made| *made.as_ref().unwrap()).count(), 1);
}

#[tokio::test]
async fn the_database_too_keeps_a_vlan_for_one() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    let hosted = allocate(&b, parent, 7).await;
    let mut tx = b.app.parts().store.begin().await.unwrap();
    let mut twin = store::connections::by_id(&mut tx, hosted).await.unwrap().unwrap();
    twin.id = ConnectionId::from_bits(1);
    let refused = store::connections::insert(&mut tx, &twin).await;
    assert!(matches!(refused, Err(store::Error::Contended(_))), "{refused:?}");
}

#[tokio::test]
async fn an_interface_on_a_share_has_its_vlan_and_is_the_only_one() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    let hosted = allocate(&b, parent, 101).await;
    let gateway = b.gateway(&b.bob()).await;
    let wish = || interface(hosted, Some(gateway));
    let early = b.app.create_interface(&b.bob(), wish()).await;
    assert_eq!(fault(early), "ConnectionNotAvailable", "not confirmed");
    b.app.confirm_connection(&b.bob(), hosted).await.unwrap();
    let other_vlan = CreateInterface { vlan: 102u16.try_into().unwrap(), ..wish() };
    assert_eq!(fault(b.app.create_interface(&b.bob(), other_vlan).await), "Hosting");
    assert_eq!(fault(b.app.create_interface(&b.alice(), wish()).await), "NoSuchConnection");
    let made = b.app.create_interface(&b.bob(), wish()).await.unwrap();
    assert_eq!(fault(b.app.create_interface(&b.bob(), wish()).await), "Hosting");
    let filter = InterfaceFilter::default();
    assert!(b.app.interfaces(&b.alice(), &filter).await.unwrap().is_empty(), "Bob's, key and all");
    assert_eq!(
        fault(b.app.delete_interface(&b.alice(), made.interface.id).await),
        "NoSuchInterface"
    );
}

#[tokio::test]
async fn a_share_counts_for_its_customer_once_it_is_confirmed() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    b.app
        .set_quota(SetQuota {
            account: b.bob,
            quota: directlink_model::quota::Quota::Connections,
            limit: Some(1),
        })
        .await
        .unwrap();
    let ids = [allocate(&b, parent, 7).await, allocate(&b, parent, 8).await];
    b.app.confirm_connection(&b.bob(), ids[0]).await.unwrap();
    assert_eq!(fault(b.app.confirm_connection(&b.bob(), ids[1]).await), "TooMany");
    let used = b.app.quotas(&b.bob()).await.unwrap();
    let connections = directlink_model::quota::Quota::Connections;
    assert_eq!(used.iter().find(|view| view.quota == connections).unwrap().used, 1);
    b.app.delete_connection(&b.bob(), ids[0]).await.unwrap();
    reconcile::pass(&b.app).await.unwrap();
    assert_eq!(fault(b.app.confirm_connection(&b.bob(), ids[1]).await), "ok");
}

#[tokio::test]
async fn a_share_has_no_letter_and_is_no_order() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    let hosted = allocate(&b, parent, 7).await;
    let approve = ApproveOrder { connection: hosted, port: None };
    assert_eq!(fault(b.app.approve_order(approve).await), "ConnectionNotRequested");
    b.app.confirm_connection(&b.bob(), hosted).await.unwrap();
    assert_eq!(fault(b.app.letter(&b.bob(), hosted, None).await), "Hosting");
    assert_eq!(fault(b.app.letter(&b.alice(), parent, None).await), "ok");
}

#[tokio::test]
async fn a_moved_share_takes_its_interface_to_the_new_port_where_it_begins_anew() {
    let b = Bench::new().await;
    let (parent, other) = (b.lit().await, second(&b).await);
    let (hosted, id) = with_interface(&b, parent).await;
    b.say(true, &[id]).await;
    assert_eq!(b.interface(&b.bob(), id).await.unwrap().state, InterfaceState::Available);
    let to = MoveHosted { id: hosted, parent: other };
    assert_eq!(fault(b.app.move_hosted(&b.bob(), to).await), "NoSuchConnection");
    let own = MoveHosted { id: parent, parent: other };
    assert_eq!(fault(b.app.move_hosted(&b.alice(), own).await), "Hosting");
    // The VLAN there is an interface's, then its addresses are.
    let gateway = b.gateway(&b.alice()).await;
    let blocking = interface(other, Some(gateway));
    let blocked = b.app.create_interface(&b.alice(), blocking.clone()).await.unwrap();
    assert_eq!(fault(b.app.move_hosted(&b.alice(), to).await), "VlanTaken");
    b.app.delete_interface(&b.alice(), blocked.interface.id).await.unwrap();
    say_on_p1(&b, &[]).await;
    let same_addresses = CreateInterface { vlan: 9u16.try_into().unwrap(), ..blocking };
    let blocked = b.app.create_interface(&b.alice(), same_addresses).await.unwrap();
    assert_eq!(fault(b.app.move_hosted(&b.alice(), to).await), "PeerAddressesTaken");
    b.app.delete_interface(&b.alice(), blocked.interface.id).await.unwrap();
    say_on_p1(&b, &[]).await;

    b.app.move_hosted(&b.alice(), to).await.unwrap();
    assert_eq!(b.interface(&b.bob(), id).await.unwrap().state, InterfaceState::Pending);
    assert!(plan_of(&b, "p0").await.interfaces.is_empty());
    assert_eq!(plan_of(&b, "p1").await.interfaces[&id].bits_per_second, Some(50_000_000));
    // The old router still has it for a while: that says nothing.
    b.say(true, &[id]).await;
    assert_eq!(b.interface(&b.bob(), id).await.unwrap().state, InterfaceState::Pending);
    say_on_p1(&b, &[id]).await;
    assert_eq!(b.interface(&b.bob(), id).await.unwrap().state, InterfaceState::Available);
    b.say(false, &[]).await;
    assert_eq!(hosted_state(&b, hosted).await, Some("available"), "the old wire is not its own");
    allocate(&b, parent, 101).await;
    assert_eq!(fault(b.app.delete_connection(&b.alice(), other).await), "Hosting");
}

#[tokio::test]
async fn a_moved_interface_is_planned_on_its_new_port_alone() {
    let b = Bench::new().await;
    let (from, to) = (b.lit().await, second(&b).await);
    let (_, gateway) = b.net().await;
    let made = b.app.create_interface(&b.alice(), interface(from, Some(gateway))).await.unwrap();
    let id = made.interface.id;
    b.say(true, &[id]).await;
    assert_eq!(b.state(id).await, InterfaceState::Available);
    let step = MoveInterface { id, to: to.into() };
    assert_eq!(fault(b.app.move_interface(&b.bob(), step).await), "NoSuchInterface");
    let moved = b.app.move_interface(&b.alice(), step).await.unwrap();
    assert_eq!((moved.state, moved.interface.connection), (InterfaceState::Pending, to));
    let ports = [plan_of(&b, "p0").await, plan_of(&b, "p1").await];
    assert_eq!(ports.map(|plan| plan.interfaces.contains_key(&id)), [false, true]);
    say_on_p1(&b, &[id]).await;
    assert_eq!(b.state(id).await, InterfaceState::Available);
    // Its VLAN moved with it.
    let second = b.gateway(&b.alice()).await;
    let old = b.app.create_interface(&b.alice(), interface(from, Some(second))).await;
    assert_eq!(fault(old), "ok");
    let back = MoveInterface { id, to: from.into() };
    assert_eq!(fault(b.app.move_interface(&b.alice(), back).await), "VlanTaken");
}

#[tokio::test]
async fn an_interface_leaves_a_share_only_with_it() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    let (_, id) = with_interface(&b, parent).await;
    let order = OrderConnection {
        name: "Bob's own".into(),
        location: "PAR1".into(),
        bandwidth: Bandwidth::OneGbps,
        lag: None,
        tags: TagSet::default(),
        needs: Needs::default(),
    };
    let own = b.app.order_connection(&b.bob(), order).await.unwrap().connection.id;
    let step = MoveInterface { id, to: own.into() };
    assert_eq!(fault(b.app.move_interface(&b.bob(), step).await), "Hosting");
}
