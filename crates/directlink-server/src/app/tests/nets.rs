//! Nets, gateways, groups and tables.

use super::*;

#[tokio::test]
async fn a_net_comes_with_a_table_and_a_group_and_goes_only_when_empty() {
    let b = Bench::new().await;
    let (app, ctx) = (&b.app, b.alice());
    let (net, gateway) = b.net().await;
    let table = app.route_tables(&ctx, None).await.unwrap().remove(0);
    assert_eq!((table.table.net, table.routes.len()), (net, 1));
    let group = app.security_groups(&ctx, None).await.unwrap().remove(0);
    let group = group.group;
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
    let admission = Admission {
        protocol: Protocol::Tcp(PortRange { from: 80, to: 80 }),
        other: OtherSide::Range("192.168.0.0/16".parse().unwrap()),
    };
    let add = AddSecurityGroupRules {
        group: group.group.id,
        flow: Flow::Inbound,
        admissions: vec![admission],
    };
    let with = b.app.add_security_group_rules(&b.alice(), add.clone()).await.unwrap();
    assert_eq!(with.group.rules.len(), 2);
    assert_eq!(fault(b.app.add_security_group_rules(&b.alice(), add).await), "RuleExists");
    let read = b.app.security_groups(&b.alice(), Some(&[group.group.id])).await.unwrap();
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
    let route =
        LearnedRoute { prefix, as_path: vec![65000], med: None, local_pref: 100, best: true };
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
