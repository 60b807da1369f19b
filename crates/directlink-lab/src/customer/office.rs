//! The network behind the customer's router: a computer on a LAN.
//!
//! ```text
//! computer's namespace             router's namespace
//!  eth0 192.168.10.2/24 ═════════ lan0 192.168.10.1/24 ··· VLAN ··· DirectLink
//!  default route: the router
//! ```

use crate::{netns, tool};
use anyhow::{Context as _, Result};
use directlink_net::Ipv4Net;
use std::net::Ipv4Addr;

/// Joins a computer to the customer's router; its address is the second of the LAN, which is the
/// answer.
///
/// # Errors
/// The LAN is too small, or one of the namespaces has such links already.
pub fn furnish(router: &str, computer: &str, lan: Ipv4Net) -> Result<Ipv4Addr> {
    let mut hosts = lan.hosts();
    let (first, second) = hosts.next().zip(hosts.next()).context("a LAN has two hosts")?;
    let length = lan.prefix_len();
    netns::add(&[computer.to_owned()])?;
    tool::ip(
        None,
        &[format!("link add name lan0 netns {router} type veth peer name eth0 netns {computer}")],
    )?;
    tool::ip(
        Some(router),
        &[format!("address add {first}/{length} dev lan0"), "link set lan0 up".to_owned()],
    )?;
    tool::ip(
        Some(computer),
        &[
            format!("address add {second}/{length} dev eth0"),
            "link set eth0 up".to_owned(),
            format!("route add default via {first}"),
        ],
    )?;
    Ok(second)
}
