//! Two BGP peers on one VLAN: two routers of a customer behind one fibre, either of which may fail.
//!
//! ```text
//!              ╔═ lan0  r1  dx ═╗
//!  office lan ═╣                ╠═ br0  fibre's far end  vlan101 ── DirectLink
//!              ╚═ lan0  r2  dx ═╝
//! ```
//!
//! Asked for by the AWS CLI: the OUTSCALE API has no words for a second peer.

use crate::fixture::{ASN, BGP_SOON, Fibre, Interface, Region, await_reach, reaches, run, text};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{
    clock,
    customer::{Brand, Router, Session},
    netns,
};
use directlink_net::Ipv4Net;
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

const LAN: &str = "192.168.10.0/24";
const SECOND_ASN: u32 = 65020;
const SECOND_KEY: &str = "an0ther";

/// `aws directconnect OPERATION --cli-input-json …`, as the account's owner types it, with the
/// service's newest description: the client is older.
pub(crate) fn aws(region: &Region, operation: &str, input: &Value) -> Result<Value> {
    let lab = &region.lab.described;
    let account = lab.accounts.first().context("an account")?;
    let top = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))?;
    let program = top.join("target/venv/bin/aws");
    let models = region.dir.join("models");
    let described = models.join("directconnect/2012-10-25");
    fs::create_dir_all(&described)?;
    fs::copy(top.join("spec/aws-directconnect-service-2.json"), described.join("service-2.json"))?;
    let output = Command::new(&program)
        .args(["directconnect", operation, "--output", "json", "--endpoint-url", &lab.aws])
        .args(["--cli-input-json", &input.to_string()])
        .env("AWS_ACCESS_KEY_ID", &account.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &account.secret_key)
        .env("AWS_DEFAULT_REGION", lab.region.as_str())
        .env("AWS_DATA_PATH", &models)
        .output()
        .with_context(|| program.display().to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{operation}: {said}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// State of the interface, and number, state and session of each peer.
fn seen(region: &Region, interface: &Interface) -> Result<(String, Vec<[String; 3]>)> {
    let input = json!({ "virtualInterfaceId": interface.id });
    let vif = aws(region, "describe-virtual-interfaces", &input)?["virtualInterfaces"][0].take();
    let members = ["bgpPeerId", "bgpPeerState", "bgpStatus"];
    let peers = vif["bgpPeers"].as_array().context("peers")?.iter();
    let peers = peers.map(|peer| members.map(|member| text(peer, member))).collect();
    Ok((text(&vif, "virtualInterfaceState"), peers))
}

fn await_peers(region: &Region, interface: &Interface, wanted: &[[&str; 3]]) -> Result<()> {
    await_seen(region, interface, ("available", wanted))
}

fn await_seen(
    region: &Region,
    interface: &Interface,
    (wanted_state, wanted): (&str, &[[&str; 3]]),
) -> Result<()> {
    clock::until(&format!("{wanted:?}"), BGP_SOON, || {
        let (state, peers) = seen(region, interface)?;
        Ok((peers == wanted && state == wanted_state).then_some(()))
    })
}

/// Joins both routers' namespaces to the fibre and to an office; the latter's namespace.
fn wire(region: &Region, fibre: &Fibre, routers: &[String; 2]) -> Result<String> {
    let office = region.namespace("office")?;
    let ip = |words: &str| run(&["ip"].into_iter().chain(words.split(' ')).collect::<Vec<_>>());
    for (netns, bridge) in [(&fibre.netns, "br0"), (&office, "lan")] {
        ip(&format!("-n {netns} link add {bridge} type bridge"))?;
        ip(&format!("-n {netns} link set {bridge} up"))?;
    }
    ip(&format!("-n {} link set vlan101 master br0", fibre.netns))?;
    for (n, router) in routers.iter().enumerate() {
        for (end, far, bridge) in [("dx", &fibre.netns, "br0"), ("lan0", &office, "lan")] {
            ip(&format!("link add {end} netns {router} type veth peer name r{n} netns {far}"))?;
            ip(&format!("-n {far} link set r{n} master {bridge} up"))?;
            ip(&format!("-n {router} link set {end} up"))?;
        }
        ip(&format!("-n {router} address add 192.168.10.{}/24 dev lan0", 1 + 2 * n))?;
    }
    ip(&format!("-n {office} address add 192.168.10.2/24 dev lan"))?;
    // The office has the second router as its way out: what comes back may take either.
    ip(&format!("-n {office} route add default via 192.168.10.3"))?;
    Ok(office)
}

/// A router that announces the office, and a network of its own.
fn start(
    region: &Region,
    netns: &str,
    brand: Brand,
    session: Session,
    own: &str,
) -> Result<Router> {
    let announced = vec![LAN.parse()?, own.parse()?];
    let session = Session { interface: "dx".into(), announced, ..session };
    let name = format!("{}-{}", brand.to_string().to_lowercase(), session.asn);
    Router::start(&region.lab.name, &name, netns, brand, &session)
}

fn second_session(region: &Region, peer: &Value) -> Result<Session> {
    let router: Ipv4Net = text(peer, "amazonAddress").parse()?;
    Ok(Session {
        interface: String::new(),
        address: text(peer, "customerAddress").parse()?,
        asn: SECOND_ASN.try_into()?,
        neighbour: router.addr(),
        neighbour_asn: region.lab.running.asn.try_into()?,
        key: Some(SECOND_KEY.try_into()?),
        announced: vec![],
        bfd: false,
    })
}

#[test]
fn a_second_peer_carries_on_when_the_first_dies_and_stays_when_it_is_deleted() -> Result<()> {
    let region = Region::up()?;
    let fibre = region.fibre(0, "PAR1", &[101])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    let interface = region.interface(&fibre, &cloud, 101, Some("k3y"))?;
    let new = json!({ "virtualInterfaceId": interface.id,
        "newBGPPeer": { "asn": SECOND_ASN, "authKey": SECOND_KEY, "addressFamily": "ipv4" } });
    let vif = aws(&region, "create-bgp-peer", &new)?["virtualInterface"].take();
    let second = &vif["bgpPeers"][1];
    let ids = [0, 1].map(|n| text(&vif["bgpPeers"][n], "bgpPeerId"));
    let routers = [region.namespace("r")?, region.namespace("r")?];
    let office = wire(&region, &fibre, &routers)?;
    let session = region.session(&interface, Some("k3y"), LAN)?;
    let one = start(&region, &routers[0], Brand::Bird, session, "192.168.11.0/24")?;
    let other = second_session(&region, second)?;
    let other = start(&region, &routers[1], Brand::Frr, other, "192.168.12.0/24")?;
    let up = |n: usize| [ids[n].as_str(), "available", "up"];
    await_peers(&region, &interface, &[up(0), up(1)])?;
    ensure!(one.is_established()? && other.is_established()?);
    let input =
        json!({ "virtualInterfaceId": interface.id, "filters": { "routeDirection": "accepted" } });
    clock::until("the routes of both", BGP_SOON, || {
        let list = aws(&region, "list-virtual-interface-routes", &input)?;
        let routes = list["routes"].as_array().cloned().unwrap_or_default();
        let mut routes: Vec<_> = routes.iter().map(|route| text(route, "cidr")).collect();
        routes.dedup();
        Ok((routes == [LAN, "192.168.11.0/24", "192.168.12.0/24"]).then_some(()))
    })?;
    await_reach(&office, cloud.host.address)?;

    // A failover test of the first alone leaves the second to carry.
    let down = [ids[0].as_str(), "available", "down"];
    let test = json!({ "virtualInterfaceId": interface.id, "bgpPeers": [ids[0]] });
    aws(&region, "start-bgp-failover-test", &test)?;
    await_seen(&region, &interface, ("testing", &[down, up(1)]))?;
    ensure!(other.is_established()? && !one.is_established()?);
    ensure!(reaches(&office, cloud.host.address)?);
    let stop = json!({ "virtualInterfaceId": interface.id });
    aws(&region, "stop-bgp-failover-test", &stop)?;
    await_peers(&region, &interface, &[up(0), up(1)])?;

    // The first dies, and no packet with it.
    let pings = netns::within(&office, || {
        let words = ["-i", "0.05", "-c", "200", "-W", "1", "-q", &cloud.host.address.to_string()];
        Command::new("ping").args(words).stdout(Stdio::piped()).spawn().context("ping")
    })?;
    one.stop()?;
    await_peers(&region, &interface, &[down, up(1)])?;
    let said = pings.wait_with_output()?;
    let said = String::from_utf8_lossy(&said.stdout);
    ensure!(said.contains(" 0% packet loss"), "{said}");
    ensure!(other.is_established()?);
    // Without the first router altogether.
    run(&["ip", "netns", "exec", &routers[0], "ip", "link", "set", "dx", "down"])?;
    for _ in 0..3 {
        ensure!(reaches(&office, cloud.host.address)?);
    }

    // It is deleted, and the second is all there is; that one cannot be.
    let delete = |chosen: Value| {
        let mut input = json!({ "virtualInterfaceId": interface.id });
        input.as_object_mut().into_iter().zip(chosen.as_object()).for_each(|(all, chosen)| {
            all.extend(chosen.clone());
        });
        aws(&region, "delete-bgp-peer", &input)
    };
    let customer = interface.customer.to_string();
    let vif = delete(json!({ "asn": ASN, "customerAddress": customer }))?;
    ensure!(text(&vif["virtualInterface"]["bgpPeers"][0], "bgpPeerState") == "deleting", "{vif}");
    await_peers(&region, &interface, &[up(1)])?;
    ensure!(reaches(&office, cloud.host.address)? && other.is_established()?);
    let router = fibre.port.split('/').next().unwrap_or_default().parse()?;
    let inside = format!("{}-{}", region.lab.name.router(&router), interface.id);
    let addresses = run(&["ip", "-n", &inside, "-4", "-brief", "address"])?;
    ensure!(!addresses.contains(&interface.router.to_string()), "{addresses}");
    let last = delete(json!({ "bgpPeerId": ids[1] })).map_err(|error| error.to_string());
    ensure!(last.is_err_and(|text| text.contains("The last BGP Peer")));
    Ok(())
}
