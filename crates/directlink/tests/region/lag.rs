//! Two cables of a LAG from one customer's router, which joins the VLAN of both by a bridge. Who speaks no LACP is
//! carried on one cable at a time, who speaks it on both. Linux's bonding speaks it with us on a kernel that
//! has it (`make kernel-test`).

use crate::fixture::{
    ASN, BGP_SOON, Cloud, Fibre, Interface, Region, SOON, await_reach, reaches, run, text,
};
use crate::{
    failover::OFFICE,
    kills::{OFTEN, lost_none},
    stream::{End, Stream},
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
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, UdpSocket},
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
    /// In the order in which it came.
    heard: Arc<Mutex<Vec<(PortName, Status)>>>,
    pins: TempDir,
}

impl Ends {
    fn new(netns: &str) -> Result<Self> {
        let pins = TempDir::new()?;
        let heard = Arc::<Mutex<Vec<_>>>::default();
        let told = Arc::clone(&heard);
        let told = move |port: &PortName, status| {
            told.lock().unwrap_or_else(PoisonError::into_inner).push((port.clone(), status));
        };
        let dataplane = Dataplane::open(pins.path())?;
        let table = dataplane.bundled_ports()?;
        let bundles = netns::within(netns, || Ok(Bundles::start(table, told)?))?;
        Ok(Self { bundles, heard, pins })
    }

    /// The customer would send by each that has light, if the other end has it in the bundle.
    fn light(&self, lights: [bool; 2]) -> Result<()> {
        let ports: BTreeSet<PortName> =
            ENDS.map(str::parse).into_iter().collect::<Result<_, _>>()?;
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
            let ports = ports.clone();
            members.insert(name.parse()?, Member { actor, role: Role::Carries, light, ports });
        }
        self.bundles.set(members);
        Ok(())
    }

    fn in_use(&self) -> [bool; 2] {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        ENDS.map(|name| {
            let last = heard.iter().rev().find(|(port, _)| port.as_str() == name);
            last.is_some_and(|(_, it)| it.is_in_use)
        })
    }

    /// How often something else was heard.
    fn news(&self) -> usize {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).len()
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
fn a_customer_who_speaks_lacp_sends_by_all_cables_that_are_in_its_bundle() -> Result<()> {
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
    ends.await_use([true, true])?;
    for n in 0..2 {
        clock::until("the customer to send by it", SOON, || {
            Ok(diagnosis(n)?.contains("02:00:00:00:00:09 sends by it").then_some(()))
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
    ends.await_use([true, true])?;

    // Without an agent the router goes on saying what it said.
    region.kill("agent-par1-r1")?;
    let watch = clock::Stopwatch::start();
    while watch.elapsed() < Duration::from_secs(6) {
        ensure!(reaches(&road.office, road.cloud.host.address)?);
        ensure!(ends.in_use() == [true, true], "after {:?}", watch.elapsed());
    }
    Ok(())
}

const FLOWS: u16 = 64;
/// Long, so that by their bytes they are told from what else a router says.
const PAYLOAD: usize = 1000;

impl Road {
    /// What the router has sent by each cable, in octets.
    fn sent(&self) -> Result<[u64; 2]> {
        let router = self.region.lab.described.routers.first().context("a router")?;
        let sent = |fibre: &Fibre| -> Result<u64> {
            let (_, port) = fibre.port.split_once('/').context("a router's port")?;
            let words = ["ip", "-n", &router.netns, "-json", "-statistics", "link", "show", port];
            let seen: Value = serde_json::from_str(&run(&words)?)?;
            seen[0]["stats64"]["tx"]["bytes"].as_u64().context("a count")
        };
        Ok([sent(&self.fibres[0])?, sent(&self.fibres[1])?])
    }

    /// How many flows of the host go by each cable.
    fn spread(&self) -> Result<[u64; 2]> {
        let office = IpAddr::from(OFFICE);
        let host = &self.cloud.host;
        let before = self.sent()?;
        netns::within(&host.netns, || {
            for _ in 0..FLOWS {
                UdpSocket::bind((host.address, 0))?.send_to(&[0; PAYLOAD], (office, 9))?;
            }
            Ok(())
        })?;
        let after = self.sent()?;
        Ok([0, 1].map(|n| (after[n] - before[n]) / PAYLOAD as u64))
    }

    /// Numbered packets of the host and the office.
    fn stream(&self, each: Duration) -> Result<Stream> {
        let host =
            End { netns: self.cloud.host.netns.clone(), address: self.cloud.host.address.into() };
        let office = End { netns: self.office.clone(), address: OFFICE.into() };
        let stream = Stream::start([&office, &host], each)?;
        clock::until("both to be heard", SOON, || Ok((stream.heard() > 200).then_some(())))?;
        Ok(stream)
    }

    /// How long none of theirs came, each way, while that is done.
    fn while_they_talk(&self, work: impl FnOnce(&Self) -> Result<()>) -> Result<[Duration; 2]> {
        let stream = self.stream(Duration::from_millis(1))?;
        work(self)?;
        let heard = stream.finish(1000)?;
        let [there, back] = &heard;
        eprintln!("lost {} there, {} back", there.lost(), back.lost());
        Ok([there.longest_gap(), back.longest_gap()])
    }
}

#[test]
fn flows_go_over_both_cables_and_when_either_is_pulled_over_the_other() -> Result<()> {
    let road = road()?;
    let all = u64::from(FLOWS);
    ensure!(road.spread()?[1] == 0, "nobody speaks LACP");
    let ends = Ends::new(&road.fibres[0].netns)?;
    for pulled in [1, 0] {
        ends.light([true, true])?;
        ends.await_use([true, true])?;
        road.await_carrier(0)?;
        clock::until("flows on both cables", SOON, || {
            let by = road.spread()?;
            eprintln!("flows by cable: {by:?}");
            Ok(by.iter().all(|&by| by > all / 8).then_some(()))
        })?;

        let silence = road.while_they_talk(|road| {
            road.region.pull(&road.fibres[pulled])?;
            let mut lights = [true, true];
            lights[pulled] = false;
            ends.light(lights)?;
            ends.await_use(lights)
        })?;
        eprintln!("cable {pulled} pulled: silent for {silence:?}");
        ensure!(silence.iter().all(|&gap| gap < BGP_SOON), "{silence:?}");
        let by = road.spread()?;
        ensure!(by[pulled] == 0 && by[1 - pulled] >= all, "{by:?}");

        let silence = road.while_they_talk(|road| {
            plug(&road.region, &road.fibres, pulled)?;
            ends.light([true, true])?;
            ends.await_use([true, true])
        })?;
        eprintln!("plugged again: silent for {silence:?}");
    }
    Ok(())
}

#[test]
fn a_killed_agents_successor_goes_on_with_both_cables() -> Result<()> {
    let road = road()?;
    let Road { region, fibres, .. } = &road;
    let ends = Ends::new(&fibres[0].netns)?;
    ends.light([true, true])?;
    ends.await_use([true, true])?;
    let news = ends.news();
    let stream = road.stream(OFTEN)?;
    let agent = "agent-par1-r1";
    let before = region.pid(agent)?;
    region.kill(agent)?;
    region.directlink("up", &[])?;
    ensure!(region.pid(agent)? != before);
    // Longer than the customer waits for a word.
    let watch = clock::Stopwatch::start();
    while watch.elapsed() < Duration::from_secs(5) {
        ensure!(reaches(&road.office, road.cloud.host.address)?);
    }
    lost_none(stream)?;
    ensure!(ends.in_use() == [true, true] && ends.news() == news, "{:?}", ends.heard);
    let by = road.spread()?;
    ensure!(by.iter().all(|&by| by > u64::from(FLOWS) / 8), "{by:?}");
    road.await_carrier(0)
}
