//! Documents and their generations, and what reports may change.

use super::*;
use crate::{
    app::tests::{Bench, interface, port, works},
    store::plans::{Stored, stored},
};
use directlink_model::{
    command::{
        ApproveOrder, ChangeInterface, CreateInterface, CreateNic, CreateSubnet, DeleteRoute,
        LinkGateway, LinkRouteTable, OrderConnection, PlaceNic, ReplaceRouteTable, SetPropagation,
        SetRoute,
    },
    connection::Bandwidth,
    ids::{ConnectionId, InterfaceId},
    needs::Needs,
    plan::{Document, NetPlan, PortPlan, Scope},
    report::{InterfaceReport, LearnedRoute, PortReport},
    route_table::RouteTarget,
    tag_set::TagSet,
};
use directlink_net::{Mtu, Vlan};
use std::collections::BTreeMap;

async fn document(b: &Bench, scope: &str) -> Option<(u64, Document)> {
    let mut db = b.app.parts().store.reader().await.unwrap();
    let router = "par1-r1".parse().unwrap();
    let Stored { generation, document } =
        stored(&mut db, &router, &scope.parse().unwrap()).await.unwrap()?;
    Some((generation, serde_json::from_str(&document).unwrap()))
}

async fn port_plan(b: &Bench) -> (u64, PortPlan) {
    match document(b, "port/p0").await {
        Some((generation, Document::Port(plan))) => (generation, plan),
        other => panic!("{other:?}"),
    }
}

async fn net_plan(b: &Bench, net: NetId) -> (u64, Option<NetPlan>) {
    match document(b, &format!("net/{net}")).await {
        Some((generation, Document::Net(plan))) => (generation, plan),
        other => panic!("{other:?}"),
    }
}

/// A lit connection with one interface to a Net, all planned.
async fn with_interface() -> (Bench, InterfaceId, NetId) {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let (net, gateway) = b.net().await;
    let made = b.app.create_interface(&b.alice(), interface(connection, Some(gateway))).await;
    pass(&b.app).await.unwrap();
    (b, made.unwrap().interface.id, net)
}

#[tokio::test]
async fn a_pass_that_changes_nothing_keeps_every_generation() {
    let (b, _, net) = with_interface().await;
    let before = (port_plan(&b).await, net_plan(&b, net).await);
    for _ in 0..3 {
        plan_all(&b.app).await.unwrap();
        pass(&b.app).await.unwrap();
    }
    assert_eq!((port_plan(&b).await, net_plan(&b, net).await), before);
}

#[tokio::test]
async fn a_change_moves_its_own_document_and_no_other() {
    let (b, id, net) = with_interface().await;
    let generations = async || (port_plan(&b).await.0, net_plan(&b, net).await.0);
    let (port_before, net_before) = generations().await;
    let change = ChangeInterface { id, mtu: Some(Mtu::MIN), name: None };
    b.app.change_interface(&b.alice(), change.clone()).await.unwrap();
    pass(&b.app).await.unwrap();
    assert_eq!(generations().await, (port_before + 1, net_before));
    b.app.change_interface(&b.alice(), change).await.unwrap();
    pass(&b.app).await.unwrap();
    assert_eq!(generations().await, (port_before + 1, net_before), "the same again is no change");
    let range = "10.0.1.0/24".parse().unwrap();
    let subnet = CreateSubnet { net, range, subregion: None };
    let subnet = b.app.create_subnet(&b.alice(), subnet).await.unwrap().subnet.id;
    pass(&b.app).await.unwrap();
    assert_eq!(generations().await, (port_before + 1, net_before + 1));
    let nic =
        CreateNic { subnet, description: String::new(), address: None, security_groups: vec![] };
    let nic = b.app.create_nic(&b.alice(), nic).await.unwrap().nic;
    pass(&b.app).await.unwrap();
    assert_eq!(generations().await.1, net_before + 1, "a NIC that lives nowhere is not planned");
    let place = PlaceNic { nic: nic.id, vtep: Some([10, 255, 0, 9].into()) };
    b.app.place_nic(place).await.unwrap();
    pass(&b.app).await.unwrap();
    assert_eq!(generations().await, (port_before + 1, net_before + 2));
    assert!(net_plan(&b, net).await.1.unwrap().nics.contains_key(&nic.address));
}

#[tokio::test]
async fn every_change_of_a_subnets_routes_is_planned_by_the_next_pass() {
    let (b, _, net) = with_interface().await;
    let (app, alice) = (&b.app, b.alice());
    let range = "10.0.1.0/24".parse().unwrap();
    let subnet = CreateSubnet { net, range, subregion: None };
    let subnet = app.create_subnet(&alice, subnet).await.unwrap().subnet.id;
    let planned = async || {
        pass(app).await.unwrap();
        let plan = net_plan(&b, net).await.1.unwrap();
        plan.routes.get(&range).map(|it| {
            let by_hand = it.by_hand.iter().map(|(to, toward)| format!("{to} {toward:?}"));
            (it.takes_learned, by_hand.collect::<Vec<_>>())
        })
    };
    let says = |takes_learned: bool, by_hand: &[&str]| {
        Some((takes_learned, by_hand.iter().map(ToString::to_string).collect()))
    };
    assert_eq!(planned().await, says(false, &[]), "propagation is off at first");
    let gateway = app.gateways(&alice, None).await.unwrap()[0].gateway.id;
    let main = app.route_tables(&alice, None).await.unwrap()[0].table.clone();
    let propagate = |enabled| SetPropagation { table: main.id, gateway, enabled };
    app.set_propagation(&alice, propagate(true)).await.unwrap();
    assert_eq!(planned().await, None);
    app.set_propagation(&alice, propagate(false)).await.unwrap();
    assert_eq!(planned().await, says(false, &[]));
    // By hand, in a table of the Subnet's own.
    let own = app.create_route_table(&alice, net).await.unwrap().table.id;
    let destination = "192.168.0.0/16".parse().unwrap();
    let route = |target| SetRoute { table: own, destination, target };
    app.create_route(&alice, route(RouteTarget::Gateway(gateway))).await.unwrap();
    assert_eq!(planned().await, says(false, &[]), "not its table yet");
    let link = app.link_route_table(&alice, LinkRouteTable { table: own, subnet }).await.unwrap();
    assert_eq!(planned().await, says(false, &["192.168.0.0/16 Gateway"]));
    let nic =
        CreateNic { subnet, description: String::new(), address: None, security_groups: vec![] };
    let nic = app.create_nic(&alice, nic).await.unwrap().nic.id;
    app.change_route(&alice, route(RouteTarget::Nic(nic))).await.unwrap();
    assert_eq!(planned().await, says(false, &["192.168.0.0/16 Elsewhere"]));
    app.set_propagation(&alice, propagate(true)).await.unwrap();
    let other = ReplaceRouteTable { link, table: main.id };
    let link = app.replace_route_table(&alice, other).await.unwrap();
    assert_eq!(planned().await, None, "it takes what is learned");
    let back = ReplaceRouteTable { link, table: own };
    let link = app.replace_route_table(&alice, back).await.unwrap();
    app.delete_route(&alice, DeleteRoute { table: own, destination }).await.unwrap();
    assert_eq!(planned().await, says(false, &[]));
    app.unlink_route_table(&alice, link).await.unwrap();
    assert_eq!(planned().await, None, "the main table again");
}

#[tokio::test]
async fn a_router_is_told_of_a_net_while_an_interface_leads_there() {
    let (b, id, net) = with_interface().await;
    assert!(net_plan(&b, net).await.1.is_some());
    assert_eq!(port_plan(&b).await.1.interfaces[&id].net.as_ref().unwrap().id, net);
    let gateway = b.app.gateways(&b.alice(), None).await.unwrap()[0].gateway.id;
    b.app.unlink_gateway(&b.alice(), LinkGateway { gateway, net }).await.unwrap();
    pass(&b.app).await.unwrap();
    let (generation, plan) = net_plan(&b, net).await;
    assert_eq!((generation, plan), (2, None));
    assert!(port_plan(&b).await.1.interfaces[&id].net.is_none());
    b.app.link_gateway(&b.alice(), LinkGateway { gateway, net }).await.unwrap();
    pass(&b.app).await.unwrap();
    assert_eq!(net_plan(&b, net).await.0, 3);
    b.app.delete_interface(&b.alice(), id).await.unwrap();
    pass(&b.app).await.unwrap();
    assert_eq!(net_plan(&b, net).await.1, None);
}

#[tokio::test]
async fn an_offer_is_planned_only_once_it_is_accepted() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let offer = CreateInterface { owner: Some(b.bob), ..interface(connection, None) };
    let id = b.app.create_interface(&b.alice(), offer).await.unwrap().interface.id;
    pass(&b.app).await.unwrap();
    assert!(port_plan(&b).await.1.interfaces.is_empty());
    let gateway = b.gateway(&b.ctx(b.bob)).await;
    let confirm = directlink_model::command::ConfirmInterface { id, gateway };
    b.app.confirm_interface(&b.ctx(b.bob), confirm).await.unwrap();
    pass(&b.app).await.unwrap();
    assert!(port_plan(&b).await.1.interfaces.contains_key(&id));
}

#[tokio::test]
async fn only_a_report_at_the_newest_generation_can_say_that_something_is_gone() {
    let (b, id, _) = with_interface().await;
    b.say(true, &[id]).await;
    b.app.delete_interface(&b.alice(), id).await.unwrap();
    // At the generation that still has it, missing from the report: a failure, not a removal.
    b.report(true, BTreeMap::new()).await;
    let state = async || b.interface(&b.alice(), id).await.unwrap().state.as_str();
    assert_eq!(state().await, "deleting");
    b.say(true, &[]).await;
    assert_eq!(state().await, "deleted");
}

#[tokio::test]
async fn a_report_that_says_the_same_writes_nothing_and_counters_are_no_news() {
    let (b, id, _) = with_interface().await;
    b.say(true, &[id]).await;
    let before = store::testing::written(&b.app.parts().store, b.dir.path()).await;
    for n in 0..10 {
        let verdicts = BTreeMap::from([("forwarded".to_owned(), n)]);
        b.report(true, [(id, InterfaceReport { verdicts, ..works() })].into()).await;
    }
    let after = store::testing::written(&b.app.parts().store, b.dir.path()).await;
    assert!(after == before, "as it was");
    b.report(false, [(id, works())].into()).await;
    let after = store::testing::written(&b.app.parts().store, b.dir.path()).await;
    assert!(after != before, "news is written");
}

#[tokio::test]
async fn an_agent_that_holds_more_than_we_know_is_numbered_past() {
    let (b, _, net) = with_interface().await;
    let router = "par1-r1".parse().unwrap();
    let held: BTreeMap<Scope, u64> = [
        ("port/p0".parse().unwrap(), 40),
        ("port/p1".parse().unwrap(), 1),
        (Scope::Net(NetId::from_bits(0xdead)), 7),
    ]
    .into();
    let (_, plan) = port_plan(&b).await;
    let now = b.app.now();
    let renumbered = write_tx!(b.app, false, Error, |tx| { adopt(tx, &router, &held, now).await });
    assert!(renumbered.unwrap());
    assert_eq!(port_plan(&b).await, (41, plan), "the same document, above theirs");
    assert_eq!(net_plan(&b, NetId::from_bits(0xdead)).await, (8, None), "nothing of that");
    assert_eq!(b.generation("port/p1").await, 1, "held as it is");
    assert_eq!(net_plan(&b, net).await.0, 1);
}

#[tokio::test]
async fn a_connection_goes_down_on_the_report_that_says_so() {
    let b = Bench::new().await;
    let id = b.lit().await;
    // No pass in between: the fold itself writes it.
    b.report(false, BTreeMap::new()).await;
    let seen = b.app.connections(&b.alice(), Some(&[id])).await.unwrap().remove(0);
    assert_eq!(seen.state.as_str(), "down");
    assert_eq!(b.app.parts().agents.light(&port("par1-r1/p0")), Some(false));
}

/// What par4-r1 says of p0, which has light.
async fn say_there(b: &Bench, interfaces: &[(InterfaceId, InterfaceReport)]) {
    pass(&b.app).await.unwrap();
    tell_there(b, interfaces).await;
    pass(&b.app).await.unwrap();
}

async fn tell_there(b: &Bench, interfaces: &[(InterfaceId, InterfaceReport)]) {
    let port = port("par4-r1/p0");
    let interfaces = interfaces.iter().cloned().collect();
    let report = PortReport {
        port: port.port.clone(),
        applied_generation: 9,
        light: true,
        interfaces,
        unchanged: [].into(),
        evidence: Default::default(),
    };
    take_report(&b.app, &port, report).await.unwrap();
}

/// The same Net, reached from another router as well: by this interface of that connection.
async fn with_two_routers() -> (Bench, NetId, ConnectionId, InterfaceId) {
    let (b, _, net) = with_interface().await;
    let gateway = b.app.gateways(&b.alice(), None).await.unwrap()[0].gateway.id;
    let order = OrderConnection {
        name: "the other way".into(),
        location: "PAR4".into(),
        bandwidth: Bandwidth::OneGbps,
        lag: None,
        tags: TagSet::default(),
        needs: Needs::default(),
    };
    let connection = b.app.order_connection(&b.alice(), order).await.unwrap().connection.id;
    let approve = ApproveOrder { connection, port: Some(port("par4-r1/p0")) };
    b.app.approve_order(approve).await.unwrap();
    say_there(&b, &[]).await;
    let made = b.app.create_interface(&b.alice(), interface(connection, Some(gateway))).await;
    let there = made.unwrap().interface.id;
    pass(&b.app).await.unwrap();
    (b, net, connection, there)
}

fn speaks() -> InterfaceReport {
    let learned = LearnedRoute {
        prefix: "192.168.10.0/24".parse().unwrap(),
        as_path: vec![65000],
        med: None,
        local_pref: 100,
        best: true,
    };
    InterfaceReport { learned: vec![learned], ..works() }
}

#[tokio::test]
async fn news_of_an_interface_marks_the_net_that_it_leads_to_and_no_other() {
    let (b, net, there, of_it) = with_two_routers().await;
    let (other, gateway) = b.net().await;
    let [connection] = &b.app.connections(&b.alice(), None).await.unwrap()[..1] else { panic!() };
    let mut of_other = Vec::new();
    for on in [connection.connection.id, there] {
        let wish = CreateInterface {
            vlan: Vlan::try_from(900u16).unwrap(),
            ..interface(on, Some(gateway))
        };
        of_other.push(b.app.create_interface(&b.alice(), wish).await.unwrap().interface.id);
    }
    let both = [(of_it, works()), (of_other[1], works())];
    say_there(&b, &both).await;
    let [_, stays] = both;
    tell_there(&b, &[(of_it, speaks()), stays]).await;
    let mut db = b.app.parts().store.reader().await.unwrap();
    let marked = store::plans::dirty_nets(&mut db, 9).await.unwrap();
    assert!(marked == [net] && marked != [other], "{marked:?}");
}

#[tokio::test]
async fn a_round_mends_what_nobody_marked_and_a_pass_does_not_look_for_it() {
    let (b, _, net) = with_interface().await;
    let scopes = ["port/p0".to_owned(), format!("net/{net}")];
    let router = "par1-r1".parse().unwrap();
    let mut before = Vec::new();
    for scope in &scopes {
        let (generation, document) = document(&b, scope).await.unwrap();
        before.push((generation + 2, document));
        let other = Stored { generation: generation + 1, document: r#"{"net":null}"#.into() };
        let (scope, now) = (scope.parse().unwrap(), b.app.now());
        write_tx!(b.app, false, Error, |tx| {
            store::plans::put(tx, &router, &scope, &other, now).await
        })
        .unwrap();
    }
    pass(&b.app).await.unwrap();
    assert_eq!(document(&b, &scopes[0]).await.unwrap().1, Document::Net(None));
    plan_all(&b.app).await.unwrap();
    for (scope, before) in scopes.iter().zip(before) {
        assert_eq!(document(&b, scope).await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_router_is_told_where_another_leads_for_as_long_as_it_does() {
    let (b, net, _, there) = with_two_routers().await;
    let told = async || {
        let plan = net_plan(&b, net).await.1.unwrap();
        let routers: Vec<_> = plan.routers.iter().map(ToString::to_string).collect();
        assert_eq!(routers, ["10.255.0.4"], "the other carries the Net, whatever it has learned");
        plan.elsewhere.into_iter().map(|(p, to)| format!("{p} {to:?}")).collect::<Vec<_>>()
    };
    assert!(told().await.is_empty());
    for _ in 0..2 {
        say_there(&b, &[(there, speaks())]).await;
        assert_eq!(told().await, ["192.168.10.0/24 {10.255.0.4}"]);
        let dark = InterfaceReport { rows_in_kernel: false, ..speaks() };
        say_there(&b, &[(there, dark)]).await;
        assert!(told().await.is_empty(), "it is not available");
    }
    b.app.delete_interface(&b.alice(), there).await.unwrap();
    pass(&b.app).await.unwrap();
    let plan = net_plan(&b, net).await.1.unwrap();
    assert!(plan.routers.is_empty() && plan.elsewhere.is_empty());
}
