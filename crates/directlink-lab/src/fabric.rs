//! The fabric: one bridge that every router and host is on, and the routers' links to it and to
//! the patch panel.
//!
//! ```text
//! router's namespace            fabric namespace            router's namespace
//!  uplink0 100.64.0.1/16 ═ router0 ─ br0 ─ router1 ═ uplink0 100.64.0.2/16
//!                                     └ host ═ uplink0 100.64.1.1/16   (host.rs)
//! ```
//!
//! Addresses are of the shared space (RFC 6598), and live only in these namespaces. The fabric's
//! MTU is 1600: a customer's 1500 bytes and the 50 of VXLAN over IPv4 (RFC 7348) fit.

use crate::{
    cable::Jack,
    name::{LabName, RouterSeat},
    netns, tool,
};
use anyhow::{Context as _, Result};
use directlink_dataplane::offload;
use std::{fs, net::Ipv4Addr, path::Path};

pub(crate) const BRIDGE: &str = "br0";
pub(crate) const UPLINK: &str = "uplink0";
pub(crate) const MTU: u16 = 1600;

/// A router's address on the fabric.
pub fn router_vtep(number: usize) -> Ipv4Addr {
    underlay(0, number)
}

/// The `n`th address that a host may have there.
pub(crate) fn host_vtep(n: usize) -> Ipv4Addr {
    underlay(256, n)
}

/// Makes the namespaces and links of a Region in which nothing runs yet.
///
/// # Errors
/// No right to (root is needed), or there are such namespaces already.
pub fn build(lab: &LabName, seats: &[RouterSeat]) -> Result<()> {
    let (fabric, panel) = (lab.fabric(), lab.panel());
    let routers = seats.iter().map(|seat| lab.router(&seat.name));
    let all: Vec<_> = [fabric.clone(), panel.clone()].into_iter().chain(routers).collect();
    netns::add(&all)?;
    [&fabric, &panel].into_iter().try_for_each(|name| quieten(name))?;
    tool::ip(
        Some(&fabric),
        &[format!("link add name {BRIDGE} mtu {MTU} up type bridge mcast_snooping 0")],
    )?;
    tool::ip(None, &seats.iter().flat_map(|seat| pairs(lab, seat)).collect::<Vec<_>>())?;
    for seat in seats {
        raise(lab, seat)?;
    }
    netns::within(&fabric, || seats.iter().try_for_each(|s| face_xdp(&fabric_end(s.number))))?;
    let jacks: Vec<_> = seats
        .iter()
        .flat_map(|s| (0..s.ports.len()).map(|port| Jack { router: s.number, port }.port_link()))
        .collect();
    // XDP may redirect into a veth only if its far end was up when it began to poll.
    let all = |word: &str| jacks.iter().map(|l| format!("link set {l} {word}")).collect::<Vec<_>>();
    tool::ip(Some(&panel), &all("up"))?;
    netns::within(&panel, || jacks.iter().try_for_each(|link| face_xdp(link)))?;
    tool::ip(Some(&panel), &all("down"))?;
    tool::tc(&panel, &jacks.iter().map(|l| format!("qdisc add dev {l} clsact")).collect::<Vec<_>>())
}

/// No IPv6 of the kernel's own there: nobody lives there, and its chatter is not the fabric's.
pub(crate) fn quieten(namespace: &str) -> Result<()> {
    netns::within(namespace, || {
        for scope in ["all", "default"] {
            let knob = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
            if Path::new(&knob).exists() {
                fs::write(&knob, "1").context(knob)?;
            }
        }
        Ok(())
    })
}

/// Prepares a link that is up and whose far end has XDP: it sends finished frames, and takes what
/// XDP redirects.
pub(crate) fn face_xdp(link: &str) -> Result<()> {
    offload::finish_frames(link)?;
    Ok(offload::poll(link)?)
}

fn pairs(lab: &LabName, seat: &RouterSeat) -> Vec<String> {
    let (router, panel, fabric) = (lab.router(&seat.name), lab.panel(), lab.fabric());
    let uplink = format!(
        "link add name {UPLINK} netns {router} mtu {MTU} type veth peer name {} netns {fabric} mtu {MTU}",
        fabric_end(seat.number)
    );
    let ports = seat.ports.iter().enumerate().map(|(port, name)| {
        let far = Jack { router: seat.number, port }.port_link();
        format!("link add name {name} netns {router} type veth peer name {far} netns {panel}")
    });
    std::iter::once(uplink).chain(ports).collect()
}

/// Ports are up and dark: their far ends are down until a cable is plugged.
fn raise(lab: &LabName, seat: &RouterSeat) -> Result<()> {
    let end = fabric_end(seat.number);
    tool::ip(Some(&lab.fabric()), &[format!("link set {end} master {BRIDGE} up")])?;
    let up = |name: &str| format!("link set {name} addrgenmode none up");
    let mut lines =
        vec![format!("address add {}/16 dev {UPLINK}", router_vtep(seat.number)), up(UPLINK)];
    lines.extend(seat.ports.iter().map(|port| up(port.as_str())));
    tool::ip(Some(&lab.router(&seat.name)), &lines)
}

fn fabric_end(router: usize) -> String {
    format!("router{router}")
}

fn underlay(from: u32, n: usize) -> Ipv4Addr {
    let base = u32::from(Ipv4Addr::new(100, 64, 0, 1)) + from;
    Ipv4Addr::from(base + u32::try_from(n).unwrap_or(u32::MAX - base))
}
