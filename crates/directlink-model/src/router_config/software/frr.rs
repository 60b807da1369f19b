//! FRRouting on Linux. The kernel has the VLAN; FRR has addresses, policies and sessions.

use super::{
    Language, each, identifier,
    ios_like::{self, Habits},
    key, linux, preamble, prefixes, when,
};
use crate::router_config::{
    intent::{
        BFD_INTERVAL_MILLISECONDS as BFD, BFD_MULTIPLIER, Family, HOLD_TIME_SECONDS as HOLD,
        Intent, KEEPALIVE_SECONDS as KEEPALIVE, PREFIXES_MAX, Session, Way,
    },
    reading::Reading,
    text::linux as ip_commands,
};

pub(super) struct Frr;

impl Language for Frr {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Put it into /etc/frr/frr.conf, or paste it into vtysh.";
        let policies = each(intent, |s| policy(intent, s, Way::Out) + &policy(intent, s, Way::In));
        let top = preamble("!", "FRRouting 8 (Linux)", how, intent)
            + &identifier("!", "bgp router-id A.B.C.D", intent);
        let daemons = match intent.bfd {
            true => "! In /etc/frr/daemons: bgpd=yes bfdd=yes\n",
            false => "! In /etc/frr/daemons: bgpd=yes\n",
        };
        let (bfd, link, bgp) = (bfd_profile(intent), interface(intent), bgp(intent));
        format!("{top}{daemons}{link}{bfd}{policies}{bgp}")
    }

    fn read(&self, text: &str) -> Reading {
        let families_unless_said = &[Family::V4];
        let habits = Habits { mtu_overhead: None, families_unless_said, blocks_name_all: false };
        let mut reading = ios_like::read(text, habits);
        ip_commands::read(text, &mut reading);
        reading
    }

    fn links_elsewhere(&self) -> bool {
        true
    }
}

fn interface(intent: &Intent) -> String {
    let port = intent.port_or("eth0");
    let (vlan, description, link) = (intent.vlan, intent.description(), linux("!", intent, false));
    let addresses = each(intent, |s| match s.family() {
        Family::V4 => format!(" ip address {}\n", s.peer.customer()),
        Family::V6 => format!(" ipv6 address {}\n", s.peer.customer()),
    });
    format!(
        "\
!
{link}!
interface {port}.{vlan}
 description {description}
{addresses}exit
!
"
    )
}

fn bfd_profile(intent: &Intent) -> String {
    let name = intent.id;
    when(
        intent.bfd,
        format!(
            "\
bfd
 profile {name}
  detect-multiplier {BFD_MULTIPLIER}
  receive-interval {BFD}
  transmit-interval {BFD}
 exit
exit
!
"
        ),
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
    format!("{list}route-map {name} permit 10\n match {ip} address prefix-list {name}\nexit\n!\n")
}

fn bgp(intent: &Intent) -> String {
    let (asn, region) = (intent.customer_asn, intent.region_asn.0);
    let (description, profile) = (intent.description(), intent.id);
    let neighbours = each(intent, |s| {
        let peer = s.peer.router().addr();
        let key = key(s).map_or_else(String::new, |k| format!(" neighbor {peer} password {k}\n"));
        let bfd = when(
            intent.bfd,
            format!(" neighbor {peer} bfd\n neighbor {peer} bfd profile {profile}\n"),
        );
        format!(
            " neighbor {peer} remote-as {region}
 neighbor {peer} description {description}
{key} neighbor {peer} timers {KEEPALIVE} {HOLD}
 neighbor {peer} timers connect 10
{bfd}"
        )
    });
    let families = each(intent, |s| family(intent, s));
    format!(
        "\
! If this router runs BGP with another AS already: keep that number in the next line, and add
! neighbor ... local-as {asn} no-prepend replace-as below.
! A network is announced while its exact route is in the routing table.
router bgp {asn}
{neighbours}{families}exit
!
"
    )
}

fn family(intent: &Intent, session: &Session) -> String {
    let (peer, family) = (session.peer.router().addr(), session.family());
    let (import, export) = (intent.policy(Way::In, family), intent.policy(Way::Out, family));
    let networks =
        prefixes(intent, (Way::Out, family), "  !", |_, net| format!("  network {net}\n"));
    let ip = match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    format!(
        " !
 address-family {ip} unicast
{networks}  neighbor {peer} activate
  neighbor {peer} soft-reconfiguration inbound
  neighbor {peer} route-map {import} in
  neighbor {peer} route-map {export} out
  neighbor {peer} maximum-prefix {PREFIXES_MAX} 80 restart 5
 exit-address-family
"
    )
}
