//! GoBGP as the customer's router. It speaks BGP only: who wants its routes in the kernel puts
//! them there.

use super::{Place, Session};
use crate::{netns, process::Process, tool};
use anyhow::{Context as _, Result};
use directlink_net::Ipv4Net;
use serde_json::Value;
use std::{ffi::OsStr, net::IpAddr};

/// Of its gRPC interface: on the loopback of the customer's namespace, where nobody else is.
const API: &str = "127.0.0.1:50051";
const STATE_ESTABLISHED: u64 = 6;

pub(super) fn start(place: &Place<'_>, session: &Session) -> Result<Vec<Process>> {
    let daemons = load(place, &config(session))?;
    for prefix in &session.announced {
        ask(place.netns, &format!("global rib add {prefix}"))?;
    }
    Ok(daemons)
}

pub(super) fn load(place: &Place<'_>, text: &str) -> Result<Vec<Process>> {
    let config = place.write("gobgpd.toml", text)?;
    let arguments: [&OsStr; 4] =
        ["-f".as_ref(), config.as_os_str(), "--api-hosts".as_ref(), API.as_ref()];
    let gobgpd = place.start("/usr/bin/gobgpd", &arguments)?;
    place.answers(&gobgpd, || ask(place.netns, "neighbor -j").map(drop))?;
    Ok(vec![gobgpd])
}

pub(super) fn shell(netns: &str) -> String {
    format!("ip netns exec {netns} gobgp neighbor")
}

pub(super) fn is_established(netns: &str, neighbour: IpAddr) -> Result<bool> {
    let said = ask_json(netns, &format!("neighbor {neighbour} -j"))?;
    let state = said.get("state").and_then(|state| state.get("session_state")?.as_u64());
    Ok(state == Some(STATE_ESTABLISHED))
}

pub(super) fn learned(netns: &str, neighbour: IpAddr) -> Result<Vec<Ipv4Net>> {
    Ok(prefixes(&ask_json(netns, &format!("neighbor {neighbour} adj-in -j"))?))
}

pub(super) fn table(netns: &str) -> Result<String> {
    ask(netns, "global rib")
}

fn config(session: &Session) -> String {
    let Session { asn, neighbour, neighbour_asn, .. } = session;
    let own = session.address.addr();
    let password = match &session.key {
        Some(key) => format!("auth-password = {:?}\n", key.expose()),
        None => String::new(),
    };
    format!(
        "# One DirectLink interface: a BGP session on its VLAN.\n\
         [global.config]\n\
         as = {asn}\n\
         router-id = \"{own}\"\n\
         local-address-list = [\"{own}\"]\n\n\
         [[neighbors]]\n\
         [neighbors.config]\n\
         neighbor-address = \"{neighbour}\"\n\
         peer-as = {neighbour_asn}\n\
         {password}\
         [neighbors.timers.config]\n\
         connect-retry = 1\n\
         hold-time = 9\n\
         keepalive-interval = 3\n\
         idle-hold-time-after-reset = 1\n\
         [[neighbors.afi-safis]]\n\
         [neighbors.afi-safis.config]\n\
         afi-safi-name = \"ipv4-unicast\"\n"
    )
}

fn ask(netns: &str, question: &str) -> Result<String> {
    netns::within(netns, || tool::output("gobgp", question.split(' ')))
}

fn ask_json(netns: &str, question: &str) -> Result<Value> {
    let text = ask(netns, question)?;
    serde_json::from_str(&text).with_context(|| format!("gobgp {question}: {text}"))
}

/// An object by prefix in some versions, a list of lists of paths in others.
fn prefixes(paths: &Value) -> Vec<Ipv4Net> {
    match paths {
        Value::Object(by_prefix) => by_prefix.keys().filter_map(|p| p.parse().ok()).collect(),
        Value::Array(lists) => lists.iter().flat_map(prefixes_of_path).collect(),
        _ => vec![],
    }
}

fn prefixes_of_path(path: &Value) -> Vec<Ipv4Net> {
    match path {
        Value::Array(paths) => paths.iter().flat_map(prefixes_of_path).collect(),
        path => path
            .get("nlri")
            .and_then(|nlri| nlri.get("prefix")?.as_str()?.parse().ok())
            .into_iter()
            .collect(),
    }
}
