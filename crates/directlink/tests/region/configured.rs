//! The configuration that is written for the customer's router, loaded by that router: up at the first
//! try, with MD5, both families or IPv6 alone, and BFD where the software has it.

use crate::fixture::{ASN, BGP_SOON, Cloud, Fibre, Region, await_reach, reaches, run, text};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{
    clock,
    customer::{Brand, Router},
    netns,
};
use directlink_model::router_config::{Intent, Session, Software, configuration};
use directlink_net::{IpNet, PeerAddresses, RegionAsn};
use serde_json::{Value, json};
use std::{fs, net::Ipv4Addr};

const LAN: &str = "192.168.10.0/24";
const LAN6: &str = "2001:db8:9::/64";
const KEYS: [&str; 2] = ["k3y", "6ix26"];

/// With a key for each of its peers.
fn intent(region: &Region, cloud: &Cloud, interface: &Value, keys: &[&str]) -> Result<Intent> {
    let of = |peer: &Value, key: &str| -> Result<Session> {
        let [router, customer] = ["amazonAddress", "customerAddress"].map(|it| text(peer, it));
        let (router, customer): (IpNet, IpNet) = (router.parse()?, customer.parse()?);
        Ok(Session { peer: PeerAddresses::new(router, customer)?, key: Some(key.try_into()?) })
    };
    let peers = interface["bgpPeers"].as_array().context("peers")?;
    Ok(Intent {
        id: text(interface, "virtualInterfaceId").parse()?,
        vlan: 101_u16.try_into()?,
        mtu: 1500_i64.try_into()?,
        customer_asn: ASN.try_into()?,
        region_asn: RegionAsn(region.lab.running.asn.try_into()?),
        sessions: peers.iter().zip(keys).map(|(peer, key)| of(peer, key)).collect::<Result<_>>()?,
        announce: vec![LAN.parse()?, LAN6.parse()?],
        accept: vec!["10.7.0.0/16".parse()?, IpNet::new(cloud.host.ipv6.into(), 48)?.trunc()],
        bfd: true,
        port: None,
    })
}

/// What a comment of the text says to do on Linux, but for the VLAN, which the lab's cable has made.
fn do_as_told(netns: &str, text: &str, begins: &str) -> Result<()> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# "));
    for line in lines.filter(|line| line.starts_with(begins)) {
        let words: Vec<_> =
            ["ip", "netns", "exec", netns].into_iter().chain(line.split(' ')).collect();
        run(&words)?;
    }
    Ok(())
}

/// The LAN behind it, and the VLAN's device by the name that the text has. The LAN's computer.
fn furnish(region: &Region, fibre: &Fibre) -> Result<String> {
    let office = region.office(fibre, LAN)?;
    let ip = |words: &str| {
        let words = ["ip", "-n", &fibre.netns].into_iter().chain(words.split(' '));
        run(&words.collect::<Vec<_>>()).map(drop)
    };
    ip("address add 2001:db8:9::1/64 dev lan0 nodad")?;
    ip("link set vlan101 down")?;
    ip("link set vlan101 name eth0.101")?;
    ip("link set eth0.101 up")?;
    netns::within(&fibre.netns, || {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("ip_forward")?;
        fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").context("forwarding")
    })?;
    Ok(office)
}

fn sessions(region: &Region, interface: &str) -> Result<Vec<[String; 2]>> {
    let input = json!({ "virtualInterfaceId": interface });
    let list = region.overture(0, "DescribeVirtualInterfaces", input)?;
    let peers = list["virtualInterfaces"][0]["bgpPeers"].as_array().context("peers")?.clone();
    Ok(peers.iter().map(|peer| ["addressFamily", "bgpStatus"].map(|m| text(peer, m))).collect())
}

/// Of both peers, as the router has it.
fn bfd(region: &Region, interface: &str) -> Result<Vec<String>> {
    let state = region.dir.display().to_string();
    let words = ["glass", interface, "--state", &state, "--output", "json"];
    let told = run(&[&[env!("CARGO_BIN_EXE_directlink")], &words[..]].concat())?;
    let told: Value = serde_json::from_str(&told)?;
    let peers = told["peers"].as_array().cloned().unwrap_or_default();
    Ok(peers.iter().map(|peer| text(&peer["session"]["bfd"], "state")).collect())
}

fn comes_up(brand: Brand, software: Software) -> Result<()> {
    let region = Region::up()?;
    let fibre = region.fibre(0, "PAR1", &[101])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    let interface = region.interface(&fibre, &cloud, 101, Some(KEYS[0]))?;
    let new = json!({ "virtualInterfaceId": interface.id,
        "newBGPPeer": { "asn": ASN, "authKey": KEYS[1], "addressFamily": "ipv6" } });
    let made = region.overture(0, "CreateBGPPeer", new)?["virtualInterface"].take();
    furnish(&region, &fibre)?;
    let written = configuration(software, &intent(&region, &cloud, &made, &KEYS)?);
    do_as_told(&fibre.netns, &written, "ip address add ")?;
    let place = ("configured", fibre.netns.as_str());
    let router = interface.router.addr();
    let _router = Router::start_with(&region.lab.name, place, brand, &written, router)?;
    do_as_told(&fibre.netns, &written, "gobgp ")?;
    clock::until("both sessions", BGP_SOON, || {
        let both = ["ipv4", "ipv6"].map(|family| [family.to_owned(), "up".to_owned()]);
        Ok((sessions(&region, &interface.id)? == both).then_some(()))
    })?;
    let input = json!({ "virtualInterfaceId": interface.id,
        "filters": { "routeDirection": "accepted" } });
    clock::until("what is announced", BGP_SOON, || {
        let list = region.overture(0, "ListVirtualInterfaceRoutes", input.clone())?;
        let routes = list["routes"].as_array().cloned().unwrap_or_default();
        let cidrs: Vec<_> = routes.iter().map(|route| text(route, "cidr")).collect();
        Ok((cidrs == [LAN, LAN6]).then_some(()))
    })?;
    if brand == Brand::Gobgp {
        ensure!(written.contains("GoBGP has no BFD"));
        return Ok(());
    }
    clock::until("BFD of both", BGP_SOON, || {
        Ok((bfd(&region, &interface.id)? == ["Up", "Up"]).then_some(()))
    })
}

#[test]
fn bird_comes_up_with_what_is_written_for_it() -> Result<()> {
    comes_up(Brand::Bird, Software::Bird)
}

#[test]
fn frr_comes_up_with_what_is_written_for_it() -> Result<()> {
    comes_up(Brand::Frr, Software::Frr)
}

#[test]
fn gobgp_comes_up_with_what_is_written_for_it() -> Result<()> {
    comes_up(Brand::Gobgp, Software::GoBgp)
}

/// An interface that speaks IPv6 alone, asked for as AWS has it.
fn of_ipv6(region: &Region, fibre: &Fibre, cloud: &Cloud) -> Result<Value> {
    let new = json!({ "virtualInterfaceName": "six", "vlan": 101, "asn": ASN, "authKey": KEYS[1],
        "addressFamily": "ipv6", "virtualGatewayId": cloud.gateway });
    let asked = json!({ "connectionId": fibre.connection, "newPrivateVirtualInterface": new });
    region.overture(0, "CreatePrivateVirtualInterface", asked)
}

/// What a customer sends of a family that the interface has no peer of.
fn ipv4_goes_nowhere(fibre: &Fibre, cloud: &Cloud) -> Result<()> {
    let ip = |words: &str| {
        run(&["ip", "-n", &fibre.netns].into_iter().chain(words.split(' ')).collect::<Vec<_>>())
    };
    ip("address add 169.254.1.2/30 dev eth0.101")?;
    ip("route add 10.7.0.0/16 via 169.254.1.1")?;
    ensure!(!reaches(&fibre.netns, "169.254.1.1".parse::<Ipv4Addr>()?)?, "nobody has that address");
    ensure!(!reaches(&fibre.netns, cloud.host.address)?, "no session has IPv4");
    Ok(())
}

/// What the API writes for that router, with the customer's prefix where it says so.
fn written_for(region: &Region, router_type: &str, id: &str) -> Result<String> {
    let input = json!({ "virtualInterfaceId": id, "routerTypeIdentifier": router_type });
    let told = region.overture(0, "DescribeRouterConfiguration", input)?;
    let xml = text(&told, "customerRouterConfig");
    let (_, rest) = xml.split_once("<![CDATA[\n").context("a configuration")?;
    let (written, _) = rest.split_once("]]>").context("its end")?;
    Ok(written.replace("2001:db8::/32", LAN6))
}

fn works_alone(brand: Brand, router_type: &str) -> Result<()> {
    let region = Region::up()?;
    let fibre = region.fibre(0, "PAR1", &[101])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    region.admit(&cloud, LAN6)?;
    let made = of_ipv6(&region, &fibre, &cloud)?;
    let (id, peer) = (text(&made, "virtualInterfaceId"), &made["bgpPeers"][0]);
    let office = furnish(&region, &fibre)?;
    for words in
        ["address add 2001:db8:9::2/64 dev eth0 nodad", "route add default via 2001:db8:9::1"]
    {
        run(&["ip", "-n", &office].into_iter().chain(words.split(' ')).collect::<Vec<_>>())?;
    }
    let written = written_for(&region, router_type, &id)?;
    do_as_told(&fibre.netns, &written, "ip address add ")?;
    let router = text(peer, "amazonAddress").parse::<IpNet>()?.addr();
    let place = ("alone", fibre.netns.as_str());
    let customer = Router::start_with(&region.lab.name, place, brand, &written, router)?;
    do_as_told(&fibre.netns, &written, "gobgp ")?;
    clock::until("the interface to work", BGP_SOON, || {
        let input = json!({ "virtualInterfaceId": id });
        let list = region.overture(0, "DescribeVirtualInterfaces", input)?;
        let state = text(&list["virtualInterfaces"][0], "virtualInterfaceState");
        Ok((state == "available").then_some(()))
    })?;
    ensure!(sessions(&region, &id)? == [["ipv6", "up"].map(str::to_owned)]);
    // BIRD is asked by the name that the lab gives to a session of its own.
    if brand != Brand::Bird {
        ensure!(customer.is_established()?, "the customer's router says otherwise");
    }
    let told = region.directlink_of(&["diagnose", &id])?;
    let rungs = told["diagnosis"]["rungs"].as_array().context("rungs")?;
    ensure!(rungs.iter().all(|rung| rung["outcome"] == "passed"), "{told}");
    // GoBGP leaves the kernel's table to others.
    if brand != Brand::Gobgp {
        await_reach(&office, cloud.host.ipv6)?;
    }
    ipv4_goes_nowhere(&fibre, &cloud)
}

#[test]
fn bird_works_over_ipv6_alone() -> Result<()> {
    works_alone(Brand::Bird, "BIRD-Linux-BIRD2")
}

#[test]
fn frr_works_over_ipv6_alone() -> Result<()> {
    works_alone(Brand::Frr, "FRRouting-Linux-FRR8")
}

#[test]
fn gobgp_works_over_ipv6_alone() -> Result<()> {
    works_alone(Brand::Gobgp, "GoBGP-Linux-GoBGP3")
}
