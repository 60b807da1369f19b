//! A share of another's wire: the partner's fibre, the customer's VLAN, session and Net.

use crate::fixture::{Fibre, Host, Region, await_reach, reaches};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{customer::Brand, netns};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, copy, sink},
    process::{Command, Stdio},
    thread,
};

const OFFICE: &str = "192.168.10.0/24";
const KEY: &str = "tgyn26example";
const VLAN: u16 = 202;
const SHARE: f64 = 50e6;

/// A confirmed share of the fibre, which is its own fibre to the customer.
fn share(region: &Region, fibre: &Fibre, partner: usize, customer: usize) -> Result<Fibre> {
    let hosted = region.overture(
        partner,
        "AllocateHostedConnection",
        json!({
            "connectionId": fibre.connection, "ownerAccount": region.lab.described.accounts[customer].id,
            "bandwidth": "50Mbps", "connectionName": "a share", "vlan": VLAN,
        }),
    )?;
    let connection = hosted["connectionId"].as_str().unwrap_or_default().to_owned();
    let confirm = json!({ "connectionId": connection });
    let confirmed = region.overture(customer, "ConfirmConnection", confirm)?;
    ensure!(confirmed["connectionState"] == "available", "{confirmed}");
    let (port, netns) = (fibre.port.clone(), fibre.netns.clone());
    Ok(Fibre { account: customer, connection, port, netns })
}

#[test]
fn a_customer_of_a_hosted_connection_reaches_a_host_over_the_partners_fibre() -> Result<()> {
    let (partner, customer) = (0, 1);
    let region = Region::up()?;
    let fibre = region.fibre(partner, "PAR1", &[101, VLAN])?;
    let hosted = share(&region, &fibre, partner, customer)?;
    // Both have the same range and the same LAN: what is one's is not the other's.
    let clouds = [region.cloud(partner, "10.7.0.0/16")?, region.cloud(customer, "10.7.0.0/16")?];
    region.admit(&clouds[1], OFFICE)?;
    let own = region.interface(&fibre, &clouds[0], 101, None)?;
    let theirs = region.interface(&hosted, &clouds[1], VLAN, Some(KEY))?;
    let session = region.session(&theirs, Some(KEY), OFFICE)?;
    let router = region.router(&hosted, Brand::Bird, &session)?;
    region.await_interface(customer, &theirs, "available")?;
    ensure!(router.is_established()?);
    ensure!(region.interface_state(partner, &own)? == "pending", "nobody speaks on the partner's");
    let office = region.office(&hosted, OFFICE)?;
    await_reach(&office, clouds[1].host.address)?;
    region.pull(&fibre)?;
    for one in [&fibre, &hosted] {
        region.await_connection(one, "down")?;
    }
    ensure!(!reaches(&office, clouds[1].host.address)?);
    region.plug(&fibre, &[101, VLAN])?;
    region.await_interface(customer, &theirs, "available")?;
    await_reach(&office, clouds[1].host.address)
}

#[test]
fn a_share_that_moves_to_another_fibre_works_there_and_no_longer_here() -> Result<()> {
    let (partner, customer) = (0, 1);
    let region = Region::up()?;
    let (here, there) =
        (region.fibre(partner, "PAR1", &[VLAN])?, region.fibre(partner, "PAR1", &[VLAN])?);
    let hosted = share(&region, &here, partner, customer)?;
    let cloud = region.cloud(customer, "10.7.0.0/16")?;
    region.admit(&cloud, OFFICE)?;
    let interface = region.interface(&hosted, &cloud, VLAN, Some(KEY))?;
    let session = region.session(&interface, Some(KEY), OFFICE)?;
    let old = region.router(&here, Brand::Bird, &session)?;
    region.await_interface(customer, &interface, "available")?;
    let to = json!({ "connectionId": hosted.connection, "parentConnectionId": there.connection });
    region.overture(partner, "AssociateHostedConnection", to)?;
    ensure!(region.interface_state(customer, &interface)? == "pending");
    old.stop()?;
    let _new = region.router(&there, Brand::Bird, &session)?;
    region.await_interface(customer, &interface, "available")?;
    let office = region.office(&there, OFFICE)?;
    await_reach(&office, cloud.host.address)
}

/// What comes of three times the share for some seconds, in bits per second of whole frames on the
/// customer's wire. `way`: in iperf3's own words.
fn comes(office: &str, host: &Host, way: &[&str]) -> Result<f64> {
    const PAYLOAD: f64 = 1400.0;
    const FRAME: f64 = PAYLOAD + 8.0 + 20.0 + 18.0;
    let address = host.address.to_string();
    let mut server = netns::within(&host.netns, || {
        let words = ["-s", "-1", "-B", &address, "--forceflush"];
        Ok(Command::new("iperf3").args(words).stdout(Stdio::piped()).spawn()?)
    })?;
    let mut said = BufReader::new(server.stdout.take().context("what iperf3 says")?);
    let mut line = String::new();
    while !line.contains("listening") {
        line.clear();
        ensure!(said.read_line(&mut line)? > 0, "iperf3 does not listen");
    }
    let rest = thread::spawn(move || copy(&mut said, &mut sink()));
    let offered = (3.0 * SHARE).to_string();
    let output = netns::within(office, || {
        let words = ["-c", &address, "-u", "-b", &offered, "-l", "1400", "-t", "3", "-J"];
        Ok(Command::new("iperf3").args(words).args(way).output()?)
    })?;
    server.wait()?;
    rest.join().ok().context("iperf3's words")??;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let of = |member: &str| report["end"]["sum"][member].as_f64().context(report.to_string());
    Ok((of("packets")? - of("lost_packets")?) * FRAME * 8.0 / of("seconds")?)
}

#[test]
fn a_share_carries_its_bandwidth_and_no_more_both_ways_beside_the_partners_own() -> Result<()> {
    let (partner, customer) = (0, 1);
    let region = Region::up()?;
    let fibre = region.fibre(partner, "PAR1", &[101, VLAN])?;
    let hosted = share(&region, &fibre, partner, customer)?;
    let clouds = [region.cloud(partner, "10.7.0.0/16")?, region.cloud(customer, "10.8.0.0/16")?];
    region.admit(&clouds[1], OFFICE)?;
    let own = region.interface(&fibre, &clouds[0], 101, None)?;
    region.admit(&clouds[0], &format!("{}/32", own.customer.addr()))?;
    let theirs = region.interface(&hosted, &clouds[1], VLAN, None)?;
    let _bird = region.router(&hosted, Brand::Bird, &region.session(&theirs, None, OFFICE)?)?;
    region.await_interface(customer, &theirs, "available")?;
    let office = region.office(&hosted, OFFICE)?;
    await_reach(&office, clouds[1].host.address)?;
    for way in [&[][..], &["-R"]] {
        let came = comes(&office, &clouds[1].host, way)? / SHARE;
        eprintln!("{came:.3} of the share {way:?}");
        ensure!((0.8..1.1).contains(&came), "{came:.3} of the share {way:?}");
    }
    // The wire itself is not full: its owner's own interface has no such limit.
    let _frr =
        region.router(&fibre, Brand::Frr, &region.session(&own, None, "192.168.20.0/24")?)?;
    region.await_interface(partner, &own, "available")?;
    let peer = own.customer.addr().to_string();
    let came = comes(&fibre.netns, &clouds[0].host, &["-B", &peer])? / SHARE;
    eprintln!("{came:.3} of the share by the partner's own");
    ensure!(came > 1.5, "{came:.3} of the share by the partner's own");
    Ok(())
}
