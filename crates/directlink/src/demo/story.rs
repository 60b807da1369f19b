//! The steps: what a customer and an operator do, from the order to a pulled cable.

use super::{evidence, stage::Stage};
use crate::{
    client::{Customer, Operator},
    clock::{self, Stopwatch},
    lab::{self, ClockKind, Lab, Wish},
};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{
    cable::{self, CustomerEnd, Jack},
    customer::{self, Brand, Router, Session},
    page,
};
use directlink_model::connection::PortRef;
use directlink_net::{BgpKey, Ipv4Net, Vlan};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, path::Path, time::Duration};

const SOON: Duration = Duration::from_secs(5);
const BGP_SOON: Duration = Duration::from_secs(20);
const LOCATION: &str = "PAR1";
const VLAN: u16 = 101;
const ASN: u32 = 65010;
const KEY: &str = "tgyn26example";
const OFFICE: &str = "192.168.10.0/24";
const NET: &str = "10.0.0.0/16";
const SUBNET: &str = "10.0.1.0/24";

/// What came to be, for the tour afterwards.
pub(super) struct Story {
    pub(super) lab: Lab,
    pub(super) router: Router,
    pub(super) router_netns: String,
    pub(super) office_netns: String,
    pub(super) host: lab::Placed,
    pub(super) port: PortRef,
    pub(super) connection: String,
}

/// Who acts, and what they have so far.
struct Actors {
    lab: Lab,
    customer: Customer,
    operator: Operator,
    customer_netns: String,
    office_netns: String,
}

/// Tells it, and verifies every step on the way.
pub(super) async fn tell(stage: &mut Stage, dir: &Path) -> Result<Story> {
    let actors = open(stage, dir).await?;
    let connection = order(stage, &actors).await?;
    let port = approve(stage, &actors, &connection).await?;
    let (jack, end) = plug(stage, &actors, &connection, &port).await?;
    let cloud = cloud(stage, &actors).await?;
    let interface = interface(stage, &actors, &connection, &cloud.gateway).await?;
    let router = configure(stage, &actors, &interface).await?;
    routes(stage, &actors, &router, &cloud).await?;
    let office = customer::furnish(&actors.customer_netns, &actors.office_netns, OFFICE.parse()?)?;
    reach(stage, &actors, &cloud, office).await?;
    pull(
        stage,
        &actors,
        &Pulled { connection: &connection, interface: &interface, jack, end, host: &cloud.host },
    )
    .await?;
    Ok(Story {
        router,
        router_netns: actors.customer_netns,
        office_netns: actors.office_netns,
        host: cloud.host,
        port,
        connection,
        lab: actors.lab,
    })
}

async fn open(stage: &mut Stage, dir: &Path) -> Result<Actors> {
    stage.step("A Region comes up on this machine");
    let wish = Wish {
        region: "eu-west-2".parse()?,
        asn: None,
        clock: ClockKind::Real,
        routers: 1,
        ports: 4,
        inventory: true,
    };
    let lab = lab::up(dir, &wish).await?;
    let account = lab.described.accounts.first().context("the lab has no account")?;
    let customer = lab.customer(account);
    let read = customer.call("ReadLocations", &json!({})).await?;
    let locations = read["Locations"].as_array().into_iter().flatten();
    let locations: Vec<_> =
        locations.map(|l| format!("{} ({})", text(l, "Code"), text(l, "Name"))).collect();
    stage.says(&format!(
        "OUTSCALE API {}   AWS Direct Connect API {}",
        lab.described.api, lab.described.aws
    ));
    stage.proves(&format!("eu-west-2, AS 50624, locations {}", locations.join(" and ")));
    for router in &lab.described.routers {
        let ports: Vec<_> = router.ports.iter().map(ToString::to_string).collect();
        stage.says(&format!("DirectLink router {} with ports {}", router.name, ports.join(" ")));
    }
    let customer_netns = lab.name.customer("router");
    let office_netns = lab.name.customer("office");
    directlink_lab::netns::add(std::slice::from_ref(&customer_netns))?;
    Ok(Actors { operator: lab.operator(), customer, lab, customer_netns, office_netns })
}

async fn order(stage: &mut Stage, actors: &Actors) -> Result<String> {
    stage.step("The customer orders a connection");
    let wish =
        json!({ "DirectLinkName": "Paris office", "Location": LOCATION, "Bandwidth": "1Gbps" });
    stage.types("osc-cli api CreateDirectLink --Location PAR1 --Bandwidth 1Gbps --DirectLinkName 'Paris office'");
    let answer = actors.customer.call("CreateDirectLink", &wish).await?;
    let connection = text(&answer["DirectLink"], "DirectLinkId").to_owned();
    let state = connection_state(&actors.customer, &connection).await?;
    ensure!(state == "requested", "the order is {state}");
    stage.proves(&format!("{connection} at {LOCATION}, 1Gbps: requested"));
    Ok(connection)
}

async fn approve(stage: &mut Stage, actors: &Actors, connection: &str) -> Result<PortRef> {
    stage.step("The operator approves: a port is taken, the Letter of Authorization is issued");
    stage.types(&format!("directlink order approve {connection}"));
    let answer = actors.operator.approve(connection, None).await?;
    let (router, port) =
        text(&answer, "port").split_once('/').context("the approval names no port")?;
    let port = PortRef { router: router.parse()?, port: port.parse()? };
    let state = connection_state(&actors.customer, connection).await?;
    ensure!(state == "pending", "approved, and {state}");
    stage.proves(&format!("port {port}: pending, until there is light"));
    Ok(port)
}

async fn plug(
    stage: &mut Stage,
    actors: &Actors,
    connection: &str,
    port: &PortRef,
) -> Result<(Jack, CustomerEnd)> {
    stage.step("The data centre plugs the fibre into the customer's router");
    stage.types(&format!(
        "directlink lab cable --port {port} --netns {} --ifname fibre --vlan {VLAN}=vlan{VLAN}",
        actors.customer_netns
    ));
    let jack = lab::jack(&actors.lab, port)?;
    let end = CustomerEnd {
        netns: actors.customer_netns.clone(),
        trunk: "fibre".to_owned(),
        vlans: [(Vlan::try_from(VLAN)?, format!("vlan{VLAN}"))].into(),
    };
    cable::plug(&actors.lab.name, jack, &end)?;
    await_connection(&actors.customer, connection, "available", SOON).await?;
    stage.proves("light at both ends: available");
    Ok((jack, end))
}

/// The customer's side of the cloud.
struct Cloud {
    net: String,
    gateway: String,
    group: String,
    table: String,
    host: lab::Placed,
}

async fn cloud(stage: &mut Stage, actors: &Actors) -> Result<Cloud> {
    stage.step("In the cloud: a Net with a Subnet, a virtual gateway, and a host");
    let call =
        async |action: &str, parameters: Value| actors.customer.call(action, &parameters).await;
    let net = call("CreateNet", json!({ "IpRange": NET })).await?;
    let net = text(&net["Net"], "NetId").to_owned();
    let subnet = call("CreateSubnet", json!({ "NetId": net, "IpRange": SUBNET })).await?;
    let subnet = text(&subnet["Subnet"], "SubnetId").to_owned();
    let gateway = call("CreateVirtualGateway", json!({ "ConnectionType": "ipsec.1" })).await?;
    let gateway = text(&gateway["VirtualGateway"], "VirtualGatewayId").to_owned();
    call("LinkVirtualGateway", json!({ "NetId": net, "VirtualGatewayId": gateway })).await?;
    let group =
        json!({ "NetId": net, "SecurityGroupName": "web", "Description": "the web servers" });
    let group = call("CreateSecurityGroup", group).await?;
    let group = text(&group["SecurityGroup"], "SecurityGroupId").to_owned();
    let nic = json!({ "SubnetId": subnet, "SecurityGroupIds": [group] });
    let nic = call("CreateNic", nic).await?;
    let nic = text(&nic["Nic"], "NicId").parse()?;
    let tables = call("ReadRouteTables", json!({ "Filters": { "NetIds": [net] } })).await?;
    let table = text(&tables["RouteTables"][0], "RouteTableId").to_owned();
    let propagate = json!({ "Enable": true, "RouteTableId": table, "VirtualGatewayId": gateway });
    call("UpdateRoutePropagation", propagate).await?;
    let host = lab::host(&actors.lab, &actors.operator, nic, None).await?;
    page::serve(&host.netns, host.address, &format!("Hello from {} in the Net.\n", host.nic))?;
    stage.proves(&format!("{net} {NET}, {subnet} {SUBNET}, {gateway} attached"));
    stage.proves(&format!("host {} at {}, behind VTEP {}", host.nic, host.address, host.vtep));
    Ok(Cloud { net, gateway, group, table, host })
}

async fn interface(
    stage: &mut Stage,
    actors: &Actors,
    connection: &str,
    gateway: &str,
) -> Result<Value> {
    stage.step("The customer creates a DirectLink interface: VLAN, BGP ASN, MD5 key, gateway");
    let described = json!({
        "DirectLinkId": connection,
        "DirectLinkInterface": {
            "DirectLinkInterfaceName": "Paris office to Net", "Vlan": VLAN, "BgpAsn": ASN,
            "BgpKey": KEY, "VirtualGatewayId": gateway,
        },
    });
    let answer = actors.customer.call("CreateDirectLinkInterface", &described).await?;
    let interface = answer["DirectLinkInterface"].clone();
    let (ours, theirs) =
        (text(&interface, "OutscalePrivateIp"), text(&interface, "ClientPrivateIp"));
    ensure!(
        text(&interface, "State") == "pending",
        "the interface is {}",
        text(&interface, "State")
    );
    stage.proves(&format!(
        "{}: VLAN {VLAN}, {ours} ↔ {theirs}: pending, until both routers are configured",
        text(&interface, "DirectLinkInterfaceId")
    ));
    Ok(interface)
}

async fn configure(stage: &mut Stage, actors: &Actors, interface: &Value) -> Result<Router> {
    stage.step("The customer configures the router: BIRD, AS 65010, the same key");
    let router_address: Ipv4Net = text(interface, "OutscalePrivateIp").parse()?;
    let session = Session {
        interface: format!("vlan{VLAN}"),
        address: text(interface, "ClientPrivateIp").parse()?,
        asn: ASN.try_into()?,
        neighbour: router_address.addr(),
        neighbour_asn: actors.lab.running.asn.try_into()?,
        key: Some(BgpKey::try_from(KEY)?),
        announced: vec![OFFICE.parse()?],
        bfd: false,
    };
    let router =
        Router::start(&actors.lab.name, "router", &actors.customer_netns, Brand::Bird, &session)?;
    clock::until("BGP to be Established", BGP_SOON, async || {
        Ok(router.is_established()?.then_some(()))
    })
    .await?;
    stage.proves(&format!("BGP Established with AS {}, says BIRD", session.neighbour_asn));
    let id = text(interface, "DirectLinkInterfaceId");
    await_interface(&actors.customer, id, "available", SOON).await?;
    stage.proves(&format!("{id}: available"));
    Ok(router)
}

async fn routes(stage: &mut Stage, actors: &Actors, router: &Router, cloud: &Cloud) -> Result<()> {
    stage.step("Both sides know each other's networks");
    let net: Ipv4Net = NET.parse()?;
    clock::until("the customer's router to learn the Net", BGP_SOON, async || {
        Ok((router.learned()? == [net]).then_some(()))
    })
    .await?;
    stage.proves(&format!("the customer's router learned {NET}"));
    stage.quotes(
        &router.table()?.lines().filter(|l| !l.starts_with("BIRD")).collect::<Vec<_>>().join("\n"),
    );
    let filter = json!({ "Filters": { "RouteTableIds": [cloud.table] } });
    let table = clock::until("the route table to show the office", BGP_SOON, async || {
        let read = actors.customer.call("ReadRouteTables", &filter).await?;
        let routes = read["RouteTables"][0]["Routes"].as_array().cloned().unwrap_or_default();
        let learned = routes.iter().any(|r| text(r, "DestinationIpRange") == OFFICE);
        Ok(learned.then_some(routes))
    })
    .await?;
    stage.proves(&format!(
        "route table {} of {} shows the office's network",
        cloud.table, cloud.net
    ));
    for route in table {
        let by = format!("{} {}", text(&route, "CreationMethod"), text(&route, "State"));
        stage.quotes(&format!(
            "{:<18} {:<14} {by}",
            text(&route, "DestinationIpRange"),
            text(&route, "GatewayId")
        ));
    }
    Ok(())
}

async fn reach(stage: &mut Stage, actors: &Actors, cloud: &Cloud, office: Ipv4Addr) -> Result<()> {
    let (from, to) = (&actors.office_netns, cloud.host.address);
    stage.step("A computer in the office reaches the host, once its security group says so");
    evidence::no_ping(from, to)?;
    stage.proves(&format!("{office} → {to}: not a single packet; no rule admits it"));
    let rule = json!({
        "SecurityGroupId": cloud.group, "Flow": "Inbound", "IpProtocol": "-1", "IpRange": OFFICE,
    });
    stage.types(&format!(
        "osc-cli api CreateSecurityGroupRule --SecurityGroupId {} --Flow Inbound --IpProtocol=-1 --IpRange {OFFICE}",
        cloud.group
    ));
    actors.customer.call("CreateSecurityGroupRule", &rule).await?;
    clock::until(
        "the host to answer",
        SOON,
        async || Ok(evidence::echoes(from, to)?.then_some(())),
    )
    .await?;
    let summary = evidence::ping(from, to)?;
    stage.proves(&format!("ping {office} → {to}"));
    stage.quotes(&summary);
    let page = page::fetch(from, to, SOON)?;
    ensure!(page.contains("in the Net"), "another page: {page}");
    stage.proves(&format!("curl http://{to}/"));
    stage.quotes(&page);
    Ok(())
}

/// What the pulled cable is to.
struct Pulled<'a> {
    connection: &'a str,
    interface: &'a Value,
    jack: Jack,
    end: CustomerEnd,
    host: &'a lab::Placed,
}

async fn pull(stage: &mut Stage, actors: &Actors, pulled: &Pulled<'_>) -> Result<()> {
    stage.step("Somebody pulls the cable, and plugs it in again");
    let Pulled { connection, interface, jack, end, host } = pulled;
    let watch = Stopwatch::start();
    cable::pull(&actors.lab.name, *jack)?;
    await_connection(&actors.customer, connection, "down", SOON).await?;
    stage.proves(&format!("pulled: {connection} is down after {} ms", watch.elapsed().as_millis()));
    let watch = Stopwatch::start();
    cable::plug(&actors.lab.name, *jack, end)?;
    await_connection(&actors.customer, connection, "available", SOON).await?;
    let light = watch.elapsed().as_millis();
    let id = text(interface, "DirectLinkInterfaceId");
    await_interface(&actors.customer, id, "available", BGP_SOON).await?;
    clock::until("traffic to flow again", BGP_SOON, async || {
        Ok(evidence::echoes(&actors.office_netns, host.address)?.then_some(()))
    })
    .await?;
    stage.proves(&format!(
        "plugged: {connection} is available after {light} ms, {id} and its traffic after {:.1} s",
        watch.elapsed().as_secs_f32()
    ));
    Ok(())
}

async fn connection_state(customer: &Customer, id: &str) -> Result<String> {
    let filter = json!({ "Filters": { "DirectLinkIds": [id] } });
    let read = customer.call("ReadDirectLinks", &filter).await?;
    Ok(text(&read["DirectLinks"][0], "State").to_owned())
}

async fn await_connection(
    customer: &Customer,
    id: &str,
    wanted: &str,
    limit: Duration,
) -> Result<()> {
    clock::until(&format!("{id} to be {wanted}"), limit, async || {
        Ok((connection_state(customer, id).await? == wanted).then_some(()))
    })
    .await
}

async fn await_interface(
    customer: &Customer,
    id: &str,
    wanted: &str,
    limit: Duration,
) -> Result<()> {
    let filter = json!({ "Filters": { "DirectLinkInterfaceIds": [id] } });
    clock::until(&format!("{id} to be {wanted}"), limit, async || {
        let read = customer.call("ReadDirectLinkInterfaces", &filter).await?;
        Ok((text(&read["DirectLinkInterfaces"][0], "State") == wanted).then_some(()))
    })
    .await
}

/// A member that the API always has; its absence shows as nothing.
fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object[member].as_str().unwrap_or_default()
}
