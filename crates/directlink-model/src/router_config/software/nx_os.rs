//! Cisco NX-OS.

use super::{
    Language, each, identifier,
    ios_like::{self, Habits},
    key, preamble, prefixes, when,
};
use crate::router_config::{
    intent::{
        BFD_INTERVAL_MILLISECONDS as BFD, BFD_MULTIPLIER, Family, HOLD_TIME_SECONDS as HOLD,
        Intent, KEEPALIVE_SECONDS as KEEPALIVE, PREFIXES_MAX, Session, Way,
    },
    reading::Reading,
};

pub(super) struct NxOs;

impl Language for NxOs {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Paste in configuration mode, then copy running-config startup-config.";
        let policies = each(intent, |s| policy(intent, s, Way::Out) + &policy(intent, s, Way::In));
        let features = format!("feature bgp\n{}!\n", when(intent.bfd, "feature bfd\n"));
        let top = preamble("!", "Cisco NX-OS", how, intent)
            + &identifier("!", "router-id A.B.C.D, under router bgp", intent);
        format!("{top}!\n{features}{}{policies}{}", interfaces(intent), bgp(intent))
    }

    fn read(&self, text: &str) -> Reading {
        ios_like::read(
            text,
            Habits { mtu_overhead: Some(0), families_unless_said: &[], blocks_name_all: true },
        )
    }
}

fn interfaces(intent: &Intent) -> String {
    let port = intent.port_or("Ethernet1/1");
    let (vlan, mtu, description) = (intent.vlan, intent.mtu, intent.description());
    let addresses = each(intent, |s| match s.family() {
        Family::V4 => format!("  no ip redirects\n  ip address {}\n", s.peer.customer()),
        Family::V6 => format!(
            "  no ipv6 redirects\n  ipv6 address {}\n  ipv6 nd suppress-ra\n",
            s.peer.customer()
        ),
    });
    let bfd = when(
        intent.bfd,
        format!("  bfd interval {BFD} min_rx {BFD} multiplier {BFD_MULTIPLIER}\n"),
    );
    format!(
        "\
! CHANGE {port}: the port that holds the cross-connect. It becomes a routed port.
interface {port}
  description DirectLink cross-connect
  no switchport
  no shutdown
!
interface {port}.{vlan}
  description {description}
  encapsulation dot1q {vlan}
  mtu {mtu}
{bfd}{addresses}  no shutdown
!
"
    )
}

fn policy(intent: &Intent, session: &Session, way: Way) -> String {
    let family = session.family();
    let name = intent.policy(way, family);
    let ip = match family {
        Family::V4 => "ip",
        Family::V6 => "ipv6",
    };
    let list = prefixes(intent, (way, family), "!", |n, net| {
        format!("{ip} prefix-list {name} seq {} permit {net}\n", 5 * (n + 1))
    });
    format!("{list}route-map {name} permit 10\n  match {ip} address prefix-list {name}\n!\n")
}

fn bgp(intent: &Intent) -> String {
    let asn = intent.customer_asn;
    let networks = each(intent, |s| {
        let family = s.family();
        let list =
            prefixes(intent, (Way::Out, family), "    !", |_, net| format!("    network {net}\n"));
        format!("  address-family {} unicast\n{list}", ip(family))
    });
    let neighbours = each(intent, |s| neighbour(intent, s));
    format!(
        "\
! If this switch runs BGP with another AS already: keep that number in the next line, and add
! local-as {asn} no-prepend replace-as to the neighbor.
! A network is announced while its exact route is in the routing table.
router bgp {asn}
  log-neighbor-changes
{networks}{neighbours}"
    )
}

fn neighbour(intent: &Intent, session: &Session) -> String {
    let (peer, family) = (session.peer.router().addr(), session.family());
    let (import, export) = (intent.policy(Way::In, family), intent.policy(Way::Out, family));
    let (region, description, ip) = (intent.region_asn.0, intent.description(), ip(family));
    let key = key(session).map_or_else(String::new, |k| format!("    password 0 {k}\n"));
    let bfd = when(intent.bfd, "    bfd\n");
    format!(
        "  neighbor {peer}
{bfd}    remote-as {region}
    description {description}
{key}    timers {KEEPALIVE} {HOLD}
    address-family {ip} unicast
      route-map {import} in
      route-map {export} out
      maximum-prefix {PREFIXES_MAX} 80 restart 5
      soft-reconfiguration inbound always
"
    )
}

fn ip(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}
