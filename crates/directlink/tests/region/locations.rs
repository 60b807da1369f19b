//! One customer's router with a cable to each of two locations. Whichever is pulled, traffic goes
//! on by the other, from both sides, also from a host that still sends to the router without one.
//!
//! ```text
//!                        ╔═ leg0 ══ PAR1, par1-r1 ═╗
//!  office ═ lan0 router ═╣                         ╠═ fabric ═ host
//!                        ╚═ leg1 ══ PAR4, par4-r1 ═╝
//! ```
//!
//! The customer prefers PAR1, as a customer may. So the host hears from PAR1, and sends there.

use crate::{
    failover::watched_legs,
    fixture::{ASN, Interface, Region, SOON, await_reach, run},
    legs::{Legs, plug},
};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{clock, netns};
use std::{
    net::{IpAddr, Ipv4Addr},
    process::{Child, Command, Stdio},
    time::Duration,
};

const LAN: &str = "192.168.10.0/24";
pub(crate) const OFFICE: Ipv4Addr = Ipv4Addr::new(192, 168, 10, 2);
/// Announced at PAR4 alone.
const BRANCH: &str = "192.168.44.0/24";
const BRANCHS: Ipv4Addr = Ipv4Addr::new(192, 168, 44, 1);
const LOCATIONS: [&str; 2] = ["PAR1", "PAR4"];
const BETWEEN_PINGS: Duration = Duration::from_millis(10);

/// One BIRD with a session on each leg, which prefers the first.
fn config(interfaces: &[Interface], asn: u32) -> String {
    let session = |(n, interface): (usize, &Interface)| {
        let (own, router) = (interface.customer.addr(), interface.router.addr());
        let (preference, told) = match n {
            0 => (200, format!("net = {LAN}")),
            _ => (100, "source = RTS_STATIC".to_owned()),
        };
        format!(
            "protocol bgp leg{n} {{\n  local {own} as {ASN};\n  neighbor {router} as {asn};\n  \
             interface \"leg{n}\";\n  check link yes;\n  strict bind yes;\n  hold time 9;\n  \
             connect delay time 1;\n  connect retry time 2;\n  error wait time 1, 4;\n  \
             default bgp_local_pref {preference};\n  \
             ipv4 {{ import all; export where {told}; }};\n}}\n"
        )
    };
    let sessions: String = interfaces.iter().enumerate().map(session).collect();
    format!(
        "router id {};\nlog stderr all;\nprotocol device {{ scan time 1; }}\n\
         protocol static announced {{\n  ipv4;\n  route {LAN} unreachable;\n  \
         route {BRANCH} unreachable;\n}}\n\
         protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}\n{sessions}",
        interfaces[0].customer.addr()
    )
}

/// The VTEP that a host sends to.
pub(crate) fn sends_to(host: &str) -> Result<Ipv4Addr> {
    let said = run(&["bridge", "-n", host, "fdb", "show", "dev", "eth0"])?;
    let gateway = directlink_model::plan::GATEWAY_MAC.to_string();
    let line = said.lines().find(|line| line.starts_with(&gateway)).context(said.clone())?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "dst");
    Ok(words.nth(1).context("a destination")?.parse()?)
}

/// The lab's routers have the fabric's first addresses, in the order of their locations.
pub(crate) const VTEPS: [Ipv4Addr; 2] =
    [Ipv4Addr::new(100, 64, 0, 1), Ipv4Addr::new(100, 64, 0, 2)];

pub(crate) struct Pings(Child);

/// For some seconds, a hundred each.
pub(crate) fn ping(from: &str, to: impl Into<IpAddr>, seconds: u32) -> Result<Pings> {
    let to = to.into().to_string();
    netns::within(from, || {
        let interval = BETWEEN_PINGS.as_secs_f32().to_string();
        let count = (seconds * 100).to_string();
        let words = ["-n", "-i", &interval, "-c", &count, "-W", "1", &to];
        let ping = Command::new("ping").args(words).stdout(Stdio::piped()).spawn();
        Ok(Pings(ping.context("ping")?))
    })
}

impl Pings {
    /// How many were sent, and the longest time without an answer.
    pub(crate) fn longest_gap(self) -> Result<(u32, Duration)> {
        let said = self.0.wait_with_output()?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let number = |line: &str| {
            line.split("icmp_seq=").nth(1)?.split_whitespace().next()?.parse::<u32>().ok()
        };
        let heard: Vec<_> = said.lines().filter_map(number).collect();
        let summary =
            said.lines().find(|line| line.contains("transmitted")).context("a summary")?;
        let sent: u32 = summary.split_whitespace().next().unwrap_or_default().parse()?;
        let mut marks = vec![0];
        marks.extend(heard);
        marks.push(sent + 1);
        marks.sort_unstable();
        let lost = marks.windows(2).map(|two| (two[1] - two[0]).saturating_sub(1)).max();
        Ok((sent, BETWEEN_PINGS * lost.unwrap_or_default()))
    }
}

/// Pings while something happens, and how long they went without an answer.
fn through(
    what: &str,
    (from, to): (&str, Ipv4Addr),
    happens: impl FnOnce() -> Result<()>,
) -> Result<()> {
    await_reach(from, to)?;
    let mut pings = ping(from, to, 6)?;
    happens()?;
    ensure!(pings.0.try_wait()?.is_none(), "{what}: it took longer than the pings");
    let (sent, gap) = pings.longest_gap()?;
    eprintln!("{what}: of {sent} pings none was answered for {gap:?}");
    ensure!(gap < Duration::from_secs(1), "{what}: {gap:?} without an answer");
    Ok(())
}

/// Counts the echo requests that reach an address in a namespace, and answers none.
fn mute(netns: &str, address: Ipv4Addr) -> Result<()> {
    let table = format!(
        "table ip mute {{ chain input {{ type filter hook input priority 0; \
         ip daddr {address} icmp type echo-request counter drop; }}\n}}"
    );
    run(&["ip", "netns", "exec", netns, "nft", &table]).map(drop)
}

fn unmute(netns: &str) -> Result<()> {
    run(&["ip", "netns", "exec", netns, "nft", "delete table ip mute"]).map(drop)
}

fn counted(netns: &str) -> Result<u32> {
    let said = run(&["ip", "netns", "exec", netns, "nft", "list table ip mute"])?;
    let mut words = said.split_whitespace().skip_while(|word| *word != "packets");
    Ok(words.nth(1).context(said.clone())?.parse()?)
}

#[test]
fn traffic_of_two_locations_goes_on_by_the_other_when_a_cable_is_pulled() -> Result<()> {
    let region = Region::up()?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    let customer = Legs::new(&region, &cloud, LOCATIONS, config)?;
    customer.await_both(&region)?;
    let (fibres, host) = (&customer.fibres, cloud.host.netns.as_str());
    let router = fibres[0].netns.as_str();
    let office = region.office(&fibres[0], LAN)?;
    await_reach(&office, cloud.host.address)?;
    ensure!(sends_to(host)? == VTEPS[0], "the customer prefers PAR1");

    // What is announced at PAR4 alone is reached through PAR1, which the host sends to.
    run(&["ip", "-n", router, "address", "add", &format!("{BRANCHS}/32"), "dev", "lo"])?;
    run(&["ip", "-n", router, "link", "set", "lo", "up"])?;
    mute(router, BRANCHS)?;
    clock::until("a ping at the branch", SOON, || {
        ensure!(!crate::fixture::reaches(host, BRANCHS)?, "nobody answers there");
        Ok((counted(router)? > 0).then_some(()))
    })?;
    ensure!(sends_to(host)? == VTEPS[0]);
    unmute(router)?;

    let ways =
        [("office to host", (&*office, cloud.host.address)), ("host to office", (host, OFFICE))];
    for (name, way) in ways {
        through(&format!("{name}, PAR1 pulled"), way, || region.pull(&fibres[0]))?;
        region.await_connection(&fibres[0], "down")?;
        through(&format!("{name}, PAR1 plugged"), way, || plug(&region, fibres, 0))?;
        customer.await_both(&region)?;
        through(&format!("{name}, PAR4 pulled"), way, || region.pull(&fibres[1]))?;
        through(&format!("{name}, PAR4 plugged"), way, || plug(&region, fibres, 1))?;
        customer.await_both(&region)?;
    }

    // Light stays, the session goes.
    let leg0 = |verb| customer.bird.ask(&[verb, "leg0"]).map(drop);
    through("host to office, session shut", ways[1].1, || leg0("disable"))?;
    leg0("enable")?;
    customer.await_both(&region)?;

    // A host that hears nothing keeps sending to PAR1, which has nobody any more.
    await_reach(&office, cloud.host.address)?;
    mute(&office, OFFICE)?;
    let mut pings = ping(host, OFFICE, 6)?;
    region.pull(&fibres[0])?;
    ensure!(pings.0.try_wait()?.is_none(), "it took longer than the pings");
    let (sent, _) = pings.longest_gap()?;
    let lost = sent.saturating_sub(counted(&office)?);
    eprintln!("host to a silent office, PAR1 pulled: {lost} of {sent} lost, 10 ms each");
    ensure!(lost < 100, "{lost} of {sent} lost");
    ensure!(sends_to(host)? == VTEPS[0], "they were relayed");
    Ok(())
}

/// Its machine, with all that ends there.
fn lose_router(region: &Region, router: &str) -> Result<()> {
    let netns = region.lab.name.router(&router.parse()?);
    let said = run(&["ip", "-n", &netns, "-o", "link", "show", "type", "veth"])?;
    let links = said.lines().filter_map(|line| line.split(": ").nth(1)?.split('@').next());
    let down: String = links.map(|link| format!("ip -n {netns} link set {link} down\n")).collect();
    region.kill(&format!("agent-{router}"))?;
    run(&["sh", "-ec", &down]).map(drop)
}

#[test]
fn when_a_whole_router_is_lost_the_other_locations_calls_its_hosts() -> Result<()> {
    let region = Region::up_in(&[("DIRECTLINK_BFD_INTERVAL_MILLISECONDS", "50")], &[])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    let customer = Legs::new(&region, &cloud, LOCATIONS, watched_legs)?;
    customer.await_both(&region)?;
    customer.bird.await_bfd(2, "0.150")?;
    let host = cloud.host.netns.as_str();
    let office = region.office(&customer.fibres[0], LAN)?;
    await_reach(&office, cloud.host.address)?;
    ensure!(sends_to(host)? == VTEPS[0], "the customer prefers PAR1");

    // The host hears nothing of the customer's: nobody else tells it where to send.
    mute(&office, OFFICE)?;
    let pings = ping(host, OFFICE, 6)?;
    clock::until("pings at the office", SOON, || Ok((counted(&office)? > 20).then_some(())))?;
    lose_router(&region, "par1-r1")?;
    let (sent, _) = pings.longest_gap()?;
    let lost = sent.saturating_sub(counted(&office)?);
    eprintln!("host to a silent office, PAR1's router lost: {lost} of {sent} lost, 10 ms each");
    ensure!(lost < 100, "{lost} of {sent} lost");
    ensure!(sends_to(host)? == VTEPS[1], "it was called");
    run(&["ip", "netns", "exec", &office, "nft", "delete table ip mute"])?;
    await_reach(&office, cloud.host.address)?;
    await_reach(host, OFFICE)
}
