//! Cisco IOS and IOS-XE.

use super::{
    Language, each, identifier,
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

pub(super) struct IosXe;

impl Language for IosXe {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Paste in configuration mode, then save (write memory).";
        let policies = each(intent, |s| policy(intent, s, Way::Out) + &policy(intent, s, Way::In));
        let top = preamble("!", "Cisco IOS-XE", how, intent)
            + &identifier("!", "bgp router-id A.B.C.D", intent);
        format!("{top}!\n{}{policies}{}", interfaces(intent), bgp(intent))
    }

    fn read(&self, text: &str) -> Reading {
        // `mtu` of the port does not count the tag, and `ip mtu` is what a packet meets.
        let families_unless_said = &[Family::V4];
        ios_like::read(
            text,
            Habits { mtu_overhead: None, families_unless_said, blocks_name_all: true },
        )
    }
}

fn interfaces(intent: &Intent) -> String {
    let port = intent.port_or("GigabitEthernet0/0/0");
    let (vlan, mtu, description) = (intent.vlan, intent.mtu, intent.description());
    let addresses = each(intent, |s| match s.family() {
        Family::V4 => format!(
            " ip address {}\n ip mtu {mtu}\n no ip redirects\n no ip proxy-arp\n",
            with_mask(s.peer.customer())
        ),
        Family::V6 => format!(
            " ipv6 address {}\n ipv6 mtu {mtu}\n ipv6 nd ra suppress all\n no ipv6 redirects\n",
            s.peer.customer()
        ),
    });
    let bfd =
        when(intent.bfd, format!(" bfd interval {BFD} min_rx {BFD} multiplier {BFD_MULTIPLIER}\n"));
    format!(
        "\
! CHANGE {port}: the port that holds the cross-connect.
interface {port}
 description DirectLink cross-connect
 no ip address
 no shutdown
!
interface {port}.{vlan}
 description {description}
 encapsulation dot1Q {vlan}
{addresses}{bfd} no shutdown
!
"
    )
}

fn policy(intent: &Intent, session: &Session, way: Way) -> String {
    let family = session.family();
    let name = intent.policy(way, family);
    let ip = ip(family);
    let list = prefixes(intent, (way, family), "!", |n, net| {
        format!("{ip} prefix-list {name} seq {} permit {net}\n", 5 * (n + 1))
    });
    format!("{list}route-map {name} permit 10\n match {ip} address prefix-list {name}\n!\n")
}

fn bgp(intent: &Intent) -> String {
    let (asn, region, description) =
        (intent.customer_asn, intent.region_asn.0, intent.description());
    let neighbours = each(intent, |s| {
        let peer = s.peer.router().addr();
        let key = key(s).map_or_else(String::new, |k| format!(" neighbor {peer} password {k}\n"));
        let bfd = when(intent.bfd, format!(" neighbor {peer} fall-over bfd\n"));
        format!(
            " neighbor {peer} remote-as {region}
 neighbor {peer} description {description}
{key} neighbor {peer} timers {KEEPALIVE} {HOLD}
{bfd}"
        )
    });
    let families = each(intent, |s| family(intent, s));
    format!(
        "\
! If this router runs BGP with another AS already: keep that number in the next line, and add
! neighbor ... local-as {asn} no-prepend replace-as below.
! Where a key has a question mark, type Ctrl-V before it.
router bgp {asn}
 bgp log-neighbor-changes
{neighbours} !
{families}"
    )
}

fn family(intent: &Intent, session: &Session) -> String {
    let (peer, family) = (session.peer.router().addr(), session.family());
    let (import, export) = (intent.policy(Way::In, family), intent.policy(Way::Out, family));
    let network = |net: &_| match family {
        Family::V4 => {
            let directlink_net::IpNet::V4(net) = net else { return String::new() };
            format!("  network {} mask {}\n", net.network(), net.netmask())
        }
        Family::V6 => format!("  network {net}\n"),
    };
    let networks = prefixes(intent, (Way::Out, family), "  !", |_, net| network(net));
    let name = match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    format!(
        " ! A network is announced while its exact route is in the routing table.
 address-family {name}
{networks}  neighbor {peer} activate
  neighbor {peer} soft-reconfiguration inbound
  neighbor {peer} route-map {import} in
  neighbor {peer} route-map {export} out
  neighbor {peer} maximum-prefix {PREFIXES_MAX} 80 restart 5
 exit-address-family
 !
"
    )
}

fn ip(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ipv6",
    }
}
