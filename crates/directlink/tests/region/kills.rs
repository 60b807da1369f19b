//! A process that is killed at any moment: packets go on, and nothing acknowledged is lost.

use crate::fixture::{Cloud, Fibre, Interface, Region, await_reach, text};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{
    clock,
    customer::{Brand, Router},
    netns,
};
use serde_json::json;
use std::process::{Child, Command, Stdio};

const LAN: &str = "192.168.10.0/24";

struct Road {
    region: Region,
    fibre: Fibre,
    cloud: Cloud,
    interface: Interface,
    router: Router,
    office: String,
}

fn road() -> Result<Road> {
    let region = Region::up()?;
    let fibre = region.fibre(0, "PAR1", &[101, 102])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    let interface = region.interface(&fibre, &cloud, 101, Some("k3y"))?;
    let session = region.session(&interface, Some("k3y"), LAN)?;
    let router = region.router(&fibre, Brand::Bird, &session)?;
    region.await_interface(0, &interface, "available")?;
    let office = region.office(&fibre, LAN)?;
    await_reach(&office, cloud.host.address)?;
    Ok(Road { region, fibre, cloud, interface, router, office })
}

/// An echo every 50 ms, in the background.
fn pings(road: &Road, count: u32) -> Result<Child> {
    let (count, to) = (count.to_string(), road.cloud.host.address.to_string());
    netns::within(&road.office, || {
        let words = ["-i", "0.05", "-c", &count, "-W", "1", "-q", &to];
        Command::new("ping").args(words).stdout(Stdio::piped()).spawn().context("ping")
    })
}

fn lost_none(pings: Child) -> Result<()> {
    let output = pings.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said.contains(" 0% packet loss"), "{said}");
    Ok(())
}

#[test]
fn without_the_server_traffic_and_bgp_go_on_and_nothing_acknowledged_is_lost() -> Result<()> {
    let road = road()?;
    let Road { region, fibre, .. } = &road;
    let mut acknowledged = vec![];
    for n in 0..5 {
        let wish =
            json!({ "Location": "PAR4", "Bandwidth": "1Gbps", "DirectLinkName": format!("c{n}") });
        let made = region.call(0, "CreateDirectLink", wish)?;
        acknowledged.push(text(&made["DirectLink"], "DirectLinkId"));
    }
    let second = region.cloud(0, "10.8.0.0/16")?;
    let late = region.interface(fibre, &second, 102, None)?;
    region.kill("server")?;
    ensure!(region.connection_state(fibre).is_err(), "a killed server answers");

    // Longer than the hold time of 9 s: a session that nobody keeps up would be gone.
    let pings = pings(&road, 220)?;
    lost_none(pings)?;
    ensure!(road.router.is_established()?, "the session did not outlive the server");

    region.directlink("up", &[])?;
    let read = region.call(0, "ReadDirectLinks", json!({}))?;
    let there: Vec<_> = read["DirectLinks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| text(c, "DirectLinkId"))
        .collect();
    for id in &acknowledged {
        ensure!(there.contains(id), "{id} was acknowledged and is lost: {there:?}");
    }
    region.await_interface(0, &road.interface, "available")?;
    let session = region.session(&late, None, "192.168.20.0/24")?;
    // Another brand: two BIRDs in one namespace take each other's kernel routes away.
    let _router = region.router(fibre, Brand::Frr, &session)?;
    region.await_interface(0, &late, "available")?;
    await_reach(&road.office, road.cloud.host.address)
}

#[test]
fn without_the_agent_not_a_packet_is_lost_and_it_comes_back() -> Result<()> {
    let road = road()?;
    let Road { region, .. } = &road;
    let agent = agent_of(&road);
    let before = region.pid(&agent)?;
    let through_the_kill = pings(&road, 100)?;
    region.kill(&agent)?;
    lost_none(through_the_kill)?;
    let through_the_start = pings(&road, 100)?;
    region.directlink("up", &[])?;
    ensure!(region.pid(&agent)? != before);
    lost_none(through_the_start)?;
    region.await_interface(0, &road.interface, "available")?;
    clock::until("BIRD to be established", crate::fixture::BGP_SOON, || {
        Ok(road.router.is_established()?.then_some(()))
    })?;
    await_reach(&road.office, road.cloud.host.address)
}

fn agent_of(road: &Road) -> String {
    let router = road.fibre.port.split('/').next().unwrap_or_default();
    format!("agent-{router}")
}
