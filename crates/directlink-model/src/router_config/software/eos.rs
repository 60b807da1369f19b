//! Arista EOS.

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

pub(super) struct Eos;

impl Language for Eos {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Paste in configuration mode (or a configure session), then write memory.";
        let policies = each(intent, |s| policy(intent, s, Way::Out) + &policy(intent, s, Way::In));
        let routing = each(intent, |s| match s.family() {
            Family::V4 => "ip routing\n".to_owned(),
            Family::V6 => "ipv6 unicast-routing\n".to_owned(),
        });
        let top = preamble("!", "Arista EOS", how, intent)
            + &identifier("!", "router-id A.B.C.D, under router bgp", intent);
        format!("{top}!\n{}{routing}!\n{policies}{}", interfaces(intent), bgp(intent))
    }

    fn read(&self, text: &str) -> Reading {
        let families_unless_said = &[Family::V4];
        ios_like::read(
            text,
            Habits { mtu_overhead: Some(0), families_unless_said, blocks_name_all: false },
        )
    }
}

fn interfaces(intent: &Intent) -> String {
    let port = intent.port_or("Ethernet1");
    let (vlan, mtu, description) = (intent.vlan, intent.mtu, intent.description());
    let addresses = each(intent, |s| match s.family() {
        Family::V4 => format!("   ip address {}\n", s.peer.customer()),
        Family::V6 => format!(
            "   ipv6 enable\n   ipv6 address {}\n   ipv6 nd ra disabled all\n",
            s.peer.customer()
        ),
    });
    let bfd = when(
        intent.bfd,
        format!("   bfd interval {BFD} min-rx {BFD} multiplier {BFD_MULTIPLIER}\n"),
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
   mtu {mtu}
   encapsulation dot1q vlan {vlan}
{addresses}{bfd}   no shutdown
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
    let list = prefixes(intent, (way, family), "   !", |n, net| {
        format!("   seq {} permit {net}\n", 10 * (n + 1))
    });
    format!(
        "{ip} prefix-list {name}\n{list}!\nroute-map {name} permit 10\n   match {ip} address prefix-list {name}\n!\n"
    )
}

fn bgp(intent: &Intent) -> String {
    let (asn, region) = (intent.customer_asn, intent.region_asn.0);
    let description = intent.description();
    let neighbours = each(intent, |s| {
        let (peer, family) = (s.peer.router().addr(), s.family());
        let (import, export) = (intent.policy(Way::In, family), intent.policy(Way::Out, family));
        let key =
            key(s).map_or_else(String::new, |k| format!("   neighbor {peer} password 0 {k}\n"));
        let bfd = when(intent.bfd, format!("   neighbor {peer} bfd\n"));
        format!(
            "   neighbor {peer} remote-as {region}
   neighbor {peer} description {description}
{key}   neighbor {peer} timers {KEEPALIVE} {HOLD}
{bfd}   neighbor {peer} rib-in pre-policy retain all
   neighbor {peer} route-map {import} in
   neighbor {peer} route-map {export} out
   neighbor {peer} maximum-routes {PREFIXES_MAX} warning-limit 80 percent
"
        )
    });
    let families = each(intent, |s| {
        let (peer, family) = (s.peer.router().addr(), s.family());
        let networks = prefixes(intent, (Way::Out, family), "      !", |_, net| {
            format!("      network {net}\n")
        });
        let ip = match family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        };
        format!("   !\n   address-family {ip}\n      neighbor {peer} activate\n{networks}")
    });
    format!(
        "\
! If this switch runs BGP with another AS already: keep that number in the next line, and add
! neighbor ... local-as {asn} no-prepend replace-as below.
! Where a key has a question mark, type Ctrl-V before it.
! A network is announced while its exact route is in the routing table.
router bgp {asn}
{neighbours}{families}"
    )
}
