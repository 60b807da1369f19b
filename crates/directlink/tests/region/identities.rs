//! A router's identity from its first token to its last certificate, while its customer's packets pass.

use crate::{
    fixture::{Region, SOON},
    kills::{Monitor, OFTEN, Road, lost_none, road_of, router_of, stream},
};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{clock, customer::Brand};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

/// Long enough for a busy machine to renew in its last third, short enough to wait for.
const LIFE: [(&str, &str); 1] = [("DIRECTLINK_ROUTER_CERTIFICATE_LIFE", "24s")];
const RENEWED_WITHIN: Duration = Duration::from_secs(30);

fn router(road: &Road) -> Result<Value> {
    let name = router_of(road);
    let answer = road.region.look("routers")?;
    let mut routers = answer["routers"].as_array().into_iter().flatten();
    routers.find(|router| router["name"] == *name).cloned().context("the router")
}

fn await_connected(road: &Road, wanted: bool) -> Result<()> {
    clock::until(&format!("its agent connected: {wanted}"), SOON, || {
        Ok((router(road)?["agent"]["connected"] == wanted).then_some(()))
    })
}

fn identity_dir(road: &Road) -> PathBuf {
    road.region.dir.join("routers").join(router_of(road)).join("identity")
}

fn authority(road: &Road, signs: bool) -> Result<Value> {
    let answer = road.region.look("authorities")?;
    let mut all = answer["authorities"].as_array().into_iter().flatten();
    all.find(|authority| authority["signs"] == signs).cloned().context("an authority")
}

fn await_all_routers(road: &Road, signs: bool, what: &str) -> Result<()> {
    clock::until(&format!("all routers: {what}"), SOON, || {
        let authority = authority(road, signs)?;
        Ok((authority[what] == authority["routers"]).then_some(()))
    })
}

/// Another authority takes the place of the first, while all streams go on.
fn roll_over(road: &Road) -> Result<()> {
    let old = authority(road, true)?;
    let new = road.region.operate("authorities", json!({}))?;
    await_all_routers(road, false, "trusted_by")?;
    let path = |of: &Value, what| format!("authorities/{}/{what}", of["id"].as_str().unwrap_or(""));
    road.region.operate(&path(&new, "use"), json!({}))?;
    await_all_routers(road, true, "certified")?;
    road.region.operate(&path(&old, "retire"), json!({}))?;
    let answer = road.region.look("authorities")?;
    ensure!(answer["authorities"].as_array().map(Vec::len) == Some(1), "{answer}");
    ensure!(router(road)?["agent"]["connected"] == true, "a stream was cut by the change");
    Ok(())
}

#[test]
fn a_router_is_enrolled_renewed_revoked_and_enrolled_again_while_bgp_and_packets_go_on()
-> Result<()> {
    // The lab's routers came to their identity by a token each.
    let road = road_of(Region::up_in(&LIFE, &[])?, Brand::Bird, false)?;
    let dir = identity_dir(&road);
    for name in ["identity.pem", "ca.pem"] {
        let mode = fs::metadata(dir.join(name))?.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "{name} is {mode:o}");
    }
    for name in ["enrol-token", "enrol.key", "key.pem"] {
        ensure!(!dir.join(name).exists(), "{name} is still there");
    }
    let routes = Monitor::start(&road.fibre.netns)?;
    let passing = stream(&road, OFTEN * 2)?;

    let first = router(&road)?["certificate"]["expires_at"].clone();
    clock::until("the certificate to be renewed", RENEWED_WITHIN, || {
        Ok((router(&road)?["certificate"]["expires_at"] != first).then_some(()))
    })?;
    ensure!(router(&road)?["agent"]["connected"] == true, "it was renewed on a running stream");

    roll_over(&road)?;

    let path = format!("routers/{}", router_of(&road));
    road.region.operate(&format!("{path}/revoke"), json!({}))?;
    await_connected(&road, false)?;
    ensure!(router(&road)?["certificate"]["expires_at"] == Value::Null, "it has none any more");
    ensure!(road.router.is_established()?, "the session did not outlive the revocation");

    let token = road.region.operate(&format!("{path}/enrol"), json!({}))?;
    fs::write(dir.join("enrol-token"), token["token"].as_str().context("a token")?)?;
    await_connected(&road, true)?;
    ensure!(!dir.join("enrol-token").exists(), "a token that was used is still there");
    lost_none(passing)?;
    routes.lost_no_route(&road.cloud)?;
    ensure!(road.router.is_established()?, "the session did not outlive the enrolment");
    // What is ordered now arrives.
    let late =
        road.region.interface(&road.fibre, &road.region.cloud(0, "10.8.0.0/16")?, 102, None)?;
    let session = road.region.session(&late, None, "192.168.20.0/24")?;
    let _router = road.region.router(&road.fibre, Brand::Frr, &session)?;
    road.region.await_interface(0, &late, "available")
}
