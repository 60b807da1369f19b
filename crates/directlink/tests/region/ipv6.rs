//! IPv6 beside IPv4: a second peer of the other family, a host of the Net, and its rules.

use crate::{
    bird::Bird,
    fixture::{
        ASN, BGP_SOON, Cloud, Fibre, Interface, Region, SOON, await_reach, reaches, run, text,
    },
    kills::DETECTION_TIME,
};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{
    clock::{self, Stopwatch},
    customer::{Brand, Router},
    netns, page,
};
use serde_json::{Value, json};
use std::{fs, time::Duration};

const LAN: &str = "192.168.10.0/24";
const LAN6: &str = "2001:db8:9::/48";
const KEY6: &str = "6ix26";

/// A customer with a session of each family on one VLAN, and an office behind.
struct Road {
    region: Region,
    fibre: Fibre,
    cloud: Cloud,
    interface: Interface,
    office: String,
    _router: Router,
    bird6: Bird,
}

/// The customer's second daemon, which speaks IPv6 alone.
fn config(region: &Region, peer: &Value) -> String {
    let bare = |member: &str| {
        let text = text(peer, member);
        text.split('/').next().unwrap_or_default().to_owned()
    };
    let (own, router) = (bare("customerAddress"), bare("amazonAddress"));
    format!(
        "router id 192.168.10.1;\n\
         protocol device {{ scan time 1; }}\n\
         protocol bfd {{ }}\n\
         protocol static {{ ipv6; route {LAN6} unreachable; }}\n\
         protocol kernel {{ ipv6 {{ export where source = RTS_BGP; }}; }}\n\
         protocol bgp directlink {{\n\
         \x20 local {own} as {ASN};\n\
         \x20 neighbor {router} as {};\n\
         \x20 password \"{KEY6}\";\n\
         \x20 bfd on;\n\
         \x20 hold time 9; connect delay time 1; connect retry time 2; error wait time 1, 4;\n\
         \x20 ipv6 {{ import all; export where source = RTS_STATIC; }};\n}}\n",
        region.lab.running.asn
    )
}

/// Each peer's family and session.
fn sessions(region: &Region, interface: &str) -> Result<Vec<[String; 2]>> {
    let input = json!({ "virtualInterfaceId": interface });
    let list = region.overture(0, "DescribeVirtualInterfaces", input)?;
    let peers = list["virtualInterfaces"][0]["bgpPeers"].as_array().context("peers")?.clone();
    Ok(peers.iter().map(|peer| ["addressFamily", "bgpStatus"].map(|m| text(peer, m))).collect())
}

fn road() -> Result<Road> {
    let region = Region::up()?;
    let fibre = region.fibre(0, "PAR1", &[101])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    let interface = region.interface(&fibre, &cloud, 101, Some("k3y"))?;
    let new = json!({ "virtualInterfaceId": interface.id,
        "newBGPPeer": { "asn": ASN, "authKey": KEY6, "addressFamily": "ipv6" } });
    let made = region.overture(0, "CreateBGPPeer", new)?["virtualInterface"].take();
    let peer = &made["bgpPeers"][1];
    ensure!(text(peer, "customerAddress").ends_with("/125"), "{made}");
    let office = region.office(&fibre, LAN)?;
    let session = region.session(&interface, Some("k3y"), LAN)?;
    let router = region.router(&fibre, Brand::Bird, &session)?;
    let ip = |netns: &str, words: &str| {
        run(&["ip", "-n", netns].into_iter().chain(words.split(' ')).collect::<Vec<_>>())
    };
    ip(&fibre.netns, &format!("address add {} dev vlan101 nodad", text(peer, "customerAddress")))?;
    ip(&fibre.netns, "address add 2001:db8:9::1/64 dev lan0 nodad")?;
    ip(&office, "address add 2001:db8:9::2/64 dev eth0 nodad")?;
    ip(&office, "route add default via 2001:db8:9::1")?;
    netns::within(&fibre.netns, || {
        fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").context("forwarding")
    })?;
    let bird6 = Bird::start(&region.dir, "bird6", &fibre.netns, &config(&region, peer))?;
    clock::until("both sessions", BGP_SOON, || {
        let both = ["ipv4", "ipv6"].map(|family| [family.to_owned(), "up".to_owned()]);
        Ok((sessions(&region, &interface.id)? == both).then_some(()))
    })?;
    Ok(Road { region, fibre, cloud, interface, office, _router: router, bird6 })
}

#[test]
fn ipv6_goes_from_an_office_to_a_host_once_rules_admit_it_and_ipv4_goes_on() -> Result<()> {
    let Road { region, cloud, interface, office, .. } = &road()?;
    let host = &cloud.host;
    await_reach(office, host.address)?;
    ensure!(!reaches(office, host.ipv6)?, "no rule of IPv6 admits it");
    region.admit(cloud, LAN6)?;
    await_reach(office, host.ipv6)?;
    page::serve(&host.netns, host.ipv6, "over six")?;
    ensure!(page::fetch(office, host.ipv6, Duration::from_secs(5))? == "over six");
    ensure!(reaches(office, host.address)?);
    let input = json!({ "virtualInterfaceId": interface.id,
        "filters": { "addressFamily": "ipv6", "routeDirection": "accepted" } });
    let list = region.overture(0, "ListVirtualInterfaceRoutes", input)?;
    ensure!(text(&list["routes"][0], "cidr") == LAN6, "{list}");
    Ok(())
}

/// Whether BIRD's BFD session is up, and since when.
fn bfd(bird: &Bird) -> Result<Option<String>> {
    let said = bird.ask(&["show", "bfd", "sessions"])?;
    let line = said.lines().find(|line| line.split_whitespace().nth(2) == Some("Up"));
    Ok(line.map(|line| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ")))
}

#[test]
fn a_killed_agent_is_not_noticed_by_bfd_over_ipv6() -> Result<()> {
    let road = road()?;
    let Road { region, fibre, cloud, office, bird6, .. } = &road;
    region.admit(cloud, LAN6)?;
    await_reach(office, cloud.host.ipv6)?;
    let up = clock::until("BFD to be up", SOON, || bfd(bird6))?;
    // BFD's first packets are slow (RFC 5880 §6.8.3).
    bird6.await_bfd(1, "0.900")?;
    let after_three = |when: &str| {
        let watch = Stopwatch::start();
        clock::until("three detection times", SOON, || {
            Ok((watch.elapsed() > DETECTION_TIME * 3).then_some(()))
        })?;
        ensure!(bfd(bird6)?.as_ref() == Some(&up), "BFD failed {when}: {:?}", bfd(bird6)?);
        ensure!(reaches(office, cloud.host.ipv6)?, "{when}");
        Ok(())
    };
    let agent = format!("agent-{}", fibre.port.split('/').next().unwrap_or_default());
    region.kill(&agent)?;
    after_three("while the agent was away")?;
    region.directlink("up", &[])?;
    region.await_interface(0, &road.interface, "available")?;
    after_three("when it came back")
}
