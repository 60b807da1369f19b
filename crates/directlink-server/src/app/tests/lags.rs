//! LAGs: what becomes of members and interfaces, and which member carries them.

use super::*;
use directlink_model::{
    evidence::{Lacp, PortEvidence},
    hosting::Capacity,
    ids::{LagId, PortName},
    lag::LagState,
    plan::{Document, PortPlan},
    quota::Quota,
    view::LagView,
};

fn wish(count: i64) -> CreateLag {
    CreateLag {
        name: "both".into(),
        location: "PAR1".into(),
        bandwidth: Bandwidth::OneGbps,
        count,
        connection: None,
        tags: TagSet::default(),
        member_tags: TagSet::default(),
    }
}

impl Bench {
    async fn lag(&self, count: i64) -> LagView {
        self.app.create_lag(&self.alice(), wish(count)).await.unwrap()
    }

    /// Of two members on p0 and p1 of par1-r1, both lit.
    async fn lit_lag(&self) -> (LagId, [ConnectionId; 2]) {
        let made = self.lag(2).await;
        let ids: Vec<_> = made.members.iter().map(|member| member.connection.id).collect();
        for id in &ids {
            self.approve(*id, None).await.unwrap();
        }
        for port in ["p0", "p1"] {
            self.say_on(port, true, &[]).await;
        }
        assert_eq!(self.lag_state(made.lag.id).await, LagState::Available);
        (made.lag.id, ids.try_into().unwrap())
    }

    async fn approve(&self, id: ConnectionId, at: Option<&str>) -> Result<ConnectionView, Refusal> {
        let approve = ApproveOrder { connection: id, port: at.map(port) };
        self.app.approve_order(approve).await
    }

    /// What par1-r1 says of one of its ports, all plans applied.
    async fn say_on(&self, name: &str, light: bool, working: &[InterfaceId]) {
        self.say_with(name, (light, None), working).await;
    }

    /// With what LACP says there.
    async fn say_with(
        &self,
        name: &str,
        (light, lacp): (bool, Option<Lacp>),
        working: &[InterfaceId],
    ) {
        reconcile::pass(&self.app).await.unwrap();
        let at = port(&format!("par1-r1/{name}"));
        let report = PortReport {
            port: at.port.clone(),
            applied_generation: self.generation(&format!("port/{name}")).await,
            light,
            interfaces: working.iter().map(|id| (*id, works())).collect(),
            unchanged: [].into(),
            evidence: PortEvidence { lacp, ..PortEvidence::default() },
        };
        take_report(&self.app, &at, report).await.unwrap();
        reconcile::pass(&self.app).await.unwrap();
    }

    async fn lag_view(&self, id: LagId) -> LagView {
        self.app.lags(&self.alice(), Some(id)).await.unwrap().remove(0)
    }

    async fn lag_state(&self, id: LagId) -> LagState {
        self.lag_view(id).await.state
    }

    async fn planned(&self, name: &str) -> PortPlan {
        reconcile::pass(&self.app).await.unwrap();
        let mut db = self.app.parts().store.reader().await.unwrap();
        let scope: Scope = format!("port/{name}").parse().unwrap();
        let stored = plans::stored(&mut db, &"par1-r1".parse().unwrap(), &scope).await.unwrap();
        match serde_json::from_str(&stored.unwrap().document).unwrap() {
            Document::Port(plan) => plan,
            Document::Net(_) => panic!("a port has a port's plan"),
        }
    }

    /// The ports of par1-r1 whose plans have the interface.
    async fn carried_by(&self, id: InterfaceId) -> Vec<&'static str> {
        let mut ports = vec![];
        for name in ["p0", "p1", "p2"] {
            ports.extend(self.planned(name).await.interfaces.contains_key(&id).then_some(name));
        }
        ports
    }

    async fn made_on(&self, trunk: impl Into<Trunk>, vlan: u16) -> InterfaceId {
        let gateway = self.gateway(&self.alice()).await;
        let vlan = vlan.try_into().unwrap();
        let wanted = CreateInterface { vlan, ..interface(trunk, Some(gateway)) };
        self.app.create_interface(&self.alice(), wanted).await.unwrap().interface.id
    }

    async fn minimum(&self, id: LagId, minimum: i64) -> Result<LagView, Refusal> {
        let change = ChangeLag { id, name: None, minimum_links: Some(minimum) };
        self.app.change_lag(&self.alice(), change).await
    }
}

#[tokio::test]
async fn a_lag_is_its_members_from_the_order_to_the_end() {
    let b = Bench::new().await;
    let made = b.lag(2).await;
    let lag = made.lag.id;
    assert_eq!((made.state, made.members.len()), (LagState::Requested, 2));
    let mut states = vec![];
    let ids: Vec<_> = made.members.iter().map(|member| member.connection.id).collect();
    b.approve(ids[0], None).await.unwrap();
    states.push(b.lag_state(lag).await.as_str());
    b.say_on("p0", true, &[]).await;
    states.push(b.lag_state(lag).await.as_str());
    b.minimum(lag, 2).await.unwrap();
    states.push(b.lag_state(lag).await.as_str());
    b.approve(ids[1], None).await.unwrap();
    b.say_on("p1", true, &[]).await;
    states.push(b.lag_state(lag).await.as_str());
    let ports = b.planned("p1").await.lag.unwrap().ports;
    assert_eq!(ports.iter().map(PortName::as_str).collect::<Vec<_>>(), ["p0", "p1"]);
    let gone = b.app.delete_lag(&b.alice(), lag).await.unwrap();
    states.push(gone.state.as_str());
    assert_eq!(states, ["pending", "available", "down", "available", "deleted"]);
    for id in ids {
        let view = b.connection(id).await;
        assert_eq!((view.state, view.connection.lag), (ConnectionState::Available, None));
    }
    assert_eq!(b.planned("p1").await.lag, None);
    assert_eq!(b.lag_state(lag).await, LagState::Deleted, "still listed");
    b.wait(SignedDuration::from_hours(1));
    assert!(b.app.lags(&b.alice(), None).await.unwrap().is_empty());
}

#[tokio::test]
async fn interfaces_are_on_the_first_lit_member_and_move_when_its_light_goes() {
    let b = Bench::new().await;
    let (lag, [first, second]) = b.lit_lag().await;
    let id = b.made_on(lag, 101).await;
    let state = async || b.state(id).await.as_str();
    let on = async || b.interface(&b.alice(), id).await.unwrap().interface.connection;
    b.say_on("p0", true, &[id]).await;
    assert_eq!(
        (b.carried_by(id).await, state().await, on().await),
        (vec!["p0"], "available", first)
    );
    // The light goes: planned on the other port at once, and down until that says that it works.
    b.say_on("p0", false, &[id]).await;
    assert_eq!((b.carried_by(id).await, state().await, on().await), (vec!["p1"], "down", second));
    assert_eq!(b.lag_state(lag).await, LagState::Available);
    // The old port still reports it: not where it belongs, so no news of it.
    b.say_on("p0", false, &[id]).await;
    assert_eq!(state().await, "down");
    b.say_on("p1", true, &[id]).await;
    assert_eq!(state().await, "available");
    // Both dark: kept, so that light alone brings it back.
    b.say_on("p1", false, &[id]).await;
    assert_eq!((b.carried_by(id).await.len(), state().await), (1, "down"));
    assert_eq!(b.lag_state(lag).await, LagState::Down);
    // The first again.
    b.say_on("p1", true, &[]).await;
    b.say_on("p1", true, &[id]).await;
    assert_eq!((b.carried_by(id).await, state().await), (vec!["p1"], "available"));
    b.say_on("p0", true, &[]).await;
    b.say_on("p0", true, &[id]).await;
    assert_eq!((b.carried_by(id).await, state().await), (vec!["p0"], "available"));
}

#[tokio::test]
async fn a_cable_that_is_plugged_again_carries_once_the_customer_has_it_in_its_bundle() {
    let b = Bench::new().await;
    let (lag, _) = b.lit_lag().await;
    let id = b.made_on(lag, 101).await;
    let partner = Some("02:00:00:00:00:09".parse().unwrap());
    let speaks = |is_ready| Some(Lacp { partner, is_ready, is_in_use: false });
    b.say_with("p0", (true, speaks(true)), &[id]).await;
    b.say_with("p1", (true, speaks(true)), &[]).await;
    assert_eq!(b.carried_by(id).await, ["p0"]);
    b.say_with("p0", (false, speaks(false)), &[]).await;
    assert_eq!(b.carried_by(id).await, ["p1"]);
    // Light alone is not enough for a customer who speaks LACP.
    b.say_with("p0", (true, speaks(false)), &[]).await;
    b.say_with("p1", (true, speaks(true)), &[id]).await;
    assert_eq!(b.carried_by(id).await, ["p1"]);
    b.say_with("p0", (true, speaks(true)), &[]).await;
    assert_eq!(b.carried_by(id).await, ["p0"]);
    // What is said of a dark port is old.
    b.say_with("p0", (false, speaks(true)), &[]).await;
    assert_eq!(b.carried_by(id).await, ["p1"]);
}

#[tokio::test]
async fn with_fewer_lit_members_than_its_minimum_a_lag_carries_nothing() {
    let b = Bench::new().await;
    let (lag, _) = b.lit_lag().await;
    let id = b.made_on(lag, 101).await;
    b.minimum(lag, 2).await.unwrap();
    b.say_on("p0", true, &[id]).await;
    assert_eq!(b.carried_by(id).await, ["p0"]);
    b.say_on("p1", false, &[]).await;
    assert_eq!((b.carried_by(id).await.len(), b.lag_state(lag).await), (0, LagState::Down));
    b.say_on("p0", true, &[]).await;
    assert_eq!(b.state(id).await, InterfaceState::Down);
    let gateway = b.gateway(&b.alice()).await;
    let more = b.app.create_interface(&b.alice(), interface(lag, Some(gateway))).await;
    assert_eq!(lag_fault(more), "NotAvailable");
    b.minimum(lag, 1).await.unwrap();
    assert_eq!((b.carried_by(id).await, b.lag_state(lag).await), (vec!["p0"], LagState::Available));
}

#[tokio::test]
async fn a_deleted_interface_is_gone_only_where_it_was() {
    let b = Bench::new().await;
    let (lag, _) = b.lit_lag().await;
    let id = b.made_on(lag, 101).await;
    b.say_on("p0", true, &[id]).await;
    b.app.delete_interface(&b.alice(), id).await.unwrap();
    // The carrier's light goes while the router still has it on the old port.
    b.say_on("p0", false, &[id]).await;
    b.say_on("p1", true, &[]).await;
    assert_eq!(b.state(id).await, InterfaceState::Deleting);
    assert_eq!(lag_fault(b.app.delete_lag(&b.alice(), lag).await), "HasInterfaces");
    let gateway = b.gateway(&b.alice()).await;
    let same = b.app.create_interface(&b.alice(), interface(lag, Some(gateway))).await;
    assert_eq!(fault(same), "VlanTaken");
    b.say_on("p0", false, &[]).await;
    assert_eq!(b.state(id).await, InterfaceState::Deleted);
    assert_eq!(lag_fault(b.app.delete_lag(&b.alice(), lag).await), "ok");
}

#[tokio::test]
async fn a_connection_brings_its_interfaces_into_a_lag_and_leaves_without_them() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let id = b.made_on(connection, 101).await;
    let with = CreateLag { connection: Some(connection), ..wish(2) };
    let made = b.app.create_lag(&b.alice(), with).await.unwrap();
    let lag = made.lag.id;
    assert_eq!((made.state, made.members.len()), (LagState::Available, 2));
    let member = |connection| SetMember { lag, connection };
    let seen = b.interface(&b.alice(), id).await.unwrap().interface;
    assert_eq!((seen.lag, seen.connection), (Some(lag), connection));
    let gateway = b.gateway(&b.alice()).await;
    let own = b.app.create_interface(&b.alice(), interface(connection, Some(gateway))).await;
    assert_eq!(lag_fault(own), "MemberTakesNone");

    let other = made.members[1].connection.id;
    b.approve(other, None).await.unwrap();
    b.say_on("p1", true, &[]).await;
    let left = b.app.leave_lag(&b.alice(), member(connection)).await.unwrap();
    assert_eq!((left.state, left.connection.lag), (ConnectionState::Available, None));
    assert_eq!(b.carried_by(id).await, ["p1"]);
    let refused = b.app.leave_lag(&b.alice(), member(other)).await;
    assert_eq!(lag_fault(refused), "LastMember");
    assert_eq!(lag_fault(b.app.delete_connection(&b.alice(), other).await), "LastMember");
    assert_eq!(lag_fault(b.app.leave_lag(&b.alice(), member(connection)).await), "NotMember");

    // The VLAN is the LAG's now, and free on the connection; both together are refused.
    b.made_on(connection, 101).await;
    let back = b.app.join_lag(&b.alice(), member(connection)).await;
    assert_eq!(fault(back), "VlanTaken");
    assert_eq!(b.connection(connection).await.connection.lag, None, "all or nothing");
}

#[tokio::test]
async fn a_member_that_is_deleted_hands_over_first_unless_the_minimum_needs_it() {
    let b = Bench::new().await;
    let (lag, [first, _]) = b.lit_lag().await;
    let id = b.made_on(lag, 101).await;
    b.minimum(lag, 2).await.unwrap();
    assert_eq!(lag_fault(b.app.delete_connection(&b.alice(), first).await), "BelowMinimum");
    b.minimum(lag, 1).await.unwrap();
    let deleted = b.app.delete_connection(&b.alice(), first).await.unwrap();
    assert_eq!(deleted.state, ConnectionState::Deleting);
    assert_eq!(b.carried_by(id).await, ["p1"]);
    assert_eq!(b.lag_view(lag).await.members.len(), 1);
    b.say_on("p0", true, &[]).await;
    assert_eq!(b.connection(first).await.state, ConnectionState::Deleted);
}

#[tokio::test]
async fn all_members_end_at_one_router() {
    let b = Bench::new().await;
    let router = AddRouter {
        name: "par1-r2".parse().unwrap(),
        location: "PAR1".parse().unwrap(),
        vtep: [10, 255, 0, 2].into(),
    };
    b.app.add_router(router).await.unwrap();
    for n in 0..3 {
        let port = port(&format!("par1-r2/p{n}"));
        b.app
            .add_port(AddPort { port, speed: Bandwidth::OneGbps, optics: None, position: None })
            .await
            .unwrap();
    }
    // par1-r1 has room for two more, so the three go to the second router together.
    b.lit().await;
    let ids: Vec<_> = b.lag(3).await.members.iter().map(|m| m.connection.id).collect();
    let first = b.approve(ids[0], None).await.unwrap().connection.approval.unwrap();
    assert_eq!(first.port, port("par1-r2/p0"));
    let apart = b.approve(ids[1], Some("par1-r1/p1")).await;
    match apart {
        Err(Refusal::Fault(fault @ Fault::PortDoesNotFit { .. })) => {
            assert!(fault.to_string().contains("end at par1-r2"), "{fault}");
        }
        other => panic!("{other:?}"),
    }
    let second = b.approve(ids[1], None).await.unwrap().connection.approval.unwrap();
    assert_eq!(second.port, port("par1-r2/p1"));
    let elsewhere = b.order().await.connection.id;
    b.approve(elsewhere, Some("par1-r1/p1")).await.unwrap();
    let lag = b.app.lags(&b.alice(), None).await.unwrap()[0].lag.id;
    let join = SetMember { lag, connection: elsewhere };
    assert_eq!(lag_fault(b.app.join_lag(&b.alice(), join).await), "Apart");
}

#[tokio::test]
async fn a_lag_is_ordered_whole_or_not_at_all_and_only_by_its_owner() {
    let b = Bench::new().await;
    let (alice, bob) = (b.alice(), b.bob());
    for (what, wanted, expected) in [
        ("none", wish(0), "Count"),
        ("five", wish(5), "Count"),
        ("name", CreateLag { name: String::new(), ..wish(1) }, "BadValue"),
        ("place", CreateLag { location: "PAR9".into(), ..wish(1) }, "NoSuchLocation"),
        ("no router has four ports", wish(4), "NoRoom"),
        (
            "no such connection",
            CreateLag { connection: Some(ConnectionId::from_bits(1)), ..wish(1) },
            "NoSuchConnection",
        ),
    ] {
        assert_eq!(lag_fault(b.app.create_lag(&alice, wanted).await), expected, "{what}");
    }
    let quota = |quota, limit| SetQuota { account: b.alice, quota, limit: Some(limit) };
    b.app.set_quota(quota(Quota::Connections, 2)).await.unwrap();
    assert_eq!(fault(b.app.create_lag(&alice, wish(3)).await), "TooMany");
    b.app.set_quota(quota(Quota::Lags, 1)).await.unwrap();
    assert!(b.app.connections(&alice, None).await.unwrap().is_empty());
    let lag = b.lag(1).await;
    assert_eq!(fault(b.app.create_lag(&alice, wish(1)).await), "TooMany");
    assert_eq!(b.app.lags(&alice, None).await.unwrap().len(), 1);

    let (id, connection) = (lag.lag.id, lag.members[0].connection.id);
    let member = SetMember { lag: id, connection };
    let order = OrderConnection {
        name: "mine".into(),
        location: "PAR1".into(),
        bandwidth: Bandwidth::OneGbps,
        lag: Some(id),
        tags: TagSet::default(),
        needs: Needs::default(),
    };
    let gateway = b.gateway(&bob).await;
    let change = ChangeLag { id, name: Some("mine".into()), minimum_links: None };
    let theirs = order.clone();
    for outcome in [
        lag_fault(b.app.change_lag(&bob, change).await),
        lag_fault(b.app.delete_lag(&bob, id).await),
        lag_fault(b.app.order_connection(&bob, theirs).await),
        lag_fault(b.app.create_interface(&bob, interface(id, Some(gateway))).await),
    ] {
        assert_eq!(outcome, "NoSuchLag");
    }
    assert_eq!(fault(b.app.join_lag(&bob, member).await), "NoSuchConnection");
    assert!(b.app.lags(&bob, Some(id)).await.unwrap().is_empty());
    let ordered = b.app.order_connection(&alice, order).await.unwrap();
    assert_eq!(ordered.connection.lag, Some(id));
}

/// The fault's name, and of a LAG's the one inside.
fn lag_fault<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> String {
    match outcome {
        Err(Refusal::Fault(Fault::Lag(inner))) => {
            let text = format!("{inner:?}");
            text.split([' ', '(']).next().unwrap().to_owned()
        }
        other => fault(other),
    }
}

#[tokio::test]
async fn an_interface_moves_onto_a_lag_and_off_it_and_its_vlan_with_it() {
    let b = Bench::new().await;
    let (lag, _) = b.lit_lag().await;
    let alone = b.order().await.connection.id;
    b.approve(alone, Some("par1-r1/p2")).await.unwrap();
    b.say_on("p2", true, &[]).await;
    let id = b.made_on(alone, 101).await;
    let go = async |to: Trunk| b.app.move_interface(&b.alice(), MoveInterface { id, to }).await;
    assert_eq!(go(lag.into()).await.unwrap().interface.trunk(), Trunk::Lag(lag));
    assert_eq!(b.carried_by(id).await, ["p0"]);
    b.say_on("p0", false, &[]).await;
    assert_eq!(b.carried_by(id).await, ["p1"], "the next member carries it");
    let second = b.made_on(alone, 101).await;
    assert_eq!(fault(go(alone.into()).await), "VlanTaken");
    b.app.delete_interface(&b.alice(), second).await.unwrap();
    b.say_on("p2", true, &[]).await;
    assert_eq!(go(alone.into()).await.unwrap().interface.trunk(), Trunk::Connection(alone));
    assert_eq!(b.carried_by(id).await, ["p2"]);
    b.made_on(lag, 101).await;
    assert_eq!(fault(go(lag.into()).await), "VlanTaken");
}

#[tokio::test]
async fn a_member_hosts_no_connection_and_what_hosts_or_is_hosted_is_no_member() {
    let b = Bench::new().await;
    let (lag, [member, _]) = b.lit_lag().await;
    let alone = b.order().await.connection.id;
    b.approve(alone, Some("par1-r1/p2")).await.unwrap();
    let share = |parent| AllocateConnection {
        parent,
        owner: b.alice,
        name: "a share".into(),
        vlan: 7u16.try_into().unwrap(),
        capacity: Capacity::Mbps50,
        tags: TagSet::default(),
    };
    assert_eq!(fault(b.app.allocate_connection(&b.alice(), share(member)).await), "Hosting");
    let hosted = b.app.allocate_connection(&b.alice(), share(alone)).await.unwrap().connection.id;
    b.app.confirm_connection(&b.alice(), hosted).await.unwrap();
    let join = async |connection| b.app.join_lag(&b.alice(), SetMember { lag, connection }).await;
    assert_eq!(fault(join(alone).await), "Hosting");
    assert_eq!(fault(join(hosted).await), "Lag");
}

#[tokio::test]
async fn an_interface_that_no_port_carries_any_more_is_not_drained() {
    let b = Bench::new().await;
    let lag = b.lag(2).await;
    let first = lag.members[0].connection.id;
    b.approve(first, None).await.unwrap();
    b.say_on("p0", true, &[]).await;
    let id = b.made_on(lag.lag.id, 100).await;
    b.say_on("p0", true, &[id]).await;
    let wish = directlink_model::maintenance::Wish {
        target: directlink_model::maintenance::Target::Interface(id),
        reason: "line card".into(),
        from: None,
        until: None,
        at_most: directlink_model::drain::AT_MOST_DEFAULT,
    };
    let works = b.app.plan_maintenance(wish, (true, false)).await.unwrap().maintenance.id;
    reconcile::pass(&b.app).await.unwrap();
    let drain = async || b.interface(&b.alice(), id).await.unwrap().interface.drain_phase();
    assert!(drain().await.is_some());
    // The member that is left waits for its port.
    b.app.leave_lag(&b.alice(), SetMember { lag: lag.lag.id, connection: first }).await.unwrap();
    b.app.end_maintenance(works).await.unwrap();
    reconcile::pass(&b.app).await.unwrap();
    assert_eq!((b.carried_by(id).await, drain().await), (vec![], None));
}
