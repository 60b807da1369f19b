//! Two cables of a LAG from one customer's router, which joins the VLAN of both by a bridge: we carry it on one
//! cable at a time. One customer speaks no LACP, another does. Linux's bonding speaks it with us on a kernel
//! that has it (`make kernel-test`).

use crate::fixture::{
    ASN, BGP_SOON, Cloud, Fibre, Interface, Region, SOON, await_reach, reaches, run, text,
};
use anyhow::{Context as _, Result, ensure};
use directlink_agent::bundles::{Bundles, Member};
use directlink_bgp::lacp::{Information, Role, States, Status};
use directlink_dataplane::Dataplane;
use directlink_lab::{
    clock,
    customer::{Brand, Router},
    netns,
};
use directlink_model::ids::PortName;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tempfile::TempDir;

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

/// A LAG of two cables, and what leads over it.
struct Road {
    region: Region,
    lag: String,
    fibres: Vec<Fibre>,
    cloud: Cloud,
    interface: Interface,
    _router: Router,
    office: String,
}

/// It works over the first cable.
fn road() -> Result<Road> {
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
    let router = region.router(&fibres[0], Brand::Bird, &session)?;
    region.await_interface(0, &interface, "available")?;
    let office = region.office(&fibres[0], LAN)?;
    await_reach(&office, cloud.host.address)?;
    ensure!(carrier(&region, &interface)? == fibres[0].connection);
    Ok(Road { region, lag, fibres, cloud, interface, _router: router, office })
}

impl Road {
    fn await_carrier(&self, n: usize) -> Result<()> {
        let wanted = &self.fibres[n].connection;
        clock::until(&format!("cable {n} to carry it"), SOON, || {
            Ok((carrier(&self.region, &self.interface)? == *wanted).then_some(()))
        })?;
        self.region.await_interface(0, &self.interface, "available")?;
        await_reach(&self.office, self.cloud.host.address)
    }
}

#[test]
fn a_lag_whose_carrier_loses_its_cable_goes_on_over_the_other_without_a_call() -> Result<()> {
    let road = road()?;
    let Road { region, lag, fibres, interface, .. } = &road;
    for round in 1..=2 {
        region.pull(&fibres[0])?;
        let watch = clock::Stopwatch::start();
        road.await_carrier(1)?;
        let took = watch.elapsed();
        eprintln!("round {round}: over the other cable after {took:?}");
        ensure!(took < BGP_SOON, "{took:?}");
        ensure!(lag_state(region, lag)? == "available");
        // The first again: what it carries comes back to it.
        plug(region, fibres, 0)?;
        road.await_carrier(0)?;
    }

    // With a minimum of two, one cable is too few.
    aws(region, "UpdateLag", &json!({ "lagId": lag, "minimumLinks": 2 }))?;
    region.pull(&fibres[1])?;
    await_lag(region, lag, "down")?;
    region.await_interface(0, interface, "pending")?;
    plug(region, fibres, 1)?;
    await_lag(region, lag, "available")?;
    region.await_interface(0, interface, "available")?;
    await_reach(&road.office, road.cloud.host.address)
}

#[test]
fn a_lag_goes_on_over_the_other_cable_also_while_no_server_is_there() -> Result<()> {
    let road = road()?;
    let Road { region, fibres, office, cloud, .. } = &road;
    region.kill("server")?;
    region.directlink("uncable", &["--port", &fibres[0].port])?;
    await_reach(office, cloud.host.address)
}

const ENDS: [&str; 2] = ["fibre0", "fibre1"];

/// The customer's ends of both cables, which speak LACP.
struct Ends {
    bundles: Bundles,
    heard: Arc<Mutex<BTreeMap<PortName, Status>>>,
    pins: TempDir,
}

impl Ends {
    fn new(netns: &str) -> Result<Self> {
        let pins = TempDir::new()?;
        let heard = Arc::<Mutex<BTreeMap<_, _>>>::default();
        let told = Arc::clone(&heard);
        let told = move |port: &PortName, status| {
            told.lock().unwrap_or_else(PoisonError::into_inner).insert(port.clone(), status);
        };
        let dataplane = Dataplane::open(pins.path())?;
        let table = dataplane.bundled_ports()?;
        let bundles = netns::within(netns, || Ok(Bundles::start(table, told)?))?;
        Ok(Self { bundles, heard, pins })
    }

    /// The customer would send by each that has light, if the other end has it in the bundle.
    fn light(&self, lights: [bool; 2]) -> Result<()> {
        let mut members = BTreeMap::new();
        for ((name, light), port) in ENDS.into_iter().zip(lights).zip(1..) {
            let actor = Information {
                system_priority: 0xffff,
                system: [2, 0, 0, 0, 0, 9],
                key: 9,
                port_priority: 255,
                port,
                states: States::default(),
            };
            members.insert(name.parse()?, Member { actor, role: Role::Carries, light });
        }
        self.bundles.set(members);
        Ok(())
    }

    fn in_use(&self) -> [bool; 2] {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        ENDS.map(|name| heard.iter().any(|(port, it)| port.as_str() == name && it.is_in_use))
    }

    fn await_use(&self, wanted: [bool; 2]) -> Result<()> {
        clock::until(&format!("{wanted:?} in use"), SOON, || {
            Ok((self.in_use() == wanted).then_some(()))
        })
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        drop(Dataplane::unpin(self.pins.path()));
    }
}

#[test]
fn a_customer_who_speaks_lacp_sends_by_the_cable_that_carries() -> Result<()> {
    let road = road()?;
    let Road { region, fibres, .. } = &road;
    let diagnosis = |n: usize| -> Result<String> {
        Ok(region.directlink_of(&["diagnose", &fibres[n].connection])?.to_string())
    };
    clock::until("nobody to speak LACP", SOON, || {
        Ok(diagnosis(0)?.contains("nobody speaks LACP there").then_some(()))
    })?;
    let ends = Ends::new(&fibres[0].netns)?;
    ends.light([true, true])?;
    ends.await_use([true, false])?;
    for (n, does) in [(0, "sends by it"), (1, "has it stand by")] {
        clock::until(does, SOON, || {
            Ok(diagnosis(n)?.contains(&format!("02:00:00:00:00:09 {does}")).then_some(()))
        })?;
    }

    region.pull(&fibres[0])?;
    ends.light([false, true])?;
    road.await_carrier(1)?;
    ends.await_use([false, true])?;

    // Plugged again, and not yet in the customer's bundle: it waits for that.
    plug(region, fibres, 0)?;
    for _ in 0..5 {
        ensure!(reaches(&road.office, road.cloud.host.address)?);
    }
    ensure!(carrier(region, &road.interface)? == fibres[1].connection);
    ends.light([true, true])?;
    road.await_carrier(0)?;
    ends.await_use([true, false])?;

    // Without an agent the router goes on saying what it said.
    region.kill("agent-par1-r1")?;
    let watch = clock::Stopwatch::start();
    while watch.elapsed() < Duration::from_secs(6) {
        ensure!(reaches(&road.office, road.cloud.host.address)?);
        ensure!(ends.in_use() == [true, false], "after {:?}", watch.elapsed());
    }
    Ok(())
}
