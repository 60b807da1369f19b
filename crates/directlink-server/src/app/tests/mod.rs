//! The rules as the commands keep them, on a real database in a temporary file and a clock that
//! stands still until told to move.

pub(crate) mod authorities;
mod bgp_peers;
mod certificates;
mod connections;
mod failover_tests;
mod figures;
mod hosted_connections;
mod interfaces;
mod inventory;
mod kept;
mod lags;
mod maintenance;
mod nets;
mod region;
mod servers;

use super::*;
use crate::{
    ca::Authority,
    clock::Clock,
    reconcile::{self, take_report},
    store::plans,
};
use directlink_model::{
    command::*,
    connection::{Bandwidth, ConnectionState, PortRef},
    gateway::GatewayState,
    ids::{AccountId, ConnectionId, GatewayId, InterfaceId, NetId},
    interface::InterfaceState,
    lag::Trunk,
    location::Region,
    needs::Needs,
    plan::Scope,
    report::{InterfaceReport, LearnedRoute, PortReport, SessionReport},
    security_group::{Admission, Flow, OtherSide, PortRange, Protocol},
    tag_set::TagSet,
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
    let ipv6 = Some("fd44:4c00::/24".parse().unwrap());
    Region { name: "eu-west-2".parse().unwrap(), asn, ipv6 }
}

pub(crate) async fn app_in(dir: &TempDir) -> App {
    app_on(store::testing::open(dir.path()).await)
}

pub(crate) fn app_on(store: Store) -> App {
    app_of(region(), store)
}

fn app_of(region: Region, store: Store) -> App {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    App::new(Parts {
        region,
        rules: Rules::default(),
        clock: Clock::stopped_at(start),
        chance: Chance::of_machine(),
        store,
        authorities: Authorities::of(Authority::make(Timestamp::UNIX_EPOCH).unwrap()),
        links: Links::to("https://directlink.example"),
        operator_token: "token".into(),
        agents: Agents::default(),
        api_logs: ApiLogs::default(),
        figures: Figures::default(),
        wake: Notify::new(),
        wake_mail: Notify::new(),
        drain: watch::Sender::new(false),
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
        Self::of(app_in(&dir).await, dir).await
    }

    pub(crate) async fn of(app: App, dir: TempDir) -> Self {
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
                app.add_port(AddPort {
                    port: port(&format!("{name}/p{n}")),
                    speed,
                    optics: None,
                    position: None,
                })
                .await
                .unwrap();
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
            lag: None,
            tags: TagSet::default(),
            needs: Needs::default(),
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
        let report = PortReport {
            port: port.port.clone(),
            applied_generation,
            light,
            interfaces,
            unchanged: [].into(),
            evidence: Default::default(),
        };
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

pub(crate) fn interface(trunk: impl Into<Trunk>, gateway: Option<GatewayId>) -> CreateInterface {
    CreateInterface {
        trunk: trunk.into(),
        owner: None,
        name: "to my Net".into(),
        vlan: 101u16.try_into().unwrap(),
        asn: 65000u32.try_into().unwrap(),
        key: Some("tgyn26example".try_into().unwrap()),
        ipv6: false,
        router_address: None,
        customer_address: None,
        mtu: Mtu::MAX,
        gateway,
        tags: TagSet::default(),
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
