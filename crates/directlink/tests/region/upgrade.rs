//! A Region of a former commit's build becomes this one, agents first or the server first: packets and
//! BGP go on, and either mix understands what is asked of it meanwhile.
//!
//! `make upgrade-test FORMER=COMMIT` builds that commit and runs this, which is ignored otherwise.

use crate::{
    fixture::{Region, run, text},
    kills::{Monitor, OFTEN, Road, lost_none, road_of, stream},
};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::customer::Brand;
use serde_json::json;
use std::env;

/// Ends a process as its service manager does, and starts what is missing by this build.
fn replace(road: &Road, name: &str) -> Result<()> {
    let pid = road.region.pid(name)?;
    run(&["kill", "-TERM", &pid.to_string()])?;
    directlink_lab::clock::until(&format!("{name} to end"), crate::fixture::SOON, || {
        Ok(road.region.pid(name).is_err().then_some(()))
    })?;
    road.region.directlink("up", &[]).map(drop)
}

/// Whoever runs now carries out something new.
fn obeys(road: &Road, vlan: u16) -> Result<()> {
    let cloud = road.region.cloud(0, &format!("10.{vlan}.0.0/16"))?;
    let described = json!({
        "DirectLinkInterfaceName": format!("v{vlan}"), "Vlan": vlan, "BgpAsn": crate::fixture::ASN,
        "VirtualGatewayId": cloud.gateway,
    });
    let wish = json!({ "DirectLinkId": road.fibre.connection, "DirectLinkInterface": described });
    let made = road.region.call(0, "CreateDirectLinkInterface", wish)?;
    let id = text(&made["DirectLinkInterface"], "DirectLinkInterfaceId");
    let what = format!("{id} to be in the router");
    directlink_lab::clock::until(&what, crate::fixture::SOON * 2, || {
        let told = road.region.directlink_of(&["diagnose", &id])?;
        let rungs = told["diagnosis"]["rungs"].as_array().cloned().unwrap_or_default();
        let router = rungs.iter().find(|rung| rung["step"] == "router").context("a rung")?;
        Ok((router["outcome"] == "passed").then_some(()))
    })
}

#[test]
#[ignore = "needs a build of a former commit: make upgrade-test"]
fn a_former_region_becomes_this_one_in_either_order_and_loses_no_packet() -> Result<()> {
    let former = env::var("DIRECTLINK_FORMER").context("DIRECTLINK_FORMER: a former binary")?;
    for (order, vlans) in
        [(["agent-par1-r1", "server"], [111, 112]), (["server", "agent-par1-r1"], [113, 114])]
    {
        let road = road_of(Region::up_by(&former, &[], &[])?, Brand::Bird, false)?;
        let routes = Monitor::start(&road.fibre.netns)?;
        for (name, vlan) in order.into_iter().zip(vlans) {
            let packets = stream(&road, OFTEN * 2)?;
            replace(&road, name)?;
            lost_none(packets).with_context(|| format!("{name} replaced"))?;
            obeys(&road, vlan).with_context(|| format!("{name} replaced"))?;
            ensure!(road.router.is_established()?, "{name} replaced: BGP flapped");
            eprintln!(
                "{name} replaced, of {order:?}: nothing lost, and a new interface is in the router"
            );
        }
        routes.lost_no_route(&road.cloud)?;
    }
    Ok(())
}
