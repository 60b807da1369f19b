//! One customer's router with a cable to each of two locations, which says by communities which one
//! packets shall come by: all of them do, whichever router the Net's hosts send to.
//!
//! ```text
//!                        ╔═ leg0, 7224:7100 (low) ═══ PAR1 ◄─ the host sends here
//!  office ═ lan0 router ═╣                              │ relayed
//!                        ╚═ leg1, 7224:7300 (high) ══ PAR4
//! ```

use crate::{
    fixture::{ASN, Interface, Region, SOON, await_reach, run},
    legs::{Legs, plug},
    locations::{OFFICE, VTEPS, ping, sends_to},
};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::clock;
use serde_json::Value;
use std::time::Duration;

const LAN: &str = "192.168.10.0/24";

/// BIRD sends by PAR1, and wants to be sent to by PAR4.
fn config(interfaces: &[Interface], asn: u32) -> String {
    let session = |(n, interface): (usize, &Interface)| {
        let (own, router) = (interface.customer.addr(), interface.router.addr());
        let (preference, community) = if n == 0 { (200, 7100) } else { (100, 7300) };
        format!(
            "protocol bgp leg{n} {{\n  local {own} as {ASN};\n  neighbor {router} as {asn};\n  \
             interface \"leg{n}\";\n  check link yes;\n  strict bind yes;\n  hold time 9;\n  \
             connect delay time 1;\n  connect retry time 2;\n  error wait time 1, 4;\n  \
             default bgp_local_pref {preference};\n  ipv4 {{ import all; export filter {{ \
             if source != RTS_STATIC then reject; bgp_community.add((7224,{community})); accept; \
             }}; }};\n}}\n"
        )
    };
    let sessions: String = interfaces.iter().enumerate().map(session).collect();
    format!(
        "router id {};\nlog stderr all;\nprotocol device {{ scan time 1; }}\n\
         protocol static announced {{\n  ipv4;\n  route {LAN} unreachable;\n}}\n\
         protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}\n{sessions}",
        interfaces[0].customer.addr()
    )
}

/// Packets that came in by each leg.
fn came(customer: &Legs) -> Result<[u64; 2]> {
    let netns = customer.fibres[0].netns.as_str();
    let said = run(&["ip", "-n", netns, "-j", "-s", "link", "show"])?;
    let links: Value = serde_json::from_str(&said)?;
    let of = |name: &str| {
        let link = links.as_array()?.iter().find(|link| link["ifname"] == name)?;
        link["stats64"]["rx"]["packets"].as_u64()
    };
    Ok([of("leg0").context("leg0")?, of("leg1").context("leg1")?])
}

/// Two hundred pings of the host, and by which leg they came. BGP and ARP are few.
fn share(customer: &Legs, host: &str) -> Result<[u64; 2]> {
    let before = came(customer)?;
    ping(host, OFFICE, 2)?.longest_gap()?;
    let after = came(customer)?;
    Ok([after[0] - before[0], after[1] - before[1]])
}

#[test]
fn packets_come_by_the_location_that_the_customer_prefers_and_by_the_other_when_it_is_lost()
-> Result<()> {
    let region = Region::up()?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    let customer = Legs::new(&region, &cloud, ["PAR1", "PAR4"], config)?;
    customer.await_both(&region)?;
    let host = cloud.host.netns.as_str();
    let office = region.office(&customer.fibres[0], LAN)?;
    await_reach(&office, cloud.host.address)?;

    let by_preferred = |when: &str| {
        clock::until(&format!("all to come by PAR4, {when}"), SOON * 2, || {
            let [low, high] = share(&customer, host)?;
            eprintln!("{when}: {low} packets by PAR1 (7224:7100), {high} by PAR4 (7224:7300)");
            Ok((high >= 200 && low < 20).then_some(()))
        })
    };
    by_preferred("both up")?;
    ensure!(sends_to(host)? == VTEPS[0], "the host hears from PAR1, and sends there");

    // The preferred cable is pulled while no server is there to say so.
    region.kill("server")?;
    let pings = ping(host, OFFICE, 4)?;
    let before = came(&customer)?;
    region.pull(&customer.fibres[1])?;
    let (sent, gap) = pings.longest_gap()?;
    let after = came(&customer)?;
    eprintln!("the preferred cable pulled, no server: of {sent} none was answered for {gap:?}");
    ensure!(gap < Duration::from_millis(500), "{gap:?} without an answer");
    ensure!(after[0] - before[0] > 100, "they came by PAR1");

    region.directlink("up", &[])?;
    plug(&region, &customer.fibres, 1)?;
    customer.await_both(&region)?;
    by_preferred("plugged again")
}
