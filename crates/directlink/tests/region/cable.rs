//! A pulled cable, and one that is plugged again.

use crate::fixture::{Region, await_reach, run};
use anyhow::{Result, ensure};
use directlink_lab::{clock, customer::Brand};
use std::time::Duration;

const LAN: &str = "192.168.10.0/24";

#[test]
fn a_pulled_cable_is_down_within_a_second_and_available_again_without_help() -> Result<()> {
    let region = Region::up()?;
    let fibre = region.fibre(0, "PAR1", &[101])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    let interface = region.interface(&fibre, &cloud, 101, Some("k3y"))?;
    let session = region.session(&interface, Some("k3y"), LAN)?;
    let _router = region.router(&fibre, Brand::Bird, &session)?;
    region.await_interface(0, &interface, "available")?;
    let office = region.office(&fibre, LAN)?;
    await_reach(&office, cloud.host.address)?;
    for round in 1..=3 {
        region.pull(&fibre)?;
        let watch = clock::Stopwatch::start();
        region.await_connection(&fibre, "down")?;
        let took = watch.elapsed();
        ensure!(took < Duration::from_secs(1), "round {round}: down only after {took:?}");
        region.plug(&fibre, &[101])?;
        region.await_connection(&fibre, "available")?;
        region.await_interface(0, &interface, "available")?;
        await_reach(&office, cloud.host.address)?;
    }
    Ok(())
}

#[test]
fn a_customer_who_shuts_the_interface_darkens_the_port() -> Result<()> {
    let region = Region::up()?;
    let fibre = region.fibre(0, "PAR1", &[])?;
    run(&["ip", "-n", &fibre.netns, "link", "set", "fibre", "down"])?;
    region.await_connection(&fibre, "down")?;
    run(&["ip", "-n", &fibre.netns, "link", "set", "fibre", "up"])?;
    region.await_connection(&fibre, "available")?;
    run(&["ip", "netns", "del", &fibre.netns])?;
    region.await_connection(&fibre, "down")?;
    run(&["ip", "netns", "add", &fibre.netns])?;
    region.plug(&fibre, &[101])?;
    region.await_connection(&fibre, "available")
}

#[test]
fn what_cannot_be_plugged_is_refused_with_what_to_do() -> Result<()> {
    let region = Region::up()?;
    let (one, two) = (region.namespace("one")?, region.namespace("two")?);
    let plug = |port: &str, netns: &str| {
        region.directlink("cable", &["--port", port, "--netns", netns, "--ifname", "fibre"])
    };
    plug("par1-r1/p0", &one)?;
    for (port, netns, says) in [
        ("par1-r1/p0", two.as_str(), "lab uncable"),
        ("par1-r1/p9", two.as_str(), "par4-r1/p3"),
        ("nowhere/p0", two.as_str(), "par1-r1/p0"),
        ("par1-r1/p1", "no-such-namespace", "ip netns add no-such-namespace"),
        ("par1-r1/p1", one.as_str(), "has an interface 'fibre' already"),
    ] {
        let refused = plug(port, netns).err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(refused.contains(says), "{port} {netns}: {refused:?} does not say {says:?}");
    }
    let pulled = region.directlink("uncable", &["--port", "par1-r1/p1"]);
    ensure!(pulled.is_err(), "a cable that is not there was pulled");
    Ok(())
}
