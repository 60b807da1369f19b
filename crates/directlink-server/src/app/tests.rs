//! The rules as the commands keep them, on a real database in a temporary file and a clock that
//! stands still until told to move.

use super::*;
use crate::{
    clock::Clock,
    reconcile::{self, take_report},
    store::{Store, plans},
};
use directlink_model::{
    command::*,
    connection::{Bandwidth, ConnectionState, PortRef},
    gateway::GatewayState,
    ids::{AccountId, ConnectionId, GatewayId, InterfaceId, NetId},
    interface::InterfaceState,
    location::Region,
    plan::Scope,
    report::{InterfaceReport, LearnedRoute, PortReport, SessionReport},
    security_group::{Flow, Permission, PortRange, Protocol},
    view::{ConnectionView, InterfaceView},
};
use directlink_net::{Mac, Mtu, RegionAsn};
use futures::future::join_all;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use tempfile::TempDir;

/// A Region with two accounts, two locations, and a router with ports in each.
pub(crate) struct Bench {
    pub(crate) app: App,
    pub(crate) dir: TempDir,
    pub(crate) alice: AccountId,
    pub(crate) bob: AccountId,
}

pub(crate) fn region() -> Region {
    let asn = RegionAsn(50624u32.try_into().unwrap());
    Region { name: "eu-west-2".parse().unwrap(), asn }
}

pub(crate) async fn app_in(dir: &TempDir) -> App {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    App::new(Parts {
        region: region(),
        rules: Rules::default(),
        clock: Clock::stopped_at(start),
        store: Store::open(&dir.path().join("region.db")).await.unwrap(),
        authority: Authority::open(&dir.path().join("ca")).unwrap(),
        operator_token: "token".into(),
        agents: Agents::default(),
        wake: Notify::new(),
        stop: watch::Sender::new(false),
    })
}

pub(crate) fn port(text: &str) -> PortRef {
    let (router, port) = text.split_once('/').unwrap();
    PortRef { router: router.parse().unwrap(), port: port.parse().unwrap() }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let app = app_in(&dir).await;
        for (code, subregion, vtep) in
            [("PAR1", "eu-west-2a", [10, 255, 0, 1]), ("PAR4", "eu-west-2b", [10, 255, 0, 4])]
        {
            let location = AddLocation {
                code: code.parse().unwrap(),
                name: "A site, France".into(),
                subregion: subregion.parse().unwrap(),
            };
            app.add_location(location).await.unwrap();
            let name = format!("{}-r1", code.to_lowercase());
            let router = AddRouter {
                name: name.parse().unwrap(),
                location: code.parse().unwrap(),
                vtep: vtep.into(),
            };
            app.add_router(router).await.unwrap();
            for n in 0..4 {
                let speed = if n < 3 { Bandwidth::OneGbps } else { Bandwidth::TenGbps };
                app.add_port(AddPort { port: port(&format!("{name}/p{n}")), speed }).await.unwrap();
            }
        }
        let alice = app.add_account(AddAccount::default()).await.unwrap().account.id;
        let bob = app.add_account(AddAccount::default()).await.unwrap().account.id;
        Self { app, dir, alice, bob }
    }

    pub(crate) fn ctx(&self, account: AccountId) -> Context {
        self.app.context(Caller { account }, false)
    }

    pub(crate) fn alice(&self) -> Context {
        self.ctx(self.alice)
    }

    fn bob(&self) -> Context {
        self.ctx(self.bob)
    }

    pub(crate) fn wait(&self, time: SignedDuration) {
        self.app.parts().clock.advance(time);
    }

    pub(crate) async fn order(&self) -> ConnectionView {
        let order = OrderConnection {
            name: "to the cloud".into(),
            location: "PAR1".into(),
            bandwidth: Bandwidth::OneGbps,
        };
        self.app.order_connection(&self.alice(), order).await.unwrap()
    }

    /// Ordered, approved, plugged and lit, on par1-r1/p0.
    pub(crate) async fn lit(&self) -> ConnectionId {
        let id = self.order().await.connection.id;
        let approve = ApproveOrder { connection: id, port: Some(port("par1-r1/p0")) };
        self.app.approve_order(approve).await.unwrap();
        self.say(true, &[]).await;
        assert_eq!(self.connection(id).await.state, ConnectionState::Available);
        id
    }

    pub(crate) async fn gateway(&self, ctx: &Context) -> GatewayId {
        self.app.create_gateway(ctx).await.unwrap().gateway.id
    }

    /// A Net with a gateway linked to it.
    pub(crate) async fn net(&self) -> (NetId, GatewayId) {
        let range = "10.0.0.0/16".parse().unwrap();
        let net = self.app.create_net(&self.alice(), CreateNet { range }).await.unwrap().id;
        let gateway = self.gateway(&self.alice()).await;
        self.app.link_gateway(&self.alice(), LinkGateway { gateway, net }).await.unwrap();
        (net, gateway)
    }

    /// What par1-r1 says of p0: light, and these interfaces all working; all plans applied.
    pub(crate) async fn say(&self, light: bool, working: &[InterfaceId]) {
        reconcile::pass(&self.app).await.unwrap();
        let interfaces = working.iter().map(|id| (*id, works())).collect();
        self.report(light, interfaces).await;
        reconcile::pass(&self.app).await.unwrap();
    }

    pub(crate) async fn report(
        &self,
        light: bool,
        interfaces: BTreeMap<InterfaceId, InterfaceReport>,
    ) {
        let port = port("par1-r1/p0");
        let applied_generation = self.generation("port/p0").await;
        let report = PortReport { port: port.port.clone(), applied_generation, light, interfaces };
        take_report(&self.app, &port, report).await.unwrap();
    }

    /// Of par1-r1; 0: none yet.
    pub(crate) async fn generation(&self, scope: &str) -> u64 {
        let mut db = self.app.parts().store.reader().await.unwrap();
        let scope: Scope = scope.parse().unwrap();
        let stored = plans::stored(&mut db, &"par1-r1".parse().unwrap(), &scope).await.unwrap();
        stored.map_or(0, |stored| stored.generation)
    }

    async fn connection(&self, id: ConnectionId) -> ConnectionView {
        self.app.connections(&self.alice(), Some(&[id])).await.unwrap().remove(0)
    }

    pub(crate) async fn interface(&self, ctx: &Context, id: InterfaceId) -> Option<InterfaceView> {
        let filter = InterfaceFilter { interfaces: Some(vec![id]), ..InterfaceFilter::default() };
        self.app.interfaces(ctx, &filter).await.unwrap().pop()
    }

    async fn state(&self, id: InterfaceId) -> InterfaceState {
        self.interface(&self.alice(), id).await.unwrap().state
    }
}

pub(crate) fn works() -> InterfaceReport {
    InterfaceReport {
        configured: true,
        session: SessionReport { state: "Established".into(), ..SessionReport::default() },
        neighbour: Some(Mac([2, 0, 0, 0, 0, 1])),
        rows_in_kernel: true,
        ..InterfaceReport::default()
    }
}

pub(crate) fn interface(connection: ConnectionId, gateway: Option<GatewayId>) -> CreateInterface {
    CreateInterface {
        connection,
        owner: None,
        name: "to my Net".into(),
        vlan: 101u16.try_into().unwrap(),
        asn: 65000u32.try_into().unwrap(),
        key: Some("tgyn26example".try_into().unwrap()),
        router_address: None,
        customer_address: None,
        mtu: Mtu::MAX,
        gateway,
    }
}

/// The fault's name, without its data.
fn fault<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> String {
    match outcome {
        Ok(_) => "ok".into(),
        Err(Refusal::Fault(fault)) => {
            let text = format!("{fault:?}");
            text.split([' ', '(', '{']).next().unwrap().to_owned()
        }
        Err(Refusal::Error(error)) => format!("{error:?}"),
    }
}

#[tokio::test]
async fn a_connection_goes_from_its_order_to_its_end_and_its_port_is_free_when_dark() {
    let b = Bench::new().await;
    let c = b.order().await;
    assert_eq!(c.state, ConnectionState::Requested);
    let id = c.connection.id;
    let approved = b.app.approve_order(ApproveOrder { connection: id, port: None }).await.unwrap();
    assert_eq!(approved.state, ConnectionState::Pending);
    assert_eq!(approved.connection.approval.unwrap().port, port("par1-r1/p0"));
    let mut seen = vec![];
    for light in [false, true, false, true] {
        b.say(light, &[]).await;
        seen.push(b.connection(id).await.state.as_str());
    }
    assert_eq!(seen, ["pending", "available", "down", "available"]);
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleting);
    // An old report: the router has not yet applied the plan without it.
    b.report(true, BTreeMap::new()).await;
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleting);
    b.say(true, &[]).await;
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleted);
    let next = b.order().await.connection.id;
    let on_p0 = ApproveOrder { connection: next, port: Some(port("par1-r1/p0")) };
    assert_eq!(fault(b.app.approve_order(on_p0.clone()).await), "PortTaken", "still lit");
    b.say(false, &[]).await;
    assert_eq!(fault(b.app.approve_order(on_p0).await), "ok");
    b.wait(SignedDuration::from_mins(59));
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleted, "still listed");
    b.wait(SignedDuration::from_mins(1));
    let left = b.app.connections(&b.alice(), None).await.unwrap();
    assert_eq!(left.iter().map(|v| v.connection.id).collect::<Vec<_>>(), [next]);
}

#[tokio::test]
async fn an_order_that_nobody_approved_is_deleted_at_once() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let deleted = b.app.delete_connection(&b.alice(), id).await.unwrap();
    assert_eq!(deleted.state, ConnectionState::Deleted);
    assert_eq!(fault(b.app.delete_connection(&b.alice(), id).await), "NoSuchConnection");
}

#[tokio::test]
async fn the_operator_can_release_the_port_of_a_router_that_never_speaks_again() {
    let b = Bench::new().await;
    let id = b.lit().await;
    assert_eq!(fault(b.app.release_port(port("par1-r1/p0")).await), "PortTaken");
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    b.app.release_port(port("par1-r1/p0")).await.unwrap();
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleted);
    let next = b.order().await.connection.id;
    let on_p0 = ApproveOrder { connection: next, port: Some(port("par1-r1/p0")) };
    assert_eq!(fault(b.app.approve_order(on_p0).await), "ok");
}

#[tokio::test]
async fn an_order_gets_only_a_port_that_fits() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    for (at, expected) in [
        ("par1-r1/p7", "NoSuchPort"),
        ("par4-r1/p0", "PortDoesNotFit"),
        ("par1-r1/p3", "PortDoesNotFit"),
        ("par1-r1/p1", "ok"),
        ("par1-r1/p2", "ConnectionNotRequested"),
    ] {
        let approve = ApproveOrder { connection: id, port: Some(port(at)) };
        assert_eq!(fault(b.app.approve_order(approve).await), expected, "{at}");
    }
    for expected in ["ok", "ok", "NoCapacity"] {
        let next = b.order().await.connection.id;
        let approve = ApproveOrder { connection: next, port: None };
        assert_eq!(fault(b.app.approve_order(approve).await), expected);
    }
}

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
        fault(app.create_access_key(&dry, CreateAccessKey { expires_at: None }).await),
        "ok"
    );
    reconcile::pass(app).await.unwrap();
    assert_eq!((b.generation("port/p0").await, dump(&b).await), before);
}

/// All that Alice can read.
async fn dump(b: &Bench) -> String {
    let (app, ctx) = (&b.app, b.alice());
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        app.connections(&ctx, None).await.unwrap(),
        app.interfaces(&ctx, &InterfaceFilter::default()).await.unwrap(),
        app.nets(&ctx, None).await.unwrap(),
        app.subnets(&ctx, None).await.unwrap(),
        app.gateways(&ctx, None).await.unwrap(),
        app.route_tables(&ctx, None).await.unwrap(),
        app.security_groups(&ctx, None).await.unwrap(),
        app.access_keys(&ctx, None).await.unwrap(),
    )
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
    let change = ChangeInterface { id, mtu: Mtu::MIN };
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
async fn quotas_count_what_lives() {
    let b = Bench::new().await;
    let mut ids = vec![];
    for _ in 0..10 {
        ids.push(b.order().await.connection.id);
    }
    let order = OrderConnection {
        name: "x".into(),
        location: "PAR1".into(),
        bandwidth: Bandwidth::OneGbps,
    };
    assert_eq!(fault(b.app.order_connection(&b.alice(), order.clone()).await), "TooMany");
    b.app.delete_connection(&b.alice(), ids[0]).await.unwrap();
    assert_eq!(fault(b.app.order_connection(&b.alice(), order).await), "ok");
    for expected in ["ok", "ok", "ok", "ok", "ok", "TooMany"] {
        assert_eq!(fault(b.app.create_gateway(&b.alice()).await), expected);
    }
}

#[tokio::test]
async fn a_net_comes_with_a_table_and_a_group_and_goes_only_when_empty() {
    let b = Bench::new().await;
    let (app, ctx) = (&b.app, b.alice());
    let (net, gateway) = b.net().await;
    let table = app.route_tables(&ctx, None).await.unwrap().remove(0);
    assert_eq!((table.table.net, table.routes.len()), (net, 1));
    let group = app.security_groups(&ctx, None).await.unwrap().remove(0);
    assert_eq!((group.name.as_str(), group.rules.len()), ("default", 1));
    let subnet = |range: &str| CreateSubnet { net, range: range.parse().unwrap(), subregion: None };
    assert_eq!(fault(app.create_subnet(&ctx, subnet("10.1.0.0/24")).await), "SubnetOutsideNet");
    let made = app.create_subnet(&ctx, subnet("10.0.1.0/24")).await.unwrap();
    assert_eq!((made.available_addresses, made.subnet.subregion.as_str()), (251, "eu-west-2a"));
    assert_eq!(fault(app.create_subnet(&ctx, subnet("10.0.1.128/25")).await), "SubnetConflict");
    let subnet = made.subnet.id;
    let nic = |address: Option<&str>| CreateNic {
        subnet,
        description: String::new(),
        address: address.map(|a| a.parse().unwrap()),
        security_groups: vec![],
    };
    let first = app.create_nic(&ctx, nic(None)).await.unwrap().nic;
    assert_eq!(
        (first.address.to_string(), &first.security_groups),
        ("10.0.1.4".into(), &vec![group.id])
    );
    assert_eq!(fault(app.create_nic(&ctx, nic(Some("10.0.1.4"))).await), "AddressTaken");
    assert_eq!(fault(app.create_nic(&ctx, nic(Some("10.0.1.3"))).await), "AddressOutsideSubnet");
    assert_eq!(app.subnets(&ctx, None).await.unwrap()[0].available_addresses, 250);
    assert_eq!(fault(app.delete_subnet(&ctx, subnet).await), "SubnetInUse");
    assert_eq!(fault(app.delete_net(&ctx, net).await), "NetInUse");
    app.delete_nic(&ctx, first.id).await.unwrap();
    app.delete_subnet(&ctx, subnet).await.unwrap();
    assert_eq!(fault(app.delete_net(&ctx, net).await), "NetInUse", "the gateway");
    assert_eq!(fault(app.delete_gateway(&ctx, gateway).await), "GatewayLinked");
    app.unlink_gateway(&ctx, LinkGateway { gateway, net }).await.unwrap();
    app.delete_net(&ctx, net).await.unwrap();
    assert!(app.security_groups(&ctx, None).await.unwrap().is_empty());
    let deleted = app.delete_gateway(&ctx, gateway).await.unwrap();
    assert_eq!(deleted.gateway.state(), GatewayState::Deleted);
}

#[tokio::test]
async fn a_bare_gateway_with_two_interfaces_of_one_connection_cannot_be_linked() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let range = "10.0.0.0/16".parse().unwrap();
    let net = b.app.create_net(&b.alice(), CreateNet { range }).await.unwrap().id;
    let gateway = b.gateway(&b.alice()).await;
    for vlan in [101u16, 102] {
        let wanted = interface(connection, Some(gateway));
        let wanted = CreateInterface { vlan: vlan.try_into().unwrap(), ..wanted };
        b.app.create_interface(&b.alice(), wanted).await.unwrap();
    }
    let linked = b.app.link_gateway(&b.alice(), LinkGateway { gateway, net }).await;
    assert_eq!(fault(linked), "NetAlreadyReached");
}

#[tokio::test]
async fn security_group_rules_are_added_once() {
    let b = Bench::new().await;
    let (net, _) = b.net().await;
    let create = CreateSecurityGroup { net, name: "web".into(), description: "web".into() };
    let group = b.app.create_security_group(&b.alice(), create.clone()).await.unwrap();
    assert_eq!(fault(b.app.create_security_group(&b.alice(), create).await), "SecurityGroupExists");
    let permission = Permission {
        protocol: Protocol::Tcp(PortRange { from: 80, to: 80 }),
        range: "192.168.0.0/16".parse().unwrap(),
    };
    let add = AddSecurityGroupRules {
        group: group.id,
        flow: Flow::Inbound,
        permissions: vec![permission],
    };
    let with = b.app.add_security_group_rules(&b.alice(), add.clone()).await.unwrap();
    assert_eq!(with.rules.len(), 2);
    assert_eq!(fault(b.app.add_security_group_rules(&b.alice(), add).await), "RuleExists");
    let read = b.app.security_groups(&b.alice(), Some(&[group.id])).await.unwrap();
    assert_eq!(read, [with]);
}

#[tokio::test]
async fn learned_routes_show_where_propagation_is_on_and_go_with_the_session() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let (net, gateway) = b.net().await;
    let wanted = interface(connection, Some(gateway));
    let id = b.app.create_interface(&b.alice(), wanted).await.unwrap().interface.id;
    let prefix = "192.168.7.0/24".parse().unwrap();
    let route = LearnedRoute { prefix, as_path: vec![65000], med: None, best: true };
    reconcile::pass(&b.app).await.unwrap();
    b.report(true, [(id, InterfaceReport { learned: vec![route], ..works() })].into()).await;
    let routes = async || b.app.route_tables(&b.alice(), None).await.unwrap()[0].routes.len();
    assert_eq!(routes().await, 1);
    let table = b.app.route_tables(&b.alice(), None).await.unwrap()[0].table.id;
    let bare = b.gateway(&b.alice()).await;
    let elsewhere = SetPropagation { table, gateway: bare, enabled: true };
    assert_eq!(fault(b.app.set_propagation(&b.alice(), elsewhere).await), "GatewayNotLinked");
    let on = SetPropagation { table, gateway, enabled: true };
    let view = b.app.set_propagation(&b.alice(), on.clone()).await.unwrap();
    assert_eq!(view.routes.len(), 2);
    b.report(true, [(id, works())].into()).await;
    assert_eq!(routes().await, 1, "withdrawn");
    b.app.unlink_gateway(&b.alice(), LinkGateway { gateway, net }).await.unwrap();
    let table = b.app.route_tables(&b.alice(), None).await.unwrap().remove(0).table;
    assert!(table.propagating.is_empty(), "a gateway that left its Net propagates nothing");
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
    let brief = CreateAccessKey { expires_at: Some(end) };
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
    reconcile::mark_all(&b.app).await.unwrap();
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
