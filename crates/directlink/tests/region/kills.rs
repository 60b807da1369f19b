//! A process that is killed at any moment: packets go on, and nothing acknowledged is lost.

use crate::{
    another_build,
    fixture::{Cloud, Fibre, Interface, Region, SOON, await_reach, reaches, text},
    stream::{End, Stream},
};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{
    clock,
    customer::{Brand, Router, Session},
};
use serde_json::json;
use std::{
    fs,
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
    time::Duration,
};

const LAN: &str = "192.168.10.0/24";
const OFFICE: Ipv4Addr = Ipv4Addr::new(192, 168, 10, 2);

pub(crate) struct Road {
    pub(crate) region: Region,
    pub(crate) fibre: Fibre,
    pub(crate) cloud: Cloud,
    interface: Interface,
    pub(crate) router: Router,
    office: String,
}

fn road() -> Result<Road> {
    watched_road(Brand::Bird, false)
}

/// With BFD on it, or without.
fn watched_road(brand: Brand, bfd: bool) -> Result<Road> {
    road_of(Region::up()?, brand, bfd)
}

/// In this Region, which is empty.
pub(crate) fn road_of(region: Region, brand: Brand, bfd: bool) -> Result<Road> {
    let fibre = region.fibre(0, "PAR1", &[101, 102])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    let interface = region.interface(&fibre, &cloud, 101, Some("k3y"))?;
    let session = Session { bfd, ..region.session(&interface, Some("k3y"), LAN)? };
    let router = region.router(&fibre, brand, &session)?;
    region.await_interface(0, &interface, "available")?;
    let office = region.office(&fibre, LAN)?;
    await_reach(&office, cloud.host.address)?;
    Ok(Road { region, fibre, cloud, interface, router, office })
}

/// Packets both ways, one each so often, of a flow that the host began.
pub(crate) fn stream(road: &Road, each: Duration) -> Result<Stream> {
    let host = &road.cloud.host;
    let host = End { netns: host.netns.clone(), address: host.address.into() };
    let office = End { netns: road.office.clone(), address: OFFICE.into() };
    Stream::start([&host, &office], each)
}

pub(crate) const OFTEN: Duration = Duration::from_micros(500);

/// So many went each way while it happened, and all came.
pub(crate) fn lost_none(stream: Stream) -> Result<()> {
    for (direction, heard) in
        ["to the office", "to the host"].into_iter().zip(stream.finish(10_000)?)
    {
        eprintln!("{direction}: {} sent, longest gap {:?}", heard.sent, heard.longest_gap());
        ensure!(heard.lost() == 0, "{direction}: {} of {} lost", heard.lost(), heard.sent);
    }
    Ok(())
}

/// What the customer's kernel is told of routes.
pub(crate) struct Monitor(Child);

impl Monitor {
    pub(crate) fn start(netns: &str) -> Result<Self> {
        let words = ["-n", netns, "monitor", "route"];
        let monitor = Command::new("ip").args(words).stdout(Stdio::piped()).spawn();
        Ok(Self(monitor.context("ip monitor")?))
    }

    /// The customer's router led to the Net all the time.
    pub(crate) fn lost_no_route(mut self, cloud: &Cloud) -> Result<()> {
        self.0.kill()?;
        let said = self.0.wait_with_output()?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let gone = said.lines().any(|l| l.starts_with("Deleted") && l.contains(&cloud.range));
        ensure!(!gone, "the customer's route to the Net went: {said}");
        Ok(())
    }
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
    let routes = Monitor::start(&fibre.netns)?;
    lost_none(stream(&road, OFTEN * 2)?)?;
    routes.lost_no_route(&road.cloud)?;
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
    let Road { region, fibre, cloud, .. } = &road;
    let agent = agent_of(&road);
    let before = region.pid(&agent)?;
    let routes = Monitor::start(&fibre.netns)?;
    let stream = stream(&road, OFTEN)?;
    region.kill(&agent)?;
    region.directlink("up", &[])?;
    ensure!(region.pid(&agent)? != before);
    comes_back(&road)?;
    lost_none(stream)?;
    routes.lost_no_route(cloud)?;
    await_reach(&road.office, cloud.host.address)
}

/// An upgrade, twice: to tables whose rows are others, and from those to ours.
#[test]
fn a_build_whose_tables_are_others_takes_over_without_a_lost_packet() -> Result<()> {
    let road = road()?;
    let Road { region, fibre, cloud, .. } = &road;
    let object = another_build::compile(tempfile::tempdir()?.path())?;
    // From now on the office is heard only because the host has spoken to it.
    let rule = json!({
        "SecurityGroupId": cloud.group, "Flow": "Inbound", "IpProtocol": "-1", "IpRange": LAN,
    });
    region.call(cloud.account, "DeleteSecurityGroupRule", rule)?;
    clock::until("the rule to be gone", SOON, || {
        Ok((!reaches(&road.office, cloud.host.address)?).then_some(()))
    })?;
    let (agent, router) = (agent_of(&road), router_of(&road));
    let pins = region.dir.join("routers").join(&router).join("pins");
    let netns = region.lab.name.router(&router.parse()?);
    let layouts = || -> Result<Vec<_>> {
        let names = fs::read_dir(&pins)?.filter_map(|pin| pin.ok()?.file_name().into_string().ok());
        Ok(names.filter(|name| name.starts_with("tables-")).collect())
    };
    let own = layouts()?;
    ensure!(own.len() == 1, "{own:?}");
    let routes = Monitor::start(&fibre.netns)?;
    let stream = stream(&road, OFTEN)?;
    clock::until("an established flow", SOON, || Ok((stream.sent() > 100).then_some(())))?;
    region.kill(&agent)?;
    another_build::put_in(&object, &netns, &pins)?;
    eprintln!("the other build's programs forward after {:?}", stream.elapsed());
    ensure!(layouts()?.len() == 2);
    region.directlink("up", &[])?;
    comes_back(&road)?;
    lost_none(stream)?;
    routes.lost_no_route(cloud)?;
    clock::until("only this build's tables to be left", SOON, || {
        Ok((layouts()? == own).then_some(()))
    })
}

/// BFD is up, and goes on through the death of the agent and through its coming back: while it is
/// away the forwarding, which is not, answers for it.
fn no_customer_with_bfd_notices(brand: Brand) -> Result<()> {
    let road = watched_road(brand, true)?;
    let Road { region, fibre, cloud, router, .. } = &road;
    let history = clock::until("BFD to be up", SOON, || router.bfd_history())?;
    let agent = agent_of(&road);
    let routes = Monitor::start(&fibre.netns)?;
    let stream = stream(&road, OFTEN)?;
    region.kill(&agent)?;
    let dead_at = stream.elapsed();
    clock::until("three detection times", SOON, || {
        Ok((stream.elapsed() > dead_at + DETECTION_TIME * 3).then_some(()))
    })?;
    ensure!(
        router.bfd_history()?.as_ref() == Some(&history),
        "BFD failed while the agent was away"
    );
    region.directlink("up", &[])?;
    comes_back(&road)?;
    let back_at = stream.elapsed();
    clock::until("three detection times", SOON, || {
        Ok((stream.elapsed() > back_at + DETECTION_TIME * 3).then_some(()))
    })?;
    ensure!(router.bfd_history()?.as_ref() == Some(&history), "BFD failed when it came back");
    lost_none(stream)?;
    routes.lost_no_route(cloud)
}

/// 300 ms x 3.
pub(crate) const DETECTION_TIME: Duration = Duration::from_millis(900);

#[test]
fn a_killed_agent_is_not_noticed_by_birds_bfd() -> Result<()> {
    no_customer_with_bfd_notices(Brand::Bird)
}

#[test]
fn a_killed_agent_is_not_noticed_by_frrs_bfd() -> Result<()> {
    no_customer_with_bfd_notices(Brand::Frr)
}

fn comes_back(road: &Road) -> Result<()> {
    road.region.await_interface(0, &road.interface, "available")?;
    clock::until("the customer to be established", crate::fixture::BGP_SOON, || {
        Ok(road.router.is_established()?.then_some(()))
    })
}

pub(crate) fn router_of(road: &Road) -> String {
    road.fibre.port.split('/').next().unwrap_or_default().to_owned()
}

fn agent_of(road: &Road) -> String {
    format!("agent-{}", router_of(road))
}
