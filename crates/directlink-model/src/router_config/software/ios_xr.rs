//! Cisco IOS-XR.

use super::{
    Language, each,
    ios_like::{self, Habits},
    key, preamble, prefixes, when, with_mask,
};
use crate::router_config::{
    intent::{
        BFD_INTERVAL_MILLISECONDS as BFD, BFD_MULTIPLIER, Family, HOLD_TIME_SECONDS as HOLD,
        Intent, KEEPALIVE_SECONDS as KEEPALIVE, PREFIXES_MAX, Session, Way,
    },
    reading::Reading,
};

/// Ethernet header and one tag: `mtu` of a sub-interface counts them.
const OVERHEAD: u16 = 18;

pub(super) struct IosXr;

impl Language for IosXr {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Paste in configuration mode, look at it (show), then commit.";
        let policies = each(intent, |s| policy(intent, s, Way::Out) + &policy(intent, s, Way::In));
        let top = preamble("!", "Cisco IOS-XR", how, intent);
        format!("{top}!\n{}{policies}{}", interfaces(intent), bgp(intent))
    }

    fn read(&self, text: &str) -> Reading {
        let mtu_overhead = Some(OVERHEAD.into());
        ios_like::read(
            text,
            Habits { mtu_overhead, families_unless_said: &[], blocks_name_all: true },
        )
    }
}

fn interfaces(intent: &Intent) -> String {
    let port = intent.port_or("TenGigE0/0/0/0");
    let (vlan, mtu, description) = (intent.vlan, intent.mtu, intent.description());
    let frame = mtu.as_u16() + OVERHEAD;
    let addresses = each(intent, |s| match s.family() {
        Family::V4 => {
            format!(" ipv4 mtu {mtu}\n ipv4 address {}\n", with_mask(s.peer.customer()))
        }
        Family::V6 => {
            format!(" ipv6 nd suppress-ra\n ipv6 mtu {mtu}\n ipv6 address {}\n", s.peer.customer())
        }
    });
    format!(
        "\
! CHANGE {port}: the port that holds the cross-connect.
interface {port}
 description DirectLink cross-connect
 no shutdown
!
interface {port}.{vlan}
 description {description}
 mtu {frame}
{addresses} encapsulation dot1q {vlan}
 no shutdown
!
"
    )
}

fn policy(intent: &Intent, session: &Session, way: Way) -> String {
    let family = session.family();
    let name = intent.policy(way, family);
    let last = intent.prefixes(way, family).list.len().saturating_sub(1);
    let list = prefixes(intent, (way, family), "  #", |n, net| {
        format!("  {net}{}\n", if n < last { "," } else { "" })
    });
    format!(
        "\
prefix-set {name}
{list}end-set
!
route-policy {name}
  if destination in {name} then
    pass
  else
    drop
  endif
end-policy
!
"
    )
}

fn bgp(intent: &Intent) -> String {
    let asn = intent.customer_asn;
    let networks = each(intent, |s| {
        let family = s.family();
        let list =
            prefixes(intent, (Way::Out, family), "  !", |_, net| format!("  network {net}\n"));
        format!(" address-family {} unicast\n{list} !\n", ip(family))
    });
    let neighbours = each(intent, |s| neighbour(intent, s));
    format!(
        "\
! If this router runs BGP with another AS already: keep that number in the next line, and add
! local-as {asn} no-prepend replace-as to the neighbor.
! Without an IPv4 loopback, BGP waits for: bgp router-id A.B.C.D
! A network is announced while its exact route is in the routing table.
router bgp {asn}
{networks}{neighbours}!
"
    )
}

fn neighbour(intent: &Intent, session: &Session) -> String {
    let (peer, family) = (session.peer.router().addr(), session.family());
    let (import, export) = (intent.policy(Way::In, family), intent.policy(Way::Out, family));
    let (region, description, ip) = (intent.region_asn.0, intent.description(), ip(family));
    let key = key(session).map_or_else(String::new, |k| format!("  password clear {k}\n"));
    let bfd = when(
        intent.bfd,
        format!(
            "  bfd fast-detect\n  bfd multiplier {BFD_MULTIPLIER}\n  bfd minimum-interval {BFD}\n"
        ),
    );
    format!(
        " neighbor {peer}
  remote-as {region}
{bfd}  timers {KEEPALIVE} {HOLD}
{key}  description {description}
  address-family {ip} unicast
   route-policy {import} in
   maximum-prefix {PREFIXES_MAX} 80 restart 5
   route-policy {export} out
   soft-reconfiguration inbound always
  !
 !
"
    )
}

fn ip(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}
