//! A router is drained before somebody works on it, and used again afterwards, under a flow of a
//! thousand packets a second each way: none is lost, and BGP stays up.
//!
//! ```text
//!                        ╔═ leg0 ══ PAR1, par1-r1, drained ═╗
//!  office ═ lan0 router ═╣                                  ╠═ fabric ═ host
//!                        ╚═ leg1 ══ PAR4, par4-r1 ══════════╝
//! ```
//!
//! Both kinds of customer: one whose router heeds a longer AS_PATH, and one who prefers PAR1 whatever
//! it says, and is moved by the withdrawal alone.

use crate::{
    fixture::{ASN, Cloud, Interface, Region, SOON, await_reach, run},
    legs::Legs,
    stream::{End, Stream},
};
use anyhow::{Context as _, Result, bail, ensure};
use directlink_lab::clock;
use serde_json::Value;
use std::{net::Ipv4Addr, time::Duration};

pub(crate) const LAN: &str = "192.168.10.0/24";
const OFFICE: Ipv4Addr = Ipv4Addr::new(192, 168, 10, 2);
const EACH: Duration = Duration::from_millis(1);

/// One BIRD with a session on each leg.
fn config(interfaces: &[Interface], asn: u32, prefers_first: bool) -> String {
    let session = |(n, interface): (usize, &Interface)| {
        let (own, router) = (interface.customer.addr(), interface.router.addr());
        let preference = if prefers_first && n == 0 { 200 } else { 100 };
        format!(
            "protocol bgp leg{n} {{\n  local {own} as {ASN};\n  neighbor {router} as {asn};\n  \
             interface \"leg{n}\";\n  check link yes;\n  strict bind yes;\n  hold time 9;\n  \
             connect delay time 1;\n  connect retry time 2;\n  error wait time 1, 4;\n  \
             default bgp_local_pref {preference};\n  \
             ipv4 {{ import all; export where source = RTS_STATIC; }};\n}}\n"
        )
    };
    let sessions: String = interfaces.iter().enumerate().map(session).collect();
    format!(
        "router id {};\nlog stderr all;\nprotocol device {{ scan time 1; }}\n\
         protocol static announced {{ ipv4; route {LAN} unreachable; }}\n\
         protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}\n{sessions}",
        interfaces[0].customer.addr()
    )
}

/// A customer with a leg to each location, and traffic through both.
pub(crate) struct Road {
    pub(crate) region: Region,
    pub(crate) cloud: Cloud,
    pub(crate) customer: Legs,
    pub(crate) office: String,
}

impl Road {
    pub(crate) fn new(prefers_first: bool, arguments: &[&str]) -> Result<Self> {
        let region = Region::up_with(arguments)?;
        let cloud = region.cloud(0, "10.7.0.0/16")?;
        region.admit(&cloud, LAN)?;
        let config = |interfaces: &[Interface], asn| config(interfaces, asn, prefers_first);
        let customer = Legs::new(&region, &cloud, ["PAR1", "PAR4"], config)?;
        customer.await_both(&region)?;
        let office = region.office(&customer.fibres[0], LAN)?;
        await_reach(&office, cloud.host.address)?;
        Ok(Self { region, cloud, customer, office })
    }

    /// `directlink …`, as the operator types it.
    pub(crate) fn operator(&self, words: &[&str]) -> Result<String> {
        let state = self.region.dir.to_str().context("a path")?;
        let command = [env!("CARGO_BIN_EXE_directlink")];
        run(&[&command, words, &["--state", state][..]].concat())
    }

    /// Of the host and the office, a packet each millisecond.
    pub(crate) fn stream(&self) -> Result<Stream> {
        let host = &self.cloud.host;
        let host = End { netns: host.netns.clone(), address: host.address.into() };
        let office = End { netns: self.office.clone(), address: OFFICE.into() };
        Stream::start([&host, &office], EACH)
    }

    /// Of a leg, both ways, in the customer's router.
    fn packets(&self, leg: &str) -> Result<u64> {
        let netns = &self.customer.fibres[0].netns;
        let said = run(&["ip", "-n", netns, "-j", "-s", "link", "show", "dev", leg])?;
        let links: Value = serde_json::from_str(&said)?;
        let count = |way: &str| links[0]["stats64"][way]["packets"].as_u64();
        count("rx").zip(count("tx")).map(|(rx, tx)| rx + tx).context(said)
    }

    /// The flow, both ways of it, is on this leg.
    pub(crate) fn await_flow_on(&self, leg: &str, stream: &Stream) -> Result<()> {
        clock::until(&format!("the flow to be on {leg}"), SOON, || {
            let (packets, heard) = (self.packets(leg)?, stream.heard());
            clock::until("more of the flow", SOON, || {
                Ok((stream.heard() >= heard + 200).then_some(()))
            })?;
            Ok((self.packets(leg)? >= packets + 380).then_some(()))
        })
    }

    /// The customer's best way to the Net.
    pub(crate) fn way(&self) -> Result<String> {
        self.customer.bird.ask(&["show", "route", &self.cloud.range, "all"])
    }
}

fn no_packet_is_lost(prefers_first: bool) -> Result<()> {
    let road = Road::new(prefers_first, &[])?;
    let stream = road.stream()?;
    road.await_flow_on("leg0", &stream)?;

    let what = ["router", "par1-r1"];
    let dry =
        road.operator(&[&["drain"], &what[..], &["--dry-run", "--output", "json"]].concat())?;
    let dry: Value = serde_json::from_str(&dry)?;
    ensure!(dry["effect"][0]["dark"] == false, "{dry}");
    let waiting = ["--at-most", "12s", "--wait", "--timeout", "90s", "--output", "json"];
    let drained = road.operator(&[&["drain"], &what[..], &waiting].concat())?;
    let took = stream.elapsed();
    let drained: Value = serde_json::from_str(&drained)?;
    ensure!(drained["interfaces"][0]["phase"] == "drained", "{drained}");
    let way = road.way()?;
    ensure!(!way.contains("leg0") && way.contains("leg1"), "withdrawn from leg0: {way}");
    road.customer.await_both(&road.region).context("BGP stays up")?;
    road.await_flow_on("leg1", &stream)?;
    let before = road.packets("leg0")?;
    road.await_flow_on("leg1", &stream)?;
    let stray = road.packets("leg0")? - before;
    ensure!(stray < 50, "{stray} packets on the drained leg");

    let Err(refused) = road.operator(&["drain", "location", "PAR4"]) else {
        bail!("the last way was drained");
    };
    ensure!(format!("{refused:#}").contains("last way from vpc-"), "{refused:#}");

    road.operator(&[&["undrain"], &what[..], &["--wait", "--timeout", "60s"]].concat())?;
    road.await_flow_on("leg0", &stream)?;
    road.customer.await_both(&road.region)?;
    eprintln!("drained after {took:?}");
    for (direction, heard) in ["to the office", "to the host"].iter().zip(stream.finish(1)?) {
        eprintln!("{direction}: {} sent, longest gap {:?}", heard.sent, heard.longest_gap());
        ensure!(heard.lost() == 0, "{direction}: {} of {} lost", heard.lost(), heard.sent);
    }
    Ok(())
}

#[test]
fn a_router_that_is_drained_and_used_again_loses_no_packet() -> Result<()> {
    no_packet_is_lost(false)
}

#[test]
fn a_customer_who_takes_no_hint_loses_no_packet_either() -> Result<()> {
    no_packet_is_lost(true)
}
