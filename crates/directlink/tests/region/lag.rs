//! Two cables of a LAG from one customer's router. There is no LACP: the customer joins the VLAN of
//! both by a bridge, and we carry it on one cable at a time.

use crate::fixture::{ASN, BGP_SOON, Fibre, Interface, Region, SOON, await_reach, run, text};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{clock, customer::Brand};
use serde_json::{Value, json};

const LAN: &str = "192.168.10.0/24";

/// A call of the AWS face by curl, as OUTSCALE's documentation shows it.
fn aws(region: &Region, operation: &str, body: &Value) -> Result<Value> {
    let described = &region.lab.described;
    let account = described.accounts.first().context("an account")?;
    let user = format!("{}:{}", account.access_key, account.secret_key);
    let scope = format!("aws:amz:{}:directconnect", described.region);
    let target = format!("x-amz-target: OvertureService.{operation}");
    let content = "content-type: application/x-amz-json-1.1";
    let said = run(&[
        "curl",
        "--silent",
        "--user",
        &user,
        "--aws-sigv4",
        &scope,
        "--header",
        &target,
        "--header",
        content,
        "--data",
        &body.to_string(),
        &described.aws,
    ])?;
    let answer: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    ensure!(answer.get("__type").is_none(), "{operation}: {answer}");
    Ok(answer)
}

fn lag_state(region: &Region, id: &str) -> Result<String> {
    let seen = aws(region, "DescribeLags", &json!({ "lagId": id }))?;
    Ok(text(&seen["lags"][0], "lagState"))
}

fn await_lag(region: &Region, id: &str, wanted: &str) -> Result<()> {
    clock::until(&format!("{id} {wanted}"), SOON, || {
        Ok((lag_state(region, id)? == wanted).then_some(()))
    })
}

/// The member that carries the interface, as the OUTSCALE API shows it.
fn carrier(region: &Region, interface: &Interface) -> Result<String> {
    let filter = json!({ "Filters": { "DirectLinkInterfaceIds": [interface.id] } });
    let read = region.call(0, "ReadDirectLinkInterfaces", filter)?;
    Ok(text(&read["DirectLinkInterfaces"][0], "DirectLinkId"))
}

/// Two plugged members at one router's ports, in the order of these, and a bridge over VLAN 101 of both.
fn bundle(region: &Region, connections: &[String]) -> Result<Vec<Fibre>> {
    let netns = region.namespace("router")?;
    run(&["ip", "-n", &netns, "link", "add", "vlan101", "type", "bridge"])?;
    run(&["ip", "-n", &netns, "link", "set", "vlan101", "up"])?;
    let mut fibres = vec![];
    for connection in connections {
        let port = text(&region.approve(connection)?, "port");
        fibres.push(Fibre {
            account: 0,
            connection: connection.clone(),
            port,
            netns: netns.clone(),
        });
    }
    fibres.sort_by(|one, other| one.port.cmp(&other.port));
    for n in 0..fibres.len() {
        plug(region, &fibres, n)?;
    }
    Ok(fibres)
}

fn plug(region: &Region, fibres: &[Fibre], n: usize) -> Result<()> {
    let Fibre { port, netns, .. } = &fibres[n];
    let (fibre, vlan) = (format!("fibre{n}"), format!("leg{n}"));
    let tagged = format!("--vlan=101={vlan}");
    region.directlink("cable", &["--port", port, "--netns", netns, "--ifname", &fibre, &tagged])?;
    run(&["ip", "-n", netns, "link", "set", &vlan, "master", "vlan101"])?;
    region.await_connection(&fibres[n], "available")
}

#[test]
fn a_lag_whose_carrier_loses_its_cable_goes_on_over_the_other_without_a_call() -> Result<()> {
    let region = Region::up()?;
    let wish = json!({ "numberOfConnections": 2, "location": "PAR1", "connectionsBandwidth": "1Gbps",
        "lagName": "both" });
    let made = aws(&region, "CreateLag", &wish)?;
    let lag = text(&made, "lagId");
    ensure!(text(&made, "lagState") == "requested", "{made}");
    let members = made["connections"].as_array().cloned().unwrap_or_default();
    let members: Vec<_> = members.iter().map(|member| text(member, "connectionId")).collect();
    let fibres = bundle(&region, &members)?;
    await_lag(&region, &lag, "available")?;

    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    let new = json!({ "virtualInterfaceName": "n", "vlan": 101, "asn": ASN, "authKey": "k3y-of-6",
        "virtualGatewayId": cloud.gateway });
    let new = json!({ "connectionId": lag, "newPrivateVirtualInterface": new });
    let made = aws(&region, "CreatePrivateVirtualInterface", &new)?;
    ensure!(text(&made, "connectionId") == lag, "{made}");
    let interface = Interface {
        id: text(&made, "virtualInterfaceId"),
        vlan: 101,
        router: text(&made, "amazonAddress").parse()?,
        customer: text(&made, "customerAddress").parse()?,
    };
    let session = region.session(&interface, Some("k3y-of-6"), LAN)?;
    let _router = region.router(&fibres[0], Brand::Bird, &session)?;
    region.await_interface(0, &interface, "available")?;
    let office = region.office(&fibres[0], LAN)?;
    await_reach(&office, cloud.host.address)?;
    ensure!(carrier(&region, &interface)? == fibres[0].connection);

    for round in 1..=2 {
        region.pull(&fibres[0])?;
        let watch = clock::Stopwatch::start();
        let moved = || Ok((carrier(&region, &interface)? == fibres[1].connection).then_some(()));
        clock::until("the other member to carry it", SOON, moved)?;
        region.await_interface(0, &interface, "available")?;
        await_reach(&office, cloud.host.address)?;
        let took = watch.elapsed();
        eprintln!("round {round}: over the other cable after {took:?}");
        ensure!(took < BGP_SOON, "{took:?}");
        ensure!(lag_state(&region, &lag)? == "available");
        // The first again: what it carries comes back to it.
        plug(&region, &fibres, 0)?;
        let back = || Ok((carrier(&region, &interface)? == fibres[0].connection).then_some(()));
        clock::until("the first member to carry it again", SOON, back)?;
        region.await_interface(0, &interface, "available")?;
        await_reach(&office, cloud.host.address)?;
    }

    // With a minimum of two, one cable is too few.
    aws(&region, "UpdateLag", &json!({ "lagId": lag, "minimumLinks": 2 }))?;
    region.pull(&fibres[1])?;
    await_lag(&region, &lag, "down")?;
    region.await_interface(0, &interface, "pending")?;
    plug(&region, &fibres, 1)?;
    await_lag(&region, &lag, "available")?;
    region.await_interface(0, &interface, "available")?;
    await_reach(&office, cloud.host.address)
}
