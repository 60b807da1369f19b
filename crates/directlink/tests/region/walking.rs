//! The road of one interface, walked with each brand of customer router.

use crate::fixture::{BGP_SOON, Region, await_reach, reaches};
use anyhow::{Result, ensure};
use directlink_lab::{clock, customer::Brand};
use std::time::Duration;

const OFFICE: &str = "192.168.10.0/24";
const KEY: &str = "tgyn26example";

/// From the order to a host that answers, and back; the connection is new.
fn walk(region: &Region, location: &str, brand: Brand, key: Option<&str>) -> Result<()> {
    let fibre = region.fibre(0, location, &[101])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, OFFICE)?;
    let interface = region.interface(&fibre, &cloud, 101, key)?;
    let session = region.session(&interface, key, OFFICE)?;
    let router = region.router(&fibre, brand, &session)?;
    region.await_interface(0, &interface, "available")?;
    ensure!(router.is_established()?, "available, and {brand} says that it is not established");
    clock::until("the Net's range at the customer", BGP_SOON, || {
        Ok((router.learned()? == [cloud.range.parse()?]).then_some(()))
    })?;
    clock::until("the office in the Net's route table", BGP_SOON, || {
        Ok(region.routes(&cloud)?.iter().any(|route| route == OFFICE).then_some(()))
    })?;
    let office = region.office(&fibre, OFFICE)?;
    await_reach(&office, cloud.host.address)?;
    await_reach(&cloud.host.netns, "192.168.10.2".parse::<std::net::IpAddr>()?)
}

fn walks_with_and_without_a_key(brand: Brand) -> Result<()> {
    let region = Region::up()?;
    walk(&region, "PAR1", brand, None)?;
    walk(&region, "PAR4", brand, Some(KEY))
}

#[test]
fn a_customer_with_bird_reaches_a_host_with_and_without_a_key() -> Result<()> {
    walks_with_and_without_a_key(Brand::Bird)
}

#[test]
fn a_customer_with_frr_reaches_a_host_with_and_without_a_key() -> Result<()> {
    walks_with_and_without_a_key(Brand::Frr)
}

#[test]
fn a_customer_with_gobgp_reaches_a_host_with_and_without_a_key() -> Result<()> {
    walks_with_and_without_a_key(Brand::Gobgp)
}

#[test]
fn a_wrong_key_keeps_the_interface_pending_until_it_is_right() -> Result<()> {
    let region = Region::up()?;
    let fibre = region.fibre(0, "PAR1", &[101])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    let interface = region.interface(&fibre, &cloud, 101, Some(KEY))?;
    for wrong in [None, Some("another-key")] {
        let session = region.session(&interface, wrong, OFFICE)?;
        let router = region.router(&fibre, Brand::Bird, &session)?;
        // Long enough for both sides to have tried: BIRD tries every two seconds.
        let watch = clock::Stopwatch::start();
        while watch.elapsed() < Duration::from_secs(6) {
            ensure!(!router.is_established()?, "established with key {wrong:?}");
            ensure!(region.interface_state(0, &interface)? == "pending", "with key {wrong:?}");
        }
        ensure!(!reaches(&fibre.netns, cloud.host.address)?);
        router.stop()?;
    }
    let session = region.session(&interface, Some(KEY), OFFICE)?;
    let _router = region.router(&fibre, Brand::Bird, &session)?;
    region.await_interface(0, &interface, "available")
}
