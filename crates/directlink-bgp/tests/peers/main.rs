//! Peers against peers, and against bytes that no peer would send, on a clock that is a number.

// Helpers outside of #[test] functions are tests as well.
#![allow(clippy::unwrap_used)]

mod feeder;
mod limits;
mod malformed;
mod messages;
mod pair;
mod path_failed;
mod preference;
mod restart;
mod sessions;

use directlink_bgp::{Output, PeerConfig};
use ipnet::IpNet;
use std::{net::IpAddr, time::Duration};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().copied().map(net).collect()
}

/// The router's side of a /30, with the Net's range to tell.
fn router() -> PeerConfig {
    let asn = |n: u32| n.try_into().unwrap();
    let addrs: (IpAddr, IpAddr) = ("172.16.0.1".parse().unwrap(), "172.16.0.2".parse().unwrap());
    PeerConfig {
        net_ranges: nets(&["10.1.0.0/16"]),
        advertised: nets(&["10.1.0.0/16"]).into_iter().collect(),
        ..PeerConfig::new((asn(50624), asn(65000)), [10, 255, 0, 1].into(), addrs)
    }
}

/// The customer's side, speaking with the same program: it accepts what the router tells.
fn customer() -> PeerConfig {
    let router = router();
    PeerConfig {
        net_ranges: vec![],
        advertised: nets(&["192.168.0.0/16", "192.168.7.0/24"]).into_iter().collect(),
        ..PeerConfig::new(
            (router.peer_asn, router.local_asn),
            [10, 255, 0, 2].into(),
            (router.peer_addr, router.local_addr),
        )
    }
}

/// Prefixes that `outputs` leave in place, from none.
fn routes_after<'a>(outputs: impl IntoIterator<Item = &'a Output>) -> Vec<IpNet> {
    let mut present = std::collections::BTreeSet::new();
    for output in outputs {
        let Output::Routes(changes) = output else { continue };
        for change in changes {
            match change.path {
                Some(_) => present.insert(change.prefix),
                None => present.remove(&change.prefix),
            };
        }
    }
    present.into_iter().collect()
}
