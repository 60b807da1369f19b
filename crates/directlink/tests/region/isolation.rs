//! Who reaches whom, and nobody else.

use crate::fixture::{Cloud, Fibre, Region, SOON, await_reach, directlink_in, reaches, run};
use anyhow::{Result, ensure};
use directlink_lab::{
    customer::{Brand, Router},
    page,
};

const LAN: &str = "192.168.10.0/24";

struct Side {
    fibre: Fibre,
    cloud: Cloud,
    office: String,
    _router: Router,
}

/// Both customers are alike in everything: VLAN, LAN, Net, and so the host's address.
fn side(region: &Region, account: usize) -> Result<Side> {
    let fibre = region.fibre(account, "PAR1", &[101, 300])?;
    let cloud = region.cloud(account, "10.7.0.0/16")?;
    let interface = region.interface(&fibre, &cloud, 101, None)?;
    let session = region.session(&interface, None, LAN)?;
    let router = region.router(&fibre, Brand::Bird, &session)?;
    region.await_interface(account, &interface, "available")?;
    let office = region.office(&fibre, LAN)?;
    Ok(Side { fibre, cloud, office, _router: router })
}

#[test]
fn customers_with_the_same_addresses_and_vlan_reach_only_their_own_nets() -> Result<()> {
    let region = Region::up()?;
    let (one, two) = (side(&region, 0)?, side(&region, 1)?);
    ensure!(one.fibre.port != two.fibre.port);
    ensure!(one.cloud.host.address == two.cloud.host.address, "the same address in both Nets");
    for (side, name) in [(&one, "one"), (&two, "two")] {
        page::serve(&side.cloud.host.netns, side.cloud.host.address, name)?;
    }

    ensure!(!reaches(&one.office, one.cloud.host.address)?, "reached without a rule");
    ensure!(!reaches(&two.office, two.cloud.host.address)?, "reached without a rule");
    region.admit(&one.cloud, LAN)?;
    await_reach(&one.office, one.cloud.host.address)?;
    ensure!(!reaches(&two.office, two.cloud.host.address)?, "the other's rule admits");
    region.admit(&two.cloud, LAN)?;
    await_reach(&two.office, two.cloud.host.address)?;
    for _ in 0..5 {
        for (side, name) in [(&one, "one"), (&two, "two")] {
            let answered = page::fetch(&side.office, side.cloud.host.address, SOON)?;
            ensure!(answered == name, "{name} reaches {answered}");
        }
    }
    Ok(())
}

#[test]
fn a_vlan_without_an_interface_reaches_nothing() -> Result<()> {
    let region = Region::up()?;
    let side = side(&region, 0)?;
    region.admit(&side.cloud, "0.0.0.0/0")?;
    let (netns, host) = (&side.fibre.netns, side.cloud.host.address);
    await_reach(&side.office, host)?;

    // The same addresses, on VLAN 300 of the same cable: neither the router nor the host answers.
    let ip = |words: &[&str]| run(&[&["ip", "-n", netns], words].concat());
    let addresses = ip(&["-4", "-o", "address", "show", "dev", "vlan101"])?;
    let own = addresses.split_whitespace().nth(3).unwrap_or_default().to_owned();
    let learned = ip(&["route", "show", &side.cloud.range])?;
    let router = learned
        .split_whitespace()
        .skip_while(|w| *w != "via")
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    ip(&["link", "set", "vlan101", "down"])?;
    ip(&["address", "add", &own, "dev", "vlan300"])?;
    ip(&["route", "replace", &side.cloud.range, "via", &router, "dev", "vlan300"])?;
    ensure!(
        !reaches(netns, router.parse::<std::net::IpAddr>()?)?,
        "the router answers on VLAN 300"
    );
    ensure!(!reaches(&side.office, host)?, "the host answers by VLAN 300");
    Ok(())
}

#[test]
fn labs_side_by_side_do_not_disturb_each_other() -> Result<()> {
    let (one, two) =
        (Region::up()?, Region::up_with(&["--region", "us-east-2", "--clock", "virtual"])?);
    let location = two.lab.described.routers[0].location.to_string();
    let a = one.fibre(0, "PAR1", &[101])?;
    let b = two.fibre(0, &location, &[101])?;
    two.pull(&b)?;
    two.await_connection(&b, "down")?;
    ensure!(one.connection_state(&a)? == "available");
    directlink_in(&two.dir, "down", &[])?;
    ensure!(one.connection_state(&a)? == "available");
    one.pull(&a)?;
    one.await_connection(&a, "down")
}
