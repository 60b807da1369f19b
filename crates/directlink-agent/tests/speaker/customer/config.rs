//! What each daemon is configured with: one session, three prefixes, one of which nobody accepts.

use super::{Announced, Brand, HIGH, Wish};
use crate::place::{CUSTOMER, CUSTOMER_ASN, Ends, ROUTER_ASN};
use std::path::Path;

pub(super) fn config(brand: Brand, wish: &Wish<'_>, dir: &Path) -> String {
    match brand {
        Brand::Bird => bird(wish),
        Brand::Frr => frr(wish),
        Brand::Gobgp => gobgp(wish),
        Brand::Exabgp => exabgp(wish, dir),
    }
}

/// `before` the key and `after` it, if there is one.
fn with_key(wish: &Wish<'_>, before: &str, after: &str) -> String {
    let around = |key: &str| format!("{before}{key}{after}");
    wish.key.map(|key| around(key.expose())).unwrap_or_default()
}

fn bird(wish: &Wish<'_>) -> String {
    let Ends { router, customer } = wish.ends();
    let Announced { good: [_, preferred], refused } = wish.announced();
    let (channel, more, community) = (wish.channel(), wish.more, HIGH.replace(':', ", "));
    let statics: String = (wish.announced().good.iter().chain([&refused]))
        .map(|prefix| format!("route {prefix} unreachable;\n"))
        .collect();
    let password = with_key(wish, "password \"", "\";");
    format!(
        "router id {CUSTOMER};
         log stderr all;
         protocol device {{ scan time 1; }}
         protocol bfd {{ interface \"v0\" {{ interval 300 ms; multiplier 3; }}; }}
         protocol static {{ {channel}; {statics} }}
         protocol bgp directlink {{
           local {customer} as {CUSTOMER_ASN};
           neighbor {router} as {ROUTER_ASN};
           {password} {more}
           hold time 9;
           connect delay time 1;
           connect retry time 2;
           error wait time 1, 4;
           {channel} {{ import all; export filter {{
             if source != RTS_STATIC then reject;
             if net = {preferred} then bgp_community.add(({community}));
             accept;
           }}; }};
         }}\n"
    )
}

fn frr(wish: &Wish<'_>) -> String {
    let Ends { router, .. } = wish.ends();
    let Announced { good: [plain, preferred], refused } = wish.announced();
    let (channel, more) = (wish.channel(), wish.more);
    let password = with_key(wish, &format!(" neighbor {router} password "), "\n");
    format!(
        "router bgp {CUSTOMER_ASN}
 bgp router-id {CUSTOMER}
 no bgp network import-check
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor {router} remote-as {ROUTER_ASN}
 neighbor {router} timers 3 9
 neighbor {router} timers connect 1
 {more}
{password} address-family {channel} unicast
  neighbor {router} activate
  network {plain}
  network {preferred} route-map high
  network {refused}
 exit-address-family
route-map high permit 10
 set community {HIGH}
"
    )
}

fn gobgp(wish: &Wish<'_>) -> String {
    let Ends { router, customer } = wish.ends();
    let (channel, more) = (wish.channel(), wish.more);
    let password = with_key(wish, "auth-password = '", "'");
    let of_family = match more.contains("graceful-restart") {
        true => "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true",
        false => "",
    };
    format!(
        "[global.config]
as = {CUSTOMER_ASN}
router-id = \"{CUSTOMER}\"
local-address-list = [\"{customer}\"]
[[neighbors]]
[neighbors.config]
neighbor-address = \"{router}\"
peer-as = {ROUTER_ASN}
{password}
[neighbors.timers.config]
connect-retry = 1
hold-time = 9
keepalive-interval = 3
idle-hold-time-after-reset = 1
{more}
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = \"{channel}-unicast\"
{of_family}
"
    )
}

/// It has no table: what it hears goes to a file, and what it is to do comes from another.
fn exabgp(wish: &Wish<'_>, dir: &Path) -> String {
    let Ends { router, customer } = wish.ends();
    let Announced { good: [plain, preferred], refused } = wish.announced();
    let (channel, more, dir) = (wish.channel(), wish.more, dir.display());
    let password = with_key(wish, "md5-password \"", "\";");
    format!(
        "process watch {{
  run /bin/sh {dir}/watch;
  encoder json;
}}
neighbor {router} {{
  router-id {CUSTOMER};
  local-address {customer};
  local-as {CUSTOMER_ASN};
  peer-as {ROUTER_ASN};
  hold-time 9;
  {password}
  capability {{ asn4 enable; route-refresh enable; {more} }}
  family {{ {channel} unicast; }}
  api {{
    processes [ watch ];
    neighbor-changes;
    receive {{ parsed; update; }}
  }}
  announce {{ {channel} {{
    unicast {plain} next-hop self;
    unicast {preferred} next-hop self community [ {HIGH} ];
    unicast {refused} next-hop self;
  }} }}
}}
"
    )
}

/// Lines of `commands` go to ExaBGP, what it says to `seen`; both end with it.
pub(super) fn exabgp_watch(dir: &Path) -> String {
    let dir = dir.display();
    format!("tail --pid=$PPID -n +1 -f {dir}/commands &\nexec cat >> {dir}/seen\n")
}
