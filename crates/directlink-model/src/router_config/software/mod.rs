//! One file per router software: how its configuration is written and how it is read.

mod bird;
mod eos;
mod frr;
mod go_bgp;
mod ios_like;
mod ios_xe;
mod ios_xr;
mod junos;
mod nx_os;
mod router_os;
mod sr_os;
mod vy_os;

use super::{
    intent::{Family, Intent, Session, Way},
    reading::Reading,
};
use directlink_net::IpNet;
use std::{fmt, net::IpAddr};

/// What runs on the customer's router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Software {
    Bird,
    Eos,
    Frr,
    GoBgp,
    IosXe,
    IosXr,
    Junos,
    NxOs,
    RouterOs,
    SrOs,
    VyOs,
}

/// How one software says things.
pub(super) trait Language: Sync {
    fn configuration(&self, intent: &Intent) -> String;

    fn read(&self, text: &str) -> Reading;

    /// VLAN and addresses are made outside of this configuration, so that nothing about them is
    /// no mistake.
    fn links_elsewhere(&self) -> bool {
        false
    }

    fn has_bfd(&self) -> bool {
        true
    }

    /// A configuration is printed without its keys unless one asks for them.
    fn hides_keys(&self) -> bool {
        false
    }
}

impl Software {
    pub const ALL: [Self; 11] = [
        Self::Bird,
        Self::Eos,
        Self::Frr,
        Self::GoBgp,
        Self::IosXe,
        Self::IosXr,
        Self::Junos,
        Self::NxOs,
        Self::RouterOs,
        Self::SrOs,
        Self::VyOs,
    ];

    /// A short name for files and URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bird => "bird",
            Self::Eos => "eos",
            Self::Frr => "frr",
            Self::GoBgp => "gobgp",
            Self::IosXe => "ios-xe",
            Self::IosXr => "ios-xr",
            Self::Junos => "junos",
            Self::NxOs => "nx-os",
            Self::RouterOs => "routeros",
            Self::SrOs => "sr-os",
            Self::VyOs => "vyos",
        }
    }

    pub(super) fn language(self) -> &'static dyn Language {
        match self {
            Self::Bird => &bird::Bird,
            Self::Eos => &eos::Eos,
            Self::Frr => &frr::Frr,
            Self::GoBgp => &go_bgp::GoBgp,
            Self::IosXe => &ios_xe::IosXe,
            Self::IosXr => &ios_xr::IosXr,
            Self::Junos => &junos::Junos,
            Self::NxOs => &nx_os::NxOs,
            Self::RouterOs => &router_os::RouterOs,
            Self::SrOs => &sr_os::SrOs,
            Self::VyOs => &vy_os::VyOs,
        }
    }
}

impl fmt::Display for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// What the writers share.

/// The comment on top: what this is, for whom, and how places to adapt are marked.
fn preamble(mark: &str, software: &str, how: &str, intent: &Intent) -> String {
    let mut text = format!("{mark} {} on {software}\n", intent.description());
    for session in &intent.sessions {
        let (own, theirs) = (session.peer.customer(), session.peer.router());
        text += &format!(
            "{mark} VLAN {}, IP MTU {}: you {own} AS {}, DirectLink {theirs} AS {}\n",
            intent.vlan, intent.mtu, intent.customer_asn, intent.region_asn.0
        );
    }
    text + &format!("{mark} {how} What follows CHANGE is yours to adapt.\n")
}

/// Says who the router is in BGP where no address of a session can: an identifier has the form of an
/// IPv4 address (RFC 6286).
fn identifier(mark: &str, command: &str, intent: &Intent) -> String {
    let speaks_ipv4 = intent.sessions.iter().any(|session| session.family() == Family::V4);
    when(
        !speaks_ipv4,
        format!("{mark} Without an IPv4 address of its own, BGP waits for: {command}\n"),
    )
}

/// Writes one line per session.
fn each(intent: &Intent, line: impl Fn(&Session) -> String) -> String {
    intent.sessions.iter().map(line).collect()
}

/// One line per prefix of a policy, with a comment above those that the customer must fill in.
fn prefixes(
    intent: &Intent,
    (way, family): (Way, Family),
    mark: &str,
    line: impl Fn(usize, &IpNet) -> String,
) -> String {
    let prefixes = intent.prefixes(way, family);
    let lines: String = prefixes.list.iter().enumerate().map(|(n, net)| line(n, net)).collect();
    let what = match way {
        Way::In => "the range of your Net; this one stands for it",
        Way::Out => "the prefixes of your own network; this one stands for them",
    };
    match prefixes.to_fill_in {
        true => format!("{mark} CHANGE {family}: {what}.\n{lines}"),
        false => lines,
    }
}

/// What Linux must have under a routing daemon, as comments; [`super::text::linux`] reads it.
fn linux(mark: &str, intent: &Intent, with_addresses: bool) -> String {
    let port = intent.port_or("eth0");
    let (vlan, mtu) = (intent.vlan, intent.mtu);
    let addresses = each(intent, |s| {
        format!("{mark} ip address add {} dev {port}.{vlan}\n", s.peer.customer())
    });
    let forwarding = each(intent, |s| match s.family() {
        Family::V4 => format!("{mark} sysctl -w net.ipv4.ip_forward=1\n"),
        Family::V6 => format!("{mark} sysctl -w net.ipv6.conf.all.forwarding=1\n"),
    });
    format!(
        "\
{mark} CHANGE {port}: the port that holds the cross-connect. Linux makes the VLAN (keep it in netplan,
{mark} systemd-networkd or /etc/network/interfaces):
{mark} ip link set dev {port} up
{mark} ip link add link {port} name {port}.{vlan} type vlan id {vlan}
{mark} ip link set dev {port}.{vlan} mtu {mtu} up
{}{forwarding}",
        when(with_addresses, addresses)
    )
}

fn key(session: &Session) -> Option<&str> {
    session.key.as_ref().map(directlink_net::BgpKey::expose)
}

/// `text` when `wish`, else nothing.
fn when(wish: bool, text: impl Into<String>) -> String {
    match wish {
        true => text.into(),
        false => String::new(),
    }
}

/// A prefix as `address mask`, as classic Cisco writes IPv4.
fn with_mask(net: IpNet) -> String {
    format!("{} {}", net.addr(), net.netmask())
}

/// `address mask` back to a prefix.
fn from_mask(address: &str, mask: &str) -> Option<String> {
    let mask: IpAddr = mask.parse().ok()?;
    let length = ipnet::ip_mask_to_prefix(mask).ok()?;
    Some(format!("{address}/{length}"))
}

/// The word inside quotes, for languages that escape with `\`.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
