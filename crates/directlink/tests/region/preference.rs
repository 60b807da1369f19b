//! One customer's router with a cable to each of two locations, which says by communities which one
//! packets shall come by: all of them do, of IPv4 and of IPv6, whichever router the Net's hosts send to.
//!
//! ```text
//!                        ╔═ leg0, 7224:7100 (low) ═══ PAR1 ◄─ the host sends here
//!  office ═ lan0 router ═╣                              │ relayed
//!                        ╚═ leg1, 7224:7300 (high) ══ PAR4
//! ```

use crate::{
    bird::Bird,
    fixture::{ASN, Interface, Region, SOON, await_reach, run},
    legs::{Legs, plug},
    locations::{OFFICE, VTEPS, ping, sends_to},
};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{clock, netns};
use serde_json::{Value, json};
use std::{
    fs,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

const LAN: &str = "192.168.10.0/24";
const LAN6: &str = "2001:db8:9::/48";
const OFFICE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 2);

/// BIRD sends by PAR1, and wants to be sent to by PAR4.
fn config(interfaces: &[Interface], asn: u32) -> String {
    let ends = interfaces.iter().map(|it| (it.customer.addr().into(), it.router.addr().into()));
    config_of(("ipv4", LAN), &ends.collect::<Vec<_>>(), asn)
}

fn config_of((family, lan): (&str, &str), ends: &[(IpAddr, IpAddr)], asn: u32) -> String {
    let session = |(n, (own, router)): (usize, &(IpAddr, IpAddr))| {
        let (preference, community) = if n == 0 { (200, 7100) } else { (100, 7300) };
        format!(
            "protocol bgp leg{n} {{\n  local {own} as {ASN};\n  neighbor {router} as {asn};\n  \
             interface \"leg{n}\";\n  check link yes;\n  strict bind yes;\n  hold time 9;\n  \
             connect delay time 1;\n  connect retry time 2;\n  error wait time 1, 4;\n  \
             default bgp_local_pref {preference};\n  {family} {{ import all; export filter {{ \
             if source != RTS_STATIC then reject; bgp_community.add((7224,{community})); accept; \
             }}; }};\n}}\n"
        )
    };
    let sessions: String = ends.iter().enumerate().map(session).collect();
    format!(
        "router id 192.168.10.1;\nlog stderr all;\nprotocol device {{ scan time 1; }}\n\
         protocol static announced {{\n  {family};\n  route {lan} unreachable;\n}}\n\
         protocol kernel {{ {family} {{ import none; export where source = RTS_BGP; }}; }}\n{sessions}"
    )
}

/// A peer of IPv6 on each leg, and the customer's daemon for them.
fn with_ipv6(region: &Region, customer: &Legs, office: &str) -> Result<Bird> {
    let netns = customer.fibres[0].netns.as_str();
    let address = |netns: &str, address: &str, link: &str| {
        run(&["ip", "-n", netns, "address", "add", address, "dev", link, "nodad"])
    };
    netns::within(netns, || {
        fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").context("forwarding")
    })?;
    let mut ends = Vec::new();
    for (n, interface) in customer.interfaces.iter().enumerate() {
        let [router, own] = [1, 2].map(|end| format!("fd77::{n}:{end}"));
        let peer = json!({ "asn": ASN, "addressFamily": "ipv6",
            "amazonAddress": format!("{router}/125"), "customerAddress": format!("{own}/125") });
        let new = json!({ "virtualInterfaceId": interface.id, "newBGPPeer": peer });
        region.overture(0, "CreateBGPPeer", new)?;
        address(netns, &format!("{own}/125"), &format!("leg{n}"))?;
        ends.push((own.parse()?, router.parse()?));
    }
    address(netns, "2001:db8:9::1/64", "lan0")?;
    address(office, &format!("{OFFICE6}/64"), "eth0")?;
    run(&["ip", "-n", office, "route", "add", "default", "via", "2001:db8:9::1"])?;
    let config = config_of(("ipv6", LAN6), &ends, region.lab.running.asn);
    let bird = Bird::start(&region.dir, "two-legs-of-ipv6", netns, &config)?;
    bird.await_sessions(ends.len())?;
    Ok(bird)
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

/// Two hundred pings of the host, and by which leg they came. BGP, ARP and ND are few.
fn share(customer: &Legs, host: &str, to: IpAddr) -> Result<[u64; 2]> {
    let before = came(customer)?;
    ping(host, to, 2)?.longest_gap()?;
    let after = came(customer)?;
    Ok([after[0] - before[0], after[1] - before[1]])
}

#[test]
fn packets_come_by_the_location_that_the_customer_prefers_and_by_the_other_when_it_is_lost()
-> Result<()> {
    let region = Region::up()?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    region.admit(&cloud, LAN6)?;
    // Unasked for, a host may send to IPv4 alone.
    let to_office = json!({ "SecurityGroupId": cloud.group, "Flow": "Outbound",
        "IpProtocol": "-1", "IpRange": LAN6 });
    region.call(0, "CreateSecurityGroupRule", to_office)?;
    let customer = Legs::new(&region, &cloud, ["PAR1", "PAR4"], config)?;
    customer.await_both(&region)?;
    let host = cloud.host.netns.as_str();
    let office = region.office(&customer.fibres[0], LAN)?;
    let bird6 = with_ipv6(&region, &customer, &office)?;
    await_reach(&office, cloud.host.address)?;
    await_reach(&office, cloud.host.ipv6)?;

    let by_preferred = |when: &str| {
        [OFFICE.into(), OFFICE6.into()].into_iter().try_for_each(|to: IpAddr| {
            clock::until(&format!("all to {to} to come by PAR4, {when}"), SOON * 2, || {
                let [low, high] = share(&customer, host, to)?;
                eprintln!("{when}, {to}: {low} by PAR1 (7224:7100), {high} by PAR4 (7224:7300)");
                Ok((high >= 200 && low < 20).then_some(()))
            })
        })
    };
    by_preferred("both up")?;
    ensure!(sends_to(host)? == VTEPS[0], "the host hears from PAR1, and sends there");

    // The preferred cable is pulled while no server is there to say so.
    region.kill("server")?;
    let pings = [ping(host, OFFICE, 4)?, ping(host, OFFICE6, 4)?];
    let before = came(&customer)?;
    region.pull(&customer.fibres[1])?;
    for (pings, family) in pings.into_iter().zip(["IPv4", "IPv6"]) {
        let (sent, gap) = pings.longest_gap()?;
        eprintln!("the preferred cable pulled, no server, {family}: of {sent} none for {gap:?}");
        ensure!(gap < Duration::from_millis(500), "{family}: {gap:?} without an answer");
    }
    let after = came(&customer)?;
    ensure!(after[0] - before[0] > 200, "they came by PAR1");

    region.directlink("up", &[])?;
    plug(&region, &customer.fibres, 1)?;
    customer.await_both(&region)?;
    bird6.await_sessions(2)?;
    by_preferred("plugged again")
}
