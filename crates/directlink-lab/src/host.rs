//! A host of a Net: a namespace that is a NIC, through the kernel's own vxlan device.
//!
//! ```text
//! fabric                underlay namespace                host's namespace
//!  br0 ─ h1a2b3c4d ═══ uplink0 100.64.1.1/16
//!                        vxlan, VNI of the Net  ──moved──► eth0: the NIC's MAC and address,
//!                                                          default route: the Subnet's gateway
//! ```
//!
//! A vxlan device that moved keeps its tunnel where it was made: the host has no way to the
//! fabric but its Net. It floods what it does not know to every router of the Region; those that
//! carry the Net answer for the gateway, and it learns from what comes back. Nothing of ours runs.

use crate::{
    fabric::{self, BRIDGE, MTU, UPLINK},
    link::{self, Link},
    name::LabName,
    netns, tool,
};
use anyhow::{Context as _, Result, anyhow};
use directlink_model::ids::NicId;
use directlink_net::{Ipv4Net, Mac, Vni};
use std::net::Ipv4Addr;

/// VXLAN's UDP port (RFC 7348 §8).
const VXLAN_PORT: u16 = 4789;
/// What a host's interface carries: the fabric holds it with VXLAN around it.
const HOST_MTU: u16 = 1500;

/// What the control plane knows of a NIC.
#[derive(Clone, Debug)]
pub struct Nic {
    pub id: NicId,
    pub vni: Vni,
    pub mac: Mac,
    /// Its address, with the length of the Subnet.
    pub address: Ipv4Net,
    pub gateway: Ipv4Addr,
}

/// Where it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    pub netns: String,
    pub ifname: String,
    pub vtep: Ipv4Addr,
}

/// Makes a namespace that NIC; a NIC that is attached elsewhere moves. Without a namespace named,
/// the lab makes one of its own.
///
/// # Errors
/// The lab is not up, or the namespace has such an address already.
pub fn attach(
    lab: &LabName,
    nic: &Nic,
    netns: Option<&str>,
    routers: &[Ipv4Addr],
) -> Result<Attached> {
    let underlay = lab.underlay(nic.id);
    detach(lab, nic.id)?;
    let host = netns.map_or_else(|| lab.host(nic.id), str::to_owned);
    netns::add(&[underlay.clone(), host.clone()])?;
    fabric::quieten(&underlay)?;
    let attached = attach_to(lab, nic, &host, routers);
    if attached.is_err() {
        // Half a host is none; why it failed is what the caller must hear.
        let _ = detach(lab, nic.id);
    }
    attached.with_context(|| format!("cannot attach {} to namespace '{host}'", nic.id))
}

/// Takes a NIC off the fabric; the host's interface is gone when this returns.
fn detach(lab: &LabName, nic: NicId) -> Result<()> {
    let (fabric_end, underlay) = (fabric_end(nic), lab.underlay(nic));
    let links = link::list(&lab.fabric()).context("is the lab up?")?;
    if let Some(link) = links.iter().find(|link| link.name == fabric_end) {
        remove_interface(link)?;
        link::delete(&lab.fabric(), &[fabric_end])?;
    }
    match netns::exists(&underlay) {
        true => netns::delete(&[underlay]),
        false => Ok(()),
    }
}

/// Takes every host's interface out of its namespace.
pub(crate) fn remove_all(lab: &LabName) -> Result<()> {
    match netns::exists(&lab.fabric()) {
        true => link::list(&lab.fabric())?.iter().try_for_each(remove_interface),
        false => Ok(()),
    }
}

/// The host's interface whose link on the bridge this is: `VTEP/NETNS/IFNAME` is written on it.
fn remove_interface(fabric_end: &Link) -> Result<()> {
    let Some((_, netns, ifname)) = fabric_end.alias.as_deref().and_then(parsed) else {
        return Ok(());
    };
    // The user may have deleted the namespace, and the interface with it.
    match netns::exists(netns) {
        true => link::delete(netns, &[ifname.to_owned()]),
        false => Ok(()),
    }
}

fn fabric_end(nic: NicId) -> String {
    format!("h{:08x}", nic.bits())
}

fn parsed(alias: &str) -> Option<(Ipv4Addr, &str, &str)> {
    let (vtep, place) = alias.split_once('/')?;
    let (netns, ifname) = place.split_once('/')?;
    Some((vtep.parse().ok()?, netns, ifname))
}

fn attach_to(lab: &LabName, nic: &Nic, host: &str, routers: &[Ipv4Addr]) -> Result<Attached> {
    let (underlay, fabric) = (lab.underlay(nic.id), lab.fabric());
    let fabric_end = fabric_end(nic.id);
    let vtep = free_vtep(lab)?;
    let ifname = free_ifname(host)?;
    tool::ip(
        None,
        &[format!(
            "link add name {UPLINK} netns {underlay} mtu {MTU} type veth \
             peer name {fabric_end} netns {fabric} mtu {MTU}"
        )],
    )?;
    tool::ip(
        Some(&fabric),
        &[format!("link set {fabric_end} alias {vtep}/{host}/{ifname} master {BRIDGE} up")],
    )?;
    tool::ip(
        Some(&underlay),
        &[
            format!("address add {vtep}/16 dev {UPLINK}"),
            format!("link set {UPLINK} up"),
            format!(
                "link add name vxlan0 type vxlan id {} local {vtep} dstport {VXLAN_PORT}",
                nic.vni
            ),
            format!(
                "link set vxlan0 address {} mtu {HOST_MTU} netns {host} name {ifname}",
                nic.mac
            ),
        ],
    )?;
    let mut lines = vec![
        format!("link set {ifname} addrgenmode none up"),
        format!("address add {} dev {ifname}", nic.address),
    ];
    if !has_default_route(host)? {
        lines.push(format!("route add default via {}", nic.gateway));
    }
    tool::ip(Some(host), &lines)?;
    let flood = routers
        .iter()
        .map(|vtep| format!("fdb append 00:00:00:00:00:00 dev {ifname} dst {vtep} self permanent"));
    tool::bridge(host, &flood.collect::<Vec<_>>())?;
    Ok(Attached { netns: host.to_owned(), ifname, vtep })
}

/// The first address that no host's link on the bridge has written on it.
fn free_vtep(lab: &LabName) -> Result<Ipv4Addr> {
    let taken: Vec<Ipv4Addr> = link::list(&lab.fabric())
        .context("is the lab up?")?
        .iter()
        .filter_map(|link| Some(parsed(link.alias.as_deref()?)?.0))
        .collect();
    (0..60_000)
        .map(fabric::host_vtep)
        .find(|vtep| !taken.contains(vtep))
        .ok_or_else(|| anyhow!("the fabric has no address left"))
}

fn free_ifname(host: &str) -> Result<String> {
    let links = link::list(host)?;
    (0..)
        .map(|n| format!("eth{n}"))
        .find(|name| links.iter().all(|link| link.name != *name))
        .ok_or_else(|| anyhow!("namespace '{host}' has no name left for an interface"))
}

fn has_default_route(host: &str) -> Result<bool> {
    let text = tool::output("ip", ["-n", host, "-4", "route", "show", "default"])?;
    Ok(!text.trim().is_empty())
}
