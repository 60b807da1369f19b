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
use directlink_net::{Ipv4Net, Ipv6Net, Mac, Vni};
use std::net::{Ipv4Addr, Ipv6Addr};

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
    /// The same of IPv6, where the Region has it.
    pub ipv6: Option<(Ipv6Net, Ipv6Addr)>,
}

/// Where it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    pub netns: String,
    pub ifname: String,
    pub vtep: Ipv4Addr,
}

/// Makes a namespace that NIC; a NIC that is attached elsewhere moves. Without a namespace named,
/// the lab makes one of its own; one that does not exist is made, and goes with the lab.
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
    let host = netns.map_or_else(|| lab.host(nic.id), str::to_owned);
    let before = written(lab, nic.id)?;
    let is_ours = !netns::exists(&host)
        || before.as_ref().is_some_and(|before| before.is_ours && before.netns == host);
    if let Some(before) = &before {
        before.remove(before.netns != host)?;
    }
    detach(lab, nic.id)?;
    netns::add(&[underlay.clone(), host.clone()])?;
    fabric::quieten(&underlay)?;
    let attached = attach_to(lab, nic, &host, is_ours, routers);
    if attached.is_err() {
        // Half a host is none; why it failed is what the caller must hear.
        let _ = detach(lab, nic.id);
    }
    attached.with_context(|| format!("cannot attach {} to namespace '{host}'", nic.id))
}

/// Takes every host's interface out of its namespace, and the namespace with it if it was made
/// for the host.
pub(crate) fn remove_all(lab: &LabName) -> Result<()> {
    if !netns::exists(&lab.fabric()) {
        return Ok(());
    }
    let links = link::list(&lab.fabric())?;
    links.iter().filter_map(Written::on).try_for_each(|written| written.remove(true))
}

/// Takes a NIC off the fabric.
fn detach(lab: &LabName, nic: NicId) -> Result<()> {
    let (fabric_end, underlay) = (fabric_end(nic), lab.underlay(nic));
    link::delete(&lab.fabric(), &[fabric_end])?;
    match netns::exists(&underlay) {
        true => netns::delete(&[underlay]),
        false => Ok(()),
    }
}

fn fabric_end(nic: NicId) -> String {
    format!("h{:08x}", nic.bits())
}

/// What is written on a host's link on the bridge: `VTEP/ours/NETNS/IFNAME`, or `theirs`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    vtep: Ipv4Addr,
    /// The namespace was made for the host.
    is_ours: bool,
    netns: String,
    ifname: String,
}

impl Written {
    fn on(link: &Link) -> Option<Self> {
        Self::parse(link.alias.as_deref()?)
    }

    fn parse(alias: &str) -> Option<Self> {
        let mut words = alias.splitn(4, '/');
        let (vtep, whose, netns, ifname) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        Some(Self {
            vtep: vtep.parse().ok()?,
            is_ours: whose == "ours",
            netns: netns.to_owned(),
            ifname: ifname.to_owned(),
        })
    }

    fn alias(&self) -> String {
        let whose = if self.is_ours { "ours" } else { "theirs" };
        format!("{}/{whose}/{}/{}", self.vtep, self.netns, self.ifname)
    }

    /// The host's interface is gone when this returns.
    fn remove(&self, with_netns: bool) -> Result<()> {
        // The user may have deleted the namespace, and the interface with it.
        if !netns::exists(&self.netns) {
            return Ok(());
        }
        link::delete(&self.netns, std::slice::from_ref(&self.ifname))?;
        match with_netns && self.is_ours {
            true => netns::delete(std::slice::from_ref(&self.netns)),
            false => Ok(()),
        }
    }
}

fn written(lab: &LabName, nic: NicId) -> Result<Option<Written>> {
    let links = link::list(&lab.fabric()).context("is the lab up?")?;
    Ok(links.iter().find(|link| link.name == fabric_end(nic)).and_then(Written::on))
}

fn attach_to(
    lab: &LabName,
    nic: &Nic,
    host: &str,
    is_ours: bool,
    routers: &[Ipv4Addr],
) -> Result<Attached> {
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
    let alias = Written { vtep, is_ours, netns: host.to_owned(), ifname: ifname.clone() }.alias();
    tool::ip(Some(&fabric), &[format!("link set {fabric_end} alias {alias} master {BRIDGE} up")])?;
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
    if !has_default_route(host, "-4")? {
        lines.push(format!("route add default via {}", nic.gateway));
    }
    if let Some((address, gateway)) = nic.ipv6 {
        lines.push(format!("address add {address} dev {ifname} nodad"));
        if !has_default_route(host, "-6")? {
            lines.push(format!("route add default via {gateway}"));
        }
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
        .filter_map(|link| Some(Written::on(link)?.vtep))
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

fn has_default_route(host: &str, family: &str) -> Result<bool> {
    let text = tool::output("ip", ["-n", host, family, "route", "show", "default"])?;
    Ok(!text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_on_a_link_is_read_again() {
        for is_ours in [true, false] {
            let written = Written {
                vtep: Ipv4Addr::new(100, 64, 1, 9),
                is_ours,
                netns: "web-1".into(),
                ifname: "eth0".into(),
            };
            assert_eq!(Written::parse(&written.alias()), Some(written));
        }
        assert_eq!(Written::parse("100.64.1.9"), None);
    }
}
